//! The reader of sympy's `srepr` text, which archives write for sizes.
//!
//! sympy has rational numbers in the middle of integer expressions, as in
//! `floor(Mul(Rational(1, 2), Symbol('s0')))`. So a value is read as a fraction, and rounding
//! makes an integer division of it; nothing passes through floating point unless the text says so.

use crate::{
    expr::{Expr, is_name},
    parse::{ParseError, Scanner},
};

/// Reads the `srepr` text of a size.
///
/// A fraction that nothing rounds is taken to be whole: `Mul(Rational(1, 2), Symbol('s0'))` is
/// `s0//2`, since a size is an integer. Relations and logic give 0 or 1.
///
/// ```
/// let text = "Add(Mul(Integer(2), Symbol('s0', positive=True, integer=True)), Integer(1))";
/// assert_eq!(sym::parse_srepr(text).unwrap().to_string(), "2*s0 + 1");
/// ```
pub fn parse_srepr(text: &str) -> Result<Expr, ParseError> {
    let mut scanner = Scanner::new(text);
    let value = value(&mut scanner)?.number(&scanner, 0)?;
    scanner.end()?;
    let size = value.floor();
    if size.is_undefined() {
        return Err(scanner.error_at(0, "the expression is too large"));
    }
    Ok(size)
}

/// `numerator / denominator`; the denominator is 1 when the numerator is floating-point.
#[derive(Clone)]
struct Fraction {
    numerator: Expr,
    denominator: Expr,
}

/// What an argument can be.
enum Value {
    Number(Fraction),
    /// A quoted name or number.
    Text(String),
    /// A case of `Piecewise`, with its condition.
    Case(Expr, Expr),
    /// An assumption, such as `positive=True`.
    Keyword,
}

impl From<Expr> for Fraction {
    fn from(numerator: Expr) -> Fraction {
        Fraction { numerator, denominator: Expr::int(1) }
    }
}

impl Fraction {
    /// Lowest terms, as far as constants go.
    fn new(numerator: Expr, denominator: Expr) -> Fraction {
        let Some(by) = denominator.as_int().filter(|it| *it != 0 && *it != i64::MIN) else {
            return Fraction { numerator, denominator };
        };
        let common = crate::arith::gcd(numerator.content(), by.unsigned_abs());
        let common = i64::try_from(common).unwrap_or(1) * by.signum();
        match (numerator.divided_by_int(common), by.checked_div(common)) {
            (Some(numerator), Some(by)) => Fraction { numerator, denominator: Expr::int(by) },
            _ => Fraction { numerator, denominator },
        }
    }

    fn is_whole(&self) -> bool {
        self.denominator.as_int() == Some(1)
    }

    /// The value where a function takes an integer or a floating-point number.
    fn plain(&self) -> Expr {
        if self.is_whole() {
            self.numerator.clone()
        } else {
            self.numerator.int_true_div(&self.denominator)
        }
    }

    fn floor(&self) -> Expr {
        if self.is_whole() {
            self.numerator.clone()
        } else {
            self.numerator.floor_div(&self.denominator)
        }
    }

    fn ceil(&self) -> Expr {
        if self.is_whole() {
            self.numerator.clone()
        } else {
            self.numerator.ceil_div(&self.denominator)
        }
    }

    fn plus(&self, other: &Fraction) -> Fraction {
        if self.numerator.is_real() || other.numerator.is_real() {
            return (self.plain() + other.plain()).into();
        }
        if self.denominator == other.denominator {
            return Fraction::new(&self.numerator + &other.numerator, self.denominator.clone());
        }
        let crossed = &self.numerator * &other.denominator + &other.numerator * &self.denominator;
        Fraction::new(crossed, &self.denominator * &other.denominator)
    }

    fn times(&self, other: &Fraction) -> Fraction {
        if self.numerator.is_real() || other.numerator.is_real() {
            return (self.plain() * other.plain()).into();
        }
        Fraction::new(&self.numerator * &other.numerator, &self.denominator * &other.denominator)
    }

    fn power(&self, exponent: &Fraction) -> Fraction {
        let base = || self.plain();
        let is_half =
            (exponent.numerator.as_int(), exponent.denominator.as_int()) == (Some(1), Some(2));
        if is_half {
            return Expr::opaque(crate::fun::Unary::Sqrt, &base()).into();
        }
        if self.numerator.is_real() || exponent.numerator.is_real() || !exponent.is_whole() {
            return base().float_pow(&exponent.plain()).into();
        }
        let raise = |it: &Expr, by: &Expr| it.pow_by_natural(by);
        match exponent.numerator.as_int() {
            Some(by @ ..=-1) => {
                let by = by.checked_neg().map_or_else(Expr::undefined, Expr::int);
                Fraction::new(raise(&self.denominator, &by), raise(&self.numerator, &by))
            }
            _ => Fraction::new(
                raise(&self.numerator, &exponent.numerator),
                raise(&self.denominator, &exponent.numerator),
            ),
        }
    }

