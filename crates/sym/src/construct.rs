//! The constructors of integer functions. Each gives a normal form that needs no facts, and gives
//! the same again when it is applied to the arguments of its own result.
//!
//! `x//0` and `Mod(x, 0)` are left as they stand: they are values nobody knows.

use smallvec::{SmallVec, smallvec};

use crate::{
    arith::{Poly, from_mono, gcd},
    expr::{Atom, Expr, Factor, Mono, Repr, Term, single},
    fun::Fun,
};

/// The largest power of a sum that is multiplied out.
const EXPAND_POWER: i64 = 4;

fn unusable(args: &[&Expr]) -> bool {
    args.iter().any(|it| it.is_undefined() || it.is_real())
}

fn raw(fun: Fun, args: &[&Expr]) -> Expr {
    Expr::call(fun, args.iter().map(|it| (*it).clone()).collect())
}

impl Expr {
    /// The quotient rounded to minus infinity.
    pub fn floor_div(&self, divisor: &Expr) -> Expr {
        if unusable(&[self, divisor]) {
            return Expr::undefined();
        }
        match (self.as_int(), divisor.as_int()) {
            (_, Some(1)) => self.clone(),
            (Some(n), Some(d)) if d != 0 => {
                let quotient = floor_quotient(n.into(), d.into());
                i64::try_from(quotient).map_or_else(|_| Expr::undefined(), Expr::int)
            }
            (None, Some(d)) if 1 < d => floor_div_by(self, d),
            (None, Some(d)) if d < 0 && d != i64::MIN => {
                let negated = -self;
                match negated.is_undefined() {
                    true => raw(Fun::FloorDiv, &[self, divisor]),
                    false => negated.floor_div(&Expr::int(-d)),
                }
            }
            _ => raw(Fun::FloorDiv, &[self, divisor]),
        }
    }

    /// The remainder of [`Expr::floor_div`], with the sign of the divisor.
    pub fn modulo(&self, divisor: &Expr) -> Expr {
        if unusable(&[self, divisor]) {
            return Expr::undefined();
        }
        match (self.as_int(), divisor.as_int()) {
            (_, Some(1 | -1)) => Expr::int(0),
            (Some(n), Some(d)) if d != 0 => {
                let (n, d) = (i128::from(n), i128::from(d));
                // Smaller than the divisor, so it fits.
                Expr::int((n - d * floor_quotient(n, d)) as i64)
            }
            (None, Some(d)) if 1 < d => modulo_by(self, d),
            (None, Some(d)) if d < 0 && d != i64::MIN => {
                let negated = -self;
                match negated.is_undefined() {
                    true => raw(Fun::Mod, &[self, divisor]),
                    false => -negated.modulo(&Expr::int(-d)),
                }
            }
            _ => raw(Fun::Mod, &[self, divisor]),
        }
    }

    /// The quotient rounded to plus infinity.
    pub fn ceil_div(&self, divisor: &Expr) -> Expr {
        // Mostly asked of sizes that are multiples already.
        if let Some(it) = divisor.as_int().and_then(|it| self.divided_by_int(it)) {
            return it;
        }
        -(-self).floor_div(divisor)
    }

    /// The smaller one.
    pub fn min(&self, other: &Expr) -> Expr {
        Expr::min_of([self, other])
    }

    /// The larger one.
    pub fn max(&self, other: &Expr) -> Expr {
        Expr::max_of([self, other])
    }

