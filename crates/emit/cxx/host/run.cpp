// What generated code calls during a run, other than checks and memory.
#include <stdlib.h>

#include "internal.h"

// Declared by hand: the whole of omp.h is not needed.
extern "C" int omp_get_max_threads(void);

namespace tt {

void read_tensor(tt_handle handle, tt_tensor* tensor) {
  int64_t ndim = 0;
  int64_t* sizes = nullptr;
  int64_t* strides = nullptr;
  if (!handle || shim.get_dim(handle, &ndim) || shim.get_dtype(handle, &tensor->dtype) ||
      shim.get_device_type(handle, &tensor->device_type) || shim.get_sizes(handle, &sizes) ||
      shim.get_strides(handle, &strides) || shim.get_data_ptr(handle, &tensor->data))
    tt_fail("not a tensor with strides and data");
  int64_t numel = 1;
  for (int64_t d = 0; d < ndim; ++d)
    if (__builtin_mul_overflow(numel, sizes[d], &numel))
      tt_fail("a tensor is too large to be addressed");
  tensor->ndim = static_cast<int32_t>(ndim);
  tensor->sizes = sizes;
  tensor->strides = strides;
  tensor->numel = numel;
}

static void delete_handle(tt_handle* handle) {
  if (*handle) shim.delete_tensor_object(*handle);
  *handle = nullptr;
}

void finish_run(Run* run) {
  for (uint32_t i = 0; i < run->model->num_inputs; ++i) delete_handle(&run->input_held[i]);
  for (uint32_t k = 0; k < run->model->num_outputs; ++k) {
    delete_handle(&run->output_held[k]);
    run->output_filled[k] = false;
  }
  for (uint32_t h = 0; h < run->num_owned; ++h) delete_handle(&run->owned[h]);
  run->num_owned = 0;
  for (uint32_t b = 0; b < run->num_blocks; ++b) run->blocks[b].used = false;
  run->taken = false;
  run->caller_inputs = nullptr;
  run->proxy = nullptr;
  run->fault = tt_fault();
}

static void set_output(tt_run* base, uint32_t k, tt_handle handle) {
  Run* run = full(base);
  run->output_held[k] = handle;
  run->output_filled[k] = true;
}

// Checked before a handle is made, so that nothing leaks.
static void expect_empty_output(tt_run* base, uint32_t k) {
  if (full(base)->output_filled[k]) tt_fail("internal error: output %u is filled twice", k);
}

static tt_handle empty_strided(int32_t ndim, const int64_t* sizes, const int64_t* strides,
                               int32_t dtype, void** data) {
  tt_handle handle = nullptr;
  if (shim.empty_strided(ndim, sizes, strides, dtype, TT_DEVICE_CPU, 0, &handle))
    tt_fail("making a tensor failed");
  if (data && shim.get_data_ptr(handle, data)) {
    delete_handle(&handle);
    tt_fail("making a tensor failed");
  }
  return handle;
}

static tt_handle view(tt_handle base, int32_t ndim, const int64_t* sizes, const int64_t* strides,
                      int64_t offset) {
  tt_handle handle = nullptr;
  if (shim.reinterpret_tensor(base, ndim, sizes, strides, offset, &handle))
    tt_fail("making a view of a tensor failed");
  return handle;
}

}  // namespace tt

using namespace tt;

// --- Inputs.

void tt_take_inputs(tt_run* base) {
  Run* run = full(base);
  if (run->taken) return;
  for (uint32_t i = 0; i < run->model->num_inputs; ++i) {
    run->input_held[i] = run->caller_inputs[i];
    run->caller_inputs[i] = nullptr;
  }
  run->taken = true;
}

void tt_release_input(tt_run* run, uint32_t i) { delete_handle(&full(run)->input_held[i]); }

const void* tt_input_strided(tt_run* run, uint32_t i, const int64_t* strides) {
  const tt_tensor& input = run->inputs[i];
  if (input.numel == 0) return input.data;
  bool same = true;
  for (int32_t d = 0; d < input.ndim; ++d)
    same &= input.sizes[d] == 1 || input.strides[d] == strides[d];
  if (same) return input.data;
  void* copy = tt_alloc(run, span_bytes(input.ndim, input.sizes, strides, input.dtype));
  copy_strided(static_cast<char*>(copy), strides, static_cast<const char*>(input.data),
               input.strides, input.ndim, input.sizes, dtype_size(input.dtype));
  return copy;
}

