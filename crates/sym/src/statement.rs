//! Facts as lines of text, one statement each, that read back as the same facts.
//!
//! ```text
//! symbol s0 in 2..1024
//! symbol u0 in 0..
//! note u0: there is nothing to count
//! assume s0 mod 8 == 3
//! assume s0 - s1 >= 0
//! assume s0 - 2*s2 == 0
//! ```

use crate::{Expr, Facts, ParseError, Range};

impl Facts {
    /// Every fact as a line, in a fixed order.
    pub fn statements(&self) -> Vec<String> {
        let mut res = Vec::new();
        for name in self.symbols() {
            let Range { lo, hi } = self.range_of_sym(&name);
            let end = |it: i64, open: i64| if it == open { String::new() } else { it.to_string() };
            res.push(format!("symbol {name} in {}..{}", end(lo, i64::MIN), end(hi, i64::MAX)));
            res.extend(self.note(&name).map(|it| format!("note {name}: {it}")));
            let congruence = self.congruence_of_sym(&name);
            if 1 < congruence.modulus {
                res.push(format!(
                    "assume {name} mod {} == {}",
                    congruence.modulus, congruence.remainder
                ));
            }
        }
        let (nonnegative, zero) = self.relations();
        res.extend(nonnegative.iter().map(|it| format!("assume {it} >= 0")));
        res.extend(zero.iter().map(|it| format!("assume {it} == 0")));
        res
    }

    /// Adds a fact that [`Facts::statements`] printed.
    pub fn add_statement(&mut self, line: &str) -> Result<(), ParseError> {
        let bad = |message: &str| ParseError { at: 0, message: format!("{message} in `{line}`") };
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("symbol ") {
            let (name, range) = rest.split_once(" in ").ok_or_else(|| bad("no range"))?;
            let (lo, hi) = range.split_once("..").ok_or_else(|| bad("no `..`"))?;
            let end = |it: &str, open: i64| match it.trim() {
                "" => Ok(open),
                it => it.parse().map_err(|_| bad("bad bound")),
            };
            let range = Range { lo: end(lo, i64::MIN)?, hi: end(hi, i64::MAX)? };
            match crate::parse(name.trim())?.as_sym() {
                Some(name) => self.set_range(name, range),
                None => return Err(bad("bad name")),
            }
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("note ") {
            let (name, text) = rest.split_once(": ").ok_or_else(|| bad("no text"))?;
            self.add_note(name, text);
            return Ok(());
        }
        let rest = line.strip_prefix("assume ").ok_or_else(|| bad("no statement"))?;
        if let Some(rest) = rest.strip_suffix(" >= 0") {
            self.assume_ge0(&crate::parse(rest)?);
        } else if let Some((name, rest)) = rest.split_once(" mod ") {
            let (modulus, remainder) = rest.split_once(" == ").ok_or_else(|| bad("no `==`"))?;
            let number = |it: &str| it.trim().parse().map_err(|_| bad("bad number"));
            self.assume_multiple(name.trim(), number(modulus)?, number(remainder)?);
        } else if let Some(rest) = rest.strip_suffix(" == 0") {
            self.assume_eq(&crate::parse(rest)?, &Expr::int(0));
        } else {
            return Err(bad("no relation"));
        }
        Ok(())
    }

    /// What is known of the symbols that `keep` admits, and of no others.
    pub fn restricted_to(&self, keep: &dyn Fn(&str) -> bool) -> Facts {
        let mut res = Facts::default();
        for name in self.symbols().iter().filter(|it| keep(it)) {
            res.set_range(name, self.range_of_sym(name));
            self.note(name).into_iter().for_each(|it| res.add_note(name, it));
            let congruence = self.congruence_of_sym(name);
            if let (Ok(modulus), Ok(remainder)) =
                (i64::try_from(congruence.modulus), i64::try_from(congruence.remainder))
            {
                res.assume_multiple(name, modulus, remainder);
            }
        }
        let (nonnegative, zero) = self.relations();
        let kept = |it: &&Expr| it.symbols().iter().all(|it| keep(it));
        nonnegative.iter().filter(kept).for_each(|it| res.assume_ge0(it));
        zero.iter().filter(kept).for_each(|it| res.assume_eq(it, &Expr::int(0)));
        res
    }
}
