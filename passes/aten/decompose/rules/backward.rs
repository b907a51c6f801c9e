//! Gradients that an archive of a training step has as operators of their own.

use ir::{Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// A gradient times something that depends on another tensor, computed as eager computes and
/// rounded once.
fn scaled(
    cx: &mut Cx<'_, '_>,
    other: &str,
    f: impl FnOnce(&mut Cx<'_, '_>, ValueId, ValueId) -> Result<ValueId>,
) -> Values {
    let (grad, other) = (cx.x("grad_output")?, cx.x(other)?);
    let dtype = cx.out(0)?.dtype;
    if dtype.is_complex() {
        return Err(cx.error(format!("a gradient of {dtype}")));
    }
    let (grad, other) = (cx.cast(grad, dtype)?, cx.cast(other, dtype)?);
    let (grad, other) = (cx.widened(grad)?, cx.widened(other)?);
    let [grad, other] = cx.broadcast([grad, other])?;
    let res = f(cx, grad, other)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `(g - Σ g y) y`, or of the logarithm `g - exp(y) Σ g`.
fn softmax(cx: &mut Cx<'_, '_>, logarithm: bool) -> Values {
    let dim = cx.int("dim")?;
    scaled(cx, "output", |cx, grad, output| {
        let rank = cx.rank(grad);
        let dims = if rank == 0 { Vec::new() } else { vec![cx.normal(dim, rank)?] };
        if logarithm {
            let sum = cx.reduce("sum", grad, &dims, true)?;
            let power = cx.map(ScalarFn::Exp, output)?;
            let back = cx.zip(ScalarFn::Mul, power, sum)?;
            return cx.zip(ScalarFn::Sub, grad, back);
        }
        let product = cx.zip(ScalarFn::Mul, grad, output)?;
        let sum = cx.reduce("sum", product, &dims, true)?;
        let centred = cx.zip(ScalarFn::Sub, grad, sum)?;
        cx.zip(ScalarFn::Mul, centred, output)
    })
}

/// Each gradient back to the place that its window's greatest element had.
fn max_pool2d(cx: &mut Cx<'_, '_>) -> Values {
    let (grad, x, index) = (cx.x("grad_output")?, cx.x("self")?, cx.x("indices")?);
    cx.at_least(x, 2)?;
    let (shape, dtype) = (cx.shape(x), cx.dtype_of(x));
    let lead = shape.len() - 2;
    let flat = |shape: &[Expr]| -> Vec<Expr> {
        let inner =
            shape[lead.min(shape.len())..].iter().fold(Expr::int(1), |a, it| a * it.clone());
        shape[..lead.min(shape.len())].iter().cloned().chain([inner]).collect()
    };
    let own = flat(&cx.shape(grad));
    let (grad, index) = (cx.reshape(grad, &own)?, cx.reshape(index, &own)?);
    let zeros = cx.full(int(0), &flat(&shape), dtype)?;
    let res = cx.scatter(zeros, index, grad, lead, "add")?;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn threshold(cx: &mut Cx<'_, '_>) -> Values {
    let limit = cx.number("threshold")?;
    scaled(cx, "self", |cx, grad, x| {
        let cut = cx.with_number(ScalarFn::Le, x, limit)?;
        let zero = cx.full_like(grad, int(0))?;
        cx.select(cut, zero, grad)
    })
}

fn one_minus(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let one = cx.full_like(x, int(1))?;
    cx.zip(ScalarFn::Sub, one, x)
}

fn sigmoid(cx: &mut Cx<'_, '_>) -> Values {
    scaled(cx, "output", |cx, grad, y| {
        let rest = one_minus(cx, y)?;
        let slope = cx.zip(ScalarFn::Mul, grad, rest)?;
        cx.zip(ScalarFn::Mul, slope, y)
    })
}

fn tanh(cx: &mut Cx<'_, '_>) -> Values {
    scaled(cx, "output", |cx, grad, y| {
        let square = cx.zip(ScalarFn::Mul, y, y)?;
        let slope = one_minus(cx, square)?;
        cx.zip(ScalarFn::Mul, grad, slope)
    })
}

fn silu(cx: &mut Cx<'_, '_>) -> Values {
    scaled(cx, "self", |cx, grad, x| {
        let gate = cx.map(ScalarFn::Sigmoid, x)?;
        let rest = one_minus(cx, gate)?;
        let slope = cx.zip(ScalarFn::Mul, x, rest)?;
        let slope = cx.with_number(ScalarFn::Add, slope, int(1))?;
        let back = cx.zip(ScalarFn::Mul, grad, gate)?;
        cx.zip(ScalarFn::Mul, back, slope)
    })
}

fn gelu(cx: &mut Cx<'_, '_>) -> Values {
    let by_tanh = cx.text("approximate")? == "tanh";
    scaled(cx, "self", |cx, grad, x| {
        let slope = if by_tanh { gelu_tanh_slope(cx, x)? } else { gelu_slope(cx, x)? };
        cx.zip(ScalarFn::Mul, grad, slope)
    })
}

/// The normal distribution, and `x` times its density.
fn gelu_slope(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let scaled = cx.with_number(ScalarFn::Mul, x, float(std::f64::consts::FRAC_1_SQRT_2))?;
    let erf = cx.map(ScalarFn::Erf, scaled)?;
    let erf = cx.with_number(ScalarFn::Add, erf, int(1))?;
    let below = cx.with_number(ScalarFn::Mul, erf, float(0.5))?;
    let square = cx.zip(ScalarFn::Mul, x, x)?;
    let power = cx.with_number(ScalarFn::Mul, square, float(-0.5))?;
    let power = cx.map(ScalarFn::Exp, power)?;
    let scale = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 * 0.5;
    let density = cx.with_number(ScalarFn::Mul, power, float(scale))?;
    let moment = cx.zip(ScalarFn::Mul, x, density)?;
    cx.zip(ScalarFn::Add, below, moment)
}

fn gelu_tanh_slope(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    const KAPPA: f64 = 0.044715;
    let beta = std::f64::consts::SQRT_2 * std::f64::consts::FRAC_2_SQRT_PI * 0.5;
    let square = cx.zip(ScalarFn::Mul, x, x)?;
    let cube = cx.zip(ScalarFn::Mul, square, x)?;
    let inner = cx.with_number(ScalarFn::Mul, cube, float(KAPPA))?;
    let inner = cx.zip(ScalarFn::Add, x, inner)?;
    let inner = cx.with_number(ScalarFn::Mul, inner, float(beta))?;
    let tanh = cx.map(ScalarFn::Tanh, inner)?;
    let gate = cx.with_number(ScalarFn::Add, tanh, int(1))?;
    let left = cx.with_number(ScalarFn::Mul, gate, float(0.5))?;
    let bend = cx.with_number(ScalarFn::Mul, square, float(3.0 * KAPPA))?;
    let bend = cx.with_number(ScalarFn::Add, bend, int(1))?;
    let bend = cx.with_number(ScalarFn::Mul, bend, float(beta))?;
    let tanh = cx.zip(ScalarFn::Mul, tanh, tanh)?;
    let steep = one_minus(cx, tanh)?;
    let half = cx.with_number(ScalarFn::Mul, x, float(0.5))?;
    let right = cx.zip(ScalarFn::Mul, half, steep)?;
    let right = cx.zip(ScalarFn::Mul, right, bend)?;
    cx.zip(ScalarFn::Add, left, right)
}

rules! {
    "_softmax_backward_data" => |cx| softmax(cx, false),
    "_log_softmax_backward_data" => |cx| softmax(cx, true),
    "max_pool2d_with_indices_backward" => max_pool2d,
    "threshold_backward" => threshold,
    "sigmoid_backward" => sigmoid,
    "tanh_backward" => tanh,
    "silu_backward" => silu,
    "gelu_backward" => gelu,
}
