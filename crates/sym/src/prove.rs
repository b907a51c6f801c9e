//! Proofs of inequalities, and what is answered from them.

use crate::{
    arith::{from_mono, mono_div},
    congruence::congruence,
    expr::{Atom, Expr, Mono, Term, single},
    facts::Facts,
    fun::Fun,
    range::{Range, range, range_of_atom, range_of_mono},
    simplify::simplify,
};

/// What is known of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It holds wherever the facts do.
    Proven,
    /// It holds nowhere where the facts do.
    Refuted,
    /// Neither was found.
    Unknown,
}

/// How many inequalities are tried in one proof.
const BUDGET: u32 = 24;
/// How many relations are chained in one proof.
const CHAIN: u32 = 5;
/// A sum that is the largest of more expressions than this is taken as it is.
const MAX_ALTERNATIVES: usize = 48;
/// Sums with more terms are left to their ranges.
const MAX_TERMS: usize = 32;

/// Whether `a == b`.
pub fn equal(a: &Expr, b: &Expr, facts: &Facts) -> Answer {
    if a.is_undefined() || b.is_undefined() {
        return Answer::Unknown;
    }
    if a == b {
        return Answer::Proven;
    }
    if a.is_real() || b.is_real() {
        return Answer::Unknown;
    }
    let quick = is_zero(&(a - b), facts);
    if quick != Answer::Unknown {
        return quick;
    }
    let (a, b) = (facts.with_solved(a), facts.with_solved(b));
    let difference = simplify(&a, facts) - simplify(&b, facts);
    let simpler = is_zero(&simplify(&difference, facts), facts);
    if simpler != Answer::Unknown {
        return simpler;
    }
    // `Mod(-a, d)` and `Mod(a - 1, d)` are as far apart as `d - 1`, which quotients show.
    let plain = without_remainders(&difference, facts);
    if plain == difference { Answer::Unknown } else { is_zero(&plain, facts) }
}

/// The same with `n - d*(n//d)` for every `Mod(n, d)` with a positive `d`.
fn without_remainders(expr: &Expr, facts: &Facts) -> Expr {
    expr.map_atoms(&mut |atom| {
        let Atom::Call(call) = atom else { return None };
        let (n, d) = call.as_binary(Fun::Mod).filter(|it| 1 <= range(it.1, facts).lo)?;
        let n = without_remainders(n, facts);
        Some(&n - d * &n.floor_div(d))
    })
}

fn is_zero(difference: &Expr, facts: &Facts) -> Answer {
    match difference.as_int() {
        Some(0) => return Answer::Proven,
        Some(_) => return Answer::Refuted,
        None if difference.is_undefined() => return Answer::Unknown,
        None => {}
    }
    let residues = congruence(difference, facts);
    if residues.remainder != 0
        || is_nonnegative(&(difference - 1), facts)
        || is_nonnegative(&(-1 - difference), facts)
    {
        return Answer::Refuted;
    }
    match is_nonnegative(difference, facts) && is_nonnegative(&-difference, facts) {
        true => Answer::Proven,
        false => Answer::Unknown,
    }
}

/// Whether `a <= b`.
pub fn less_equal(a: &Expr, b: &Expr, facts: &Facts) -> Answer {
    let difference = b - a;
    let quick = sign(&difference, facts);
    if quick != Answer::Unknown {
        return quick;
    }
    let simpler = simplify(&facts.with_solved(&difference), facts);
    if simpler != difference {
        let answer = sign(&simpler, facts);
        if answer != Answer::Unknown {
            return answer;
        }
    }
    if is_below_alternatives(a, b, facts) {
        return Answer::Proven;
    }
    let plain = without_remainders(&difference, facts);
    if plain == difference { Answer::Unknown } else { sign(&plain, facts) }
}

/// Whether `expr >= 0`, by what is known of it as it stands.
fn sign(expr: &Expr, facts: &Facts) -> Answer {
    if is_nonnegative(expr, facts) {
        Answer::Proven
    } else if is_nonnegative(&(-1 - expr), facts) {
        Answer::Refuted
    } else {
        Answer::Unknown
    }
}

/// Whether each expression of which `a` is the largest is below one of those of which `b` is.
fn is_below_alternatives(a: &Expr, b: &Expr, facts: &Facts) -> bool {
    let (Some(xs), Some(ys)) = (alternatives(a), alternatives(b)) else { return false };
    let is_new = 1 < xs.len() || 1 < ys.len();
    is_new && xs.iter().all(|x| ys.iter().any(|y| is_nonnegative(&(y - x), facts)))
}

