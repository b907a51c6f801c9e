//! The printer of C++.

use crate::{
    arith::from_mono,
    expr::{Call, Expr, Factor, Repr, Term},
    facts::Facts,
    fun::Fun,
    prove::{is_nonnegative, is_nonnegative_within, is_positive},
    range::range,
};

/// The helper functions that printed expressions call: C++11, without any header.
pub const CPP_PRELUDE: &str = include_str!("prelude.h");

/// Larger powers of an atom call a function.
const UNROLLED_POWER: u32 = 3;

/// How long a proof may be that a sum fits in 64 bits: there are many, and few need relations.
const FITS_BUDGET: u32 = 6;

/// A C++ expression of the value that [`Expr::eval`] gives, to be assigned to an `int64_t`
/// (to a `double`, if [`Expr::is_real`]).
///
/// `name` gives the C++ for a symbol: an identifier, a literal, or something in parentheses, of
/// type `int64_t`, or `double` for a floating-point symbol. The text needs [`CPP_PRELUDE`].
///
/// The value is right wherever the facts hold, and it and the operands of its divisions and
/// comparisons fit in 64 bits. Elsewhere it is some other integer: no operation has undefined
/// behaviour. Plain operators stand where a proof says that they do not overflow and that a
/// quotient has no negative operand.
pub fn to_cpp(expr: &Expr, facts: &Facts, name: &dyn Fn(&str) -> String) -> String {
    Printer { facts, name }.expr(expr).0
}

/// How tightly a text holds together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Sum,
    Quotient,
    Product,
    Primary,
}

type Text = (String, Level);

struct Printer<'a> {
    facts: &'a Facts,
    name: &'a dyn Fn(&str) -> String,
}

fn literal(value: i64) -> Text {
    match value {
        // Its magnitude is no literal.
        i64::MIN => (format!("(-{} - 1)", i64::MAX), Level::Primary),
        0.. => (value.to_string(), Level::Primary),
        _ => (value.to_string(), Level::Sum),
    }
}

fn at_level((text, level): Text, least: Level) -> String {
    if level < least { format!("({text})") } else { text }
}

