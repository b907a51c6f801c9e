//! The model's constants: where each lies in the library, and what its bytes are.
//!
//! A weight that the program reads as it was stored is written from the archive's own map. What the
//! compiler folded or packed is computed by the interpreter, from functions that passes set aside
//! for it; the weights those were made of are left out where nothing else reads them.
//! Where everything lies follows from types alone, so that the host program can be printed, and
//! compiled, while values are still being computed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use diag::{Diag, codes};
use emit::ConstantEntry;
use import::{Mapped, StorageId, WeightRef, Weights};
use ir::{Bytes, Function, HostTensor, HostValue, OutputKind, ParamKind, TensorType, Type};
use pass::Unit;

use crate::{Failure, inputs::dense, values::stored_dtype};

/// What the bytes of a stored constant are.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Content {
    /// A whole storage of the archive.
    Storage(StorageId),
    /// The elements of a weight, laid out as its type says.
    Weight(String),
    /// The result of a constants function of that name.
    Computed(String),
}

/// A constant's bytes, in the order of the blob.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    content: Content,
    ty: TensorType,
    offset: u64,
    bytes: u64,
}

/// Where constants lie.
pub(crate) struct Layout {
    /// The library's table, what hosts are not told of last.
    pub(crate) entries: Vec<ConstantEntry>,
    /// Bytes of all that is stored.
    pub(crate) size: u64,
    parts: Vec<Part>,
}

/// Constants start at multiples of this.
const ALIGNMENT: u64 = 64;

/// A constant of a program.
struct Constant<'a> {
    param: &'a ir::Param,
    /// As those read it who do.
    ty: &'a TensorType,
    is_used: bool,
}

/// The constants of the functions, each once, in the order of its first place.
fn constants<'a>(
    main: &'a Function,
    bodies: &[&'a Function],
) -> Result<Vec<Constant<'a>>, Failure> {
    let mut res: Vec<Constant<'a>> = Vec::new();
    for function in std::iter::once(main).chain(bodies.iter().copied()) {
        let uses = function.body.use_counts();
        for (param, value) in function.params.iter().zip(&function.body.root.params) {
            if param.kind.is_given() {
                continue;
            }
            let ty = function.body.ty(*value).as_tensor().ok_or_else(|| no_tensor(&param.name))?;
            let is_used = uses[value.index()] != 0;
            match res.iter_mut().find(|it| it.param.name == param.name) {
                None => res.push(Constant { param, ty, is_used }),
                Some(known) if !known.is_used => (known.ty, known.is_used) = (ty, is_used),
                Some(known) if is_used && with_strides(known.ty) != with_strides(ty) => {
                    let message = format!("`{}` is read in two ways", param.name.escape_debug());
                    return Err(Failure::new(&codes::BODY, message));
                }
                Some(_) => (),
            }
        }
    }
    Ok(res)
}

impl Layout {
    /// Lays out the constants of a program, of `main` and the bodies of its control flow. Its state
    /// is what outputs of `functional` write; `units` have the functions that compute constants.
    pub(crate) fn new(
        main: &Function,
        bodies: &[&Function],
        functional: &Function,
        weights: &Weights<'_>,
        units: &[Unit],
    ) -> Result<Layout, Failure> {
        let mut res = Layout { entries: Vec::new(), size: 0, parts: Vec::new() };
        let baked = baked(units, weights);
        let constants = constants(main, bodies)?;
        // Storages that several constants of the program are views of stay one.
        let mut readers: BTreeMap<StorageId, usize> = BTreeMap::new();
        for Constant { param, .. } in constants.iter().filter(|it| it.is_used) {
            if param.kind != ParamKind::Folded {
                *readers.entry(weights.get(&param.name)?.storage).or_default() += 1;
            }
        }
        let mut stored: BTreeMap<StorageId, u64> = BTreeMap::new();
        for Constant { param, ty, is_used } in constants {
            let is_computed = param.kind == ParamKind::Folded;
            let is_state = is_written(functional, &param.name);
            let mut entry = ConstantEntry {
                name: param.name.clone(),
                kind: param.kind.clone(),
                ty: ty.clone(),
                storage_offset: 0,
                offset: None,
                bytes: 0,
                is_state,
                is_packed: is_computed,
                is_baked: false,
            };
            if is_computed {
                let ty = with_strides(ty);
                res.push(&mut entry, Content::Computed(param.name.clone()), ty)?;
                res.entries.push(entry);
                continue;
            }
            let weight = weights.get(&param.name)?;
            entry.is_baked = baked.contains(&weight.storage);
            if !is_used {
                // Hosts are told of it all the same, as it was stored.
                entry.ty.strides = Some(weight.strides.iter().map(|it| (*it).into()).collect());
                res.entries.push(entry);
                continue;
            }
            let as_stored = stored_as(ty, weight);
            match readers.get(&weight.storage) {
                Some(2..) if as_stored => {
                    let bytes = storage_len(weights, weight.storage);
                    entry.ty = with_strides(ty);
                    entry.storage_offset = weight.storage_offset;
                    match stored.get(&weight.storage) {
                        Some(offset) => {
                            (entry.offset, entry.bytes) = (Some(*offset), padded(bytes));
                        }
                        None => {
                            let content = Content::Storage(weight.storage);
                            let offset = res.push_bytes(&mut entry, content, ty, bytes);
                            stored.insert(weight.storage, offset);
                        }
                    }
                }
                _ => {
                    let ty = with_strides(ty);
                    res.push(&mut entry, Content::Weight(param.name.clone()), ty)?;
                }
            }
            res.entries.push(entry);
        }
        // The table has them last.
        res.entries.sort_by_key(|it| it.is_packed);
        Ok(res)
    }

