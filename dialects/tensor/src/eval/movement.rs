//! Operators that move elements: each names two layouts and leaves the rest to
//! [`strided::copy`](super::strided::copy).

use ir::{EvalCx, EvalError, HostTensor};

use super::{
    Eval, count,
    create::{number, repeated},
    dim, dims, error, extents, give, ints, sizes,
    strided::{Layout, copy},
    tensor, zeroed,
};
use crate::ops::{Concat, Expand, Flip, Pad, Permute, Reshape, Slice, SliceUpdate, Strided};

/// The elements of `x` at `from`, as a row-major tensor.
pub(super) fn taken(
    x: &HostTensor,
    shape: &[usize],
    from: &Layout,
) -> Result<HostTensor, EvalError> {
    let mut out = zeroed(x.dtype, shape)?;
    copy(shape, x.dtype.size(), (&x.bytes, from), (&mut out, &Layout::dense(shape)))?;
    Ok(super::host(x.dtype, shape, out))
}

fn take(x: &HostTensor, shape: &[usize], from: &Layout) -> Eval {
    Ok(vec![ir::HostValue::Tensor(taken(x, shape, from)?)])
}

/// The tensor with its dimensions reordered; the same bytes where that changes nothing.
pub(super) fn permuted(x: &HostTensor, order: &[usize]) -> Result<HostTensor, EvalError> {
    if order.is_sorted() {
        return Ok(x.clone());
    }
    let (shape, dense) = (extents(x), Layout::dense(&extents(x)));
    let strides = order.iter().map(|it| dense.strides[*it]).collect();
    let shape: Vec<usize> = order.iter().map(|it| shape[*it]).collect();
    taken(x, &shape, &Layout { offset: 0, strides })
}

pub(crate) fn expand(cx: &EvalCx<'_>) -> Eval {
    let x = tensor(cx, 0)?;
    let (shape, old) = (sizes(cx, &Expand(cx.view).shape())?, extents(&x));
    let added = shape
        .len()
        .checked_sub(old.len())
        .ok_or_else(|| error(format!("{old:?} cannot be expanded to {shape:?}")))?;
    if shape == old {
        return give(x.dtype, &shape, x.bytes);
    }
    let mut from = Layout::dense(&old);
    for (i, stride) in from.strides.iter_mut().enumerate() {
        match (old[i], shape[added + i]) {
            (a, b) if a == b => (),
            (1, _) => *stride = 0,
            _ => return Err(error(format!("{old:?} cannot be expanded to {shape:?}"))),
        }
    }
    from.strides.splice(0..0, vec![0; added]);
    take(&x, &shape, &from)
}

pub(crate) fn permute(cx: &EvalCx<'_>) -> Eval {
    let x = tensor(cx, 0)?;
    let order = dims(&Permute(cx.view).order(), x.shape.len())?;
    Ok(vec![ir::HostValue::Tensor(permuted(&x, &order)?)])
}

pub(crate) fn reshape(cx: &EvalCx<'_>) -> Eval {
    let x = tensor(cx, 0)?;
    let shape = sizes(cx, &Reshape(cx.view).shape())?;
    match count(&shape)? == x.numel() {
        true => give(x.dtype, &shape, x.bytes),
        false => Err(error(format!("{} elements under shape {shape:?}", x.numel()))),
    }
}

/// Where the part of a tensor lies that starts at `start` and takes every `step`-th element.
/// Nothing may be said of a part without elements: it has no place.
fn part(shape: &[usize], start: &[i64], size: &[usize], step: &[i64]) -> Result<Layout, EvalError> {
    let inside = size.contains(&0)
        || (0..shape.len()).all(|i| {
            let last = i128::from(start[i]) + (size[i] as i128 - 1) * i128::from(step[i]);
            0 <= start[i] && 0 < step[i] && last < shape[i] as i128
        });
    let found = match inside {
        true if size.contains(&0) => Some(Layout::dense(shape)),
        true => Layout::part(shape, start, step),
        false => None,
    };
    found.ok_or_else(|| {
        error(format!("{size:?} elements from {start:?} by {step:?} do not lie within {shape:?}"))
    })
}

pub(crate) fn slice(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, Slice(cx.view));
    let (start, size) = (ints(cx, &it.start())?, sizes(cx, &it.size())?);
    let from = part(&extents(&x), &start, &size, &it.step())?;
    match size == extents(&x) {
        true => give(x.dtype, &size, x.bytes),
        false => take(&x, &size, &from),
    }
}

