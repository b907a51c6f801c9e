//! Complex numbers.

pub(super) mod functions;

use ir::{Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::{
    decompose::{
        cx::Cx,
        emit::{float, int},
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// A complex tensor by its parts; the imaginary one may be all zero.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) re: ValueId,
    pub(super) im: Option<ValueId>,
}

/// The parts of a tensor; integers become floats.
pub(super) fn parts(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<Parts> {
    if !cx.dtype_of(x).is_complex() {
        let x = cx.cast(x, promote::to_float(cx.dtype_of(x)))?;
        return Ok(Parts { re: x, im: None });
    }
    let re = cx.build(|it| tensor::Real::build(it, x))?;
    let im = cx.build(|it| tensor::Imag::build(it, x))?;
    Ok(Parts { re, im: Some(im) })
}

impl Parts {
    /// The complex tensor.
    pub(super) fn whole(self, cx: &mut Cx<'_, '_>) -> Result<ValueId> {
        let im = match self.im {
            Some(it) => it,
            None => cx.full_like(self.re, int(0))?,
        };
        let re = self.re;
        cx.build(|it| tensor::Complex::build(it, re, im))
    }

    /// The same done to both parts.
    pub(super) fn each(
        self,
        cx: &mut Cx<'_, '_>,
        mut f: impl FnMut(&mut Cx<'_, '_>, ValueId) -> Result<ValueId>,
    ) -> Result<Parts> {
        let re = f(cx, self.re)?;
        let im = self.im.map(|it| f(cx, it)).transpose()?;
        Ok(Parts { re, im })
    }
}

fn real(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    Ok(vec![if cx.dtype_of(x).is_complex() { parts(cx, x)?.re } else { x }])
}

fn imag(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    match parts(cx, x)?.im {
        Some(it) => Ok(vec![it]),
        None => Err(cx.error("the imaginary part of a real tensor")),
    }
}

fn conj(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    if !cx.dtype_of(x).is_complex() {
        return Ok(vec![x]);
    }
    Ok(vec![conj_of(cx, x)?])
}

fn conj_of(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let it = parts(cx, x)?;
    let im = it.im.map(|it| cx.map(ScalarFn::Neg, it)).transpose()?;
    Parts { im, ..it }.whole(cx)
}

/// The conjugate of the transpose.
fn adjoint(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let rank = cx.rank(x);
    let x =
        if rank < 2 { x } else { cx.transpose(x, rank.saturating_sub(2), rank.saturating_sub(1))? };
    Ok(vec![if cx.dtype_of(x).is_complex() { conj_of(cx, x)? } else { x }])
}

fn view_as_real(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let it = parts(cx, x)?;
    let rank = cx.rank(x);
    let Some(im) = it.im else { return Err(cx.error("a real tensor")) };
    let both = [cx.unsqueeze(it.re, rank)?, cx.unsqueeze(im, rank)?];
    Ok(vec![cx.concat(&both, rank)?])
}

fn view_as_complex(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let last = cx.rank(x).saturating_sub(1);
    let re = cx.select_dim(x, last, Expr::int(0))?;
    let im = cx.select_dim(x, last, Expr::int(1))?;
    Ok(vec![Parts { re, im: Some(im) }.whole(cx)?])
}

fn angle(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let it = parts(cx, x)?;
    if let Some(im) = it.im {
        return Ok(vec![cx.zip(ScalarFn::Atan2, im, it.re)?]);
    }
    let negative = cx.with_number(ScalarFn::Lt, it.re, int(0))?;
    let (pi, zero) =
        (cx.full_like(it.re, float(std::f64::consts::PI))?, cx.full_like(it.re, int(0))?);
    let res = cx.select(negative, pi, zero)?;
    let nan = cx.map(ScalarFn::IsNan, it.re)?;
    Ok(vec![cx.select(nan, it.re, res)?])
}

fn polar(cx: &mut Cx<'_, '_>) -> Values {
    let (size, angle) = (cx.x("abs")?, cx.x("angle")?);
    let [size, angle] = cx.broadcast([size, angle])?;
    let (cos, sin) = (cx.map(ScalarFn::Cos, angle)?, cx.map(ScalarFn::Sin, angle)?);
    let (re, im) = (cx.zip(ScalarFn::Mul, size, cos)?, cx.zip(ScalarFn::Mul, size, sin)?);
    Ok(vec![Parts { re, im: Some(im) }.whole(cx)?])
}

rules! {
    "real" => real,
    "imag" => imag,
    "conj" | "_conj" | "conj_physical" | "_conj_physical" | "_conj_copy" => conj,
    "mH" | "adjoint" | "matrix_H" => adjoint,
    "view_as_real" | "view_as_real_copy" => view_as_real,
    "view_as_complex" | "view_as_complex_copy" => view_as_complex,
    "angle" => angle,
    "polar" => polar,
}
