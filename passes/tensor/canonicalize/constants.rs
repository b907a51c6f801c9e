//! Rules about constants: each is one `full`, of a number of its dtype's kind, on the right.

use ir::{
    DType, DTypeKind, Number, Result, ValueId,
    scalar::{Elem, cast},
};
use pass::rules::RuleCx;
use sym::Expr;
use tensor::{Cast, Full, Literal, Size};

type Found = Option<Result<ValueId>>;

/// The number that a value is filled with, and its dtype.
pub(super) fn filled(cx: &RuleCx<'_>, value: ValueId) -> Option<(Number, DType)> {
    let full = Full::of(cx.view(value)?)?;
    Some((full.value(), full.dtype()))
}

fn elem(number: &Number) -> Option<Elem> {
    Some(match number {
        Number::Bool(it) => Elem::Int(i128::from(*it)),
        Number::Int(it) => Elem::Int(it.as_int()?.into()),
        Number::Float(it) => Elem::Float(*it),
        Number::Complex(re, im) => Elem::Complex(*re, *im),
    })
}

/// What a tensor of dtype `from` filled with the number holds once it is cast to `to`.
pub(super) fn cast_number(number: &Number, from: DType, to: DType) -> Option<Number> {
    Some(match cast(to, cast(from, elem(number)?)) {
        Elem::Int(it) if to == DType::Bool => Number::Bool(it != 0),
        Elem::Int(it) => Number::Int(Expr::int(i64::try_from(it).ok()?)),
        Elem::Float(it) => Number::Float(it),
        Elem::Complex(re, im) => Number::Complex(re, im),
    })
}

fn make_full(cx: &mut RuleCx<'_>, value: Number, shape: Vec<Expr>, dtype: DType) -> Found {
    Some(cx.make(|b| Full::build(b, value, shape, dtype)))
}

pub(super) fn size_of_constant(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let size = Size::of(cx.view(it)?)?;
    let (value, dtype) = (size.value(), size.dtype());
    value.as_int()?;
    make_full(cx, Number::Int(value), Vec::new(), dtype)
}

pub(super) fn literal_of_equals(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let literal = Literal::of(cx.view(it)?)?;
    let (values, dtype) = (literal.values(), literal.dtype());
    let (first, rest) = values.split_first()?;
    if rest.iter().any(|it| it != first) {
        return None;
    }
    let shape = literal.shape().into_iter().map(Expr::int).collect();
    make_full(cx, first.clone(), shape, dtype)
}

/// A number is written as its dtype's arithmetic has it: `1.0` in a tensor of floats, not `1`.
/// Its value stays as it was written, since a float prints best unrounded.
pub(super) fn full_of_other_kind(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let full = Full::of(cx.view(it)?)?;
    let (value, shape, dtype) = (full.value(), full.shape(), full.dtype());
    let fits = match dtype.kind() {
        DTypeKind::Bool => matches!(value, Number::Bool(_)),
        DTypeKind::Unsigned | DTypeKind::Signed => matches!(value, Number::Int(_)),
        DTypeKind::Float => matches!(value, Number::Float(_)),
        DTypeKind::Complex => matches!(value, Number::Complex(..)),
    };
    if fits {
        return None;
    }
    let value = cast_number(&value, dtype, dtype)?;
    make_full(cx, value, shape, dtype)
}

pub(super) fn cast_of_full(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let x = Cast::of(cx.view(it)?)?.x();
    let (value, from) = filled(cx, x)?;
    let ty = cx.ty(it).as_tensor()?;
    let (to, shape) = (ty.dtype, ty.shape.to_vec());
    let value = cast_number(&value, from, to)?;
    make_full(cx, value, shape, to)
}

/// However a filled tensor is moved, it stays filled.
pub(super) fn moved_full(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let x = cx.view(it)?.op.operands().next()?;
    let (value, dtype) = filled(cx, x)?;
    let shape = cx.ty(it).as_tensor()?.shape.to_vec();
    make_full(cx, value, shape, dtype)
}

pub(super) fn constant_to_the_right(cx: &mut RuleCx<'_>, it: ValueId) -> Found {
    let op = cx.view(it)?.op;
    if !crate::commutes(op.def, cx.ty(it)) {
        return None;
    }
    let (def, attrs) = (op.def, op.attrs.clone());
    let operands: Vec<ValueId> = op.operands().collect();
    let [lhs, rhs] = operands[..] else { return None };
    filled(cx, lhs)?;
    if filled(cx, rhs).is_some() {
        return None;
    }
    Some(cx.make(|b| b.push(def, [rhs.into(), lhs.into()], attrs)))
}
