//! Ops that see how a tensor lies in memory.

use std::{ops::Range, sync::Arc};

use ir::{Bytes, EvalCx, EvalError, HostTensor, HostValue, TensorType};

use super::{Eval, Evaluated, MAX_BYTES, error, machine::row_major, sizes, zeroed};
use crate::{
    PANEL,
    ops::{Pack, View},
};

/// Calls a function that is generic in the bytes of an element.
macro_rules! by_width {
    ($width:expr, $f:ident($($arg:expr),* $(,)?)) => {
        match $width {
            1 => $f::<1>($($arg),*),
            2 => $f::<2>($($arg),*),
            4 => $f::<4>($($arg),*),
            8 => $f::<8>($($arg),*),
            _ => $f::<16>($($arg),*),
        }
    };
}

/// Reads the operand's memory at other places, perhaps as another dtype.
pub(crate) fn view(cx: &EvalCx<'_>) -> Evaluated {
    let it = View(cx.view);
    let ty = it.ty();
    let ([x], Some(from), Some(to)) = (cx.operands, cx.view.ty(it.x()).as_tensor(), ty.as_tensor())
    else {
        return Err(error("is from one tensor to another"));
    };
    let x = x.tensor()?.check()?;
    let source = Layout::new(cx, from, x.shape.clone())?;
    let target = Layout::new(cx, to, sizes(cx, to.shape.iter())?)?;
    let image = Image::new(&x, &source).map_err(error)?;
    let offset = (cx.size)(&it.offset())?;
    let width = to.dtype.size();
    let bytes = match image.whole(&target, offset, width) {
        Some(it) => it,
        None => {
            let mut bytes = zeroed(to.dtype, &target.shape)?;
            by_width!(width, read(&image, &target, offset, &mut bytes)).map_err(error)?;
            bytes.into()
        }
    };
    Ok(vec![HostValue::Tensor(HostTensor { dtype: to.dtype, shape: target.shape, bytes })])
}

/// Where the elements of a tensor lie, counted in elements from its first.
struct Layout {
    shape: Vec<i64>,
    strides: Vec<i64>,
}

impl Layout {
    /// That of a type whose sizes are `shape`; without strides it is row-major.
    fn new(cx: &EvalCx<'_>, ty: &TensorType, shape: Vec<i64>) -> Eval<Layout> {
        let strides = match &ty.strides {
            Some(it) => sizes(cx, it.iter())?,
            None => row_major(&shape),
        };
        match strides.len() == shape.len() {
            true => Ok(Layout { shape, strides }),
            false => Err(error(format!("{ty} of {} dimensions", shape.len()))),
        }
    }

    fn is_row_major(&self) -> bool {
        let expected = row_major(&self.shape);
        let mut dims = self.shape.iter().zip(&self.strides).zip(&expected);
        dims.all(|((size, stride), expected)| *size == 1 || stride == expected)
    }

    /// The first and the last place; none if there are no elements.
    fn span(&self) -> Result<Option<(i64, i64)>, String> {
        if self.shape.iter().any(|it| *it <= 0) {
            return Ok(None);
        }
        let (mut lo, mut hi) = (0_i64, 0_i64);
        for (size, stride) in self.shape.iter().zip(&self.strides) {
            let end = (size - 1).checked_mul(*stride);
            let moved =
                end.and_then(|it| Some((lo.checked_add(it.min(0))?, hi.checked_add(it.max(0))?)));
            (lo, hi) = moved.ok_or("strides that do not fit in 64 bits")?;
        }
        Ok(Some((lo, hi)))
    }

    /// Calls `f` with every element's place in row-major order. The span fits in 64 bits.
    fn for_each(&self, mut f: impl FnMut(i64)) {
        if self.shape.iter().any(|it| *it <= 0) {
            return;
        }
        let (inner, step) = match (self.shape.last(), self.strides.last()) {
            (Some(size), Some(stride)) => (*size, *stride),
            _ => (1, 0),
        };
        let outer = self.shape.len().saturating_sub(1);
        let mut at = vec![0; outer];
        let mut start = 0_i64;
        loop {
            (0..inner).for_each(|it| f(start + it * step));
            // Between two elements `start` may leave the span, so it wraps.
            let mut dim = outer;
            loop {
                if dim == 0 {
                    return;
                }
                dim -= 1;
                at[dim] += 1;
                start = start.wrapping_add(self.strides[dim]);
                if at[dim] < self.shape[dim] {
                    break;
                }
                start = start.wrapping_sub(self.shape[dim].wrapping_mul(self.strides[dim]));
                at[dim] = 0;
            }
        }
    }
}

/// The memory of a tensor.
struct Image {
    bytes: Bytes,
    /// Bytes of an element.
    width: usize,
    /// The byte at which the tensor's first element lies; others may come before it.
    start: i64,
    /// For each element's place, whether it holds one; none where all do.
    held: Option<Vec<bool>>,
}

