//! Tensors from numbers, and conversions of each element.

use ir::{DType, EvalCx, EvalError, HostTensor, Number, scalar::Elem};

use super::{Eval, build, count, dim, error, extents, give, sizes, tensor, zeroed};
use crate::ops::{Assert, Bitcast, Cast, Full, Iota, Literal, Size};

/// A number as an element; a symbolic one has the value of its size.
pub(super) fn number(cx: &EvalCx<'_>, number: &Number) -> Result<Elem, EvalError> {
    Ok(match number {
        Number::Bool(it) => Elem::Int(i128::from(*it)),
        Number::Int(it) => symbolic(cx, it)?,
        Number::Float(it) => Elem::Float(*it),
        Number::Complex(re, im) => Elem::Complex(*re, *im),
    })
}

fn symbolic(cx: &EvalCx<'_>, it: &sym::Expr) -> Result<Elem, EvalError> {
    Ok(match (cx.number)(it)? {
        sym::Number::Int(it) => Elem::Int(it.into()),
        sym::Number::Float(it) => Elem::Float(it),
    })
}

/// The bytes of one element in `dtype`.
pub(super) fn bytes_of(dtype: DType, elem: Elem) -> Vec<u8> {
    let mut res = Vec::new();
    ir::scalar::store(dtype, elem, &mut res);
    res
}

/// The bytes of a tensor of equal elements.
pub(super) fn repeated(dtype: DType, shape: &[usize], elem: Elem) -> Result<Vec<u8>, EvalError> {
    let one = bytes_of(dtype, elem);
    let zeros = zeroed(dtype, shape)?;
    match one.iter().all(|it| *it == 0) {
        true => Ok(zeros),
        false => Ok(one.repeat(zeros.len() / one.len())),
    }
}

pub(crate) fn assert(cx: &EvalCx<'_>) -> Eval {
    let it = Assert(cx.view);
    match (cx.size)(&it.cond())? {
        0 => Err(error(it.message())),
        _ => Ok(Vec::new()),
    }
}

pub(crate) fn full(cx: &EvalCx<'_>) -> Eval {
    let it = Full(cx.view);
    let shape = sizes(cx, &it.shape())?;
    let bytes = repeated(it.dtype(), &shape, number(cx, &it.value())?)?;
    give(it.dtype(), &shape, bytes)
}

pub(crate) fn literal(cx: &EvalCx<'_>) -> Eval {
    let it = Literal(cx.view);
    let shape = it.shape().into_iter().map(super::size).collect::<Result<Vec<_>, _>>()?;
    let values =
        it.values().iter().map(|it| number(cx, it)).collect::<Result<Vec<_>, EvalError>>()?;
    if values.len() != count(&shape)? {
        return Err(error(format!("{} values for shape {shape:?}", values.len())));
    }
    give(it.dtype(), &shape, build(it.dtype(), values.len(), |i| values[i])?)
}

pub(crate) fn iota(cx: &EvalCx<'_>) -> Eval {
    let it = Iota(cx.view);
    let shape = sizes(cx, &it.shape())?;
    let at = dim(it.dim(), shape.len())?;
    let (start, step) = (number(cx, &it.start())?, number(cx, &it.step())?);
    // Integers are exact; anything else is computed in double precision, as eager does.
    let elem = |i: usize| match (start, step) {
        (Elem::Int(start), Elem::Int(step)) => Elem::Int(start + i as i128 * step),
        _ => Elem::Float(start.to_f64() + i as f64 * step.to_f64()),
    };
    let inner = count(&shape[at + 1..])?.max(1);
    let extent = shape[at].max(1);
    let bytes = build(it.dtype(), count(&shape)?, |i| elem(i / inner % extent))?;
    give(it.dtype(), &shape, bytes)
}

pub(crate) fn size(cx: &EvalCx<'_>) -> Eval {
    let it = Size(cx.view);
    give(it.dtype(), &[], bytes_of(it.dtype(), symbolic(cx, &it.value())?))
}

pub(crate) fn cast(cx: &EvalCx<'_>) -> Eval {
    let (x, dtype) = (tensor(cx, 0)?, Cast(cx.view).dtype());
    let shape = extents(&x);
    if x.dtype == dtype {
        return give(dtype, &shape, x.bytes);
    }
    let bytes = match (x.dtype, dtype) {
        (DType::F16 | DType::BF16, DType::F32) => {
            x.to_f32().iter().flat_map(|it| it.to_le_bytes()).collect()
        }
        _ => build(dtype, count(&shape)?, |i| x.elem(i))?,
    };
    give(dtype, &shape, bytes)
}

pub(crate) fn bitcast(cx: &EvalCx<'_>) -> Eval {
    let (x, dtype) = (tensor(cx, 0)?, Bitcast(cx.view).dtype());
    let mut shape = extents(&x);
    let (from, to) = (x.dtype.size(), dtype.size());
    if from != to {
        let last = shape.last_mut().ok_or_else(|| error("a scalar cannot change its width"))?;
        if *last * from % to != 0 {
            return Err(error(format!("the last size {last} does not divide into {dtype}")));
        }
        *last = *last * from / to;
    }
    give(dtype, &shape, x.bytes)
}

/// Each element of one followed by that of the other.
fn interleave(a: &HostTensor, b: &HostTensor) -> Vec<u8> {
    let width = a.dtype.size();
    let pairs = a.bytes.chunks_exact(width).zip(b.bytes.chunks_exact(width));
    pairs.flat_map(|(a, b)| a.iter().chain(b)).copied().collect()
}

pub(crate) fn complex(cx: &EvalCx<'_>) -> Eval {
    let (re, im) = (tensor(cx, 0)?, tensor(cx, 1)?);
    let Some(dtype) = re.dtype.of_parts() else {
        return Err(error(format!("no complex dtype has parts of {}", re.dtype)));
    };
    if (re.dtype, &re.shape) != (im.dtype, &im.shape) {
        return Err(error(format!("parts of shapes {:?} and {:?}", re.shape, im.shape)));
    }
    give(dtype, &extents(&re), interleave(&re, &im))
}

fn part(cx: &EvalCx<'_>, which: usize) -> Eval {
    let x = tensor(cx, 0)?;
    let Some(dtype) = x.dtype.part() else {
        return Err(error(format!("{} has no parts", x.dtype)));
    };
    let parts = x.bytes.chunks_exact(dtype.size()).skip(which).step_by(2);
    let bytes: Vec<u8> = parts.flatten().copied().collect();
    give(dtype, &extents(&x), bytes)
}

pub(crate) fn real(cx: &EvalCx<'_>) -> Eval {
    part(cx, 0)
}

pub(crate) fn imag(cx: &EvalCx<'_>) -> Eval {
    part(cx, 1)
}
