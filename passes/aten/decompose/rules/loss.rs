//! Losses.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{
    activation::log_softmax_of,
    reduce::{mean_of, norm_of},
    rules,
};
use crate::{
    decompose::{
        cx::{Cx, Input},
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// All, their mean or their sum, as `reduction` says.
fn reduced(cx: &mut Cx<'_, '_>, loss: ValueId, dtype: DType) -> Values {
    let reduction = cx.int("reduction")?;
    let res = reduced_by(cx, loss, reduction)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// All (0), their mean (1) or their sum (2).
fn reduced_by(cx: &mut Cx<'_, '_>, loss: ValueId, reduction: i64) -> Result<ValueId> {
    let dims: Vec<usize> = (0..cx.rank(loss)).collect();
    match reduction {
        1 => mean_of(cx, loss, &dims, false),
        2 => cx.reduce("sum", loss, &dims, false),
        _ => Ok(loss),
    }
}

/// A loss of each pair of elements.
fn pairwise(
    cx: &mut Cx<'_, '_>,
    (input, target): (&str, &str),
    f: impl FnOnce(&mut Cx<'_, '_>, ValueId, ValueId) -> Result<ValueId>,
) -> Values {
    let (x, t) = (cx.x(input)?, cx.x(target)?);
    let dtype = cx.result_type(&[Input::Tensor(x), Input::Tensor(t)]);
    let (x, t) = (cx.cast(x, dtype)?, cx.cast(t, dtype)?);
    let (x, t) = (cx.widened(x)?, cx.widened(t)?);
    let [x, t] = cx.broadcast([x, t])?;
    let loss = f(cx, x, t)?;
    reduced(cx, loss, dtype)
}

const BOTH: (&str, &str) = ("self", "target");

fn distance(cx: &mut Cx<'_, '_>, x: ValueId, t: ValueId) -> Result<ValueId> {
    let it = cx.zip(ScalarFn::Sub, x, t)?;
    cx.map(ScalarFn::Abs, it)
}

fn mse(cx: &mut Cx<'_, '_>) -> Values {
    pairwise(cx, BOTH, |cx, x, t| {
        let it = cx.zip(ScalarFn::Sub, x, t)?;
        cx.zip(ScalarFn::Mul, it, it)
    })
}

fn l1(cx: &mut Cx<'_, '_>) -> Values {
    pairwise(cx, BOTH, distance)
}

/// Quadratic near zero, linear from `beta` on.
fn smooth_l1(cx: &mut Cx<'_, '_>) -> Values {
    let beta = cx.float("beta")?;
    pairwise(cx, BOTH, |cx, x, t| {
        let z = distance(cx, x, t)?;
        if beta == 0.0 {
            return Ok(z);
        }
        let half = cx.with_number(ScalarFn::Mul, z, float(0.5))?;
        let square = cx.zip(ScalarFn::Mul, half, z)?;
        let square = cx.with_number(ScalarFn::Div, square, float(beta))?;
        let line = cx.with_number(ScalarFn::Sub, z, float(0.5 * beta))?;
        let near = cx.with_number(ScalarFn::Lt, z, float(beta))?;
        cx.select(near, square, line)
    })
}

fn huber(cx: &mut Cx<'_, '_>) -> Values {
    let delta = cx.float("delta")?;
    pairwise(cx, BOTH, |cx, x, t| {
        let z = distance(cx, x, t)?;
        let half = cx.with_number(ScalarFn::Mul, z, float(0.5))?;
        let square = cx.zip(ScalarFn::Mul, half, z)?;
        let line = cx.with_number(ScalarFn::Sub, z, float(0.5 * delta))?;
        let line = cx.with_number(ScalarFn::Mul, line, float(delta))?;
        let near = cx.with_number(ScalarFn::Le, z, float(delta))?;
        cx.select(near, square, line)
    })
}

fn soft_margin(cx: &mut Cx<'_, '_>) -> Values {
    pairwise(cx, BOTH, |cx, x, t| {
        let it = cx.zip(ScalarFn::Mul, x, t)?;
        let it = cx.map(ScalarFn::Neg, it)?;
        let it = cx.map(ScalarFn::Exp, it)?;
        cx.map(ScalarFn::Log1p, it)
    })
}

fn weighted(cx: &mut Cx<'_, '_>, loss: ValueId) -> Result<ValueId> {
    match cx.opt("weight")? {
        None => Ok(loss),
        Some(it) => {
            let it = cx.cast(it, cx.dtype_of(loss))?;
            cx.zip(ScalarFn::Mul, loss, it)
        }
    }
}

/// The logarithm, at least -100, as eager bounds it.
fn bounded_log(cx: &mut Cx<'_, '_>, function: ScalarFn, x: ValueId) -> Result<ValueId> {
    let it = cx.map(function, x)?;
    cx.with_number(ScalarFn::Max, it, int(-100))
}

fn binary_cross_entropy(cx: &mut Cx<'_, '_>) -> Values {
    pairwise(cx, BOTH, |cx, x, t| {
        let less = cx.with_number(ScalarFn::Sub, t, int(1))?;
        let negated = cx.map(ScalarFn::Neg, x)?;
        let off = bounded_log(cx, ScalarFn::Log1p, negated)?;
        let on = bounded_log(cx, ScalarFn::Log, x)?;
        let (a, b) = (cx.zip(ScalarFn::Mul, less, off)?, cx.zip(ScalarFn::Mul, t, on)?);
        let loss = cx.zip(ScalarFn::Sub, a, b)?;
        weighted(cx, loss)
    })
}

/// `min(x, 0) - log(1 + exp(-|x|))`.
fn log_sigmoid(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let low = cx.with_number(ScalarFn::Min, x, int(0))?;
    let size = cx.map(ScalarFn::Abs, x)?;
    let size = cx.map(ScalarFn::Neg, size)?;
    let power = cx.map(ScalarFn::Exp, size)?;
    let rest = cx.map(ScalarFn::Log1p, power)?;
    cx.zip(ScalarFn::Sub, low, rest)
}

fn binary_cross_entropy_with_logits(cx: &mut Cx<'_, '_>) -> Values {
    let positive = cx.opt("pos_weight")?;
    pairwise(cx, BOTH, |cx, x, t| {
        let one = cx.full_like(t, int(1))?;
        let rest = cx.zip(ScalarFn::Sub, one, t)?;
        let first = cx.zip(ScalarFn::Mul, rest, x)?;
        let mut log = log_sigmoid(cx, x)?;
        if let Some(it) = positive {
            let it = cx.cast(it, cx.dtype_of(x))?;
            let it = cx.with_number(ScalarFn::Sub, it, int(1))?;
            let it = cx.zip(ScalarFn::Mul, it, t)?;
            let it = cx.with_number(ScalarFn::Add, it, int(1))?;
            log = cx.zip(ScalarFn::Mul, it, log)?;
        }
        let loss = cx.zip(ScalarFn::Sub, first, log)?;
        weighted(cx, loss)
    })
}

fn kl_div(cx: &mut Cx<'_, '_>) -> Values {
    let log_target = cx.flag("log_target")?;
    pairwise(cx, BOTH, |cx, x, t| {
        if log_target {
            let (power, apart) = (cx.map(ScalarFn::Exp, t)?, cx.zip(ScalarFn::Sub, t, x)?);
            return cx.zip(ScalarFn::Mul, power, apart);
        }
        let log = cx.map(ScalarFn::Log, t)?;
        let product = cx.zip(ScalarFn::Mul, t, log)?;
        let zero = cx.full_like(t, int(0))?;
        let is_zero = cx.zip(ScalarFn::Eq, t, zero)?;
        let entropy = cx.select(is_zero, zero, product)?;
        let cross = cx.zip(ScalarFn::Mul, t, x)?;
        cx.zip(ScalarFn::Sub, entropy, cross)
    })
}

fn poisson_nll(cx: &mut Cx<'_, '_>) -> Values {
    let (log_input, full, eps) = (cx.flag("log_input")?, cx.flag("full")?, cx.float("eps")?);
    pairwise(cx, ("input", "target"), |cx, x, t| {
        let loss = if log_input {
            let (power, product) = (cx.map(ScalarFn::Exp, x)?, cx.zip(ScalarFn::Mul, t, x)?);
            cx.zip(ScalarFn::Sub, power, product)?
        } else {
            let shifted = cx.with_number(ScalarFn::Add, x, float(eps))?;
            let log = cx.map(ScalarFn::Log, shifted)?;
            let product = cx.zip(ScalarFn::Mul, t, log)?;
            cx.zip(ScalarFn::Sub, x, product)?
        };
        if !full {
            return Ok(loss);
        }
        // Stirling's formula for the logarithm of the factorial.
        let log = cx.map(ScalarFn::Log, t)?;
        let product = cx.zip(ScalarFn::Mul, t, log)?;
        let less = cx.zip(ScalarFn::Sub, product, t)?;
        let circle = cx.with_number(ScalarFn::Mul, t, float(2.0 * std::f64::consts::PI))?;
        let circle = cx.map(ScalarFn::Log, circle)?;
        let circle = cx.with_number(ScalarFn::Mul, circle, float(0.5))?;
        let stirling = cx.zip(ScalarFn::Add, less, circle)?;
        let zero = cx.full_like(t, int(0))?;
        let large = cx.with_number(ScalarFn::Gt, t, int(1))?;
        let stirling = cx.select(large, stirling, zero)?;
        cx.zip(ScalarFn::Add, loss, stirling)
    })
}

fn hinge_embedding(cx: &mut Cx<'_, '_>) -> Values {
    let margin = cx.float("margin")?;
    pairwise(cx, BOTH, |cx, x, t| {
        let zero = cx.full_like(x, int(0))?;
        let limit = cx.full_like(x, float(margin))?;
        let rest = cx.zip(ScalarFn::Sub, limit, x)?;
        let rest = cx.zip(ScalarFn::Max, rest, zero)?;
        let not_one = cx.with_number(ScalarFn::Ne, t, int(1))?;
        let not_minus = cx.with_number(ScalarFn::Ne, t, int(-1))?;
        let (a, b) = (cx.select(not_one, rest, zero)?, cx.select(not_minus, x, zero)?);
        cx.zip(ScalarFn::Add, a, b)
    })
}

/// A function of two tensors in the dtype they promote to: of integers with what wraps, of half types
/// in float32.
fn as_promoted(cx: &mut Cx<'_, '_>, f: ScalarFn, x: ValueId, y: ValueId) -> Result<ValueId> {
    let dtype = cx.result_type(&[x, y].map(Input::Tensor));
    let wide = if dtype.is_float() { promote::compute_type(dtype) } else { dtype };
    let (x, y) = (cx.cast(x, wide)?, cx.cast(y, wide)?);
    cx.zip(f, x, y)
}

fn margin_ranking(cx: &mut Cx<'_, '_>) -> Values {
    let margin = cx.float("margin")?;
    let (a, b, target) = (cx.x("input1")?, cx.x("input2")?, cx.x("target")?);
    let dtype = promote::to_float(cx.result_type(&[a, b, target].map(Input::Tensor)));
    let apart = as_promoted(cx, ScalarFn::Sub, a, b)?;
    let target = cx.map(ScalarFn::Neg, target)?;
    let it = as_promoted(cx, ScalarFn::Mul, target, apart)?;
    let it = cx.cast(it, promote::compute_type(dtype))?;
    let it = cx.with_number(ScalarFn::Add, it, float(margin))?;
    let loss = cx.with_number(ScalarFn::Max, it, int(0))?;
    reduced(cx, loss, dtype)
}

fn cosine_embedding(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b, t) = (cx.x("input1")?, cx.x("input2")?, cx.x("target")?);
    let margin = cx.float("margin")?;
    let dtype = promote::to_float(cx.result_type(&[Input::Tensor(a), Input::Tensor(b)]));
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let (a, b) = (cx.widened(a)?, cx.widened(b)?);
    let last = [cx.rank(t)];
    let dot = |cx: &mut Cx<'_, '_>, a, b| {
        let it = cx.zip(ScalarFn::Mul, a, b)?;
        cx.reduce("sum", it, &last, false)
    };
    let (ab, aa, bb) = (dot(cx, a, b)?, dot(cx, a, a)?, dot(cx, b, b)?);
    let (aa, bb) = (
        cx.with_number(ScalarFn::Add, aa, float(1e-12))?,
        cx.with_number(ScalarFn::Add, bb, float(1e-12))?,
    );
    let sizes = cx.zip(ScalarFn::Mul, aa, bb)?;
    let sizes = cx.map(ScalarFn::Sqrt, sizes)?;
    let cos = cx.zip(ScalarFn::Div, ab, sizes)?;
    let (zero, one) = (cx.full_like(cos, int(0))?, cx.full_like(cos, int(1))?);
    let apart = cx.zip(ScalarFn::Sub, one, cos)?;
    let near = cx.with_number(ScalarFn::Sub, cos, float(margin))?;
    let near = cx.zip(ScalarFn::Max, near, zero)?;
    let (same, other) =
        (cx.with_number(ScalarFn::Eq, t, int(1))?, cx.with_number(ScalarFn::Eq, t, int(-1))?);
    let (first, second) = (cx.select(same, apart, zero)?, cx.select(other, near, zero)?);
    let loss = cx.zip(ScalarFn::Add, first, second)?;
    reduced(cx, loss, dtype)
}

/// The norm of `a - b + eps` along the last dimension.
fn distance_of(cx: &mut Cx<'_, '_>, a: ValueId, b: ValueId, p: f64, eps: f64) -> Result<ValueId> {
    let it = as_promoted(cx, ScalarFn::Sub, a, b)?;
    let dtype = promote::compute_type(promote::to_float(cx.dtype_of(it)));
    let it = cx.cast(it, dtype)?;
    let it = cx.with_number(ScalarFn::Add, it, float(eps))?;
    let last = cx.rank(it).saturating_sub(1);
    norm_of(cx, it, p, &[last], false)
}

fn triplet_margin(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b, c) = (cx.x("anchor")?, cx.x("positive")?, cx.x("negative")?);
    let (margin, p, eps) = (cx.float("margin")?, cx.float("p")?, cx.float("eps")?);
    let dtype = promote::to_float(cx.result_type(&[a, b, c].map(Input::Tensor)));
    let near = distance_of(cx, a, b, p, eps)?;
    let mut far = distance_of(cx, a, c, p, eps)?;
    if cx.flag("swap")? {
        let other = distance_of(cx, b, c, p, eps)?;
        far = cx.zip(ScalarFn::Min, far, other)?;
    }
    let it = cx.with_number(ScalarFn::Add, near, float(margin))?;
    let it = cx.zip(ScalarFn::Sub, it, far)?;
    let loss = cx.with_number(ScalarFn::Max, it, int(0))?;
    reduced(cx, loss, dtype)
}

/// The sum over other classes of what they come too near, of each row.
fn multi_margin(cx: &mut Cx<'_, '_>) -> Values {
    let (x, target) = (cx.x("self")?, cx.x("target")?);
    let (p, margin) = (cx.number("p")?, cx.number("margin")?);
    let dtype = cx.dtype_of(x);
    let rows = cx.rank(x);
    let x = cx.widened(x)?;
    let (x, target) = match rows {
        0 | 1 => {
            let classes = cx.ty(x)?.numel();
            (cx.reshape(x, &[Expr::int(1), classes])?, cx.reshape(target, &[Expr::int(1)])?)
        }
        _ => (x, target),
    };
    let place = cx.unsqueeze(target, 1)?;
    let own = cx.gather(x, place, 1)?;
    let apart = cx.zip(ScalarFn::Sub, x, own)?;
    let it = cx.with_number(ScalarFn::Add, apart, margin)?;
    let mut it = cx.with_number(ScalarFn::Max, it, int(0))?;
    if p.is_int(2) {
        it = cx.zip(ScalarFn::Mul, it, it)?;
    }
    if let Some(weight) = cx.opt("weight")? {
        let weight = cx.cast(weight, cx.dtype_of(it))?;
        let weight = cx.index(weight, &[target], &[0], 0)?;
        let weight = cx.unsqueeze(weight, 1)?;
        it = cx.zip(ScalarFn::Mul, it, weight)?;
    }
    let classes = cx.dim_size(x, 1);
    let index = cx.positions(&classes)?;
    let others = cx.zip(ScalarFn::Ne, place, index)?;
    let zero = cx.full_like(it, int(0))?;
    let it = cx.select(others, it, zero)?;
    let sum = cx.reduce("sum", it, &[1], false)?;
    let mut loss = cx.with_number(ScalarFn::Div, sum, Number::Int(classes))?;
    if rows < 2 {
        loss = cx.squeeze(loss, 0)?;
    }
    reduced(cx, loss, dtype)
}

/// Margins between classes that are wanted and those that are not; what is wanted ends at -1.
fn multilabel_margin(cx: &mut Cx<'_, '_>) -> Values {
    let (x, target) = (cx.x("self")?, cx.x("target")?);
    let (dtype, rank, own) = (cx.dtype_of(x), cx.rank(x), cx.shape(x));
    let classes = own.last_size();
    let rows = match rank {
        2 => own[0].clone(),
        _ => Expr::int(1),
    };
    let flat = [rows, classes.clone()];
    let (x, target) = (cx.reshape(x, &flat)?, cx.reshape(target, &flat)?);
    let x = cx.widened(x)?;
    let given = cx.with_number(ScalarFn::Ge, target, int(0))?;
    let given = cx.cast(given, DType::I64)?;
    let given = cx.scan("min", given, 1)?;
    let given = cx.with_number(ScalarFn::Ne, given, int(0))?;
    let place = cx.with_number(ScalarFn::Max, target, int(0))?;
    let wanted = cx.gather(x, place, 1)?;
    // Dimensions: row, wanted one, class.
    let (column, given) = (cx.unsqueeze(place, 2)?, cx.unsqueeze(given, 2)?);
    let class = cx.positions(&classes)?;
    let hit = cx.zip(ScalarFn::Eq, column, class)?;
    let hit = cx.zip(ScalarFn::And, hit, given)?;
    let is_wanted = cx.reduce("any", hit, &[1], true)?;
    let (wanted, all) = (cx.unsqueeze(wanted, 2)?, cx.unsqueeze(x, 1)?);
    let apart = cx.zip(ScalarFn::Sub, all, wanted)?;
    let margin = cx.with_number(ScalarFn::Add, apart, int(1))?;
    let margin = cx.with_number(ScalarFn::Max, margin, int(0))?;
    let other = cx.map(ScalarFn::Not, is_wanted)?;
    let counts = cx.zip(ScalarFn::And, other, given)?;
    let zero = cx.full_like(margin, int(0))?;
    let margin = cx.select(counts, margin, zero)?;
    let sum = cx.reduce("sum", margin, &[1, 2], false)?;
    let mut loss = cx.with_number(ScalarFn::Div, sum, Number::Int(classes))?;
    if rank < 2 {
        loss = cx.squeeze(loss, 0)?;
    }
    let mut res = reduced(cx, loss, dtype)?;
    if cx.results() == 2 {
        let flags = cx.cast(is_wanted, dtype)?;
        res.push(cx.reshape(flags, &own)?);
    }
    Ok(res)
}

/// A negative log likelihood, and the weight of all that counted.
struct Nll {
    loss: ValueId,
    weight: ValueId,
}

/// The dimension of the classes.
fn class_dim(cx: &Cx<'_, '_>, x: ValueId) -> usize {
    usize::from(1 < cx.rank(x))
}

fn nll_of(cx: &mut Cx<'_, '_>, log: ValueId, reduction: i64) -> Result<Nll> {
    let (target, ignored) = (cx.x("target")?, cx.size("ignore_index")?);
    let dim = class_dim(cx, log);
    let target = cx.cast(target, DType::I64)?;
    let counts = cx.with_number(ScalarFn::Ne, target, Number::Int(ignored))?;
    let zero = cx.full_like(target, int(0))?;
    let safe = cx.select(counts, target, zero)?;
    let place = cx.unsqueeze(safe, dim)?;
    let taken = cx.gather(log, place, dim)?;
    let taken = cx.squeeze(taken, dim)?;
    let mut loss = cx.map(ScalarFn::Neg, taken)?;
    let mut weights = cx.cast(counts, cx.dtype_of(loss))?;
    if let Some(weight) = cx.opt("weight")? {
        let weight = cx.cast(weight, cx.dtype_of(loss))?;
        let own = cx.index(weight, &[safe], &[0], 0)?;
        loss = cx.zip(ScalarFn::Mul, loss, own)?;
        weights = cx.zip(ScalarFn::Mul, weights, own)?;
    }
    let none = cx.full_like(loss, int(0))?;
    let loss = cx.select(counts, loss, none)?;
    let dims: Vec<usize> = (0..cx.rank(loss)).collect();
    let weight = cx.reduce("sum", weights, &dims, false)?;
    let loss = match reduction {
        0 => loss,
        1 => {
            let sum = cx.reduce("sum", loss, &dims, false)?;
            cx.zip(ScalarFn::Div, sum, weight)?
        }
        _ => cx.reduce("sum", loss, &dims, false)?,
    };
    Ok(Nll { loss, weight })
}

fn nll(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let (dtype, reduction) = (cx.dtype_of(x), cx.int("reduction")?);
    let wide = cx.widened(x)?;
    let it = nll_of(cx, wide, reduction)?;
    let mut res = vec![cx.cast(it.loss, dtype)?];
    if cx.results() == 2 {
        let weight = match reduction {
            // Without a reduction eager leaves it at zero.
            0 => cx.full_like(it.weight, int(0))?,
            _ => it.weight,
        };
        res.push(cx.cast(weight, dtype)?);
    }
    Ok(res)
}

/// Of probabilities of all classes.
fn cross_entropy_of_probabilities(
    cx: &mut Cx<'_, '_>,
    log: ValueId,
    smoothing: f64,
) -> Result<ValueId> {
    let target = cx.x("target")?;
    let dim = class_dim(cx, log);
    let classes = cx.dim_size(log, dim);
    let mut target = cx.cast(target, cx.dtype_of(log))?;
    if smoothing != 0.0 {
        let count = classes.as_int().ok_or_else(|| cx.error("an unknown number of classes"))?;
        target = cx.with_number(ScalarFn::Mul, target, float(1.0 - smoothing))?;
        target = cx.with_number(ScalarFn::Add, target, float(smoothing / count as f64))?;
    }
    let mut loss = cx.zip(ScalarFn::Mul, log, target)?;
    if let Some(weight) = class_weights(cx, log)? {
        loss = cx.zip(ScalarFn::Mul, loss, weight)?;
    }
    let loss = cx.reduce("sum", loss, &[dim], false)?;
    cx.map(ScalarFn::Neg, loss)
}

/// The weights of classes, shaped to broadcast.
fn class_weights(cx: &mut Cx<'_, '_>, log: ValueId) -> Result<Option<ValueId>> {
    let Some(weight) = cx.opt("weight")? else { return Ok(None) };
    let dim = class_dim(cx, log);
    let mut shape = vec![Expr::int(1); cx.rank(log)];
    shape[dim] = cx.dim_size(log, dim);
    let weight = cx.cast(weight, cx.dtype_of(log))?;
    cx.reshape(weight, &shape).map(Some)
}

fn cross_entropy(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let (dtype, reduction) = (cx.dtype_of(x), cx.int("reduction")?);
    let smoothing = cx.float("label_smoothing")?;
    let wide = cx.widened(x)?;
    let res = cross_entropy_of(cx, wide, reduction, smoothing)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// Of logits in the dtype of the computation; the target and the classes' weights are the
/// operator's.
fn cross_entropy_of(
    cx: &mut Cx<'_, '_>,
    logits: ValueId,
    reduction: i64,
    smoothing: f64,
) -> Result<ValueId> {
    let target = cx.x("target")?;
    let dim = class_dim(cx, logits);
    let log = log_softmax_of(cx, logits, dim)?;
    if cx.dtype_of(target).is_float() {
        let loss = cross_entropy_of_probabilities(cx, log, smoothing)?;
        return reduced_by(cx, loss, reduction);
    }
    let nll = nll_of(cx, log, reduction)?;
    if smoothing == 0.0 {
        return Ok(nll.loss);
    }
    let classes = cx.dim_size(logits, dim);
    let count = classes.as_int().ok_or_else(|| cx.error("an unknown number of classes"))?;
    let mut all = log;
    if let Some(weight) = class_weights(cx, log)? {
        all = cx.zip(ScalarFn::Mul, all, weight)?;
    }
    let all = cx.reduce("sum", all, &[dim], false)?;
    let all = cx.map(ScalarFn::Neg, all)?;
    let ignored = cx.size("ignore_index")?;
    let counts = cx.with_number(ScalarFn::Ne, target, Number::Int(ignored))?;
    let zero = cx.full_like(all, int(0))?;
    let all = cx.select(counts, all, zero)?;
    let dims: Vec<usize> = (0..cx.rank(all)).collect();
    let smooth = match reduction {
        0 => all,
        1 => {
            let sum = cx.reduce("sum", all, &dims, false)?;
            cx.zip(ScalarFn::Div, sum, nll.weight)?
        }
        _ => cx.reduce("sum", all, &dims, false)?,
    };
    let first = cx.with_number(ScalarFn::Mul, nll.loss, float(1.0 - smoothing))?;
    let second = cx.with_number(ScalarFn::Mul, smooth, float(smoothing / count as f64))?;
    cx.zip(ScalarFn::Add, first, second)
}

/// The cross entropy of a linear layer's result. Eager goes through the batch in chunks, to keep
/// the memory of logits small; its values are those of the whole. The gradients that it computes at
/// the same time are left out where nothing asks for them.
fn linear_cross_entropy(cx: &mut Cx<'_, '_>) -> Values {
    for name in ["compute_input_grad", "compute_linear_weight_grad", "compute_linear_bias_grad"] {
        if cx.has(name) && cx.flag(name)? {
            return Err(cx.error("gradients that are computed with the loss"));
        }
    }
    let (x, weight, bias) = (cx.x("input")?, cx.x("linear_weight")?, cx.opt("linear_bias")?);
    let dtype = cx.dtype_of(x);
    let logits = super::matmul::linear_of(cx, x, weight, bias)?;
    let (reduction, smoothing) = match cx.has("reduction") {
        false => (0, 0.0),
        true => match cx.text("reduction")?.as_str() {
            "mean" => (1, cx.float("label_smoothing")?),
            "sum" => (2, cx.float("label_smoothing")?),
            it => return Err(cx.error(format!("the reduction `{it}`"))),
        },
    };
    let loss = cross_entropy_of(cx, logits, reduction, smoothing)?;
    let mut res = vec![cx.cast(loss, dtype)?];
    for i in 1..cx.results() {
        let ty = cx.out(i)?.clone();
        res.push(cx.full(int(0), &ty.shape, ty.dtype)?);
    }
    Ok(res)
}

fn pairwise_distance(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("x1")?, cx.x("x2")?);
    let (p, eps, keep) = (cx.float("p")?, cx.float("eps")?, cx.flag("keepdim")?);
    let dtype = promote::to_float(cx.result_type(&[Input::Tensor(a), Input::Tensor(b)]));
    let res = distance_of(cx, a, b, p, eps)?;
    let rank = cx.rank(res);
    let res = if keep { cx.unsqueeze(res, rank)? } else { res };
    Ok(vec![cx.cast(res, dtype)?])
}

fn cosine_similarity(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("x1")?, cx.x("x2")?);
    let eps = cx.float("eps")?;
    let dtype = cx.result_type(&[Input::Tensor(a), Input::Tensor(b)]);
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let (a, b) = (cx.widened(a)?, cx.widened(b)?);
    let [a, b] = cx.broadcast([a, b])?;
    let dim = cx.dim("dim", cx.rank(a))?;
    let unit = |cx: &mut Cx<'_, '_>, x: ValueId| {
        let size = norm_of(cx, x, 2.0, &[dim], true)?;
        let size = cx.with_number(ScalarFn::Max, size, float(eps))?;
        cx.zip(ScalarFn::Div, x, size)
    };
    let (a, b) = (unit(cx, a)?, unit(cx, b)?);
    let product = cx.zip(ScalarFn::Mul, a, b)?;
    let res = cx.reduce("sum", product, &[dim], false)?;
    Ok(vec![cx.cast(res, dtype)?])
}

