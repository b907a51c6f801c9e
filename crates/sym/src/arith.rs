//! Sums and products: the polynomial part of the normal form.

use std::ops::{Add, Mul, Neg, Sub};

use smallvec::{SmallVec, smallvec};

use crate::{
    expr::{Atom, Expr, Factor, Mono, Repr, Term, mono_cmp},
    fun::Fun,
};

/// A product of sums is multiplied out up to this size, and while its coefficients fit; beyond it
/// is an atom, [`Fun::Prod`]. So no product of a few sums takes exponential space.
const DISTRIBUTE_SIZE: u64 = 1 << 10;

/// A sum under construction: the terms in any order, and perhaps several of a kind.
#[derive(Default)]
pub(crate) struct Poly {
    terms: SmallVec<[Term; 8]>,
    constant: i128,
    undefined: bool,
}

impl Poly {
    pub(crate) fn add(&mut self, expr: &Expr) {
        self.add_scaled(expr, 1);
    }

    /// Adds `scale * expr`.
    pub(crate) fn add_scaled(&mut self, expr: &Expr, scale: i64) {
        if scale == 0 && !expr.is_undefined() {
            return;
        }
        match &expr.0 {
            Repr::Undefined => self.undefined = true,
            Repr::Int(it) => self.add_int(i128::from(*it) * i128::from(scale)),
            Repr::Sym(it) => self.add_mono(atom_mono(Atom::Sym(it.clone())), scale),
            Repr::Call(it) => self.add_mono(atom_mono(Atom::Call(it.clone())), scale),
            Repr::Sum(it) => {
                self.add_int(i128::from(it.constant) * i128::from(scale));
                for term in &it.terms {
                    match term.coefficient.checked_mul(scale) {
                        Some(by) => self.add_mono(term.mono.clone(), by),
                        None => self.undefined = true,
                    }
                }
            }
        }
    }

    pub(crate) fn add_int(&mut self, value: i128) {
        match self.constant.checked_add(value) {
            Some(sum) => self.constant = sum,
            None => self.undefined = true,
        }
    }

    pub(crate) fn add_term(&mut self, term: &Term) {
        self.terms.push(term.clone());
    }

    pub(crate) fn add_mono(&mut self, mono: Mono, coefficient: i64) {
        if coefficient != 0 {
            self.terms.push(Term { mono, coefficient });
        }
    }

    pub(crate) fn finish(mut self) -> Expr {
        let Ok(constant) = i64::try_from(self.constant) else { return Expr::undefined() };
        if self.undefined {
            return Expr::undefined();
        }
        if !self.terms.is_sorted_by(|a, b| mono_cmp(&a.mono, &b.mono).is_lt()) {
            self.terms.sort_by(|a, b| mono_cmp(&a.mono, &b.mono));
            let mut merged: SmallVec<[Term; 8]> = SmallVec::with_capacity(self.terms.len());
            // A run of like terms is added up in 128 bits, so that only its total must fit.
            let mut total: i128 = 0;
            let mut terms = self.terms.into_iter().peekable();
            while let Some(term) = terms.next() {
                total += i128::from(term.coefficient);
                if terms.peek().is_some_and(|it| it.mono == term.mono) {
                    continue;
                }
                let Ok(coefficient) = i64::try_from(total) else { return Expr::undefined() };
                total = 0;
                if coefficient != 0 {
                    merged.push(Term { mono: term.mono, coefficient });
                }
            }
            self.terms = merged;
        }
        Expr::from_terms(self.terms, constant)
    }
}

fn atom_mono(atom: Atom) -> Mono {
    smallvec![Factor { atom, power: 1 }]
}

/// The product of two monomials; nothing if a power leaves `u32`.
pub(crate) fn mono_mul(a: &Mono, b: &Mono) -> Option<Mono> {
    let mut product: Mono = SmallVec::with_capacity(a.len() + b.len());
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(l), Some(r)) => match l.atom.cmp(&r.atom) {
                std::cmp::Ordering::Less => left.next().cloned(),
                std::cmp::Ordering::Greater => right.next().cloned(),
                std::cmp::Ordering::Equal => {
                    let power = l.power.checked_add(r.power)?;
                    let atom = l.atom.clone();
                    left.next();
                    right.next();
                    Some(Factor { atom, power })
                }
            },
            (Some(_), None) => left.next().cloned(),
            (None, _) => right.next().cloned(),
        };
        match next {
            Some(it) => product.push(it),
            None => return Some(product),
        }
    }
}

