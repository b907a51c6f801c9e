// A model by hand: out = a + b, where both are [B, 3] and B is in [2, 1024].
#include "tintype_model.h"

static const char* const dims[] = {"B", "3"};
static const tt_io_info inputs[] = {{"a", TT_F32, 2, dims, 0}, {"b", TT_F32, 2, dims, 0}};
static const tt_io_info outputs[] = {{"out", TT_F32, 2, dims, 0}};
static const tt_symbol_info symbols[] = {{"B", 2, 1024}};

static void run(tt_run* run) {
  for (uint32_t i = 0; i < 2; ++i) {
    tt_check_dtype(run, i, TT_F32);
    tt_check_device(run, i, TT_DEVICE_CPU);
    tt_check_rank(run, i, 2);
  }
  tt_check_dim_range(run, 0, 0, 2, 1024, "B");
  const int64_t B = tt_size(run, 0, 0);
  tt_check_dim(run, 0, 1, 3);
  tt_check_dim_equal(run, 1, 0, B, "B");
  tt_check_dim(run, 1, 1, 3);
  for (uint32_t i = 0; i < 2; ++i) {
    tt_check_stride(run, i, 0, 3, "3");
    tt_check_stride(run, i, 1, 1, "1");
  }
  tt_take_inputs(run);
  const int64_t sizes[] = {B, 3};
  const int64_t strides[] = {3, 1};
  const float* a = (const float*)tt_input(run, 0)->data;
  const float* b = (const float*)tt_input(run, 1)->data;
  float* out = (float*)tt_output_alloc(run, 0, 2, sizes, strides, TT_F32);
#pragma omp parallel for num_threads(2)
  for (int64_t n = 0; n < B * 3; ++n) out[n] = a[n] + b[n];
}

extern "C" const tt_model tt_model_info = {
    TT_ABI, sizeof(tt_model), TT_CPU_REQUIRED,
    2, 1, 1, 0, 0, 0, 0,
    "add", inputs, outputs, symbols, nullptr, nullptr,
    "[1, {\"type\": \"builtins.tuple\", \"context\": \"null\", \"children_spec\": ["
    "{\"type\": \"builtins.tuple\", \"context\": \"null\", \"children_spec\": ["
    "{\"type\": null, \"context\": null, \"children_spec\": []}, "
    "{\"type\": null, \"context\": null, \"children_spec\": []}]}, "
    "{\"type\": \"builtins.dict\", \"context\": \"[]\", \"children_spec\": []}]}]",
    "[1, {\"type\": null, \"context\": null, \"children_spec\": []}]",
    0, run, nullptr};
