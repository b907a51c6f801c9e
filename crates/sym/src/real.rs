//! The constructors of floating-point functions.
//!
//! They fold constants where every machine gives the same result, and otherwise keep the order
//! of operations as written: a floating-point sum may not be reordered.

use smallvec::{SmallVec, smallvec};

use crate::{
    expr::{Expr, Repr},
    fun::{Fun, Unary},
};

/// A number of either kind.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
}

impl Number {
    /// The number, rounded to floating point.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Int(it) => it as f64,
            Number::Float(it) => it,
        }
    }
}

impl Expr {
    /// A floating-point constant.
    pub fn float(value: f64) -> Expr {
        // All NaNs are one, so that equal texts are equal expressions.
        let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        Expr::call(Fun::Float(bits), SmallVec::new())
    }

    /// The value of a constant of either kind.
    pub fn as_number(&self) -> Option<Number> {
        match &self.0 {
            Repr::Int(it) => Some(Number::Int(*it)),
            Repr::Call(it) => match it.fun {
                Fun::Float(bits) => Some(Number::Float(f64::from_bits(bits))),
                _ => None,
            },
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.as_number().map(Number::to_f64)
    }

    /// The integer as a floating-point number.
    pub fn to_float(&self) -> Expr {
        match self.as_int() {
            Some(it) => Expr::float(it as f64),
            None if self.is_real() => self.clone(),
            None => Expr::call(Fun::ToFloat, smallvec![self.clone()]),
        }
    }

    /// The quotient of two integers as a floating-point number.
    pub fn int_true_div(&self, divisor: &Expr) -> Expr {
        if self.is_real() || divisor.is_real() {
            return self.float_true_div(divisor);
        }
        match (self.as_int(), divisor.as_int()) {
            (Some(a), Some(b)) if b != 0 => Expr::float(a as f64 / b as f64),
            _ => Expr::call(Fun::IntTrueDiv, smallvec![self.clone(), divisor.clone()]),
        }
    }

    /// The quotient of two floating-point numbers.
    pub fn float_true_div(&self, divisor: &Expr) -> Expr {
        match (self.as_f64(), divisor.as_f64()) {
            (Some(a), Some(b)) if b != 0.0 => Expr::float(a / b),
            _ => Expr::call(Fun::FloatTrueDiv, smallvec![self.to_float(), divisor.to_float()]),
        }
    }

    /// The power of two floating-point numbers.
    pub fn float_pow(&self, exponent: &Expr) -> Expr {
        Expr::call(Fun::FloatPow, smallvec![self.to_float(), exponent.to_float()])
    }

    /// The sum in floating point.
    pub(crate) fn float_add(&self, other: &Expr) -> Expr {
        commutative(Fun::FloatAdd, |a, b| a + b, self, other)
    }

    /// The product in floating point.
    pub(crate) fn float_mul(&self, other: &Expr) -> Expr {
        match (self.as_int(), other.as_int()) {
            (Some(1), _) => other.to_float(),
            (_, Some(1)) => self.to_float(),
            _ => commutative(Fun::FloatMul, |a, b| a * b, self, other),
        }
    }

    /// Rounded to zero, still as a floating-point number.
    pub fn trunc_to_float(&self) -> Expr {
        match self.as_f64() {
            Some(it) => Expr::float(it.trunc()),
            None if self.is_real() => Expr::call(Fun::TruncToFloat, smallvec![self.clone()]),
            None => self.to_float(),
        }
    }

    /// Rounded to a number of decimal digits, half to even.
    pub fn round_decimal(&self, digits: &Expr) -> Expr {
        if digits.is_real() {
            return Expr::undefined();
        }
        Expr::call(Fun::RoundDecimal, smallvec![self.to_float(), digits.clone()])
    }

    /// Rounded to minus infinity; an integer stays as it is.
    pub fn floor_to_int(&self) -> Expr {
        round(Fun::FloorToInt, f64::floor, self)
    }

    /// Rounded to plus infinity; an integer stays as it is.
    pub fn ceil_to_int(&self) -> Expr {
        round(Fun::CeilToInt, f64::ceil, self)
    }

    /// Rounded to zero; an integer stays as it is.
    pub fn trunc_to_int(&self) -> Expr {
        round(Fun::TruncToInt, f64::trunc, self)
    }

    /// Rounded to the nearest, half to even; an integer stays as it is.
    pub fn round_to_int(&self) -> Expr {
        round(Fun::RoundToInt, f64::round_ties_even, self)
    }

    pub(crate) fn float_abs(&self) -> Expr {
        match self.as_f64() {
            Some(it) => Expr::float(it.abs()),
            None => Expr::call(Fun::Abs, smallvec![self.clone()]),
        }
    }

    pub(crate) fn opaque(unary: Unary, argument: &Expr) -> Expr {
        Expr::call(Fun::Opaque(unary), smallvec![argument.to_float()])
    }

    /// A function of one floating-point number by its name: `sqrt`, `cos`, `log2`, ….
    pub fn unary(name: &str, argument: &Expr) -> Option<Expr> {
        let unary = Unary::ALL.iter().find(|it| it.0 == name)?.1;
        Some(Expr::opaque(unary, argument))
    }
}

fn commutative(fun: Fun, fold: fn(f64, f64) -> f64, a: &Expr, b: &Expr) -> Expr {
    if let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) {
        return Expr::float(fold(a, b));
    }
    let (a, b) = (a.to_float(), b.to_float());
    let (a, b) = if b < a { (b, a) } else { (a, b) };
    Expr::call(fun, smallvec![a, b])
}

