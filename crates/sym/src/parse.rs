//! The reader of the infix text, and the scanner it shares with the reader of `srepr`.

use crate::{
    eval::apply,
    expr::Expr,
    fun::{Fun, Unary},
};

/// The deepest nesting of parentheses and calls in a text.
///
/// It is more than [`crate::MAX_DEPTH`], since parentheses leave no trace in the result.
pub(crate) const MAX_NESTING: u32 = 200;

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The offset in bytes.
    pub at: usize,
    /// What was found or expected there.
    pub message: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads the text that `Display` writes, with any white space and parentheses.
///
/// ```
/// let size = sym::parse("(s0 + 7)//8 + 2*Max(1, s1)").unwrap();
/// assert_eq!(sym::parse(&size.to_string()), Ok(size));
/// ```
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut scanner = Scanner::new(text);
    let expr = sum(&mut scanner)?;
    scanner.end()?;
    match expr.is_undefined() && scanner.text.trim() != "Undefined()" {
        true => Err(scanner.error_at(0, "the expression is too large")),
        false => Ok(expr),
    }
}

impl Expr {
    /// The same as [`parse`].
    pub fn parse(text: &str) -> Result<Expr, ParseError> {
        parse(text)
    }
}

impl std::str::FromStr for Expr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Expr, ParseError> {
        parse(text)
    }
}

/// A text and a place in it.
pub(crate) struct Scanner<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
    nesting: u32,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0, nesting: 0 }
    }

    pub(crate) fn error_at(&self, at: usize, message: impl Into<String>) -> ParseError {
        ParseError { at, message: message.into() }
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> ParseError {
        self.error_at(self.at, message)
    }

    pub(crate) fn enter(&mut self) -> Result<(), ParseError> {
        self.nesting += 1;
        match self.nesting <= MAX_NESTING {
            true => Ok(()),
            false => Err(self.error("the expression is nested too deeply")),
        }
    }

    pub(crate) fn leave(&mut self) {
        self.nesting -= 1;
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(crate) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.rest().bytes().next()
    }

    pub(crate) fn accept(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(crate) fn expect(&mut self, token: &str) -> Result<(), ParseError> {
        if self.accept(token) { Ok(()) } else { Err(self.error(format!("expected `{token}`"))) }
    }

    /// The longest run of bytes that `keep` accepts.
    pub(crate) fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.bytes().position(|it| !keep(it)).unwrap_or(rest.len());
        // Every kept byte is ASCII, so this is a boundary of characters.
        let word = rest.get(..len).unwrap_or("");
        self.at += word.len();
        word
    }

    pub(crate) fn word(&mut self) -> &'a str {
        self.skip_space();
        self.take_while(|it| it == b'_' || it.is_ascii_alphanumeric())
    }

    /// A decimal number with the sign that was read before it.
    pub(crate) fn integer(&mut self, negative: bool) -> Result<i64, ParseError> {
        self.skip_space();
        let at = self.at;
        let digits = self.take_while(|it| it.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.error("expected a number"));
        }
        let magnitude = digits.parse::<u64>().ok().map(i128::from);
        let value = magnitude.map(|it| if negative { -it } else { it });
        match value.and_then(|it| i64::try_from(it).ok()) {
            Some(it) => Ok(it),
            None => Err(self.error_at(at, "the number does not fit in 64 bits")),
        }
    }

    pub(crate) fn end(&mut self) -> Result<(), ParseError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("expected the end of the expression")),
        }
    }
}

fn sum(scanner: &mut Scanner<'_>) -> Result<Expr, ParseError> {
    scanner.enter()?;
    let mut terms = vec![product(scanner)?];
    loop {
        if scanner.accept("+") {
            terms.push(product(scanner)?);
        } else if scanner.accept("-") {
            terms.push(-product(scanner)?);
        } else {
            scanner.leave();
            return Ok(Expr::sum(&terms));
        }
    }
}

fn product(scanner: &mut Scanner<'_>) -> Result<Expr, ParseError> {
    let mut product = power(scanner)?;
    loop {
        if scanner.accept("//") {
            product = product.floor_div(&power(scanner)?);
        } else if scanner.accept("*") {
            product = product * power(scanner)?;
        } else {
            return Ok(product);
        }
    }
}

fn power(scanner: &mut Scanner<'_>) -> Result<Expr, ParseError> {
    let mut negative = false;
    while scanner.accept("-") {
        negative = !negative;
    }
    if negative && scanner.peek().is_some_and(|it| it.is_ascii_digit()) {
        return scanner.integer(true).map(Expr::int);
    }
    let mut base = primary(scanner)?;
    if scanner.accept("**") {
        let exponent = scanner.integer(false)?;
        base = base.pow_by_natural(&Expr::int(exponent));
    }
    Ok(if negative { -base } else { base })
}

fn primary(scanner: &mut Scanner<'_>) -> Result<Expr, ParseError> {
    match scanner.peek() {
        Some(b'0'..=b'9') => scanner.integer(false).map(Expr::int),
        Some(b'(') => {
            scanner.expect("(")?;
            let inner = sum(scanner)?;
            scanner.expect(")")?;
            Ok(inner)
        }
        Some(it) if it == b'_' || it.is_ascii_alphabetic() => {
            scanner.skip_space();
            let at = scanner.at;
            let name = scanner.word();
            if scanner.accept("(") { call(scanner, name, at) } else { Ok(Expr::sym(name)) }
        }
        _ => Err(scanner.error("expected a size")),
    }
}

fn call(scanner: &mut Scanner<'_>, name: &str, at: usize) -> Result<Expr, ParseError> {
    match name {
        "Float" => {
            let digits = scanner.take_while(|it| it != b')' && it.is_ascii());
            let value = digits.trim().parse::<f64>();
            scanner.expect(")")?;
            return match value {
                Ok(value) => Ok(Expr::float(value)),
                Err(_) => Err(scanner.error_at(at, "not a floating-point number")),
            };
        }
        "Undefined" => {
            scanner.expect(")")?;
            return Ok(Expr::undefined());
        }
        _ => {}
    }
    let mut args: Vec<Expr> = Vec::new();
    while !scanner.accept(")") {
        if !args.is_empty() {
            scanner.expect(",")?;
        }
        args.push(sum(scanner)?);
    }
    let named = Fun::NAMED.iter().find(|it| it.0 == name).map(|it| (it.1, it.2));
    let unary = Unary::ALL.iter().find(|it| it.0 == name).map(|it| (Fun::Opaque(it.1), Some(1)));
    match named.or(unary) {
        None => Err(scanner.error_at(at, format!("there is no function `{name}`"))),
        Some((_, Some(count))) if count != args.len() => {
            Err(scanner.error_at(at, format!("`{name}` takes {count} arguments")))
        }
        Some((_, None)) if args.is_empty() => {
            Err(scanner.error_at(at, format!("`{name}` takes at least one argument")))
        }
        Some((fun, _)) => Ok(apply(fun, &args)),
    }
}
