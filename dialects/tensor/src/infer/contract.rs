//! The typing rules of the sums of products.

use ir::{DType, TensorType, View};
use sym::{Answer, Expr};

use super::{Types, dims, one, plain, windowed};
use crate::{
    ops::{Attention, Contract, Conv},
    shape::{broadcast, same_shape, same_size},
};

pub(crate) fn contract(view: View<'_>) -> Types {
    let it = Contract(view);
    let (lhs, rhs) = (plain(view, it.lhs())?, plain(view, it.rhs())?);
    if lhs.dtype != rhs.dtype || lhs.dtype == DType::Bool {
        return Err(view.error(format!("C1: products of {} and {}", lhs.dtype, rhs.dtype)));
    }
    let paired = |batch: Vec<i64>, contract: Vec<i64>, rank: usize| {
        let all: Vec<i64> = batch.iter().chain(&contract).copied().collect();
        dims(view, &all, rank).map(|it| {
            let (batch, contract) = it.split_at(batch.len());
            (batch.to_vec(), contract.to_vec())
        })
    };
    let (lhs_batch, lhs_contract) = paired(it.lhs_batch(), it.lhs_contract(), lhs.rank())?;
    let (rhs_batch, rhs_contract) = paired(it.rhs_batch(), it.rhs_contract(), rhs.rank())?;
    let pairs = |a: &[usize], b: &[usize]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| same_size(&lhs.shape[*a], &rhs.shape[*b], view.facts))
    };
    if !pairs(&lhs_batch, &rhs_batch) || !pairs(&lhs_contract, &rhs_contract) {
        return Err(view.error(format!("C2: paired sizes of {lhs} and {rhs} differ")));
    }
    let free = |ty: &TensorType, batch: &[usize], contract: &[usize]| -> Vec<Expr> {
        (0..ty.rank())
            .filter(|i| !batch.contains(i) && !contract.contains(i))
            .map(|i| ty.shape[i].clone())
            .collect()
    };
    let mut shape: Vec<Expr> = lhs_batch.iter().map(|i| lhs.shape[*i].clone()).collect();
    shape.extend(free(&lhs, &lhs_batch, &lhs_contract));
    shape.extend(free(&rhs, &rhs_batch, &rhs_contract));
    one(lhs.dtype, shape)
}

pub(crate) fn conv(view: View<'_>) -> Types {
    let it = Conv(view);
    let (x, w) = (plain(view, it.x())?, plain(view, it.w())?);
    if !(3..=5).contains(&x.rank()) || w.rank() != x.rank() {
        return Err(view.error(format!("C1: {w} over {x}")));
    }
    if x.dtype != w.dtype || x.dtype == DType::Bool {
        return Err(view.error(format!("products of {} and {}", x.dtype, w.dtype)));
    }
    let groups = Expr::int(it.groups());
    if it.groups() < 1
        || !same_size(&x.shape[1], &(w.shape[1].clone() * groups.clone()), view.facts)
    {
        return Err(view.error(format!("C2: {groups} groups of {} channels in {x}", w.shape[1])));
    }
    if sym::divisible(&w.shape[0], &groups, view.facts) != Answer::Proven {
        return Err(view.error(format!("C2: {groups} groups in {} channels", w.shape[0])));
    }
    let moved = windowed(
        view,
        &x.shape[2..],
        &w.shape[2..],
        &it.stride(),
        &it.low(),
        &it.high(),
        &it.dilation(),
    )?;
    let mut shape = vec![x.shape[0].clone(), w.shape[0].clone()];
    shape.extend(moved);
    one(x.dtype, shape)
}

pub(crate) fn attention(view: View<'_>) -> Types {
    let it = Attention(view);
    let (q, k, v) = (plain(view, it.q())?, plain(view, it.k())?, plain(view, it.v())?);
    if [&q, &k, &v].iter().any(|it| it.rank() != 4 || it.dtype != q.dtype) || !q.dtype.is_float() {
        return Err(view.error(format!("C1: attention over {q}, {k} and {v}")));
    }
    let same = |a: &Expr, b: &Expr| same_size(a, b, view.facts);
    let fits = same(&q.shape[0], &k.shape[0])
        && same(&q.shape[0], &v.shape[0])
        && same(&q.shape[3], &k.shape[3])
        && same(&k.shape[2], &v.shape[2])
        && same(&k.shape[1], &v.shape[1])
        && sym::divisible(&q.shape[1], &k.shape[1], view.facts) == Answer::Proven;
    if !fits {
        return Err(view.error(format!("C1: attention over {q}, {k} and {v}")));
    }
    if let Some(mask) = it.mask() {
        let mask = plain(view, mask)?;
        let scores = [&q.shape[0], &q.shape[1], &q.shape[2], &k.shape[2]].map(Clone::clone);
        let whole = broadcast(&mask.shape, &scores, view.facts);
        if !whole.is_some_and(|it| same_shape(&it, &scores, view.facts))
            || !(mask.dtype == DType::Bool || mask.dtype == q.dtype)
        {
            return Err(view.error(format!("C1: a mask of {mask} for scores {scores:?}")));
        }
    }
    one(
        q.dtype,
        vec![q.shape[0].clone(), q.shape[1].clone(), q.shape[2].clone(), v.shape[3].clone()],
    )
}
