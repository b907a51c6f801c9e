// The interface between a generated host program and the container.
//
// A generated file includes this header and nothing heavier. It defines
//
//     extern "C" const tt_model tt_model_info = { ... };
//
// a static table that says what the model is, with a pointer to its `run`
// function. The container (container.cpp and its neighbours: the same object
// files for every model) exports AOTInductor's entry points on top of it.
//
// A `run` function has four stages:
//
//   1. Checks. `tt_check_*` compare what came with what was exported. A failed
//      check throws; nothing has been taken from the caller by then.
//   2. `tt_take_inputs(run)`: from here on the inputs belong to the run.
//   3. Work: `tt_arena`, `tt_constant`, `tt_state`, kernels, extern calls,
//      `tt_check_fault` after kernels that can fault.
//   4. Outputs: every output index is filled exactly once by a `tt_output_*`.
//
// Whatever the run still holds when it returns or throws is released by the
// container: inputs, temporary handles, blocks, and, if it threw, outputs.
//
// All errors are thrown by functions of this header (`tt_fail` and the cold
// halves of the checks) as a type of the container's own. Generated code needs
// no try, and must not throw or let an exception pass inside a parallel region.
#ifndef TINTYPE_MODEL_H
#define TINTYPE_MODEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tintype_fault.h"

// Goes up whenever this header changes so that old objects must not be linked with new ones.
#define TT_ABI 2

#define TT_LIKELY(x) __builtin_expect(!!(x), 1)
#define TT_COLD __attribute__((cold, noinline, noreturn))

// Element types, by c10's numbers.
enum {
  TT_U8 = 0,
  TT_I8 = 1,
  TT_I16 = 2,
  TT_I32 = 3,
  TT_I64 = 4,
  TT_F16 = 5,
  TT_F32 = 6,
  TT_F64 = 7,
  TT_C32 = 8,
  TT_C64 = 9,
  TT_C128 = 10,
  TT_BOOL = 11,
  TT_BF16 = 15,
  TT_F8E5M2 = 23,
  TT_F8E4M3FN = 24,
  TT_F8E5M2FNUZ = 25,
  TT_F8E4M3FNUZ = 26,
  TT_U16 = 27,
  TT_U32 = 28,
  TT_U64 = 29,
};

enum { TT_DEVICE_CPU = 0 };

// ---------------------------------------------------------------------------
// The model's table.

// Instruction sets the objects were compiled for; the container refuses to load
// where one is missing. `TT_CPU_REQUIRED` is right for the flags in force here,
// so compile the generated file with the flags of its kernels.
enum {
  TT_CPU_AVX = 1 << 0,
  TT_CPU_AVX2 = 1 << 1,
  TT_CPU_FMA = 1 << 2,
  TT_CPU_F16C = 1 << 3,
  TT_CPU_BMI2 = 1 << 4,
  TT_CPU_AVX512F = 1 << 5,
  TT_CPU_AVX512BW = 1 << 6,
  TT_CPU_AVX512DQ = 1 << 7,
  TT_CPU_AVX512VL = 1 << 8,
  TT_CPU_AVX512VNNI = 1 << 9,
  TT_CPU_AVX512BF16 = 1 << 10,
  TT_CPU_AVX512FP16 = 1 << 11,
  TT_CPU_AVXVNNI = 1 << 12,
};

static const uint32_t TT_CPU_REQUIRED = 0
#ifdef __AVX__
                                        | TT_CPU_AVX
#endif
#ifdef __AVX2__
                                        | TT_CPU_AVX2
#endif
#ifdef __FMA__
                                        | TT_CPU_FMA
#endif
#ifdef __F16C__
                                        | TT_CPU_F16C
#endif
#ifdef __BMI2__
                                        | TT_CPU_BMI2
#endif
#ifdef __AVX512F__
                                        | TT_CPU_AVX512F
#endif
#ifdef __AVX512BW__
                                        | TT_CPU_AVX512BW
#endif
#ifdef __AVX512DQ__
                                        | TT_CPU_AVX512DQ
#endif
#ifdef __AVX512VL__
                                        | TT_CPU_AVX512VL
#endif
#ifdef __AVX512VNNI__
                                        | TT_CPU_AVX512VNNI
