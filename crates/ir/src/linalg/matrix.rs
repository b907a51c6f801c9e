//! The algorithms on one matrix in row-major order.

use super::Factor;
use crate::DType;

/// One result for one matrix.
pub(super) struct Part {
    pub dtype: DType,
    pub shape: Vec<i64>,
    pub data: Vec<f64>,
}

fn part(data: Vec<f64>, shape: &[usize]) -> Part {
    Part { dtype: DType::F64, shape: shape.iter().map(|it| *it as i64).collect(), data }
}

fn ints(data: Vec<f64>, shape: &[usize]) -> Part {
    Part { dtype: DType::I32, ..part(data, shape) }
}

/// The results for the matrix `a` `[m, n]` and the second operand `b` with so many columns.
pub(super) fn factor(kind: Factor, a: &[f64], b: &[f64], [m, n, columns]: [usize; 3]) -> Vec<Part> {
    let k = m.min(n);
    match kind {
        Factor::Lu => {
            let mut a = a.to_vec();
            let (pivots, info) = lu(&mut a, m, n);
            vec![part(a, &[m, n]), ints(pivots, &[k]), ints(vec![info], &[])]
        }
        Factor::Permutation => {
            let mut rows: Vec<f64> = (0..m).map(|it| it as f64).collect();
            for (i, with) in b.iter().enumerate().filter(|it| it.0 < m) {
                let with = (*with as usize).clamp(1, m) - 1;
                rows.swap(i, with);
            }
            vec![Part { dtype: DType::I64, ..part(rows, &[m]) }]
        }
        Factor::Cholesky => {
            let (l, info) = cholesky(a, n);
            vec![part(l, &[n, n]), ints(vec![info], &[])]
        }
        Factor::Qr => {
            let mut a = a.to_vec();
            let scales = qr(&mut a, m, n);
            vec![part(a, &[m, n]), part(scales, &[k])]
        }
        Factor::Reflect => vec![part(reflect(a, b, m, n), &[m, n])],
        Factor::SolveLower | Factor::SolveUpper => {
            let x = solve(a, b, n, columns, kind == Factor::SolveUpper);
            vec![part(x, &[n, columns])]
        }
        Factor::Eigh => {
            let (values, vectors) = eigh(a, n);
            vec![part(values, &[n]), part(vectors, &[n, n])]
        }
        Factor::Svd => {
            let (u, s, v) = svd(a, m, n);
            vec![part(u, &[m, n]), part(s, &[n]), part(v, &[n, n])]
        }
        Factor::Greedy => vec![ints(greedy(a, n), &[n])],
    }
}

fn greedy(a: &[f64], n: usize) -> Vec<f64> {
    let mut kept = vec![0.0; n];
    for i in 0..n {
        let free = (0..i).all(|before| kept[before] == 0.0 || a[before * n + i] == 0.0);
        kept[i] = if free { 1.0 } else { 0.0 };
    }
    kept
}

fn lu(a: &mut [f64], m: usize, n: usize) -> (Vec<f64>, f64) {
    let mut pivots = Vec::new();
    let mut info = 0.0;
    for k in 0..m.min(n) {
        let mut best = k;
        for i in k + 1..m {
            if a[best * n + k].abs() < a[i * n + k].abs() {
                best = i;
            }
        }
        pivots.push((best + 1) as f64);
        if a[best * n + k] == 0.0 {
            info = if info == 0.0 { (k + 1) as f64 } else { info };
            continue;
        }
        if best != k {
            (0..n).for_each(|j| a.swap(k * n + j, best * n + j));
        }
        for i in k + 1..m {
            a[i * n + k] /= a[k * n + k];
            let scale = a[i * n + k];
            (k + 1..n).for_each(|j| a[i * n + j] -= scale * a[k * n + j]);
        }
    }
    (pivots, info)
}

fn cholesky(a: &[f64], n: usize) -> (Vec<f64>, f64) {
    let mut l = vec![0.0; n * n];
    for j in 0..n {
        let square: f64 = (0..j).map(|k| l[j * n + k] * l[j * n + k]).sum();
        let rest = a[j * n + j] - square;
        if rest.is_nan() || rest <= 0.0 {
            return (l, (j + 1) as f64);
        }
        l[j * n + j] = rest.sqrt();
        for i in j + 1..n {
            let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            l[i * n + j] = (a[i * n + j] - sum) / l[j * n + j];
        }
    }
    (l, 0.0)
}

