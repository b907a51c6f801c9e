//! Sums of products: contraction, convolution, attention.

use ir::{DType, DTypeKind, EvalCx, EvalError, HostTensor};
use rayon::prelude::*;

use super::{
    Eval, count, dims, error, extents,
    gemm::{self, LANES, Panels},
    give, ints,
    movement::permuted,
    num::{Complex, Int, Num, encode},
    room, tensor,
    window::Axis,
};
use crate::ops::{Attention, Contract, Conv};

/// Places of the result of a convolution per task.
const BLOCK: usize = 256;

/// Calls a function generic over [`Num`] with the arithmetic of a dtype.
macro_rules! in_arithmetic_of {
    ($dtype:expr, $f:ident ( $($arg:expr),* )) => {
        match $dtype.kind() {
            DTypeKind::Float => $f::<f64>($($arg),*),
            DTypeKind::Complex => $f::<Complex>($($arg),*),
            DTypeKind::Bool | DTypeKind::Signed | DTypeKind::Unsigned => $f::<Int>($($arg),*),
        }
    };
}

/// A factor of a contraction with its dimensions in the order batch, free, contracted.
struct Factor {
    x: HostTensor,
    batch: Vec<usize>,
    free: Vec<usize>,
    contracted: Vec<usize>,
}

impl Factor {
    fn new(x: &HostTensor, batch: &[i64], contracted: &[i64]) -> Result<Factor, EvalError> {
        let shape = extents(x);
        let (batch, contracted) = (dims(batch, shape.len())?, dims(contracted, shape.len())?);
        let free: Vec<usize> =
            (0..shape.len()).filter(|it| !batch.contains(it) && !contracted.contains(it)).collect();
        let order = [&batch[..], &free, &contracted].concat();
        let sizes = |dims: &[usize]| dims.iter().map(|it| shape[*it]).collect();
        Ok(Factor {
            x: permuted(x, &order)?,
            batch: sizes(&batch),
            free: sizes(&free),
            contracted: sizes(&contracted),
        })
    }
}

pub(crate) fn contract(cx: &EvalCx<'_>) -> Eval {
    let (lhs, rhs, it) = (tensor(cx, 0)?, tensor(cx, 1)?, Contract(cx.view));
    let lhs = Factor::new(&lhs, &it.lhs_batch(), &it.lhs_contract())?;
    let rhs = Factor::new(&rhs, &it.rhs_batch(), &it.rhs_contract())?;
    if (lhs.x.dtype, &lhs.batch, &lhs.contracted) != (rhs.x.dtype, &rhs.batch, &rhs.contracted) {
        return Err(error(format!("paired sizes of {:?} and {:?} differ", lhs.x, rhs.x)));
    }
    let shape = [&lhs.batch[..], &lhs.free, &rhs.free].concat();
    give(lhs.x.dtype, &shape, in_arithmetic_of!(lhs.x.dtype, products(&lhs, &rhs, &shape))?)
}

/// Checks that there is memory for as many numbers, whatever their width.
fn roomy(shape: &[usize]) -> Result<(), EvalError> {
    room(DType::C128, count(shape)?).map(drop)
}

fn products<T: Num>(lhs: &Factor, rhs: &Factor, shape: &[usize]) -> Result<Vec<u8>, EvalError> {
    let (m, n, depth) = (count(&lhs.free)?, count(&rhs.free)?, count(&lhs.contracted)?);
    let (a, b) = (T::decode(&lhs.x), T::decode(&rhs.x));
    roomy(shape)?;
    let mut out = Vec::with_capacity(count(shape)?);
    for i in 0..count(&lhs.batch)? {
        let (a, b) = (&a[i * m * depth..][..m * depth], &b[i * n * depth..][..n * depth]);
        out.extend(gemm::product(a, b, m, n, depth));
    }
    encode(lhs.x.dtype, &out)
}

