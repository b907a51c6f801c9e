//! Operators whose result has a size that data decides, and others that search by a mask.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{compare::truth, rules};
use crate::decompose::{cx::Cx, emit::int};

type Values = Result<Vec<ValueId>>;

/// The places that are not zero, one per row.
fn nonzero(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let count = cx.out_shape()?[0].clone();
    let truth = truth(cx, x)?;
    Ok(vec![cx.nonzero(truth, &count)?])
}

/// As many of the places as are asked for; rows past their number hold a number.
fn nonzero_static(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let (size, fill) = (cx.size("size")?, cx.int("fill_value")?);
    let shape = cx.out_shape()?;
    let rank = cx.rank(x);
    if rank == 0 {
        return Ok(vec![cx.full(int(fill), &shape, DType::I64)?]);
    }
    let truth = truth(cx, x)?;
    let mut made = Vec::new();
    let rows = cx.build(|it| {
        made = tensor::Nonzero::build(it, truth)?;
        Ok(made.clone())
    })?;
    let count = made[1];
    let total = cx.ty(x)?.numel();
    let rows = match cx.at_most(&size, &total) {
        true => cx.slice(rows, 0, Expr::int(0), size.clone(), 1)?,
        false => {
            let more = cx.simple(&(Expr::max(&size, &total) - total));
            let zero = || Expr::int(0);
            let rows =
                cx.pad(rows, vec![zero(), zero()], vec![more, zero()], vec![0, 0], int(0))?;
            cx.slice(rows, 0, Expr::int(0), size.clone(), 1)?
        }
    };
    let place = cx.positions(&size)?;
    let taken = cx.zip(ScalarFn::Lt, place, count)?;
    let taken = cx.unsqueeze(taken, 1)?;
    let other = cx.full_like(rows, int(fill))?;
    Ok(vec![cx.select(taken, rows, other)?])
}

/// The places that are not zero, one vector per dimension.
pub(super) fn nonzero_columns(
    cx: &mut Cx<'_, '_>,
    mask: ValueId,
    count: &Expr,
) -> Result<Vec<ValueId>> {
    let places = cx.nonzero(mask, count)?;
    (0..cx.rank(mask)).map(|i| cx.select_dim(places, 1, Expr::int(i as i64))).collect()
}

fn nonzero_numpy(cx: &mut Cx<'_, '_>, name: &str) -> Values {
    let x = cx.x(name)?;
    let count = cx.out_shape()?[0].clone();
    let x = if cx.rank(x) == 0 { cx.unsqueeze(x, 0)? } else { x };
    let truth = truth(cx, x)?;
    nonzero_columns(cx, truth, &count)
}

fn masked_select(cx: &mut Cx<'_, '_>) -> Values {
    let (x, mask) = (cx.x("self")?, cx.x("mask")?);
    let count = cx.out_shape()?[0].clone();
    let [x, mask] = cx.broadcast([x, mask])?;
    let total = cx.ty(x)?.numel();
    let total = std::slice::from_ref(&total);
    let (x, mask) = (cx.reshape(x, total)?, cx.reshape(mask, total)?);
    let places = nonzero_columns(cx, mask, &count)?;
    Ok(vec![cx.index(x, &places, &[0], 0)?])
}

/// The next element of `source` wherever the mask holds.
fn masked_scatter(cx: &mut Cx<'_, '_>) -> Values {
    let (x, mask, source) = (cx.x("self")?, cx.x("mask")?, cx.x("source")?);
    let [x, mask] = cx.broadcast([x, mask])?;
    let shape = cx.shape(x);
    let (total, given) = (cx.ty(x)?.numel(), cx.ty(source)?.numel());
    let total = std::slice::from_ref(&total);
    let (x, mask) = (cx.reshape(x, total)?, cx.reshape(mask, total)?);
    let source = cx.reshape(source, std::slice::from_ref(&given))?;
    let ones = cx.cast(mask, DType::I64)?;
    let place = cx.scan("sum", ones, 0)?;
    let place = cx.with_number(ScalarFn::Sub, place, int(1))?;
    let place = cx.with_number(ScalarFn::Max, place, int(0))?;
    // What the mask leaves out is read from anywhere.
    let place = cx.with_number(ScalarFn::Min, place, Number::Int(given - Expr::int(1)))?;
    let taken = cx.index(source, &[place], &[0], 0)?;
    let res = cx.select(mask, taken, x)?;
    Ok(vec![cx.reshape(res, &shape)?])
}

