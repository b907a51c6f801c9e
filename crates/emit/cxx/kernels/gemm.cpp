// Packed f32 contractions.
//
// The order of a sum is fixed: the terms of one output element are accumulated
// one after the other, in chunks of at most K_CHUNK whose sums are added in
// order. It depends on k alone, not on the tile, the panel or the thread that an
// element falls into, so results do not depend on the number of threads.
#include "gemm_block.h"
#include "vec_math.h"

namespace tt {
namespace {

// With MC rows of A and one panel of B, a chunk of the contraction stays in a
// core's L2 cache.
constexpr int64_t K_CHUNK = 1024;
// Panels that are accumulated together when the contraction has several chunks.
constexpr int64_t WIDE = 32;

constexpr int L = TT_VEC_BYTES / 4 < NR ? TT_VEC_BYTES / 4 : NR;
typedef vec<float, L>::V V;

TT_INLINE V load_v(const float *p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
TT_INLINE void store_v(float *p, V v) { __builtin_memcpy(p, &v, sizeof v); }

// `tiles` register tiles of ROWS rows x NP panels, one below the other. Of each run
// `skip` floats are passed over: they belong to earlier chunks or other groups.
// Panels are `stride` floats apart, and c has GROUP_COLS columns.
template <int ROWS, int NP>
void micro(const float *const *rows, int64_t tiles, int64_t taps, int64_t kc, int64_t skip, const float *panel,
           int64_t stride, float *c, bool add) {
  constexpr int NV = NP * NR / L;
  constexpr int64_t ldc = GROUP_COLS;
  for (; tiles > 0; tiles--, rows += MR, c += MR * ldc) {
    V acc[ROWS][NV];
    if (add) {
      for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < NV; v++) acc[r][v] = load_v(c + r * ldc + v * L);
    } else {
      for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < NV; v++) acc[r][v] = V{};
    }
    const float *b = panel;
    for (int64_t t = 0; t < taps; t++) {
      const float *a[ROWS];
      for (int r = 0; r < ROWS; r++) a[r] = rows[t * MC + r] + skip;
#pragma GCC unroll 4
      for (int64_t k = 0; k < kc; k++, b += NR) {
        V bv[NV];
        for (int v = 0; v < NV; v++) bv[v] = load_v(b + v * L / NR * stride + v * L % NR);
        for (int r = 0; r < ROWS; r++) {
          V av = raw::all<V>(a[r][k]);
          for (int v = 0; v < NV; v++) acc[r][v] = raw::fma(av, bv[v], acc[r][v]);
        }
      }
    }
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < NV; v++) store_v(c + r * ldc + v * L, acc[r][v]);
  }
}

typedef void (*micro_fn)(const float *const *, int64_t, int64_t, int64_t, int64_t, const float *, int64_t, float *, bool);

// The kernel for a tile of `rows` rows with `panels` panels left, and how many of
// those it does. Few rows take several panels, to have enough independent sums.
micro_fn pick(int64_t rows, int64_t panels, int &np) {
#if TT_VEC_BYTES == 64
  np = rows == 1 && panels >= 4 ? 4 : panels >= 2 ? 2 : 1;
  if (np == 4) return micro<1, 4>;
  if (rows > 4) return np == 2 ? micro<8, 2> : micro<8, 1>;
  if (rows > 2) return np == 2 ? micro<4, 2> : micro<4, 1>;
  return np == 2 ? micro<2, 2> : micro<2, 1>;
#elif TT_VEC_BYTES == 32
  np = rows == 1 && panels >= 4 ? 4 : rows == 2 && panels >= 2 ? 2 : 1;
  if (np == 4) return micro<1, 4>;
  if (np == 2) return micro<2, 2>;
  if (rows > 4) return micro<6, 1>;
  if (rows > 2) return micro<4, 1>;
  return rows > 1 ? micro<2, 1> : micro<1, 1>;
#else
  np = rows == 1 && panels >= 2 ? 2 : 1;
  if (np == 2) return micro<1, 2>;
  return rows > 2 ? micro<MR, 1> : rows > 1 ? micro<2, 1> : micro<1, 1>;
#endif
}