    fn push(
        &mut self,
        entry: &mut ConstantEntry,
        content: Content,
        ty: TensorType,
    ) -> Result<(), Failure> {
        let bytes = span(&ty).ok_or_else(|| no_tensor(&entry.name))?;
        entry.ty = ty.clone();
        self.push_bytes(entry, content, &ty, bytes);
        Ok(())
    }

    fn push_bytes(
        &mut self,
        entry: &mut ConstantEntry,
        content: Content,
        ty: &TensorType,
        bytes: u64,
    ) -> u64 {
        let offset = self.size;
        self.size += padded(bytes);
        (entry.offset, entry.bytes) = (Some(offset), padded(bytes));
        self.parts.push(Part { content, ty: ty.clone(), offset, bytes });
        offset
    }
}

/// The storages from which constants are computed when the model is compiled.
fn baked(units: &[Unit], weights: &Weights<'_>) -> BTreeSet<StorageId> {
    let functions = units.iter().flat_map(|it| &it.functions);
    let makers = functions.filter(|it| pass::computes_constants(it));
    let params = makers.flat_map(|it| &it.params).filter(|it| it.kind != ParamKind::Folded);
    params.filter_map(|it| Some(weights.get(&it.name).ok()?.storage)).collect()
}

fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGNMENT)
}

fn no_tensor(name: &str) -> Failure {
    let name = name.escape_debug();
    Failure::new(&codes::WEIGHT, format!("constant `{name}` is no tensor of fixed size"))
}

fn is_written(functional: &Function, name: &str) -> bool {
    functional.outputs.iter().any(|it| match it.kind {
        OutputKind::Mutates(i) => functional.params.get(i).is_some_and(|it| it.name == name),
        OutputKind::User
        | OutputKind::Result
        | OutputKind::AliasesParam(..)
        | OutputKind::AliasesOutput(..) => false,
    })
}

/// The type with the strides it stands for where it says none: dense and row-major.
fn with_strides(ty: &TensorType) -> TensorType {
    match &ty.strides {
        Some(_) => ty.clone(),
        None => TensorType::contiguous(ty.dtype, Arc::clone(&ty.shape)),
    }
}

/// Sizes and strides as numbers.
fn numbers(ty: &TensorType) -> Option<(Vec<usize>, Vec<usize>)> {
    let list = |exprs: &[sym::Expr]| -> Option<Vec<usize>> {
        exprs.iter().map(|it| usize::try_from(it.as_int()?).ok()).collect()
    };
    Some((list(&ty.shape)?, list(with_strides(ty).strides.as_deref()?)?))
}

/// Whether the program reads a weight at the strides it is stored with.
fn stored_as(ty: &TensorType, weight: &WeightRef) -> bool {
    let Some((shape, strides)) = numbers(ty) else { return false };
    let dims = shape.iter().zip(&strides).zip(&weight.strides);
    shape.len() == weight.strides.len()
        && dims
            .into_iter()
            .all(|((size, stride), stored)| *size <= 1 || i64::try_from(*stride) == Ok(*stored))
}

fn storage_len(weights: &Weights<'_>, id: StorageId) -> u64 {
    weights.storage(id).map_or(0, |it| it.bytes.len() as u64)
}

/// Bytes from the first element to the end of the last; none if sizes are symbols.
fn span(ty: &TensorType) -> Option<u64> {
    let (shape, strides) = numbers(ty)?;
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape.iter().zip(&strides).try_fold(0_usize, |last, (size, stride)| {
        last.checked_add((size - 1).checked_mul(*stride)?)
    })?;
    u64::try_from(last.checked_add(1)?.checked_mul(ty.dtype.size())?).ok()
}

