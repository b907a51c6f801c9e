//! Resizing images: what each place of the result is taken from, one dimension after the other.

mod antialias;

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// How the places of a result relate to those of the operand, along one dimension.
struct Axis {
    dim: usize,
    /// Sizes of the operand and the result.
    from: Expr,
    to: Expr,
    /// How much larger the result is, where the caller said so.
    scale: Option<f64>,
}

/// The resized dimensions, all but the first two.
fn axes(cx: &Cx<'_, '_>, x: ValueId) -> Result<Vec<Axis>> {
    let shape = cx.out_shape()?;
    let spatial = shape.len().saturating_sub(2);
    let named: &[&str] = match spatial {
        0 | 4.. => return Err(cx.error("an image of another rank")),
        1 => &["scales"],
        2 => &["scales_h", "scales_w"],
        _ => &["scales_d", "scales_h", "scales_w"],
    };
    let mut res = Vec::new();
    for i in 0..spatial {
        let scale = if cx.has("scale_factors") {
            cx.get::<Option<Vec<f64>>>("scale_factors")?.and_then(|it| it.get(i).copied())
        } else {
            cx.get::<Option<f64>>(named[i])?
        };
        res.push(Axis {
            dim: i + 2,
            from: cx.dim_size(x, i + 2),
            to: shape[i + 2].clone(),
            scale: scale.filter(|it| 0.0 < *it),
        });
    }
    Ok(res)
}

fn source(cx: &mut Cx<'_, '_>) -> Result<ValueId> {
    cx.x(if cx.has("input") { "input" } else { "self" })
}

impl Axis {
    /// Places of the operand per place of the result.
    fn ratio(&self, cx: &mut Cx<'_, '_>, dtype: DType) -> Result<ValueId> {
        if let Some(it) = self.scale {
            return cx.full(float(1.0 / it), &[], dtype);
        }
        self.quotient(cx, &self.from, &self.to, dtype)
    }

    fn quotient(&self, cx: &mut Cx<'_, '_>, a: &Expr, b: &Expr, dtype: DType) -> Result<ValueId> {
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            let value = match dtype {
                DType::F32 => f64::from(a as f32 / b as f32),
                _ => a as f64 / b as f64,
            };
            return cx.full(float(value), &[], dtype);
        }
        let a = cx.full(Number::Int(a.clone()), &[], dtype)?;
        let b = cx.full(Number::Int(b.clone()), &[], dtype)?;
        cx.zip(ScalarFn::Div, a, b)
    }

    /// Where each place of the result lies in the operand.
    fn positions(
        &self,
        cx: &mut Cx<'_, '_>,
        align: bool,
        clamp: bool,
        dtype: DType,
    ) -> Result<ValueId> {
        let one = Expr::int(1);
        let index = cx.iota(std::slice::from_ref(&self.to), 0, int(0), int(1), dtype)?;
        if align {
            if self.to == one {
                return cx.full_like(index, int(0));
            }
            let (a, b) = (self.from.clone() - one.clone(), self.to.clone() - one);
            let ratio = self.quotient(cx, &a, &b, dtype)?;
            return cx.zip(ScalarFn::Mul, index, ratio);
        }
        let ratio = self.ratio(cx, dtype)?;
        let center = cx.with_number(ScalarFn::Add, index, float(0.5))?;
        let scaled = cx.zip(ScalarFn::Mul, center, ratio)?;
        let place = cx.with_number(ScalarFn::Sub, scaled, float(0.5))?;
        if clamp { cx.with_number(ScalarFn::Max, place, int(0)) } else { Ok(place) }
    }

    fn last(&self) -> Number {
        Number::Int(self.from.clone() - Expr::int(1))
    }

    /// The elements at the indices, times their weights.
    fn tap(
        &self,
        cx: &mut Cx<'_, '_>,
        x: ValueId,
        index: ValueId,
        weight: ValueId,
    ) -> Result<ValueId> {
        let taken = cx.index(x, &[index], &[self.dim], self.dim)?;
        let mut shape = vec![Expr::int(1); cx.rank(x)];
        shape[self.dim] = self.to.clone();
        let weight = cx.reshape(weight, &shape)?;
        cx.zip(ScalarFn::Mul, taken, weight)
    }
}

fn nearest(cx: &mut Cx<'_, '_>, exact: bool) -> Values {
    let mut x = source(cx)?;
    for axis in axes(cx, x)? {
        if axis.from == axis.to && axis.scale.is_none_or(|it| it == 1.0) {
            continue;
        }
        let ratio = axis.ratio(cx, DType::F32)?;
        let index = cx.iota(std::slice::from_ref(&axis.to), 0, int(0), int(1), DType::F32)?;
        let index = if exact { cx.with_number(ScalarFn::Add, index, float(0.5))? } else { index };
        let place = cx.zip(ScalarFn::Mul, index, ratio)?;
        let place = cx.map(ScalarFn::Floor, place)?;
        let place = cx.cast(place, DType::I64)?;
        let place = cx.with_number(ScalarFn::Min, place, axis.last())?;
        x = cx.index(x, &[place], &[axis.dim], axis.dim)?;
    }
    Ok(vec![x])
}

