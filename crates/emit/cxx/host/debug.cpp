// Looking at values: single elements, prints, and the search for NaN and infinity.
#include <math.h>
#include <stdio.h>

#include "internal.h"

namespace tt {

static float float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double half_to_double(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  double value;
  if (exponent == 31)
    value = fraction ? NAN : INFINITY;
  else if (exponent == 0)
    value = ldexp(fraction, -24);
  else
    value = ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -value : value;
}

template <typename T>
static T load(const char* at) {
  T value;
  memcpy(&value, at, sizeof value);
  return value;
}

// The real part of any element but the 8-bit floats.
static double element(const char* at, int32_t dtype) {
  switch (dtype) {
    case TT_U8:
    case TT_BOOL: return load<uint8_t>(at);
    case TT_I8: return load<int8_t>(at);
    case TT_I16: return load<int16_t>(at);
    case TT_U16: return load<uint16_t>(at);
    case TT_I32: return load<int32_t>(at);
    case TT_U32: return load<uint32_t>(at);
    case TT_I64: return static_cast<double>(load<int64_t>(at));
    case TT_U64: return static_cast<double>(load<uint64_t>(at));
    case TT_F16:
    case TT_C32: return half_to_double(load<uint16_t>(at));
    case TT_BF16: return float_from_bits(static_cast<uint32_t>(load<uint16_t>(at)) << 16);
    case TT_F32:
    case TT_C64: return load<float>(at);
    case TT_F64:
    case TT_C128: return load<double>(at);
    default: tt_fail("elements of dtype number %d cannot be read", dtype);
  }
}

}  // namespace tt

using namespace tt;

double tt_item_f64(tt_run*, const tt_tensor* tensor) {
  if (tensor->numel != 1)
    tt_fail("a tensor with %lld elements is no scalar", (long long)tensor->numel);
  return element(static_cast<const char*>(tensor->data), tensor->dtype);
}

int64_t tt_item_i64(tt_run* run, const tt_tensor* tensor) {
  const double value = tt_item_f64(run, tensor);
  const char* at = static_cast<const char*>(tensor->data);
  // A double does not carry every 64-bit integer.
  if (tensor->dtype == TT_I64) return load<int64_t>(at);
  if (tensor->dtype == TT_U64) return static_cast<int64_t>(load<uint64_t>(at));
  // Both bounds are exact doubles.
  if (!(value >= -0x1p63 && value < 0x1p63)) tt_fail("%g does not fit an integer", value);
  return static_cast<int64_t>(value);
}

void tt_debug_print(const tt_run*, const char* name, const void* data, int32_t ndim,
                    const int64_t* sizes, const int64_t* strides, int32_t dtype) {
  const int64_t shown = 8;
  int64_t numel = 1;
  for (int32_t d = 0; d < ndim; ++d) numel *= sizes[d];
  const char* dtype_text = dtype_name(dtype);
  // One line at a time, so that lines of concurrent runs do not mix.
  flockfile(stderr);
  fprintf(stderr, "%s: %s[", name, dtype_text ? dtype_text : "?");
  for (int32_t d = 0; d < ndim; ++d)
    fprintf(stderr, d ? ", %lld" : "%lld", (long long)sizes[d]);
  fprintf(stderr, "] =");
  const int64_t item_size = dtype_text ? dtype_size(dtype) : 1;
  for (int64_t n = 0; n < numel && n < shown; ++n) {
    int64_t rest = n;
    int64_t offset = 0;
    for (int32_t d = ndim; d-- > 0;) {
      offset += rest % sizes[d] * strides[d];
      rest /= sizes[d];
    }
    const char* at = static_cast<const char*>(data) + offset * item_size;
    if (item_size == 1 && dtype != TT_I8)
      fprintf(stderr, " %u", load<uint8_t>(at));
    else
      fprintf(stderr, " %.9g", element(at, dtype));
  }
  fprintf(stderr, numel > shown ? " ...\n" : "\n");
  funlockfile(stderr);
}

void tt_check_finite(const tt_run*, const char* name, const char* where, const void* data,
                     int64_t numel, int32_t dtype) {
  int32_t real = dtype;
  switch (dtype) {
    case TT_C32: real = TT_F16; break;
    case TT_C64: real = TT_F32; break;
    case TT_C128: real = TT_F64; break;
    case TT_F16:
    case TT_BF16:
    case TT_F32:
    case TT_F64: break;
    default: return;
  }
  const int64_t parts = real == dtype ? 1 : 2;
  const int64_t size = dtype_size(real);
  const char* at = static_cast<const char*>(data);
  for (int64_t n = 0; n < numel * parts; ++n) {
    const double value = element(at + n * size, real);
    if (!isfinite(value))
      tt_fail("'%s' holds %s at element %lld, after %s", name, isnan(value) ? "NaN" : "an infinity",
              (long long)(n / parts), where);
  }
}
