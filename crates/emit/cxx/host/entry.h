// What the files with entry points share.
#ifndef TINTYPE_ENTRY_H
#define TINTYPE_ENTRY_H

#include "internal.h"

namespace tt {

// No autograd while the model runs; the caller's mode comes back at the end.
struct GradGuard {
  bool enabled;

  GradGuard() : enabled(shim.grad_mode_is_enabled()) {
    if (enabled) shim.grad_mode_set_enabled(false);
  }
  ~GradGuard() {
    if (enabled) shim.grad_mode_set_enabled(true);
  }
};

// Releases whatever the run still holds.
struct FinishRun {
  Run* run;
  ~FinishRun() { finish_run(run); }
};

template <typename T>
static inline T* need(T* pointer) {
  if (!pointer) tt_fail("a pointer is null");
  return pointer;
}

// All runs at once, for what may not happen beside a run. Waits until all are
// idle together, so that two who want all of them do not wait for each other.
struct AllRuns {
  Container* container;
  uint32_t num_taken;

  explicit AllRuns(Container* container);
  ~AllRuns();
};

Container* create_container(size_t num_models);
void delete_container(Container* container);

// Computes what is folded when a library is loaded, for one set of constants; no run may be going on.
void fold(Container* container, const Side* side);

// The set of constants that runs read from now on; no run may be going on.
void activate(Container* container, uint32_t side);

// A container whose constants are those of a caller, by internal name, where it gives some.
Container* create_with(size_t num_models, const Entry* entries, size_t count);

// New constants by internal name, for the set that runs read or for the other one, which begins as a
// copy of it.
void update(Container* container, const Entry* entries, size_t count, bool use_inactive,
            bool user_managed, bool full);

}  // namespace tt

#endif
