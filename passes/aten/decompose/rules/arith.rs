//! Arithmetic on two or three tensors or numbers.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};

use super::rules;
use crate::{
    decompose::{
        cx::{Cx, Input},
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// The dtype an operation is computed in and the one of its result. Where a half type meets a
/// number, eager computes in float32 with the number as it is.
fn types(cx: &Cx<'_, '_>, inputs: &[Input]) -> (DType, DType) {
    let dtype = cx.result_type(inputs);
    let numbers = inputs.iter().any(|it| matches!(it, Input::Number(_)));
    (if numbers { promote::compute_type(dtype) } else { dtype }, dtype)
}

/// A function of two operands in their common dtype.
pub(super) fn binary(
    cx: &mut Cx<'_, '_>,
    function: ScalarFn,
    a: Input,
    b: Input,
) -> Result<ValueId> {
    let (compute, dtype) = types(cx, &[a.clone(), b.clone()]);
    binary_in(cx, function, &a, &b, compute, dtype)
}

fn binary_in(
    cx: &mut Cx<'_, '_>,
    function: ScalarFn,
    a: &Input,
    b: &Input,
    compute: DType,
    dtype: DType,
) -> Result<ValueId> {
    let (a, b) = (cx.as_dtype(a, compute)?, cx.as_dtype(b, compute)?);
    let res = cx.zip(function, a, b)?;
    match cx.dtype_of(res) {
        DType::Bool => Ok(res),
        _ => cx.cast(res, dtype),
    }
}

/// Division, or what is left of it. Integers are not divided by zero: eager stops there.
fn divided(cx: &mut Cx<'_, '_>, function: ScalarFn, a: Input, b: Input, compute: DType) -> Values {
    let dtype = cx.result_type(&[a.clone(), b.clone()]);
    let (a, b) = (cx.as_dtype(&a, compute)?, (cx.as_dtype(&b, compute)?, b));
    if compute.is_int() && !matches!(&b.1, Input::Number(it) if !it.is_int(0)) {
        let zero = cx.full_like(b.0, int(0))?;
        let fine = cx.zip(ScalarFn::Ne, b.0, zero)?;
        let dims: Vec<usize> = (0..cx.rank(fine)).collect();
        let fine = if dims.is_empty() { fine } else { cx.reduce("all", fine, &dims, false)? };
        cx.assert(fine, "division by zero")?;
    }
    let res = cx.zip(function, a, b.0)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// The remainder or the quotient towards zero.
fn remaining(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let (a, b) = both(cx)?;
    let (compute, _) = types(cx, &[a.clone(), b.clone()]);
    divided(cx, function, a, b, compute)
}

fn both(cx: &mut Cx<'_, '_>) -> Result<(Input, Input)> {
    Ok((cx.input("self")?, cx.input("other")?))
}

fn simple(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let (a, b) = both(cx)?;
    Ok(vec![binary(cx, function, a, b)?])
}

/// In float32 where both are integers.
fn floating(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let (a, b) = both(cx)?;
    let (compute, dtype) = types(cx, &[a.clone(), b.clone()]);
    let (compute, dtype) = (promote::to_float(compute), promote::to_float(dtype));
    Ok(vec![binary_in(cx, function, &a, &b, compute, dtype)?])
}

/// `self + alpha * other`, or `-`.
fn scaled_sum(cx: &mut Cx<'_, '_>, function: ScalarFn, a: Input, b: Input) -> Values {
    let alpha = cx.number("alpha")?;
    if alpha.is_int(1) {
        return Ok(vec![binary(cx, function, a, b)?]);
    }
    let dtype = cx.result_type(&[a.clone(), b.clone()]);
    let compute = promote::compute_type(dtype);
    let (a, b) = (cx.as_dtype(&a, compute)?, cx.as_dtype(&b, compute)?);
    let scaled = match function == ScalarFn::Add && alpha.is_int(-1) {
        true => cx.map(ScalarFn::Neg, b)?,
        false => cx.with_number(ScalarFn::Mul, b, alpha)?,
    };
    let res = cx.zip(function, a, scaled)?;
    Ok(vec![cx.cast(res, dtype)?])
}

fn add(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = both(cx)?;
    scaled_sum(cx, ScalarFn::Add, a, b)
}

fn sub(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = both(cx)?;
    scaled_sum(cx, ScalarFn::Sub, a, b)
}

fn rsub(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = both(cx)?;
    scaled_sum(cx, ScalarFn::Sub, b, a)
}

fn div_mode(cx: &mut Cx<'_, '_>) -> Values {
    let mode: Option<String> = cx.get("rounding_mode")?;
    match mode.as_deref() {
        None => floating(cx, ScalarFn::Div),
        Some("floor") => floor_divide(cx),
        Some("trunc") => remaining(cx, ScalarFn::TruncDiv),
        Some(it) => Err(cx.error(format!("no rounding mode is called `{it}`"))),
    }
}

/// Half types divide and round in their own precision, step by step.
fn floor_divide(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = both(cx)?;
    let dtype = cx.result_type(&[a.clone(), b.clone()]);
    divided(cx, ScalarFn::FloorDiv, a, b, dtype)
}

/// Exponents that eager multiplies out or takes roots for.
pub(super) fn pow_number(cx: &mut Cx<'_, '_>, x: ValueId, exponent: &Number) -> Result<ValueId> {
    let dtype = cx.dtype_of(x);
    // Of complex numbers only these are written out.
    let plain = |it: &f64| !dtype.is_complex() || [0.0, 1.0, 2.0].contains(it);
    let special = exponent.as_f64().filter(plain);
    let wide = cx.widened(x)?;
    let res = match special {
        Some(0.0) => return cx.full_like(x, int(1)),
        Some(1.0) => return Ok(x),
        Some(2.0) => cx.zip(ScalarFn::Mul, wide, wide)?,
        Some(3.0) => {
            let square = cx.zip(ScalarFn::Mul, wide, wide)?;
            cx.zip(ScalarFn::Mul, square, wide)?
        }
        Some(0.5) if dtype.is_float() => cx.map(ScalarFn::Sqrt, wide)?,
        Some(-0.5) if dtype.is_float() => cx.map(ScalarFn::Rsqrt, wide)?,
        Some(-1.0) if dtype.is_float() => cx.map(ScalarFn::Reciprocal, wide)?,
        Some(-2.0) if dtype.is_float() => {
            let square = cx.zip(ScalarFn::Mul, wide, wide)?;
            cx.map(ScalarFn::Reciprocal, square)?
        }
        _ => cx.with_number(ScalarFn::Pow, wide, exponent.clone())?,
    };
    cx.cast(res, dtype)
}

fn pow_scalar(cx: &mut Cx<'_, '_>) -> Values {
    let (x, exponent) = (cx.input("self")?, cx.number("exponent")?);
    let dtype = cx.result_type(&[x.clone(), exponent.clone().into()]);
    let x = cx.as_dtype(&x, dtype)?;
    Ok(vec![pow_number(cx, x, &exponent)?])
}

fn pow(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.input("self")?, cx.input("exponent")?);
    if let Input::Number(exponent) = &b {
        let dtype = cx.result_type(&[a.clone(), b.clone()]);
        let x = cx.as_dtype(&a, dtype)?;
        return Ok(vec![pow_number(cx, x, exponent)?]);
    }
    if let Input::Number(base) = &a
        && base.is_int(1)
    {
        let dtype = cx.result_type(&[a.clone(), b.clone()]);
        let shape = cx.out_shape()?;
        return Ok(vec![cx.full(int(1), &shape, dtype)?]);
    }
    Ok(vec![binary(cx, ScalarFn::Pow, a, b)?])
}

fn float_power(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.input("self")?, cx.input("exponent")?);
    let complex = cx.result_type(&[a.clone(), b.clone()]).is_complex();
    let dtype = if complex { DType::C128 } else { DType::F64 };
    Ok(vec![binary_in(cx, ScalarFn::Pow, &a, &b, dtype, dtype)?])
}

/// `self + value * a * b`, or `a / b`.
fn add_product(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let (x, a, b) = (cx.x("self")?, cx.x("tensor1")?, cx.x("tensor2")?);
    let value = cx.number("value")?;
    let dtype = cx.result_type(&[x.into(), a.into(), b.into()]);
    let dtype = if function == ScalarFn::Div { promote::to_float(dtype) } else { dtype };
    let compute = promote::compute_type(dtype);
    let [x, a, b] = [cx.cast(x, compute)?, cx.cast(a, compute)?, cx.cast(b, compute)?];
    let a = if value.is_int(1) { a } else { cx.with_number(ScalarFn::Mul, a, value)? };
    let product = cx.zip(function, a, b)?;
    let res = cx.zip(ScalarFn::Add, x, product)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// Below one half from the start, from there on from the end, as eager rounds.
pub(super) fn lerp_of(
    cx: &mut Cx<'_, '_>,
    start: ValueId,
    end: ValueId,
    weight: ValueId,
) -> Result<ValueId> {
    let span = cx.zip(ScalarFn::Sub, end, start)?;
    let step = cx.zip(ScalarFn::Mul, weight, span)?;
    let from_start = cx.zip(ScalarFn::Add, start, step)?;
    let one = cx.full_like(weight, int(1))?;
    let rest = cx.zip(ScalarFn::Sub, one, weight)?;
    let back = cx.zip(ScalarFn::Mul, span, rest)?;
    let from_end = cx.zip(ScalarFn::Sub, end, back)?;
    let size = cx.map(ScalarFn::Abs, weight)?;
    let near = cx.with_number(ScalarFn::Lt, size, float(0.5))?;
    cx.select(near, from_start, from_end)
}

fn lerp(cx: &mut Cx<'_, '_>) -> Values {
    let (start, end, weight) = (cx.x("self")?, cx.x("end")?, cx.input("weight")?);
    let dtype = cx.dtype_of(start);
    let compute = promote::compute_type(dtype);
    let (start, end) = (cx.cast(start, compute)?, cx.cast(end, compute)?);
    let weight = cx.as_dtype(&weight, compute)?;
    let res = lerp_of(cx, start, end, weight)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `self * log(other)`, 0 where `self` is 0 and `other` is a number.
fn xlogy(cx: &mut Cx<'_, '_>, log: ScalarFn) -> Values {
    let (a, b) = both(cx)?;
    let dtype = promote::to_float(cx.result_type(&[a.clone(), b.clone()]));
    let compute = promote::compute_type(dtype);
    let (a, b) = (cx.as_dtype(&a, compute)?, cx.as_dtype(&b, compute)?);
    let [a, b] = cx.broadcast([a, b])?;
    let logarithm = cx.map(log, b)?;
    let product = cx.zip(ScalarFn::Mul, a, logarithm)?;
    let zero = cx.full_like(a, int(0))?;
    let is_zero = cx.zip(ScalarFn::Eq, a, zero)?;
    let res = cx.select(is_zero, zero, product)?;
    let nan = cx.map(ScalarFn::IsNan, b)?;
    let res = cx.select(nan, b, res)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `max + log(1 + exp(min - max))`.
fn log_add_exp(cx: &mut Cx<'_, '_>, exp: ScalarFn) -> Values {
    let (a, b) = both(cx)?;
    let dtype = promote::to_float(cx.result_type(&[a.clone(), b.clone()]));
    let compute = promote::compute_type(dtype);
    let (a, b) = (cx.as_dtype(&a, compute)?, cx.as_dtype(&b, compute)?);
    let [a, b] = cx.broadcast([a, b])?;
    let greater = cx.zip(ScalarFn::Max, a, b)?;
    let distance = cx.zip(ScalarFn::Sub, a, b)?;
    let distance = cx.map(ScalarFn::Abs, distance)?;
    let distance = cx.map(ScalarFn::Neg, distance)?;
    let power = cx.map(exp, distance)?;
    let mut sum = cx.map(ScalarFn::Log1p, power)?;
    if exp == ScalarFn::Exp2 {
        sum = cx.with_number(ScalarFn::Mul, sum, float(std::f64::consts::LOG2_E))?;
    }
    let far = cx.zip(ScalarFn::Add, greater, sum)?;
    // Equal infinities have no difference.
    let infinite = cx.map(ScalarFn::IsInf, a)?;
    let equal = cx.zip(ScalarFn::Eq, a, b)?;
    let both = cx.zip(ScalarFn::And, infinite, equal)?;
    let res = cx.select(both, a, far)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `self * 2 ** other`.
/// A number times a power of two. An integer exponent may leave the range of the power that the
/// product stays in: the power goes in two halves, in double precision.
fn ldexp(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = both(cx)?;
    let dtype = promote::to_float(cx.result_type(&[a.clone(), b.clone()]));
    let exponent = cx.as_dtype(&b, DType::F64)?;
    let is_int = match &b {
        Input::Tensor(it) => !cx.dtype_of(*it).is_float(),
        Input::Number(_) => false,
    };
    if is_int && !dtype.is_complex() {
        // Past these no product is anything but zero or infinite.
        let exponent = cx.with_number(ScalarFn::Max, exponent, int(-2200))?;
        let exponent = cx.with_number(ScalarFn::Min, exponent, int(2200))?;
        let half = cx.with_number(ScalarFn::Mul, exponent, float(0.5))?;
        let half = cx.map(ScalarFn::Trunc, half)?;
        let rest = cx.zip(ScalarFn::Sub, exponent, half)?;
        let mut res = cx.as_dtype(&a, DType::F64)?;
        for it in [half, rest] {
            let power = cx.map(ScalarFn::Exp2, it)?;
            res = cx.zip(ScalarFn::Mul, res, power)?;
        }
        return Ok(vec![cx.cast(res, dtype)?]);
    }
    let power_type = promote::to_float(cx.result_type(&[2.0.into(), b.clone()]));
    let b = cx.as_dtype(&b, power_type)?;
    let power = cx.map(ScalarFn::Exp2, b)?;
    Ok(vec![binary(cx, ScalarFn::Mul, a, power.into())?])
}

fn heaviside(cx: &mut Cx<'_, '_>) -> Values {
    let (x, values) = (cx.x("self")?, cx.x("values")?);
    let [x, values] = cx.broadcast([x, values])?;
    let zero = cx.full_like(x, int(0))?;
    let one = cx.full_like(x, int(1))?;
    let positive = cx.zip(ScalarFn::Gt, x, zero)?;
    let is_zero = cx.zip(ScalarFn::Eq, x, zero)?;
    let step = cx.select(positive, one, zero)?;
    Ok(vec![cx.select(is_zero, values, step)?])
}

rules! {
    "add.Tensor" | "add.Scalar" => add,
    "sub.Tensor" | "sub.Scalar" | "subtract.Tensor" | "subtract.Scalar" => sub,
    "rsub.Tensor" | "rsub.Scalar" => rsub,
    "mul.Tensor" | "mul.Scalar" | "multiply.Tensor" | "multiply.Scalar" =>
        |cx| simple(cx, ScalarFn::Mul),
    "div.Tensor" | "div.Scalar" | "divide.Tensor" | "divide.Scalar" | "true_divide.Tensor"
        | "true_divide.Scalar" => |cx| floating(cx, ScalarFn::Div),
    "div.Tensor_mode" | "div.Scalar_mode" | "divide.Tensor_mode" | "divide.Scalar_mode" => div_mode,
    "floor_divide" | "floor_divide.Scalar" => floor_divide,
    "remainder.Tensor" | "remainder.Scalar" | "remainder.Scalar_Tensor" =>
        |cx| remaining(cx, ScalarFn::Rem),
    "fmod.Tensor" | "fmod.Scalar" => |cx| remaining(cx, ScalarFn::Fmod),
    "pow.Tensor_Scalar" => pow_scalar,
    "pow.Tensor_Tensor" | "pow.Scalar" => pow,
    "float_power.Tensor_Tensor" | "float_power.Tensor_Scalar" | "float_power.Scalar" => float_power,
    "maximum" | "max.other" => |cx| simple(cx, ScalarFn::Max),
    "minimum" | "min.other" => |cx| simple(cx, ScalarFn::Min),
    "atan2" | "arctan2" => |cx| floating(cx, ScalarFn::Atan2),
    "copysign.Tensor" | "copysign.Scalar" => |cx| floating(cx, ScalarFn::CopySign),
    "hypot" => |cx| simple(cx, ScalarFn::Hypot),
    "nextafter" => |cx| simple(cx, ScalarFn::NextAfter),
    "addcmul" => |cx| add_product(cx, ScalarFn::Mul),
    "addcdiv" => |cx| add_product(cx, ScalarFn::Div),
    "lerp.Scalar" | "lerp.Tensor" => lerp,
    "xlogy.Tensor" | "xlogy.Scalar_Self" | "xlogy.Scalar_Other" | "special_xlogy"
        | "special_xlogy.self_scalar" | "special_xlogy.other_scalar" =>
        |cx| xlogy(cx, ScalarFn::Log),
    "special_xlog1py" | "special_xlog1py.self_scalar" | "special_xlog1py.other_scalar" =>
        |cx| xlogy(cx, ScalarFn::Log1p),
    "logaddexp" => |cx| log_add_exp(cx, ScalarFn::Exp),
    "logaddexp2" => |cx| log_add_exp(cx, ScalarFn::Exp2),
    "ldexp.Tensor" => ldexp,
    "heaviside" => heaviside,
}
