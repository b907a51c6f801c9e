//! Special functions.
//!
//! Each is a series or an integral that converges for every argument that it is asked for, so that
//! there are no tables of coefficients to trust. All are computed in double precision and rounded
//! once: they are rare, and float32 would need other series.

mod airy;
mod bessel;
mod gamma;
mod orthogonal;
mod waves;

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn as F};

use super::rules;
use crate::{
    decompose::{
        cx::{Cx, Input},
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// A function of `self` or `x` in double precision, rounded once.
fn real(
    cx: &mut Cx<'_, '_>,
    f: impl FnOnce(&mut Cx<'_, '_>, ValueId) -> Result<ValueId>,
) -> Values {
    let x = cx.x(if cx.has("self") { "self" } else { "x" })?;
    let dtype = promote::to_float(cx.dtype_of(x));
    let wide = cx.cast(x, DType::F64)?;
    let res = f(cx, wide)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// A function of two operands in double precision, rounded once.
fn real_pair(
    cx: &mut Cx<'_, '_>,
    names: [&str; 2],
    f: impl FnOnce(&mut Cx<'_, '_>, ValueId, ValueId) -> Result<ValueId>,
) -> Values {
    let [a, b] = [cx.input(names[0])?, cx.input(names[1])?];
    let inputs: [Input; 2] = [a, b];
    let dtype = promote::to_float(cx.result_type(&inputs));
    let a = cx.as_dtype(&inputs[0], DType::F64)?;
    let b = cx.as_dtype(&inputs[1], DType::F64)?;
    let [a, b] = cx.broadcast([a, b])?;
    let res = f(cx, a, b)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `c[0] + x (c[1] + x (c[2] + …))`.
fn polynomial(cx: &mut Cx<'_, '_>, x: ValueId, coefficients: &[f64]) -> Result<ValueId> {
    let Some((last, others)) = coefficients.split_last() else { return cx.full_like(x, int(0)) };
    let mut sum = cx.full_like(x, float(*last))?;
    for it in others.iter().rev() {
        let product = cx.zip(F::Mul, sum, x)?;
        sum = cx.with_number(F::Add, product, float(*it))?;
    }
    Ok(sum)
}

fn number(cx: &mut Cx<'_, '_>, function: F, x: ValueId, number: f64) -> Result<ValueId> {
    cx.with_number(function, x, float(number))
}

/// `number` where the condition holds.
fn where_number(
    cx: &mut Cx<'_, '_>,
    cond: ValueId,
    number: f64,
    otherwise: ValueId,
) -> Result<ValueId> {
    let number = cx.full_like(otherwise, float(number))?;
    cx.select(cond, number, otherwise)
}

const FRAC_1_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI / 2.0;

/// `exp(x²) erfc(x)`.
fn erfcx_of(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let square = cx.zip(F::Mul, x, x)?;
    let power = cx.map(F::Exp, square)?;
    let tail = cx.map(F::Erfc, x)?;
    let near = cx.zip(F::Mul, power, tail)?;
    // Far out the powers overflow; the asymptotic series in 1 / (2 x²) is exact there.
    let mut terms = vec![1.0];
    for k in 1..14 {
        terms.push(-terms[k - 1] * (2 * k - 1) as f64);
    }
    let twice = number(cx, F::Mul, square, 2.0)?;
    let step = cx.map(F::Reciprocal, twice)?;
    let sum = polynomial(cx, step, &terms)?;
    let sum = number(cx, F::Mul, sum, FRAC_1_SQRT_PI)?;
    let far = cx.zip(F::Div, sum, x)?;
    let is_far = number(cx, F::Gt, x, 9.0)?;
    cx.select(is_far, far, near)
}

/// The logarithm of the normal distribution function.
fn log_ndtr_of(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let scaled = number(cx, F::Mul, x, std::f64::consts::FRAC_1_SQRT_2)?;
    let other = cx.map(F::Neg, scaled)?;
    // Below -1 the tail is a power of e that would vanish.
    let mirrored = erfcx_of(cx, other)?;
    let half = number(cx, F::Mul, mirrored, 0.5)?;
    let log = cx.map(F::Log, half)?;
    let square = cx.zip(F::Mul, scaled, scaled)?;
    let low = cx.zip(F::Sub, log, square)?;
    let tail = cx.map(F::Erfc, scaled)?;
    let tail = number(cx, F::Mul, tail, -0.5)?;
    let high = cx.map(F::Log1p, tail)?;
    let is_low = number(cx, F::Lt, x, -1.0)?;
    cx.select(is_low, low, high)
}

/// The inverse of the normal distribution function: Newton's method on its logarithm in the
/// tails, where `erfinv` has lost the digits.
fn ndtri_of(cx: &mut Cx<'_, '_>, p: ValueId) -> Result<ValueId> {
    let twice = number(cx, F::Mul, p, 2.0)?;
    let centred = number(cx, F::Sub, twice, 1.0)?;
    let middle = cx.map(F::Erfinv, centred)?;
    let middle = number(cx, F::Mul, middle, std::f64::consts::SQRT_2)?;
    let log = cx.map(F::Log, p)?;
    // `-sqrt(-2 log p)` less its next term.
    let size = number(cx, F::Mul, log, -2.0)?;
    let root = cx.map(F::Sqrt, size)?;
    let inner = number(cx, F::Mul, root, (2.0 * std::f64::consts::PI).sqrt())?;
    let inner = cx.map(F::Log, inner)?;
    let less = cx.zip(F::Div, inner, root)?;
    let mut x = cx.zip(F::Sub, less, root)?;
    for _ in 0..5 {
        let value = log_ndtr_of(cx, x)?;
        let error = cx.zip(F::Sub, value, log)?;
        // The slope of the logarithm is density over distribution.
        let square = cx.zip(F::Mul, x, x)?;
        let power = number(cx, F::Mul, square, -0.5)?;
        let power = number(cx, F::Sub, power, 0.5 * (2.0 * std::f64::consts::PI).ln())?;
        let slope = cx.zip(F::Sub, power, value)?;
        let slope = cx.map(F::Exp, slope)?;
        let step = cx.zip(F::Div, error, slope)?;
        x = cx.zip(F::Sub, x, step)?;
    }
    let tail = number(cx, F::Lt, p, 0.05)?;
    let res = cx.select(tail, x, middle)?;
    let nothing = number(cx, F::Eq, p, 0.0)?;
    where_number(cx, nothing, f64::NEG_INFINITY, res)
}

/// `ζ(2, x)`. Below a half it is reflected, as in eager, in the dtype that this computes in: its
/// poles at negative integers are as high as the sine there is far from 0.
fn trigamma(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = promote::to_float(cx.dtype_of(x));
    let own = cx.cast(x, promote::compute_type(dtype))?;
    let below = number(cx, F::Lt, own, 0.5)?;
    let angle = number(cx, F::Mul, own, std::f64::consts::PI)?;
    let sine = cx.map(F::Sin, angle)?;
    let wide = cx.cast(own, DType::F64)?;
    let one = cx.full_like(wide, int(1))?;
    let mirrored = cx.zip(F::Sub, one, wide)?;
    let point = cx.select(below, mirrored, wide)?;
    let s = cx.full_like(point, int(2))?;
    let value = cx.zip(F::Zeta, s, point)?;
    let sine = cx.cast(sine, DType::F64)?;
    let sine = cx.zip(F::Mul, sine, sine)?;
    let top = cx.full_like(sine, float(std::f64::consts::PI.powi(2)))?;
    let whole = cx.zip(F::Div, top, sine)?;
    let reflected = cx.zip(F::Sub, whole, value)?;
    let res = cx.select(below, reflected, value)?;
    Ok(vec![cx.cast(res, dtype)?])
}

fn zeta(cx: &mut Cx<'_, '_>) -> Values {
    real_pair(cx, ["self", "other"], |cx, s, q| cx.zip(F::Zeta, s, q))
}

/// `(-1)^(n+1) n! ζ(n + 1, x)`; the digamma function for `n = 0`.
fn polygamma(cx: &mut Cx<'_, '_>) -> Values {
    let n = cx.int("n")?;
    if !(0..=150).contains(&n) {
        return Err(cx.error(format!("a derivative of order {n}")));
    }
    if n == 0 {
        return super::unary::floating(cx, F::Digamma);
    }
    if n == 1 {
        return trigamma(cx);
    }
    let factorial: f64 = (1..=n).map(|it| it as f64).product();
    let scale = if n % 2 == 1 { factorial } else { -factorial };
    real(cx, |cx, x| {
        let s = cx.full_like(x, float((n + 1) as f64))?;
        let value = cx.zip(F::Zeta, s, x)?;
        number(cx, F::Mul, value, scale)
    })
}

fn divisors(cx: &mut Cx<'_, '_>, multiple: bool) -> Values {
    let (a, b) = (cx.input("self")?, cx.input("other")?);
    let inputs = [a, b];
    let dtype = cx.result_type(&inputs);
    if !dtype.is_int() {
        return Err(cx.error(format!("divisors of {dtype}")));
    }
    let a = cx.as_dtype(&inputs[0], dtype)?;
    let b = cx.as_dtype(&inputs[1], dtype)?;
    let [a, b] = cx.broadcast([a, b])?;
    let divisor = cx.zip(F::Gcd, a, b)?;
    if !multiple {
        return Ok(vec![divisor]);
    }
    let zero = cx.full_like(a, int(0))?;
    let one = cx.full_like(a, int(1))?;
    let none = cx.zip(F::Eq, divisor, zero)?;
    let safe = cx.select(none, one, divisor)?;
    let quotient = cx.zip(F::TruncDiv, a, safe)?;
    let product = cx.zip(F::Mul, quotient, b)?;
    let size = cx.map(F::Abs, product)?;
    Ok(vec![cx.select(none, zero, size)?])
}

/// Mantissa in [0.5, 1) and exponent.
fn frexp(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    let wide = cx.cast(x, DType::F64)?;
    let mut size = cx.map(F::Abs, wide)?;
    // Numbers too small for a full exponent are scaled first.
    let small = number(cx, F::Lt, size, f64::MIN_POSITIVE)?;
    let lifted = number(cx, F::Mul, size, 2f64.powi(54))?;
    size = cx.select(small, lifted, size)?;
    let bits = cx.bitcast(size, DType::I64)?;
    let shift = cx.full_like(bits, int(52))?;
    let exponent = cx.zip(F::Shr, bits, shift)?;
    let exponent = cx.with_number(F::Sub, exponent, int(1022))?;
    let down = cx.with_number(F::Sub, exponent, int(54))?;
    let exponent = cx.select(small, down, exponent)?;
    let kept = cx.full_like(bits, int((1 << 52) - 1))?;
    let fraction = cx.zip(F::And, bits, kept)?;
    let half = cx.full_like(bits, int(1022 << 52))?;
    let mantissa = cx.zip(F::Or, fraction, half)?;
    let mantissa = cx.bitcast(mantissa, DType::F64)?;
    let mantissa = cx.zip(F::CopySign, mantissa, wide)?;
    // Zero, infinity and NaN stay.
    let zero = number(cx, F::Eq, wide, 0.0)?;
    let (nan, inf) = (cx.map(F::IsNan, wide)?, cx.map(F::IsInf, wide)?);
    let odd = cx.zip(F::Or, nan, inf)?;
    let odd = cx.zip(F::Or, odd, zero)?;
    let mantissa = cx.select(odd, wide, mantissa)?;
    let none = cx.full_like(exponent, int(0))?;
    let exponent = cx.select(odd, none, exponent)?;
    Ok(vec![cx.cast(mantissa, dtype)?, cx.cast(exponent, DType::I32)?])
}

/// A window over `length` places as a function of the place over the last one.
fn window(
    cx: &mut Cx<'_, '_>,
    f: impl FnOnce(&mut Cx<'_, '_>, ValueId, f64) -> Result<ValueId>,
) -> Values {
    let out = cx.out(0)?.clone();
    let length = out.shape.first().and_then(sym::Expr::as_int);
    let length = length.ok_or_else(|| cx.error("a window of unknown length"))?;
    let periodic = !cx.has("periodic") || cx.flag("periodic")?;
    if length < 2 {
        return Ok(vec![cx.full(int(1), &out.shape, out.dtype)?]);
    }
    let last = if periodic { length } else { length - 1 };
    let place = cx.iota(&out.shape, 0, int(0), int(1), DType::F64)?;
    let res = f(cx, place, last as f64)?;
    Ok(vec![cx.cast(res, out.dtype)?])
}

/// A sum of cosines of multiples of the turn.
fn cosines(cx: &mut Cx<'_, '_>, weights: &[f64]) -> Values {
    window(cx, |cx, place, last| {
        let mut sum = cx.full_like(place, float(weights[0]))?;
        for (k, weight) in weights.iter().enumerate().skip(1) {
            let turn = 2.0 * std::f64::consts::PI * k as f64 / last;
            let angle = number(cx, F::Mul, place, turn)?;
            let cos = cx.map(F::Cos, angle)?;
            let term = number(cx, F::Mul, cos, *weight)?;
            sum = cx.zip(F::Add, sum, term)?;
        }
        Ok(sum)
    })
}

fn hamming(cx: &mut Cx<'_, '_>) -> Values {
    let given = |cx: &Cx<'_, '_>, name: &str, usual: f64| match cx.has(name) {
        true => cx.float(name),
        false => Ok(usual),
    };
    let (alpha, beta) = (given(cx, "alpha", 0.54)?, given(cx, "beta", 0.46)?);
    cosines(cx, &[alpha, -beta])
}

fn bartlett(cx: &mut Cx<'_, '_>) -> Values {
    window(cx, |cx, place, last| {
        let up = number(cx, F::Mul, place, 2.0 / last)?;
        let two = cx.full_like(up, float(2.0))?;
        let down = cx.zip(F::Sub, two, up)?;
        cx.zip(F::Min, up, down)
    })
}

fn kaiser(cx: &mut Cx<'_, '_>) -> Values {
    let beta = if cx.has("beta") { cx.float("beta")? } else { 12.0 };
    window(cx, |cx, place, last| {
        let scaled = number(cx, F::Mul, place, 2.0 / last)?;
        let centred = number(cx, F::Sub, scaled, 1.0)?;
        let square = cx.zip(F::Mul, centred, centred)?;
        let one = cx.full_like(square, float(1.0))?;
        let rest = cx.zip(F::Sub, one, square)?;
        let zero = cx.full_like(rest, float(0.0))?;
        let rest = cx.zip(F::Max, rest, zero)?;
        let root = cx.map(F::Sqrt, rest)?;
        let x = number(cx, F::Mul, root, beta)?;
        let up = bessel::i0(cx, x)?;
        let full = cx.full_like(x, Number::Float(beta))?;
        let down = bessel::i0(cx, full)?;
        cx.zip(F::Div, up, down)
    })
}

rules! {
    "special_erfcx" => |cx| real(cx, erfcx_of),
    "special_log_ndtr" => |cx| real(cx, log_ndtr_of),
    "special_ndtri" => |cx| real(cx, ndtri_of),
    "special_zeta" | "special_zeta.other_scalar" | "special_zeta.self_scalar" => zeta,
    "polygamma" | "special_polygamma" => polygamma,
    "igamma" | "special_gammainc" => |cx| gamma::incomplete(cx, false),
    "igammac" | "special_gammaincc" => |cx| gamma::incomplete(cx, true),
    "special_airy_ai" => |cx| real(cx, airy::ai),
    "gcd" => |cx| divisors(cx, false),
    "lcm" => |cx| divisors(cx, true),
    "frexp.Tensor" => frexp,
    "i0" | "special_i0" | "special_modified_bessel_i0" => |cx| real(cx, bessel::i0),
    "special_i0e" => |cx| real(cx, bessel::i0e),
    "special_i1" | "special_modified_bessel_i1" => |cx| real(cx, bessel::i1),
    "special_i1e" => |cx| real(cx, bessel::i1e),
    "special_modified_bessel_k0" => |cx| real(cx, bessel::k0),
    "special_modified_bessel_k1" => |cx| real(cx, bessel::k1),
    "special_scaled_modified_bessel_k0" => |cx| real(cx, bessel::k0e),
    "special_scaled_modified_bessel_k1" => |cx| real(cx, bessel::k1e),
    "special_bessel_j0" => |cx| real(cx, waves::j0),
    "special_bessel_j1" => |cx| real(cx, waves::j1),
    "special_bessel_y0" => |cx| real(cx, waves::y0),
    "special_bessel_y1" => |cx| real(cx, waves::y1),
    "special_spherical_bessel_j0" => |cx| real(cx, bessel::spherical_j0),
    "special_chebyshev_polynomial_t" | "special_chebyshev_polynomial_t.x_scalar"
        | "special_chebyshev_polynomial_t.n_scalar" => |cx| orthogonal::chebyshev(cx, 't', false),
    "special_chebyshev_polynomial_u" | "special_chebyshev_polynomial_u.x_scalar"
        | "special_chebyshev_polynomial_u.n_scalar" => |cx| orthogonal::chebyshev(cx, 'u', false),
    "special_chebyshev_polynomial_v" | "special_chebyshev_polynomial_v.x_scalar"
        | "special_chebyshev_polynomial_v.n_scalar" => |cx| orthogonal::chebyshev(cx, 'v', false),
    "special_chebyshev_polynomial_w" | "special_chebyshev_polynomial_w.x_scalar"
        | "special_chebyshev_polynomial_w.n_scalar" => |cx| orthogonal::chebyshev(cx, 'w', false),
    "special_shifted_chebyshev_polynomial_t" | "special_shifted_chebyshev_polynomial_t.x_scalar"
        | "special_shifted_chebyshev_polynomial_t.n_scalar"
        => |cx| orthogonal::chebyshev(cx, 't', true),
    "special_shifted_chebyshev_polynomial_u" | "special_shifted_chebyshev_polynomial_u.x_scalar"
        | "special_shifted_chebyshev_polynomial_u.n_scalar"
        => |cx| orthogonal::chebyshev(cx, 'u', true),
    "special_shifted_chebyshev_polynomial_v" | "special_shifted_chebyshev_polynomial_v.x_scalar"
        | "special_shifted_chebyshev_polynomial_v.n_scalar"
        => |cx| orthogonal::chebyshev(cx, 'v', true),
    "special_shifted_chebyshev_polynomial_w" | "special_shifted_chebyshev_polynomial_w.x_scalar"
        | "special_shifted_chebyshev_polynomial_w.n_scalar"
        => |cx| orthogonal::chebyshev(cx, 'w', true),
    "special_hermite_polynomial_h" => |cx| orthogonal::of_each_degree(cx, "h"),
    "special_hermite_polynomial_he" => |cx| orthogonal::of_each_degree(cx, "he"),
    "special_laguerre_polynomial_l" => |cx| orthogonal::of_each_degree(cx, "l"),
    "special_legendre_polynomial_p" => |cx| orthogonal::of_each_degree(cx, "p"),
    "special_hermite_polynomial_h.n_scalar" => |cx| orthogonal::by_recurrence(cx, "h"),
    "special_hermite_polynomial_he.n_scalar" => |cx| orthogonal::by_recurrence(cx, "he"),
    "special_laguerre_polynomial_l.n_scalar" => |cx| orthogonal::by_recurrence(cx, "l"),
    "special_legendre_polynomial_p.n_scalar" => |cx| orthogonal::by_recurrence(cx, "p"),
    "hann_window" | "hann_window.periodic" => |cx| cosines(cx, &[0.5, -0.5]),
    "hamming_window" | "hamming_window.periodic" | "hamming_window.periodic_alpha"
        | "hamming_window.periodic_alpha_beta" => hamming,
    "blackman_window" | "blackman_window.periodic" => |cx| cosines(cx, &[0.42, -0.5, 0.08]),
    "bartlett_window" | "bartlett_window.periodic" => bartlett,
    "kaiser_window" | "kaiser_window.periodic" | "kaiser_window.beta" => kaiser,
}
