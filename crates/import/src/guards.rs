//! What an archive guards: Python expressions over the sizes of inputs under which it was exported,
//! such as `L['y'].size()[0] <= L['x'].size()[0]` or `(L['x'].size()[0] % 4) == 0`.
//!
//! The language is what PyTorch's `_guards_code` prints: integers, the arithmetic and relations of
//! Python, a few functions, and paths into the arguments. What is not understood gives nothing.

use std::{iter::Peekable, str::Chars};

use sym::Expr;

/// How deep a guard may be nested; text is read recursively.
const MAX_DEPTH: u32 = 64;

/// Something of an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Of {
    /// The input itself: a number.
    Value,
    /// The size of a dimension.
    Size(usize),
    /// The stride of a dimension.
    Stride(usize),
}

/// Reads a guard as a truth. `input` gives what an input has, by the input's flat name: the keys of
/// its path joined by `_`, as placeholders are called.
pub(crate) fn parse(text: &str, input: &mut dyn FnMut(&str, Of) -> Option<Expr>) -> Option<Expr> {
    let tokens = tokens(text)?;
    let mut it = Parser { tokens: &tokens, at: 0, depth: 0, input };
    let res = it.any()?;
    (it.at == tokens.len() && !res.is_undefined() && !res.is_real()).then(|| res.truth())
}

/// The guard for people: inputs by their names.
pub(crate) fn shown(text: &str) -> String {
    let mut res = String::new();
    let mut rest = text;
    while let Some((before, path)) = rest.split_once("L['") {
        res.push_str(before);
        match path.split_once("']") {
            Some((name, after)) => {
                res.push_str(name);
                rest = after;
            }
            None => rest = path,
        }
    }
    res.push_str(rest);
    res
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Int(i64),
    Text(String),
    Name(String),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 23] = [
    "**", "//", "<=", ">=", "==", "!=", "<<", ">>", "+", "-", "*", "%", "<", ">", "(", ")", "[",
    "]", ".", ",", "&", "|", "~",
];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut res = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() {
            let digits = digits(&mut rest.chars().peekable());
            res.push(Token::Int(rest.get(..digits)?.parse().ok()?));
            digits
        } else if first.is_ascii_alphabetic() || first == '_' {
            let is_word = |it: &char| it.is_ascii_alphanumeric() || *it == '_';
            let length = rest.chars().take_while(is_word).count();
            res.push(Token::Name(rest.get(..length)?.to_owned()));
            length
        } else if first == '\'' || first == '"' {
            let length = rest.get(1..)?.find(first)?;
            res.push(Token::Text(rest.get(1..=length)?.to_owned()));
            length + 2
        } else {
            let sign = SIGNS.iter().find(|it| rest.starts_with(**it))?;
            res.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(res)
}