// Runs per chunk and floats of a run per chunk: a chunk is whole runs when there
// are several, or part of the only one.
void chunks(int64_t taps, int64_t kc, int64_t &tap_step, int64_t &k_step) {
  int64_t n = ceil_div(taps * kc, K_CHUNK);
  tap_step = taps;
  k_step = kc;
  if (n <= 1) return;
  if (taps > 1)
    tap_step = ceil_div(taps, n);
  else
    k_step = ceil_div(kc, n);
}

int64_t count_chunks(int64_t taps, int64_t kc) {
  int64_t tap_step, k_step;
  chunks(taps, kc, tap_step, k_step);
  return tap_step < taps || k_step < kc ? 2 : 1;
}

}  // namespace

int64_t block_tile(int64_t rows, int64_t taps, int64_t kc, int64_t panels) {
  const int64_t wide = count_chunks(taps, kc) > 1 ? min64(panels, WIDE) : GROUP;
  // Groups are a whole block apart.
  return (max64(ceil_div(wide, GROUP), 1) - 1) * GROUP_COLS * MC + GROUP_COLS * min64(ceil_div(rows, MR) * MR, MC);
}

void run_block(const block &x) {
  const int64_t k = x.taps * x.kc, stride = k * NR;
  const int64_t full = x.nrows / MR, last = x.nrows % MR;  // whole tiles, and rows in the last
  int64_t tap_step, k_step;
  chunks(x.taps, x.kc, tap_step, k_step);
  const bool whole = tap_step == x.taps && k_step == x.kc;
  const int64_t wide = whole ? GROUP : WIDE;
  for (int64_t w0 = x.panel0; w0 < x.panel1; w0 += wide) {
    const int64_t w1 = min64(w0 + wide, x.panel1);
    // Tiles are kept group by group, so that the columns of a group are adjacent.
    const auto at = [&](int64_t p) { return x.tile + (p - w0) / GROUP * GROUP_COLS * MC + (p - w0) % GROUP * NR; };
    for (int64_t t0 = 0; t0 < x.taps; t0 += tap_step) {
      const int64_t nt = min64(tap_step, x.taps - t0);
      int64_t k0 = 0;
      do {  // once when kc is 0, to write the zeros
        const int64_t nk = min64(k_step, x.kc - k0), skip = x.offset + k0;
        const bool add = t0 > 0 || k0 > 0;
        const float *b = x.b + (t0 * x.kc + k0) * NR;
        int np;
        for (int64_t p = w0; p < w1; p += np) {
          const int64_t left = min64(w1 - p, GROUP - (p - w0) % GROUP);
          const float *const *rows = x.rows + t0 * MC;
          float *c = at(p);
          const micro_fn f = pick(full ? MR : last, left, np);
          if (full) f(rows, full, nt, nk, skip, b + p * stride, stride, c, add);
          rows += full * MR;
          c += full * MR * GROUP_COLS;
          for (int q = 0, done; last && q < np; q += done) {
            const micro_fn g = pick(last, np - q, done);
            g(rows, 1, nt, nk, skip, b + (p + q) * stride, stride, c + q * NR, add);
          }
        }
      } while ((k0 += k_step) < x.kc);
    }
    for (int64_t p = w0; p < w1; p += GROUP) {
      const int64_t col = p * NR, cols = min64(min64(p + GROUP, w1) * NR, x.n) - col;
      x.epilogue(x.ctx, at(p), GROUP_COLS, x.batch, x.row0, x.nrows, x.col0 + col, cols);
    }
  }
}

int worth(double ns, int threads) {
  // Waking and joining the team costs a few microseconds; a part must outweigh it.
  double n = ns / 20e3;
  return n >= threads ? (threads < 1 ? 1 : threads) : n < 1 ? 1 : int(n);
}

