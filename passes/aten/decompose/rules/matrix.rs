//! Diagonals, distances between rows, powers of matrices and the like.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{
    matmul::matmul_of,
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

/// The elements of a diagonal of the first two dimensions, in the last.
fn diagonal_of(cx: &mut Cx<'_, '_>, x: ValueId, offset: i64, count: &Expr) -> Result<ValueId> {
    let shape = std::slice::from_ref(count);
    let rows = cx.iota(shape, 0, int((-offset).max(0)), int(1), DType::I64)?;
    let columns = cx.iota(shape, 0, int(offset.max(0)), int(1), DType::I64)?;
    let last = cx.rank(x).saturating_sub(2);
    cx.index(x, &[rows, columns], &[0, 1], last)
}

/// The last dimension on a diagonal of two last ones, zeros elsewhere.
fn spread_on_diagonal(cx: &mut Cx<'_, '_>, x: ValueId, offset: i64) -> Result<ValueId> {
    let last = cx.rank(x).saturating_sub(1);
    let count = cx.dim_size(x, last);
    let side = cx.simple(&(count + Expr::int(offset.abs())));
    // The row that an element lies in follows from its column; elements move to their columns.
    let mut low = vec![Expr::int(0); last + 1];
    let mut high = low.clone();
    low[last] = Expr::int(offset.max(0));
    high[last] = Expr::int((-offset).max(0));
    let moved = cx.pad(x, low, high, vec![0; last + 1], int(0))?;
    let mut shape = cx.shape(moved);
    shape.insert(last, side.clone());
    let row = cx.unsqueeze(moved, last)?;
    let whole = cx.expand(row, &shape)?;
    let square = [side.clone(), side];
    let rows = cx.iota(&square, 0, int(offset), int(1), DType::I64)?;
    let columns = cx.iota(&square, 1, int(0), int(1), DType::I64)?;
    let on = cx.zip(ScalarFn::Eq, rows, columns)?;
    let zero = cx.full_like(whole, int(0))?;
    cx.select(on, whole, zero)
}

fn diag_embed(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    cx.at_least(x, 1)?;
    let rank = cx.rank(x) + 1;
    let (offset, a, b) = (cx.int("offset")?, cx.dim("dim1", rank)?, cx.dim("dim2", rank)?);
    if a == b {
        return Err(cx.error("a diagonal of one dimension"));
    }
    let res = spread_on_diagonal(cx, x, offset)?;
    let mut order: Vec<usize> = (0..rank.saturating_sub(2)).collect();
    for (dim, from) in if a < b {
        [(a, rank.saturating_sub(2)), (b, rank.saturating_sub(1))]
    } else {
        [(b, rank.saturating_sub(1)), (a, rank.saturating_sub(2))]
    } {
        order.insert(dim, from);
    }
    Ok(vec![cx.permute(res, &order)?])
}

fn diag(cx: &mut Cx<'_, '_>) -> Values {
    let (x, offset) = (cx.x("self")?, cx.int("diagonal")?);
    if cx.rank(x) == 1 {
        return Ok(vec![spread_on_diagonal(cx, x, offset)?]);
    }
    let count = cx.out_shape()?[0].clone();
    Ok(vec![diagonal_of(cx, x, offset, &count)?])
}

fn diagflat(cx: &mut Cx<'_, '_>) -> Values {
    let (x, offset) = (cx.x("self")?, cx.int("offset")?);
    let count = cx.ty(x)?.numel();
    let flat = cx.reshape(x, &[count])?;
    Ok(vec![spread_on_diagonal(cx, flat, offset)?])
}

fn trace(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.out(0)?.dtype;
    let (a, b) = (cx.dim_size(x, 0), cx.dim_size(x, 1));
    let count = cx.simple(&Expr::min(&a, &b));
    let diagonal = diagonal_of(cx, x, 0, &count)?;
    let diagonal = cx.cast(diagonal, dtype)?;
    Ok(vec![cx.reduce("sum", diagonal, &[0], false)?])
}

/// The distances between all rows of one and all of the other.
fn cdist(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b, p) = (cx.x("x1")?, cx.x("x2")?, cx.float("p")?);
    let (rank_a, rank_b) = (cx.rank(a), cx.rank(b));
    let a = cx.unsqueeze(a, rank_a.saturating_sub(1))?;
    let b = cx.unsqueeze(b, rank_b.saturating_sub(2))?;
    let apart = cx.zip(ScalarFn::Sub, a, b)?;
    let last = cx.rank(apart).saturating_sub(1);
    Ok(vec![norm_of(cx, apart, p, &[last], false)?])
}

