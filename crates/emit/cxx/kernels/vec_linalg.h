// Factors of batches of row-major matrices, unblocked. `ir::linalg` says what each gives and
// follows the same steps; what is free is as in LAPACK, but for signs of eigenvectors and
// singular vectors.
#ifndef TT_VEC_LINALG_H
#define TT_VEC_LINALG_H
#include <stdint.h>

namespace tt {

inline double magnitude(double x) { return __builtin_fabs(x); }
inline float magnitude(float x) { return __builtin_fabsf(x); }
inline double root(double x) { return __builtin_sqrt(x); }
inline float root(float x) { return __builtin_sqrtf(x); }

template <class T>
void lu(const T* from, T* to, int32_t* pivots, int32_t* info, int64_t batch, int64_t m, int64_t n) {
  const int64_t side = m < n ? m : n;
  for (int64_t b = 0; b < batch; b++, from += m * n, to += m * n, pivots += side) {
    for (int64_t i = 0; i < m * n; i++) to[i] = from[i];
    info[b] = 0;
    for (int64_t k = 0; k < side; k++) {
      int64_t best = k;
      for (int64_t i = k + 1; i < m; i++)
        if (magnitude(to[best * n + k]) < magnitude(to[i * n + k])) best = i;
      pivots[k] = int32_t(best + 1);
      if (to[best * n + k] == T(0)) {
        if (info[b] == 0) info[b] = int32_t(k + 1);
        continue;
      }
      for (int64_t j = 0; best != k && j < n; j++) {
        const T kept = to[k * n + j];
        to[k * n + j] = to[best * n + j];
        to[best * n + j] = kept;
      }
      for (int64_t i = k + 1; i < m; i++) {
        const T scale = to[i * n + k] /= to[k * n + k];
        for (int64_t j = k + 1; j < n; j++) to[i * n + j] -= scale * to[k * n + j];
      }
    }
  }
}

template <class T>
void permutation(const T*, const int32_t* pivots, int64_t* rows, int64_t batch, int64_t m, int64_t, int64_t count) {
  for (int64_t b = 0; b < batch; b++, pivots += count, rows += m) {
    for (int64_t i = 0; i < m; i++) rows[i] = i;
    for (int64_t i = 0; i < count && i < m; i++) {
      const int64_t given = int64_t(pivots[i]) - 1;
      const int64_t with = given < 0 ? 0 : given < m ? given : m - 1;
      const int64_t kept = rows[i];
      rows[i] = rows[with];
      rows[with] = kept;
    }
  }
}

template <class T> void greedy(const T* from, int32_t* kept, int64_t batch, int64_t n, int64_t) {
  for (int64_t b = 0; b < batch; b++, from += n * n, kept += n) {
    for (int64_t i = 0; i < n; i++) kept[i] = 1;
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = i + 1; kept[i] != 0 && j < n; j++)
        if (!(from[i * n + j] == T(0))) kept[j] = 0;
  }
}

template <class T>
void cholesky(const T* from, T* to, int32_t* info, int64_t batch, int64_t n, int64_t) {
  for (int64_t b = 0; b < batch; b++, from += n * n, to += n * n) {
    for (int64_t i = 0; i < n * n; i++) to[i] = T(0);
    info[b] = 0;
    for (int64_t j = 0; j < n; j++) {
      T square = T(0);
      for (int64_t k = 0; k < j; k++) square += to[j * n + k] * to[j * n + k];
      const T rest = from[j * n + j] - square;
      if (!(rest > T(0))) {
        info[b] = int32_t(j + 1);
        break;
      }
      to[j * n + j] = root(rest);
      for (int64_t i = j + 1; i < n; i++) {
        T sum = T(0);
        for (int64_t k = 0; k < j; k++) sum += to[i * n + k] * to[j * n + k];
        to[i * n + j] = (from[i * n + j] - sum) / to[j * n + j];
      }
    }
  }
}

