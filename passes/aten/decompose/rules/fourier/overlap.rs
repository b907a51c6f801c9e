//! The inverse of the short-time transform: frames added up where they lie.

use ir::{DType, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{Parts, Values, inverse_real, parts, scaled};
use crate::decompose::{cx::Cx, emit::int};

/// Sums of frames `[batch, frames, n]` at multiples of `hop`.
fn added(cx: &mut Cx<'_, '_>, frames: ValueId, hop: i64) -> Result<ValueId> {
    let shape = cx.shape(frames);
    let (count, n) = (shape[1].clone(), shape[2].clone());
    let length = cx.simple(&((count.clone() - Expr::int(1)) * Expr::int(hop) + n.clone()));
    let grid = [count, n];
    let start = cx.iota(&grid, 0, int(0), int(hop), DType::I64)?;
    let step = cx.iota(&grid, 1, int(0), int(1), DType::I64)?;
    let place = cx.zip(ScalarFn::Add, start, step)?;
    let dtype = cx.dtype_of(frames);
    let zeros = cx.full(int(0), &[shape[0].clone(), length], dtype)?;
    let mode = "add".to_owned();
    cx.build(|it| tensor::IndexUpdate::build(it, zeros, vec![place], frames, vec![1], 1, mode))
}

pub(super) fn istft(cx: &mut Cx<'_, '_>) -> Values {
    let mut x = cx.x("self")?;
    let n = cx.int("n_fft")?;
    let hop = cx.get::<Option<i64>>("hop_length")?.unwrap_or(n / 4);
    let width = cx.get::<Option<i64>>("win_length")?.unwrap_or(n);
    let onesided = cx.get::<Option<bool>>("onesided")?;
    if cx.flag("return_complex")? || !cx.dtype_of(x).is_complex() {
        return Err(cx.error("an inverse that gives a complex signal"));
    }
    let half = Expr::int(n / 2 + 1);
    let rank = cx.rank(x);
    cx.at_least(x, 2)?;
    let one_sided = onesided.unwrap_or_else(|| !cx.equal(&cx.dim_size(x, rank - 2), &Expr::int(n)));
    if !one_sided {
        x = cx.slice(x, rank - 2, Expr::int(0), half, 1)?;
    }
    if rank == 2 {
        x = cx.unsqueeze(x, 0)?;
    }
    let spectrum = cx.transpose(x, 1, 2)?;
    let it = parts(cx, spectrum)?;
    let frames = inverse_real(cx, it, 2, &Expr::int(n))?;
    let factor = match cx.flag("normalized")? {
        true => 1.0 / (n as f64).sqrt(),
        false => 1.0 / n as f64,
    };
    let frames = scaled(cx, Parts { re: frames, im: None }, factor)?.re;
    let dtype = cx.dtype_of(frames);
    let window = match cx.opt("window")? {
        Some(it) => cx.cast(it, dtype)?,
        None => cx.full(int(1), &[Expr::int(width)], dtype)?,
    };
    let before = (n - width) / 2;
    let (low, high) = (vec![Expr::int(before)], vec![Expr::int(n - width - before)]);
    let window = cx.pad(window, low, high, vec![0], int(0))?;
    let weighted = cx.zip(ScalarFn::Mul, frames, window)?;
    let square = cx.zip(ScalarFn::Mul, window, window)?;
    let one = [Expr::int(1), cx.dim_size(frames, 1), Expr::int(n)];
    let squares = cx.expand(square, &one)?;
    let (signal, weight) = (added(cx, weighted, hop)?, added(cx, squares, hop)?);
    let whole = cx.dim_size(signal, 1);
    let start = if cx.flag("center")? { n / 2 } else { 0 };
    let end = match cx.get::<Option<Expr>>("length")? {
        Some(it) => Expr::int(start) + it,
        None if start != 0 => whole.clone() - Expr::int(n / 2),
        None => whole.clone(),
    };
    // A longer signal is filled up with nothing.
    let kept = if cx.at_most(&end, &whole) { end.clone() } else { whole.clone() };
    let count = cx.simple(&(kept.clone() - Expr::int(start)));
    let signal = cx.slice(signal, 1, Expr::int(start), count.clone(), 1)?;
    let weight = cx.slice(weight, 1, Expr::int(start), count, 1)?;
    let mut res = cx.zip(ScalarFn::Div, signal, weight)?;
    let more = cx.simple(&(end - kept));
    res = cx.pad(
        res,
        vec![Expr::int(0), Expr::int(0)],
        vec![Expr::int(0), more],
        vec![0, 0],
        int(0),
    )?;
    Ok(vec![if rank == 2 { cx.squeeze(res, 0)? } else { res }])
}
