//! Comparison, logic, bits, selection and limits.

use ir::{DType, Result, ValueId, scalar::ScalarFn};

use super::{arith::binary, rules};
use crate::{
    decompose::{
        cx::{Cx, Input},
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// Whether each element is not zero.
pub(super) fn truth(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    match cx.dtype_of(x) {
        DType::Bool => Ok(x),
        _ => cx.with_number(ScalarFn::Ne, x, int(0)),
    }
}

fn simple(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let (a, b) = (cx.input("self")?, cx.input("other")?);
    Ok(vec![binary(cx, function, a, b)?])
}

fn logical(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let (a, b) = (truth(cx, a)?, truth(cx, b)?);
    Ok(vec![cx.zip(function, a, b)?])
}

/// The greater or lesser; NaN only where both are.
fn ignoring_nan(cx: &mut Cx<'_, '_>, function: ScalarFn) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let dtype = cx.result_type(&[a.into(), b.into()]);
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let [a, b] = cx.broadcast([a, b])?;
    let res = cx.zip(function, a, b)?;
    if !dtype.is_float() {
        return Ok(vec![res]);
    }
    let (no_a, no_b) = (cx.map(ScalarFn::IsNan, a)?, cx.map(ScalarFn::IsNan, b)?);
    let res = cx.select(no_a, b, res)?;
    Ok(vec![cx.select(no_b, a, res)?])
}

fn choose(cx: &mut Cx<'_, '_>, cond: ValueId, a: &Input, b: &Input) -> Values {
    let cond = truth(cx, cond)?;
    let dtype = cx.result_type(&[a.clone(), b.clone()]);
    let (a, b) = (cx.as_dtype(a, dtype)?, cx.as_dtype(b, dtype)?);
    Ok(vec![cx.select(cond, a, b)?])
}

fn where_self(cx: &mut Cx<'_, '_>) -> Values {
    let (cond, a, b) = (cx.x("condition")?, cx.input("self")?, cx.input("other")?);
    choose(cx, cond, &a, &b)
}

fn masked_fill(cx: &mut Cx<'_, '_>) -> Values {
    let (x, mask, value) = (cx.x("self")?, cx.x("mask")?, cx.input("value")?);
    let value = cx.as_dtype(&value, cx.dtype_of(x))?;
    Ok(vec![cx.select(mask, value, x)?])
}

fn clamp(cx: &mut Cx<'_, '_>, low: Option<Input>, high: Option<Input>) -> Values {
    let x = cx.x("self")?;
    let operands: Vec<Input> =
        [Some(x.into()), low.clone(), high.clone()].into_iter().flatten().collect();
    let dtype = cx.result_type(&operands);
    let mut res = cx.cast(x, dtype)?;
    for (limit, function) in [(low, ScalarFn::Max), (high, ScalarFn::Min)] {
        if let Some(limit) = limit {
            let limit = cx.as_dtype(&limit, dtype)?;
            res = cx.zip(function, res, limit)?;
        }
    }
    Ok(vec![res])
}

fn clamp_both(cx: &mut Cx<'_, '_>) -> Values {
    let (low, high) = (cx.opt_input("min")?, cx.opt_input("max")?);
    clamp(cx, low, high)
}

fn clamp_min(cx: &mut Cx<'_, '_>) -> Values {
    let low = cx.input("min")?;
    clamp(cx, Some(low), None)
}

fn clamp_max(cx: &mut Cx<'_, '_>) -> Values {
    let high = cx.input("max")?;
    clamp(cx, None, Some(high))
}

fn is_close(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let (rtol, atol, equal_nan) = (cx.float("rtol")?, cx.float("atol")?, cx.flag("equal_nan")?);
    let [a, b] = cx.broadcast([a, b])?;
    let mut close = cx.zip(ScalarFn::Eq, a, b)?;
    let is_float = cx.dtype_of(a).is_float();
    if equal_nan && is_float {
        let (no_a, no_b) = (cx.map(ScalarFn::IsNan, a)?, cx.map(ScalarFn::IsNan, b)?);
        let both = cx.zip(ScalarFn::And, no_a, no_b)?;
        close = cx.zip(ScalarFn::Or, close, both)?;
    }
    if rtol == 0.0 && atol == 0.0 {
        return Ok(vec![close]);
    }
    let dtype = promote::to_float(cx.dtype_of(a));
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let scaled = cx.with_number(ScalarFn::Mul, b, float(rtol))?;
    let scaled = cx.map(ScalarFn::Abs, scaled)?;
    let allowed = cx.with_number(ScalarFn::Add, scaled, float(atol))?;
    let distance = cx.zip(ScalarFn::Sub, a, b)?;
    let distance = cx.map(ScalarFn::Abs, distance)?;
    let within = cx.zip(ScalarFn::Le, distance, allowed)?;
    let infinite = cx.map(ScalarFn::IsInf, distance)?;
    let finite = cx.map(ScalarFn::Not, infinite)?;
    let near = cx.zip(ScalarFn::And, within, finite)?;
    Ok(vec![cx.zip(ScalarFn::Or, close, near)?])
}

rules! {
    "eq.Tensor" | "eq.Scalar" => |cx| simple(cx, ScalarFn::Eq),
    "ne.Tensor" | "ne.Scalar" | "not_equal.Tensor" | "not_equal.Scalar" =>
        |cx| simple(cx, ScalarFn::Ne),
    "lt.Tensor" | "lt.Scalar" | "less.Tensor" | "less.Scalar" => |cx| simple(cx, ScalarFn::Lt),
    "le.Tensor" | "le.Scalar" | "less_equal.Tensor" | "less_equal.Scalar" =>
        |cx| simple(cx, ScalarFn::Le),
    "gt.Tensor" | "gt.Scalar" | "greater.Tensor" | "greater.Scalar" =>
        |cx| simple(cx, ScalarFn::Gt),
    "ge.Tensor" | "ge.Scalar" | "greater_equal.Tensor" | "greater_equal.Scalar" =>
        |cx| simple(cx, ScalarFn::Ge),
    "logical_and" => |cx| logical(cx, ScalarFn::And),
    "logical_or" => |cx| logical(cx, ScalarFn::Or),
    "logical_xor" => |cx| logical(cx, ScalarFn::Xor),
    "bitwise_and.Tensor" | "bitwise_and.Scalar" | "bitwise_and.Scalar_Tensor" | "__and__.Tensor"
        | "__and__.Scalar" => |cx| simple(cx, ScalarFn::And),
    "bitwise_or.Tensor" | "bitwise_or.Scalar" | "bitwise_or.Scalar_Tensor" | "__or__.Tensor"
        | "__or__.Scalar" => |cx| simple(cx, ScalarFn::Or),
    "bitwise_xor.Tensor" | "bitwise_xor.Scalar" | "bitwise_xor.Scalar_Tensor" | "__xor__.Tensor"
        | "__xor__.Scalar" => |cx| simple(cx, ScalarFn::Xor),
    "bitwise_left_shift.Tensor" | "bitwise_left_shift.Tensor_Scalar"
        | "bitwise_left_shift.Scalar_Tensor" | "__lshift__.Tensor" | "__lshift__.Scalar" =>
        |cx| simple(cx, ScalarFn::Shl),
    "bitwise_right_shift.Tensor" | "bitwise_right_shift.Tensor_Scalar"
        | "bitwise_right_shift.Scalar_Tensor" | "__rshift__.Tensor" | "__rshift__.Scalar" =>
        |cx| simple(cx, ScalarFn::Shr),
    "fmax" => |cx| ignoring_nan(cx, ScalarFn::Max),
    "fmin" => |cx| ignoring_nan(cx, ScalarFn::Min),
    "where.self" | "where.ScalarSelf" | "where.ScalarOther" | "where.Scalar" => where_self,
    "masked_fill.Scalar" | "masked_fill.Tensor" => masked_fill,
    "clamp" | "clamp.Tensor" | "clip" | "clip.Tensor" => clamp_both,
    "clamp_min" | "clamp_min.Tensor" => clamp_min,
    "clamp_max" | "clamp_max.Tensor" => clamp_max,
    "isclose" => is_close,
}
