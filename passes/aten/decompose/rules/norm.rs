//! Normalisation. Mean first, then the mean of squared distances from it.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{reduce::mean_of, rules};
use crate::{
    decompose::{cx::Cx, emit::float},
    promote,
};

type Values = Result<Vec<ValueId>>;

/// Mean and biased variance along dimensions, both with those dimensions of size 1.
pub(super) fn moments(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    dims: &[usize],
) -> Result<(ValueId, ValueId, ValueId)> {
    let mean = mean_of(cx, x, dims, true)?;
    let centered = cx.zip(ScalarFn::Sub, x, mean)?;
    let squares = cx.zip(ScalarFn::Mul, centered, centered)?;
    let variance = mean_of(cx, squares, dims, true)?;
    Ok((centered, mean, variance))
}

fn inverse_deviation(cx: &mut Cx<'_, '_>, variance: ValueId, eps: f64) -> Result<ValueId> {
    let shifted = cx.with_number(ScalarFn::Add, variance, float(eps))?;
    cx.map(ScalarFn::Rsqrt, shifted)
}

/// `x * weight + bias`, either of which may be absent, in the dtype of `x`.
fn affine(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    weight: Option<ValueId>,
    bias: Option<ValueId>,
) -> Result<ValueId> {
    let dtype = cx.dtype_of(x);
    let mut res = x;
    if let Some(weight) = weight {
        let weight = cx.cast(weight, dtype)?;
        res = cx.zip(ScalarFn::Mul, res, weight)?;
    }
    if let Some(bias) = bias {
        let bias = cx.cast(bias, dtype)?;
        res = cx.zip(ScalarFn::Add, res, bias)?;
    }
    Ok(res)
}

/// One number per channel, shaped to broadcast over `[n, c, …]`.
pub(super) fn per_channel(cx: &mut Cx<'_, '_>, x: ValueId, rank: usize) -> Result<ValueId> {
    if rank < 2 {
        return Err(cx.error("a tensor without channels"));
    }
    let mut shape = vec![Expr::int(1); rank];
    shape[1] = cx.ty(x)?.numel();
    cx.reshape(x, &shape)
}

/// The last dimensions, as many as the shape that is normalised has.
fn last_dims(cx: &Cx<'_, '_>, x: ValueId) -> Result<Vec<usize>> {
    let (rank, count) = (cx.rank(x), cx.sizes("normalized_shape")?.len());
    Ok((rank.saturating_sub(count)..rank).collect())
}

fn layer_norm_of(cx: &mut Cx<'_, '_>) -> Result<[ValueId; 3]> {
    let x = cx.x("input")?;
    let dtype = cx.dtype_of(x);
    let (weight, bias, eps) = (cx.opt("weight")?, cx.opt("bias")?, cx.float("eps")?);
    let dims = last_dims(cx, x)?;
    let x = cx.widened(x)?;
    let (centered, mean, variance) = moments(cx, x, &dims)?;
    let scale = inverse_deviation(cx, variance, eps)?;
    let normal = cx.zip(ScalarFn::Mul, centered, scale)?;
    let res = affine(cx, normal, weight, bias)?;
    Ok([cx.cast(res, dtype)?, mean, scale])
}

fn layer_norm(cx: &mut Cx<'_, '_>) -> Values {
    Ok(vec![layer_norm_of(cx)?[0]])
}

/// Results after the first have the dtype and sizes on record.
fn on_record(cx: &mut Cx<'_, '_>, results: &[ValueId]) -> Values {
    let mut res = Vec::new();
    for (i, it) in results.iter().take(cx.results()).enumerate() {
        let Ok(ty) = cx.out(i).cloned() else {
            res.push(*it);
            continue;
        };
        let it = cx.cast(*it, ty.dtype)?;
        res.push(if i == 0 { it } else { cx.reshape(it, &ty.shape)? });
    }
    Ok(res)
}

fn native_layer_norm(cx: &mut Cx<'_, '_>) -> Values {
    let results = layer_norm_of(cx)?;
    on_record(cx, &results)
}

fn rms_norm_of(cx: &mut Cx<'_, '_>) -> Result<[ValueId; 2]> {
    let x = cx.x("input")?;
    let dtype = cx.dtype_of(x);
    let weight = cx.opt("weight")?;
    let eps = cx.get::<Option<f64>>("eps")?.unwrap_or(match dtype {
        DType::F64 => f64::EPSILON,
        _ => f64::from(f32::EPSILON),
    });
    let dims = last_dims(cx, x)?;
    let x = cx.widened(x)?;
    let squares = cx.zip(ScalarFn::Mul, x, x)?;
    let mean = mean_of(cx, squares, &dims, true)?;
    let scale = inverse_deviation(cx, mean, eps)?;
    let normal = cx.zip(ScalarFn::Mul, x, scale)?;
    let res = affine(cx, normal, weight, None)?;
    Ok([cx.cast(res, dtype)?, scale])
}

