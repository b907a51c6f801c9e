//! A number as the exporter wrote it: Python's bool, int, float or complex.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use sym::Expr;

/// A Python number. Floats compare and hash by their bits, so that NaN equals itself
/// and `-0.0` differs from `0.0`.
#[derive(Clone, Debug)]
pub enum Number {
    /// `True` or `False`.
    Bool(bool),
    /// An integer, possibly symbolic.
    Int(Expr),
    /// A float.
    Float(f64),
    /// A complex number: real and imaginary part.
    Complex(f64, f64),
}

impl Number {
    /// The value as a float, if it is real and known.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Number::Bool(it) => Some(f64::from(u8::from(*it))),
            Number::Int(it) => it.as_int().map(|it| it as f64),
            Number::Float(it) => Some(*it),
            Number::Complex(..) => None,
        }
    }

    /// Whether the number is the integer `value`, whatever its kind.
    pub fn is_int(&self, value: i64) -> bool {
        self.as_f64() == Some(value as f64)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        match (self, other) {
            (Number::Bool(a), Number::Bool(b)) => a == b,
            (Number::Int(a), Number::Int(b)) => a == b,
            (Number::Float(a), Number::Float(b)) => a.to_bits() == b.to_bits(),
            (Number::Complex(a, b), Number::Complex(c, d)) => {
                a.to_bits() == c.to_bits() && b.to_bits() == d.to_bits()
            }
            _ => false,
        }
    }
}
impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Number::Bool(it) => it.hash(state),
            Number::Int(it) => it.hash(state),
            Number::Float(it) => it.to_bits().hash(state),
            Number::Complex(a, b) => (a.to_bits(), b.to_bits()).hash(state),
        }
    }
}

/// A float so that it reads back as the same bits and never looks like an integer.
/// A NaN with a payload is written by its bits.
pub(crate) fn write_float(f: &mut dyn fmt::Write, it: f64) -> fmt::Result {
    if it.is_nan() {
        match it.to_bits() == f64::NAN.to_bits() {
            true => f.write_str("nan"),
            false => write!(f, "nan:0x{:016x}", it.to_bits()),
        }
    } else if it.is_infinite() {
        f.write_str(if it < 0.0 { "-inf" } else { "inf" })
    } else {
        write!(f, "{it:?}")
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Bool(it) => write!(f, "{it}"),
            Number::Int(it) => write!(f, "{it}"),
            Number::Float(it) => write_float(f, *it),
            Number::Complex(re, im) => {
                f.write_str("complex(")?;
                write_float(f, *re)?;
                f.write_str(", ")?;
                write_float(f, *im)?;
                f.write_str(")")
            }
        }
    }
}
