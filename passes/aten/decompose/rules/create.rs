//! Tensors from nothing, and triangles.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// Filled with a number, in the dtype and sizes on record.
fn filled(cx: &mut Cx<'_, '_>, number: Number) -> Values {
    let (shape, dtype) = (cx.out_shape()?, cx.out(0)?.dtype);
    Ok(vec![cx.full(number, &shape, dtype)?])
}

fn full(cx: &mut Cx<'_, '_>, name: &str) -> Values {
    let number = cx.number(name)?;
    filled(cx, number)
}

fn fill_tensor(cx: &mut Cx<'_, '_>) -> Values {
    let (x, value) = (cx.x("self")?, cx.input("value")?);
    let value = cx.as_dtype(&value, cx.dtype_of(x))?;
    let shape = cx.shape(x);
    Ok(vec![cx.expand(value, &shape)?])
}

fn arange(cx: &mut Cx<'_, '_>) -> Values {
    let start = if cx.has("start") { cx.number("start")? } else { int(0) };
    let step = if cx.has("step") { cx.number("step")? } else { int(1) };
    let (shape, dtype) = (cx.out_shape()?, cx.out(0)?.dtype);
    Ok(vec![cx.iota(&shape, 0, start, step, dtype)?])
}

/// From the start in the first half, from the end in the second, as eager computes: of integers in
/// float64, between ends that are integers. The result is not rounded to the output's dtype.
fn linspace_of(cx: &mut Cx<'_, '_>) -> Result<ValueId> {
    let (start, end) = (cx.input("start")?, cx.input("end")?);
    let shape = cx.out_shape()?;
    let dtype = cx.out(0)?.dtype;
    if dtype.kind() == ir::DTypeKind::Complex {
        return Err(cx.error("steps between complex numbers"));
    }
    let compute = if dtype.is_float() { crate::promote::compute_type(dtype) } else { DType::F64 };
    let end_of = |cx: &mut Cx<'_, '_>, it: &crate::decompose::cx::Input| match dtype.is_float() {
        true => cx.as_dtype(it, compute),
        false => {
            let whole = cx.as_dtype(it, dtype)?;
            cx.cast(whole, compute)
        }
    };
    let (start, end) = (end_of(cx, &start)?, end_of(cx, &end)?);
    let steps = cx.size("steps")?;
    if steps.as_int().is_some_and(|it| it < 2) {
        return cx.expand(start, &shape);
    }
    spaced(cx, start, end, &steps)
}

/// Numbers from a start to an end, both tensors without dimensions; in the dtype of neither, but
/// computed as eager computes.
pub(super) fn between(
    cx: &mut Cx<'_, '_>,
    start: ValueId,
    end: ValueId,
    steps: &Expr,
    dtype: DType,
) -> Result<ValueId> {
    let (start, end) = (cx.widened(start)?, cx.widened(end)?);
    let res = spaced(cx, start, end, steps)?;
    cx.cast(res, dtype)
}

fn spaced(cx: &mut Cx<'_, '_>, start: ValueId, end: ValueId, steps: &Expr) -> Result<ValueId> {
    let (compute, shape) = (cx.dtype_of(start), [steps.clone()]);
    let span = cx.zip(ScalarFn::Sub, end, start)?;
    let gaps = cx.full(Number::Int(steps.clone() - Expr::int(1)), &[], compute)?;
    let step = cx.zip(ScalarFn::Div, span, gaps)?;
    let index = cx.iota(&shape, 0, int(0), int(1), compute)?;
    let rest = cx.iota(&shape, 0, Number::Int(steps.clone() - Expr::int(1)), int(-1), compute)?;
    let up = cx.zip(ScalarFn::Mul, index, step)?;
    let up = cx.zip(ScalarFn::Add, start, up)?;
    let down = cx.zip(ScalarFn::Mul, rest, step)?;
    let down = cx.zip(ScalarFn::Sub, end, down)?;
    let half = cx.full(Number::Int(steps.floor_div(&Expr::int(2))), &[], compute)?;
    let first = cx.zip(ScalarFn::Lt, index, half)?;
    cx.select(first, up, down)
}

fn linspace(cx: &mut Cx<'_, '_>) -> Values {
    let (res, dtype) = (linspace_of(cx)?, cx.out(0)?.dtype);
    Ok(vec![cx.cast(res, dtype)?])
}

