//! Rules about what moves elements.

use ir::{Result, TensorType, ValueId};
use pass::rules::RuleCx;
use sym::{Answer, Expr, less_equal};
use tensor::{Concat, Expand, Flip, Pad, Permute, Reduce, Reshape, Slice};

type Found = Option<Result<ValueId>>;

fn tensor<'c>(cx: &'c RuleCx<'_>, value: ValueId) -> Option<&'c TensorType> {
    cx.ty(value).as_tensor()
}

fn is_one(size: &Expr) -> bool {
    size.as_int() == Some(1)
}

pub(super) fn permute_of_permute(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let outer = Permute::of(cx.view(it)?)?;
    let inner = Permute::of(cx.view(outer.x())?)?;
    let (x, first) = (inner.x(), inner.order());
    let order = outer.order().iter().map(|it| first[*it as usize]).collect();
    Some(cx.make(|b| Permute::build(b, x, order)))
}

/// Where only dimensions of size 1 change places, the elements stay in order.
pub(super) fn permute_of_units(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let permute = Permute::of(cx.view(it)?)?;
    let x = permute.x();
    let sizes = &tensor(cx, x)?.shape;
    let order = permute.order();
    let moved = order.iter().filter(|it| !is_one(&sizes[**it as usize]));
    if !moved.is_sorted() {
        return None;
    }
    let shape = tensor(cx, it)?.shape.to_vec();
    Some(cx.make(|b| Reshape::build(b, x, shape)))
}

pub(super) fn reshape_of_reshape(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let outer = Reshape::of(cx.view(it)?)?;
    let inner = Reshape::of(cx.view(outer.x())?)?;
    let (x, shape) = (inner.x(), outer.shape());
    Some(cx.make(|b| Reshape::build(b, x, shape)))
}

pub(super) fn reshape_to_the_same(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let reshape = Reshape::of(cx.view(it)?)?;
    let x = reshape.x();
    (tensor(cx, x)?.shape[..] == reshape.shape()).then_some(Ok(x))
}

pub(super) fn expand_of_expand(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let outer = Expand::of(cx.view(it)?)?;
    let inner = Expand::of(cx.view(outer.x())?)?;
    let (x, shape) = (inner.x(), outer.shape());
    Some(cx.make(|b| Expand::build(b, x, shape)))
}

/// Dimensions of size 1 come and go by reshape alone.
pub(super) fn expand_by_units(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let expand = Expand::of(cx.view(it)?)?;
    let (x, shape) = (expand.x(), expand.shape());
    let old = &tensor(cx, x)?.shape;
    let (added, kept) = shape.split_at(shape.len().checked_sub(old.len())?);
    if !added.iter().all(is_one) || kept != &old[..] {
        return None;
    }
    Some(cx.make(|b| Reshape::build(b, x, shape)))
}

pub(super) fn slice_of_slice(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let outer = Slice::of(cx.view(it)?)?;
    let inner = Slice::of(cx.view(outer.x())?)?;
    let x = inner.x();
    let (mut start, mut step) = (inner.start(), inner.step());
    let (size, outer_start, outer_step) = (outer.size(), outer.start(), outer.step());
    for i in 0..size.len() {
        start[i] = &start[i] + &outer_start[i] * step[i];
        step[i] = step[i].checked_mul(outer_step[i])?;
    }
    if start.iter().any(Expr::is_undefined) {
        return None;
    }
    Some(cx.make(|b| Slice::build(b, x, start, size, step)))
}

