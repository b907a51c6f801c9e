// Exact 64-bit sizes. Sums and products wrap, division by zero is zero: nothing here is undefined.
typedef __INT64_TYPE__ tt_int;
typedef __UINT64_TYPE__ tt_uint;

static inline tt_int tt_add(tt_int a, tt_int b) { return (tt_int)((tt_uint)a + (tt_uint)b); }
static inline tt_int tt_sub(tt_int a, tt_int b) { return (tt_int)((tt_uint)a - (tt_uint)b); }
static inline tt_int tt_mul(tt_int a, tt_int b) { return (tt_int)((tt_uint)a * (tt_uint)b); }
static inline tt_int tt_min(tt_int a, tt_int b) { return b < a ? b : a; }
static inline tt_int tt_max(tt_int a, tt_int b) { return a < b ? b : a; }
static inline tt_int tt_abs(tt_int a) { return a < 0 ? tt_sub(0, a) : a; }

static inline tt_int tt_floordiv(tt_int a, tt_int b) {
  if (b == 0) return 0;
  if (b == -1) return tt_sub(0, a);
  const tt_int q = a / b, r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? q - 1 : q;
}

static inline tt_int tt_ceildiv(tt_int a, tt_int b) { return tt_sub(0, tt_floordiv(tt_sub(0, a), b)); }

static inline tt_int tt_mod(tt_int a, tt_int b) {
  if (b == 0 || b == -1) return 0;
  const tt_int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static inline tt_int tt_pow(tt_int base, tt_int exponent) {
  if (exponent < 0) return 0;
  tt_int power = 1;
  for (; exponent != 0; exponent >>= 1, base = tt_mul(base, base))
    if (exponent & 1) power = tt_mul(power, base);
  return power;
}

// Of sizes, then as many strides: whether they lay a tensor out without gap and overlap.
template <class... T>
static inline bool tt_dense(T... sizes_and_strides) {
  tt_int v[] = {tt_int(sizes_and_strides)...};
  const int n = int(sizeof...(T)) / 2;
  if (n == 1 && v[0] < 2) return true;
  for (int i = 1; i < n; ++i)
    for (int j = i; j > 0 && v[n + j] < v[n + j - 1]; --j) {
      const tt_int size = v[j], stride = v[n + j];
      v[j] = v[j - 1], v[n + j] = v[n + j - 1];
      v[j - 1] = size, v[n + j - 1] = stride;
    }
  tt_int expected = 1;
  for (int i = 0; i < n; ++i) {
    if (v[i] == 1) continue;
    if (v[n + i] != expected) return false;
    expected = tt_mul(expected, v[i]);
  }
  return true;
}

static inline double tt_fmin(double a, double b) { return b < a ? b : a; }
static inline double tt_fmax(double a, double b) { return a < b ? b : a; }
static inline tt_int tt_toint(double a) {
  return -9223372036854775808.0 <= a && a < 9223372036854775808.0 ? (tt_int)a : 0;
}

// To so many decimal digits, half to even, as Python rounds: by the number's exact digits. The
// product with a power of ten is rounded itself; where that makes a tie, its error decides.
static inline double tt_round(double a, tt_int digits) {
  const tt_int end = tt_min(tt_abs(digits), 400);
  double scale = 1;
  for (tt_int i = 0; i < end; ++i) scale *= 10;
  const double scaled = digits < 0 ? a / scale : a * scale;
  // Beyond this all numbers are integers, and `a` has no more digits than are asked for.
  if (!(__builtin_fabs(scaled) < 4503599627370496.0)) return digits < 0 ? scaled * scale : a;
  double whole = __builtin_nearbyint(scaled);
  if (__builtin_fabs(scaled - __builtin_trunc(scaled)) == 0.5) {
    const double error = digits < 0 ? __builtin_fma(-scaled, scale, a) : __builtin_fma(a, scale, -scaled);
    if (error > 0) whole = __builtin_ceil(scaled);
    if (error < 0) whole = __builtin_floor(scaled);
  }
  return digits < 0 ? whole * scale : whole / scale;
}
