//! Products of matrices, in tiles of `LANES` by `LANES` sums that stay in registers.
//!
//! Both factors are packed by rows into panels: `LANES` rows side by side, so that the innermost
//! loop reads both in order. The product of factors `a` and `b` is `a bᵀ`: entry `(i, j)` sums
//! `a[i, k] * b[j, k]` over all `k`, in order within a block of `DEPTH`.

use rayon::prelude::*;

use super::num::Num;

/// Rows per panel: row `i` is lane `i % LANES` of its panel.
pub(super) const LANES: usize = 4;

/// Products summed before a tile goes back to memory: two panels of that depth fit the first cache.
const DEPTH: usize = 256;

/// Rows of the second factor per parallel task.
const TASK: usize = 128;

/// A matrix packed for multiplication.
pub(super) struct Panels<T> {
    rows: usize,
    depth: usize,
    /// Panel by panel, for each `k` the entries of its rows; rows past the last are zero.
    data: Vec<[T; LANES]>,
}

impl<T: Num> Panels<T> {
    /// The matrix whose row `i` is `row(i)`, of which `depth` entries are read.
    pub(super) fn pack<'a>(rows: usize, depth: usize, row: impl Fn(usize) -> &'a [T]) -> Panels<T>
    where
        T: 'a,
    {
        let mut res = Panels::zero(rows, depth);
        for i in 0..rows {
            let panel = res.panel_mut(i);
            panel.iter_mut().zip(row(i)).for_each(|(to, from)| to[i % LANES] = *from);
        }
        res
    }

    /// A matrix of zeros.
    pub(super) fn zero(rows: usize, depth: usize) -> Panels<T> {
        Panels { rows, depth, data: vec![[T::ZERO; LANES]; rows.div_ceil(LANES) * depth] }
    }

    /// The panel that holds row `i`.
    pub(super) fn panel_mut(&mut self, i: usize) -> &mut [[T; LANES]] {
        &mut self.data[i / LANES * self.depth..(i / LANES + 1) * self.depth]
    }

    fn panels(&self) -> impl Iterator<Item = &[[T; LANES]]> {
        // A matrix without columns has panels all the same, each empty.
        (0..self.rows.div_ceil(LANES)).map(|i| &self.data[i * self.depth..(i + 1) * self.depth])
    }

    /// `self bᵀ`, row-major.
    pub(super) fn times(&self, b: &Panels<T>) -> Vec<T> {
        let mut out = vec![T::ZERO; self.rows * b.rows];
        for from in (0..self.depth).step_by(DEPTH) {
            let range = from..self.depth.min(from + DEPTH);
            for (j, right) in b.panels().enumerate() {
                for (i, left) in self.panels().enumerate() {
                    let sums = tile(&left[range.clone()], &right[range.clone()]);
                    let columns = j * LANES..b.rows.min((j + 1) * LANES);
                    for (r, sums) in (i * LANES..self.rows).zip(sums) {
                        let out = &mut out[r * b.rows..][columns.clone()];
                        out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                    }
                }
            }
        }
        out
    }
}

#[inline]
fn tile<T: Num>(left: &[[T; LANES]], right: &[[T; LANES]]) -> [[T; LANES]; LANES] {
    let mut sums = [[T::ZERO; LANES]; LANES];
    for (a, b) in left.iter().zip(right) {
        for (sums, a) in sums.iter_mut().zip(a) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += *a * *b;
            }
        }
    }
    sums
}

/// `a bᵀ` for row-major `a` of `m` rows and `b` of `n` rows, both `depth` wide; row-major.
pub(super) fn product<T: Num>(a: &[T], b: &[T], m: usize, n: usize, depth: usize) -> Vec<T> {
    if m < n {
        let blocks = blocks(a, b, m, n, depth);
        let mut out = vec![T::ZERO; m * n];
        for (block, first) in blocks.iter().zip((0..n).step_by(TASK)) {
            let width = TASK.min(n - first);
            for (i, row) in block.chunks_exact(width).enumerate() {
                out[i * n + first..][..width].copy_from_slice(row);
            }
        }
        return out;
    }
    // The longer factor is cut into tasks; its product comes out transposed.
    let blocks = blocks(b, a, n, m, depth);
    let mut out = vec![T::ZERO; m * n];
    for (block, first) in blocks.iter().zip((0..m).step_by(TASK)) {
        let width = TASK.min(m - first);
        for (j, column) in block.chunks_exact(width).enumerate() {
            for (i, it) in column.iter().enumerate() {
                out[(first + i) * n + j] = *it;
            }
        }
    }
    out
}

/// For each `TASK` rows of `b`, the product of `a` with them.
fn blocks<T: Num>(a: &[T], b: &[T], m: usize, n: usize, depth: usize) -> Vec<Vec<T>> {
    let left = Panels::pack(m, depth, |i| &a[i * depth..][..depth]);
    let task = |first: usize| {
        let rows = TASK.min(n - first);
        left.times(&Panels::pack(rows, depth, |j| &b[(first + j) * depth..][..depth]))
    };
    let firsts: Vec<usize> = (0..n).step_by(TASK).collect();
    firsts.into_par_iter().map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_of_any_size_is_the_sum_of_products() {
        for (m, n, depth) in
            [(1, 1, 1), (3, 5, 7), (9, 300, 2), (300, 6, 600), (4, 0, 3), (2, 3, 0)]
        {
            let a: Vec<f64> = (0..m * depth).map(|it| (it % 7) as f64 - 3.0).collect();
            let b: Vec<f64> = (0..n * depth).map(|it| (it % 5) as f64 - 2.0).collect();
            let found = product(&a, &b, m, n, depth);
            for i in 0..m {
                for j in 0..n {
                    let want: f64 = (0..depth).map(|k| a[i * depth + k] * b[j * depth + k]).sum();
                    assert_eq!(found[i * n + j], want, "{m}x{n}x{depth} at {i}, {j}");
                }
            }
        }
    }
}