/// A slice of what lies side by side is one of the only operand it touches.
pub(super) fn slice_of_concat(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let slice = Slice::of(cx.view(it)?)?;
    let concat = Concat::of(cx.view(slice.x())?)?;
    let dim = concat.dim() as usize;
    let (mut start, size, step) = (slice.start(), slice.size(), slice.step());
    let first = start[dim].clone();
    let end = &first + (&size[dim] - 1) * step[dim] + 1;
    let holds = |a: &Expr, b: &Expr| less_equal(a, b, cx.facts()) == Answer::Proven;
    let mut offset = Expr::int(0);
    let mut found = None;
    for x in concat.xs() {
        let next = &offset + &tensor(cx, x)?.shape[dim];
        if holds(&offset, &first) && holds(&end, &next) {
            found = Some(x);
            break;
        }
        offset = next;
    }
    let x = found?;
    start[dim] = first - offset;
    Some(cx.make(|b| Slice::build(b, x, start, size, step)))
}

pub(super) fn flip_of_units(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let flip = Flip::of(cx.view(it)?)?;
    let (x, dims) = (flip.x(), flip.dims());
    let sizes = &tensor(cx, x)?.shape;
    let rest: Vec<i64> = dims.iter().copied().filter(|it| !is_one(&sizes[*it as usize])).collect();
    if rest.is_empty() {
        return Some(Ok(x));
    }
    (rest.len() < dims.len()).then(|| cx.make(|b| Flip::build(b, x, rest)))
}

pub(super) fn flip_of_flip(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let outer = Flip::of(cx.view(it)?)?;
    let inner = Flip::of(cx.view(outer.x())?)?;
    let (x, a, b) = (inner.x(), inner.dims(), outer.dims());
    let mut dims: Vec<i64> = a.iter().filter(|it| !b.contains(it)).copied().collect();
    dims.extend(b.iter().filter(|it| !a.contains(it)));
    dims.sort_unstable();
    Some(cx.make(|b| Flip::build(b, x, dims)))
}

pub(super) fn pad_by_nothing(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let pad = Pad::of(cx.view(it)?)?;
    let ends = pad.low().into_iter().chain(pad.high()).all(|it| it.as_int() == Some(0));
    let between = pad.interior().iter().all(|it| *it == 0);
    (ends && between).then(|| Ok(pad.x()))
}

pub(super) fn concat_of_one(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    match Concat::of(cx.view(it)?)?.xs()[..] {
        [x] => Some(Ok(x)),
        _ => None,
    }
}

pub(super) fn concat_of_empty(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let concat = Concat::of(cx.view(it)?)?;
    let (xs, dim) = (concat.xs(), concat.dim());
    let is_empty =
        |x: &ValueId| tensor(cx, *x).is_some_and(|it| it.shape[dim as usize].as_int() == Some(0));
    let rest: Vec<ValueId> = xs.iter().copied().filter(|it| !is_empty(it)).collect();
    if rest.is_empty() || rest.len() == xs.len() {
        return None;
    }
    Some(cx.make(|b| Concat::build(b, rest, dim)))
}

pub(super) fn concat_of_concat(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let outer = Concat::of(cx.view(it)?)?;
    let dim = outer.dim();
    let inside = |x: ValueId| Concat::of(cx.view(x)?).filter(|it| it.dim() == dim);
    let xs = outer.xs();
    let flat: Vec<ValueId> =
        xs.iter().flat_map(|x| inside(*x).map_or_else(|| vec![*x], Concat::xs)).collect();
    if flat.len() == xs.len() {
        return None;
    }
    Some(cx.make(|b| Concat::build(b, flat, dim)))
}

/// A reduction of single elements gives those elements. Not a sum of floats: `0 + -0.0` is `0.0`.
pub(super) fn reduce_of_units(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let reduce = Reduce::of(cx.view(it)?)?;
    let (x, dims, kind) = (reduce.x(), reduce.dims(), reduce.kind());
    let ty = tensor(cx, x)?;
    let inexact = ty.dtype.is_complex() || ty.dtype.is_float() && kind == "sum";
    if inexact || !dims.iter().all(|it| is_one(&ty.shape[*it as usize])) {
        return None;
    }
    let shape = tensor(cx, it)?.shape.to_vec();
    Some(cx.make(|b| Reshape::build(b, x, shape)))
}
