//! Factors of matrices: the list that every level shares, with types and an evaluator.
//!
//! Operands and results have one batch dimension in front. What is said here holds for the
//! evaluator and for the C++ kernels (`vec_linalg.h`) alike: both follow LAPACK in what is free,
//! but for the signs of eigenvectors and singular vectors, which LAPACK does not fix.

mod matrix;

use sym::Expr;

use crate::{DType, HostTensor, TensorType, Type, scalar::Elem};

/// What is computed of one or two batches of matrices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Factor {
    /// Of `a` `[b, m, n]`: `L` and `U` in one matrix, with partial pivoting; the rows exchanged,
    /// counted from 1 `[b, min(m, n)]`; and the first zero pivot counted from 1, or 0 `[b]`.
    Lu,
    /// Of a matrix `[b, m, n]` and its exchanged rows `[b, k]`, as `Lu` gives them: for each row of
    /// the product of `L` and `U` the row of the matrix that it is, `[b, m]` of int64.
    Permutation,
    /// Of `a` `[b, n, n]`, of which the lower half is read: the lower factor, and the order of the
    /// first minor that is not positive, or 0 `[b]`.
    Cholesky,
    /// Of `a` `[b, m, n]`: `R` with the reflectors below it, and their scales `[b, min(m, n)]`.
    Qr,
    /// Of reflectors `[b, m, n]` and scales `[b, k]`: the first `n` columns of their product.
    Reflect,
    /// Of a lower triangle `[b, n, n]` and `[b, n, k]`: the solution of the equations.
    SolveLower,
    /// The same with an upper triangle.
    SolveUpper,
    /// Of `a` `[b, n, n]`, of which the lower half is read: eigenvalues in ascending order
    /// `[b, n]`, and eigenvectors in columns.
    Eigh,
    /// Of `a` `[b, m, n]` with `n <= m`: left vectors `[b, m, n]`, singular values in descending
    /// order `[b, n]`, and right vectors in columns `[b, n, n]`.
    Svd,
    /// Of `a` `[b, n, n]`: 1 for each index that is kept, else 0 `[b, n]` of int32. In order, an
    /// index is kept if no kept one before it has anything but zero for it: `a[before, index]`.
    Greedy,
}

impl Factor {
    /// All of them.
    pub const ALL: [Factor; 10] = [
        Factor::Lu,
        Factor::Permutation,
        Factor::Cholesky,
        Factor::Qr,
        Factor::Reflect,
        Factor::SolveLower,
        Factor::SolveUpper,
        Factor::Eigh,
        Factor::Svd,
        Factor::Greedy,
    ];

