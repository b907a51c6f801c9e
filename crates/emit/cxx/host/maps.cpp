// The entry points that fill or read a std::unordered_map of the host.
//
// The only file that includes standard containers, as these objects cross the
// boundary; it costs as much to compile as the rest together, once.
#include <stdlib.h>

#include <string>
#include <unordered_map>

#include "entry.h"

namespace tt {

typedef std::unordered_map<std::string, tt_handle> Map;

// A map's entries, as an array. Borrows the map.
struct Listed {
  Entry* entries;
  size_t count;

  explicit Listed(const Map* map) : entries(nullptr), count(0) {
    if (!map) return;
    entries = static_cast<Entry*>(allocate_table(map->size(), sizeof(Entry)));
    for (const auto& it : *map) entries[count++] = Entry{it.first.c_str(), it.second};
  }
  ~Listed() { free(entries); }
};

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
    require_string_abi();
    need(map);
    Side* side = chosen_side(need(container), use_inactive);
    for_each_extracted(container, side,
                       [&](const char* name, tt_handle handle) { (*map)[name] = handle; });
  });
}

TT_EXPORT int32_t AOTInductorModelCreate(Container** model, Map* map) {
  return entry([&] {
    require_string_abi();
    const Listed listed(map);
    *need(model) = create_with(1, listed.entries, listed.count);
  });
}

// --- New constants, by internal name.

static int32_t update_from(Container* container, const Map* map, bool use_inactive,
                           bool user_managed, bool full) {
  return entry([&] {
    require_string_abi();
    const Listed listed(need(map));
    update(need(container), listed.entries, listed.count, use_inactive, user_managed, full);
  });
}

TT_EXPORT int32_t AOTInductorModelContainerUpdateConstantBuffer(Container* container, Map* map,
                                                                bool use_inactive, bool full) {
  return update_from(container, map, use_inactive, false, full);
}

TT_EXPORT int32_t AOTInductorModelContainerUpdateConstantBufferFromCpu(Container* container,
                                                                       Map* map,
                                                                       bool use_inactive,
                                                                       bool full) {
  return update_from(container, map, use_inactive, false, full);
}

TT_EXPORT int32_t AOTInductorModelContainerUpdateUserManagedConstantBuffer(Container* container,
                                                                           Map* map,
                                                                           bool use_inactive,
                                                                           bool full) {
  return update_from(container, map, use_inactive, true, full);
}

TT_EXPORT int32_t AOTInductorModelContainerUpdateInactiveConstantBuffer(Container* container,
                                                                        Map* map) {
  return update_from(container, map, true, false, true);
}

TT_EXPORT int32_t AOTInductorModelUpdateConstantsMap(Container* model, Map* map) {
  return update_from(model, map, false, true, false);
}
