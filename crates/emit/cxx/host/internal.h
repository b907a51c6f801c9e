// What the files of the container share. Generated code does not see this.
//
// Everything here is plain C data, allocated with calloc and released by hand:
// the container must compile in tenths of a second, so no standard container,
// string or mutex appears outside maps.cpp.
#ifndef TINTYPE_INTERNAL_H
#define TINTYPE_INTERNAL_H

#include <pthread.h>

#include "tintype_model.h"

#define TT_EXPORT extern "C" __attribute__((visibility("default")))

namespace tt {

// --- Errors (error.cpp).

// Thrown by everything that fails; the text lies in the thread's error buffer.
struct Error {};

// Of the calling thread; empty if its last entry call succeeded.
const char* last_error();
void set_error(const char* text);

// Runs the body of an entry point: no exception leaves it, and a failure becomes
// 1, kept for AOTInductorGetLastError and printed (older PyTorch does not ask).
int32_t report_current_exception();
void clear_error();

template <typename F>
static inline int32_t entry(F body) {
  clear_error();
  try {
    body();
    return 0;
  } catch (...) {
    return report_current_exception();
  }
}

// "float32", or null if there is no such dtype.
const char* dtype_name(int32_t dtype);

// Bytes of one element; fails for a dtype that is not known.
int64_t dtype_size(int32_t dtype);

// --- The host's C shim (shim.cpp).

struct Shim {
  int32_t (*delete_tensor_object)(tt_handle);
  int32_t (*empty_strided)(int64_t, const int64_t*, const int64_t*, int32_t, int32_t, int32_t,
                           tt_handle*);
  int32_t (*create_tensor_from_blob)(void*, int64_t, const int64_t*, const int64_t*, int64_t,
                                     int32_t, int32_t, int32_t, tt_handle*);
  int32_t (*reinterpret_tensor)(tt_handle, int64_t, const int64_t*, const int64_t*, int64_t,
                                tt_handle*);
  int32_t (*assign_tensors_out)(tt_handle, tt_handle*);
  int32_t (*get_data_ptr)(tt_handle, void**);
  int32_t (*get_dim)(tt_handle, int64_t*);
  int32_t (*get_sizes)(tt_handle, int64_t**);
  int32_t (*get_strides)(tt_handle, int64_t**);
  int32_t (*get_dtype)(tt_handle, int32_t*);
  int32_t (*get_device_type)(tt_handle, int32_t*);
  bool (*grad_mode_is_enabled)();
  void (*grad_mode_set_enabled)(bool);
  // Newer than the oldest host we load in, or not needed by every model: may be null.
  int32_t (*new_tensor_handle)(tt_handle, tt_handle*);
  int32_t (*proxy_executor_call_function)(void*, int, int, int64_t*, int, tt_handle*);
};

// Valid after `require_shim` has returned once.
extern Shim shim;

// Looks up what is not yet looked up; fails if a function is missing.
void require_shim();

// The address of a host function, or null.
void* find_host_function(const char* name);

// Whether the host is one that asks for the error text, and needs none on stderr.
bool host_reads_errors();

// A second handle of the same tensor, with whatever the host has for that.
tt_handle same_tensor(tt_handle handle);

// --- Memory (memory.cpp).

// Aligned to 64 bytes, or to a huge page where large. Fails rather than returning null.
void* allocate_block(uint64_t bytes);

// Zeroed memory for bookkeeping; fails rather than returning null.
void* allocate_table(uint64_t count, uint64_t size);

struct Block {
  void* data;
  uint64_t size;
  bool used;
};

// How many bytes the elements of such a tensor span; fails on overflow.
int64_t span_bytes(int32_t ndim, const int64_t* sizes, const int64_t* strides, int32_t dtype);

// Copies element by element between two layouts of the same sizes.
void copy_strided(char* to, const int64_t* to_strides, const char* from,
                  const int64_t* from_strides, int32_t ndim, const int64_t* sizes,
                  int64_t item_size);

// --- Constants (blob.cpp).

// The bytes of all stored constants.
struct Blob {
  const char* data;
  void* mapping;  // what to unmap; null where the memory is not ours
  uint64_t mapping_size;
};

// Maps the blob behind the library's own file, or beside it. Leaves `blob` empty
// if there is none; fails if there is one that does not fit the model.
void find_blob(uint64_t size, Blob* blob);
void release_blob(Blob* blob);

// --- Containers and runs.

struct Container;

// One concurrent run and the memory it keeps between runs.
struct Run : tt_run {
  Container* container;
  void* proxy;
  tt_handle* caller_inputs;  // the caller's slots
  bool taken;
  tt_tensor* views;        // [num_inputs], what `inputs` points to
  tt_handle* input_held;   // [num_inputs], null once released
  tt_handle* output_held;  // [num_outputs]
  bool* output_filled;     // [num_outputs]
  tt_handle* owned;        // handles to delete at the end
  uint32_t num_owned;
  uint32_t owned_capacity;
  Block arena;
  Block* blocks;
  uint32_t num_blocks;
  uint32_t block_capacity;
};

// The entry type of the functions that take arrays instead of maps.
struct Entry {
  const char* name;
  tt_handle handle;
};

// A set of constants. Memory is a tensor of the host where one holds it, so that it lives as long as
// somebody needs it.
struct Side {
  bool loaded;
  const void** constants;  // [num_constants]
  void** states;           // [num_constants]
  char** writable;         // [num_constants], storages that are not the blob's
  tt_handle* owners;       // [num_constants], what keeps `writable`, or a caller's tensor, alive
  bool* user_managed;      // [num_constants], whether `constants` points into a caller's tensor
  tt_handle* handles;      // [num_constants], made when asked for
  tt_handle* extracted;    // [num_constants], copies given to hosts
};

struct Container {
  const tt_model* model;
  pthread_mutex_t mutex;
  pthread_cond_t freed;
  Run* runs;
  uint32_t num_runs;
  Run** idle;  // a stack
  uint32_t num_idle;
  Blob blob;
  Side sides[2];
  uint32_t active;         // which side runs read
  pthread_mutex_t update;  // held while the other side is changed
  Entry* entries;          // [num_constants], the last answer to ExtractConstantsMapEntries
  void** externs;          // [num_externs]
};

static inline Side* active_side(Container* container) {
  return &container->sides[container->active];
}

// The side of an entry point's flag; the other one must have been filled.
Side* chosen_side(Container* container, bool use_inactive);

void make_side(Side* side, uint32_t num_constants);
// Gives back what a side holds; it can be loaded anew.
void clear_side(Side* side, uint32_t num_constants);
void free_side(Side* side, uint32_t num_constants);

// Copies state and points `constants` into the blob. The blob's memory must outlive the container.
void load_constants(Container* container, Side* side);

// New constants for a side that is loaded, by internal name: all or, where one does not fit, none.
// The memory of `user_managed` ones stays the caller's, who keeps it as it is while runs read it.
// With `full` no parameter may be missing.
void replace_constants(Container* container, Side* side, const Entry* entries, size_t count,
                       bool user_managed, bool full);

// Copies what a side has instead of the blob's constants, state too.
void copy_replaced(Container* container, Side* to, const Side* from);

// A view of the tensor that keeps a state alive.
tt_handle state_view(Container* container, uint32_t i, int32_t ndim, const int64_t* sizes,
                     const int64_t* strides, int64_t offset);

// Handles of a side, made once; guarded by the container's mutex.
tt_handle constant_handle(Container* container, uint32_t i);
tt_handle extracted_constant(Container* container, Side* side, uint32_t i);

// Calls `use(original name, handle)` for each constant that hosts may have; the
// handles are borrowed, and end with the container.
template <typename F>
static inline void for_each_extracted(Container* container, Side* side, F use) {
  const tt_model* model = container->model;
  for (uint32_t i = 0; i < model->num_constants - model->num_packed; ++i) {
    if (model->constants[i].kind == TT_KIND_FOLDED) continue;
    if (tt_handle handle = extracted_constant(container, side, i)) use(model->constants[i].fqn, handle);
  }
}

// Empties a run after it returned or threw (run.cpp).
void finish_run(Run* run);
void release_run_memory(Run* run);
void read_tensor(tt_handle handle, tt_tensor* tensor);

static inline Run* full(tt_run* run) { return static_cast<Run*>(run); }
static inline const Run* full(const tt_run* run) { return static_cast<const Run*>(run); }

}  // namespace tt

#endif