grid cut(int64_t rows, int64_t panels, int64_t k, int threads) {
  grid best{ceil_div(rows, MR), panels, 1, 1};
  // Arithmetic at about 32 flops a nanosecond; B comes from memory once.
  int parts = worth(double(best.tiles) * MR * panels * NR * k / 16 + double(panels) * NR * k * 4 / 10, threads);
  double least = 0;
  for (int gm = 1; gm <= parts; gm++) {
    int gn = parts / gm;
    // The largest part decides: what it computes, and the rows and panels it reads.
    double t = double(ceil_div(best.tiles, gm)) * MR, p = double(ceil_div(panels, gn)) * NR;
    double cost = t * p + 4 * (t + p);
    if (gm == 1 || cost < least) {
      least = cost;
      best.gm = gm;
      best.gn = gn;
    }
  }
  return best;
}

namespace {

template <class T> void copy_rows_of(const matrix &a, int64_t rows, int64_t cols, float *to, int64_t ld) {
  const T *from = (const T *)a.at;
  for (int64_t c0 = 0; c0 < cols; c0 += 16)
    for (int64_t r = 0; r < rows; r++)
      for (int64_t i = c0; i < cols && i < c0 + 16; i++) to[r * ld + i] = load_one(from + r * a.stride_row + i * a.stride_col);
}
// Where each row is contiguous: sixteen elements at a time.
template <class T> void widen_rows(const matrix &a, int64_t rows, int64_t cols, float *to, int64_t ld) {
  for (int64_t r = 0; r < rows; r++) {
    const T *from = (const T *)a.at + r * a.stride_row;
    int64_t i = 0;
    for (; i + 16 <= cols; i += 16) store(to + r * ld + i, load<16>(from + i));
    for (; i < cols; i++) to[r * ld + i] = load_one(from + i);
  }
}
template <class T> void copy_halves(const matrix &a, int64_t rows, int64_t cols, float *to, int64_t ld) {
  a.stride_col == 1 ? widen_rows<T>(a, rows, cols, to, ld) : copy_rows_of<T>(a, rows, cols, to, ld);
}

template <class T> void pack_halves(const matrix &b, int64_t k, int64_t n, float *packed) {
  for (int64_t j0 = 0; j0 < n; j0 += NR, packed += k * NR) {
    const T *from = (const T *)b.at + j0 * b.stride_col;
    const int64_t cols = min64(NR, n - j0);
    int64_t i = 0;
    if (cols == NR && b.stride_col == 1) {
      for (; i < k; i++) store(packed + i * NR, load<NR>(from + i * b.stride_row));
    } else if (b.stride_row == 1) {
      // A column is contiguous: sixteen of its elements at a time.
      for (; i + 16 <= k; i += 16)
        for (int64_t j = 0; j < NR; j++) {
          float column[16];
          store(column, j < cols ? load<16>(from + i + j * b.stride_col) : splat<16>(0.0f));
          for (int64_t l = 0; l < 16; l++) packed[(i + l) * NR + j] = column[l];
        }
    }
    for (; i < k; i++)
      for (int64_t j = 0; j < NR; j++) packed[i * NR + j] = j < cols ? load_one(from + i * b.stride_row + j * b.stride_col) : 0.0f;
  }
}

// Floats between copied rows: odd in cache lines, so that rows do not collide.
int64_t copied_ld(int64_t k) { return (ceil_div(k, 16) | 1) * 16; }
// Rows of A that are done together. Widened ones are as many floats again as the
// matrix has halves, so it is few of them.
int64_t block_rows(tt_width width) { return width == TT_WIDTH_F32 ? MC : 2 * MR; }

struct scratch {
  int64_t rows, tile, copy, bytes;
};
scratch part_scratch(int64_t m, int64_t n, int64_t k, const matrix &a) {
  const int64_t most = min64(m, block_rows(a.width));
  scratch s;
  s.rows = 0;
  s.tile = s.rows + round64(MC * sizeof(float *));
  s.copy = s.tile + round64(block_tile(most, 1, k, ceil_div(n, NR)) * sizeof(float));
  s.bytes = s.copy + (a.plain() ? 0 : round64(most * copied_ld(k) * sizeof(float)));
  return s;
}

int gemm_parts(int64_t m, int64_t n, int64_t k, int threads) { return cut(m, ceil_div(n, NR), k, threads).parts(); }

// Threads for products of pairs of matrices.
int bmm_parts(int64_t batch, int64_t m, int64_t n, int64_t k, int threads) {
  if (batch == 1) return gemm_parts(m, n, k, threads);
  return worth(double(batch) * (double(m) * n * k / 16 + double(n) * k), threads);
}
int64_t packed_bytes(int64_t k, int64_t n) { return round64(tt_packed_b_size(k, n) * sizeof(float)); }

// One part of the grid.
void part(int64_t m, int64_t n, int64_t k, const matrix &a, const float *b, tt_epilogue epilogue, void *ctx, int64_t batch, char *mem,
          const scratch &s, int64_t tile0, int64_t tile1, int64_t panel0, int64_t panel1) {
  const float **rows = (const float **)(mem + s.rows);
  float *copy = (float *)(mem + s.copy);
  block x;
  x.rows = rows;
  x.offset = 0;
  x.taps = 1;
  x.kc = k;
  x.b = b;
  x.n = n;
  x.panel0 = panel0;
  x.panel1 = panel1;
  x.tile = (float *)(mem + s.tile);
  x.epilogue = epilogue;
  x.ctx = ctx;
  x.batch = batch;
  x.col0 = 0;
  const int64_t end = min64(tile1 * MR, m), step = block_rows(a.width);
  for (int64_t row = tile0 * MR; row < end; row += step) {
    x.row0 = row;
    x.nrows = min64(step, end - row);
    const matrix here = a.from(row * a.stride_row);
    const float *from = (const float *)here.at;
    int64_t ld = a.stride_row;
    if (!a.plain()) {
      ld = copied_ld(k);
      copy_rows(here, x.nrows, k, copy, ld);
      from = copy;
    }
    for (int64_t i = 0; i < x.nrows; i++) rows[i] = from + i * ld;
    fill_tile(rows, x.nrows);
    run_block(x);
  }
}

}  // namespace

