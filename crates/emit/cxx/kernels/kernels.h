// The structured CPU kernels that compiled models link against: packed f32
// contractions, convolutions and attention.
//
// Conventions
//   - Sizes and strides are int64_t and count elements, never bytes.
//   - Kernels never allocate. Each takes a `workspace` of at least
//     tt_*_workspace(...) bytes, asked with the same sizes and the same
//     `threads`; a kernel that needs none accepts null. Any alignment will do.
//   - `threads` is the most OpenMP threads that a call may use. Small calls use
//     fewer. The value of every output element is independent of it, because no
//     sum is ever split between threads.
//   - Products are fused (FMA) where the target has FMA.
//   - Empty sizes are fine. A contraction over k = 0 gives zeros.
//
// Epilogue
//   A contraction does not write its result. It accumulates a tile of rows x cols
//   floats and calls the epilogue with it, exactly once per output element, from
//   whichever thread made it; the epilogue adds bias, applies the activation and
//   writes the output. `tile[i * ld + j]` is the element (row0 + i, col0 + j) of
//   the product `batch`. Up to the next multiple of TT_NR, columns past `cols`
//   may be read but mean nothing. col0 is a multiple of TT_NR.
#ifndef TT_KERNELS_H
#define TT_KERNELS_H

#include <stdint.h>

#define TT_API extern "C" __attribute__((visibility("hidden")))

typedef void (*tt_epilogue)(void *ctx, const float *tile, int64_t ld, int64_t batch, int64_t row0, int64_t rows, int64_t col0,
                            int64_t cols);

// ---------------------------------------------------------------------------
// Packed right-hand sides
//
// A matrix B of k rows and n columns is packed in panels of TT_NR columns:
//
//   packed[(j / TT_NR) * k * TT_NR + i * TT_NR + j % TT_NR] = B[i][j]
//
// with zeros where j >= n in the last panel. TT_NR is the same on every target,
// so weights can be packed by a compiler that does not run on it. 64-byte
// alignment of `packed` is not required, but is faster.

#define TT_NR 16

// Number of floats in a packed k x n matrix: k * (n rounded up to TT_NR).
TT_API int64_t tt_packed_b_size(int64_t k, int64_t n);
// Packs B, where B[i][j] = b[i * stride_k + j * stride_n].
TT_API void tt_pack_b_f32(const float *b, int64_t k, int64_t n, int64_t stride_k, int64_t stride_n, float *packed);

// ---------------------------------------------------------------------------
// C[m][n] = A[m][k] B[k][n]

// The elements of an operand: those of half the width are widened as they are
// copied, which is exact.
enum tt_width { TT_WIDTH_F32, TT_WIDTH_BF16, TT_WIDTH_F16 };

// A[i][l] = a[i * stride_row + l * stride_k]; f32 and stride_k = 1 is the fast
// case, anything else is copied row block by row block. The epilogue's batch is 0.
TT_API int64_t tt_gemm_workspace(int64_t m, int64_t n, int64_t k, int64_t stride_k, tt_width width, int threads);
TT_API void tt_gemm_f32(int64_t m, int64_t n, int64_t k, const void *a, int64_t stride_row, int64_t stride_k, tt_width width,
                        const float *packed_b, tt_epilogue epilogue, void *ctx, void *workspace, int threads);

// The same for `batch` pairs of matrices, where B is not packed: B is a value of
// the program, not a constant. A stride of 0 repeats a matrix for every batch.
TT_API int64_t tt_bmm_workspace(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t a_k, tt_width a_width, int threads);
TT_API void tt_bmm_f32(int64_t batch, int64_t m, int64_t n, int64_t k, const void *a, int64_t a_batch, int64_t a_row, int64_t a_k,
                       tt_width a_width, const void *b, int64_t b_batch, int64_t b_k, int64_t b_n, tt_width b_width,
                       tt_epilogue epilogue, void *ctx, void *workspace, int threads);

// ---------------------------------------------------------------------------
// Convolution

// Two-dimensional convolution (cross-correlation) of f32 images with constant,
// packed weights. Input and output channels are split into `groups` equal parts.
//
// The input may have any strides; channels-last (in_c = 1) is the fast case.
// The epilogue's rows are output pixels, (image * oh + y) * ow + x; its columns
// are output channels, counted through all groups; batch is 0. With more than
// one group that is not depthwise, a call's columns stay within one group and
// col0 need not be a multiple of TT_NR.
struct tt_conv2d {
  int64_t n, h, w, c;                    // input
  int64_t oc, kh, kw;                    // filters
  int64_t stride_h, stride_w;            //
  int64_t pad_t, pad_l, pad_b, pad_r;    // zeros around the input
  int64_t dil_h, dil_w;                  //
  int64_t oh, ow;                        // output
  int64_t groups;                        //
  int64_t in_n, in_h, in_w, in_c;        // input strides
};

// Weights: for groups == c == oc ("depthwise"), packed[(y * kw + x) * c + channel]
// = W[channel][0][y][x], c * kh * kw floats. Otherwise, for each group one packed
// right-hand side (see above) after the other, with k = kh * kw * (c / groups),
// n = oc / groups and B[(y * kw + x) * (c / groups) + ci][co] = W[g * n + co][ci][y][x].
TT_API int64_t tt_conv2d_packed_size(const tt_conv2d *conv);
// Packs weights, where W[o][i][y][x] = w[o * s_o + i * s_i + y * s_h + x * s_w].
TT_API void tt_conv2d_pack(const tt_conv2d *conv, const float *w, int64_t s_o, int64_t s_i, int64_t s_h, int64_t s_w, float *packed);
TT_API int64_t tt_conv2d_workspace(const tt_conv2d *conv, int threads);
TT_API void tt_conv2d_f32(const tt_conv2d *conv, const float *input, const float *packed, tt_epilogue epilogue, void *ctx,
                          void *workspace, int threads);

// ---------------------------------------------------------------------------
// Attention

// out[b][h] = softmax(scale * q k^T + mask) v for every batch b and head h.
//
// Strides are in the order batch, head, row, feature. A head of q reads the
// head h / (heads / kv_heads) of k and v. Of `mask` and `bool_mask` at most one
// is not null; both are indexed [b][h][row of q][row of k] with the strides in
// mask_stride, 0 where the mask is broadcast. A true bool lets the pair attend.
// With `causal`, row i of q attends to the rows j <= i of k. q, k, v, mask and out
// have elements of one width; what is computed between them is f32.
struct tt_attention {
  int64_t batch, heads, kv_heads;
  int64_t lq, lk;    // rows of q, rows of k and v
  int64_t d, dv;     // features of q and k, features of v
  float scale;
  int causal;
  tt_width width;
  const void *q, *k, *v;
  void *out;
  int64_t q_stride[4], k_stride[4], v_stride[4], out_stride[4];
  const void *mask;
  const uint8_t *bool_mask;
  int64_t mask_stride[4];
};

TT_API int64_t tt_attention_workspace(const tt_attention *p, int threads);
TT_API void tt_attention_run(const tt_attention *p, void *workspace, int threads);

#endif
