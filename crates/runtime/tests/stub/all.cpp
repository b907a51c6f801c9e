// A model by hand that calls everything a generated one may call.
//
// x is [B, 4] with B in [1, 64], index is [n] with n in [0, 8], sum is [4] and
// is written: sum += 1. State is a counter of calls.
#include "tintype_model.h"

static const char* const x_dims[] = {"B", "4"};
static const char* const xt_dims[] = {"4", "B"};
static const char* const index_dims[] = {"n"};
static const char* const four[] = {"4"};
static const tt_io_info inputs[] = {
    {"x", TT_F32, 2, x_dims, 0},
    {"index", TT_I64, 1, index_dims, 0},
    {"sum", TT_F32, 1, four, TT_IO_WRITTEN},
};
static const tt_io_info outputs[] = {
    {"scaled", TT_F32, 2, x_dims, 0},  {"transposed", TT_F32, 2, xt_dims, 0},
    {"x", TT_F32, 2, x_dims, 0},       {"row", TT_F32, 1, four, 0},
    {"weight", TT_F32, 1, four, 0},    {"calls", TT_I64, 0, nullptr, 0},
    {"none", -1, 0, nullptr, 0},       {"scaled again", TT_F32, 2, x_dims, 0},
    {"picked", TT_F32, 1, index_dims, 0}, {"folded", TT_F32, 1, four, 0},
    {"zeros", TT_F32, 1, four, 0},     {"half", TT_F64, 0, nullptr, 0},
    {"flag", TT_BOOL, 0, nullptr, 0},  {"tail", TT_F32, 1, nullptr, 0},
};
static const tt_symbol_info symbols[] = {{"B", 1, 64}, {"n", 0, 8}};

static const int64_t size4[] = {4};
static const int64_t size2[] = {2};
static const int64_t stride1[] = {1};
enum { WEIGHT, TAIL, CALLS, FOLDED, PACKED };
static const tt_constant_info constants[] = {
    {"weight", "layer.weight", TT_F32, TT_KIND_PARAMETER, 0, 1, size4, stride1, 0, 0, 64},
    // A view of the same storage, from its third element.
    {"tail", "layer.tail", TT_F32, TT_KIND_PARAMETER, 0, 1, size2, stride1, 2, 0, 64},
    {"calls", "calls", TT_I64, TT_KIND_BUFFER, TT_CONST_STATE, 0, nullptr, nullptr, 0, 64, 64},
    {"folded", "folded", TT_F32, TT_KIND_FOLDED, TT_CONST_FOLD_AT_LOAD, 1, size4, stride1, 0,
     TT_NOT_STORED, 64},
    {"packed", "", TT_U8, TT_KIND_PACKED, 0, 0, nullptr, nullptr, 0, 128, 64},
};
static const char* const externs[] = {"aoti_torch_zero_"};

static void fold(tt_run* run) {
  const float* weight = (const float*)tt_constant(run, WEIGHT);
  for (int64_t n = 0; n < 4; ++n) ((float*)tt_state(run, FOLDED))[n] = 2 * weight[n];
}

static void pick(tt_fault* fault, float* to, const float* from, const int64_t* index, int64_t n) {
#pragma omp parallel for
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = index[i];
    if (at < 0 || at >= 4)
      tt_raise(fault, "index of picked", at, 0, 4);
    else
      to[i] = from[at];
  }
}

