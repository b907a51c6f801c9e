// Accuracy and semantics of the vector headers, against libm in double.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../vec.h"
#include "../vec_math.h"

extern "C" {
double exp(double), exp2(double), expm1(double), log(double), log2(double), log1p(double), tanh(double), erf(double), sin(double), cos(double), fabs(double), ldexp(double, int), frexp(double, int *);
}

using namespace tt;

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
  double worst = 0;
  float at = 0;
  auto one = [&](const float *x) {
    float y[16];
    store(y, v(load(x)));
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
  store(y, v(load(special)));
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

int main() {
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
