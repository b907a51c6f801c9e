//! Copies between layouts: where the data of every operator that moves elements goes.
//!
//! A [`Layout`] says where the first element of a box lies and how far apart neighbours are.
//! [`copy`] copies a box of elements from one layout to another; slicing, permuting, expanding,
//! flipping, padding and concatenating differ only in the layouts they name.

use ir::EvalError;

use super::{error, row_major};

/// Elements per side of a tile of a transposing copy: a cache line of float32.
const TILE: usize = 16;

/// Where the elements of a box lie, counted in elements.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) offset: i64,
    pub(super) strides: Vec<i64>,
}

impl Layout {
    /// A whole row-major tensor.
    pub(super) fn dense(shape: &[usize]) -> Layout {
        let strides = row_major(shape).into_iter().map(|it| it as i64).collect();
        Layout { offset: 0, strides }
    }

    /// The part of a row-major tensor that starts at `start` and takes every `step`-th element.
    pub(super) fn part(shape: &[usize], start: &[i64], step: &[i64]) -> Option<Layout> {
        let mut res = Layout::dense(shape);
        for ((stride, start), step) in res.strides.iter_mut().zip(start).zip(step) {
            res.offset = res.offset.checked_add(start.checked_mul(*stride)?)?;
            *stride = stride.checked_mul(*step)?;
        }
        Some(res)
    }

    /// Whether every element of the box lies within `len` elements.
    fn fits(&self, shape: &[usize], len: usize) -> bool {
        let (mut least, mut greatest) = (i128::from(self.offset), i128::from(self.offset));
        for (extent, stride) in shape.iter().zip(&self.strides) {
            let Some(span) = i128::from(*stride).checked_mul(*extent as i128 - 1) else {
                return false;
            };
            let sum = if span < 0 { &mut least } else { &mut greatest };
            match sum.checked_add(span) {
                Some(it) => *sum = it,
                None => return false,
            }
        }
        0 <= least && greatest < len as i128
    }
}

/// Copies a box of elements `width` bytes wide. An element outside either side is an error.
pub(super) fn copy(
    shape: &[usize],
    width: usize,
    (src, from): (&[u8], &Layout),
    (dst, to): (&mut [u8], &Layout),
) -> Result<(), EvalError> {
    if shape.contains(&0) {
        return Ok(());
    }
    if from.strides.len() != shape.len() || to.strides.len() != shape.len() {
        return Err(error("a layout of another rank"));
    }
    if !from.fits(shape, src.len() / width) || !to.fits(shape, dst.len() / width) {
        return Err(error(format!("elements {shape:?} from {from:?} to {to:?} are out of range")));
    }
    let plan = Plan::new(shape, from, to);
    match width {
        1 => plan.run::<1>(src, dst),
        2 => plan.run::<2>(src, dst),
        4 => plan.run::<4>(src, dst),
        8 => plan.run::<8>(src, dst),
        16 => plan.run::<16>(src, dst),
        _ => return Err(error(format!("elements of {width} bytes"))),
    }
    Ok(())
}

/// One dimension of a copy: its extent and the strides on both sides.
#[derive(Clone, Copy)]
struct Axis {
    extent: usize,
    from: i64,
    to: i64,
}

/// A copy with as few dimensions as it can be said with.
struct Plan {
    axes: Vec<Axis>,
    from: i64,
    to: i64,
}

impl Plan {
    fn new(shape: &[usize], from: &Layout, to: &Layout) -> Plan {
        let mut axes: Vec<Axis> = Vec::new();
        for ((extent, from), to) in shape.iter().zip(&from.strides).zip(&to.strides) {
            let axis = Axis { extent: *extent, from: *from, to: *to };
            match axes.last_mut() {
                _ if *extent == 1 => (),
                // Stepping along the outer axis is the same as running past the inner one.
                Some(outer)
                    if outer.from == from * *extent as i64 && outer.to == to * *extent as i64 =>
                {
                    *outer = Axis { extent: outer.extent * extent, ..axis };
                }
                _ => axes.push(axis),
            }
        }
        Plan { axes, from: from.offset, to: to.offset }
    }

    fn run<const W: usize>(&self, src: &[u8], dst: &mut [u8]) {
        let (src, dst) = (src.as_chunks::<W>().0, dst.as_chunks_mut::<W>().0);
        let Some((inner, outer)) = self.axes.split_last() else {
            dst[self.to as usize] = src[self.from as usize];
            return;
        };
        let crossed = outer.iter().rposition(|it| it.from == 1 && 0 < it.to);
        match crossed {
            Some(at) if 1 < inner.from && inner.to == 1 => {
                let crossed = outer[at];
                let mut rest = outer.to_vec();
                rest.remove(at);
                walk(&rest, self.from, self.to, |from, to| {
                    transpose(crossed, *inner, &src[from..], &mut dst[to..]);
                });
            }
            _ => walk(outer, self.from, self.to, |from, to| row(*inner, src, from, dst, to)),
        }
    }
}

/// Calls `f` with both places of each element of the box, in row-major order.
fn walk(axes: &[Axis], from: i64, to: i64, mut f: impl FnMut(usize, usize)) {
    let mut index = vec![0_usize; axes.len()];
    let (mut from, mut to) = (from, to);
    loop {
        f(from as usize, to as usize);
        let mut at = axes.len();
        loop {
            let Some(it) = at.checked_sub(1) else {
                return;
            };
            at = it;
            let axis = axes[at];
            index[at] += 1;
            from += axis.from;
            to += axis.to;
            if index[at] < axis.extent {
                break;
            }
            index[at] = 0;
            from -= axis.from * axis.extent as i64;
            to -= axis.to * axis.extent as i64;
        }
    }
}

fn row<const W: usize>(axis: Axis, src: &[[u8; W]], from: usize, dst: &mut [[u8; W]], to: usize) {
    let Axis { extent, from: step, to: stride } = axis;
    match (step, stride) {
        (1, 1) => dst[to..to + extent].copy_from_slice(&src[from..from + extent]),
        (0, 1) => dst[to..to + extent].fill(src[from]),
        (_, 1) => {
            let mut at = from as i64;
            for out in &mut dst[to..to + extent] {
                *out = src[at as usize];
                at += step;
            }
        }
        _ => {
            for i in 0..extent as i64 {
                dst[(to as i64 + i * stride) as usize] = src[(from as i64 + i * step) as usize];
            }
        }
    }
}

/// A box that is dense along `rows` on one side and along `columns` on the other, tile by tile so
/// that neither side leaves the cache before its lines are used up.
fn transpose<const W: usize>(rows: Axis, columns: Axis, src: &[[u8; W]], dst: &mut [[u8; W]]) {
    for first_row in (0..rows.extent).step_by(TILE) {
        let end_row = rows.extent.min(first_row + TILE);
        for first in (0..columns.extent).step_by(TILE) {
            let end = columns.extent.min(first + TILE);
            for i in first_row..end_row {
                let out = (i as i64 * rows.to) as usize;
                let out = &mut dst[out + first..out + end];
                let mut at = i as i64 + first as i64 * columns.from;
                for it in out {
                    *it = src[at as usize];
                    at += columns.from;
                }
            }
        }
    }
}

/// The offsets of the elements of a box in row-major order, counted in elements.
pub(super) fn offsets(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut res = vec![0];
    for (extent, stride) in shape.iter().zip(strides) {
        let inner = 0..*extent;
        res = res.iter().flat_map(|it| inner.clone().map(move |i| it + i * stride)).collect();
    }
    res
}