fn qr(a: &mut [f64], m: usize, n: usize) -> Vec<f64> {
    let mut scales = Vec::new();
    for k in 0..m.min(n) {
        let below: f64 = (k + 1..m).map(|i| a[i * n + k] * a[i * n + k]).sum();
        if below == 0.0 {
            scales.push(0.0);
            continue;
        }
        let first = a[k * n + k];
        let length = (first * first + below).sqrt();
        let beta = if first < 0.0 || first.is_sign_negative() { length } else { -length };
        let scale = (beta - first) / beta;
        (k + 1..m).for_each(|i| a[i * n + k] /= first - beta);
        a[k * n + k] = beta;
        for j in k + 1..n {
            let sum: f64 = (k + 1..m).map(|i| a[i * n + k] * a[i * n + j]).sum();
            let w = scale * (a[k * n + j] + sum);
            a[k * n + j] -= w;
            (k + 1..m).for_each(|i| a[i * n + j] -= w * a[i * n + k]);
        }
        scales.push(scale);
    }
    scales
}

fn reflect(a: &[f64], scales: &[f64], m: usize, n: usize) -> Vec<f64> {
    let mut q = vec![0.0; m * n];
    (0..m.min(n)).for_each(|i| q[i * n + i] = 1.0);
    for k in (0..scales.len().min(n)).rev() {
        for j in 0..n {
            let sum: f64 = (k + 1..m).map(|i| a[i * n + k] * q[i * n + j]).sum();
            let w = scales[k] * (q[k * n + j] + sum);
            q[k * n + j] -= w;
            (k + 1..m).for_each(|i| q[i * n + j] -= w * a[i * n + k]);
        }
    }
    q
}

fn solve(a: &[f64], b: &[f64], n: usize, columns: usize, upper: bool) -> Vec<f64> {
    let mut x = b.to_vec();
    for step in 0..n {
        let i = if upper { n - 1 - step } else { step };
        let known = if upper { i + 1..n } else { 0..i };
        for j in 0..columns {
            let sum: f64 = known.clone().map(|k| a[i * n + k] * x[k * columns + j]).sum();
            x[i * columns + j] = (x[i * columns + j] - sum) / a[i * n + i];
        }
    }
    x
}

/// Rotations after which `[a, c; c, b]` has no off-diagonal: cosine and sine.
fn rotation(a: f64, b: f64, c: f64) -> (f64, f64) {
    let slope = (b - a) / (2.0 * c);
    let t = slope.signum() / (slope.abs() + (1.0 + slope * slope).sqrt());
    let cos = 1.0 / (1.0 + t * t).sqrt();
    (cos, t * cos)
}

/// Sweeps over all pairs after which nothing is left to rotate, in all but hostile cases.
const SWEEPS: usize = 60;

fn eigh(a: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut s: Vec<f64> = (0..n * n)
        .map(|at| {
            let (i, j) = (at / n, at % n);
            if j <= i { a[at] } else { a[j * n + i] }
        })
        .collect();
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let (x, y, z) = (s[p * n + p], s[q * n + q], s[p * n + q]);
                if z == 0.0 || z.abs() <= f64::EPSILON * 0.01 * (x.abs() * y.abs()).sqrt() {
                    continue;
                }
                turned = true;
                let (cos, sin) = rotation(x, y, z);
                for k in 0..n {
                    let (g, h) = (s[k * n + p], s[k * n + q]);
                    s[k * n + p] = cos * g - sin * h;
                    s[k * n + q] = sin * g + cos * h;
                }
                for k in 0..n {
                    let (g, h) = (s[p * n + k], s[q * n + k]);
                    s[p * n + k] = cos * g - sin * h;
                    s[q * n + k] = sin * g + cos * h;
                    let (g, h) = (v[k * n + p], v[k * n + q]);
                    v[k * n + p] = cos * g - sin * h;
                    v[k * n + q] = sin * g + cos * h;
                }
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| s[a * n + a].total_cmp(&s[b * n + b]));
    let values = order.iter().map(|it| s[it * n + it]).collect();
    let vectors = (0..n * n).map(|at| v[at / n * n + order[at % n]]).collect();
    (values, vectors)
}

