// Explicit-lane vectors for generated kernels: types, conversions, arithmetic.
// Kernels include vec.h, which adds memory and reductions to this.
//
// `tt::vec<T, N>` holds N lanes of T. N is a count chosen by the kernel (16 by
// convention) and is the same for every element type in one kernel, so an index
// vector, a mask and a value always have matching lanes. A vector that is wider
// than one machine register is a binary tree of register-sized leaves: the
// compiler keeps a tree of registers in registers, while it spills a GCC vector
// that is wider than the target.
//
// Element types: float, double, [u]int8/16/32/64_t and bool. A bool vector
// stores bytes that are 0 or 1, as tensors do. bf16 and f16 exist in memory
// only: `load` widens them to float lanes, `store` rounds to nearest even.
//
// Comparisons return `tt::mask<B, N>` (lanes of B bytes, all ones or all
// zeros), which is what `select` wants; it converts to and from vec<bool, N>,
// so a kernel may write either `auto` or the explicit type.
//
// Signed integer arithmetic wraps, as it does in PyTorch. Nothing in here relies
// on -ffast-math, and a*b+c is fused only through `fma`.
#ifndef TT_VEC_CORE_H
#define TT_VEC_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifndef TT_VEC_BYTES
#if defined(__AVX512F__)
#define TT_VEC_BYTES 64
#elif defined(__AVX2__)
#define TT_VEC_BYTES 32
#else
#define TT_VEC_BYTES 16
#endif
#endif

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpsabi"
#else
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#define TT_INLINE inline __attribute__((always_inline))

namespace tt {

struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};

template <class T> struct storage {
  typedef T type;
};
template <> struct storage<bool> {
  typedef uint8_t type;
};

template <int Bytes> struct sint;
template <> struct sint<1> {
  typedef int8_t type;
  typedef uint8_t utype;
};
template <> struct sint<2> {
  typedef int16_t type;
  typedef uint16_t utype;
};
template <> struct sint<4> {
  typedef int32_t type;
  typedef uint32_t utype;
};
template <> struct sint<8> {
  typedef int64_t type;
  typedef uint64_t utype;
};

template <class A, class B> struct same {
  static constexpr bool value = false;
};
template <class A> struct same<A, A> {
  static constexpr bool value = true;
};
template <class T> constexpr bool is_float = same<T, float>::value || same<T, double>::value;
template <class T> constexpr bool is_bool = same<T, bool>::value;
template <class T> constexpr bool is_signed = T(-1) < T(0);

// ---------------------------------------------------------------------------
// The tree

template <class T, int N, bool Leaf = (N * sizeof(T) <= TT_VEC_BYTES)> struct vec;

template <class T, int N> struct vec<T, N, true> {
  static constexpr bool leaf = true;
  typedef typename storage<T>::type E;
  typedef E V __attribute__((vector_size(N * sizeof(E))));
  typedef typename sint<sizeof(E)>::type I;
  typedef typename sint<sizeof(E)>::utype U;
  typedef I VI __attribute__((vector_size(N * sizeof(E))));
  typedef U VU __attribute__((vector_size(N * sizeof(E))));
  V v;
  T operator[](int i) const { return T(v[i]); }
};

template <class T, int N> struct vec<T, N, false> {
  static constexpr bool leaf = false;
  vec<T, N / 2> lo, hi;
  T operator[](int i) const { return i < N / 2 ? lo[i] : hi[i - N / 2]; }
};

template <int B, int N> struct mask {
  vec<typename sint<B>::type, N> m;
  mask() = default;
  TT_INLINE mask(vec<typename sint<B>::type, N> x) : m(x) {}
  template <int B2> TT_INLINE mask(mask<B2, N> x);
  TT_INLINE mask(vec<bool, N> x);
  TT_INLINE operator vec<bool, N>() const;
  bool operator[](int i) const { return m[i] != 0; }
};

