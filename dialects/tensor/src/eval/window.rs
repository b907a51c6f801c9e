//! Windows that move over the last dimensions: their geometry, shared with convolution, and the
//! reductions over them.

use std::ops::Range;

use ir::{
    DType, EvalCx, EvalError, HostTensor,
    scalar::{Elem, store},
};
use rayon::prelude::*;

use super::{Eval, count, error, extents, fold::Fold, give, ints, room, row_major, sizes, tensor};
use crate::ops::{ArgWindow, ReduceWindow};

/// One dimension that a window moves over.
pub(super) struct Axis {
    pub(super) input: usize,
    pub(super) window: usize,
    pub(super) output: usize,
    stride: i128,
    low: i128,
    dilation: i128,
}

impl Axis {
    pub(super) fn new(
        input: usize,
        window: usize,
        stride: i64,
        (low, high): (i64, i64),
        dilation: i64,
    ) -> Result<Axis, EvalError> {
        let [stride, low, high, dilation] = [stride, low, high, dilation].map(i128::from);
        let span = dilation * (window as i128 - 1) + 1;
        let bad = || error(format!("a window of {window} over {input}"));
        if stride < 1 || dilation < 1 {
            return Err(bad());
        }
        let output = (input as i128 + low + high - span).div_euclid(stride) + 1;
        let output = usize::try_from(output).map_err(|_| bad())?;
        Ok(Axis { input, window, output, stride, low, dilation })
    }

    /// The place in the operand under tap `tap` of the window at `at`; none in the padding.
    pub(super) fn source(&self, at: usize, tap: usize) -> Option<usize> {
        let place = at as i128 * self.stride - self.low + tap as i128 * self.dilation;
        usize::try_from(place).ok().filter(|it| *it < self.input)
    }

    /// For each window, the places in the operand that it sees, as a range of its taps:
    /// the first place and how many.
    fn seen(&self) -> Vec<(usize, usize)> {
        let at = |at: usize| {
            let taps: Range<usize> = 0..self.window;
            let mut places = taps.filter_map(|tap| self.source(at, tap));
            match places.next() {
                Some(first) => (first, 1 + places.count()),
                None => (0, 0),
            }
        };
        (0..self.output).map(at).collect()
    }
}

/// The windowed dimensions of an operand, and the box of all others before them.
struct Windows {
    kept: Vec<usize>,
    axes: Vec<Axis>,
}

impl Windows {
    fn new(
        x: &HostTensor,
        window: &[usize],
        stride: &[i64],
        (low, high): (&[i64], &[i64]),
        dilation: &[i64],
    ) -> Result<Windows, EvalError> {
        let shape = extents(x);
        let split = shape.len().checked_sub(window.len());
        let split = split.ok_or_else(|| error(format!("a window {window:?} over {shape:?}")))?;
        let (kept, moved) = shape.split_at(split);
        let axes = (0..moved.len())
            .map(|i| Axis::new(moved[i], window[i], stride[i], (low[i], high[i]), dilation[i]))
            .collect::<Result<_, EvalError>>()?;
        Ok(Windows { kept: kept.to_vec(), axes })
    }

    fn shape(&self) -> Vec<usize> {
        self.kept.iter().copied().chain(self.axes.iter().map(|it| it.output)).collect()
    }

    /// For each window of each plane in row-major order, what `f` makes of the numbers of the
    /// plane's first element and of the elements seen, counted within the plane.
    fn map(
        &self,
        dtype: DType,
        f: impl Fn(usize, &mut dyn Iterator<Item = usize>) -> Elem + Sync,
    ) -> Result<Vec<u8>, EvalError> {
        let inputs: Vec<usize> = self.axes.iter().map(|it| it.input).collect();
        let outputs: Vec<usize> = self.axes.iter().map(|it| it.output).collect();
        let (area, places) = (count(&inputs)?, count(&outputs)?);
        let strides = row_major(&inputs);
        let seen: Vec<Vec<(usize, usize)>> = self.axes.iter().map(Axis::seen).collect();
        count(&self.shape())?;
        let plane = |plane: usize| -> Result<Vec<u8>, EvalError> {
            let mut res = room(dtype, places)?;
            let mut elems = Vec::new();
            for place in 0..places {
                elems.clear();
                elems.push(0);
                let (mut inner, mut rest) = (places, place);
                for (i, axis) in self.axes.iter().enumerate() {
                    inner /= axis.output;
                    let (first, taps) = seen[i][rest / inner];
                    rest %= inner;
                    spread(&mut elems, first, taps, axis.dilation as usize, strides[i]);
                }
                store(dtype, f(plane * area, &mut elems.iter().copied()), &mut res);
            }
            Ok(res)
        };
        let planes = (0..count(&self.kept)?).into_par_iter().map(plane);
        Ok(planes.collect::<Result<Vec<_>, EvalError>>()?.concat())
    }
}

/// Replaces each offset by those `taps` places from `first` on, in row-major order.
fn spread(elems: &mut Vec<usize>, first: usize, taps: usize, dilation: usize, stride: usize) {
    let outer = elems.len();
    elems.resize(outer * taps, 0);
    // From the last to the first, so that none is overwritten before it is read.
    for i in (0..outer).rev() {
        let base = elems.get(i).copied().unwrap_or(0);
        for tap in (0..taps).rev() {
            elems[i * taps + tap] = base + (first + tap * dilation) * stride;
        }
    }
}

pub(crate) fn reduce_window(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, ReduceWindow(cx.view));
    let fold = Fold::of(&it.kind())?;
    let windows = Windows::new(
        &x,
        &sizes(cx, &it.window())?,
        &it.stride(),
        (&ints(cx, &it.low())?, &ints(cx, &it.high())?),
        &it.dilation(),
    )?;
    let identity = fold.identity(x.dtype);
    let bytes = windows.map(x.dtype, |plane, elems| {
        elems.fold(identity, |sum, at| fold.combine(sum, x.elem(plane + at)))
    })?;
    give(x.dtype, &windows.shape(), bytes)
}

pub(crate) fn arg_window(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, ArgWindow(cx.view));
    let windows = Windows::new(
        &x,
        &sizes(cx, &it.window())?,
        &it.stride(),
        (&ints(cx, &it.low())?, &ints(cx, &it.high())?),
        &it.dilation(),
    )?;
    let bytes = windows.map(DType::I64, |plane, elems| {
        let mut best: Option<(usize, Elem)> = None;
        for at in elems {
            let elem = x.elem(plane + at);
            let better = match (best.map(|it| it.1), elem) {
                (None, _) => true,
                (Some(Elem::Int(best)), Elem::Int(it)) => best < it,
                (Some(best), it) => it.to_f64().is_nan() || best.to_f64() < it.to_f64(),
            };
            if better {
                best = Some((at, elem));
            }
        }
        Elem::Int(best.map_or(0, |it| it.0 as i128))
    })?;
    give(DType::I64, &windows.shape(), bytes)
}
