//! Points where the facts hold. One at which a statement fails saves the search for its proof,
//! and that is what most searches would end in.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::{
    expr::{Atom, Expr, Name, single},
    facts::Facts,
    range::Range,
};

/// How many points are kept, and how often one is looked for.
const POINTS: usize = 6;
const ATTEMPTS: u64 = 24;
/// How often a candidate is mended where it breaks a relation.
const REPAIRS: usize = 6;
/// Values stay this close to an end of their range, so that products of them fit.
const SPREAD: u64 = 64;

/// A value for each symbol that the facts name, sorted by name, and a seed for the others.
pub(crate) struct Witness {
    values: Vec<(Name, i64)>,
    seed: u64,
}

impl Witness {
    /// The value of an expression at the point, where it has one.
    pub(crate) fn value(&self, expr: &Expr) -> Option<i64> {
        expr.eval(&|name| Some(self.value_of(name))).ok()
    }

    fn value_of(&self, name: &str) -> i64 {
        match self.values.binary_search_by(|it| it.0.as_ref().cmp(name)) {
            Ok(at) => self.values[at].1,
            Err(_) => mix(name, self.seed, 41) as i64 - 20,
        }
    }
}

/// A number below `bound` that depends on nothing but the arguments.
fn mix(name: &str, seed: u64, bound: u64) -> u64 {
    let mut state = FxHasher::default();
    (name, seed).hash(&mut state);
    // The high bits are the well mixed ones.
    (state.finish() >> 32) % bound.max(1)
}

/// A relation and what single symbols contribute to it: index and coefficient.
struct Relation<'a> {
    expr: &'a Expr,
    is_zero: bool,
    symbols: Vec<(usize, i64)>,
}

/// Some points where the facts hold; none if none is found.
pub(crate) fn find(facts: &Facts) -> Vec<Witness> {
    let names: Vec<Name> = facts.symbols().into_iter().collect();
    let (nonnegative, zero) = facts.relations();
    let relation = |expr, is_zero| Relation { expr, is_zero, symbols: symbols_of(expr, &names) };
    let mut relations: Vec<Relation<'_>> = zero.iter().map(|it| relation(it, true)).collect();
    relations.extend(nonnegative.iter().map(|it| relation(it, false)));
    let mut found: Vec<Witness> = Vec::new();
    for seed in 0..ATTEMPTS {
        let values = names.iter().map(|it| (it.clone(), start(it, seed, facts)));
        let mut witness = Witness { values: values.collect(), seed };
        for _ in 0..REPAIRS {
            if !repair(&mut witness, &relations, facts) {
                break;
            }
        }
        if holds(&witness, &relations, facts) {
            found.push(witness);
        }
        if found.len() == POINTS {
            break;
        }
    }
    found
}

fn symbols_of(expr: &Expr, names: &[Name]) -> Vec<(usize, i64)> {
    let mut symbols = Vec::new();
    for term in expr.to_terms() {
        if let Some(Atom::Sym(name)) = single(&term.mono)
            && let Ok(at) = names.binary_search(name)
        {
            symbols.push((at, term.coefficient));
        }
    }
    symbols
}

/// A value in the symbol's range, near an end that it has.
fn start(name: &Name, seed: u64, facts: &Facts) -> i64 {
    let Range { lo, hi } = facts.range_of_sym(name);
    let spread = 2u64.checked_shl((seed % 6) as u32).unwrap_or(SPREAD).min(SPREAD);
    let offset = if seed == 0 { 0 } else { mix(name, seed, spread) as i64 };
    let value = match (lo != i64::MIN, hi != i64::MAX) {
        (true, true) => lo.saturating_add(offset.min(hi.saturating_sub(lo).max(0))),
        (true, false) => lo.saturating_add(offset),
        (false, true) => hi.saturating_sub(offset),
        (false, false) => offset - spread as i64 / 2,
    };
    aligned(name, value, facts)
}

/// The nearest value that the symbol's congruence allows, upwards if that is in range.
fn aligned(name: &str, value: i64, facts: &Facts) -> i64 {
    let known = facts.congruence_of_sym(name);
    let Some(modulus) = i64::try_from(known.modulus).ok().filter(|it| 1 < *it) else {
        return value;
    };
    let Ok(remainder) = i64::try_from(known.remainder) else { return value };
    let up = value.saturating_add(remainder.wrapping_sub(value).rem_euclid(modulus));
    if up <= facts.range_of_sym(name).hi { up } else { up.saturating_sub(modulus) }
}

/// Mends every broken relation once, by the first symbol that can. Whether any was broken.
fn repair(witness: &mut Witness, relations: &[Relation<'_>], facts: &Facts) -> bool {
    let mut broken = false;
    for relation in relations {
        let Some(value) = witness.value(relation.expr) else { continue };
        if if relation.is_zero { value == 0 } else { 0 <= value } {
            continue;
        }
        broken = true;
        for (at, coefficient) in &relation.symbols {
            let (name, held) = &witness.values[*at];
            // Enough to bring the relation to zero, rounded away from where it is broken.
            let step = i128::from(value).div_euclid(i128::from(*coefficient));
            let Ok(wanted) = i64::try_from(i128::from(*held) - step) else { continue };
            let wanted = if relation.is_zero { wanted } else { aligned(name, wanted, facts) };
            if facts.range_of_sym(name).contains(wanted) {
                witness.values[*at].1 = wanted;
                break;
            }
        }
    }
    broken
}

fn holds(witness: &Witness, relations: &[Relation<'_>], facts: &Facts) -> bool {
    let symbol_holds = |(name, value): &(Name, i64)| {
        let known = facts.congruence_of_sym(name);
        facts.range_of_sym(name).contains(*value) && known.contains(*value)
    };
    witness.values.iter().all(symbol_holds)
        && relations.iter().all(|it| match witness.value(it.expr) {
            Some(value) => {
                if it.is_zero {
                    value == 0
                } else {
                    0 <= value
                }
            }
            None => false,
        })
}
