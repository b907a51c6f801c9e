//! Rules about element-wise operators. Each is exact.

use ir::{DType, DTypeKind, Number, Result, ValueId, View, scalar::ScalarFn};
use pass::rules::RuleCx;
use sym::Expr;
use tensor::{Cast, Full, pointwise};

use super::constants::{cast_number, filled};

type Found = Option<Result<ValueId>>;

/// Both operands of a binary operator.
fn binary(view: View<'_>) -> Option<(ValueId, ValueId)> {
    match view.op.operands().collect::<Vec<_>>()[..] {
        [lhs, rhs] => Some((lhs, rhs)),
        _ => None,
    }
}

/// The left operand, where the right is filled with a number: it, the number, and its dtype.
fn with_constant(cx: &RuleCx<'_>, it: ValueId) -> Option<(ValueId, Number, DType)> {
    let (lhs, rhs) = binary(cx.view(it)?)?;
    let (number, dtype) = filled(cx, rhs)?;
    Some((lhs, number, dtype))
}

/// The operands of the value's op, if that applies `function` element by element.
fn operands_of(cx: &RuleCx<'_>, it: ValueId, function: ScalarFn) -> Option<Vec<ValueId>> {
    let op = cx.view(it)?.op;
    (op.def.0.scalar == Some(function)).then(|| op.operands().collect())
}

fn make(cx: &mut RuleCx<'_>, function: ScalarFn, operands: &[ValueId]) -> Found {
    Some(cx.make(|b| Ok(vec![pointwise(b, function, operands)?])))
}

/// Whether every value of one dtype is one of the other too.
fn is_lossless(from: DType, to: DType) -> bool {
    use DTypeKind::{Bool, Complex, Float, Signed, Unsigned};
    // Bits of an integer's value, and of a float's significand.
    let int_bits = |it: DType| 8 * it.size() as u32 - u32::from(it.kind() == Signed);
    let significand = |it: DType| match it {
        DType::F16 | DType::C32 => 11,
        DType::BF16 => 8,
        DType::F32 | DType::C64 => 24,
        _ => 53,
    };
    match (from.kind(), to.kind()) {
        _ if from == to => true,
        (Bool, _) => true,
        (Unsigned, Unsigned | Signed) | (Signed, Signed) => int_bits(from) <= int_bits(to),
        // Such small integers are in range of every float that has their bits.
        (Unsigned | Signed, Float) => int_bits(from) <= significand(to),
        (Float, Float) => matches!(
            (from, to),
            (DType::F16 | DType::BF16, DType::F32 | DType::F64) | (DType::F32, DType::F64)
        ),
        (Complex, Complex) => from.size() <= to.size(),
        _ => false,
    }
}

/// A cast does not notice that its operand was cast before, if that lost nothing.
pub(super) fn cast_of_cast(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let outer = Cast::of(cx.view(it)?)?;
    let inner = Cast::of(cx.view(outer.x())?)?;
    let (x, between, to) = (inner.x(), inner.dtype(), outer.dtype());
    if !is_lossless(cx.ty(x).dtype()?, between) {
        return None;
    }
    Some(cx.make(|b| Cast::build(b, x, to)))
}

/// `x + -0.0` is `x`; `x + 0.0` is not where `x` is `-0.0`.
pub(super) fn add_nothing(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (x, number, dtype) = with_constant(cx, it)?;
    let nothing = match (&number, dtype.kind()) {
        (Number::Float(it), DTypeKind::Float) => *it == 0.0 && it.is_sign_negative(),
        (_, DTypeKind::Float | DTypeKind::Complex) => false,
        _ => number.is_int(0),
    };
    nothing.then_some(Ok(x))
}

/// `x - 0.0` is `x`, also where `x` is `-0.0`.
pub(super) fn sub_nothing(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (x, number, dtype) = with_constant(cx, it)?;
    let nothing = match (&number, dtype.kind()) {
        (Number::Float(it), DTypeKind::Float) => *it == 0.0 && it.is_sign_positive(),
        (_, DTypeKind::Complex) => false,
        _ => number.is_int(0),
    };
    nothing.then_some(Ok(x))
}

/// Complex products and quotients by 1 are not exact: infinity times the zero part is NaN.
pub(super) fn by_one(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (x, number, dtype) = with_constant(cx, it)?;
    (!dtype.is_complex() && number.is_int(1)).then_some(Ok(x))
}