fn pdist(cx: &mut Cx<'_, '_>) -> Values {
    let (x, p) = (cx.x("self")?, cx.float("p")?);
    let Some(rows) = cx.dim_size(x, 0).as_int() else {
        return Err(cx.error("distances between an unknown number of rows"));
    };
    if 1 << 11 < rows {
        return Err(cx.error(format!("distances between {rows} rows")));
    }
    let pairs: Vec<(i64, i64)> =
        (0..rows).flat_map(|i| (i + 1..rows).map(move |j| (i, j))).collect();
    let count = pairs.len() as i64;
    let mut side = |values: Vec<Number>| {
        let index = cx.literal(values, vec![count], DType::I64)?;
        cx.index(x, &[index], &[0], 0)
    };
    let a = side(pairs.iter().map(|it| int(it.0)).collect())?;
    let b = side(pairs.iter().map(|it| int(it.1)).collect())?;
    let apart = cx.zip(ScalarFn::Sub, a, b)?;
    Ok(vec![norm_of(cx, apart, p, &[1], false)?])
}

fn dist(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let p = cx.number("p")?.as_f64().ok_or_else(|| cx.error("a symbolic order"))?;
    let dtype = cx.result_type(&[Input::Tensor(a), Input::Tensor(b)]);
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let (a, b) = (cx.widened(a)?, cx.widened(b)?);
    let apart = cx.zip(ScalarFn::Sub, a, b)?;
    let dims: Vec<usize> = (0..cx.rank(apart)).collect();
    let res = norm_of(cx, apart, p, &dims, false)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(res, dtype)?])
}

fn matrix_power(cx: &mut Cx<'_, '_>) -> Values {
    let (mut x, mut n) = (cx.x("self")?, cx.int("n")?);
    cx.at_least(x, 2)?;
    if n < 0 {
        (x, n) = (super::linalg::inverse_of(cx, x)?, -n);
    }
    let shape = cx.shape(x);
    let square = &shape[shape.len().saturating_sub(2)..];
    let rows = cx.iota(square, 0, int(0), int(1), DType::I64)?;
    let columns = cx.iota(square, 1, int(0), int(1), DType::I64)?;
    let same = cx.zip(ScalarFn::Eq, rows, columns)?;
    let identity = cx.cast(same, cx.dtype_of(x))?;
    let mut res: Option<ValueId> = None;
    let (mut base, mut rest) = (x, n);
    while rest != 0 {
        if rest & 1 == 1 {
            res = Some(match res {
                None => base,
                Some(it) => matmul_of(cx, it, base)?,
            });
        }
        rest >>= 1;
        if rest != 0 {
            base = matmul_of(cx, base, base)?;
        }
    }
    match res {
        Some(it) => Ok(vec![it]),
        None => Ok(vec![cx.expand(identity, &shape)?]),
    }
}

fn chain(cx: &mut Cx<'_, '_>, name: &str) -> Values {
    let xs = cx.list(name)?;
    let mut rest = xs.into_iter();
    let Some(mut res) = rest.next() else { return Err(cx.error("no matrix")) };
    for it in rest {
        res = matmul_of(cx, res, it)?;
    }
    Ok(vec![res])
}

/// Powers of each element, from the highest to 1 unless they increase.
fn vander(cx: &mut Cx<'_, '_>) -> Values {
    let mut x = cx.x("x")?;
    let increasing = cx.has("increasing") && cx.flag("increasing")?;
    let linalg = !cx.has("increasing");
    if cx.rank(x) == 0 {
        x = cx.unsqueeze(x, 0)?;
    }
    let shape = cx.out_shape()?;
    let dtype = cx.out(0)?.dtype;
    let last = shape.len().saturating_sub(1);
    let Some(count) = shape[last].as_int() else {
        return Err(cx.error("an unknown number of powers"));
    };
    cx.moderately_many("powers", count)?;
    let x = cx.cast(x, dtype)?;
    let mut powers = vec![cx.full_like(x, int(1))?];
    for _ in 1..count {
        let before = powers[powers.len().saturating_sub(1)];
        powers.push(cx.zip(ScalarFn::Mul, before, x)?);
    }
    powers.truncate(usize::try_from(count).unwrap_or(0));
    if !increasing && !linalg {
        powers.reverse();
    }
    let columns = powers.iter().map(|it| cx.unsqueeze(*it, last)).collect::<Result<Vec<_>>>()?;
    Ok(vec![cx.concat(&columns, last)?])
}