// The halves of a vector, whether it is a leaf or not, and back.
template <class T, int N> TT_INLINE void split(vec<T, N> x, vec<T, N / 2> &lo, vec<T, N / 2> &hi) {
  if constexpr (vec<T, N>::leaf) {
    typename vec<T, N>::V v = x.v;
    __builtin_memcpy(&lo, &v, sizeof lo);
    __builtin_memcpy(&hi, (const char *)&v + sizeof lo, sizeof hi);
  } else {
    lo = x.lo;
    hi = x.hi;
  }
}
template <class T, int N> TT_INLINE vec<T, N * 2> join(vec<T, N> lo, vec<T, N> hi) {
  vec<T, N * 2> r;
  if constexpr (vec<T, N * 2>::leaf) {
    typename vec<T, N * 2>::V v;
    __builtin_memcpy(&v, &lo, sizeof lo);
    __builtin_memcpy((char *)&v + sizeof lo, &hi, sizeof hi);
    r.v = v;
  } else {
    r.lo = lo;
    r.hi = hi;
  }
  return r;
}

template <int N = 16, class T> TT_INLINE vec<T, N> splat(T x) {
  if constexpr (vec<T, N>::leaf) {
    typedef vec<T, N> R;
    return R{typename R::E(x) - typename R::V{}};  // x - 0 is x, also for -0.0
  } else {
    vec<T, N / 2> h = splat<N / 2, T>(x);
    return {h, h};
  }
}

// start, start + 1, ...
template <int N = 16, class T> TT_INLINE vec<T, N> iota(T start) {
  if constexpr (vec<T, N>::leaf) {
    vec<T, N> r;
    for (int i = 0; i < N; i++) r.v[i] = T(start + T(i));
    return r;
  } else {
    return {iota<N / 2, T>(start), iota<N / 2, T>(T(start + T(N / 2)))};
  }
}

// ---------------------------------------------------------------------------
// Conversions

template <int... I> struct lanes {
  typedef lanes<I..., (int(sizeof...(I)) + I)...> twice;
};
template <int N> struct count_lanes {
  typedef typename count_lanes<N / 2>::type::twice type;
};
template <> struct count_lanes<1> {
  typedef lanes<0> type;
};

// Lanes 0, 2, 4, ... of the concatenation of a and b.
template <class T, int N, int... I> TT_INLINE vec<T, N> even_lanes(vec<T, N> a, vec<T, N> b, lanes<I...>) {
#if defined(__clang__)
  return {__builtin_shufflevector(a.v, b.v, (2 * I)...)};
#else
  return {__builtin_shuffle(a.v, b.v, typename vec<T, N>::VI{typename vec<T, N>::I(2 * I)...})};
#endif
}

// Integers of half the width, by dropping the high halves of the lanes. GCC's
// own conversion between vectors of different length goes through scalars.
template <class T, int N> TT_INLINE auto halve(vec<T, N> x) {
  typedef typename sint<sizeof(T) / 2>::type H;
  if constexpr (!vec<H, N>::leaf) {
    return vec<H, N>{halve(x.lo), halve(x.hi)};
  } else if constexpr (N * sizeof(H) < 16) {
    return vec<H, N>{__builtin_convertvector(x.v, typename vec<H, N>::V)};
  } else {
    vec<T, N / 2> lo, hi;
    split<T, N>(x, lo, hi);
    vec<H, N> a{(typename vec<H, N>::V)lo.v}, b{(typename vec<H, N>::V)hi.v};
    return even_lanes<H, N>(a, b, typename count_lanes<N>::type());
  }
}

// Whether one instruction narrows a leaf.
#if defined(__AVX512F__) || defined(__clang__)
constexpr bool narrows = true;
#else
constexpr bool narrows = false;
#endif

// The same bits as another type of the same width.
template <class To, class T, int N> TT_INLINE vec<To, N> bitcast(vec<T, N> x) {
  static_assert(sizeof(To) == sizeof(T), "bitcast keeps the width");
  if constexpr (vec<T, N>::leaf)
    return {(typename vec<To, N>::V)x.v};
  else
    return {bitcast<To>(x.lo), bitcast<To>(x.hi)};
}

template <class T, int N> TT_INLINE mask<sizeof(T), N> operator!=(vec<T, N> x, vec<T, N> y);

// To 64-bit integers only AVX-512 converts more than one element at once. A call: inlined, the
// lanes' moves would be most of a kernel that computes indices.
template <int N, class To, class T> __attribute__((noinline, unused)) static void convert_each(const T *x, To *r) {
  for (int i = 0; i < N; i++) r[i] = To(x[i]);
}
#if defined(__AVX512DQ__)
template <class To, class T> constexpr bool converts_each = false;
#else
template <class To, class T> constexpr bool converts_each = is_float<T> && !is_float<To> && sizeof(To) == 8;
#endif

