//! Views, copies and conversions: the same elements under another shape, or part of them.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{cx::Cx, emit::int, shape::Shape};

type Values = Result<Vec<ValueId>>;

/// The same elements in row-major order, in the sizes on record.
fn reshaped(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let shape = cx.out_shape()?;
    Ok(vec![cx.reshape(x, &shape)?])
}

fn identity(cx: &mut Cx<'_, '_>) -> Values {
    Ok(vec![cx.x("self")?])
}

/// A conversion to the dtype on record; what else was asked for is about memory.
fn converted(cx: &mut Cx<'_, '_>, name: &str) -> Values {
    let x = cx.x(name)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(x, dtype)?])
}

fn view_dtype(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.bitcast(x, dtype)?])
}

/// `src` in the dtype and sizes of `self`.
fn copy(cx: &mut Cx<'_, '_>) -> Values {
    let (x, src) = (cx.x("self")?, cx.x("src")?);
    let src = cx.cast(src, cx.dtype_of(x))?;
    let shape = cx.shape(x);
    // Dimensions of size 1 in front of those of `self` go.
    let extra = cx.rank(src).saturating_sub(shape.len());
    let src = match extra {
        0 => src,
        _ => {
            let kept = cx.shape(src)[extra..].to_vec();
            cx.reshape(src, &kept)?
        }
    };
    Ok(vec![cx.expand(src, &shape)?])
}

fn permuted(cx: &mut Cx<'_, '_>, order: &[usize]) -> Values {
    let x = cx.x("self")?;
    Ok(vec![cx.permute(x, order)?])
}

fn permute(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let order = cx.normal_all(&cx.ints("dims")?, cx.rank(x))?;
    permuted(cx, &order)
}

fn transpose(cx: &mut Cx<'_, '_>, a: &str, b: &str) -> Values {
    let x = cx.x("self")?;
    let rank = cx.rank(x);
    let (a, b) = (cx.dim(a, rank)?, cx.dim(b, rank)?);
    Ok(vec![cx.transpose(x, a, b)?])
}

fn reversed(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let order: Vec<usize> = (0..cx.rank(x)).rev().collect();
    permuted(cx, &order)
}

fn matrix_transpose(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let rank = cx.rank(x);
    if rank < 2 {
        return Ok(vec![x]);
    }
    Ok(vec![cx.transpose(x, rank.saturating_sub(2), rank.saturating_sub(1))?])
}

fn move_dims(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let rank = cx.rank(x);
    let list = |cx: &Cx<'_, '_>, name: &str| -> Result<Vec<usize>> {
        match cx.int(name) {
            Ok(it) => Ok(vec![cx.normal(it, rank)?]),
            Err(_) => cx.normal_all(&cx.ints(name)?, rank),
        }
    };
    let (from, to) = (list(cx, "source")?, list(cx, "destination")?);
    let mut order = vec![usize::MAX; rank];
    for (from, to) in from.iter().zip(&to) {
        order[*to] = *from;
    }
    let mut rest = (0..rank).filter(|it| !from.contains(it));
    for place in &mut order {
        if *place == usize::MAX {
            *place = rest.next().unwrap_or(0);
        }
    }
    permuted(cx, &order)
}

fn expand(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let shape = cx.out_shape()?;
    Ok(vec![cx.expand(x, &shape)?])
}

/// An index counted from the front and kept within `0..=size`.
pub(super) fn bounded(cx: &Cx<'_, '_>, index: &Expr, size: &Expr) -> Expr {
    if index.as_int() == Some(i64::MAX) {
        // An end that is left open; a symbol without a bound is no larger, but no range says so.
        return size.clone();
    }
    let zero = Expr::int(0);
    let index = if cx.at_most(&zero, index) {
        index.clone()
    } else if cx.at_most(index, &Expr::int(-1)) {
        index + size
    } else {
        Expr::select(&index.below(&zero), &(index + size), index)
    };
    let index = if cx.at_most(&zero, &index) { index } else { Expr::max(&index, &zero) };
    let index = if cx.at_most(&index, size) { index } else { Expr::min(&index, size) };
    cx.simple(&index)
}