impl Image {
    fn new(x: &HostTensor, layout: &Layout) -> Result<Image, String> {
        let width = x.dtype.size();
        if layout.is_row_major() {
            return Ok(Image { bytes: x.bytes.clone(), width, start: 0, held: None });
        }
        let Some((lo, hi)) = layout.span()? else {
            return Ok(Image { bytes: Vec::new().into(), width, start: 0, held: None });
        };
        let places = hi.checked_sub(lo).and_then(|it| usize::try_from(it).ok());
        let Some(places) = places.filter(|it| *it < MAX_BYTES / width) else {
            return Err("a memory that is too large".to_owned());
        };
        let mut bytes = vec![0; (places + 1) * width];
        let mut held = vec![false; places + 1];
        by_width!(width, write(&x.bytes, layout, lo, &mut bytes, &mut held));
        let held = held.contains(&false).then_some(held);
        Ok(Image { bytes: bytes.into(), width, start: -lo * width as i64, held })
    }

    /// The bytes of a range of places from the first element on; `width` bytes each.
    fn range(&self, lo: i64, hi: i64, width: usize) -> Result<Range<usize>, String> {
        let byte = |place: i64| {
            let it = place.checked_mul(width as i64)?.checked_add(self.start)?;
            usize::try_from(it).ok().filter(|it| *it <= self.bytes.len())
        };
        let range = byte(lo).zip(hi.checked_add(1).and_then(byte));
        range.map(|it| it.0..it.1).ok_or_else(|| {
            let before = self.start / width as i64;
            let end = self.bytes.len() as i64 / width as i64 - before;
            format!("elements {lo}..={hi} of a memory that has {}..{end}", -before)
        })
    }

    /// The elements of `target`, where they lie just so in this memory.
    fn whole(&self, target: &Layout, offset: i64, width: usize) -> Option<Bytes> {
        let (lo, hi) = target.span().ok()??;
        if self.held.is_some() || !target.is_row_major() {
            return None;
        }
        let range = self.range(lo.checked_add(offset)?, hi.checked_add(offset)?, width).ok()?;
        Some(match &self.bytes {
            Bytes::Owned(it) => Bytes::Shared(Arc::<Vec<u8>>::clone(it), range),
            Bytes::Shared(it, outer) => {
                Bytes::Shared(it.clone(), outer.start + range.start..outer.start + range.end)
            }
        })
    }
}

/// Puts elements in row-major order where they lie.
fn write<const N: usize>(
    elems: &[u8],
    layout: &Layout,
    lo: i64,
    bytes: &mut [u8],
    held: &mut [bool],
) {
    let (elems, image) = (elems.as_chunks::<N>().0, bytes.as_chunks_mut::<N>().0);
    let mut next = elems.iter();
    layout.for_each(|place| {
        let place = (place - lo) as usize;
        if let Some(it) = next.next() {
            image[place] = *it;
            held[place] = true;
        }
    });
}

/// Takes elements in row-major order from where they lie.
fn read<const N: usize>(
    image: &Image,
    layout: &Layout,
    offset: i64,
    to: &mut [u8],
) -> Result<(), String> {
    let Some((lo, hi)) = layout.span()? else {
        return Ok(());
    };
    let (Some(lo), Some(hi)) = (lo.checked_add(offset), hi.checked_add(offset)) else {
        return Err("an offset that does not fit in 64 bits".to_owned());
    };
    image.range(lo, hi, N)?;
    let first = image.start + offset * N as i64;
    let bytes: &[u8] = &image.bytes;
    let mut missing = false;
    let mut next = to.as_chunks_mut::<N>().0.iter_mut();
    layout.for_each(|place| {
        let byte = (first + place * N as i64) as usize;
        if let Some(held) = &image.held {
            let last = (byte + N - 1) / image.width;
            missing |= held[byte / image.width..=last].contains(&false);
        }
        if let Some(it) = next.next() {
            it.copy_from_slice(&bytes[byte..byte + N]);
        }
    });
    match missing {
        true => Err("reads memory between the tensor's elements".to_owned()),
        false => Ok(()),
    }
}

/// Rearranges weights. Used on whole models at compile time, so elements are moved as they are.
pub(crate) fn pack(cx: &EvalCx<'_>) -> Evaluated {
    let it = Pack(cx.view);
    let [w] = cx.operands else {
        return Err(error("takes one tensor"));
    };
    let w = w.tensor()?.check()?;
    let packing = Packing::new(&it.kind(), it.groups(), &w.shape).map_err(error)?;
    let shape = vec![packing.count() as i64];
    let mut bytes = zeroed(w.dtype, &shape)?;
    by_width!(w.dtype.size(), fill(&packing, &w.bytes, &mut bytes));
    Ok(vec![HostValue::Tensor(HostTensor { dtype: w.dtype, shape, bytes: bytes.into() })])
}