fn rms_norm(cx: &mut Cx<'_, '_>) -> Values {
    let results = rms_norm_of(cx)?;
    on_record(cx, &results)
}

fn group_norm_of(cx: &mut Cx<'_, '_>, groups: i64) -> Result<[ValueId; 3]> {
    let x = cx.x("input")?;
    let (dtype, shape) = (cx.dtype_of(x), cx.shape(x));
    let (weight, bias, eps) = (cx.opt("weight")?, cx.opt("bias")?, cx.float("eps")?);
    let groups = Expr::int(groups);
    let inner =
        shape[2..].iter().fold(shape[1].floor_div(&groups), |product, it| product * it.clone());
    let inner = cx.simple(&inner);
    let wide = cx.widened(x)?;
    let grouped = cx.reshape(wide, &[shape[0].clone(), groups, inner])?;
    let (centered, mean, variance) = moments(cx, grouped, &[2])?;
    let scale = inverse_deviation(cx, variance, eps)?;
    let normal = cx.zip(ScalarFn::Mul, centered, scale)?;
    let normal = cx.reshape(normal, &shape)?;
    let rank = shape.len();
    let weight = weight.map(|it| per_channel(cx, it, rank)).transpose()?;
    let bias = bias.map(|it| per_channel(cx, it, rank)).transpose()?;
    let res = affine(cx, normal, weight, bias)?;
    Ok([cx.cast(res, dtype)?, mean, scale])
}

fn group_norm(cx: &mut Cx<'_, '_>) -> Values {
    let groups = cx.int("num_groups")?;
    Ok(vec![group_norm_of(cx, groups)?[0]])
}

fn native_group_norm(cx: &mut Cx<'_, '_>) -> Values {
    let groups = cx.int("group")?;
    let results = group_norm_of(cx, groups)?;
    on_record(cx, &results)
}

/// With known statistics: one product and one sum, whose factors are constants of the model.
fn normalized_by(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    mean: ValueId,
    variance: ValueId,
    eps: f64,
) -> Result<ValueId> {
    let (weight, bias) = (cx.opt("weight")?, cx.opt("bias")?);
    let dtype = cx.dtype_of(x);
    let rank = cx.rank(x);
    let x = cx.widened(x)?;
    let compute = cx.dtype_of(x);
    let (mean, variance) = (cx.cast(mean, compute)?, cx.cast(variance, compute)?);
    let mut alpha = inverse_deviation(cx, variance, eps)?;
    if let Some(weight) = weight {
        let weight = cx.cast(weight, compute)?;
        alpha = cx.zip(ScalarFn::Mul, alpha, weight)?;
    }
    let shift = cx.zip(ScalarFn::Mul, mean, alpha)?;
    let beta = match bias {
        Some(bias) => {
            let bias = cx.cast(bias, compute)?;
            cx.zip(ScalarFn::Sub, bias, shift)?
        }
        None => cx.map(ScalarFn::Neg, shift)?,
    };
    let (alpha, beta) = (per_channel(cx, alpha, rank)?, per_channel(cx, beta, rank)?);
    let scaled = cx.zip(ScalarFn::Mul, x, alpha)?;
    let res = cx.zip(ScalarFn::Add, scaled, beta)?;
    cx.cast(res, dtype)
}

/// With the statistics of the batch, per channel; gives them too.
fn normalized_by_own(cx: &mut Cx<'_, '_>, x: ValueId, eps: f64) -> Result<[ValueId; 3]> {
    let (weight, bias) = (cx.opt("weight")?, cx.opt("bias")?);
    let (dtype, rank) = (cx.dtype_of(x), cx.rank(x));
    let dims: Vec<usize> = (0..rank).filter(|it| *it != 1).collect();
    let x = cx.widened(x)?;
    let (centered, mean, variance) = moments(cx, x, &dims)?;
    let scale = inverse_deviation(cx, variance, eps)?;
    let normal = cx.zip(ScalarFn::Mul, centered, scale)?;
    let weight = weight.map(|it| per_channel(cx, it, rank)).transpose()?;
    let bias = bias.map(|it| per_channel(cx, it, rank)).transpose()?;
    let res = affine(cx, normal, weight, bias)?;
    Ok([cx.cast(res, dtype)?, mean, variance])
}

fn batch_norm_of(cx: &mut Cx<'_, '_>, training: bool) -> Result<[ValueId; 3]> {
    let (x, eps) = (cx.x("input")?, cx.float("eps")?);
    let running = if cx.has("running_mean") {
        cx.opt("running_mean")?.zip(cx.opt("running_var")?)
    } else {
        None
    };
    match running {
        Some(_) if training => Err(cx.error("batch norm in training keeps statistics")),
        Some((mean, variance)) => {
            let res = normalized_by(cx, x, mean, variance, eps)?;
            let empty =
                cx.full(float(0.0), &[Expr::int(0)], promote::compute_type(cx.dtype_of(x)))?;
            Ok([res, empty, empty])
        }
        None => {
            let [res, mean, variance] = normalized_by_own(cx, x, eps)?;
            Ok([res, mean, inverse_deviation(cx, variance, eps)?])
        }
    }
}