template <class T> void qr(const T* from, T* to, T* scales, int64_t batch, int64_t m, int64_t n) {
  const int64_t side = m < n ? m : n;
  for (int64_t b = 0; b < batch; b++, from += m * n, to += m * n, scales += side) {
    for (int64_t i = 0; i < m * n; i++) to[i] = from[i];
    for (int64_t k = 0; k < side; k++) {
      // Squares of float32 do not overflow in double precision.
      double below = 0;
      for (int64_t i = k + 1; i < m; i++) below += double(to[i * n + k]) * double(to[i * n + k]);
      scales[k] = T(0);
      if (below == 0) continue;
      const double first = double(to[k * n + k]);
      const double length = root(first * first + below);
      const double beta = __builtin_signbit(first) ? length : -length;
      const T scale = scales[k] = T((beta - first) / beta);
      for (int64_t i = k + 1; i < m; i++) to[i * n + k] = T(double(to[i * n + k]) / (first - beta));
      to[k * n + k] = T(beta);
      for (int64_t j = k + 1; j < n; j++) {
        T w = to[k * n + j];
        for (int64_t i = k + 1; i < m; i++) w += to[i * n + k] * to[i * n + j];
        w *= scale;
        to[k * n + j] -= w;
        for (int64_t i = k + 1; i < m; i++) to[i * n + j] -= w * to[i * n + k];
      }
    }
  }
}

template <class T>
void reflect(const T* from, const T* scales, T* to, int64_t batch, int64_t m, int64_t n, int64_t count) {
  for (int64_t b = 0; b < batch; b++, from += m * n, to += m * n, scales += count) {
    for (int64_t i = 0; i < m * n; i++) to[i] = i / n == i % n ? T(1) : T(0);
    for (int64_t k = (count < n ? count : n) - 1; k >= 0; k--) {
      for (int64_t j = 0; j < n; j++) {
        T w = to[k * n + j];
        for (int64_t i = k + 1; i < m; i++) w += from[i * n + k] * to[i * n + j];
        w *= scales[k];
        to[k * n + j] -= w;
        for (int64_t i = k + 1; i < m; i++) to[i * n + j] -= w * from[i * n + k];
      }
    }
  }
}

template <class T>
void solve_rows(const T* a, const T* from, T* to, int64_t batch, int64_t n, int64_t columns, bool upper) {
  for (int64_t b = 0; b < batch; b++, a += n * n, from += n * columns, to += n * columns) {
    for (int64_t i = 0; i < n * columns; i++) to[i] = from[i];
    for (int64_t step = 0; step < n; step++) {
      const int64_t i = upper ? n - 1 - step : step;
      const int64_t first = upper ? i + 1 : 0, last = upper ? n : i;
      for (int64_t k = first; k < last; k++) {
        const T scale = a[i * n + k];
        for (int64_t j = 0; j < columns; j++) to[i * columns + j] -= scale * to[k * columns + j];
      }
      for (int64_t j = 0; j < columns; j++) to[i * columns + j] /= a[i * n + i];
    }
  }
}
template <class T>
void solve_lower(const T* a, const T* from, T* to, int64_t batch, int64_t n, int64_t, int64_t columns) {
  solve_rows(a, from, to, batch, n, columns, false);
}
template <class T>
void solve_upper(const T* a, const T* from, T* to, int64_t batch, int64_t n, int64_t, int64_t columns) {
  solve_rows(a, from, to, batch, n, columns, true);
}

struct turn {
  double cos, sin;
};
// The rotation after which [a, c; c, b] has no off-diagonal.
inline turn rotation(double a, double b, double c) {
  const double slope = (b - a) / (2 * c);
  const double t = (slope < 0 ? -1.0 : 1.0) / (magnitude(slope) + root(1 + slope * slope));
  const double cos = 1 / root(1 + t * t);
  return {cos, t * cos};
}
// Turns the columns p and q of a matrix with `n` columns.
inline void turn_columns(double* w, int64_t rows, int64_t n, int64_t p, int64_t q, turn r) {
  for (int64_t k = 0; k < rows; k++) {
    const double g = w[k * n + p], h = w[k * n + q];
    w[k * n + p] = r.cos * g - r.sin * h;
    w[k * n + q] = r.sin * g + r.cos * h;
  }
}
// Positions in ascending order of their values; NaN stays where it is.
inline void order_by(const double* values, double* order, int64_t n, bool descending) {
  for (int64_t i = 0; i < n; i++) {
    int64_t at = i;
    for (; at > 0; at--) {
      const double before = values[int64_t(order[at - 1])];
      if (!(descending ? before < values[i] : values[i] < before)) break;
      order[at] = order[at - 1];
    }
    order[at] = double(i);
  }
}
enum { JACOBI_SWEEPS = 60 };

