//! Sums as sums of products of sums, with fewer operations than when they are multiplied out.

use smallvec::SmallVec;

use crate::{
    arith::{from_mono, mono_div},
    expr::{Atom, Expr, Factor, Mono, Term},
};

/// Longer sums are left as they are: looking for what they share takes quadratic time.
const MAX_TERMS: usize = 24;

/// A part of a sum.
pub(crate) enum Part {
    Term(Term),
    /// Neither is a constant unless the first is.
    Product(Expr, Expr),
}

/// The sum's terms, those that share a factor taken together, and the constant that is left; the
/// factor that most terms share comes first, and what is in parentheses is to be looked at again.
pub(crate) fn parts(terms: &[Term], constant: i64) -> (Vec<Part>, i64) {
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
    /// The magnitude of a coefficient.
    Scale(i64),
}

impl Shared {
    fn to_expr(&self) -> Expr {
        match self {
            Shared::Atom(it) => it.to_expr(),
            Shared::Scale(it) => Expr::int(*it),
        }
    }

    fn divide(&self, term: &Term) -> Option<Term> {
        match self {
            Shared::Atom(atom) => {
                let single: Mono = SmallVec::from_iter([Factor { atom: atom.clone(), power: 1 }]);
                let mono = mono_div(&term.mono, &single)?;
                Some(Term { mono, coefficient: term.coefficient })
            }
            Shared::Scale(scale) => (term.coefficient.checked_abs() == Some(*scale))
                .then(|| Term { coefficient: term.coefficient.signum(), ..term.clone() }),
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
        }
    }
}
