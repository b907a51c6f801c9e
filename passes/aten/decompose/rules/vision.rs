//! Operators of torchvision: boxes, and features within them.

use ir::{DType, Result, ValueId, linalg::Factor, scalar::ScalarFn};
use sym::Expr;

use super::{data::nonzero_columns, linalg::factor, rules};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// Columns of boxes `[n, 4]`.
fn corners(cx: &mut Cx<'_, '_>, boxes: ValueId) -> Result<[ValueId; 4]> {
    let column = |cx: &mut Cx<'_, '_>, i| cx.select_dim(boxes, 1, Expr::int(i));
    Ok([column(cx, 0)?, column(cx, 1)?, column(cx, 2)?, column(cx, 3)?])
}

/// How long the intervals have in common `[n, n]`.
fn common(cx: &mut Cx<'_, '_>, start: ValueId, end: ValueId) -> Result<ValueId> {
    let (rows, row_ends) = (cx.unsqueeze(start, 1)?, cx.unsqueeze(end, 1)?);
    let (low, high) = (cx.zip(ScalarFn::Max, rows, start)?, cx.zip(ScalarFn::Min, row_ends, end)?);
    let length = cx.zip(ScalarFn::Sub, high, low)?;
    cx.with_number(ScalarFn::Max, length, int(0))
}

/// Boxes in the order of their scores, without those that overlap a better one that is kept.
fn nms(cx: &mut Cx<'_, '_>) -> Values {
    let (boxes, scores) = (cx.x("dets")?, cx.x("scores")?);
    let limit = cx.float("iou_threshold")?;
    let count = cx.out_shape()?[0].clone();
    cx.at_least(boxes, 2)?;
    cx.at_least(scores, 1)?;
    let (_, order) = cx.sort(scores, 0, true)?;
    let boxes = cx.index(boxes, &[order], &[0], 0)?;
    let [left, top, right, bottom] = corners(cx, boxes)?;
    let (width, height) =
        (cx.zip(ScalarFn::Sub, right, left)?, cx.zip(ScalarFn::Sub, bottom, top)?);
    let area = cx.zip(ScalarFn::Mul, width, height)?;
    let (across, down) = (common(cx, left, right)?, common(cx, top, bottom)?);
    let shared = cx.zip(ScalarFn::Mul, across, down)?;
    let rows = cx.unsqueeze(area, 1)?;
    let both = cx.zip(ScalarFn::Add, rows, area)?;
    let both = cx.zip(ScalarFn::Sub, both, shared)?;
    let overlap = cx.zip(ScalarFn::Div, shared, both)?;
    // Eager compares with the limit in double precision.
    let overlap = cx.cast(overlap, DType::F64)?;
    let drops = cx.with_number(ScalarFn::Gt, overlap, float(limit))?;
    let drops = cx.cast(drops, DType::F32)?;
    let drops = cx.unsqueeze(drops, 0)?;
    let kept = factor(cx, Factor::Greedy, &[drops], false)?[0];
    let kept = cx.squeeze(kept, 0)?;
    let kept = cx.with_number(ScalarFn::Ne, kept, int(0))?;
    let places = nonzero_columns(cx, kept, &count)?;
    Ok(vec![cx.index(order, &places, &[0], 0)?])
}

/// Points along one dimension, `[regions, points]`: the elements on both sides, the weight of the
/// second, and whether the point counts.
struct Points {
    sides: [ValueId; 2],
    weights: [ValueId; 2],
    within: ValueId,
}

/// Evenly in each of `bins` equal parts of each region, `each` points in every one.
fn points(
    cx: &mut Cx<'_, '_>,
    (start, length): (ValueId, ValueId),
    (bins, each): (i64, i64),
    size: &Expr,
) -> Result<Points> {
    let dtype = cx.dtype_of(start);
    let place = cx.positions(&Expr::int(bins * each))?;
    let part = |cx: &mut Cx<'_, '_>, function| {
        let it = cx.with_number(function, place, int(each))?;
        cx.cast(it, dtype)
    };
    let (bin, step) = (part(cx, ScalarFn::FloorDiv)?, part(cx, ScalarFn::Rem)?);
    let (start, length) = (cx.unsqueeze(start, 1)?, cx.unsqueeze(length, 1)?);
    let width = cx.with_number(ScalarFn::Div, length, int(bins))?;
    let offset = cx.zip(ScalarFn::Mul, bin, width)?;
    let at = cx.zip(ScalarFn::Add, start, offset)?;
    let step = cx.with_number(ScalarFn::Add, step, float(0.5))?;
    let inner = cx.zip(ScalarFn::Mul, step, width)?;
    let inner = cx.with_number(ScalarFn::Div, inner, int(each))?;
    let at = cx.zip(ScalarFn::Add, at, inner)?;
    let above = cx.with_number(ScalarFn::Ge, at, int(-1))?;
    let below = cx.with_number(ScalarFn::Le, at, ir::Number::Int(size.clone()))?;
    let within = cx.zip(ScalarFn::And, above, below)?;
    // What does not count is read from the border.
    let last = ir::Number::Int(cx.simple(&(size.clone() - Expr::int(1))));
    let at = cx.with_number(ScalarFn::Max, at, int(0))?;
    let at = cx.with_number(ScalarFn::Min, at, last.clone())?;
    let low = cx.map(ScalarFn::Floor, at)?;
    let second = cx.zip(ScalarFn::Sub, at, low)?;
    let one = cx.full_like(second, int(1))?;
    let first = cx.zip(ScalarFn::Sub, one, second)?;
    let low = cx.cast(low, DType::I64)?;
    let high = cx.with_number(ScalarFn::Add, low, int(1))?;
    let high = cx.with_number(ScalarFn::Min, high, last)?;
    Ok(Points { sides: [low, high], weights: [first, second], within })
}

