// The structured kernels against plain loops in double:
//   g++ -std=c++17 -O3 -march=native -fopenmp -ffp-contract=off tests/kernels_test.cpp gemm.cpp conv.cpp attention.cpp
// -DTT_VEC_BYTES=16, 32 or 64 tests the code for another register width.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "../kernels.h"
#include "../vec_mem.h"

static int failures = 0, cases = 0;
static uint32_t seed = 1;
static float rnd() {
  seed = seed * 1664525u + 1013904223u;
  return float(int32_t(seed) >> 8) / float(1 << 23);
}
static std::vector<float> random_floats(int64_t n) {
  std::vector<float> v(n);
  for (auto &x : v) x = rnd();
  return v;
}

// Collects tiles into a plain matrix, and counts how often each element came.
struct sink {
  int64_t m, n;
  std::vector<float> out;
  std::vector<int> hits;
  sink(int64_t batch, int64_t m, int64_t n) : m(m), n(n), out(batch * m * n, NAN), hits(batch * m * n) {}
};
static void collect(void *ctx, const float *tile, int64_t ld, int64_t batch, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
  sink &s = *(sink *)ctx;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++) {
      int64_t at = (batch * s.m + row0 + i) * s.n + col0 + j;
      if (row0 + i >= s.m || col0 + j >= s.n) {
        printf("FAILED: tile outside the result\n");
        failures++;
        return;
      }
      s.out[at] = tile[i * ld + j];
#pragma omp atomic
      s.hits[at]++;
    }
}

// A workspace with guard bytes behind it.
struct space {
  std::vector<char> bytes;
  int64_t size;
  space(int64_t size) : bytes(size + 64, 0x5a), size(size) {}
  void *get() { return bytes.data(); }
  bool intact() const {
    for (int i = 0; i < 64; i++)
      if (bytes[size + i] != 0x5a) return false;
    return true;
  }
};

static void compare(const char *what, const std::vector<float> &got, const std::vector<double> &want, double terms,
                    double rounding = 0) {
  cases++;
  for (size_t i = 0; i < want.size(); i++) {
    double e = fabs(got[i] - want[i]);
    if (!(e <= 1e-6 * (terms + 4) + rounding * fabs(want[i])) && !(isnan(got[i]) && isnan(want[i]))) {
      printf("FAILED %s: [%zu] %g, not %g\n", what, i, got[i], want[i]);
      failures++;
      return;
    }
  }
}
static void finish(const char *what, sink &s, const space &w, const std::vector<double> &want, double terms) {
  for (int h : s.hits)
    if (h != 1) {
      printf("FAILED %s: an element was finished %d times\n", what, h);
      failures++;
      return;
    }
  if (!w.intact()) {
    printf("FAILED %s: wrote past the workspace\n", what);
    failures++;
  }
  compare(what, s.out, want, terms);
}

// The elements as bytes of that width; `a` is what is left of them.
static std::vector<char> narrowed(std::vector<float> &a, tt_width width) {
  std::vector<char> bytes(a.size() * (width == TT_WIDTH_F32 ? 4 : 2));
  for (size_t i = 0; i < a.size(); i++) {
    if (width == TT_WIDTH_F32) memcpy(&bytes[i * 4], &a[i], 4);
    if (width == TT_WIDTH_BF16) tt::store_one((tt::bf16 *)&bytes[i * 2], a[i]), a[i] = tt::load_one((tt::bf16 *)&bytes[i * 2]);
    if (width == TT_WIDTH_F16) tt::store_one((tt::f16 *)&bytes[i * 2], a[i]), a[i] = tt::load_one((tt::f16 *)&bytes[i * 2]);
  }
  return bytes;
}

static std::vector<float> widened(const std::vector<char> &bytes, tt_width width) {
  std::vector<float> r(bytes.size() / (width == TT_WIDTH_F32 ? 4 : 2));
  for (size_t i = 0; i < r.size(); i++) {
    if (width == TT_WIDTH_F32) memcpy(&r[i], &bytes[i * 4], 4);
    if (width == TT_WIDTH_BF16) r[i] = tt::load_one((tt::bf16 *)&bytes[i * 2]);
    if (width == TT_WIDTH_F16) r[i] = tt::load_one((tt::f16 *)&bytes[i * 2]);
  }
  return r;
}