rules! {
    "torch_nn._linear_cross_entropy_batch_chunked"
        | "torch_nn._linear_cross_entropy_batch_chunked_no_reduction" => linear_cross_entropy,
    "multilabel_margin_loss" | "multilabel_margin_loss_forward" => multilabel_margin,
    "mse_loss" => mse,
    "l1_loss" => l1,
    "smooth_l1_loss" => smooth_l1,
    "huber_loss" => huber,
    "soft_margin_loss" => soft_margin,
    "binary_cross_entropy" => binary_cross_entropy,
    "binary_cross_entropy_with_logits" => binary_cross_entropy_with_logits,
    "kl_div" => kl_div,
    "poisson_nll_loss" => poisson_nll,
    "hinge_embedding_loss" => hinge_embedding,
    "margin_ranking_loss" => margin_ranking,
    "cosine_embedding_loss" => cosine_embedding,
    "triplet_margin_loss" => triplet_margin,
    "multi_margin_loss" => multi_margin,
    "nll_loss" | "nll_loss_nd" | "nll_loss2d" | "nll_loss_forward" | "nll_loss2d_forward" => nll,
    "cross_entropy_loss" => cross_entropy,
    "pairwise_distance" => pairwise_distance,
    "cosine_similarity" => cosine_similarity,
}