#endif
#ifdef __AVX512BF16__
                                        | TT_CPU_AVX512BF16
#endif
#ifdef __AVX512FP16__
                                        | TT_CPU_AVX512FP16
#endif
#ifdef __AVXVNNI__
                                        | TT_CPU_AVXVNNI
#endif
    ;

// A size symbol and the values it may take; `max` is INT64_MAX where unbounded.
struct tt_symbol_info {
  const char* name;
  int64_t min;
  int64_t max;
};

// The model writes this input in place.
enum { TT_IO_WRITTEN = 1 << 0 };

// An input or an output. `dims` holds one text per dimension: "3", "B", "2*B".
struct tt_io_info {
  const char* name;
  int32_t dtype;
  int32_t ndim;
  const char* const* dims;
  uint32_t flags;
};

// What a constant is, by AOTInductor's numbers; TT_PACKED is ours.
enum {
  TT_KIND_UNKNOWN = 0,
  TT_KIND_PARAMETER = 1,
  TT_KIND_BUFFER = 2,
  TT_KIND_TENSOR = 3,
  TT_KIND_FOLDED = 4,
  // A prepacked or derived block that only the model's kernels understand.
  // Not told to hosts. Its entries come after all others.
  TT_KIND_PACKED = 100,
};

enum {
  // The model writes this buffer: each container has a writable copy, kept across calls.
  TT_CONST_STATE = 1 << 0,
  // Computed by `fold` when the library is loaded; has no bytes in the blob.
  TT_CONST_FOLD_AT_LOAD = 1 << 1,
  // Something that was computed when the model was compiled depends on it: it cannot be replaced.
  TT_CONST_BAKED = 1 << 2,
};

// `offset` of a constant whose own bytes are not in the blob (only a packed form is, or none).
#define TT_NOT_STORED (-1)

struct tt_constant_info {
  const char* name;        // internal name, a C identifier: "fc1_weight"
  const char* fqn;         // original name: "fc1.weight"
  int32_t dtype;
  int32_t kind;
  uint32_t flags;
  int32_t ndim;
  const int64_t* sizes;    // null where ndim is 0
  const int64_t* strides;
  int64_t storage_offset;  // in elements, from the start of the storage
  int64_t offset;          // of the storage in the blob, in bytes, a multiple of 64
  uint64_t data_size;      // bytes of the whole storage, padded to 64
};

struct tt_run;

struct tt_model {
  uint32_t abi;           // TT_ABI
  uint32_t struct_size;   // sizeof(tt_model)
  uint32_t cpu_required;  // TT_CPU_REQUIRED
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_symbols;
  uint32_t num_constants;  // all of them
  uint32_t num_packed;     // how many at the end of `constants` are TT_KIND_PACKED
  uint32_t num_externs;
  uint32_t reserved;
  const char* name;
  const tt_io_info* inputs;
  const tt_io_info* outputs;
  const tt_symbol_info* symbols;
  const tt_constant_info* constants;
  // Names of C shim functions the model calls beyond the container's own
  // ("aoti_torch_cpu_sort_stable"); each is looked up before the first run.
  const char* const* externs;
  const char* in_spec;   // pytree specs, JSON
  const char* out_spec;
  uint64_t blob_size;    // bytes of all stored constants
  void (*run)(tt_run*);
  void (*fold)(tt_run*);  // null where nothing is flagged TT_CONST_FOLD_AT_LOAD
};

extern "C" const tt_model tt_model_info;

// ---------------------------------------------------------------------------
// The run.

// A tensor as a run sees it. Borrowed: valid while its handle is.
struct tt_tensor {
  void* data;              // first element: the storage offset is included
  const int64_t* sizes;    // not to be read where ndim is 0
  const int64_t* strides;  // in elements
  int64_t numel;
  int32_t ndim;
  int32_t dtype;
  int32_t device_type;
  int32_t reserved;
};

// The container keeps more behind this.
struct tt_run {
  const tt_model* model;
  const tt_tensor* inputs;       // [num_inputs]
  const void* const* constants;  // [num_constants], first elements; null where not stored
  void* const* states;           // [num_constants], first elements; null where not state
  void* const* externs;          // [num_externs], never null during a run
  tt_fault fault;
};

