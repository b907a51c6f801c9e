//! Systems of equations and inverses.

use ir::{Result, ValueId, linalg::Factor, scalar::ScalarFn};
use sym::Expr;

use super::{
    Matrices, Values, columns, factor, matrices, product, transposed, triangle, unit,
    unit_diagonal, vectors,
};
use crate::decompose::{cx::Cx, emit::int};

/// Solutions with a factorisation by rows.
struct Lu {
    packed: ValueId,
    /// The row of the matrix that each row of the product is.
    rows: ValueId,
}

impl Lu {
    fn new(cx: &mut Cx<'_, '_>, packed: ValueId, pivots: ValueId) -> Result<Lu> {
        let rows = factor(cx, Factor::Permutation, &[packed, pivots], false)?[0];
        Ok(Lu { packed, rows })
    }

    fn lower(&self, cx: &mut Cx<'_, '_>) -> Result<ValueId> {
        let lower = triangle(cx, self.packed, ScalarFn::Lt)?;
        unit_diagonal(cx, lower)
    }

    /// The solution of `A x = b`.
    fn solve(&self, cx: &mut Cx<'_, '_>, b: ValueId) -> Result<ValueId> {
        let moved = rows_of(cx, b, self.rows)?;
        let lower = self.lower(cx)?;
        let y = factor(cx, Factor::SolveLower, &[lower, moved], false)?[0];
        Ok(factor(cx, Factor::SolveUpper, &[self.packed, y], false)?[0])
    }

    /// The solution of `Aᵀ x = b`.
    fn solve_transposed(&self, cx: &mut Cx<'_, '_>, b: ValueId) -> Result<ValueId> {
        let upper = transposed(cx, self.packed)?;
        let y = factor(cx, Factor::SolveLower, &[upper, b], false)?[0];
        let lower = self.lower(cx)?;
        let lower = transposed(cx, lower)?;
        let z = factor(cx, Factor::SolveUpper, &[lower, y], false)?[0];
        let (_, back) = cx.sort(self.rows, 1, false)?;
        rows_of(cx, z, back)
    }
}

/// The rows of each matrix in another order.
fn rows_of(cx: &mut Cx<'_, '_>, x: ValueId, rows: ValueId) -> Result<ValueId> {
    let shape = cx.shape(x).into_vec();
    let one = [shape[0].clone(), shape[1].clone(), Expr::int(1)];
    let rows = cx.reshape(rows, &one)?;
    let rows = cx.expand(rows, &shape)?;
    cx.gather(x, rows, 1)
}

/// Matrices whose batches broadcast, each with all of the batch.
fn together(cx: &mut Cx<'_, '_>, values: [ValueId; 2]) -> Result<[Matrices; 2]> {
    let mut batch = Vec::new();
    for it in values {
        cx.at_least(it, 2)?;
        let shape = cx.shape(it).into_vec();
        batch = tensor::broadcast(&batch, &shape[..shape.len() - 2], cx.facts())
            .ok_or_else(|| cx.error("batches that do not broadcast"))?;
    }
    let mut whole = |it: ValueId| {
        let shape = cx.shape(it).into_vec();
        let all: Vec<Expr> =
            batch.iter().cloned().chain(shape[shape.len() - 2..].iter().cloned()).collect();
        let it = cx.expand(it, &all)?;
        matrices(cx, it)
    };
    let [a, b] = values;
    Ok([whole(a)?, whole(b)?])
}

/// The solution and, of the factors, as many as there are results for.
pub(super) fn solve(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("A")?, cx.x("B")?);
    let left = cx.flag("left")?;
    let (rank, own) = (cx.rank(a), cx.rank(b));
    let (shape, sizes) = (cx.shape(a).into_vec(), cx.shape(b).into_vec());
    let same = |cx: &Cx<'_, '_>| sizes.iter().zip(&shape).all(|(a, b)| cx.equal(a, b));
    let vector = own == 1 || (own + 1 == rank && same(cx));
    let b = if vector { cx.unsqueeze(b, own)? } else { b };
    let plain = matrices(cx, a)?;
    let [whole, right] = together(cx, [a, b])?;
    let check = ["linalg_solve"].contains(&cx.name())
        || (cx.has("check_errors") && cx.flag("check_errors")?)
        || cx.is_read_by(cx.results().saturating_sub(1), "aten._linalg_check_errors");
    // A matrix that stands for many is factored once.
    let factored = |cx: &mut Cx<'_, '_>, it: &Matrices| {
        // A system from the right is one of the transposes from the left.
        let x = if left { it.x } else { transposed(cx, it.x)? };
        factor(cx, Factor::Lu, &[x], check)
    };
    let made = factored(cx, &plain)?;
    let (packed, pivots) = match cx.equal(&cx.dim_size(plain.x, 0), &cx.dim_size(whole.x, 0)) {
        true => (made[0], made[1]),
        false => {
            let all = factored(cx, &whole)?;
            (all[0], all[1])
        }
    };
    let lu = Lu::new(cx, packed, pivots)?;
    let rhs = if left { right.x } else { transposed(cx, right.x)? };
    let x = lu.solve(cx, rhs)?;
    let x = if left { x } else { transposed(cx, x)? };
    let mut x = right.back(cx, x)?;
    if vector {
        x = cx.squeeze(x, cx.rank(x) - 1)?;
    }
    let mut res = vec![x];
    let infos = match cx.results() {
        1 => &made[..0],
        2 => &made[2..],
        _ => &made[..],
    };
    for it in infos {
        res.push(plain.back(cx, *it)?);
    }
    Ok(res)
}

