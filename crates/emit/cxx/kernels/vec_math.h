// Rounding, roots and the float transcendentals on tt::vec.
//
// The float versions are polynomials that agree with the real function to about
// two units in the last place, with the C library's answers at the special
// points (infinities, NaN, signed zeros, subnormals). The double versions call
// the C library lane by lane.
#ifndef TT_VEC_MATH_H
#define TT_VEC_MATH_H
#include "vec_mem.h"

namespace tt {

// Applies a scalar function to every lane, in place: for a few instructions a lane, or where
// what the compiler knows of an operand is worth having (a division by a constant).
template <class F, class T, int N> TT_INLINE vec<T, N> map(F f, vec<T, N> x, vec<T, N> y) {
  T e[N], g[N];
  store(e, x);
  store(g, y);
  for (int i = 0; i < N; i++) e[i] = f(e[i], g[i]);
  return load<N>(e);
}

// The same by a call. F is a stateless callable, and each is a function of its own: what calls
// the C library costs more than the call, and in place its N calls at every use were most of
// the host compiler's time on a kernel with many (polygamma's series has 350).
template <int N, class F, class T> __attribute__((noinline, unused)) static void each(F f, T *x) {
  for (int i = 0; i < N; i++) x[i] = f(x[i]);
}
template <int N, class F, class T> __attribute__((noinline, unused)) static void each(F f, T *x, const T *y) {
  for (int i = 0; i < N; i++) x[i] = f(x[i], y[i]);
}
template <class F, class T, int N> TT_INLINE vec<T, N> map_called(F f, vec<T, N> x) {
  T e[N];
  store(e, x);
  each<N>(f, e);
  return load<N>(e);
}
template <class F, class T, int N> TT_INLINE vec<T, N> map_called(F f, vec<T, N> x, vec<T, N> y) {
  T e[N], g[N];
  store(e, x);
  store(g, y);
  each<N>(f, e, g);
  return load<N>(e);
}

// Everything below works on one leaf at a time, on the compiler's own vector
// types: V is float lanes, vi<V> and vu<V> the integers of the same shape. Trees recurse.
namespace raw {

template <class V> struct ints;
template <> struct ints<vec<float, 2>::V> {
  typedef vec<int32_t, 2>::V type;
  typedef vec<uint32_t, 2>::V utype;
};
template <> struct ints<vec<float, 4>::V> {
  typedef vec<int32_t, 4>::V type;
  typedef vec<uint32_t, 4>::V utype;
};
#if TT_VEC_BYTES >= 32
template <> struct ints<vec<float, 8>::V> {
  typedef vec<int32_t, 8>::V type;
  typedef vec<uint32_t, 8>::V utype;
};
#endif
#if TT_VEC_BYTES >= 64
template <> struct ints<vec<float, 16>::V> {
  typedef vec<int32_t, 16>::V type;
  typedef vec<uint32_t, 16>::V utype;
};
#endif
template <class V> using vi = typename ints<V>::type;
template <class V> using vu = typename ints<V>::utype;

// x in every lane. The subtraction is folded away; x + 0 would not be, since it
// turns -0.0 into 0.0.
template <class V> TT_INLINE V all(float x) { return x - V{}; }

// a * b + c with one rounding where the target has FMA, two elsewhere.
template <class V> TT_INLINE V fma(V a, V b, V c) {
#if defined(__clang__)
#pragma clang fp contract(fast)
  return a * b + c;
#else
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) {
    if constexpr (sizeof(a[0]) == 4)
      return (V)__builtin_ia32_vfmaddps512_mask(a, b, c, -1, 4);
    else
      return (V)__builtin_ia32_vfmaddpd512_mask(a, b, c, -1, 4);
  }
#endif
#if defined(__FMA__)
  if constexpr (sizeof(V) == 32) {
    if constexpr (sizeof(a[0]) == 4)
      return __builtin_ia32_vfmaddps256(a, b, c);
    else
      return __builtin_ia32_vfmaddpd256(a, b, c);
  } else if constexpr (sizeof(V) == 16) {
    if constexpr (sizeof(a[0]) == 4)
      return __builtin_ia32_vfmaddps(a, b, c);
    else
      return __builtin_ia32_vfmaddpd(a, b, c);
  }
#endif
  return a * b + c;
#endif
}
template <class V> TT_INLINE V fma(V a, V b, float c) { return fma(a, b, all<V>(c)); }
template <class V> TT_INLINE V fma(V a, float b, V c) { return fma(a, all<V>(b), c); }

template <class V> TT_INLINE V fabs(V x) { return (V)((vi<V>)x & 0x7fffffff); }
// The magnitude of x with the sign of s.
template <class V> TT_INLINE V copysign(V x, V s) {
  const vi<V> sign = INT32_MIN - vi<V>{};
  return (V)(((vi<V>)x & ~sign) | ((vi<V>)s & sign));
}
template <class V> TT_INLINE V pow2(vi<V> n) { return (V)((vu<V>)(n + 127) << 23); }

constexpr float inf = __builtin_inff();

#if defined(__AVX512F__) || (defined(__FMA__) && TT_VEC_BYTES <= 32)
#define TT_FUSED 1
#else
#define TT_FUSED 0
#endif

// x rounded to an integer, as float and as int32, for |x| < 2^22.
template <class V> TT_INLINE V nearest(V x, vi<V> &n) {
  const float magic = 0x1.8p23f;
  V t = x + magic;
  n = (vi<V>)t - 0x4b400000;
  return t - magic;
}

// e^f for |f| <= ln(2)/2.
template <class V> TT_INLINE V exp_poly(V f) {
  V r = fma(f, 1.37805939e-3f, all<V>(8.37312452e-3f));
  r = fma(r, f, 4.16695364e-2f);
  r = fma(r, f, 1.66664720e-1f);
  r = fma(r, f, 4.99999851e-1f);
  r = fma(r, f, 1.0f);
  return fma(r, f, 1.0f);
}
// Two multiplications, because 2^n itself may be out of range while r * 2^n is
// subnormal or just below the overflow threshold.
template <class V> TT_INLINE V scale(V r, vi<V> n) {
  vi<V> half = n >> 1;
  return r * pow2<V>(half) * pow2<V>(n - half);
}
// Written so that a NaN passes.
template <class V> TT_INLINE V clamp(V x, float lo, float hi) {
  x = x < lo ? all<V>(lo) : x;
  return x > hi ? all<V>(hi) : x;
}

// ln(2) in two parts; the first has few enough bits that n times it is exact.
constexpr float ln2_hi = 0.693359375f, ln2_lo = -2.12194440e-4f;

template <class V> TT_INLINE V exp(V x) {
  x = clamp(x, -104.0f, 89.0f);
  vi<V> n;
  V j = nearest(x * 1.44269504f, n);
  V f = fma(j, -ln2_lo, fma(j, -ln2_hi, x));
  return scale(exp_poly(f), n);
}

template <class V> TT_INLINE V exp2(V x) {
  x = clamp(x, -151.0f, 129.0f);
  vi<V> n;
  V j = nearest(x, n);
  return scale(exp_poly((x - j) * 0.693147182f), n);
}

template <class V> TT_INLINE V expm1(V a) {
  V x = clamp(a, -18.0f, 89.0f);
  vi<V> n;
  V j = nearest(x * 1.44269504f, n);
  V f = fma(j, -ln2_lo, fma(j, -ln2_hi, x));
  V r = fma(f, 1.97350979e-4f, all<V>(1.39309070e-3f));
  r = fma(r, f, 8.33343994e-3f);
  r = fma(r, f, 4.16668020e-2f);
  r = fma(r, f, 1.66666716e-1f);
  r = fma(r, f, 4.99999970e-1f);
  V v = fma(r, f * f, f);
  // 2^n v + (2^n - 1), halved so that n = 128 stays in range.
  V t = pow2<V>(n - 1);
  r = fma(v, t, t - 0.5f);
  r = r + r;
  r = n == 0 ? v : r;
  return a == 0 ? a : r;
}

// m - 1 and e with x = m * 2^e, m in [2/3, 4/3). x is positive and finite.
template <class V> TT_INLINE V log_split(V x, V &e) {
  vi<V> tiny = x < 0x1p-126f;
  x = tiny ? x * 0x1p23f : x;
  vu<V> k = ((vu<V>)x - 0x3f2aaaabu) & 0xff800000u;
  e = __builtin_convertvector((vi<V>)k >> 23, V) + (tiny ? all<V>(-23.0f) : V{});
  return (V)((vu<V>)x - k) - 1.0f;
}
// log(1 + m) for m in [-1/3, 1/3).
template <class V> TT_INLINE V log_poly(V m) {
  V s = m * m;
  V r = fma(s, -0.130310059f, all<V>(-0.121483512f));
  V t = fma(s, 0.140869141f, all<V>(0.139814854f));
  r = fma(r, s, -0.166846126f);
  t = fma(t, s, 0.200120345f);
  r = fma(r, s, -0.249996200f);
  r = fma(t, m, r);
  r = fma(r, m, 0.333331972f);
  r = fma(r, m, -0.5f);
  return fma(r, s, m);
}
// What a logarithm is outside the positive finite numbers.
template <class V> TT_INLINE V log_special(V x, V r) {
  r = x < 0 ? all<V>(__builtin_nanf("")) : r;
  r = x == 0 ? all<V>(-inf) : r;
  return ((x == inf) | (x != x)) ? x : r;
}

template <class V> TT_INLINE V log(V x) {
  V e, m = log_split(x, e);
  return log_special(x, fma(e, 0.693147182f, log_poly(m)));
}
template <class V> TT_INLINE V log2(V x) {
  V e, m = log_split(x, e);
  return log_special(x, fma(log_poly(m), 1.44269504f, e));
}
// log(1 + x) is log(u) plus what u = 1 + x lost to rounding, divided by u.
template <class V> TT_INLINE V log1p(V x) {
  V u = x + 1.0f;
  V lost = x > 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);
  V e, m = log_split(u, e);
  V r = fma(e, 0.693147182f, log_poly(m) + lost / u);
  r = log_special(u, r);
  return x == 0 ? x : r;
}