/// The last dimension first, as eager adds up.
fn linear(cx: &mut Cx<'_, '_>) -> Values {
    let x = source(cx)?;
    let (dtype, align) = (cx.dtype_of(x), cx.flag("align_corners")?);
    let mut res = cx.widened(x)?;
    let compute = cx.dtype_of(res);
    for axis in axes(cx, x)?.into_iter().rev() {
        if axis.from == axis.to && (align || axis.scale.is_none_or(|it| it == 1.0)) {
            continue;
        }
        let place = axis.positions(cx, align, true, compute)?;
        let floor = cx.map(ScalarFn::Floor, place)?;
        let low = cx.cast(floor, DType::I64)?;
        let low = cx.with_number(ScalarFn::Min, low, axis.last())?;
        let high = cx.with_number(ScalarFn::Add, low, int(1))?;
        let high = cx.with_number(ScalarFn::Min, high, axis.last())?;
        let base = cx.cast(low, compute)?;
        let weight = cx.zip(ScalarFn::Sub, place, base)?;
        let weight = cx.with_number(ScalarFn::Max, weight, int(0))?;
        let weight = cx.with_number(ScalarFn::Min, weight, int(1))?;
        let one = cx.full_like(weight, int(1))?;
        let rest = cx.zip(ScalarFn::Sub, one, weight)?;
        let a = axis.tap(cx, res, low, rest)?;
        let b = axis.tap(cx, res, high, weight)?;
        res = cx.zip(ScalarFn::Add, a, b)?;
    }
    Ok(vec![cx.cast(res, dtype)?])
}

/// `((c3·t + c2)·t + c1)·t + c0`.
fn polynomial(cx: &mut Cx<'_, '_>, t: ValueId, coefficients: [f64; 4]) -> Result<ValueId> {
    let mut res = cx.full_like(t, float(coefficients[0]))?;
    for it in &coefficients[1..] {
        res = cx.zip(ScalarFn::Mul, res, t)?;
        res = cx.with_number(ScalarFn::Add, res, float(*it))?;
    }
    Ok(res)
}

const A: f64 = -0.75;

/// Keys' kernel within a distance of one.
fn near(cx: &mut Cx<'_, '_>, t: ValueId) -> Result<ValueId> {
    polynomial(cx, t, [A + 2.0, -(A + 3.0), 0.0, 1.0])
}

/// Keys' kernel between one and two.
fn far(cx: &mut Cx<'_, '_>, t: ValueId) -> Result<ValueId> {
    polynomial(cx, t, [A, -5.0 * A, 8.0 * A, -4.0 * A])
}

/// The weights of the four places around one that lies `t` after the second.
pub(super) fn cubic_weights(cx: &mut Cx<'_, '_>, t: ValueId) -> Result<[ValueId; 4]> {
    let one = cx.full_like(t, int(1))?;
    let rest = cx.zip(ScalarFn::Sub, one, t)?;
    let before = cx.with_number(ScalarFn::Add, t, int(1))?;
    let after = cx.with_number(ScalarFn::Add, rest, int(1))?;
    Ok([far(cx, before)?, near(cx, t)?, near(cx, rest)?, far(cx, after)?])
}

fn cubic(cx: &mut Cx<'_, '_>) -> Values {
    let x = source(cx)?;
    let (dtype, align) = (cx.dtype_of(x), cx.flag("align_corners")?);
    let mut res = cx.widened(x)?;
    let compute = cx.dtype_of(res);
    for axis in axes(cx, x)?.into_iter().rev() {
        let place = axis.positions(cx, align, false, compute)?;
        let floor = cx.map(ScalarFn::Floor, place)?;
        let t = cx.zip(ScalarFn::Sub, place, floor)?;
        let weights = cubic_weights(cx, t)?;
        let base = cx.cast(floor, DType::I64)?;
        let mut sum = None;
        for (offset, weight) in (-1..).zip(weights) {
            let index = cx.with_number(ScalarFn::Add, base, int(offset))?;
            let index = cx.with_number(ScalarFn::Max, index, int(0))?;
            let index = cx.with_number(ScalarFn::Min, index, axis.last())?;
            let tap = axis.tap(cx, res, index, weight)?;
            sum = Some(match sum {
                None => tap,
                Some(it) => cx.zip(ScalarFn::Add, it, tap)?,
            });
        }
        res = sum.unwrap_or(res);
    }
    Ok(vec![cx.cast(res, dtype)?])
}

rules! {
    "upsample_nearest1d" | "upsample_nearest1d.vec" | "upsample_nearest2d"
        | "upsample_nearest2d.vec" | "upsample_nearest3d" | "upsample_nearest3d.vec" =>
        |cx| nearest(cx, false),
    "_upsample_nearest_exact1d" | "_upsample_nearest_exact1d.vec" | "_upsample_nearest_exact2d"
        | "_upsample_nearest_exact2d.vec" | "_upsample_nearest_exact3d"
        | "_upsample_nearest_exact3d.vec" => |cx| nearest(cx, true),
    "upsample_linear1d" | "upsample_linear1d.vec" | "upsample_bilinear2d"
        | "upsample_bilinear2d.vec" | "upsample_trilinear3d" | "upsample_trilinear3d.vec" => linear,
    "_upsample_bilinear2d_aa" | "_upsample_bilinear2d_aa.vec" =>
        |cx| antialias::resized(cx, antialias::LINEAR),
    "_upsample_bicubic2d_aa" | "_upsample_bicubic2d_aa.vec" =>
        |cx| antialias::resized(cx, antialias::CUBIC),
    "upsample_bicubic2d" | "upsample_bicubic2d.vec" => cubic,
}
