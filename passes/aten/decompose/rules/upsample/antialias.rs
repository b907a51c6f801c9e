//! Resizing with a filter as wide as the operand's places are dense: each place of the result is
//! a weighted mean, so a dimension is a product with the matrix of weights.

use ir::{Number, Result, ValueId};

use super::{Axis, Values, axes, source};
use crate::decompose::{cx::Cx, emit::float};

/// A filter over distances, and how far it reaches.
#[derive(Clone, Copy)]
pub(super) struct Filter {
    pub(super) reach: f64,
    pub(super) weight: fn(f64) -> f64,
}

/// A tent.
pub(super) const LINEAR: Filter =
    Filter { reach: 1.0, weight: |x| if x.abs() < 1.0 { 1.0 - x.abs() } else { 0.0 } };

/// Keys' cubic with -1/2.
pub(super) const CUBIC: Filter = Filter {
    reach: 2.0,
    weight: |x| {
        let (a, x) = (-0.5, x.abs());
        match x {
            x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
            _ => 0.0,
        }
    },
};

pub(super) fn resized(cx: &mut Cx<'_, '_>, filter: Filter) -> Values {
    let mut x = source(cx)?;
    if !cx.dtype_of(x).is_float() {
        return Err(cx.error(format!("a filter over {}", cx.dtype_of(x))));
    }
    let dtype = cx.dtype_of(x);
    x = cx.widened(x)?;
    let corners = cx.flag("align_corners")?;
    // The last dimension first, as eager does.
    for axis in axes(cx, x)?.iter().rev() {
        if axis.from == axis.to && axis.scale.is_none() {
            continue;
        }
        let matrix = weights(cx, axis, corners, filter, x)?;
        let last = cx.rank(x) - 1;
        let product = cx.contract(x, matrix, (&[], &[]), (&[axis.dim], &[0]))?;
        x = cx.move_dim(product, last, axis.dim)?;
    }
    Ok(vec![cx.cast(x, dtype)?])
}

/// A column of weights for each place of the result.
fn weights(
    cx: &mut Cx<'_, '_>,
    axis: &Axis,
    corners: bool,
    filter: Filter,
    like: ValueId,
) -> Result<ValueId> {
    let (Some(from), Some(to)) = (axis.from.as_int(), axis.to.as_int()) else {
        return Err(cx.error("a filter over sizes that are not known"));
    };
    cx.moderately_many("weights", from.saturating_mul(to))?;
    let scale = match (corners, axis.scale) {
        (true, _) if 1 < to => (from - 1) as f64 / (to - 1) as f64,
        (true, _) => 0.0,
        (false, Some(it)) => 1.0 / it,
        (false, None) => from as f64 / to as f64,
    };
    let wide = scale.max(1.0);
    let support = filter.reach * wide;
    let mut matrix = vec![0.0; (from * to) as usize];
    for i in 0..to {
        let center = scale * (i as f64 + 0.5);
        let first = ((center - support + 0.5) as i64).max(0);
        let end = ((center + support + 0.5) as i64).min(from);
        let own = |j: i64| (filter.weight)((j as f64 - center + 0.5) / wide);
        let total: f64 = (first..end).map(own).sum();
        for j in first..end {
            matrix[(j * to + i) as usize] = if total == 0.0 { own(j) } else { own(j) / total };
        }
    }
    let values: Vec<Number> = matrix.into_iter().map(float).collect();
    let dtype = cx.dtype_of(like);
    cx.literal(values, vec![from, to], dtype)
}