    /// The smallest of all; of none, [`Expr::undefined`].
    pub fn min_of<'a>(items: impl IntoIterator<Item = &'a Expr>) -> Expr {
        extremum(Fun::Min, items)
    }

    /// The largest of all; of none, [`Expr::undefined`].
    pub fn max_of<'a>(items: impl IntoIterator<Item = &'a Expr>) -> Expr {
        extremum(Fun::Max, items)
    }

    /// The distance from zero.
    pub fn abs(&self) -> Expr {
        match self.as_int() {
            Some(it) => return it.checked_abs().map_or_else(Expr::undefined, Expr::int),
            None if self.is_undefined() => return Expr::undefined(),
            None if self.is_real() => return self.float_abs(),
            None => {}
        }
        let content = i64::try_from(self.content()).unwrap_or(1);
        let Some(primitive) = self.divided_by_int(content) else { return Expr::undefined() };
        let leading = primitive.to_terms().first().map_or(1, |it| it.coefficient);
        let positive = if leading < 0 { -&primitive } else { primitive };
        raw(Fun::Abs, &[&positive]).scaled(content)
    }

    /// The power with a natural exponent; with a negative one it has no value.
    pub fn pow_by_natural(&self, exponent: &Expr) -> Expr {
        if unusable(&[self, exponent]) {
            return Expr::undefined();
        }
        match (self.as_int(), exponent.as_int()) {
            (_, Some(..=-1)) => raw(Fun::Pow, &[self, exponent]),
            (_, Some(0)) | (Some(1), _) => Expr::int(1),
            (_, Some(1)) => self.clone(),
            (Some(base @ (0 | -1)), Some(power)) => {
                Expr::int(if power % 2 == 0 { base * base } else { base })
            }
            (Some(base), Some(power)) => {
                let value = u32::try_from(power).ok().and_then(|it| base.checked_pow(it));
                value.map_or_else(Expr::undefined, Expr::int)
            }
            (None, Some(power)) => power_of(self, power),
            (_, None) => raw(Fun::Pow, &[self, exponent]),
        }
    }

    /// `self * 2**bits`.
    pub fn shl(&self, bits: &Expr) -> Expr {
        self * Expr::int(2).pow_by_natural(bits)
    }

    /// `self // 2**bits`.
    pub fn shr(&self, bits: &Expr) -> Expr {
        self.floor_div(&Expr::int(2).pow_by_natural(bits))
    }

    /// Bitwise and of two's complements of unbounded width.
    pub fn bit_and(&self, other: &Expr) -> Expr {
        if unusable(&[self, other]) {
            return Expr::undefined();
        }
        let (a, b) = if other < self { (other, self) } else { (self, other) };
        match (a.as_int(), b.as_int()) {
            (Some(x), Some(y)) => Expr::int(x & y),
            (Some(0), _) => Expr::int(0),
            (Some(-1), _) => b.clone(),
            // A mask of low bits is a remainder.
            (Some(mask), _) if 0 < mask && mask < i64::MAX && mask & (mask + 1) == 0 => {
                b.modulo(&Expr::int(mask + 1))
            }
            _ if a == b => a.clone(),
            _ => raw(Fun::BitAnd, &[a, b]),
        }
    }

    /// Bitwise or of two's complements of unbounded width.
    pub fn bit_or(&self, other: &Expr) -> Expr {
        if unusable(&[self, other]) {
            return Expr::undefined();
        }
        let (a, b) = if other < self { (other, self) } else { (self, other) };
        match (a.as_int(), b.as_int()) {
            (Some(x), Some(y)) => Expr::int(x | y),
            (Some(0), _) => b.clone(),
            (Some(-1), _) => Expr::int(-1),
            _ if a == b => a.clone(),
            _ => raw(Fun::BitOr, &[a, b]),
        }
    }

    /// Whether sizes with as many strides are those of a dense tensor without overlap: 0 or 1.
    pub fn dense(sizes: &[Expr], strides: &[Expr]) -> Expr {
        if sizes.len() != strides.len() || sizes.iter().chain(strides).any(|it| unusable(&[it])) {
            return Expr::undefined();
        }
        let ints: Option<Vec<i64>> = sizes.iter().chain(strides).map(Expr::as_int).collect();
        match ints {
            Some(ints) => Expr::int(is_dense(&ints).into()),
            None => Expr::call(Fun::Dense, sizes.iter().chain(strides).cloned().collect()),
        }
    }
}

