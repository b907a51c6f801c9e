//! What is known of the symbols.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    arith::gcd,
    cache::Cache,
    expr::{Atom, Expr, Name, single},
    fun::Fun,
    range::Range,
    witness::Witness,
};

/// What is known of the symbols: ranges, congruences, and relations between them.
///
/// Contradictory facts are no error; they prove whatever follows from them.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Facts {
    ranges: BTreeMap<Name, Range>,
    congruences: BTreeMap<Name, Congruence>,
    /// Expressions that are not negative, each with more than one atom.
    nonnegative: Vec<Expr>,
    /// Expressions that are zero, each with more than one atom.
    zero: Vec<Expr>,
    /// Symbols that [`Facts::zero`] expresses by others; no solved symbol occurs in a solution.
    solved: BTreeMap<Name, Expr>,
    /// What the program says where a symbol is not in its range, in one line.
    notes: BTreeMap<Name, String>,
    cache: Cache,
}

/// All `x` with `x ≡ remainder (mod modulus)`; the modulus 0 means equality.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Congruence {
    pub(crate) modulus: u64,
    pub(crate) remainder: i128,
}

impl Congruence {
    pub(crate) const ANY: Congruence = Congruence { modulus: 1, remainder: 0 };

    pub(crate) fn new(modulus: u64, remainder: i128) -> Congruence {
        match modulus {
            0 => Congruence { modulus, remainder },
            _ => Congruence { modulus, remainder: remainder.rem_euclid(modulus.into()) },
        }
    }
}

impl Facts {
    /// No facts.
    pub fn new() -> Facts {
        Facts::default()
    }

    /// Replaces what is known of a symbol's range.
    pub fn set_range(&mut self, sym: &str, range: Range) {
        self.cache = Cache::default();
        if range == Range::ANY {
            self.ranges.remove(sym);
        } else {
            self.ranges.insert(sym.into(), range);
        }
    }

    /// The range of a symbol; [`Range::ANY`] where nothing is known.
    pub fn range_of_sym(&self, sym: &str) -> Range {
        self.ranges.get(sym).copied().unwrap_or(Range::ANY)
    }

    /// What the program says where the symbol is not in its range.
    pub fn note(&self, sym: &str) -> Option<&str> {
        self.notes.get(sym).map(String::as_str)
    }

    /// The symbol, after what the program says where it is not in its range: for messages.
    pub fn described(&self, sym: &str) -> String {
        self.note(sym).map_or_else(|| sym.to_owned(), |note| format!("{note}: {sym}"))
    }

    /// Adds to what the program says where the symbol is not in its range. Runs of white space are
    /// a space each.
    pub fn add_note(&mut self, sym: &str, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let known = self.notes.entry(sym.into()).or_default();
        if text.is_empty() || known.split("; ").any(|it| it == text) {
            return;
        }
        if !known.is_empty() {
            known.push_str("; ");
        }
        known.push_str(&text);
    }

    /// Takes for granted that `expr` is not negative.
    pub fn assume_ge0(&mut self, expr: &Expr) {
        if expr.is_undefined() || expr.is_real() || expr.as_int().is_some() {
            return;
        }
        let terms = expr.to_terms();
        let content = terms.iter().fold(0, |g, it| gcd(g, it.coefficient.unsigned_abs()));
        let Ok(content) = i64::try_from(content) else { return };
        let constant = expr.constant_term();
        // The other terms are a multiple of the content, so the constant may be rounded down.
        let rounded = constant.div_euclid(content);
        let Some(varying) = expr.split_constant().0.divided_by_int(content) else { return };
        let reduced = varying + rounded;
        if let [term] = terms.as_slice()
            && let Some(Atom::Sym(name)) = single(&term.mono)
        {
            let Some(bound) = rounded.checked_neg() else { return };
            let bound = match 0 < term.coefficient {
                true => Range::at_least(bound),
                false => Range { lo: i64::MIN, hi: rounded },
            };
            self.set_range(name, self.range_of_sym(name).intersection(bound));
        } else if let Err(at) = self.nonnegative.binary_search(&reduced) {
            self.nonnegative.insert(at, reduced);
            self.cache = Cache::default();
        }
    }

    /// Takes `a <= b` for granted.
    pub fn assume_le(&mut self, a: &Expr, b: &Expr) {
        self.assume_ge0(&(b - a));
    }

    /// Takes `a == b` for granted.
    pub fn assume_eq(&mut self, a: &Expr, b: &Expr) {
        let mut difference = a - b;
        if difference.is_undefined() || difference.is_real() || difference.as_int().is_some() {
            return;
        }
        let terms = difference.to_terms();
        let constant = difference.constant_term();
        if let [term] = terms.as_slice()
            && constant.checked_rem(term.coefficient) == Some(0)
            && let Some(value) = constant.checked_div(term.coefficient).and_then(i64::checked_neg)
        {
            match single(&term.mono) {
                Some(Atom::Sym(name)) => {
                    let range = self.range_of_sym(name).intersection(Range::point(value));
                    return self.set_range(name, range);
                }
                Some(Atom::Call(call)) => {
                    if let Some((n, d)) = call.as_binary(Fun::Mod)
                        && let (Some(name), Some(modulus)) = (n.as_sym(), d.as_int())
                    {
                        return self.assume_multiple(name, modulus, value);
                    }
                }
                None => {}
            }
        }
        if terms.first().is_some_and(|it| it.coefficient < 0) {
            difference = -difference;
        }
        if let Err(at) = self.zero.binary_search(&difference)
            && !difference.is_undefined()
        {
            self.zero.insert(at, difference);
            self.solve();
            self.cache = Cache::default();
        }
    }

