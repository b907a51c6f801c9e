//! Functions of one tensor, element by element.

use ir::{DType, Result, ValueId, scalar::ScalarFn};

use super::rules;
use crate::{
    decompose::{
        cx::Cx,
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// On integers as they are.
fn same(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let x = cx.x("self")?;
    Ok(vec![cx.map(function, x)?])
}

/// Integers become float32 first.
pub(super) fn floating(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let x = cx.x("self")?;
    let x = cx.cast(x, promote::to_float(cx.dtype_of(x)))?;
    Ok(vec![cx.map(function, x)?])
}

/// Rounding leaves integers alone.
fn rounding(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let x = cx.x("self")?;
    match cx.dtype_of(x).is_float() {
        true => Ok(vec![cx.map(function, x)?]),
        false => Ok(vec![x]),
    }
}

/// A function of the tensor that is computed in float32 for half types and rounded once.
pub(super) fn composed(
    cx: &mut Cx<'_, '_>,
    f: impl FnOnce(&mut Cx<'_, '_>, ValueId) -> Result<ValueId>,
) -> Values {
    let x = cx.x("self")?;
    let dtype = promote::to_float(cx.dtype_of(x));
    let wide = cx.cast(x, promote::compute_type(dtype))?;
    let res = f(cx, wide)?;
    Ok(vec![cx.cast(res, dtype)?])
}

fn abs(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    if cx.dtype_of(x) == DType::Bool {
        return Ok(vec![x]);
    }
    Ok(vec![cx.map(ScalarFn::Abs, x)?])
}

fn square(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let x = match cx.dtype_of(x) {
        DType::Bool => cx.cast(x, DType::I64)?,
        _ => x,
    };
    Ok(vec![cx.zip(ScalarFn::Mul, x, x)?])
}

fn sign(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    if cx.dtype_of(x) == DType::Bool {
        return Ok(vec![x]);
    }
    if cx.dtype_of(x).is_complex() {
        // `x / |x|`, and nothing of nothing.
        let size = cx.map(ScalarFn::Abs, x)?;
        let none = cx.with_number(ScalarFn::Eq, size, int(0))?;
        let one = cx.full_like(size, int(1))?;
        let size = cx.select(none, one, size)?;
        let size = cx.cast(size, cx.dtype_of(x))?;
        return Ok(vec![cx.zip(ScalarFn::Div, x, size)?]);
    }
    Ok(vec![cx.map(ScalarFn::Sign, x)?])
}

fn identity(cx: &mut Cx<'_, '_>) -> Values {
    Ok(vec![cx.x("self")?])
}

/// Half types in float32: the fraction is a difference of two of them.
fn frac(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let whole = cx.map(ScalarFn::Trunc, x)?;
    Ok(vec![cx.zip(ScalarFn::Sub, x, whole)?])
}

fn logit(cx: &mut Cx<'_, '_>) -> Values {
    let eps: Option<f64> = cx.get("eps")?;
    composed(cx, |cx, x| {
        let mut x = x;
        if let Some(eps) = eps {
            // The lower bound counts first: above one half it is above the other.
            let above = cx.with_number(ScalarFn::Min, x, float(1.0 - eps))?;
            let below = cx.with_number(ScalarFn::Lt, x, float(eps))?;
            let least = cx.full_like(x, float(eps))?;
            x = cx.select(below, least, above)?;
        }
        let one = cx.full_like(x, int(1))?;
        let rest = cx.zip(ScalarFn::Sub, one, x)?;
        let odds = cx.zip(ScalarFn::Div, x, rest)?;
        cx.map(ScalarFn::Log, odds)
    })
}

fn sinc(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let angle = cx.with_number(ScalarFn::Mul, x, float(std::f64::consts::PI))?;
        let sine = cx.map(ScalarFn::Sin, angle)?;
        let ratio = cx.zip(ScalarFn::Div, sine, angle)?;
        let zero = cx.full_like(x, int(0))?;
        let at_zero = cx.zip(ScalarFn::Eq, x, zero)?;
        let one = cx.full_like(x, int(1))?;
        cx.select(at_zero, one, ratio)
    })
}

fn scaled(cx: &mut Cx<'_, '_>, factor: f64) -> Values {
    composed(cx, |cx, x| cx.with_number(ScalarFn::Mul, x, float(factor)))
}

