//! Orthogonal polynomials.

use ir::{Result, ValueId, scalar::ScalarFn as F};

use super::{Values, number, real, real_pair, where_number};
use crate::decompose::{cx::Cx, emit::int};

/// Chebyshev's polynomials of four kinds by their angle: `T_n(cos θ) = cos n θ` and its kin.
/// Outside of [-1, 1] the angle is imaginary.
pub(super) fn chebyshev(cx: &mut Cx<'_, '_>, kind: char, shifted: bool) -> Values {
    real_pair(cx, ["x", "n"], |cx, x, n| {
        let n = cx.map(F::Trunc, n)?;
        let x = match shifted {
            true => {
                let twice = number(cx, F::Mul, x, 2.0)?;
                number(cx, F::Sub, twice, 1.0)?
            }
            false => x,
        };
        let size = cx.map(F::Abs, x)?;
        let one = cx.full_like(x, int(1))?;
        let inner = cx.zip(F::Min, size, one)?;
        let angle = cx.zip(F::CopySign, inner, x)?;
        let angle = cx.map(F::Acos, angle)?;
        let near = by_angle(cx, kind, n, angle, [F::Cos, F::Sin])?;
        let outer = cx.zip(F::Max, size, one)?;
        let length = cx.map(F::Acosh, outer)?;
        // Left of -1 the kinds mirror: V and W change places.
        let right = by_angle(cx, kind, n, length, [F::Cosh, F::Sinh])?;
        let other = match kind {
            'v' => 'w',
            'w' => 'v',
            it => it,
        };
        let left = by_angle(cx, other, n, length, [F::Cosh, F::Sinh])?;
        let odd = number(cx, F::Rem, n, 2.0)?;
        let odd = number(cx, F::Eq, odd, 1.0)?;
        let negated = cx.map(F::Neg, left)?;
        let left = cx.select(odd, negated, left)?;
        let is_left = number(cx, F::Lt, x, 0.0)?;
        let far = cx.select(is_left, left, right)?;
        let is_far = cx.zip(F::Gt, size, one)?;
        let res = cx.select(is_far, far, near)?;
        let res = at_ends(cx, kind, n, x, res)?;
        let none = number(cx, F::Lt, n, 0.0)?;
        where_number(cx, none, 0.0, res)
    })
}

/// The polynomial of an angle: quotients of sines or of cosines.
fn by_angle(
    cx: &mut Cx<'_, '_>,
    kind: char,
    n: ValueId,
    angle: ValueId,
    [cos, sin]: [F; 2],
) -> Result<ValueId> {
    let (wave, shift, part) = match kind {
        't' => (cos, 0.0, 0.0),
        'u' => (sin, 1.0, 1.0),
        'v' => (cos, 0.5, 0.5),
        _ => (sin, 0.5, 0.5),
    };
    let order = number(cx, F::Add, n, shift)?;
    let phase = cx.zip(F::Mul, order, angle)?;
    let value = cx.map(wave, phase)?;
    if kind == 't' {
        return Ok(value);
    }
    let own = number(cx, F::Mul, angle, part)?;
    let own = cx.map(wave, own)?;
    cx.zip(F::Div, value, own)
}

/// The values at 1 and -1, where the quotients are of nothing by nothing.
fn at_ends(
    cx: &mut Cx<'_, '_>,
    kind: char,
    n: ValueId,
    x: ValueId,
    res: ValueId,
) -> Result<ValueId> {
    let one = cx.full_like(x, int(1))?;
    let next = cx.zip(F::Add, n, one)?;
    let twice = cx.zip(F::Add, n, next)?;
    let (right, left) = match kind {
        't' => (one, one),
        'u' => (next, next),
        'v' => (one, twice),
        _ => (twice, one),
    };
    let odd = number(cx, F::Rem, n, 2.0)?;
    let odd = number(cx, F::Eq, odd, 1.0)?;
    let negated = cx.map(F::Neg, left)?;
    let left = cx.select(odd, negated, left)?;
    let at = cx.zip(F::Eq, x, one)?;
    let res = cx.select(at, right, res)?;
    let at = number(cx, F::Eq, x, -1.0)?;
    cx.select(at, left, res)
}

/// The first two polynomials of a family.
fn first_two(cx: &mut Cx<'_, '_>, kind: &str, x: ValueId) -> Result<[ValueId; 2]> {
    let one = cx.full_like(x, int(1))?;
    let next = match kind {
        "h" => number(cx, F::Mul, x, 2.0)?,
        "l" => cx.zip(F::Sub, one, x)?,
        _ => x,
    };
    Ok([one, next])
}

/// The polynomial of degree `k + 1` from those of degrees `k - 1` and `k`.
fn next_of(
    cx: &mut Cx<'_, '_>,
    kind: &str,
    x: ValueId,
    [before, value]: [ValueId; 2],
    k: f64,
) -> Result<ValueId> {
    // a x p(k) + b p(k) - c p(k - 1), over d.
    let (a, b, c, d) = match kind {
        "h" => (2.0, 0.0, 2.0 * k, 1.0),
        "he" => (1.0, 0.0, k, 1.0),
        "l" => (-1.0, 2.0 * k + 1.0, k, k + 1.0),
        _ => (2.0 * k + 1.0, 0.0, k, k + 1.0),
    };
    let slope = number(cx, F::Mul, x, a)?;
    let slope = number(cx, F::Add, slope, b)?;
    let first = cx.zip(F::Mul, slope, value)?;
    let second = number(cx, F::Mul, before, c)?;
    let next = cx.zip(F::Sub, first, second)?;
    number(cx, F::Div, next, d)
}

/// Hermite's, Laguerre's and Legendre's polynomials of a known degree, by their recurrence.
pub(super) fn by_recurrence(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    let n = cx.number("n")?.as_f64().ok_or_else(|| cx.error("a degree that is not known"))?;
    let n = n.trunc();
    if 1024.0 < n {
        return Err(cx.error(format!("a polynomial of degree {n}")));
    }
    real(cx, |cx, x| {
        if n < 0.0 {
            return cx.full_like(x, int(0));
        }
        let mut pair = first_two(cx, kind, x)?;
        if n == 0.0 {
            return Ok(pair[0]);
        }
        for k in 1..n as i32 {
            let next = next_of(cx, kind, x, pair, f64::from(k))?;
            pair = [pair[1], next];
        }
        Ok(pair[1])
    })
}

/// The greatest degree that a tensor of degrees may have; more is an error of the run.
const MOST: i32 = 32;

/// The same polynomials where each element has a degree of its own: all of them up to the greatest,
/// of which each element keeps one.
pub(super) fn of_each_degree(cx: &mut Cx<'_, '_>, kind: &str) -> Values {
    real_pair(cx, ["x", "n"], |cx, x, n| {
        let n = cx.map(F::Trunc, n)?;
        let fits = number(cx, F::Le, n, f64::from(MOST))?;
        let dims: Vec<usize> = (0..cx.rank(fits)).collect();
        let fits = cx.reduce("all", fits, &dims, false)?;
        cx.assert(fits, "a degree above 32")?;
        let mut pair = first_two(cx, kind, x)?;
        let zero = cx.full_like(x, int(0))?;
        let mut res = zero;
        for k in 0..=MOST {
            let own = number(cx, F::Eq, n, f64::from(k))?;
            res = cx.select(own, pair[0], res)?;
            let next = next_of(cx, kind, x, pair, f64::from(k + 1))?;
            pair = [pair[1], next];
        }
        Ok(res)
    })
}