// A tensor handle of the host (AtenTensorHandle).
typedef struct tt_opaque_tensor* tt_handle;

// --- Inputs.

static inline const tt_tensor* tt_input(const tt_run* run, uint32_t i) { return &run->inputs[i]; }

static inline int64_t tt_size(const tt_run* run, uint32_t i, int32_t d) {
  return run->inputs[i].sizes[d];
}

static inline int64_t tt_stride(const tt_run* run, uint32_t i, int32_t d) {
  return run->inputs[i].strides[d];
}

extern "C" {

// Takes every input from the caller. Call once, after the last check.
void tt_take_inputs(tt_run* run);

// Drops input `i` before the end of the run, after its last use: its data, sizes
// and strides may not be read after this.
void tt_release_input(tt_run* run, uint32_t i);

// The data of input `i` with these strides: the input itself if it has them,
// else a copy that lives as long as the run. Not for inputs that are written.
const void* tt_input_strided(tt_run* run, uint32_t i, const int64_t* strides);

// The one element of a tensor, converted: half types through float, bool to 0 or 1.
int64_t tt_item_i64(tt_run* run, const tt_tensor* tensor);
double tt_item_f64(tt_run* run, const tt_tensor* tensor);

// --- Failure. Formats like printf and throws.

TT_COLD void tt_fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// The cold halves of the checks below.
TT_COLD void tt_fail_dtype(const tt_run* run, uint32_t i, int32_t dtype);
TT_COLD void tt_fail_device(const tt_run* run, uint32_t i, int32_t device_type);
TT_COLD void tt_fail_rank(const tt_run* run, uint32_t i, int32_t ndim);
TT_COLD void tt_fail_dim(const tt_run* run, uint32_t i, int32_t d, int64_t want);
TT_COLD void tt_fail_dim_range(const tt_run* run, uint32_t i, int32_t d, int64_t lo, int64_t hi,
                               const char* text);
TT_COLD void tt_fail_dim_multiple(const tt_run* run, uint32_t i, int32_t d, int64_t factor,
                                  int64_t rest, const char* text);
TT_COLD void tt_fail_dim_equal(const tt_run* run, uint32_t i, int32_t d, int64_t want,
                               const char* text);
TT_COLD void tt_fail_stride(const tt_run* run, uint32_t i, int32_t d, int64_t want,
                            const char* text);
TT_COLD void tt_fail_range(const tt_run* run, const char* text, int64_t value, int64_t lo,
                           int64_t hi);
TT_COLD void tt_fail_fault(const tt_run* run);

}  // extern "C"

// --- Checks. Check dtype, device and rank of an input before any of its sizes is read.

static inline void tt_check_dtype(const tt_run* run, uint32_t i, int32_t dtype) {
  if (!TT_LIKELY(run->inputs[i].dtype == dtype)) tt_fail_dtype(run, i, dtype);
}

static inline void tt_check_device(const tt_run* run, uint32_t i, int32_t device_type) {
  if (!TT_LIKELY(run->inputs[i].device_type == device_type)) tt_fail_device(run, i, device_type);
}

static inline void tt_check_rank(const tt_run* run, uint32_t i, int32_t ndim) {
  if (!TT_LIKELY(run->inputs[i].ndim == ndim)) tt_fail_rank(run, i, ndim);
}

// A static dimension.
static inline void tt_check_dim(const tt_run* run, uint32_t i, int32_t d, int64_t want) {
  if (!TT_LIKELY(tt_size(run, i, d) == want)) tt_fail_dim(run, i, d, want);
}

// A dimension that is (or defines) `text`, within [lo, hi]; INT64_MAX: no upper bound.
static inline void tt_check_dim_range(const tt_run* run, uint32_t i, int32_t d, int64_t lo,
                                      int64_t hi, const char* text) {
  const int64_t size = tt_size(run, i, d);
  if (!TT_LIKELY(lo <= size && size <= hi)) tt_fail_dim_range(run, i, d, lo, hi, text);
}

// A dimension `text` ("8*B") from which a symbol is solved: must be divisible by `factor` > 0.
static inline void tt_check_dim_multiple(const tt_run* run, uint32_t i, int32_t d, int64_t factor,
                                         const char* text) {
  if (!TT_LIKELY(tt_size(run, i, d) % factor == 0)) tt_fail_dim_multiple(run, i, d, factor, 0, text);
}