/// Division with rounding by 1 rounds floats.
pub(super) fn int_by_one(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (x, number, dtype) = with_constant(cx, it)?;
    (dtype.is_int() && number.is_int(1)).then_some(Ok(x))
}

pub(super) fn and_of_true(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (x, number, dtype) = with_constant(cx, it)?;
    (dtype == DType::Bool && number.is_int(1)).then_some(Ok(x))
}

pub(super) fn or_of_false(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (x, number, _) = with_constant(cx, it)?;
    number.is_int(0).then_some(Ok(x))
}

pub(super) fn mul_by_minus_one(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (x, number, dtype) = with_constant(cx, it)?;
    let signed = matches!(dtype.kind(), DTypeKind::Signed | DTypeKind::Float);
    (signed && number.is_int(-1)).then_some(())?;
    make(cx, ScalarFn::Neg, &[x])
}

/// `(x op a) op b` as `x op (a op b)`, which is exact for integers alone.
fn reassociated(cx: &mut RuleCx<'_>, it: ValueId, op: fn(i64, i64) -> Option<i64>) -> Found {
    let (inner, b, dtype) = with_constant(cx, it)?;
    let def = cx.view(it)?.op.def;
    if !dtype.is_int() || cx.view(inner)?.op.def != def {
        return None;
    }
    let (x, a, _) = with_constant(cx, inner)?;
    let int = |it: Number| match it {
        Number::Int(it) => it.as_int(),
        _ => None,
    };
    let exact = Number::Int(Expr::int(op(int(a)?, int(b)?)?));
    let number = cast_number(&exact, dtype, dtype)?;
    let shape = cx.ty(it).as_tensor()?.shape.to_vec();
    let constant = match cx.make(|b| Full::build(b, number, shape, dtype)) {
        Ok(it) => it,
        Err(it) => return Some(Err(it)),
    };
    Some(cx.make(|b| b.push(def, [x.into(), constant.into()], Vec::new())))
}

pub(super) fn add_of_add(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    reassociated(cx, it, i64::checked_add)
}

pub(super) fn mul_of_mul(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    reassociated(cx, it, i64::checked_mul)
}

/// The operand of the operand, where one operator is applied to its own result.
fn inner_of_same(cx: &RuleCx<'_>, it: ValueId) -> Option<(ValueId, ValueId)> {
    let outer = cx.view(it)?.op;
    let x = outer.operands().next()?;
    let inner = cx.view(x)?.op;
    (inner.def == outer.def).then_some(())?;
    Some((x, inner.operands().next()?))
}

/// An operator that undoes itself.
pub(super) fn twice(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    inner_of_same(cx, it).map(|it| Ok(it.1))
}

/// An operator that does nothing to its own result.
pub(super) fn once_is_enough(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    inner_of_same(cx, it).map(|it| Ok(it.0))
}

/// The negative of an unsigned number is another unsigned number.
pub(super) fn abs_of_neg(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let negated = cx.view(it)?.op.operands().next()?;
    (cx.ty(negated).dtype()?.kind() != DTypeKind::Unsigned).then_some(())?;
    let operands = operands_of(cx, negated, ScalarFn::Neg)?;
    make(cx, ScalarFn::Abs, &operands)
}

pub(super) fn same_operands(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (lhs, rhs) = binary(cx.view(it)?)?;
    (lhs == rhs).then_some(Ok(lhs))
}

/// Condition, and what is chosen where it holds and where not.
fn select(cx: &RuleCx<'_>, it: ValueId) -> Option<(ValueId, ValueId, ValueId)> {
    match operands_of(cx, it, ScalarFn::Select)?[..] {
        [cond, lhs, rhs] => Some((cond, lhs, rhs)),
        _ => None,
    }
}

pub(super) fn select_by_constant(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (cond, lhs, rhs) = select(cx, it)?;
    let (number, _) = filled(cx, cond)?;
    let is_true = number.as_f64()? != 0.0;
    Some(Ok(if is_true { lhs } else { rhs }))
}

pub(super) fn select_of_equals(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (_, lhs, rhs) = select(cx, it)?;
    (lhs == rhs).then_some(Ok(lhs))
}

pub(super) fn select_by_not(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let (cond, lhs, rhs) = select(cx, it)?;
    let cond = *operands_of(cx, cond, ScalarFn::Not)?.first()?;
    make(cx, ScalarFn::Select, &[cond, rhs, lhs])
}