/// Each element along a dimension but the last, and the one after it.
fn neighbours(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize) -> Result<(ValueId, ValueId)> {
    let less = cx.simple(&(cx.dim_size(x, dim) - Expr::int(1)));
    Ok((cx.slice(x, dim, Expr::int(0), less.clone(), 1)?, cx.slice(x, dim, Expr::int(1), less, 1)?))
}

/// The area under points, `dx` or the distances of `x` apart; all sums so far where cumulative.
/// What eager adds and multiplies as integers wraps at their width, and does so here.
fn trapezoid(cx: &mut Cx<'_, '_>, cumulative: bool) -> Values {
    let y = cx.x("y")?;
    let dim = cx.dim("dim", cx.rank(y))?;
    let dtype = cx.out(0)?.dtype;
    if cx.dim_size(y, dim).as_int() == Some(0) {
        let shape = cx.out_shape()?;
        return Ok(vec![cx.full(int(0), &shape, dtype)?]);
    }
    if !cx.has("dx") {
        return Ok(vec![trapezoid_at(cx, y, dim, cumulative)?]);
    }
    let dx = cx.number("dx")?.as_f64().ok_or_else(|| cx.error("a symbolic distance"))?;
    if cumulative {
        let (here, next) = neighbours(cx, y, dim)?;
        let sum = cx.zip(ScalarFn::Add, here, next)?;
        let sum = cx.cast(sum, dtype)?;
        let areas = cx.with_number(ScalarFn::Mul, sum, float(dx / 2.0))?;
        return Ok(vec![cx.scan("sum", areas, dim)?]);
    }
    let wide = cx.cast(y, promote::sum_type(cx.dtype_of(y)))?;
    let whole = cx.reduce("sum", wide, &[dim], false)?;
    let last = cx.simple(&(cx.dim_size(y, dim) - Expr::int(1)));
    let (first, last) = (cx.select_dim(y, dim, Expr::int(0))?, cx.select_dim(y, dim, last)?);
    let ends = cx.zip(ScalarFn::Add, first, last)?;
    let (whole, ends) = (cx.cast(whole, dtype)?, cx.cast(ends, dtype)?);
    let half = cx.with_number(ScalarFn::Mul, ends, float(0.5))?;
    let area = cx.zip(ScalarFn::Sub, whole, half)?;
    Ok(vec![cx.with_number(ScalarFn::Mul, area, float(dx))?])
}

/// The area under points at places.
fn trapezoid_at(cx: &mut Cx<'_, '_>, y: ValueId, dim: usize, cumulative: bool) -> Result<ValueId> {
    let x = cx.x("x")?;
    let own = if cx.rank(x) == 1 { 0 } else { cx.dim("dim", cx.rank(x))? };
    let (here, next) = neighbours(cx, x, own)?;
    let mut apart = cx.zip(ScalarFn::Sub, next, here)?;
    if cx.rank(x) == 1 {
        let mut shape = vec![Expr::int(1); cx.rank(y)];
        shape[dim] = cx.dim_size(apart, 0);
        apart = cx.reshape(apart, &shape)?;
    }
    let (here, next) = neighbours(cx, y, dim)?;
    let sum = cx.zip(ScalarFn::Add, here, next)?;
    let common = cx.result_type(&[Input::Tensor(sum), Input::Tensor(apart)]);
    let (sum, apart) = (cx.cast(sum, common)?, cx.cast(apart, common)?);
    let product = cx.zip(ScalarFn::Mul, sum, apart)?;
    let areas = cx.cast(product, promote::sum_type(common))?;
    let total = match cumulative {
        true => cx.scan("sum", areas, dim)?,
        false => cx.reduce("sum", areas, &[dim], false)?,
    };
    let total = cx.cast(total, cx.out(0)?.dtype)?;
    cx.with_number(ScalarFn::Div, total, float(2.0))
}

