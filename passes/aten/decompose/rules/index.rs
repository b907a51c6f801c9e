//! Indexing by tensors: reading, and writing into a copy.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{compare::truth, data::nonzero_columns, rules};
use crate::decompose::{cx::Cx, emit::int};

type Values = Result<Vec<ValueId>>;

fn embedding(cx: &mut Cx<'_, '_>) -> Values {
    let (weight, indices) = (cx.x("weight")?, cx.x("indices")?);
    Ok(vec![cx.index(weight, &[indices], &[0], 0)?])
}

/// The indices that are given, in one dtype and shape; the dimensions they index; and where the
/// indexed part lies in the result.
struct Places {
    indices: Vec<ValueId>,
    dims: Vec<usize>,
    at: usize,
}

impl Places {
    /// Indices out of range become those of the nearest element.
    fn clamp(&mut self, cx: &mut Cx<'_, '_>, x: ValueId) -> Result<()> {
        for (index, dim) in self.indices.iter_mut().zip(&self.dims) {
            let last = Number::Int(cx.dim_size(x, *dim) - Expr::int(1));
            let kept = cx.with_number(ScalarFn::Max, *index, int(0))?;
            *index = cx.with_number(ScalarFn::Min, kept, last)?;
        }
        Ok(())
    }
}

/// The size that the exporter gave to the indexed part, where a mask decides it: it stands where
/// the first indexed dimension stood.
fn masked_size(cx: &Cx<'_, '_>, given: &[Option<ValueId>]) -> Result<Expr> {
    let place = given.iter().position(Option::is_some).unwrap_or(0);
    let size = cx.out_shape()?.get(place).cloned();
    let fits = size.filter(|it| it.as_sym().is_some() || it.as_int().is_some());
    fits.filter(|_| cx.name() != "index_put")
        .ok_or_else(|| cx.error("an index by a mask whose size has no name"))
}

fn places(cx: &mut Cx<'_, '_>) -> Result<Places> {
    let given = cx.opt_list("indices")?;
    let mut indices = Vec::new();
    let mut dims = Vec::new();
    let mut next = 0;
    for it in &given {
        let Some(it) = it else {
            next += 1;
            continue;
        };
        if matches!(cx.dtype_of(*it), DType::Bool | DType::U8) {
            // A mask indexes as many dimensions as it has, by the places where it holds.
            let mask = truth(cx, *it)?;
            let count = masked_size(cx, &given)?;
            let columns = nonzero_columns(cx, mask, &count)?;
            dims.extend((0..columns.len()).map(|it| next + it));
            next += columns.len();
            indices.extend(columns);
            continue;
        }
        indices.push(cx.cast(*it, DType::I64)?);
        dims.push(next);
        next += 1;
    }
    let shape = cx.broadcast_shape(&indices)?;
    for it in &mut indices {
        *it = cx.expand(*it, &shape)?;
    }
    // Dimensions that are not next to each other come first in the result.
    let adjacent = dims.windows(2).all(|it| it[0] + 1 == it[1]);
    let at = if adjacent { dims.first().copied().unwrap_or(0) } else { 0 };
    Ok(Places { indices, dims, at })
}

fn index(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let places = places(cx)?;
    if places.indices.is_empty() {
        return Ok(vec![x]);
    }
    Ok(vec![cx.index(x, &places.indices, &places.dims, places.at)?])
}

/// Where the mask does not hold, indices may be out of range, and the result is a number.
fn masked_index(cx: &mut Cx<'_, '_>) -> Values {
    let (x, mask, fill) = (cx.x("self")?, cx.x("mask")?, cx.number("fill")?);
    let mut places = places(cx)?;
    if places.indices.is_empty() {
        return Err(cx.error("no index"));
    }
    places.clamp(cx, x)?;
    let taken = cx.index(x, &places.indices, &places.dims, places.at)?;
    let fill = cx.full_like(taken, fill)?;
    Ok(vec![cx.select(mask, taken, fill)?])
}

