//! Windows as columns, and images sampled at computed places.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// A window that moves over two dimensions.
struct Window {
    kernel: Vec<i64>,
    dilation: Vec<i64>,
    padding: Vec<i64>,
    stride: Vec<i64>,
}

impl Window {
    fn read(cx: &Cx<'_, '_>) -> Result<Window> {
        let list = |name: &str| cx.ints_for(name, 2);
        Ok(Window {
            kernel: list("kernel_size")?,
            dilation: list("dilation")?,
            padding: list("padding")?,
            stride: list("stride")?,
        })
    }

    /// How many places the window has along a dimension of that size.
    fn places(&self, cx: &Cx<'_, '_>, i: usize, size: &Expr) -> Expr {
        let span = self.dilation[i] * (self.kernel[i] - 1) + 1;
        let room = size.clone() + Expr::int(2 * self.padding[i] - span);
        cx.simple(&(room.floor_div(&Expr::int(self.stride[i])) + Expr::int(1)))
    }

    /// The index in the padded dimension by element of the window and place.
    fn indices(&self, cx: &mut Cx<'_, '_>, i: usize, places: &Expr) -> Result<ValueId> {
        let grid = [Expr::int(self.kernel[i]), places.clone()];
        let a = cx.iota(&grid, 0, int(0), int(self.dilation[i]), DType::I64)?;
        let b = cx.iota(&grid, 1, int(0), int(self.stride[i]), DType::I64)?;
        cx.zip(ScalarFn::Add, a, b)
    }
}

/// `[n, c, h, w]`, with a batch of one added where it is missing.
fn batched(cx: &mut Cx<'_, '_>, x: ValueId, rank: usize) -> Result<(ValueId, bool)> {
    match cx.rank(x) == rank {
        true => Ok((x, false)),
        false => Ok((cx.unsqueeze(x, 0)?, true)),
    }
}

fn im2col(cx: &mut Cx<'_, '_>) -> Values {
    let (x, window) = (cx.x("self")?, Window::read(cx)?);
    let (x, single) = batched(cx, x, 4)?;
    let shape = cx.out_shape()?;
    let zero = Expr::int(0);
    let pads = vec![zero.clone(), zero, Expr::int(window.padding[0]), Expr::int(window.padding[1])];
    let (height, width) = (cx.dim_size(x, 2), cx.dim_size(x, 3));
    let x = cx.pad(x, pads.clone(), pads, vec![0; 4], int(0))?;
    let rows = window.places(cx, 0, &height);
    let columns = window.places(cx, 1, &width);
    let rows = window.indices(cx, 0, &rows)?;
    let columns = window.indices(cx, 1, &columns)?;
    let x = cx.index(x, &[rows], &[2], 2)?;
    let x = cx.index(x, &[columns], &[4], 4)?;
    let x = cx.permute(x, &[0, 1, 2, 4, 3, 5])?;
    let whole: Vec<Expr> =
        if single { [Expr::int(1)].into_iter().chain(shape).collect() } else { shape.into_vec() };
    let x = cx.reshape(x, &whole)?;
    Ok(vec![if single { cx.squeeze(x, 0)? } else { x }])
}

fn col2im(cx: &mut Cx<'_, '_>) -> Values {
    let (x, window) = (cx.x("self")?, Window::read(cx)?);
    let (x, single) = batched(cx, x, 3)?;
    let size = crate::decompose::shape::Shape::new(cx.sizes("output_size")?);
    let dtype = cx.dtype_of(x);
    let (kernel_h, kernel_w) = (Expr::int(window.kernel[0]), Expr::int(window.kernel[1]));
    let area = kernel_h.clone() * kernel_w.clone();
    let channels = cx.simple(&cx.dim_size(x, 1).floor_div(&area));
    let (rows, columns) = (window.places(cx, 0, &size[0]), window.places(cx, 1, &size[1]));
    let batch = cx.dim_size(x, 0);
    let apart =
        [batch.clone(), channels.clone(), kernel_h, kernel_w, rows.clone(), columns.clone()];
    let x = cx.reshape(x, &apart)?;
    let x = cx.permute(x, &[0, 1, 2, 4, 3, 5])?;
    let row = window.indices(cx, 0, &rows)?;
    let column = window.indices(cx, 1, &columns)?;
    let grid = [cx.shape(row).into_vec(), cx.shape(column).into_vec()].concat();
    let (row, column) = (cx.unsqueeze(row, 2)?, column);
    let row = cx.unsqueeze(row, 3)?;
    let (row, column) = (cx.expand(row, &grid)?, cx.expand(column, &grid)?);
    let padded: Vec<Expr> =
        (0..2).map(|i| cx.simple(&(size[i].clone() + Expr::int(2 * window.padding[i])))).collect();
    let zeros = cx.full(int(0), &[batch, channels, padded[0].clone(), padded[1].clone()], dtype)?;
    let mut res = cx.build(|make| {
        let indices: &[ValueId] = &[row, column];
        tensor::IndexUpdate::build(make, zeros, indices, x, vec![2, 3], 2, "add".to_owned())
    })?;
    for (i, (padding, size)) in window.padding.iter().zip(size.iter()).enumerate() {
        res = cx.slice(res, 2 + i, Expr::int(*padding), size.clone(), 1)?;
    }
    Ok(vec![if single { cx.squeeze(res, 0)? } else { res }])
}