/// An index of one element, counted from the front.
pub(super) fn place(cx: &Cx<'_, '_>, index: &Expr, size: &Expr) -> Expr {
    let zero = Expr::int(0);
    if cx.at_most(&zero, index) {
        index.clone()
    } else if cx.at_most(index, &Expr::int(-1)) {
        cx.simple(&(index + size))
    } else {
        cx.simple(&Expr::select(&index.below(&zero), &(index + size), index))
    }
}

/// Start and number of elements of Python's `start:end:step`.
fn range(cx: &Cx<'_, '_>, size: &Expr, step: i64) -> Result<(Expr, Expr)> {
    let start = cx.get::<Option<Expr>>("start")?.unwrap_or_else(|| Expr::int(0));
    let end = cx.get::<Option<Expr>>("end")?.unwrap_or_else(|| size.clone());
    let (start, end) = (bounded(cx, &start, size), bounded(cx, &end, size));
    let end = if cx.at_most(&start, &end) { end } else { Expr::max(&end, &start) };
    let count = (end - start.clone() + Expr::int(step - 1)).floor_div(&Expr::int(step));
    Ok((start, cx.simple(&count)))
}

fn slice(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    let step = cx.int("step")?;
    let (start, count) = range(cx, &cx.dim_size(x, dim), step)?;
    let count = named_size(cx, dim, count)?;
    Ok(vec![cx.slice(x, dim, start, count, step)?])
}

/// The size on record, where data decides a size and the exporter gave it a name.
fn named_size(cx: &mut Cx<'_, '_>, dim: usize, count: Expr) -> Result<Expr> {
    let data = |it: &Expr| it.symbols().iter().any(|it| it.starts_with('u'));
    let Some(named) = cx.out(0)?.shape.get(dim).cloned() else { return Ok(count) };
    if !data(&count) || named.as_sym().is_none() || cx.equal(&named, &count) {
        return Ok(count);
    }
    cx.bind_size(&named, |cx| cx.build(|it| tensor::Size::build(it, count, DType::I64)))?;
    Ok(named)
}

