//! Where inputs come from when nobody gives any: from the archive, or from a seed.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use diag::{Diag, codes};
use import::{Sample, WeightRef};
use tintype_runtime::{DType, Model, Tensor, TensorInfo};

use crate::{Failure, session, values};

/// Sizes of symbols that a user has chosen.
pub type Sizes = BTreeMap<String, i64>;

/// The size a symbol has where nobody chose one and its range allows it.
const USUAL_SIZE: i64 = 8;

/// The size of a symbol in a range, where nobody chose one.
pub(crate) fn usual_size(min: i64, max: i64) -> i64 {
    USUAL_SIZE.clamp(min.min(max), max)
}

/// Inputs that fit a model's signature, the same for the same seed. Floats are near the normal
/// distribution, integers are 0 or 1, so that they are good as indices too.
pub fn seeded(model: &Model, seed: u64, chosen: &Sizes) -> Result<Vec<Tensor>, Failure> {
    let known = |name: &String| model.symbols().iter().any(|it| it.name == **name);
    if let Some(name) = chosen.keys().find(|it| !known(it)) {
        let all: Vec<&str> = model.symbols().iter().map(|it| it.name.as_str()).collect();
        let diag = Diag::error(&codes::USAGE, format!("the model has no size called `{name}`"));
        let diag = match all.is_empty() {
            true => diag.note("its sizes are all fixed"),
            false => diag.note(format!("it has: {}", all.join(", "))),
        };
        return Err(diag.into());
    }
    let size = |name: &str| {
        let usual = model.symbols().iter().find(|it| it.name == name);
        let usual = usual.map(|it| usual_size(it.min, it.max.unwrap_or(i64::MAX)));
        chosen.get(name).copied().or(usual)
    };
    let make = |(i, info): (usize, &TensorInfo)| {
        let mut shape = Vec::new();
        for text in &info.dims {
            let value = sym::parse(text).ok().and_then(|it| it.eval(&size).ok());
            let value = value.and_then(|it| usize::try_from(it).ok()).ok_or_else(|| {
                let message = format!("input `{}`: no size for the dimension `{text}`", info.name);
                Diag::error(&codes::INPUT, message)
                    .note("give inputs with --inputs, or sizes with --size NAME=N")
            })?;
            shape.push(value);
        }
        // Each input has its own sequence, so that one more does not change the others.
        random(info, &shape, seed.wrapping_add((i as u64) << 32))
    };
    model.inputs().iter().enumerate().map(make).collect()
}

fn random(info: &TensorInfo, shape: &[usize], seed: u64) -> Result<Tensor, Failure> {
    let numel: usize = shape.iter().product();
    let mut random = Random(seed);
    let dtype = info.dtype.unwrap_or(DType::F32);
    let compiled = values::compiler_dtype(dtype).ok_or_else(|| {
        let message = format!("input `{}`: no {dtype} is made up; give --inputs", info.name);
        Failure::new(&codes::INPUT, message)
    })?;
    let mut bytes = Vec::with_capacity(numel * dtype.size());
    for _ in 0..numel {
        let elem = match compiled.kind() {
            ir::DTypeKind::Float => ir::scalar::Elem::Float(random.normal()),
            ir::DTypeKind::Complex => ir::scalar::Elem::Complex(random.normal(), random.normal()),
            _ => ir::scalar::Elem::Int(i128::from(random.next() & 1)),
        };
        ir::scalar::store(compiled, elem, &mut bytes);
    }
    Ok(Tensor::from_bytes(dtype, shape, &bytes)?)
}

/// The generator SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// 2014): one word of state, and no seed is bad.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// The sum of four 16-bit uniform numbers, scaled to mean 0 and variance 1.
    fn normal(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        (sum as f64 / 65536.0 - 2.0) * 3.0_f64.sqrt()
    }
}

/// The example inputs of an archive; none where it has none that are all tensors.
pub fn sample_inputs(path: &Path) -> Result<Option<Vec<Tensor>>, Failure> {
    let map = session::map(path)?;
    let archive = session::read(path, &map)?;
    let Some(samples) = archive.sample_inputs()? else { return Ok(None) };
    let mut res = Vec::new();
    for leaf in &samples.leaves {
        match leaf {
            Sample::Tensor(view) => {
                let storage = samples.storages.get(view.storage);
                let bytes = storage.map(|it| &**it.bytes).unwrap_or_default();
                res.push(gather(view, bytes)?);
            }
            // Fixed by the export, or no input at all.
            Sample::None | Sample::Str(_) | Sample::Other => (),
            Sample::Bool(_) | Sample::Int(_) | Sample::Float(_) => return Ok(None),
        }
    }
    Ok(Some(res))
}