/// What the mask leaves out adds nothing, wherever its index points.
fn masked_index_put(cx: &mut Cx<'_, '_>) -> Values {
    let (x, mask, values) = (cx.x("self")?, cx.x("mask")?, cx.x("values")?);
    let mut places = places(cx)?;
    if places.indices.is_empty() {
        return Err(cx.error("no index"));
    }
    places.clamp(cx, x)?;
    let [mask, values] = cx.broadcast([mask, values])?;
    let zero = cx.full_like(values, int(0))?;
    let values = cx.select(mask, values, zero)?;
    Ok(vec![update(cx, x, &places, values, "add")?])
}

fn update(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    places: &Places,
    values: ValueId,
    mode: &str,
) -> Result<ValueId> {
    let kept = (0..cx.rank(x)).filter(|it| !places.dims.contains(it)).map(|it| cx.dim_size(x, it));
    let mut shape: Vec<Expr> = kept.collect();
    let indexed = places.indices.first().map(|it| cx.shape(*it).into_vec()).unwrap_or_default();
    let at = places.at.min(shape.len());
    shape.splice(at..at, indexed);
    let values = cx.cast(values, cx.dtype_of(x))?;
    let values = cx.expand(values, &shape)?;
    let dims: Vec<i64> = places.dims.iter().map(|it| *it as i64).collect();
    let (indices, at, mode) = (places.indices.as_slice(), places.at as i64, mode.to_owned());
    cx.build(|make| tensor::IndexUpdate::build(make, x, indices, values, dims, at, mode))
}

/// A mask in the place of all indices selects elements one by one: one value for all of them, or
/// the next value for each.
fn masked_put(cx: &mut Cx<'_, '_>, x: ValueId, values: ValueId) -> Result<Option<ValueId>> {
    let given = cx.opt_list("indices")?;
    let [Some(mask)] = given.as_slice() else { return Ok(None) };
    if !matches!(cx.dtype_of(*mask), DType::Bool | DType::U8) {
        return Ok(None);
    }
    let mask = truth(cx, *mask)?;
    let (own, rank) = (cx.shape(mask), cx.rank(mask));
    let rest = cx.shape(x)[rank..].to_vec();
    let values = cx.cast(values, cx.dtype_of(x))?;
    let first = cx.rank(values).checked_sub(rest.len() + 1);
    let values = match first {
        Some(first) if cx.dim_size(values, first).as_int() != Some(1) => {
            let total = cx.ty(mask)?.numel();
            let flat = cx.reshape(mask, &[total])?;
            let ones = cx.cast(flat, DType::I64)?;
            let place = cx.scan("sum", ones, 0)?;
            let place = cx.with_number(ScalarFn::Sub, place, int(1))?;
            let place = cx.with_number(ScalarFn::Max, place, int(0))?;
            let last = Number::Int(cx.dim_size(values, first) - Expr::int(1));
            let place = cx.with_number(ScalarFn::Min, place, last)?;
            let place = cx.reshape(place, &own)?;
            cx.index(values, &[place], &[first], first)?
        }
        _ => values,
    };
    let values = cx.expand(values, &cx.shape(x))?;
    let whole: Vec<Expr> = own.into_iter().chain(rest.iter().map(|_| Expr::int(1))).collect();
    let mask = cx.reshape(mask, &whole)?;
    let values = match cx.flag("accumulate")? {
        true => cx.zip(ScalarFn::Add, x, values)?,
        false => values,
    };
    cx.select(mask, values, x).map(Some)
}

fn index_put(cx: &mut Cx<'_, '_>) -> Values {
    let (x, values) = (cx.x("self")?, cx.x("values")?);
    if let Some(it) = masked_put(cx, x, values)? {
        return Ok(vec![it]);
    }
    let mode = if cx.flag("accumulate")? { "add" } else { "set" };
    let places = places(cx)?;
    if places.indices.is_empty() {
        let values = cx.cast(values, cx.dtype_of(x))?;
        let values = cx.expand(values, &cx.shape(x))?;
        return Ok(vec![if mode == "add" { cx.zip(ScalarFn::Add, x, values)? } else { values }]);
    }
    Ok(vec![update(cx, x, &places, values, mode)?])
}