// A dimension whose value follows from symbols bound before: `text` is the expression.
static inline void tt_check_dim_equal(const tt_run* run, uint32_t i, int32_t d, int64_t want,
                                      const char* text) {
  if (!TT_LIKELY(tt_size(run, i, d) == want)) tt_fail_dim_equal(run, i, d, want, text);
}

// A stride. Where the dimension has at most one element, or the tensor none, any stride will do.
static inline void tt_check_stride(const tt_run* run, uint32_t i, int32_t d, int64_t want,
                                   const char* text) {
  if (!TT_LIKELY(tt_stride(run, i, d) == want || tt_size(run, i, d) <= 1 ||
                 run->inputs[i].numel == 0))
    tt_fail_stride(run, i, d, want, text);
}

// A value that is not an input's dimension: a derived symbol, a scalar read from a tensor.
static inline void tt_check_range(const tt_run* run, const char* text, int64_t value, int64_t lo,
                                  int64_t hi) {
  if (!TT_LIKELY(lo <= value && value <= hi)) tt_fail_range(run, text, value, lo, hi);
}

// A condition of the model, with its message.
static inline void tt_check(bool condition, const char* message) {
  if (!TT_LIKELY(condition)) tt_fail("%s", message);
}

// Throws what a kernel has recorded in `run->fault`. Call after each kernel that can fault.
static inline void tt_check_fault(const tt_run* run) {
  if (!TT_LIKELY(run->fault.state == 0)) tt_fail_fault(run);
}

// --- Memory.

