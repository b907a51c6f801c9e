// Two-dimensional convolutions.
//
// A convolution is the contraction of gemm.cpp whose rows are output pixels and
// whose runs are filter positions: a row is a list of pointers into the image, and
// nothing is unfolded in memory. Depthwise convolutions have no contraction over
// channels and get a loop of their own.
#include "gemm_block.h"
#include "vec_math.h"

namespace tt {
namespace {

bool depthwise(const tt_conv2d &p) { return p.groups == p.c && p.groups == p.oc; }

// The image that a part of the work walks: the input itself, or a padded channels-last
// copy of its lines. Images lie one below the other in a copy, which is a ring: a line
// takes the place of one that is not read any more.
struct view {
  const float *data;
  int64_t h, w, sn, sh, sw;    // channels are adjacent
  int64_t pad_t, pad_l;        // zeros that are not in memory
  int64_t taps_h, taps_w, kc;  // runs: filter rows x filter columns of kc floats
  float *ring;                 // the copy, if there is one
  int64_t lines, done;         // those it has room for, and those that were copied

  // Where a line begins.
  const float *line(int64_t image, int64_t y) const { return data + (ring ? (image * h + y) % lines * sh : image * sn + y * sh); }
};

// Few channels make short runs. In a padded copy the filter's columns are adjacent
// too, and a whole filter row is one run.
bool copies(const tt_conv2d &p) {
  const bool whole_rows = p.groups == 1 && p.kw > 1 && p.dil_w == 1 && p.c < 16;
  return p.in_c != 1 || whole_rows;
}
int64_t copy_h(const tt_conv2d &p) { return max64(p.h + p.pad_t + p.pad_b, (p.oh - 1) * p.stride_h + (p.kh - 1) * p.dil_h + 1); }
int64_t copy_w(const tt_conv2d &p) { return max64(p.w + p.pad_l + p.pad_r, (p.ow - 1) * p.stride_w + (p.kw - 1) * p.dil_w + 1); }

int64_t copy_line(const tt_conv2d &p) { return copy_w(p) * p.c; }
int64_t filter_lines(const tt_conv2d &p) { return (p.kh - 1) * p.dil_h + 1; }

// Lines of the copy that are read at once, at most: for a line of the output, or for a
// block of MC pixels, which may begin within a line and reach into further images.
int64_t lines_at_once(const tt_conv2d &p) {
  if (depthwise(p)) return filter_lines(p);
  const int64_t oh = max64(p.oh, 1), more = (MC - 2) / max64(p.ow, 1) + 1;
  const int64_t between = max64(copy_h(p) - oh * p.stride_h, 0);
  return more * p.stride_h + ceil_div(more, oh) * between + filter_lines(p);
}

// A copy: of all lines, for all parts of the work, or a ring for each where that is less.
struct copy_plan {
  int64_t lines, bytes;  // of one
  int64_t count;
};
copy_plan plan_copy(const tt_conv2d &p, int parts) {
  if (!copies(p)) return {0, 0, 0};
  const int64_t all = p.n * copy_h(p), ring = lines_at_once(p);
  copy_plan res{all, 0, 1};
  if (ring * parts < all) res.lines = ring, res.count = parts;
  res.bytes = round64(res.lines * copy_line(p) * sizeof(float));
  return res;
}

// One row of the copy.
void copy_row(const tt_conv2d &p, const float *input, int64_t n, int64_t y, int64_t width, float *to) {
  const int64_t from_y = y - p.pad_t;
  const int64_t left = p.pad_l * p.c, right = (width - p.pad_l - p.w) * p.c;
  if (from_y < 0 || from_y >= p.h) {
    __builtin_memset(to, 0, width * p.c * sizeof(float));
    return;
  }
  __builtin_memset(to, 0, left * sizeof(float));
  to += left;
  const float *from = input + n * p.in_n + from_y * p.in_h;
  int64_t x = 0;
  if (p.in_w == 1 && p.c == 3) {
    // Four pixels at once, each with a fourth float that the next one overwrites.
    float quad[16] = {};
    for (; x + 4 < p.w; x += 4) {
      for (int c = 0; c < 3; c++) __builtin_memcpy(quad + 4 * c, from + x + c * p.in_c, 4 * sizeof(float));
      transpose4(quad, 4, to + x * 3, 3);
    }
  }
  // A line of one channel at a time: the channels' planes often lie a power of two
  // apart, where their lines push each other out of the cache.
  constexpr int64_t LINE = 16;
  for (const int64_t end = p.w / 4 * 4; p.in_w == 1 && x + 4 <= p.w;) {
    const int64_t stop = min64(x + LINE, end);
    int64_t c = 0;
    for (; c + 4 <= p.c; c += 4)
      for (int64_t i = x; i + 4 <= stop; i += 4) transpose4(from + i + c * p.in_c, p.in_c, to + i * p.c + c, p.c);
    const int64_t done = x + (stop - x) / 4 * 4;
    for (; c < p.c; c++)
      for (int64_t i = x; i < done; i++) to[i * p.c + c] = from[i + c * p.in_c];
    x = done;
  }
  for (; x < p.w; x++)
    for (int64_t c = 0; c < p.c; c++) to[x * p.c + c] = from[x * p.in_w + c * p.in_c];
  __builtin_memset(to + p.w * p.c, 0, right * sizeof(float));
}

// Copies the lines before `end` that are not there yet, but for those before `first`.
void advance(const tt_conv2d &p, const float *input, view &v, int64_t first, int64_t end) {
  for (int64_t i = max64(v.done, first); i < end; i++) copy_row(p, input, i / v.h, i % v.h, v.w, v.ring + i % v.lines * v.sh);
  v.done = max64(v.done, end);
}

// The same for what is read for some lines of the output.
void advance_to(const tt_conv2d &p, const float *input, view &v, int64_t line0, int64_t line1) {
  if (!v.ring) return;
  const auto top = [&](int64_t line) { return line / p.oh * v.h + line % p.oh * p.stride_h; };
  advance(p, input, v, top(line0), top(line1) + filter_lines(p));
}

view look(const tt_conv2d &p, const float *input, const copy_plan &copy, float *ring, int threads) {
  view v;
  v.taps_h = p.kh;
  v.taps_w = p.kw;
  v.kc = p.c / p.groups;
  if (!copy.count) {
    v.data = input;
    v.h = p.h;
    v.w = p.w;
    v.sn = p.in_n;
    v.sh = p.in_h;
    v.sw = p.in_w;
    v.pad_t = p.pad_t;
    v.pad_l = p.pad_l;
    v.ring = nullptr;
    v.lines = v.done = 0;
    return v;
  }
  v.data = v.ring = ring;
  v.lines = copy.lines;
  v.done = 0;
  v.h = copy_h(p);
  v.w = copy_w(p);
  v.sw = p.c;
  v.sh = copy_line(p);
  v.sn = v.h * v.sh;
  v.pad_t = v.pad_l = 0;
  if (p.groups == 1 && p.dil_w == 1) {
    v.taps_w = 1;
    v.kc *= p.kw;
  }
  const int64_t all = p.n * v.h;
  if (v.lines < all) return v;
  const int nt = worth(double(all) * v.sh, threads);
  share(nt, [&](int t) {
    view part = v;
    advance(p, input, part, all * t / nt, all * (t + 1) / nt);
  });
  v.done = all;
  return v;
}

// What one thread sees: the same, with a ring of its own.
view own(const view &v, const copy_plan &copy, int i) {
  view res = v;
  if (copy.count > 1) res.data = res.ring = v.ring + i * (copy.bytes / int64_t(sizeof(float)));
  return res;
}

// ---------------------------------------------------------------------------
// Contractions

struct scratch {
  int64_t rows, tile, bytes;
};
scratch part_scratch(const tt_conv2d &p) {
  // Runs are at most kh * kw; joining a filter row makes fewer, of more floats.
  const int64_t taps = p.kh * p.kw, kc = p.c / p.groups, panels = ceil_div(p.oc / p.groups, NR);
  scratch s;
  s.rows = 0;
  s.tile = round64(MC * taps * sizeof(float *));
  const int64_t pixels = p.n * p.oh * p.ow;
  const int64_t floats = max64(block_tile(pixels, taps, kc, panels), block_tile(pixels, p.kh, kc * p.kw, panels));
  s.bytes = s.tile + round64(floats * sizeof(float));
  return s;
}

TT_INLINE void fill(const float **to, int64_t from, int64_t end, const float *p, int64_t step) {
  for (int64_t i = from; i < end; i++, p += step) to[i] = p;
}

// The pointers of output pixels [row0, row0 + nrows), as block::rows wants them,
// one line of the output after the other.
void point(const tt_conv2d &p, const view &v, const float *zeros, int64_t row0, int64_t nrows, const float **rows) {
  const int64_t taps = v.taps_h * v.taps_w, step = p.stride_w * v.sw;
  int64_t x = row0 % p.ow, y = row0 / p.ow % p.oh, n = row0 / p.ow / p.oh;
  for (int64_t done = 0; done < nrows;) {
    const int64_t count = min64(p.ow - x, nrows - done);
    const float **to = rows + done;
    for (int64_t ky = 0; ky < v.taps_h; ky++) {
      const int64_t iy = y * p.stride_h + ky * p.dil_h - v.pad_t;
      for (int64_t kx = 0; kx < v.taps_w; kx++, to += MC) {
        const int64_t ix = x * p.stride_w + kx * p.dil_w - v.pad_l;
        // Of these pixels, [lo, hi) read inside the image.
        int64_t lo = 0, hi = iy >= 0 && iy < v.h ? count : 0;
        if (ix < 0) lo = min64(ceil_div(-ix, p.stride_w), hi);
        if (ix + (count - 1) * p.stride_w >= v.w) hi = max64(min64(ceil_div(v.w - ix, p.stride_w), hi), lo);
        fill(to, 0, lo, zeros, 0);
        if (lo < hi) fill(to, lo, hi, v.line(n, iy) + (ix + lo * p.stride_w) * v.sw, step);
        fill(to, hi, count, zeros, 0);
      }
    }
    done += count;
    x = 0;
    if (++y == p.oh) y = 0, n++;
  }
  for (int64_t t = 0; t < taps; t++) fill_tile(rows + t * MC, nrows);
}

grid grid_of(const tt_conv2d &p, int threads) {
  const int64_t panels = p.groups * ceil_div(p.oc / p.groups, NR);
  return cut(p.n * p.oh * p.ow, panels, p.kh * p.kw * (p.c / p.groups), threads);
}

void contract(const tt_conv2d &p, const float *input, const view &all, const copy_plan &copy, const float *packed, const float *zeros,
              tt_epilogue epilogue, void *ctx, char *mem, int threads) {
  const int64_t pixels = p.n * p.oh * p.ow, cg = p.c / p.groups, og = p.oc / p.groups;
  const int64_t k = p.kh * p.kw * cg, group_panels = ceil_div(og, NR);
  const scratch s = part_scratch(p);
  const grid g = grid_of(p, threads);
  share(g.parts(), [&](int i) {
    int64_t t0, t1, p0, p1;
    g.part(i, t0, t1, p0, p1);
    char *mine = mem + i * s.bytes;
    view v = own(all, copy, i);
    const float **rows = (const float **)(mine + s.rows);
    block x;
    x.rows = rows;
    x.taps = v.taps_h * v.taps_w;
    x.kc = v.kc;
    x.n = og;
    x.tile = (float *)(mine + s.tile);
    x.epilogue = epilogue;
    x.ctx = ctx;
    x.batch = 0;
    const int64_t end = min64(t1 * MR, pixels);
    for (x.row0 = t0 * MR; x.row0 < end; x.row0 += MC) {
      x.nrows = min64(MC, end - x.row0);
      advance_to(p, input, v, x.row0 / p.ow, (x.row0 + x.nrows - 1) / p.ow);
      point(p, v, zeros, x.row0, x.nrows, rows);
      for (int64_t group = p0 / group_panels; group * group_panels < p1; group++) {
        const int64_t first = group * group_panels;
        x.panel0 = max64(p0 - first, 0);
        x.panel1 = min64(p1 - first, group_panels);
        x.offset = group * cg;
        x.b = packed + group * tt_packed_b_size(k, og);
        x.col0 = group * og;
        run_block(x);
      }
    }
  });
}

// ---------------------------------------------------------------------------
// Depthwise

constexpr int L = TT_VEC_BYTES / 4 < NR ? TT_VEC_BYTES / 4 : NR;
typedef vec<float, L>::V V;

// Channels, and pixels of one output line, of one call of the epilogue. Whole
// pixels keep the reads of the image contiguous; the tile stays in L1.
constexpr int64_t BLOCK_C = 1024;
constexpr int64_t TILE = 4096;
int64_t block_c(const tt_conv2d &p) { return min64(BLOCK_C, ceil_div(p.c, NR) * NR); }
int64_t block_x(const tt_conv2d &p) { return TILE / block_c(p) / 4 * 4; }

TT_INLINE V load_v(const float *p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// A filter position that lies inside the image: where its inputs and weights are.
struct tap {
  int64_t in, weight;
};

// PX neighbouring pixels (`step` floats apart) x NV vectors of channels.
template <int PX, int NV>
TT_INLINE void depthwise_tile(const float *in, int64_t step, const float *weights, const tap *taps, int64_t ntaps, float *tile, int64_t ld) {
  V acc[PX][NV];
  for (int i = 0; i < PX; i++)
    for (int v = 0; v < NV; v++) acc[i][v] = V{};
  for (int64_t t = 0; t < ntaps; t++) {
    const float *a = in + taps[t].in, *b = weights + taps[t].weight;
    V w[NV];
    for (int v = 0; v < NV; v++) w[v] = load_v(b + v * L);
    for (int i = 0; i < PX; i++)
      for (int v = 0; v < NV; v++) acc[i][v] = raw::fma(load_v(a + i * step + v * L), w[v], acc[i][v]);
  }
  for (int i = 0; i < PX; i++)
    for (int v = 0; v < NV; v++) __builtin_memcpy(tile + i * ld + v * L, &acc[i][v], sizeof(V));
}

// PX pixels x `channels` channels. `before` channels lie to the left of these in
// the image: the last vector may start there, computing some of them again.
template <int PX>
void depthwise_pixels(const float *in, int64_t step, const float *weights, const tap *taps, int64_t ntaps, int64_t before, int64_t channels,
                      float *tile, int64_t ld) {
  int64_t c = 0;
  for (; c + 2 * L <= channels; c += 2 * L) depthwise_tile<PX, 2>(in + c, step, weights + c, taps, ntaps, tile + c, ld);
  for (; c + L <= channels; c += L) depthwise_tile<PX, 1>(in + c, step, weights + c, taps, ntaps, tile + c, ld);
  if (c == channels) return;
  if (before + channels >= L) {
    c = channels - L;
    depthwise_tile<PX, 1>(in + c, step, weights + c, taps, ntaps, tile + c, ld);
    return;
  }
  for (; c < channels; c++)
    for (int i = 0; i < PX; i++) {
      float sum = 0;
      for (int64_t t = 0; t < ntaps; t++) sum += in[i * step + c + taps[t].in] * weights[c + taps[t].weight];
      tile[i * ld + c] = sum;
    }
}

int64_t depthwise_units(const tt_conv2d &p) { return p.n * p.oh * ceil_div(p.c, block_c(p)); }
int depthwise_parts(const tt_conv2d &p, int threads) {
  return worth(double(depthwise_units(p)) * p.ow * block_c(p) * p.kh * p.kw / 8, threads);
}

int64_t depthwise_scratch(const tt_conv2d &p) {
  return round64(p.kh * p.kw * sizeof(tap)) + round64((TILE + L) * sizeof(float));
}

void run_depthwise(const tt_conv2d &p, const float *input, const view &all, const copy_plan &copy, const float *packed,
                   tt_epilogue epilogue, void *ctx, char *mem, int threads) {
  const int64_t ld = block_c(p), pixels = block_x(p);
  const int64_t cblocks = ceil_div(p.c, ld), units = depthwise_units(p);
  const int nt = depthwise_parts(p, threads);
  const int64_t bytes = depthwise_scratch(p), step = p.stride_w * all.sw;
  share(nt, [&](int i) {
    view v = own(all, copy, i);
    tap *taps = (tap *)(mem + i * bytes);
    // Room on the left for a vector that starts before the block.
    float *tile = (float *)(mem + i * bytes + round64(p.kh * p.kw * sizeof(tap))) + L;
    for (int64_t u = units * i / nt; u < units * (i + 1) / nt; u++) {
      const int64_t row = u / cblocks, c0 = u % cblocks * ld, channels = min64(ld, p.c - c0);
      const int64_t y0 = row % p.oh * p.stride_h - v.pad_t;
      advance_to(p, input, v, row, row);
      const float *in = v.data + c0;
      // Pixels whose filter columns all lie inside are done four at a time.
      const int64_t reach = (p.kw - 1) * p.dil_w;
      const int64_t x_in = ceil_div(v.pad_l, p.stride_w);
      const int64_t x_out = v.w + v.pad_l - reach <= 0 ? 0 : ceil_div(v.w + v.pad_l - reach, p.stride_w);
      for (int64_t xb = 0; xb < p.ow; xb += pixels) {
        const int64_t xe = min64(xb + pixels, p.ow);
        bool inner = false;
        int64_t ntaps = 0;
        for (int64_t x = xb; x < xe;) {
          const bool four = x >= x_in && x + 4 <= xe && x + 4 <= x_out;
          const int64_t x0 = x * p.stride_w - v.pad_l;
          if (!(four && inner)) {
            // Positions outside the image are zero and add nothing.
            ntaps = 0;
            for (int64_t ky = 0; ky < p.kh; ky++)
              for (int64_t kx = 0; kx < p.kw; kx++) {
                const int64_t iy = y0 + ky * p.dil_h, ix = x0 + kx * p.dil_w;
                if (iy < 0 || iy >= v.h || ix < 0 || ix >= v.w) continue;
                taps[ntaps].in = v.line(row / p.oh, iy) - v.data + kx * p.dil_w * v.sw;
                taps[ntaps++].weight = (ky * p.kw + kx) * p.c;
              }
            inner = four;
          }
          float *to = tile + (x - xb) * ld;
          if (four)
            depthwise_pixels<4>(in + x0 * v.sw, step, packed + c0, taps, ntaps, c0, channels, to, ld);
          else
            depthwise_pixels<1>(in + x0 * v.sw, step, packed + c0, taps, ntaps, c0, channels, to, ld);
          x += four ? 4 : 1;
        }
        epilogue(ctx, tile, ld, 0, row * p.ow + xb, xe - xb, c0, channels);
      }
    }
  });
}

int parts(const tt_conv2d &p, int threads) { return depthwise(p) ? depthwise_parts(p, threads) : grid_of(p, threads).parts(); }

}  // namespace
}  // namespace tt

using namespace tt;

int64_t tt_conv2d_packed_size(const tt_conv2d *p) {
  if (depthwise(*p)) return p->c * p->kh * p->kw;
  return p->groups * tt_packed_b_size(p->kh * p->kw * (p->c / p->groups), p->oc / p->groups);
}

// Usually done ahead of time, so small code is worth more than fast code.
__attribute__((cold)) void tt_conv2d_pack(const tt_conv2d *p, const float *w, int64_t s_o, int64_t s_i, int64_t s_h, int64_t s_w, float *packed) {
  if (depthwise(*p)) {
    for (int64_t y = 0; y < p->kh; y++)
      for (int64_t x = 0; x < p->kw; x++)
        for (int64_t c = 0; c < p->c; c++) *packed++ = w[c * s_o + y * s_h + x * s_w];
    return;
  }
  const int64_t cg = p->c / p->groups, og = p->oc / p->groups;
  for (int64_t o0 = 0; o0 < p->oc; o0 += og)
    for (int64_t j0 = 0; j0 < og; j0 += NR)
      for (int64_t y = 0; y < p->kh; y++)
        for (int64_t x = 0; x < p->kw; x++)
          for (int64_t c = 0; c < cg; c++)
            for (int64_t j = j0; j < j0 + NR; j++) *packed++ = j < og ? w[(o0 + j) * s_o + c * s_i + y * s_h + x * s_w] : 0.0f;
}

int64_t tt_conv2d_workspace(const tt_conv2d *p, int threads) {
  const int64_t part = depthwise(*p) ? depthwise_scratch(*p) : part_scratch(*p).bytes;
  const int n = parts(*p, threads);
  const copy_plan copy = plan_copy(*p, n);
  return 64 + round64(p->c * sizeof(float)) + copy.bytes * copy.count + part * n;
}

void tt_conv2d_f32(const tt_conv2d *p, const float *input, const float *packed, tt_epilogue epilogue, void *ctx, void *workspace,
                   int threads) {
  if (p->n <= 0 || p->oc <= 0 || p->oh <= 0 || p->ow <= 0) return;
  char *mem = align64(workspace);
  float *zeros = (float *)mem;
  mem += round64(p->c * sizeof(float));
  const copy_plan copy = plan_copy(*p, parts(*p, threads));
  const view v = look(*p, input, copy, (float *)mem, threads);
  mem += copy.bytes * copy.count;
  if (depthwise(*p)) {
    run_depthwise(*p, input, v, copy, packed, epilogue, ctx, mem, threads);
  } else {
    __builtin_memset(zeros, 0, p->c * sizeof(float));
    contract(*p, input, v, copy, packed, zeros, epilogue, ctx, mem, threads);
  }
}
