// Scaled dot-product attention.
//
// The rows of q are cut into units. A unit walks the rows of k and v in blocks of
// KB: scores, exponentials and the product with v of one block stay in a core's
// caches, and a running maximum per row rescales what earlier blocks gave. The
// blocks are fixed by lk alone, so results do not depend on the number of threads.
//
// A row that may attend to nothing gives zeros, as PyTorch's softmax over a fully
// masked row does there; NaN and +inf scores give NaN.
#include "gemm_block.h"
#include "vec.h"
#include "vec_math.h"

namespace tt {
namespace {

typedef vec<float, 16> f16v;

constexpr int64_t KB = 256;        // rows of k and v in a block
constexpr int64_t UNIT = 4 * MC;   // most rows of q in a unit
// With so few rows of q, packing k and v would cost more than using them.
constexpr int64_t FEW = 4;

const float inf = __builtin_inff();

struct work {
  const tt_attention *p;
  int64_t b, h, q0;      // batch, head, first row of q of the current rows
  int64_t k0, kn;        // the current block of k
  bool first, last;      // of the blocks
  float *s;              // scores, [MC][s_ld]
  float *high;           // running maxima per row and lane, [MC][16]
  float *o;              // running results, [MC][o_ld]
  float *m, *l, *alpha;  // per row: maximum, sum, factor for earlier blocks
  int64_t s_ld, o_ld;
};

// `use` of a value of the type that the elements have.
template <class F> TT_INLINE auto typed(tt_width width, const F &use) {
  switch (width) {
    case TT_WIDTH_BF16: return use(bf16{});
    case TT_WIDTH_F16: return use(f16{});
    default: return use(float{});
  }
}

// Adds the mask to the scores of row i, columns [j, j + n).
TT_INLINE f16v masked(const tt_attention &p, const work &w, f16v s, int64_t i, int64_t j, int64_t n) {
  const f16v none = splat(-inf);
  const int64_t *st = p.mask_stride;
  const int64_t at = w.b * st[0] + w.h * st[1] + i * st[2] + j * st[3];
  if (p.mask) s = s + typed(p.width, [&](auto t) {
    const decltype(t) *m = (const decltype(t) *)p.mask + at;
    return st[3] == 1 ? load_n(m, n) : load_strided(m, st[3], n);
  });
  if (p.bool_mask) {
    const bool *on = (const bool *)p.bool_mask + at;
    s = select(st[3] == 1 ? load_n(on, n) : load_strided(on, st[3], n), s, none);
  }
  if (p.causal && j + 15 > i) s = select(iota(int32_t(j)) <= splat(int32_t(i)), s, none);
  // Columns past the end of k.
  if (n < 16) s = select(iota(int32_t(0)) < splat(int32_t(n)), s, none);
  return s;
}

__attribute__((noinline)) void scores(void *ctx, const float *tile, int64_t ld, int64_t, int64_t, int64_t rows, int64_t col0, int64_t cols) {
  const work &w = *(work *)ctx;
  const tt_attention &p = *w.p;
  const f16v scale = splat(p.scale);
  const bool plain = !p.mask && !p.bool_mask && !p.causal;
  for (int64_t r = 0; r < rows; r++) {
    f16v high = load(w.high + r * 16);
    float *to = w.s + r * w.s_ld + col0;
    for (int64_t c = 0; c < cols; c += 16) {
      f16v s = load(tile + r * ld + c) * scale;
      if (!plain || c + 16 > cols) s = masked(p, w, s, w.q0 + r, w.k0 + col0 + c, cols - c);
      store(to + c, s);
      high = select(s > high, s, high);
    }
    store(w.high + r * 16, high);
  }
}

// Turns one row's scores into weights, given the maximum of this block.
__attribute__((noinline)) void soften(const work &w, int64_t r, float block_max) {
  float *s = w.s + r * w.s_ld;
  const float m = block_max > w.m[r] ? block_max : w.m[r];
  // A row without any score so far must not subtract -inf from -inf.
  const float base = m == -inf ? 0.0f : m;
  f16v sum = splat(0.0f);
  const f16v vbase = splat(base);
  for (int64_t c = 0; c < w.kn; c += 16) {
    f16v e = exp(load(s + c) - vbase);
    store(s + c, e);
    sum = sum + e;
  }
  const float a = exp(splat<16>(w.m[r] - base))[0];
  w.alpha[r] = a;
  w.l[r] = w.l[r] * a + hsum(sum);
  w.m[r] = m;
}

// Writes the first n lanes of x at an element of the result and those after it.
TT_INLINE void put(const tt_attention &p, int64_t at, f16v x, int64_t n) {
  typed(p.width, [&](auto t) {
    decltype(t) *to = (decltype(t) *)p.out + at;
    if (p.out_stride[3] == 1)
      store_n(to, x, n);
    else
      store_strided(to, p.out_stride[3], x, n);
  });
}

// Accumulates a tile of weights times v, and writes the result after the last block.
__attribute__((noinline)) void values(void *ctx, const float *tile, int64_t ld, int64_t, int64_t, int64_t rows, int64_t col0, int64_t cols) {
  const work &w = *(work *)ctx;
  const tt_attention &p = *w.p;
  const int64_t *st = p.out_stride;
  for (int64_t r = 0; r < rows; r++) {
    float *o = w.o + r * w.o_ld + col0;
    const int64_t to = w.b * st[0] + w.h * st[1] + (w.q0 + r) * st[2] + col0 * st[3];
    const f16v alpha = splat(w.alpha[r]), l = splat(w.l[r]);
    for (int64_t c = 0; c < cols; c += 16) {
      f16v x = load(tile + r * ld + c);
      if (!w.first) x = x + load(o + c) * alpha;
      if (!w.last) {
        store(o + c, x);
        continue;
      }
      x = w.l[r] == 0 ? splat(0.0f) : x / l;
      put(p, to + c * st[3], x, cols - c);
    }
  }
}

struct scratch {
  int64_t k, v, s, high, o, stats, q, rows, tile, bytes;
};
int64_t padded(int64_t n) { return ceil_div(n, NR) * NR; }
// Floats between rows of scores; mostly not a power of two.
int64_t scores_ld(const tt_attention &p) { return min64(KB, padded(p.lk)) + 16; }
scratch part_scratch(const tt_attention &p) {
  const int64_t f = sizeof(float), kb = min64(KB, padded(p.lk)), rows = min64(MC, p.lq);
  scratch s;
  s.k = 0;
  s.v = s.k + round64(kb * p.d * f);
  s.s = s.v + round64(kb * padded(p.dv) * f);
  s.high = s.s + round64(rows * scores_ld(p) * f);
  s.o = s.high + round64(rows * 16 * f);
  // One block of k needs no results of earlier ones.
  s.stats = s.o + (p.lk <= KB ? 0 : round64(min64(UNIT, p.lq) * padded(p.dv) * f));
  s.q = s.stats + round64(3 * UNIT * f);
  s.rows = s.q + round64(rows * p.d * f);
  s.tile = s.rows + round64(MC * sizeof(float *));
  s.bytes = s.tile + round64(max64(block_tile(rows, 1, p.d, ceil_div(kb, NR)), block_tile(rows, 1, kb, ceil_div(p.dv, NR))) * f);
  return s;
}

// The rows of a head of an operand.
matrix rows_of(const tt_attention &p, const void *at, const int64_t *stride, int64_t b, int64_t h) {
  return matrix{at, stride[2], stride[3], p.width}.from(b * stride[0] + h * stride[1]);
}

// One unit: rows [q0, q1) of a head.
void unit(const tt_attention &p, int64_t b, int64_t h, int64_t q0, int64_t q1, char *mem, const scratch &at) {
  const int64_t kh = h / (p.heads / p.kv_heads);
  const matrix k = rows_of(p, p.k, p.k_stride, b, kh), v = rows_of(p, p.v, p.v_stride, b, kh), q = rows_of(p, p.q, p.q_stride, b, h);
  float *packed_k = (float *)(mem + at.k), *packed_v = (float *)(mem + at.v), *copy = (float *)(mem + at.q);
  float *m = (float *)(mem + at.stats), *l = m + UNIT, *alpha = l + UNIT, *o = (float *)(mem + at.o);
  const float **rows = (const float **)(mem + at.rows);
  work w;
  w.p = &p;
  w.b = b;
  w.h = h;
  w.s = (float *)(mem + at.s);
  w.high = (float *)(mem + at.high);
  w.s_ld = scores_ld(p);
  w.o_ld = padded(p.dv);
  block x;
  x.rows = rows;
  x.offset = 0;
  x.taps = 1;
  x.panel0 = 0;
  x.tile = (float *)(mem + at.tile);
  x.ctx = &w;
  x.batch = x.row0 = x.col0 = 0;
  for (int64_t r = 0; r < q1 - q0; r++) {
    m[r] = -inf;
    l[r] = 0;
  }
  // Later rows of k are masked for every row of the unit.
  const int64_t lk = p.causal ? min64(p.lk, q1) : p.lk;
  for (w.k0 = 0; w.k0 < lk; w.k0 += KB) {
    w.kn = min64(KB, lk - w.k0);
    w.first = w.k0 == 0;
    w.last = w.k0 + w.kn == lk;
    const matrix keys = k.from(w.k0 * k.stride_row);
    pack_b({keys.at, keys.stride_col, keys.stride_row, keys.width}, p.d, w.kn, packed_k);
    pack_b(v.from(w.k0 * v.stride_row), w.kn, p.dv, packed_v);
    for (w.q0 = q0; w.q0 < q1; w.q0 += MC) {
      x.nrows = min64(MC, q1 - w.q0);
      const matrix here = q.from(w.q0 * q.stride_row);
      if (!q.plain()) copy_rows(here, x.nrows, p.d, copy, p.d);
      for (int64_t r = 0; r < x.nrows; r++) rows[r] = q.plain() ? (const float *)here.at + r * q.stride_row : copy + r * p.d;
      fill_tile(rows, x.nrows);
      for (int64_t i = 0; i < x.nrows * 16; i++) w.high[i] = -inf;
      w.m = m + (w.q0 - q0);
      w.l = l + (w.q0 - q0);
      w.alpha = alpha + (w.q0 - q0);
      w.o = o + (w.q0 - q0) * w.o_ld;
      x.kc = p.d;
      x.b = packed_k;
      x.n = w.kn;
      x.panel1 = ceil_div(w.kn, NR);
      x.epilogue = scores;
      run_block(x);
      for (int64_t r = 0; r < x.nrows; r++) {
        soften(w, r, hmax(load(w.high + r * 16)));
        rows[r] = w.s + r * w.s_ld;
      }
      fill_tile(rows, x.nrows);
      x.kc = w.kn;
      x.b = packed_v;
      x.n = p.dv;
      x.panel1 = ceil_div(p.dv, NR);
      x.epilogue = values;
      run_block(x);
    }
  }
}

// One row of q against k and v as they are.
template <class T> void one_row(const tt_attention &p, int64_t b, int64_t h, int64_t i, char *mem, const scratch &at) {
  const int64_t kh = h / (p.heads / p.kv_heads);
  const T *k = (const T *)rows_of(p, p.k, p.k_stride, b, kh).at, *v = (const T *)rows_of(p, p.v, p.v_stride, b, kh).at;
  float *row = (float *)(mem + at.q), *tile = (float *)(mem + at.tile);
  copy_rows(rows_of(p, p.q, p.q_stride, b, h).from(i * p.q_stride[2]), 1, p.d, row, p.d);
  float m = -inf, l = 0, alpha = 0;
  work w;
  w.p = &p;
  w.b = b;
  w.h = h;
  w.q0 = i;
  w.s = (float *)(mem + at.s);
  w.high = (float *)(mem + at.high);
  w.o = (float *)(mem + at.o);
  w.s_ld = scores_ld(p);
  w.o_ld = padded(p.dv);
  w.m = &m;
  w.l = &l;
  w.alpha = &alpha;
  const int64_t lk = p.causal ? min64(p.lk, i + 1) : p.lk;
  for (w.k0 = 0; w.k0 < lk; w.k0 += KB) {
    w.kn = min64(KB, lk - w.k0);
    w.first = w.k0 == 0;
    w.last = w.k0 + w.kn == lk;
    for (int64_t j = 0; j < w.kn; j++) {
      const T *kr = k + (w.k0 + j) * p.k_stride[2];
      f16v sum = splat(0.0f);
      int64_t c = 0;
      for (; c + 16 <= p.d; c += 16) sum = fma(load(row + c), load(kr + c), sum);
      if (c < p.d) sum = fma(load_n(row + c, p.d - c), load_n(kr + c, p.d - c), sum);
      w.s[j] = hsum(sum);
    }
    store(w.high, splat(-inf));
    scores(&w, w.s, w.s_ld, 0, 0, 1, 0, w.kn);
    soften(w, 0, hmax(load(w.high)));
    for (int64_t c0 = 0; c0 < p.dv; c0 += GROUP_COLS) {
      const int64_t cols = min64(GROUP_COLS, p.dv - c0);
      const T *vr = v + w.k0 * p.v_stride[2] + c0;
      if (cols == GROUP_COLS) {
        f16v sum[GROUP];
        for (int g = 0; g < GROUP; g++) sum[g] = splat(0.0f);
        for (int64_t j = 0; j < w.kn; j++, vr += p.v_stride[2]) {
          const f16v weight = splat(w.s[j]);
          for (int g = 0; g < GROUP; g++) sum[g] = fma(weight, load(vr + g * 16), sum[g]);
        }
        for (int g = 0; g < GROUP; g++) store(tile + g * 16, sum[g]);
      } else {
        for (int64_t c = 0; c < cols; c += 16) {
          f16v sum = splat(0.0f);
          for (int64_t j = 0; j < w.kn; j++) sum = fma(splat(w.s[j]), load_n(vr + j * p.v_stride[2] + c, cols - c), sum);
          store(tile + c, sum);
        }
      }
      values(&w, tile, GROUP_COLS, 0, 0, 1, c0, cols);
    }
  }
}

// Threads that are worth waking.
int parts(const tt_attention &p, int threads) {
  return worth(double(p.batch) * p.heads * p.lq * p.lk * (p.d + p.dv + 32) / 16, threads);
}

// Units per head: enough to keep the rows of a unit in cache and the threads evenly
// busy, but not so many that packing k and v for each shows.
int64_t units_per_head(const tt_attention &p, int threads) {
  const int64_t heads = p.batch * p.heads;
  int64_t best = ceil_div(p.lq, UNIT);
  double best_cost = 0;
  for (int64_t u = best; u <= max64(best, ceil_div(p.lq, 2 * MR)) && u <= best + 2 * threads; u++) {
    // The busiest thread's rows, where packing costs as much as a few rows.
    const double cost = double(ceil_div(heads * u, threads)) * (ceil_div(p.lq, u) + 8);
    if (best_cost == 0 || cost < best_cost * 0.98) {
      best_cost = cost;
      best = u;
    }
  }
  return best;
}

}  // namespace
}  // namespace tt