static inline int64_t tt_align64(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

// A constant's first element.
static inline const void* tt_constant(const tt_run* run, uint32_t i) { return run->constants[i]; }

// The writable first element of a constant that is state, or that `fold` computes.
static inline void* tt_state(const tt_run* run, uint32_t i) { return run->states[i]; }

extern "C" {

// The arena of this run: at least `bytes`, aligned to 64, contents undefined.
// Reused by later runs, so that the steady state allocates nothing. A second
// call may move it: ask once, for everything.
char* tt_arena(tt_run* run, int64_t bytes);

// A block beside the arena, for sizes that only show during the run; aligned to
// 64, kept for later runs. Given back by `tt_free` or by the end of the run.
void* tt_alloc(tt_run* run, int64_t bytes);
void tt_free(tt_run* run, void* block);

// For models compiled with --sanitize-memory. A guard is a pattern in bytes that
// no tensor has; the check stops the run with `message` where it is damaged.
// What nobody needs any more becomes NaN.
void tt_guard(char* data, int64_t bytes);
void tt_check_guard(const char* data, int64_t bytes, const char* message);
void tt_forget(void* data, int64_t bytes);

// How many threads a parallel region started by this run will have.
int32_t tt_num_threads(const tt_run* run);

// --- Outputs. Each index exactly once. Sizes and strides may be null where ndim is 0.

// A new tensor; the result is where to write.
void* tt_output_alloc(tt_run* run, uint32_t k, int32_t ndim, const int64_t* sizes,
                      const int64_t* strides, int32_t dtype);

// Input `i` itself: a second handle of the same tensor.
void tt_output_input(tt_run* run, uint32_t k, uint32_t i);

// A view of input `i`; `offset` is in elements from the input's first element.
void tt_output_alias_input(tt_run* run, uint32_t k, uint32_t i, int32_t ndim, const int64_t* sizes,
                           const int64_t* strides, int64_t offset);

// As `tt_output_alias_input`, where `data` is input `i` as `tt_input_strided` gave it. If that is a copy,
// because the caller's tensor lies otherwise than it was said to, so is the output.
void tt_output_input_view(tt_run* run, uint32_t k, uint32_t i, const void* data, int32_t ndim,
                          const int64_t* sizes, const int64_t* strides, int64_t offset);

// State `i` itself, and a view of it: what the caller writes there, the next run reads. `offset` is in
// elements from the state's first element. The memory lives as long as somebody holds it.
void tt_output_state(tt_run* run, uint32_t k, uint32_t i);
void tt_output_state_view(tt_run* run, uint32_t k, uint32_t i, int32_t ndim, const int64_t* sizes,
                          const int64_t* strides, int64_t offset);

// Output `j`, filled before, once more: a second handle of the same tensor.
void tt_output_same(tt_run* run, uint32_t k, uint32_t j);

// A view of output `j`, filled before; `offset` is in elements from its first element.
void tt_output_alias_output(tt_run* run, uint32_t k, uint32_t j, int32_t ndim,
                            const int64_t* sizes, const int64_t* strides, int64_t offset);

// A view of any tensor the run has a handle of.
void tt_output_view(tt_run* run, uint32_t k, tt_handle base, int32_t ndim, const int64_t* sizes,
                    const int64_t* strides, int64_t offset);

// A new tensor with the elements of `data`, which has the same sizes and strides.
void* tt_output_copy(tt_run* run, uint32_t k, const void* data, int32_t ndim, const int64_t* sizes,
                     const int64_t* strides, int32_t dtype);

// Constant (or state) `i`, cloned, with its own sizes and strides.
void tt_output_constant_clone(tt_run* run, uint32_t k, uint32_t i);

// Tensors without dimensions: int64, float64, bool.
void tt_output_i64(tt_run* run, uint32_t k, int64_t value);
void tt_output_f64(tt_run* run, uint32_t k, double value);
void tt_output_bool(tt_run* run, uint32_t k, bool value);

// No tensor at all.
void tt_output_null(tt_run* run, uint32_t k);

// A handle of the run's own, given away (see `tt_own`).
void tt_output_give(tt_run* run, uint32_t k, tt_handle handle);

// --- Tensor handles, for calls of the C shim.

// Borrowed.
tt_handle tt_input_handle(tt_run* run, uint32_t i);
tt_handle tt_output_handle(tt_run* run, uint32_t k);
tt_handle tt_constant_handle(tt_run* run, uint32_t i);

// A handle over memory of ours (arena, constants); the memory is not owned by it.
tt_handle tt_wrap(tt_run* run, const void* data, int32_t ndim, const int64_t* sizes,
                  const int64_t* strides, int32_t dtype);

// A tensor with memory of its own; `data` may be null.
tt_handle tt_new(tt_run* run, int32_t ndim, const int64_t* sizes, const int64_t* strides,
                 int32_t dtype, void** data);

// A view; `offset` is in elements from the first element of `handle`.
tt_handle tt_reinterpret(tt_run* run, tt_handle handle, int32_t ndim, const int64_t* sizes,
                         const int64_t* strides, int64_t offset);

// Hands the run a handle that a shim call returned; null is passed through. The
// handles of `tt_wrap`, `tt_new` and `tt_reinterpret` are owned already. Owned
// handles end at `tt_drop`, at `tt_output_give` or with the run.
tt_handle tt_own(tt_run* run, tt_handle handle);
void tt_drop(tt_run* run, tt_handle handle);

// What a handle holds.
void tt_read(tt_run* run, tt_handle handle, tt_tensor* tensor);

// Calls entry `node` of the extern-kernel table through the host's proxy executor.
void tt_proxy(tt_run* run, int32_t node, int32_t num_ints, int64_t* ints, int32_t num_tensors,
              tt_handle* tensors);

TT_COLD void tt_fail_call(const tt_run* run, const char* what);

// --- Looking inside.

// Prints name, dtype, sizes and the first elements to stderr.
void tt_debug_print(const tt_run* run, const char* name, const void* data, int32_t ndim,
                    const int64_t* sizes, const int64_t* strides, int32_t dtype);

// Throws if `data` holds a NaN or an infinity; `where` names the kernel and its line.
void tt_check_finite(const tt_run* run, const char* name, const char* where, const void* data,
                     int64_t numel, int32_t dtype);

}  // extern "C"

// Function `i` of `tt_model::externs`, as a pointer to its type.
template <typename F>
static inline F tt_extern(const tt_run* run, uint32_t i) {
  return reinterpret_cast<F>(run->externs[i]);
}

// A shim call returns 0 or has failed.
static inline void tt_check_call(const tt_run* run, int32_t code, const char* what) {
  if (!TT_LIKELY(code == 0)) tt_fail_call(run, what);
}

#endif
