//! A transform along one dimension whose length is known.
//!
//! Short ones are products with the matrix of roots of unity. Others are split into two by a factor
//! of the length, with a twist between (Cooley and Tukey); a length without small factors becomes a
//! convolution of a length that has them (Bluestein). So every length costs little and loses few
//! digits, and the matrices stay small constants of the model.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use crate::decompose::{
    cx::Cx,
    emit::{float, int},
    rules::complex::Parts,
};

/// The longest transform that is one product.
const DIRECT: i64 = 64;
/// The longest without a factor up to `DIRECT` that is still one.
const DIRECT_PRIME: i64 = 512;
/// The longest there is.
const LONGEST: i64 = 1 << 20;

/// Cosines and sines of `2π·j·k/n` for the rows `j` and columns `k` of a matrix.
fn roots(
    cx: &mut Cx<'_, '_>,
    n: i64,
    rows: i64,
    columns: i64,
    dtype: DType,
) -> Result<(ValueId, ValueId)> {
    let shape = [Expr::int(rows), Expr::int(columns)];
    let j = cx.iota(&shape, 0, int(0), int(1), DType::I64)?;
    let k = cx.iota(&shape, 1, int(0), int(1), DType::I64)?;
    let turns = cx.zip(ScalarFn::Mul, j, k)?;
    unit_circle(cx, turns, n, dtype)
}

/// Cosine and sine of as many `n`-th of a turn.
fn unit_circle(
    cx: &mut Cx<'_, '_>,
    turns: ValueId,
    n: i64,
    dtype: DType,
) -> Result<(ValueId, ValueId)> {
    let turns = cx.with_number(ScalarFn::Rem, turns, int(n))?;
    let turns = cx.cast(turns, DType::F64)?;
    let angle = cx.with_number(ScalarFn::Mul, turns, float(2.0 * std::f64::consts::PI))?;
    let angle = cx.with_number(ScalarFn::Div, angle, Number::Int(Expr::int(n)))?;
    let (cos, sin) = (cx.map(ScalarFn::Cos, angle)?, cx.map(ScalarFn::Sin, angle)?);
    Ok((cx.cast(cos, dtype)?, cx.cast(sin, dtype)?))
}

/// A product along one dimension, which keeps its place.
fn along(cx: &mut Cx<'_, '_>, x: ValueId, matrix: ValueId, dim: usize) -> Result<ValueId> {
    let last = cx.rank(x).saturating_sub(1);
    let res = cx.contract(x, matrix, (&[], &[]), (&[dim], &[0]))?;
    cx.move_dim(res, last, dim)
}

fn product(cx: &mut Cx<'_, '_>, a: Parts, b: Parts) -> Result<Parts> {
    let Some(b_im) = b.im else { return a.each(cx, |cx, it| cx.zip(ScalarFn::Mul, it, b.re)) };
    let re = cx.zip(ScalarFn::Mul, a.re, b.re)?;
    let im = cx.zip(ScalarFn::Mul, a.re, b_im)?;
    let Some(a_im) = a.im else { return Ok(Parts { re, im: Some(im) }) };
    let (bd, bc) = (cx.zip(ScalarFn::Mul, a_im, b_im)?, cx.zip(ScalarFn::Mul, a_im, b.re)?);
    let re = cx.zip(ScalarFn::Sub, re, bd)?;
    Ok(Parts { re, im: Some(cx.zip(ScalarFn::Add, im, bc)?) })
}

/// The transform along one dimension; the first `kept` frequencies of it.
pub(super) fn transform(
    cx: &mut Cx<'_, '_>,
    x: Parts,
    dim: usize,
    kept: &Expr,
    forward: bool,
) -> Result<Parts> {
    let n = cx.dim_size(x.re, dim);
    let known = |it: &Expr| it.as_int().filter(|it| (1..=LONGEST).contains(it));
    let (Some(n), Some(kept)) = (known(&n), known(kept)) else {
        return Err(cx.error(format!("a Fourier transform of length {n}")));
    };
    let it = Transform { dim, forward };
    it.run(cx, x, n, kept)
}

/// The real inverse of a half spectrum.
pub(super) fn inverse_real(cx: &mut Cx<'_, '_>, x: Parts, dim: usize, n: &Expr) -> Result<ValueId> {
    let half = cx.simple(&(n.floor_div(&Expr::int(2)) + Expr::int(1)));
    let x = x.each(cx, |cx, it| super::resized(cx, it, dim, &half))?;
    // The other half is the conjugate of this one backwards, without the ends that are their own.
    let others = cx.simple(&(n.clone() - half));
    let mirror = |cx: &mut Cx<'_, '_>, it: ValueId, sign: bool| -> Result<ValueId> {
        let inner = cx.slice(it, dim, Expr::int(1), others.clone(), 1)?;
        let back = cx.flip(inner, &[dim])?;
        let back = if sign { cx.map(ScalarFn::Neg, back)? } else { back };
        cx.concat(&[it, back], dim)
    };
    let re = mirror(cx, x.re, false)?;
    let im = x.im.map(|it| mirror(cx, it, true)).transpose()?;
    Ok(transform(cx, Parts { re, im }, dim, n, false)?.re)
}

#[derive(Clone, Copy)]
struct Transform {
    dim: usize,
    forward: bool,
}

impl Transform {
    fn run(self, cx: &mut Cx<'_, '_>, x: Parts, n: i64, kept: i64) -> Result<Parts> {
        let factor = (2..=DIRECT).rev().find(|it| n % it == 0 && *it < n);
        match factor {
            _ if n <= DIRECT => self.direct(cx, x, n, kept),
            Some(factor) => {
                let whole = self.split(cx, x, n, factor)?;
                self.first(cx, whole, n, kept)
            }
            None if n <= DIRECT_PRIME => self.direct(cx, x, n, kept),
            None => {
                let whole = self.chirp(cx, x, n)?;
                self.first(cx, whole, n, kept)
            }
        }
    }