fn batch_norm(cx: &mut Cx<'_, '_>) -> Values {
    let training = cx.flag("training")?;
    Ok(vec![batch_norm_of(cx, training)?[0]])
}

fn native_batch_norm(cx: &mut Cx<'_, '_>) -> Values {
    let training = cx.has("training") && cx.flag("training")?;
    let mut results = batch_norm_of(cx, training)?.to_vec();
    if cx.results() == 4 {
        let reserve = cx.full(Number::Int(Expr::int(0)), &[Expr::int(0)], DType::U8)?;
        results.push(reserve);
    }
    on_record(cx, &results)
}

/// In training: by the statistics of the batch, which move the running ones. The variance that is
/// kept is not biased.
fn batch_norm_functional(cx: &mut Cx<'_, '_>) -> Values {
    let (x, eps, momentum) = (cx.x("input")?, cx.float("eps")?, cx.float("momentum")?);
    let (mean, variance) = (cx.x("running_mean")?, cx.x("running_var")?);
    let reserve = cx.results() == 6;
    let training = reserve || cx.flag("training")?;
    let mut results = if training {
        let [res, own_mean, own_variance] = normalized_by_own(cx, x, eps)?;
        let others: Vec<usize> = (0..cx.rank(x)).filter(|it| *it != 1).collect();
        let count = super::reduce::count(cx, x, &others);
        let unbiased = cx.with_number(ScalarFn::Mul, own_variance, Number::Int(count.clone()))?;
        let unbiased =
            cx.with_number(ScalarFn::Div, unbiased, Number::Int(count - Expr::int(1)))?;
        let mut moved = Vec::new();
        for (running, own) in [(mean, own_mean), (variance, unbiased)] {
            let (dtype, shape) = (cx.dtype_of(running), cx.shape(running));
            let own = cx.reshape(own, &shape)?;
            let running = cx.cast(running, cx.dtype_of(own))?;
            let kept = cx.with_number(ScalarFn::Mul, running, float(1.0 - momentum))?;
            let taken = cx.with_number(ScalarFn::Mul, own, float(momentum))?;
            let sum = cx.zip(ScalarFn::Add, taken, kept)?;
            moved.push(cx.cast(sum, dtype)?);
        }
        let scale = inverse_deviation(cx, own_variance, eps)?;
        vec![res, own_mean, scale, moved[0], moved[1]]
    } else {
        let res = normalized_by(cx, x, mean, variance, eps)?;
        let empty = cx.full(float(0.0), &[Expr::int(0)], promote::compute_type(cx.dtype_of(x)))?;
        vec![res, empty, empty, mean, variance]
    };
    if reserve {
        let empty = cx.full(Number::Int(Expr::int(0)), &[Expr::int(0)], DType::U8)?;
        results.insert(3, empty);
    }
    on_record(cx, &results)
}

/// Every channel of every element of the batch by its own statistics.
fn instance_norm(cx: &mut Cx<'_, '_>) -> Values {
    let (x, eps) = (cx.x("input")?, cx.float("eps")?);
    if !cx.flag("use_input_stats")? {
        let (Some(mean), Some(variance)) = (cx.opt("running_mean")?, cx.opt("running_var")?) else {
            return Err(cx.error("instance norm without statistics"));
        };
        return Ok(vec![normalized_by(cx, x, mean, variance, eps)?]);
    }
    if cx.opt("running_mean")?.is_some() {
        return Err(cx.error("instance norm in training keeps statistics"));
    }
    let (weight, bias) = (cx.opt("weight")?, cx.opt("bias")?);
    let (dtype, rank) = (cx.dtype_of(x), cx.rank(x));
    let dims: Vec<usize> = (2..rank).collect();
    let x = cx.widened(x)?;
    let (centered, _, variance) = moments(cx, x, &dims)?;
    let scale = inverse_deviation(cx, variance, eps)?;
    let normal = cx.zip(ScalarFn::Mul, centered, scale)?;
    let weight = weight.map(|it| per_channel(cx, it, rank)).transpose()?;
    let bias = bias.map(|it| per_channel(cx, it, rank)).transpose()?;
    let res = affine(cx, normal, weight, bias)?;
    Ok(vec![cx.cast(res, dtype)?])
}

rules! {
    "layer_norm" => layer_norm,
    "native_layer_norm" => native_layer_norm,
    "rms_norm" | "_fused_rms_norm" => rms_norm,
    "group_norm" => group_norm,
    "native_group_norm" => native_group_norm,
    "batch_norm" => batch_norm,
    "native_batch_norm" | "_native_batch_norm_legit_no_training" | "_batch_norm_no_update"
        | "_native_batch_norm_legit.no_stats" => native_batch_norm,
    "_native_batch_norm_legit_functional" | "_batch_norm_with_update_functional" =>
        batch_norm_functional,
    "instance_norm" => instance_norm,
}