/// Means of features at points within regions, between which features are linear.
fn roi_align(cx: &mut Cx<'_, '_>) -> Values {
    let (x, regions) = (cx.x("input")?, cx.x("rois")?);
    let (scale, each) = (cx.float("spatial_scale")?, cx.int("sampling_ratio")?);
    let (rows, columns) = (cx.int("pooled_height")?, cx.int("pooled_width")?);
    let aligned = cx.flag("aligned")?;
    if each <= 0 {
        return Err(cx.error("as many points as a region has elements (`sampling_ratio` of 0)"));
    }
    cx.moderately_many("points", rows.saturating_mul(each))?;
    cx.moderately_many("points", columns.saturating_mul(each))?;
    cx.at_least(x, 4)?;
    cx.at_least(regions, 2)?;
    let dtype = cx.dtype_of(x);
    let (x, regions) = (cx.widened(x)?, cx.widened(regions)?);
    let image = cx.select_dim(regions, 1, Expr::int(0))?;
    let image = cx.cast(image, DType::I64)?;
    let boxes = cx.slice(regions, 1, Expr::int(1), Expr::int(4), 1)?;
    let shift = if aligned { 0.5 } else { 0.0 };
    let boxes = cx.with_number(ScalarFn::Mul, boxes, float(scale))?;
    let boxes = cx.with_number(ScalarFn::Sub, boxes, float(shift))?;
    let [left, top, right, bottom] = corners(cx, boxes)?;
    let mut length = |start: ValueId, end: ValueId| {
        let length = cx.zip(ScalarFn::Sub, end, start)?;
        // A region is one element at least, in the older rule.
        if aligned { Ok(length) } else { cx.with_number(ScalarFn::Max, length, int(1)) }
    };
    let (width, height) = (length(left, right)?, length(top, bottom)?);
    let (down, across) = (cx.dim_size(x, 2), cx.dim_size(x, 3));
    let y = points(cx, (top, height), (rows, each), &down)?;
    let z = points(cx, (left, width), (columns, each), &across)?;
    let sum = at_points(cx, x, image, &y, &z)?;
    let (count, channels) = (cx.dim_size(regions, 0), cx.dim_size(x, 1));
    let [rows, columns, each] = [rows, columns, each].map(Expr::int);
    let shape = [count, rows, each.clone(), columns, each.clone(), channels];
    let sum = cx.reshape(sum, &shape)?;
    let sum = cx.reduce("sum", sum, &[2, 4], false)?;
    let mean = cx.with_number(ScalarFn::Div, sum, ir::Number::Int(each.clone() * each))?;
    let mean = cx.permute(mean, &[0, 3, 1, 2])?;
    Ok(vec![cx.cast(mean, dtype)?])
}

/// Features `[n, c, h, w]` of an image for each region, at all pairs of points: `[k, p, q, c]`.
fn at_points(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    image: ValueId,
    y: &Points,
    z: &Points,
) -> Result<ValueId> {
    let image = cx.unsqueeze(image, 1)?;
    let image = cx.unsqueeze(image, 2)?;
    let mut sum: Option<ValueId> = None;
    for (row, row_weight) in y.sides.iter().zip(&y.weights) {
        for (column, column_weight) in z.sides.iter().zip(&z.weights) {
            let (row, row_weight) = (cx.unsqueeze(*row, 2)?, cx.unsqueeze(*row_weight, 2)?);
            let (column, column_weight) =
                (cx.unsqueeze(*column, 1)?, cx.unsqueeze(*column_weight, 1)?);
            let places = cx.broadcast([image, row, column])?;
            let taken = cx.index(x, &places, &[0, 2, 3], 0)?;
            let weight = cx.zip(ScalarFn::Mul, row_weight, column_weight)?;
            let weight = cx.unsqueeze(weight, 3)?;
            let taken = cx.zip(ScalarFn::Mul, taken, weight)?;
            sum = Some(match sum {
                None => taken,
                Some(it) => cx.zip(ScalarFn::Add, it, taken)?,
            });
        }
    }
    let Some(sum) = sum else { return Err(cx.error("no points")) };
    let (rows, columns) = (cx.unsqueeze(y.within, 2)?, cx.unsqueeze(z.within, 1)?);
    let within = cx.zip(ScalarFn::And, rows, columns)?;
    let within = cx.unsqueeze(within, 3)?;
    let zero = cx.full_like(sum, int(0))?;
    cx.select(within, sum, zero)
}

rules! {
    "torchvision.nms" => nms,
    "torchvision.roi_align" => roi_align,
}
