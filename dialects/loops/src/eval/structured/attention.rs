//! Attention, computed in `f64` row by row.

use ir::{DType, EvalCx, HostTensor, HostValue};

use crate::eval::{Eval, Evaluated, error, kernel::tensors, zeroed};
use crate::ops::Attention;

/// A tensor of four dimensions.
struct Block {
    elems: Vec<f32>,
    shape: [usize; 4],
}

impl Block {
    fn new(it: &HostTensor) -> Eval<Block> {
        let sizes: Vec<usize> =
            it.shape.iter().filter_map(|it| usize::try_from(*it).ok()).collect();
        match <[usize; 4]>::try_from(sizes) {
            Ok(shape) => Ok(Block { elems: it.to_f32(), shape }),
            Err(_) => Err(error(format!("takes no tensor of {:?}", it.shape))),
        }
    }

    /// The vector along the last dimension.
    fn row(&self, batch: usize, head: usize, row: usize) -> &[f32] {
        let [_, heads, rows, width] = self.shape;
        &self.elems[((batch * heads + head) * rows + row) * width..][..width]
    }
}

/// What is added to each score: the mask's element, or what keeps a pair from attending.
struct Mask {
    elems: Vec<f32>,
    /// 0 where the mask is broadcast.
    strides: [usize; 4],
}

impl Mask {
    fn new(it: &HostTensor, shape: [usize; 4]) -> Eval<Mask> {
        let misfit = || error(format!("a mask of {:?} for {shape:?}", it.shape));
        let missing = 4_usize.checked_sub(it.shape.len()).ok_or_else(misfit)?;
        let mut strides = [0; 4];
        for (dim, (size, stride)) in it.shape.iter().zip(it.strides()).enumerate() {
            strides[missing + dim] = match *size {
                1 => 0,
                it if usize::try_from(it) == Ok(shape[missing + dim]) => stride,
                _ => return Err(misfit()),
            };
        }
        let elems = match it.dtype {
            DType::Bool => {
                it.elems().map(|it| if it.is_true() { 0.0 } else { f32::NEG_INFINITY }).collect()
            }
            _ => it.to_f32(),
        };
        Ok(Mask { elems, strides })
    }

    fn at(&self, index: [usize; 4]) -> f64 {
        let place: usize = index.iter().zip(self.strides).map(|(i, stride)| i * stride).sum();
        self.elems[place].into()
    }
}

pub(crate) fn attention(cx: &EvalCx<'_>) -> Evaluated {
    let it = Attention(cx.view);
    let tensors = tensors(cx.operands)?;
    let (q, k, v, mask) = match &tensors[..] {
        [q, k, v] => (q, k, v, None),
        [q, k, v, mask] => (q, k, v, Some(mask)),
        _ => return Err(error("takes three tensors and a mask")),
    };
    let (q, k, v) = (Block::new(q)?, Block::new(k)?, Block::new(v)?);
    let ([batches, heads, rows, width], [_, kv_heads, length, _]) = (q.shape, k.shape);
    let out_width = v.shape[3];
    let agrees = k.shape == [batches, kv_heads, length, width]
        && v.shape == [batches, kv_heads, length, out_width]
        && kv_heads.max(1) <= heads.max(1)
        && heads % kv_heads.max(1) == 0;
    if !agrees {
        return Err(error(format!("C1: {:?}, {:?}, {:?}", q.shape, k.shape, v.shape)));
    }
    let mask = mask.map(|it| Mask::new(it, [batches, heads, rows, length])).transpose()?;
    let sharing = heads / kv_heads.max(1);
    let mut scores = vec![0.0; length];
    let mut sums = vec![0.0; out_width];
    let shape = [batches, heads, rows, out_width].map(|it| it as i64).to_vec();
    let mut res = zeroed(DType::F32, &shape)?;
    let outs = res.as_chunks_mut::<4>().0.chunks_exact_mut(out_width.max(1));
    for (row, out) in outs.enumerate() {
        let (batch, head, row) = (row / rows / heads, row / rows % heads, row % rows);
        let from = head / sharing;
        for (j, score) in scores.iter_mut().enumerate() {
            let pairs = q.row(batch, head, row).iter().zip(k.row(batch, from, j));
            let product: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let added = mask.as_ref().map_or(0.0, |it| it.at([batch, head, row, j]));
            let is_hidden = it.causal() && row < j;
            *score = if is_hidden { f64::NEG_INFINITY } else { product * it.scale() + added };
        }
        softmax(&mut scores);
        sums.fill(0.0);
        for (j, weight) in scores.iter().enumerate() {
            let value = v.row(batch, from, j);
            sums.iter_mut().zip(value).for_each(|(sum, it)| *sum += weight * f64::from(*it));
        }
        out.iter_mut().zip(&sums).for_each(|(to, sum)| *to = (*sum as f32).to_le_bytes());
    }
    let res = HostTensor { dtype: DType::F32, shape, bytes: res.into() };
    let res = match tensors[0].dtype {
        DType::F32 => res,
        dtype => HostTensor::from_elems(dtype, res.shape.clone(), res.elems()),
    };
    Ok(vec![HostValue::Tensor(res)])
}

/// In place; all zeros where nothing may be attended to, as eager's attention has it.
fn softmax(scores: &mut [f64]) {
    if scores.iter().all(|it| *it == f64::NEG_INFINITY) {
        scores.fill(0.0);
        return;
    }
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|it| *it = (*it - max).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|it| *it /= sum);
}
