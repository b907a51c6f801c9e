//! Evaluation and substitution.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{
    arith::{Poly, from_mono},
    construct::{floor_quotient, is_dense},
    expr::{Atom, Call, Expr, Mono, Repr, Term},
    fun::{Fun, Unary},
    real::{Number, exact_int},
};

/// Why an expression has no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EvalError {
    /// The symbol has no value.
    Unbound(Arc<str>),
    /// A division by zero.
    DivisionByZero,
    /// A value outside `i64`, or an intermediate one outside 128 bits.
    Overflow,
    /// A floating-point number where an integer is needed, or one that has no integer.
    NotAnInteger,
    /// A power with a negative exponent.
    NegativeExponent,
    /// The expression is [`Expr::undefined`].
    Undefined,
}

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EvalError::Unbound(name) => write!(f, "the symbol `{name}` has no value"),
            EvalError::DivisionByZero => f.write_str("division by zero"),
            EvalError::Overflow => f.write_str("the value does not fit in 64 bits"),
            EvalError::NotAnInteger => f.write_str("the value is not an integer"),
            EvalError::NegativeExponent => f.write_str("the exponent is negative"),
            EvalError::Undefined => f.write_str("the expression is too large to have a value"),
        }
    }
}

impl std::error::Error for EvalError {}

/// A number while it is computed: integers have 128 bits, so that `a*c - b*c` has a value
/// whenever `(a - b)*c` has.
#[derive(Clone, Copy)]
enum Wide {
    Int(i128),
    Float(f64),
}

type Binding<'a> = &'a dyn Fn(&str) -> Option<Number>;

impl Expr {
    /// The value under a binding of the symbols to integers.
    pub fn eval(&self, f: &dyn Fn(&str) -> Option<i64>) -> Result<i64, EvalError> {
        match self.eval_number(&|name| f(name).map(Number::Int))? {
            Number::Int(it) => Ok(it),
            Number::Float(_) => Err(EvalError::NotAnInteger),
        }
    }

    /// The value under a binding of the symbols to numbers of either kind.
    pub fn eval_number(&self, f: &dyn Fn(&str) -> Option<Number>) -> Result<Number, EvalError> {
        match eval(self, f)? {
            Wide::Int(it) => i64::try_from(it).map(Number::Int).map_err(|_| EvalError::Overflow),
            Wide::Float(it) => Ok(Number::Float(it)),
        }
    }

    /// Replaces symbols all at once; one for which `f` gives nothing stays.
    pub fn subst(&self, f: &dyn Fn(&str) -> Option<Expr>) -> Expr {
        match &self.0 {
            Repr::Int(_) | Repr::Undefined => self.clone(),
            Repr::Sym(name) => f(name).unwrap_or_else(|| self.clone()),
            Repr::Call(call) => {
                let args: Vec<Expr> = call.args.iter().map(|it| it.subst(f)).collect();
                if args == call.args.as_slice() { self.clone() } else { apply(call.fun, &args) }
            }
            Repr::Sum(_) => self.map_atoms(&mut |atom| match atom {
                Atom::Sym(name) => f(name),
                Atom::Call(_) => Some(atom.to_expr().subst(f)),
            }),
        }
    }

    /// The expression with atoms replaced; one for which `f` gives nothing stays.
    pub(crate) fn map_atoms(&self, f: &mut dyn FnMut(&Atom) -> Option<Expr>) -> Expr {
        let mut replace = |atom: &Atom| f(atom).filter(|it| !it.is_atom(atom));
        match &self.0 {
            Repr::Int(_) | Repr::Undefined => self.clone(),
            Repr::Sym(_) | Repr::Call(_) => {
                let atom = self.as_atom();
                atom.as_ref().and_then(replace).unwrap_or_else(|| self.clone())
            }
            Repr::Sum(sum) => {
                let factors = || sum.terms.iter().flat_map(|it| &it.mono);
                let replacements: SmallVec<[Option<Expr>; 8]> =
                    factors().map(|it| replace(&it.atom)).collect();
                if replacements.iter().all(Option::is_none) {
                    return self.clone();
                }
                let mut rest = replacements.into_iter();
                let mut total = Poly::default();
                total.add_int(sum.constant.into());
                for term in &sum.terms {
                    total.add(&map_term(term, &mut rest));
                }
                total.finish()
            }
        }
    }
}