int32_t tt_num_threads(const tt_run*) { return omp_get_max_threads(); }

// --- Outputs.

void* tt_output_alloc(tt_run* run, uint32_t k, int32_t ndim, const int64_t* sizes,
                      const int64_t* strides, int32_t dtype) {
  expect_empty_output(run, k);
  void* data = nullptr;
  set_output(run, k, empty_strided(ndim, sizes, strides, dtype, &data));
  return data;
}

void tt_output_input(tt_run* run, uint32_t k, uint32_t i) {
  expect_empty_output(run, k);
  set_output(run, k, same_tensor(tt_input_handle(run, i)));
}

void tt_output_alias_input(tt_run* run, uint32_t k, uint32_t i, int32_t ndim, const int64_t* sizes,
                           const int64_t* strides, int64_t offset) {
  tt_output_view(run, k, tt_input_handle(run, i), ndim, sizes, strides, offset);
}

void tt_output_input_view(tt_run* run, uint32_t k, uint32_t i, const void* data, int32_t ndim,
                          const int64_t* sizes, const int64_t* strides, int64_t offset) {
  const tt_tensor& input = run->inputs[i];
  if (data == input.data) {
    tt_output_view(run, k, tt_input_handle(run, i), ndim, sizes, strides, offset);
    return;
  }
  const char* start = static_cast<const char*>(data) + offset * dtype_size(input.dtype);
  tt_output_copy(run, k, start, ndim, sizes, strides, input.dtype);
}

void tt_output_state(tt_run* run, uint32_t k, uint32_t i) {
  const tt_constant_info& info = run->model->constants[i];
  tt_output_state_view(run, k, i, info.ndim, info.sizes, info.strides, 0);
}

void tt_output_state_view(tt_run* run, uint32_t k, uint32_t i, int32_t ndim, const int64_t* sizes,
                          const int64_t* strides, int64_t offset) {
  expect_empty_output(run, k);
  set_output(run, k, state_view(full(run)->container, i, ndim, sizes, strides, offset));
}

void tt_output_same(tt_run* run, uint32_t k, uint32_t j) {
  expect_empty_output(run, k);
  set_output(run, k, same_tensor(tt_output_handle(run, j)));
}

void tt_output_alias_output(tt_run* run, uint32_t k, uint32_t j, int32_t ndim,
                            const int64_t* sizes, const int64_t* strides, int64_t offset) {
  tt_output_view(run, k, tt_output_handle(run, j), ndim, sizes, strides, offset);
}

void tt_output_view(tt_run* run, uint32_t k, tt_handle base, int32_t ndim, const int64_t* sizes,
                    const int64_t* strides, int64_t offset) {
  expect_empty_output(run, k);
  set_output(run, k, view(base, ndim, sizes, strides, offset));
}

void* tt_output_copy(tt_run* run, uint32_t k, const void* data, int32_t ndim, const int64_t* sizes,
                     const int64_t* strides, int32_t dtype) {
  const int64_t bytes = span_bytes(ndim, sizes, strides, dtype);
  void* copy = tt_output_alloc(run, k, ndim, sizes, strides, dtype);
  if (bytes) memcpy(copy, data, bytes);
  return copy;
}

void tt_output_constant_clone(tt_run* run, uint32_t k, uint32_t i) {
  const tt_constant_info& info = run->model->constants[i];
  if (!run->constants[i]) tt_fail("internal error: constant '%s' is not stored", info.name);
  tt_output_copy(run, k, run->constants[i], info.ndim, info.sizes, info.strides, info.dtype);
}

void tt_output_i64(tt_run* run, uint32_t k, int64_t value) {
  memcpy(tt_output_alloc(run, k, 0, nullptr, nullptr, TT_I64), &value, sizeof value);
}

