//! Elementary functions of complex numbers on their parts, by Kahan's formulas where a plain one
//! would lose digits or take the wrong side of a cut.

use ir::{Result, ValueId, scalar::ScalarFn as F};

use super::{Parts, parts};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

/// A complex number that has both parts.
#[derive(Clone, Copy)]
struct Z {
    re: ValueId,
    im: ValueId,
}

/// `function` of a complex tensor; none where there is no formula.
pub(in crate::decompose) fn apply(
    cx: &mut Cx<'_, '_>,
    function: F,
    x: ValueId,
) -> Result<Option<ValueId>> {
    let Parts { re, im: Some(im) } = parts(cx, x)? else { return Ok(None) };
    let z = Z { re, im };
    let made = match function {
        F::Exp2 => {
            let scaled = z.scaled(cx, std::f64::consts::LN_2)?;
            scaled.primitive(cx, F::Exp)?
        }
        F::Log2 => z.primitive(cx, F::Log)?.scaled(cx, std::f64::consts::LOG2_E)?,
        F::Log10 => z.primitive(cx, F::Log)?.scaled(cx, std::f64::consts::LOG10_E)?,
        F::Expm1 => z.expm1(cx)?,
        F::Log1p => z.log1p(cx)?,
        F::Sinh => {
            let it = z.turned(cx)?.primitive(cx, F::Sin)?;
            it.turned_back(cx)?
        }
        F::Cosh => z.turned(cx)?.primitive(cx, F::Cos)?,
        F::Tanh => z.tanh(cx)?,
        F::Tan => z.turned(cx)?.tanh(cx)?.turned_back(cx)?,
        F::Asin => z.asin(cx)?,
        F::Asinh => z.turned(cx)?.asin(cx)?.turned_back(cx)?,
        F::Acos => z.acos(cx)?,
        F::Acosh => z.acosh(cx)?,
        F::Atanh => z.atanh(cx)?,
        F::Atan => z.turned(cx)?.atanh(cx)?.turned_back(cx)?,
        F::Sigmoid => {
            let down = z.negative(cx)?.primitive(cx, F::Exp)?;
            let re = cx.with_number(F::Add, down.re, int(1))?;
            Z { re, ..down }.primitive(cx, F::Reciprocal)?
        }
        _ => return Ok(None),
    };
    Ok(Some(made.whole(cx)?))
}

/// Whether a condition holds of either part.
pub(in crate::decompose::rules) fn either(
    cx: &mut Cx<'_, '_>,
    function: F,
    x: ValueId,
) -> Result<ValueId> {
    let Parts { re, im } = parts(cx, x)?;
    let first = cx.map(function, re)?;
    let Some(im) = im else { return Ok(first) };
    let second = cx.map(function, im)?;
    cx.zip(F::Or, first, second)
}

impl Z {
    fn whole(self, cx: &mut Cx<'_, '_>) -> Result<ValueId> {
        Parts { re: self.re, im: Some(self.im) }.whole(cx)
    }

    /// A function that `tensor` has of complex numbers.
    fn primitive(self, cx: &mut Cx<'_, '_>, function: F) -> Result<Z> {
        let whole = self.whole(cx)?;
        let made = cx.map(function, whole)?;
        let it = parts(cx, made)?;
        let im = it.im.ok_or_else(|| cx.error("a complex function that is real"))?;
        Ok(Z { re: it.re, im })
    }

    fn scaled(self, cx: &mut Cx<'_, '_>, by: f64) -> Result<Z> {
        let re = cx.with_number(F::Mul, self.re, float(by))?;
        Ok(Z { re, im: cx.with_number(F::Mul, self.im, float(by))? })
    }

    fn negative(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        Ok(Z { re: cx.map(F::Neg, self.re)?, im: cx.map(F::Neg, self.im)? })
    }

    /// `i z`.
    fn turned(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        Ok(Z { re: cx.map(F::Neg, self.im)?, im: self.re })
    }

    /// `-i z`.
    fn turned_back(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        Ok(Z { re: self.im, im: cx.map(F::Neg, self.re)? })
    }

    /// `1 + z` and `1 - z`, and their roots.
    fn roots(self, cx: &mut Cx<'_, '_>) -> Result<(Z, Z)> {
        let more = cx.with_number(F::Add, self.re, int(1))?;
        let one = cx.full_like(self.re, int(1))?;
        let less = cx.zip(F::Sub, one, self.re)?;
        let minus = cx.map(F::Neg, self.im)?;
        let plus = Z { re: more, im: self.im }.primitive(cx, F::Sqrt)?;
        Ok((plus, Z { re: less, im: minus }.primitive(cx, F::Sqrt)?))
    }