static void gemm(int64_t m, int64_t n, int64_t k, bool a_t, bool b_t, tt_width width = TT_WIDTH_F32) {
  char what[128];
  snprintf(what, sizeof what, "gemm %ldx%ldx%ld%s%s width %d", (long)m, (long)n, (long)k, a_t ? " At" : "", b_t ? " Bt" : "", int(width));
  auto a = random_floats(m * k), b = random_floats(k * n);
  const auto bytes = narrowed(a, width);
  int64_t ar = a_t ? 1 : k, ak = a_t ? m : 1, bk = b_t ? 1 : n, bn = b_t ? k : 1;
  std::vector<double> want(m * n);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double s = 0;
      for (int64_t l = 0; l < k; l++) s += double(a[i * ar + l * ak]) * b[l * bk + j * bn];
      want[i * n + j] = s;
    }
  std::vector<float> packed(tt_packed_b_size(k, n));
  tt_pack_b_f32(b.data(), k, n, bk, bn, packed.data());
  std::vector<float> first;
  for (int threads : {1, 2, 3, 8}) {
    sink s(1, m, n);
    space w(tt_gemm_workspace(m, n, k, ak, width, threads));
    tt_gemm_f32(m, n, k, bytes.data(), ar, ak, width, packed.data(), collect, &s, w.get(), threads);
    finish(what, s, w, want, k);
    if (threads == 1) first = s.out;
    if (!first.empty() && memcmp(first.data(), s.out.data(), first.size() * 4)) {
      printf("FAILED %s: depends on threads\n", what);
      failures++;
    }
  }
}

static void bmm(int64_t batch, int64_t m, int64_t n, int64_t k, bool b_t, bool broadcast, tt_width width = TT_WIDTH_F32,
                tt_width b_width = TT_WIDTH_F32) {
  char what[128];
  snprintf(what, sizeof what, "bmm %ldx%ldx%ldx%ld%s%s widths %d %d", (long)batch, (long)m, (long)n, (long)k, b_t ? " Bt" : "", broadcast ? " bc" : "", int(width), int(b_width));
  auto a = random_floats(batch * m * k), b = random_floats(batch * k * n);
  const auto bytes = narrowed(a, width), b_bytes = narrowed(b, b_width);
  int64_t bb = broadcast ? 0 : k * n, bk = b_t ? 1 : n, bn = b_t ? k : 1;
  std::vector<double> want(batch * m * n);
  for (int64_t z = 0; z < batch; z++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        double s = 0;
        for (int64_t l = 0; l < k; l++) s += double(a[(z * m + i) * k + l]) * b[z * bb + l * bk + j * bn];
        want[(z * m + i) * n + j] = s;
      }
  for (int threads : {1, 2, 5}) {
    sink s(batch, m, n);
    space w(tt_bmm_workspace(batch, m, n, k, 1, width, threads));
    tt_bmm_f32(batch, m, n, k, bytes.data(), m * k, k, 1, width, b_bytes.data(), bb, bk, bn, b_width, collect, &s, w.get(), threads);
    finish(what, s, w, want, k);
  }
}