template <class T>
void eigh(const T* from, T* values, T* vectors, int64_t batch, int64_t n, int64_t, double* room) {
  double *s = room, *v = room + n * n, *diagonal = v + n * n, *order = diagonal + n;
  for (int64_t b = 0; b < batch; b++, from += n * n, vectors += n * n, values += n) {
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++) {
        s[i * n + j] = double(j <= i ? from[i * n + j] : from[j * n + i]);
        v[i * n + j] = i == j ? 1.0 : 0.0;
      }
    bool turned = true;
    for (int sweep = 0; turned && sweep < JACOBI_SWEEPS; sweep++) {
      turned = false;
      for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
          const double x = s[p * n + p], y = s[q * n + q], z = s[p * n + q];
          if (z == 0 || magnitude(z) <= 0.01 * __DBL_EPSILON__ * root(magnitude(x) * magnitude(y))) continue;
          turned = true;
          const turn r = rotation(x, y, z);
          turn_columns(s, n, n, p, q, r);
          for (int64_t k = 0; k < n; k++) {
            const double g = s[p * n + k], h = s[q * n + k];
            s[p * n + k] = r.cos * g - r.sin * h;
            s[q * n + k] = r.sin * g + r.cos * h;
          }
          turn_columns(v, n, n, p, q, r);
        }
    }
    for (int64_t i = 0; i < n; i++) diagonal[i] = s[i * n + i];
    order_by(diagonal, order, n, false);
    for (int64_t i = 0; i < n; i++) {
      values[i] = T(diagonal[int64_t(order[i])]);
      for (int64_t j = 0; j < n; j++) vectors[i * n + j] = T(v[i * n + int64_t(order[j])]);
    }
  }
}

inline double column_product(const double* u, int64_t m, int64_t n, int64_t p, int64_t q) {
  double sum = 0;
  for (int64_t k = 0; k < m; k++) sum += u[k * n + p] * u[k * n + q];
  return sum;
}

// Columns over their lengths; those that are nothing become any that stand upright on the others.
inline void orthonormal(double* u, const double* lengths, const double* order, int64_t m, int64_t n) {
  const double least = n == 0 ? 0 : lengths[int64_t(order[0])] * __DBL_EPSILON__ * double(m);
  for (int64_t at = 0; at < n; at++) {
    const int64_t j = int64_t(order[at]);
    if (least < lengths[j]) {
      for (int64_t i = 0; i < m; i++) u[i * n + j] /= lengths[j];
      continue;
    }
    for (int64_t unit = 0; unit < m; unit++) {
      for (int64_t i = 0; i < m; i++) u[i * n + j] = i == unit ? 1.0 : 0.0;
      for (int twice = 0; twice < 2; twice++)
        for (int64_t before = 0; before < at; before++) {
          const int64_t k = int64_t(order[before]);
          const double dot = column_product(u, m, n, j, k);
          for (int64_t i = 0; i < m; i++) u[i * n + j] -= dot * u[i * n + k];
        }
      const double length = root(column_product(u, m, n, j, j));
      if (!(0.1 / root(double(m)) < length)) continue;
      for (int64_t i = 0; i < m; i++) u[i * n + j] /= length;
      break;
    }
  }
}

template <class T>
void svd(const T* from, T* left, T* values, T* right, int64_t batch, int64_t m, int64_t n, double* room) {
  double *u = room, *v = u + m * n, *lengths = v + n * n, *order = lengths + n;
  for (int64_t b = 0; b < batch; b++, from += m * n, left += m * n, values += n, right += n * n) {
    for (int64_t i = 0; i < m * n; i++) u[i] = double(from[i]);
    for (int64_t i = 0; i < n * n; i++) v[i] = i / n == i % n ? 1.0 : 0.0;
    bool turned = true;
    for (int sweep = 0; turned && sweep < JACOBI_SWEEPS; sweep++) {
      turned = false;
      for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
          const double x = column_product(u, m, n, p, p), y = column_product(u, m, n, q, q);
          const double z = column_product(u, m, n, p, q);
          if (z == 0 || magnitude(z) <= __DBL_EPSILON__ * root(x * y)) continue;
          turned = true;
          const turn r = rotation(x, y, z);
          turn_columns(u, m, n, p, q, r);
          turn_columns(v, n, n, p, q, r);
        }
    }
    for (int64_t j = 0; j < n; j++) lengths[j] = root(column_product(u, m, n, j, j));
    order_by(lengths, order, n, true);
    orthonormal(u, lengths, order, m, n);
    for (int64_t j = 0; j < n; j++) {
      const int64_t k = int64_t(order[j]);
      values[j] = T(lengths[k]);
      for (int64_t i = 0; i < m; i++) left[i * n + j] = T(u[i * n + k]);
      for (int64_t i = 0; i < n; i++) right[i * n + j] = T(v[i * n + k]);
    }
  }
}

}  // namespace tt
#endif