/// The term with each factor replaced by the next of the replacements, if it has one.
fn map_term(term: &Term, replacements: &mut dyn Iterator<Item = Option<Expr>>) -> Expr {
    let mut kept = Mono::new();
    let mut product = Expr::int(1);
    for (factor, replacement) in term.mono.iter().zip(replacements) {
        match replacement {
            Some(by) => {
                product = product * by.pow_by_natural(&Expr::int(factor.power.into()));
            }
            None => kept.push(factor.clone()),
        }
    }
    product * from_mono(kept, term.coefficient)
}

/// Applies the constructor of a function; the number of arguments is right.
pub(crate) fn apply(fun: Fun, args: &[Expr]) -> Expr {
    match (fun, args) {
        (Fun::FloorDiv, [a, b]) => a.floor_div(b),
        (Fun::Mod, [a, b]) => a.modulo(b),
        (Fun::Min, _) => Expr::min_of(args),
        (Fun::Max, _) => Expr::max_of(args),
        (Fun::Abs, [a]) => a.abs(),
        (Fun::Pow, [a, b]) => a.pow_by_natural(b),
        (Fun::BitAnd, [a, b]) => a.bit_and(b),
        (Fun::BitOr, [a, b]) => a.bit_or(b),
        (Fun::Prod, [a, b]) => a * b,
        (Fun::Le, [a, b]) => a.at_most(b),
        (Fun::Lt, [a, b]) => a.below(b),
        (Fun::Eq, [a, b]) => a.equals(b),
        (Fun::Not, [a]) => a.logical_not(),
        (Fun::And, _) => Expr::all_of(args),
        (Fun::Or, _) => Expr::any_of(args),
        (Fun::Where, [c, a, b]) => Expr::select(c, a, b),
        (Fun::Dense, _) if args.len().is_multiple_of(2) => {
            let (sizes, strides) = args.split_at(args.len() / 2);
            Expr::dense(sizes, strides)
        }
        (Fun::Float(bits), []) => Expr::float(f64::from_bits(bits)),
        (Fun::ToFloat, [a]) => a.to_float(),
        (Fun::IntTrueDiv, [a, b]) => a.int_true_div(b),
        (Fun::FloatTrueDiv, [a, b]) => a.float_true_div(b),
        (Fun::FloatPow, [a, b]) => a.float_pow(b),
        (Fun::FloatAdd, [a, b]) => a.float_add(b),
        (Fun::FloatMul, [a, b]) => a.float_mul(b),
        (Fun::TruncToFloat, [a]) => a.trunc_to_float(),
        (Fun::RoundDecimal, [a, b]) => a.round_decimal(b),
        (Fun::FloorToInt, [a]) => a.floor_to_int(),
        (Fun::CeilToInt, [a]) => a.ceil_to_int(),
        (Fun::TruncToInt, [a]) => a.trunc_to_int(),
        (Fun::RoundToInt, [a]) => a.round_to_int(),
        (Fun::Opaque(unary), [a]) => Expr::opaque(unary, a),
        _ => Expr::undefined(),
    }
}

fn eval(expr: &Expr, f: Binding<'_>) -> Result<Wide, EvalError> {
    match &expr.0 {
        Repr::Int(it) => Ok(Wide::Int((*it).into())),
        Repr::Undefined => Err(EvalError::Undefined),
        Repr::Sym(name) => eval_symbol(name, expr.is_real(), f),
        Repr::Call(call) => eval_call(call, f),
        Repr::Sum(sum) => {
            let mut total = i128::from(sum.constant);
            for term in &sum.terms {
                let mut product = i128::from(term.coefficient);
                for factor in &term.mono {
                    let value = match &factor.atom {
                        Atom::Sym(name) => eval_symbol(name, false, f)?,
                        Atom::Call(call) => eval_call(call, f)?,
                    };
                    let Wide::Int(value) = value else {
                        return Err(EvalError::NotAnInteger);
                    };
                    let power = value.checked_pow(factor.power).ok_or(EvalError::Overflow)?;
                    product = product.checked_mul(power).ok_or(EvalError::Overflow)?;
                }
                total = total.checked_add(product).ok_or(EvalError::Overflow)?;
            }
            Ok(Wide::Int(total))
        }
    }
}