// Floating to integer is C++'s static_cast for values in range (truncation).
// 8- and 16-bit targets go through int32_t, so that a value out of their range
// wraps instead of being undefined. Anything to bool is x != 0 (NaN is true).
template <class To, class T, int N> TT_INLINE vec<To, N> convert(vec<T, N> x) {
  if constexpr (same<To, T>::value) {
    return x;
  } else if constexpr (is_bool<To>) {
    return x != splat<N, T>(T(0));
  } else if constexpr (is_float<T> && !is_float<To> && sizeof(To) < 4) {
    return convert<To>(convert<int32_t>(x));
  } else if constexpr (converts_each<To, T> && (N > 2)) {
    T each[N];
    To converted[N];
    vec<To, N> r;
    __builtin_memcpy(each, &x, sizeof each);
    convert_each<N>(each, converted);
    __builtin_memcpy(&r, converted, sizeof r);
    return r;
  } else if constexpr (!is_float<T> && !is_float<To> && sizeof(To) < sizeof(T) && !(narrows && vec<T, N>::leaf)) {
    auto h = halve(x);
    if constexpr (sizeof(To) * 2 == sizeof(T))
      return bitcast<To>(h);
    else
      return convert<To>(h);
  } else if constexpr (!is_float<T> && sizeof(To) > 2 * sizeof(T) && !vec<To, N>::leaf) {
    // One doubling at a time keeps the pieces wide enough for one instruction.
    typedef typename sint<2 * sizeof(T)>::type S;
    typedef typename sint<2 * sizeof(T)>::utype U;
    if constexpr (is_signed<T>)
      return convert<To>(convert<S>(x));
    else
      return convert<To>(convert<U>(x));
  } else if constexpr (vec<T, N>::leaf && vec<To, N>::leaf) {
    return {__builtin_convertvector(x.v, typename vec<To, N>::V)};
  } else {
    vec<T, N / 2> lo, hi;
    split<T, N>(x, lo, hi);
    return join(convert<To>(lo), convert<To>(hi));
  }
}

template <int B, int N> template <int B2> TT_INLINE mask<B, N>::mask(mask<B2, N> x) : m(convert<typename sint<B>::type>(x.m)) {}
template <int N> TT_INLINE vec<int8_t, N> byte_mask(vec<bool, N> x) {
  if constexpr (vec<bool, N>::leaf)
    return {-(typename vec<int8_t, N>::V)x.v};
  else
    return {byte_mask<N / 2>(x.lo), byte_mask<N / 2>(x.hi)};
}
template <int B, int N> TT_INLINE mask<B, N>::mask(vec<bool, N> x) : m(convert<typename sint<B>::type>(byte_mask<N>(x))) {}
template <int B, int N> TT_INLINE mask<B, N>::operator vec<bool, N>() const {
  auto b = convert<int8_t>(m);
  auto u = bitcast<uint8_t>(b);
  if constexpr (vec<bool, N>::leaf)
    return {u.v & 1};
  else
    return convert<bool>(u);
}

// ---------------------------------------------------------------------------
// Lane-wise arithmetic

#define TT_COMPARE(NAME, OP)                                                         \
  template <class T, int N> TT_INLINE mask<sizeof(T), N> NAME(vec<T, N> x, vec<T, N> y) { \
    if constexpr (vec<T, N>::leaf) {                                                 \
      vec<typename sint<sizeof(T)>::type, N> r{x.v OP y.v};                          \
      return r;                                                                      \
    } else {                                                                         \
      vec<typename sint<sizeof(T)>::type, N> r{NAME(x.lo, y.lo).m, NAME(x.hi, y.hi).m}; \
      return r;                                                                      \
    }                                                                                \
  }

// Integers add as unsigned: a signed overflow must wrap, not be undefined.
#define TT_WRAPPING(OP)                                                                  \
  template <class T, int N> TT_INLINE vec<T, N> operator OP(vec<T, N> x, vec<T, N> y) {  \
    if constexpr (!vec<T, N>::leaf) {                                                    \
      return {x.lo OP y.lo, x.hi OP y.hi};                                               \
    } else if constexpr (is_float<T>) {                                                  \
      return {x.v OP y.v};                                                               \
    } else {                                                                             \
      typedef typename vec<T, N>::VU VU;                                                 \
      return {(typename vec<T, N>::V)((VU)x.v OP(VU) y.v)};                              \
    }                                                                                    \
  }
