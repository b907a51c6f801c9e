//! Order: sorting, ranks, and searching in what is sorted.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

fn no_dims(cx: &mut Cx<'_, '_>, x: ValueId) -> Values {
    Ok(vec![x, cx.full(int(0), &[], DType::I64)?])
}

fn sort(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let descending = cx.flag("descending")?;
    if cx.rank(x) == 0 {
        return no_dims(cx, x);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    let (values, indices) = cx.sort(x, dim, descending)?;
    Ok(vec![values, indices])
}

fn argsort(cx: &mut Cx<'_, '_>) -> Values {
    Ok(vec![sort(cx)?[1]])
}

fn msort(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    if cx.rank(x) == 0 {
        return Ok(vec![x]);
    }
    Ok(vec![cx.sort(x, 0, false)?.0])
}

fn topk(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let (k, largest) = (cx.size("k")?, cx.flag("largest")?);
    if cx.rank(x) == 0 {
        return no_dims(cx, x);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    let (values, indices) = cx.sort(x, dim, largest)?;
    let zero = Expr::int(0);
    Ok(vec![
        cx.slice(values, dim, zero.clone(), k.clone(), 1)?,
        cx.slice(indices, dim, zero, k, 1)?,
    ])
}

/// The element of one rank along a dimension, and its index.
fn of_rank(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize, rank: Expr, keep: bool) -> Values {
    let (values, indices) = cx.sort(x, dim, false)?;
    let mut res = Vec::new();
    for it in [values, indices] {
        let it = cx.slice(it, dim, rank.clone(), Expr::int(1), 1)?;
        res.push(if keep { it } else { cx.squeeze(it, dim)? });
    }
    Ok(res)
}

fn kthvalue(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let (k, keep) = (cx.size("k")?, cx.flag("keepdim")?);
    if cx.rank(x) == 0 {
        return no_dims(cx, x);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    of_rank(cx, x, dim, k - Expr::int(1), keep)
}

/// How many elements along a dimension are NaN.
fn nan_count(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize) -> Result<ValueId> {
    let nan = cx.map(ScalarFn::IsNan, x)?;
    let ones = cx.cast(nan, DType::I64)?;
    cx.reduce("sum", ones, &[dim], true)
}

/// The lower of the middle elements. NaN is the median of all where it occurs, unless it is
/// ignored.
fn median_of(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize, keep: bool, ignore: bool) -> Values {
    let size = cx.dim_size(x, dim);
    let middle = cx.simple(&(size.clone() - Expr::int(1)).floor_div(&Expr::int(2)));
    if !cx.dtype_of(x).is_float() {
        return of_rank(cx, x, dim, middle, keep);
    }
    let count = nan_count(cx, x, dim)?;
    let numbers = cx.full_like(count, Number::Int(size))?;
    let numbers = cx.zip(ScalarFn::Sub, numbers, count)?;
    let place = if ignore {
        let less = cx.with_number(ScalarFn::Sub, numbers, int(1))?;
        let less = cx.with_number(ScalarFn::Max, less, int(0))?;
        cx.with_number(ScalarFn::FloorDiv, less, int(2))?
    } else {
        let some = cx.with_number(ScalarFn::Gt, count, int(0))?;
        let middle = cx.full_like(numbers, Number::Int(middle))?;
        cx.select(some, numbers, middle)?
    };
    let (values, indices) = cx.sort(x, dim, false)?;
    let mut res = Vec::new();
    for it in [values, indices] {
        let it = cx.gather(it, place, dim)?;
        res.push(if keep { it } else { cx.squeeze(it, dim)? });
    }
    Ok(res)
}

fn flattened(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let count = cx.ty(x)?.numel();
    cx.reshape(x, &[count])
}

fn median(cx: &mut Cx<'_, '_>, ignore: bool) -> Values {
    let x = cx.x("self")?;
    let x = flattened(cx, x)?;
    Ok(vec![median_of(cx, x, 0, false, ignore)?[0]])
}

fn median_dim(cx: &mut Cx<'_, '_>, ignore: bool) -> Values {
    let x = cx.x("self")?;
    let keep = cx.flag("keepdim")?;
    if cx.rank(x) == 0 {
        return no_dims(cx, x);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    median_of(cx, x, dim, keep, ignore)
}

/// The most frequent element, the least of those, and its last index.
fn mode(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let keep = cx.flag("keepdim")?;
    if cx.rank(x) == 0 {
        return no_dims(cx, x);
    }
    let dim = cx.dim("dim", cx.rank(x))?;
    let (values, indices) = cx.sort(x, dim, false)?;
    let (row, column) = (cx.unsqueeze(values, dim)?, cx.unsqueeze(values, dim + 1)?);
    let same = cx.zip(ScalarFn::Eq, row, column)?;
    let same = cx.cast(same, DType::I64)?;
    let counts = cx.reduce("sum", same, &[dim], false)?;
    let first = cx.arg_reduce("max", counts, dim, true)?;
    let count = cx.gather(counts, first, dim)?;
    // Equal elements are next to each other, in the order of their indices.
    let last = cx.zip(ScalarFn::Add, first, count)?;
    let last = cx.with_number(ScalarFn::Sub, last, int(1))?;
    let last = cx.with_number(ScalarFn::Max, last, int(0))?;
    let (value, index) = (cx.gather(values, first, dim)?, cx.gather(indices, last, dim)?);
    match keep {
        true => Ok(vec![value, index]),
        false => Ok(vec![cx.squeeze(value, dim)?, cx.squeeze(index, dim)?]),
    }
}

/// Between the elements of the ranks around `q * (n - 1)`.
fn quantile_of(cx: &mut Cx<'_, '_>, q: ValueId, ignore: bool) -> Values {
    let x = cx.x("self")?;
    let (keep, mode) = (cx.flag("keepdim")?, cx.text("interpolation")?);
    let shape = cx.out_shape()?;
    let dtype = cx.dtype_of(x);
    let (x, dim) = match cx.get::<Option<i64>>("dim")? {
        Some(dim) if cx.rank(x) != 0 => (x, cx.normal(dim, cx.rank(x))?),
        _ => (flattened(cx, x)?, 0),
    };
    let last = cx.rank(x).saturating_sub(1);
    let x = cx.move_dim(x, dim, last)?;
    let count = cx.dim_size(x, last);
    let nans = nan_count(cx, x, last)?;
    let (sorted, _) = cx.sort(x, last, false)?;
    let q_flat = flattened(cx, q)?;
    let places = if ignore {
        let numbers = cx.full_like(nans, Number::Int(count))?;
        let numbers = cx.zip(ScalarFn::Sub, numbers, nans)?;
        let limit = cx.with_number(ScalarFn::Sub, numbers, int(1))?;
        let limit = cx.with_number(ScalarFn::Max, limit, int(0))?;
        let limit = cx.cast(limit, dtype)?;
        cx.zip(ScalarFn::Mul, limit, q_flat)?
    } else {
        let limit = cx.full_like(nans, Number::Int(count - Expr::int(1)))?;
        let limit = cx.cast(limit, dtype)?;
        let places = cx.zip(ScalarFn::Mul, limit, q_flat)?;
        // With NaN in the line its last element, which is NaN, is the answer.
        let some = cx.with_number(ScalarFn::Gt, nans, int(0))?;
        cx.select(some, limit, places)?
    };
    let taken = |cx: &mut Cx<'_, '_>, places: ValueId| {
        let places = cx.cast(places, DType::I64)?;
        cx.gather(sorted, places, last)
    };
    let res = match mode.as_str() {
        "lower" | "higher" | "nearest" => {
            let function = match mode.as_str() {
                "lower" => ScalarFn::Floor,
                "higher" => ScalarFn::Ceil,
                _ => ScalarFn::Round,
            };
            let places = cx.map(function, places)?;
            taken(cx, places)?
        }
        _ => {
            let (low, high) = (cx.map(ScalarFn::Floor, places)?, cx.map(ScalarFn::Ceil, places)?);
            let weight = match mode.as_str() {
                "midpoint" => cx.full_like(places, float(0.5))?,
                _ => cx.zip(ScalarFn::Sub, places, low)?,
            };
            let (low, high) = (taken(cx, low)?, taken(cx, high)?);
            super::arith::lerp_of(cx, low, high, weight)?
        }
    };
    let res = cx.move_dim(res, last, 0)?;
    let res = match cx.rank(q) {
        0 => cx.squeeze(res, 0)?,
        _ => res,
    };
    let _ = keep;
    Ok(vec![cx.reshape(res, &shape)?])
}

fn quantile_tensor(cx: &mut Cx<'_, '_>, ignore: bool) -> Values {
    let q = cx.x("q")?;
    quantile_of(cx, q, ignore)
}

fn quantile_number(cx: &mut Cx<'_, '_>, ignore: bool) -> Values {
    let (x, q) = (cx.x("self")?, cx.number("q")?);
    let q = cx.full(q, &[], cx.dtype_of(x))?;
    quantile_of(cx, q, ignore)
}

/// How many elements of the last dimension lie below each value, or below it and at it.
fn searchsorted(cx: &mut Cx<'_, '_>) -> Values {
    let (sequence, values) = (cx.x("sorted_sequence")?, cx.input("self")?);
    let side: Option<String> = cx.get("side")?;
    let right = cx.flag("right")? || side.as_deref() == Some("right");
    let rank = cx.rank(sequence);
    let sequence = match cx.opt("sorter")? {
        Some(sorter) => cx.gather(sequence, sorter, rank.saturating_sub(1))?,
        None => sequence,
    };
    let dtype = cx.result_type(&[sequence.into(), values.clone()]);
    let (sequence, values) = (cx.cast(sequence, dtype)?, cx.as_dtype(&values, dtype)?);
    let at = cx.rank(values);
    let values = cx.unsqueeze(values, at)?;
    let sequence =
        if rank == 1 { sequence } else { cx.unsqueeze(sequence, rank.saturating_sub(1))? };
    let below = if right { ScalarFn::Le } else { ScalarFn::Lt };
    let mut counted = cx.zip(below, sequence, values)?;
    if dtype.is_float() {
        let nan = cx.map(ScalarFn::IsNan, values)?;
        counted = cx.zip(ScalarFn::Or, counted, nan)?;
    }
    let ones = cx.cast(counted, DType::I64)?;
    let count = cx.reduce("sum", ones, &[at], false)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(count, dtype)?])
}

fn isin(cx: &mut Cx<'_, '_>, elements: &str, tests: &str) -> Values {
    let (x, tests) = (cx.input(elements)?, cx.input(tests)?);
    let dtype = cx.result_type(&[x.clone(), tests.clone()]);
    let (x, tests) = (cx.as_dtype(&x, dtype)?, cx.as_dtype(&tests, dtype)?);
    let tests = flattened(cx, tests)?;
    let at = cx.rank(x);
    let x = cx.unsqueeze(x, at)?;
    let same = cx.zip(ScalarFn::Eq, x, tests)?;
    let found = cx.reduce("any", same, &[at], false)?;
    let invert = cx.flag("invert")?;
    Ok(vec![if invert { cx.map(ScalarFn::Not, found)? } else { found }])
}

rules! {
    "sort" | "sort.stable" => sort,
    "argsort" | "argsort.stable" => argsort,
    "msort" => msort,
    "topk" => topk,
    "kthvalue" => kthvalue,
    "median" => |cx| median(cx, false),
    "nanmedian" => |cx| median(cx, true),
    "median.dim" => |cx| median_dim(cx, false),
    "nanmedian.dim" => |cx| median_dim(cx, true),
    "mode" => mode,
    "quantile" => |cx| quantile_tensor(cx, false),
    "nanquantile" => |cx| quantile_tensor(cx, true),
    "quantile.scalar" => |cx| quantile_number(cx, false),
    "nanquantile.scalar" => |cx| quantile_number(cx, true),
    "searchsorted.Tensor" | "searchsorted.Scalar" => searchsorted,
    "isin.Tensor_Tensor" => |cx| isin(cx, "elements", "test_elements"),
    "isin.Tensor_Scalar" => |cx| isin(cx, "elements", "test_element"),
    "isin.Scalar_Tensor" => |cx| isin(cx, "element", "test_elements"),
}
