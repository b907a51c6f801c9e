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

[[noreturn]] static inline void fail_update() {
  tt_fail("constants cannot be replaced: they were packed and folded when the model was compiled; "
          "compile it again with the new ones");
}

Container* create_container(size_t num_models);
void delete_container(Container* container);

}  // namespace tt

#endif
