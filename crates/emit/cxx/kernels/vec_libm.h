// The functions on tt::vec that call the C library lane by lane, and those of
// PyTorch that the C library does not have. They are too rare to be vectorised.
#ifndef TT_VEC_LIBM_H
#define TT_VEC_LIBM_H
#include "vec_math.h"

namespace tt {

#define TT_LIBM1(NAME)                                              \
  template <class T, int N> TT_INLINE vec<T, N> NAME(vec<T, N> x) { \
    if constexpr (same<T, float>::value)                            \
      return map_called([](T a) { return __builtin_##NAME##f(a); }, x);    \
    else                                                            \
      return map_called([](T a) { return __builtin_##NAME(a); }, x);       \
  }
#define TT_LIBM2(NAME)                                                           \
  template <class T, int N> TT_INLINE vec<T, N> NAME(vec<T, N> x, vec<T, N> y) { \
    if constexpr (same<T, float>::value)                                         \
      return map_called([](T a, T b) { return __builtin_##NAME##f(a, b); }, x, y);      \
    else                                                                         \
      return map_called([](T a, T b) { return __builtin_##NAME(a, b); }, x, y);         \
  }
TT_LIBM1(log10)
TT_LIBM1(tan)
TT_LIBM1(asin)
TT_LIBM1(acos)
TT_LIBM1(atan)
TT_LIBM1(sinh)
TT_LIBM1(cosh)
TT_LIBM1(asinh)
TT_LIBM1(acosh)
TT_LIBM1(atanh)
TT_LIBM1(erfc)
TT_LIBM1(lgamma)
TT_LIBM2(pow)
TT_LIBM2(atan2)
TT_LIBM2(hypot)
TT_LIBM2(nextafter)
#undef TT_LIBM1
#undef TT_LIBM2

namespace lane {

constexpr double pi = 3.14159265358979323846;

// PyTorch's own formulas, constants included, so that values agree with eager.
template <class T> TT_INLINE T digamma(T x) {
  if (x == 0) return T(__builtin_copysign(__builtin_inf(), -x));
  T reflected = 0;
  if (x < 0) {
    if (x == T(__builtin_trunc(x))) return T(__builtin_nan(""));
    // tan(pi r) of the fraction is more accurate than tan(pi x).
    const double r = double(x) - __builtin_trunc(x);
    reflected = T(pi / __builtin_tan(pi * r));
    x = 1 - x;
  }
  T sum = 0;
  while (x < 10) {
    sum -= 1 / x;
    x += 1;
  }
  if (x == 10) return sum + T(2.25175258906672110764) - reflected;
  T y = 0;
  if (x < T(1.0e17)) {
    const T z = 1 / (x * x);
    const T a[] = {T(8.33333333333333333333e-2),  T(-2.10927960927960927961e-2), T(7.57575757575757575758e-3), T(-4.16666666666666666667e-3),
                   T(3.96825396825396825397e-3), T(-8.33333333333333333333e-3), T(8.33333333333333333333e-2)};
    T p = 0;
    for (T c : a) p = p * z + c;
    y = z * p;
  }
  return sum + T(sizeof(T) == 4 ? __builtin_logf(float(x)) : __builtin_log(x)) - T(0.5) / x - y - reflected;
}

template <class T> TT_INLINE T erfinv(T y) {
  const T size = T(__builtin_fabs(y));
  if (!(size <= 1)) return T(__builtin_nan(""));
  if (size == 1) return T(__builtin_copysign(__builtin_inf(), y));
  T x;
  if (size <= T(0.7)) {
    const T z = y * y;
    const T num = ((T(-0.140543331) * z + T(0.914624893)) * z + T(-1.645349621)) * z + T(0.886226899);
    const T den = (((T(0.012229801) * z + T(-0.329097515)) * z + T(1.442710462)) * z + T(-2.118377725)) * z + T(1);
    x = y * num / den;
  } else {
    const T z = T(__builtin_sqrt(-__builtin_log((1 - size) / 2)));
    const T num = ((T(1.641345311) * z + T(3.429567803)) * z + T(-1.624906493)) * z + T(-1.970840454);
    const T den = (T(1.637067800) * z + T(3.543889200)) * z + T(1);
    x = T(__builtin_copysign(num, y)) / den;
  }
  // Two Newton steps.
  const T slope = T(2 / __builtin_sqrt(pi));
  for (int i = 0; i < 2; i++) x = x - (T(__builtin_erf(x)) - y) / (slope * T(__builtin_exp(-x * x)));
  return x;
}

// Hurwitz' zeta function, the sum of (q + k)^-s over k from 0: the terms up to 9 as they are,
// the rest by Euler and Maclaurin (Abramowitz and Stegun 23.1.30). Of a whole order it has
// values below zero; far down there its terms are those of a difference of two sums above.
TT_INLINE bool negligible(double term, double sum) { return __builtin_fabs(term) < 0x1p-53 * __builtin_fabs(sum); }
__attribute__((noinline, unused)) static double zeta(double s, double q) {
  if (!(s >= 1) || q != q) return __builtin_nan("");
  const double floor = __builtin_floor(q);
  if (s == 1 || (q <= 0 && q == floor)) return __builtin_inf();
  if (q < 0 && s != __builtin_floor(s)) return __builtin_nan("");
  if (q < -64) {
    const double part = q - floor, mirrored = zeta(s, 1 - part) - zeta(s, 1 - q);
    return (__builtin_fmod(s, 2) == 0 ? mirrored : -mirrored) + zeta(s, part);
  }
  double at = q, term = __builtin_pow(q, -s), sum = term;
  for (int count = 0; count < 9 || at <= 9; count++) {
    at += 1;
    term = __builtin_pow(at, -s);
    sum += term;
    if (negligible(term, sum)) return sum;
  }
  sum += term * at / (s - 1) - term / 2;
  // B(2j) / (2j)!: Bernoulli's numbers over factorials.
  const double bernoulli[] = {0.08333333333333333, -0.001388888888888889, 3.306878306878307e-05, -8.267195767195768e-07, 2.08767569878681e-08, -5.284190138687493e-10, 1.3382536530684679e-11, -3.3896802963225827e-13, 8.586062056277845e-15, -2.174868698558062e-16, 5.5090028283602295e-18, -1.3954464685812522e-19};
  double factor = term * s / at;
  for (int j = 0; j < 12; j++) {
    const double correction = bernoulli[j] * factor;
    sum += correction;
    if (negligible(correction, sum)) break;
    factor *= (s + 2 * j + 1) / at * ((s + 2 * j + 2) / at);
  }
  return sum;
}

}  // namespace lane

template <class T, int N> TT_INLINE vec<T, N> zeta(vec<T, N> s, vec<T, N> q) {
  return map_called([](T a, T b) { return T(lane::zeta(a, b)); }, s, q);
}
template <class T, int N> TT_INLINE vec<T, N> digamma(vec<T, N> x) {
  return map_called([](T a) { return lane::digamma(a); }, x);
}
template <class T, int N> TT_INLINE vec<T, N> erfinv(vec<T, N> x) {
  return map_called([](T a) { return lane::erfinv(a); }, x);
}

}  // namespace tt
#endif
