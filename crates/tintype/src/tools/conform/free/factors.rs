//! Factors of matrices, which are judged by what they are factors of.

use ir::{DType, HostTensor};

/// A stack of matrices.
#[derive(Clone)]
pub(super) struct Matrices {
    dtype: DType,
    rows: usize,
    columns: usize,
    /// Row-major, one matrix after the other.
    all: Vec<Vec<f64>>,
}

impl Matrices {
    /// The matrices in the last two dimensions, which the tensor may have the other way round. None
    /// if they are not of floats.
    pub(super) fn of(tensor: &HostTensor, is_transposed: bool) -> Option<Matrices> {
        let dtype = tensor.dtype;
        allowed(dtype)?;
        let size = |it: i64| usize::try_from(it).unwrap_or(0);
        let (rows, columns) = match tensor.shape.as_slice() {
            [.., rows, columns] => (size(*rows), size(*columns)),
            _ => return None,
        };
        let elems: Vec<f64> = tensor.elems().map(|it| it.to_f64()).collect();
        let all = match rows * columns {
            0 => Vec::new(),
            n => elems.chunks(n).map(<[f64]>::to_vec).collect(),
        };
        let res = Matrices { dtype, rows, columns, all };
        Some(if is_transposed { res.transposed() } else { res })
    }

    /// Vectors, as a stack of them.
    fn diagonal(tensor: &HostTensor) -> Option<Vec<Vec<f64>>> {
        allowed(tensor.dtype)?;
        let n = usize::try_from(*tensor.shape.last()?).ok()?;
        let elems: Vec<f64> = tensor.elems().map(|it| it.to_f64()).collect();
        Some(if n == 0 { Vec::new() } else { elems.chunks(n).map(<[f64]>::to_vec).collect() })
    }

    pub(super) fn transposed(&self) -> Matrices {
        let turn = |it: &Vec<f64>| {
            let at = |i: usize| it[i % self.rows * self.columns + i / self.rows];
            (0..it.len()).map(at).collect()
        };
        Matrices {
            dtype: self.dtype,
            rows: self.columns,
            columns: self.rows,
            all: self.all.iter().map(turn).collect(),
        }
    }

    /// Whether the columns are of length one and at right angles.
    fn are_orthonormal(&self) -> bool {
        let Some(allowed) = allowed(self.dtype) else { return false };
        self.all.iter().all(|it| {
            let dot = |a: usize, b: usize| -> f64 {
                (0..self.rows).map(|i| it[i * self.columns + a] * it[i * self.columns + b]).sum()
            };
            (0..self.columns * self.columns).all(|i| {
                let (a, b) = (i / self.columns, i % self.columns);
                (dot(a, b) - f64::from(u8::from(a == b))).abs() <= allowed
            })
        })
    }

    /// Whether the sum over `k` of `left[i, k] * values[k] * right[k, j]` is this matrix.
    fn are_products(&self, left: &Matrices, values: &[Vec<f64>], right: &Matrices) -> bool {
        let Some(allowed) = allowed(self.dtype) else { return false };
        let counts = [left.all.len(), right.all.len(), values.len()];
        if self.all.iter().any(|it| it.iter().any(|it| !it.is_finite()))
            || (left.rows, right.columns) != (self.rows, self.columns)
            || counts.iter().any(|it| *it != self.all.len())
        {
            return false;
        }
        self.all.iter().enumerate().all(|(n, matrix)| {
            let largest = matrix.iter().fold(1.0, |largest: f64, it| largest.max(it.abs()));
            let (left_of, right_of, values) = (&left.all[n], &right.all[n], &values[n]);
            values.len() <= left.columns.min(right.rows)
                && matrix.iter().enumerate().all(|(at, wanted)| {
                    let (i, j) = (at / self.columns, at % self.columns);
                    let terms = values.iter().enumerate().map(|(k, it)| {
                        left_of[i * left.columns + k] * it * right_of[k * right.columns + j]
                    });
                    let sum: f64 = terms.sum();
                    (sum - wanted).abs() <= allowed * largest
                })
        })
    }
}

/// How far a product may be from the matrix, as a part of its largest element: the tolerance that
/// values of the dtype have.
fn allowed(dtype: DType) -> Option<f64> {
    match dtype {
        DType::F64 => Some(1e-7),
        DType::F32 => Some(1e-4),
        _ => None,
    }
}

/// Whether `left`, `values` and `right` (as rows) are a singular value decomposition of `of`. That
/// the values are eager's is not looked at here.
pub(super) fn are_singular(
    of: Option<HostTensor>,
    left: Option<Matrices>,
    values: Option<&HostTensor>,
    right: Option<Matrices>,
) -> bool {
    let (Some(of), Some(left), Some(values), Some(right)) = (of, left, values, right) else {
        return false;
    };
    let (Some(of), Some(values)) = (Matrices::of(&of, false), Matrices::diagonal(values)) else {
        return false;
    };
    left.are_orthonormal()
        && right.transposed().are_orthonormal()
        && of.are_products(&left, &values, &right)
}

/// Whether `vectors` (as columns) and `values` are those of the symmetric matrix of which `of` has
/// one half, `L` or `U`.
pub(super) fn are_eigen(
    of: Option<HostTensor>,
    half: &str,
    values: Option<&HostTensor>,
    vectors: Option<Matrices>,
) -> bool {
    let (Some(of), Some(values), Some(vectors)) = (of, values, vectors) else { return false };
    let (Some(mut of), Some(values)) = (Matrices::of(&of, false), Matrices::diagonal(values))
    else {
        return false;
    };
    if of.rows != of.columns {
        return false;
    }
    let n = of.rows;
    for matrix in &mut of.all {
        for (i, j) in (0..n).flat_map(|i| (0..i).map(move |j| (i, j))) {
            let (lower, upper) = (i * n + j, j * n + i);
            match half.starts_with(['L', 'l']) {
                true => matrix[upper] = matrix[lower],
                false => matrix[lower] = matrix[upper],
            }
        }
    }
    vectors.are_orthonormal() && of.are_products(&vectors, &values, &vectors.transposed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_belong_to_their_values() {
        let of = HostTensor::from_f32(vec![1, 2, 2], &[2.0, 9.0, 1.0, 2.0]);
        let half = 0.5_f32.sqrt();
        let values = |it: &[f32]| HostTensor::from_f32(vec![1, 2], it);
        let vectors = |it: &[f32]| Matrices::of(&HostTensor::from_f32(vec![1, 2, 2], it), false);
        let check = |half: &str, w: &[f32], v: &[f32]| {
            are_eigen(Some(of.clone()), half, Some(&values(w)), vectors(v))
        };
        assert!(check("L", &[1.0, 3.0], &[-half, half, half, half]));
        assert!(check("L", &[1.0, 3.0], &[half, half, -half, half]));
        assert!(!check("U", &[1.0, 3.0], &[half, half, -half, half]));
        assert!(!check("L", &[3.0, 1.0], &[half, half, -half, half]));
        assert!(!check("L", &[1.0, 3.0], &[half, half, half, half]));
        assert!(check("U", &[-7.0, 11.0], &[half, half, -half, half]));
    }
}