fn nan_to_num(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    if !dtype.is_float() {
        return Ok(vec![x]);
    }
    let greatest = match dtype {
        DType::F16 => 65504.0,
        DType::BF16 => f64::from(f32::from_bits(0x7f7f_0000)),
        DType::F32 => f64::from(f32::MAX),
        _ => f64::MAX,
    };
    let given = |cx: &Cx<'_, '_>, name: &str| cx.get::<Option<f64>>(name);
    let nan = given(cx, "nan")?.unwrap_or(0.0);
    let (high, low) =
        (given(cx, "posinf")?.unwrap_or(greatest), given(cx, "neginf")?.unwrap_or(-greatest));
    let mut res = x;
    for (special, value) in [(f64::INFINITY, high), (f64::NEG_INFINITY, low)] {
        let special = cx.full_like(x, float(special))?;
        let is = cx.zip(ScalarFn::Eq, x, special)?;
        let value = cx.full_like(x, float(value))?;
        res = cx.select(is, value, res)?;
    }
    let is = cx.map(ScalarFn::IsNan, x)?;
    let value = cx.full_like(x, float(nan))?;
    Ok(vec![cx.select(is, value, res)?])
}

fn round_decimals(cx: &mut Cx<'_, '_>) -> Values {
    let decimals = cx.int("decimals")?;
    let power = 10.0_f64.powi(i32::try_from(decimals.abs()).unwrap_or(i32::MAX));
    if cx.dtype("dtype").is_ok() {
        return Err(cx.error("a dtype for rounding"));
    }
    let x = cx.x("self")?;
    if !cx.dtype_of(x).is_float() {
        return Ok(vec![x]);
    }
    composed(cx, |cx, x| {
        if decimals == 0 {
            return cx.map(ScalarFn::Round, x);
        }
        let (there, back) = match decimals < 0 {
            true => (ScalarFn::Div, ScalarFn::Mul),
            false => (ScalarFn::Mul, ScalarFn::Div),
        };
        let scaled = cx.with_number(there, x, float(power))?;
        let whole = cx.map(ScalarFn::Round, scaled)?;
        cx.with_number(back, whole, float(power))
    })
}

fn is_real(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    if cx.dtype_of(x).is_complex() {
        let im = cx.build(|it| tensor::Imag::build(it, x))?;
        return Ok(vec![cx.with_number(ScalarFn::Eq, im, int(0))?]);
    }
    let shape = cx.shape(x);
    Ok(vec![cx.full(ir::Number::Bool(true), &shape, DType::Bool)?])
}

/// `p (p - 1) / 4 · log π + Σ lgamma(x - i / 2)` for `i` below `p`.
fn mvlgamma(cx: &mut Cx<'_, '_>) -> Values {
    let p = cx.int("p")?;
    cx.moderately_many("terms", p)?;
    composed(cx, |cx, x| {
        let count = p as f64;
        let constant = count * (count - 1.0) / 4.0 * std::f64::consts::PI.ln();
        let mut sum = cx.full_like(x, float(constant))?;
        for i in 0..p {
            let shifted = cx.with_number(ScalarFn::Sub, x, float(i as f64 / 2.0))?;
            let part = cx.map(ScalarFn::Lgamma, shifted)?;
            sum = cx.zip(ScalarFn::Add, sum, part)?;
        }
        Ok(sum)
    })
}

/// `-x log x`, 0 at 0 and minus infinity below.
fn entropy(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let log = cx.map(ScalarFn::Log, x)?;
        let product = cx.zip(ScalarFn::Mul, x, log)?;
        let res = cx.map(ScalarFn::Neg, product)?;
        let zero = cx.full_like(x, int(0))?;
        let least = cx.full_like(x, float(f64::NEG_INFINITY))?;
        let below = cx.with_number(ScalarFn::Lt, x, int(0))?;
        let is_zero = cx.zip(ScalarFn::Eq, x, zero)?;
        let res = cx.select(below, least, res)?;
        cx.select(is_zero, zero, res)
    })
}

/// The distribution function of the standard normal distribution.
fn ndtr(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let scaled = cx.with_number(ScalarFn::Mul, x, float(-std::f64::consts::FRAC_1_SQRT_2))?;
        let tail = cx.map(ScalarFn::Erfc, scaled)?;
        cx.with_number(ScalarFn::Mul, tail, float(0.5))
    })
}

fn logical_not(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let truth = super::compare::truth(cx, x)?;
    Ok(vec![cx.map(ScalarFn::Not, truth)?])
}

/// Of a complex number if it holds of either part.
fn either(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let x = cx.x("self")?;
    match cx.dtype_of(x).is_complex() {
        true => Ok(vec![super::complex::functions::either(cx, function, x)?]),
        false => Ok(vec![cx.map(function, x)?]),
    }
}

fn infinite(cx: &mut Cx<'_, '_>, sign: f64) -> Values {
    let x = cx.x("self")?;
    if !cx.dtype_of(x).is_float() {
        let shape = cx.shape(x);
        return Ok(vec![cx.full(ir::Number::Bool(false), &shape, DType::Bool)?]);
    }
    Ok(vec![cx.with_number(ScalarFn::Eq, x, float(sign))?])
}

