//! Ranges: what is known of a value when nothing but the ends of its parts is.

use crate::{
    construct::floor_quotient,
    expr::{Atom, Call, Expr, Repr},
    facts::Facts,
    fun::Fun,
};

/// An inclusive range of integers. An end at the end of `i64` means that there is no bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Range {
    /// The least value.
    pub lo: i64,
    /// The greatest value.
    pub hi: i64,
}

/// Further out than any product of an `i64` with an end could be, and its own square fits.
const FAR: i128 = 1 << 100;

impl Range {
    /// Every integer.
    pub const ANY: Range = Range { lo: i64::MIN, hi: i64::MAX };
    const TRUTH: Range = Range { lo: 0, hi: 1 };

    /// One value.
    pub const fn point(value: i64) -> Range {
        Range { lo: value, hi: value }
    }

    /// All values from `lo` on.
    pub const fn at_least(lo: i64) -> Range {
        Range { lo, hi: i64::MAX }
    }

    /// Whether both ends are bounds, so that the value is known to fit in `i64`.
    pub const fn is_bounded(self) -> bool {
        self.lo != i64::MIN && self.hi != i64::MAX
    }

    /// The value when there is only one.
    pub fn as_point(self) -> Option<i64> {
        (self.lo == self.hi && self.is_bounded()).then_some(self.lo)
    }

    /// Whether no value is in the range.
    pub const fn is_empty(self) -> bool {
        self.hi < self.lo
    }

    /// Whether the value is in the range.
    pub const fn contains(self, value: i64) -> bool {
        self.lo <= value && value <= self.hi
    }

    /// The values in both.
    pub fn intersection(self, other: Range) -> Range {
        Range { lo: self.lo.max(other.lo), hi: self.hi.min(other.hi) }
    }

