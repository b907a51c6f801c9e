//! The functions an atom can be a call of: one row each.

use crate::expr::Expr;

/// A function whose value a polynomial cannot say.
///
/// What the archive writes and is missing here is built from these: `CeilDiv`, `ModularIndexing`,
/// shifts, `Identity`, `GreaterThan`, `Piecewise`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Fun {
    FloorDiv,
    /// The sign is that of the divisor.
    Mod,
    Min,
    Max,
    Abs,
    /// The exponent is a natural number.
    Pow,
    BitAnd,
    BitOr,
    /// A product that is not multiplied out, because that would be too large.
    Prod,
    Le,
    Lt,
    Eq,
    Not,
    And,
    Or,
    Where,
    /// Sizes, then as many strides.
    Dense,
    /// A floating-point constant, by its bits.
    Float(u64),
    ToFloat,
    IntTrueDiv,
    FloatTrueDiv,
    FloatPow,
    FloatAdd,
    FloatMul,
    TruncToFloat,
    RoundDecimal,
    FloorToInt,
    CeilToInt,
    TruncToInt,
    RoundToInt,
    Opaque(Unary),
}

/// A function of one floating-point number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Unary {
    Sqrt,
    Cos,
    Cosh,
    Sin,
    Sinh,
    Tan,
    Tanh,
    Asin,
    Acos,
    Atan,
    Asinh,
    Exp,
    Log,
    Log2,
}

impl Unary {
    pub(crate) const ALL: [(&'static str, Unary); 14] = [
        ("sqrt", Unary::Sqrt),
        ("cos", Unary::Cos),
        ("cosh", Unary::Cosh),
        ("sin", Unary::Sin),
        ("sinh", Unary::Sinh),
        ("tan", Unary::Tan),
        ("tanh", Unary::Tanh),
        ("asin", Unary::Asin),
        ("acos", Unary::Acos),
        ("atan", Unary::Atan),
        ("asinh", Unary::Asinh),
        ("exp", Unary::Exp),
        ("log", Unary::Log),
        ("log2", Unary::Log2),
    ];

    pub(crate) fn name(self) -> &'static str {
        Unary::ALL.iter().find(|it| it.1 == self).map_or("", |it| it.0)
    }
}

impl Fun {
    /// The functions the infix text writes as `Name(arguments)`, with the number of arguments
    /// where it is fixed.
    pub(crate) const NAMED: [(&'static str, Fun, Option<usize>); 29] = [
        ("FloorDiv", Fun::FloorDiv, Some(2)),
        ("Mod", Fun::Mod, Some(2)),
        ("Min", Fun::Min, None),
        ("Max", Fun::Max, None),
        ("Abs", Fun::Abs, Some(1)),
        ("Pow", Fun::Pow, Some(2)),
        ("BitAnd", Fun::BitAnd, Some(2)),
        ("BitOr", Fun::BitOr, Some(2)),
        ("Prod", Fun::Prod, Some(2)),
        ("Le", Fun::Le, Some(2)),
        ("Lt", Fun::Lt, Some(2)),
        ("Eq", Fun::Eq, Some(2)),
        ("Not", Fun::Not, Some(1)),
        ("And", Fun::And, None),
        ("Or", Fun::Or, None),
        ("Where", Fun::Where, Some(3)),
        ("Dense", Fun::Dense, None),
        ("ToFloat", Fun::ToFloat, Some(1)),
        ("IntTrueDiv", Fun::IntTrueDiv, Some(2)),
        ("FloatTrueDiv", Fun::FloatTrueDiv, Some(2)),
        ("FloatPow", Fun::FloatPow, Some(2)),
        ("FloatAdd", Fun::FloatAdd, Some(2)),
        ("FloatMul", Fun::FloatMul, Some(2)),
        ("TruncToFloat", Fun::TruncToFloat, Some(1)),
        ("RoundDecimal", Fun::RoundDecimal, Some(2)),
        ("FloorToInt", Fun::FloorToInt, Some(1)),
        ("CeilToInt", Fun::CeilToInt, Some(1)),
        ("TruncToInt", Fun::TruncToInt, Some(1)),
        ("RoundToInt", Fun::RoundToInt, Some(1)),
    ];

    /// The cost of a call with so many arguments, without theirs.
    pub(crate) fn cost(self, args: usize) -> u64 {
        match self {
            Fun::Min | Fun::Max | Fun::And | Fun::Or => 3 * (args as u64).saturating_sub(1),
            Fun::Float(_) => 1,
            Fun::Abs | Fun::BitAnd | Fun::BitOr | Fun::Prod => 3,
            Fun::Le | Fun::Lt | Fun::Eq | Fun::Not | Fun::Where => 3,
            Fun::FloatAdd | Fun::FloatMul => 3,
            Fun::ToFloat | Fun::FloorToInt | Fun::CeilToInt | Fun::TruncToInt => 5,
            Fun::RoundToInt | Fun::TruncToFloat => 5,
            Fun::FloorDiv | Fun::Mod | Fun::IntTrueDiv | Fun::FloatTrueDiv => 20,
            Fun::Pow | Fun::FloatPow | Fun::RoundDecimal | Fun::Opaque(_) | Fun::Dense => 40,
        }
    }

    /// Whether the value is a floating-point number.
    pub(crate) fn is_real(self, args: &[Expr]) -> bool {
        match self {
            Fun::Float(_) | Fun::ToFloat | Fun::IntTrueDiv | Fun::FloatTrueDiv => true,
            Fun::FloatPow | Fun::FloatAdd | Fun::FloatMul | Fun::TruncToFloat => true,
            Fun::RoundDecimal | Fun::Opaque(_) => true,
            Fun::Min | Fun::Max | Fun::Abs => args.iter().any(Expr::is_real),
            Fun::Where => args.iter().skip(1).any(Expr::is_real),
            Fun::FloorDiv | Fun::Mod | Fun::Pow | Fun::BitAnd | Fun::BitOr | Fun::Prod => false,
            Fun::Le | Fun::Lt | Fun::Eq | Fun::Not | Fun::And | Fun::Or | Fun::Dense => false,
            Fun::FloorToInt | Fun::CeilToInt | Fun::TruncToInt | Fun::RoundToInt => false,
        }
    }

    /// Whether the value is a truth, 0 or 1.
    pub(crate) fn is_truth(self) -> bool {
        matches!(self, Fun::Le | Fun::Lt | Fun::Eq | Fun::Not | Fun::And | Fun::Or | Fun::Dense)
    }
}
