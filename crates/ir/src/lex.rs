//! A cursor over IR text: what the parser reads with.

use diag::{Diag, codes};
use sym::Expr;

use crate::Result;

pub(crate) struct Cursor<'a> {
    name: &'a str,
    text: &'a str,
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(name: &'a str, text: &'a str) -> Cursor<'a> {
        Cursor { name, text, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes over white space and comments.
    pub(crate) fn skip(&mut self) {
        loop {
            let trimmed = self.rest().trim_start();
            self.at = self.text.len() - trimmed.len();
            match trimmed.starts_with("//") {
                true => self.at += trimmed.find('\n').unwrap_or(trimmed.len()),
                false => return,
            }
        }
    }

    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip();
        self.at == self.text.len()
    }

    pub(crate) fn error(&self, from: usize, message: impl Into<String>) -> Diag {
        let to = self.at.max(from);
        Diag::error(&codes::PARSE, message.into()).place(self.name, from..to, "here")
    }

    pub(crate) fn peek(&mut self, token: &str) -> bool {
        self.skip();
        self.rest().starts_with(token)
    }

    pub(crate) fn eat(&mut self, token: &str) -> bool {
        let found = self.peek(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(crate) fn expect(&mut self, token: &str) -> Result<()> {
        match self.eat(token) {
            true => Ok(()),
            false => {
                let from = self.at;
                let shown: String =
                    self.rest().chars().take_while(|it| *it != '\n').take(24).collect();
                self.at += shown.len();
                Err(self.error(from, format!("expected `{token}`, found `{shown}`")))
            }
        }
    }

    /// A keyword: like [`Self::eat`], but not a prefix of a longer word.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek(word)
            && !self.rest()[word.len()..].starts_with(|it: char| it.is_alphanumeric() || it == '_');
        if found {
            self.at += word.len();
        }
        found
    }

    /// Letters, digits, `_` and `.`; may be empty.
    pub(crate) fn word(&mut self) -> &'a str {
        self.skip();
        let rest = self.rest();
        let len = rest
            .find(|it: char| !(it.is_alphanumeric() || it == '_' || it == '.'))
            .unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    pub(crate) fn number(&mut self) -> Result<usize> {
        let from = self.at;
        let rest = self.rest();
        let len = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        self.at += len;
        rest[..len].parse().map_err(|_| self.error(from, "expected a number"))
    }

    /// A quoted literal, unescaped.
    pub(crate) fn string(&mut self) -> Result<String> {
        self.skip();
        let from = self.at;
        self.expect("\"")?;
        let mut res = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(res);
                }
                '\\' => match chars.next().map(|it| it.1) {
                    Some('n') => res.push('\n'),
                    Some('t') => res.push('\t'),
                    Some('u') => {
                        let digits: String = chars
                            .by_ref()
                            .skip(1)
                            .map(|it| it.1)
                            .take_while(|it| *it != '}')
                            .collect();
                        let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                        res.push(code.ok_or_else(|| self.error(from, "no such character"))?);
                    }
                    Some(c @ ('"' | '\\')) => res.push(c),
                    _ => return Err(self.error(from, "unknown escape in a literal")),
                },
                '\n' => break,
                c => res.push(c),
            }
        }
        Err(self.error(from, "a literal has no end"))
    }

    /// The text up to the first of `ends` outside parentheses, and where it starts.
    pub(crate) fn until(&mut self, ends: &[char]) -> (usize, &'a str) {
        self.skip();
        let rest = self.rest();
        let mut depth = 0_usize;
        let len = rest
            .find(|c: char| {
                match c {
                    '(' => depth += 1,
                    ')' if depth != 0 => {
                        depth -= 1;
                        return false;
                    }
                    _ => (),
                }
                (depth == 0 && ends.contains(&c)) || c == '\n'
            })
            .unwrap_or(rest.len());
        let from = self.at;
        self.at += len;
        (from, rest[..len].trim_end())
    }

    /// A size expression up to one of `ends`.
    pub(crate) fn expr(&mut self, ends: &[char]) -> Result<Expr> {
        let (from, text) = self.until(ends);
        sym::parse(text)
            .map_err(|it| self.error(from, format!("bad size `{text}`: {}", it.message)))
    }

    /// `item` between commas up to `close`, which is eaten.
    pub(crate) fn list<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Cursor<'a>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut res = Vec::new();
        if self.eat(close) {
            return Ok(res);
        }
        loop {
            res.push(item(self)?);
            if self.eat(close) {
                return Ok(res);
            }
            self.expect(",")?;
        }
    }
}
