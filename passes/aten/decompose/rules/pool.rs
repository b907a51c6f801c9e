//! Pooling over windows.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{reduce::mean_of, rules};
use crate::decompose::{cx::Cx, emit::int};

type Values = Result<Vec<ValueId>>;

/// Windows that move over the last dimensions.
struct Windows {
    kernel: Vec<i64>,
    stride: Vec<i64>,
    padding: Vec<i64>,
    dilation: Vec<i64>,
    /// Enough for the places on record.
    high: Vec<Expr>,
    /// Whether the last window may reach past the padding.
    ceil: bool,
}

impl Windows {
    fn read(cx: &Cx<'_, '_>, x: ValueId, spatial: usize) -> Result<Windows> {
        cx.at_least(x, spatial)?;
        let list = |name: &str| cx.ints_for(name, spatial);
        let kernel = list("kernel_size")?;
        let stride = match cx.ints("stride")?.is_empty() {
            true => kernel.clone(),
            false => list("stride")?,
        };
        let padding = list("padding")?;
        let dilation = if cx.has("dilation") { list("dilation")? } else { vec![1; spatial] };
        let ceil = cx.flag("ceil_mode")?;
        let (rank, out) = (cx.rank(x), cx.out(0)?);
        let high = (0..spatial).map(|i| {
            if !ceil {
                return Expr::int(padding[i]);
            }
            let at = out.rank().saturating_sub(spatial) + i;
            let places = out.shape.get(at).cloned().unwrap_or_else(|| Expr::int(1));
            let size = cx.dim_size(x, rank.saturating_sub(spatial) + i);
            let reach = (places - Expr::int(1)) * Expr::int(stride[i]);
            let span = Expr::int(dilation[i] * (kernel[i] - 1) + 1 - padding[i]);
            cx.simple(&(reach + span - size))
        });
        let high = high.collect();
        Ok(Windows { kernel, stride, padding, dilation, high, ceil })
    }

    /// How many elements a window has.
    fn area(&self) -> Number {
        Number::Int(self.kernel.iter().fold(Expr::int(1), |area, it| area * Expr::int(*it)))
    }

    fn reduce(&self, cx: &mut Cx<'_, '_>, kind: &str, x: ValueId) -> Result<ValueId> {
        let (window, low) = (sizes(&self.kernel), sizes(&self.padding));
        let (stride, high, dilation) =
            (self.stride.clone(), self.high.clone(), self.dilation.clone());
        cx.build(|make| {
            tensor::ReduceWindow::build(
                make,
                x,
                kind.to_owned(),
                window,
                stride,
                low,
                high,
                dilation,
            )
        })
    }

    fn positions(&self, cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
        let (window, low) = (sizes(&self.kernel), sizes(&self.padding));
        let (stride, high, dilation) =
            (self.stride.clone(), self.high.clone(), self.dilation.clone());
        cx.build(|make| tensor::ArgWindow::build(make, x, window, stride, low, high, dilation))
    }
}

fn sizes(it: &[i64]) -> Vec<Expr> {
    it.iter().copied().map(Expr::int).collect()
}

fn max_pool(cx: &mut Cx<'_, '_>, spatial: usize, with_positions: bool) -> Values {
    let x = cx.x("self")?;
    let windows = Windows::read(cx, x, spatial)?;
    let mut res = vec![windows.reduce(cx, "max", x)?];
    if with_positions {
        res.push(windows.positions(cx, x)?);
    }
    Ok(res)
}

/// How many elements each window has along one dimension, as a tensor that broadcasts.
fn window_counts(
    cx: &mut Cx<'_, '_>,
    windows: &Windows,
    i: usize,
    size: &Expr,
    places: &Expr,
    include_padding: bool,
    at: (usize, usize),
) -> Result<ValueId> {
    let (rank, dim) = at;
    let mut shape = vec![Expr::int(1); rank];
    shape[dim] = places.clone();
    let (stride, padding) = (windows.stride[i], windows.padding[i]);
    let start = cx.iota(&shape, dim, int(-padding), int(stride), DType::I64)?;
    let end = cx.with_number(ScalarFn::Add, start, int(windows.kernel[i]))?;
    let limit = if include_padding { size.clone() + Expr::int(padding) } else { size.clone() };
    let end = cx.with_number(ScalarFn::Min, end, Number::Int(limit))?;
    let start = match include_padding {
        true => start,
        false => cx.with_number(ScalarFn::Max, start, int(0))?,
    };
    cx.zip(ScalarFn::Sub, end, start)
}