/// The layouts of packed weights that `kernels.h` describes.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    /// Panels of columns of `k` by `n`.
    Matrix { k: usize, n: usize },
    /// Panels of the columns of each group's matrix: output channels by filter positions, each
    /// with all its input channels.
    Conv { groups: usize, out: usize, inner: usize, taps: usize },
    /// Filter positions by channels.
    Depthwise { channels: usize, taps: usize },
}

const WIDTH: usize = PANEL as usize;

impl Packing {
    fn new(kind: &str, groups: i64, shape: &[i64]) -> Result<Packing, String> {
        let size = |it: i64| usize::try_from(it).map_err(|_| format!("a size of {it}"));
        match (kind, shape) {
            ("gemm_b", [k, n]) => Ok(Packing::Matrix { k: size(*k)?, n: size(*n)? }),
            ("conv2d", [o, c, h, w]) => {
                if groups < 1 || o % groups != 0 {
                    return Err(format!("{o} channels in {groups} groups"));
                }
                Ok(Packing::Conv {
                    groups: size(groups)?,
                    out: size(o / groups)?,
                    inner: size(*c)?,
                    taps: size(h * w)?,
                })
            }
            ("depthwise2d", [c, 1, h, w]) => {
                Ok(Packing::Depthwise { channels: size(*c)?, taps: size(h * w)? })
            }
            _ => Err(format!("{shape:?} cannot be packed as `{kind}`")),
        }
    }

    /// How many elements the packed weights have.
    pub(super) fn count(self) -> usize {
        match self {
            Packing::Matrix { k, n } => k * n.next_multiple_of(WIDTH),
            Packing::Conv { groups, out, inner, taps } => {
                groups * out.next_multiple_of(WIDTH) * inner * taps
            }
            Packing::Depthwise { channels, taps } => channels * taps,
        }
    }

    /// The packed weights as one row-major matrix per group, one after the other: a column for each
    /// output channel, a row for each filter position and input channel (or each `k`).
    pub(super) fn unpack(self, packed: &[f32]) -> Result<Vec<f32>, EvalError> {
        let expected = self.count();
        if packed.len() != expected {
            return Err(EvalError(format!("{} packed weights, not {expected}", packed.len())));
        }
        let (groups, k, n) = match self {
            Packing::Matrix { k, n } => (1, k, n),
            Packing::Conv { groups, out, inner, taps } => (groups, inner * taps, out),
            // One column each: the filter of a channel.
            Packing::Depthwise { channels, taps } => {
                let by_channel = |it: usize| packed[it % taps * channels + it / taps];
                return Ok((0..expected).map(by_channel).collect());
            }
        };
        let mut res = vec![0.0; groups * k * n];
        let panels = n.div_ceil(WIDTH);
        for (i, row) in packed.chunks_exact(WIDTH).enumerate() {
            let (group, panel, l) = (i / k / panels, i / k % panels, i % k);
            let column = panel * WIDTH;
            let width = WIDTH.min(n - column);
            let to = (group * k + l) * n + column;
            res[to..to + width].copy_from_slice(&row[..width]);
        }
        Ok(res)
    }
}

/// Moves elements to their packed places; what stays is zero.
fn fill<const N: usize>(packing: &Packing, from: &[u8], to: &mut [u8]) {
    let (from, to) = (from.as_chunks::<N>().0, to.as_chunks_mut::<N>().0);
    match *packing {
        Packing::Matrix { k, n } => {
            for (i, row) in to.chunks_exact_mut(WIDTH).enumerate() {
                let (panel, l) = (i / k, i % k);
                let column = panel * WIDTH;
                let width = WIDTH.min(n - column);
                row[..width].copy_from_slice(&from[l * n + column..][..width]);
            }
        }
        Packing::Conv { groups, out, inner, taps } => {
            let filter = inner * taps;
            let panels = (0..groups).flat_map(|group| {
                (0..out)
                    .step_by(WIDTH)
                    .map(move |first| (group * out + first, WIDTH.min(out - first)))
            });
            if filter == 0 {
                return;
            }
            for (panel, (first, width)) in to.chunks_exact_mut(filter * WIDTH).zip(panels) {
                let rows = panel.as_chunks_mut::<WIDTH>().0;
                let filters = &from[first * filter..(first + width) * filter];
                // Filters are read along, sixteen at a time; rows are a filter position's.
                for channel in 0..inner {
                    for tap in 0..taps {
                        let row = &mut rows[tap * inner + channel];
                        for (to, filter) in row.iter_mut().zip(filters.chunks_exact(filter)) {
                            *to = filter[channel * taps + tap];
                        }
                    }
                }
            }
        }
        Packing::Depthwise { channels, taps } => {
            for (i, to) in to.iter_mut().enumerate() {
                *to = from[i % channels * taps + i / channels];
            }
        }
    }
}
