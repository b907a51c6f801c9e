//! Linear algebra: factors, and what is computed from them.

mod equations;
mod spectrum;

use ir::{DType, Result, ValueId, linalg::Factor, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{cx::Cx, emit::int};

pub(super) use equations::inverse_of;

type Values = Result<Vec<ValueId>>;

/// A batch of matrices with one batch dimension, and the dimensions that it stands for.
#[derive(Clone)]
struct Matrices {
    x: ValueId,
    batch: Vec<Expr>,
}

/// Matrices in the last two dimensions.
fn matrices(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<Matrices> {
    cx.at_least(x, 2)?;
    if cx.dtype_of(x).is_complex() {
        return Err(cx.error("factors of complex matrices"));
    }
    let shape = cx.shape(x).into_vec();
    let (batch, sides) = shape.split_at(shape.len() - 2);
    let count = batch.iter().fold(Expr::int(1), |p, it| p * it.clone());
    let flat = [cx.simple(&count), sides[0].clone(), sides[1].clone()];
    let batch = batch.to_vec();
    Ok(Matrices { x: cx.reshape(x, &flat)?, batch })
}

impl Matrices {
    /// The dimensions of the batch back in the place of one.
    fn back(&self, cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
        let own = cx.shape(x).into_vec();
        let shape: Vec<Expr> = self.batch.iter().chain(own.iter().skip(1)).cloned().collect();
        cx.reshape(x, &shape)
    }

    fn side(&self, cx: &Cx<'_, '_>, i: usize) -> Expr {
        cx.dim_size(self.x, i + 1)
    }
}

pub(super) fn factor(
    cx: &mut Cx<'_, '_>,
    kind: Factor,
    xs: &[ValueId],
    checked: bool,
) -> Result<Vec<ValueId>> {
    let mut all = Vec::new();
    let kind = kind.name().to_owned();
    cx.build(|it| {
        all = tensor::Linalg::build(it, xs, kind, checked)?;
        Ok(all.clone())
    })?;
    Ok(all)
}

fn transposed(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let rank = cx.rank(x);
    cx.transpose(x, rank.saturating_sub(2), rank.saturating_sub(1))
}

/// Rows and columns of each place of a batch of matrices.
fn grid(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<(ValueId, ValueId)> {
    let shape = cx.shape(x).into_vec();
    let row = cx.iota(&shape, 1, int(0), int(1), DType::I64)?;
    Ok((row, cx.iota(&shape, 2, int(0), int(1), DType::I64)?))
}

/// Zero where `column - row` does not stand in the relation to 0.
fn triangle(cx: &mut Cx<'_, '_>, x: ValueId, keep: ScalarFn) -> Result<ValueId> {
    let (row, column) = grid(cx, x)?;
    let kept = cx.zip(keep, column, row)?;
    let zero = cx.full_like(x, int(0))?;
    cx.select(kept, x, zero)
}

/// The same with ones on the diagonal.
fn unit_diagonal(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let (row, column) = grid(cx, x)?;
    let diagonal = cx.zip(ScalarFn::Eq, row, column)?;
    let one = cx.full_like(x, int(1))?;
    cx.select(diagonal, one, x)
}

/// The unit matrix in the size of these.
fn unit(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let (row, column) = grid(cx, x)?;
    let diagonal = cx.zip(ScalarFn::Eq, row, column)?;
    cx.cast(diagonal, cx.dtype_of(x))
}

/// The diagonals of square matrices.
fn diagonal(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let (row, column) = grid(cx, x)?;
    let on = cx.zip(ScalarFn::Eq, row, column)?;
    let zero = cx.full_like(x, int(0))?;
    let kept = cx.select(on, x, zero)?;
    // All but one of the terms are nothing.
    cx.reduce("sum", kept, &[2], false)
}

fn product(cx: &mut Cx<'_, '_>, a: ValueId, b: ValueId) -> Result<ValueId> {
    cx.contract(a, b, (&[0], &[0]), (&[2], &[1]))
}

/// Columns from `start` up to `end` of a batch of matrices.
fn columns(cx: &mut Cx<'_, '_>, x: ValueId, start: Expr, end: &Expr) -> Result<ValueId> {
    let count = cx.simple(&(end.clone() - start.clone()));
    cx.slice(x, 2, start, count, 1)
}

/// Zero columns added up to `count`.
fn widened(cx: &mut Cx<'_, '_>, x: ValueId, count: &Expr) -> Result<ValueId> {
    let more = cx.simple(&(count.clone() - cx.dim_size(x, 2)));
    let zero = || Expr::int(0);
    cx.pad(x, vec![zero(), zero(), zero()], vec![zero(), zero(), more], vec![0; 3], int(0))
}

/// The singular values of matrices in the last two dimensions.
pub(super) fn singular_values(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let a = matrices(cx, x)?;
    let values = spectrum::svd_of(cx, &a)?.s;
    a.back(cx, values)
}

fn lu_factor(cx: &mut Cx<'_, '_>, checked: bool) -> Values {
    let a = cx.x(if cx.has("A") { "A" } else { "self" })?;
    let a = matrices(cx, a)?;
    if !cx.flag("pivot")? {
        return Err(cx.error("a factorisation without pivoting, which eager lacks on CPUs too"));
    }
    let checked = checked || cx.is_read_by(2, "aten._linalg_check_errors");
    let made = factor(cx, Factor::Lu, &[a.x], checked)?;
    let mut res = Vec::new();
    for it in made.into_iter().take(cx.results()) {
        res.push(a.back(cx, it)?);
    }
    Ok(res)
}

/// The lower factor of a packed pair, with ones on its diagonal, and the upper one.
fn unpacked(cx: &mut Cx<'_, '_>, a: &Matrices) -> Result<(ValueId, ValueId)> {
    let (m, n) = (a.side(cx, 0), a.side(cx, 1));
    let less = if cx.at_most(&m, &n) { m } else { n };
    let lower = columns(cx, a.x, Expr::int(0), &less)?;
    let lower = triangle(cx, lower, ScalarFn::Lt)?;
    let lower = unit_diagonal(cx, lower)?;
    let upper = cx.slice(a.x, 1, Expr::int(0), less, 1)?;
    Ok((lower, triangle(cx, upper, ScalarFn::Ge)?))
}

/// The matrix that brings rows into the order of the factors back: `P` in `A = P L U`.
fn permutation(cx: &mut Cx<'_, '_>, a: &Matrices, pivots: ValueId) -> Result<ValueId> {
    let rows = factor(cx, Factor::Permutation, &[a.x, pivots], false)?[0];
    let (batch, m) = (cx.dim_size(a.x, 0), a.side(cx, 0));
    let shape = [batch.clone(), m.clone(), m.clone()];
    let row = cx.iota(&shape, 1, int(0), int(1), DType::I64)?;
    let rows = cx.reshape(rows, &[batch, Expr::int(1), m])?;
    let hit = cx.zip(ScalarFn::Eq, row, rows)?;
    cx.cast(hit, cx.dtype_of(a.x))
}

fn lu(cx: &mut Cx<'_, '_>) -> Values {
    let a = cx.x("A")?;
    let a = matrices(cx, a)?;
    if !cx.flag("pivot")? {
        return Err(cx.error("a factorisation without pivoting, which eager lacks on CPUs too"));
    }
    let made = factor(cx, Factor::Lu, &[a.x], false)?;
    let packed = Matrices { x: made[0], ..a };
    let p = permutation(cx, &packed, made[1])?;
    let (l, u) = unpacked(cx, &packed)?;
    Ok(vec![packed.back(cx, p)?, packed.back(cx, l)?, packed.back(cx, u)?])
}

fn lu_unpack(cx: &mut Cx<'_, '_>) -> Values {
    let (a, pivots) = (cx.x("LU_data")?, cx.x("LU_pivots")?);
    let packed = matrices(cx, a)?;
    let empty = |cx: &mut Cx<'_, '_>| {
        let dtype = cx.dtype_of(a);
        cx.full(int(0), &[Expr::int(0)], dtype)
    };
    let p = match cx.flag("unpack_pivots")? {
        true => {
            let pivots = vectors(cx, pivots)?;
            let p = permutation(cx, &packed, pivots)?;
            packed.back(cx, p)?
        }
        false => empty(cx)?,
    };
    if !cx.flag("unpack_data")? {
        return Ok(vec![p, empty(cx)?, empty(cx)?]);
    }
    let (l, u) = unpacked(cx, &packed)?;
    Ok(vec![p, packed.back(cx, l)?, packed.back(cx, u)?])
}

/// Vectors in the last dimension, with one batch dimension.
fn vectors(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    cx.at_least(x, 1)?;
    let shape = cx.shape(x).into_vec();
    let (batch, last) = shape.split_at(shape.len() - 1);
    let count = batch.iter().fold(Expr::int(1), |p, it| p * it.clone());
    let flat = [cx.simple(&count), last[0].clone()];
    cx.reshape(x, &flat)
}

/// Lower factors of matrices of which that half is given, or upper ones.
fn cholesky(cx: &mut Cx<'_, '_>, checked: bool) -> Values {
    let x = cx.x("self")?;
    let mut a = matrices(cx, x)?;
    let upper = cx.flag("upper")?;
    if upper {
        a.x = transposed(cx, a.x)?;
    }
    let checked = checked || cx.is_read_by(1, "aten._linalg_check_errors");
    let made = factor(cx, Factor::Cholesky, &[a.x], checked)?;
    let l = if upper { transposed(cx, made[0])? } else { made[0] };
    let res = vec![a.back(cx, l)?, a.back(cx, made[1])?];
    Ok(res.into_iter().take(cx.results()).collect())
}

fn qr(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("A")?;
    let a = matrices(cx, x)?;
    let mode: String = cx.get("mode")?;
    let (m, n) = (a.side(cx, 0), a.side(cx, 1));
    let made = factor(cx, Factor::Qr, &[a.x], false)?;
    let less = if cx.at_most(&m, &n) { m.clone() } else { n.clone() };
    let rows = if mode == "complete" { m.clone() } else { less.clone() };
    let r = match cx.at_most(&rows, &m) {
        true => cx.slice(made[0], 1, Expr::int(0), rows.clone(), 1)?,
        false => made[0],
    };
    let r = triangle(cx, r, ScalarFn::Ge)?;
    let r = a.back(cx, r)?;
    if mode == "r" {
        let dtype = cx.dtype_of(x);
        return Ok(vec![cx.full(int(0), &[Expr::int(0)], dtype)?, r]);
    }
    let mut packed = columns(cx, made[0], Expr::int(0), &less)?;
    if mode == "complete" {
        packed = widened(cx, packed, &m)?;
    }
    let q = factor(cx, Factor::Reflect, &[packed, made[1]], false)?[0];
    Ok(vec![a.back(cx, q)?, r])
}

fn geqrf(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let a = matrices(cx, x)?;
    let made = factor(cx, Factor::Qr, &[a.x], false)?;
    Ok(vec![a.back(cx, made[0])?, a.back(cx, made[1])?])
}

fn householder(cx: &mut Cx<'_, '_>, x: &str, scales: &str) -> Values {
    let (x, scales) = (cx.x(x)?, cx.x(scales)?);
    let a = matrices(cx, x)?;
    let scales = vectors(cx, scales)?;
    let q = factor(cx, Factor::Reflect, &[a.x, scales], false)?[0];
    Ok(vec![a.back(cx, q)?])
}

/// Products with the orthogonal matrix that reflectors stand for.
fn ormqr(cx: &mut Cx<'_, '_>) -> Values {
    let (x, scales, other) = (cx.x("self")?, cx.x("input2")?, cx.x("input3")?);
    let (a, c) = (matrices(cx, x)?, matrices(cx, other)?);
    let scales = vectors(cx, scales)?;
    let (left, transpose) = (cx.flag("left")?, cx.flag("transpose")?);
    let m = a.side(cx, 0);
    let packed = widened(cx, a.x, &m)?;
    let mut q = factor(cx, Factor::Reflect, &[packed, scales], false)?[0];
    if transpose {
        q = transposed(cx, q)?;
    }
    let res = if left { product(cx, q, c.x)? } else { product(cx, c.x, q)? };
    Ok(vec![c.back(cx, res)?])
}

/// Products of the diagonal of the upper factor, and the sign of the exchanges.
fn diagonal_and_sign(cx: &mut Cx<'_, '_>, made: &[ValueId]) -> Result<(ValueId, ValueId)> {
    let diagonal = diagonal(cx, made[0])?;
    let dtype = cx.dtype_of(diagonal);
    let shape = cx.shape(made[1]).into_vec();
    let own = cx.iota(&shape, 1, int(1), int(1), DType::I32)?;
    let moved = cx.zip(ScalarFn::Ne, made[1], own)?;
    let one = cx.full(int(1), &shape, dtype)?;
    let minus = cx.full(int(-1), &shape, dtype)?;
    let signs = cx.select(moved, minus, one)?;
    Ok((diagonal, cx.reduce("prod", signs, &[1], false)?))
}

fn det(cx: &mut Cx<'_, '_>, name: &str) -> Values {
    let x = cx.x(name)?;
    let a = matrices(cx, x)?;
    let made = factor(cx, Factor::Lu, &[a.x], false)?;
    let (diagonal, sign) = diagonal_and_sign(cx, &made)?;
    let product = cx.reduce("prod", diagonal, &[1], false)?;
    let det = cx.zip(ScalarFn::Mul, product, sign)?;
    let mut res = vec![a.back(cx, det)?];
    for it in made.iter().take(cx.results() - 1) {
        res.push(a.back(cx, *it)?);
    }
    Ok(res)
}

/// Sign and logarithm of the absolute value of determinants.
fn slogdet_of(cx: &mut Cx<'_, '_>, a: &Matrices) -> Result<(Vec<ValueId>, ValueId, ValueId)> {
    let made = factor(cx, Factor::Lu, &[a.x], false)?;
    let (diagonal, sign) = diagonal_and_sign(cx, &made)?;
    let signs = cx.map(ScalarFn::Sign, diagonal)?;
    let signs = cx.reduce("prod", signs, &[1], false)?;
    let sign = cx.zip(ScalarFn::Mul, signs, sign)?;
    let size = cx.map(ScalarFn::Abs, diagonal)?;
    let log = cx.map(ScalarFn::Log, size)?;
    let log = cx.reduce("sum", log, &[1], false)?;
    Ok((made, a.back(cx, sign)?, a.back(cx, log)?))
}

fn slogdet(cx: &mut Cx<'_, '_>, name: &str) -> Values {
    let x = cx.x(name)?;
    let a = matrices(cx, x)?;
    let (made, sign, log) = slogdet_of(cx, &a)?;
    let mut res = vec![sign, log];
    for it in made.iter().take(cx.results() - 2) {
        res.push(a.back(cx, *it)?);
    }
    Ok(res)
}

fn logdet(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let a = matrices(cx, x)?;
    let (_, sign, log) = slogdet_of(cx, &a)?;
    let negative = cx.with_number(ScalarFn::Eq, sign, int(-1))?;
    let nan = cx.full_like(log, crate::decompose::emit::float(f64::NAN))?;
    Ok(vec![cx.select(negative, nan, log)?])
}

rules! {
    // What it asks for, the factor that gives the information checks by itself.
    "_linalg_check_errors" => |_| Ok(Vec::new()),
    "linalg_lu_factor" => |cx| lu_factor(cx, true),
    "linalg_lu_factor_ex" => |cx| {
        let checked = cx.flag("check_errors")?;
        lu_factor(cx, checked)
    },
    "_lu_with_info" => |cx| {
        let checked = cx.flag("check_errors")?;
        lu_factor(cx, checked)
    },
    "linalg_lu" => lu,
    "lu_unpack" => lu_unpack,
    "linalg_cholesky" => |cx| cholesky(cx, true),
    "linalg_cholesky_ex" => |cx| {
        let checked = cx.flag("check_errors")?;
        cholesky(cx, checked)
    },
    "linalg_qr" => qr,
    "geqrf" => geqrf,
    "linalg_householder_product" => |cx| householder(cx, "input", "tau"),
    "orgqr" => |cx| householder(cx, "self", "input2"),
    "ormqr" => ormqr,
    "det" => |cx| det(cx, "self"),
    "linalg_det" | "_linalg_det" => |cx| det(cx, "A"),
    "slogdet" => |cx| slogdet(cx, "self"),
    "linalg_slogdet" | "_linalg_slogdet" => |cx| slogdet(cx, "A"),
    "logdet" => logdet,
    "linalg_solve" | "linalg_solve_ex" | "_linalg_solve_ex" => equations::solve,
    "linalg_inv" | "linalg_inv_ex" => |cx| equations::inverse(cx, "A"),
    "inverse" => |cx| equations::inverse(cx, "self"),
    "linalg_lu_solve" => equations::lu_solve,
    "lu_solve" => equations::old_lu_solve,
    "cholesky_solve" => equations::cholesky_solve,
    "cholesky_inverse" => equations::cholesky_inverse,
    "linalg_solve_triangular" => equations::solve_triangular,
    "triangular_solve" => equations::triangular_solve,
    "linalg_tensorinv" => equations::tensorinv,
    "linalg_tensorsolve" => equations::tensorsolve,
    "linalg_eigh" | "_linalg_eigh" | "linalg_eigvalsh" => spectrum::eigh,
    "linalg_matrix_sqrth" => spectrum::root,
    "linalg_polar" => spectrum::polar,
    "linalg_svd" | "_linalg_svd" | "linalg_svdvals" => spectrum::svd,
    "svd" => spectrum::old_svd,
    "linalg_pinv" | "linalg_pinv.atol_rtol_float" | "linalg_pinv.atol_rtol_tensor"
        | "linalg_pinv.rcond_tensor" | "pinverse" => spectrum::pinv,
    "linalg_matrix_rank" | "linalg_matrix_rank.tol_tensor"
        | "linalg_matrix_rank.atol_rtol_float" | "linalg_matrix_rank.atol_rtol_tensor"
        => spectrum::matrix_rank,
    "linalg_cond" | "linalg_cond.p_str" => spectrum::cond,
    "matrix_exp" | "linalg_matrix_exp" => spectrum::exponential,
}