void tt_output_f64(tt_run* run, uint32_t k, double value) {
  memcpy(tt_output_alloc(run, k, 0, nullptr, nullptr, TT_F64), &value, sizeof value);
}

void tt_output_bool(tt_run* run, uint32_t k, bool value) {
  memcpy(tt_output_alloc(run, k, 0, nullptr, nullptr, TT_BOOL), &value, sizeof value);
}

void tt_output_null(tt_run* run, uint32_t k) {
  expect_empty_output(run, k);
  set_output(run, k, nullptr);
}

// Takes `handle` out of what the run owns; false if it is not there.
static bool disown(Run* run, tt_handle handle) {
  // From the end: what is dropped is mostly what was made last.
  for (uint32_t h = run->num_owned; h-- > 0;) {
    if (run->owned[h] != handle) continue;
    run->owned[h] = run->owned[--run->num_owned];
    return true;
  }
  return false;
}

void tt_output_give(tt_run* run, uint32_t k, tt_handle handle) {
  expect_empty_output(run, k);
  if (handle && !disown(full(run), handle)) tt_fail("internal error: output %u is not owned", k);
  set_output(run, k, handle);
}

// --- Handles.

tt_handle tt_input_handle(tt_run* base, uint32_t i) {
  Run* run = full(base);
  tt_handle handle = run->taken ? run->input_held[i] : run->caller_inputs[i];
  if (!handle) tt_fail("internal error: input %u is used after its release", i);
  return handle;
}

tt_handle tt_output_handle(tt_run* run, uint32_t k) {
  tt_handle handle = full(run)->output_held[k];
  if (!handle) tt_fail("internal error: output %u is used before it is filled", k);
  return handle;
}

tt_handle tt_constant_handle(tt_run* run, uint32_t i) {
  return constant_handle(full(run)->container, i);
}

tt_handle tt_own(tt_run* base, tt_handle handle) {
  Run* run = full(base);
  if (!handle) return handle;
  if (run->num_owned == run->owned_capacity) {
    const uint32_t capacity = run->owned_capacity ? run->owned_capacity * 2 : 16;
    void* grown = realloc(run->owned, capacity * sizeof(tt_handle));
    if (!grown) {
      delete_handle(&handle);
      tt_fail("out of memory");
    }
    run->owned = static_cast<tt_handle*>(grown);
    run->owned_capacity = capacity;
  }
  run->owned[run->num_owned++] = handle;
  return handle;
}

tt_handle tt_wrap(tt_run* run, const void* data, int32_t ndim, const int64_t* sizes,
                  const int64_t* strides, int32_t dtype) {
  tt_handle handle = nullptr;
  if (shim.create_tensor_from_blob(const_cast<void*>(data), ndim, sizes, strides, 0, dtype,
                                   TT_DEVICE_CPU, 0, &handle))
    tt_fail("making a tensor over a buffer failed");
  return tt_own(run, handle);
}

tt_handle tt_new(tt_run* run, int32_t ndim, const int64_t* sizes, const int64_t* strides,
                 int32_t dtype, void** data) {
  return tt_own(run, empty_strided(ndim, sizes, strides, dtype, data));
}

tt_handle tt_reinterpret(tt_run* run, tt_handle handle, int32_t ndim, const int64_t* sizes,
                         const int64_t* strides, int64_t offset) {
  return tt_own(run, view(handle, ndim, sizes, strides, offset));
}

void tt_drop(tt_run* run, tt_handle handle) {
  if (handle && disown(full(run), handle)) shim.delete_tensor_object(handle);
}

void tt_read(tt_run*, tt_handle handle, tt_tensor* tensor) { read_tensor(handle, tensor); }

void tt_proxy(tt_run* base, int32_t node, int32_t num_ints, int64_t* ints, int32_t num_tensors,
              tt_handle* tensors) {
  Run* run = full(base);
  if (!shim.proxy_executor_call_function || !run->proxy)
    tt_fail("this host cannot call the operators that have no kernel here");
  if (shim.proxy_executor_call_function(run->proxy, node, num_ints, ints, num_tensors, tensors))
    tt_fail("calling operator %d through the host failed", node);
}