/// A mapped archive that values point into.
pub(crate) type SharedMap = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The map as something that values can share.
pub(crate) fn share(map: &Arc<Mapped>) -> SharedMap {
    Arc::new(Shared(Arc::clone(map)))
}

struct Shared(Arc<Mapped>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Computes constants.
pub(crate) struct Evaluator<'a> {
    map: SharedMap,
    weights: &'a Weights<'a>,
    units: &'a [Unit],
    /// Results of constants functions, by name.
    computed: BTreeMap<String, HostTensor>,
}

/// Deeper than constants depend on each other.
const MAX_DEPTH: usize = 16;

impl<'a> Evaluator<'a> {
    /// For the functions that passes set aside in the units of a program.
    pub(crate) fn new(
        map: &Arc<Mapped>,
        weights: &'a Weights<'a>,
        units: &'a [Unit],
    ) -> Evaluator<'a> {
        Evaluator { map: share(map), weights, units, computed: BTreeMap::new() }
    }

    /// The bytes of all constants.
    pub(crate) fn blob(mut self, layout: &Layout) -> Result<package::Blob<'a>, Failure> {
        let mut blob = package::Blob::default();
        for Part { content, ty, offset, bytes } in &layout.parts {
            let content: Cow<'a, [u8]> = match content {
                Content::Storage(id) => match self.weights.storage(*id) {
                    Some(it) => Cow::Borrowed(it.bytes),
                    None => Cow::Borrowed(&[]),
                },
                Content::Weight(name) => {
                    let weight = self.weights.get(name)?;
                    let storage = self.storage(weight);
                    match stored_as(ty, weight) && is_dense(ty) {
                        true => slice(weight, storage, *bytes).ok_or_else(|| no_tensor(name))?,
                        false => {
                            let elements = dense(weight, storage).ok_or_else(|| no_tensor(name))?;
                            laid_out(&elements, ty).ok_or_else(|| no_tensor(name))?
                        }
                    }
                }
                Content::Computed(name) => {
                    let value = self.computed(name, 0)?;
                    let elements = Cow::Owned(value.bytes.to_vec());
                    drop(value);
                    match is_row_major(ty) {
                        true => elements,
                        false => laid_out(&elements, ty).ok_or_else(|| no_tensor(name))?,
                    }
                }
            };
            if content.len() as u64 != *bytes || blob.size() != *offset {
                let message = format!("a constant has {} bytes and not {bytes}", content.len());
                return Err(Failure::new(&codes::BODY, message));
            }
            blob.push(content);
        }
        Ok(blob)
    }

    fn storage(&self, weight: &WeightRef) -> &'a [u8] {
        self.weights.storage(weight.storage).map(|it| &**it.bytes).unwrap_or_default()
    }

    /// The value of a weight or of what was computed from some.
    fn value(&mut self, name: &str, kind: &ParamKind, depth: usize) -> Result<HostTensor, Failure> {
        match kind {
            ParamKind::Folded => self.computed(name, depth + 1),
            _ => weight_value(&self.map, self.weights, name),
        }
    }

    /// A result of a constants function; the first of them to be asked for computes all.
    fn computed(&mut self, name: &str, depth: usize) -> Result<HostTensor, Failure> {
        if let Some(it) = self.computed.get(name) {
            return Ok(it.clone());
        }
        let all = self.units.iter().flat_map(|it| &it.functions);
        let gives = |it: &&Function| it.outputs.iter().any(|it| it.name == name);
        let mut functions = all.filter(|it| pass::computes_constants(it));
        let Some(function) = functions.find(gives).filter(|_| depth < MAX_DEPTH) else {
            let message = format!("nothing computes the constant `{}`", name.escape_debug());
            return Err(Failure::new(&codes::BODY, message));
        };
        let mut args = Vec::new();
        for param in &function.params {
            args.push(HostValue::Tensor(self.value(&param.name, &param.kind, depth)?));
        }
        let values = interp::run(function, &args, &BTreeMap::new());
        let values = values.map_err(|it| {
            Diag::error(&codes::PASS, format!("computing constants: {it}"))
                .note(format!("in @{}", function.name))
        })?;
        for (output, value) in function.outputs.iter().zip(values) {
            let value = value.tensor().map_err(|it| Diag::error(&codes::PASS, it.0))?;
            self.computed.insert(output.name.clone(), value);
        }
        self.computed.get(name).cloned().ok_or_else(|| no_tensor(name))
    }
}