struct conv_case {
  int64_t n, h, w, c, oc, kh, kw, stride, pad, dil, groups;
};
static void conv(const conv_case &q, bool nchw) {
  tt_conv2d p;
  p.n = q.n, p.h = q.h, p.w = q.w, p.c = q.c, p.oc = q.oc, p.kh = q.kh, p.kw = q.kw;
  p.stride_h = p.stride_w = q.stride, p.dil_h = p.dil_w = q.dil;
  p.pad_t = p.pad_l = p.pad_b = p.pad_r = q.pad;
  if (q.kw > 2 && q.pad > 0) p.pad_r = q.pad - 1;  // sides may differ
  p.groups = q.groups;
  p.oh = (p.h + p.pad_t + p.pad_b - p.dil_h * (p.kh - 1) - 1) / p.stride_h + 1;
  p.ow = (p.w + p.pad_l + p.pad_r - p.dil_w * (p.kw - 1) - 1) / p.stride_w + 1;
  p.in_n = q.h * q.w * q.c;
  if (nchw)
    p.in_c = q.h * q.w, p.in_h = q.w, p.in_w = 1;
  else
    p.in_c = 1, p.in_w = q.c, p.in_h = q.w * q.c;
  char what[160];
  snprintf(what, sizeof what, "conv n%ld %ldx%ld c%ld oc%ld k%ldx%ld s%ld p%ld d%ld g%ld%s", (long)q.n, (long)q.h, (long)q.w, (long)q.c,
           (long)q.oc, (long)q.kh, (long)q.kw, (long)q.stride, (long)q.pad, (long)q.dil, (long)q.groups, nchw ? " nchw" : "");
  const int64_t cg = q.c / q.groups, og = q.oc / q.groups;
  auto in = random_floats(q.n * q.h * q.w * q.c), w = random_floats(q.oc * cg * q.kh * q.kw);
  const int64_t rows = p.n * p.oh * p.ow;
  std::vector<double> want(rows * p.oc);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t o = 0; o < p.oc; o++) {
      double s = 0;
      int64_t x = r % p.ow, y = r / p.ow % p.oh, n = r / p.ow / p.oh;
      for (int64_t ky = 0; ky < p.kh; ky++)
        for (int64_t kx = 0; kx < p.kw; kx++) {
          int64_t iy = y * p.stride_h - p.pad_t + ky * p.dil_h, ix = x * p.stride_w - p.pad_l + kx * p.dil_w;
          if (iy < 0 || iy >= p.h || ix < 0 || ix >= p.w) continue;
          for (int64_t c = 0; c < cg; c++)
            s += double(in[n * p.in_n + iy * p.in_h + ix * p.in_w + (o / og * cg + c) * p.in_c]) * w[((o * cg + c) * p.kh + ky) * p.kw + kx];
        }
      want[r * p.oc + o] = s;
    }
  std::vector<float> packed(tt_conv2d_packed_size(&p)), first;
  tt_conv2d_pack(&p, w.data(), cg * p.kh * p.kw, p.kh * p.kw, p.kw, 1, packed.data());
  for (int threads : {1, 2, 7}) {
    sink s(1, rows, p.oc);
    space ws(tt_conv2d_workspace(&p, threads));
    tt_conv2d_f32(&p, in.data(), packed.data(), collect, &s, ws.get(), threads);
    finish(what, s, ws, want, double(cg * p.kh * p.kw));
    if (threads == 1) first = s.out;
    if (!first.empty() && memcmp(first.data(), s.out.data(), first.size() * 4)) {
      printf("FAILED %s: depends on threads\n", what);
      failures++;
    }
  }
}

// kind: 0 no mask, 1 float, 2 bool, 3 causal, 4 float broadcast over rows of q
static void attention(int64_t b, int64_t h, int64_t hk, int64_t lq, int64_t lk, int64_t d, int64_t dv, int kind, bool blhd,
                      tt_width width = TT_WIDTH_F32) {
  char what[160];
  snprintf(what, sizeof what, "attention b%ld h%ld/%ld q%ld k%ld d%ld dv%ld mask%d%s width %d", (long)b, (long)h, (long)hk, (long)lq, (long)lk, (long)d,
           (long)dv, kind, blhd ? " blhd" : "", int(width));
  auto q = random_floats(b * h * lq * d + 1), k = random_floats(b * hk * lk * d + 1), v = random_floats(b * hk * lk * dv + 1);
  for (auto &x : q) x *= 4;
  auto mask = random_floats(b * lq * lk + 1);
  std::vector<uint8_t> on(b * lq * lk + 1);
  for (auto &x : on) x = rnd() > -0.3f;
  for (size_t i = 0; i < mask.size(); i++)
    if (mask[i] < -0.8f) mask[i] = -INFINITY;
  if (b > 0 && lq > 1)  // a row that attends to nothing
    for (int64_t j = 0; j < lk; j++) mask[lk + j] = -INFINITY, on[lk + j] = 0;
  const auto q_bytes = narrowed(q, width), k_bytes = narrowed(k, width), v_bytes = narrowed(v, width), mask_bytes = narrowed(mask, width);
  std::vector<float> nothing(b * h * lq * dv, NAN);
  std::vector<char> out = narrowed(nothing, width), first;
  tt_attention p;
  memset(&p, 0, sizeof p);
  p.batch = b, p.heads = h, p.kv_heads = hk, p.lq = lq, p.lk = lk, p.d = d, p.dv = dv;
  p.scale = 0.3f, p.causal = kind == 3;
  p.width = width;
  p.q = q_bytes.data(), p.k = k_bytes.data(), p.v = v_bytes.data(), p.out = out.data();
  auto strides = [&](int64_t *s, int64_t heads, int64_t l, int64_t n) {
    s[0] = heads * l * n, s[3] = 1;
    if (blhd)
      s[1] = n, s[2] = heads * n;
    else
      s[1] = l * n, s[2] = n;
  };
  strides(p.q_stride, h, lq, d), strides(p.k_stride, hk, lk, d), strides(p.v_stride, hk, lk, dv), strides(p.out_stride, h, lq, dv);
  if (kind == 1 || kind == 4) p.mask = mask_bytes.data();
  if (kind == 2) p.bool_mask = on.data();
  p.mask_stride[0] = lq * lk, p.mask_stride[2] = kind == 4 ? 0 : lk, p.mask_stride[3] = 1;
  std::vector<double> want(nothing.size());
  for (int64_t z = 0; z < b; z++)
    for (int64_t y = 0; y < h; y++)
      for (int64_t i = 0; i < lq; i++) {
        int64_t g = y / (h / hk);
        std::vector<double> s(lk);
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < lk; j++) {
          double a = 0;
          for (int64_t c = 0; c < d; c++)
            a += double(q[z * p.q_stride[0] + y * p.q_stride[1] + i * p.q_stride[2] + c]) * k[z * p.k_stride[0] + g * p.k_stride[1] + j * p.k_stride[2] + c];
          a *= p.scale;
          int64_t at = z * p.mask_stride[0] + i * p.mask_stride[2] + j;
          if (p.mask) a += mask[at];
          if (p.bool_mask && !on[at]) a = -INFINITY;
          if (p.causal && j > i) a = -INFINITY;
          s[j] = a;
          if (a > top) top = a;
        }
        for (auto &x : s) x = top == -INFINITY ? 0 : exp(x - top), sum += x;
        for (int64_t c = 0; c < dv; c++) {
          double a = 0;
          for (int64_t j = 0; j < lk; j++) a += s[j] * v[z * p.v_stride[0] + g * p.v_stride[1] + j * p.v_stride[2] + c];
          want[z * p.out_stride[0] + y * p.out_stride[1] + i * p.out_stride[2] + c] = sum == 0 ? 0 : a / sum;
        }
      }
  for (int threads : {1, 2, 5}) {
    std::fill(out.begin(), out.end(), char(0xff));  // NaN of any width
    space w(tt_attention_workspace(&p, threads));
    tt_attention_run(&p, w.get(), threads);
    compare(what, widened(out, width), want, double(d), width == TT_WIDTH_F32 ? 0 : width == TT_WIDTH_BF16 ? 1.0 / 256 : 1.0 / 2048);
    if (!w.intact()) printf("FAILED %s: wrote past the workspace\n", what), failures++;
    if (threads == 1) first = out;
    if (!first.empty() && memcmp(first.data(), out.data(), first.size())) printf("FAILED %s: depends on threads\n", what), failures++;
  }
}

