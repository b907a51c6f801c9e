//! The direct rewrites: what range-guarded division of polynomials decides, in time linear in the
//! expression. Each gives an expression of the same value wherever the facts hold.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::{
    arith::{Poly, from_mono, gcd, mono_div},
    congruence::{self, congruence},
    expr::{Atom, Call, Expr, Factor, Mono, Term},
    facts::Facts,
    fun::Fun,
    prove::{is_nonnegative, is_positive},
    range::{Range, range},
    simplify::Simplifier,
};

/// What takes quadratic time is done to sums of this many terms and less.
const MAX_TERMS: usize = 64;

/// A minimum or maximum of more arguments is left as it is.
const MAX_COMPARED: usize = 16;

/// Integers of this magnitude and less are exact in floating point.
const EXACT_FLOAT: i64 = 1 << 53;

/// The names of the rewrites, and what they say.
pub(crate) const LAWS: &[(&str, &str)] = &[
    ("point-range", "a value with one value in its range is that constant"),
    ("solved-symbol", "a symbol is what an equality says it is"),
    ("div-point", "n//d = k, if the ranges of n and d leave one quotient k"),
    ("div-split", "(q*d + r)//d = q, if 0 <= r < d"),
    ("div-by-part", "(q*g + r)//(g*h) = q//h, if 0 <= r < g and 0 < h"),
    ("div-of-multiple", "(m + r)//d = m//d, if d divides m and 0 <= r < d"),
    ("div-of-remainder", "(m + Mod(n, k))//d = q, if m + n - k*(n//k) = q*d + r and 0 <= r < d"),
    ("div-add-mul", "(q*d + r)//d = q + r//d, if 0 < d"),
    ("mod-known", "Mod(n, d) = k, if n is known to be k modulo d"),
    ("mod-split", "Mod(q*d + r, d) = r, if 0 <= r < d"),
    ("mod-by-part", "Mod(q*g + r, g*h) = g*Mod(q, h) + r, if 0 <= r < g and 0 < h"),
    ("mod-of-multiple", "Mod(m + r, d) = Mod(k + r, d), if m is known to be k modulo d"),
    ("mod-add-mul", "Mod(q*d + r, d) = Mod(r, d), if 0 < d"),
    ("mod-as-difference", "Mod(n, d) = n - d*(n//d), if 0 < d"),
    ("div-as-difference", "d*(n//d) = n - Mod(n, d), if 0 < d"),
    ("max-dominated", "Max(a, b) = b, if a <= b"),
    ("min-dominated", "Min(a, b) = a, if a <= b"),
    ("abs-nonnegative", "Abs(a) = a, if 0 <= a"),
    ("abs-nonpositive", "Abs(a) = -a, if a <= 0"),
    ("le-holds", "Le(a, b) = 1, if a <= b"),
    ("le-fails", "Le(a, b) = 0, if b < a"),
    ("eq-holds", "Eq(a, b) = 1, if a <= b and b <= a"),
    ("eq-fails", "Eq(a, b) = 0, if a < b or b < a, or their residues differ"),
    ("round-integer", "FloorToInt(ToFloat(a)) = a, if floating point has a exactly"),
    ("floor-quotient", "FloorToInt(IntTrueDiv(a, b)) = a//b, if floating point has both exactly"),
    (
        "ceil-quotient",
        "CeilToInt(IntTrueDiv(a, b)) = -((-a)//b), if floating point has both exactly",
    ),
    ("trunc-quotient", "TruncToInt(IntTrueDiv(a, b)) = a//b, if also 0 <= a"),
];

