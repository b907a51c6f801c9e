// Accuracy and semantics of the vector headers, against libm in double:
//   g++ -std=c++17 -O2 -march=native -ffp-contract=off tests/vec_test.cpp
// -DTT_VEC_BYTES=16, 32 or 64 tests the code for another register width.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>


#include "../vec.h"
#include "../vec_int.h"
#include "../vec_libm.h"
#include "../vec_math.h"

using tt::bf16;
using tt::f16;
using tt::vec;

static int failures = 0;
#define CHECK(c)                                              \
  do {                                                        \
    if (!(c)) {                                               \
      printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #c);   \
      failures++;                                             \
    }                                                         \
  } while (0)

// Distance in units of the last place of the float nearest to `want`.
static double ulps(float got, double want) {
  float w = float(want);
  if (got != got || want != want) return (got != got) == (want != want) ? 0 : 1e30;
  if (__builtin_isinf(w) || __builtin_isinf(got)) return w == got ? 0 : 1e30;
  int e;
  frexp(want, &e);
  if (e < -125) e = -125;
  return fabs(double(got) - want) / ldexp(1.0, e - 24);
}

template <class V, class S> static void sweep(const char *name, V v, S s, float lo, float hi, double limit, bool tails = true) {
  if (name[0] == 't') name += 4;  // tt::
  double worst = 0;
  float at = 0;
  auto one = [&](const float *x) {
    float y[16];
    tt::store(y, v(tt::load(x)));
    for (int i = 0; i < 16; i++) {
      double u = ulps(y[i], s(double(x[i])));
      if (u > worst) worst = u, at = x[i];
    }
  };
  float x[16];
  const int steps = 1 << 18;
  for (int i = 0; i < steps; i++) {
    for (int l = 0; l < 16; l++) x[l] = lo + (hi - lo) * ((i * 16 + l) / float(steps * 16));
    one(x);
  }
  // Every exponent, some mantissas, both signs.
  uint32_t r = 12345;
  for (int i = 0; tails && i < 1 << 17; i++) {
    for (int l = 0; l < 16; l++) {
      r = r * 1664525u + 1013904223u;
      uint32_t b = r ^ (r << 13);
      memcpy(&x[l], &b, 4);
    }
    one(x);
  }
  const float inf = __builtin_inff();
  const float special[16] = {0.f, -0.f, inf, -inf, __builtin_nanf(""), 1.f, -1.f, 1e-45f, -1e-45f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f, 1e-20f, -1e-20f, 0.5f, 2.f};
  one(special);
  float y[16];
  tt::store(y, v(tt::load(special)));
  for (int i = 0; i < 2; i++) {
    float w = float(s(double(special[i])));
    if (memcmp(&w, &y[i], 4) != 0) printf("  %s(%g): %g, not %g\n", name, special[i], y[i], w), failures++;
  }
  printf("%-10s max %.3f ulp at %.9g\n", name, worst, at);
  if (worst > limit) {
    printf("FAILED %s: limit %.1f\n", name, limit);
    failures++;
  }
}
#define SWEEP(F, S, LO, HI, LIMIT) sweep(#F, [](vec<float, 16> x) { return F(x); }, [](double x) { return S; }, LO, HI, LIMIT)

// ---------------------------------------------------------------------------
// Semantics, checked lane by lane against plain C++

template <class T> static T sample(int i);
template <> float sample<float>(int i) {
  const float t[] = {0.f, -0.f, 1.5f, -2.5f, 100.25f, -77.f, 3.f, 1e-40f};
  return t[i % 8] + float(i / 8);
}
template <> double sample<double>(int i) { return double(sample<float>(i)) * 1.0000000001; }
template <> bool sample<bool>(int i) { return i % 3 == 0; }
template <class T> static T sample(int i) { return T(int64_t(i * 37 - 80) * (sizeof(T) > 2 ? 1001 : 1)); }