/// The expressions of which a sum is the largest: `a + max(b, c)` is the larger one of `a + b` and
/// `a + c`. None where they are too many.
fn alternatives(expr: &Expr) -> Option<Vec<Expr>> {
    let mut res: Vec<Expr> = Vec::new();
    let mut work = vec![expr.clone()];
    while let Some(it) = work.pop() {
        let terms = it.to_terms();
        let choice = terms.iter().filter(|it| 0 < it.coefficient).find_map(|term| {
            let atom = single(&term.mono)?;
            match atom {
                Atom::Call(call) if call.fun == Fun::Max => Some((term.coefficient, atom, call)),
                Atom::Call(_) | Atom::Sym(_) => None,
            }
        });
        match choice {
            Some((times, atom, call)) => {
                let rest = &it - atom.to_expr().scaled(times);
                work.extend(call.args.iter().map(|arg| &rest + arg.scaled(times)));
            }
            None if it.is_undefined() => return None,
            None if res.contains(&it) => {}
            None => res.push(it),
        }
        if MAX_ALTERNATIVES < work.len() + res.len() {
            return None;
        }
    }
    Some(res)
}

/// Whether `a` is a multiple of `d`, which is not zero.
pub fn divisible(a: &Expr, d: &Expr, facts: &Facts) -> Answer {
    if a.is_undefined() || d.is_undefined() || a.is_real() || d.is_real() {
        return Answer::Unknown;
    }
    let nonzero = is_positive(d, facts) || is_positive(&-d, facts);
    if !nonzero {
        return Answer::Unknown;
    }
    if let Some(d) = d.as_int() {
        let residues = congruence(a, facts);
        if residues.residue(d) == Some(0) {
            return Answer::Proven;
        }
        if residues.excludes_multiples_of(d) {
            return Answer::Refuted;
        }
    }
    let remainder = simplify(&a.modulo(d), facts);
    match remainder.as_int() {
        Some(0) => Answer::Proven,
        Some(_) => Answer::Refuted,
        None if is_positive(&remainder, facts) || is_positive(&-&remainder, facts) => {
            Answer::Refuted
        }
        None => Answer::Unknown,
    }
}

/// Whether there is a proof of `expr >= 1`.
pub(crate) fn is_positive(expr: &Expr, facts: &Facts) -> bool {
    1 <= range(expr, facts).lo && !expr.is_undefined() || is_nonnegative(&(expr - 1), facts)
}

/// Whether there is a proof of `expr >= 0`.
pub(crate) fn is_nonnegative(expr: &Expr, facts: &Facts) -> bool {
    is_nonnegative_within(BUDGET, expr, facts)
}

/// The same, if the proof is no longer than `budget`.
pub(crate) fn is_nonnegative_within(mut budget: u32, expr: &Expr, facts: &Facts) -> bool {
    if expr.is_undefined() || expr.is_real() {
        return false;
    }
    if 0 <= range(expr, facts).lo {
        return true;
    }
    if expr.as_int().is_some()
        || facts.witnesses().iter().any(|it| it.value(expr).is_some_and(|it| it < 0))
    {
        return false;
    }
    prove(expr, facts, CHAIN, &mut budget)
}

/// Subtracts from the expression multiples, by factors that are not negative, of relations that
/// are not negative either, each so that a term with a negative end vanishes, until the ranges
/// decide.
fn prove(expr: &Expr, facts: &Facts, chain: u32, budget: &mut u32) -> bool {
    if expr.is_undefined() {
        return false;
    }
    if 0 <= range(expr, facts).lo {
        return true;
    }
    if chain == 0 || *budget == 0 || expr.as_int().is_some() {
        return false;
    }
    *budget -= 1;
    let terms = expr.to_terms();
    if MAX_TERMS < terms.len() {
        return false;
    }
    let derived = derived_relations(&terms, facts);
    let (nonnegative, zero) = facts.relations();
    let negated: Vec<Expr> = zero.iter().map(|it| -it).collect();
    let relations = || derived.iter().chain(nonnegative).chain(zero).chain(&negated);
    let negative = terms.iter().filter(|it| range_of_term(it, facts).lo < 0);
    for term in negative {
        let mut rests: Vec<Expr> = Vec::new();
        relations().for_each(|it| cancel(expr, term, it, facts, &mut rests));
        rests.sort_by_key(Expr::size);
        rests.dedup();
        for rest in &rests {
            if prove(rest, facts, chain - 1, budget) {
                return true;
            }
        }
        // What no way of cancelling this term proves, cancelling others first seldom does.
        if !rests.is_empty() {
            break;
        }
    }
    prove_by_cases(expr, &terms, facts, chain, budget)
}

