// The entry points that tell what the model is, and those that have nothing to do here.
#include "entry.h"

namespace tt {

// Constants that hosts are told of: packed blocks come after them.
static uint32_t num_told(const tt_model* model) { return model->num_constants - model->num_packed; }

static const tt_constant_info& told(Container* container, size_t i) {
  const tt_model* model = need(container)->model;
  if (i >= num_told(model))
    tt_fail("constant %zu: the model has %u constants", i, num_told(model));
  return model->constants[i];
}

static const char* io_name(const char* what, const tt_io_info* infos, uint32_t count, size_t i) {
  if (i >= count) tt_fail("%s %zu: the model has %u of them", what, i, count);
  return infos[i].name;
}

}  // namespace tt

using namespace tt;

TT_EXPORT int32_t AOTInductorModelContainerGetNumConstants(Container* container, size_t* count) {
  return entry([&] { *need(count) = num_told(need(container)->model); });
}

TT_EXPORT int32_t AOTInductorModelContainerGetConstantName(Container* container, size_t i,
                                                           const char** name) {
  return entry([&] { *need(name) = told(container, i).name; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetConstantOriginalFQN(Container* container, size_t i,
                                                                  const char** fqn) {
  return entry([&] { *need(fqn) = told(container, i).fqn; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetConstantFromFolded(Container* container, size_t i,
                                                                 bool* from_folded) {
  return entry([&] { *need(from_folded) = told(container, i).kind == TT_KIND_FOLDED; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetConstantType(Container* container, size_t i,
                                                           int32_t* type) {
  return entry([&] { *need(type) = told(container, i).kind; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetConstantDtype(Container* container, size_t i,
                                                            int32_t* dtype) {
  return entry([&] { *need(dtype) = told(container, i).dtype; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetConstantDataSize(Container* container, size_t i,
                                                               size_t* data_size) {
  return entry([&] { *need(data_size) = told(container, i).data_size; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetNumInputs(Container* container, size_t* count) {
  return entry([&] { *need(count) = need(container)->model->num_inputs; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetInputName(Container* container, size_t i,
                                                        const char** name) {
  return entry([&] {
    const tt_model* model = need(container)->model;
    *need(name) = io_name("input", model->inputs, model->num_inputs, i);
  });
}

TT_EXPORT int32_t AOTInductorModelContainerGetNumOutputs(Container* container, size_t* count) {
  return entry([&] { *need(count) = need(container)->model->num_outputs; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetOutputName(Container* container, size_t i,
                                                         const char** name) {
  return entry([&] {
    const tt_model* model = need(container)->model;
    *need(name) = io_name("output", model->outputs, model->num_outputs, i);
  });
}

TT_EXPORT int32_t AOTInductorModelGetNumOutputs(Container* model, size_t* count) {
  return entry([&] { *need(count) = need(model)->model->num_outputs; });
}

TT_EXPORT int32_t AOTInductorModelContainerGetCallSpec(Container* container, const char** in_spec,
                                                       const char** out_spec) {
  return entry([&] {
    *need(in_spec) = need(container)->model->in_spec;
    *need(out_spec) = container->model->out_spec;
  });
}

TT_EXPORT int32_t AOTInductorModelContainerGetConstantsBlobSize(Container* container,
                                                                uint64_t* size) {
  return entry([&] { *need(size) = need(container)->model->blob_size; });
}

TT_EXPORT int32_t AOTInductorModelContainerDidCallLoadConstants(Container* container,
                                                                bool* loaded) {
  return entry([&] { *need(loaded) = active_side(need(container))->loaded; });
}

// The text stays valid until the thread's next entry call; this one does not count.
TT_EXPORT int32_t AOTInductorGetLastError(const char** text) {
  if (!text) return 1;
  *text = last_error();
  return 0;
}

// By original name. The array is ours: it stays until the next call, or the container's end.
TT_EXPORT int32_t AOTInductorModelContainerExtractConstantsMapEntries(Container* container,
                                                                      const Entry** entries,
                                                                      size_t* num_entries,
                                                                      bool use_inactive) {
  return entry([&] {
    size_t count = 0;
    Side* side = chosen_side(need(container), use_inactive);
    for_each_extracted(container, side, [&](const char* name, tt_handle handle) {
      container->entries[count++] = Entry{name, handle};
    });
    *need(entries) = container->entries;
    *need(num_entries) = count;
  });
}

// --- Settings of other devices: accepted where they change nothing.

TT_EXPORT int32_t AOTInductorSetUsePinnedAsyncConstantsCopy(bool) {
  return entry([] {});
}

TT_EXPORT int32_t AOTInductorSetPinnedAsyncConstantsCopyStageBufferBytes(size_t) {
  return entry([] {});
}

TT_EXPORT int32_t AOTInductorSetPinnedAsyncConstantsCopyCpuThreads(size_t) {
  return entry([] {});
}

TT_EXPORT int32_t AOTInductorModelContainerSetUseStreamAffinity(Container*, bool use) {
  return entry([&] {
    if (use) tt_fail("stream affinity: there are no streams on the CPU");
  });
}

TT_EXPORT int32_t AOTInductorModelContainerGetStreamAffinityModelIndexForTesting(Container*, void*,
                                                                                 int64_t*) {
  return entry([] { tt_fail("stream affinity: there are no streams on the CPU"); });
}

TT_EXPORT int32_t AOTInductorModelRunMinimalArrayrefInterfaceV2(Container*, int32_t, const void*,
                                                                int32_t, void*) {
  return entry([] { tt_fail("the array interface is not there: use AOTInductorModelRun"); });
}