pub(crate) fn conv(cx: &EvalCx<'_>) -> Eval {
    let (x, w, it) = (tensor(cx, 0)?, tensor(cx, 1)?, Conv(cx.view));
    let (low, high) = (ints(cx, &it.low())?, ints(cx, &it.high())?);
    let (stride, dilation) = (it.stride(), it.dilation());
    let (input, kernel) = (extents(&x), extents(&w));
    let groups = super::size(it.groups())?;
    let axes = (0..low.len())
        .map(|i| {
            let (input, window) = (input[2 + i], kernel[2 + i]);
            Axis::new(input, window, stride[i], (low[i], high[i]), dilation[i])
        })
        .collect::<Result<Vec<_>, EvalError>>()?;
    if groups == 0 || input[1] != kernel[1] * groups || kernel[0] % groups != 0 {
        return Err(error(format!("{groups} groups of {kernel:?} over {input:?}")));
    }
    let mut shape = vec![input[0], kernel[0]];
    shape.extend(axes.iter().map(|it| it.output));
    let bytes = in_arithmetic_of!(x.dtype, convolution(&x, &w, &axes, groups, &shape))?;
    give(x.dtype, &shape, bytes)
}

fn convolution<T: Num>(
    x: &HostTensor,
    w: &HostTensor,
    axes: &[Axis],
    groups: usize,
    shape: &[usize],
) -> Result<Vec<u8>, EvalError> {
    let taps: usize = axes.iter().map(|it| it.window).product();
    let area: usize = axes.iter().map(|it| it.input).product();
    let places: usize = axes.iter().map(|it| it.output).product();
    let channels = extents(w)[1];
    let (images, outputs) = (shape[0], shape[1] / groups);
    let depth = channels * taps;
    let (x, weights) = (T::decode(x), T::decode(w));
    let weights: Vec<Panels<T>> = (0..groups)
        .map(|g| Panels::pack(outputs, depth, |o| &weights[(g * outputs + o) * depth..][..depth]))
        .collect();
    let sources = sources(axes, taps);
    let blocks = places.div_ceil(BLOCK);
    let tasks: Vec<Vec<T>> = (0..images * groups * blocks)
        .into_par_iter()
        .map(|task| {
            let (plane, first) = (task / blocks, task % blocks * BLOCK);
            let sources = &sources[first * taps..places.min(first + BLOCK) * taps];
            // Every image has the channels of all groups, one group after the other.
            let x = &x[plane * channels * area..][..channels * area];
            weights[plane % groups].times(&columns(x, area, channels, sources, taps))
        })
        .collect();
    roomy(shape)?;
    let mut out = vec![T::ZERO; count(shape)?];
    for (task, sums) in tasks.iter().enumerate() {
        let (plane, first) = (task / blocks, task % blocks * BLOCK);
        let width = BLOCK.min(places - first);
        for (o, row) in sums.chunks_exact(width).enumerate() {
            out[(plane * outputs + o) * places + first..][..width].copy_from_slice(row);
        }
    }
    encode(w.dtype, &out)
}

/// The source of what a window sees in the padding.
const PADDING: usize = usize::MAX;

/// For each place of the result, tap by tap, what its window sees of one channel.
fn sources(axes: &[Axis], taps: usize) -> Vec<usize> {
    let mut res = Vec::new();
    // The places of the dimensions so far, each with its taps; one dimension is added at a time.
    let mut outer = vec![vec![0]];
    for axis in axes {
        let seen: Vec<Vec<Option<usize>>> = (0..axis.output)
            .map(|at| (0..axis.window).map(|tap| axis.source(at, tap)).collect())
            .collect();
        let join = |outer: usize, inner: &Option<usize>| match (outer, inner) {
            (PADDING, _) | (_, None) => PADDING,
            (outer, Some(inner)) => outer * axis.input + inner,
        };
        outer = outer
            .iter()
            .flat_map(|outer| {
                seen.iter().map(move |inner| {
                    let pairs = outer.iter().flat_map(|o| inner.iter().map(move |i| join(*o, i)));
                    pairs.collect()
                })
            })
            .collect();
    }
    res.reserve(outer.len() * taps);
    outer.iter().for_each(|it| res.extend(it));
    res
}

/// The matrix whose row for each place holds what its window sees, channel by channel.
fn columns<T: Num>(
    x: &[T],
    area: usize,
    channels: usize,
    sources: &[usize],
    taps: usize,
) -> Panels<T> {
    let places = sources.len().checked_div(taps).unwrap_or(0);
    let mut res = Panels::zero(places, channels * taps);
    for (place, sources) in sources.chunks_exact(taps.max(1)).enumerate() {
        let panel = res.panel_mut(place);
        for (channel, panel) in panel.chunks_exact_mut(taps).enumerate() {
            let x = &x[channel * area..][..area];
            for (to, source) in panel.iter_mut().zip(sources) {
                to[place % LANES] = x.get(*source).copied().unwrap_or(T::ZERO);
            }
        }
    }
    res
}