fn range_of_term(term: &Term, facts: &Facts) -> Range {
    range_of_mono(&term.mono, facts).times(Range::point(term.coefficient))
}

/// Adds each `expr - m*relation` for an `m >= 0` that cancels the term.
fn cancel(expr: &Expr, term: &Term, relation: &Expr, facts: &Facts, rests: &mut Vec<Expr>) {
    let constant = Term { mono: Mono::new(), coefficient: relation.constant_term() };
    for by in relation.to_terms().iter().chain([&constant]) {
        if by.coefficient.signum() != term.coefficient.signum() {
            continue;
        }
        // Where it does not divide, what is left has the other sign.
        let times = term.coefficient.unsigned_abs().div_ceil(by.coefficient.unsigned_abs());
        let Ok(times) = i64::try_from(times) else { continue };
        let Some(factor) = mono_div(&term.mono, &by.mono) else { continue };
        if range_of_mono(&factor, facts).lo < 0 {
            continue;
        }
        let rest = expr - from_mono(factor, times) * relation;
        // Any term is a multiple of a constant; that helps only if others cancel as well.
        let useful = !by.mono.is_empty() || rest.size() < expr.size();
        if useful && !rest.is_undefined() {
            rests.push(rest);
        }
    }
}

/// What the definitions of the calls in the terms say of them, and the ends of the ranges of
/// atoms in products: interval arithmetic does not see that `s0*s1 >= s0`.
fn derived_relations(terms: &[Term], facts: &Facts) -> Vec<Expr> {
    let mut relations: Vec<Expr> = Vec::new();
    for atom in terms.iter().filter(|it| 1 < it.mono.len()).flat_map(|it| &it.mono) {
        let Range { lo, hi } = range_of_atom(&atom.atom, facts);
        if lo != i64::MIN && lo != 0 {
            relations.push(atom.atom.to_expr() - lo);
        }
        if hi != i64::MAX {
            relations.push(hi - atom.atom.to_expr());
        }
    }
    for factor in terms.iter().flat_map(|it| &it.mono) {
        let Atom::Call(call) = &factor.atom else { continue };
        let value = factor.atom.to_expr();
        match (call.fun, call.args.as_slice()) {
            (Fun::FloorDiv, [n, d]) if 1 <= range(d, facts).lo => {
                let below = n - d * &value;
                relations.push(d - 1 - &below);
                relations.push(below);
            }
            (Fun::Mod, [n, d]) if 1 <= range(d, facts).lo => {
                if 0 <= range(n, facts).lo {
                    relations.push(n - &value);
                }
                relations.push(d - 1 - value);
            }
            (Fun::Max, args) => relations.extend(args.iter().map(|it| &value - it)),
            (Fun::Min, args) => relations.extend(args.iter().map(|it| it - &value)),
            _ => {}
        }
    }
    relations.retain(|it| !it.is_undefined());
    relations
}

/// A minimum, a maximum, or a choice is one of its arguments.
fn prove_by_cases(
    expr: &Expr,
    terms: &[Term],
    facts: &Facts,
    chain: u32,
    budget: &mut u32,
) -> bool {
    let choice = terms.iter().flat_map(|it| &it.mono).find_map(|factor| match &factor.atom {
        Atom::Call(call) => match (call.fun, call.args.as_slice()) {
            (Fun::Min | Fun::Max, args) if args.len() <= 3 => Some((&factor.atom, args)),
            (Fun::Where, [_, cases @ ..]) => Some((&factor.atom, cases)),
            _ => None,
        },
        Atom::Sym(_) => None,
    });
    let Some((atom, cases)) = choice else { return false };
    cases.iter().all(|case| {
        let chosen = expr.map_atoms(&mut |it| (it == atom).then(|| case.clone()));
        prove(&chosen, facts, chain - 1, budget)
    })
}
