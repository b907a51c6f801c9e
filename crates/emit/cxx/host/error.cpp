// Error texts: the thread's buffer, failing, and the cold halves of the checks.
#include <stdarg.h>
#include <stdio.h>

#include <exception>

#include "internal.h"

namespace tt {

// A plain array: a library that is unloaded may leave no destructor behind in its threads.
static thread_local char error_text[4096];

const char* last_error() { return error_text; }

void set_error(const char* text) { snprintf(error_text, sizeof error_text, "%s", text); }

void clear_error() { error_text[0] = 0; }

int32_t report_current_exception() {
  try {
    throw;
  } catch (const Error&) {
  } catch (const std::exception& error) {
    set_error(error.what());
  } catch (...) {
    set_error("an exception that is not a std::exception");
  }
  if (!host_reads_errors()) fprintf(stderr, "Error: %s\n", error_text);
  return 1;
}

const char* dtype_name(int32_t dtype) {
  switch (dtype) {
    case TT_U8: return "uint8";
    case TT_I8: return "int8";
    case TT_I16: return "int16";
    case TT_I32: return "int32";
    case TT_I64: return "int64";
    case TT_F16: return "float16";
    case TT_F32: return "float32";
    case TT_F64: return "float64";
    case TT_C32: return "complex32";
    case TT_C64: return "complex64";
    case TT_C128: return "complex128";
    case TT_BOOL: return "bool";
    case TT_BF16: return "bfloat16";
    case TT_F8E5M2: return "float8_e5m2";
    case TT_F8E4M3FN: return "float8_e4m3fn";
    case TT_F8E5M2FNUZ: return "float8_e5m2fnuz";
    case TT_F8E4M3FNUZ: return "float8_e4m3fnuz";
    case TT_U16: return "uint16";
    case TT_U32: return "uint32";
    case TT_U64: return "uint64";
    default: return nullptr;
  }
}

int64_t dtype_size(int32_t dtype) {
  switch (dtype) {
    case TT_U8:
    case TT_I8:
    case TT_BOOL:
    case TT_F8E5M2:
    case TT_F8E4M3FN:
    case TT_F8E5M2FNUZ:
    case TT_F8E4M3FNUZ: return 1;
    case TT_I16:
    case TT_U16:
    case TT_F16:
    case TT_BF16: return 2;
    case TT_I32:
    case TT_U32:
    case TT_F32:
    case TT_C32: return 4;
    case TT_I64:
    case TT_U64:
    case TT_F64:
    case TT_C64: return 8;
    case TT_C128: return 16;
    default: tt_fail("dtype number %d is not known", dtype);
  }
}

static const char* device_name(int32_t device_type) {
  switch (device_type) {
    case 0: return "cpu";
    case 1: return "cuda";
    case 12: return "xpu";
    case 13: return "mps";
    case 14: return "meta";
    default: return "another device";
  }
}

// "input 'x' (input 0)".
struct InputName {
  char text[256];

  InputName(const tt_run* run, uint32_t i) {
    snprintf(text, sizeof text, "input '%s' (input %u)", run->model->inputs[i].name, i);
  }
};

// "float32", or "dtype number 99".
struct DtypeText {
  char text[32];

  explicit DtypeText(int32_t dtype) {
    const char* name = dtype_name(dtype);
    if (name)
      snprintf(text, sizeof text, "%s", name);
    else
      snprintf(text, sizeof text, "dtype number %d", dtype);
  }
};

}  // namespace tt

using namespace tt;

void tt_fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error_text, sizeof error_text, format, arguments);
  va_end(arguments);
  throw Error();
}

void tt_fail_dtype(const tt_run* run, uint32_t i, int32_t dtype) {
  tt_fail("%s: dtype is %s, expected %s", InputName(run, i).text,
          DtypeText(run->inputs[i].dtype).text, DtypeText(dtype).text);
}

void tt_fail_device(const tt_run* run, uint32_t i, int32_t device_type) {
  tt_fail("%s: device is %s, expected %s", InputName(run, i).text,
          device_name(run->inputs[i].device_type), device_name(device_type));
}

void tt_fail_rank(const tt_run* run, uint32_t i, int32_t ndim) {
  const int32_t came = run->inputs[i].ndim;
  tt_fail("%s: has %d dimension%s, expected %d", InputName(run, i).text, came,
          came == 1 ? "" : "s", ndim);
}

void tt_fail_dim(const tt_run* run, uint32_t i, int32_t d, int64_t want) {
  tt_fail("%s: dimension %d is %lld, expected %lld", InputName(run, i).text, d,
          (long long)tt_size(run, i, d), (long long)want);
}

void tt_fail_dim_range(const tt_run* run, uint32_t i, int32_t d, int64_t lo, int64_t hi,
                       const char* text) {
  const InputName name(run, i);
  const long long came = tt_size(run, i, d);
  if (hi == INT64_MAX)
    tt_fail("%s: dimension %d is %lld, expected %s >= %lld", name.text, d, came, text,
            (long long)lo);
  tt_fail("%s: dimension %d is %lld, expected %s in [%lld, %lld]", name.text, d, came, text,
          (long long)lo, (long long)hi);
}

void tt_fail_dim_multiple(const tt_run* run, uint32_t i, int32_t d, int64_t factor, int64_t rest,
                          const char* text) {
  const InputName name(run, i);
  const long long came = tt_size(run, i, d);
  if (rest == 0)
    tt_fail("%s: dimension %d is %lld, expected %s, a multiple of %lld", name.text, d, came, text,
            (long long)factor);
  tt_fail("%s: dimension %d is %lld, expected %s, %lld and a multiple of %lld", name.text, d, came,
          text, (long long)rest, (long long)factor);
}

void tt_fail_dim_equal(const tt_run* run, uint32_t i, int32_t d, int64_t want, const char* text) {
  tt_fail("%s: dimension %d is %lld, expected %lld = %s", InputName(run, i).text, d,
          (long long)tt_size(run, i, d), (long long)want, text);
}

void tt_fail_stride(const tt_run* run, uint32_t i, int32_t d, int64_t want, const char* text) {
  const InputName name(run, i);
  const long long came = tt_stride(run, i, d);
  char number[24];
  snprintf(number, sizeof number, "%lld", (long long)want);
  if (!text || strcmp(text, number) == 0)
    tt_fail("%s: the stride of dimension %d is %lld, expected %s", name.text, d, came, number);
  tt_fail("%s: the stride of dimension %d is %lld, expected %s = %s", name.text, d, came, number,
          text);
}

void tt_fail_range(const tt_run*, const char* text, int64_t value, int64_t lo, int64_t hi) {
  if (hi == INT64_MAX)
    tt_fail("%s is %lld, expected at least %lld", text, (long long)value, (long long)lo);
  tt_fail("%s is %lld, expected a value in [%lld, %lld]", text, (long long)value, (long long)lo,
          (long long)hi);
}

void tt_fail_fault(const tt_run* run) {
  const tt_fault& fault = run->fault;
  const char* text = fault.text ? fault.text : "a kernel";
  if (fault.lo == fault.hi) tt_fail("%s", text);
  tt_fail("%s: %lld is out of range, expected a value in [%lld, %lld)", text,
          (long long)fault.value, (long long)fault.lo, (long long)fault.hi);
}

void tt_fail_call(const tt_run*, const char* what) { tt_fail("%s failed", what); }