fn eval_symbol(name: &Arc<str>, real: bool, f: Binding<'_>) -> Result<Wide, EvalError> {
    match f(name) {
        None => Err(EvalError::Unbound(name.clone())),
        Some(it) if real => Ok(Wide::Float(it.to_f64())),
        Some(Number::Int(it)) => Ok(Wide::Int(it.into())),
        Some(Number::Float(_)) => Err(EvalError::NotAnInteger),
    }
}

impl Wide {
    fn to_f64(self) -> f64 {
        match self {
            Wide::Int(it) => it as f64,
            Wide::Float(it) => it,
        }
    }

    fn is_true(self) -> bool {
        match self {
            Wide::Int(it) => it != 0,
            Wide::Float(it) => it != 0.0,
        }
    }

    fn compare(self, other: Wide) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Wide::Int(a), Wide::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.to_f64().partial_cmp(&b.to_f64()),
        }
    }
}

fn eval_call(call: &Call, f: Binding<'_>) -> Result<Wide, EvalError> {
    match eval_function(call, f)? {
        Wide::Int(it) if call.is_real() => Ok(Wide::Float(it as f64)),
        it => Ok(it),
    }
}

fn eval_function(call: &Call, f: Binding<'_>) -> Result<Wide, EvalError> {
    let arg = |at: usize| match call.args.get(at) {
        Some(it) => eval(it, f),
        None => Err(EvalError::Undefined),
    };
    let int = |at: usize| match arg(at)? {
        Wide::Int(it) => Ok(it),
        Wide::Float(_) => Err(EvalError::NotAnInteger),
    };
    let real = |at: usize| arg(at).map(Wide::to_f64);
    let truth = |it: bool| Ok(Wide::Int(it.into()));
    let float = |it: f64| Ok(Wide::Float(it));
    let rounded = |it: f64| match exact_int(it) {
        Some(it) => Ok(Wide::Int(it.into())),
        None => Err(EvalError::NotAnInteger),
    };
    match call.fun {
        Fun::FloorDiv | Fun::Mod => {
            let (n, d) = (int(0)?, int(1)?);
            if d == 0 {
                return Err(EvalError::DivisionByZero);
            }
            // Only the least integer by -1 has no quotient.
            let _ = n.checked_div(d).ok_or(EvalError::Overflow)?;
            let quotient = floor_quotient(n, d);
            Ok(Wide::Int(if call.fun == Fun::Mod { n - d * quotient } else { quotient }))
        }
        Fun::Min | Fun::Max => {
            let wanted = match call.fun {
                Fun::Min => std::cmp::Ordering::Less,
                _ => std::cmp::Ordering::Greater,
            };
            (1..call.args.len()).try_fold(arg(0)?, |best, at| {
                let next = arg(at)?;
                Ok(if next.compare(best) == Some(wanted) { next } else { best })
            })
        }
        Fun::Abs => match arg(0)? {
            Wide::Int(it) => it.checked_abs().map(Wide::Int).ok_or(EvalError::Overflow),
            Wide::Float(it) => float(it.abs()),
        },
        Fun::Pow => eval_power(int(0)?, int(1)?).map(Wide::Int),
        Fun::BitAnd => Ok(Wide::Int(int(0)? & int(1)?)),
        Fun::BitOr => Ok(Wide::Int(int(0)? | int(1)?)),
        Fun::Prod => int(0)?.checked_mul(int(1)?).map(Wide::Int).ok_or(EvalError::Overflow),
        Fun::Le => truth(arg(0)?.compare(arg(1)?).is_some_and(|it| it.is_le())),
        Fun::Lt => truth(arg(0)?.compare(arg(1)?).is_some_and(|it| it.is_lt())),
        Fun::Eq => truth(arg(0)?.compare(arg(1)?).is_some_and(|it| it.is_eq())),
        Fun::Not => truth(!arg(0)?.is_true()),
        Fun::And => decided_by(false, (0..call.args.len()).map(arg)),
        Fun::Or => decided_by(true, (0..call.args.len()).map(arg)),
        Fun::Where => arg(if arg(0)?.is_true() { 1 } else { 2 }),
        Fun::Dense => {
            let values: Result<Vec<i64>, EvalError> = (0..call.args.len())
                .map(|at| i64::try_from(int(at)?).map_err(|_| EvalError::Overflow))
                .collect();
            truth(is_dense(&values?))
        }
        Fun::Float(bits) => float(f64::from_bits(bits)),
        Fun::ToFloat => float(real(0)?),
        Fun::IntTrueDiv | Fun::FloatTrueDiv => match real(1)? {
            0.0 => Err(EvalError::DivisionByZero),
            divisor => float(real(0)? / divisor),
        },
        Fun::FloatPow => float(real(0)?.powf(real(1)?)),
        Fun::FloatAdd => float(real(0)? + real(1)?),
        Fun::FloatMul => float(real(0)? * real(1)?),
        Fun::TruncToFloat => float(real(0)?.trunc()),
        // Beyond this the number or the power of ten is out of a double's range anyway.
        Fun::RoundDecimal => float(round_decimal(real(0)?, int(1)?.clamp(-400, 400) as i32)),
        Fun::FloorToInt => rounded(real(0)?.floor()),
        Fun::CeilToInt => rounded(real(0)?.ceil()),
        Fun::TruncToInt => rounded(real(0)?.trunc()),
        Fun::RoundToInt => rounded(real(0)?.round_ties_even()),
        Fun::Opaque(unary) => float(eval_unary(unary, real(0)?)),
    }
}

