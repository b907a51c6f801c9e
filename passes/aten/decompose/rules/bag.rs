//! Sums, means and maxima of embeddings over bags of indices.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// The number of indices per bag, where all bags are of one size and say so.
fn uniform(cx: &Cx<'_, '_>, indices: ValueId, offsets: ValueId, bags: &Expr) -> Option<Expr> {
    let (start, step) = cx.iota_of(offsets)?;
    let Number::Int(step) = step else { return None };
    let count = cx.ty(indices).ok()?.numel();
    (start.is_int(0) && cx.equal(&(step.clone() * bags.clone()), &count)).then_some(step)
}

/// The bag of each index: how many bags begin at or before it, less one.
fn bag_of_each(cx: &mut Cx<'_, '_>, count: &Expr, offsets: ValueId) -> Result<ValueId> {
    // An empty bag may begin after the last index.
    let places = cx.simple(&(count.clone() + Expr::int(1)));
    let zeros = cx.full(int(0), &[places], DType::I64)?;
    let ones = cx.full(int(1), &cx.shape(offsets), DType::I64)?;
    let marks = cx.scatter(zeros, offsets, ones, 0, "add")?;
    let begun = cx.scan("sum", marks, 0)?;
    let begun = cx.slice(begun, 0, Expr::int(0), count.clone(), 1)?;
    cx.with_number(ScalarFn::Sub, begun, int(1))
}

/// Results besides the bags, which only a backward pass reads.
fn unread(cx: &mut Cx<'_, '_>, res: &mut Vec<ValueId>) -> Result<()> {
    for i in 1..cx.results() {
        if cx.is_read(i) {
            return Err(cx.error("the bag of each index is asked for"));
        }
        let (shape, dtype) = match cx.out(i) {
            Ok(ty) => (ty.shape.to_vec(), ty.dtype),
            Err(_) => (Vec::new(), DType::I64),
        };
        res.push(cx.full(int(0), &shape, dtype)?);
    }
    Ok(())
}

fn embedding_bag(cx: &mut Cx<'_, '_>) -> Values {
    let (weight, indices, offsets) = (cx.x("weight")?, cx.x("indices")?, cx.x("offsets")?);
    let mode = cx.int("mode")?;
    let padding = if cx.has("padding_idx") { cx.get::<Option<i64>>("padding_idx")? } else { None };
    let shape = cx.out_shape()?;
    let count = cx.ty(indices)?.numel();
    let indices = cx.reshape(indices, std::slice::from_ref(&count))?;
    let offsets = match cx.flag("include_last_offset")? {
        // The end of the last bag is no bag.
        true => cx.slice(offsets, 0, Expr::int(0), shape[0].clone(), 1)?,
        false => offsets,
    };
    let dtype = cx.dtype_of(weight);
    let mut rows = cx.index(weight, &[indices], &[0], 0)?;
    if let Some(scale) = cx.opt("per_sample_weights")? {
        let scale = cx.reshape(scale, &[count.clone(), Expr::int(1)])?;
        rows = cx.zip(ScalarFn::Mul, rows, scale)?;
    }
    let rows = cx.widened(rows)?;
    let kept = match padding {
        Some(it) if 0 <= it => Some(cx.with_number(ScalarFn::Ne, indices, int(it))?),
        _ => None,
    };
    let kept = kept.map(|it| cx.unsqueeze(it, 1)).transpose()?;
    let res = match uniform(cx, indices, offsets, &shape[0]) {
        Some(size) => of_one_size(cx, rows, kept, &shape, &size, mode)?,
        None => {
            let bag = bag_of_each(cx, &count, offsets)?;
            by_bag(cx, rows, kept, &shape, bag, mode)?
        }
    };
    let mut res = vec![cx.cast(res, dtype)?];
    unread(cx, &mut res)?;
    Ok(res)
}

/// Rows that do not count, replaced by a number.
fn without(
    cx: &mut Cx<'_, '_>,
    rows: ValueId,
    kept: Option<ValueId>,
    number: f64,
) -> Result<ValueId> {
    let Some(kept) = kept else { return Ok(rows) };
    let other = cx.full_like(rows, float(number))?;
    cx.select(kept, rows, other)
}

fn of_one_size(
    cx: &mut Cx<'_, '_>,
    rows: ValueId,
    kept: Option<ValueId>,
    shape: &[Expr],
    size: &Expr,
    mode: i64,
) -> Result<ValueId> {
    let whole = [shape[0].clone(), size.clone(), shape[1].clone()];
    if mode == 2 {
        let rows = without(cx, rows, kept, f64::NEG_INFINITY)?;
        let bags = cx.reshape(rows, &whole)?;
        return cx.reduce("max", bags, &[1], false);
    }
    let zeroed = without(cx, rows, kept, 0.0)?;
    let bags = cx.reshape(zeroed, &whole)?;
    let sum = cx.reduce("sum", bags, &[1], false)?;
    if mode == 0 {
        return Ok(sum);
    }
    let Some(kept) = kept else {
        return cx.with_number(ScalarFn::Div, sum, Number::Int(size.clone()));
    };
    let ones = cx.cast(kept, cx.dtype_of(sum))?;
    let ones = cx.reshape(ones, &[shape[0].clone(), size.clone()])?;
    let count = cx.reduce("sum", ones, &[1], true)?;
    let count = cx.with_number(ScalarFn::Max, count, int(1))?;
    cx.zip(ScalarFn::Div, sum, count)
}

fn by_bag(
    cx: &mut Cx<'_, '_>,
    rows: ValueId,
    kept: Option<ValueId>,
    shape: &[Expr],
    bag: ValueId,
    mode: i64,
) -> Result<ValueId> {
    let dtype = cx.dtype_of(rows);
    let gather = |cx: &mut Cx<'_, '_>, start: ValueId, rows: ValueId, how: &str| {
        let (bags, how): (&[ValueId], _) = (&[bag], how.to_owned());
        cx.build(|make| tensor::IndexUpdate::build(make, start, bags, rows, vec![0], 0, how))
    };
    let ones = cx.full_like(rows, int(1))?;
    let ones = without(cx, ones, kept, 0.0)?;
    let zeros = cx.full(int(0), shape, dtype)?;
    if mode == 0 {
        let rows = without(cx, rows, kept, 0.0)?;
        return gather(cx, zeros, rows, "add");
    }
    let count = gather(cx, zeros, ones, "add")?;
    if mode == 1 {
        let rows = without(cx, rows, kept, 0.0)?;
        let sum = gather(cx, zeros, rows, "add")?;
        let count = cx.with_number(ScalarFn::Max, count, int(1))?;
        return cx.zip(ScalarFn::Div, sum, count);
    }
    let least = cx.full(float(f64::NEG_INFINITY), shape, dtype)?;
    let rows = without(cx, rows, kept, f64::NEG_INFINITY)?;
    let greatest = gather(cx, least, rows, "max")?;
    let empty = cx.with_number(ScalarFn::Eq, count, int(0))?;
    cx.select(empty, zeros, greatest)
}

rules! {
    "embedding_bag" | "embedding_bag.padding_idx" | "_embedding_bag"
        | "_embedding_bag_forward_only" => embedding_bag,
}
