// A container's constants: pointers into the blob, writable state, handles.
#include <stdlib.h>

#include "internal.h"

namespace tt {

// Bytes from a storage's start to a constant's first element.
static int64_t first_element(const tt_constant_info& info) {
  return info.storage_offset * dtype_size(info.dtype);
}

static void delete_handle(tt_handle* handle) {
  if (*handle) shim.delete_tensor_object(*handle);
  *handle = nullptr;
}

void make_side(Side* side, uint32_t n) {
  side->constants = static_cast<const void**>(allocate_table(n, sizeof(void*)));
  side->states = static_cast<void**>(allocate_table(n, sizeof(void*)));
  side->writable = static_cast<char**>(allocate_table(n, sizeof(char*)));
  side->owners = static_cast<tt_handle*>(allocate_table(n, sizeof(tt_handle)));
  side->user_managed = static_cast<bool*>(allocate_table(n, sizeof(bool)));
  side->handles = static_cast<tt_handle*>(allocate_table(n, sizeof(tt_handle)));
  side->extracted = static_cast<tt_handle*>(allocate_table(n, sizeof(tt_handle)));
}

void clear_side(Side* side, uint32_t n) {
  for (uint32_t i = 0; side->extracted && i < n; ++i) {
    delete_handle(&side->handles[i]);
    delete_handle(&side->extracted[i]);
    delete_handle(&side->owners[i]);
    side->constants[i] = nullptr;
    side->states[i] = nullptr;
    side->writable[i] = nullptr;
    side->user_managed[i] = false;
  }
  side->loaded = false;
}

void free_side(Side* side, uint32_t n) {
  clear_side(side, n);
  free(side->constants);
  free(side->states);
  free(side->writable);
  free(side->owners);
  free(side->user_managed);
  free(side->handles);
  free(side->extracted);
}

// The entry that holds the writable storage of constant `i`; none: `num_constants`.
// Constants that view one storage of the blob share one copy of it.
static uint32_t holder(const Container* container, const Side* side, uint32_t i) {
  const tt_constant_info* infos = container->model->constants;
  const uint32_t n = container->model->num_constants;
  if (side->writable[i] || infos[i].offset == TT_NOT_STORED) return side->writable[i] ? i : n;
  for (uint32_t j = 0; j < n; ++j)
    if (side->writable[j] && infos[j].offset == infos[i].offset) return j;
  return n;
}

// Memory of the host for constant `i`, zeroed or with the blob's bytes.
static char* make_writable(Container* container, Side* side, uint32_t i) {
  const tt_constant_info& info = container->model->constants[i];
  const int64_t item = dtype_size(info.dtype);
  const int64_t size = static_cast<int64_t>((info.data_size + item - 1) / item), stride = 1;
  void* data = nullptr;
  if (shim.empty_strided(1, &size, &stride, info.dtype, TT_DEVICE_CPU, 0, &side->owners[i]) ||
      shim.get_data_ptr(side->owners[i], &data))
    tt_fail("out of memory: %llu bytes for '%s'", (unsigned long long)info.data_size, info.fqn);
  side->writable[i] = static_cast<char*>(data);
  if (info.offset != TT_NOT_STORED && info.data_size)
    memcpy(data, container->blob.data + info.offset, info.data_size);
  else if (info.data_size)
    memset(data, 0, info.data_size);
  return side->writable[i];
}

static char* writable_storage(Container* container, Side* side, uint32_t i) {
  const uint32_t j = holder(container, side, i);
  return j < container->model->num_constants ? side->writable[j]
                                             : make_writable(container, side, i);
}

// Where constant `i` is read. One of which another entry's storage is written reads that copy.
static const void* placed(Container* container, Side* side, uint32_t i) {
  const tt_constant_info& info = container->model->constants[i];
  const uint32_t j = holder(container, side, i);
  const char* storage = j < container->model->num_constants ? side->writable[j]
                        : info.offset == TT_NOT_STORED      ? nullptr
                                                            : container->blob.data + info.offset;
  // A packed block has no dtype that means anything.
  return !storage || info.kind == TT_KIND_PACKED ? storage : storage + first_element(info);
}

void load_constants(Container* container, Side* side) {
  const tt_model* model = container->model;
  for (uint32_t i = 0; i < model->num_constants; ++i) {
    const tt_constant_info& info = model->constants[i];
    if (!(info.flags & (TT_CONST_STATE | TT_CONST_FOLD_AT_LOAD))) continue;
    side->states[i] = writable_storage(container, side, i) + first_element(info);
  }
  for (uint32_t i = 0; i < model->num_constants; ++i)
    side->constants[i] = placed(container, side, i);
  side->loaded = true;
}

Side* chosen_side(Container* container, bool use_inactive) {
  Side* side = use_inactive ? &container->sides[1 - container->active] : active_side(container);
  if (use_inactive && !side->loaded) tt_fail("there is no inactive set of constants");
  return side;
}

// --- Replacing them.

static uint32_t num_told(const tt_model* model) { return model->num_constants - model->num_packed; }

static tt_handle given(const Entry* entries, size_t count, const char* name) {
  for (size_t e = 0; e < count; ++e)
    if (entries[e].name && !strcmp(entries[e].name, name)) return entries[e].handle;
  return nullptr;
}

static bool is_known(const tt_model* model, const char* name) {
  for (uint32_t i = 0; name && i < num_told(model); ++i)
    if (!strcmp(model->constants[i].name, name)) return true;
  return false;
}

// Fails where a tensor cannot take the place of a constant.
static void check_replacement(const tt_constant_info& info, const tt_tensor& tensor,
                              bool user_managed) {
  if (info.flags & TT_CONST_BAKED)
    tt_fail("constant '%s' was packed or folded when the model was compiled: compile the model "
            "with --updatable to replace it",
            info.fqn);
  if (tensor.device_type != TT_DEVICE_CPU) tt_fail("constant '%s' must be on the CPU", info.fqn);
  const char* found = dtype_name(tensor.dtype);
  if (tensor.dtype != info.dtype)
    tt_fail("constant '%s' is %s, but what is to replace it is %s", info.fqn,
            dtype_name(info.dtype), found ? found : "of another dtype");
  if (tensor.ndim != info.ndim)
    tt_fail("constant '%s' has %d dimensions, but what is to replace it has %d", info.fqn,
            info.ndim, tensor.ndim);
  for (int32_t d = 0; d < info.ndim; ++d) {
    if (tensor.sizes[d] != info.sizes[d])
      tt_fail("constant '%s': dimension %d has size %lld, but what is to replace it has %lld",
              info.fqn, d, (long long)info.sizes[d], (long long)tensor.sizes[d]);
    if (user_managed && tensor.strides[d] != info.strides[d] && info.sizes[d] > 1 &&
        tensor.numel)
      tt_fail("constant '%s': dimension %d has stride %lld, but the tensor of the caller that is to "
              "be read in place has %lld",
              info.fqn, d, (long long)info.strides[d], (long long)tensor.strides[d]);
  }
}

static void check_replacements(Container* container, const Entry* entries, size_t count,
                               bool user_managed, bool full) {
  const tt_model* model = container->model;
  for (size_t e = 0; e < count; ++e)
    if (!is_known(model, entries[e].name))
      tt_fail("there is no constant '%s'", entries[e].name ? entries[e].name : "");
  for (uint32_t i = 0; i < num_told(model); ++i) {
    const tt_constant_info& info = model->constants[i];
    if (info.kind == TT_KIND_FOLDED) continue;
    if (tt_handle handle = given(entries, count, info.name)) {
      tt_tensor tensor;
      read_tensor(handle, &tensor);
      check_replacement(info, tensor, user_managed);
    } else if (full && info.kind == TT_KIND_PARAMETER && info.data_size) {
      tt_fail("constant '%s' is missing from those that are to replace all", info.fqn);
    }
  }
}

// Constant `i` lies elsewhere now, or holds something else.
static void move_to(Container* container, Side* side, uint32_t i, const void* place) {
  pthread_mutex_lock(&container->mutex);
  if (side->constants[i] != place) delete_handle(&side->handles[i]);
  delete_handle(&side->extracted[i]);
  pthread_mutex_unlock(&container->mutex);
  side->constants[i] = place;
  if (container->model->constants[i].flags & TT_CONST_STATE)
    side->states[i] = const_cast<void*>(place);
}

static void copy_in(Container* container, Side* side, uint32_t i, const tt_tensor& tensor) {
  const tt_model* model = container->model;
  const tt_constant_info& info = model->constants[i];
  if (side->user_managed[i]) {
    delete_handle(&side->owners[i]);
    side->user_managed[i] = false;
  }
  char* to = writable_storage(container, side, i) + first_element(info);
  if (tensor.numel && to != tensor.data)
    copy_strided(to, info.strides, static_cast<const char*>(tensor.data), tensor.strides,
                 info.ndim, info.sizes, dtype_size(info.dtype));
  // Others may see the same storage.
  for (uint32_t j = 0; j < model->num_constants; ++j)
    if (j == i || (!side->user_managed[j] && model->constants[j].offset == info.offset))
      move_to(container, side, j, placed(container, side, j));
}

static void point_to(Container* container, Side* side, uint32_t i, tt_handle handle,
                     const tt_tensor& tensor) {
  const tt_handle kept = same_tensor(handle);
  // Storage that other constants share stays theirs; it has another holder from now on.
  const int64_t offset = container->model->constants[i].offset;
  char* const storage = side->user_managed[i] ? nullptr : side->writable[i];
  for (uint32_t j = 0; storage && j < container->model->num_constants; ++j) {
    if (j == i || side->user_managed[j] || container->model->constants[j].offset != offset)
      continue;
    side->writable[j] = storage;
    side->owners[j] = side->owners[i];
    side->owners[i] = nullptr;
    break;
  }
  delete_handle(&side->owners[i]);
  side->owners[i] = kept;
  side->writable[i] = nullptr;
  side->user_managed[i] = true;
  move_to(container, side, i, tensor.data);
}

void replace_constants(Container* container, Side* side, const Entry* entries, size_t count,
                       bool user_managed, bool full) {
  check_replacements(container, entries, count, user_managed, full);
  for (uint32_t i = 0; i < num_told(container->model); ++i) {
    const tt_constant_info& info = container->model->constants[i];
    tt_handle handle = given(entries, count, info.name);
    // What no kernel reads has no place.
    if (!handle || info.kind == TT_KIND_FOLDED || !side->constants[i]) continue;
    tt_tensor tensor;
    read_tensor(handle, &tensor);
    if (user_managed)
      point_to(container, side, i, handle, tensor);
    else
      copy_in(container, side, i, tensor);
  }
}

void copy_replaced(Container* container, Side* to, const Side* from) {
  const tt_model* model = container->model;
  for (uint32_t i = 0; i < num_told(model); ++i) {
    const tt_constant_info& info = model->constants[i];
    const bool is_blobs =
        !from->user_managed[i] && holder(container, from, i) == model->num_constants;
    if (is_blobs || !from->constants[i] || info.kind == TT_KIND_FOLDED) continue;
    tt_tensor tensor = {const_cast<void*>(from->constants[i]), info.sizes, info.strides, 1,
                        info.ndim, info.dtype, TT_DEVICE_CPU, 0};
    for (int32_t d = 0; d < info.ndim; ++d) tensor.numel *= info.sizes[d];
    copy_in(container, to, i, tensor);
  }
}

// --- Handles.

tt_handle state_view(Container* container, uint32_t i, int32_t ndim, const int64_t* sizes,
                     const int64_t* strides, int64_t offset) {
  Side* side = active_side(container);
  const tt_constant_info* infos = container->model->constants;
  const uint32_t j = side->user_managed[i] ? i : holder(container, side, i);
  if (j >= container->model->num_constants || !side->owners[j] || !side->states[i] ||
      infos[j].dtype != infos[i].dtype)
    tt_fail("state '%s' cannot be handed over", infos[i].fqn);
  void* start = nullptr;
  if (shim.get_data_ptr(side->owners[j], &start))
    tt_fail("state '%s' cannot be handed over", infos[i].fqn);
  const int64_t bytes = static_cast<char*>(side->states[i]) - static_cast<char*>(start);
  tt_handle handle = nullptr;
  if (shim.reinterpret_tensor(side->owners[j], ndim, sizes, strides,
                              bytes / dtype_size(infos[i].dtype) + offset, &handle))
    tt_fail("making a tensor of state '%s' failed", infos[i].fqn);
  return handle;
}

static tt_handle wrap_constant(Container* container, Side* side, uint32_t i) {
  const tt_constant_info& info = container->model->constants[i];
  void* data = const_cast<void*>(side->constants[i]);
  if (!data || info.kind == TT_KIND_PACKED)
    tt_fail("constant '%s' is not stored in its original form", info.fqn);
  tt_handle handle = nullptr;
  if (shim.create_tensor_from_blob(data, info.ndim, info.sizes, info.strides, 0, info.dtype,
                                   TT_DEVICE_CPU, 0, &handle))
    tt_fail("making a tensor of constant '%s' failed", info.fqn);
  return handle;
}

static tt_handle copy_constant(Container* container, Side* side, uint32_t i) {
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
  if (bytes) memcpy(data, side->constants[i], bytes);
  return handle;
}

struct Guard {
  pthread_mutex_t* mutex;

  explicit Guard(pthread_mutex_t* mutex) : mutex(mutex) { pthread_mutex_lock(mutex); }
  ~Guard() { pthread_mutex_unlock(mutex); }
};

static tt_handle wrapped(Container* container, Side* side, uint32_t i) {
  const Guard guard(&container->mutex);
  if (!side->handles[i]) side->handles[i] = wrap_constant(container, side, i);
  return side->handles[i];
}

tt_handle constant_handle(Container* container, uint32_t i) {
  return wrapped(container, active_side(container), i);
}

// State is given as it is, so that a host can read and set it. Everything else
// lies in read-only pages that end with the container, so a host gets a copy.
tt_handle extracted_constant(Container* container, Side* side, uint32_t i) {
  if (side->states[i]) return wrapped(container, side, i);
  const Guard guard(&container->mutex);
  if (!side->constants[i]) return nullptr;
  if (!side->extracted[i]) side->extracted[i] = copy_constant(container, side, i);
  return side->extracted[i];
}

}  // namespace tt
