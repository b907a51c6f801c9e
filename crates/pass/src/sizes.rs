//! Sizes to evaluate with: values of symbols that keep to what is known of them.

use std::collections::{BTreeMap, BTreeSet};

use ir::Function;
use sym::{Expr, Facts};

/// A value for each symbol.
pub type Sizes = BTreeMap<String, i64>;

/// How far above the least values of the ranges symbols are drawn, one round after the other.
const WIDTHS: [i64; 5] = [0, 1, 3, 8, 24];
/// How many draws there are in each round.
const DRAWS: usize = 200;

/// A few assignments of every symbol that the function mentions: the least that keeps to the
/// facts, then larger ones. Empty if none was found.
pub fn sample_sizes(function: &Function, seed: u64) -> Vec<Sizes> {
    let symbols: Vec<String> = mentioned(function).into_iter().collect();
    let conditions = Conditions::of(&function.facts);
    let mut random = Random(seed);
    let mut res: Vec<Sizes> = Vec::new();
    for width in WIDTHS {
        let mut draw = || {
            let value = |name: &String| (name.clone(), random.near(&function.facts, name, width));
            symbols.iter().map(value).collect::<Sizes>()
        };
        let found = (0..DRAWS).map(|_| draw()).find(|it| !res.contains(it) && conditions.hold(it));
        res.extend(found);
    }
    res
}

fn mentioned(function: &Function) -> BTreeSet<String> {
    let mut res: BTreeSet<String> =
        function.facts.symbols().iter().map(ToString::to_string).collect();
    let mut note = |it: &Expr| {
        it.for_each_symbol(&mut |name| {
            res.insert(name.to_owned());
        });
    };
    for param in &function.body.root.params {
        function.body.ty(*param).for_each_expr(&mut note);
    }
    // A body of control flow may mention symbols that only its callers define.
    function.body.for_each_op(&mut |op| {
        op.attrs.iter().for_each(|it| it.for_each_expr(&mut note));
        op.results().for_each(|it| function.body.ty(it).for_each_expr(&mut note));
    });
    res
}

/// What the facts demand of several symbols at once, as text has it.
struct Conditions {
    nonnegative: Vec<Expr>,
    zero: Vec<Expr>,
}

impl Conditions {
    fn of(facts: &Facts) -> Conditions {
        let mut res = Conditions { nonnegative: Vec::new(), zero: Vec::new() };
        for line in facts.statements() {
            let Some(line) = line.strip_prefix("assume ") else { continue };
            if let Some(it) = line.strip_suffix(" >= 0") {
                res.nonnegative.extend(sym::parse(it));
            } else if let Some((name, rest)) = line.split_once(" mod ") {
                let Some((modulus, remainder)) = rest.split_once(" == ") else { continue };
                let parsed = (sym::parse(name), sym::parse(modulus), sym::parse(remainder));
                if let (Ok(it), Ok(modulus), Ok(remainder)) = parsed {
                    res.zero.push(it.modulo(&modulus) - remainder);
                }
            } else if let Some(it) = line.strip_suffix(" == 0") {
                res.zero.extend(sym::parse(it));
            }
        }
        res
    }

    fn hold(&self, sizes: &Sizes) -> bool {
        let value = |it: &Expr| it.eval(&|name| sizes.get(name).copied()).ok();
        self.nonnegative.iter().all(|it| value(it).is_some_and(|it| 0 <= it))
            && self.zero.iter().all(|it| value(it) == Some(0))
    }
}

/// The generator SplitMix64: one word of state, the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// A value of the symbol's range, at most `width` above its least. Where the range has no
    /// least, a size is not negative.
    fn near(&mut self, facts: &Facts, name: &str, width: i64) -> i64 {
        let range = facts.range_of_sym(name);
        let lo = if range.lo == i64::MIN { range.hi.min(0) } else { range.lo };
        let hi = range.hi.min(lo.saturating_add(width)).max(lo);
        lo + (self.next() % (hi.abs_diff(lo) + 1)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_to_the_facts_and_start_small() {
        let mut function = Function::default();
        for line in [
            "symbol s0 in 2..1024",
            "symbol s1 in 1..4",
            "assume s0 mod 4 == 0",
            "assume s0 - 3*s1 >= 0",
        ] {
            function.facts.add_statement(line).unwrap();
        }
        let all = sample_sizes(&function, 0);
        assert!(2 <= all.len(), "{all:?}");
        for it in &all {
            let (a, b) = (it["s0"], it["s1"]);
            assert!(a % 4 == 0 && 3 * b <= a && (2..=1024).contains(&a) && (1..=4).contains(&b));
        }
        assert_eq!(all[0]["s0"], 4);
        assert_eq!(sample_sizes(&Function::default(), 0), [Sizes::new()]);
    }
}