fn logspace(cx: &mut Cx<'_, '_>) -> Values {
    let (base, dtype) = (cx.float("base")?, cx.out(0)?.dtype);
    let exponents = linspace_of(cx)?;
    let base = cx.full_like(exponents, float(base))?;
    let res = cx.zip(ScalarFn::Pow, base, exponents)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// The indices of rows and columns of matrices of that shape.
fn grid(cx: &mut Cx<'_, '_>, shape: &[Expr]) -> Result<(ValueId, ValueId)> {
    let matrix = &shape[shape.len().saturating_sub(2)..];
    let rows = cx.iota(matrix, 0, int(0), int(1), DType::I64)?;
    let columns = cx.iota(matrix, 1, int(0), int(1), DType::I64)?;
    Ok((rows, columns))
}

fn eye(cx: &mut Cx<'_, '_>) -> Values {
    let (shape, dtype) = (cx.out_shape()?, cx.out(0)?.dtype);
    let (rows, columns) = grid(cx, &shape)?;
    let same = cx.zip(ScalarFn::Eq, rows, columns)?;
    Ok(vec![cx.cast(same, dtype)?])
}

/// Zero where `column - row` does not stand in the relation to the diagonal.
fn triangle(cx: &mut Cx<'_, '_>, keep: ScalarFn) -> Values {
    let x = cx.x("self")?;
    let shape = cx.shape(x);
    if shape.len() < 2 {
        return Err(cx.error("a triangle of what is no matrix"));
    }
    let diagonal = cx.size("diagonal")?;
    let (rows, columns) = grid(cx, &shape)?;
    let limit = cx.with_number(ScalarFn::Add, rows, Number::Int(diagonal))?;
    let kept = cx.zip(keep, columns, limit)?;
    let zero = cx.full_like(x, int(0))?;
    Ok(vec![cx.select(kept, x, zero)?])
}

/// The rows and columns of the places in a triangle, which are known numbers.
fn triangle_indices(cx: &mut Cx<'_, '_>, keep: fn(i64, i64) -> bool) -> Values {
    let (rows, columns, offset) = (cx.int("row")?, cx.int("col")?, cx.int("offset")?);
    let dtype = cx.out(0)?.dtype;
    if 1 << 20 < rows.saturating_mul(columns) {
        return Err(cx.error("indices of so large a triangle"));
    }
    let mut places = Vec::new();
    for row in 0..rows {
        places.extend((0..columns).filter(|it| keep(it - row, offset)).map(|it| (row, it)));
    }
    let count = places.len() as i64;
    let values = places.iter().map(|it| int(it.0)).chain(places.iter().map(|it| int(it.1)));
    Ok(vec![cx.literal(values.collect(), vec![2, count], dtype)?])
}

fn complex_from_parts(cx: &mut Cx<'_, '_>) -> Values {
    let (re, im) = (cx.x("real")?, cx.x("imag")?);
    let [re, im] = cx.broadcast([re, im])?;
    Ok(vec![cx.build(|it| tensor::Complex::build(it, re, im))?])
}

/// How many boundaries lie below each element, or below it and at it.
fn bucketize(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.input("self")?;
    let limits = cx.x("boundaries")?;
    let right = cx.flag("right")?;
    let dtype = cx.result_type(&[x.clone(), limits.into()]);
    let (x, limits) = (cx.as_dtype(&x, dtype)?, cx.cast(limits, dtype)?);
    let shape = cx.shape(x);
    let rank = shape.len();
    let x = cx.unsqueeze(x, rank)?;
    // Eager's search treats NaN as greater than every boundary.
    let counted = match right {
        true => cx.zip(ScalarFn::Le, limits, x)?,
        false => cx.zip(ScalarFn::Lt, limits, x)?,
    };
    let counted = match dtype.is_float() {
        true => {
            let nan = cx.map(ScalarFn::IsNan, x)?;
            cx.zip(ScalarFn::Or, counted, nan)?
        }
        false => counted,
    };
    let ones = cx.cast(counted, DType::I64)?;
    let count = cx.reduce("sum", ones, &[rank], false)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(count, dtype)?])
}

rules! {
    "full" | "full_like" | "new_full" => |cx| full(cx, "fill_value"),
    "scalar_tensor" => |cx| full(cx, "s"),
    "fill.Scalar" => |cx| full(cx, "value"),
    "fill.Tensor" => fill_tensor,
    "zeros" | "zeros_like" | "new_zeros" | "zero" | "empty.memory_format" | "empty_like"
        | "empty_strided" | "new_empty" | "new_empty_strided" | "empty_permuted" =>
        |cx| filled(cx, int(0)),
    "ones" | "ones_like" | "new_ones" => |cx| filled(cx, int(1)),
    "arange" | "arange.start" | "arange.start_step" | "range" | "range.step" => arange,
    "linspace" | "linspace.Tensor_Tensor" | "linspace.Tensor_Scalar" | "linspace.Scalar_Tensor" =>
        linspace,
    "logspace" | "logspace.Tensor_Tensor" | "logspace.Tensor_Scalar" | "logspace.Scalar_Tensor" => logspace,
    "eye" | "eye.m" => eye,
    "tril" => |cx| triangle(cx, ScalarFn::Le),
    "triu" => |cx| triangle(cx, ScalarFn::Ge),
    "tril_indices" => |cx| triangle_indices(cx, |distance, offset| distance <= offset),
    "triu_indices" => |cx| triangle_indices(cx, |distance, offset| offset <= distance),
    "complex" => complex_from_parts,
    "bucketize.Tensor" | "bucketize.Scalar" => bucketize,
}
