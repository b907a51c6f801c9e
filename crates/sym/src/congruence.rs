//! Residues: what is known of a value modulo a number.

use crate::{
    arith::gcd,
    expr::{Atom, Expr, Mono, Repr},
    facts::{Congruence, Facts},
    fun::Fun,
};

impl Congruence {
    const fn point(value: i128) -> Congruence {
        Congruence { modulus: 0, remainder: value }
    }

    fn plus(self, other: Congruence) -> Congruence {
        match self.remainder.checked_add(other.remainder) {
            Some(sum) => Congruence::new(gcd(self.modulus, other.modulus), sum),
            None => Congruence::ANY,
        }
    }

    pub(crate) fn times(self, other: Congruence) -> Congruence {
        // (m*i + r) * (n*j + s) = m*n*i*j + m*s*i + n*r*j + r*s
        let times = |a: u128, b: u128| a.checked_mul(b);
        let cross = [
            times(self.modulus.into(), other.modulus.into()),
            times(self.modulus.into(), other.remainder.unsigned_abs()),
            times(other.modulus.into(), self.remainder.unsigned_abs()),
        ];
        let [Some(a), Some(b), Some(c)] = cross else { return Congruence::ANY };
        let modulus = gcd_wide(a, gcd_wide(b, c));
        match (u64::try_from(modulus), self.remainder.checked_mul(other.remainder)) {
            (Ok(modulus), Some(product)) => Congruence::new(modulus, product),
            _ => Congruence::ANY,
        }
    }

    /// The values in both, or in one of them where both cannot be said.
    pub(crate) fn meet(self, other: Congruence) -> Congruence {
        let (fine, coarse) =
            if self.modulus < other.modulus { (other, self) } else { (self, other) };
        if coarse.modulus == 0 || fine.modulus.is_multiple_of(coarse.modulus) {
            return fine;
        }
        let steps = coarse.modulus / gcd(fine.modulus, coarse.modulus);
        let Some(modulus) = fine.modulus.checked_mul(steps) else { return fine };
        // The common residues repeat after `steps` candidates; a search this long is enough for
        // the alignments that occur.
        let found = (0..u128::from(steps.min(1 << 12))).find_map(|step| {
            let value = fine.remainder + i128::from(fine.modulus) * step as i128;
            let fits = value.rem_euclid(coarse.modulus.into()) == coarse.remainder;
            fits.then_some(value)
        });
        found.map_or(fine, |value| Congruence::new(modulus, value))
    }

    pub(crate) fn contains(self, value: i64) -> bool {
        Congruence::new(self.modulus, value.into()) == self
    }

    /// The residue modulo `d`, where it is the same for all values.
    pub(crate) fn residue(self, d: i64) -> Option<i64> {
        let magnitude = d.unsigned_abs();
        (magnitude != 0 && self.modulus.is_multiple_of(magnitude))
            .then(|| self.remainder.rem_euclid(magnitude.into()) as i64)
    }

    /// Whether no value is a multiple of `d`.
    pub(crate) fn excludes_multiples_of(self, d: i64) -> bool {
        let common = gcd(self.modulus, d.unsigned_abs());
        common != 0 && self.remainder.rem_euclid(common.into()) != 0
    }
}

fn gcd_wide(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

pub(crate) const fn constant(value: i64) -> Congruence {
    Congruence::point(value as i128)
}

/// What is known of the residues of an expression.
pub(crate) fn congruence(expr: &Expr, facts: &Facts) -> Congruence {
    match &expr.0 {
        Repr::Int(it) => Congruence::point((*it).into()),
        Repr::Undefined => Congruence::ANY,
        Repr::Sym(_) | Repr::Call(_) => {
            expr.as_atom().map_or(Congruence::ANY, |it| atom(&it, facts))
        }
        Repr::Sum(sum) => {
            sum.terms.iter().fold(Congruence::point(sum.constant.into()), |total, term| {
                let scale = Congruence::point(term.coefficient.into());
                total.plus(mono(&term.mono, facts).times(scale))
            })
        }
    }
}

pub(crate) fn mono(mono: &Mono, facts: &Facts) -> Congruence {
    mono.iter().fold(Congruence::point(1), |product, factor| {
        let base = atom(&factor.atom, facts);
        (0..factor.power.min(8)).fold(product, |product, _| product.times(base))
    })
}

fn atom(atom: &Atom, facts: &Facts) -> Congruence {
    match atom {
        Atom::Sym(it) => match facts.range_of_sym(it).as_point() {
            Some(it) => Congruence::point(it.into()),
            None => facts.congruence_of_sym(it),
        },
        Atom::Call(call) => match (call.fun, call.args.as_slice()) {
            (Fun::Mod, [n, d]) => match d.as_int() {
                // A remainder differs from the numerator by a multiple of the divisor.
                Some(d) if 0 < d => {
                    let of_numerator = congruence(n, facts);
                    Congruence::new(
                        gcd(of_numerator.modulus, d.unsigned_abs()),
                        of_numerator.remainder,
                    )
                }
                _ => Congruence::ANY,
            },
            (Fun::Min | Fun::Max, args) if !call.is_real() => {
                let mut all = args.iter().map(|it| congruence(it, facts));
                let first = all.next().unwrap_or(Congruence::ANY);
                all.fold(first, join)
            }
            _ => Congruence::ANY,
        },
    }
}

/// The least congruence that holds the values of both.
fn join(a: Congruence, b: Congruence) -> Congruence {
    let Some(apart) = a.remainder.checked_sub(b.remainder) else { return Congruence::ANY };
    let modulus = gcd_wide(gcd(a.modulus, b.modulus).into(), apart.unsigned_abs());
    u64::try_from(modulus).map_or(Congruence::ANY, |it| Congruence::new(it, a.remainder))
}