template <class V> TT_INLINE V tanh(V x) {
  V s = x * x;
  V r = fma(s, 1.57394409e-2f, all<V>(-5.23025580e-2f));
  r = fma(r, s, 1.33152470e-1f);
  r = fma(r, s, -3.33327681e-1f);
  V small = fma(r * s, x, x);
  V t = fabs(x);
  V big = 1.0f - 2.0f / (exp(t + t) + 1.0f);
  return copysign(t < 0.55f ? small : big, x);
}

template <class V> TT_INLINE V sigmoid(V x) {
  // With e = exp(-|x|) neither side overflows and the far tails keep their bits.
  V e = exp((V)((vi<V>)x | INT32_MIN));
  V num = x < 0 ? e : all<V>(1.0f);
  return num / (e + 1.0f);
}

template <class V> TT_INLINE V erf(V x) {
  V s = x * x;
  V r = fma(s, -5.96761703e-4f, all<V>(4.99119423e-3f));
  r = fma(r, s, -2.67681349e-2f);
  r = fma(r, s, 1.12819925e-1f);
  r = fma(r, s, -3.76125336e-1f);
  r = fma(r, s, 1.28379166e-1f);
  V small = fma(r, x, x);
  // 1 - exp(p(|x|)); from 4 on that is 1.
  V t = fabs(x);
  t = t > 4.0f ? all<V>(4.0f) : t;
  s = t * t;
  r = fma(t, -1.72853470e-5f, all<V>(3.83197126e-4f));
  V u = fma(t, -3.88396438e-3f, all<V>(2.42546219e-2f));
  r = fma(r, s, u);
  r = fma(r, t, -1.06777877e-1f);
  r = fma(r, t, -6.34846687e-1f);
  r = fma(r, t, -1.28717512e-1f);
  r = fma(r, t, -t);
  V big = copysign(1.0f - exp(r), x);
  return t < 0.927734375f ? small : big;
}