TT_WRAPPING(+)
TT_WRAPPING(-)
TT_WRAPPING(*)
#undef TT_WRAPPING

// Floating division only; integers divide by the named functions below.
template <class T, int N> TT_INLINE vec<T, N> operator/(vec<T, N> x, vec<T, N> y) {
  static_assert(is_float<T>, "use div_trunc or div_floor on integers");
  if constexpr (vec<T, N>::leaf)
    return {x.v / y.v};
  else
    return {x.lo / y.lo, x.hi / y.hi};
}

// Floats combine by their bits.
#define TT_BITWISE(OP)                                                                  \
  template <class T, int N> TT_INLINE vec<T, N> operator OP(vec<T, N> x, vec<T, N> y) { \
    if constexpr (vec<T, N>::leaf) {                                                    \
      typedef typename vec<T, N>::VI VI;                                                \
      return {(typename vec<T, N>::V)((VI)x.v OP(VI) y.v)};                             \
    } else {                                                                            \
      return {x.lo OP y.lo, x.hi OP y.hi};                                              \
    }                                                                                   \
  }
TT_BITWISE(&)
TT_BITWISE(|)
TT_BITWISE(^)
#undef TT_BITWISE
template <class T, int N> TT_INLINE vec<T, N> operator~(vec<T, N> x) {
  if constexpr (!vec<T, N>::leaf)
    return {~x.lo, ~x.hi};
  else if constexpr (is_bool<T>)
    return {x.v ^ 1};
  else
    return {~x.v};
}

template <class T, int N> TT_INLINE vec<T, N> neg(vec<T, N> x) {
  if constexpr (!vec<T, N>::leaf)
    return {neg(x.lo), neg(x.hi)};
  else if constexpr (is_float<T>)
    return {-x.v};
  else
    return {(typename vec<T, N>::V)(-(typename vec<T, N>::VU)x.v)};
}
template <class T, int N> TT_INLINE vec<T, N> operator-(vec<T, N> x) { return neg(x); }

TT_COMPARE(operator<, <)
TT_COMPARE(operator<=, <=)
TT_COMPARE(operator>, >)
TT_COMPARE(operator>=, >=)
TT_COMPARE(operator==, ==)
TT_COMPARE(operator!=, !=)

template <int B, int B2, int N> TT_INLINE mask<B, N> operator&(mask<B, N> a, mask<B2, N> b) { return {a.m & mask<B, N>(b).m}; }
template <int B, int B2, int N> TT_INLINE mask<B, N> operator|(mask<B, N> a, mask<B2, N> b) { return {a.m | mask<B, N>(b).m}; }
template <int B, int B2, int N> TT_INLINE mask<B, N> operator^(mask<B, N> a, mask<B2, N> b) { return {a.m ^ mask<B, N>(b).m}; }
template <int B, int N> TT_INLINE mask<B, N> operator&(mask<B, N> a, vec<bool, N> b) { return {a.m & mask<B, N>(b).m}; }
template <int B, int N> TT_INLINE mask<B, N> operator&(vec<bool, N> b, mask<B, N> a) { return {a.m & mask<B, N>(b).m}; }
template <int B, int N> TT_INLINE mask<B, N> operator|(mask<B, N> a, vec<bool, N> b) { return {a.m | mask<B, N>(b).m}; }
template <int B, int N> TT_INLINE mask<B, N> operator|(vec<bool, N> b, mask<B, N> a) { return {a.m | mask<B, N>(b).m}; }
template <int B, int N> TT_INLINE mask<B, N> operator^(mask<B, N> a, vec<bool, N> b) { return {a.m ^ mask<B, N>(b).m}; }
template <int B, int N> TT_INLINE mask<B, N> operator^(vec<bool, N> b, mask<B, N> a) { return {a.m ^ mask<B, N>(b).m}; }
template <int B, int N> TT_INLINE mask<B, N> operator~(mask<B, N> a) { return {~a.m}; }