impl Printer<'_> {
    fn expr(&self, expr: &Expr) -> Text {
        match &expr.0 {
            Repr::Int(it) => literal(*it),
            Repr::Sym(it) => ((self.name)(it), Level::Primary),
            Repr::Call(it) => self.call(it),
            Repr::Sum(sum) => self.sum(&sum.terms, sum.constant),
            // No value is right; this one at least is a value.
            Repr::Undefined => literal(0),
        }
    }

    /// Whether there is a proof that the value fits in 64 bits.
    fn fits(&self, expr: &Expr) -> bool {
        match &expr.0 {
            // What has a name or is the result of a function has a type, and fits it.
            Repr::Int(_) | Repr::Sym(_) | Repr::Call(_) => true,
            Repr::Undefined => false,
            Repr::Sum(_) => {
                range(expr, self.facts).is_bounded()
                    || is_nonnegative_within(FITS_BUDGET, &(i64::MAX - expr), self.facts)
                        && is_nonnegative_within(FITS_BUDGET, &(expr + i64::MAX), self.facts)
            }
        }
    }

    fn sum(&self, terms: &[Term], constant: i64) -> Text {
        let mut total = Expr::int(0);
        // Whether the text so far has a value that surely fits.
        let mut fitting = true;
        let mut text: Text = (String::new(), Level::Sum);
        let constant = (constant != 0).then(|| (Expr::int(constant), None));
        let terms = terms.iter().map(|it| (from_mono(it.mono.clone(), it.coefficient), Some(it)));
        for (at, (addend, term)) in terms.chain(constant).enumerate() {
            let first = at == 0;
            total = total + &addend;
            let magnitude = -&addend;
            let coefficient = term.map_or(addend.constant_term(), |it| it.coefficient);
            // What cannot be negated is added as it is, and so is `-2*s0` at the beginning.
            let negated = coefficient < 0 && !magnitude.is_undefined();
            let subtract = negated && (!first || coefficient == -1);
            let part = match (term, subtract) {
                (Some(term), true) => self.term(term, coefficient.wrapping_neg()),
                (Some(term), false) => self.term(term, coefficient),
                (None, true) => self.expr(&magnitude),
                (None, false) => self.expr(&addend),
            };
            let exact = fitting && self.fits(&addend);
            fitting = if first { self.fits(&total) } else { exact && self.fits(&total) };
            text = match (first, subtract) {
                (true, false) => part,
                (true, true) if fitting => {
                    (format!("-{}", at_level(part, Level::Primary)), Level::Sum)
                }
                (true, true) => (format!("tt_sub(0, {})", part.0), Level::Primary),
                (false, _) if fitting => {
                    let sign = if subtract { '-' } else { '+' };
                    (format!("{} {sign} {}", text.0, at_level(part, Level::Quotient)), Level::Sum)
                }
                (false, _) => {
                    let helper = if subtract { "tt_sub" } else { "tt_add" };
                    (format!("{helper}({}, {})", text.0, part.0), Level::Primary)
                }
            };
        }
        text
    }

    /// `coefficient` times the atoms of the term.
    fn term(&self, term: &Term, coefficient: i64) -> Text {
        let mut product = Expr::int(coefficient);
        let mut text = (coefficient != 1).then(|| literal(coefficient));
        for Factor { atom, power } in &term.mono {
            let (part, times) = match (power, atom) {
                (1..=UNROLLED_POWER, _) => (self.expr(&atom.to_expr()), *power),
                _ => {
                    let base = self.expr(&atom.to_expr()).0;
                    ((format!("tt_pow({base}, {power})"), Level::Primary), 1)
                }
            };
            for step in 1..=times {
                let by = Factor { atom: atom.clone(), power: if times == 1 { *power } else { 1 } };
                product = product * from_mono(smallvec::smallvec![by], 1);
                text = Some(match text {
                    None if step == 1 => part.clone(),
                    Some(text) if self.fits(&product) => {
                        let part = at_level(part.clone(), Level::Primary);
                        // A negative factor may only stand in front.
                        let text = if text.1 == Level::Sum && text.0.starts_with('-') {
                            text.0
                        } else {
                            at_level(text, Level::Product)
                        };
                        (format!("{text}*{part}"), Level::Product)
                    }
                    text => {
                        let left = text.map_or_else(|| "1".to_owned(), |it| it.0);
                        (format!("tt_mul({left}, {})", part.0), Level::Primary)
                    }
                });
            }
        }
        text.unwrap_or_else(|| literal(coefficient))
    }

    fn call(&self, call: &Call) -> Text {
        let arg = |at: usize| call.args.get(at).map_or_else(|| literal(0), |it| self.expr(it));
        let list = || call.args.iter().map(|it| self.expr(it).0).collect::<Vec<_>>().join(", ");
        let primary = |it: String| (it, Level::Primary);
        let function = |name: &str| primary(format!("{name}({})", list()));
        let infix = |operator: &str| {
            let operand = |at: usize| at_level(arg(at), Level::Primary);
            primary(format!("({} {operator} {})", operand(0), operand(1)))
        };
        match call.fun {
            Fun::FloorDiv | Fun::Mod => self.division(call),
            Fun::Min if call.is_real() => self.folded("tt_fmin", call),
            Fun::Max if call.is_real() => self.folded("tt_fmax", call),
            Fun::Min => self.folded("tt_min", call),
            Fun::Max => self.folded("tt_max", call),
            Fun::Abs if call.is_real() => function("__builtin_fabs"),
            Fun::Abs => function("tt_abs"),
            Fun::Pow => function("tt_pow"),
            Fun::Prod => function("tt_mul"),
            Fun::BitAnd => infix("&"),
            Fun::BitOr => infix("|"),
            Fun::Le | Fun::Lt | Fun::Eq | Fun::Not | Fun::And | Fun::Or | Fun::Dense => {
                primary(format!("tt_int({})", self.condition_of(call)))
            }
            Fun::Where => {
                let kind = if call.is_real() { "double" } else { "tt_int" };
                let condition = call.args.first().map_or_else(String::new, |it| self.condition(it));
                primary(format!("({condition} ? {kind}({}) : {kind}({}))", arg(1).0, arg(2).0))
            }
            Fun::Float(bits) => float(f64::from_bits(bits)),
            Fun::ToFloat => function("double"),
            Fun::IntTrueDiv => primary(format!("(double({}) / double({}))", arg(0).0, arg(1).0)),
            Fun::FloatTrueDiv => infix("/"),
            Fun::FloatAdd => infix("+"),
            Fun::FloatMul => infix("*"),
            Fun::FloatPow => function("__builtin_pow"),
            Fun::TruncToFloat => function("__builtin_trunc"),
            Fun::RoundDecimal => function("tt_round"),
            Fun::FloorToInt => primary(format!("tt_toint(__builtin_floor({}))", list())),
            Fun::CeilToInt => primary(format!("tt_toint(__builtin_ceil({}))", list())),
            Fun::TruncToInt => primary(format!("tt_toint(__builtin_trunc({}))", list())),
            Fun::RoundToInt => primary(format!("tt_toint(__builtin_nearbyint({}))", list())),
            Fun::Opaque(unary) => primary(format!("__builtin_{}({})", unary.name(), list())),
        }
    }

    fn division(&self, call: &Call) -> Text {
        let [n, d] = call.args.as_slice() else { return literal(0) };
        let modulo = call.fun == Fun::Mod;
        // A divisor that wraps could become zero, which no helper would catch.
        if is_nonnegative(n, self.facts) && is_positive(d, self.facts) && self.fits(d) {
            let operator = if modulo { '%' } else { '/' };
            let n = at_level(self.expr(n), Level::Product);
            let d = at_level(self.expr(d), Level::Primary);
            return (format!("{n} {operator} {d}"), Level::Quotient);
        }
        let helper = if modulo { "tt_mod" } else { "tt_floordiv" };
        (format!("{helper}({}, {})", self.expr(n).0, self.expr(d).0), Level::Primary)
    }

    fn folded(&self, helper: &str, call: &Call) -> Text {
        let mut args = call.args.iter().map(|it| self.expr(it));
        let first = args.next().unwrap_or_else(|| literal(0));
        args.fold(first, |held, it| (format!("{helper}({}, {})", held.0, it.0), Level::Primary))
    }

    /// A text of type `bool`, in parentheses or a call.
    fn condition(&self, expr: &Expr) -> String {
        match expr.as_call() {
            Some(call) if call.fun.is_truth() => self.condition_of(call),
            _ => format!("({} != 0)", at_level(self.expr(expr), Level::Primary)),
        }
    }

    fn condition_of(&self, call: &Call) -> String {
        let joined = |operator: &str| {
            let parts: Vec<String> = call.args.iter().map(|it| self.condition(it)).collect();
            format!("({})", parts.join(operator))
        };
        let relation = |operator: &str| {
            let sides: Vec<String> = call.args.iter().map(|it| self.expr(it).0).collect();
            format!("({})", sides.join(operator))
        };
        match call.fun {
            Fun::Le => relation(" <= "),
            Fun::Lt => relation(" < "),
            Fun::Eq => relation(" == "),
            Fun::And => joined(" && "),
            Fun::Or => joined(" || "),
            Fun::Not => match call.args.first().and_then(Expr::as_call) {
                Some(of) if of.fun == Fun::Eq => {
                    let sides: Vec<String> = of.args.iter().map(|it| self.expr(it).0).collect();
                    format!("({})", sides.join(" != "))
                }
                _ => format!("!{}", joined("")),
            },
            _ => {
                let args: Vec<String> = call.args.iter().map(|it| self.expr(it).0).collect();
                format!("tt_dense({})", args.join(", "))
            }
        }
    }
}

fn float(value: f64) -> Text {
    if value.is_nan() {
        return ("__builtin_nan(\"\")".to_owned(), Level::Primary);
    }
    let magnitude = match value.is_infinite() {
        true => "__builtin_inf()".to_owned(),
        // The shortest text that reads back as the same number.
        false => format!("{:?}", value.abs()),
    };
    match value.is_sign_negative() {
        true => (format!("-{magnitude}"), Level::Sum),
        false => (magnitude, Level::Primary),
    }
}