/// A weight as a value: where it lies in the map, or a dense copy.
pub(crate) fn weight_value(
    map: &SharedMap,
    weights: &Weights<'_>,
    name: &str,
) -> Result<HostTensor, Failure> {
    let weight = weights.get(name)?;
    let unsupported = || {
        let message = format!("a weight of {} is not supported", weight.dtype);
        Failure::new(&codes::UNSUPPORTED, message)
    };
    let dtype = stored_dtype(weight.dtype).ok_or_else(unsupported)?;
    let storage = weights.storage(weight.storage).ok_or_else(unsupported)?;
    let size = dtype.size();
    let place = usize::try_from(weight.storage_offset).ok().and_then(|it| it.checked_mul(size));
    let len = usize::try_from(weight.numel()).ok().and_then(|it| it.checked_mul(size));
    let bytes: Bytes = match (storage.bytes.file_range(), place, len) {
        (Some(file), Some(place), Some(len)) if weight.is_contiguous() && len != 0 => {
            let start = file.start + place;
            Bytes::Shared(Arc::clone(map), start..start + len)
        }
        _ => dense(weight, storage.bytes).ok_or_else(|| no_tensor(name))?.into_owned().into(),
    };
    Ok(HostTensor { dtype, shape: weight.sizes.clone(), bytes })
}

/// Whether the elements fill their span, so that a copy of the span is a copy of the elements.
fn is_dense(ty: &TensorType) -> bool {
    let numel = ty.static_shape().map(|it| it.iter().product::<i64>());
    let bytes = numel.and_then(|it| u64::try_from(it).ok()).map(|it| it * ty.dtype.size() as u64);
    bytes.is_some() && bytes == span(ty)
}

fn is_row_major(ty: &TensorType) -> bool {
    numbers(ty) == numbers(&ty.without_strides())
}

/// The bytes of a weight as they are stored.
fn slice<'a>(weight: &WeightRef, storage: &'a [u8], bytes: u64) -> Option<Cow<'a, [u8]>> {
    let size = usize::from(weight.dtype.bytes());
    let start = usize::try_from(weight.storage_offset).ok()?.checked_mul(size)?;
    let end = start.checked_add(usize::try_from(bytes).ok()?)?;
    storage.get(start..end).map(Cow::Borrowed)
}

/// Elements in row-major order, put at the strides of a type.
fn laid_out<'a>(elements: &[u8], ty: &TensorType) -> Option<Cow<'a, [u8]>> {
    let (shape, strides) = numbers(ty)?;
    let size = ty.dtype.size();
    let mut bytes = vec![0; usize::try_from(span(ty)?).ok()?];
    let mut index = vec![0_usize; shape.len()];
    for element in elements.chunks_exact(size) {
        let at = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum::<usize>() * size;
        bytes.get_mut(at..at + size)?.copy_from_slice(element);
        for d in (0..index.len()).rev() {
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
    Some(bytes.into())
}

/// The tensor type of a value that crosses the boundary of the model.
pub(crate) fn boundary_type(ty: &Type) -> TensorType {
    match ty {
        Type::Tensor(it) => with_strides(it),
        Type::Scalar(dtype) => TensorType::contiguous(*dtype, []),
        // Hosts are told of something: an absent output is a tensor without elements to them.
        Type::List(_) | Type::Arena | Type::None => {
            TensorType::contiguous(ir::DType::U8, [sym::Expr::int(0)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(shape: &[i64], strides: &[i64]) -> TensorType {
        let list = |it: &[i64]| it.iter().map(|it| sym::Expr::int(*it)).collect();
        TensorType { strides: Some(list(strides)), ..TensorType::new(ir::DType::U8, list(shape)) }
    }

    #[test]
    fn elements_are_put_at_their_strides() {
        let elements = [0, 1, 2, 3, 4, 5];
        let out =
            |shape: &[i64], strides: &[i64]| laid_out(&elements, &ty(shape, strides)).unwrap();
        assert_eq!(*out(&[2, 3], &[3, 1]), elements);
        assert_eq!(*out(&[2, 3], &[1, 2]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(*out(&[3, 2], &[3, 1]), [0, 1, 0, 2, 3, 0, 4, 5]);
        assert!(is_dense(&ty(&[2, 3], &[1, 2])) && !is_dense(&ty(&[3, 2], &[3, 1])));
        assert!(!is_dense(&ty(&[3, 2], &[0, 1])));
        assert_eq!(span(&ty(&[2, 0], &[3, 1])), Some(0));
    }
}