fn avg_pool(cx: &mut Cx<'_, '_>, spatial: usize) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    let windows = Windows::read(cx, x, spatial)?;
    let include_padding = cx.flag("count_include_pad")?;
    let divisor: Option<i64> = match cx.has("divisor_override") {
        true => cx.get("divisor_override")?,
        false => None,
    };
    let wide = cx.widened(x)?;
    let sum = windows.reduce(cx, "sum", wide)?;
    let uniform = !windows.ceil && (include_padding || windows.padding.iter().all(|it| *it == 0));
    let divide = if cx.dtype_of(sum).is_float() { ScalarFn::Div } else { ScalarFn::TruncDiv };
    let mean = if let Some(it) = divisor {
        cx.with_number(divide, sum, int(it))?
    } else if uniform {
        cx.with_number(divide, sum, windows.area())?
    } else {
        let rank = cx.rank(x);
        let mut count = None;
        for i in 0..spatial {
            let dim = rank.saturating_sub(spatial) + i;
            let (size, places) = (cx.dim_size(x, dim), cx.dim_size(sum, dim));
            let one = window_counts(cx, &windows, i, &size, &places, include_padding, (rank, dim))?;
            count = Some(match count {
                None => one,
                Some(it) => cx.zip(ScalarFn::Mul, it, one)?,
            });
        }
        let Some(count) = count else { return Err(cx.error("a window of no dimensions")) };
        let count = cx.cast(count, cx.dtype_of(sum))?;
        cx.zip(divide, sum, count)?
    };
    Ok(vec![cx.cast(mean, dtype)?])
}

/// The bins of an adaptive pool along one dimension: first index and one past the last.
fn bins(cx: &mut Cx<'_, '_>, size: &Expr, count: &Expr) -> Result<(ValueId, ValueId)> {
    let index = cx.positions(count)?;
    let scaled = cx.with_number(ScalarFn::Mul, index, Number::Int(size.clone()))?;
    let start = cx.with_number(ScalarFn::FloorDiv, scaled, Number::Int(count.clone()))?;
    let next = cx.with_number(ScalarFn::Add, index, int(1))?;
    let scaled = cx.with_number(ScalarFn::Mul, next, Number::Int(size.clone()))?;
    let scaled =
        cx.with_number(ScalarFn::Add, scaled, Number::Int(count.clone() - Expr::int(1)))?;
    let end = cx.with_number(ScalarFn::FloorDiv, scaled, Number::Int(count.clone()))?;
    Ok((start, end))
}

/// The bins along one dimension as rows of indices. A shorter bin repeats its last index; which
/// places of a row are its own says `within`.
struct Rows {
    indices: ValueId,
    within: ValueId,
    /// The length of the rows.
    longest: Expr,
}

fn rows(cx: &mut Cx<'_, '_>, size: &Expr, count: &Expr) -> Result<Rows> {
    let (start, end) = bins(cx, size, count)?;
    let (start, end) = (cx.unsqueeze(start, 1)?, cx.unsqueeze(end, 1)?);
    let longest = match (size.as_int(), count.as_int()) {
        (Some(size), Some(count)) => {
            cx.moderately_many("elements along a dimension", size)?;
            cx.moderately_many("bins along a dimension", count)?;
            let lengths =
                (0..count).map(|it| ((it + 1) * size + count - 1) / count - it * size / count);
            Expr::int(lengths.max().unwrap_or(1))
        }
        // A bin that begins within an element ends within another.
        _ => size.ceil_div(count) + Expr::int(1),
    };
    let steps = cx.positions(&longest)?;
    let place = cx.zip(ScalarFn::Add, start, steps)?;
    let within = cx.zip(ScalarFn::Lt, place, end)?;
    let last = cx.with_number(ScalarFn::Sub, end, int(1))?;
    let indices = cx.zip(ScalarFn::Min, place, last)?;
    Ok(Rows { indices, within, longest })
}

/// The mean over bins of different sizes along one dimension.
fn mean_over_bins(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize, count: &Expr) -> Result<ValueId> {
    let size = cx.dim_size(x, dim);
    let Rows { indices, within, .. } = rows(cx, &size, count)?;
    let taken = cx.index(x, &[indices], &[dim], dim)?;
    // Behind a bin's dimensions come those behind `dim`.
    let behind = cx.rank(x) - dim - 1;
    let mut spread = cx.shape(within).into_vec();
    spread.extend(std::iter::repeat_n(Expr::int(1), behind));
    let mask = cx.reshape(within, &spread)?;
    let zero = cx.full(int(0), &[], cx.dtype_of(x))?;
    let kept = cx.select(mask, taken, zero)?;
    let summed = cx.reduce("sum", kept, &[dim + 1], false)?;
    let within = cx.cast(within, DType::I64)?;
    let length = cx.reduce("sum", within, &[1], false)?;
    let length = cx.cast(length, cx.dtype_of(x))?;
    spread.remove(1);
    let length = cx.reshape(length, &spread)?;
    cx.zip(ScalarFn::Div, summed, length)
}

