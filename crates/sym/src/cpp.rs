//! The printer of C++.

use smallvec::smallvec;

use crate::{
    arith::from_mono,
    expr::{Atom, Call, Expr, Factor, Repr, Term},
    factor::{self, Part},
    facts::Facts,
    fun::Fun,
    prove::{is_nonnegative, is_nonnegative_within, is_positive},
    range::{range, range_of_call},
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
/// Where the facts hold, no operation has undefined behaviour, and the value is right if it and
/// the arguments of all functions fit in 64 bits; else it is some integer. Plain operators stand
/// where a proof says that they do not overflow and that a quotient has no negative operand.
/// Floating-point parts agree to the bit if the compiler may not contract `a*b + c`.
pub fn to_cpp(expr: &Expr, facts: &Facts, name: &dyn Fn(&str) -> String) -> String {
    Printer { facts, name }.expr(expr).text
}

/// How tightly a text holds together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Sum,
    Quotient,
    Product,
    Primary,
}

#[derive(Clone)]
struct Text {
    text: String,
    level: Level,
    /// Whether there is a proof that nothing in it wraps. What is proven of the value is true of
    /// the computed one only then, and only then may a plain operator take it.
    exact: bool,
}

impl Text {
    fn new(text: String, level: Level) -> Text {
        Text { text, level, exact: true }
    }

    fn primary(text: String, exact: bool) -> Text {
        Text { text, level: Level::Primary, exact }
    }

    fn at(self, least: Level) -> String {
        if self.level < least { format!("({})", self.text) } else { self.text }
    }
}

fn literal(value: i64) -> Text {
    match value {
        // Its magnitude is no literal.
        i64::MIN => Text::new(format!("(-{} - 1)", i64::MAX), Level::Primary),
        0.. => Text::new(value.to_string(), Level::Primary),
        _ => Text::new(value.to_string(), Level::Sum),
    }
}

/// A part of a sum as text.
struct Addend {
    /// With its sign.
    value: Expr,
    /// Without it.
    text: Text,
    negative: bool,
    /// With its sign, where that belongs to a literal and so is no operation.
    signed: Option<Text>,
}

struct Printer<'a> {
    facts: &'a Facts,
    name: &'a dyn Fn(&str) -> String,
}

