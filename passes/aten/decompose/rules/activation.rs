//! Activations, each in eager's own formula; softmax among them.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};

use super::{rules, unary::composed};
use crate::{
    decompose::{
        cx::Cx,
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

fn relu(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    Ok(vec![cx.with_number(ScalarFn::Max, x, int(0))?])
}

/// `x` limited to `0..=6` plus a half, as `relu6(x + 3)`.
fn hard_gate(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let shifted = cx.with_number(ScalarFn::Add, x, int(3))?;
    let above = cx.with_number(ScalarFn::Max, shifted, int(0))?;
    cx.with_number(ScalarFn::Min, above, int(6))
}

fn hardswish(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let gate = hard_gate(cx, x)?;
        let product = cx.zip(ScalarFn::Mul, x, gate)?;
        cx.with_number(ScalarFn::Div, product, int(6))
    })
}

fn hardsigmoid(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let gate = hard_gate(cx, x)?;
        cx.with_number(ScalarFn::Div, gate, int(6))
    })
}

fn hardtanh(cx: &mut Cx<'_, '_>) -> Values {
    let (x, low, high) = (cx.x("self")?, cx.number("min_val")?, cx.number("max_val")?);
    limited(cx, x, low, high)
}

fn limited(cx: &mut Cx<'_, '_>, x: ValueId, low: Number, high: Number) -> Values {
    let above = cx.with_number(ScalarFn::Max, x, low)?;
    Ok(vec![cx.with_number(ScalarFn::Min, above, high)?])
}

fn relu6(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    limited(cx, x, int(0), int(6))
}

fn gelu(cx: &mut Cx<'_, '_>) -> Values {
    let approximate = cx.text("approximate")?;
    composed(cx, |cx, x| {
        let inner = match approximate.as_str() {
            "tanh" => {
                let beta = std::f64::consts::SQRT_2 * std::f64::consts::FRAC_2_SQRT_PI * 0.5;
                let square = cx.zip(ScalarFn::Mul, x, x)?;
                let cube = cx.zip(ScalarFn::Mul, square, x)?;
                let scaled = cx.with_number(ScalarFn::Mul, cube, float(0.044715))?;
                let sum = cx.zip(ScalarFn::Add, x, scaled)?;
                let inner = cx.with_number(ScalarFn::Mul, sum, float(beta))?;
                cx.map(ScalarFn::Tanh, inner)?
            }
            _ => {
                let scaled =
                    cx.with_number(ScalarFn::Mul, x, float(std::f64::consts::FRAC_1_SQRT_2))?;
                cx.map(ScalarFn::Erf, scaled)?
            }
        };
        let half = cx.with_number(ScalarFn::Mul, x, float(0.5))?;
        let gate = cx.with_number(ScalarFn::Add, inner, int(1))?;
        cx.zip(ScalarFn::Mul, half, gate)
    })
}

fn silu(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let gate = cx.map(ScalarFn::Sigmoid, x)?;
        cx.zip(ScalarFn::Mul, x, gate)
    })
}

/// `log(1 + exp(beta * x)) / beta`, and `x` itself where that is above the threshold.
fn softplus_of(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    beta: Number,
    threshold: Number,
) -> Result<ValueId> {
    let unit = beta.is_int(1);
    let scaled = if unit { x } else { cx.with_number(ScalarFn::Mul, x, beta.clone())? };
    let far = cx.with_number(ScalarFn::Gt, scaled, threshold)?;
    let power = cx.map(ScalarFn::Exp, scaled)?;
    let soft = cx.map(ScalarFn::Log1p, power)?;
    let soft = if unit { soft } else { cx.with_number(ScalarFn::Div, soft, beta)? };
    cx.select(far, x, soft)
}

fn softplus(cx: &mut Cx<'_, '_>) -> Values {
    let (beta, threshold) = (cx.number("beta")?, cx.number("threshold")?);
    composed(cx, |cx, x| softplus_of(cx, x, beta, threshold))
}

fn mish(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let power = cx.map(ScalarFn::Exp, x)?;
        let soft = cx.map(ScalarFn::Log1p, power)?;
        let gate = cx.map(ScalarFn::Tanh, soft)?;
        cx.zip(ScalarFn::Mul, x, gate)
    })
}

/// `min(x, 0) - log(1 + exp(-|x|))`.
fn log_sigmoid(cx: &mut Cx<'_, '_>) -> Values {
    composed(cx, |cx, x| {
        let low = cx.with_number(ScalarFn::Min, x, int(0))?;
        let size = cx.map(ScalarFn::Abs, x)?;
        let size = cx.map(ScalarFn::Neg, size)?;
        let power = cx.map(ScalarFn::Exp, size)?;
        let rest = cx.map(ScalarFn::Log1p, power)?;
        cx.zip(ScalarFn::Sub, low, rest)
    })
}