fn adaptive_avg_pool(cx: &mut Cx<'_, '_>, spatial: usize) -> Values {
    let x = cx.x("self")?;
    let (dtype, rank) = (cx.dtype_of(x), cx.rank(x));
    cx.at_least(x, spatial)?;
    let shape = cx.out_shape()?;
    let dims: Vec<usize> = (rank.saturating_sub(spatial)..rank).collect();
    let wide = cx.widened(x)?;
    let one = Expr::int(1);
    if dims.iter().all(|it| shape[*it] == one) {
        let mean = mean_of(cx, wide, &dims, true)?;
        return Ok(vec![cx.cast(mean, dtype)?]);
    }
    let whole: Option<Vec<i64>> = dims
        .iter()
        .map(|it| match (cx.dim_size(x, *it).as_int(), shape[*it].as_int()) {
            (Some(size), Some(count)) if 0 < count && size % count == 0 => Some(size / count),
            _ => None,
        })
        .collect();
    let mean = match whole {
        Some(kernel) => {
            let windows = Windows {
                stride: kernel.clone(),
                padding: vec![0; spatial],
                dilation: vec![1; spatial],
                high: vec![Expr::int(0); spatial],
                ceil: false,
                kernel,
            };
            let sum = windows.reduce(cx, "sum", wide)?;
            cx.with_number(ScalarFn::Div, sum, windows.area())?
        }
        None => {
            let mut res = wide;
            for dim in dims {
                res = mean_over_bins(cx, res, dim, &shape[dim])?;
            }
            res
        }
    };
    Ok(vec![cx.cast(mean, dtype)?])
}

/// What a shorter bin repeats changes no maximum.
fn adaptive_max_pool(cx: &mut Cx<'_, '_>, spatial: usize) -> Values {
    let x = cx.x("self")?;
    let rank = cx.rank(x);
    cx.at_least(x, spatial)?;
    let shape = cx.out_shape()?;
    let first = rank.saturating_sub(spatial);
    let mut taken = x;
    let mut place: Option<ValueId> = None;
    // Windowed dimension `i` becomes a pair: the bin and the place within it.
    for i in 0..spatial {
        let (size, count) = (cx.dim_size(x, first + i), shape[first + i].clone());
        let Rows { indices, longest, .. } = rows(cx, &size, &count)?;
        taken = cx.index(taken, &[indices], &[first + 2 * i], first + 2 * i)?;
        let mut own = vec![Expr::int(1); 2 * spatial];
        (own[2 * i], own[2 * i + 1]) = (count, longest);
        let indices = cx.reshape(indices, &own)?;
        place = Some(match place {
            None => indices,
            Some(it) => {
                let scaled = cx.with_number(ScalarFn::Mul, it, Number::Int(size))?;
                cx.zip(ScalarFn::Add, scaled, indices)?
            }
        });
    }
    // Bins before places.
    let bins = (0..spatial).map(|it| first + 2 * it);
    let order: Vec<usize> = (0..first).chain(bins.clone()).chain(bins.map(|it| it + 1)).collect();
    let taken = cx.permute(taken, &order)?;
    let kept = first + spatial;
    let flat: Vec<Expr> = cx.shape(taken)[..kept]
        .iter()
        .cloned()
        .chain([cx.shape(taken)[kept..].iter().fold(Expr::int(1), |a, it| a * it.clone())])
        .collect();
    let lines = cx.reshape(taken, &flat)?;
    let values = cx.reduce("max", lines, &[kept], false)?;
    let index = cx.arg_reduce("max", lines, kept, true)?;
    let Some(place) = place else { return Err(cx.error("a window of no dimensions")) };
    let order: Vec<usize> =
        (0..spatial).map(|it| 2 * it).chain((0..spatial).map(|it| 2 * it + 1)).collect();
    let place = cx.permute(place, &order)?;
    let whole = cx.shape(place);
    let spread: Vec<Expr> = flat[..first].iter().cloned().chain(whole).collect();
    let place = cx.expand(place, &spread)?;
    let place = cx.reshape(place, &flat)?;
    let place = cx.gather(place, index, kept)?;
    Ok(vec![values, cx.squeeze(place, kept)?])
}

rules! {
    "max_pool1d" => |cx| max_pool(cx, 1, false),
    "max_pool2d" => |cx| max_pool(cx, 2, false),
    "max_pool3d" => |cx| max_pool(cx, 3, false),
    "max_pool1d_with_indices" => |cx| max_pool(cx, 1, true),
    "max_pool2d_with_indices" => |cx| max_pool(cx, 2, true),
    "max_pool3d_with_indices" => |cx| max_pool(cx, 3, true),
    "avg_pool1d" => |cx| avg_pool(cx, 1),
    "avg_pool2d" => |cx| avg_pool(cx, 2),
    "avg_pool3d" => |cx| avg_pool(cx, 3),
    "adaptive_avg_pool1d" => |cx| adaptive_avg_pool(cx, 1),
    "adaptive_avg_pool2d" | "_adaptive_avg_pool2d" => |cx| adaptive_avg_pool(cx, 2),
    "adaptive_avg_pool3d" | "_adaptive_avg_pool3d" => |cx| adaptive_avg_pool(cx, 3),
    "adaptive_max_pool1d" => |cx| adaptive_max_pool(cx, 1),
    "adaptive_max_pool2d" => |cx| adaptive_max_pool(cx, 2),
    "adaptive_max_pool3d" => |cx| adaptive_max_pool(cx, 3),
}