// sin for odd = 0, cos for odd = 1.
template <int odd, class V> TT_INLINE V sin_cos(V x) {
  vi<V> q;
  V j = nearest(x * 0.636619772f, q);
#if TT_FUSED
  V r = fma(j, -1.57079601f, x);
  r = fma(j, -3.13916473e-7f, r);
  r = fma(j, -5.39030253e-15f, r);
#else
  // Without FMA the parts must be short for their products to be exact.
  V r = x - j * 1.5703125f;
  r = r - j * 4.8375129699707031e-4f;
  r = r - j * 7.5495336e-8f;
  r = r - j * 2.56334407e-12f;
#endif
  q = q + odd;
  V s = r * r;
  V c = fma(s, 2.44677067e-5f, all<V>(-1.38877297e-3f));
  c = fma(c, s, 4.16666567e-2f);
  c = fma(c, s, -0.5f);
  c = fma(c, s, 1.0f);
  V p = fma(s, 2.86567956e-6f, all<V>(-1.98559923e-4f));
  p = fma(p, s, 8.33338592e-3f);
  p = fma(p, s, -1.66666672e-1f);
  p = fma(p, s * r, r);
  V y = (q & 1) != 0 ? c : p;
  return (V)((vu<V>)y ^ ((vu<V>)q << 30 & 0x80000000u));
}
// Beyond this the three-part reduction above runs out of bits.
#if TT_FUSED
constexpr float sin_cos_limit = 7.0e4f;
#else
constexpr float sin_cos_limit = 3.0e3f;
#endif

}  // namespace raw