fn digits(chars: &mut Peekable<Chars<'_>>) -> usize {
    chars.take_while(char::is_ascii_digit).count()
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: u32,
    input: &'a mut dyn FnMut(&str, Of) -> Option<Expr>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, of: &[&'static str]) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Sign(it)) if of.contains(it) => {
                let it = *it;
                self.at += 1;
                Some(it)
            }
            _ => None,
        }
    }

    fn expect(&mut self, sign: &'static str) -> Option<()> {
        self.sign(&[sign]).map(drop)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(it)) if it == word);
        self.at += usize::from(found);
        found
    }

    /// `a or b`.
    fn any(&mut self) -> Option<Expr> {
        self.depth += 1;
        if MAX_DEPTH < self.depth {
            return None;
        }
        let mut res = self.all()?;
        while self.word("or") {
            res = Expr::any_of([&res, &self.all()?]);
        }
        self.depth -= 1;
        Some(res)
    }

    /// `a and b`.
    fn all(&mut self) -> Option<Expr> {
        let mut res = self.negation()?;
        while self.word("and") {
            res = Expr::all_of([&res, &self.negation()?]);
        }
        Some(res)
    }

    fn negation(&mut self) -> Option<Expr> {
        let mut negated = false;
        while self.word("not") {
            negated = !negated;
        }
        let it = self.relation()?;
        Some(if negated { it.logical_not() } else { it })
    }

    /// `a < b <= c`: each side stands in two relations.
    fn relation(&mut self) -> Option<Expr> {
        let mut left = self.bits()?;
        let mut relations: Vec<Expr> = Vec::new();
        while let Some(sign) = self.sign(&["<", "<=", ">", ">=", "==", "!="]) {
            let right = self.bits()?;
            relations.push(match sign {
                "<" => left.below(&right),
                "<=" => left.at_most(&right),
                ">" => right.below(&left),
                ">=" => right.at_most(&left),
                "==" => left.equals(&right),
                _ => left.differs(&right),
            });
            left = right;
        }
        Some(if relations.is_empty() { left } else { Expr::all_of(&relations) })
    }

    /// `a | b`, `a & b`, `a << b`: loosest first.
    fn bits(&mut self) -> Option<Expr> {
        let mut res = self.bits_and()?;
        while self.sign(&["|"]).is_some() {
            res = res.bit_or(&self.bits_and()?);
        }
        Some(res)
    }

    fn bits_and(&mut self) -> Option<Expr> {
        let mut res = self.shift()?;
        while self.sign(&["&"]).is_some() {
            res = res.bit_and(&self.shift()?);
        }
        Some(res)
    }

    fn shift(&mut self) -> Option<Expr> {
        let mut res = self.sum()?;
        while let Some(sign) = self.sign(&["<<", ">>"]) {
            let by = self.sum()?;
            res = if sign == "<<" { res.shl(&by) } else { res.shr(&by) };
        }
        Some(res)
    }

    fn sum(&mut self) -> Option<Expr> {
        let mut res = self.product()?;
        while let Some(sign) = self.sign(&["+", "-"]) {
            let by = self.product()?;
            res = if sign == "+" { res + by } else { res - by };
        }
        Some(res)
    }

    fn product(&mut self) -> Option<Expr> {
        let mut res = self.signed()?;
        while let Some(sign) = self.sign(&["*", "//", "%"]) {
            let by = self.signed()?;
            res = match sign {
                "*" => res * by,
                "//" => res.floor_div(&by),
                _ => res.modulo(&by),
            };
        }
        Some(res)
    }

    /// `-a`; a power binds tighter.
    fn signed(&mut self) -> Option<Expr> {
        let mut negative = false;
        while let Some(sign) = self.sign(&["-", "+"]) {
            negative ^= sign == "-";
        }
        let it = self.power()?;
        Some(if negative { -it } else { it })
    }

    fn power(&mut self) -> Option<Expr> {
        let base = self.primary()?;
        if self.sign(&["**"]).is_none() {
            return Some(base);
        }
        let exponent = self.primary()?;
        exponent.as_int().filter(|it| 0 <= *it)?;
        Some(base.pow_by_natural(&exponent))
    }

    fn primary(&mut self) -> Option<Expr> {
        if self.sign(&["("]).is_some() {
            let it = self.any()?;
            self.expect(")")?;
            return Some(it);
        }
        let token = self.peek()?.clone();
        self.at += 1;
        match token {
            Token::Int(it) => Some(Expr::int(it)),
            Token::Name(it) => match it.as_str() {
                "True" => Some(Expr::int(1)),
                "False" => Some(Expr::int(0)),
                "L" => self.of_input(),
                "torch" | "math" => {
                    self.expect(".")?;
                    let Token::Name(function) = self.peek()?.clone() else { return None };
                    self.at += 1;
                    self.call(&function)
                }
                function => self.call(function),
            },
            Token::Text(_) | Token::Sign(_) => None,
        }
    }

    fn call(&mut self, function: &str) -> Option<Expr> {
        self.expect("(")?;
        let mut args = Vec::new();
        while self.sign(&[")"]).is_none() {
            args.push(self.any()?);
            if self.sign(&[","]).is_none() {
                self.expect(")")?;
                break;
            }
        }
        match (function, args.as_slice()) {
            ("sym_max" | "max" | "Max", [_, ..]) => Some(Expr::max_of(&args)),
            ("sym_min" | "min" | "Min", [_, ..]) => Some(Expr::min_of(&args)),
            ("sym_not", [it]) => Some(it.logical_not()),
            ("abs" | "Abs", [it]) => Some(it.abs()),
            ("int" | "sym_int" | "floor" | "ceil" | "trunc", [it]) if !it.is_real() => {
                Some(it.clone())
            }
            _ => None,
        }
    }

    /// `['x'][0].size()[1]`, behind the `L`.
    fn of_input(&mut self) -> Option<Expr> {
        let mut name = String::new();
        while self.sign(&["["]).is_some() {
            if !name.is_empty() {
                name.push('_');
            }
            match self.peek()? {
                Token::Text(it) => name.push_str(it),
                Token::Int(it) => name.push_str(&it.to_string()),
                _ => return None,
            }
            self.at += 1;
            self.expect("]")?;
        }
        if self.sign(&["."]).is_none() {
            return (self.input)(&name, Of::Value);
        }
        let Token::Name(what) = self.peek()?.clone() else { return None };
        self.at += 1;
        if what != "shape" {
            self.expect("(")?;
            self.expect(")")?;
        }
        self.expect("[")?;
        let Token::Int(dim) = self.peek()?.clone() else { return None };
        self.at += 1;
        self.expect("]")?;
        let dim = usize::try_from(dim).ok()?;
        match what.as_str() {
            "size" | "shape" => (self.input)(&name, Of::Size(dim)),
            "stride" => (self.input)(&name, Of::Stride(dim)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let input = |name: &str, of: Of| match (name, of) {
            ("x", Of::Size(dim)) => Some(Expr::sym(&format!("s{dim}"))),
            ("x", Of::Stride(_)) => Some(Expr::sym("s9")),
            ("xs_0_k", Of::Size(0)) => Some(Expr::sym("s8")),
            ("n", Of::Value) => Some(Expr::sym("s7")),
            _ => None,
        };
        parse(text, &mut { input }).map(|it| it.to_string())
    }

    #[test]
    fn guards_as_pytorch_prints_them() {
        let same = |guard: &str, expected: &str| assert_eq!(read(guard).as_deref(), Some(expected));
        same("L['x'].size()[0] <= L['x'].size()[1]", "Le(s0, s1)");
        same("L['n'] >= 0 and L['n'] <= L['x'].size()[0]", "And(Le(0, s7), Le(s7, s0))");
        same("(12 % L['n']) == 0", "Eq(Mod(12, s7), 0)");
        same("1 <= L['x'].size()[0] + ((-1)*L['x'].size()[1])", "Le(s1 + 1, s0)");
        same("torch.sym_max(1, 12 // L['n']) == (12 // L['n'])", "Eq(12//s7, Max(1, 12//s7))");
        same("L['x'].stride()[0] != L[\"xs\"][0]['k'].size()[0]", "Not(Eq(s8, s9))");
        same(
            "not (2 < L['n'] < 5 or L['n']**2 == 9)",
            &read("not (L['n']**2 == 9 or 2 < L['n'] and L['n'] < 5)").unwrap(),
        );
        same("1 + 2*3 == 7", "1");
    }

    #[test]
    fn what_is_not_understood_gives_nothing() {
        for text in [
            "",
            "L['y'].size()[0] == 2",
            "L['x'].size()[0] ==",
            "f(3) == 3",
            "L['x'].dtype == 3",
            "0.5 == 1",
            "L['x'",
            "((((1",
            "99999999999999999999 == 1",
            "1 == 1 1",
            "'a' == 'a'",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"(".repeat(100_000)), None);
        assert_eq!(read(&"not ".repeat(100_000)), None);
        assert_eq!(read(&"-".repeat(100_000)), None);
        assert_eq!(read(&"max(".repeat(100_000)), None);
    }

    #[test]
    fn guards_for_people() {
        assert_eq!(
            shown("L['y'].size()[0] <= L['x'][1].size()[0]"),
            "y.size()[0] <= x[1].size()[0]"
        );
    }
}