using namespace tt;

int64_t tt_attention_workspace(const tt_attention *p, int threads) { return 64 + part_scratch(*p).bytes * parts(*p, threads); }

void tt_attention_run(const tt_attention *p, void *workspace, int threads) {
  if (p->batch <= 0 || p->heads <= 0 || p->lq <= 0 || p->dv <= 0) return;
  const int64_t *st = p->out_stride;
  if (p->lk <= 0) {
    for (int64_t b = 0; b < p->batch; b++)
      for (int64_t h = 0; h < p->heads; h++)
        for (int64_t i = 0; i < p->lq; i++)
          for (int64_t c = 0; c < p->dv; c++) put(*p, b * st[0] + h * st[1] + i * st[2] + c * st[3], splat(0.0f), 1);
    return;
  }
  char *mem = align64(workspace);
  const scratch at = part_scratch(*p);
  const int nt = parts(*p, threads);
  const bool few = p->lq <= FEW && p->k_stride[3] == 1 && p->v_stride[3] == 1;
  const int64_t units = few ? p->lq : units_per_head(*p, nt), total = p->batch * p->heads * units;
  share(nt, [&](int t) {
    char *mine = mem + t * at.bytes;
    for (int64_t i = total * t / nt; i < total * (t + 1) / nt; i++) {
      const int64_t u = i % units, h = i / units % p->heads, b = i / units / p->heads;
      if (few)
        typed(p->width, [&](auto t) { one_row<decltype(t)>(*p, b, h, u, mine, at); });
      else
        unit(*p, b, h, p->lq * u / units, p->lq * (u + 1) / units, mine, at);
    }
  });
}
