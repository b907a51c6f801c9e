//! The incomplete gamma functions.
//!
//! With `D = x^a e^-x / Γ(a + 1)`, the lower one is `D (1 + x ∫ e^(x u) (1 - u)^a du)` over
//! `0..1`, the upper one `D a ∫ e^(-x t) (1 + t)^(a - 1) dt` over `0..∞`. Left of `a + 1` the first
//! integral has its mass at one end, right of it the second one has; both are sums over places that
//! crowd there doubly exponentially. The other function is what is missing to 1.

use ir::{DType, Result, ValueId, scalar::ScalarFn as F};
use sym::Expr;

use super::{Values, number, real_pair, where_number};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

/// How many places an integral is a sum over.
const PLACES: i64 = 256;

/// The places of a sum from `start` to `end`, as a vector, and their distance.
fn places(cx: &mut Cx<'_, '_>, start: f64, end: f64) -> Result<(ValueId, f64)> {
    let step = (end - start) / (PLACES - 1) as f64;
    let shape = [Expr::int(PLACES)];
    Ok((cx.iota(&shape, 0, float(start), float(step), DType::F64)?, step))
}

fn column(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let rank = cx.rank(x);
    cx.unsqueeze(x, rank)
}

/// The sum of the exponentials times weights, along the places.
fn integral(cx: &mut Cx<'_, '_>, power: ValueId, weight: ValueId, step: f64) -> Result<ValueId> {
    let value = cx.map(F::Exp, power)?;
    let value = cx.zip(F::Mul, value, weight)?;
    let last = cx.rank(value).saturating_sub(1);
    let sum = cx.reduce("sum", value, &[last], false)?;
    number(cx, F::Mul, sum, step)
}

/// `∫ e^(x u) (1 - u)^a du` with `u = 1 / (1 + exp(-π sinh s))`.
fn near_integral(cx: &mut Cx<'_, '_>, a: ValueId, x: ValueId) -> Result<ValueId> {
    let (s, step) = places(cx, -3.7, 3.7)?;
    let bend = cx.map(F::Sinh, s)?;
    let bend = number(cx, F::Mul, bend, std::f64::consts::PI)?;
    let u = cx.map(F::Sigmoid, bend)?;
    let rise = cx.map(F::Exp, bend)?;
    let rest = cx.map(F::Log1p, rise)?;
    let rest = cx.map(F::Neg, rest)?;
    let left = cx.map(F::Exp, rest)?;
    let slope = cx.map(F::Cosh, s)?;
    let slope = number(cx, F::Mul, slope, std::f64::consts::PI)?;
    let weight = cx.zip(F::Mul, u, left)?;
    let weight = cx.zip(F::Mul, weight, slope)?;
    let (a, x) = (column(cx, a)?, column(cx, x)?);
    let up = cx.zip(F::Mul, x, u)?;
    let down = cx.zip(F::Mul, a, rest)?;
    let power = cx.zip(F::Add, up, down)?;
    integral(cx, power, weight, step)
}

/// `∫ e^(-x t) (1 + t)^(a - 1) dt` with `t = exp(s - exp(-s)) / λ`, where `1 / λ` is about the
/// width of the integrand.
fn far_integral(cx: &mut Cx<'_, '_>, a: ValueId, x: ValueId) -> Result<ValueId> {
    let (s, step) = places(cx, -4.0, 4.2)?;
    let back = cx.map(F::Neg, s)?;
    let back = cx.map(F::Exp, back)?;
    let power = cx.zip(F::Sub, s, back)?;
    let w = cx.map(F::Exp, power)?;
    let weight = number(cx, F::Add, back, 1.0)?;
    let weight = cx.zip(F::Mul, weight, w)?;
    let less = number(cx, F::Sub, a, 1.0)?;
    let more = number(cx, F::Max, less, 0.0)?;
    let apart = cx.zip(F::Sub, x, more)?;
    let width = cx.map(F::Sqrt, more)?;
    let scale = cx.zip(F::Add, apart, width)?;
    let (less, x, own) = (column(cx, less)?, column(cx, x)?, column(cx, scale)?);
    let t = cx.zip(F::Div, w, own)?;
    let down = cx.zip(F::Mul, x, t)?;
    let up = cx.map(F::Log1p, t)?;
    let up = cx.zip(F::Mul, less, up)?;
    let power = cx.zip(F::Sub, up, down)?;
    let sum = integral(cx, power, weight, step)?;
    cx.zip(F::Div, sum, scale)
}

/// The lower function, or the upper one, of positive arguments.
fn of_positive(cx: &mut Cx<'_, '_>, a: ValueId, x: ValueId, upper: bool) -> Result<ValueId> {
    let limit = number(cx, F::Add, a, 1.0)?;
    let is_near = cx.zip(F::Lt, x, limit)?;
    let (low, high) = (cx.zip(F::Min, x, limit)?, cx.zip(F::Max, x, limit)?);
    let log = cx.map(F::Log, x)?;
    let power = cx.zip(F::Mul, a, log)?;
    let power = cx.zip(F::Sub, power, x)?;
    let factorial = cx.map(F::Lgamma, limit)?;
    let power = cx.zip(F::Sub, power, factorial)?;
    let scale = cx.map(F::Exp, power)?;
    let near = near_integral(cx, a, low)?;
    let near = cx.zip(F::Mul, x, near)?;
    let near = number(cx, F::Add, near, 1.0)?;
    let near = cx.zip(F::Mul, scale, near)?;
    let far = far_integral(cx, a, high)?;
    let far = cx.zip(F::Mul, a, far)?;
    let far = cx.zip(F::Mul, scale, far)?;
    let one = cx.full_like(x, int(1))?;
    match upper {
        false => {
            let rest = cx.zip(F::Sub, one, far)?;
            cx.select(is_near, near, rest)
        }
        true => {
            let rest = cx.zip(F::Sub, one, near)?;
            cx.select(is_near, rest, far)
        }
    }
}

/// The regularised function; at the ends what eager gives there.
pub(super) fn incomplete(cx: &mut Cx<'_, '_>, upper: bool) -> Values {
    let (start, end) = if upper { (1.0, 0.0) } else { (0.0, 1.0) };
    real_pair(cx, ["self", "other"], |cx, a, x| {
        let res = of_positive(cx, a, x, upper)?;
        let empty = number(cx, F::Eq, x, 0.0)?;
        let res = where_number(cx, empty, start, res)?;
        let all = number(cx, F::Eq, x, f64::INFINITY)?;
        let res = where_number(cx, all, end, res)?;
        // Infinitely many: nothing of it is below any number, and who knows of infinity.
        let many = number(cx, F::Eq, a, f64::INFINITY)?;
        let both = cx.zip(F::And, many, all)?;
        let res = where_number(cx, many, start, res)?;
        let res = where_number(cx, both, f64::NAN, res)?;
        let none = number(cx, F::Eq, a, 0.0)?;
        let res = where_number(cx, none, end, res)?;
        let both = cx.zip(F::And, none, empty)?;
        let res = where_number(cx, both, f64::NAN, res)?;
        let (low_a, low_x) = (number(cx, F::Lt, a, 0.0)?, number(cx, F::Lt, x, 0.0)?);
        let low = cx.zip(F::Or, low_a, low_x)?;
        let res = where_number(cx, low, f64::NAN, res)?;
        let (no_a, no_x) = (cx.map(F::IsNan, a)?, cx.map(F::IsNan, x)?);
        let nan = cx.zip(F::Or, no_a, no_x)?;
        where_number(cx, nan, f64::NAN, res)
    })
}
