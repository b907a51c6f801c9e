//! The constructors of relations and truths. A truth is the integer 0 or 1.

use smallvec::{SmallVec, smallvec};

use crate::{
    arith::{Poly, gcd},
    expr::Expr,
    fun::Fun,
};

impl Expr {
    /// Whether `self <= other`.
    pub fn at_most(&self, other: &Expr) -> Expr {
        relation(Fun::Le, self, other)
    }

    /// Whether `self < other`.
    pub fn below(&self, other: &Expr) -> Expr {
        if self.is_real() || other.is_real() {
            return relation(Fun::Lt, self, other);
        }
        let next = self + 1;
        // At the end of the integers the constant has no successor, but the right side has a
        // predecessor unless it is at the other end.
        if next.is_undefined() {
            relation(Fun::Le, self, &(other - 1))
        } else {
            next.at_most(other)
        }
    }

    /// Whether `self == other`.
    pub fn equals(&self, other: &Expr) -> Expr {
        relation(Fun::Eq, self, other)
    }

    /// Whether `self != other`.
    pub fn differs(&self, other: &Expr) -> Expr {
        self.equals(other).logical_not()
    }

    /// 0 for 0, and 1 for anything else.
    pub fn truth(&self) -> Expr {
        match self.as_int() {
            Some(it) => Expr::int((it != 0).into()),
            None if self.as_call().is_some_and(|it| it.fun.is_truth()) => self.clone(),
            None => self.differs(&Expr::int(0)),
        }
    }

    /// 1 for 0, and 0 for anything else.
    pub fn logical_not(&self) -> Expr {
        if self.is_undefined() {
            return Expr::undefined();
        }
        if let Some(it) = self.as_int() {
            return Expr::int((it == 0).into());
        }
        if let Some(call) = self.as_call() {
            match (call.fun, call.args.as_slice()) {
                (Fun::Not, [it]) => return it.clone(),
                (Fun::Le, [a, b]) if !a.is_real() && !b.is_real() => return b.below(a),
                _ => {}
            }
            if call.fun.is_truth() {
                return Expr::call(Fun::Not, smallvec![self.clone()]);
            }
        }
        self.equals(&Expr::int(0))
    }

    /// Whether all are true.
    pub fn all_of<'a>(items: impl IntoIterator<Item = &'a Expr>) -> Expr {
        junction(Fun::And, 1, items)
    }

    /// Whether any is true.
    pub fn any_of<'a>(items: impl IntoIterator<Item = &'a Expr>) -> Expr {
        junction(Fun::Or, 0, items)
    }

    /// `then` where the condition is true, and `otherwise` where it is not.
    pub fn select(condition: &Expr, then: &Expr, otherwise: &Expr) -> Expr {
        let condition = condition.truth();
        if let Some(it) = condition.as_int() {
            let (taken, other) = if it != 0 { (then, otherwise) } else { (otherwise, then) };
            return if other.is_undefined() { Expr::undefined() } else { taken.clone() };
        }
        if then == otherwise {
            return then.clone();
        }
        if (then.as_int(), otherwise.as_int()) == (Some(1), Some(0)) {
            return condition;
        }
        if let Some(call) = condition.as_call()
            && let (Fun::Not, [it]) = (call.fun, call.args.as_slice())
        {
            return Expr::call(Fun::Where, smallvec![it.clone(), otherwise.clone(), then.clone()]);
        }
        Expr::call(Fun::Where, smallvec![condition, then.clone(), otherwise.clone()])
    }
}

/// [`Fun::And`] with neutral element 1, or [`Fun::Or`] with 0.
fn junction<'a>(fun: Fun, neutral: i64, items: impl IntoIterator<Item = &'a Expr>) -> Expr {
    let mut args: SmallVec<[Expr; 2]> = SmallVec::new();
    let mut decided = false;
    for item in items {
        let item = item.truth();
        match item.as_int() {
            Some(it) if it == neutral => {}
            Some(_) => decided = true,
            None if item.is_undefined() => return Expr::undefined(),
            None => match item.as_call() {
                Some(call) if call.fun == fun => args.extend(call.args.iter().cloned()),
                _ => args.push(item),
            },
        }
    }
    args.sort();
    args.dedup();
    match args.len() {
        _ if decided => Expr::int(1 - neutral),
        0 => Expr::int(neutral),
        1 => args.remove(0),
        _ => Expr::call(fun, args),
    }
}

/// A relation of integers keeps only the difference of its sides, divided by its content, with
/// each term on the side where it is positive.
fn relation(fun: Fun, a: &Expr, b: &Expr) -> Expr {
    if a.is_undefined() || b.is_undefined() {
        return Expr::undefined();
    }
    if a.is_real() || b.is_real() {
        return crate::real::relation(fun, a, b);
    }
    if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
        return Expr::int(if fun == Fun::Le { (a <= b).into() } else { (a == b).into() });
    }
    let as_written = || Expr::call(fun, smallvec![a.clone(), b.clone()]);
    let mut difference = b - a;
    if difference.is_undefined() {
        return as_written();
    }
    if let Some(it) = difference.as_int() {
        return Expr::int(if fun == Fun::Le { (0 <= it).into() } else { (it == 0).into() });
    }
    let leading = difference.to_terms().first().map_or(1, |it| it.coefficient);
    if fun == Fun::Eq && 0 < leading {
        difference = -difference;
        if difference.is_undefined() {
            return as_written();
        }
    }
    let terms = difference.to_terms();
    let content = terms.iter().fold(0, |g, it| gcd(g, it.coefficient.unsigned_abs()));
    let Ok(content) = i64::try_from(content) else { return as_written() };
    let constant = difference.constant_term();
    if fun == Fun::Eq && constant % content != 0 {
        return Expr::int(0);
    }
    let (mut left, mut right) = (Poly::default(), Poly::default());
    for term in terms {
        let coefficient = term.coefficient / content;
        if coefficient < 0 {
            left.add_mono(term.mono, coefficient.saturating_neg());
        } else {
            right.add_mono(term.mono, coefficient);
        }
    }
    let constant = i128::from(constant.div_euclid(content));
    if constant < 0 {
        left.add_int(-constant)
    } else {
        right.add_int(constant)
    }
    let (left, right) = (left.finish(), right.finish());
    if left.is_undefined() || right.is_undefined() {
        return as_written();
    }
    Expr::call(fun, smallvec![left, right])
}
