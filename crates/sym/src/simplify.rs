//! The driver of simplification: rewriting under proofs until nothing gets cheaper.

use std::cmp::Ordering;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::{
    egraph,
    eval::apply,
    expr::{Atom, Call, Expr, Repr},
    facts::Facts,
    fun::Fun,
    rewrite,
};

/// The rank falls in every round, so this is never reached; it makes the bound plain.
const ROUNDS: usize = 64;

/// Nodes below which looking a call up costs more than rewriting it again.
const MEMO_SIZE: u32 = 12;

/// The cheapest expression found that has the same value wherever the facts hold.
///
/// Total, deterministic and idempotent; the result never costs more than the input. Where the
/// input divides by zero, the result may have any value or none.
pub fn simplify(expr: &Expr, facts: &Facts) -> Expr {
    let compute = || Simplifier::new(facts, false).run(expr).0;
    // Without calls there is little to do.
    if expr.depth() == 0 { compute() } else { facts.cache().simplified(expr, compute) }
}

/// The names of the rules that [`simplify`] applies, in order.
pub fn explain(expr: &Expr, facts: &Facts) -> Vec<String> {
    Simplifier::new(facts, true).run(expr).1
}

/// How one expression compares with another that has the same value: by cost, at equal cost by
/// size, so that constants replace symbols, and then by what is divided, so that a sum leaves a
/// modulus where it can: `8*Mod(k, 4) + l` moves through memory in steps, `Mod(8*k + l, 32)` in
/// no visible way.
pub(crate) fn compare(a: &Expr, b: &Expr) -> Ordering {
    let rank = |it: &Expr| (it.cost(), it.size());
    rank(a).cmp(&rank(b)).then_with(|| divided(a).cmp(&divided(b)))
}

/// The sizes of all dividends, added up.
fn divided(expr: &Expr) -> u64 {
    let of_call = |call: &Call| {
        let own = match call.fun {
            Fun::FloorDiv | Fun::Mod => u64::from(call.args[0].size()),
            _ => 0,
        };
        call.args.iter().fold(own, |sum, it| sum.saturating_add(divided(it)))
    };
    match &expr.0 {
        Repr::Int(_) | Repr::Sym(_) | Repr::Undefined => 0,
        Repr::Call(it) => of_call(it),
        Repr::Sum(it) => {
            let factors = it.terms.iter().flat_map(|it| &it.mono);
            factors.fold(0, |sum, factor| match &factor.atom {
                Atom::Sym(_) => sum,
                Atom::Call(it) => sum.saturating_add(of_call(it)),
            })
        }
    }
}

/// Every rule that [`explain`] can name, with what it says; `x//0` is an unknown integer.
pub fn rules() -> Vec<(&'static str, String)> {
    let direct = rewrite::LAWS.iter().map(|(name, law)| (*name, (*law).to_owned()));
    direct.chain(egraph::laws()).collect()
}

pub(crate) struct Simplifier<'a> {
    pub(crate) facts: &'a Facts,
    memo: IndexMap<Expr, Expr, FxBuildHasher>,
    trace: Option<Vec<String>>,
}

impl<'a> Simplifier<'a> {
    fn new(facts: &'a Facts, traced: bool) -> Simplifier<'a> {
        Simplifier { facts, memo: IndexMap::default(), trace: traced.then(Vec::new) }
    }

    fn run(mut self, expr: &Expr) -> (Expr, Vec<String>) {
        let mut best = expr.clone();
        let mut names: Vec<String> = Vec::new();
        for _ in 0..ROUNDS {
            let Some(next) = self.round(&best) else { break };
            best = next;
            names.append(&mut self.trace.as_mut().map(std::mem::take).unwrap_or_default());
        }
        (best, names)
    }

    /// Something cheaper, if there is.
    fn round(&mut self, best: &Expr) -> Option<Expr> {
        let cheaper = |it: &Expr| compare(it, best).is_lt();
        self.start_trace();
        let next = self.expr(best);
        if cheaper(&next) {
            return Some(next);
        }
        if egraph::is_worth_trying(best) {
            let (next, names) = egraph::simplify(best, self.facts, self.trace.is_some());
            if cheaper(&next) {
                self.start_trace();
                names.iter().for_each(|it| self.applied(it));
                return Some(next);
            }
        }
        let solved = self.facts.with_solved(best);
        if solved != *best {
            self.start_trace();
            self.applied("solved-symbol");
            let next = self.expr(&solved);
            if cheaper(&next) {
                return Some(next);
            }
        }
        None
    }

    fn start_trace(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.clear();
        }
    }

    pub(crate) fn applied(&mut self, rule: &str) {
        if let Some(trace) = &mut self.trace {
            trace.push(rule.to_owned());
        }
    }

    /// One pass from the leaves to the root.
    fn expr(&mut self, expr: &Expr) -> Expr {
        match &expr.0 {
            Repr::Int(_) | Repr::Undefined => expr.clone(),
            Repr::Sym(_) => self.symbol(expr).unwrap_or_else(|| expr.clone()),
            Repr::Call(call) => self.call(expr, call),
            Repr::Sum(_) => {
                let rewritten = expr.map_atoms(&mut |atom| match atom {
                    Atom::Sym(_) => self.symbol(&atom.to_expr()),
                    Atom::Call(call) => Some(self.call(&atom.to_expr(), call)),
                });
                let rewritten = if rewritten.is_undefined() { expr.clone() } else { rewritten };
                rewrite::sum(self, rewritten)
            }
        }
    }

    fn symbol(&mut self, symbol: &Expr) -> Option<Expr> {
        let value = self.facts.range_of_sym(symbol.as_sym()?).as_point()?;
        if symbol.is_real() {
            return None;
        }
        self.applied("point-range");
        Some(Expr::int(value))
    }

    fn call(&mut self, expr: &Expr, call: &Call) -> Expr {
        if let Some(known) = self.memo.get(expr) {
            return known.clone();
        }
        let args: Vec<Expr> = call.args.iter().map(|it| self.expr(it)).collect();
        let mut rebuilt = match args == call.args.as_slice() {
            true => expr.clone(),
            false => apply(call.fun, &args),
        };
        if rebuilt.is_undefined() {
            rebuilt = expr.clone();
        }
        let rewritten = rebuilt.map_atoms(&mut |atom| match atom {
            Atom::Sym(_) => None,
            Atom::Call(call) => rewrite::call(self, call),
        });
        let result = match compare(&rewritten, &rebuilt).is_le() {
            true => rewritten,
            false => rebuilt,
        };
        if MEMO_SIZE <= expr.size() {
            self.memo.insert(expr.clone(), result.clone());
        }
        result
    }
}