pub(super) fn inverse(cx: &mut Cx<'_, '_>, name: &str) -> Values {
    let x = cx.x(name)?;
    let a = matrices(cx, x)?;
    let check = cx.results() == 1
        || cx.flag("check_errors")?
        || cx.is_read_by(1, "aten._linalg_check_errors");
    let made = factor(cx, Factor::Lu, &[a.x], check)?;
    let res = inverse_by(cx, &made, a.x)?;
    let res = vec![a.back(cx, res)?, a.back(cx, made[2])?];
    Ok(res.into_iter().take(cx.results()).collect())
}

fn inverse_by(cx: &mut Cx<'_, '_>, made: &[ValueId], like: ValueId) -> Result<ValueId> {
    let lu = Lu::new(cx, made[0], made[1])?;
    let unit = unit(cx, like)?;
    lu.solve(cx, unit)
}

/// The inverse of a batch of matrices; a singular one is an error.
pub(in super::super) fn inverse_of(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let a = matrices(cx, x)?;
    let made = factor(cx, Factor::Lu, &[a.x], true)?;
    let res = inverse_by(cx, &made, a.x)?;
    a.back(cx, res)
}

pub(super) fn lu_solve(cx: &mut Cx<'_, '_>) -> Values {
    let (packed, pivots, b) = (cx.x("LU")?, cx.x("pivots")?, cx.x("B")?);
    let (left, adjoint) = (cx.flag("left")?, cx.flag("adjoint")?);
    with_factors(cx, packed, pivots, b, left, adjoint)
}

pub(super) fn old_lu_solve(cx: &mut Cx<'_, '_>) -> Values {
    let (packed, pivots, b) = (cx.x("LU_data")?, cx.x("LU_pivots")?, cx.x("self")?);
    with_factors(cx, packed, pivots, b, true, false)
}

fn with_factors(
    cx: &mut Cx<'_, '_>,
    packed: ValueId,
    pivots: ValueId,
    b: ValueId,
    left: bool,
    adjoint: bool,
) -> Values {
    let [packed, right] = together(cx, [packed, b])?;
    let last = cx.shape(pivots).last_size();
    let whole: Vec<Expr> = packed.batch.iter().cloned().chain([last]).collect();
    let pivots = cx.expand(pivots, &whole)?;
    let pivots = vectors(cx, pivots)?;
    let lu = Lu::new(cx, packed.x, pivots)?;
    // `x A = b` is `Aᵀ xᵀ = bᵀ`.
    let rhs = if left { right.x } else { transposed(cx, right.x)? };
    let x = match left == adjoint {
        true => lu.solve_transposed(cx, rhs)?,
        false => lu.solve(cx, rhs)?,
    };
    let x = if left { x } else { transposed(cx, x)? };
    Ok(vec![right.back(cx, x)?])
}

pub(super) fn cholesky_solve(cx: &mut Cx<'_, '_>) -> Values {
    let (b, l) = (cx.x("self")?, cx.x("input2")?);
    let [l, b] = together(cx, [l, b])?;
    let upper = cx.flag("upper")?;
    let x = by_cholesky(cx, l.x, b.x, upper)?;
    Ok(vec![b.back(cx, x)?])
}

/// The solution with a factor of which one triangle counts.
fn by_cholesky(cx: &mut Cx<'_, '_>, l: ValueId, b: ValueId, upper: bool) -> Result<ValueId> {
    let other = transposed(cx, l)?;
    let (lower, upper) = if upper { (other, l) } else { (l, other) };
    let y = factor(cx, Factor::SolveLower, &[lower, b], false)?[0];
    Ok(factor(cx, Factor::SolveUpper, &[upper, y], false)?[0])
}

pub(super) fn cholesky_inverse(cx: &mut Cx<'_, '_>) -> Values {
    let l = cx.x("self")?;
    let l = matrices(cx, l)?;
    let unit = unit(cx, l.x)?;
    let upper = cx.flag("upper")?;
    let x = by_cholesky(cx, l.x, unit, upper)?;
    Ok(vec![l.back(cx, x)?])
}