template <class To, class T, int N> static void check_convert() {
  for (int base = 0; base < 32; base += N) {
    T x[N];
    To y[N];
    for (int i = 0; i < N; i++) x[i] = sample<T>(base + i);
    tt::store(y, tt::convert<To>(tt::load<N>(x)));
    for (int i = 0; i < N; i++) {
      To want;
      if (tt::is_bool<To>)
        want = To(x[i] != T(0));
      else if (tt::is_float<T> && !tt::is_float<To>)
        want = To(int64_t(x[i]));  // unsigned and narrow targets wrap
      else
        want = To(x[i]);
      CHECK(y[i] == want);
    }
  }
}
template <class T> static void check_converts() {
  check_convert<float, T, 16>(), check_convert<double, T, 16>(), check_convert<bool, T, 16>(), check_convert<int8_t, T, 16>();
  check_convert<int16_t, T, 16>(), check_convert<int32_t, T, 16>(), check_convert<int64_t, T, 16>(), check_convert<uint8_t, T, 16>();
  check_convert<int64_t, T, 8>(), check_convert<float, T, 8>(), check_convert<int8_t, T, 8>(), check_convert<int16_t, T, 4>();
}

// Partial loads and stores at both ends of a page whose neighbours fault.
template <class T> static void check_partial() {
  char *page = (char *)mmap(nullptr, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page + 4096, 4096, PROT_READ | PROT_WRITE);
  for (int n = -1; n <= 17; n++) {
    const int m = n < 0 ? 0 : n > 16 ? 16 : n;
    for (int end = 0; end < 2; end++) {
      T *p = end ? (T *)(page + 8192) - m : (T *)(page + 4096);
      for (int i = 0; i < m; i++) p[i] = sample<T>(i + 3);
      T y[16];
      const T fill = sample<T>(2);
      tt::store(y, tt::load_n(p, n, fill));
      for (int i = 0; i < 16; i++) CHECK(memcmp(&y[i], i < m ? p + i : &fill, sizeof(T)) == 0);
      for (int i = 0; i < 16; i++) y[i] = sample<T>(i);
      tt::store_n(p, tt::load(y), n);
      CHECK(memcmp(p, y, m * sizeof(T)) == 0);
    }
  }
  munmap(page, 3 * 4096);
}

template <class T> static void check_int() {
  const T lo = T(T(1) << (8 * sizeof(T) - 1));
  T x[16], y[16], r[16];
  for (int round = 0; round < 40; round++) {
    for (int i = 0; i < 16; i++) {
      x[i] = sample<T>(i * 5 + round * 3);
      y[i] = T(int(i * 7 + round) % 11 - 5);
    }
    x[3] = lo, y[3] = T(-1);
    auto a = tt::load(x), b = tt::load(y);
    const auto each = [&](auto v, auto f) {
      tt::store(r, v);
      for (int i = 0; i < 16; i++) CHECK(r[i] == T(f(x[i], y[i])));
    };
    typedef __int128 W;
    const auto fl = [](W p, W q) { return p / q - ((p % q != 0) && ((p < 0) != (q < 0))); };
    each(a + b, [](W p, W q) { return p + q; });
    each(a - b, [](W p, W q) { return p - q; });
    each(a * b, [](W p, W q) { return p * q; });
    each(-a, [](W p, W) { return -p; });
    each(tt::abs(a), [](W p, W) { return p < 0 ? -p : p; });
    each(tt::sign(a), [](W p, W) { return (p > 0) - (p < 0); });
    each(tt::maximum(a, b), [](W p, W q) { return p > q ? p : q; });
    each(tt::minimum(a, b), [](W p, W q) { return p < q ? p : q; });
    each(a & b, [](W p, W q) { return p & q; });
    each(a | b, [](W p, W q) { return p | q; });
    each(a ^ b, [](W p, W q) { return p ^ q; });
    each(~a, [](W p, W) { return ~p; });
    const int bits = 8 * sizeof(T);
    each(tt::shl(a, b), [=](W p, W q) { return q < 0 || q >= bits ? W(0) : W((unsigned __int128)p << int(q)); });
    each(tt::shr(a, b), [=](W p, W q) { return p >> (q < 0 || q >= bits ? bits - 1 : int(q)); });
    each(tt::div_trunc(a, b), [](W p, W q) { return q == 0 ? 0 : p / q; });
    each(tt::gcd(a, b), [](W p, W q) {
      p = p < 0 ? T(-p) : p, q = q < 0 ? T(-q) : q;
      while (p != 0) {
        W r = q % p;
        q = p, p = r;
      }
      return q;
    });
    each(tt::fmod(a, b), [](W p, W q) { return q == 0 ? 0 : p % q; });
    each(tt::div_floor(a, b), [=](W p, W q) { return q == 0 ? W(0) : fl(p, q); });
    each(tt::remainder(a, b), [=](W p, W q) { return q == 0 ? W(0) : p - fl(p, q) * q; });
    each(tt::select(a < b, a, b), [](W p, W q) { return p < q ? p : q; });
    each(tt::select(vec<bool, 16>(a >= b), b, a), [](W p, W q) { return p >= q ? q : p; });
    W sum = 0, prod = 1;
    for (int i = 0; i < 16; i++) sum += x[i], prod *= T(y[i] | 1), prod = T(prod);
    CHECK(tt::hsum(a) == T(sum));
    CHECK(tt::hprod(b | tt::splat<16>(T(1))) == T(prod));
    CHECK(tt::hmin(a) == lo);
    CHECK(tt::any(a == tt::splat<16>(lo)) && !tt::all(a == tt::splat<16>(lo)) && tt::all(a >= tt::splat<16>(lo)));
  }
}