/// Whether the sizes in the first half and the strides in the second are dense.
pub(crate) fn is_dense(sizes_and_strides: &[i64]) -> bool {
    let (sizes, strides) = sizes_and_strides.split_at(sizes_and_strides.len() / 2);
    let mut dims: Vec<(i64, i64)> =
        strides.iter().copied().zip(sizes.iter().copied()).filter(|it| it.1 != 1).collect();
    dims.sort_by_key(|it| it.0);
    if let ([_], [size]) = (dims.as_slice(), sizes)
        && *size < 2
    {
        return true;
    }
    let mut expected: i64 = 1;
    dims.iter().all(|(stride, size)| {
        let fits = *stride == expected;
        expected = expected.saturating_mul(*size);
        fits
    })
}

/// Rounds to minus infinity; the divisor is not zero.
pub(crate) fn floor_quotient(n: i128, d: i128) -> i128 {
    let quotient = n / d;
    if n % d != 0 && (n < 0) != (d < 0) { quotient - 1 } else { quotient }
}

/// `n // d` for `d > 1` and a numerator that is not constant: whole multiples of `d` come out,
/// what is left is divided by a common factor, its constant is in `[0, d)` and its first
/// coefficient positive, and quotients of quotients become one.
fn floor_div_by(n: &Expr, d: i64) -> Expr {
    let mut whole = Poly::default();
    let mut rest: Vec<Term> = Vec::new();
    for Term { mono, coefficient } in n.to_terms() {
        match coefficient % d {
            0 => whole.add_mono(mono, coefficient / d),
            _ => rest.push(Term { mono, coefficient }),
        }
    }
    whole.add_int(n.constant_term().div_euclid(d).into());
    let mut constant = n.constant_term().rem_euclid(d);

    let common = rest.iter().fold(d as u64, |g, it| gcd(g, it.coefficient.unsigned_abs())) as i64;
    let divisor = d / common;
    rest.iter_mut().for_each(|it| it.coefficient /= common);
    constant /= common;
    if rest.is_empty() || divisor == 1 {
        rest.iter().for_each(|it| whole.add_term(it));
        return whole.finish();
    }

    let mut sign = 1;
    if rest[0].coefficient < 0 && rest.iter().all(|it| it.coefficient != i64::MIN) {
        rest.iter_mut().for_each(|it| it.coefficient = -it.coefficient);
        constant = divisor - 1 - constant;
        sign = -1;
    }
    let inner = match rest.as_slice() {
        [Term { mono, coefficient: 1 }] => inner_quotient(mono),
        _ => None,
    };
    if let Some((numerator, by)) = inner
        && let Some(product) = by.checked_mul(divisor)
    {
        let shifted = Expr::int(constant) * by + numerator;
        if !shifted.is_undefined() {
            whole.add_scaled(&shifted.floor_div(&Expr::int(product)), sign);
            return whole.finish();
        }
    }
    let numerator = Expr::from_terms(rest, constant);
    whole.add_scaled(&raw(Fun::FloorDiv, &[&numerator, &Expr::int(divisor)]), sign);
    whole.finish()
}

/// `(n, d)` of a plain atom `n // d` with constant `d > 1`.
fn inner_quotient(mono: &Mono) -> Option<(Expr, i64)> {
    let Atom::Call(call) = single(mono)? else { return None };
    let (n, d) = call.as_binary(Fun::FloorDiv)?;
    d.as_int().filter(|it| 1 < *it).map(|it| (n.clone(), it))
}