/// `scale * x` above zero, `scale * alpha * (exp(input_scale * x) - 1)` below.
fn elu_of(cx: &mut Cx<'_, '_>, alpha: f64, scale: f64, input_scale: f64) -> Values {
    composed(cx, |cx, x| {
        let positive = cx.with_number(ScalarFn::Gt, x, int(0))?;
        let scaled = match input_scale == 1.0 {
            true => x,
            false => cx.with_number(ScalarFn::Mul, x, float(input_scale))?,
        };
        let power = cx.map(ScalarFn::Expm1, scaled)?;
        let below = cx.with_number(ScalarFn::Mul, power, float(alpha * scale))?;
        let above = match scale == 1.0 {
            true => x,
            false => cx.with_number(ScalarFn::Mul, x, float(scale))?,
        };
        cx.select(positive, above, below)
    })
}

fn elu(cx: &mut Cx<'_, '_>) -> Values {
    let it = [cx.float("alpha")?, cx.float("scale")?, cx.float("input_scale")?];
    elu_of(cx, it[0], it[1], it[2])
}

fn selu(cx: &mut Cx<'_, '_>) -> Values {
    elu_of(cx, 1.673_263_242_354_377_2, 1.050_700_987_355_480_5, 1.0)
}

fn celu(cx: &mut Cx<'_, '_>) -> Values {
    let alpha = cx.float("alpha")?;
    elu_of(cx, alpha, 1.0, 1.0 / alpha)
}

fn leaky_relu(cx: &mut Cx<'_, '_>) -> Values {
    let slope = cx.number("negative_slope")?;
    composed(cx, |cx, x| {
        let positive = cx.with_number(ScalarFn::Gt, x, int(0))?;
        let below = cx.with_number(ScalarFn::Mul, x, slope)?;
        cx.select(positive, x, below)
    })
}

/// In eval the slope is the mean of its bounds.
fn rrelu(cx: &mut Cx<'_, '_>) -> Values {
    if cx.flag("training")? {
        return Err(cx.error("a random slope"));
    }
    let slope = (cx.float("lower")? + cx.float("upper")?) / 2.0;
    composed(cx, |cx, x| {
        let positive = cx.with_number(ScalarFn::Gt, x, int(0))?;
        let below = cx.with_number(ScalarFn::Mul, x, float(slope))?;
        cx.select(positive, x, below)
    })
}

fn prelu(cx: &mut Cx<'_, '_>) -> Values {
    let (x, weight) = (cx.x("self")?, cx.x("weight")?);
    let rank = cx.rank(x);
    let weight = if rank < 2 || cx.rank(weight) == rank {
        weight
    } else {
        let mut shape = vec![sym::Expr::int(1); rank];
        shape[1] = cx.ty(weight)?.numel();
        cx.reshape(weight, &shape)?
    };
    let positive = cx.with_number(ScalarFn::Gt, x, int(0))?;
    let below = cx.zip(ScalarFn::Mul, x, weight)?;
    Ok(vec![cx.select(positive, x, below)?])
}

fn threshold(cx: &mut Cx<'_, '_>) -> Values {
    let (x, limit, value) = (cx.x("self")?, cx.number("threshold")?, cx.number("value")?);
    let below = cx.with_number(ScalarFn::Le, x, limit)?;
    let value = cx.full_like(x, value)?;
    Ok(vec![cx.select(below, value, x)?])
}

fn hardshrink(cx: &mut Cx<'_, '_>) -> Values {
    let (x, lambda) = (cx.x("self")?, cx.float("lambd")?);
    let low = cx.with_number(ScalarFn::Ge, x, float(-lambda))?;
    let high = cx.with_number(ScalarFn::Le, x, float(lambda))?;
    let within = cx.zip(ScalarFn::And, low, high)?;
    let zero = cx.full_like(x, int(0))?;
    Ok(vec![cx.select(within, zero, x)?])
}

fn softshrink(cx: &mut Cx<'_, '_>) -> Values {
    let lambda = cx.float("lambd")?;
    composed(cx, |cx, x| {
        let above = cx.with_number(ScalarFn::Gt, x, float(lambda))?;
        let below = cx.with_number(ScalarFn::Lt, x, float(-lambda))?;
        let lowered = cx.with_number(ScalarFn::Sub, x, float(lambda))?;
        let raised = cx.with_number(ScalarFn::Add, x, float(lambda))?;
        let zero = cx.with_number(ScalarFn::Mul, x, int(0))?;
        let rest = cx.select(below, raised, zero)?;
        cx.select(above, lowered, rest)
    })
}