void copy_rows(const matrix &a, int64_t rows, int64_t cols, float *to, int64_t ld) {
  switch (a.width) {
    case TT_WIDTH_F32: return copy_rows_of<float>(a, rows, cols, to, ld);
    case TT_WIDTH_BF16: return copy_halves<bf16>(a, rows, cols, to, ld);
    case TT_WIDTH_F16: return copy_halves<f16>(a, rows, cols, to, ld);
  }
}

void pack_b(const matrix &b, int64_t k, int64_t n, float *packed) {
  switch (b.width) {
    case TT_WIDTH_F32: return tt_pack_b_f32((const float *)b.at, k, n, b.stride_row, b.stride_col, packed);
    case TT_WIDTH_BF16: return pack_halves<bf16>(b, k, n, packed);
    case TT_WIDTH_F16: return pack_halves<f16>(b, k, n, packed);
  }
}

}  // namespace tt

using namespace tt;

int64_t tt_packed_b_size(int64_t k, int64_t n) { return k * ceil_div(n, NR) * NR; }

void tt_pack_b_f32(const float *b, int64_t k, int64_t n, int64_t stride_k, int64_t stride_n, float *packed) {
  for (int64_t j0 = 0; j0 < n; j0 += NR, packed += k * NR) {
    const int64_t cols = min64(NR, n - j0);
    const float *from = b + j0 * stride_n;
    int64_t i = 0;
    if (cols == NR && stride_n == 1) {
      for (; i < k; i++) __builtin_memcpy(packed + i * NR, from + i * stride_k, NR * sizeof(float));
    } else if (cols == NR && stride_k == 1) {
      for (; i + 4 <= k; i += 4)
        for (int64_t j = 0; j < NR; j += 4) transpose4(from + i + j * stride_n, stride_n, packed + i * NR + j, NR);
    }
    for (; i < k; i++)
      for (int64_t j = 0; j < NR; j++) packed[i * NR + j] = j < cols ? from[i * stride_k + j * stride_n] : 0.0f;
  }
}

