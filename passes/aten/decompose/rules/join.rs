//! Joining, repeating, padding and rolling.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::{Cx, Input},
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// All of them in their common dtype.
fn promoted(cx: &mut Cx<'_, '_>, xs: &[ValueId]) -> Result<Vec<ValueId>> {
    let inputs: Vec<Input> = xs.iter().map(|it| Input::Tensor(*it)).collect();
    let dtype = cx.result_type(&inputs);
    xs.iter().map(|it| cx.cast(*it, dtype)).collect()
}

fn concat_along(cx: &mut Cx<'_, '_>, xs: &[ValueId], dim: usize) -> Values {
    let xs = promoted(cx, xs)?;
    Ok(vec![cx.concat(&xs, dim)?])
}

fn cat(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let rank = cx.out(0)?.rank();
    // An empty vector counts for its dtype only.
    let xs = promoted(cx, &xs)?;
    let empty =
        |it: &ValueId| cx.rank(*it) == 1 && rank != 1 && cx.dim_size(*it, 0).as_int() == Some(0);
    let kept: Vec<ValueId> = xs.iter().copied().filter(|it| !empty(it)).collect();
    let dim = cx.dim("dim", rank)?;
    Ok(vec![cx.concat(&kept, dim)?])
}

/// Each tensor filled up with zeros to so many equal chunks; chunks of one number side by side.
fn chunk_cat(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let xs = promoted(cx, &xs)?;
    let chunks = cx.int("num_chunks")?;
    if chunks < 1 {
        return Err(cx.error(format!("{chunks} chunks")));
    }
    let chunks = Expr::int(chunks);
    let Some(first) = xs.first() else { return Err(cx.error("no tensors")) };
    let dim = cx.dim("dim", cx.rank(*first))?;
    let mut parts = Vec::new();
    for x in xs {
        let mut shape = cx.shape(x).into_vec();
        let size = shape[dim].clone();
        let each = cx.simple(&(size.clone() + chunks.clone() - Expr::int(1)).floor_div(&chunks));
        let more = cx.simple(&(each.clone() * chunks.clone() - size));
        let zeros = vec![Expr::int(0); shape.len()];
        let mut high = zeros.clone();
        high[dim] = more;
        let interior = vec![0; shape.len()];
        let filled = cx.pad(x, zeros, high, interior, int(0))?;
        let inner = shape.drain(dim + 1..).fold(each, |p, it| p * it);
        shape.truncate(dim);
        shape.extend([chunks.clone(), cx.simple(&inner)]);
        parts.push(cx.reshape(filled, &shape)?);
    }
    Ok(vec![cx.concat(&parts, dim + 1)?])
}

fn stack_along(cx: &mut Cx<'_, '_>, xs: &[ValueId], dim: usize) -> Values {
    let xs = xs.iter().map(|it| cx.unsqueeze(*it, dim)).collect::<Result<Vec<_>>>()?;
    concat_along(cx, &xs, dim)
}

fn stack(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let dim = cx.dim("dim", cx.out(0)?.rank())?;
    stack_along(cx, &xs, dim)
}

/// `x` with dimensions of size 1 added, as `torch.atleast_2d` and its like.
fn at_least(cx: &mut Cx<'_, '_>, x: ValueId, rank: usize) -> Result<ValueId> {
    let shape = cx.shape(x);
    let one = Expr::int(1);
    let wanted = match (rank, &*shape) {
        (1, []) => vec![one],
        (2, []) => vec![one.clone(), one],
        (2, [n]) => vec![one, n.clone()],
        (3, []) => vec![one.clone(), one.clone(), one],
        (3, [n]) => vec![one.clone(), n.clone(), one],
        (3, [n, m]) => vec![n.clone(), m.clone(), one],
        _ => return Ok(x),
    };
    cx.reshape(x, &wanted)
}

/// `hstack`, `vstack` and `dstack`.
fn stacked(cx: &mut Cx<'_, '_>, rank: usize, dim: usize) -> Values {
    let xs = cx.list("tensors")?;
    let xs = xs.iter().map(|it| at_least(cx, *it, rank)).collect::<Result<Vec<_>>>()?;
    let vectors = xs.first().is_some_and(|it| cx.rank(*it) == 1);
    concat_along(cx, &xs, if vectors { 0 } else { dim })
}

fn column_stack(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let mut columns = Vec::new();
    for x in xs {
        columns.push(match cx.rank(x) {
            0 | 1 => {
                let count = cx.ty(x)?.numel();
                cx.reshape(x, &[count, Expr::int(1)])?
            }
            _ => x,
        });
    }
    concat_along(cx, &columns, 1)
}

