//! Type promotion: PyTorch's rules for tensors, tensors without dimensions, and Python numbers.
//!
//! The one statement of them. An operand of a higher category decides unless one of a lower
//! category is of a higher kind (bool, integer, float, complex).

use ir::{DType, DTypeKind, Number};

/// What an operand counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Category {
    /// A tensor with dimensions.
    Tensor,
    /// A tensor without dimensions.
    ZeroDim,
    /// A Python number.
    Number,
}

/// The dtype that results when floats come from nowhere: PyTorch's default dtype.
pub(crate) const DEFAULT_FLOAT: DType = DType::F32;

/// The dtype that a Python number has as an operand.
pub(crate) fn number_dtype(number: &Number) -> DType {
    match number {
        Number::Bool(_) => DType::Bool,
        Number::Int(it) if it.is_real() => DEFAULT_FLOAT,
        Number::Int(_) => DType::I64,
        Number::Float(_) => DEFAULT_FLOAT,
        Number::Complex(..) => DType::C64,
    }
}

/// The complex dtype whose parts have the dtype.
pub(crate) fn to_complex(dtype: DType) -> DType {
    match dtype {
        it if it.is_complex() => it,
        it => it.of_parts().unwrap_or(DType::C64),
    }
}

/// The least dtype that both convert to, as `torch.promote_types`.
pub(crate) fn promote_types(a: DType, b: DType) -> DType {
    let (low, high) = if a.kind() <= b.kind() { (a, b) } else { (b, a) };
    match (low.kind(), high.kind()) {
        _ if low == high => high,
        (DTypeKind::Float, DTypeKind::Complex) => wider(high, to_complex(low)),
        (low_kind, high_kind) if low_kind != high_kind => match (low_kind, high_kind) {
            // A signed type that is wide enough for the unsigned one.
            (DTypeKind::Unsigned, DTypeKind::Signed) => match low {
                DType::U8 if high == DType::I8 => DType::I16,
                _ => high,
            },
            _ => high,
        },
        (DTypeKind::Float, _) => match (low, high) {
            (DType::F16, DType::BF16) | (DType::BF16, DType::F16) => DType::F32,
            _ => wider(low, high),
        },
        _ => wider(low, high),
    }
}

fn wider(a: DType, b: DType) -> DType {
    if a.size() < b.size() { b } else { a }
}

/// The dtype that an operator computes in, as `torch.result_type`.
pub(crate) fn result_type(operands: &[(DType, Category)]) -> DType {
    let of = |wanted: Category| {
        operands.iter().filter(|it| it.1 == wanted).map(|it| it.0).reduce(promote_types)
    };
    let lower = combine(of(Category::ZeroDim), of(Category::Number));
    combine(of(Category::Tensor), lower).unwrap_or(DEFAULT_FLOAT)
}

fn combine(higher: Option<DType>, lower: Option<DType>) -> Option<DType> {
    let (Some(high), Some(low)) = (higher, lower) else { return higher.or(lower) };
    Some(match high.kind() {
        DTypeKind::Complex => high,
        DTypeKind::Float if low.is_complex() => to_complex(high),
        DTypeKind::Float => high,
        DTypeKind::Bool => promote_types(high, low),
        DTypeKind::Signed | DTypeKind::Unsigned if low.is_float() || low.is_complex() => {
            promote_types(high, low)
        }
        DTypeKind::Signed | DTypeKind::Unsigned => high,
    })
}

/// The dtype for functions that integers do not stay in.
pub(crate) fn to_float(dtype: DType) -> DType {
    match dtype.kind() {
        DTypeKind::Float | DTypeKind::Complex => dtype,
        DTypeKind::Bool | DTypeKind::Signed | DTypeKind::Unsigned => DEFAULT_FLOAT,
    }
}

/// What eager computes in: half types in float32.
pub(crate) fn compute_type(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        it => it,
    }
}

/// The dtype of a sum or product: integers are summed as int64.
pub(crate) fn sum_type(dtype: DType) -> DType {
    match dtype.kind() {
        DTypeKind::Bool | DTypeKind::Signed | DTypeKind::Unsigned => DType::I64,
        DTypeKind::Float | DTypeKind::Complex => dtype,
    }
}

/// The number as a constant of the dtype is written: one spelling for one value.
pub(crate) fn canonical(number: &Number, dtype: DType) -> Number {
    match (dtype.kind(), number) {
        (DTypeKind::Bool, it) => match it.as_f64() {
            Some(it) => Number::Bool(it != 0.0),
            None => it.clone(),
        },
        (DTypeKind::Signed | DTypeKind::Unsigned, Number::Bool(it)) => {
            Number::Int(i64::from(*it).into())
        }
        (DTypeKind::Signed | DTypeKind::Unsigned, Number::Float(it)) if it.is_finite() => {
            Number::Int((it.trunc() as i64).into())
        }
        (DTypeKind::Float, it @ (Number::Bool(_) | Number::Int(_))) => {
            it.as_f64().map_or_else(|| it.clone(), Number::Float)
        }
        (DTypeKind::Complex, it) => match it.as_f64() {
            Some(it) => Number::Complex(it, 0.0),
            None => it.clone(),
        },
        (_, it) => it.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_promoted_as_torch_promotes_them() {
        for (a, b, want) in [
            (DType::U8, DType::I8, DType::I16),
            (DType::U8, DType::I64, DType::I64),
            (DType::F16, DType::BF16, DType::F32),
            (DType::I64, DType::F16, DType::F16),
            (DType::Bool, DType::U8, DType::U8),
            (DType::C64, DType::F64, DType::C128),
            (DType::I64, DType::C64, DType::C64),
            (DType::F16, DType::C32, DType::C32),
            (DType::BF16, DType::C32, DType::C64),
            (DType::F32, DType::C32, DType::C64),
        ] {
            assert_eq!(promote_types(a, b), want, "{a} {b}");
            assert_eq!(promote_types(b, a), want, "{b} {a}");
        }
    }

    #[test]
    fn a_number_decides_only_by_its_kind() {
        let tensor = |it| (it, Category::Tensor);
        let number = |it| (number_dtype(&it), Category::Number);
        assert_eq!(result_type(&[tensor(DType::F16), number(Number::Float(1.0))]), DType::F16);
        assert_eq!(result_type(&[tensor(DType::I32), number(Number::Float(1.0))]), DType::F32);
        assert_eq!(result_type(&[tensor(DType::U8), number(Number::Int(300.into()))]), DType::U8);
        assert_eq!(result_type(&[tensor(DType::F32), (DType::F64, Category::ZeroDim)]), DType::F32);
        assert_eq!(
            result_type(&[tensor(DType::F64), number(Number::Complex(0.0, 1.0))]),
            DType::C128
        );
    }
}
