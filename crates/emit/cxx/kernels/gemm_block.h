// What gemm.cpp, conv.cpp and attention.cpp share. The contraction of a block of
// rows with packed panels is compiled once, in gemm.cpp.
#ifndef TT_GEMM_BLOCK_H
#define TT_GEMM_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"
#include "vec_core.h"

#define TT_HIDDEN __attribute__((visibility("hidden")))

namespace tt {

// Calls `work(i)` for each i below `n`, each on a thread of its own. One part alone
// does not enter OpenMP, which allocates even then.
template <typename F>
static inline void share(int n, const F &work) {
  if (n <= 1) {
    if (n == 1) work(0);
    return;
  }
#pragma omp parallel for schedule(static, 1) num_threads(n)
  for (int i = 0; i < n; i++) work(i);
}

constexpr int NR = TT_NR;

// Rows of one register tile. With one panel of columns, MR * (NR / lanes)
// accumulators and the operands must fit the register file.
#if TT_VEC_BYTES == 64
constexpr int MR = 8;
#elif TT_VEC_BYTES == 32
constexpr int MR = 6;
#elif defined(__aarch64__)
constexpr int MR = 4;
#else
constexpr int MR = 2;
#endif

// Rows and panels that are finished together: one call of the epilogue.
constexpr int MC = 48;
constexpr int GROUP = 4;
constexpr int GROUP_COLS = GROUP * NR;

// The contraction dimension is a sequence of `taps` runs of `kc` contiguous
// floats. A plain matrix has one; a convolution has one per filter position. A
// row of A is then one pointer per tap, and padding is a pointer to zeros.
struct block {
  const float *const *rows;  // [tap][MC], see fill_tile
  int64_t offset;            // added to every pointer
  int64_t nrows;             // at most MC
  int64_t taps, kc;
  const float *b;            // packed, k = taps * kc
  int64_t n;                 // columns of b
  int64_t panel0, panel1;    // the panels of b to do
  float *tile;               // scratch of block_tile(rows, taps, kc, panels) floats
  tt_epilogue epilogue;
  void *ctx;
  int64_t batch, row0, col0;  // what the epilogue is told: where this block's row 0 and b's column 0 are
};

// Rows are computed MR at a time, so pointers must be valid up to the next multiple.
inline void fill_tile(const float **rows, int64_t nrows) {
  for (int64_t i = nrows; i % MR; i++) rows[i] = rows[nrows - 1];
}

// For blocks of a matrix of so many rows.
TT_HIDDEN int64_t block_tile(int64_t rows, int64_t taps, int64_t kc, int64_t panels);
TT_HIDDEN void run_block(const block &x);

// How `rows` x `panels` is cut for at most `threads` threads: each part is a
// range of register tiles and a range of panels.
struct grid {
  int64_t tiles, panels;
  int gm, gn;
  int parts() const { return gm * gn; }
  void part(int i, int64_t &tile0, int64_t &tile1, int64_t &panel0, int64_t &panel1) const {
    tile0 = tiles * (i / gn) / gm;
    tile1 = tiles * (i / gn + 1) / gm;
    panel0 = panels * (i % gn) / gn;
    panel1 = panels * (i % gn + 1) / gn;
  }
};
TT_HIDDEN grid cut(int64_t rows, int64_t panels, int64_t k, int threads);

// Threads worth waking for `ns` nanoseconds of work on one.
TT_HIDDEN int worth(double ns, int threads);

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t round64(int64_t bytes) { return (bytes + 63) & ~int64_t(63); }
inline char *align64(void *p) { return (char *)(((uintptr_t)p + 63) & ~uintptr_t(63)); }

// A matrix as a caller has it; strides count elements.
struct matrix {
  const void *at;
  int64_t stride_row, stride_col;
  tt_width width;
  matrix from(int64_t elements) const {
    matrix r = *this;
    r.at = (const char *)at + elements * (width == TT_WIDTH_F32 ? 4 : 2);
    return r;
  }
  // Whether the micro kernels read its rows as they lie.
  bool plain() const { return stride_col == 1 && width == TT_WIDTH_F32; }
};

// Copies rows x cols elements into contiguous rows of floats, `ld` apart.
TT_HIDDEN void copy_rows(const matrix &a, int64_t rows, int64_t cols, float *to, int64_t ld);
// tt_pack_b_f32 for elements of any width.
TT_HIDDEN void pack_b(const matrix &b, int64_t k, int64_t n, float *packed);

// Transposes a 4 x 4 block of floats; the strides are between rows.
TT_INLINE void transpose4(const float *from, int64_t stride, float *to, int64_t to_stride) {
  typedef vec<float, 4>::V F;
  F r[4], t[4], c[4];
  for (int i = 0; i < 4; i++) __builtin_memcpy(&r[i], from + i * stride, sizeof r[i]);
#if defined(__clang__)
#define TT_SHUFFLE(A, B, ...) __builtin_shufflevector(A, B, __VA_ARGS__)
#else
#define TT_SHUFFLE(A, B, ...) __builtin_shuffle(A, B, vec<int32_t, 4>::V{__VA_ARGS__})
#endif
  t[0] = TT_SHUFFLE(r[0], r[1], 0, 4, 1, 5);
  t[1] = TT_SHUFFLE(r[2], r[3], 0, 4, 1, 5);
  t[2] = TT_SHUFFLE(r[0], r[1], 2, 6, 3, 7);
  t[3] = TT_SHUFFLE(r[2], r[3], 2, 6, 3, 7);
  c[0] = TT_SHUFFLE(t[0], t[1], 0, 1, 4, 5);
  c[1] = TT_SHUFFLE(t[0], t[1], 2, 3, 6, 7);
  c[2] = TT_SHUFFLE(t[2], t[3], 0, 1, 4, 5);
  c[3] = TT_SHUFFLE(t[2], t[3], 2, 3, 6, 7);
#undef TT_SHUFFLE
  for (int i = 0; i < 4; i++) __builtin_memcpy(to + i * to_stride, &c[i], sizeof c[i]);
}

}  // namespace tt
#endif