impl Printer<'_> {
    fn expr(&self, expr: &Expr) -> Text {
        match &expr.0 {
            Repr::Int(it) => literal(*it),
            Repr::Sym(it) => Text::new((self.name)(it), Level::Primary),
            Repr::Call(it) => self.call(it),
            Repr::Sum(sum) => self.sum(&sum.terms, sum.constant),
            // No value is right; this one at least is a value.
            Repr::Undefined => Text { exact: false, ..literal(0) },
        }
    }

    /// Whether there is a proof that the value fits in 64 bits.
    fn fits(&self, expr: &Expr) -> bool {
        if range(expr, self.facts).is_bounded() {
            return true;
        }
        match &expr.0 {
            Repr::Int(_) | Repr::Sym(_) => true,
            Repr::Call(_) | Repr::Sum(_) => {
                is_nonnegative_within(FITS_BUDGET, &(i64::MAX - expr), self.facts)
                    && is_nonnegative_within(FITS_BUDGET, &(expr + i64::MAX), self.facts)
            }
            Repr::Undefined => false,
        }
    }

    fn sum(&self, terms: &[Term], constant: i64) -> Text {
        let (parts, constant) = factor::parts(terms, constant);
        let mut addends: Vec<Addend> = parts.iter().map(|it| self.addend(it)).collect();
        if constant != 0 {
            let magnitude = constant.checked_abs().unwrap_or(constant);
            let negative = magnitude != constant;
            let (text, signed) = (literal(magnitude), Some(literal(constant)));
            addends.push(Addend { value: Expr::int(constant), text, negative, signed });
        }
        // `-a + b` has an operation more than `b - a`.
        if addends.first().is_some_and(|it| it.negative && it.signed.is_none())
            && let Some(at) = addends.iter().position(|it| !it.negative)
        {
            addends[..=at].rotate_right(1);
        }
        let mut total = Expr::int(0);
        let mut text: Option<Text> = None;
        for Addend { value, text: part, negative, signed } in addends {
            let mut exact = part.exact && text.as_ref().is_none_or(|it| it.exact);
            if exact {
                total = total + value;
                exact = self.fits(&total);
            }
            text = Some(match (text, negative) {
                (None, false) => part,
                (None, true) if signed.is_some() => signed.unwrap_or(part),
                (None, true) if exact => {
                    Text::new(format!("-{}", part.at(Level::Primary)), Level::Sum)
                }
                (None, true) => Text::primary(format!("tt_sub(0, {})", part.text), false),
                (Some(left), _) if exact => {
                    let sign = if negative { '-' } else { '+' };
                    let part = part.at(Level::Quotient);
                    Text::new(format!("{} {sign} {part}", left.text), Level::Sum)
                }
                (Some(left), _) => {
                    let helper = if negative { "tt_sub" } else { "tt_add" };
                    Text::primary(format!("{helper}({}, {})", left.text, part.text), false)
                }
            });
        }
        text.unwrap_or_else(|| literal(0))
    }

    /// A part of a sum, without its sign where that can be taken off.
    fn addend(&self, part: &Part) -> Addend {
        let value = part.to_expr();
        let plain = |text: Text| (text, false, None);
        let (text, negative, signed) = match part {
            Part::Term(term) => match (self.negated(term), term.coefficient.checked_neg()) {
                (Some(text), _) => plain(text),
                (None, Some(magnitude @ 1..)) => {
                    let signed = (magnitude != 1).then(|| self.term(term, term.coefficient));
                    (self.term(term, magnitude), true, signed)
                }
                (None, _) => plain(self.term(term, term.coefficient)),
            },
            Part::Product(outer, inner) => match outer.as_int().and_then(i64::checked_neg) {
                Some(magnitude @ 1..) => {
                    let magnitude = Expr::int(magnitude);
                    let text = self.product(&magnitude, inner, &(&magnitude * inner));
                    (text, true, Some(self.product(outer, inner, &value)))
                }
                _ => plain(self.product(outer, inner, &value)),
            },
            Part::Power(base, exponent) => plain(self.power(base, *exponent, &value)),
        };
        Addend { value, text, negative, signed }
    }

    /// A negative multiple of a quotient or remainder of what is negated itself, without the
    /// double negation: `-((-a)//b)` rounds up, and `-((-a) % 8)` is `a % -8`.
    fn negated(&self, term: &Term) -> Option<Text> {
        let magnitude = term.coefficient.checked_neg().filter(|it| 0 < *it)?;
        let [Factor { atom: Atom::Call(call), power: 1 }] = term.mono.as_slice() else {
            return None;
        };
        let (n, d) = (call.args.first()?, call.args.get(1)?);
        let (n, is_negative) = (-n, n.constant_term() <= 0);
        if n.is_undefined() || !is_negative || n.to_terms().iter().any(|it| it.coefficient < 0) {
            return None;
        }
        let (helper, by, stays) = match call.fun {
            Fun::FloorDiv => {
                let stays = range_of_call(call, self.facts).is_bounded();
                ("tt_ceildiv", d.clone(), stays || is_positive(d, self.facts))
            }
            Fun::Mod => ("tt_mod", Expr::int(d.as_int()?.checked_neg()?), true),
            _ => return None,
        };
        let (n, by) = (self.expr(&n), self.expr(&by));
        let exact = n.exact && by.exact && stays;
        let one = Text::primary(format!("{helper}({}, {})", n.text, by.text), exact);
        if magnitude == 1 {
            return Some(one);
        }
        let value = from_mono(term.mono.clone(), term.coefficient);
        Some(match exact && self.fits(&value) {
            true => Text::new(format!("{magnitude}*{}", one.text), Level::Product),
            false => Text::primary(format!("tt_mul({magnitude}, {})", one.text), false),
        })
    }

    fn power(&self, base: &Expr, exponent: u32, value: &Expr) -> Text {
        let base = self.expr(base);
        match base.exact && self.fits(value) {
            _ if exponent != 2 => {
                let exact = base.exact && self.fits(value);
                Text::primary(format!("tt_pow({}, {exponent})", base.text), exact)
            }
            true => {
                let base = base.at(Level::Primary);
                Text::new(format!("{base}*{base}"), Level::Product)
            }
            false => Text::primary(format!("tt_mul({0}, {0})", base.text), false),
        }
    }

    fn product(&self, outer: &Expr, inner: &Expr, value: &Expr) -> Text {
        let is_literal = outer.as_int().is_some_and(|it| it != i64::MIN);
        let (outer, inner) = (self.expr(outer), self.expr(inner));
        match outer.exact && inner.exact && self.fits(value) {
            true => {
                // A negative literal stands in front, where it binds as it should.
                let outer = if is_literal { outer.text } else { outer.at(Level::Product) };
                Text::new(format!("{outer}*{}", inner.at(Level::Primary)), Level::Product)
            }
            false => Text::primary(format!("tt_mul({}, {})", outer.text, inner.text), false),
        }
    }

    /// `coefficient` times the atoms of the term.
    fn term(&self, term: &Term, coefficient: i64) -> Text {
        let mut product = Expr::int(coefficient);
        let mut text = (coefficient != 1).then(|| literal(coefficient));
        for Factor { atom, power } in &term.mono {
            let mut part = self.expr(&atom.to_expr());
            let mut steps = *power;
            if UNROLLED_POWER < *power {
                let exact = part.exact && self.fits(&power_of(atom, *power));
                part = Text::primary(format!("tt_pow({}, {power})", part.text), exact);
                steps = 1;
            }
            for _ in 0..steps {
                product = product * power_of(atom, power / steps);
                let held = text.as_ref().is_none_or(|it| it.exact);
                let exact = held && part.exact && self.fits(&product);
                let by = part.clone();
                text = Some(match text {
                    None => by,
                    Some(left) if exact => {
                        // A negative coefficient stands in front, where it binds as it should.
                        let left = match left.text.starts_with('-') {
                            true => left.text,
                            false => left.at(Level::Product),
                        };
                        Text::new(format!("{left}*{}", by.at(Level::Primary)), Level::Product)
                    }
                    Some(left) => {
                        Text::primary(format!("tt_mul({}, {})", left.text, by.text), false)
                    }
                });
            }
        }
        text.unwrap_or_else(|| literal(coefficient))
    }

    fn call(&self, call: &Call) -> Text {
        let args: Vec<Text> = call.args.iter().map(|it| self.expr(it)).collect();
        let exact = args.iter().all(|it| it.exact);
        // What can leave 64 bits although its arguments do not.
        let exact = exact
            && match call.fun {
                Fun::Pow | Fun::Prod | Fun::Abs | Fun::FloorDiv if !call.is_real() => {
                    range_of_call(call, self.facts).is_bounded()
                        || call.args.get(1).is_some_and(|it| {
                            call.fun == Fun::FloorDiv && is_positive(it, self.facts)
                        })
                }
                _ => true,
            };
        let arg = |at: usize| args.get(at).cloned().unwrap_or_else(|| literal(0));
        let list = || args.iter().map(|it| it.text.as_str()).collect::<Vec<&str>>().join(", ");
        let primary = |it: String| Text::primary(it, exact);
        let function = |name: &str| primary(format!("{name}({})", list()));
        let infix = |operator: &str| {
            let operand = |at: usize| arg(at).at(Level::Primary);
            primary(format!("({} {operator} {})", operand(0), operand(1)))
        };
        let rounded = |name: &str| primary(format!("tt_toint(__builtin_{name}({}))", list()));
        let folded = |name: &str| {
            let join = |held: String, it: &Text| format!("{name}({held}, {})", it.text);
            primary(args.iter().skip(1).fold(arg(0).text, join))
        };
        match call.fun {
            Fun::FloorDiv | Fun::Mod => self.division(call, arg(0), arg(1), exact),
            Fun::Min if call.is_real() => folded("tt_fmin"),
            Fun::Max if call.is_real() => folded("tt_fmax"),
            Fun::Min => folded("tt_min"),
            Fun::Max => folded("tt_max"),
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
                let (then, otherwise) = (arg(1).text, arg(2).text);
                primary(format!("({condition} ? {kind}({then}) : {kind}({otherwise}))"))
            }
            Fun::Float(bits) => float(f64::from_bits(bits)),
            Fun::ToFloat => function("double"),
            Fun::IntTrueDiv => {
                primary(format!("(double({}) / double({}))", arg(0).text, arg(1).text))
            }
            Fun::FloatTrueDiv => infix("/"),
            Fun::FloatAdd => infix("+"),
            Fun::FloatMul => infix("*"),
            Fun::FloatPow => function("__builtin_pow"),
            Fun::TruncToFloat => function("__builtin_trunc"),
            Fun::RoundDecimal => function("tt_round"),
            Fun::FloorToInt => rounded("floor"),
            Fun::CeilToInt => rounded("ceil"),
            Fun::TruncToInt => rounded("trunc"),
            Fun::RoundToInt => rounded("nearbyint"),
            Fun::Opaque(unary) => function(&format!("__builtin_{}", unary.name())),
        }
    }

    /// A divisor that wraps could become zero, which only the helpers catch; a numerator that
    /// wraps gives a wrong quotient and no harm.
    fn division(&self, call: &Call, n: Text, d: Text, exact: bool) -> Text {
        let modulo = call.fun == Fun::Mod;
        let plain = d.exact
            && call.args.first().is_some_and(|it| is_nonnegative(it, self.facts))
            && call.args.get(1).is_some_and(|it| is_positive(it, self.facts));
        if plain {
            let operator = if modulo { '%' } else { '/' };
            let text = format!("{} {operator} {}", n.at(Level::Product), d.at(Level::Primary));
            return Text { text, level: Level::Quotient, exact };
        }
        let helper = if modulo { "tt_mod" } else { "tt_floordiv" };
        Text::primary(format!("{helper}({}, {})", n.text, d.text), exact)
    }

    /// A text of type `bool`, in parentheses or a call.
    fn condition(&self, expr: &Expr) -> String {
        match expr.as_call() {
            Some(call) if call.fun.is_truth() => self.condition_of(call),
            _ => format!("({} != 0)", self.expr(expr).at(Level::Primary)),
        }
    }

    /// `a <= b`, which between integers is `a - 1 < b`.
    fn at_most(&self, args: &[Expr]) -> String {
        let [a, b] = args else { return String::new() };
        let is_real = a.is_real() || b.is_real();
        let (a, relation, b) = match (a.constant_term(), b.constant_term()) {
            (1, _) if !is_real && a.as_int().is_none() => (&(a - 1), "<", b),
            (_, -1) if !is_real && b.as_int().is_none() => (a, "<", &(b + 1)),
            _ => (a, "<=", b),
        };
        format!("({} {relation} {})", self.expr(a).text, self.expr(b).text)
    }

    fn condition_of(&self, call: &Call) -> String {
        let joined = |operator: &str| {
            let parts: Vec<String> = call.args.iter().map(|it| self.condition(it)).collect();
            format!("({})", parts.join(operator))
        };
        let relation = |operator: &str| {
            let sides: Vec<String> = call.args.iter().map(|it| self.expr(it).text).collect();
            format!("({})", sides.join(operator))
        };
        match call.fun {
            Fun::Le => self.at_most(&call.args),
            Fun::Lt => relation(" < "),
            Fun::Eq => relation(" == "),
            Fun::And => joined(" && "),
            Fun::Or => joined(" || "),
            Fun::Not => match call.args.first().and_then(Expr::as_call) {
                Some(of) if of.fun == Fun::Eq => {
                    let sides: Vec<String> = of.args.iter().map(|it| self.expr(it).text).collect();
                    format!("({})", sides.join(" != "))
                }
                _ => format!("!{}", joined("")),
            },
            _ => {
                let args: Vec<String> = call.args.iter().map(|it| self.expr(it).text).collect();
                format!("tt_dense({})", args.join(", "))
            }
        }
    }
}

fn power_of(atom: &Atom, power: u32) -> Expr {
    from_mono(smallvec![Factor { atom: atom.clone(), power }], 1)
}

fn float(value: f64) -> Text {
    if value.is_nan() {
        return Text::new("__builtin_nan(\"\")".to_owned(), Level::Primary);
    }
    let magnitude = match value.is_infinite() {
        true => "__builtin_inf()".to_owned(),
        // The shortest text that reads back as the same number.
        false => format!("{:?}", value.abs()),
    };
    match value.is_sign_negative() {
        true => Text::new(format!("-{magnitude}"), Level::Sum),
        false => Text::new(magnitude, Level::Primary),
    }
}
