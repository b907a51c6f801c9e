//! Products of matrices and convolutions: sums in `f64`, each handed to the epilogue.

use ir::{EvalCx, HostTensor};

use crate::eval::{
    Eval, Evaluated, error,
    kernel::{Epilogue, tensors},
    memory::Packing,
    tensor_types,
};
use crate::{
    infer::multiplies,
    ops::{Conv2d, Gemm},
};

/// The elements of a tensor that a product takes, and its sizes.
fn floats<const RANK: usize>(it: &HostTensor) -> Eval<(Vec<f32>, [usize; RANK])> {
    let sizes: Option<Vec<usize>> = it.shape.iter().map(|it| usize::try_from(*it).ok()).collect();
    match sizes.and_then(|it| <[usize; RANK]>::try_from(it).ok()) {
        Some(sizes) if multiplies(it.dtype) => Ok((it.to_f32(), sizes)),
        _ => Err(error(format!("takes no {} of {:?}", it.dtype, it.shape))),
    }
}

/// Adds the product of a row and a row-major matrix to `sums`.
fn multiply(row: &[f32], matrix: &[f32], sums: &mut [f64]) {
    sums.fill(0.0);
    if sums.is_empty() {
        return;
    }
    for (x, b) in row.iter().zip(matrix.chunks_exact(sums.len())) {
        let x = f64::from(*x);
        sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += x * f64::from(*b));
    }
}

pub(crate) fn gemm(cx: &EvalCx<'_>) -> Evaluated {
    let it = Gemm(cx.view);
    let tensors = tensors(cx.operands)?;
    let [a, b, inputs @ ..] = &tensors[..] else {
        return Err(error("takes two matrices"));
    };
    let (a, [batch, m, k]) = floats::<3>(a)?;
    let (b, n, is_shared) = match it.n() {
        Some(n) => {
            let n = (cx.size)(&n)?;
            let n = usize::try_from(n).map_err(|_| error(format!("{n} columns")))?;
            let (packed, [_]) = floats::<1>(b)?;
            (Packing::Matrix { k, n }.unpack(&packed).map_err(error)?, n, true)
        }
        None => {
            let (b, [b_batch, b_k, n]) = floats::<3>(b)?;
            if (b_batch, b_k) != (batch, k) {
                return Err(error(format!("[{batch}, {m}, {k}] by [{b_batch}, {b_k}, {n}]")));
            }
            (b, n, false)
        }
    };
    let outs = tensor_types(&it.outs())?;
    let mut epilogue = Epilogue::new(cx, &["b", "m", "n"], inputs, &outs)?;
    let mut sums = vec![0.0; n];
    for i in 0..batch {
        let matrix = if is_shared { &b[..] } else { &b[i * k * n..(i + 1) * k * n] };
        for j in 0..m {
            multiply(&a[(i * m + j) * k..][..k], matrix, &mut sums);
            for (column, sum) in sums.iter().enumerate() {
                epilogue.run(&[i, j, column], *sum)?;
            }
        }
    }
    Ok(epilogue.results())
}

/// One spatial dimension of a convolution.
struct Window {
    size: usize,
    kernel: usize,
    stride: i64,
    low: i64,
    dilation: i64,
    out: usize,
}

impl Window {
    /// The index that output `at` reads for the `tap`-th place of the kernel; none in the padding.
    fn source(&self, at: usize, tap: usize) -> Option<usize> {
        let it = at as i64 * self.stride + tap as i64 * self.dilation - self.low;
        usize::try_from(it).ok().filter(|it| *it < self.size)
    }
}

/// The windows over height and width.
fn windows(it: Conv2d<'_>, sizes: [usize; 2]) -> Eval<[Window; 2]> {
    let (kernel, stride, low) = (it.kernel(), it.stride(), it.low());
    let (high, dilation) = (it.high(), it.dilation());
    let window = |dim: usize| {
        let reach = dilation[dim].checked_mul(kernel[dim].checked_sub(1)?)?.checked_add(1)?;
        let padded = (sizes[dim] as i64).checked_add(low[dim])?.checked_add(high[dim])?;
        let out = match padded.checked_sub(reach)? {
            it if it < 0 => 0,
            it => it.checked_div(stride[dim])?.checked_add(1)?,
        };
        let window = Window {
            size: sizes[dim],
            kernel: usize::try_from(kernel[dim]).ok()?,
            stride: stride[dim],
            low: low[dim],
            dilation: dilation[dim],
            out: usize::try_from(out).ok()?,
        };
        (0 < window.stride && 0 < window.dilation).then_some(window)
    };
    match (window(0), window(1)) {
        (Some(h), Some(w)) => Ok([h, w]),
        _ => Err(error("the kernel, stride, padding or dilation has no meaning")),
    }
}

pub(crate) fn conv2d(cx: &EvalCx<'_>) -> Evaluated {
    let it = Conv2d(cx.view);
    let tensors = tensors(cx.operands)?;
    let [x, packed, inputs @ ..] = &tensors[..] else {
        return Err(error("takes an image and weights"));
    };
    let (x, [images, channels, height, width]) = floats::<4>(x)?;
    let (packed, [_]) = floats::<1>(packed)?;
    let [rows, columns] = windows(it, [height, width])?;
    let (oc, groups) = match (usize::try_from(it.oc()), usize::try_from(it.groups())) {
        (Ok(oc), Ok(groups)) if 0 < groups && oc % groups == 0 && channels % groups == 0 => {
            (oc, groups)
        }
        _ => return Err(error(format!("{channels} channels to {}", it.oc()))),
    };
    let (out, inner, taps) = (oc / groups, channels / groups, rows.kernel * columns.kernel);
    let packing = match groups == channels && groups == oc {
        true => Packing::Depthwise { channels, taps },
        false => Packing::Conv { groups, out, inner, taps },
    };
    let weights = packing.unpack(&packed).map_err(error)?;
    let outs = tensor_types(&it.outs())?;
    let mut epilogue = Epilogue::new(cx, &["b", "m", "n"], inputs, &outs)?;
    let k = taps * inner;
    // What the window sees of one group, in the order of the matrix's rows; zero in the padding.
    let mut seen = vec![0.0; k];
    let mut sums = vec![0.0; out];
    let plane = height * width;
    for pixel in 0..images * rows.out * columns.out {
        let (i, j) = (pixel / columns.out % rows.out, pixel % columns.out);
        let image = pixel / columns.out / rows.out;
        for group in 0..groups {
            let first = (image * channels + group * inner) * plane;
            for (tap, seen) in seen.chunks_exact_mut(inner.max(1)).enumerate() {
                let row = rows.source(i, tap / columns.kernel);
                match row.zip(columns.source(j, tap % columns.kernel)) {
                    None => seen.fill(0.0),
                    Some((row, column)) => {
                        let place = first + row * width + column;
                        seen.iter_mut().enumerate().for_each(|it| *it.1 = x[place + it.0 * plane]);
                    }
                }
            }
            multiply(&seen, &weights[group * k * out..][..k * out], &mut sums);
            for (column, sum) in sums.iter().enumerate() {
                epilogue.run(&[0, pixel, group * out + column], *sum)?;
            }
        }
    }
    Ok(epilogue.results())
}
