// The entry points that fill or read a std::unordered_map of the host.
//
// The only file that includes standard containers, as these objects cross the
// boundary; it costs as much to compile as the rest together, once.
#include <string>
#include <unordered_map>

#include "entry.h"

namespace tt {

typedef std::unordered_map<std::string, tt_handle> Map;

// PyTorch 2.6 for x86-64 was built with the older std::string, in whose maps our
// functions would find garbage. A host that is not PyTorch has no libc10 and is
// taken at its word.
static void require_string_abi() {
  const bool is_torch = find_host_function("_ZN3c105Error8add_contextESs") != nullptr;
  if (is_torch) tt_fail("this PyTorch was built with another std::string: use 2.7 or newer");
}

}  // namespace tt

using namespace tt;

// By original name. The handles are borrowed: they end with the container.
TT_EXPORT int32_t AOTInductorModelContainerExtractConstantsMap(Container* container, Map* map,
                                                               bool use_inactive) {
  return entry([&] {
    if (use_inactive) tt_fail("there is no inactive set of constants");
    require_string_abi();
    need(map);
    for_each_extracted(need(container),
                       [&](const char* name, tt_handle handle) { (*map)[name] = handle; });
  });
}

TT_EXPORT int32_t AOTInductorModelCreate(Container** model, Map* map) {
  return entry([&] {
    require_string_abi();
    if (map && !map->empty()) fail_update();
    *need(model) = create_container(1);
  });
}