fn block_diag(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let xs = promoted(cx, &xs)?;
    let width = cx.out_shape()?[1].clone();
    let mut before = Expr::int(0);
    let mut rows = Vec::new();
    for x in xs {
        let x = at_least(cx, x, 2)?;
        let own = cx.dim_size(x, 1);
        let after = cx.simple(&(width.clone() - before.clone() - own.clone()));
        let zero = Expr::int(0);
        let (low, high) = (vec![zero.clone(), before.clone()], vec![zero, after]);
        rows.push(cx.pad(x, low, high, vec![0, 0], int(0))?);
        before = before + own;
    }
    Ok(vec![cx.concat(&rows, 0)?])
}

/// The whole tensor repeated along every dimension.
fn repeat_of(cx: &mut Cx<'_, '_>, x: ValueId, repeats: &[Expr]) -> Result<ValueId> {
    let shape = cx.shape(x);
    let added = repeats.len().saturating_sub(shape.len());
    let one = Expr::int(1);
    let (mut apart, mut spread, mut merged) = (Vec::new(), Vec::new(), Vec::new());
    for (i, repeat) in repeats.iter().enumerate() {
        let size = if i < added { one.clone() } else { shape[i - added].clone() };
        apart.extend([one.clone(), size.clone()]);
        spread.extend([repeat.clone(), size.clone()]);
        merged.push(cx.simple(&(repeat.clone() * size)));
    }
    let x = cx.reshape(x, &apart)?;
    let x = cx.expand(x, &spread)?;
    cx.reshape(x, &merged)
}

fn repeat(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let mut repeats = cx.sizes(if cx.has("repeats") { "repeats" } else { "dims" })?;
    let missing = cx.rank(x).saturating_sub(repeats.len());
    repeats.splice(0..0, vec![Expr::int(1); missing]);
    Ok(vec![repeat_of(cx, x, &repeats)?])
}

/// Each element repeated, one after the other.
fn repeat_interleave(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let repeats = cx.size("repeats")?;
    let shape = cx.out_shape()?;
    let (x, dim) = match cx.get::<Option<i64>>("dim")? {
        Some(dim) => (x, cx.normal(dim, cx.rank(x))?),
        None => {
            let count = cx.ty(x)?.numel();
            (cx.reshape(x, &[count])?, 0)
        }
    };
    let x = cx.unsqueeze(x, dim + 1)?;
    let mut spread = cx.shape(x);
    spread[dim + 1] = repeats;
    let x = cx.expand(x, &spread)?;
    Ok(vec![cx.reshape(x, &shape)?])
}

/// Elements before and after each dimension; PyTorch counts from the last dimension.
fn padding(cx: &Cx<'_, '_>, name: &str, rank: usize) -> Result<(Vec<Expr>, Vec<Expr>)> {
    let pairs = cx.sizes(name)?;
    let (mut low, mut high) = (vec![Expr::int(0); rank], vec![Expr::int(0); rank]);
    for (i, pair) in pairs.chunks(2).enumerate() {
        match (pair, rank.checked_sub(i + 1)) {
            ([before, after], Some(dim)) => {
                (low[dim], high[dim]) = (before.clone(), after.clone());
            }
            _ => return Err(cx.error("padding for dimensions that do not exist")),
        }
    }
    Ok((low, high))
}

fn pad_constant(cx: &mut Cx<'_, '_>, name: &str, value: Number) -> Values {
    let x = cx.x("self")?;
    let (low, high) = padding(cx, name, cx.rank(x))?;
    let interior = vec![0; low.len()];
    Ok(vec![cx.pad(x, low, high, interior, value)?])
}

/// Where the elements of a padded dimension come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Reflect,
    Replicate,
    Circular,
}