fn round(fun: Fun, round: fn(f64) -> f64, argument: &Expr) -> Expr {
    if !argument.is_real() {
        return argument.clone();
    }
    match argument.as_f64().map(round).and_then(exact_int) {
        Some(it) => Expr::int(it),
        None => Expr::call(fun, smallvec![argument.clone()]),
    }
}

/// A rounded number as an integer, when there is one.
pub(crate) fn exact_int(rounded: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&rounded).then_some(rounded as i64)
}

/// A relation with a floating-point number on a side.
pub(crate) fn relation(fun: Fun, a: &Expr, b: &Expr) -> Expr {
    let holds = |a: f64, b: f64| match fun {
        Fun::Le => a <= b,
        Fun::Lt => a < b,
        _ => a == b,
    };
    let infinite = |it: &Expr| match it.as_number() {
        Some(Number::Float(it)) if it.is_infinite() => Some(it),
        _ => None,
    };
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => return Expr::int(holds(a, b).into()),
        // No integer is infinite.
        _ if !a.is_real() && infinite(b).is_some() => {
            return Expr::int(infinite(b).is_some_and(|it| holds(0.0, it)).into());
        }
        _ if !b.is_real() && infinite(a).is_some() => {
            return Expr::int(infinite(a).is_some_and(|it| holds(it, 0.0)).into());
        }
        _ => {}
    }
    let (a, b) = if fun == Fun::Eq && b < a { (b, a) } else { (a, b) };
    Expr::call(fun, smallvec![a.clone(), b.clone()])
}

/// Takes the infinities out of the arguments of a minimum or maximum of integers.
pub(crate) fn drop_infinities(max: bool, args: &mut SmallVec<[Expr; 2]>) {
    let neutral = Expr::float(if max { f64::NEG_INFINITY } else { f64::INFINITY });
    let absorbing = Expr::float(if max { f64::INFINITY } else { f64::NEG_INFINITY });
    let of_integers = args.iter().all(|it| !it.is_real() || *it == neutral || *it == absorbing);
    if !of_integers {
        return;
    }
    if args.contains(&absorbing) {
        *args = smallvec![absorbing];
    } else if 1 < args.len() {
        args.retain(|it| *it != neutral);
    }
}