    /// Takes for granted that a truth is not 0: a relation of integers, or several joined by and.
    /// Of other truths nothing is remembered.
    pub fn assume(&mut self, truth: &Expr) {
        let Some(call) = truth.as_call() else { return };
        match (call.fun, call.args.as_slice()) {
            (Fun::And, all) => all.iter().for_each(|it| self.assume(it)),
            (Fun::Le, [a, b]) => self.assume_le(a, b),
            (Fun::Lt, _) => {}
            (Fun::Eq, [a, b]) => self.assume_eq(a, b),
            (Fun::Not, [not]) => {
                // One of the ends of a range is not taken.
                if let Some((a, b)) = not.as_call().and_then(|it| it.as_binary(Fun::Eq))
                    && let (Some(name), Some(value)) = (a.as_sym(), b.as_int())
                {
                    let Range { lo, hi } = self.range_of_sym(name);
                    let (lo, hi) = (lo.saturating_add((lo == value).into()), hi);
                    self.set_range(name, Range { lo, hi: hi.saturating_sub((hi == value).into()) });
                }
            }
            _ => {}
        }
    }

    /// Takes for granted that a symbol is `remainder` more than a multiple of `modulus`.
    pub fn assume_multiple(&mut self, sym: &str, modulus: i64, remainder: i64) {
        let new = Congruence::new(modulus.unsigned_abs(), remainder.into());
        if new.modulus <= 1 {
            return;
        }
        let old = self.congruence_of_sym(sym);
        self.congruences.insert(sym.into(), old.meet(new));
        self.cache = Cache::default();
    }

    pub(crate) fn congruence_of_sym(&self, sym: &str) -> Congruence {
        self.congruences.get(sym).copied().unwrap_or(Congruence::ANY)
    }

    /// The ranges alone. They are checked where a symbol gets its value; relations between symbols
    /// may hold only because the program asserts them, so no assertion follows from them.
    pub fn ranges_alone(&self) -> Facts {
        Facts { ranges: self.ranges.clone(), ..Facts::default() }
    }

    /// Every symbol that a fact names.
    pub fn symbols(&self) -> BTreeSet<Arc<str>> {
        let mut names: BTreeSet<Arc<str>> = self.ranges.keys().cloned().collect();
        names.extend(self.congruences.keys().cloned());
        names.extend(self.notes.keys().cloned());
        for relation in self.nonnegative.iter().chain(&self.zero) {
            names.extend(relation.symbols());
        }
        names
    }

    /// Some points where the facts hold, none if none was found.
    pub(crate) fn witnesses(&self) -> &[Witness] {
        self.cache.witnesses(self)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The relations `r >= 0`, and the expressions that are zero.
    pub(crate) fn relations(&self) -> (&[Expr], &[Expr]) {
        (&self.nonnegative, &self.zero)
    }

    /// The expression without the symbols that others express.
    pub(crate) fn with_solved(&self, expr: &Expr) -> Expr {
        if self.solved.is_empty() {
            return expr.clone();
        }
        let replaced = expr.subst(&|name| self.solved.get(name).cloned());
        if replaced.is_undefined() { expr.clone() } else { replaced }
    }

    /// Finds the solutions anew, so that they do not depend on the order of the assumptions.
    fn solve(&mut self) {
        self.solved.clear();
        for zero in self.zero.clone() {
            let Some((name, solution)) = solution(&self.with_solved(&zero)) else { continue };
            for held in self.solved.values_mut() {
                let replaced = held.subst(&|it| (it == name.as_ref()).then(|| solution.clone()));
                if !replaced.is_undefined() {
                    *held = replaced;
                }
            }
            self.solved.insert(name, solution);
        }
    }
}

/// Solves `zero == 0` for the last symbol by name that has coefficient 1 or -1.
fn solution(zero: &Expr) -> Option<(Name, Expr)> {
    let terms = zero.to_terms();
    let unit = terms.iter().filter(|it| it.coefficient.unsigned_abs() == 1);
    let candidates: BTreeSet<(&Name, i64)> = unit
        .filter_map(|term| match single(&term.mono) {
            Some(Atom::Sym(name)) => Some((name, term.coefficient)),
            _ => None,
        })
        .collect();
    candidates.into_iter().rev().find_map(|(name, coefficient)| {
        let (_, rest) = zero.linear_in(name)?;
        let solution = rest.scaled(-coefficient);
        (!solution.is_undefined() && !solution.is_real()).then(|| (name.clone(), solution))
    })
}
