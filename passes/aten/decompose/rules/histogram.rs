//! Histograms of one or more dimensions.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{create::between, rules};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// Where one coordinate of the points lies.
struct Axis {
    /// The bin of each point; past the last for points that lie outside.
    bin: ValueId,
    /// Whether the point lies within the outer edges.
    inside: ValueId,
    /// How many bins there are.
    bins: Expr,
}

/// The points `[count, dimensions]`, one vector for each dimension.
fn coordinates(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<Vec<ValueId>> {
    let rank = cx.rank(x);
    cx.at_least(x, 2)?;
    let shape = cx.shape(x);
    let count = shape[..rank - 1].iter().fold(Expr::int(1), |p, it| p * it.clone());
    let width = cx.dim_size(x, rank - 1);
    let x = cx.reshape(x, &[cx.simple(&count), width.clone()])?;
    let width = width.as_int().ok_or_else(|| cx.error("points of unknown dimension"))?;
    cx.moderately_many("dimensions", width)?;
    (0..width).map(|it| cx.select_dim(x, 1, Expr::int(it))).collect()
}

fn flattened(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let count = cx.ty(x)?.numel();
    cx.reshape(x, &[count])
}

/// The least and the greatest coordinate, apart by `2 * margin` where they are equal. What is not
/// finite is an error, as in eager.
fn outer_edges(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    given: Option<(Number, Number)>,
    margin: f64,
) -> Result<(ValueId, ValueId)> {
    let dtype = cx.dtype_of(x);
    let (low, high) = match given {
        Some((low, high)) => (cx.full(low, &[], dtype)?, cx.full(high, &[], dtype)?),
        None if cx.ty(x)?.numel().as_int() == Some(0) => {
            (cx.full(int(0), &[], dtype)?, cx.full(int(1), &[], dtype)?)
        }
        None => {
            let low = cx.reduce("min", x, &[0], false)?;
            let high = cx.reduce("max", x, &[0], false)?;
            // The difference of what is not finite is not finite.
            let span = cx.zip(ScalarFn::Sub, high, low)?;
            let nothing = cx.zip(ScalarFn::Sub, span, span)?;
            let finite = cx.with_number(ScalarFn::Eq, nothing, int(0))?;
            cx.assert(finite, "a range that is not finite")?;
            (low, high)
        }
    };
    let same = cx.zip(ScalarFn::Eq, low, high)?;
    let lower = cx.with_number(ScalarFn::Sub, low, float(margin))?;
    let higher = cx.with_number(ScalarFn::Add, high, float(margin))?;
    Ok((cx.select(same, lower, low)?, cx.select(same, higher, high)?))
}

/// The bin by a search among the edges.
fn searched(cx: &mut Cx<'_, '_>, x: ValueId, edges: ValueId) -> Result<Axis> {
    let count = cx.dim_size(edges, 0);
    let bins = cx.simple(&(count.clone() - Expr::int(1)));
    let column = cx.unsqueeze(x, 1)?;
    let passed = cx.zip(ScalarFn::Le, edges, column)?;
    let passed = cx.cast(passed, DType::I64)?;
    let passed = cx.reduce("sum", passed, &[1], false)?;
    let bin = cx.with_number(ScalarFn::Sub, passed, int(1))?;
    let low = cx.slice(edges, 0, Expr::int(0), Expr::int(1), 1)?;
    let high = cx.slice(edges, 0, bins.clone(), Expr::int(1), 1)?;
    within(cx, x, bin, (low, high), bins)
}

/// The last bin has its right edge too.
fn within(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    bin: ValueId,
    (low, high): (ValueId, ValueId),
    bins: Expr,
) -> Result<Axis> {
    let last = Number::Int(cx.simple(&(bins.clone() - Expr::int(1))));
    let bin = cx.with_number(ScalarFn::Min, bin, last)?;
    let above = cx.zip(ScalarFn::Ge, x, low)?;
    let below = cx.zip(ScalarFn::Le, x, high)?;
    Ok(Axis { bin, inside: cx.zip(ScalarFn::And, above, below)?, bins })
}

/// The weights of the points of each bin added up, or their number.
fn counted(
    cx: &mut Cx<'_, '_>,
    axes: &[Axis],
    weight: Option<ValueId>,
    dtype: DType,
) -> Result<ValueId> {
    let Some(first) = axes.first() else { return Err(cx.error("points of no dimension")) };
    let (mut cell, mut inside) = (first.bin, first.inside);
    for it in &axes[1..] {
        let row = cx.with_number(ScalarFn::Mul, cell, Number::Int(it.bins.clone()))?;
        cell = cx.zip(ScalarFn::Add, row, it.bin)?;
        inside = cx.zip(ScalarFn::And, inside, it.inside)?;
    }
    let shape: Vec<Expr> = axes.iter().map(|it| it.bins.clone()).collect();
    let total = cx.simple(&shape.iter().fold(Expr::int(1), |p, it| p * it.clone()));
    // One cell more takes the points outside.
    let none = cx.full_like(cell, Number::Int(total.clone()))?;
    let cell = cx.select(inside, cell, none)?;
    let cells = cx.simple(&(total.clone() + Expr::int(1)));
    let zeros = cx.full(int(0), &[cells], dtype)?;
    let weight = match weight {
        Some(it) => {
            let it = flattened(cx, it)?;
            cx.cast(it, dtype)?
        }
        None => {
            let shape = cx.shape(cell);
            cx.full(int(1), &shape, dtype)?
        }
    };
    let all = cx.scatter(zeros, cell, weight, 0, "add")?;
    let all = cx.slice(all, 0, Expr::int(0), total, 1)?;
    cx.reshape(all, &shape)
}

/// Over the sum, and over the widths of the bins.
fn density(cx: &mut Cx<'_, '_>, hist: ValueId, edges: &[ValueId]) -> Result<ValueId> {
    let rank = cx.rank(hist);
    let dims: Vec<usize> = (0..rank).collect();
    let sum = cx.reduce("sum", hist, &dims, false)?;
    let mut res = cx.zip(ScalarFn::Div, hist, sum)?;
    for (i, it) in edges.iter().enumerate() {
        let bins = cx.simple(&(cx.dim_size(*it, 0) - Expr::int(1)));
        let upper = cx.slice(*it, 0, Expr::int(1), bins.clone(), 1)?;
        let lower = cx.slice(*it, 0, Expr::int(0), bins.clone(), 1)?;
        let width = cx.zip(ScalarFn::Sub, upper, lower)?;
        let mut shape = vec![Expr::int(1); rank];
        shape[i] = bins;
        let width = cx.reshape(width, &shape)?;
        res = cx.zip(ScalarFn::Div, res, width)?;
    }
    Ok(res)
}

/// The histogram of points between edges.
fn histogram_of(
    cx: &mut Cx<'_, '_>,
    points: &[ValueId],
    edges: &[ValueId],
    dtype: DType,
) -> Result<ValueId> {
    if points.len() != edges.len() {
        let message = format!("edges for {} of {} dimensions", edges.len(), points.len());
        return Err(cx.error(message));
    }
    let axes: Vec<Axis> = points
        .iter()
        .zip(edges)
        .map(|(x, edges)| searched(cx, *x, *edges))
        .collect::<Result<_>>()?;
    let weight = cx.opt("weight")?;
    let hist = counted(cx, &axes, weight, dtype)?;
    if cx.flag("density")? { density(cx, hist, edges) } else { Ok(hist) }
}

/// Evenly spaced edges of each dimension.
fn even_edges(cx: &mut Cx<'_, '_>, points: &[ValueId]) -> Result<Vec<ValueId>> {
    let bins: Vec<i64> = match cx.ints("bins") {
        Ok(it) => it,
        Err(_) => vec![cx.int("bins")?; points.len()],
    };
    let range: Option<Vec<Number>> = cx.get("range")?;
    if bins.len() != points.len() || range.as_ref().is_some_and(|it| it.len() != 2 * bins.len()) {
        return Err(cx.error("bins or ranges for another number of dimensions"));
    }
    let mut res = Vec::new();
    for (i, (x, bins)) in points.iter().zip(bins).enumerate() {
        let given = range.as_ref().map(|it| (it[2 * i].clone(), it[2 * i + 1].clone()));
        let (low, high) = outer_edges(cx, *x, given, 0.5)?;
        let steps = Expr::int(bins + 1);
        let dtype = cx.dtype_of(*x);
        res.push(between(cx, low, high, &steps, dtype)?);
    }
    Ok(res)
}

fn histogram(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    let points = [flattened(cx, x)?];
    let edges = match cx.name().ends_with("bins_tensor") {
        true => vec![cx.x("bins")?],
        false => even_edges(cx, &points)?,
    };
    let hist = histogram_of(cx, &points, &edges, dtype)?;
    Ok([hist].into_iter().chain(edges).collect())
}

/// The histogram and its edges, or one of them, as the results say.
fn histogramdd(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    let points = coordinates(cx, x)?;
    let edges = match cx.list("bins") {
        Ok(it) => it,
        Err(_) => even_edges(cx, &points)?,
    };
    if cx.name() == "_histogramdd_bin_edges" {
        return Ok(edges);
    }
    let hist = histogram_of(cx, &points, &edges, dtype)?;
    Ok([hist].into_iter().chain(edges).take(cx.results()).collect())
}

/// By proportion between the outer edges, rounded as eager rounds each step.
fn histc(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let x = flattened(cx, x)?;
    let (low, high, bins) = (cx.float("min")?, cx.float("max")?, cx.int("bins")?);
    let dtype = cx.dtype_of(x);
    if !dtype.is_float() {
        return Err(cx.error(format!("a histogram of {dtype}, which eager lacks on CPUs")));
    }
    let empty = cx.ty(x)?.numel().as_int() == Some(0);
    let given = (low != high || empty).then(|| (float(low), float(high)));
    let (low, high) = outer_edges(cx, x, given, 1.0)?;
    let from = cx.zip(ScalarFn::Sub, x, low)?;
    let scaled = cx.with_number(ScalarFn::Mul, from, int(bins))?;
    let span = cx.zip(ScalarFn::Sub, high, low)?;
    let place = cx.zip(ScalarFn::Div, scaled, span)?;
    // What lies outside does not become an integer.
    let zero = cx.full_like(place, int(0))?;
    let above = cx.zip(ScalarFn::Ge, x, low)?;
    let below = cx.zip(ScalarFn::Le, x, high)?;
    let inside = cx.zip(ScalarFn::And, above, below)?;
    let place = cx.select(inside, place, zero)?;
    let bin = cx.cast(place, DType::I64)?;
    let axis = within(cx, x, bin, (low, high), Expr::int(bins))?;
    Ok(vec![counted(cx, &[axis], None, dtype)?])
}

rules! {
    "histc" => histc,
    "histogram.bin_ct" | "histogram.bins_tensor" => histogram,
    "histogramdd" | "histogramdd.int_bins" | "histogramdd.TensorList_bins"
        | "_histogramdd_bin_edges" | "_histogramdd_from_bin_cts"
        | "_histogramdd_from_bin_tensors" => histogramdd,
}