    fn first(self, cx: &mut Cx<'_, '_>, x: Parts, n: i64, kept: i64) -> Result<Parts> {
        if n == kept {
            return Ok(x);
        }
        x.each(cx, |cx, it| cx.slice(it, self.dim, Expr::int(0), Expr::int(kept), 1))
    }

    /// A product with the matrix of roots.
    fn direct(self, cx: &mut Cx<'_, '_>, x: Parts, n: i64, kept: i64) -> Result<Parts> {
        let (cos, sin) = roots(cx, n, n, kept, cx.dtype_of(x.re))?;
        let re = along(cx, x.re, cos, self.dim)?;
        let im = along(cx, x.re, sin, self.dim)?;
        let im = if self.forward { cx.map(ScalarFn::Neg, im)? } else { im };
        let Some(part) = x.im else { return Ok(Parts { re, im: Some(im) }) };
        let (a, b) = (along(cx, part, sin, self.dim)?, along(cx, part, cos, self.dim)?);
        let re = cx.zip(if self.forward { ScalarFn::Add } else { ScalarFn::Sub }, re, a)?;
        let im = cx.zip(ScalarFn::Add, im, b)?;
        Ok(Parts { re, im: Some(im) })
    }

    /// Transforms of length `a` over every `n / a`-th element, a twist, and transforms of length
    /// `n / a` over what those gave.
    fn split(self, cx: &mut Cx<'_, '_>, x: Parts, n: i64, a: i64) -> Result<Parts> {
        let (dim, b) = (self.dim, n / a);
        let apart = x.each(cx, |cx, it| {
            let mut shape = cx.shape(it);
            shape[dim] = Expr::int(a);
            shape.insert(dim + 1, Expr::int(b));
            cx.reshape(it, &shape)
        })?;
        let outer = self.run(cx, apart, a, a)?;
        let (cos, sin) = roots(cx, n, a, b, cx.dtype_of(x.re))?;
        let sin = if self.forward { cx.map(ScalarFn::Neg, sin)? } else { sin };
        let twist = Parts { re: cos, im: Some(sin) };
        // The twist has the last two of the dimensions that it is multiplied along.
        let rank = cx.rank(outer.re);
        let shape: Vec<Expr> = (dim..rank)
            .map(|it| match it - dim {
                0 => Expr::int(a),
                1 => Expr::int(b),
                _ => Expr::int(1),
            })
            .collect();
        let twist = twist.each(cx, |cx, it| cx.reshape(it, &shape))?;
        let twisted = product(cx, outer, twist)?;
        let inner = Transform { dim: dim + 1, ..self }.run(cx, twisted, b, b)?;
        inner.each(cx, |cx, it| {
            let it = cx.transpose(it, dim, dim + 1)?;
            let mut shape = cx.shape(it);
            shape.remove(dim + 1);
            shape[dim] = Expr::int(n);
            cx.reshape(it, &shape)
        })
    }

    /// `jk = (j² + k² - (k - j)²) / 2` makes a transform of any length a convolution with a chirp,
    /// which is a product of transforms of a power of two.
    fn chirp(self, cx: &mut Cx<'_, '_>, x: Parts, n: i64) -> Result<Parts> {
        let dtype = cx.dtype_of(x.re);
        let m = (2 * n - 1).cast_unsigned().next_power_of_two().cast_signed();
        let place = cx.positions(&Expr::int(n))?;
        let square = cx.zip(ScalarFn::Mul, place, place)?;
        let (cos, sin) = unit_circle(cx, square, 2 * n, dtype)?;
        let minus = cx.map(ScalarFn::Neg, sin)?;
        let (down, up) = if self.forward { (minus, sin) } else { (sin, minus) };
        let column = |cx: &mut Cx<'_, '_>, it: ValueId, like: ValueId| -> Result<ValueId> {
            let mut shape = vec![cx.dim_size(it, 0)];
            shape.resize(cx.rank(like) - self.dim, Expr::int(1));
            cx.reshape(it, &shape)
        };
        let own = Parts { re: column(cx, cos, x.re)?, im: Some(column(cx, down, x.re)?) };
        let signal = product(cx, x, own)?;
        let signal = signal.each(cx, |cx, it| super::resized(cx, it, self.dim, &Expr::int(m)))?;
        // The other way round the chirp lies on both sides of the first element.
        let kernel = Parts { re: cos, im: Some(up) }.each(cx, |cx, it| {
            let rest = cx.slice(it, 0, Expr::int(1), Expr::int(n - 1), 1)?;
            let back = cx.flip(rest, &[0])?;
            let gap =
                cx.pad(it, vec![Expr::int(0)], vec![Expr::int(m - 2 * n + 1)], vec![0], int(0))?;
            cx.concat(&[gap, back], 0)
        })?;
        let forward = Transform { forward: true, ..self };
        let spectrum = forward.run(cx, signal, m, m)?;
        let other = Transform { dim: 0, forward: true }.run(cx, kernel, m, m)?;
        let like = x.re;
        let other = other.each(cx, |cx, it| column(cx, it, like))?;
        let both = product(cx, spectrum, other)?;
        let back = Transform { forward: false, ..self }.run(cx, both, m, n)?;
        let back = product(cx, back, own)?;
        back.each(cx, |cx, it| cx.with_number(ScalarFn::Mul, it, float(1.0 / m as f64)))
    }
}