template <class T> static void check_float() {
  const T inf = T(INFINITY), nan = T(NAN);
  T x[16] = {T(0), T(-0.0), inf, -inf, nan, T(7.5), T(-7.5), T(1), T(2.5), T(-2.5), T(0.5), T(-0.5), T(1e20), T(3), T(-3), T(0.1)};
  T y[16] = {T(-0.0), T(0), T(1), inf, T(1), T(2), T(2), nan, T(-2), T(-2), T(0.1), T(0.1), T(3), T(0), T(-1), T(0.3)};
  T r[16];
  auto a = tt::load(x), b = tt::load(y);
  const auto each = [&](const char *what, auto v, auto f) {
    tt::store(r, v);
    for (int i = 0; i < 16; i++) {
      const T w = T(f(x[i], y[i]));
      const bool ok = (isnan(w) && isnan(r[i])) || memcmp(&w, &r[i], sizeof w) == 0;
      if (!ok) printf("FAILED %s(%g, %g): %g, not %g\n", what, double(x[i]), double(y[i]), double(r[i]), double(w)), failures++;
    }
  };
  each("neg", -a, [](T p, T) { return -p; });
  each("abs", tt::abs(a), [](T p, T) { return std::abs(p); });
  each("splat", tt::splat<16, T>(T(-0.0)), [](T, T) { return T(-0.0); });
  each("floor", tt::floor(a), [](T p, T) { return floor(p); });
  each("ceil", tt::ceil(a), [](T p, T) { return ceil(p); });
  each("trunc", tt::trunc(a), [](T p, T) { return trunc(p); });
  each("round", tt::round_even(a), [](T p, T) { return nearbyint(p); });
  each("sqrt", tt::sqrt(a), [](T p, T) { return std::sqrt(p); });
  each("rsqrt", tt::rsqrt(a), [](T p, T) { return T(1) / std::sqrt(p); });
  each("copysign", tt::copysign(a, b), [](T p, T q) { return copysign(p, q); });
  each("maximum", tt::select(a == b, a, tt::maximum(a, b)), [](T p, T q) { return p == q ? p : isnan(p) || isnan(q) ? T(NAN) : p > q ? p : q; });
  each("minimum", tt::select(a == b, a, tt::minimum(a, b)), [](T p, T q) { return p == q ? p : isnan(p) || isnan(q) ? T(NAN) : p < q ? p : q; });
  each("fmax", tt::select(a == b, a, tt::fmax(a, b)), [](T p, T q) { return p == q ? p : fmax(p, q); });
  each("fmin", tt::select(a == b, a, tt::fmin(a, b)), [](T p, T q) { return p == q ? p : fmin(p, q); });
  each("sign", tt::sign(a), [](T p, T) { return T((p > 0) - (p < 0)); });
  each("fmod", tt::fmod(a, b), [](T p, T q) { return std::fmod(p, q); });
  const auto rem = [](T p, T q) {
    T m = std::fmod(p, q);
    return m != 0 && (q < 0) != (m < 0) ? m + q : m;
  };
  each("remainder", tt::remainder(a, b), rem);
  each("div_floor", tt::div_floor(a, b), [](T p, T q) {
    if (q == 0) return p / q;
    T m = std::fmod(p, q), d = (p - m) / q;
    if (m != 0 && (q < 0) != (m < 0)) d -= 1;
    if (d == 0) return T(copysign(T(0), p / q));
    T f = floor(d);
    return d - f > T(0.5) ? f + 1 : f;
  });
  each("isnan", tt::select(tt::isnan(a), b, a), [](T p, T q) { return isnan(p) ? q : p; });
  each("isinf", tt::select(tt::isinf(a), b, a), [](T p, T q) { return isinf(p) ? q : p; });
  each("signbit", tt::select(tt::signbit(a) & tt::isfinite(a), b, a), [](T p, T q) { return std::signbit(p) && std::isfinite(p) ? q : p; });
  each("atan2", tt::atan2(a, b), [](T p, T q) { return std::atan2(p, q); });
  each("pow", tt::pow(a, b), [](T p, T q) { return std::pow(p, q); });
  CHECK(isnan(tt::hmax(a)) && isnan(tt::hmin(a)));
  each("digamma", tt::digamma(tt::splat<16, T>(T(1))), [](T, T) { return tt::lane::digamma(T(1)); });
  CHECK(fabs(tt::lane::digamma(T(1)) + 0.57721566490153286) < 1e-6);
  CHECK(fabs(tt::lane::digamma(T(-0.5)) - 0.03648997397857652) < 1e-6);
  each("zeta", tt::zeta(tt::splat<16, T>(T(2)), tt::splat<16, T>(T(1))), [](T, T) { return T(M_PI * M_PI / 6); });
  CHECK(fabs(tt::lane::zeta(3, -100.25) - (-62.0125041)) < 1e-6);
  CHECK(fabs(tt::lane::erfinv(T(0.5)) - 0.47693627620446987) < 1e-6);
}