/// A dense copy of a stored view.
pub(crate) fn gather(view: &WeightRef, storage: &[u8]) -> Result<Tensor, Failure> {
    let dtype = values::stored_dtype(view.dtype).and_then(values::runtime_dtype);
    let bad = || Failure::new(&codes::WEIGHT, format!("a tensor of {} is not read", view.dtype));
    let dtype = dtype.ok_or_else(bad)?;
    let shape: Vec<usize> = view.sizes.iter().map(|it| usize::try_from(*it).unwrap_or(0)).collect();
    Ok(Tensor::from_bytes(dtype, &shape, &dense(view, storage).ok_or_else(bad)?)?)
}

/// A stored view as it is, strides included: a copy of what its elements span.
pub(crate) fn strided(view: &WeightRef, storage: &[u8]) -> Result<Tensor, Failure> {
    let dtype = values::stored_dtype(view.dtype).and_then(values::runtime_dtype);
    let bad = || Failure::new(&codes::WEIGHT, format!("a tensor of {} is not read", view.dtype));
    let dtype = dtype.ok_or_else(bad)?;
    let sizes = |list: &[i64]| -> Option<Vec<usize>> {
        list.iter().map(|it| usize::try_from(*it).ok()).collect()
    };
    let (shape, strides) = sizes(&view.sizes).zip(sizes(&view.strides)).ok_or_else(bad)?;
    if shape.contains(&0) {
        // It may begin anywhere: there is nothing to read.
        return Ok(Tensor::with_strides(dtype, &shape, &strides)?);
    }
    let start =
        usize::try_from(view.storage_offset).ok().and_then(|it| it.checked_mul(dtype.size()));
    let bytes = start.and_then(|it| storage.get(it..)).ok_or_else(bad)?;
    let count = bytes.len() / dtype.size();
    let flat = Tensor::from_bytes(dtype, &[count], &bytes[..count * dtype.size()])?;
    Ok(flat.as_strided(&shape, &strides, 0)?)
}

/// The elements of a stored view in row-major order; none if it reaches past its storage.
pub(crate) fn dense<'a>(view: &WeightRef, storage: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let size = usize::from(view.dtype.bytes());
    let numel = usize::try_from(view.numel()).ok()?;
    let start = usize::try_from(view.storage_offset).ok()?.checked_mul(size)?;
    if numel == 0 {
        return Some(Cow::Borrowed(&[]));
    }
    if view.is_contiguous() {
        let end = start.checked_add(numel.checked_mul(size)?)?;
        return storage.get(start..end).map(Cow::Borrowed);
    }
    let mut bytes = Vec::with_capacity(numel.checked_mul(size)?);
    let mut index = vec![0_i64; view.sizes.len()];
    loop {
        let offset: i64 = index.iter().zip(&view.strides).map(|(i, stride)| i * stride).sum();
        let at = start.checked_add(usize::try_from(offset).ok()?.checked_mul(size)?)?;
        bytes.extend_from_slice(storage.get(at..at.checked_add(size)?)?);
        // The next index in row-major order.
        let mut d = index.len();
        loop {
            if d == 0 {
                return Some(bytes.into());
            }
            d -= 1;
            index[d] += 1;
            if index[d] < view.sizes[d] {
                break;
            }
            index[d] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_gathered_in_order() {
        let storage: Vec<u8> = (0..6).collect();
        let view = |sizes: &[i64], strides: &[i64], storage_offset| WeightRef {
            storage: import::StorageId(0),
            dtype: import::ScalarType::U8,
            sizes: sizes.to_vec(),
            strides: strides.to_vec(),
            storage_offset,
            is_param: true,
            requires_grad: false,
        };
        let got = |view| dense(&view, &storage).map(|it| it.into_owned());
        assert_eq!(got(view(&[2, 3], &[3, 1], 0)), Some(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(got(view(&[3, 2], &[1, 3], 0)), Some(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(got(view(&[2, 2], &[0, 1], 4)), Some(vec![4, 5, 4, 5]));
        assert_eq!(got(view(&[], &[], 5)), Some(vec![5]));
        assert_eq!(got(view(&[0], &[1], 9)), Some(vec![]));
        assert_eq!(got(view(&[2], &[1], 5)), None);
    }
}