/// One dimension at a time: those outside are gathered from within.
fn pad_edge(cx: &mut Cx<'_, '_>, name: &str, edge: Edge) -> Values {
    let mut x = cx.x("self")?;
    let (mut low, mut high) = padding(cx, name, cx.rank(x))?;
    let zero = Expr::int(0);
    for dim in 0..low.len() {
        if edge == Edge::Circular {
            // What is cut off is cut off first: it is not what comes round.
            for (end, pad) in [&mut low[dim], &mut high[dim]].into_iter().enumerate() {
                if cx.at_most(&zero, pad) {
                    continue;
                }
                if !cx.at_most(pad, &zero) {
                    return Err(cx.error(format!("padding by {pad}, which may be below zero")));
                }
                let cut = zero.clone() - std::mem::replace(pad, zero.clone());
                let size = cx.simple(&(cx.dim_size(x, dim) - cut.clone()));
                let start = if end == 0 { cut } else { zero.clone() };
                x = cx.slice(x, dim, start, size, 1)?;
            }
        }
        if low[dim] == zero && high[dim] == zero {
            continue;
        }
        let size = cx.dim_size(x, dim);
        let last = size.clone() - Expr::int(1);
        let count = cx.simple(&(size.clone() + low[dim].clone() + high[dim].clone()));
        let start = Number::Int(zero.clone() - low[dim].clone());
        let place = cx.iota(&[count], 0, start, int(1), DType::I64)?;
        let place = match edge {
            Edge::Replicate => {
                let above = cx.with_number(ScalarFn::Max, place, int(0))?;
                cx.with_number(ScalarFn::Min, above, Number::Int(last))?
            }
            Edge::Circular => cx.with_number(ScalarFn::Rem, place, Number::Int(size))?,
            Edge::Reflect => {
                // last - |last - |i||
                let first = cx.map(ScalarFn::Abs, place)?;
                let end = cx.full_like(first, Number::Int(last))?;
                let distance = cx.zip(ScalarFn::Sub, end, first)?;
                let distance = cx.map(ScalarFn::Abs, distance)?;
                cx.zip(ScalarFn::Sub, end, distance)?
            }
        };
        x = cx.index(x, &[place], &[dim], dim)?;
    }
    Ok(vec![x])
}

fn pad(cx: &mut Cx<'_, '_>) -> Values {
    match cx.text("mode")?.as_str() {
        "constant" => {
            let value = cx.get::<Option<f64>>("value")?.unwrap_or(0.0);
            pad_constant(cx, "pad", float(value))
        }
        "reflect" => pad_edge(cx, "pad", Edge::Reflect),
        "replicate" => pad_edge(cx, "pad", Edge::Replicate),
        "circular" => pad_edge(cx, "pad", Edge::Circular),
        it => Err(cx.error(format!("no mode of padding is called `{it}`"))),
    }
}

fn constant_pad(cx: &mut Cx<'_, '_>) -> Values {
    let value = cx.number("value")?;
    pad_constant(cx, "pad", value)
}

/// The last elements of a dimension come first.
pub(super) fn roll_dim(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    dim: usize,
    shift: &Expr,
) -> Result<ValueId> {
    let size = cx.dim_size(x, dim);
    if size.as_int() == Some(0) {
        return Ok(x);
    }
    let shift = cx.simple(&shift.modulo(&size));
    if shift.as_int() == Some(0) {
        return Ok(x);
    }
    let rest = cx.simple(&(size - shift.clone()));
    let last = cx.slice(x, dim, rest.clone(), shift, 1)?;
    let first = cx.slice(x, dim, Expr::int(0), rest, 1)?;
    cx.concat(&[last, first], dim)
}

fn roll(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let (shifts, shape) = (cx.sizes("shifts")?, cx.shape(x));
    let dims = cx.ints("dims")?;
    if dims.is_empty() {
        let count = cx.ty(x)?.numel();
        let shift = shifts.first().cloned().unwrap_or_else(|| Expr::int(0));
        let flat = cx.reshape(x, &[count])?;
        let rolled = roll_dim(cx, flat, 0, &shift)?;
        return Ok(vec![cx.reshape(rolled, &shape)?]);
    }
    let dims = cx.normal_all(&dims, shape.len())?;
    let mut res = x;
    for (dim, shift) in dims.iter().zip(&shifts) {
        if !shape.is_empty() {
            res = roll_dim(cx, res, *dim, shift)?;
        }
    }
    Ok(vec![res])
}

fn flipped(cx: &mut Cx<'_, '_>, x: ValueId, dims: &[i64]) -> Result<ValueId> {
    let rank = cx.rank(x);
    let dims = cx.normal_all(dims, rank)?;
    if rank == 0 { Ok(x) } else { cx.flip(x, &dims) }
}

fn flip(cx: &mut Cx<'_, '_>) -> Values {
    let (x, dims) = (cx.x("self")?, cx.ints("dims")?);
    Ok(vec![flipped(cx, x, &dims)?])
}

fn rot90(cx: &mut Cx<'_, '_>) -> Values {
    let (x, dims, turns) = (cx.x("self")?, cx.ints("dims")?, cx.int("k")?);
    let [a, b] = *dims.as_slice() else { return Err(cx.error("two dimensions are needed")) };
    let rank = cx.rank(x);
    let (from, to) = (cx.normal(a, rank)?, cx.normal(b, rank)?);
    let res = match turns.rem_euclid(4) {
        1 => {
            let x = flipped(cx, x, &[b])?;
            cx.transpose(x, from, to)?
        }
        2 => flipped(cx, x, &[a, b])?,
        3 => {
            let x = flipped(cx, x, &[a])?;
            cx.transpose(x, from, to)?
        }
        _ => x,
    };
    Ok(vec![res])
}