fn slice_scatter(cx: &mut Cx<'_, '_>) -> Values {
    let (x, src) = (cx.x("self")?, cx.x("src")?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let step = cx.int("step")?;
    let (start, count) = range(cx, &cx.dim_size(x, dim), step)?;
    let mut shape = cx.shape(x);
    shape[dim] = count;
    let src = cx.cast(src, cx.dtype_of(x))?;
    let src = cx.expand(src, &shape)?;
    Ok(vec![cx.slice_update(x, src, dim, start, step)?])
}

fn select(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    let index = place(cx, &cx.size("index")?, &cx.dim_size(x, dim));
    Ok(vec![cx.select_dim(x, dim, index)?])
}

fn select_scatter(cx: &mut Cx<'_, '_>) -> Values {
    let (x, src) = (cx.x("self")?, cx.x("src")?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let index = place(cx, &cx.size("index")?, &cx.dim_size(x, dim));
    let src = cx.cast(src, cx.dtype_of(x))?;
    let src = cx.unsqueeze(src, dim)?;
    Ok(vec![cx.slice_update(x, src, dim, index, 1)?])
}

fn narrow(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    let start = place(cx, &cx.size("start")?, &cx.dim_size(x, dim));
    let length = cx.size("length")?;
    Ok(vec![cx.slice(x, dim, start, length, 1)?])
}

/// Parts one after the other; their sizes are on record.
fn split_along(cx: &mut Cx<'_, '_>, dim: usize) -> Values {
    let x = cx.x("self")?;
    let mut start = Expr::int(0);
    let mut res = Vec::new();
    for i in 0..cx.results() {
        let size = cx.out(i)?.shape.get(dim).cloned().unwrap_or_else(|| Expr::int(1));
        res.push(cx.slice(x, dim, start.clone(), size.clone(), 1)?);
        start = start + size;
    }
    Ok(res)
}

/// Parts between places that a tensor holds: from each to the next, as a slice takes them.
fn split_at(cx: &mut Cx<'_, '_>) -> Values {
    let (x, places) = (cx.x("self")?, cx.x("tensor_indices_or_sections")?);
    let dim = cx.dim("dim", cx.rank(x))?;
    if cx.rank(places) == 0 {
        return split_along(cx, dim);
    }
    let size = cx.dim_size(x, dim);
    let places = cx.cast(places, DType::I64)?;
    // Negative places count from the end.
    let back = cx.with_number(ScalarFn::Add, places, Number::Int(size.clone()))?;
    let negative = cx.with_number(ScalarFn::Lt, places, int(0))?;
    let places = cx.select(negative, back, places)?;
    let places = cx.with_number(ScalarFn::Max, places, int(0))?;
    let places = cx.with_number(ScalarFn::Min, places, Number::Int(size.clone()))?;
    let first = cx.full(int(0), &[Expr::int(1)], DType::I64)?;
    let last = cx.full(Number::Int(size), &[Expr::int(1)], DType::I64)?;
    let limits = cx.concat(&[first, places, last], 0)?;
    let mut res = Vec::new();
    for i in 0..cx.results() {
        let start = cx.select_dim(limits, 0, Expr::int(i as i64))?;
        let end = cx.select_dim(limits, 0, Expr::int(i as i64 + 1))?;
        let count = cx.out(i)?.shape.get(dim).cloned().unwrap_or_else(|| Expr::int(1));
        cx.bind_size(&count, |cx| {
            let length = cx.zip(ScalarFn::Sub, end, start)?;
            cx.with_number(ScalarFn::Max, length, int(0))
        })?;
        let place = cx.positions(&count)?;
        let place = cx.zip(ScalarFn::Add, place, start)?;
        res.push(cx.index(x, &[place], &[dim], dim)?);
    }
    Ok(res)
}

fn split(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    split_along(cx, dim)
}

/// `hsplit` of a vector splits its only dimension.
fn split_axis(cx: &mut Cx<'_, '_>, axis: usize) -> Values {
    let x = cx.x("self")?;
    let last = cx.rank(x).saturating_sub(1);
    split_along(cx, axis.min(last))
}

fn unbind(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    (0..cx.results()).map(|i| cx.select_dim(x, dim, Expr::int(i as i64))).collect()
}

/// The indices of a diagonal in two dimensions, and how many there are.
fn diagonal_indices(cx: &mut Cx<'_, '_>, count: &Expr) -> Result<[ValueId; 2]> {
    let offset = cx.int("offset")?;
    let shape = std::slice::from_ref(count);
    let rows = cx.iota(shape, 0, int((-offset).max(0)), int(1), DType::I64)?;
    let columns = cx.iota(shape, 0, int(offset.max(0)), int(1), DType::I64)?;
    Ok([rows, columns])
}

fn diagonal(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let rank = cx.rank(x);
    let dims = [cx.dim("dim1", rank)?, cx.dim("dim2", rank)?];
    let count = cx.out_shape()?.last_size();
    let indices = diagonal_indices(cx, &count)?;
    Ok(vec![cx.index(x, &indices, &dims, rank.saturating_sub(2))?])
}

fn diagonal_scatter(cx: &mut Cx<'_, '_>) -> Values {
    let (x, src) = (cx.x("self")?, cx.x("src")?);
    let rank = cx.rank(x);
    let dims = [cx.dim("dim1", rank)?, cx.dim("dim2", rank)?];
    let count = cx.shape(src).last_size();
    let indices = diagonal_indices(cx, &count)?;
    let src = cx.cast(src, cx.dtype_of(x))?;
    let dims: Vec<i64> = dims.iter().map(|it| *it as i64).collect();
    let at = (rank.saturating_sub(2)) as i64;
    let made = cx.build(|it| {
        tensor::IndexUpdate::build(it, x, &indices[..], src, dims, at, "set".to_owned())
    })?;
    Ok(vec![made])
}

/// Over a dense operand the elements in memory are those in row-major order.
fn check_dense(cx: &Cx<'_, '_>) -> Result<()> {
    let ty = cx.recorded("self")?;
    let dense = ty.is_some_and(|it| {
        let wanted = tensor::contiguous_dims(&it.shape);
        let one = Expr::int(1);
        it.strides.as_ref().is_none_or(|strides| {
            let dims = it.shape.iter().zip(strides.iter().zip(&wanted));
            dims.into_iter().all(|(size, (a, b))| *size == one || cx.equal(a, b))
        })
    });
    match dense {
        true => Ok(()),
        false => Err(cx.error("strides over a tensor that is not dense")),
    }
}

fn as_strided(cx: &mut Cx<'_, '_>) -> Values {
    check_dense(cx)?;
    let x = cx.x("self")?;
    let offset = cx.get::<Option<Expr>>("storage_offset")?.unwrap_or_else(|| Expr::int(0));
    let (shape, strides) = (cx.sizes("size")?, cx.sizes("stride")?);
    let made = cx.build(|it| tensor::Strided::build(it, x, shape, strides, offset))?;
    Ok(vec![made])
}

fn as_strided_scatter(cx: &mut Cx<'_, '_>) -> Values {
    check_dense(cx)?;
    let (x, src) = (cx.x("self")?, cx.x("src")?);
    let offset = cx.get::<Option<Expr>>("storage_offset")?.unwrap_or_else(|| Expr::int(0));
    let (shape, strides) = (cx.sizes("size")?, cx.sizes("stride")?);
    let mut places = cx.full(Number::Int(offset), &shape, DType::I64)?;
    for (dim, stride) in strides.into_iter().enumerate() {
        let along = cx.iota(&shape, dim, int(0), Number::Int(stride), DType::I64)?;
        places = cx.zip(ir::scalar::ScalarFn::Add, places, along)?;
    }
    let (whole, count) = (cx.shape(x), cx.ty(x)?.numel());
    let flat = cx.reshape(x, &[count])?;
    let made = cx.build(|it| {
        let places: &[ValueId] = &[places];
        tensor::IndexUpdate::build(it, flat, places, src, vec![0], 0, "set".to_owned())
    })?;
    Ok(vec![cx.reshape(made, &whole)?])
}

/// Windows of `size` every `step` along a dimension, each in a last dimension of its own.
fn unfold(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let rank = cx.rank(x);
    let dim = cx.dim("dimension", rank)?;
    let (size, step) = (cx.int("size")?, cx.int("step")?);
    let shape = cx.out_shape()?;
    if rank == 0 {
        return Ok(vec![cx.reshape(x, &shape)?]);
    }
    let windows = [shape[dim].clone(), Expr::int(size)];
    let starts = cx.iota(&windows, 0, int(0), int(step), DType::I64)?;
    let steps = cx.iota(&windows, 1, int(0), int(1), DType::I64)?;
    let places = cx.zip(ir::scalar::ScalarFn::Add, starts, steps)?;
    let taken = cx.index(x, &[places], &[dim], dim)?;
    Ok(vec![cx.move_dim(taken, dim + 1, rank)?])
}

/// In training it would draw random numbers.
fn dropout(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("input")?;
    let train = cx.flag("train")?;
    let p = cx.float("p")?;
    if train && p != 0.0 {
        return Err(cx.error("dropout in training"));
    }
    Ok(vec![x])
}

fn native_dropout(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("input")?;
    if cx.flag("train")? {
        return Err(cx.error("dropout in training"));
    }
    let shape = cx.shape(x);
    Ok(vec![x, cx.full(Number::Bool(true), &shape, DType::Bool)?])
}

fn meshgrid(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let swap = cx.has("indexing") && cx.text("indexing")? == "xy" && 1 < xs.len();
    let mut res = Vec::new();
    for (i, x) in xs.iter().enumerate() {
        let shape = Shape::new(cx.out(i)?.shape.to_vec());
        let dim = if swap && i < 2 { 1 - i } else { i };
        let mut own = Shape::new(vec![Expr::int(1); shape.len()]);
        own[dim] = shape[dim].clone();
        let x = cx.reshape(*x, &own)?;
        res.push(cx.expand(x, &shape)?);
    }
    Ok(res)
}

fn broadcast_tensors(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let mut res = Vec::new();
    for (i, x) in xs.into_iter().enumerate() {
        let shape = cx.out(i)?.shape.to_vec();
        res.push(cx.expand(x, &shape)?);
    }
    Ok(res)
}

/// Each tensor in the shape that is on record.
fn each_reshaped(cx: &mut Cx<'_, '_>) -> Values {
    let mut res = Vec::new();
    for (i, x) in cx.list("tensors")?.into_iter().enumerate() {
        let shape = cx.out(i)?.shape.to_vec();
        res.push(cx.reshape(x, &shape)?);
    }
    Ok(res)
}

rules! {
    "atleast_1d.Sequence" | "atleast_2d.Sequence" | "atleast_3d.Sequence" => each_reshaped,
    "view" | "reshape" | "_unsafe_view" | "_reshape_alias" | "flatten.using_ints" | "unflatten.int"
        | "squeeze" | "squeeze.dim" | "squeeze.dims" | "unsqueeze" | "view_as" | "reshape_as"
        | "ravel" | "atleast_1d" | "atleast_2d" | "atleast_3d" | "view_copy" | "unsqueeze_copy"
        | "squeeze_copy" | "squeeze_copy.dim" | "squeeze_copy.dims" => reshaped,
    "view.dtype" => view_dtype,
    "alias" | "detach" | "lift_fresh" | "lift_fresh_copy" | "clone" | "contiguous" | "lift"
        | "resolve_conj" | "resolve_neg" | "alias_copy" | "detach_copy" => identity,
    "to.dtype" | "to.dtype_layout" | "to.device" | "to.other" | "_to_copy" | "type_as"
        | "chalf" => |cx| {
        converted(cx, "self")
    },
    "prims.convert_element_type" => |cx| converted(cx, "a"),
    "copy" => copy,
    "permute" | "permute_copy" => permute,
    "transpose.int" | "transpose_copy.int" => |cx| transpose(cx, "dim0", "dim1"),
    "swapdims" => |cx| transpose(cx, "dim0", "dim1"),
    "swapaxes" => |cx| transpose(cx, "axis0", "axis1"),
    "t" | "t_copy" | "numpy_T" => reversed,
    "mT" => matrix_transpose,
    "movedim.int" | "movedim.intlist" | "moveaxis.int" | "moveaxis.intlist" => move_dims,
    "expand" | "expand_as" | "broadcast_to" | "expand_copy" => expand,
    "slice.Tensor" | "slice_copy.Tensor" => slice,
    "slice_scatter" => slice_scatter,
    "select.int" | "select_copy.int" => select,
    "select_scatter" => select_scatter,
    "narrow" | "narrow_copy" => narrow,
    "split.Tensor" | "split.sizes" | "split_with_sizes" | "chunk" | "unsafe_chunk"
        | "unsafe_split.Tensor" | "unsafe_split_with_sizes" | "tensor_split.sections"
        | "tensor_split.indices" | "split_copy.Tensor" | "split_with_sizes_copy" => split,
    "tensor_split.tensor_indices_or_sections" => split_at,
    "hsplit.int" | "hsplit.array" => |cx| split_axis(cx, 1),
    "vsplit.int" | "vsplit.array" => |cx| split_axis(cx, 0),
    "dsplit.int" | "dsplit.array" => |cx| split_axis(cx, 2),
    "unbind.int" | "unbind_copy.int" => unbind,
    "diagonal" | "diagonal_copy" => diagonal,
    "linalg_diagonal" => |cx| {
        let x = cx.x("A")?;
        let rank = cx.rank(x);
        let dims = [cx.dim("dim1", rank)?, cx.dim("dim2", rank)?];
        let count = cx.out_shape()?.last_size();
        let indices = diagonal_indices(cx, &count)?;
        Ok(vec![cx.index(x, &indices, &dims, rank.saturating_sub(2))?])
    },
    "diagonal_scatter" => diagonal_scatter,
    "as_strided" | "as_strided_copy" => as_strided,
    "as_strided_scatter" => as_strided_scatter,
    "unfold" | "unfold_copy" => unfold,
    "dropout" | "feature_dropout" | "alpha_dropout" | "feature_alpha_dropout" => dropout,
    "native_dropout" => native_dropout,
    "meshgrid" | "meshgrid.indexing" => meshgrid,
    "broadcast_tensors" => broadcast_tensors,
}