/// What lies outside of an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    Zeros,
    Border,
    Reflection,
}

/// Coordinates from `-1..=1` to indices.
fn unnormalized(cx: &mut Cx<'_, '_>, x: ValueId, size: &Expr, align: bool) -> Result<ValueId> {
    let shifted = cx.with_number(ScalarFn::Add, x, int(1))?;
    if align {
        let half = cx.with_number(ScalarFn::Div, shifted, int(2))?;
        return cx.with_number(ScalarFn::Mul, half, Number::Int(size.clone() - Expr::int(1)));
    }
    let scaled = cx.with_number(ScalarFn::Mul, shifted, Number::Int(size.clone()))?;
    let less = cx.with_number(ScalarFn::Sub, scaled, int(1))?;
    cx.with_number(ScalarFn::Div, less, int(2))
}

/// Coordinates brought inside.
fn inside(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    size: &Expr,
    outside: Outside,
    align: bool,
) -> Result<ValueId> {
    let last = Number::Int(size.clone() - Expr::int(1));
    let clip = |cx: &mut Cx<'_, '_>, x: ValueId| {
        let x = cx.with_number(ScalarFn::Max, x, int(0))?;
        cx.with_number(ScalarFn::Min, x, last.clone())
    };
    match outside {
        Outside::Zeros => Ok(x),
        Outside::Border => clip(cx, x),
        Outside::Reflection => {
            let (low, span) = match align {
                true => (0.0, size.clone() - Expr::int(1)),
                false => (-0.5, size.clone()),
            };
            if span.as_int() == Some(0) {
                return cx.full_like(x, int(0));
            }
            let shifted = cx.with_number(ScalarFn::Sub, x, float(low))?;
            let shifted = cx.map(ScalarFn::Abs, shifted)?;
            let extra = cx.with_number(ScalarFn::Fmod, shifted, Number::Int(span.clone()))?;
            let turns = cx.with_number(ScalarFn::Div, shifted, Number::Int(span.clone()))?;
            let turns = cx.map(ScalarFn::Floor, turns)?;
            let odd = cx.with_number(ScalarFn::Fmod, turns, int(2))?;
            let even = cx.with_number(ScalarFn::Eq, odd, int(0))?;
            let there = cx.with_number(ScalarFn::Add, extra, float(low))?;
            let whole = cx.full_like(extra, Number::Int(span))?;
            let back = cx.zip(ScalarFn::Sub, whole, extra)?;
            let back = cx.with_number(ScalarFn::Add, back, float(low))?;
            let reflected = cx.select(even, there, back)?;
            clip(cx, reflected)
        }
    }
}

/// An image that is sampled at places `[n, …]`, one coordinate per spatial dimension.
struct Sampler {
    x: ValueId,
    batch: ValueId,
    sizes: Vec<Expr>,
}