/// How often to take each element: the indices that does.
fn repeated_indices(cx: &mut Cx<'_, '_>, repeats: ValueId, count: &Expr) -> Result<ValueId> {
    let repeats = cx.cast(repeats, DType::I64)?;
    cx.bind_size(count, |cx| cx.reduce("sum", repeats, &[0], false))?;
    let ends = cx.scan("sum", repeats, 0)?;
    let place = cx.positions(count)?;
    let place = cx.unsqueeze(place, 1)?;
    let passed = cx.zip(ScalarFn::Le, ends, place)?;
    let ones = cx.cast(passed, DType::I64)?;
    cx.reduce("sum", ones, &[1], false)
}

fn repeat_interleave_tensor(cx: &mut Cx<'_, '_>) -> Values {
    let repeats = cx.x("repeats")?;
    let (count, dtype) = (cx.out_shape()?[0].clone(), cx.out(0)?.dtype);
    let index = repeated_indices(cx, repeats, &count)?;
    Ok(vec![cx.cast(index, dtype)?])
}

fn repeat_interleave_self(cx: &mut Cx<'_, '_>) -> Values {
    let (x, repeats) = (cx.x("self")?, cx.x("repeats")?);
    let shape = cx.out_shape()?;
    let (x, dim) = match cx.get::<Option<i64>>("dim")? {
        Some(it) => (x, cx.normal(it, cx.rank(x))?),
        None => {
            let total = cx.ty(x)?.numel();
            (cx.reshape(x, &[total])?, 0)
        }
    };
    let each = cx.dim_size(x, dim);
    let given = cx.ty(repeats)?.numel();
    let repeats = cx.reshape(repeats, &[given])?;
    let repeats = cx.expand(repeats, &[each])?;
    let index = repeated_indices(cx, repeats, &shape[dim].clone())?;
    Ok(vec![cx.index(x, &[index], &[dim], dim)?])
}

/// How often each number occurs, or the sum of its weights.
fn bincount(cx: &mut Cx<'_, '_>) -> Values {
    let (x, weights) = (cx.x("self")?, cx.opt("weights")?);
    let least = cx.size("minlength")?;
    let (count, dtype) = (cx.out_shape()?[0].clone(), cx.out(0)?.dtype);
    let x = cx.cast(x, DType::I64)?;
    cx.bind_size(&count, |cx| {
        let greatest = cx.reduce("max", x, &[0], false)?;
        let next = cx.with_number(ScalarFn::Add, greatest, int(1))?;
        cx.with_number(ScalarFn::Max, next, Number::Int(least))
    })?;
    let zeros = cx.full(int(0), &[count], dtype)?;
    let values = match weights {
        Some(it) => cx.cast(it, dtype)?,
        None => {
            let shape = cx.shape(x);
            cx.full(int(1), &shape, dtype)?
        }
    };
    Ok(vec![cx.scatter(zeros, x, values, 0, "add")?])
}

/// Elements of a flattened tensor replaced.
fn put(cx: &mut Cx<'_, '_>) -> Values {
    let (x, index, source) = (cx.x("self")?, cx.x("index")?, cx.x("source")?);
    let mode = if cx.flag("accumulate")? { "add" } else { "set" };
    let shape = cx.shape(x);
    let (total, places) = (cx.ty(x)?.numel(), cx.ty(index)?.numel());
    let flat = cx.reshape(x, &[total])?;
    let index = cx.reshape(index, std::slice::from_ref(&places))?;
    let source = cx.reshape(source, &[places])?;
    let res = cx.build(|make| {
        let indices: &[ValueId] = &[index];
        tensor::IndexUpdate::build(make, flat, indices, source, vec![0], 0, mode.to_owned())
    })?;
    Ok(vec![cx.reshape(res, &shape)?])
}

rules! {
    "nonzero" | "argwhere" => nonzero,
    "nonzero_static" => nonzero_static,
    "nonzero_numpy" => |cx| nonzero_numpy(cx, "self"),
    "where" => |cx| nonzero_numpy(cx, "condition"),
    "masked_select" => masked_select,
    "masked_scatter" => masked_scatter,
    "repeat_interleave.Tensor" => repeat_interleave_tensor,
    "repeat_interleave.self_Tensor" => repeat_interleave_self,
    "bincount" => bincount,
    "put" => put,
}