// Every half-precision number, and rounding between neighbours.
static float half_to_float(uint16_t h) {
  const int e = h >> 10 & 31, m = h & 1023;
  const float s = h & 0x8000 ? -1.f : 1.f;
  if (e == 31) return m ? NAN : s * INFINITY;
  return s * (e ? ldexpf(1 + m / 1024.f, e - 15) : ldexpf(m / 1024.f, -14));
}
static void check_half() {
  for (int h = 0; h < 65536; h += 16) {
    f16 x[16], z[16];
    bf16 bx[16], bz[16];
    float y[16], by[16];
    for (int i = 0; i < 16; i++) x[i].bits = bx[i].bits = uint16_t(h + i);
    tt::store(y, tt::load(x));
    tt::store(by, tt::load(bx));
    tt::store(z, tt::load(y));
    tt::store(bz, tt::load(by));
    for (int i = 0; i < 16; i++) {
      const float w = half_to_float(uint16_t(h + i));
      uint32_t u = uint32_t(h + i) << 16, v;
      memcpy(&v, &by[i], 4);
      CHECK(isnan(w) ? isnan(y[i]) : memcmp(&w, &y[i], 4) == 0);
      CHECK(u == v);
      CHECK(isnan(w) ? isnan(half_to_float(z[i].bits)) : z[i].bits == x[i].bits);
      CHECK(isnan(by[i]) ? bz[i].bits == 0x7fc0 : bz[i].bits == bx[i].bits);
      CHECK(isnan(w) || tt::load_one(x + i) == w);
    }
  }
  // Halfway points go to the even neighbour, and a little more or less to the nearer.
  for (int h = 0; h < 0x7c00; h++) {
    const float lo = half_to_float(uint16_t(h)), hi = h == 0x7bff ? 65536.f : half_to_float(uint16_t(h + 1));
    const float mid = lo + (hi - lo) / 2;
    float x[16] = {mid, nextafterf(mid, lo), nextafterf(mid, hi)};
    f16 z[16];
    tt::store(z, tt::load(x));
    CHECK(z[0].bits == (h & 1 ? h + 1 : h) && z[1].bits == h && z[2].bits == h + 1);
  }
  for (uint32_t h = 0; h < 0x7f80; h++) {
    uint32_t u = h << 16 | 0x8000, v;
    float x[16] = {};
    bf16 z[16];
    memcpy(&x[0], &u, 4), v = u - 1, memcpy(&x[1], &v, 4), v = u + 1, memcpy(&x[2], &v, 4);
    tt::store(z, tt::load(x));
    CHECK(z[0].bits == (h & 1 ? h + 1 : h) && z[1].bits == h && z[2].bits == h + 1);
  }
}

