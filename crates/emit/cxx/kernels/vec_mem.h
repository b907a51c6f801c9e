// Loads and stores of tt::vec. Nothing in here touches memory outside the lanes
// that it is asked for, so a kernel can run on the last row of a page.
#ifndef TT_VEC_MEM_H
#define TT_VEC_MEM_H
#include "vec_core.h"

namespace tt {

// What a pointer to T loads as: bf16 and f16 widen to float.
template <class T> struct loaded {
  typedef T type;
};
template <> struct loaded<bf16> {
  typedef float type;
};
template <> struct loaded<f16> {
  typedef float type;
};
template <class T> using loaded_t = typename loaded<T>::type;

// ---------------------------------------------------------------------------
// Half precision

template <int N> TT_INLINE vec<float, N> widen(bf16, vec<uint16_t, N> x) {
  return bitcast<float>(shl(convert<uint32_t>(x), splat<N>(uint32_t(16))));
}

// Round to nearest even; a NaN becomes the quiet NaN that PyTorch writes.
template <int N> TT_INLINE vec<uint16_t, N> narrow(bf16, vec<float, N> x) {
  vec<uint32_t, N> u = bitcast<uint32_t>(x);
  vec<uint32_t, N> odd = shr(u, splat<N>(uint32_t(16))) & splat<N>(uint32_t(1));
  vec<uint32_t, N> r = shr(u + odd + splat<N>(uint32_t(0x7fff)), splat<N>(uint32_t(16)));
  return convert<uint16_t>(select(isnan(x), splat<N>(uint32_t(0x7fc0)), r));
}

template <int N> TT_INLINE vec<float, N> widen([[maybe_unused]] f16 t, vec<uint16_t, N> x) {
#if defined(__AVX512F__)
  if constexpr (N == 16) {
    typedef short S __attribute__((vector_size(32)));
    return {__builtin_ia32_vcvtph2ps512_mask((S)x.v, typename vec<float, N>::V{}, -1, 4)};
  }
#endif
#if defined(__F16C__) && TT_VEC_BYTES >= 32
  if constexpr (N == 8) {
    typedef short S __attribute__((vector_size(16)));
    return {__builtin_ia32_vcvtph2ps256((S)x.v)};
  } else if constexpr (N > 8) {
    vec<uint16_t, N / 2> lo, hi;
    split<uint16_t, N>(x, lo, hi);
    return join(widen(t, lo), widen(t, hi));
  }
#endif
  // Shifted into place the exponent is 112 too small; a multiplication corrects
  // that for normal and subnormal numbers alike. Inf and NaN are set apart.
  typedef vec<uint32_t, N> U;
  U u = convert<uint32_t>(x);
  U sign = shl(u & splat<N>(uint32_t(0x8000)), splat<N>(uint32_t(16)));
  U mag = shl(u & splat<N>(uint32_t(0x7fff)), splat<N>(uint32_t(13)));
  vec<float, N> f = bitcast<float>(mag) * splat<N>(0x1p112f);
  U special = mag | splat<N>(uint32_t(0x7f800000));
  U r = select(mag >= splat<N>(uint32_t(0x0f800000)), special, bitcast<uint32_t>(f));
  return bitcast<float>(r | sign);
}

template <int N> TT_INLINE vec<uint16_t, N> narrow([[maybe_unused]] f16 t, vec<float, N> x) {
#if defined(__AVX512F__)
  if constexpr (N == 16) {
    typedef short S __attribute__((vector_size(32)));
    return {(typename vec<uint16_t, N>::V)__builtin_ia32_vcvtps2ph512_mask(x.v, 0, S{}, -1)};
  }
#endif
#if defined(__F16C__) && TT_VEC_BYTES >= 32
  if constexpr (N == 8) {
    return {(typename vec<uint16_t, N>::V)__builtin_ia32_vcvtps2ph256(x.v, 0)};
  } else if constexpr (N > 8) {
    vec<float, N / 2> lo, hi;
    split<float, N>(x, lo, hi);
    return join(narrow(t, lo), narrow(t, hi));
  }
#endif
  // Normal results: rebias the exponent and round on the 13 lost bits. Subnormal
  // results: adding 0.5 leaves them, rounded, in the low bits of the sum.
  typedef vec<uint32_t, N> U;
  U u = bitcast<uint32_t>(x);
  U sign = shr(u & splat<N>(uint32_t(0x80000000)), splat<N>(uint32_t(16)));
  U mag = u & splat<N>(uint32_t(0x7fffffff));
  U odd = shr(mag, splat<N>(uint32_t(13))) & splat<N>(uint32_t(1));
  U normal = shr(mag - splat<N>(uint32_t(112u << 23)) + splat<N>(uint32_t(0xfff)) + odd, splat<N>(uint32_t(13)));
  U tiny = bitcast<uint32_t>(bitcast<float>(mag) + splat<N>(0.5f)) - splat<N>(uint32_t(0x3f000000));
  U r = select(mag < splat<N>(uint32_t(113u << 23)), tiny, normal);
  r = select(mag >= splat<N>(uint32_t(0x47800000)), splat<N>(uint32_t(0x7c00)), r);
  r = select(mag > splat<N>(uint32_t(0x7f800000)), splat<N>(uint32_t(0x7e00)), r);
  return convert<uint16_t>(r | sign);
}

// ---------------------------------------------------------------------------
// Contiguous

template <int N = 16, class T> TT_INLINE vec<loaded_t<T>, N> load(const T *p) {
  if constexpr (!same<T, loaded_t<T>>::value) {
    return widen(T{}, load<N>((const uint16_t *)p));
  } else if constexpr (vec<T, N>::leaf) {
    vec<T, N> r;
    __builtin_memcpy(&r.v, p, sizeof r.v);
    return r;
  } else {
    return {load<N / 2>(p), load<N / 2>(p + N / 2)};
  }
}

template <class T, int N> TT_INLINE void store(T *p, vec<loaded_t<T>, N> x) {
  if constexpr (!same<T, loaded_t<T>>::value) {
    store((uint16_t *)p, narrow(T{}, x));
  } else if constexpr (vec<T, N>::leaf) {
    __builtin_memcpy(p, &x.v, sizeof x.v);
  } else {
    store(p, x.lo);
    store(p + N / 2, x.hi);
  }
}

// Copies n < N elements in at most log2(N) moves of constant size.
template <int N, class T> TT_INLINE void copy_n(T *to, const T *from, int n) {
  if constexpr (N > 1) {
    constexpr int H = N / 2;
    if (n & H) {
      __builtin_memcpy(to, from, H * sizeof(T));
      to += H;
      from += H;
    }
    copy_n<H>(to, from, n);
  }
}

// The first n lanes from memory, `fill` in the others. n may be anything: below
// zero counts as zero, above N as N.
template <int N = 16, class T> TT_INLINE vec<loaded_t<T>, N> load_n(const T *p, int64_t n, loaded_t<T> fill = loaded_t<T>()) {
  if constexpr (!same<T, loaded_t<T>>::value) {
    vec<float, N> x = widen(T{}, load_n<N>((const uint16_t *)p, n));
    return select(iota<N>(int32_t(0)) < splat<N>(int32_t(n < N ? n : N)), x, splat<N>(fill));
  } else if constexpr (vec<T, N>::leaf) {
    if (n >= N) return load<N>(p);
#if defined(__AVX2__)
    // Lanes that the mask leaves out are not accessed.
    if constexpr (N * sizeof(T) == 32 && sizeof(T) == 4) {
      const mask<4, N> on = iota<N>(int32_t(0)) < splat<N>(int32_t(n));
      typedef float F __attribute__((vector_size(32)));
      return select(on, vec<T, N>{(typename vec<T, N>::V)__builtin_ia32_maskloadps256((const F *)p, on.m.v)}, splat<N>(fill));
    } else if constexpr (N * sizeof(T) == 32 && sizeof(T) == 8) {
      const mask<8, N> on = iota<N>(int64_t(0)) < splat<N>(int64_t(n));
      typedef double F __attribute__((vector_size(32)));
      typedef long long M __attribute__((vector_size(32)));
      return select(on, vec<T, N>{(typename vec<T, N>::V)__builtin_ia32_maskloadpd256((const F *)p, (M)on.m.v)}, splat<N>(fill));
    }
#endif
    typename vec<T, N>::E e[N];
    store(e, bitcast<typename vec<T, N>::E>(splat<N>(fill)));
    if (n > 0) copy_n<N>(e, (const typename vec<T, N>::E *)p, int(n));
    return bitcast<T>(load<N>(e));
  } else {
    return {load_n<N / 2>(p, n, fill), load_n<N / 2>(p + N / 2, n - N / 2, fill)};
  }
}

template <class T, int N> TT_INLINE void store_n(T *p, vec<loaded_t<T>, N> x, int64_t n) {
  if constexpr (!same<T, loaded_t<T>>::value) {
    store_n((uint16_t *)p, narrow(T{}, x), n);
  } else if constexpr (vec<T, N>::leaf) {
    if (n >= N) {
      store(p, x);
    } else if (n > 0) {
      T e[N];
      store(e, x);
      copy_n<N>(p, (const T *)e, int(n));
    }
  } else {
    store_n(p, x.lo, n);
    store_n(p + N / 2, x.hi, n - N / 2);
  }
}

// ---------------------------------------------------------------------------
// Scattered. Strides and indices are in elements.

template <class T> TT_INLINE loaded_t<T> load_one(const T *p) {
  if constexpr (same<T, bf16>::value) {
    uint32_t u = uint32_t(p->bits) << 16;
    float f;
    __builtin_memcpy(&f, &u, 4);
    return f;
  } else if constexpr (same<T, f16>::value) {
    return widen(f16{}, load_n<8>((const uint16_t *)p, 1))[0];
  } else {
    return *p;
  }
}

template <class T> TT_INLINE void store_one(T *p, loaded_t<T> x) {
  if constexpr (same<T, loaded_t<T>>::value) {
    *p = x;
  } else {
    p->bits = narrow(T{}, splat<8>(x))[0];
  }
}

// Loads lanes one by one from addresses that `at(i)` gives, for the lanes that
// `on(i)` accepts. Half precision is collected as bits and widened once.
template <int N, class T, class At, class On> TT_INLINE vec<loaded_t<T>, N> load_lanes(At at, On on, loaded_t<T> fill) {
  if constexpr (same<T, loaded_t<T>>::value) {
    T e[N];
    for (int i = 0; i < N; i++) e[i] = on(i) ? *at(i) : fill;
    return load<N>(e);
  } else {
    uint16_t e[N];
    const uint16_t f = narrow(T{}, splat<8>(fill))[0];
    for (int i = 0; i < N; i++) e[i] = on(i) ? at(i)->bits : f;
    return widen(T{}, load<N>(e));
  }
}

template <int N = 16, class T> TT_INLINE vec<loaded_t<T>, N> load_strided(const T *p, int64_t stride, int64_t n = N, loaded_t<T> fill = loaded_t<T>()) {
  return load_lanes<N, T>([=](int i) { return p + i * stride; }, [=](int i) { return i < n; }, fill);
}

template <class T, int N> TT_INLINE void store_strided(T *p, int64_t stride, vec<loaded_t<T>, N> x, int64_t n = N) {
  if constexpr (same<T, loaded_t<T>>::value) {
    T e[N];
    store(e, x);
    for (int i = 0; i < N && i < n; i++) p[i * stride] = e[i];
  } else {
    store_strided((uint16_t *)p, stride, narrow(T{}, x), n);
  }
}

template <class T, int N> TT_INLINE vec<loaded_t<T>, N> gather(const T *p, vec<int64_t, N> index, int64_t n = N, loaded_t<T> fill = loaded_t<T>()) {
  int64_t at[N];
  store(at, index);
  return load_lanes<N, T>([&](int i) { return p + at[i]; }, [=](int i) { return i < n; }, fill);
}

// A call: branches for every lane would make large kernels of small ones.
template <int N, class T> __attribute__((noinline, unused)) static void gather_on(const T *p, const int64_t *at, const uint8_t *on, T *e) {
  for (int i = 0; i < N; i++)
    if (on[i]) e[i] = p[at[i]];
}
// Lanes where the mask is false are not touched in memory and hold `fill`.
template <class T, int N> TT_INLINE vec<loaded_t<T>, N> gather(const T *p, vec<int64_t, N> index, vec<bool, N> on, loaded_t<T> fill = loaded_t<T>()) {
  int64_t at[N];
  uint8_t b[N];
  T e[N];
  store(at, index);
  store((bool *)b, on);
  store(e, splat<N>(fill));
  gather_on<N>(p, at, b, e);
  return load<N>(e);
}
template <class T, int B, int N> TT_INLINE vec<loaded_t<T>, N> gather(const T *p, vec<int64_t, N> index, mask<B, N> on, loaded_t<T> fill = loaded_t<T>()) {
  return gather(p, index, vec<bool, N>(on), fill);
}

// Contiguous under a mask: lanes that are off are not touched in memory.
template <int N = 16, class T> TT_INLINE vec<loaded_t<T>, N> load_masked(const T *p, vec<bool, N> on, loaded_t<T> fill = loaded_t<T>()) {
  uint8_t b[N];
  store((bool *)b, on);
  return load_lanes<N, T>([&](int i) { return p + i; }, [&](int i) { return b[i] != 0; }, fill);
}
template <class T, int N> TT_INLINE void scatter(T *p, vec<int64_t, N> index, vec<loaded_t<T>, N> x, int64_t n = N) {
  if constexpr (same<T, loaded_t<T>>::value) {
    int64_t at[N];
    T e[N];
    store(at, index);
    store(e, x);
    for (int i = 0; i < N && i < n; i++) p[at[i]] = e[i];
  } else {
    scatter((uint16_t *)p, index, narrow(T{}, x), n);
  }
}

// Rounds float lanes as a store to T and a load back would: kernels that fuse a
// chain of half-precision operators round between them as eager does.
template <class T, int N> TT_INLINE vec<float, N> round_to(vec<float, N> x) {
  return widen(T{}, narrow(T{}, x));
}

}  // namespace tt
#endif