    /// Its name in IR text, and of its C++ function.
    pub fn name(self) -> &'static str {
        match self {
            Factor::Lu => "lu",
            Factor::Permutation => "permutation",
            Factor::Cholesky => "cholesky",
            Factor::Qr => "qr",
            Factor::Reflect => "reflect",
            Factor::SolveLower => "solve_lower",
            Factor::SolveUpper => "solve_upper",
            Factor::Eigh => "eigh",
            Factor::Svd => "svd",
            Factor::Greedy => "greedy",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Factor> {
        Factor::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The types of the results, or what is wrong with the operands. Whether sizes that are given
    /// twice agree is for `equal` to say.
    pub fn types(
        self,
        operands: &[&TensorType],
        equal: &dyn Fn(&Expr, &Expr) -> bool,
        less: &dyn Fn(&Expr, &Expr) -> bool,
    ) -> Result<Vec<Type>, String> {
        let dtype = operands.first().map_or(DType::F32, |it| it.dtype);
        if !matches!(dtype, DType::F32 | DType::F64) {
            return Err(format!("{} of {dtype}", self.name()));
        }
        let ranks: Vec<usize> = operands.iter().map(|it| it.rank()).collect();
        let shapes: Vec<&[Expr]> = operands.iter().map(|it| &it.shape[..]).collect();
        let second = if self == Factor::Permutation { DType::I32 } else { dtype };
        if operands.iter().skip(1).any(|it| it.dtype != second) {
            return Err(format!("a second operand that is not {second}"));
        }
        let given = |it: &[Expr]| Type::tensor(dtype, it.to_vec());
        let int = |it: Vec<Expr>| Type::tensor(DType::I32, it);
        let square = |it: &[Expr]| equal(&it[1], &it[2]);
        match (self, &ranks[..]) {
            (Factor::Lu | Factor::Qr, [3]) => {
                let [b, m, n] = shapes[0] else { return Err("a matrix".to_owned()) };
                let Some(k) = lesser(m, n, less) else {
                    return Err(format!("which of {m} and {n} is less is not known"));
                };
                let pairs = vec![b.clone(), k];
                Ok(match self {
                    Factor::Lu => vec![given(shapes[0]), int(pairs), int(vec![b.clone()])],
                    _ => vec![given(shapes[0]), Type::tensor(dtype, pairs)],
                })
            }
            (Factor::Permutation, [3, 2]) if equal(&shapes[0][0], &shapes[1][0]) => {
                Ok(vec![Type::tensor(DType::I64, shapes[0][..2].to_vec())])
            }
            (Factor::Cholesky, [3]) if square(shapes[0]) => {
                Ok(vec![given(shapes[0]), int(vec![shapes[0][0].clone()])])
            }
            (Factor::Reflect, [3, 2]) if equal(&shapes[0][0], &shapes[1][0]) => {
                Ok(vec![given(shapes[0])])
            }
            (Factor::SolveLower | Factor::SolveUpper, [3, 3])
                if square(shapes[0])
                    && equal(&shapes[0][0], &shapes[1][0])
                    && equal(&shapes[0][1], &shapes[1][1]) =>
            {
                Ok(vec![given(shapes[1])])
            }
            (Factor::Greedy, [3]) if square(shapes[0]) => Ok(vec![int(shapes[0][..2].to_vec())]),
            (Factor::Eigh, [3]) if square(shapes[0]) => {
                Ok(vec![given(&shapes[0][..2]), given(shapes[0])])
            }
            (Factor::Svd, [3]) if less(&shapes[0][2], &shapes[0][1]) => {
                let [b, _, n] = shapes[0] else { return Err("a matrix".to_owned()) };
                let right = vec![b.clone(), n.clone(), n.clone()];
                Ok(vec![given(shapes[0]), given(&right[..2]), given(&right)])
            }
            _ => {
                let all: Vec<String> = operands.iter().map(ToString::to_string).collect();
                Err(format!("{} of {}", self.name(), all.join(" and ")))
            }
        }
    }

    /// What is wrong with a matrix whose factor says so, where that can be.
    pub fn complaint(self) -> Option<&'static str> {
        match self {
            Factor::Lu => Some("a singular matrix"),
            Factor::Cholesky => Some("a matrix that is not positive definite"),
            _ => None,
        }
    }

    /// Computes it in double precision; results are rounded once. If `checked`, what
    /// [`complaint`](Factor::complaint) says is an error.
    pub fn evaluate(
        self,
        operands: &[HostTensor],
        checked: bool,
    ) -> Result<Vec<HostTensor>, String> {
        let wrong = || format!("{} of such operands", self.name());
        let a = operands.first().ok_or_else(wrong)?;
        let size = |x: &HostTensor, i: usize| -> Result<usize, String> {
            x.shape.get(i).and_then(|it| usize::try_from(*it).ok()).ok_or_else(wrong)
        };
        let (batch, m) = (size(a, 0)?, size(a, 1)?);
        let n = size(a, 2)?;
        let reals = |x: &HostTensor| -> Vec<f64> { x.elems().map(Elem::to_f64).collect() };
        let rows = reals(a);
        let second = operands.get(1).map(reals).unwrap_or_default();
        let width: usize = match operands.get(1) {
            Some(it) => (1..it.shape.len()).map(|i| size(it, i)).product::<Result<_, _>>()?,
            None => 0,
        };
        let columns =
            operands.get(1).map_or(Ok(0), |it| size(it, it.shape.len().saturating_sub(1)))?;
        let mut results: Vec<(DType, Vec<i64>, Vec<f64>)> = Vec::new();
        for i in 0..batch {
            let a = &rows[i * m * n..(i + 1) * m * n];
            let b = &second[i * width..(i + 1) * width];
            let parts = matrix::factor(self, a, b, [m, n, columns]);
            if let (true, Some(complaint)) = (checked, self.complaint())
                && parts.last().is_some_and(|it| it.data.iter().any(|it| *it != 0.0))
            {
                return Err(complaint.to_owned());
            }
            if results.is_empty() {
                results = parts.iter().map(|it| (it.dtype, it.shape.clone(), Vec::new())).collect();
            }
            for (all, part) in results.iter_mut().zip(parts) {
                all.2.extend(part.data);
            }
        }
        if batch == 0 {
            let none = matrix::factor(self, &vec![0.0; m * n], &vec![0.0; width], [m, n, columns]);
            results = none.into_iter().map(|it| (it.dtype, it.shape, Vec::new())).collect();
        }
        let whole = |(dtype, shape, data): (DType, Vec<i64>, Vec<f64>)| {
            // Floats have the dtype of the operand.
            let dtype = if dtype.is_int() { dtype } else { a.dtype };
            let shape = std::iter::once(batch as i64).chain(shape).collect();
            HostTensor::from_elems(dtype, shape, data.into_iter().map(Elem::Float))
        };
        Ok(results.into_iter().map(whole).collect())
    }
}

/// The lesser of two sizes; none where that is not known.
fn lesser(a: &Expr, b: &Expr, less: &dyn Fn(&Expr, &Expr) -> bool) -> Option<Expr> {
    match (less(a, b), less(b, a)) {
        (true, _) => Some(a.clone()),
        (_, true) => Some(b.clone()),
        _ => None,
    }
}
