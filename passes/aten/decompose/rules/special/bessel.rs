//! Modified Bessel functions of orders 0 and 1, in double precision, and the spherical one.
//!
//! Near: sums that converge for every argument. `I` is a series of positive terms; `K` is an
//! integral along the real line, by the trapezoidal rule.
//! Far: Hankel's asymptotic series.

use ir::{Result, ValueId, scalar::ScalarFn as F};

use super::{number, polynomial, where_number};
use crate::decompose::{cx::Cx, emit::int};

type Value = Result<ValueId>;

const PI: f64 = std::f64::consts::PI;
/// Euler's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;
/// From here on the asymptotic series are exact.
const FAR: f64 = 25.0;

/// The coefficients of Hankel's series in `1 / x`, for order `n`, without signs.
fn hankel(n: u32, terms: usize) -> Vec<f64> {
    let order = f64::from(4 * n * n);
    let mut res = vec![1.0];
    for k in 1..terms {
        let odd = (2 * k - 1) as f64;
        res.push(res[k - 1] * (order - odd * odd) / (8.0 * k as f64));
    }
    res
}

/// `exp(-|x|) I_n(x)`.
fn scaled_i(cx: &mut Cx<'_, '_>, x: ValueId, n: u32) -> Value {
    let size = cx.map(F::Abs, x)?;
    let half = number(cx, F::Mul, size, 0.5)?;
    let square = cx.zip(F::Mul, half, half)?;
    // Where the far series stands in, the near one need not overflow.
    let limit = cx.full_like(square, crate::decompose::emit::float(FAR * FAR / 4.0))?;
    let square = cx.zip(F::Min, square, limit)?;
    let mut terms: Vec<f64> = vec![1.0];
    for k in 1..64_u32 {
        terms.push(terms[k as usize - 1] / (f64::from(k) * f64::from(k + n)));
    }
    let mut near = polynomial(cx, square, &terms)?;
    if n == 1 {
        near = cx.zip(F::Mul, near, half)?;
    }
    let down = cx.map(F::Neg, size)?;
    let scale = cx.map(F::Exp, down)?;
    let near = cx.zip(F::Mul, near, scale)?;
    let signs = hankel(n, 22).into_iter().enumerate();
    let terms: Vec<f64> = signs.map(|(k, it)| if k % 2 == 1 { -it } else { it }).collect();
    let step = cx.map(F::Reciprocal, size)?;
    let sum = polynomial(cx, step, &terms)?;
    let turn = number(cx, F::Mul, size, 2.0 * PI)?;
    let root = cx.map(F::Sqrt, turn)?;
    let far = cx.zip(F::Div, sum, root)?;
    let is_far = number(cx, F::Gt, size, FAR)?;
    let res = cx.select(is_far, far, near)?;
    if n == 0 {
        return Ok(res);
    }
    let negative = cx.map(F::Neg, res)?;
    let left = number(cx, F::Lt, x, 0.0)?;
    cx.select(left, negative, res)
}

fn unscaled(cx: &mut Cx<'_, '_>, x: ValueId, scaled: ValueId) -> Value {
    let size = cx.map(F::Abs, x)?;
    // In halves: the function overflows later than the power.
    let half = number(cx, F::Mul, size, 0.5)?;
    let scale = cx.map(F::Exp, half)?;
    let once = cx.zip(F::Mul, scaled, scale)?;
    cx.zip(F::Mul, once, scale)
}

pub(super) fn i0e(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    scaled_i(cx, x, 0)
}

pub(super) fn i0(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    let scaled = scaled_i(cx, x, 0)?;
    unscaled(cx, x, scaled)
}

pub(super) fn i1e(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    scaled_i(cx, x, 1)
}

pub(super) fn i1(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    let scaled = scaled_i(cx, x, 1)?;
    unscaled(cx, x, scaled)
}

