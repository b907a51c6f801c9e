//! Quantised values: integers that stand for multiples of a scale.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// One number for all elements, or for each index along a dimension.
struct Grid {
    scale: ValueId,
    /// One over the scale, as eager rounds it.
    inverse: ValueId,
    zero: ValueId,
    least: Number,
    greatest: Number,
}

/// A vector along one dimension of `x`, or a tensor of one element.
fn along(cx: &mut Cx<'_, '_>, it: ValueId, x: ValueId, axis: Option<usize>) -> Result<ValueId> {
    let mut shape = vec![Expr::int(1); cx.rank(x)];
    if let Some(axis) = axis {
        shape[axis] = cx.dim_size(x, axis);
    }
    cx.reshape(it, &shape)
}

impl Grid {
    /// What the arguments say, in float32, as eager keeps it.
    /// The inverse of a scale is taken in `precise`, where the scale is one number.
    fn read(cx: &mut Cx<'_, '_>, x: ValueId, names: [&str; 2], precise: DType) -> Result<Grid> {
        let axis = match cx.has("axis") {
            true => Some(cx.dim("axis", cx.rank(x))?),
            false => None,
        };
        let precise = if axis.is_some() { DType::F32 } else { precise };
        let scale = cx.input(names[0])?;
        let scale = cx.as_dtype(&scale, precise)?;
        let inverse = cx.map(ScalarFn::Reciprocal, scale)?;
        let mut part = |it: ValueId| -> Result<ValueId> {
            let it = cx.cast(it, DType::F32)?;
            along(cx, it, x, axis)
        };
        let (scale, inverse) = (part(scale)?, part(inverse)?);
        let zero = match cx.opt_input(names[1])? {
            Some(it) => cx.as_dtype(&it, DType::F32)?,
            None => cx.full(int(0), &cx.shape(scale), DType::F32)?,
        };
        let zero = along(cx, zero, x, axis)?;
        let (least, greatest) = (cx.number("quant_min")?, cx.number("quant_max")?);
        Ok(Grid { scale, inverse, zero, least, greatest })
    }

    /// The nearest step of the grid, not yet limited: `zero + round(x / scale)`.
    fn step(&self, cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
        let dtype = cx.dtype_of(x);
        let inverse = cx.cast(self.inverse, dtype)?;
        let scaled = cx.zip(ScalarFn::Mul, x, inverse)?;
        let nearest = cx.map(ScalarFn::Round, scaled)?;
        let zero = cx.cast(self.zero, dtype)?;
        cx.zip(ScalarFn::Add, nearest, zero)
    }

    fn limited(&self, cx: &mut Cx<'_, '_>, step: ValueId) -> Result<ValueId> {
        let above = cx.with_number(ScalarFn::Max, step, self.least.clone())?;
        cx.with_number(ScalarFn::Min, above, self.greatest.clone())
    }

    fn value(&self, cx: &mut Cx<'_, '_>, step: ValueId) -> Result<ValueId> {
        let dtype = cx.dtype_of(step);
        let zero = cx.cast(self.zero, dtype)?;
        let scale = cx.cast(self.scale, dtype)?;
        let from = cx.zip(ScalarFn::Sub, step, zero)?;
        cx.zip(ScalarFn::Mul, from, scale)
    }
}

/// Each element moved to the grid; and whether it lay within.
fn fake_quantize(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    let grid = Grid::read(cx, x, ONE, DType::F32)?;
    let wide = cx.widened(x)?;
    let step = grid.step(cx, wide)?;
    // NaN becomes the least integer in eager, and so the least step.
    let none = cx.map(ScalarFn::IsNan, step)?;
    let far = cx.full_like(step, float(f64::NEG_INFINITY))?;
    let step = cx.select(none, far, step)?;
    let near = grid.limited(cx, step)?;
    let mut inside = cx.zip(ScalarFn::Eq, near, step)?;
    let mut value = grid.value(cx, near)?;
    if cx.has("fake_quant_enabled") {
        let on = cx.x("fake_quant_enabled")?;
        let on = cx.with_number(ScalarFn::Ne, on, int(0))?;
        let on = along(cx, on, x, None)?;
        value = cx.select(on, value, wide)?;
        let off = cx.map(ScalarFn::Not, on)?;
        inside = cx.zip(ScalarFn::Or, inside, off)?;
    }
    let res = vec![cx.cast(value, dtype)?, inside];
    Ok(res.into_iter().take(cx.results()).collect())
}

/// Products of integers of eight bits, added up in 32.
fn int_mm(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("mat2")?);
    let (a, b) = (cx.cast(a, DType::I32)?, cx.cast(b, DType::I32)?);
    Ok(vec![cx.contract(a, b, (&[], &[]), (&[1], &[0]))?])
}

/// A product with a matrix of integers, each row of which has a scale.
fn int8_weight_mm(cx: &mut Cx<'_, '_>) -> Values {
    let (x, weight, scales) = (cx.x("self")?, cx.x("mat2")?, cx.x("scales")?);
    let dtype = cx.dtype_of(x);
    let x = cx.widened(x)?;
    let weight = cx.cast(weight, cx.dtype_of(x))?;
    let product = cx.contract(x, weight, (&[], &[]), (&[1], &[1]))?;
    let scales = cx.cast(scales, cx.dtype_of(product))?;
    let res = cx.zip(ScalarFn::Mul, product, scales)?;
    Ok(vec![cx.cast(res, dtype)?])
}

fn quantize(cx: &mut Cx<'_, '_>, names: [&str; 2]) -> Values {
    let x = cx.x("input")?;
    let grid = Grid::read(cx, x, names, DType::F64)?;
    let x = cx.widened(x)?;
    let step = grid.step(cx, x)?;
    let near = grid.limited(cx, step)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(near, dtype)?])
}

fn dequantize(cx: &mut Cx<'_, '_>, names: [&str; 2]) -> Values {
    let x = cx.x("input")?;
    let grid = Grid::read(cx, x, names, DType::F64)?;
    let step = cx.cast(x, DType::F32)?;
    let value = grid.value(cx, step)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(value, dtype)?])
}

const ONE: [&str; 2] = ["scale", "zero_point"];
const MANY: [&str; 2] = ["scales", "zero_points"];

rules! {
    "fake_quantize_per_tensor_affine" | "fake_quantize_per_tensor_affine.tensor_qparams"
        | "fake_quantize_per_channel_affine" | "fake_quantize_per_tensor_affine_cachemask"
        | "fake_quantize_per_channel_affine_cachemask"
        | "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams" => fake_quantize,
    "_int_mm" => int_mm,
    "_weight_int8pack_mm" => int8_weight_mm,
    "quantized_decomposed.quantize_per_tensor"
        | "quantized_decomposed.quantize_per_tensor.tensor" => |cx| quantize(cx, ONE),
    "quantized_decomposed.dequantize_per_tensor"
        | "quantized_decomposed.dequantize_per_tensor.tensor" => |cx| dequantize(cx, ONE),
    "quantized_decomposed.quantize_per_channel" => |cx| quantize(cx, MANY),
    "quantized_decomposed.dequantize_per_channel" => |cx| dequantize(cx, MANY),
}
