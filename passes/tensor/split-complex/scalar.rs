//! Functions of single complex numbers, in eager's formulas where those are known.

use ir::{Op, Result, ValueId, scalar::ScalarFn as F};

use super::{Parts, Split};

impl<'a> Split<'a> {
    pub(super) fn scalar(&mut self, op: &'a Op, function: F) -> Result<()> {
        let operands: Vec<ValueId> = op.operands().collect();
        let result = op.result();
        match (function, &operands[..]) {
            (F::Select, [cond, a, b]) => {
                let cond = self.rw.get(*cond);
                let (a, b) = (self.split(*a)?, self.split(*b)?);
                let re = self.apply(F::Select, &[cond, a.re, b.re])?;
                let im = self.apply(F::Select, &[cond, a.im, b.im])?;
                self.set(result, re, im);
            }
            (F::Eq | F::Ne, [a, b]) => {
                let (a, b) = (self.split(*a)?, self.split(*b)?);
                let re = self.apply(function, &[a.re, b.re])?;
                let im = self.apply(function, &[a.im, b.im])?;
                let join = if function == F::Eq { F::And } else { F::Or };
                let made = self.apply(join, &[re, im])?;
                self.rw.set(result, made);
            }
            (F::Abs, [x]) => {
                let x = self.split(*x)?;
                let made = self.apply(F::Hypot, &[x.re, x.im])?;
                self.rw.set(result, made);
            }
            (_, [x]) => {
                let x = self.split(*x)?;
                match self.unary(function, x)? {
                    Some(it) => self.set(result, it.re, it.im),
                    None => return Err(self.unsplit(op)),
                }
            }
            (_, [a, b]) => {
                let (a, b) = (self.split(*a)?, self.split(*b)?);
                match self.binary(function, a, b)? {
                    Some(it) => self.set(result, it.re, it.im),
                    None => return Err(self.unsplit(op)),
                }
            }
            _ => return Err(self.unsplit(op)),
        }
        Ok(())
    }

    /// The diagnostic for an op that has no form on parts.
    pub(super) fn unsplit(&self, op: &Op) -> diag::Diag {
        let message = format!("`{}` is not supported on complex tensors", op.def.0.name);
        diag::Diag::error(&diag::codes::UNSUPPORTED, message).at(op.origin.0)
    }

    fn unary(&mut self, function: F, x: Parts) -> Result<Option<Parts>> {
        Ok(Some(match function {
            F::Neg => Parts { re: self.apply(F::Neg, &[x.re])?, im: self.apply(F::Neg, &[x.im])? },
            F::Sqrt => self.sqrt(x)?,
            F::Rsqrt => {
                let root = self.sqrt(x)?;
                self.reciprocal(root)?
            }
            F::Reciprocal => self.reciprocal(x)?,
            F::Exp => self.exp(x)?,
            F::Log => self.log(x)?,
            F::Sin => {
                // sin(a + bi) = sin a cosh b + i cos a sinh b
                let (sin, cos, sinh, cosh) = self.circular(x)?;
                let re = self.apply(F::Mul, &[sin, cosh])?;
                let im = self.apply(F::Mul, &[cos, sinh])?;
                Parts { re, im }
            }
            F::Cos => {
                // cos(a + bi) = cos a cosh b - i sin a sinh b
                let (sin, cos, sinh, cosh) = self.circular(x)?;
                let re = self.apply(F::Mul, &[cos, cosh])?;
                let im = self.apply(F::Mul, &[sin, sinh])?;
                Parts { re, im: self.apply(F::Neg, &[im])? }
            }
            _ => return Ok(None),
        }))
    }