int64_t tt_gemm_workspace(int64_t m, int64_t n, int64_t k, int64_t stride_k, tt_width width, int threads) {
  return 64 + part_scratch(m, n, k, {nullptr, 0, stride_k, width}).bytes * gemm_parts(m, n, k, threads);
}

void tt_gemm_f32(int64_t m, int64_t n, int64_t k, const void *a, int64_t stride_row, int64_t stride_k, tt_width width,
                 const float *packed_b, tt_epilogue epilogue, void *ctx, void *workspace, int threads) {
  if (m <= 0 || n <= 0) return;
  const matrix rows{a, stride_row, stride_k, width};
  const grid g = cut(m, ceil_div(n, NR), k, threads);
  const scratch s = part_scratch(m, n, k, rows);
  char *mem = align64(workspace);
  share(g.parts(), [&](int i) {
    int64_t t0, t1, p0, p1;
    g.part(i, t0, t1, p0, p1);
    part(m, n, k, rows, packed_b, epilogue, ctx, 0, mem + i * s.bytes, s, t0, t1, p0, p1);
  });
}

int64_t tt_bmm_workspace(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t a_k, tt_width a_width, int threads) {
  const int parts = bmm_parts(batch, m, n, k, threads);
  return 64 + part_scratch(m, n, k, {nullptr, 0, a_k, a_width}).bytes * parts + packed_bytes(k, n) * (batch == 1 ? 1 : parts);
}

void tt_bmm_f32(int64_t batch, int64_t m, int64_t n, int64_t k, const void *a, int64_t a_batch, int64_t a_row, int64_t a_k,
                tt_width a_width, const void *b, int64_t b_batch, int64_t b_k, int64_t b_n, tt_width b_width, tt_epilogue epilogue,
                void *ctx, void *workspace, int threads) {
  if (batch <= 0 || m <= 0 || n <= 0) return;
  const matrix rows{a, a_row, a_k, a_width}, right{b, b_k, b_n, b_width};
  const int64_t tiles = ceil_div(m, MR), panels = ceil_div(n, NR);
  const scratch s = part_scratch(m, n, k, rows);
  const int parts = bmm_parts(batch, m, n, k, threads);
  char *mem = align64(workspace);
  float *packed = (float *)(mem + s.bytes * parts);
  const int64_t packed_size = packed_bytes(k, n) / int64_t(sizeof(float));
  if (batch == 1) {
    // Pack once, in parallel over panels, then contract as one matrix.
    const int nt = worth(double(n) * k, threads);
    share(nt, [&](int i) {
      const int64_t p0 = panels * i / nt, p1 = panels * (i + 1) / nt;
      pack_b(right.from(p0 * NR * b_n), k, min64(n, p1 * NR) - p0 * NR, packed + p0 * NR * k);
    });
    tt_gemm_f32(m, n, k, a, a_row, a_k, a_width, packed, epilogue, ctx, workspace, threads);
    return;
  }
  // Threads take equal shares of the register tiles of all products, and pack
  // each matrix that their share touches; only a share's ends are packed twice.
  const int64_t total = batch * tiles;
  share(parts, [&](int i) {
    float *mine = packed + i * packed_size;
    const void *have = nullptr;
    const int64_t end = total * (i + 1) / parts;
    for (int64_t at = total * i / parts, next; at < end; at = next) {
      const int64_t z = at / tiles;
      next = min64((z + 1) * tiles, end);
      const matrix from = right.from(z * b_batch);
      if (from.at != have) pack_b(from, k, n, mine);
      have = from.at;
      part(m, n, k, rows.from(z * a_batch), mine, epilogue, ctx, z, mem + i * s.bytes, s, at - z * tiles, next - z * tiles, 0, panels);
    }
  });
}