    /// The least range that holds both.
    pub fn union(self, other: Range) -> Range {
        Range { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    fn ends(self) -> (i128, i128) {
        let lo = if self.lo == i64::MIN { -FAR } else { self.lo.into() };
        (lo, if self.hi == i64::MAX { FAR } else { self.hi.into() })
    }

    fn hull(ends: impl IntoIterator<Item = i128>) -> Range {
        let (lo, hi) =
            ends.into_iter().fold((i128::MAX, i128::MIN), |(lo, hi), it| (lo.min(it), hi.max(it)));
        let clamp = |it: i128| it.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Range { lo: clamp(lo), hi: clamp(hi) }
    }

    pub(crate) fn plus(self, other: Range) -> Range {
        let ((a, b), (c, d)) = (self.ends(), other.ends());
        Range::hull([a + c, b + d])
    }

    pub(crate) fn times(self, other: Range) -> Range {
        let ((a, b), (c, d)) = (self.ends(), other.ends());
        let times = i128::saturating_mul;
        Range::hull([times(a, c), times(a, d), times(b, c), times(b, d)])
    }

    fn negated(self) -> Range {
        self.times(Range::point(-1))
    }

    pub(crate) fn power(self, power: u32) -> Range {
        let ((a, b), even) = (self.ends(), power.is_multiple_of(2));
        let raise = |it: i128| match it.checked_pow(power) {
            Some(value) => value.clamp(-FAR, FAR),
            None if it < 0 && !even => -FAR,
            None => FAR,
        };
        match even && a < 0 && 0 < b {
            true => Range::hull([0, raise(a), raise(b)]),
            false => Range::hull([raise(a), raise(b)]),
        }
    }

    pub(crate) fn floor_div(self, divisor: Range) -> Range {
        if divisor.hi < 0 {
            return self.negated().floor_div(divisor.negated());
        }
        if divisor.lo <= 0 {
            return Range::ANY;
        }
        let ((a, b), (c, d)) = (self.ends(), divisor.ends());
        let quotient = |n: i128, d: i128| match (n, d) {
            (n, _) if n.abs() == FAR => n,
            (n, FAR) => {
                if n < 0 {
                    -1
                } else {
                    0
                }
            }
            (n, d) => floor_quotient(n, d),
        };
        Range::hull([quotient(a, c), quotient(a, d), quotient(b, c), quotient(b, d)])
    }

    pub(crate) fn modulo(self, divisor: Range) -> Range {
        if divisor.hi < 0 {
            return self.negated().modulo(divisor.negated()).negated();
        }
        if divisor.lo <= 0 {
            return Range::ANY;
        }
        if 0 <= self.lo && self.hi < divisor.lo {
            return self;
        }
        let end = if divisor.hi == i64::MAX { i64::MAX } else { divisor.hi - 1 };
        Range { lo: 0, hi: if 0 <= self.lo { end.min(self.hi) } else { end } }
    }

    pub(crate) fn min(self, other: Range) -> Range {
        Range { lo: self.lo.min(other.lo), hi: self.hi.min(other.hi) }
    }

    pub(crate) fn max(self, other: Range) -> Range {
        Range { lo: self.lo.max(other.lo), hi: self.hi.max(other.hi) }
    }

    fn abs(self) -> Range {
        match self {
            Range { lo: 0.., .. } => self,
            Range { hi: ..=0, .. } => self.negated(),
            _ => self.max(self.negated()).max(Range::point(0)),
        }
    }
}

/// The range of an expression, from the ranges of its symbols.
///
/// What relations between symbols say is not in it; [`crate::less_equal`] uses those too.
pub fn range(expr: &Expr, facts: &Facts) -> Range {
    match &expr.0 {
        Repr::Int(it) => Range::point(*it),
        Repr::Undefined => Range::ANY,
        Repr::Sym(_) if expr.is_real() => Range::ANY,
        Repr::Sym(it) => facts.range_of_sym(it),
        Repr::Call(it) => range_of_call(it, facts),
        Repr::Sum(sum) => sum.terms.iter().fold(Range::point(sum.constant), |total, term| {
            total.plus(range_of_mono(&term.mono, facts).times(Range::point(term.coefficient)))
        }),
    }
}

pub(crate) fn range_of_mono(mono: &crate::expr::Mono, facts: &Facts) -> Range {
    mono.iter().fold(Range::point(1), |product, factor| {
        product.times(range_of_atom(&factor.atom, facts).power(factor.power))
    })
}

pub(crate) fn range_of_atom(atom: &Atom, facts: &Facts) -> Range {
    match atom {
        Atom::Sym(it) => facts.range_of_sym(it),
        Atom::Call(it) => range_of_call(it, facts),
    }
}

pub(crate) fn range_of_call(call: &Call, facts: &Facts) -> Range {
    let arg = |at: usize| call.args.get(at).map_or(Range::ANY, |it| range(it, facts));
    let rest = || call.args.iter().skip(1).map(|it| range(it, facts));
    match call.fun {
        _ if call.is_real() => Range::ANY,
        Fun::FloorDiv => arg(0).floor_div(arg(1)),
        Fun::Mod => arg(0).modulo(arg(1)),
        Fun::Min => rest().fold(arg(0), Range::min),
        Fun::Max => rest().fold(arg(0), Range::max),
        Fun::Abs => arg(0).abs(),
        Fun::Prod => arg(0).times(arg(1)),
        Fun::Pow if 0 < arg(0).lo => Range::at_least(1),
        Fun::Pow if 0 <= arg(0).lo => Range::at_least(0),
        Fun::Pow => match call.args.get(1).and_then(Expr::as_int) {
            Some(it) if it % 2 == 0 => Range::at_least(0),
            _ => Range::ANY,
        },
        Fun::BitAnd => match (arg(0), arg(1)) {
            (a @ Range { lo: 0.., .. }, b @ Range { lo: 0.., .. }) => {
                Range { lo: 0, hi: a.hi.min(b.hi) }
            }
            (a @ Range { lo: 0.., .. }, _) | (_, a @ Range { lo: 0.., .. }) => {
                Range { lo: 0, hi: a.hi }
            }
            _ => Range::ANY,
        },
        Fun::BitOr => match (arg(0), arg(1)) {
            (a @ Range { lo: 0.., .. }, b @ Range { lo: 0.., .. }) => {
                Range::at_least(a.lo.max(b.lo))
            }
            _ => Range::ANY,
        },
        Fun::Where => arg(1).union(arg(2)),
        _ if call.fun.is_truth() => Range::TRUTH,
        _ => Range::ANY,
    }
}
