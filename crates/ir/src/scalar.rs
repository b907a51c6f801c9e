//! Functions of single elements: the one statement of what `add` or `exp` means.
//!
//! Both `tensor` (element by element) and `loops` (in a register) declare an op for each row of
//! the table; types, evaluation and documentation come from here.

mod apply;
mod elem;

pub use apply::{apply, apply_f32};
pub use elem::{Elem, cast, load, store};

use crate::{DType, DTypeKind};

/// What a function does with dtypes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultRule {
    /// All operands and the result have one dtype.
    Same,
    /// Operands have one dtype, the result is bool.
    Bool,
    /// The first operand is bool, the others and the result have one dtype.
    Select,
    /// The result of a complex operand is the real dtype of its parts; otherwise as `Same`.
    Real,
}

/// Which dtypes a function takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Domain {
    Any,
    /// All but complex.
    Ordered,
    /// Integers, floats and complex: all but bool.
    Numeric,
    Float,
    FloatOrComplex,
    /// Integers and bool.
    Bits,
    Int,
}

impl Domain {
    /// Whether it has `dtype`.
    pub fn has(self, dtype: DType) -> bool {
        let kind = dtype.kind();
        match self {
            Domain::Any => true,
            Domain::Ordered => kind != DTypeKind::Complex,
            Domain::Numeric => kind != DTypeKind::Bool,
            Domain::Float => kind == DTypeKind::Float,
            Domain::FloatOrComplex => matches!(kind, DTypeKind::Float | DTypeKind::Complex),
            Domain::Bits => dtype.is_int() || kind == DTypeKind::Bool,
            Domain::Int => dtype.is_int(),
        }
    }
}

/// The table. Calls `$then!` with every row:
/// `Variant name (operands) domain rule commutative "doc"`.
#[macro_export]
macro_rules! for_each_scalar_fn {
    ($then:ident) => {
        $then! {
            Neg "neg" (x) Numeric Same false "The negative; integers wrap.";
            Abs "abs" (x) Any Real false "The absolute value; the least signed integer stays.";
            Sign "sign" (x) Ordered Same false "-1, 0 or 1; of NaN it is 0.";
            Floor "floor" (x) Float Same false "The greatest integer not above.";
            Ceil "ceil" (x) Float Same false "The least integer not below.";
            Trunc "trunc" (x) Float Same false "Towards zero.";
            Round "round" (x) Float Same false "To the nearest integer, ties to even.";
            Sqrt "sqrt" (x) FloatOrComplex Same false "The square root.";
            Rsqrt "rsqrt" (x) FloatOrComplex Same false "One over the square root.";
            Reciprocal "reciprocal" (x) FloatOrComplex Same false "One over.";
            Exp "exp" (x) FloatOrComplex Same false "e to the power.";
            Exp2 "exp2" (x) Float Same false "2 to the power.";
            Expm1 "expm1" (x) Float Same false "exp minus one, exact near zero.";
            Log "log" (x) FloatOrComplex Same false "The natural logarithm.";
            Log2 "log2" (x) Float Same false "The logarithm to base 2.";
            Log10 "log10" (x) Float Same false "The logarithm to base 10.";
            Log1p "log1p" (x) Float Same false "The logarithm of one plus, exact near zero.";
            Sin "sin" (x) FloatOrComplex Same false "The sine of radians.";
            Cos "cos" (x) FloatOrComplex Same false "The cosine of radians.";
            Tan "tan" (x) Float Same false "The tangent of radians.";
            Asin "asin" (x) Float Same false "The inverse sine.";
            Acos "acos" (x) Float Same false "The inverse cosine.";
            Atan "atan" (x) Float Same false "The inverse tangent.";
            Sinh "sinh" (x) Float Same false "The hyperbolic sine.";
            Cosh "cosh" (x) Float Same false "The hyperbolic cosine.";
            Tanh "tanh" (x) Float Same false "The hyperbolic tangent.";
            Asinh "asinh" (x) Float Same false "The inverse hyperbolic sine.";
            Acosh "acosh" (x) Float Same false "The inverse hyperbolic cosine.";
            Atanh "atanh" (x) Float Same false "The inverse hyperbolic tangent.";
            Erf "erf" (x) Float Same false "The error function.";
            Erfc "erfc" (x) Float Same false "One minus the error function.";
            Erfinv "erfinv" (x) Float Same false "The inverse of the error function.";
            Lgamma "lgamma" (x) Float Same false "The logarithm of the absolute gamma function.";
            Digamma "digamma" (x) Float Same false "The derivative of lgamma.";
            Sigmoid "sigmoid" (x) Float Same false "1 / (1 + exp(-x)).";
            IsNan "isnan" (x) Ordered Bool false "Whether it is NaN.";
            IsInf "isinf" (x) Ordered Bool false "Whether it is infinite.";
            SignBit "signbit" (x) Ordered Bool false "Whether the sign bit is set; below zero for integers.";
            Not "not" (x) Bits Same false "Each bit inverted; of a bool, its opposite.";
            Add "add" (lhs, rhs) Any Same true "The sum; integers wrap, of bools the or.";
            Sub "sub" (lhs, rhs) Numeric Same false "The difference; integers wrap.";
            Mul "mul" (lhs, rhs) Any Same true "The product; integers wrap, of bools the and.";
            Div "div" (lhs, rhs) FloatOrComplex Same false "The true quotient.";
            FloorDiv "floordiv" (lhs, rhs) Ordered Same false "The quotient rounded down; floats by fmod's rule.";
            TruncDiv "truncdiv" (lhs, rhs) Ordered Same false "The quotient rounded towards zero.";
            Rem "rem" (lhs, rhs) Ordered Same false "The remainder with the divisor's sign (Python's %).";
            Fmod "fmod" (lhs, rhs) Ordered Same false "The remainder with the dividend's sign (C's fmod).";
            Pow "pow" (lhs, rhs) Numeric Same false "The power; integers by repeated squaring, wrapping.";
            Min "min" (lhs, rhs) Ordered Same true "The lesser; NaN if either is.";
            Max "max" (lhs, rhs) Ordered Same true "The greater; NaN if either is.";
            Gcd "gcd" (lhs, rhs) Int Same false "The greatest common divisor; 0 of two zeros.";
            Atan2 "atan2" (lhs, rhs) Float Same false "The angle of the point (rhs, lhs).";
            CopySign "copysign" (lhs, rhs) Float Same false "The magnitude of one with the sign of the other.";
            Hypot "hypot" (lhs, rhs) Float Same true "The length of (lhs, rhs).";
            NextAfter "nextafter" (lhs, rhs) Float Same false "The next float towards the other.";
            Zeta "zeta" (lhs, rhs) Float Same false "Hurwitz' zeta function of the order lhs at rhs.";
            And "and" (lhs, rhs) Bits Same true "Bitwise and.";
            Or "or" (lhs, rhs) Bits Same true "Bitwise or.";
            Xor "xor" (lhs, rhs) Bits Same true "Bitwise exclusive or.";
            Shl "shl" (lhs, rhs) Int Same false "Shifted left; 0 past the width.";
            Shr "shr" (lhs, rhs) Int Same false "Shifted right, signed types with their sign; past the width only that is left.";
            Eq "eq" (lhs, rhs) Any Bool true "Whether equal; NaN equals nothing.";
            Ne "ne" (lhs, rhs) Any Bool true "Whether different.";
            Lt "lt" (lhs, rhs) Ordered Bool false "Whether less.";
            Le "le" (lhs, rhs) Ordered Bool false "Whether less or equal.";
            Gt "gt" (lhs, rhs) Ordered Bool false "Whether greater.";
            Ge "ge" (lhs, rhs) Ordered Bool false "Whether greater or equal.";
            Select "select" (cond, lhs, rhs) Any Select false "lhs where cond holds, else rhs.";
        }
    };
}