pub(crate) fn attention(cx: &EvalCx<'_>) -> Eval {
    let it = Attention(cx.view);
    let (q, k, v) = (tensor(cx, 0)?, tensor(cx, 1)?, tensor(cx, 2)?);
    let shapes = [extents(&q), extents(&k), extents(&v)];
    let [[batch, heads, length, width], [_, groups, keys, _], [.., depth]] =
        &shapes.each_ref().map(|it| <[usize; 4]>::try_from(&it[..]).unwrap_or_default());
    let shape = [*batch, *heads, *length, *depth];
    let fits = shapes[1] == [*batch, *groups, *keys, *width]
        && shapes[2] == [*batch, *groups, *keys, *depth]
        && heads.checked_rem(*groups).map_or(*heads == 0, |it| it == 0);
    if !fits {
        return Err(error(format!("attention over {shapes:?}")));
    }
    let mask = match it.mask() {
        Some(_) => Some(Mask::new(tensor(cx, 3)?, [*batch, *heads, *length, *keys])?),
        None => None,
    };
    let (dtype, scale, causal) = (q.dtype, it.scale(), it.causal());
    let (q, k, v) = (f64::decode(&q), f64::decode(&k), f64::decode(&v));
    let head = |head: usize| {
        // Consecutive heads of the query share one head of keys and values.
        let shared = head / heads * groups + head % heads / (heads / groups.max(&1)).max(1);
        let rows = |x: &[f64], at: usize, count: usize, width: usize| {
            Panels::pack(count, width, |i| &x[(at * count + i) * width..][..width])
        };
        let queries = rows(&q, head, *length, *width);
        let mut scores = queries.times(&rows(&k, shared, *keys, *width));
        for (i, row) in scores.chunks_exact_mut((*keys).max(1)).enumerate() {
            for (j, score) in row.iter_mut().enumerate() {
                *score *= scale;
                if let Some(mask) = &mask {
                    *score += mask.at(head / heads, head % heads, i, j);
                }
                if causal && i < j {
                    *score = f64::NEG_INFINITY;
                }
            }
            softmax(row);
        }
        let v = &v[shared * keys * depth..][..keys * depth];
        let columns: Vec<f64> =
            (0..*depth).flat_map(|d| (0..*keys).map(move |j| v[j * depth + d])).collect();
        let weights = Panels::pack(*length, *keys, |i| &scores[i * keys..][..*keys]);
        weights.times(&Panels::pack(*depth, *keys, |d| &columns[d * keys..][..*keys]))
    };
    let out: Vec<Vec<f64>> = (0..batch * heads).into_par_iter().map(head).collect();
    give(dtype, &shape, encode(dtype, &out.concat())?)
}

/// Weights from scores. Where every score is `-inf`, all weights are zero, as eager has it.
fn softmax(row: &mut [f64]) {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if row.iter().all(|it| *it == f64::NEG_INFINITY) {
        row.fill(0.0);
        return;
    }
    row.iter_mut().for_each(|it| *it = (*it - max).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|it| *it /= sum);
}

/// What is added to the scores, broadcast over them.
struct Mask {
    terms: Vec<f64>,
    strides: [usize; 4],
}

impl Mask {
    fn new(mask: HostTensor, scores: [usize; 4]) -> Result<Mask, EvalError> {
        let shape = extents(&mask);
        let bad = || error(format!("a mask of {shape:?} for scores {scores:?}"));
        let missing = 4_usize.checked_sub(shape.len()).ok_or_else(bad)?;
        let mut strides = [0; 4];
        for (i, stride) in super::row_major(&shape).into_iter().enumerate() {
            match shape[i] {
                it if it == scores[missing + i] => strides[missing + i] = stride,
                1 => (),
                _ => return Err(bad()),
            }
        }
        let terms = match mask.dtype.kind() {
            DTypeKind::Bool => {
                mask.bytes.iter().map(|it| if *it == 0 { f64::NEG_INFINITY } else { 0.0 }).collect()
            }
            _ => f64::decode(&mask),
        };
        Ok(Mask { terms, strides })
    }

    fn at(&self, batch: usize, head: usize, query: usize, key: usize) -> f64 {
        let [a, b, c, d] = self.strides;
        self.terms[batch * a + head * b + query * c + key * d]
    }
}