    fn binary(&mut self, function: F, a: Parts, b: Parts) -> Result<Option<Parts>> {
        Ok(Some(match function {
            F::Add | F::Sub => {
                let re = self.apply(function, &[a.re, b.re])?;
                Parts { re, im: self.apply(function, &[a.im, b.im])? }
            }
            F::Mul => self.product(a, b)?,
            F::Div => self.quotient(a, b)?,
            F::Pow => {
                let log = self.log(a)?;
                let power = self.product(b, log)?;
                self.exp(power)?
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn product(&mut self, a: Parts, b: Parts) -> Result<Parts> {
        let (ac, bd) = (self.apply(F::Mul, &[a.re, b.re])?, self.apply(F::Mul, &[a.im, b.im])?);
        let (ad, bc) = (self.apply(F::Mul, &[a.re, b.im])?, self.apply(F::Mul, &[a.im, b.re])?);
        let re = self.apply(F::Sub, &[ac, bd])?;
        Ok(Parts { re, im: self.apply(F::Add, &[ad, bc])? })
    }

    /// Scaled by the greater part of the divisor, so that squares do not overflow.
    fn quotient(&mut self, a: Parts, b: Parts) -> Result<Parts> {
        let (size_re, size_im) = (self.apply(F::Abs, &[b.re])?, self.apply(F::Abs, &[b.im])?);
        let is_real = self.apply(F::Ge, &[size_re, size_im])?;
        let pick = |me: &mut Self, x: ValueId, y: ValueId| me.apply(F::Select, &[is_real, x, y]);
        let (great, small) = (pick(self, b.re, b.im)?, pick(self, b.im, b.re)?);
        let (u, v) = (pick(self, a.re, a.im)?, pick(self, a.im, a.re)?);
        let ratio = self.apply(F::Div, &[small, great])?;
        let scaled = self.apply(F::Mul, &[small, ratio])?;
        let size = self.apply(F::Add, &[great, scaled])?;
        let one = self.filled(size, 1.0)?;
        let scale = self.apply(F::Div, &[one, size])?;
        let (ur, vr) = (self.apply(F::Mul, &[u, ratio])?, self.apply(F::Mul, &[v, ratio])?);
        let re = self.apply(F::Add, &[u, vr])?;
        let re = self.apply(F::Mul, &[re, scale])?;
        let (straight, crossed) = (self.apply(F::Sub, &[v, ur])?, self.apply(F::Sub, &[ur, v])?);
        let im = pick(self, straight, crossed)?;
        Ok(Parts { re, im: self.apply(F::Mul, &[im, scale])? })
    }

    fn reciprocal(&mut self, x: Parts) -> Result<Parts> {
        let one = Parts { re: self.filled(x.re, 1.0)?, im: self.filled(x.re, 0.0)? };
        self.quotient(one, x)
    }

    /// The root with a real part that is not negative, without cancellation.
    fn sqrt(&mut self, x: Parts) -> Result<Parts> {
        let length = self.apply(F::Hypot, &[x.re, x.im])?;
        let size = self.apply(F::Abs, &[x.re])?;
        let half = self.filled(x.re, 0.5)?;
        let zero = self.filled(x.re, 0.0)?;
        // Halves are exact, and their sum does not overflow where the length does not.
        let (a, b) = (self.apply(F::Mul, &[length, half])?, self.apply(F::Mul, &[size, half])?);
        let sum = self.apply(F::Add, &[a, b])?;
        let root = self.apply(F::Sqrt, &[sum])?;
        let twice = self.apply(F::Add, &[root, root])?;
        let other = self.apply(F::Div, &[x.im, twice])?;
        let empty = self.apply(F::Eq, &[root, zero])?;
        let other = self.apply(F::Select, &[empty, x.im, other])?;
        let right = self.apply(F::Ge, &[x.re, zero])?;
        let (up, across) = (self.apply(F::CopySign, &[root, x.im])?, self.apply(F::Abs, &[other])?);
        let re = self.apply(F::Select, &[right, root, across])?;
        Ok(Parts { re, im: self.apply(F::Select, &[right, other, up])? })
    }

    fn exp(&mut self, x: Parts) -> Result<Parts> {
        let scale = self.apply(F::Exp, &[x.re])?;
        let (cos, sin) = (self.apply(F::Cos, &[x.im])?, self.apply(F::Sin, &[x.im])?);
        let re = self.apply(F::Mul, &[scale, cos])?;
        let im = self.apply(F::Mul, &[scale, sin])?;
        // Of a real number it is real, even where the power is infinite; where the power is
        // nothing, so is all, whatever the angle.
        let zero = self.filled(x.im, 0.0)?;
        let real = self.apply(F::Eq, &[x.im, zero])?;
        let im = self.apply(F::Select, &[real, x.im, im])?;
        let none = self.apply(F::Eq, &[scale, zero])?;
        let re = self.apply(F::Select, &[none, zero, re])?;
        Ok(Parts { re, im: self.apply(F::Select, &[none, zero, im])? })
    }

    /// Near the unit circle the length is taken as its distance from 1, which loses nothing.
    fn log(&mut self, x: Parts) -> Result<Parts> {
        let length = self.apply(F::Hypot, &[x.re, x.im])?;
        let far = self.apply(F::Log, &[length])?;
        let (a, b) = (self.apply(F::Abs, &[x.re])?, self.apply(F::Abs, &[x.im])?);
        let (great, small) = (self.apply(F::Max, &[a, b])?, self.apply(F::Min, &[a, b])?);
        let one = self.filled(x.re, 1.0)?;
        let half = self.filled(x.re, 0.5)?;
        let two = self.filled(x.re, 2.0)?;
        let (below, above) =
            (self.apply(F::Sub, &[great, one])?, self.apply(F::Add, &[great, one])?);
        let square = self.apply(F::Mul, &[below, above])?;
        let rest = self.apply(F::Mul, &[small, small])?;
        let excess = self.apply(F::Add, &[square, rest])?;
        let close = self.apply(F::Log1p, &[excess])?;
        let close = self.apply(F::Mul, &[close, half])?;
        let (low, high) = (self.apply(F::Lt, &[half, length])?, self.apply(F::Lt, &[length, two])?);
        let near = self.apply(F::And, &[low, high])?;
        let re = self.apply(F::Select, &[near, close, far])?;
        Ok(Parts { re, im: self.apply(F::Atan2, &[x.im, x.re])? })
    }

    /// Sine and cosine of the real part, hyperbolic sine and cosine of the imaginary one.
    fn circular(&mut self, x: Parts) -> Result<(ValueId, ValueId, ValueId, ValueId)> {
        Ok((
            self.apply(F::Sin, &[x.re])?,
            self.apply(F::Cos, &[x.re])?,
            self.apply(F::Sinh, &[x.im])?,
            self.apply(F::Cosh, &[x.im])?,
        ))
    }
}
