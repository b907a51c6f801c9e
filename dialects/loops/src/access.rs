//! How a load or store moves through memory as a loop goes on.

use ir::{DType, TensorType};
use sym::{Answer, Expr, Facts, Range};

/// Facts that hold inside loops over `axes`: each axis runs from 0 up to its extent.
pub fn axis_facts(facts: &Facts, axes: &[(String, Expr)]) -> Facts {
    let mut res = facts.clone();
    for (axis, extent) in axes {
        let range = sym::range(extent, facts);
        let hi = if range.hi == i64::MAX { i64::MAX } else { (range.hi - 1).max(0) };
        res.set_range(axis, Range { lo: 0, hi });
        if extent.as_int().is_none() {
            res.assume_ge0(&(extent.clone() - Expr::int(1) - Expr::sym(axis)));
        }
    }
    res
}

/// The place of `at` in elements from the tensor's first: the sum of index times stride.
pub fn linear_offset(ty: &TensorType, at: &[Expr], facts: &Facts) -> Expr {
    let strides = ty.strides.as_deref().unwrap_or(&[]);
    let sum = at
        .iter()
        .zip(strides)
        .fold(Expr::int(0), |sum, (index, stride)| sum + index.clone() * stride.clone());
    sym::simplify(&sum, facts)
}

/// How a place depends on one axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Not at all.
    Uniform,
    /// The next element at the next step.
    Contiguous,
    /// That many elements on at the next step.
    Strided(Expr),
    /// In no such way.
    Gather,
}

/// How `offset` depends on `axis`.
pub fn lane_access(offset: &Expr, axis: &str, facts: &Facts) -> Lane {
    match offset.linear_in(axis) {
        _ if !offset.symbols().iter().any(|it| &**it == axis) => Lane::Uniform,
        Some((step, _)) if sym::equal(&step, &Expr::int(1), facts) == Answer::Proven => {
            Lane::Contiguous
        }
        Some((step, _)) => Lane::Strided(step),
        None => Lane::Gather,
    }
}

/// The dtype of a complex dtype's parts; of others it is the dtype itself.
pub fn part_dtype(dtype: DType) -> DType {
    match dtype {
        DType::C64 => DType::F32,
        DType::C128 => DType::F64,
        it => it,
    }
}

/// The memory of a complex tensor as kernels see it: its parts are a last dimension of 2.
pub fn parts_type(ty: &TensorType) -> TensorType {
    let two = Expr::int(2);
    let shape = ty.shape.iter().cloned().chain([two.clone()]).collect();
    let strides = ty.strides.as_ref().map(|strides| {
        let wide = strides.iter().map(|it| it.clone() * two.clone());
        wide.chain([Expr::int(1)]).collect()
    });
    TensorType { dtype: part_dtype(ty.dtype), shape, strides }
}
