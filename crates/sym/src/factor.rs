//! Sums as sums of products of sums, with fewer operations than when they are multiplied out.

use smallvec::SmallVec;

use crate::{
    arith::{from_mono, mono_div, mono_mul},
    expr::{Atom, Expr, Factor, Mono, Term},
};

/// Longer sums are left as they are: looking for what they share takes quadratic time.
const MAX_TERMS: usize = 24;

/// A part of a sum.
pub(crate) enum Part {
    Term(Term),
    /// Neither is a constant unless the first is.
    Product(Expr, Expr),
    /// A sum to a power.
    Power(Expr, u32),
}

/// The sum's terms, those that share a factor taken together, and the constant that is left; the
/// factor that most terms share comes first, and what is in parentheses is to be looked at again.
pub(crate) fn parts(terms: &[Term], constant: i64) -> (Vec<Part>, i64) {
    if let Some((base, exponent, rest)) = power(terms, constant) {
        let (mut parts, constant) = parts(&rest.to_terms(), rest.constant_term());
        parts.insert(0, Part::Power(base, exponent));
        return (parts, constant);
    }
    let (mut products, mut rest) = products(terms);
    let mut constant = constant;
    // `x*(y + 10) + 8*y + 80` is `(x + 8)*(y + 10)`.
    for (outer, inner) in &mut products {
        if let Some(times) = multiple(&rest, constant, inner) {
            *outer = &*outer + times;
            (rest, constant) = (Vec::new(), 0);
        }
    }
    let products = products.into_iter().map(|(outer, inner)| Part::Product(outer, inner));
    (products.chain(rest.into_iter().map(Part::Term)).collect(), constant)
}

/// Exponents of sums that are looked for.
const EXPONENTS: std::ops::RangeInclusive<u32> = 2..=4;

/// A sum to a power all of whose terms are among these, and what is left.
///
/// The parts of the base are roots of terms such as `4*s0**2`: the first, and those whose product
/// with it, as the binomial formula has it, is a term too.
fn power(terms: &[Term], constant: i64) -> Option<(Expr, u32, Expr)> {
    let all = || Expr::from_terms(terms.to_vec(), constant);
    for exponent in EXPONENTS {
        let roots: Vec<Term> = terms.iter().filter_map(|it| root(it, exponent)).collect();
        for first in &roots {
            let mut base = vec![first.clone()];
            // What the binomial formula has for a part of the base: `n * first**(n - 1) * part`.
            let mut before = first.mono.clone();
            for _ in 2..exponent {
                before = mono_mul(&before, &first.mono)?;
            }
            let scale =
                first.coefficient.checked_pow(exponent - 1)?.checked_mul(exponent.into())?;
            let among = |mono: &Mono, magnitude: i64| {
                let found = terms.iter().find(|it| it.mono == *mono)?.coefficient;
                let part = found.checked_div(scale)?;
                (part.checked_mul(scale) == Some(found) && part.checked_abs() == Some(magnitude))
                    .then_some(part)
            };
            for other in roots.iter().filter(|it| it.mono != first.mono) {
                let cross = mono_mul(&before, &other.mono)?;
                let part = other.coefficient.checked_abs().and_then(|it| among(&cross, it));
                base.extend(part.map(|it| Term { mono: other.mono.clone(), coefficient: it }));
            }
            let own = integer_root(constant, exponent).filter(|it| *it != 0);
            let own = own.and_then(|it| among(&before, it.checked_abs()?)).unwrap_or(0);
            if base.len() + usize::from(own != 0) < 2 {
                continue;
            }
            let base: Vec<Expr> =
                base.into_iter().map(|it| from_mono(it.mono, it.coefficient)).collect();
            let base = Expr::sum(&base) + own;
            let power = base.pow_by_natural(&Expr::int(exponent.into()));
            if power.is_undefined() {
                continue;
            }
            let rest = all() - &power;
            if rest.to_terms().len() + power.to_terms().len() == terms.len()
                && (own == 0 || rest.constant_term() == 0)
            {
                return Some((base, exponent, rest));
            }
        }
    }
    None
}

/// The term whose power this is.
fn root(term: &Term, exponent: u32) -> Option<Term> {
    let coefficient = integer_root(term.coefficient, exponent)?;
    let mut mono = term.mono.clone();
    for factor in &mut mono {
        if factor.power % exponent != 0 {
            return None;
        }
        factor.power /= exponent;
    }
    Some(Term { mono, coefficient })
}

