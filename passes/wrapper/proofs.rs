//! Proofs about sizes, each made once.

use ir::Function;
use rustc_hash::FxHashMap;
use sym::{Answer, Expr, Facts};

/// What was proven of a function's sizes.
pub(crate) struct Proofs<'a> {
    facts: &'a Facts,
    known: FxHashMap<(Expr, Expr), bool>,
}

impl<'a> Proofs<'a> {
    pub(crate) fn of(function: &'a Function) -> Proofs<'a> {
        Proofs::new(&function.facts)
    }

    pub(crate) fn new(facts: &'a Facts) -> Proofs<'a> {
        Proofs { facts, known: FxHashMap::default() }
    }

    /// Whether two places, each from where it begins to where it ends, are proven not to overlap.
    pub(crate) fn apart(&mut self, a: [&Expr; 2], b: [&Expr; 2]) -> bool {
        self.at_most(a[1], b[0]) || self.at_most(b[1], a[0])
    }

    /// Whether `a` is proven to be at most `b` wherever the facts hold.
    pub(crate) fn at_most(&mut self, a: &Expr, b: &Expr) -> bool {
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            return a <= b;
        }
        let facts = self.facts;
        *self
            .known
            .entry((a.clone(), b.clone()))
            .or_insert_with(|| a == b || sym::less_equal(a, b, facts) == Answer::Proven)
    }
}