static void check_memory() {
  float x[100], y[100];
  for (int i = 0; i < 100; i++) x[i] = float(i);
  int64_t at[16];
  for (int i = 0; i < 16; i++) at[i] = i < 11 ? (i * 31) % 97 : 1ll << 40;
  float r[16];
  tt::store(r, tt::load_strided(x + 2, 6, 15, -1.f));
  for (int i = 0; i < 16; i++) CHECK(r[i] == (i < 15 ? float(2 + 6 * i) : -1.f));
  tt::store(r, tt::gather(x, tt::load(at), 11, -1.f));
  for (int i = 0; i < 16; i++) CHECK(r[i] == (i < 11 ? float(at[i]) : -1.f));
  auto on = tt::iota(int64_t(0)) < tt::splat(int64_t(11));
  tt::store(r, tt::gather(x, tt::load(at), on, -2.f));
  for (int i = 0; i < 16; i++) CHECK(r[i] == (i < 11 ? float(at[i]) : -2.f));
  memset(y, 0, sizeof y);
  tt::scatter(y, tt::load(at), tt::load(x), 11);
  for (int i = 0; i < 11; i++) CHECK(y[at[i]] == x[i]);
  memset(y, 0, sizeof y);
  tt::store_strided(y, 3, tt::load(x + 1), 5);
  for (int i = 0; i < 100; i++) CHECK(y[i] == (i % 3 == 0 && i < 15 ? float(1 + i / 3) : 0.f));
  bool b[16];
  tt::store(b, vec<bool, 16>((tt::load(x) > tt::splat(3.f)) & (tt::iota(int8_t(0)) < tt::splat(int8_t(9)))));
  for (int i = 0; i < 16; i++) CHECK(b[i] == (i > 3 && i < 9));
  tt::store(r, tt::select(~tt::load(b), tt::load(x), tt::splat(-1.f)));
  for (int i = 0; i < 16; i++) CHECK(r[i] == (b[i] ? -1.f : x[i]));
  tt::store(r, tt::round_to<bf16>(tt::splat(1.00390625f)));
  CHECK(r[0] == 1.f);
  CHECK(tt::hsum(tt::load(x)) == 120.f && tt::hmax(tt::load(x)) == 15.f);
}

int main() {
  check_converts<float>(), check_converts<double>(), check_converts<bool>(), check_converts<int8_t>(), check_converts<uint8_t>();
  check_converts<int16_t>(), check_converts<int32_t>(), check_converts<int64_t>();
  check_partial<float>(), check_partial<double>(), check_partial<int64_t>(), check_partial<int8_t>(), check_partial<int16_t>(), check_partial<bool>();
  check_int<int8_t>(), check_int<int16_t>(), check_int<int32_t>(), check_int<int64_t>();
  check_float<float>(), check_float<double>();
  check_half();
  check_memory();
  SWEEP(tt::exp, ::exp(x), -105.f, 90.f, 2);
  SWEEP(tt::exp2, ::exp2(x), -152.f, 130.f, 2);
  SWEEP(tt::expm1, ::expm1(x), -20.f, 90.f, 2);
  SWEEP(tt::expm1, ::expm1(x), -1.f, 1.f, 2);
  SWEEP(tt::log, ::log(x), 0.f, 4.f, 2);
  SWEEP(tt::log2, ::log2(x), 0.f, 4.f, 2.5);
  SWEEP(tt::log1p, ::log1p(x), -1.f, 4.f, 2);
  SWEEP(tt::tanh, ::tanh(x), -12.f, 12.f, 2);
  SWEEP(tt::sigmoid, (x < -80 ? ::exp(x) : 1 / (1 + ::exp(-x))), -105.f, 20.f, 2.5);
  SWEEP(tt::erf, ::erf(x), -5.f, 5.f, 2);
  SWEEP(tt::sin, ::sin(x), -100.f, 100.f, 2);
  SWEEP(tt::cos, ::cos(x), -100.f, 100.f, 2);
  if (failures) printf("%d failures\n", failures);
  return failures != 0;
}
