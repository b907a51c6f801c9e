//! Fourier transforms as PyTorch offers them; `transform` computes one along one dimension.

mod overlap;
mod transform;

use ir::{DType, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use transform::{inverse_real, transform};

use super::{
    complex::{Parts, parts},
    rules,
};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// Cut off, or filled up with zeros.
fn resized(cx: &mut Cx<'_, '_>, x: ValueId, dim: usize, size: &Expr) -> Result<ValueId> {
    let own = cx.dim_size(x, dim);
    if cx.equal(&own, size) {
        return Ok(x);
    }
    if cx.at_most(size, &own) {
        return cx.slice(x, dim, Expr::int(0), size.clone(), 1);
    }
    let rank = cx.rank(x);
    let mut high = vec![Expr::int(0); rank];
    high[dim] = cx.simple(&(size.clone() - own));
    cx.pad(x, vec![Expr::int(0); rank], high, vec![0; rank], int(0))
}

/// The factor by the name of a norm: `backward`, `forward` or `ortho`.
fn norm_factor(cx: &Cx<'_, '_>, n: &Expr, forward: bool) -> Result<f64> {
    let norm: Option<String> = cx.get("norm")?;
    let count = n.as_int().ok_or_else(|| cx.error("a transform of unknown length"))? as f64;
    Ok(match norm.as_deref() {
        Some("ortho") => 1.0 / count.sqrt(),
        Some("forward") if forward => 1.0 / count,
        None | Some("backward") if !forward => 1.0 / count,
        _ => 1.0,
    })
}

fn scaled(cx: &mut Cx<'_, '_>, x: Parts, factor: f64) -> Result<Parts> {
    if factor == 1.0 {
        return Ok(x);
    }
    x.each(cx, |cx, it| cx.with_number(ScalarFn::Mul, it, float(factor)))
}

/// `_fft_c2c` and `_fft_r2c`: several dimensions, the factor by number.
fn transform_dims(cx: &mut Cx<'_, '_>, forward: bool, onesided: bool) -> Values {
    let x = cx.x("self")?;
    let dims = cx.normal_all(&cx.ints("dim")?, cx.rank(x))?;
    let normalization = cx.int("normalization")?;
    let mut it = parts(cx, x)?;
    let mut count = Expr::int(1);
    for (i, dim) in dims.iter().enumerate().rev() {
        let n = cx.dim_size(x, *dim);
        count = count * n.clone();
        // Of a real tensor the last dimension has half a spectrum.
        let kept = match onesided && i + 1 == dims.len() {
            true => cx.simple(&(n.floor_div(&Expr::int(2)) + Expr::int(1))),
            false => n,
        };
        it = transform(cx, it, *dim, &kept, forward)?;
    }
    let count = count.as_int().ok_or_else(|| cx.error("a transform of unknown length"))? as f64;
    let factor = match normalization {
        1 => 1.0 / count.sqrt(),
        2 => 1.0 / count,
        _ => 1.0,
    };
    let it = scaled(cx, it, factor)?;
    Ok(vec![it.whole(cx)?])
}

fn c2c(cx: &mut Cx<'_, '_>) -> Values {
    let forward = cx.flag("forward")?;
    transform_dims(cx, forward, false)
}

fn r2c(cx: &mut Cx<'_, '_>) -> Values {
    let onesided = cx.flag("onesided")?;
    transform_dims(cx, true, onesided)
}

fn c2r(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dims = cx.normal_all(&cx.ints("dim")?, cx.rank(x))?;
    let (normalization, n) = (cx.int("normalization")?, cx.size("last_dim_size")?);
    let mut it = parts(cx, x)?;
    let mut count = n.clone();
    let Some((last, others)) = dims.split_last() else { return Err(cx.error("no dimension")) };
    for dim in others {
        let size = cx.dim_size(x, *dim);
        count = count * size.clone();
        it = transform(cx, it, *dim, &size, false)?;
    }
    let res = inverse_real(cx, it, *last, &n)?;
    let count = count.as_int().ok_or_else(|| cx.error("a transform of unknown length"))? as f64;
    let factor = match normalization {
        1 => 1.0 / count.sqrt(),
        2 => 1.0 / count,
        _ => 1.0,
    };
    Ok(vec![scaled(cx, Parts { re: res, im: None }, factor)?.re])
}

/// What is asked of a transform along one dimension.
fn one_dim(cx: &mut Cx<'_, '_>) -> Result<(Parts, usize, Option<Expr>)> {
    let x = cx.x("self")?;
    let dim = cx.dim("dim", cx.rank(x))?;
    let n = cx.get::<Option<Expr>>("n")?;
    Ok((parts(cx, x)?, dim, n))
}

fn fft(cx: &mut Cx<'_, '_>, forward: bool) -> Values {
    let (x, dim, n) = one_dim(cx)?;
    let n = n.unwrap_or_else(|| cx.dim_size(x.re, dim));
    let x = x.each(cx, |cx, it| resized(cx, it, dim, &n))?;
    let factor = norm_factor(cx, &n, forward)?;
    let res = transform(cx, x, dim, &n, forward)?;
    let res = scaled(cx, res, factor)?;
    Ok(vec![res.whole(cx)?])
}

fn rfft(cx: &mut Cx<'_, '_>) -> Values {
    let (x, dim, n) = one_dim(cx)?;
    let n = n.unwrap_or_else(|| cx.dim_size(x.re, dim));
    let x = x.each(cx, |cx, it| resized(cx, it, dim, &n))?;
    let kept = cx.simple(&(n.floor_div(&Expr::int(2)) + Expr::int(1)));
    let factor = norm_factor(cx, &n, true)?;
    let res = transform(cx, x, dim, &kept, true)?;
    let res = scaled(cx, res, factor)?;
    Ok(vec![res.whole(cx)?])
}

fn irfft(cx: &mut Cx<'_, '_>) -> Values {
    let (x, dim, n) = one_dim(cx)?;
    let own = cx.dim_size(x.re, dim);
    let n = n.unwrap_or_else(|| cx.simple(&((own - Expr::int(1)) * Expr::int(2))));
    let factor = norm_factor(cx, &n, false)?;
    let res = inverse_real(cx, x, dim, &n)?;
    Ok(vec![scaled(cx, Parts { re: res, im: None }, factor)?.re])
}

/// Windows of the signal one after the other, each with its spectrum.
fn stft(cx: &mut Cx<'_, '_>) -> Values {
    let mut x = cx.x("self")?;
    let n = cx.int("n_fft")?;
    let hop = cx.get::<Option<i64>>("hop_length")?.unwrap_or(n / 4);
    let width = cx.get::<Option<i64>>("win_length")?.unwrap_or(n);
    let (window, normalized) = (cx.opt("window")?, cx.flag("normalized")?);
    if cx.has("center") && cx.flag("center")? {
        return Err(cx.error("a transform that pads its input itself"));
    }
    if cx.dtype_of(x).is_complex() {
        return Err(cx.error("a short-time transform of a complex signal"));
    }
    let onesided = cx.get::<Option<bool>>("onesided")?.unwrap_or(true);
    let shape = cx.out_shape()?;
    let vector = cx.rank(x) == 1;
    if vector {
        x = cx.unsqueeze(x, 0)?;
    }
    let frames =
        cx.simple(&((cx.dim_size(x, 1) - Expr::int(n)).floor_div(&Expr::int(hop)) + Expr::int(1)));
    let grid = [frames, Expr::int(n)];
    let starts = cx.iota(&grid, 0, int(0), int(hop), DType::I64)?;
    let steps = cx.iota(&grid, 1, int(0), int(1), DType::I64)?;
    let places = cx.zip(ScalarFn::Add, starts, steps)?;
    let mut taken = cx.index(x, &[places], &[1], 1)?;
    if let Some(window) = window {
        // A shorter window lies in the middle.
        let before = (n - width) / 2;
        let (low, high) = (vec![Expr::int(before)], vec![Expr::int(n - width - before)]);
        let window = cx.pad(window, low, high, vec![0], int(0))?;
        taken = cx.zip(ScalarFn::Mul, taken, window)?;
    } else if width != n {
        return Err(cx.error("a window of ones that is shorter than the transform"));
    }
    let kept = Expr::int(if onesided { n / 2 + 1 } else { n });
    let spectrum = transform(cx, Parts { re: taken, im: None }, 2, &kept, true)?;
    let factor = if normalized { 1.0 / (n as f64).sqrt() } else { 1.0 };
    let spectrum = scaled(cx, spectrum, factor)?;
    let spectrum = spectrum.each(cx, |cx, it| {
        let it = cx.transpose(it, 1, 2)?;
        if vector { cx.squeeze(it, 0) } else { Ok(it) }
    })?;
    if cx.get::<Option<bool>>("return_complex")? == Some(true) {
        return Ok(vec![spectrum.whole(cx)?]);
    }
    let last = shape.len().saturating_sub(1);
    let Some(im) = spectrum.im else { return Err(cx.error("a spectrum has two parts")) };
    let both = [cx.unsqueeze(spectrum.re, last)?, cx.unsqueeze(im, last)?];
    Ok(vec![cx.concat(&both, last)?])
}

/// The dimensions of a transform over several, and the size that each is brought to where one is
/// given.
fn several(cx: &Cx<'_, '_>, rank: usize) -> Result<Vec<(usize, Option<Expr>)>> {
    let sizes = cx.sizes("s")?;
    let dims = cx.ints("dim")?;
    let dims = match (dims.is_empty(), sizes.is_empty()) {
        (true, true) => (0..rank).collect(),
        (true, false) => (rank.saturating_sub(sizes.len())..rank).collect(),
        (false, _) => cx.normal_all(&dims, rank)?,
    };
    let size = |i: usize| sizes.get(i).filter(|it| it.as_int() != Some(-1)).cloned();
    Ok(dims.into_iter().enumerate().map(|(i, dim)| (dim, size(i))).collect())
}

/// A transform over several dimensions; of real tensors the last one gives half a spectrum.
fn fft_several(cx: &mut Cx<'_, '_>, forward: bool, half: bool) -> Values {
    let x = cx.x("self")?;
    let dims = several(cx, cx.rank(x))?;
    let mut it = parts(cx, x)?;
    let mut count = Expr::int(1);
    for (dim, size) in &dims {
        let n = size.clone().unwrap_or_else(|| cx.dim_size(x, *dim));
        count = count * n.clone();
        it = it.each(cx, |cx, part| resized(cx, part, *dim, &n))?;
    }
    for (i, (dim, _)) in dims.iter().enumerate().rev() {
        let n = cx.dim_size(it.re, *dim);
        let kept = match half && i + 1 == dims.len() {
            true => cx.simple(&(n.floor_div(&Expr::int(2)) + Expr::int(1))),
            false => n,
        };
        it = transform(cx, it, *dim, &kept, forward)?;
    }
    let factor = norm_factor(cx, &count, forward)?;
    let it = scaled(cx, it, factor)?;
    Ok(vec![it.whole(cx)?])
}

/// Over several dimensions, of the last of which half is given: the real inverse of a spectrum, or
/// the real spectrum of a signal, which is the inverse of the conjugate in that dimension.
fn real_several(cx: &mut Cx<'_, '_>, forward: bool) -> Values {
    let x = cx.x("self")?;
    let dims = several(cx, cx.rank(x))?;
    let mut it = parts(cx, x)?;
    let Some(((last, size), others)) = dims.split_last() else {
        return Err(cx.error("a transform over no dimension"));
    };
    let mut count = Expr::int(1);
    for (dim, size) in others {
        let n = size.clone().unwrap_or_else(|| cx.dim_size(x, *dim));
        count = count * n.clone();
        it = it.each(cx, |cx, part| resized(cx, part, *dim, &n))?;
        it = transform(cx, it, *dim, &n, forward)?;
    }
    let own = (cx.dim_size(x, *last) - Expr::int(1)) * Expr::int(2);
    let n = size.clone().unwrap_or_else(|| cx.simple(&own));
    let it = if forward { conjugated(cx, it)? } else { it };
    let re = inverse_real(cx, it, *last, &n)?;
    let factor = norm_factor(cx, &(count * n), forward)?;
    Ok(vec![scaled(cx, Parts { re, im: None }, factor)?.re])
}

fn conjugated(cx: &mut Cx<'_, '_>, x: Parts) -> Result<Parts> {
    let im = x.im.map(|it| cx.map(ScalarFn::Neg, it)).transpose()?;
    Ok(Parts { im, ..x })
}

/// The real spectrum of a signal of which half is given.
fn hfft(cx: &mut Cx<'_, '_>) -> Values {
    let (x, dim, n) = one_dim(cx)?;
    let own = cx.dim_size(x.re, dim);
    let n = n.unwrap_or_else(|| cx.simple(&((own - Expr::int(1)) * Expr::int(2))));
    let x = conjugated(cx, x)?;
    let re = inverse_real(cx, x, dim, &n)?;
    let factor = norm_factor(cx, &n, true)?;
    Ok(vec![scaled(cx, Parts { re, im: None }, factor)?.re])
}

fn ihfft(cx: &mut Cx<'_, '_>) -> Values {
    let (x, dim, n) = one_dim(cx)?;
    let n = n.unwrap_or_else(|| cx.dim_size(x.re, dim));
    let x = x.each(cx, |cx, it| resized(cx, it, dim, &n))?;
    let kept = cx.simple(&(n.floor_div(&Expr::int(2)) + Expr::int(1)));
    let res = transform(cx, x, dim, &kept, true)?;
    let res = conjugated(cx, res)?;
    let factor = norm_factor(cx, &n, false)?;
    let res = scaled(cx, res, factor)?;
    Ok(vec![res.whole(cx)?])
}

/// Half a spectrum along the last dimension, the inverse of the above.
fn ihfft_several(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    let dims = several(cx, cx.rank(x))?;
    let mut it = parts(cx, x)?;
    let mut count = Expr::int(1);
    for (i, (dim, size)) in dims.iter().enumerate().rev() {
        let n = size.clone().unwrap_or_else(|| cx.dim_size(x, *dim));
        count = count * n.clone();
        it = it.each(cx, |cx, part| resized(cx, part, *dim, &n))?;
        if i + 1 == dims.len() {
            let kept = cx.simple(&(n.floor_div(&Expr::int(2)) + Expr::int(1)));
            it = transform(cx, it, *dim, &kept, true)?;
            it = conjugated(cx, it)?;
        } else {
            it = transform(cx, it, *dim, &n, false)?;
        }
    }
    let factor = norm_factor(cx, &count, false)?;
    let it = scaled(cx, it, factor)?;
    Ok(vec![it.whole(cx)?])
}

/// The zero frequency moved to the middle, or back.
fn shift(cx: &mut Cx<'_, '_>, back: bool) -> Values {
    let mut x = cx.x("self")?;
    let dims = cx.ints("dim")?;
    let dims = match dims.is_empty() {
        true => (0..cx.rank(x)).collect(),
        false => cx.normal_all(&dims, cx.rank(x))?,
    };
    for dim in dims {
        let size = cx.dim_size(x, dim);
        let round = Expr::int(i64::from(back));
        let by = (size + round).floor_div(&Expr::int(2));
        x = super::join::roll_dim(cx, x, dim, &by)?;
    }
    Ok(vec![x])
}

rules! {
    "_fft_c2c" => c2c,
    "_fft_r2c" => r2c,
    "_fft_c2r" => c2r,
    "fft_fft" => |cx| fft(cx, true),
    "fft_ifft" => |cx| fft(cx, false),
    "fft_rfft" => rfft,
    "fft_irfft" => irfft,
    "fft_hfft" => hfft,
    "fft_ihfft" => ihfft,
    "fft_fft2" | "fft_fftn" => |cx| fft_several(cx, true, false),
    "fft_ifft2" | "fft_ifftn" => |cx| fft_several(cx, false, false),
    "fft_rfft2" | "fft_rfftn" => |cx| fft_several(cx, true, true),
    "fft_irfft2" | "fft_irfftn" => |cx| real_several(cx, false),
    "fft_hfft2" | "fft_hfftn" => |cx| real_several(cx, true),
    "fft_ihfft2" | "fft_ihfftn" => ihfft_several,
    "fft_fftshift" => |cx| shift(cx, false),
    "fft_ifftshift" => |cx| shift(cx, true),
    "istft" => overlap::istft,
    "stft" | "stft.center" => stft,
}