/// Slices along a dimension, those that are too long scaled down.
fn renorm(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let known = |it: Number| it.as_f64();
    let (p, limit) = (known(cx.number("p")?), known(cx.number("maxnorm")?));
    let (Some(p), Some(limit)) = (p, limit) else { return Err(cx.error("a symbolic limit")) };
    let (dtype, dim) = (cx.dtype_of(x), cx.dim("dim", cx.rank(x))?);
    let others: Vec<usize> = (0..cx.rank(x)).filter(|it| *it != dim).collect();
    let wide = cx.widened(x)?;
    let size = norm_of(cx, wide, p, &others, true)?;
    let long = cx.with_number(ScalarFn::Gt, size, float(limit))?;
    let below = cx.with_number(ScalarFn::Add, size, float(1e-7))?;
    let limit = cx.full_like(below, float(limit))?;
    let factor = cx.zip(ScalarFn::Div, limit, below)?;
    let one = cx.full_like(factor, int(1))?;
    let factor = cx.select(long, factor, one)?;
    let res = cx.zip(ScalarFn::Mul, wide, factor)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// Rows that are looked up, those longer than the limit scaled to it.
fn embedding_renorm(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index) = (cx.x("self")?, cx.x("indices")?);
    let (limit, p) = (cx.float("max_norm")?, cx.float("norm_type")?);
    let (dtype, rows) = (cx.dtype_of(x), cx.dim_size(x, 0));
    let count = cx.ty(index)?.numel();
    let index = cx.reshape(index, std::slice::from_ref(&count))?;
    let untouched = cx.full(Number::Bool(false), &[rows], DType::Bool)?;
    let touch = cx.full(Number::Bool(true), &[count], DType::Bool)?;
    let touched = cx.scatter(untouched, index, touch, 0, "set")?;
    let touched = cx.unsqueeze(touched, 1)?;
    let wide = cx.widened(x)?;
    let size = norm_of(cx, wide, p, &[1], true)?;
    // Eager compares the norm in the dtype of the row.
    let size = cx.cast(size, dtype)?;
    let size = cx.widened(size)?;
    let long = cx.with_number(ScalarFn::Gt, size, float(limit))?;
    let long = cx.zip(ScalarFn::And, long, touched)?;
    let below = cx.with_number(ScalarFn::Add, size, float(1e-7))?;
    let limit = cx.full_like(below, float(limit))?;
    let factor = cx.zip(ScalarFn::Div, limit, below)?;
    let scaled = cx.zip(ScalarFn::Mul, wide, factor)?;
    let res = cx.select(long, scaled, wide)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `v` scaled to the size `g`, slice by slice along a dimension.
fn weight_norm(cx: &mut Cx<'_, '_>) -> Values {
    let (v, g) = (cx.x("v")?, cx.x("g")?);
    let dim = cx.int("dim")?;
    let kept = if dim == -1 { None } else { Some(cx.normal(dim, cx.rank(v))?) };
    let others: Vec<usize> = (0..cx.rank(v)).filter(|it| Some(*it) != kept).collect();
    let dtype = cx.dtype_of(v);
    let (v, g) = (cx.widened(v)?, cx.widened(g)?);
    let size = norm_of(cx, v, 2.0, &others, true)?;
    let factor = cx.zip(ScalarFn::Div, g, size)?;
    let res = cx.zip(ScalarFn::Mul, v, factor)?;
    let mut results = vec![cx.cast(res, dtype)?];
    if cx.results() == 2 {
        results.push(size);
    }
    Ok(results)
}

/// The covariance of rows.
fn covariance(cx: &mut Cx<'_, '_>, correction: f64) -> Result<(ValueId, DType)> {
    let x = cx.x("self")?;
    let dtype = cx.out(0)?.dtype;
    let x = cx.cast(x, dtype)?;
    let x = match cx.rank(x) {
        0 => cx.reshape(x, &[Expr::int(1), Expr::int(1)])?,
        1 => cx.unsqueeze(x, 0)?,
        _ => x,
    };
    let x = cx.widened(x)?;
    let mean = mean_of(cx, x, &[1], true)?;
    let centered = cx.zip(ScalarFn::Sub, x, mean)?;
    let products = cx.contract(centered, centered, (&[], &[]), (&[1], &[1]))?;
    let Some(count) = cx.dim_size(x, 1).as_int() else {
        return Err(cx.error("an unknown number of observations"));
    };
    let divisor = (count as f64 - correction).max(0.0);
    Ok((cx.with_number(ScalarFn::Div, products, float(divisor))?, dtype))
}

fn cov(cx: &mut Cx<'_, '_>) -> Values {
    if cx.opt("fweights")?.is_some() || cx.opt("aweights")?.is_some() {
        return Err(cx.error("weights of observations"));
    }
    let correction = cx.int("correction")? as f64;
    let (res, dtype) = covariance(cx, correction)?;
    let shape = cx.out_shape()?;
    let res = cx.cast(res, dtype)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn corrcoef(cx: &mut Cx<'_, '_>) -> Values {
    let (res, dtype) = covariance(cx, 1.0)?;
    let shape = cx.out_shape()?;
    let count = cx.dim_size(res, 0);
    let variance = diagonal_of(cx, res, 0, &count)?;
    let deviation = cx.map(ScalarFn::Sqrt, variance)?;
    let (row, column) = (cx.unsqueeze(deviation, 0)?, cx.unsqueeze(deviation, 1)?);
    let res = cx.zip(ScalarFn::Div, res, row)?;
    let res = cx.zip(ScalarFn::Div, res, column)?;
    let res = cx.with_number(ScalarFn::Max, res, int(-1))?;
    let res = cx.with_number(ScalarFn::Min, res, int(1))?;
    let res = cx.cast(res, dtype)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

/// Dimensions that were repeated are summed up again.
fn sum_to_size(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let shape = cx.out_shape()?;
    let own = cx.shape(x);
    let added = own.len().saturating_sub(shape.len());
    let one = Expr::int(1);
    let dims: Vec<usize> = (0..own.len())
        .filter(|it| *it < added || (shape[it - added] == one && own[*it] != one))
        .collect();
    let x = cx.cast(x, cx.out(0)?.dtype)?;
    let res = cx.reduce("sum", x, &dims, false)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn cartesian_prod(cx: &mut Cx<'_, '_>) -> Values {
    let xs = cx.list("tensors")?;
    let sizes: Vec<Expr> = xs.iter().map(|it| cx.dim_size(*it, 0)).collect();
    if let [only] = xs.as_slice() {
        return Ok(vec![*only]);
    }
    let count = cx.out_shape()?[0].clone();
    let mut columns = Vec::new();
    for (i, x) in xs.iter().enumerate() {
        let mut own = vec![Expr::int(1); sizes.len()];
        own[i] = sizes[i].clone();
        let x = cx.reshape(*x, &own)?;
        let x = cx.expand(x, &sizes)?;
        columns.push(cx.reshape(x, &[count.clone(), Expr::int(1)])?);
    }
    Ok(vec![cx.concat(&columns, 1)?])
}

/// All choices of `r` elements, which are known by their places.
fn combinations(cx: &mut Cx<'_, '_>) -> Values {
    let (x, r, repeat) = (cx.x("self")?, cx.int("r")?, cx.flag("with_replacement")?);
    let (Some(n), r) = (cx.dim_size(x, 0).as_int(), usize::try_from(r).unwrap_or(0)) else {
        return Err(cx.error("choices from an unknown number of elements"));
    };
    cx.moderately_many("elements", n)?;
    let mut chosen: Vec<Vec<i64>> = vec![Vec::new()];
    for _ in 0..r {
        let next = |it: &Vec<i64>| {
            let from = it.last().map_or(0, |it| it + i64::from(!repeat));
            let it = it.clone();
            (from..n).map(move |next| it.iter().copied().chain([next]).collect::<Vec<_>>())
        };
        chosen = chosen.iter().flat_map(next).collect();
        if 1 << 20 < chosen.len() {
            return Err(cx.error("so many choices"));
        }
    }
    let shape = vec![chosen.len() as i64, r as i64];
    let places = chosen.iter().flatten().map(|it| int(*it)).collect();
    let places = cx.literal(places, shape, DType::I64)?;
    Ok(vec![cx.index(x, &[places], &[0], 0)?])
}

rules! {
    "combinations" => combinations,
    "diag_embed" => diag_embed,
    "diag" => diag,
    "diagflat" => diagflat,
    "trace" => trace,
    "cdist" | "_cdist_forward" => cdist,
    "pdist" | "_pdist_forward" => pdist,
    "dist" => dist,
    "matrix_power" | "linalg_matrix_power" => matrix_power,
    "chain_matmul" => |cx| chain(cx, "matrices"),
    "linalg_multi_dot" => |cx| chain(cx, "tensors"),
    "vander" | "linalg_vander" => vander,
    "trapezoid.dx" | "trapezoid.x" | "trapz.dx" | "trapz.x" => |cx| trapezoid(cx, false),
    "cumulative_trapezoid.dx" | "cumulative_trapezoid.x" => |cx| trapezoid(cx, true),
    "renorm" => renorm,
    "embedding_renorm" => embedding_renorm,
    "_weight_norm" | "_weight_norm_interface" => weight_norm,
    "cov" => cov,
    "corrcoef" => corrcoef,
    "sum_to_size" => sum_to_size,
    "cartesian_prod" => cartesian_prod,
}