impl Sampler {
    /// The elements at integral coordinates, zero outside: `[n, …, c]`.
    fn at(&self, cx: &mut Cx<'_, '_>, places: &[ValueId]) -> Result<ValueId> {
        let mut valid: Option<ValueId> = None;
        let mut indices = vec![self.batch];
        for (place, size) in places.iter().zip(&self.sizes) {
            let last = Number::Int(size.clone() - Expr::int(1));
            let above = cx.with_number(ScalarFn::Ge, *place, int(0))?;
            let below = cx.with_number(ScalarFn::Le, *place, last.clone())?;
            let both = cx.zip(ScalarFn::And, above, below)?;
            valid = Some(match valid {
                None => both,
                Some(it) => cx.zip(ScalarFn::And, it, both)?,
            });
            let kept = cx.with_number(ScalarFn::Max, *place, int(0))?;
            let kept = cx.with_number(ScalarFn::Min, kept, last)?;
            indices.push(cx.cast(kept, DType::I64)?);
        }
        let dims: Vec<usize> = [0].into_iter().chain(2..2 + places.len()).collect();
        let taken = cx.index(self.x, &indices, &dims, 0)?;
        let Some(valid) = valid else { return Ok(taken) };
        let rank = cx.rank(valid);
        let valid = cx.unsqueeze(valid, rank)?;
        let zero = cx.full_like(taken, int(0))?;
        cx.select(valid, taken, zero)
    }
}

