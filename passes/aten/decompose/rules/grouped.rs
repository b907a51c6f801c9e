//! Products of rows with one of several matrices each, as mixtures of experts have them.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::{cx::Cx, emit::int};

type Values = Result<Vec<ValueId>>;

/// The matrix of each row: how many groups end at or before it.
fn group_of_each(cx: &mut Cx<'_, '_>, rows: &Expr, ends: ValueId) -> Result<ValueId> {
    let ends = cx.cast(ends, DType::I64)?;
    let place = cx.positions(rows)?;
    let place = cx.unsqueeze(place, 1)?;
    let passed = cx.zip(ScalarFn::Le, ends, place)?;
    let passed = cx.cast(passed, DType::I64)?;
    cx.reduce("sum", passed, &[1], false)
}

/// Rows `[t, k]` in groups that end at `ends`, each group with its own of `[e, k, n]`. Rows after
/// the last group give zeros.
fn by_group(cx: &mut Cx<'_, '_>, x: ValueId, w: ValueId, ends: ValueId) -> Result<ValueId> {
    if cx.rank(x) != 2 || cx.rank(w) != 3 || cx.rank(ends) != 1 {
        return Err(cx.error("groups of other than rows"));
    }
    let (rows, groups) = (cx.dim_size(x, 0), cx.dim_size(w, 0));
    let group = group_of_each(cx, &rows, ends)?;
    let last = Number::Int(cx.simple(&(groups.clone() - Expr::int(1))));
    let within = cx.with_number(ScalarFn::Le, group, last.clone())?;
    let group = cx.with_number(ScalarFn::Min, group, last)?;
    let few =
        matches!((rows.as_int(), groups.as_int()), (Some(rows), Some(groups)) if rows <= groups);
    let res = if few {
        // Only the matrices that are asked for are read.
        let own = cx.index(w, &[group], &[0], 0)?;
        cx.contract(x, own, (&[0], &[0]), (&[1], &[1]))?
    } else {
        let all = cx.contract(x, w, (&[], &[]), (&[1], &[1]))?;
        let place = cx.positions(&rows)?;
        cx.index(all, &[place, group], &[0, 1], 0)?
    };
    let within = cx.unsqueeze(within, 1)?;
    let zero = cx.full_like(res, int(0))?;
    cx.select(within, res, zero)
}

fn grouped_mm(cx: &mut Cx<'_, '_>) -> Values {
    let (x, w) = (cx.x("self")?, cx.x("mat2")?);
    if cx.opt("bias")?.is_some() {
        return Err(cx.error("groups with a bias, which eager lacks too"));
    }
    let res = match cx.opt("offs")? {
        Some(ends) => by_group(cx, x, w, ends)?,
        None if cx.rank(x) == 3 && cx.rank(w) == 3 => {
            cx.contract(x, w, (&[0], &[0]), (&[2], &[1]))?
        }
        None => return Err(cx.error("groups without ends")),
    };
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.cast(res, dtype)?])
}

fn fallback(cx: &mut Cx<'_, '_>) -> Values {
    let (x, w, ends) = (cx.x("input")?, cx.x("weight")?, cx.x("offs")?);
    Ok(vec![by_group(cx, x, w, ends)?])
}

rules! {
    "_grouped_mm" => grouped_mm,
    "transformers.grouped_mm_fallback" => fallback,
}