/// As Python rounds, by the number's exact digits, half to even; the C++ computes the same.
fn round_decimal(value: f64, digits: i32) -> f64 {
    const INTEGERS: f64 = 4_503_599_627_370_496.0;
    let scale = (0..digits.abs()).fold(1.0, |scale, _| scale * 10.0);
    let scaled = if digits < 0 { value / scale } else { value * scale };
    if !scaled.is_finite() || INTEGERS <= scaled.abs() {
        return if digits < 0 { scaled * scale } else { value };
    }
    // The scaled number is rounded itself; where that makes a tie, its error decides.
    let error = match digits {
        0.. => value.mul_add(scale, -scaled),
        _ => (-scaled).mul_add(scale, value),
    };
    let is_tie = scaled.fract().abs() == 0.5;
    let whole = match error {
        _ if !is_tie => scaled.round_ties_even(),
        0.0 => scaled.round_ties_even(),
        0.0.. => scaled.ceil(),
        _ => scaled.floor(),
    };
    if digits < 0 { whole * scale } else { whole / scale }
}

/// One operand decides alone; so the order of operands, which is not that of the source, does not
/// matter, and `x != 0 and y//x == 1` has a value for every `x`.
fn decided_by(
    decisive: bool,
    operands: impl Iterator<Item = Result<Wide, EvalError>>,
) -> Result<Wide, EvalError> {
    let mut failure = None;
    for operand in operands {
        match operand {
            Ok(it) if it.is_true() == decisive => return Ok(Wide::Int(decisive.into())),
            Ok(_) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(Wide::Int((!decisive).into())), Err)
}

fn eval_power(base: i128, exponent: i128) -> Result<i128, EvalError> {
    match (base, exponent) {
        (_, ..=-1) => Err(EvalError::NegativeExponent),
        (0, 1..) => Ok(0),
        (1, _) => Ok(1),
        (-1, _) => Ok(if exponent % 2 == 0 { 1 } else { -1 }),
        _ => {
            let exponent = u32::try_from(exponent).map_err(|_| EvalError::Overflow)?;
            base.checked_pow(exponent).ok_or(EvalError::Overflow)
        }
    }
}

fn eval_unary(unary: Unary, it: f64) -> f64 {
    match unary {
        Unary::Sqrt => it.sqrt(),
        Unary::Cos => it.cos(),
        Unary::Cosh => it.cosh(),
        Unary::Sin => it.sin(),
        Unary::Sinh => it.sinh(),
        Unary::Tan => it.tan(),
        Unary::Tanh => it.tanh(),
        Unary::Asin => it.asin(),
        Unary::Acos => it.acos(),
        Unary::Atan => it.atan(),
        Unary::Asinh => it.asinh(),
        Unary::Exp => it.exp(),
        Unary::Log => it.ln(),
        Unary::Log2 => it.log2(),
    }
}