static void run(tt_run* run) {
  const int64_t x_strides[] = {4, 1};
  for (uint32_t i = 0; i < 3; ++i) {
    tt_check_dtype(run, i, inputs[i].dtype);
    tt_check_device(run, i, TT_DEVICE_CPU);
    tt_check_rank(run, i, inputs[i].ndim);
  }
  tt_check_dim_range(run, 0, 0, 1, 64, "B");
  tt_check_dim(run, 0, 1, 4);
  tt_check_dim_range(run, 1, 0, 0, 8, "n");
  tt_check_dim(run, 2, 0, 4);
  tt_check_stride(run, 2, 0, 1, "1");
  const int64_t B = tt_size(run, 0, 0);
  const int64_t n = tt_size(run, 1, 0);
  const float* x = (const float*)tt_input_strided(run, 0, x_strides);
  const int64_t* index = (const int64_t*)tt_input_strided(run, 1, stride1);
  tt_take_inputs(run);

  const float* weight = (const float*)tt_constant(run, WEIGHT);
  float* scratch = (float*)tt_arena(run, B * 4 * (int64_t)sizeof(float));
  const int64_t sizes[] = {B, 4};
  for (int64_t i = 0; i < B * 4; ++i) scratch[i] = x[i] * weight[i % 4];
  tt_check_finite(run, "scratch", "scale, all.cpp:79", scratch, B * 4, TT_F32);
  float* scaled = (float*)tt_output_alloc(run, 0, 2, sizes, x_strides, TT_F32);
  memcpy(scaled, scratch, B * 4 * sizeof(float));
  const int64_t t_sizes[] = {4, B};
  const int64_t t_strides[] = {1, 4};
  tt_output_alias_output(run, 1, 0, 2, t_sizes, t_strides, 0);
  tt_output_input(run, 2, 0);
  tt_output_alias_input(run, 3, 0, 1, size4, stride1, 4 * (B - 1));
  tt_output_constant_clone(run, 4, WEIGHT);

  int64_t* calls = (int64_t*)tt_state(run, CALLS);
  ++*calls;
  tt_output_i64(run, 5, *calls);
  tt_output_null(run, 6);
  tt_output_same(run, 7, 0);

  const int64_t n_sizes[] = {n};
  float* picked = (float*)tt_output_alloc(run, 8, 1, n_sizes, stride1, TT_F32);
  pick(&run->fault, picked, weight, index, n);
  tt_check_fault(run);
  tt_release_input(run, 1);

  float* sum = (float*)tt_input(run, 2)->data;
  for (int64_t i = 0; i < 4; ++i) sum[i] += 1;

  tt_output_constant_clone(run, 9, FOLDED);
  tt_check(((const uint8_t*)tt_constant(run, PACKED))[63] == 7, "the packed block is wrong");

  // A handle of our own, zeroed by a function of the host, and given away.
  void* data;
  tt_handle zeros = tt_new(run, 1, size4, stride1, TT_F32, &data);
  memset(data, 0xff, 16);
  typedef int32_t (*zero_t)(tt_handle);
  tt_check_call(run, tt_extern<zero_t>(run, 0)(zeros), "zero_");
  tt_output_give(run, 10, zeros);
  // And some that are not.
  void* block = tt_alloc(run, 100);
  tt_handle wrapped = tt_wrap(run, block, 1, size4, stride1, TT_F32);
  tt_handle half = tt_reinterpret(run, wrapped, 1, size2, stride1, 2);
  tt_tensor seen;
  tt_read(run, half, &seen);
  tt_check(seen.data == (char*)block + 8 && seen.numel == 2, "the view is wrong");
  tt_drop(run, wrapped);
  tt_free(run, block);
  tt_check(tt_alloc(run, 90) == block, "the block is not reused");

  tt_output_f64(run, 11, tt_num_threads(run) > 0 ? 0.5 : 0);
  tt_output_bool(run, 12, true);
  tt_handle tail = tt_constant_handle(run, TAIL);
  tt_read(run, tail, &seen);
  tt_output_copy(run, 13, seen.data, 1, seen.sizes, seen.strides, seen.dtype);
}

#define LEAF "{\"type\": null, \"context\": null, \"children_spec\": []}"
#define TUPLE(children) \
  "{\"type\": \"builtins.tuple\", \"context\": \"null\", \"children_spec\": [" children "]}"

extern "C" const tt_model tt_model_info = {
    TT_ABI, sizeof(tt_model), TT_CPU_REQUIRED,
    3, 14, 2, 5, 1, 1, 0,
    "all", inputs, outputs, symbols, constants, externs,
    "[1, " TUPLE(TUPLE(LEAF ", " LEAF ", " LEAF) ", "
    "{\"type\": \"builtins.dict\", \"context\": \"[]\", \"children_spec\": []}") "]",
    "[1, " TUPLE(LEAF ", " LEAF ", " LEAF ", " LEAF ", " LEAF ", " LEAF ", " LEAF ", " LEAF ", "
                 LEAF ", " LEAF ", " LEAF ", " LEAF ", " LEAF ", " LEAF) "]",
    192, run, fold};
