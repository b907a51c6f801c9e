// The entry points that replace constants.
//
// There are two sets of them: runs read one, the other can be filled while they do, and a swap makes
// it theirs. What was packed or folded when the model was compiled cannot be replaced, and says so.
#include "entry.h"

namespace tt {

// One update at a time.
struct Updating {
  Container* container;

  explicit Updating(Container* container) : container(container) {
    pthread_mutex_lock(&container->update);
  }
  ~Updating() { pthread_mutex_unlock(&container->update); }
};

// Runs write state, so none may be going on while it is copied.
static Side* inactive_copy(Container* container) {
  Side* side = &container->sides[1 - container->active];
  if (side->loaded) return side;
  const AllRuns all(container);
  try {
    load_constants(container, side);
    copy_replaced(container, side, active_side(container));
  } catch (...) {
    clear_side(side, container->model->num_constants);
    throw;
  }
  return side;
}

void update(Container* container, const Entry* entries, size_t count, bool use_inactive,
            bool user_managed, bool full) {
  if (count) need(entries);
  const Updating updating(container);
  if (!active_side(container)->loaded) tt_fail("the model's constants are not loaded");
  if (use_inactive) {
    Side* side = inactive_copy(container);
    replace_constants(container, side, entries, count, user_managed, full);
    if (!container->model->fold) return;
    const AllRuns all(container);
    fold(container, side);
    return;
  }
  const AllRuns all(container);
  replace_constants(container, active_side(container), entries, count, user_managed, full);
  fold(container, active_side(container));
}

// Deletes a container whose constants do not fit.
struct Made {
  Container* container;
  ~Made() { delete_container(container); }
};

Container* create_with(size_t num_models, const Entry* entries, size_t count) {
  Made made{create_container(num_models)};
  if (count) update(made.container, entries, count, false, true, false);
  Container* container = made.container;
  made.container = nullptr;
  return container;
}

static int32_t update_from(Container* container, const Entry* entries, size_t count,
                           bool use_inactive, bool user_managed, bool full) {
  return entry([&] {
    update(need(container), entries, count, use_inactive, user_managed, full);
  });
}

}  // namespace tt

using namespace tt;

TT_EXPORT int32_t AOTInductorModelContainerUpdateConstantBufferPairs(Container* container,
                                                                     const Entry* entries,
                                                                     size_t count,
                                                                     bool use_inactive,
                                                                     bool full) {
  return update_from(container, entries, count, use_inactive, false, full);
}

TT_EXPORT int32_t AOTInductorModelContainerUpdateConstantBufferFromCpuPairs(Container* container,
                                                                            const Entry* entries,
                                                                            size_t count,
                                                                            bool use_inactive,
                                                                            bool full) {
  return update_from(container, entries, count, use_inactive, false, full);
}

TT_EXPORT int32_t AOTInductorModelContainerUpdateUserManagedConstantBufferPairs(
    Container* container, const Entry* entries, size_t count, bool use_inactive, bool full) {
  return update_from(container, entries, count, use_inactive, true, full);
}

TT_EXPORT int32_t AOTInductorModelContainerUpdateInactiveConstantBufferPairs(Container* container,
                                                                             const Entry* entries,
                                                                             size_t count) {
  return update_from(container, entries, count, true, false, true);
}

TT_EXPORT int32_t AOTInductorModelContainerSwapConstantBuffer(Container* container) {
  return entry([&] {
    const Updating updating(need(container));
    chosen_side(container, true);
    const AllRuns all(container);
    activate(container, 1 - container->active);
  });
}

// The set that runs do not read begins anew as a copy of theirs when it is next updated.
TT_EXPORT int32_t AOTInductorModelContainerFreeInactiveConstantBuffer(Container* container) {
  return entry([&] {
    const Updating updating(need(container));
    clear_side(&container->sides[1 - container->active], container->model->num_constants);
  });
}

TT_EXPORT int32_t AOTInductorModelContainerRunConstantFolding(Container* container,
                                                              bool use_inactive, void*, void*) {
  return entry([&] {
    const Updating updating(need(container));
    const Side* side = chosen_side(container, use_inactive);
    const AllRuns all(container);
    if (side->loaded) fold(container, side);
  });
}

// --- Of containers that are made with them, and of one model by itself: the memory stays the caller's.

TT_EXPORT int32_t AOTInductorModelContainerCreateWithExternalConstants(
    Container** container, size_t num_models, const char* device, const char*,
    const Entry* entries, size_t count) {
  return entry([&] {
    if (device && strcmp(device, "cpu") && strncmp(device, "cpu:", 4))
      tt_fail("device is '%s', this library runs on 'cpu'", device);
    *need(container) = create_with(num_models, entries, count);
  });
}

TT_EXPORT int32_t AOTInductorModelCreateV2(Container** model, const Entry* entries, size_t count) {
  return entry([&] { *need(model) = create_with(1, entries, count); });
}

TT_EXPORT int32_t AOTInductorModelUpdateConstantsMapV2(Container* model, const Entry* entries,
                                                       int32_t count) {
  return update_from(model, entries, count < 0 ? 0 : static_cast<size_t>(count), false, true,
                     false);
}
