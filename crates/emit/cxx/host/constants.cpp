// A container's constants: pointers into the blob, writable state, handles.
#include <stdlib.h>

#include "internal.h"

namespace tt {

// Bytes from a storage's start to a constant's first element.
static int64_t first_element(const tt_constant_info& info) {
  return info.storage_offset * dtype_size(info.dtype);
}

// The container's own writable storage for constant `i`, made if it has none.
// Constants that view one storage of the blob share one copy of it.
static char* writable_storage(Container* container, uint32_t i) {
  const tt_constant_info* infos = container->model->constants;
  const bool stored = infos[i].offset != TT_NOT_STORED;
  if (container->owned_blocks[i]) return static_cast<char*>(container->owned_blocks[i]);
  for (uint32_t j = 0; stored && j < container->model->num_constants; ++j)
    if (container->owned_blocks[j] && infos[j].offset == infos[i].offset)
      return static_cast<char*>(container->owned_blocks[j]);
  char* block = static_cast<char*>(allocate_block(infos[i].data_size));
  container->owned_blocks[i] = block;
  if (stored)
    memcpy(block, container->blob.data + infos[i].offset, infos[i].data_size);
  else
    memset(block, 0, infos[i].data_size);
  return block;
}

// A constant of which another entry's storage is written reads that copy.
static const char* storage(Container* container, uint32_t i) {
  const tt_constant_info* infos = container->model->constants;
  for (uint32_t j = 0; j < container->model->num_constants; ++j)
    if (container->owned_blocks[j] && infos[j].offset == infos[i].offset)
      return static_cast<const char*>(container->owned_blocks[j]);
  return container->blob.data + infos[i].offset;
}

void load_constants(Container* container) {
  const tt_model* model = container->model;
  bool any_state = false;
  for (uint32_t i = 0; i < model->num_constants; ++i) {
    const tt_constant_info& info = model->constants[i];
    if (!(info.flags & (TT_CONST_STATE | TT_CONST_FOLD_AT_LOAD))) continue;
    container->states[i] = writable_storage(container, i) + first_element(info);
    container->constants[i] = container->states[i];
    any_state = true;
  }
  for (uint32_t i = 0; i < model->num_constants; ++i) {
    const tt_constant_info& info = model->constants[i];
    if (container->states[i] || info.offset == TT_NOT_STORED) continue;
    const char* start = any_state ? storage(container, i) : container->blob.data + info.offset;
    // A packed block has no dtype that means anything.
    container->constants[i] =
        info.kind == TT_KIND_PACKED ? start : start + first_element(info);
  }
  container->loaded = true;
}

static tt_handle wrap_constant(Container* container, uint32_t i) {
  const tt_constant_info& info = container->model->constants[i];
  void* data = const_cast<void*>(container->constants[i]);
  if (!data || info.kind == TT_KIND_PACKED)
    tt_fail("constant '%s' is not stored in its original form", info.fqn);
  tt_handle handle = nullptr;
  if (shim.create_tensor_from_blob(data, info.ndim, info.sizes, info.strides, 0, info.dtype,
                                   TT_DEVICE_CPU, 0, &handle))
    tt_fail("making a tensor of constant '%s' failed", info.fqn);
  return handle;
}

static tt_handle copy_constant(Container* container, uint32_t i) {
  const tt_constant_info& info = container->model->constants[i];
  const int64_t bytes = span_bytes(info.ndim, info.sizes, info.strides, info.dtype);
  tt_handle handle = nullptr;
  void* data = nullptr;
  if (shim.empty_strided(info.ndim, info.sizes, info.strides, info.dtype, TT_DEVICE_CPU, 0,
                         &handle) ||
      shim.get_data_ptr(handle, &data)) {
    if (handle) shim.delete_tensor_object(handle);
    tt_fail("copying constant '%s' failed", info.fqn);
  }
  if (bytes) memcpy(data, container->constants[i], bytes);
  return handle;
}

struct Guard {
  pthread_mutex_t* mutex;

  explicit Guard(pthread_mutex_t* mutex) : mutex(mutex) { pthread_mutex_lock(mutex); }
  ~Guard() { pthread_mutex_unlock(mutex); }
};

tt_handle constant_handle(Container* container, uint32_t i) {
  const Guard guard(&container->mutex);
  if (!container->handles[i]) container->handles[i] = wrap_constant(container, i);
  return container->handles[i];
}

// State is given as it is, so that a host can read and set it. Everything else
// lies in read-only pages that end with the container, so a host gets a copy.
tt_handle extracted_constant(Container* container, uint32_t i) {
  if (container->states[i]) return constant_handle(container, i);
  const Guard guard(&container->mutex);
  if (!container->constants[i]) return nullptr;
  if (!container->extracted[i]) container->extracted[i] = copy_constant(container, i);
  return container->extracted[i];
}

}  // namespace tt