/// Channels in groups of `factor²` become a square of places, or the other way round.
fn pixel_shuffle(cx: &mut Cx<'_, '_>, inverse: bool) -> Values {
    let x = cx.x("self")?;
    let shape = cx.shape(x);
    let whole = cx.out_shape()?;
    cx.at_least(x, 3)?;
    let lead = shape.len().saturating_sub(3);
    let factor = Expr::int(cx.int(if inverse { "downscale_factor" } else { "upscale_factor" })?);
    let small = if inverse { &whole } else { &shape };
    let (height, width) = (small[lead + 1].clone(), small[lead + 2].clone());
    let channels = if inverse { &shape } else { &whole }[lead].clone();
    let f = || factor.clone();
    let apart = match inverse {
        false => vec![channels, f(), f(), height, width],
        true => vec![channels, height, f(), width, f()],
    };
    let order: &[usize] = if inverse { &[0, 2, 4, 1, 3] } else { &[0, 3, 1, 4, 2] };
    let apart: Vec<Expr> = shape[..lead].iter().cloned().chain(apart).collect();
    let order: Vec<usize> = (0..lead).chain(order.iter().map(|it| it + lead)).collect();
    let x = cx.reshape(x, &apart)?;
    let x = cx.permute(x, &order)?;
    Ok(vec![cx.reshape(x, &whole)?])
}

fn channel_shuffle(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let shape = cx.shape(x);
    let groups = cx.size("groups")?;
    let per_group = cx.simple(&shape[1].floor_div(&groups));
    let apart: Vec<Expr> = [shape[0].clone(), groups, per_group]
        .into_iter()
        .chain(shape[2..].iter().cloned())
        .collect();
    let x = cx.reshape(x, &apart)?;
    let x = cx.transpose(x, 1, 2)?;
    Ok(vec![cx.reshape(x, &shape)?])
}

/// Differences of neighbours, `n` times over.
fn diff(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    let times = cx.int("n")?;
    cx.moderately_many("differences of differences", times)?;
    let mut parts = Vec::new();
    parts.extend(cx.opt("prepend")?);
    parts.push(x);
    parts.extend(cx.opt("append")?);
    let parts = promoted(cx, &parts)?;
    let mut res = cx.concat(&parts, dim)?;
    for _ in 0..times {
        let size = cx.dim_size(res, dim);
        let less = cx.simple(&(size - Expr::int(1)));
        if less.as_int() == Some(-1) {
            break;
        }
        let next = cx.slice(res, dim, Expr::int(1), less.clone(), 1)?;
        let here = cx.slice(res, dim, Expr::int(0), less, 1)?;
        res = match cx.dtype_of(res) {
            DType::Bool => cx.zip(ScalarFn::Xor, next, here)?,
            _ => cx.zip(ScalarFn::Sub, next, here)?,
        };
    }
    Ok(vec![res])
}

rules! {
    "_chunk_cat" => chunk_cat,
    "cat" | "concat" | "concatenate" => cat,
    "stack" => stack,
    "hstack" => |cx| stacked(cx, 1, 1),
    "vstack" | "row_stack" => |cx| stacked(cx, 2, 0),
    "dstack" => |cx| stacked(cx, 3, 2),
    "column_stack" => column_stack,
    "block_diag" => block_diag,
    "repeat" | "tile" => repeat,
    "repeat_interleave.self_int" => repeat_interleave,
    "pad" => pad,
    "constant_pad_nd" => constant_pad,
    "reflection_pad1d" | "reflection_pad2d" | "reflection_pad3d" =>
        |cx| pad_edge(cx, "padding", Edge::Reflect),
    "replication_pad1d" | "replication_pad2d" | "replication_pad3d" =>
        |cx| pad_edge(cx, "padding", Edge::Replicate),
    "_pad_circular" => |cx| pad_edge(cx, "pad", Edge::Circular),
    "roll" => roll,
    "flip" => flip,
    "fliplr" => |cx| { let x = cx.x("self")?; Ok(vec![flipped(cx, x, &[1])?]) },
    "flipud" => |cx| { let x = cx.x("self")?; Ok(vec![flipped(cx, x, &[0])?]) },
    "rot90" => rot90,
    "pixel_shuffle" => |cx| pixel_shuffle(cx, false),
    "pixel_unshuffle" => |cx| pixel_shuffle(cx, true),
    "channel_shuffle" | "native_channel_shuffle" => channel_shuffle,
    "diff" => diff,
}