/// A rewrite of a call whose arguments are simplified.
pub(crate) fn call(it: &mut Simplifier<'_>, call: &Call) -> Option<Expr> {
    let facts = it.facts;
    let (rule, result) = match (call.fun, call.args.as_slice()) {
        (Fun::FloorDiv, [n, d]) => quotient(n, d, facts),
        (Fun::Mod, [n, d]) => remainder(n, d, facts),
        (Fun::Min | Fun::Max, args) => extremum(call.fun, args, facts),
        (Fun::Abs, [a]) => absolute(a, facts),
        (Fun::Le, [a, b]) => at_most(a, b, facts),
        (Fun::Eq, [a, b]) => equality(a, b, facts),
        (Fun::FloorToInt | Fun::CeilToInt | Fun::TruncToInt | Fun::RoundToInt, [a]) => {
            rounding(call.fun, a, facts)
        }
        _ => None,
    }?;
    if result.is_undefined() || result.as_call().is_some_and(|it| **it == *call) {
        return None;
    }
    it.applied(rule);
    Some(result)
}

type Rewritten = Option<(&'static str, Expr)>;

fn quotient(n: &Expr, d: &Expr, facts: &Facts) -> Rewritten {
    if !is_positive(d, facts) {
        return None;
    }
    if let Some(point) = range(n, facts).floor_div(range(d, facts)).as_point() {
        return Some(("div-point", Expr::int(point)));
    }
    let (whole, rest) = split(n, d);
    if let Some(shift) = fits(&rest, d, facts) {
        return Some(("div-split", whole + shift));
    }
    // What is left to the next multiple, `n + Mod(-n, d)`, is seen by dividing what it stands for.
    for atom in n.to_terms().iter().flat_map(|it| &it.mono) {
        let Atom::Call(call) = &atom.atom else { continue };
        let Some((m, k)) = call.as_binary(Fun::Mod) else { continue };
        if !is_positive(k, facts) {
            continue;
        }
        let by = m - k * &m.floor_div(k);
        let replaced = n.map_atoms(&mut |it| (*it == atom.atom).then(|| by.clone()));
        if let Some((whole, _)) = split_fitting(&replaced, d, facts) {
            return Some(("div-of-remainder", whole));
        }
    }
    for part in divisors(n, d) {
        let Some(other) = exact_quotient(d, &part) else { continue };
        if let Some((whole, _)) = split_fitting(n, &part, facts)
            && is_positive(&part, facts)
            && is_positive(&other, facts)
        {
            return Some(("div-by-part", whole.floor_div(&other)));
        }
    }
    if let Some(d) = d.as_int() {
        let (multiple, rest) = known_multiple(n, d, facts);
        if rest.as_int() != Some(0)
            && multiple.as_int().is_none()
            && let Some(shift) = fits(&rest, &Expr::int(d), facts)
        {
            return Some(("div-of-multiple", multiple.floor_div(&Expr::int(d)) + shift));
        }
    }
    (whole.as_int() != Some(0)).then(|| ("div-add-mul", whole + rest.floor_div(d)))
}

fn remainder(n: &Expr, d: &Expr, facts: &Facts) -> Rewritten {
    if !is_positive(d, facts) {
        return None;
    }
    if let Some(d) = d.as_int()
        && let Some(residue) = congruence(n, facts).residue(d)
    {
        return Some(("mod-known", Expr::int(residue)));
    }
    let (whole, rest) = split(n, d);
    if let Some(shift) = fits(&rest, d, facts) {
        return Some(("mod-split", rest - d * &Expr::int(shift)));
    }
    for part in divisors(n, d) {
        let Some(other) = exact_quotient(d, &part) else { continue };
        if let Some((whole, rest)) = split_fitting(n, &part, facts)
            && is_positive(&part, facts)
            && is_positive(&other, facts)
        {
            return Some(("mod-by-part", part * whole.modulo(&other) + rest));
        }
    }
    if let Some(by) = d.as_int() {
        let reduced = with_known_residues(n, by, facts);
        if reduced != *n {
            return Some(("mod-of-multiple", reduced.modulo(d)));
        }
    }
    (whole.as_int() != Some(0)).then(|| ("mod-add-mul", rest.modulo(d)))
}

/// `(q, r)` with `n == q*d + r`, by division of polynomials with integer coefficients.
fn split(n: &Expr, d: &Expr) -> (Expr, Expr) {
    let unsplit = || (Expr::int(0), n.clone());
    let (mut whole, mut rest) = (Poly::default(), Poly::default());
    let divisor_terms = d.to_terms();
    let Some(lead) = divisor_terms.first() else {
        let Some(by @ 1..) = d.as_int() else { return unsplit() };
        for term in n.to_terms() {
            let poly = if term.coefficient % by == 0 { &mut whole } else { &mut rest };
            let scale = if term.coefficient % by == 0 { by } else { 1 };
            poly.add_mono(term.mono, term.coefficient / scale);
        }
        whole.add_int(n.constant_term().div_euclid(by).into());
        rest.add_int(n.constant_term().rem_euclid(by).into());
        return (whole.finish(), rest.finish());
    };
    if MAX_TERMS < n.to_terms().len() {
        return unsplit();
    }
    let divide = |term: &Term| {
        let mono = mono_div(&term.mono, &lead.mono)?;
        (term.coefficient.checked_rem(lead.coefficient) == Some(0))
            .then(|| from_mono(mono, term.coefficient / lead.coefficient))
    };
    let mut rest = n.clone();
    let mut whole = Expr::int(0);
    // Each step cancels one term; as many steps as there are terms, and a few that arise.
    for _ in 0..n.to_terms().len() + 4 {
        let Some(by) = rest.to_terms().iter().find_map(divide) else { break };
        let next = &rest - &by * d;
        whole = whole + by;
        if next.is_undefined() || whole.is_undefined() {
            return unsplit();
        }
        rest = next;
    }
    (whole, rest)
}

/// The `k` with a proof of `k*d <= r < (k + 1)*d`, of those that are small; `d` is positive.
fn fits(r: &Expr, d: &Expr, facts: &Facts) -> Option<i64> {
    if let Some(by) = d.as_int() {
        let Range { lo, hi } = range(r, facts);
        let known = lo != i64::MIN && hi != i64::MAX;
        if known {
            let at = lo.div_euclid(by);
            if at == hi.div_euclid(by) {
                return Some(at);
            }
        }
        // The ranges of the symbols do not do; relations between them still may.
    }
    let proven = |shift: &i64| {
        let low = r - d * &Expr::int(*shift);
        is_nonnegative(&low, facts) && is_nonnegative(&(d - 1 - low), facts)
    };
    let mut seen =
        facts.witnesses().iter().filter_map(|it| it.value(r)?.checked_div_euclid(it.value(d)?));
    match seen.next() {
        Some(shift) => (seen.all(|it| it == shift) && proven(&shift)).then_some(shift),
        None => [0, -1, 1].into_iter().find(proven),
    }
}

/// `(q, r)` with `n == q*d + r` and a proof of `0 <= r < d`.
fn split_fitting(n: &Expr, d: &Expr, facts: &Facts) -> Option<(Expr, Expr)> {
    let (whole, rest) = split(n, d);
    let shift = fits(&rest, d, facts)?;
    Some((whole + shift, rest - d * &Expr::int(shift)))
}

/// Proper divisors of `d` that divide a term of `n`.
fn divisors(n: &Expr, d: &Expr) -> Vec<Expr> {
    let terms = d.to_terms();
    if let Some(d) = d.as_int() {
        let common = |term: &Term| gcd(term.coefficient.unsigned_abs(), d.unsigned_abs());
        let parts: BTreeSet<u64> = n.to_terms().iter().map(common).collect();
        let proper = |it: &i64| 1 < *it && *it < d;
        return parts
            .into_iter()
            .rev()
            .filter_map(|it| i64::try_from(it).ok())
            .filter(proper)
            .map(Expr::int)
            .collect();
    }
    let [term] = terms.as_slice() else { return Vec::new() };
    if d.constant_term() != 0 {
        return Vec::new();
    }
    let mut parts: Vec<Expr> = Vec::new();
    for factor in &term.mono {
        let single: Mono = SmallVec::from_iter([Factor { power: 1, ..factor.clone() }]);
        if let Some(others) = mono_div(&term.mono, &single)
            && !others.is_empty()
        {
            parts.push(from_mono(others.clone(), term.coefficient));
            parts.push(from_mono(others, 1));
        }
        parts.push(from_mono(single.clone(), 1));
        parts.push(from_mono(single, term.coefficient));
    }
    if 1 < term.coefficient {
        parts.push(Expr::int(term.coefficient));
    }
    parts.sort();
    parts.dedup();
    parts.retain(|it| it != d);
    parts
}

/// `d / part`, where it is a polynomial.
fn exact_quotient(d: &Expr, part: &Expr) -> Option<Expr> {
    let (whole, rest) = split(d, part);
    (rest.as_int() == Some(0)).then_some(whole)
}

/// `(m, r)` with `n == m + r`, where `m` is known to be a multiple of `d`.
fn known_multiple(n: &Expr, d: i64, facts: &Facts) -> (Expr, Expr) {
    let (mut multiple, mut rest) = (Poly::default(), Poly::default());
    rest.add_int(n.constant_term().into());
    for term in n.to_terms() {
        match residue_of(&term, d, facts) {
            Some(0) => multiple.add_term(&term),
            _ => rest.add_term(&term),
        }
    }
    (multiple.finish(), rest.finish())
}

/// The expression with every term whose residue is known replaced by it.
fn with_known_residues(n: &Expr, d: i64, facts: &Facts) -> Expr {
    let mut reduced = Poly::default();
    reduced.add_int(n.constant_term().into());
    for term in n.to_terms() {
        match residue_of(&term, d, facts) {
            Some(residue) => reduced.add_int(residue.into()),
            None => reduced.add_term(&term),
        }
    }
    reduced.finish()
}

fn residue_of(term: &Term, d: i64, facts: &Facts) -> Option<i64> {
    let unit = congruence::mono(&term.mono, facts);
    unit.times(congruence::constant(term.coefficient)).residue(d)
}

fn extremum(fun: Fun, args: &[Expr], facts: &Facts) -> Rewritten {
    if args.iter().any(Expr::is_real) || MAX_COMPARED < args.len() {
        return None;
    }
    let mut kept: Vec<&Expr> = args.iter().collect();
    let beaten = |it: &Expr, by: &Expr| {
        is_nonnegative(&if fun == Fun::Max { by - it } else { it - by }, facts)
    };
    let mut at = 0;
    while at < kept.len() {
        // The argument itself must not count, nor one that it has beaten.
        let others = kept.iter().enumerate().filter(|it| it.0 != at);
        if 1 < kept.len() && others.into_iter().any(|other| beaten(kept[at], other.1)) {
            kept.remove(at);
        } else {
            at += 1;
        }
    }
    (kept.len() < args.len()).then(|| match fun {
        Fun::Max => ("max-dominated", Expr::max_of(kept)),
        _ => ("min-dominated", Expr::min_of(kept)),
    })
}

fn absolute(a: &Expr, facts: &Facts) -> Rewritten {
    if a.is_real() {
        None
    } else if is_nonnegative(a, facts) {
        Some(("abs-nonnegative", a.clone()))
    } else if is_nonnegative(&-a, facts) {
        Some(("abs-nonpositive", -a))
    } else {
        None
    }
}

fn at_most(a: &Expr, b: &Expr, facts: &Facts) -> Rewritten {
    if is_nonnegative(&(b - a), facts) {
        Some(("le-holds", Expr::int(1)))
    } else if is_nonnegative(&(a - b - 1), facts) {
        Some(("le-fails", Expr::int(0)))
    } else {
        None
    }
}

fn equality(a: &Expr, b: &Expr, facts: &Facts) -> Rewritten {
    let difference = a - b;
    if difference.is_real() || difference.is_undefined() {
        return None;
    }
    let (below, above) = (-1 - &difference, &difference - 1);
    if congruence(&difference, facts).remainder != 0
        || is_nonnegative(&below, facts)
        || is_nonnegative(&above, facts)
    {
        Some(("eq-fails", Expr::int(0)))
    } else if is_nonnegative(&difference, facts) && is_nonnegative(&-difference, facts) {
        Some(("eq-holds", Expr::int(1)))
    } else {
        None
    }
}

/// Rounding of what floating point holds exactly, or of a quotient of such integers: it is
/// nearer to no integer than the quotient is.
fn rounding(fun: Fun, argument: &Expr, facts: &Facts) -> Rewritten {
    let call = argument.as_call()?;
    let exact = Range { lo: -EXACT_FLOAT, hi: EXACT_FLOAT };
    let known = |it: &Expr| range(it, facts).intersection(exact) == range(it, facts);
    match (call.fun, call.args.as_slice()) {
        (Fun::ToFloat, [a]) if known(a) => Some(("round-integer", a.clone())),
        (Fun::IntTrueDiv, [a, b]) if known(a) && known(b) && is_positive(b, facts) => match fun {
            Fun::FloorToInt => Some(("floor-quotient", a.floor_div(b))),
            Fun::CeilToInt => Some(("ceil-quotient", a.ceil_div(b))),
            Fun::TruncToInt if is_nonnegative(a, facts) => Some(("trunc-quotient", a.floor_div(b))),
            _ => None,
        },
        _ => None,
    }
}

/// `Mod(n, d) == n - d*(n//d)`, in whichever direction makes the sum cheaper.
pub(crate) fn sum(it: &mut Simplifier<'_>, sum: Expr) -> Expr {
    let mut best = sum;
    let terms = best.to_terms();
    if MAX_TERMS < terms.len() {
        return best;
    }
    for factor in terms.iter().flat_map(|it| &it.mono) {
        let Factor { atom: Atom::Call(call), power: 1 } = factor else { continue };
        let [n, d] = call.args.as_slice() else { continue };
        if !matches!(call.fun, Fun::FloorDiv | Fun::Mod) || !is_positive(d, it.facts) {
            continue;
        }
        let (rule, candidate) = match call.fun {
            Fun::Mod => {
                let by = n - d * &n.floor_div(d);
                let replaced = best.map_atoms(&mut |it| (*it == factor.atom).then(|| by.clone()));
                ("mod-as-difference", replaced)
            }
            _ => ("div-as-difference", without_quotient(&best, &factor.atom, n, d, it.facts)),
        };
        if candidate.cost() < best.cost() {
            it.applied(rule);
            best = candidate;
        }
    }
    best
}

/// The sum with every `x*d*(n//d)` replaced by `x*(n - Mod(n, d))`.
fn without_quotient(sum: &Expr, quotient: &Atom, n: &Expr, d: &Expr, facts: &Facts) -> Expr {
    let modulo = n.modulo(d);
    let modulo = match modulo.as_call() {
        Some(call) => call_mod(call, facts).unwrap_or(modulo),
        None => modulo,
    };
    let multiple = n - modulo;
    let single: Mono = SmallVec::from_iter([Factor { atom: quotient.clone(), power: 1 }]);
    let mut result = Expr::int(sum.constant_term());
    for term in sum.to_terms() {
        let whole = || from_mono(term.mono.clone(), term.coefficient);
        let replaced = mono_div(&term.mono, &single).and_then(|others| {
            let scale = exact_quotient(&from_mono(others, term.coefficient), d)?;
            Some(scale * &multiple)
        });
        result = result + replaced.unwrap_or_else(whole);
    }
    result
}

fn call_mod(call: &Call, facts: &Facts) -> Option<Expr> {
    call.as_binary(Fun::Mod).and_then(|(n, d)| remainder(n, d, facts)).map(|it| it.1)
}