#define TT_MATH(NAME, LIBM)                                     \
  template <class T, int N> TT_INLINE vec<T, N> NAME(vec<T, N> x) { \
    if constexpr (!same<T, float>::value)                       \
      return map_called([](T a) { return T(LIBM(a)); }, x);            \
    else if constexpr (vec<T, N>::leaf)                         \
      return {raw::NAME(x.v)};                                  \
    else                                                        \
      return {NAME(x.lo), NAME(x.hi)};                          \
  }
TT_MATH(exp, __builtin_exp)
TT_MATH(exp2, __builtin_exp2)
TT_MATH(expm1, __builtin_expm1)
TT_MATH(log, __builtin_log)
TT_MATH(log2, __builtin_log2)
TT_MATH(log1p, __builtin_log1p)
TT_MATH(tanh, __builtin_tanh)
TT_MATH(erf, __builtin_erf)
#undef TT_MATH

template <class T, int N> TT_INLINE vec<T, N> sigmoid(vec<T, N> x) {
  if constexpr (!same<T, float>::value)
    return splat<N, T>(1) / (splat<N, T>(1) + exp(neg(x)));
  else if constexpr (vec<T, N>::leaf)
    return {raw::sigmoid(x.v)};
  else
    return {sigmoid(x.lo), sigmoid(x.hi)};
}

#define TT_SIN_COS(NAME, ODD, LIBMF, LIBM)                              \
  template <class T, int N> TT_INLINE vec<T, N> NAME(vec<T, N> x) {     \
    if constexpr (!same<T, float>::value) {                             \
      return map_called([](T a) { return T(LIBM(a)); }, x);                    \
    } else if constexpr (vec<T, N>::leaf) {                             \
      T e[N];                                                           \
      store(e, x);                                                      \
      bool far = false;                                                 \
      for (int i = 0; i < N; i++) far |= !(__builtin_fabsf(e[i]) < raw::sin_cos_limit); \
      if (__builtin_expect(far, 0)) return map_called([](T a) { return LIBMF(a); }, x); \
      return {raw::sin_cos<ODD>(x.v)};                                  \
    } else {                                                            \
      return {NAME(x.lo), NAME(x.hi)};                                  \
    }                                                                   \
  }
TT_SIN_COS(sin, 0, __builtin_sinf, __builtin_sin)
TT_SIN_COS(cos, 1, __builtin_cosf, __builtin_cos)
#undef TT_SIN_COS

// ---------------------------------------------------------------------------
// Exact operations

// a * b + c, fused where the target can.
template <class T, int N> TT_INLINE vec<T, N> fma(vec<T, N> a, vec<T, N> b, vec<T, N> c) {
  if constexpr (vec<T, N>::leaf)
    return {raw::fma(a.v, b.v, c.v)};
  else
    return {fma(a.lo, b.lo, c.lo), fma(a.hi, b.hi, c.hi)};
}