pub(crate) fn flip(cx: &EvalCx<'_>) -> Eval {
    let x = tensor(cx, 0)?;
    let shape = extents(&x);
    let mut from = Layout::dense(&shape);
    for at in dims(&Flip(cx.view).dims(), shape.len())? {
        from.offset += from.strides[at] * (shape[at] as i64 - 1);
        from.strides[at] = -from.strides[at];
    }
    take(&x, &shape, &from)
}

pub(crate) fn pad(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, Pad(cx.view));
    let (low, high, interior) = (ints(cx, &it.low())?, ints(cx, &it.high())?, it.interior());
    let old = extents(&x);
    let axes = (0..old.len())
        .map(|i| padding(old[i], low[i], high[i], interior[i]))
        .collect::<Result<Vec<_>, EvalError>>()?;
    let shape: Vec<usize> = axes.iter().map(|it| it.size).collect();
    let kept: Vec<usize> = axes.iter().map(|it| it.kept).collect();
    let first: Vec<i64> = axes.iter().map(|it| it.first).collect();
    let start: Vec<i64> = axes.iter().map(|it| it.start).collect();
    let steps: Vec<i64> = interior.iter().map(|it| it.saturating_add(1)).collect();
    let mut out = repeated(x.dtype, &shape, number(cx, &it.value())?)?;
    let from = part(&old, &first, &kept, &vec![1; old.len()])?;
    let to = part(&shape, &start, &kept, &steps)?;
    copy(&kept, x.dtype.size(), (&x.bytes, &from), (&mut out, &to))?;
    give(x.dtype, &shape, out)
}

/// What padding does along one dimension.
struct Padding {
    /// The padded size.
    size: usize,
    /// How many elements stay.
    kept: usize,
    /// The first of them.
    first: i64,
    /// Where it comes to.
    start: i64,
}

fn padding(old: usize, low: i64, high: i64, interior: i64) -> Result<Padding, EvalError> {
    let (n, step) = (old as i128, i128::from(interior) + 1);
    let (low, high) = (i128::from(low), i128::from(high));
    let size = n + (n - 1).max(0) * (step - 1) + low + high;
    let size = i64::try_from(size).map_err(|_| error(format!("a size of {size}")))?;
    // Element j comes to low + j * step; those within the padded size stay.
    let ceil_div = |a: i128| -(-a).div_euclid(step);
    let first = ceil_div((-low).max(0)).min(n);
    let end = ceil_div(i128::from(size) - low).clamp(first, n);
    Ok(Padding {
        size: super::size(size)?,
        kept: (end - first) as usize,
        first: first as i64,
        start: (low + first * step) as i64,
    })
}

pub(crate) fn concat(cx: &EvalCx<'_>) -> Eval {
    let xs =
        (0..cx.operands.len()).map(|i| tensor(cx, i)).collect::<Result<Vec<_>, EvalError>>()?;
    let first = xs.first().ok_or_else(|| error("there is nothing to concatenate"))?;
    let mut shape = extents(first);
    let at = dim(Concat(cx.view).dim(), shape.len())?;
    for x in &xs[1..] {
        let other = extents(x);
        let fits = x.dtype == first.dtype
            && other.len() == shape.len()
            && (0..shape.len()).all(|i| i == at || other[i] == shape[i]);
        if !fits {
            return Err(error(format!("{shape:?} and {other:?} differ outside dimension {at}")));
        }
        shape[at] += other[at];
    }
    let mut out = zeroed(first.dtype, &shape)?;
    let mut to = Layout::dense(&shape);
    for x in &xs {
        let part = extents(x);
        copy(&part, x.dtype.size(), (&x.bytes, &Layout::dense(&part)), (&mut out, &to))?;
        to.offset += to.strides[at] * part[at] as i64;
    }
    give(first.dtype, &shape, out)
}

pub(crate) fn slice_update(cx: &EvalCx<'_>) -> Eval {
    let (x, update, it) = (tensor(cx, 0)?, tensor(cx, 1)?, SliceUpdate(cx.view));
    let (shape, size) = (extents(&x), extents(&update));
    let to = part(&shape, &ints(cx, &it.start())?, &size, &it.step())?;
    let mut out = x.bytes.to_vec();
    let from = Layout::dense(&size);
    copy(&size, x.dtype.size(), (&update.bytes, &from), (&mut out, &to))?;
    give(x.dtype, &shape, out)
}

pub(crate) fn strided(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, Strided(cx.view));
    let shape = sizes(cx, &it.shape())?;
    let from = Layout { offset: (cx.size)(&it.offset())?, strides: ints(cx, &it.strides())? };
    take(&x, &shape, &from)
}