fn glu(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    let size = cx.dim_size(x, dim);
    let half = cx.simple(&size.floor_div(&sym::Expr::int(2)));
    let a = cx.slice(x, dim, sym::Expr::int(0), half.clone(), 1)?;
    let b = cx.slice(x, dim, half.clone(), half, 1)?;
    let dtype = cx.dtype_of(x);
    let (a, b) = (cx.widened(a)?, cx.widened(b)?);
    let gate = cx.map(ScalarFn::Sigmoid, b)?;
    let res = cx.zip(ScalarFn::Mul, a, gate)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// The elements less the greatest along the dimension.
fn shifted(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize) -> Result<ValueId> {
    let greatest = cx.reduce("max", x, &[dim], true)?;
    cx.zip(ScalarFn::Sub, x, greatest)
}

/// `exp(x - max) / sum`.
pub(super) fn softmax_of(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize) -> Result<ValueId> {
    if cx.rank(x) == 0 {
        let zero = cx.zip(ScalarFn::Sub, x, x)?;
        return cx.map(ScalarFn::Exp, zero);
    }
    let shifted = shifted(cx, x, dim)?;
    let power = cx.map(ScalarFn::Exp, shifted)?;
    let sum = cx.reduce("sum", power, &[dim], true)?;
    cx.zip(ScalarFn::Div, power, sum)
}

/// `x - max - log(sum(exp(x - max)))`.
pub(super) fn log_softmax_of(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize) -> Result<ValueId> {
    if cx.rank(x) == 0 {
        return cx.zip(ScalarFn::Sub, x, x);
    }
    let shifted = shifted(cx, x, dim)?;
    let power = cx.map(ScalarFn::Exp, shifted)?;
    let sum = cx.reduce("sum", power, &[dim], true)?;
    let log = cx.map(ScalarFn::Log, sum)?;
    cx.zip(ScalarFn::Sub, shifted, log)
}

/// Computes along a dimension in the dtype that is asked for; half types in float32.
fn along(cx: &mut Cx<'_, '_>, f: fn(&mut Cx<'_, '_>, ValueId, usize) -> Result<ValueId>) -> Values {
    let x = cx.x("self")?;
    let asked: Option<DType> = if cx.has("dtype") { cx.dtype("dtype")? } else { None };
    let half_to_float = cx.has("half_to_float") && cx.flag("half_to_float")?;
    let dtype = match half_to_float {
        true => DType::F32,
        false => asked.unwrap_or(cx.dtype_of(x)),
    };
    let dim = cx.dim("dim", cx.rank(x))?;
    let x = if half_to_float { x } else { cx.cast(x, dtype)? };
    let wide = cx.cast(x, promote::compute_type(dtype))?;
    let res = f(cx, wide, dim)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// A line of which nothing is left, all minus infinity, gives zeros.
fn safe_softmax_of(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize) -> Result<ValueId> {
    let res = softmax_of(cx, x, dim)?;
    if cx.rank(x) == 0 {
        return Ok(res);
    }
    let gone = cx.with_number(ScalarFn::Eq, x, float(f64::NEG_INFINITY))?;
    let gone = cx.reduce("all", gone, &[dim], true)?;
    let zero = cx.full_like(res, int(0))?;
    cx.select(gone, zero, res)
}

rules! {
    "relu" => relu,
    "relu6" => relu6,
    "hardswish" => hardswish,
    "hardsigmoid" => hardsigmoid,
    "hardtanh" => hardtanh,
    "gelu" => gelu,
    "silu" => silu,
    "softplus" => softplus,
    "mish" => mish,
    "log_sigmoid" => log_sigmoid,
    "elu" => elu,
    "selu" => selu,
    "celu" => celu,
    "leaky_relu" => leaky_relu,
    "rrelu" => rrelu,
    "prelu" | "_prelu_kernel" => prelu,
    "threshold" => threshold,
    "hardshrink" => hardshrink,
    "softshrink" => softshrink,
    "glu" => glu,
    "_safe_softmax" => |cx| along(cx, safe_softmax_of),
    "softmax.int" | "_softmax" | "special_softmax" => |cx| along(cx, softmax_of),
    "log_softmax.int" | "_log_softmax" | "special_log_softmax" => |cx| along(cx, log_softmax_of),
}