int main() {
  for (int kind = 0; kind < 5; kind++)
    for (bool blhd : {false, true}) {
      attention(1, 3, 3, 197, 197, 64, 64, kind, blhd);
      attention(2, 4, 2, 50, 300, 20, 33, kind, blhd);
      attention(1, 2, 1, 700, 600, 16, 16, kind, blhd);
      attention(2, 4, 1, 1, 530, 64, 80, kind, blhd);
      attention(1, 2, 2, 3, 17, 5, 3, kind, blhd);
      attention(1, 2, 2, 7, 1, 8, 8, kind, blhd);
      attention(1, 2, 2, 3, 0, 8, 8, kind, blhd);
    }
  for (tt_width width : {TT_WIDTH_BF16, TT_WIDTH_F16})
    for (int kind = 0; kind < 5; kind++)
      for (bool blhd : {false, true}) {
        attention(2, 4, 2, 50, 300, 20, 33, kind, blhd, width);
        attention(1, 2, 2, 64, 64, 32, 32, kind, blhd, width);
        attention(2, 4, 1, 1, 270, 37, 80, kind, blhd, width);
        attention(1, 2, 2, 3, 0, 8, 8, kind, blhd, width);
      }
  attention(0, 2, 2, 3, 4, 8, 8, 0, false);
  attention(2, 2, 2, 0, 4, 8, 8, 0, false);
  const conv_case convs[] = {
      {1, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1},    {2, 9, 7, 64, 40, 3, 3, 2, 1, 1, 1},     {1, 28, 28, 3, 32, 7, 7, 2, 3, 1, 1},
      {2, 11, 13, 3, 17, 3, 3, 1, 1, 1, 1},     {1, 8, 8, 20, 33, 1, 1, 1, 0, 1, 1},     {1, 9, 9, 20, 33, 1, 1, 2, 0, 1, 1},
      {1, 12, 12, 16, 8, 3, 3, 1, 2, 2, 1},     {1, 10, 10, 5, 6, 3, 3, 1, 2, 2, 1},     {1, 8, 8, 32, 32, 3, 3, 1, 1, 1, 8},
      {1, 8, 8, 12, 36, 3, 3, 1, 1, 1, 3},      {2, 7, 7, 512, 48, 3, 3, 1, 1, 1, 1},    {1, 6, 6, 1200, 20, 2, 2, 1, 0, 1, 1},
      {1, 16, 16, 32, 32, 3, 3, 1, 1, 1, 32},   {2, 15, 17, 96, 96, 3, 3, 2, 1, 1, 96},  {1, 14, 14, 480, 480, 5, 5, 1, 2, 1, 480},
      {1, 9, 40, 68, 68, 3, 3, 1, 1, 1, 68},    {1, 9, 9, 3, 3, 3, 3, 1, 1, 1, 3},       {1, 9, 9, 13, 13, 3, 3, 1, 2, 2, 13},
      {1, 3, 3, 24, 24, 5, 5, 1, 2, 1, 24},     {1, 1, 1, 8, 8, 3, 3, 1, 1, 1, 8},       {1, 2, 2, 8, 24, 3, 3, 2, 1, 1, 1},
      {1, 1, 50, 4, 6, 1, 5, 1, 0, 1, 1},       {0, 8, 8, 4, 4, 3, 3, 1, 1, 1, 1},       {1, 16, 16, 1, 8, 5, 5, 1, 0, 1, 1},
      {1, 30, 30, 64, 128, 3, 3, 1, 1, 1, 2},   {1, 9, 9, 130, 130, 3, 3, 1, 1, 1, 130}, {1, 8, 8, 1, 1, 3, 3, 1, 1, 1, 1},
      // Tall images and many small ones, whose copies are rings.
      {1, 90, 20, 12, 20, 3, 3, 1, 1, 1, 1},    {2, 101, 33, 5, 7, 5, 3, 2, 2, 1, 1},    {1, 120, 7, 9, 17, 3, 3, 1, 2, 2, 1},
      {40, 5, 4, 20, 16, 3, 3, 2, 1, 1, 1},     {60, 3, 1, 6, 18, 2, 1, 1, 0, 1, 1},     {30, 9, 3, 8, 8, 1, 1, 4, 0, 1, 1},
      {3, 80, 11, 40, 40, 3, 3, 1, 1, 1, 40},   {2, 70, 9, 20, 20, 5, 5, 2, 2, 1, 20},   {2, 66, 10, 12, 24, 3, 3, 1, 1, 1, 3},
      {25, 6, 6, 7, 5, 6, 6, 1, 0, 1, 1},       {70, 2, 2, 3, 4, 4, 4, 1, 2, 1, 1},      {1, 300, 1, 4, 4, 7, 1, 3, 0, 2, 1},
  };
  for (const auto &q : convs) conv(q, false), conv(q, true);
  for (int64_t m : {0, 1, 2, 3, 5, 6, 7, 8, 13, 48, 49, 97})
    for (int64_t n : {0, 1, 15, 16, 17, 33, 64, 80, 130})
      for (int64_t k : {0, 1, 3, 7, 64}) gemm(m, n, k, false, false);
  for (int64_t m : {1, 2, 4, 30, 61})
    for (int64_t k : {1024, 1025, 2500}) gemm(m, 600, k, false, true);
  for (int64_t m : {1, 5, 50}) gemm(m, 40, 33, true, true), gemm(m, 40, 33, true, false);
  for (tt_width width : {TT_WIDTH_BF16, TT_WIDTH_F16}) {
    for (int64_t m : {1, 6, 7, 12, 13, 50})
      for (int64_t k : {0, 1, 15, 16, 37, 1500}) gemm(m, 40, k, false, true, width), gemm(m, 40, k, true, false, width);
    for (tt_width b_width : {TT_WIDTH_F32, width}) bmm(1, 13, 37, 21, true, false, width, b_width), bmm(5, 13, 37, 21, false, true, width, b_width);
    bmm(3, 20, 37, 35, true, false, TT_WIDTH_F32, width), bmm(2, 9, 64, 16, false, false, TT_WIDTH_F32, width);
  }
  gemm(197, 576, 192, false, true);
  gemm(512, 512, 512, true, false);
  for (int64_t batch : {0, 1, 3, 12})
    for (int64_t m : {1, 19})
      for (bool t : {false, true}) bmm(batch, m, 37, 21, t, false), bmm(batch, m, 37, 21, t, true);
  bmm(12, 197, 197, 64, true, false);
  printf("%d cases, %d failures\n", cases, failures);
  return failures != 0;
}