namespace raw {
// MODE is the immediate of ROUNDPS: 0 nearest even, 1 floor, 2 ceil, 3 trunc.
template <int MODE, class V> TT_INLINE V round(V x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) {
    if constexpr (sizeof(x[0]) == 4)
      return (V)__builtin_ia32_rndscaleps_mask(x, MODE, x, -1, 4);
    else
      return (V)__builtin_ia32_rndscalepd_mask(x, MODE, x, -1, 4);
  }
#endif
#if defined(__AVX__)
  if constexpr (sizeof(V) == 32) {
    if constexpr (sizeof(x[0]) == 4)
      return (V)__builtin_ia32_roundps256(x, MODE);
    else
      return (V)__builtin_ia32_roundpd256(x, MODE);
  }
#endif
#if defined(__SSE4_1__)
  if constexpr (sizeof(V) == 16) {
    if constexpr (sizeof(x[0]) == 4)
      return (V)__builtin_ia32_roundps(x, MODE);
    else
      return (V)__builtin_ia32_roundpd(x, MODE);
  }
#endif
  for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); i++) {
    double d = x[i];
    d = MODE == 0 ? __builtin_nearbyint(d) : MODE == 1 ? __builtin_floor(d) : MODE == 2 ? __builtin_ceil(d) : __builtin_trunc(d);
    x[i] = d;
  }
  return x;
}

template <class V> TT_INLINE V sqrt(V x) {
#if defined(__AVX512F__) && !defined(__clang__)
  if constexpr (sizeof(V) == 64) {
    if constexpr (sizeof(x[0]) == 4)
      return (V)__builtin_ia32_sqrtps512_mask(x, x, -1, 4);
    else
      return (V)__builtin_ia32_sqrtpd512_mask(x, x, -1, 4);
  }
#elif defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) {
    if constexpr (sizeof(x[0]) == 4)
      return (V)__builtin_ia32_sqrtps512(x, 4);
    else
      return (V)__builtin_ia32_sqrtpd512(x, 4);
  }
#endif
#if defined(__AVX__)
  if constexpr (sizeof(V) == 32) {
    if constexpr (sizeof(x[0]) == 4)
      return (V)__builtin_ia32_sqrtps256(x);
    else
      return (V)__builtin_ia32_sqrtpd256(x);
  }
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(V) == 16) {
    if constexpr (sizeof(x[0]) == 4)
      return (V)__builtin_ia32_sqrtps(x);
    else
      return (V)__builtin_ia32_sqrtpd(x);
  }
#endif
  for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); i++) x[i] = sizeof(x[0]) == 4 ? __builtin_sqrtf(float(x[i])) : __builtin_sqrt(x[i]);
  return x;
}
}  // namespace raw

#define TT_LEAF(NAME, RAW)                                          \
  template <class T, int N> TT_INLINE vec<T, N> NAME(vec<T, N> x) { \
    if constexpr (!is_float<T>)                                     \
      return x;                                                     \
    else if constexpr (vec<T, N>::leaf)                             \
      return {RAW(x.v)};                                            \
    else                                                            \
      return {NAME(x.lo), NAME(x.hi)};                              \
  }
TT_LEAF(round_even, raw::round<0>)
TT_LEAF(floor, raw::round<1>)
TT_LEAF(ceil, raw::round<2>)
TT_LEAF(trunc, raw::round<3>)
TT_LEAF(sqrt, raw::sqrt)
#undef TT_LEAF

template <class T, int N> TT_INLINE vec<T, N> reciprocal(vec<T, N> x) { return splat<N, T>(T(1)) / x; }
template <class T, int N> TT_INLINE vec<T, N> rsqrt(vec<T, N> x) { return splat<N, T>(T(1)) / sqrt(x); }

template <class T, int N> TT_INLINE mask<sizeof(T), N> isinf(vec<T, N> x) { return abs(x) == splat<N, T>(T(__builtin_inf())); }
template <class T, int N> TT_INLINE mask<sizeof(T), N> isfinite(vec<T, N> x) { return abs(x) < splat<N, T>(T(__builtin_inf())); }
template <class T, int N> TT_INLINE mask<sizeof(T), N> signbit(vec<T, N> x) {
  auto i = bitcast<typename sint<sizeof(T)>::type>(x);
  return i < splat<N>(typename sint<sizeof(T)>::type(0));
}
template <class T, int N> TT_INLINE vec<T, N> copysign(vec<T, N> x, vec<T, N> s) { return abs(x) | (s & splat<N, T>(T(-0.0))); }

}  // namespace tt
#endif