    fn expm1(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        // exp(a) cos b - 1 = (exp(a) - 1) cos b - 2 sin²(b / 2)
        let grown = cx.map(F::Expm1, self.re)?;
        let cos = cx.map(F::Cos, self.im)?;
        let half = cx.with_number(F::Mul, self.im, float(0.5))?;
        let sin = cx.map(F::Sin, half)?;
        let square = cx.zip(F::Mul, sin, sin)?;
        let twice = cx.with_number(F::Mul, square, int(2))?;
        let first = cx.zip(F::Mul, grown, cos)?;
        let re = cx.zip(F::Sub, first, twice)?;
        let scale = cx.map(F::Exp, self.re)?;
        let sin = cx.map(F::Sin, self.im)?;
        Ok(Z { re, im: cx.zip(F::Mul, scale, sin)? })
    }

    fn log1p(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        let more = cx.with_number(F::Add, self.re, int(1))?;
        let far = Z { re: more, im: self.im }.primitive(cx, F::Log)?;
        // Near zero: log |1 + z| = log1p(a (a + 2) + b²) / 2
        let two = cx.with_number(F::Add, self.re, int(2))?;
        let own = cx.zip(F::Mul, self.re, two)?;
        let square = cx.zip(F::Mul, self.im, self.im)?;
        let excess = cx.zip(F::Add, own, square)?;
        let near = cx.map(F::Log1p, excess)?;
        let near = cx.with_number(F::Mul, near, float(0.5))?;
        let size = cx.map(F::Abs, excess)?;
        let is_near = cx.with_number(F::Lt, size, float(0.5))?;
        let re = cx.select(is_near, near, far.re)?;
        Ok(Z { re, im: far.im })
    }

    fn tanh(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        // (t + i sin b cos b / cosh² a) / (cos² b + t² sin² b) with t = tanh a
        let t = cx.map(F::Tanh, self.re)?;
        let cosh = cx.map(F::Cosh, self.re)?;
        let (cos, sin) = (cx.map(F::Cos, self.im)?, cx.map(F::Sin, self.im)?);
        let inverse = cx.map(F::Reciprocal, cosh)?;
        let falls = cx.zip(F::Mul, inverse, inverse)?;
        let product = cx.zip(F::Mul, sin, cos)?;
        let up = cx.zip(F::Mul, product, falls)?;
        let cos = cx.zip(F::Mul, cos, cos)?;
        let ts = cx.zip(F::Mul, t, sin)?;
        let ts = cx.zip(F::Mul, ts, ts)?;
        let down = cx.zip(F::Add, cos, ts)?;
        Ok(Z { re: cx.zip(F::Div, t, down)?, im: cx.zip(F::Div, up, down)? })
    }

    fn asin(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        let (plus, minus) = self.roots(cx)?;
        let (a, b) = (cx.zip(F::Mul, minus.re, plus.re)?, cx.zip(F::Mul, minus.im, plus.im)?);
        let across = cx.zip(F::Sub, a, b)?;
        let re = cx.zip(F::Atan2, self.re, across)?;
        let im = cross(cx, minus, plus)?;
        Ok(Z { re, im: cx.map(F::Asinh, im)? })
    }

    fn acos(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        let (plus, minus) = self.roots(cx)?;
        let half = cx.zip(F::Atan2, minus.re, plus.re)?;
        let re = cx.with_number(F::Mul, half, int(2))?;
        let im = cross(cx, plus, minus)?;
        Ok(Z { re, im: cx.map(F::Asinh, im)? })
    }

    fn acosh(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        let more = cx.with_number(F::Add, self.re, int(1))?;
        let less = cx.with_number(F::Sub, self.re, int(1))?;
        let plus = Z { re: more, im: self.im }.primitive(cx, F::Sqrt)?;
        let minus = Z { re: less, im: self.im }.primitive(cx, F::Sqrt)?;
        let (a, b) = (cx.zip(F::Mul, minus.re, plus.re)?, cx.zip(F::Mul, minus.im, plus.im)?);
        let along = cx.zip(F::Add, a, b)?;
        let half = cx.zip(F::Atan2, minus.im, plus.re)?;
        Ok(Z { re: cx.map(F::Asinh, along)?, im: cx.with_number(F::Mul, half, int(2))? })
    }

    fn atanh(self, cx: &mut Cx<'_, '_>) -> Result<Z> {
        let up = self.log1p(cx)?;
        let down = self.negative(cx)?.log1p(cx)?;
        let (re, im) = (cx.zip(F::Sub, up.re, down.re)?, cx.zip(F::Sub, up.im, down.im)?);
        Z { re, im }.scaled(cx, 0.5)
    }
}

/// The imaginary part of `conj(a) b`.
fn cross(cx: &mut Cx<'_, '_>, a: Z, b: Z) -> Result<ValueId> {
    let (p, q) = (cx.zip(F::Mul, a.re, b.im)?, cx.zip(F::Mul, a.im, b.re)?);
    cx.zip(F::Sub, p, q)
}