    /// Both sides of a relation over one positive denominator, which is left out.
    fn sides(&self, other: &Fraction) -> (Expr, Expr) {
        match (self.denominator.as_int(), other.denominator.as_int()) {
            (Some(a @ 1..), Some(b @ 1..)) => (self.numerator.scaled(b), other.numerator.scaled(a)),
            _ => (self.plain(), other.plain()),
        }
    }
}

impl Value {
    fn number(self, scanner: &Scanner<'_>, at: usize) -> Result<Fraction, ParseError> {
        match self {
            Value::Number(it) => Ok(it),
            Value::Text(_) | Value::Case(..) | Value::Keyword => {
                Err(scanner.error_at(at, "expected a number"))
            }
        }
    }
}

fn value(scanner: &mut Scanner<'_>) -> Result<Value, ParseError> {
    scanner.enter()?;
    let result = match scanner.peek() {
        Some(quote @ (b'\'' | b'"')) => quoted(scanner, quote).map(Value::Text),
        Some(b'-') => {
            let at = scanner.at;
            scanner.expect("-")?;
            match scanner.peek() {
                Some(b'0'..=b'9') => scanner.integer(true).map(Expr::int).map(number),
                _ => {
                    let negated = value(scanner)?.number(scanner, at)?;
                    Ok(Value::Number(negated.times(&Expr::int(-1).into())))
                }
            }
        }
        Some(b'0'..=b'9') => scanner.integer(false).map(Expr::int).map(number),
        Some(it) if it == b'_' || it.is_ascii_alphabetic() => named(scanner),
        _ => Err(scanner.error("expected an expression")),
    };
    scanner.leave();
    result
}

fn number(expr: Expr) -> Value {
    Value::Number(expr.into())
}

fn quoted(scanner: &mut Scanner<'_>, quote: u8) -> Result<String, ParseError> {
    let mark = if quote == b'"' { "\"" } else { "'" };
    scanner.expect(mark)?;
    let text = scanner.take_while(|it| it != quote && it != b'\\' && (b' '..=b'~').contains(&it));
    let text = text.to_owned();
    scanner.expect(mark)?;
    Ok(text)
}

fn named(scanner: &mut Scanner<'_>) -> Result<Value, ParseError> {
    scanner.skip_space();
    let at = scanner.at;
    let mut name = scanner.word();
    // A function may come with its module.
    while scanner.accept(".") {
        name = scanner.word();
    }
    if scanner.accept("=") {
        scanner.skip_space();
        scanner.take_while(|it| it == b'_' || it.is_ascii_alphanumeric());
        return Ok(Value::Keyword);
    }
    if !scanner.accept("(") {
        return match name {
            "oo" | "int_oo" => Ok(number(Expr::float(f64::INFINITY))),
            "nan" => Ok(number(Expr::float(f64::NAN))),
            "true" | "True" => Ok(number(Expr::int(1))),
            "false" | "False" => Ok(number(Expr::int(0))),
            _ => Err(scanner.error_at(at, format!("there is no constant `{name}`"))),
        };
    }
    let mut args: Vec<Value> = Vec::new();
    let mut first = true;
    while !scanner.accept(")") {
        if !first {
            scanner.expect(",")?;
        }
        first = false;
        match value(scanner)? {
            Value::Keyword => {}
            it => args.push(it),
        }
    }
    let result = apply(scanner, name, at, args)?;
    if let Value::Number(it) = &result
        && (it.numerator.is_undefined() || it.denominator.is_undefined())
    {
        let message = format!("`{name}` does not take these arguments, or is too large");
        return Err(scanner.error_at(at, message));
    }
    Ok(result)
}

fn apply(
    scanner: &Scanner<'_>,
    name: &str,
    at: usize,
    args: Vec<Value>,
) -> Result<Value, ParseError> {
    match (name, args.as_slice()) {
        ("Symbol" | "Dummy", [Value::Text(it)]) if is_name(it) => return Ok(number(Expr::sym(it))),
        ("Symbol" | "Dummy", _) => {
            return Err(scanner.error_at(at, "this is not the name of a symbol"));
        }
        ("Float", [Value::Text(it)]) => {
            return match it.parse::<f64>() {
                Ok(it) => Ok(number(Expr::float(it))),
                Err(_) => Err(scanner.error_at(at, "not a floating-point number")),
            };
        }
        ("Piecewise", _) => return piecewise(scanner, at, args),
        _ => {}
    }
    let mut numbers: Vec<Fraction> = Vec::with_capacity(args.len());
    for arg in args {
        numbers.push(arg.number(scanner, at)?);
    }
    if let ("ExprCondPair", [value, condition]) = (name, numbers.as_slice()) {
        return Ok(Value::Case(value.plain(), condition.plain()));
    }
    let result = rational_function(name, &numbers).or_else(|| {
        let plain: Vec<Expr> = numbers.iter().map(Fraction::plain).collect();
        function(name, &plain).map(Fraction::from)
    });
    match result {
        Some(it) => Ok(Value::Number(it)),
        None => {
            let count = numbers.len();
            Err(scanner.error_at(at, format!("there is no function `{name}` of {count} arguments")))
        }
    }
}