/// The solution of `a x = b` with one triangle of `a`.
fn triangular(
    cx: &mut Cx<'_, '_>,
    a: ValueId,
    b: ValueId,
    upper: bool,
    unit: bool,
) -> Result<ValueId> {
    let a = if unit { unit_diagonal(cx, a)? } else { a };
    let kind = if upper { Factor::SolveUpper } else { Factor::SolveLower };
    Ok(factor(cx, kind, &[a, b], false)?[0])
}

pub(super) fn solve_triangular(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("B")?);
    let [a, b] = together(cx, [a, b])?;
    let (upper, left) = (cx.flag("upper")?, cx.flag("left")?);
    let unit = cx.flag("unitriangular")?;
    let x = match left {
        true => triangular(cx, a.x, b.x, upper, unit)?,
        false => {
            let (a, b) = (transposed(cx, a.x)?, transposed(cx, b.x)?);
            let x = triangular(cx, a, b, !upper, unit)?;
            transposed(cx, x)?
        }
    };
    Ok(vec![b.back(cx, x)?])
}

pub(super) fn triangular_solve(cx: &mut Cx<'_, '_>) -> Values {
    let (b, a) = (cx.x("self")?, cx.x("A")?);
    let [a, b] = together(cx, [a, b])?;
    let (upper, transpose) = (cx.flag("upper")?, cx.flag("transpose")?);
    let unit = cx.flag("unitriangular")?;
    let given = if transpose { transposed(cx, a.x)? } else { a.x };
    let x = triangular(cx, given, b.x, upper != transpose, unit)?;
    Ok(vec![b.back(cx, x)?, a.back(cx, a.x)?])
}

fn count(cx: &Cx<'_, '_>, sizes: &[Expr]) -> Expr {
    cx.simple(&sizes.iter().fold(Expr::int(1), |p, it| p * it.clone()))
}

pub(super) fn tensorinv(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let shape = cx.shape(x).into_vec();
    let ind = usize::try_from(cx.int("ind")?).unwrap_or(0);
    if ind == 0 || shape.len() <= ind {
        return Err(cx.error(format!("`ind` of {ind} for rank {}", shape.len())));
    }
    let (rows, columns) = shape.split_at(ind);
    let flat = [count(cx, rows), count(cx, columns)];
    let flat = cx.reshape(x, &flat)?;
    let inverse = inverse_of(cx, flat)?;
    let out: Vec<Expr> = columns.iter().chain(rows).cloned().collect();
    Ok(vec![cx.reshape(inverse, &out)?])
}

pub(super) fn tensorsolve(cx: &mut Cx<'_, '_>) -> Values {
    let (mut a, b) = (cx.x("self")?, cx.x("other")?);
    let rank = cx.rank(a);
    let moved = cx.normal_all(&cx.ints("dims")?, rank)?;
    let order: Vec<usize> =
        (0..rank).filter(|it| !moved.contains(it)).chain(moved.iter().copied()).collect();
    a = cx.permute(a, &order)?;
    let shape = cx.shape(a).into_vec();
    let rows = cx.rank(b).min(rank);
    let all = count(cx, &cx.shape(b));
    let flat = [Expr::int(1), all.clone(), all.clone()];
    let flat = cx.reshape(a, &flat)?;
    let made = factor(cx, Factor::Lu, &[flat], true)?;
    let lu = Lu::new(cx, made[0], made[1])?;
    let b = cx.reshape(b, &[Expr::int(1), all, Expr::int(1)])?;
    let x = lu.solve(cx, b)?;
    Ok(vec![cx.reshape(x, &shape[rows..])?])
}

/// `x` times itself, `times` times doubled where the step is below the limit of its matrix.
pub(super) fn squared_while(
    cx: &mut Cx<'_, '_>,
    mut x: ValueId,
    limit: ValueId,
    times: i64,
) -> Result<ValueId> {
    for step in 0..times {
        let square = product(cx, x, x)?;
        let on = cx.with_number(ScalarFn::Gt, limit, int(step))?;
        x = cx.select(on, square, x)?;
    }
    Ok(x)
}

/// Columns of an orthogonal matrix whose first ones are given: those that are missing.
pub(super) fn completed(cx: &mut Cx<'_, '_>, u: ValueId) -> Result<ValueId> {
    let (m, n) = (cx.dim_size(u, 1), cx.dim_size(u, 2));
    let made = factor(cx, Factor::Qr, &[u], false)?;
    let packed = super::widened(cx, made[0], &m)?;
    let q = factor(cx, Factor::Reflect, &[packed, made[1]], false)?[0];
    let rest = columns(cx, q, n, &m)?;
    cx.concat(&[u, rest], 2)
}
