//! The functions that combine elements, with what they give of nothing.

use ir::{DType, DTypeKind, EvalError, scalar::Elem};

use super::error;

/// How elements are combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fold {
    Sum,
    Prod,
    Max,
    Min,
}

impl Fold {
    /// The one of that name. `any` and `all` are the greatest and the least bool.
    pub(super) fn of(kind: &str) -> Result<Fold, EvalError> {
        match kind {
            "sum" | "add" => Ok(Fold::Sum),
            "prod" | "mul" => Ok(Fold::Prod),
            "max" | "any" => Ok(Fold::Max),
            "min" | "all" => Ok(Fold::Min),
            kind => Err(error(format!("no kind is called `{kind}`"))),
        }
    }

    /// What combining nothing gives.
    pub(super) fn identity(self, dtype: DType) -> Elem {
        let number = |it: i128| match dtype.kind() {
            DTypeKind::Bool | DTypeKind::Unsigned | DTypeKind::Signed => Elem::Int(it),
            DTypeKind::Float => Elem::Float(it as f64),
            DTypeKind::Complex => Elem::Complex(it as f64, 0.0),
        };
        match (self, dtype.kind()) {
            (Fold::Sum, _) => number(0),
            (Fold::Prod, _) => number(1),
            (Fold::Max, DTypeKind::Float | DTypeKind::Complex) => Elem::Float(f64::NEG_INFINITY),
            (Fold::Min, DTypeKind::Float | DTypeKind::Complex) => Elem::Float(f64::INFINITY),
            (Fold::Max, _) => Elem::Int(int_range(dtype).0),
            (Fold::Min, _) => Elem::Int(int_range(dtype).1),
        }
    }

    /// Both combined, not rounded and not wrapped: that is done once, when the result is stored.
    pub(super) fn combine(self, a: Elem, b: Elem) -> Elem {
        match (self, a, b) {
            // Modulo 2^128, and so modulo every width.
            (Fold::Sum, Elem::Int(a), Elem::Int(b)) => Elem::Int(a.wrapping_add(b)),
            (Fold::Prod, Elem::Int(a), Elem::Int(b)) => Elem::Int(a.wrapping_mul(b)),
            (Fold::Max, Elem::Int(a), Elem::Int(b)) => Elem::Int(a.max(b)),
            (Fold::Min, Elem::Int(a), Elem::Int(b)) => Elem::Int(a.min(b)),
            (Fold::Sum, Elem::Complex(a, b), Elem::Complex(c, d)) => Elem::Complex(a + c, b + d),
            (Fold::Prod, Elem::Complex(a, b), Elem::Complex(c, d)) => {
                Elem::Complex(a * c - b * d, a * d + b * c)
            }
            (_, a, b) => Elem::Float(self.floats(a.to_f64(), b.to_f64())),
        }
    }

    /// Both combined; NaN if either is.
    pub(super) fn floats(self, a: f64, b: f64) -> f64 {
        match self {
            Fold::Sum => a + b,
            Fold::Prod => a * b,
            Fold::Max => {
                if a.is_nan() || b < a {
                    a
                } else {
                    b
                }
            }
            Fold::Min => {
                if a.is_nan() || a < b {
                    a
                } else {
                    b
                }
            }
        }
    }
}

/// The least and the greatest value of bool or an integer dtype.
fn int_range(dtype: DType) -> (i128, i128) {
    let bits = 8 * dtype.size() as u32;
    match dtype.kind() {
        DTypeKind::Bool => (0, 1),
        DTypeKind::Signed => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        _ => (0, (1_i128 << bits) - 1),
    }
}