/// The first case whose condition holds; the last must always hold.
fn piecewise(scanner: &Scanner<'_>, at: usize, args: Vec<Value>) -> Result<Value, ParseError> {
    let mut chosen: Option<Expr> = None;
    for arg in args.into_iter().rev() {
        let Value::Case(value, condition) = arg else {
            return Err(scanner.error_at(at, "expected an `ExprCondPair`"));
        };
        chosen = match (chosen, condition.as_int()) {
            (_, Some(it)) if it != 0 => Some(value),
            (Some(rest), _) => Some(Expr::select(&condition, &value, &rest)),
            (None, _) => None,
        };
        if chosen.is_none() {
            return Err(scanner.error_at(at, "the last case of `Piecewise` has a condition"));
        }
    }
    match chosen {
        Some(it) => Ok(number(it)),
        None => Err(scanner.error_at(at, "`Piecewise` without a case")),
    }
}

/// The functions that know fractions.
fn rational_function(name: &str, args: &[Fraction]) -> Option<Fraction> {
    let relation = |a: &Fraction, b: &Fraction, holds: fn(&Expr, &Expr) -> Expr| {
        let (a, b) = a.sides(b);
        Some(Fraction::from(holds(&a, &b)))
    };
    match (name, args) {
        ("Integer", [a]) => a.numerator.as_int().map(|it| Expr::int(it).into()),
        ("Rational", [a, b]) => Some(Fraction::new(a.numerator.clone(), b.numerator.clone())),
        ("Add", [..]) if args.iter().all(Fraction::is_whole) => {
            Some(Expr::sum(args.iter().map(|it| &it.numerator)).into())
        }
        ("Add", [first, rest @ ..]) => {
            Some(rest.iter().fold(first.clone(), |sum, it| sum.plus(it)))
        }
        ("Mul", [first, rest @ ..]) => {
            Some(rest.iter().fold(first.clone(), |product, it| product.times(it)))
        }
        ("Pow", [a, b]) => Some(a.power(b)),
        ("floor", [a]) if !a.numerator.is_real() => Some(a.floor().into()),
        ("ceiling", [a]) if !a.numerator.is_real() => Some(a.ceil().into()),
        ("Identity", [a]) => Some(a.clone()),
        ("Equality" | "Eq", [a, b]) => relation(a, b, Expr::equals),
        ("Unequality" | "Ne", [a, b]) => relation(a, b, Expr::differs),
        ("LessThan" | "Le", [a, b]) => relation(a, b, Expr::at_most),
        ("StrictLessThan" | "Lt", [a, b]) => relation(a, b, Expr::below),
        ("GreaterThan" | "Ge", [a, b]) => relation(b, a, Expr::at_most),
        ("StrictGreaterThan" | "Gt", [a, b]) => relation(b, a, Expr::below),
        _ => None,
    }
}

/// The functions of integers and floating-point numbers.
fn function(name: &str, args: &[Expr]) -> Option<Expr> {
    let result = match (name, args) {
        ("FloorDiv" | "CleanDiv", [a, b]) => a.floor_div(b),
        ("CeilDiv", [a, b]) => a.ceil_div(b),
        ("Mod" | "PythonMod", [a, b]) => a.modulo(b),
        ("ModularIndexing", [a, b, c]) => a.floor_div(b).modulo(c),
        ("PowByNatural", [a, b]) => a.pow_by_natural(b),
        ("LShift", [a, b]) => a.shl(b),
        ("RShift", [a, b]) => a.shr(b),
        ("BitwiseFn_bitwise_and", [a, b]) => a.bit_and(b),
        ("BitwiseFn_bitwise_or", [a, b]) => a.bit_or(b),
        ("Min", [_, ..]) => Expr::min_of(args),
        ("Max", [_, ..]) => Expr::max_of(args),
        ("Abs", [a]) => a.abs(),
        ("And", [..]) => Expr::all_of(args),
        ("Or", [..]) => Expr::any_of(args),
        ("Not", [a]) => a.logical_not(),
        ("Where", [c, a, b]) => Expr::select(c, a, b),
        ("IsNonOverlappingAndDenseIndicator", [..]) if args.len().is_multiple_of(2) => {
            let (sizes, strides) = args.split_at(args.len() / 2);
            Expr::dense(sizes, strides)
        }
        ("ToFloat", [a]) => a.to_float(),
        ("IntTrueDiv", [a, b]) => a.int_true_div(b),
        ("FloatTrueDiv", [a, b]) => a.float_true_div(b),
        ("FloatPow", [a, b]) => a.float_pow(b),
        ("TruncToFloat", [a]) => a.trunc_to_float(),
        ("RoundDecimal", [a, b]) => a.round_decimal(b),
        ("FloorToInt" | "floor", [a]) => a.floor_to_int(),
        ("CeilToInt" | "ceiling", [a]) => a.ceil_to_int(),
        ("TruncToInt", [a]) => a.trunc_to_int(),
        ("RoundToInt", [a]) => a.round_to_int(),
        _ => match (name.strip_prefix("OpaqueUnaryFn_"), args) {
            (Some(unary), [a]) => return Expr::unary(unary, a),
            _ => return None,
        },
    };
    Some(result)
}
