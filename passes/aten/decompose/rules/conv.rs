//! Convolution, its transposed form, and attention.

use ir::{Arg, DType, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{norm::per_channel, rules};
use crate::decompose::{
    cx::Cx,
    emit::{float, int},
};

type Values = Result<Vec<ValueId>>;

/// What a convolution is given besides its tensors, one entry per spatial dimension.
struct Geometry {
    stride: Vec<i64>,
    low: Vec<i64>,
    high: Vec<i64>,
    dilation: Vec<i64>,
    groups: i64,
}

impl Geometry {
    fn read(cx: &Cx<'_, '_>, weight: &[Expr]) -> Result<Geometry> {
        let spatial = weight.len().saturating_sub(2);
        if !(1..=3).contains(&spatial) {
            return Err(cx.error("a kernel of another rank"));
        }
        let list = |name: &str| cx.ints_for(name, spatial);
        let (stride, dilation) = (list("stride")?, list("dilation")?);
        let (low, high) = match cx.text("padding") {
            Err(_) => {
                let padding = list("padding")?;
                (padding.clone(), padding)
            }
            Ok(it) if it == "same" => {
                let total = |i: usize| -> Result<i64> {
                    let kernel = weight[i + 2].as_int();
                    kernel
                        .map(|it| dilation[i] * (it - 1))
                        .ok_or_else(|| cx.error("padding `same` for a kernel of unknown size"))
                };
                let total = (0..spatial).map(total).collect::<Result<Vec<_>>>()?;
                (
                    total.iter().map(|it| it / 2).collect(),
                    total.iter().map(|it| it - it / 2).collect(),
                )
            }
            Ok(_) => (vec![0; spatial], vec![0; spatial]),
        };
        let groups = if cx.has("groups") { cx.int("groups")? } else { 1 };
        Ok(Geometry { stride, low, high, dilation, groups })
    }
}

fn sizes(it: &[i64]) -> Vec<Expr> {
    it.iter().copied().map(Expr::int).collect()
}

/// Adds a batch of one, where it is missing, and takes it away after.
fn with_batch(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    rank: usize,
    f: impl FnOnce(&mut Cx<'_, '_>, ValueId) -> Result<ValueId>,
) -> Result<ValueId> {
    if cx.rank(x) == rank {
        return f(cx, x);
    }
    let batch = cx.unsqueeze(x, 0)?;
    let res = f(cx, batch)?;
    cx.squeeze(res, 0)
}

fn add_bias(cx: &mut Cx<'_, '_>, x: ValueId) -> Result<ValueId> {
    let Some(bias) = cx.opt("bias")? else { return Ok(x) };
    let bias = cx.widened(bias)?;
    let bias = per_channel(cx, bias, cx.rank(x))?;
    cx.zip(ScalarFn::Add, x, bias)
}

fn conv_of(cx: &mut Cx<'_, '_>, input: &str) -> Values {
    let (x, weight) = (cx.x(input)?, cx.x("weight")?);
    // Half types add up in float32, bias included, and are rounded once.
    let dtype = cx.dtype_of(x);
    let (x, weight) = (cx.widened(x)?, cx.widened(weight)?);
    let kernel = cx.shape(weight);
    let it = Geometry::read(cx, &kernel)?;
    let res = with_batch(cx, x, kernel.len(), |cx, x| {
        let (low, high) = (sizes(&it.low), sizes(&it.high));
        let res = cx.build(|make| {
            tensor::Conv::build(make, x, weight, it.stride, low, high, it.dilation, it.groups)
        })?;
        add_bias(cx, res)
    })?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// Input and output channels exchanged within each group, and every spatial dimension reversed.
fn transposed_weight(cx: &mut Cx<'_, '_>, weight: ValueId, groups: i64) -> Result<ValueId> {
    let shape = cx.shape(weight);
    let rank = shape.len();
    let groups = Expr::int(groups);
    let inputs = cx.simple(&shape[0].floor_div(&groups));
    let spatial = &shape[2..];
    let grouped: Vec<Expr> = [groups.clone(), inputs.clone(), shape[1].clone()]
        .into_iter()
        .chain(spatial.iter().cloned())
        .collect();
    let weight = cx.reshape(weight, &grouped)?;
    let weight = cx.transpose(weight, 1, 2)?;
    let merged: Vec<Expr> =
        [groups * shape[1].clone(), inputs].into_iter().chain(spatial.iter().cloned()).collect();
    let weight = cx.reshape(weight, &merged)?;
    let dims: Vec<usize> = (2..rank).collect();
    cx.flip(weight, &dims)
}

fn conv_transpose_of(cx: &mut Cx<'_, '_>) -> Values {
    let (x, weight) = (cx.x("input")?, cx.x("weight")?);
    let dtype = cx.dtype_of(x);
    let (x, weight) = (cx.widened(x)?, cx.widened(weight)?);
    let kernel = cx.shape(weight);
    let rank = kernel.len();
    let it = Geometry::read(cx, &kernel)?;
    let extra = cx.ints_for("output_padding", rank.saturating_sub(2))?;
    let known: Option<Vec<i64>> = kernel.iter().skip(2).map(Expr::as_int).collect();
    let strided = it.stride.iter().any(|it| 1 < *it) && it.dilation.iter().all(|it| *it == 1);
    let res = with_batch(cx, x, rank, |cx, x| {
        let res = match known {
            Some(kernel) if strided => by_residues(cx, x, weight, &it, &kernel, &extra)?,
            _ => over_gaps(cx, x, weight, &it, &extra)?,
        };
        add_bias(cx, res)
    })?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// A plain convolution over the input with gaps between its elements.
fn over_gaps(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    weight: ValueId,
    it: &Geometry,
    extra: &[i64],
) -> Result<ValueId> {
    let kernel = cx.shape(weight);
    let weight = transposed_weight(cx, weight, it.groups)?;
    let mut low = vec![Expr::int(0); 2];
    let mut high = vec![Expr::int(0); 2];
    let mut interior = vec![0; 2];
    for (i, size) in kernel.iter().skip(2).enumerate() {
        let reach = (size.clone() - Expr::int(1)) * Expr::int(it.dilation[i]);
        low.push(reach.clone() - Expr::int(it.low[i]));
        high.push(reach - Expr::int(it.high[i]) + Expr::int(extra[i]));
        interior.push(it.stride[i] - 1);
    }
    let x = cx.pad(x, low, high, interior, float(0.0))?;
    let none = vec![Expr::int(0); it.stride.len()];
    let (ones, dilation) = (vec![1; it.stride.len()], it.dilation.clone());
    cx.build(|make| {
        tensor::Conv::build(make, x, weight, ones, none.clone(), none, dilation, it.groups)
    })
}

/// One convolution for all residues of an output's position modulo the stride, so that nothing
/// is multiplied by the gaps between the elements.
///
/// Counted from the start of its padding, the output at `u` is the sum over `j` of `x[a - j]`
/// times `w[r + s*j]`, where `s` is the stride, `a = u // s` and `r = u % s`. A filter filled up
/// to a multiple of `s` is therefore `s` filters of that part of the length, one for each `r`; as
/// channels of one convolution they give all the outputs of one `a` at once.
fn by_residues(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    weight: ValueId,
    it: &Geometry,
    kernel: &[i64],
    extra: &[i64],
) -> Result<ValueId> {
    let spatial = kernel.len();
    let (outer, image) = (cx.shape(weight), cx.shape(x));
    let groups = Expr::int(it.groups);
    let inputs = cx.simple(&outer[0].floor_div(&groups));
    let taps: Vec<i64> =
        (0..spatial).map(|i| (kernel[i] + it.stride[i] - 1) / it.stride[i]).collect();
    // As [group, input, output, taps, residue, taps, residue, …], the taps from last to first.
    let missing = (0..spatial).map(|i| Expr::int(taps[i] * it.stride[i] - kernel[i]));
    let high: Vec<Expr> = [Expr::int(0), Expr::int(0)].into_iter().chain(missing).collect();
    let none = vec![Expr::int(0); spatial + 2];
    let weight = cx.pad(weight, none, high, vec![0; spatial + 2], float(0.0))?;
    let mut split = vec![groups.clone(), inputs.clone(), outer[1].clone()];
    (0..spatial).for_each(|i| split.extend([Expr::int(taps[i]), Expr::int(it.stride[i])]));
    let weight = cx.reshape(weight, &split)?;
    let tap_dims: Vec<usize> = (0..spatial).map(|i| 3 + 2 * i).collect();
    let residue_dims: Vec<usize> = tap_dims.iter().map(|it| it + 1).collect();
    let weight = cx.flip(weight, &tap_dims)?;
    let order: Vec<usize> = [vec![0], residue_dims.clone(), vec![2, 1], tap_dims.clone()].concat();
    let weight = cx.permute(weight, &order)?;
    let residues: i64 = it.stride.iter().product();
    let mut merged = vec![groups.clone() * outer[1].clone() * Expr::int(residues), inputs];
    merged.extend(taps.iter().copied().map(Expr::int));
    let weight = cx.reshape(weight, &merged)?;
    // Past the end by as many places as the last output needs.
    let last = |i: usize| kernel[i] + extra[i] - it.high[i] - it.stride[i];
    let high: Vec<i64> = (0..spatial)
        .map(|i| {
            last(i).div_euclid(it.stride[i]) + i64::from(last(i).rem_euclid(it.stride[i]) != 0)
        })
        .map(|it| it.max(0))
        .collect();
    let low: Vec<Expr> = taps.iter().map(|it| Expr::int(it - 1)).collect();
    let (ones, high_sizes) = (vec![1; spatial], sizes(&high));
    let res = cx.build(|make| {
        tensor::Conv::build(make, x, weight, ones.clone(), low, high_sizes, ones, it.groups)
    })?;
    // From [batch, group, residues, output, places] to places and residues side by side.
    let places: Vec<Expr> =
        (0..spatial).map(|i| cx.simple(&(image[2 + i].clone() + Expr::int(high[i])))).collect();
    let mut split = vec![image[0].clone(), groups.clone()];
    split.extend(sizes(&it.stride));
    split.push(outer[1].clone());
    split.extend(places.iter().cloned());
    let res = cx.reshape(res, &split)?;
    let mut order = vec![0, 1, 2 + spatial];
    (0..spatial).for_each(|i| order.extend([3 + spatial + i, 2 + i]));
    let res = cx.permute(res, &order)?;
    let mut merged = vec![image[0].clone(), groups * outer[1].clone()];
    merged.extend((0..spatial).map(|i| places[i].clone() * Expr::int(it.stride[i])));
    let mut res = cx.reshape(res, &merged)?;
    for i in 0..spatial {
        let (stride, size) = (Expr::int(it.stride[i]), image[2 + i].clone());
        let padding = Expr::int(kernel[i] + extra[i] - it.low[i] - it.high[i]);
        let size = cx.simple(&((size - Expr::int(1)) * stride + padding));
        res = cx.slice(res, 2 + i, Expr::int(it.low[i]), size, 1)?;
    }
    Ok(res)
}

fn convolution(cx: &mut Cx<'_, '_>) -> Values {
    if cx.flag("transposed")? { conv_transpose_of(cx) } else { conv_of(cx, "input") }
}

/// Time, batch and channels in that order; the weight as width, input and output channels.
fn conv_tbc(cx: &mut Cx<'_, '_>) -> Values {
    let (x, weight, bias) = (cx.x("self")?, cx.x("weight")?, cx.x("bias")?);
    let pad = vec![cx.size("pad")?];
    let x = cx.permute(x, &[1, 2, 0])?;
    let weight = cx.permute(weight, &[2, 1, 0])?;
    let res = cx.build(|make| {
        tensor::Conv::build(make, x, weight, vec![1], pad.clone(), pad, vec![1], 1)
    })?;
    let bias = per_channel(cx, bias, 3)?;
    let res = cx.zip(ScalarFn::Add, res, bias)?;
    Ok(vec![cx.permute(res, &[2, 0, 1])?])
}

/// The operand as `[batch, heads, length, width]`, whatever its leading dimensions were.
fn four_dims(cx: &mut Cx<'_, '_>, x: ValueId, lead: &[Expr]) -> Result<ValueId> {
    let shape = cx.shape(x);
    let rank = shape.len();
    let tail = shape[rank.saturating_sub(2)..].to_vec();
    let whole: Vec<Expr> = lead.iter().chain(&tail).cloned().collect();
    let x = if lead.len() + 2 == rank && 2 <= rank {
        // Heads may differ between operands; all other leading dimensions broadcast.
        let mut wanted = whole.clone();
        if 3 <= rank && cx.dim_size(x, rank.saturating_sub(3)).as_int() != Some(1) {
            wanted[rank.saturating_sub(3)] = shape[rank.saturating_sub(3)].clone();
        }
        cx.expand(x, &wanted)?
    } else {
        cx.expand(x, &whole)?
    };
    let shape = cx.shape(x);
    let four = match shape.len() {
        2 => vec![Expr::int(1), Expr::int(1), shape[0].clone(), shape[1].clone()],
        3 => vec![shape[0].clone(), Expr::int(1), shape[1].clone(), shape[2].clone()],
        rank => {
            let batch =
                shape[..rank.saturating_sub(3)].iter().fold(Expr::int(1), |a, it| a * it.clone());
            [batch].into_iter().chain(shape[rank.saturating_sub(3)..].iter().cloned()).collect()
        }
    };
    cx.reshape(x, &four)
}

fn mask_of(cx: &mut Cx<'_, '_>, mask: ValueId, lead: &[Expr], dtype: DType) -> Result<ValueId> {
    let mask = if cx.dtype_of(mask) == DType::Bool { mask } else { cx.cast(mask, dtype)? };
    let rank = cx.rank(mask);
    if lead.len() == 2 && rank <= 4 {
        return Ok(mask);
    }
    let shape = cx.shape(mask);
    match (lead.len(), rank) {
        (_, 0..=2) => Ok(mask),
        (1, 3) => cx.unsqueeze(mask, 1),
        _ => {
            let whole: Vec<Expr> =
                lead.iter().chain(&shape[rank.saturating_sub(2)..]).cloned().collect();
            let mask = cx.expand(mask, &whole)?;
            four_dims(cx, mask, lead)
        }
    }
}

fn attention(cx: &mut Cx<'_, '_>, mask_name: &str) -> Values {
    let (q, k, v) = (cx.x("query")?, cx.x("key")?, cx.x("value")?);
    let (dropout, causal) = (cx.float("dropout_p")?, cx.flag("is_causal")?);
    if dropout != 0.0 {
        return Err(cx.error("attention with dropout"));
    }
    let shape = cx.out_shape()?;
    let mask = if cx.has(mask_name) { cx.opt(mask_name)? } else { None };
    let width = cx.dim_size(q, cx.rank(q).saturating_sub(1));
    let scale = match (cx.get::<Option<f64>>("scale")?, width.as_int()) {
        (Some(it), _) => it,
        (None, Some(width)) => 1.0 / (width as f64).sqrt(),
        (None, None) => return Err(cx.error("attention over vectors of unknown width")),
    };
    let lead = shape[..shape.len().saturating_sub(2)].to_vec();
    let dtype = cx.dtype_of(q);
    let [q, k, v] = [four_dims(cx, q, &lead)?, four_dims(cx, k, &lead)?, four_dims(cx, v, &lead)?];
    let mask = match mask {
        Some(it) => Arg::Value(mask_of(cx, it, &lead, dtype)?),
        None => Arg::None,
    };
    let res = cx.build(|make| tensor::Attention::build(make, q, k, v, mask, scale, causal))?;
    Ok(vec![cx.reshape(res, &shape)?])
}

/// For each query the logarithm of the sum that its weights are divided by.
fn log_sums(cx: &mut Cx<'_, '_>) -> Result<ValueId> {
    let (q, k) = (cx.x("query")?, cx.x("key")?);
    if cx.rank(q) != 4 || cx.rank(k) != 4 || !cx.equal(&cx.dim_size(q, 1), &cx.dim_size(k, 1)) {
        return Err(cx.error("logarithms of the sums of attention whose heads are shared"));
    }
    let width = cx.dim_size(q, 3).as_int();
    let scale = match (cx.get::<Option<f64>>("scale")?, width) {
        (Some(it), _) => it,
        (None, Some(width)) => 1.0 / (width as f64).sqrt(),
        (None, None) => return Err(cx.error("attention over vectors of unknown width")),
    };
    let (q, k) = (cx.widened(q)?, cx.widened(k)?);
    let scores = cx.contract(q, k, (&[0, 1], &[0, 1]), (&[3], &[3]))?;
    let mut scores = cx.with_number(ScalarFn::Mul, scores, float(scale))?;
    let low = cx.full_like(scores, float(f64::NEG_INFINITY))?;
    if let Some(mask) = cx.opt("attn_mask")? {
        scores = match cx.dtype_of(mask) {
            DType::Bool => cx.select(mask, scores, low)?,
            _ => {
                let mask = cx.cast(mask, cx.dtype_of(scores))?;
                cx.zip(ScalarFn::Add, scores, mask)?
            }
        };
    }
    if cx.flag("is_causal")? {
        let shape = cx.shape(scores).into_vec();
        let row = cx.iota(&shape[2..], 0, int(0), int(1), DType::I64)?;
        let column = cx.iota(&shape[2..], 1, int(0), int(1), DType::I64)?;
        let kept = cx.zip(ScalarFn::Le, column, row)?;
        scores = cx.select(kept, scores, low)?;
    }
    let top = cx.reduce("max", scores, &[3], true)?;
    let centred = cx.zip(ScalarFn::Sub, scores, top)?;
    let power = cx.map(ScalarFn::Exp, centred)?;
    let sum = cx.reduce("sum", power, &[3], true)?;
    let log = cx.map(ScalarFn::Log, sum)?;
    let res = cx.zip(ScalarFn::Add, log, top)?;
    cx.squeeze(res, 3)
}

/// The logarithms of the sums besides, where somebody asks; mostly only a backward pass does.
fn flash_attention(cx: &mut Cx<'_, '_>) -> Values {
    let mut res = attention(cx, "attn_mask")?;
    for i in 1..cx.results() {
        let (shape, dtype) = match cx.out(i) {
            Ok(ty) => (ty.shape.to_vec(), ty.dtype),
            Err(_) => (Vec::new(), DType::F32),
        };
        if !cx.is_read(i) {
            res.push(cx.full(float(0.0), &shape, dtype)?);
        } else if cx.name() == "_scaled_dot_product_flash_attention_for_cpu" {
            let sums = log_sums(cx)?;
            res.push(cx.cast(sums, dtype)?);
        } else {
            return Err(cx.error("more than the result of attention is read"));
        }
    }
    Ok(res)
}

rules! {
    "conv1d" | "conv1d.padding" | "conv2d" | "conv2d.padding" | "conv3d" | "conv3d.padding" =>
        |cx| conv_of(cx, "input"),
    "conv_depthwise3d" => |cx| conv_of(cx, "self"),
    "conv_transpose1d" | "conv_transpose2d.input" | "conv_transpose3d.input" => conv_transpose_of,
    "convolution" | "_convolution" => convolution,
    "conv_tbc" => conv_tbc,
    "_scaled_dot_product_flash_attention_for_cpu" | "_scaled_dot_product_attention_math" =>
        flash_attention,
    "scaled_dot_product_attention" => |cx| attention(cx, "attn_mask"),
}
