// Division and modulus on tt::vec, for integers and floats, with PyTorch's signs.
//
// x86 has no vector division of integers, so integers go lane by lane. A division
// by zero must not trap inside a kernel: such lanes are 0, and a kernel that has to
// report them tests its divisor. The most negative number divided by -1 wraps.
#ifndef TT_VEC_INT_H
#define TT_VEC_INT_H
#include "vec_math.h"

namespace tt {
namespace lane {

template <class T> TT_INLINE T div(T a, T b) {
  if (b == 0) return T(0);
  if (is_signed<T> && b == T(-1)) return T(typename sint<sizeof(T)>::utype(0) - typename sint<sizeof(T)>::utype(a));
  return T(a / b);
}
template <class T> TT_INLINE T rem(T a, T b) { return b == 0 || (is_signed<T> && b == T(-1)) ? T(0) : T(a % b); }
template <class T> TT_INLINE T div_floor(T a, T b) {
  T q = div(a, b);
  return rem(a, b) != 0 && ((a < 0) != (b < 0)) ? T(q - 1) : q;
}
template <class T> TT_INLINE T mod_floor(T a, T b) {
  T r = rem(a, b);
  return r != 0 && ((r < 0) != (b < 0)) ? T(r + b) : r;
}
// By Euclid; the absolute value of the most negative number is itself.
template <class T> TT_INLINE T gcd(T a, T b) {
  typedef typename sint<sizeof(T)>::utype U;
  if (a < 0) a = T(U(0) - U(a));
  if (b < 0) b = T(U(0) - U(b));
  while (a != 0) {
    T r = rem(b, a);
    b = a, a = r;
  }
  return b;
}

}  // namespace lane

// The remainder with the sign of the dividend: C's %, fmod, torch.fmod.
template <class T, int N> TT_INLINE vec<T, N> fmod(vec<T, N> x, vec<T, N> y) {
  if constexpr (same<T, float>::value)
    return map_called([](T a, T b) { return __builtin_fmodf(a, b); }, x, y);
  else if constexpr (is_float<T>)
    return map_called([](T a, T b) { return __builtin_fmod(a, b); }, x, y);
  else
    return map([](T a, T b) { return lane::rem(a, b); }, x, y);
}

// The greatest common divisor of integers: torch.gcd.
template <class T, int N> TT_INLINE vec<T, N> gcd(vec<T, N> x, vec<T, N> y) {
  return map_called([](T a, T b) { return lane::gcd(a, b); }, x, y);
}

// The remainder with the sign of the divisor: Python's %, torch.remainder.
template <class T, int N> TT_INLINE vec<T, N> remainder(vec<T, N> x, vec<T, N> y) {
  if constexpr (is_float<T>) {
    const vec<T, N> zero = splat<N, T>(T(0)), r = fmod(x, y);
    return select((r != zero) & ((y < zero) ^ (r < zero)), r + y, r);
  } else {
    return map([](T a, T b) { return lane::mod_floor(a, b); }, x, y);
  }
}

// Division rounded towards zero: torch.div(rounding_mode="trunc").
template <class T, int N> TT_INLINE vec<T, N> div_trunc(vec<T, N> x, vec<T, N> y) {
  if constexpr (is_float<T>)
    return trunc(x / y);
  else
    return map([](T a, T b) { return lane::div(a, b); }, x, y);
}

// Division rounded down: torch.div(rounding_mode="floor"), Python's //. The float
// version goes through fmod, as Python's and PyTorch's do, so that it agrees with
// remainder where x / y rounds up to an integer.
template <class T, int N> TT_INLINE vec<T, N> div_floor(vec<T, N> x, vec<T, N> y) {
  if constexpr (is_float<T>) {
    const vec<T, N> zero = splat<N, T>(T(0)), one = splat<N, T>(T(1));
    const vec<T, N> mod = fmod(x, y);
    vec<T, N> q = (x - mod) / y;
    q = select((mod != zero) & ((y < zero) ^ (mod < zero)), q - one, q);
    vec<T, N> down = floor(q);
    down = select(q - down > splat<N, T>(T(0.5)), down + one, down);
    down = select(q == zero, copysign(zero, x / y), down);
    return select(y == zero, x / y, down);
  } else {
    return map([](T a, T b) { return lane::div_floor(a, b); }, x, y);
  }
}

// x^y for integers: negative exponents give 0 except for the bases 1 and -1.
template <class T, int N> TT_INLINE vec<T, N> ipow(vec<T, N> x, vec<T, N> y) {
  return map_called(
      [](T a, T b) {
        if (is_signed<T> && b < 0) return a == 1 ? T(1) : a == T(-1) ? (b & 1 ? T(-1) : T(1)) : T(0);
        uint64_t r = 1, base = uint64_t(a);
        for (; b; b = T(b >> 1), base *= base)
          if (b & 1) r *= base;
        return T(r);
      },
      x, y);
}

}  // namespace tt
#endif