/// `exp(x) K_n(x)`; infinite at 0, NaN below.
fn scaled_k(cx: &mut Cx<'_, '_>, x: ValueId, n: u32) -> Value {
    // ∫ exp(-x (cosh t - 1)) cosh(n t) dt from 0, for 1 <= x.
    let one = cx.full_like(x, int(1))?;
    let safe = cx.zip(F::Max, x, one)?;
    let step = 0.2;
    let mut far = cx.full_like(x, crate::decompose::emit::float(step / 2.0))?;
    for k in 1..24 {
        let cosh = (f64::from(k) * step).cosh();
        let rate = number(cx, F::Mul, safe, 1.0 - cosh)?;
        let power = cx.map(F::Exp, rate)?;
        let term = number(cx, F::Mul, power, if n == 0 { step } else { step * cosh })?;
        far = cx.zip(F::Add, far, term)?;
    }
    let near = near_k(cx, x, n)?;
    let scale = cx.map(F::Exp, x)?;
    let near = cx.zip(F::Mul, near, scale)?;
    let is_far = cx.zip(F::Gt, x, one)?;
    let res = cx.select(is_far, far, near)?;
    let zero = number(cx, F::Eq, x, 0.0)?;
    let res = where_number(cx, zero, f64::INFINITY, res)?;
    let below = number(cx, F::Lt, x, 0.0)?;
    where_number(cx, below, f64::NAN, res)
}

/// `K_n` up to 1 by its series with a logarithm.
fn near_k(cx: &mut Cx<'_, '_>, x: ValueId, n: u32) -> Value {
    let half = number(cx, F::Mul, x, 0.5)?;
    let square = cx.zip(F::Mul, half, half)?;
    let log = cx.map(F::Log, half)?;
    let (mut own, mut other): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let (mut term, mut harmonic) = (1.0, 0.0);
    for k in 0..14_u32 {
        if k != 0 {
            term /= f64::from(k) * f64::from(k + n);
            harmonic += 1.0 / f64::from(k);
        }
        own.push(term);
        // ψ(k + 1), and for order 1 the mean of it and ψ(k + 2).
        let mean = match n {
            0 => harmonic - GAMMA,
            _ => harmonic - GAMMA + 0.5 / f64::from(k + 1),
        };
        other.push(term * mean);
    }
    let (i, rest) = (polynomial(cx, square, &own)?, polynomial(cx, square, &other)?);
    let product = cx.zip(F::Mul, log, i)?;
    if n == 0 {
        return cx.zip(F::Sub, rest, product);
    }
    let sum = cx.zip(F::Sub, product, rest)?;
    let sum = cx.zip(F::Mul, sum, half)?;
    let first = cx.map(F::Reciprocal, x)?;
    cx.zip(F::Add, first, sum)
}

pub(super) fn k0e(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    scaled_k(cx, x, 0)
}

pub(super) fn k1e(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    scaled_k(cx, x, 1)
}

fn damped(cx: &mut Cx<'_, '_>, x: ValueId, scaled: ValueId) -> Value {
    let down = cx.map(F::Neg, x)?;
    let scale = cx.map(F::Exp, down)?;
    cx.zip(F::Mul, scaled, scale)
}

pub(super) fn k0(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    let scaled = scaled_k(cx, x, 0)?;
    damped(cx, x, scaled)
}

pub(super) fn k1(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    let scaled = scaled_k(cx, x, 1)?;
    damped(cx, x, scaled)
}

/// `sin x / x`, and 0 where `x` is infinite.
pub(super) fn spherical_j0(cx: &mut Cx<'_, '_>, x: ValueId) -> Value {
    let sin = cx.map(F::Sin, x)?;
    let res = cx.zip(F::Div, sin, x)?;
    let zero = number(cx, F::Eq, x, 0.0)?;
    let res = where_number(cx, zero, 1.0, res)?;
    let infinite = cx.map(F::IsInf, x)?;
    where_number(cx, infinite, 0.0, res)
}