fn finite(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    if cx.dtype_of(x).is_complex() {
        use super::complex::functions::either;
        let (nan, inf) = (either(cx, ScalarFn::IsNan, x)?, either(cx, ScalarFn::IsInf, x)?);
        let odd = cx.zip(ScalarFn::Or, nan, inf)?;
        return Ok(vec![cx.map(ScalarFn::Not, odd)?]);
    }
    if !cx.dtype_of(x).is_float() {
        let shape = cx.shape(x);
        return Ok(vec![cx.full(ir::Number::Bool(true), &shape, DType::Bool)?]);
    }
    let (nan, inf) = (cx.map(ScalarFn::IsNan, x)?, cx.map(ScalarFn::IsInf, x)?);
    let either = cx.zip(ScalarFn::Or, nan, inf)?;
    Ok(vec![cx.map(ScalarFn::Not, either)?])
}

rules! {
    "abs" | "absolute" => abs,
    "neg" | "negative" => |cx| same(cx, ScalarFn::Neg),
    "sign" | "sgn" => sign,
    "floor" => |cx| rounding(cx, ScalarFn::Floor),
    "ceil" => |cx| rounding(cx, ScalarFn::Ceil),
    "trunc" | "fix" => |cx| rounding(cx, ScalarFn::Trunc),
    "round" => |cx| rounding(cx, ScalarFn::Round),
    "round.decimals" => round_decimals,
    "frac" => frac,
    "square" => square,
    "sqrt" => |cx| floating(cx, ScalarFn::Sqrt),
    "rsqrt" => |cx| floating(cx, ScalarFn::Rsqrt),
    "reciprocal" => |cx| floating(cx, ScalarFn::Reciprocal),
    "exp" => |cx| floating(cx, ScalarFn::Exp),
    "exp2" | "special_exp2" => |cx| floating(cx, ScalarFn::Exp2),
    "expm1" | "special_expm1" => |cx| floating(cx, ScalarFn::Expm1),
    "log" => |cx| floating(cx, ScalarFn::Log),
    "log2" => |cx| floating(cx, ScalarFn::Log2),
    "log10" => |cx| floating(cx, ScalarFn::Log10),
    "log1p" | "special_log1p" => |cx| floating(cx, ScalarFn::Log1p),
    "sin" => |cx| floating(cx, ScalarFn::Sin),
    "cos" => |cx| floating(cx, ScalarFn::Cos),
    "tan" => |cx| floating(cx, ScalarFn::Tan),
    "asin" | "arcsin" => |cx| floating(cx, ScalarFn::Asin),
    "acos" | "arccos" => |cx| floating(cx, ScalarFn::Acos),
    "atan" | "arctan" => |cx| floating(cx, ScalarFn::Atan),
    "sinh" => |cx| floating(cx, ScalarFn::Sinh),
    "cosh" => |cx| floating(cx, ScalarFn::Cosh),
    "tanh" => |cx| floating(cx, ScalarFn::Tanh),
    "asinh" | "arcsinh" => |cx| floating(cx, ScalarFn::Asinh),
    "acosh" | "arccosh" => |cx| floating(cx, ScalarFn::Acosh),
    "atanh" | "arctanh" => |cx| floating(cx, ScalarFn::Atanh),
    "erf" | "special_erf" => |cx| floating(cx, ScalarFn::Erf),
    "erfc" | "special_erfc" => |cx| floating(cx, ScalarFn::Erfc),
    "erfinv" | "special_erfinv" => |cx| floating(cx, ScalarFn::Erfinv),
    "lgamma" | "special_gammaln" => |cx| floating(cx, ScalarFn::Lgamma),
    "digamma" | "special_digamma" | "special_psi" => |cx| floating(cx, ScalarFn::Digamma),
    "sigmoid" | "special_expit" => |cx| floating(cx, ScalarFn::Sigmoid),
    "logit" | "special_logit" => logit,
    "sinc" | "special_sinc" => sinc,
    "deg2rad" => |cx| scaled(cx, std::f64::consts::PI / 180.0),
    "rad2deg" => |cx| scaled(cx, 180.0 / std::f64::consts::PI),
    "isnan" => |cx| either(cx, ScalarFn::IsNan),
    "isinf" => |cx| either(cx, ScalarFn::IsInf),
    "isposinf" => |cx| infinite(cx, f64::INFINITY),
    "isneginf" => |cx| infinite(cx, f64::NEG_INFINITY),
    "isfinite" => finite,
    "signbit" => |cx| same(cx, ScalarFn::SignBit),
    "bitwise_not" => |cx| same(cx, ScalarFn::Not),
    "logical_not" => logical_not,
    "isreal" => is_real,
    "mvlgamma" | "special_multigammaln" => mvlgamma,
    "special_entr" => entropy,
    "special_ndtr" => ndtr,
    "nan_to_num" => nan_to_num,
    "positive" => identity,
}