/// The whole number whose power this is; of two the positive one.
fn integer_root(value: i64, exponent: u32) -> Option<i64> {
    // Sizes have small coefficients; a number this small is its own rounded root's power or none's.
    let root = (value.unsigned_abs() as f64).powf(1.0 / f64::from(exponent)).round() as i64;
    [root, -root].into_iter().find(|it| it.checked_pow(exponent) == Some(value))
}

/// The whole number that `of` times gives the sum of the terms and the constant, if there is one.
fn multiple(terms: &[Term], constant: i64, of: &Expr) -> Option<i64> {
    let unit = of.to_terms();
    if terms.is_empty() || terms.len() != unit.len() {
        return None;
    }
    let times = terms[0].coefficient.checked_div(unit[0].coefficient)?;
    let sum = Expr::from_terms(terms.to_vec(), constant);
    (of.scaled(times) == sum && !sum.is_undefined()).then_some(times)
}

/// Products of two sums, and the terms in none of them.
fn products(terms: &[Term]) -> (Vec<(Expr, Expr)>, Vec<Term>) {
    let mut rest: Vec<Term> = terms.to_vec();
    let mut products: Vec<(Expr, Expr)> = Vec::new();
    while rest.len() <= MAX_TERMS
        && let Some(shared) = most_shared(&rest)
    {
        let shared = shared.with_sign(&rest);
        let (mut inner, mut constant) = (Vec::new(), 0);
        rest.retain(|term| match shared.divide(term) {
            Some(quotient) if quotient.mono.is_empty() => {
                constant = quotient.coefficient;
                false
            }
            Some(quotient) => {
                inner.push(quotient);
                false
            }
            None => true,
        });
        let inner = Expr::from_terms(inner, constant);
        match products.iter_mut().find(|it| it.1 == inner) {
            Some(known) => known.0 = &known.0 + shared.to_expr(),
            None => products.push((shared.to_expr(), inner)),
        }
    }
    (products, rest)
}

/// What terms can share.
#[derive(PartialEq)]
enum Shared {
    Atom(Atom),
    /// The magnitude of a coefficient, negative if all those coefficients are.
    Scale(i64),
}

impl Shared {
    fn to_expr(&self) -> Expr {
        match self {
            Shared::Atom(it) => it.to_expr(),
            Shared::Scale(it) => Expr::int(*it),
        }
    }

    fn with_sign(self, terms: &[Term]) -> Shared {
        match self {
            Shared::Scale(it) if terms.iter().all(|term| term.coefficient != it) => {
                Shared::Scale(-it)
            }
            it => it,
        }
    }

    fn divide(&self, term: &Term) -> Option<Term> {
        match self {
            Shared::Atom(atom) => {
                let single: Mono = SmallVec::from_iter([Factor { atom: atom.clone(), power: 1 }]);
                let mono = mono_div(&term.mono, &single)?;
                Some(Term { mono, coefficient: term.coefficient })
            }
            Shared::Scale(scale) => {
                (term.coefficient.checked_abs() == scale.checked_abs()).then(|| Term {
                    coefficient: term.coefficient.signum() * scale.signum(),
                    ..term.clone()
                })
            }
        }
    }
}

/// What two terms or more have, and most of them; the first of several.
fn most_shared(terms: &[Term]) -> Option<Shared> {
    let mut counts: Vec<(Shared, usize)> = Vec::new();
    let mut count = |it: Shared| match counts.iter_mut().find(|known| known.0 == it) {
        Some(known) => known.1 += 1,
        None => counts.push((it, 1)),
    };
    for term in terms {
        for factor in &term.mono {
            count(Shared::Atom(factor.atom.clone()));
        }
        if let Some(scale @ 2..) = term.coefficient.checked_abs() {
            count(Shared::Scale(scale));
        }
    }
    let most = counts.iter().map(|it| it.1).max().filter(|it| 1 < *it)?;
    counts.into_iter().find(|it| it.1 == most).map(|it| it.0)
}

impl Part {
    pub(crate) fn to_expr(&self) -> Expr {
        match self {
            Part::Term(it) => from_mono(it.mono.clone(), it.coefficient),
            Part::Product(outer, inner) => outer * inner,
            Part::Power(base, exponent) => base.pow_by_natural(&Expr::int((*exponent).into())),
        }
    }
}
