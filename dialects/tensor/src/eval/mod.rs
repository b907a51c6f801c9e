//! Evaluation on the host: what every operator means, in plain Rust.
//!
//! This is the oracle that compiled code is compared with, so it favours accuracy over speed:
//! floats are accumulated in `f64` and rounded once, integers wrap at their own width.
//! It also folds constants at compile time, so what moves data (`movement`) and what is done to
//! each float32 (`pointwise`) has a fast path.
//!
//! - [`strided`]: copies between layouts, all of data movement;
//! - [`fold`]: the combining functions that reductions, scans, windows and updates share;
//! - [`gemm`]: products of matrices, which contraction, convolution and attention share.
//!
//! Result shapes are computed from the operands, not read off the inferred types: the interpreter
//! compares the two, so inference is checked by every evaluation.

pub(crate) mod contract;
pub(crate) mod create;
mod fold;
mod gemm;
pub(crate) mod index;
pub(crate) mod movement;
mod num;
pub(crate) mod reduce;
mod strided;
mod window;

use std::fmt;

use ir::{
    DType, EvalCx, EvalError, HostTensor, HostValue,
    scalar::{Elem, ScalarFn, apply, apply_f32, store},
};
use rayon::prelude::*;
use sym::Expr;

type Eval = Result<Vec<HostValue>, EvalError>;

/// Elements per task where work is done in parallel, and below which it is not.
const GRAIN: usize = 1 << 14;

fn error(message: impl fmt::Display) -> EvalError {
    EvalError(message.to_string())
}

/// The `i`-th value operand.
fn tensor(cx: &EvalCx<'_>, i: usize) -> Result<HostTensor, EvalError> {
    let operand = cx.operands.get(i).ok_or_else(|| error(format!("operand {i} is missing")))?;
    operand.tensor()?.check()
}

fn give(dtype: DType, shape: &[usize], bytes: impl Into<ir::Bytes>) -> Eval {
    Ok(vec![HostValue::Tensor(host(dtype, shape, bytes))])
}

fn host(dtype: DType, shape: &[usize], bytes: impl Into<ir::Bytes>) -> HostTensor {
    HostTensor { dtype, shape: shape.iter().map(|it| *it as i64).collect(), bytes: bytes.into() }
}

/// The sizes of a tensor; those of host tensors are not negative.
fn extents(x: &HostTensor) -> Vec<usize> {
    x.shape.iter().map(|it| usize::try_from(*it).unwrap_or(0)).collect()
}

fn ints(cx: &EvalCx<'_>, exprs: &[Expr]) -> Result<Vec<i64>, EvalError> {
    exprs.iter().map(|it| (cx.size)(it)).collect()
}

/// Sizes that must not be negative.
fn sizes(cx: &EvalCx<'_>, exprs: &[Expr]) -> Result<Vec<usize>, EvalError> {
    ints(cx, exprs)?.into_iter().map(size).collect()
}

fn size(value: i64) -> Result<usize, EvalError> {
    usize::try_from(value).map_err(|_| error(format!("a size of {value}")))
}

/// The number of elements of a shape.
fn count(shape: &[usize]) -> Result<usize, EvalError> {
    if shape.contains(&0) {
        return Ok(0);
    }
    let product = shape.iter().try_fold(1_usize, |product, it| product.checked_mul(*it));
    product.ok_or_else(|| error(format!("too many elements: {shape:?}")))
}

/// Bytes for a tensor, all zero.
fn zeroed(dtype: DType, shape: &[usize]) -> Result<Vec<u8>, EvalError> {
    // Asked for and given back, so that the second request does not abort; unlike filling what
    // was asked for, it gets pages that are zero already.
    let len = room(dtype, count(shape)?)?.capacity();
    Ok(vec![0; len])
}

/// Room for exactly so many elements; an absurd number is an error, not an abort.
fn room(dtype: DType, count: usize) -> Result<Vec<u8>, EvalError> {
    let mut res = Vec::new();
    let len = count.checked_mul(dtype.size());
    match len.is_some_and(|it| res.try_reserve_exact(it).is_ok()) {
        true => Ok(res),
        false => Err(error(format!("no memory for {count} elements of {dtype}"))),
    }
}

/// Row-major strides of a shape.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}

/// A dimension that inference has found to exist.
fn dim(dim: i64, rank: usize) -> Result<usize, EvalError> {
    let found = usize::try_from(dim).ok().filter(|it| *it < rank);
    found.ok_or_else(|| error(format!("dimension {dim} does not exist in rank {rank}")))
}

