//! Operators that combine the elements along dimensions.

use ir::{
    DType, EvalCx, EvalError, HostTensor,
    scalar::{Elem, store},
};
use rayon::prelude::*;

pub(crate) use super::window::{arg_window, reduce_window};
use super::{
    Eval, GRAIN, count, dim, dims, error, extents, fold::Fold, give, movement::permuted, room,
    row_major, tensor,
};
use crate::ops::{ArgReduce, Reduce, Scan};

/// An operand with the dimensions that go moved to the end: one row per element of the result.
struct Rows {
    x: HostTensor,
    /// The sizes of the other dimensions.
    kept: Vec<usize>,
    /// Elements per row.
    len: usize,
}

impl Rows {
    fn new(x: &HostTensor, gone: &[usize]) -> Result<Rows, EvalError> {
        let shape = extents(x);
        let (mut order, mut last): (Vec<usize>, Vec<usize>) =
            (0..shape.len()).partition(|it| !gone.contains(it));
        let kept = order.iter().map(|it| shape[*it]).collect();
        let len = count(&last.iter().map(|it| shape[*it]).collect::<Vec<_>>())?;
        order.append(&mut last);
        Ok(Rows { x: permuted(x, &order)?, kept, len })
    }

    /// What `f` makes of the number of each row's first element, as a tensor of `dtype`.
    fn map(&self, dtype: DType, f: impl Fn(usize) -> Elem + Sync) -> Eval {
        let rows = count(&self.kept)?;
        let grain = GRAIN.div_ceil(self.len.max(1));
        let part = |first: usize| -> Result<Vec<u8>, EvalError> {
            let range = first..rows.min(first + grain);
            let mut res = room(dtype, range.len())?;
            range.for_each(|it| store(dtype, f(it * self.len), &mut res));
            Ok(res)
        };
        let firsts: Vec<usize> = (0..rows).step_by(grain).collect();
        let parts = firsts.into_par_iter().map(part).collect::<Result<Vec<_>, _>>()?;
        give(dtype, &self.kept, parts.concat())
    }
}

pub(crate) fn reduce(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, Reduce(cx.view));
    let fold = Fold::of(&it.kind())?;
    let rows = Rows::new(&x, &dims(&it.dims(), x.shape.len())?)?;
    let (x, len, identity) = (&rows.x, rows.len, fold.identity(x.dtype));
    if x.dtype == DType::F32 {
        let floats = x.bytes.as_chunks::<4>().0;
        return rows.map(x.dtype, |at| {
            Elem::Float(float_row(fold, identity.to_f64(), &floats[at..at + len]))
        });
    }
    rows.map(x.dtype, |at| (at..at + len).fold(identity, |sum, i| fold.combine(sum, x.elem(i))))
}

/// A row of float32, combined in double precision in several chains at once.
fn float_row(fold: Fold, identity: f64, row: &[[u8; 4]]) -> f64 {
    const CHAINS: usize = 8;
    let mut sums = [identity; CHAINS];
    let (chunks, rest) = row.as_chunks::<CHAINS>();
    for chunk in chunks {
        for (sum, it) in sums.iter_mut().zip(chunk) {
            *sum = fold.floats(*sum, f32::from_le_bytes(*it).into());
        }
    }
    let rest = rest.iter().map(|it| f32::from_le_bytes(*it).into());
    sums.into_iter().chain(rest).fold(identity, |a, b| fold.floats(a, b))
}

pub(crate) fn arg_reduce(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, ArgReduce(cx.view));
    let rows = Rows::new(&x, &[dim(it.dim(), x.shape.len())?])?;
    if rows.len == 0 && count(&rows.kept)? != 0 {
        return Err(error(format!("dimension {} has no elements to choose from", it.dim())));
    }
    let greatest = it.kind() == "max";
    let better = |best: Elem, it: Elem| match (best, it) {
        (Elem::Int(best), Elem::Int(it)) => {
            if greatest {
                best < it
            } else {
                it < best
            }
        }
        (best, it) => {
            let (best, it) = (best.to_f64(), it.to_f64());
            !best.is_nan() && (it.is_nan() || if greatest { best < it } else { it < best })
        }
    };
    rows.map(DType::I64, |at| {
        let mut best = (0, rows.x.elem(at));
        for i in 1..rows.len {
            let elem = rows.x.elem(at + i);
            if better(best.1, elem) {
                best = (i, elem);
            }
        }
        Elem::Int(best.0 as i128)
    })
}

pub(crate) fn scan(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, Scan(cx.view));
    let (fold, shape) = (Fold::of(&it.kind())?, extents(&x));
    let at = dim(it.dim(), shape.len())?;
    // As many chains of running values lie side by side as one step along `dim` skips elements.
    let (extent, chains) = (shape[at], row_major(&shape)[at]);
    let mut out = room(x.dtype, x.numel())?;
    for first in (0..x.numel()).step_by((extent * chains).max(1)) {
        let mut sums = vec![fold.identity(x.dtype); chains];
        for step in 0..extent {
            for (chain, sum) in sums.iter_mut().enumerate() {
                *sum = fold.combine(*sum, x.elem(first + step * chains + chain));
                store(x.dtype, *sum, &mut out);
            }
        }
    }
    give(x.dtype, &shape, out)
}