/// The quotient of two monomials, when the second divides the first.
pub(crate) fn mono_div(a: &Mono, b: &Mono) -> Option<Mono> {
    let mut quotient: Mono = SmallVec::with_capacity(a.len());
    let mut divisors = b.iter().peekable();
    for factor in a {
        let mut power = factor.power;
        if let Some(by) = divisors.next_if(|it| it.atom == factor.atom) {
            power = power.checked_sub(by.power)?;
        }
        if power != 0 {
            quotient.push(Factor { atom: factor.atom.clone(), power });
        }
    }
    match divisors.next() {
        None => Some(quotient),
        Some(_) => None,
    }
}

/// `coefficient * mono` as an expression.
pub(crate) fn from_mono(mono: Mono, coefficient: i64) -> Expr {
    if mono.is_empty() {
        return Expr::int(coefficient);
    }
    let mut poly = Poly::default();
    poly.add_mono(mono, coefficient);
    poly.finish()
}

impl Expr {
    /// The terms other than the constant, as a vector of their own.
    pub(crate) fn to_terms(&self) -> SmallVec<[Term; 4]> {
        match &self.0 {
            Repr::Int(_) | Repr::Undefined => SmallVec::new(),
            Repr::Sym(it) => {
                smallvec![Term { mono: atom_mono(Atom::Sym(it.clone())), coefficient: 1 }]
            }
            Repr::Call(it) => {
                smallvec![Term { mono: atom_mono(Atom::Call(it.clone())), coefficient: 1 }]
            }
            Repr::Sum(it) => it.terms.iter().cloned().collect(),
        }
    }

    pub(crate) fn constant_term(&self) -> i64 {
        match &self.0 {
            Repr::Int(it) => *it,
            Repr::Sum(it) => it.constant,
            Repr::Sym(_) | Repr::Call(_) | Repr::Undefined => 0,
        }
    }

    /// The sum of all; cheaper than adding one at a time.
    pub fn sum<'a>(items: impl IntoIterator<Item = &'a Expr>) -> Expr {
        let mut poly = Poly::default();
        let mut reals: Vec<&Expr> = Vec::new();
        for item in items {
            if item.is_real() { reals.push(item) } else { poly.add(item) }
        }
        let sum = poly.finish();
        match reals.split_first() {
            None => sum,
            Some((first, rest)) => {
                let start = match sum.as_int() {
                    Some(0) => (*first).clone(),
                    _ => sum.float_add(first),
                };
                rest.iter().fold(start, |sum, it| sum.float_add(it))
            }
        }
    }

    /// The product of all.
    pub fn product<'a>(items: impl IntoIterator<Item = &'a Expr>) -> Expr {
        items.into_iter().fold(Expr::int(1), |product, it| &product * it)
    }

    /// `scale * self`.
    pub(crate) fn scaled(&self, scale: i64) -> Expr {
        match (scale, &self.0) {
            (1, _) | (_, Repr::Undefined) => self.clone(),
            (0, _) => Expr::int(0),
            _ if self.is_real() => self.float_mul(&Expr::int(scale)),
            _ => {
                let mut poly = Poly::default();
                poly.add_scaled(self, scale);
                poly.finish()
            }
        }
    }

    /// The quotient when every coefficient, and the constant, is a multiple of `by`.
    pub(crate) fn divided_by_int(&self, by: i64) -> Option<Expr> {
        if by == 0 || self.is_undefined() {
            return None;
        }
        let exact = |it: i64| (it.checked_rem(by) == Some(0)).then(|| it.checked_div(by)).flatten();
        let mut terms = self.to_terms();
        for term in &mut terms {
            term.coefficient = exact(term.coefficient)?;
        }
        Some(Expr::from_terms(terms.into_vec(), exact(self.constant_term())?))
    }

    /// The greatest common divisor of the coefficients and the constant; 0 only for 0.
    pub(crate) fn content(&self) -> u64 {
        let terms = self.to_terms();
        let of_terms = terms.iter().fold(0, |g, it| gcd(g, it.coefficient.unsigned_abs()));
        gcd(of_terms, self.constant_term().unsigned_abs())
    }

    /// `(c, r)` where the expression is `c * name + r` and neither part contains the symbol.
    pub fn linear_in(&self, name: &str) -> Option<(Expr, Expr)> {
        let (mut coefficient, mut rest) = (Poly::default(), Poly::default());
        if self.is_undefined() {
            return None;
        }
        rest.add_int(self.constant_term().into());
        for term in self.to_terms() {
            let at = term
                .mono
                .iter()
                .position(|it| matches!(&it.atom, Atom::Sym(atom) if atom.as_ref() == name));
            match at {
                None => rest.add_term(&term),
                Some(at) if term.mono[at].power == 1 => {
                    let mut mono = term.mono;
                    mono.remove(at);
                    coefficient.add(&from_mono(mono, term.coefficient));
                }
                Some(_) => return None,
            }
        }
        let (coefficient, rest) = (coefficient.finish(), rest.finish());
        (!coefficient.mentions(name) && !rest.mentions(name)).then_some((coefficient, rest))
    }
}

pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn add(a: &Expr, b: &Expr) -> Expr {
    match (&a.0, &b.0) {
        (Repr::Undefined, _) | (_, Repr::Undefined) => Expr::undefined(),
        (Repr::Int(x), Repr::Int(y)) => x.checked_add(*y).map_or_else(Expr::undefined, Expr::int),
        (Repr::Int(0), _) => b.clone(),
        (_, Repr::Int(0)) => a.clone(),
        _ if a.is_real() || b.is_real() => a.float_add(b),
        _ => {
            let mut poly = Poly::default();
            poly.add(a);
            poly.add(b);
            poly.finish()
        }
    }
}

fn sub(a: &Expr, b: &Expr) -> Expr {
    match (&a.0, &b.0) {
        (Repr::Undefined, _) | (_, Repr::Undefined) => Expr::undefined(),
        (Repr::Int(x), Repr::Int(y)) => x.checked_sub(*y).map_or_else(Expr::undefined, Expr::int),
        (_, Repr::Int(0)) => a.clone(),
        _ if a.is_real() || b.is_real() => a.float_add(&b.float_mul(&Expr::int(-1))),
        _ => {
            let mut poly = Poly::default();
            poly.add(a);
            poly.add_scaled(b, -1);
            poly.finish()
        }
    }
}

fn mul(a: &Expr, b: &Expr) -> Expr {
    match (&a.0, &b.0) {
        (Repr::Undefined, _) | (_, Repr::Undefined) => Expr::undefined(),
        (Repr::Int(x), Repr::Int(y)) => x.checked_mul(*y).map_or_else(Expr::undefined, Expr::int),
        _ if a.is_real() || b.is_real() => a.float_mul(b),
        (Repr::Int(scale), _) => b.scaled(*scale),
        (_, Repr::Int(scale)) => a.scaled(*scale),
        _ => mul_sums(a, b),
    }
}

fn mul_sums(a: &Expr, b: &Expr) -> Expr {
    let count = |it: &Expr| match &it.0 {
        Repr::Sum(sum) => sum.terms.len() as u64 + u64::from(sum.constant != 0),
        _ => 1,
    };
    if count(a) == 1 && count(b) == 1 {
        return multiplied_out(a, b);
    }
    let size = u64::from(a.size()) * count(b) + u64::from(b.size()) * count(a);
    if size <= DISTRIBUTE_SIZE {
        let product = multiplied_out(a, b);
        if !product.is_undefined() {
            return product;
        }
    }
    let (a, b) = if b < a { (b, a) } else { (a, b) };
    Expr::call(Fun::Prod, smallvec![a.clone(), b.clone()])
}

fn multiplied_out(a: &Expr, b: &Expr) -> Expr {
    let ((left, left_constant), (right, right_constant)) =
        ((a.to_terms(), a.constant_term()), (b.to_terms(), b.constant_term()));
    let mut poly = Poly::default();
    for l in &left {
        for r in &right {
            let coefficient = l.coefficient.checked_mul(r.coefficient);
            let (Some(mono), Some(coefficient)) = (mono_mul(&l.mono, &r.mono), coefficient) else {
                return Expr::undefined();
            };
            poly.add_mono(mono, coefficient);
        }
    }
    for (terms, by) in [(&left, right_constant), (&right, left_constant)] {
        for term in terms {
            let Some(coefficient) = term.coefficient.checked_mul(by) else {
                return Expr::undefined();
            };
            poly.add_mono(term.mono.clone(), coefficient);
        }
    }
    poly.add_int(i128::from(left_constant) * i128::from(right_constant));
    poly.finish()
}

macro_rules! operator {
    ($trait:ident, $method:ident, $function:ident) => {
        impl $trait<&Expr> for &Expr {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                $function(self, other)
            }
        }
        impl $trait<Expr> for &Expr {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                $function(self, &other)
            }
        }
        impl $trait<&Expr> for Expr {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                $function(&self, other)
            }
        }
        impl $trait<Expr> for Expr {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                $function(&self, &other)
            }
        }
        impl $trait<i64> for &Expr {
            type Output = Expr;
            fn $method(self, other: i64) -> Expr {
                $function(self, &Expr::int(other))
            }
        }
        impl $trait<i64> for Expr {
            type Output = Expr;
            fn $method(self, other: i64) -> Expr {
                $function(&self, &Expr::int(other))
            }
        }
        impl $trait<&Expr> for i64 {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr {
                $function(&Expr::int(self), other)
            }
        }
        impl $trait<Expr> for i64 {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                $function(&Expr::int(self), &other)
            }
        }
    };
}

operator!(Add, add, add);
operator!(Sub, sub, sub);
operator!(Mul, mul, mul);

impl Neg for &Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.scaled(-1)
    }
}

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.scaled(-1)
    }
}