fn svd(a: &[f64], m: usize, n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut u = a.to_vec();
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    let dot = |u: &[f64], p: usize, q: usize| -> f64 {
        (0..m).map(|k| u[k * n + p] * u[k * n + q]).sum()
    };
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let (x, y, z) = (dot(&u, p, p), dot(&u, q, q), dot(&u, p, q));
                if z == 0.0 || z.abs() <= f64::EPSILON * (x * y).sqrt() {
                    continue;
                }
                turned = true;
                let (cos, sin) = rotation(x, y, z);
                let turn = |w: &mut [f64], rows: usize| {
                    for k in 0..rows {
                        let (g, h) = (w[k * n + p], w[k * n + q]);
                        w[k * n + p] = cos * g - sin * h;
                        w[k * n + q] = sin * g + cos * h;
                    }
                };
                turn(&mut u, m);
                turn(&mut v, n);
            }
        }
        if !turned {
            break;
        }
    }
    let lengths: Vec<f64> = (0..n).map(|j| dot(&u, j, j).sqrt()).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| lengths[*b].total_cmp(&lengths[*a]));
    let values: Vec<f64> = order.iter().map(|it| lengths[*it]).collect();
    let right = (0..n * n).map(|at| v[at / n * n + order[at % n]]).collect();
    let left: Vec<f64> = (0..m * n).map(|at| u[at / n * n + order[at % n]]).collect();
    (orthonormal(left, &values, m, n), values, right)
}

/// Columns over their lengths. Those that are nothing, but for rounding, become any that stand
/// upright on the others.
fn orthonormal(mut u: Vec<f64>, lengths: &[f64], m: usize, n: usize) -> Vec<f64> {
    let least = lengths.first().map_or(0.0, |it| it * f64::EPSILON * m as f64);
    for j in 0..n {
        if least < lengths[j] {
            (0..m).for_each(|i| u[i * n + j] /= lengths[j]);
            continue;
        }
        for unit in 0..m {
            (0..m).for_each(|i| u[i * n + j] = if i == unit { 1.0 } else { 0.0 });
            for _ in 0..2 {
                for k in 0..j {
                    let dot: f64 = (0..m).map(|i| u[i * n + j] * u[i * n + k]).sum();
                    (0..m).for_each(|i| u[i * n + j] -= dot * u[i * n + k]);
                }
            }
            let length: f64 = (0..m).map(|i| u[i * n + j] * u[i * n + j]).sum::<f64>().sqrt();
            if 0.1 / (m as f64).sqrt() < length {
                (0..m).for_each(|i| u[i * n + j] /= length);
                break;
            }
        }
    }
    u
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    fn product(a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Vec<f64> {
        (0..m * n).map(|at| (0..k).map(|i| a[at / n * k + i] * b[i * n + at % n]).sum()).collect()
    }

    fn transposed(a: &[f64], m: usize, n: usize) -> Vec<f64> {
        (0..m * n).map(|at| a[at % m * n + at / m]).collect()
    }

    const A: [f64; 9] = [4.0, 1.0, -2.0, 1.0, 5.0, 0.5, -2.0, 0.5, 6.0];

    #[test]
    fn factors_multiply_back() {
        let (l, info) = cholesky(&A, 3);
        assert!(info == 0.0 && close(&product(&l, &transposed(&l, 3, 3), 3, 3, 3), &A));
        let (w, v) = eigh(&A, 3);
        let scaled: Vec<f64> = (0..9).map(|at| v[at] * w[at % 3]).collect();
        assert!(close(&product(&scaled, &transposed(&v, 3, 3), 3, 3, 3), &A));
        let tall = [1.0, 2.0, 3.0, 4.0, 5.0, 6.5];
        let (u, s, v) = svd(&tall, 3, 2);
        let scaled: Vec<f64> = (0..6).map(|at| u[at] * s[at % 2]).collect();
        assert!(close(&product(&scaled, &transposed(&v, 2, 2), 3, 2, 2), &tall));
        let mut packed = tall.to_vec();
        let scales = qr(&mut packed, 3, 2);
        let q = reflect(&packed, &scales, 3, 2);
        let r = [packed[0], packed[1], 0.0, packed[3]];
        assert!(close(&product(&q, &r, 3, 2, 2), &tall));
    }

    #[test]
    fn what_is_dropped_drops_nothing() {
        let a = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        assert_eq!(greedy(&a, 3), [1.0, 0.0, 1.0]);
    }

    #[test]
    fn singular_matrices_have_upright_vectors() {
        let (u, s, _) = svd(&[1.0, 2.0, 2.0, 4.0, 3.0, 6.0], 3, 2);
        assert!(s[1].abs() < 1e-12);
        assert!(close(&product(&transposed(&u, 3, 2), &u, 2, 3, 2), &[1.0, 0.0, 0.0, 1.0]));
        let mut a = [0.0, 0.0, 0.0, 0.0];
        assert_eq!(lu(&mut a, 2, 2), (vec![1.0, 2.0], 1.0));
    }
}