/// `Mod(n, d)` for `d > 1` and a numerator that is not constant: coefficients are the smallest of
/// their residues, a common factor comes out, and remainders of remainders become one.
fn modulo_by(n: &Expr, d: i64) -> Expr {
    let mut rest = Poly::default();
    let mut changed = false;
    for Term { mono, coefficient } in n.to_terms() {
        let residue = coefficient.rem_euclid(d);
        let residue = if d - residue < residue { residue - d } else { residue };
        match inner_modulo(&mono, residue, d) {
            Some(inner) => {
                changed = true;
                rest.add_scaled(&inner, residue);
            }
            None => rest.add_mono(mono, residue),
        }
    }
    rest.add_int(n.constant_term().rem_euclid(d).into());
    let rest = rest.finish();
    if changed {
        return rest.modulo(&Expr::int(d));
    }
    let terms = rest.to_terms();
    let constant = rest.constant_term();
    let common = terms.iter().fold(d as u64, |g, it| gcd(g, it.coefficient.unsigned_abs())) as i64;
    if terms.is_empty() {
        return Expr::int(constant);
    }
    if common == 1 {
        return raw(Fun::Mod, &[&rest, &Expr::int(d)]);
    }
    let low = constant % common;
    let shared = terms.iter().map(|it| Term { coefficient: it.coefficient / common, ..it.clone() });
    let numerator = Expr::from_terms(shared.collect::<Vec<Term>>(), (constant - low) / common);
    numerator.modulo(&Expr::int(d / common)).scaled(common) + low
}

/// `n`, where the monomial is `Mod(n, b)` and `coefficient * b` is a multiple of `d`.
fn inner_modulo(mono: &Mono, coefficient: i64, d: i64) -> Option<Expr> {
    let Atom::Call(call) = single(mono)? else { return None };
    let (n, by) = call.as_binary(Fun::Mod)?;
    let by = by.as_int().filter(|it| 1 < *it)?;
    ((i128::from(by) * i128::from(coefficient)) % i128::from(d) == 0).then(|| n.clone())
}

fn power_of(base: &Expr, power: i64) -> Expr {
    if let Repr::Sym(_) | Repr::Call(_) = base.0
        && let (Some(atom), Ok(power)) = (base.as_atom(), u32::try_from(power))
    {
        return from_mono(smallvec![Factor { atom, power }], 1);
    }
    let terms = base.to_terms();
    if let [term] = terms.as_slice()
        && base.constant_term() == 0
    {
        let scale = Expr::int(term.coefficient).pow_by_natural(&Expr::int(power));
        let mono: Option<Mono> = term
            .mono
            .iter()
            .map(|it| {
                let power = u32::try_from(power).ok()?.checked_mul(it.power)?;
                Some(Factor { atom: it.atom.clone(), power })
            })
            .collect();
        return match (mono, scale.as_int()) {
            (Some(mono), Some(scale)) => from_mono(mono, scale),
            _ => Expr::undefined(),
        };
    }
    if power <= EXPAND_POWER {
        return (1..power).fold(base.clone(), |product, _| &product * base);
    }
    raw(Fun::Pow, &[base, &Expr::int(power)])
}

/// One of [`Fun::Min`] and [`Fun::Max`]: flattened, sorted, and of arguments that differ by a
/// constant only one is kept.
fn extremum<'a>(fun: Fun, items: impl IntoIterator<Item = &'a Expr>) -> Expr {
    let mut args: Vec<(Expr, i64)> = Vec::new();
    for item in items {
        if item.is_undefined() {
            return Expr::undefined();
        }
        match item.as_call() {
            Some(call) if call.fun == fun => {
                args.extend(call.args.iter().map(Expr::split_constant));
            }
            _ => args.push(item.split_constant()),
        }
    }
    args.sort();
    let mut kept: SmallVec<[(Expr, i64); 4]> = SmallVec::new();
    for (varying, constant) in args {
        match kept.last_mut() {
            // Constants come in rising order.
            Some((last, held)) if *last == varying => {
                if fun == Fun::Max {
                    *held = constant;
                }
            }
            _ => kept.push((varying, constant)),
        }
    }
    let mut args: SmallVec<[Expr; 2]> = kept.into_iter().map(|(it, by)| it + by).collect();
    args.sort();
    if args.iter().any(Expr::is_real) {
        crate::real::drop_infinities(fun == Fun::Max, &mut args);
    }
    match args.len() {
        0 => Expr::undefined(),
        1 => args.remove(0),
        _ => Expr::call(fun, args),
    }
}
