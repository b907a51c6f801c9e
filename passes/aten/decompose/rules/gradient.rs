//! Numerical gradients, of values that are evenly spaced or at places of their own.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::{
    decompose::{cx::Cx, emit::float},
    promote,
};

type Values = Result<Vec<ValueId>>;

/// What lies between neighbours along a dimension.
#[derive(Clone, Copy)]
enum Spacing {
    Even(f64),
    /// The place of each index.
    Places(ValueId),
}

/// The dimensions that are asked for, all where none is, and the spacing of each.
fn asked(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<Vec<(usize, Spacing)>> {
    let rank = cx.rank(x);
    let dims = match cx.get::<Option<i64>>("dim") {
        Ok(Some(it)) => vec![cx.normal(it, rank)?],
        Ok(None) => (0..rank).collect(),
        Err(_) => cx.normal_all(&cx.ints("dim")?, rank)?,
    };
    let even = |cx: &Cx<'_, '_>, it: &Number| {
        it.as_f64().map(Spacing::Even).ok_or_else(|| cx.error("a symbolic spacing"))
    };
    if !cx.has("spacing") {
        return Ok(dims.into_iter().map(|it| (it, Spacing::Even(1.0))).collect());
    }
    if let Ok(list) = cx.list("spacing") {
        return paired(cx, dims, list.into_iter().map(Spacing::Places).collect());
    }
    if let Ok(list) = cx.get::<Vec<Number>>("spacing") {
        let list = list.iter().map(|it| even(cx, it)).collect::<Result<Vec<_>>>()?;
        return paired(cx, dims, list);
    }
    let spacing = match cx.get::<Option<Number>>("spacing")? {
        Some(it) => even(cx, &it)?,
        None => Spacing::Even(1.0),
    };
    Ok(dims.into_iter().map(|it| (it, spacing)).collect())
}

fn paired(cx: &Cx<'_, '_>, dims: Vec<usize>, list: Vec<Spacing>) -> Result<Vec<(usize, Spacing)>> {
    match dims.len() == list.len() {
        true => Ok(dims.into_iter().zip(list).collect()),
        false => Err(cx.error(format!("{} spacings of {} dimensions", list.len(), dims.len()))),
    }
}

/// `count` elements from an index along a dimension.
#[derive(Clone, Copy)]
struct Line {
    x: ValueId,
    dim: usize,
}

impl Line {
    fn part(self, cx: &mut Cx<'_, '_>, from: Expr, count: &Expr) -> Result<ValueId> {
        cx.slice(self.x, self.dim, from, count.clone(), 1)
    }

    fn size(self, cx: &Cx<'_, '_>) -> Expr {
        cx.dim_size(self.x, self.dim)
    }

    /// The element that is `n` places from an end.
    fn near_end(self, cx: &mut Cx<'_, '_>, first: bool, n: i64) -> Result<ValueId> {
        let from = match first {
            true => Expr::int(n),
            false => cx.simple(&(self.size(cx) - Expr::int(n + 1))),
        };
        self.part(cx, from, &Expr::int(1))
    }
}

/// Differences of neighbours over two steps; at the ends over one, or by a parabola.
fn even(cx: &mut Cx<'_, '_>, line: Line, h: f64, order: i64, dtype: DType) -> Result<ValueId> {
    let inner = cx.simple(&(line.size(cx) - Expr::int(2)));
    let after = line.part(cx, Expr::int(2), &inner)?;
    let before = line.part(cx, Expr::int(0), &inner)?;
    let middle = cx.zip(ScalarFn::Sub, after, before)?;
    let middle = cx.cast(middle, dtype)?;
    let middle = cx.with_number(ScalarFn::Div, middle, float(2.0 * h))?;
    let mut ends = Vec::new();
    for first in [true, false] {
        let weights: &[f64] = if order == 2 { &[-1.5, 2.0, -0.5] } else { &[-1.0, 1.0] };
        let sign = if first { 1.0 } else { -1.0 };
        let mut sum: Option<ValueId> = None;
        for (n, weight) in (0..).zip(weights) {
            let it = line.near_end(cx, first, n)?;
            let it = cx.cast(it, dtype)?;
            let it = cx.with_number(ScalarFn::Mul, it, float(sign * weight / h))?;
            sum = Some(match sum {
                None => it,
                Some(sum) => cx.zip(ScalarFn::Add, sum, it)?,
            });
        }
        ends.extend(sum);
    }
    let [first, last] = *ends.as_slice() else { return Err(cx.error("no weights")) };
    cx.concat(&[first, middle, last], line.dim)
}

/// The slope of the parabola through three points, at the middle one: `f` are the values, `h` the
/// distances to the left and to the right.
fn parabola(cx: &mut Cx<'_, '_>, f: [ValueId; 3], h: [ValueId; 2]) -> Result<ValueId> {
    let slope = |cx: &mut Cx<'_, '_>, i: usize| {
        let rise = cx.zip(ScalarFn::Sub, f[i + 1], f[i])?;
        cx.zip(ScalarFn::Div, rise, h[i])
    };
    let (left, right) = (slope(cx, 0)?, slope(cx, 1)?);
    let (a, b) = (cx.zip(ScalarFn::Mul, left, h[1])?, cx.zip(ScalarFn::Mul, right, h[0])?);
    let sum = cx.zip(ScalarFn::Add, a, b)?;
    let whole = cx.zip(ScalarFn::Add, h[0], h[1])?;
    cx.zip(ScalarFn::Div, sum, whole)
}

fn uneven(
    cx: &mut Cx<'_, '_>,
    line: Line,
    places: ValueId,
    order: i64,
    dtype: DType,
) -> Result<ValueId> {
    let Line { x, dim } = line;
    let x = cx.cast(x, dtype)?;
    let line = Line { x, dim };
    let mut shape = vec![Expr::int(1); cx.rank(x)];
    shape[dim] = cx.ty(places)?.numel();
    let places = cx.cast(places, dtype)?;
    let places = Line { x: cx.reshape(places, &shape)?, dim };
    let less = cx.simple(&(line.size(cx) - Expr::int(1)));
    let inner = cx.simple(&(line.size(cx) - Expr::int(2)));
    let (next, own) =
        (places.part(cx, Expr::int(1), &less)?, places.part(cx, Expr::int(0), &less)?);
    let gaps = Line { x: cx.zip(ScalarFn::Sub, next, own)?, dim };
    let mut values = Vec::new();
    for from in 0..3 {
        values.push(line.part(cx, Expr::int(from), &inner)?);
    }
    let h = [gaps.part(cx, Expr::int(0), &inner)?, gaps.part(cx, Expr::int(1), &inner)?];
    let middle = parabola(cx, [values[0], values[1], values[2]], h)?;
    let mut ends = Vec::new();
    for first in [true, false] {
        let outer = line.near_end(cx, first, 0)?;
        let next = line.near_end(cx, first, 1)?;
        let gap = gaps.near_end(cx, first, 0)?;
        let rise = match first {
            true => cx.zip(ScalarFn::Sub, next, outer)?,
            false => cx.zip(ScalarFn::Sub, outer, next)?,
        };
        let slope = cx.zip(ScalarFn::Div, rise, gap)?;
        ends.push(match order {
            2 => {
                // The parabola's slope is linear: at its end it is twice the chord's less the
                // one at the next place.
                let third = line.near_end(cx, first, 2)?;
                let far = gaps.near_end(cx, first, 1)?;
                let (f, h) = match first {
                    true => ([outer, next, third], [gap, far]),
                    false => ([third, next, outer], [far, gap]),
                };
                let inner = parabola(cx, f, h)?;
                let twice = cx.zip(ScalarFn::Add, slope, slope)?;
                cx.zip(ScalarFn::Sub, twice, inner)?
            }
            _ => slope,
        });
    }
    cx.concat(&[ends[0], middle, ends[1]], dim)
}

fn gradient(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let order = cx.int("edge_order")?;
    let mut res = Vec::new();
    for (dim, spacing) in asked(cx, x)? {
        let line = Line { x, dim };
        let dtype = cx.out(res.len())?.dtype;
        let compute = promote::compute_type(dtype);
        let slope = match spacing {
            Spacing::Even(h) => even(cx, line, h, order, compute)?,
            Spacing::Places(it) => uneven(cx, line, it, order, compute)?,
        };
        res.push(cx.cast(slope, dtype)?);
    }
    Ok(res)
}

rules! {
    "gradient.scalarint" | "gradient.scalararray" | "gradient.array" | "gradient.scalarrayint"
        | "gradient.scalarrayarray" | "gradient.tensorarrayint" | "gradient.tensorarray" =>
        gradient,
}
