// Horizontal reductions of tt::vec. They halve the vector until one lane is
// left, so the order of a sum depends on N only, never on the target.
#ifndef TT_VEC_REDUCE_H
#define TT_VEC_REDUCE_H
#include "vec_core.h"

namespace tt {

#define TT_REDUCE(NAME, ...)                                  \
  template <class T, int N> TT_INLINE T NAME(vec<T, N> x) {   \
    if constexpr (N == 2) {                                   \
      vec<T, N> a = x, b = x;                                 \
      b.v[0] = x.v[1];                                        \
      return (__VA_ARGS__)[0];                                \
    } else {                                                  \
      vec<T, N / 2> a, b;                                     \
      split<T, N>(x, a, b);                                   \
      return NAME(__VA_ARGS__);                               \
    }                                                         \
  }
TT_REDUCE(hsum, a + b)
TT_REDUCE(hprod, a *b)
// A NaN in any lane is the answer.
TT_REDUCE(hmax, maximum(a, b))
TT_REDUCE(hmin, minimum(a, b))
TT_REDUCE(hand, a &b)
TT_REDUCE(hor, a | b)
TT_REDUCE(hxor, a ^ b)
#undef TT_REDUCE

template <int N> TT_INLINE bool any(vec<bool, N> x) { return hor(x); }
template <int N> TT_INLINE bool all(vec<bool, N> x) { return hand(x); }
template <int B, int N> TT_INLINE bool any(mask<B, N> x) { return hor(x.m) != 0; }
template <int B, int N> TT_INLINE bool all(mask<B, N> x) { return hand(x.m) != 0; }

}  // namespace tt
#endif