// m ? a : b, lane by lane.
template <int B, class T, int N> TT_INLINE vec<T, N> select(mask<B, N> m, vec<T, N> a, vec<T, N> b) {
  if constexpr (B != sizeof(T)) {
    return select(mask<sizeof(T), N>(m), a, b);
  } else if constexpr (vec<T, N>::leaf) {
    return {m.m.v ? a.v : b.v};
  } else {
    return {select(mask<B, N / 2>(m.m.lo), a.lo, b.lo), select(mask<B, N / 2>(m.m.hi), a.hi, b.hi)};
  }
}
template <class T, int N> TT_INLINE vec<T, N> select(vec<bool, N> m, vec<T, N> a, vec<T, N> b) {
  return select(mask<sizeof(T), N>(m), a, b);
}

// torch.maximum and torch.minimum: a NaN on either side is the answer.
template <class T, int N> TT_INLINE vec<T, N> maximum(vec<T, N> x, vec<T, N> y) {
  if constexpr (!vec<T, N>::leaf) {
    return {maximum(x.lo, y.lo), maximum(x.hi, y.hi)};
  } else {
    typename vec<T, N>::V a = x.v, b = y.v, r = a > b ? a : b;
    if constexpr (is_float<T>) r = a != a ? a : r;
    return {r};
  }
}
template <class T, int N> TT_INLINE vec<T, N> minimum(vec<T, N> x, vec<T, N> y) {
  if constexpr (!vec<T, N>::leaf) {
    return {minimum(x.lo, y.lo), minimum(x.hi, y.hi)};
  } else {
    typename vec<T, N>::V a = x.v, b = y.v, r = a < b ? a : b;
    if constexpr (is_float<T>) r = a != a ? a : r;
    return {r};
  }
}
// torch.fmax and torch.fmin: a NaN loses against a number.
template <class T, int N> TT_INLINE vec<T, N> fmax(vec<T, N> a, vec<T, N> b) {
  if constexpr (is_float<T>)
    return select(b != b, a, select(a > b, a, b));
  else
    return maximum(a, b);
}
template <class T, int N> TT_INLINE vec<T, N> fmin(vec<T, N> a, vec<T, N> b) {
  if constexpr (is_float<T>)
    return select(b != b, a, select(a < b, a, b));
  else
    return minimum(a, b);
}

template <class T, int N> TT_INLINE mask<sizeof(T), N> isnan(vec<T, N> x) { return x != x; }

template <class T, int N> TT_INLINE vec<T, N> abs(vec<T, N> x) {
  if constexpr (!vec<T, N>::leaf) {
    return {abs(x.lo), abs(x.hi)};
  } else if constexpr (is_float<T>) {
    typedef typename vec<T, N>::VU VU;
    return {(typename vec<T, N>::V)((VU)x.v & (VU{} + typename vec<T, N>::U(-1)) >> 1)};
  } else if constexpr (is_signed<T>) {
    return {x.v < 0 ? neg(x).v : x.v};
  } else {
    return x;
  }
}

// -1, 0 or 1, as torch.sign: the sign of NaN is 0.
template <class T, int N> TT_INLINE vec<T, N> sign(vec<T, N> x) {
  const vec<T, N> zero = splat<N, T>(T(0)), one = splat<N, T>(T(1));
  return select(x > zero, one, zero) - select(x < zero, one, zero);
}

// Shift counts outside [0, bits) shift everything out: zero to the left, the
// sign to the right, as PyTorch defines them.
template <class T, int N> TT_INLINE vec<T, N> shl(vec<T, N> x, vec<T, N> n) {
  if constexpr (!vec<T, N>::leaf) {
    return {shl(x.lo, n.lo), shl(x.hi, n.hi)};
  } else {
    typedef typename vec<T, N>::VU VU;
    const VU bits = VU{} + typename vec<T, N>::U(8 * sizeof(T));
    VU c = (VU)n.v, r = (VU)x.v << (c & (bits - 1));
    return {(typename vec<T, N>::V)(c < bits ? r : VU{})};
  }
}
template <class T, int N> TT_INLINE vec<T, N> shr(vec<T, N> x, vec<T, N> n) {
  if constexpr (!vec<T, N>::leaf) {
    return {shr(x.lo, n.lo), shr(x.hi, n.hi)};
  } else {
    typedef typename vec<T, N>::VU VU;
    const VU last = VU{} + typename vec<T, N>::U(8 * sizeof(T) - 1);
    VU c = (VU)n.v;
    c = c < last ? c : last;
    return {x.v >> (typename vec<T, N>::V)c};
  }
}

#undef TT_COMPARE

}  // namespace tt
#endif
