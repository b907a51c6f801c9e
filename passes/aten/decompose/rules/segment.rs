//! Segments of a dimension, each combined to one element.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{index::identity, rules};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// Data `[batch, length, inner]` and where its segments begin and end: `[batch, segments + 1]`.
struct Segments {
    data: ValueId,
    offsets: ValueId,
    count: Expr,
    /// The sizes before the axis and after it.
    around: (Vec<Expr>, Vec<Expr>),
}

fn product(cx: &Cx<'_, '_>, sizes: &[Expr]) -> Expr {
    cx.simple(&sizes.iter().fold(Expr::int(1), |p, it| p * it.clone()))
}

fn segments(cx: &mut Cx<'_, '_>) -> Result<Segments> {
    let x = cx.x("data")?;
    let axis = cx.dim("axis", cx.rank(x))?;
    let shape = cx.shape(x).into_vec();
    let (before, after) = (shape[..axis].to_vec(), shape[axis + 1..].to_vec());
    let (batch, inner) = (product(cx, &before), product(cx, &after));
    let length = shape[axis].clone();
    let data = cx.reshape(x, &[batch.clone(), length.clone(), inner])?;
    let flat = |cx: &mut Cx<'_, '_>, it: ValueId| {
        let last = cx.shape(it).last_size();
        let it = cx.cast(it, DType::I64)?;
        Ok::<_, diag::Diag>((cx.reshape(it, &[batch.clone(), last.clone()])?, last))
    };
    let (offsets, count) = match (cx.opt("lengths")?, cx.opt("offsets")?) {
        (_, Some(it)) => {
            let (offsets, last) = flat(cx, it)?;
            (offsets, cx.simple(&(last - Expr::int(1))))
        }
        (Some(it), None) => {
            let (lengths, count) = flat(cx, it)?;
            let ends = cx.scan("sum", lengths, 1)?;
            let zero = cx.full(int(0), &[batch.clone(), Expr::int(1)], DType::I64)?;
            let offsets = cx.concat(&[zero, ends], 1)?;
            if !cx.flag("unsafe")? {
                let total = cx.reduce("sum", lengths, &[1], false)?;
                let fits = cx.with_number(ScalarFn::Eq, total, Number::Int(length))?;
                let fits = cx.reduce("all", fits, &[0], false)?;
                cx.assert(fits, "lengths that do not add up to the dimension's")?;
            }
            (offsets, count)
        }
        (None, None) => return Err(cx.error("segments by neither lengths nor offsets")),
    };
    Ok(Segments { data, offsets, count, around: (before, after) })
}

impl Segments {
    /// The segment of each place along the axis `[batch, length]`; those outside of all have the
    /// number of segments.
    fn of_each(&self, cx: &mut Cx<'_, '_>) -> Result<ValueId> {
        let (batch, length) = (cx.dim_size(self.data, 0), cx.dim_size(self.data, 1));
        // An empty segment may begin after the last place.
        let places = cx.simple(&(length.clone() + Expr::int(1)));
        let zeros = cx.full(int(0), &[batch, places], DType::I64)?;
        let ones = cx.full_like(self.offsets, int(1))?;
        let marks = cx.scatter(zeros, self.offsets, ones, 1, "add")?;
        let begun = cx.scan("sum", marks, 1)?;
        let begun = cx.slice(begun, 1, Expr::int(0), length, 1)?;
        let segment = cx.with_number(ScalarFn::Sub, begun, int(1))?;
        let outside = cx.with_number(ScalarFn::Lt, segment, int(0))?;
        let none = cx.full_like(segment, Number::Int(self.count.clone()))?;
        cx.select(outside, none, segment)
    }

    /// How many places each segment has `[batch, segments, 1]`.
    fn lengths(&self, cx: &mut Cx<'_, '_>) -> Result<ValueId> {
        let end = cx.slice(self.offsets, 1, Expr::int(1), self.count.clone(), 1)?;
        let start = cx.slice(self.offsets, 1, Expr::int(0), self.count.clone(), 1)?;
        let lengths = cx.zip(ScalarFn::Sub, end, start)?;
        cx.unsqueeze(lengths, 2)
    }
}

fn segment_reduce(cx: &mut Cx<'_, '_>) -> Values {
    let it = segments(cx)?;
    let reduce = cx.text("reduce")?;
    let mode = match reduce.as_str() {
        "sum" | "mean" => "add",
        "prod" => "mul",
        "max" => "max",
        "min" => "min",
        it => return Err(cx.error(format!("no way to combine is called `{it}`"))),
    };
    if cx.opt("indices")?.is_some() {
        return Err(cx.error("segments by indices, which eager lacks too"));
    }
    let dtype = cx.dtype_of(it.data);
    let initial: Option<Number> = cx.get("initial")?;
    let start = initial.clone().unwrap_or_else(|| identity(mode, dtype));
    let (batch, inner) = (cx.dim_size(it.data, 0), cx.dim_size(it.data, 2));
    // One segment more takes what belongs to none.
    let rows = cx.simple(&(it.count.clone() + Expr::int(1)));
    let start = cx.full(start, &[batch, rows, inner], dtype)?;
    let segment = it.of_each(cx)?;
    let segment = cx.unsqueeze(segment, 2)?;
    let segment = cx.expand(segment, &cx.shape(it.data))?;
    let all = cx.scatter(start, segment, it.data, 1, mode)?;
    let mut res = cx.slice(all, 1, Expr::int(0), it.count.clone(), 1)?;
    if reduce == "mean" {
        let lengths = it.lengths(cx)?;
        let some = cx.with_number(ScalarFn::Gt, lengths, int(0))?;
        let lengths = cx.cast(lengths, dtype)?;
        let mean = cx.zip(ScalarFn::Div, res, lengths)?;
        let none = match initial {
            Some(_) => res,
            None => cx.full_like(res, float(f64::NAN))?,
        };
        res = cx.select(some, mean, none)?;
    }
    let (before, after) = it.around;
    let shape: Vec<Expr> = before.into_iter().chain([it.count]).chain(after).collect();
    Ok(vec![cx.reshape(res, &shape)?])
}

rules! {
    "segment_reduce" => segment_reduce,
}
