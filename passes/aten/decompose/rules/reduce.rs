//! Sums, means, extrema and norms along dimensions.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{compare::truth, norm::moments, rules};
use crate::{
    decompose::{
        cx::Cx,
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// The number of elements along dimensions.
pub(super) fn count(cx: &Cx<'_, '_>, x: ValueId, dims: &[usize]) -> Expr {
    let product = dims.iter().fold(Expr::int(1), |product, it| product * cx.dim_size(x, *it));
    cx.simple(&product)
}

/// The mean along dimensions, in the dtype of `x`, which is as eager computes.
pub(super) fn mean_of(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    dims: &[usize],
    keep: bool,
) -> Result<ValueId> {
    let count = count(cx, x, dims);
    let sum = cx.reduce("sum", x, dims, keep)?;
    cx.with_number(ScalarFn::Div, sum, Number::Int(count))
}

/// The dimensions that `dim` names; all where it is absent or empty.
pub(super) fn dims(cx: &Cx<'_, '_>, x: ValueId) -> Result<Vec<usize>> {
    let rank = cx.rank(x);
    if !cx.has("dim") {
        return Ok((0..rank).collect());
    }
    let dims = match cx.get::<Option<i64>>("dim") {
        Ok(Some(it)) => vec![it],
        Ok(None) => Vec::new(),
        Err(_) => cx.ints("dim")?,
    };
    let dims = match dims.is_empty() {
        true => (0..rank).collect(),
        false => cx.normal_all(&dims, rank)?,
    };
    // A tensor without dimensions may be asked for its dimension 0.
    Ok(if rank == 0 { Vec::new() } else { dims })
}

fn keep(cx: &Cx<'_, '_>) -> Result<bool> {
    if cx.has("keepdim") { cx.flag("keepdim") } else { Ok(false) }
}

fn asked_dtype(cx: &Cx<'_, '_>) -> Result<Option<DType>> {
    if cx.has("dtype") { cx.dtype("dtype") } else { Ok(None) }
}

fn reduced(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let x = cx.x("self")?;
    let dtype = asked_dtype(cx)?.unwrap_or_else(|| promote::sum_type(cx.dtype_of(x)));
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let x = cx.cast(x, dtype)?;
    Ok(vec![cx.reduce(kind, x, &dims, keep)?])
}

fn mean(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = asked_dtype(cx)?.unwrap_or(cx.dtype_of(x));
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let x = cx.cast(x, dtype)?;
    let wide = cx.widened(x)?;
    let mean = mean_of(cx, wide, &dims, keep)?;
    Ok(vec![cx.cast(mean, dtype)?])
}

/// NaN counts as zero.
fn without_nan(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<(ValueId, Option<ValueId>)> {
    if !cx.dtype_of(x).is_float() {
        return Ok((x, None));
    }
    let nan = cx.map(ScalarFn::IsNan, x)?;
    let zero = cx.full_like(x, int(0))?;
    Ok((cx.select(nan, zero, x)?, Some(nan)))
}

fn nansum(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = asked_dtype(cx)?.unwrap_or_else(|| promote::sum_type(cx.dtype_of(x)));
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let (x, _) = without_nan(cx, x)?;
    let x = cx.cast(x, dtype)?;
    Ok(vec![cx.reduce("sum", x, &dims, keep)?])
}

fn nanmean(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = asked_dtype(cx)?.unwrap_or(cx.dtype_of(x));
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let (zeroed, nan) = without_nan(cx, x)?;
    let wide = cx.widened(zeroed)?;
    let sum = cx.reduce("sum", wide, &dims, keep)?;
    let counted = match nan {
        Some(nan) => cx.map(ScalarFn::Not, nan)?,
        None => return Err(cx.error("nanmean of integers")),
    };
    let counted = cx.cast(counted, cx.dtype_of(wide))?;
    let counted = cx.reduce("sum", counted, &dims, keep)?;
    let mean = cx.zip(ScalarFn::Div, sum, counted)?;
    Ok(vec![cx.cast(mean, dtype)?])
}

fn extremum(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let x = cx.x("self")?;
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    Ok(vec![cx.reduce(kind, x, &dims, keep)?])
}

fn aminmax(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    Ok(vec![cx.reduce("min", x, &dims, keep)?, cx.reduce("max", x, &dims, keep)?])
}

/// The extremum along one dimension and its first index.
fn extremum_dim(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let x = cx.x("self")?;
    let keep = keep(cx)?;
    if cx.rank(x) == 0 {
        return Ok(vec![x, cx.full(int(0), &[], DType::I64)?]);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    Ok(vec![cx.reduce(kind, x, &[dim], keep)?, cx.arg_reduce(kind, x, dim, keep)?])
}

fn arg_extremum(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let x = cx.x("self")?;
    let keep = keep(cx)?;
    let shape = cx.out_shape()?;
    let dim: Option<i64> = cx.get("dim")?;
    let (x, dim) = match dim {
        Some(_) if cx.rank(x) == 0 => return Ok(vec![cx.full(int(0), &[], DType::I64)?]),
        Some(dim) => (x, cx.normal(dim, cx.rank(x))?),
        None => {
            let numel = cx.ty(x)?.numel();
            (cx.reshape(x, &[numel])?, 0)
        }
    };
    let index = cx.arg_reduce(kind, x, dim, keep)?;
    Ok(vec![cx.reshape(index, &shape)?])
}

fn any_all(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let x = cx.x("self")?;
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let truth = truth(cx, x)?;
    let res = cx.reduce(kind, truth, &dims, keep)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(res, dtype)?])
}

fn count_nonzero(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dims = dims(cx, x)?;
    let truth = truth(cx, x)?;
    let ones = cx.cast(truth, DType::I64)?;
    Ok(vec![cx.reduce("sum", ones, &dims, false)?])
}

/// Mean and variance; the sum of squares is divided by the count less the correction.
fn variance_of(cx: &mut Cx<'_, '_>) -> Result<(ValueId, ValueId, DType)> {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let correction = if cx.has("correction") {
        let it: Option<Number> = cx.get("correction")?;
        it.map_or(Some(1.0), |it| it.as_f64()).ok_or_else(|| cx.error("a symbolic correction"))?
    } else {
        f64::from(u8::from(cx.flag("unbiased")?))
    };
    let wide = cx.widened(x)?;
    let (centered, mean, variance) = moments(cx, wide, &dims)?;
    let variance = if correction == 0.0 {
        variance
    } else {
        let count = count(cx, x, &dims);
        let squares = cx.zip(ScalarFn::Mul, centered, centered)?;
        let sum = cx.reduce("sum", squares, &dims, true)?;
        let divisor = match count.as_int() {
            Some(it) => float((it as f64 - correction).max(0.0)),
            None if correction.fract() == 0.0 => {
                let less = count - Expr::int(correction as i64);
                Number::Int(Expr::max(&less, &Expr::int(0)))
            }
            None => return Err(cx.error("a fractional correction of an unknown count")),
        };
        cx.with_number(ScalarFn::Div, sum, divisor)?
    };
    if keep {
        return Ok((variance, mean, dtype));
    }
    let kept: Vec<Expr> =
        (0..cx.rank(x)).filter(|it| !dims.contains(it)).map(|it| cx.dim_size(x, it)).collect();
    Ok((cx.reshape(variance, &kept)?, cx.reshape(mean, &kept)?, dtype))
}

fn variance(cx: &mut Cx<'_, '_>, root: bool, with_mean: bool) -> Values {
    let (mut variance, mean, dtype) = variance_of(cx)?;
    if root {
        variance = cx.map(ScalarFn::Sqrt, variance)?;
    }
    let mut res = vec![cx.cast(variance, dtype)?];
    if with_mean {
        res.push(cx.cast(mean, dtype)?);
    }
    Ok(res)
}

/// `(Σ |x|ᵖ)^(1/p)` and its limits.
pub(super) fn norm_of(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    p: f64,
    dims: &[usize],
    keep: bool,
) -> Result<ValueId> {
    let size = cx.map(ScalarFn::Abs, x)?;
    if p == f64::INFINITY {
        return cx.reduce("max", size, dims, keep);
    }
    if p == f64::NEG_INFINITY {
        return cx.reduce("min", size, dims, keep);
    }
    if p == 0.0 {
        let some = cx.with_number(ScalarFn::Ne, size, int(0))?;
        let ones = cx.cast(some, cx.dtype_of(size))?;
        return cx.reduce("sum", ones, dims, keep);
    }
    if p == 1.0 {
        return cx.reduce("sum", size, dims, keep);
    }
    if p == 2.0 {
        let squares = cx.zip(ScalarFn::Mul, size, size)?;
        let sum = cx.reduce("sum", squares, dims, keep)?;
        return cx.map(ScalarFn::Sqrt, sum);
    }
    let powers = cx.with_number(ScalarFn::Pow, size, float(p))?;
    let sum = cx.reduce("sum", powers, dims, keep)?;
    cx.with_number(ScalarFn::Pow, sum, float(1.0 / p))
}

fn norm(cx: &mut Cx<'_, '_>, order: &str) -> Values {
    let x = cx.x("self")?;
    let p: Option<Number> = cx.get(order)?;
    let p = p.map_or(Some(2.0), |it| it.as_f64()).ok_or_else(|| cx.error("a symbolic order"))?;
    let dtype = asked_dtype(cx)?.unwrap_or(cx.dtype_of(x));
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let x = cx.cast(x, dtype)?;
    let wide = cx.widened(x)?;
    let res = norm_of(cx, wide, p, &dims, keep)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(res, dtype)?])
}

