//! Deformable convolution: every place of the kernel is moved by an offset of its own.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{norm::per_channel, rules};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// One spatial dimension of the convolution.
struct Side {
    kernel: i64,
    stride: i64,
    padding: i64,
    dilation: i64,
    size: Expr,
    out: Expr,
}

/// Where each place of the kernel reads along one dimension without its offset, `[k, oh, ow]`.
/// `inner` is how many places of the kernel share an index of this dimension.
fn base(
    cx: &mut Cx<'_, '_>,
    side: &Side,
    shape: &[Expr],
    inner: i64,
    dim: usize,
) -> Result<ValueId> {
    let place = cx.iota(shape, 0, int(0), int(1), DType::I64)?;
    let place = cx.with_number(ScalarFn::FloorDiv, place, int(inner))?;
    let place = cx.with_number(ScalarFn::Rem, place, int(side.kernel))?;
    let place = cx.with_number(ScalarFn::Mul, place, int(side.dilation))?;
    let out = cx.iota(shape, dim, int(-side.padding), int(side.stride), DType::I64)?;
    cx.zip(ScalarFn::Add, out, place)
}

/// The elements before and after a point, which weigh nothing outside, and whether it is within.
struct Neighbours {
    at: [ValueId; 2],
    weight: [ValueId; 2],
    within: ValueId,
}

fn neighbours(cx: &mut Cx<'_, '_>, at: ValueId, size: &Expr) -> Result<Neighbours> {
    let above = cx.with_number(ScalarFn::Gt, at, int(-1))?;
    let below = cx.with_number(ScalarFn::Lt, at, Number::Int(size.clone()))?;
    let within = cx.zip(ScalarFn::And, above, below)?;
    let border = cx.full_like(at, float(-1.0))?;
    let at = cx.select(within, at, border)?;
    let low = cx.map(ScalarFn::Floor, at)?;
    let second = cx.zip(ScalarFn::Sub, at, low)?;
    let one = cx.full_like(second, int(1))?;
    let first = cx.zip(ScalarFn::Sub, one, second)?;
    let low = cx.cast(low, DType::I64)?;
    let high = cx.with_number(ScalarFn::Add, low, int(1))?;
    let zero = cx.full_like(first, int(0))?;
    let last = Number::Int(cx.simple(&(size.clone() - Expr::int(1))));
    let inside = cx.with_number(ScalarFn::Ge, low, int(0))?;
    let first = cx.select(inside, first, zero)?;
    let low = cx.with_number(ScalarFn::Max, low, int(0))?;
    let inside = cx.with_number(ScalarFn::Le, high, last.clone())?;
    let second = cx.select(inside, second, zero)?;
    let high = cx.with_number(ScalarFn::Min, high, last)?;
    Ok(Neighbours { at: [low, high], weight: [first, second], within })
}

/// The features `[n, g, c, h, w]` at points `[n, g, k, oh, ow]`: `[n, g, k, oh, ow, c]`.
fn sampled(cx: &mut Cx<'_, '_>, x: ValueId, y: &Neighbours, z: &Neighbours) -> Result<ValueId> {
    let shape = cx.shape(y.at[0]).into_vec();
    let image = cx.iota(&shape, 0, int(0), int(1), DType::I64)?;
    let group = cx.iota(&shape, 1, int(0), int(1), DType::I64)?;
    let last = shape.len();
    let mut sum: Option<ValueId> = None;
    for (row, row_weight) in y.at.iter().zip(&y.weight) {
        for (column, column_weight) in z.at.iter().zip(&z.weight) {
            let taken = cx.index(x, &[image, group, *row, *column], &[0, 1, 3, 4], 0)?;
            let weight = cx.zip(ScalarFn::Mul, *row_weight, *column_weight)?;
            let weight = cx.unsqueeze(weight, last)?;
            let taken = cx.zip(ScalarFn::Mul, taken, weight)?;
            sum = Some(match sum {
                None => taken,
                Some(it) => cx.zip(ScalarFn::Add, it, taken)?,
            });
        }
    }
    let Some(sum) = sum else { return Err(cx.error("no points")) };
    let within = cx.zip(ScalarFn::And, y.within, z.within)?;
    let within = cx.unsqueeze(within, last)?;
    let zero = cx.full_like(sum, int(0))?;
    cx.select(within, sum, zero)
}

