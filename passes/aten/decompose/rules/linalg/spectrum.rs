//! Eigenvalues and singular values of real matrices, and what is computed from them.

use ir::{DType, Number, Result, ValueId, linalg::Factor, scalar::ScalarFn};
use sym::Expr;

use super::{
    Matrices, Values,
    equations::{completed, inverse_of, squared_while},
    factor, matrices, product, transposed, unit,
};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

pub(super) fn eigh(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x(if cx.has("A") { "A" } else { "self" })?;
    let (values, vectors) = eigh_of(cx, x)?;
    if cx.results() == 1 {
        return Ok(vec![values]);
    }
    match cx.has("compute_v") && !cx.flag("compute_v")? {
        false => Ok(vec![values, vectors]),
        true => {
            let dtype = cx.dtype_of(x);
            Ok(vec![values, cx.full(int(0), &[Expr::int(0)], dtype)?])
        }
    }
}

fn eigh_of(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<(ValueId, ValueId)> {
    let mut a = matrices(cx, x)?;
    if cx.has("UPLO") && cx.text("UPLO")?.eq_ignore_ascii_case("u") {
        a.x = transposed(cx, a.x)?;
    }
    let made = factor(cx, Factor::Eigh, &[a.x], false)?;
    Ok((a.back(cx, made[0])?, a.back(cx, made[1])?))
}

/// Left vectors, singular values, and right vectors in columns, of the flat batch.
pub(super) struct Svd {
    pub(super) u: ValueId,
    pub(super) s: ValueId,
    pub(super) v: ValueId,
}

pub(super) fn svd_of(cx: &mut Cx<'_, '_>, a: &Matrices) -> Result<Svd> {
    let (m, n) = (a.side(cx, 0), a.side(cx, 1));
    let wide = !cx.at_most(&n, &m);
    let x = if wide { transposed(cx, a.x)? } else { a.x };
    let made = factor(cx, Factor::Svd, &[x], false)?;
    let (u, v) = if wide { (made[2], made[0]) } else { (made[0], made[2]) };
    Ok(Svd { u, s: made[1], v })
}

pub(super) fn svd(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("A")?;
    let a = matrices(cx, x)?;
    let it = svd_of(cx, &a)?;
    let s = a.back(cx, it.s)?;
    if cx.results() == 1 {
        return Ok(vec![s]);
    }
    if cx.has("compute_uv") && !cx.flag("compute_uv")? {
        let dtype = cx.dtype_of(x);
        let none = cx.full(int(0), &[Expr::int(0)], dtype)?;
        return Ok(vec![none, s, none]);
    }
    let (mut u, mut v) = (it.u, it.v);
    if cx.flag("full_matrices")? {
        u = all_columns(cx, u)?;
        v = all_columns(cx, v)?;
    }
    let vh = transposed(cx, v)?;
    Ok(vec![a.back(cx, u)?, s, a.back(cx, vh)?])
}

/// As many columns as rows.
fn all_columns(cx: &mut Cx<'_, '_>, u: ValueId) -> Result<ValueId> {
    match cx.equal(&cx.dim_size(u, 1), &cx.dim_size(u, 2)) {
        true => Ok(u),
        false => completed(cx, u),
    }
}

pub(super) fn old_svd(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let a = matrices(cx, x)?;
    let Svd { mut u, s, mut v } = svd_of(cx, &a)?;
    if !cx.flag("some")? {
        u = all_columns(cx, u)?;
        v = all_columns(cx, v)?;
    }
    if !cx.flag("compute_uv")? {
        u = cx.full_like(u, int(0))?;
        v = cx.full_like(v, int(0))?;
    }
    Ok(vec![a.back(cx, u)?, a.back(cx, s)?, a.back(cx, v)?])
}

/// The bound below which singular values count as nothing, as a tensor that broadcasts with `s`:
/// the greater of the absolute bound and the relative one times the greatest value.
fn tolerance(cx: &mut Cx<'_, '_>, a: &Matrices, s: ValueId) -> Result<ValueId> {
    let dtype = cx.dtype_of(s);
    let last = cx.rank(s) - 1;
    let top = cx.reduce("max", s, &[last], true)?;
    let given = |cx: &mut Cx<'_, '_>, name: &str| -> Result<Option<ValueId>> {
        if !cx.has(name) {
            return Ok(None);
        }
        let Some(it) = cx.opt_input(name)? else { return Ok(None) };
        let it = cx.as_dtype(&it, dtype)?;
        // One number for each matrix.
        let rank = cx.rank(it);
        Ok(Some(cx.unsqueeze(it, rank)?))
    };
    let absolute = match given(cx, "atol")? {
        Some(it) => Some(it),
        None => given(cx, "tol")?,
    };
    let relative = match given(cx, "rtol")? {
        Some(it) => Some(it),
        None => given(cx, "rcond")?,
    };
    let zero = cx.full(int(0), &[], dtype)?;
    let (m, n) = (a.side(cx, 0), a.side(cx, 1));
    let more = if cx.at_most(&m, &n) { n } else { m };
    let relative = match (relative, absolute) {
        (Some(it), _) => it,
        (None, None) => {
            let side = cx.full(Number::Int(more), &[], dtype)?;
            let step = if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
            cx.with_number(ScalarFn::Mul, side, float(step))?
        }
        // By default an absolute bound that is positive stands alone.
        (None, Some(absolute)) => {
            let side = cx.full(Number::Int(more), &[], dtype)?;
            let step = if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
            let usual = cx.with_number(ScalarFn::Mul, side, float(step))?;
            let alone = cx.with_number(ScalarFn::Gt, absolute, int(0))?;
            cx.select(alone, zero, usual)?
        }
    };
    let relative = cx.zip(ScalarFn::Mul, relative, top)?;
    cx.zip(ScalarFn::Max, absolute.unwrap_or(zero), relative)
}

fn is_hermitian(cx: &Cx<'_, '_>) -> Result<bool> {
    Ok(cx.has("hermitian") && cx.flag("hermitian")?)
}

pub(super) fn pinv(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let a = matrices(cx, x)?;
    let (u, s, v) = match is_hermitian(cx)? {
        false => {
            let it = svd_of(cx, &a)?;
            (it.u, it.s, it.v)
        }
        true => {
            let made = factor(cx, Factor::Eigh, &[a.x], false)?;
            (made[1], made[0], made[1])
        }
    };
    let size = cx.map(ScalarFn::Abs, s)?;
    let whole = a.back(cx, size)?;
    let least = tolerance(cx, &a, whole)?;
    let counts = cx.zip(ScalarFn::Gt, whole, least)?;
    let value = a.back(cx, s)?;
    let inverse = cx.map(ScalarFn::Reciprocal, value)?;
    let zero = cx.full_like(inverse, int(0))?;
    let inverse = cx.select(counts, inverse, zero)?;
    let inverse = super::vectors(cx, inverse)?;
    let row = cx.unsqueeze(inverse, 1)?;
    let scaled = cx.zip(ScalarFn::Mul, v, row)?;
    let ut = transposed(cx, u)?;
    let res = product(cx, scaled, ut)?;
    Ok(vec![a.back(cx, res)?])
}

pub(super) fn matrix_rank(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x(if cx.has("input") { "input" } else { "self" })?;
    let a = matrices(cx, x)?;
    let s = match is_hermitian(cx)? {
        false => svd_of(cx, &a)?.s,
        true => {
            let values = factor(cx, Factor::Eigh, &[a.x], false)?[0];
            cx.map(ScalarFn::Abs, values)?
        }
    };
    let s = a.back(cx, s)?;
    let least = tolerance(cx, &a, s)?;
    let counts = cx.zip(ScalarFn::Gt, s, least)?;
    let counts = cx.cast(counts, DType::I64)?;
    let last = cx.rank(counts) - 1;
    Ok(vec![cx.reduce("sum", counts, &[last], false)?])
}

/// The ratio of the extreme singular values, or of norms of the matrix and its inverse.
pub(super) fn cond(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let a = matrices(cx, x)?;
    let text = cx.name().ends_with(".p_str");
    let p = match text || cx.is_none("p")? {
        true => None,
        false => cx.number("p")?.as_f64(),
    };
    let singular = !text && p.is_none_or(|it| it.abs() == 2.0);
    if singular {
        let s = svd_of(cx, &a)?.s;
        let (top, low) = (cx.reduce("max", s, &[1], false)?, cx.reduce("min", s, &[1], false)?);
        let (up, down) = if p == Some(-2.0) { (low, top) } else { (top, low) };
        let ratio = cx.zip(ScalarFn::Div, up, down)?;
        return Ok(vec![a.back(cx, ratio)?]);
    }
    let kind = if text { cx.text("p")? } else { String::new() };
    let inverse = inverse_of(cx, x)?;
    let other = matrices(cx, inverse)?;
    let (one, two) = (norm(cx, &a, p, &kind)?, norm(cx, &other, p, &kind)?);
    let res = cx.zip(ScalarFn::Mul, one, two)?;
    Ok(vec![a.back(cx, res)?])
}

fn norm(cx: &mut Cx<'_, '_>, a: &Matrices, p: Option<f64>, kind: &str) -> Result<ValueId> {
    if kind == "nuc" {
        let s = svd_of(cx, a)?.s;
        return cx.reduce("sum", s, &[1], false);
    }
    let Some(p) = p else {
        let square = cx.zip(ScalarFn::Mul, a.x, a.x)?;
        let sum = cx.reduce("sum", square, &[1, 2], false)?;
        return cx.map(ScalarFn::Sqrt, sum);
    };
    let size = cx.map(ScalarFn::Abs, a.x)?;
    // The sums of columns for 1, of rows for infinity.
    let along = if p.abs() == 1.0 { 1 } else { 2 };
    let sums = cx.reduce("sum", size, &[along], false)?;
    cx.reduce(if p < 0.0 { "min" } else { "max" }, sums, &[1], false)
}

/// Doublings after which no matrix of finite norm is left to halve.
const HALVINGS: i64 = 24;
/// Terms of the series, and the norms below which they suffice, in float64 and float32: eager's.
const TERMS: i64 = 18;
const NORM_F64: f64 = 1.090_863_719_290_036;
const NORM_F32: f64 = 3.010_066_362_817_634;

/// The matrix is halved until its norm is small; the series of that is squared as often.
pub(super) fn exponential(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dtype = cx.dtype_of(x);
    if !dtype.is_float() {
        return Err(cx.error(format!("a power series of {dtype}")));
    }
    let x = cx.widened(x)?;
    let a = matrices(cx, x)?;
    let norm = norm(cx, &a, Some(1.0), "")?;
    let least = if cx.dtype_of(x) == DType::F64 { NORM_F64 } else { NORM_F32 };
    let norm = cx.with_number(ScalarFn::Div, norm, float(least))?;
    let shape = [cx.dim_size(norm, 0), Expr::int(1), Expr::int(1)];
    let norm = cx.reshape(norm, &shape)?;
    let log = cx.map(ScalarFn::Log2, norm)?;
    let halvings = cx.map(ScalarFn::Ceil, log)?;
    let zero = cx.full_like(halvings, int(0))?;
    let most = cx.full_like(halvings, int(HALVINGS))?;
    let halvings = cx.zip(ScalarFn::Max, halvings, zero)?;
    let halvings = cx.zip(ScalarFn::Min, halvings, most)?;
    let down = cx.map(ScalarFn::Neg, halvings)?;
    let scale = cx.map(ScalarFn::Exp2, down)?;
    let scaled = cx.zip(ScalarFn::Mul, a.x, scale)?;
    let one = unit(cx, a.x)?;
    // Horner's scheme from the last term.
    let mut sum = one;
    for term in (1..=TERMS).rev() {
        let next = product(cx, scaled, sum)?;
        let next = cx.with_number(ScalarFn::Div, next, int(term))?;
        sum = cx.zip(ScalarFn::Add, one, next)?;
    }
    let res = squared_while(cx, sum, halvings, HALVINGS)?;
    let res = a.back(cx, res)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// The root of a symmetric matrix: that of each eigenvalue.
pub(super) fn root(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let a = matrices(cx, x)?;
    let made = factor(cx, Factor::Eigh, &[a.x], false)?;
    let roots = cx.map(ScalarFn::Sqrt, made[0])?;
    let row = cx.unsqueeze(roots, 1)?;
    let scaled = cx.zip(ScalarFn::Mul, made[1], row)?;
    let back = transposed(cx, made[1])?;
    let res = product(cx, scaled, back)?;
    Ok(vec![a.back(cx, res)?])
}

/// An orthogonal factor and a symmetric one.
pub(super) fn polar(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("A")?;
    let a = matrices(cx, x)?;
    let Svd { u, s, v } = svd_of(cx, &a)?;
    let back = transposed(cx, v)?;
    let turn = product(cx, u, back)?;
    let row = cx.unsqueeze(s, 1)?;
    let scaled = cx.zip(ScalarFn::Mul, v, row)?;
    let stretch = product(cx, scaled, back)?;
    Ok(vec![a.back(cx, turn)?, a.back(cx, stretch)?])
}