/// Which norm of matrices.
#[derive(Clone, Copy, PartialEq)]
enum MatrixNorm {
    Frobenius,
    Nuclear,
    Order(f64),
}

/// The sum, the greatest or the least of the singular values of matrices in two dimensions.
fn singular_norm(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    kind: &str,
    dims: &[usize],
    keep: bool,
) -> Result<ValueId> {
    let mut shape = cx.shape(x);
    let order: Vec<usize> =
        (0..shape.len()).filter(|it| !dims.contains(it)).chain(dims.iter().copied()).collect();
    let last = cx.permute(x, &order)?;
    let values = super::linalg::singular_values(cx, last)?;
    let mut res = cx.reduce(kind, values, &[cx.rank(values) - 1], false)?;
    if kind == "max" {
        // They are not negative, and of a matrix without elements there are none.
        res = cx.with_number(ScalarFn::Max, res, int(0))?;
    }
    if !keep {
        return Ok(res);
    }
    dims.iter().for_each(|it| shape[*it] = Expr::int(1));
    cx.reshape(res, &shape)
}

/// A norm of matrices in two dimensions: `fro`, or the greatest or least sum of sizes along one.
fn matrix_norm_of(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    order: MatrixNorm,
    dims: &[usize],
    keep: bool,
) -> Result<ValueId> {
    let [rows, columns] = *dims else {
        return Err(cx.error("a norm of matrices in two dimensions"));
    };
    let order = match order {
        MatrixNorm::Frobenius => return norm_of(cx, x, 2.0, dims, keep),
        MatrixNorm::Nuclear => return singular_norm(cx, x, "sum", dims, keep),
        MatrixNorm::Order(2.0) => return singular_norm(cx, x, "max", dims, keep),
        MatrixNorm::Order(-2.0) => return singular_norm(cx, x, "min", dims, keep),
        MatrixNorm::Order(it) => it,
    };
    let (summed, other) = match order.abs() {
        1.0 => (rows, columns),
        f64::INFINITY => (columns, rows),
        _ => return Err(cx.error(format!("a norm of matrices of order {order}"))),
    };
    let size = cx.map(ScalarFn::Abs, x)?;
    let sums = cx.reduce("sum", size, &[summed], true)?;
    let kind = if 0.0 < order { "max" } else { "min" };
    let mut res = cx.reduce(kind, sums, &[other], true)?;
    if kind == "max" {
        // The sums are not negative, and of a matrix without elements there may be none.
        res = cx.with_number(ScalarFn::Max, res, int(0))?;
    }
    if keep {
        return Ok(res);
    }
    let kept: Vec<Expr> =
        (0..cx.rank(x)).filter(|it| !dims.contains(it)).map(|it| cx.dim_size(x, it)).collect();
    cx.reshape(res, &kept)
}