/// Index and operand as vectors, where they have no dimensions.
fn one_dim(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    if cx.rank(x) == 0 { cx.unsqueeze(x, 0) } else { Ok(x) }
}

fn index_select(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("index")?);
    let shape = cx.out_shape()?;
    let (x, index) = (one_dim(cx, x)?, one_dim(cx, index)?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let res = cx.index(x, &[index], &[dim], dim)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

/// `index_add`, `index_copy`, `index_fill` and the like: whole slices along a dimension.
fn index_update(cx: &mut Cx<'_, '_>, values: ValueId, mode: &str) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("index")?);
    let shape = cx.shape(x);
    let (x, index) = (one_dim(cx, x)?, one_dim(cx, index)?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let values =
        if cx.rank(values) == 0 && shape.is_empty() { one_dim(cx, values)? } else { values };
    let index = cx.cast(index, DType::I64)?;
    let places = Places { indices: vec![index], dims: vec![dim], at: dim };
    let res = update(cx, x, &places, values, mode)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn index_copy(cx: &mut Cx<'_, '_>) -> Values {
    let source = cx.x("source")?;
    index_update(cx, source, "set")
}

fn index_add(cx: &mut Cx<'_, '_>) -> Values {
    let (source, alpha) = (cx.x("source")?, cx.number("alpha")?);
    let source =
        if alpha.is_int(1) { source } else { cx.with_number(ScalarFn::Mul, source, alpha)? };
    index_update(cx, source, "add")
}

fn index_fill(cx: &mut Cx<'_, '_>) -> Values {
    let (x, value) = (cx.x("self")?, cx.input("value")?);
    let value = cx.as_dtype(&value, cx.dtype_of(x))?;
    index_update(cx, value, "set")
}

fn gather(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("index")?);
    let shape = cx.out_shape()?;
    if shape.iter().any(|it| cx.equal(it, &Expr::int(0))) {
        // Of indices that are none, nothing is asked, not even as many dimensions.
        let dtype = cx.dtype_of(x);
        return Ok(vec![cx.full(int(0), &shape, dtype)?]);
    }
    let (x, index) = (one_dim(cx, x)?, one_dim(cx, index)?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let res = cx.gather(x, index, dim)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn take(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("index")?);
    let count = cx.ty(x)?.numel();
    let flat = cx.reshape(x, &[count])?;
    Ok(vec![cx.index(flat, &[index], &[0], 0)?])
}

fn take_along_dim(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("indices")?);
    let Some(dim) = cx.get::<Option<i64>>("dim")? else {
        let (count, indices) = (cx.ty(x)?.numel(), cx.ty(index)?.numel());
        let (x, index) = (cx.reshape(x, &[count])?, cx.reshape(index, &[indices])?);
        return Ok(vec![cx.gather(x, index, 0)?]);
    };
    let dim = cx.normal(dim, cx.rank(x))?;
    let (mut own, mut wanted) = (cx.shape(x), cx.shape(index));
    let (size, count) = (own[dim].clone(), wanted[dim].clone());
    own[dim] = Expr::int(1);
    wanted[dim] = Expr::int(1);
    let mut shape = tensor::broadcast(&own, &wanted, cx.facts())
        .ok_or_else(|| cx.error("sizes that do not broadcast for every size in range"))?;
    shape[dim] = size.clone();
    let x = cx.expand(x, &shape)?;
    shape[dim] = count;
    let index = cx.expand(index, &shape)?;
    // Here, and not where there is no dimension, an index of any size wraps around.
    let index = cx.with_number(ScalarFn::Rem, index, Number::Int(size))?;
    Ok(vec![cx.gather(x, index, dim)?])
}