/// A dimension divided by how many groups it has.
fn each(cx: &Cx<'_, '_>, size: &Expr, groups: i64) -> Expr {
    cx.simple(&size.floor_div(&Expr::int(groups)))
}

fn deform_conv(cx: &mut Cx<'_, '_>) -> Values {
    let (x, weight, offset) = (cx.x("input")?, cx.x("weight")?, cx.x("offset")?);
    let bias = cx.x("bias")?;
    let (groups, shifts) = (cx.int("groups")?, cx.int("offset_groups")?);
    for it in [x, weight, offset] {
        cx.at_least(it, 4)?;
    }
    if groups < 1 || shifts < 1 {
        return Err(cx.error("no groups"));
    }
    let dtype = cx.dtype_of(x);
    let out = cx.out_shape()?;
    let side = |cx: &Cx<'_, '_>, dim: usize, names: [&str; 3]| -> Result<Side> {
        let kernel = cx.dim_size(weight, dim).as_int();
        Ok(Side {
            kernel: kernel.ok_or_else(|| cx.error("a kernel of unknown size"))?,
            stride: cx.int(names[0])?,
            padding: cx.int(names[1])?,
            dilation: cx.int(names[2])?,
            size: cx.dim_size(x, dim),
            out: out[dim].clone(),
        })
    };
    let y = side(cx, 2, ["stride_h", "pad_h", "dilation_h"])?;
    let z = side(cx, 3, ["stride_w", "pad_w", "dilation_w"])?;
    let (x, weight) = (cx.widened(x)?, cx.widened(weight)?);
    let (images, channels) = (cx.dim_size(x, 0), cx.dim_size(x, 1));
    let places = y.kernel * z.kernel;
    let grid = [Expr::int(places), y.out.clone(), z.out.clone()];
    let by_place = [images.clone(), Expr::int(shifts)].into_iter().chain(grid.iter().cloned());
    let by_place: Vec<Expr> = by_place.collect();
    let mut with_pair = by_place.clone();
    with_pair.insert(3, Expr::int(2));
    let offset = cx.widened(offset)?;
    let offset = cx.reshape(offset, &with_pair)?;
    let mut near = Vec::new();
    for (i, (side, inner)) in [(&y, z.kernel), (&z, 1)].into_iter().enumerate() {
        let base = base(cx, side, &grid, inner, i + 1)?;
        let base = cx.cast(base, cx.dtype_of(offset))?;
        let moved = cx.select_dim(offset, 3, Expr::int(i as i64))?;
        let at = cx.zip(ScalarFn::Add, base, moved)?;
        near.push(neighbours(cx, at, &side.size)?);
    }
    let whole = [images.clone(), Expr::int(shifts), each(cx, &channels, shifts), y.size, z.size];
    let x = cx.reshape(x, &whole)?;
    let mut columns = sampled(cx, x, &near[0], &near[1])?;
    if cx.flag("use_mask")? {
        let mask = cx.x("mask")?;
        let mask = cx.widened(mask)?;
        let mask = cx.reshape(mask, &by_place)?;
        let mask = cx.unsqueeze(mask, 5)?;
        columns = cx.zip(ScalarFn::Mul, columns, mask)?;
    }
    let columns = cx.permute(columns, &[0, 1, 5, 2, 3, 4])?;
    let own = each(cx, &channels, groups);
    let shape = [images.clone(), Expr::int(groups), own.clone(), grid[0].clone(), y.out, z.out];
    let columns = cx.reshape(columns, &shape)?;
    let outs = each(cx, &out[1], groups);
    let weight = cx.reshape(weight, &[Expr::int(groups), outs, own, grid[0].clone()])?;
    let res = cx.contract(weight, columns, (&[0], &[1]), (&[2, 3], &[2, 3]))?;
    let res = cx.permute(res, &[2, 0, 1, 3, 4])?;
    let res = cx.reshape(res, &out)?;
    let bias = cx.cast(bias, cx.dtype_of(res))?;
    let bias = per_channel(cx, bias, 4)?;
    let res = cx.zip(ScalarFn::Add, res, bias)?;
    Ok(vec![cx.cast(res, dtype)?])
}

rules! {
    "torchvision.deform_conv2d" => deform_conv,
}