fn linalg_norm(cx: &mut Cx<'_, '_>, of_matrices: bool) -> Values {
    let x = cx.x(if cx.has("A") { "A" } else { "self" })?;
    let named = |it: &str| match it {
        "fro" => Some(MatrixNorm::Frobenius),
        "nuc" => Some(MatrixNorm::Nuclear),
        _ => None,
    };
    let order = match cx.has("ord") {
        false => None,
        true => match cx.text("ord") {
            Ok(it) => match named(&it) {
                None => return Err(cx.error(format!("the norm `{it}`"))),
                it => it,
            },
            Err(_) => {
                let order: Option<Number> = cx.get("ord")?;
                order.and_then(|it| it.as_f64()).map(MatrixNorm::Order)
            }
        },
    };
    let dtype = asked_dtype(cx)?.unwrap_or(cx.dtype_of(x));
    let given = !cx.ints("dim")?.is_empty();
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let x = cx.cast(x, dtype)?;
    let wide = cx.widened(x)?;
    // Without an order or dimensions the norm is of all elements.
    let vectors =
        !of_matrices && (order.is_none() || dims.len() == 1 || (given && dims.len() != 2));
    let order = order.unwrap_or(MatrixNorm::Frobenius);
    let res = match (vectors, order) {
        (true, MatrixNorm::Order(it)) => norm_of(cx, wide, it, &dims, keep)?,
        (true, MatrixNorm::Frobenius) => norm_of(cx, wide, 2.0, &dims, keep)?,
        (_, order) => matrix_norm_of(cx, wide, order, &dims, keep)?,
    };
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `max + log(Σ exp(x - max))`; an infinite maximum is not subtracted.
fn logsumexp(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = promote::to_float(cx.dtype_of(x));
    let (dims, keep) = (dims(cx, x)?, keep(cx)?);
    let shape = cx.out_shape()?;
    let x = cx.cast(x, promote::compute_type(dtype))?;
    let greatest = cx.reduce("max", x, &dims, true)?;
    let infinite = cx.map(ScalarFn::IsInf, greatest)?;
    let zero = cx.full_like(greatest, int(0))?;
    let greatest = cx.select(infinite, zero, greatest)?;
    let shifted = cx.zip(ScalarFn::Sub, x, greatest)?;
    let power = cx.map(ScalarFn::Exp, shifted)?;
    let sum = cx.reduce("sum", power, &dims, true)?;
    let log = cx.map(ScalarFn::Log, sum)?;
    let res = cx.zip(ScalarFn::Add, log, greatest)?;
    let res = if keep { res } else { cx.reshape(res, &shape)? };
    Ok(vec![cx.cast(res, dtype)?])
}

fn scanned(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let x = cx.x("self")?;
    let dtype = asked_dtype(cx)?.unwrap_or_else(|| promote::sum_type(cx.dtype_of(x)));
    let x = cx.cast(x, dtype)?;
    if cx.rank(x) == 0 {
        return Ok(vec![x]);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    Ok(vec![cx.scan(kind, x, dim)?])
}

/// The extremum so far and the last index where it was met.
fn scanned_extremum(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let x = cx.x("self")?;
    if cx.rank(x) == 0 {
        return Ok(vec![x, cx.full(int(0), &[], DType::I64)?]);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    let bools = cx.dtype_of(x) == DType::Bool;
    let numbers = if bools { cx.cast(x, DType::U8)? } else { x };
    let values = cx.scan(kind, numbers, dim)?;
    let mut met = cx.zip(ScalarFn::Eq, numbers, values)?;
    if cx.dtype_of(x).is_float() {
        let nan = cx.map(ScalarFn::IsNan, x)?;
        met = cx.zip(ScalarFn::Or, met, nan)?;
    }
    let shape = cx.shape(x);
    let index = cx.iota(&shape, dim, int(0), int(1), DType::I64)?;
    let zero = cx.full_like(index, int(0))?;
    let index = cx.select(met, index, zero)?;
    let index = cx.scan("max", index, dim)?;
    let values = if bools { cx.cast(values, DType::Bool)? } else { values };
    Ok(vec![values, index])
}

/// `log(Σ exp(x))` so far, less the greatest of the whole line for safety.
fn logcumsumexp(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    if cx.rank(x) == 0 {
        return Ok(vec![x]);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    let x = cx.widened(x)?;
    let greatest = cx.scan("max", x, dim)?;
    let top = cx.reduce("max", greatest, &[dim], true)?;
    let shifted = cx.zip(ScalarFn::Sub, x, top)?;
    let power = cx.map(ScalarFn::Exp, shifted)?;
    let sum = cx.scan("sum", power, dim)?;
    let log = cx.map(ScalarFn::Log, sum)?;
    let res = cx.zip(ScalarFn::Add, log, top)?;
    Ok(vec![cx.cast(res, dtype)?])
}

rules! {
    "sum" | "sum.dim_IntList" => |cx| reduced(cx, "sum"),
    "prod" | "prod.dim_int" => |cx| reduced(cx, "prod"),
    "mean" | "mean.dim" => mean,
    "nansum" => nansum,
    "nanmean" => nanmean,
    "amax" | "max" => |cx| extremum(cx, "max"),
    "amin" | "min" => |cx| extremum(cx, "min"),
    "aminmax" => aminmax,
    "max.dim" => |cx| extremum_dim(cx, "max"),
    "min.dim" => |cx| extremum_dim(cx, "min"),
    "argmax" => |cx| arg_extremum(cx, "max"),
    "argmin" => |cx| arg_extremum(cx, "min"),
    "any" | "any.dim" | "any.dims" => |cx| any_all(cx, "any"),
    "all" | "all.dim" | "all.dims" => |cx| any_all(cx, "all"),
    "count_nonzero" | "count_nonzero.dim_IntList" => count_nonzero,
    "var" | "var.dim" | "var.correction" => |cx| variance(cx, false, false),
    "std" | "std.dim" | "std.correction" => |cx| variance(cx, true, false),
    "var_mean" | "var_mean.dim" | "var_mean.correction" => |cx| variance(cx, false, true),
    "std_mean" | "std_mean.dim" | "std_mean.correction" => |cx| variance(cx, true, true),
    "norm.Scalar" | "norm.ScalarOpt_dim" | "norm.ScalarOpt_dim_dtype" | "norm.ScalarOpt_dtype" =>
        |cx| norm(cx, "p"),
    "linalg_norm" | "linalg_norm.ord_str" | "frobenius_norm.dim" => |cx| linalg_norm(cx, false),
    "linalg_matrix_norm" | "linalg_matrix_norm.str_ord" => |cx| linalg_norm(cx, true),
    "linalg_vector_norm" => |cx| norm(cx, "ord"),
    "logsumexp" | "special_logsumexp" => logsumexp,
    "cumsum" => |cx| scanned(cx, "sum"),
    "cumprod" => |cx| scanned(cx, "prod"),
    "cummax" => |cx| scanned_extremum(cx, "max"),
    "cummin" => |cx| scanned_extremum(cx, "min"),
    "logcumsumexp" => logcumsumexp,
}