macro_rules! declare {
    ($($Fn:ident $name:literal ($($operand:ident),+) $domain:ident $rule:ident $commutes:ident $doc:literal;)+) => {
        /// A function of single elements.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum ScalarFn {
            $(#[doc = $doc] $Fn,)+
        }

        impl ScalarFn {
            /// Every function, in the order of the table.
            pub const ALL: &'static [ScalarFn] = &[$(ScalarFn::$Fn),+];

            /// Its name, as in IR text.
            pub const fn name(self) -> &'static str {
                match self { $(ScalarFn::$Fn => $name,)+ }
            }

            /// How many operands it takes.
            pub const fn arity(self) -> usize {
                match self { $(ScalarFn::$Fn => [$(stringify!($operand)),+].len(),)+ }
            }

            /// Which dtypes it takes.
            pub const fn domain(self) -> Domain {
                match self { $(ScalarFn::$Fn => Domain::$domain,)+ }
            }

            /// What the result's dtype is.
            pub const fn rule(self) -> ResultRule {
                match self { $(ScalarFn::$Fn => ResultRule::$rule,)+ }
            }

            /// Whether its operands may be exchanged.
            pub const fn commutes(self) -> bool {
                match self { $(ScalarFn::$Fn => $commutes,)+ }
            }

            /// What it computes.
            pub const fn doc(self) -> &'static str {
                match self { $(ScalarFn::$Fn => $doc,)+ }
            }
        }
    };
}
for_each_scalar_fn!(declare);

impl ScalarFn {
    /// The dtype of the result, or what is wrong with the operands' dtypes.
    pub fn result(self, operands: &[DType]) -> Result<DType, String> {
        if operands.len() != self.arity() {
            return Err(format!("takes {} operands, was given {}", self.arity(), operands.len()));
        }
        let main = match self.rule() {
            ResultRule::Select => {
                if operands[0] != DType::Bool {
                    return Err(format!("the condition is {}, not bool", operands[0]));
                }
                &operands[1..]
            }
            ResultRule::Same | ResultRule::Bool | ResultRule::Real => operands,
        };
        let dtype = main[0];
        if let Some(other) = main.iter().find(|it| **it != dtype) {
            return Err(format!("operands differ in dtype: {dtype} and {other}"));
        }
        if !self.domain().has(dtype) {
            return Err(format!("is not defined on {dtype}"));
        }
        Ok(match (self.rule(), dtype) {
            (ResultRule::Bool, _) => DType::Bool,
            (ResultRule::Real, _) => dtype.part().unwrap_or(dtype),
            _ => dtype,
        })
    }
}
