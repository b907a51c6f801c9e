// What printed kernels use besides vectors: checked indices, arg-reductions, sorting.
#ifndef TT_VEC_KERNEL_H
#define TT_VEC_KERNEL_H
#include "tintype_fault.h"
#include "vec_core.h"
#include "vec_mem.h"
#include "vec_reduce.h"

namespace tt {

// An index into `size` elements: below zero it counts from the end. One out of
// range is recorded and becomes 0, which the caller may only read if size > 0.
TT_INLINE int64_t bound_index(int64_t index, int64_t size, tt_fault* fault) {
  const int64_t place = index < 0 ? index + size : index;
  if (__builtin_expect(place >= 0 && place < size, 1)) return place;
  tt_raise(fault, "index", index, -size, size);
  return 0;
}

// The same of many, those in lanes that are on; the others become 0.
template <int N> __attribute__((cold, noinline, unused)) static void raise_index(const int64_t* index, const bool* bad, int64_t size, tt_fault* fault) {
  for (int i = 0; i < N; i++)
    if (bad[i]) return tt_raise(fault, "index", index[i], -size, size);
}
template <int N> TT_INLINE vec<int64_t, N> bound_index(vec<int64_t, N> index, int64_t size, tt_fault* fault, vec<bool, N> on) {
  const vec<int64_t, N> zero = splat<N>(int64_t(0)), limit = splat<N>(size);
  const vec<int64_t, N> place = select(index < zero, index + limit, index);
  const auto inside = (place >= zero) & (place < limit);
  const vec<bool, N> good = vec<bool, N>(inside) & on, bad = on & ~vec<bool, N>(inside);
  if (__builtin_expect(any(bad), 0)) {
    int64_t indices[N];
    bool is_bad[N];
    store(indices, index);
    store(is_bad, bad);
    raise_index<N>(indices, is_bad, size, fault);
  }
  return select(good, place, zero);
}
template <int N> TT_INLINE vec<int64_t, N> bound_index(vec<int64_t, N> index, int64_t size, tt_fault* fault) {
  return bound_index(index, size, fault, splat<N>(true));
}

// The sum of many blocks' sums. It is kept in three parts, each the sum of 64 of the one before:
// no part is much larger than what is added to it, however many blocks there are.
template <class T> struct cascade {
  T low{}, mid{}, high{};
  uint64_t count = 0;
  TT_INLINE void add(T block) {
    low = low + block;
    if ((++count & 63) != 0) return;
    mid = mid + low;
    low = T{};
    if ((count & 4095) != 0) return;
    high = high + mid;
    mid = T{};
  }
  TT_INLINE T sum() const { return low + mid + high; }
};

// Lanes in which `x` takes the place of `acc` in an arg-reduction: nothing is
// there yet, or `x` is better and `acc` is no NaN, or `x` is the first NaN.
template <class T, int N, class Better>
TT_INLINE vec<bool, N> arg_better(vec<T, N> x, vec<T, N> acc, vec<int64_t, N> index, Better better) {
  const vec<bool, N> none = index < splat<N>(int64_t(0));
  const vec<bool, N> free = vec<bool, N>(acc == acc);
  const vec<bool, N> wins = vec<bool, N>(better(x, acc) | (x != x));
  return vec<bool, N>(none | vec<bool, N>(free & wins));
}
template <int N, class Better>
TT_INLINE vec<bool, N> arg_better(vec<bool, N> x, vec<bool, N> acc, vec<int64_t, N> index, Better better) {
  return arg_better(convert<uint8_t>(x), convert<uint8_t>(acc), index, better);
}

// The position of the best of all lanes, the first of equals; -1 in `index` marks a lane without one.
template <class T, int N, class Better>
TT_INLINE int64_t arg_lanes(vec<T, N> acc, vec<int64_t, N> index, Better better) {
  int best = -1;
  for (int i = 0; i < N; i++) {
    if (index[i] < 0) continue;
    const bool take = best < 0 || (acc[best] == acc[best] && (better(acc[i], acc[best]) || acc[i] != acc[i])) ||
                      ((acc[i] == acc[best] || (acc[i] != acc[i] && acc[best] != acc[best])) && index[i] < index[best]);
    if (take) best = i;
  }
  return best < 0 ? 0 : index[best];
}

// Whether `a` stands before `b`: NaN is greater than all.
template <class T> TT_INLINE bool sorts_before(T a, T b, bool descending) {
  const bool na = a != a, nb = b != b;
  if (descending) return na ? !nb : (!nb && a > b);
  return nb ? !na : (!na && a < b);
}

// Sorts `n` pairs stably by merging runs, with room for as many in the scratch arrays.
template <class T> void merge_sort(T* values, int64_t* indices, T* values2, int64_t* indices2, int64_t n, bool descending) {
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t start = 0; start < n; start += 2 * width) {
      const int64_t mid = start + width < n ? start + width : n;
      const int64_t end = start + 2 * width < n ? start + 2 * width : n;
      int64_t i = start, j = mid;
      for (int64_t k = start; k < end; k++) {
        const bool left = i < mid && (j >= end || !sorts_before(values[j], values[i], descending));
        const int64_t from = left ? i++ : j++;
        values2[k] = values[from];
        indices2[k] = indices[from];
      }
    }
    for (int64_t k = 0; k < n; k++) values[k] = values2[k], indices[k] = indices2[k];
  }
}

// Sorts along `dim`. Sizes and strides have `rank` entries; both outputs have the strides `to`.
// `scratch` has room for 2 * n values and 2 * n indices, n = sizes[dim].
template <class M>
void sort_rows(const M* in, M* out, int64_t* index, int rank, const int64_t* sizes, const int64_t* from, const int64_t* to,
               int dim, bool descending, char* scratch) {
  typedef loaded_t<M> T;
  const int64_t n = sizes[dim];
  int64_t* i1 = reinterpret_cast<int64_t*>(scratch);
  int64_t* i2 = i1 + n;
  T* v1 = reinterpret_cast<T*>(i2 + n);
  T* v2 = v1 + n;
  int64_t rows = 1;
  for (int d = 0; d < rank; d++)
    if (d != dim) rows *= sizes[d];
  for (int64_t row = 0; row < rows; row++) {
    int64_t a = 0, b = 0, rest = row;
    for (int d = rank - 1; d >= 0; d--) {
      if (d == dim) continue;
      a += rest % sizes[d] * from[d];
      b += rest % sizes[d] * to[d];
      rest /= sizes[d];
    }
    for (int64_t i = 0; i < n; i++) v1[i] = load_one(in + a + i * from[dim]), i1[i] = i;
    merge_sort<T>(v1, i1, v2, i2, n, descending);
    for (int64_t i = 0; i < n; i++) store_one(out + b + i * to[dim], v1[i]), index[b + i * to[dim]] = i1[i];
  }
}

}  // namespace tt
#endif