fn grid_sampler(cx: &mut Cx<'_, '_>) -> Values {
    let (x, grid) = (cx.x("input")?, cx.x("grid")?);
    let (mode, align) = (cx.int("interpolation_mode")?, cx.flag("align_corners")?);
    let outside = match cx.int("padding_mode")? {
        0 => Outside::Zeros,
        1 => Outside::Border,
        _ => Outside::Reflection,
    };
    let dtype = cx.dtype_of(x);
    let (x, grid) = (cx.widened(x)?, cx.widened(grid)?);
    let spatial = cx.rank(x).saturating_sub(2);
    let sizes: Vec<Expr> = (0..spatial).map(|i| cx.dim_size(x, i + 2)).collect();
    let shape = cx.shape(grid)[..spatial + 1].to_vec();
    let batch = cx.iota(&shape, 0, int(0), int(1), DType::I64)?;
    let mut places = Vec::new();
    // The grid names the last dimension first.
    for (i, size) in sizes.iter().enumerate() {
        let place = cx.select_dim(grid, spatial + 1, Expr::int((spatial - 1 - i) as i64))?;
        let place = unnormalized(cx, place, size, align)?;
        places.push(if mode == 2 { place } else { inside(cx, place, size, outside, align)? });
    }
    let sampler = Sampler { x, batch, sizes };
    let res = match mode {
        0 => linear(cx, &sampler, &places)?,
        1 => {
            let nearest =
                places.iter().map(|it| cx.map(ScalarFn::Round, *it)).collect::<Result<Vec<_>>>()?;
            sampler.at(cx, &nearest)?
        }
        _ => cubic(cx, &sampler, &places, outside, align)?,
    };
    let res = cx.move_dim(res, spatial + 1, 1)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// All corners of the cell around each place, by their distance.
fn linear(cx: &mut Cx<'_, '_>, sampler: &Sampler, places: &[ValueId]) -> Result<ValueId> {
    let mut sides = Vec::new();
    for place in places {
        let low = cx.map(ScalarFn::Floor, *place)?;
        let high = cx.with_number(ScalarFn::Add, low, int(1))?;
        let near_high = cx.zip(ScalarFn::Sub, *place, low)?;
        let near_low = cx.zip(ScalarFn::Sub, high, *place)?;
        sides.push([(low, near_low), (high, near_high)]);
    }
    let mut sum: Option<ValueId> = None;
    for corner in 0..1_usize << places.len() {
        let chosen: Vec<_> = sides.iter().enumerate().map(|(i, it)| it[corner >> i & 1]).collect();
        let corner: Vec<ValueId> = chosen.iter().map(|it| it.0).collect();
        let taken = sampler.at(cx, &corner)?;
        let mut weight: Option<ValueId> = None;
        for (_, it) in chosen {
            weight = Some(match weight {
                None => it,
                Some(other) => cx.zip(ScalarFn::Mul, other, it)?,
            });
        }
        let part = match weight {
            None => taken,
            Some(it) => {
                let rank = cx.rank(it);
                let it = cx.unsqueeze(it, rank)?;
                cx.zip(ScalarFn::Mul, taken, it)?
            }
        };
        sum = Some(match sum {
            None => part,
            Some(it) => cx.zip(ScalarFn::Add, it, part)?,
        });
    }
    sum.ok_or_else(|| cx.error("no spatial dimension"))
}

/// Keys' kernel over four by four places; each of them is brought inside by itself.
fn cubic(
    cx: &mut Cx<'_, '_>,
    sampler: &Sampler,
    places: &[ValueId],
    outside: Outside,
    align: bool,
) -> Result<ValueId> {
    let [y, x] = *places else { return Err(cx.error("cubic sampling of what is no image")) };
    let taps = |cx: &mut Cx<'_, '_>, place: ValueId| -> Result<(ValueId, [ValueId; 4])> {
        let floor = cx.map(ScalarFn::Floor, place)?;
        let t = cx.zip(ScalarFn::Sub, place, floor)?;
        Ok((floor, super::upsample::cubic_weights(cx, t)?))
    };
    let (floor_y, weights_y) = taps(cx, y)?;
    let (floor_x, weights_x) = taps(cx, x)?;
    let place = |cx: &mut Cx<'_, '_>, floor: ValueId, offset: i64, size: &Expr| {
        let it = cx.with_number(ScalarFn::Add, floor, int(offset))?;
        inside(cx, it, size, outside, align)
    };
    let mut sum: Option<ValueId> = None;
    for (i, weight_y) in (-1..).zip(weights_y) {
        let row = place(cx, floor_y, i, &sampler.sizes[0])?;
        let mut line: Option<ValueId> = None;
        for (j, weight_x) in (-1..).zip(weights_x) {
            let column = place(cx, floor_x, j, &sampler.sizes[1])?;
            let taken = sampler.at(cx, &[row, column])?;
            let rank = cx.rank(weight_x);
            let weight = cx.unsqueeze(weight_x, rank)?;
            let part = cx.zip(ScalarFn::Mul, taken, weight)?;
            line = Some(match line {
                None => part,
                Some(it) => cx.zip(ScalarFn::Add, it, part)?,
            });
        }
        let Some(line) = line else { continue };
        let rank = cx.rank(weight_y);
        let weight = cx.unsqueeze(weight_y, rank)?;
        let part = cx.zip(ScalarFn::Mul, line, weight)?;
        sum = Some(match sum {
            None => part,
            Some(it) => cx.zip(ScalarFn::Add, it, part)?,
        });
    }
    sum.ok_or_else(|| cx.error("no row"))
}

/// Coordinates of `size` places between -1 and 1.
fn base_coordinates(cx: &mut Cx<'_, '_>, size: i64, align: bool, dtype: DType) -> Result<ValueId> {
    let count = size as f64;
    let value = |i: i64| match (size, align) {
        (1, _) => 0.0,
        (_, true) => -1.0 + 2.0 * i as f64 / (count - 1.0),
        (_, false) => (-1.0 + 2.0 * i as f64 / (count - 1.0)) * (count - 1.0) / count,
    };
    cx.literal((0..size).map(|i| float(value(i))).collect(), vec![size], dtype)
}

fn affine_grid(cx: &mut Cx<'_, '_>) -> Values {
    let (theta, size, align) = (cx.x("theta")?, cx.ints("size")?, cx.flag("align_corners")?);
    let dtype = cx.dtype_of(theta);
    let Some(spatial) = size.get(2..) else { return Err(cx.error("an image of another rank")) };
    spatial.iter().try_for_each(|it| cx.moderately_many("places", *it))?;
    let whole: Vec<Expr> = spatial.iter().map(|it| Expr::int(*it)).collect();
    let mut columns = Vec::new();
    // The last dimension first, and ones at the end.
    for i in (0..spatial.len()).rev() {
        let line = base_coordinates(cx, spatial[i], align, dtype)?;
        let mut own = vec![Expr::int(1); spatial.len()];
        own[i] = whole[i].clone();
        let line = cx.reshape(line, &own)?;
        columns.push(cx.expand(line, &whole)?);
    }
    columns.push(cx.full(int(1), &whole, dtype)?);
    let columns =
        columns.iter().map(|it| cx.unsqueeze(*it, spatial.len())).collect::<Result<Vec<_>>>()?;
    let base = cx.concat(&columns, spatial.len())?;
    let res = cx.contract(theta, base, (&[], &[]), (&[2], &[spatial.len()]))?;
    let last = cx.rank(res).saturating_sub(1);
    Ok(vec![cx.move_dim(res, 1, last)?])
}

rules! {
    "im2col" => im2col,
    "col2im" => col2im,
    "grid_sampler" | "grid_sampler_2d" | "grid_sampler_3d" => grid_sampler,
    "affine_grid_generator" => affine_grid,
}
