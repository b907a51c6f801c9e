// The checks of a model's inputs in a loop; `cargo xtask bench checks` fills in the inputs.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tintype_model.h"

// Behind the checks the inputs are taken; here the run ends instead.
#define tt_take_inputs(run) return
#include "host.cpp"

alignas(64) static char memory[64];
TABLES

static const tt_tensor tensors[] = {
ROWS
  {nullptr, nullptr, nullptr, 0, 0, 0, 0, 0},
};

static double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main() {
  tt_run run = {};
  run.model = &tt_model_info;
  run.inputs = tensors;
  const int turns = 1000000;
  double best = 1e30;
  for (int k = 0; k < 20; ++k) {
    const double start = now();
    for (int i = 0; i < turns; ++i) {
      tt_run* it = &run;
      __asm__ volatile("" : "+r"(it) : : "memory");
      it->model->run(it);
    }
    const double taken = (now() - start) / turns;
    if (taken < best) best = taken;
  }
  printf("%.3f\n", best);
  return 0;
}

#define FAILS(name, ...) \
  void name(__VA_ARGS__) { abort(); }

FAILS(tt_fail, const char*, ...)
FAILS(tt_fail_dtype, const tt_run*, uint32_t, int32_t)
FAILS(tt_fail_device, const tt_run*, uint32_t, int32_t)
FAILS(tt_fail_rank, const tt_run*, uint32_t, int32_t)
FAILS(tt_fail_dim, const tt_run*, uint32_t, int32_t, int64_t)
FAILS(tt_fail_dim_range, const tt_run*, uint32_t, int32_t, int64_t, int64_t, const char*)
FAILS(tt_fail_dim_multiple, const tt_run*, uint32_t, int32_t, int64_t, int64_t, const char*)
FAILS(tt_fail_dim_equal, const tt_run*, uint32_t, int32_t, int64_t, const char*)
FAILS(tt_fail_stride, const tt_run*, uint32_t, int32_t, int64_t, const char*)
FAILS(tt_fail_range, const tt_run*, const char*, int64_t, int64_t, int64_t)
FAILS(tt_fail_fault, const tt_run*)