/// `scatter` in all its forms. Without `include_self` the mode starts from its identity.
fn scatter_of(cx: &mut Cx<'_, '_>, values: ValueId, mode: &str) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("index")?);
    let shape = cx.shape(x);
    let (x, index, values) = (one_dim(cx, x)?, one_dim(cx, index)?, one_dim(cx, values)?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let values = cx.cast(values, cx.dtype_of(x))?;
    let res = cx.scatter(x, index, values, dim, mode)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn filled(cx: &mut Cx<'_, '_>) -> Result<ValueId> {
    let (x, index, value) = (cx.x("self")?, cx.x("index")?, cx.number("value")?);
    let (shape, dtype) = (cx.shape(index), cx.dtype_of(x));
    cx.full(value, &shape, dtype)
}

fn mode_of(cx: &Cx<'_, '_>) -> Result<&'static str> {
    if !cx.has("reduce") {
        return Ok("set");
    }
    match cx.text("reduce")?.as_str() {
        "add" | "sum" => Ok("add"),
        "multiply" | "prod" => Ok("mul"),
        "amax" => Ok("max"),
        "amin" => Ok("min"),
        it => Err(cx.error(format!("no way to combine is called `{it}`"))),
    }
}

fn scatter_src(cx: &mut Cx<'_, '_>) -> Values {
    let (src, mode) = (cx.x("src")?, mode_of(cx)?);
    scatter_of(cx, src, mode)
}

fn scatter_value(cx: &mut Cx<'_, '_>) -> Values {
    let (values, mode) = (filled(cx)?, mode_of(cx)?);
    scatter_of(cx, values, mode)
}

fn scatter_add(cx: &mut Cx<'_, '_>) -> Values {
    let src = cx.x("src")?;
    scatter_of(cx, src, "add")
}

/// With the mean, sum and count go separate ways.
fn scatter_reduce(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index, src) = (cx.x("self")?, cx.x("index")?, cx.x("src")?);
    let shape = cx.shape(x);
    let include = cx.flag("include_self")?;
    let mean = cx.text("reduce")? == "mean";
    let mode = if mean { "add" } else { mode_of(cx)? };
    let (x, index, src) = (one_dim(cx, x)?, one_dim(cx, index)?, one_dim(cx, src)?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let src = cx.cast(src, cx.dtype_of(x))?;
    let start = match include {
        true => x,
        false => {
            // What is written to begins at the identity.
            let identity = identity(mode, cx.dtype_of(x));
            let (places, dtype) = (cx.shape(index), cx.dtype_of(x));
            let identity = cx.full(identity, &places, dtype)?;
            cx.scatter(x, index, identity, dim, "set")?
        }
    };
    let mut res = cx.scatter(start, index, src, dim, mode)?;
    if mean {
        let own = cx.full_like(x, int(i64::from(include)))?;
        let ones = cx.full_like(src, int(1))?;
        let count = cx.scatter(own, index, ones, dim, "add")?;
        let count = cx.with_number(ScalarFn::Max, count, int(1))?;
        let function = if cx.dtype_of(x).is_float() { ScalarFn::Div } else { ScalarFn::FloorDiv };
        res = cx.zip(function, res, count)?;
    }
    Ok(vec![cx.reshape(res, &shape)?])
}

/// What changes nothing when it is combined.
pub(super) fn identity(mode: &str, dtype: DType) -> Number {
    let bits = 8 * dtype.size() as u32;
    let (least, greatest) = match dtype.kind() {
        ir::DTypeKind::Signed => (
            Number::Int(Expr::int(i64::MIN >> (64 - bits))),
            Number::Int(Expr::int(i64::MAX >> (64 - bits))),
        ),
        ir::DTypeKind::Unsigned => (
            int(0),
            Number::Int(Expr::int(i64::try_from(u64::MAX >> (64 - bits)).unwrap_or(i64::MAX))),
        ),
        ir::DTypeKind::Bool => (int(0), int(1)),
        ir::DTypeKind::Float | ir::DTypeKind::Complex => {
            (Number::Float(f64::NEG_INFINITY), Number::Float(f64::INFINITY))
        }
    };
    match mode {
        "mul" => int(1),
        "max" => least,
        "min" => greatest,
        _ => int(0),
    }
}

