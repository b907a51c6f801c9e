//! Airy's function `Ai`.
//!
//! Its power series around 0, the asymptotic waves far to the left, and to the right the integral
//! of the modified Bessel function of order 1/3 that it is.

use ir::{DType, Result, ValueId, scalar::ScalarFn as F};
use sym::Expr;

use super::{number, polynomial, where_number};
use crate::decompose::{cx::Cx, emit::float};

/// Left of this the waves are used, right of the other the integral.
const LEFT: f64 = -7.0;
const RIGHT: f64 = 2.0;

/// `Ai(0)` and `-Ai'(0)`.
const AT_ZERO: f64 = 0.355_028_053_887_817_2;
const SLOPE: f64 = 0.258_819_403_792_806_8;

/// Both power series go in `x³`.
fn near(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let series = |first: f64, shift: f64| {
        let mut terms = vec![first];
        for k in 1..45 {
            let three = 3.0 * f64::from(k);
            terms.push(terms[terms.len() - 1] / ((three - 1.0 + shift) * (three + shift)));
        }
        terms
    };
    let square = cx.zip(F::Mul, x, x)?;
    let cube = cx.zip(F::Mul, square, x)?;
    let even = polynomial(cx, cube, &series(AT_ZERO, 0.0))?;
    let odd = polynomial(cx, cube, &series(SLOPE, 1.0))?;
    let odd = cx.zip(F::Mul, x, odd)?;
    cx.zip(F::Sub, even, odd)
}

/// Two thirds of the power 3/2.
fn phase(cx: &mut Cx<'_, '_>, z: ValueId) -> Result<ValueId> {
    let root = cx.map(F::Sqrt, z)?;
    let power = cx.zip(F::Mul, z, root)?;
    number(cx, F::Mul, power, 2.0 / 3.0)
}

/// At `-z`: waves whose amplitudes are series in one over the phase.
fn left(cx: &mut Cx<'_, '_>, z: ValueId) -> Result<ValueId> {
    let phase = phase(cx, z)?;
    let mut terms = vec![1.0];
    for k in 1..24 {
        let k = f64::from(k);
        let next =
            (6.0 * k - 5.0) * (6.0 * k - 3.0) * (6.0 * k - 1.0) / (216.0 * k * (2.0 * k - 1.0));
        terms.push(terms[terms.len() - 1] * next);
    }
    let signed = |from: usize| -> Vec<f64> {
        let part = terms.iter().skip(from).step_by(2).enumerate();
        part.map(|(k, it)| if k % 2 == 0 { *it } else { -it }).collect()
    };
    let step = cx.map(F::Reciprocal, phase)?;
    let square = cx.zip(F::Mul, step, step)?;
    let even = polynomial(cx, square, &signed(0))?;
    let odd = polynomial(cx, square, &signed(1))?;
    let odd = cx.zip(F::Mul, odd, step)?;
    let angle = number(cx, F::Add, phase, std::f64::consts::FRAC_PI_4)?;
    let (sin, cos) = (cx.map(F::Sin, angle)?, cx.map(F::Cos, angle)?);
    let (sin, cos) = (cx.zip(F::Mul, sin, even)?, cx.zip(F::Mul, cos, odd)?);
    let wave = cx.zip(F::Sub, sin, cos)?;
    let root = cx.map(F::Sqrt, z)?;
    let root = cx.map(F::Sqrt, root)?;
    let wave = cx.zip(F::Div, wave, root)?;
    number(cx, F::Mul, wave, super::FRAC_1_SQRT_PI)
}

/// `sqrt(x / 3) / π ∫ exp(-ζ cosh t) cosh(t / 3) dt`, up to where nothing is left of the first.
fn right(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    const PLACES: i64 = 64;
    let phase = phase(cx, x)?;
    let end = cx.map(F::Reciprocal, phase)?;
    let end = number(cx, F::Mul, end, 45.0)?;
    let end = number(cx, F::Add, end, 1.0)?;
    let end = cx.map(F::Acosh, end)?;
    let step = number(cx, F::Mul, end, 1.0 / (PLACES - 1) as f64)?;
    let place = cx.iota(&[Expr::int(PLACES)], 0, float(0.0), float(1.0), DType::F64)?;
    let rank = cx.rank(x);
    let (own, width) = (cx.unsqueeze(phase, rank)?, cx.unsqueeze(step, rank)?);
    let t = cx.zip(F::Mul, place, width)?;
    let cosh = cx.map(F::Cosh, t)?;
    let power = cx.zip(F::Mul, own, cosh)?;
    let power = cx.map(F::Neg, power)?;
    let value = cx.map(F::Exp, power)?;
    let third = number(cx, F::Mul, t, 1.0 / 3.0)?;
    let third = cx.map(F::Cosh, third)?;
    let value = cx.zip(F::Mul, value, third)?;
    // The sum is that of a trapezoid: its first place counts half.
    let first = number(cx, F::Eq, place, 0.0)?;
    let one = cx.full_like(place, float(1.0))?;
    let weight = where_number(cx, first, 0.5, one)?;
    let value = cx.zip(F::Mul, value, weight)?;
    let sum = cx.reduce("sum", value, &[rank], false)?;
    let sum = cx.zip(F::Mul, sum, step)?;
    let scale = number(cx, F::Mul, x, 1.0 / 3.0)?;
    let scale = cx.map(F::Sqrt, scale)?;
    let scale = number(cx, F::Mul, scale, std::f64::consts::FRAC_1_PI)?;
    cx.zip(F::Mul, scale, sum)
}

pub(super) fn ai(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let negative = cx.map(F::Neg, x)?;
    let far = number(cx, F::Max, negative, -LEFT)?;
    let wave = left(cx, far)?;
    let far = number(cx, F::Max, x, RIGHT)?;
    let tail = right(cx, far)?;
    let middle = number(cx, F::Max, x, LEFT)?;
    let middle = number(cx, F::Min, middle, RIGHT)?;
    let middle = near(cx, middle)?;
    let is_right = number(cx, F::Gt, x, RIGHT)?;
    let is_left = number(cx, F::Lt, x, LEFT)?;
    let res = cx.select(is_right, tail, middle)?;
    let res = cx.select(is_left, wave, res)?;
    // Eager has no value at the ends.
    let nothing = cx.zip(F::Sub, x, x)?;
    let odd = number(cx, F::Ne, nothing, 0.0)?;
    where_number(cx, odd, f64::NAN, res)
}