fn dims(dims: &[i64], rank: usize) -> Result<Vec<usize>, EvalError> {
    dims.iter().map(|it| dim(*it, rank)).collect()
}

/// The bytes of `count` elements, each given by its number.
fn build(
    dtype: DType,
    count: usize,
    elem: impl Fn(usize) -> Elem + Sync,
) -> Result<Vec<u8>, EvalError> {
    let part = |range: std::ops::Range<usize>| -> Result<Vec<u8>, EvalError> {
        let mut res = room(dtype, range.len())?;
        range.for_each(|it| store(dtype, elem(it), &mut res));
        Ok(res)
    };
    if count <= GRAIN {
        return part(0..count);
    }
    let parts = (0..count.div_ceil(GRAIN)).into_par_iter();
    let parts: Vec<Vec<u8>> = parts
        .map(|it| part(it * GRAIN..count.min((it + 1) * GRAIN)))
        .collect::<Result<_, EvalError>>()?;
    Ok(parts.concat())
}

/// One scalar function applied to each element.
pub(crate) fn pointwise(cx: &EvalCx<'_>) -> Eval {
    let function = cx.view.op.def.0.scalar.ok_or_else(|| error("no scalar function"))?;
    let xs = (0..function.arity()).map(|i| tensor(cx, i)).collect::<Result<Vec<_>, _>>()?;
    let dtypes: Vec<DType> = xs.iter().map(|it| it.dtype).collect();
    let dtype = function.result(&dtypes).map_err(EvalError)?;
    if let Some(it) = xs.iter().find(|it| it.shape != xs[0].shape) {
        return Err(error(format!("shapes differ: {:?} and {:?}", xs[0].shape, it.shape)));
    }
    let shape = extents(&xs[0]);
    let main = xs[xs.len() - 1].dtype;
    let bytes = match (function, apply_f32(function)) {
        (ScalarFn::Select, _) => select(&xs)?,
        (_, Some(f)) if main == DType::F32 => floats(&shape, &xs[0], &xs[xs.len() - 1], f)?,
        _ => build(dtype, count(&shape)?, |i| {
            let mut args = [Elem::Int(0); 3];
            xs.iter().zip(&mut args).for_each(|(x, arg)| *arg = x.elem(i));
            apply(function, main, &args[..xs.len()])
        })?,
    };
    give(dtype, &shape, bytes)
}

/// A float32 function of one or two operands; of one, both are the same.
fn floats(
    shape: &[usize],
    a: &HostTensor,
    b: &HostTensor,
    f: fn(f32, f32) -> f32,
) -> Result<Vec<u8>, EvalError> {
    const WIDTH: usize = size_of::<f32>();
    let mut out = zeroed(DType::F32, shape)?;
    let tasks = out
        .par_chunks_mut(GRAIN * WIDTH)
        .zip(a.bytes.par_chunks(GRAIN * WIDTH).zip(b.bytes.par_chunks(GRAIN * WIDTH)));
    tasks.for_each(|(out, (a, b))| {
        let operands = a.as_chunks::<WIDTH>().0.iter().zip(b.as_chunks::<WIDTH>().0);
        for (out, (a, b)) in out.as_chunks_mut::<WIDTH>().0.iter_mut().zip(operands) {
            *out = f(f32::from_le_bytes(*a), f32::from_le_bytes(*b)).to_le_bytes();
        }
    });
    Ok(out)
}

/// Whole elements of one of two tensors, by the bools of a third.
fn select(xs: &[HostTensor]) -> Result<Vec<u8>, EvalError> {
    let [cond, lhs, rhs] = xs else {
        return Err(error("select takes three operands"));
    };
    let width = lhs.dtype.size();
    let mut out = lhs.bytes.to_vec();
    let elems = out.chunks_exact_mut(width).zip(rhs.bytes.chunks_exact(width));
    for ((out, rhs), cond) in elems.zip(cond.bytes.iter()) {
        if *cond == 0 {
            out.copy_from_slice(rhs);
        }
    }
    Ok(out)
}

/// Factors of matrices.
pub(crate) fn linalg(cx: &EvalCx<'_>) -> Eval {
    let kind: String = cx.view.attr("kind");
    let kind = ir::linalg::Factor::parse(&kind).ok_or_else(|| error(kind))?;
    let operands =
        (0..cx.operands.len()).map(|i| tensor(cx, i)).collect::<Result<Vec<_>, EvalError>>()?;
    let results = kind.evaluate(&operands, cx.view.attr("checked")).map_err(error)?;
    Ok(results.into_iter().map(HostValue::Tensor).collect())
}