/// Slices combined with those at an index; without `include_self` from the identity on.
fn index_reduce(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index, source) = (cx.x("self")?, cx.x("index")?, cx.x("source")?);
    let include = cx.flag("include_self")?;
    let mean = cx.text("reduce")? == "mean";
    let mode = if mean { "add" } else { mode_of(cx)? };
    let shape = cx.shape(x);
    let (x, index, source) = (one_dim(cx, x)?, one_dim(cx, index)?, one_dim(cx, source)?);
    let dim = cx.dim("dim", cx.rank(x))?;
    let index = cx.cast(index, DType::I64)?;
    let places = Places { indices: vec![index], dims: vec![dim], at: dim };
    let start = match include {
        true => x,
        false => {
            let identity = cx.full_like(source, identity(mode, cx.dtype_of(x)))?;
            update(cx, x, &places, identity, "set")?
        }
    };
    let mut res = update(cx, start, &places, source, mode)?;
    if mean {
        let own = cx.full_like(x, int(i64::from(include)))?;
        let ones = cx.full_like(source, int(1))?;
        let count = update(cx, own, &places, ones, "add")?;
        let count = cx.with_number(ScalarFn::Max, count, int(1))?;
        let function = if cx.dtype_of(x).is_float() { ScalarFn::Div } else { ScalarFn::FloorDiv };
        res = cx.zip(function, res, count)?;
    }
    Ok(vec![cx.reshape(res, &shape)?])
}

/// Elements put back to where a pool took them from; zeros elsewhere.
fn max_unpool(cx: &mut Cx<'_, '_>, spatial: usize) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("indices")?);
    let shape = cx.out_shape()?;
    let lead = shape.len().saturating_sub(spatial);
    let flat = |shape: &[Expr]| -> Vec<Expr> {
        let inner = shape[lead..].iter().fold(Expr::int(1), |a, it| a * it.clone());
        shape[..lead].iter().cloned().chain([inner]).collect()
    };
    let own = flat(&cx.shape(x));
    let (x, index) = (cx.reshape(x, &own)?, cx.reshape(index, &own)?);
    let zeros = cx.full(int(0), &flat(&shape), cx.dtype_of(x))?;
    let res = cx.scatter(zeros, index, x, lead, "set")?;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn one_hot(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let shape = cx.out_shape()?;
    let classes = shape.last().cloned().unwrap_or_else(|| Expr::int(0));
    let x = cx.unsqueeze(x, shape.len().saturating_sub(1))?;
    let index = cx.positions(&classes)?;
    let x = cx.cast(x, DType::I64)?;
    let same = cx.zip(ScalarFn::Eq, x, index)?;
    Ok(vec![cx.cast(same, DType::I64)?])
}

rules! {
    "embedding" => embedding,
    "index.Tensor" | "_unsafe_index.Tensor" => index,
    "_unsafe_masked_index" => masked_index,
    "_unsafe_masked_index_put_accumulate" => masked_index_put,
    "index_put" | "_unsafe_index_put" => index_put,
    "index_select" => index_select,
    "index_copy" => index_copy,
    "index_add" => index_add,
    "index_fill.int_Scalar" | "index_fill.int_Tensor" => index_fill,
    "gather" => gather,
    "take" => take,
    "take_along_dim" => take_along_dim,
    "scatter.src" | "scatter.reduce" => scatter_src,
    "scatter.value" | "scatter.value_reduce" => scatter_value,
    "scatter_add" => scatter_add,
    "scatter_reduce.two" => scatter_reduce,
    "index_reduce" => index_reduce,
    "max_unpool2d" => |cx| max_unpool(cx, 2),
    "max_unpool3d" => |cx| max_unpool(cx, 3),
    "one_hot" => one_hot,
}
