//! Tensors: a view of shared memory.
#![expect(unsafe_code, reason = "reads and writes a storage through pointers")]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::storage::{Lender, Storage};
use crate::{DType, Element, Error};

/// A tensor on the CPU.
///
/// Clones share memory, as views do. Memory is written by [`Tensor::as_mut_slice`]
/// and by [`Model::run_mut`](crate::Model::run_mut), both of which first make it
/// this tensor's own.
#[derive(Clone)]
pub struct Tensor {
    storage: Arc<Storage>,
    dtype: DType,
    shape: Box<[usize]>,
    strides: Box<[usize]>,
    /// In elements.
    offset: usize,
}

impl Tensor {
    /// A tensor with these elements, in row-major order. The vector's memory becomes the tensor's.
    pub fn from_vec<T: Element>(shape: &[usize], data: Vec<T>) -> Result<Tensor, Error> {
        let numel = numel(shape)?;
        if numel != data.len() {
            let reason = format!("shape {shape:?} has {numel} elements, not {}", data.len());
            return Err(Error::Shape { reason });
        }
        let strides = contiguous_strides(shape);
        Ok(Tensor::new(Storage::from_vec(data), T::DTYPE, shape, &strides, 0))
    }

    /// A tensor with a copy of these elements, in row-major order.
    pub fn from_slice<T: Element>(shape: &[usize], data: &[T]) -> Result<Tensor, Error> {
        Tensor::from_vec(shape, data.to_vec())
    }

    /// A tensor with a copy of these bytes: elements of `dtype`, as this machine has them in
    /// memory, in row-major order.
    pub fn from_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<Tensor, Error> {
        let tensor = Tensor::zeros(dtype, shape)?;
        let len = tensor.numel() * dtype.size();
        if len != bytes.len() {
            let reason = format!("{dtype}{shape:?} takes {len} bytes, not {}", bytes.len());
            return Err(Error::Shape { reason });
        }
        // SAFETY: new memory of this length.
        unsafe { tensor.data().copy_from_nonoverlapping(NonNull::from(bytes).cast(), len) };
        Ok(tensor)
    }

    /// A tensor without dimensions.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor::new(Storage::from_vec(vec![value]), T::DTYPE, &[], &[], 0)
    }

    /// A tensor full of zeros.
    pub fn zeros(dtype: DType, shape: &[usize]) -> Result<Tensor, Error> {
        numel(shape)?;
        Tensor::with_strides(dtype, shape, &contiguous_strides(shape))
    }

    /// A tensor full of zeros whose elements lie at these strides.
    pub fn with_strides(dtype: DType, shape: &[usize], strides: &[usize]) -> Result<Tensor, Error> {
        let bytes = span(shape, strides)
            .and_then(|span| span.checked_mul(dtype.size()))
            .ok_or_else(|| too_large(shape))?;
        let storage = Storage::zeroed(bytes).ok_or_else(|| too_large(shape))?;
        Ok(Tensor::new(storage, dtype, shape, strides, 0))
    }

    /// A tensor over memory of somebody else.
    ///
    /// # Safety
    ///
    /// `data` points to memory that holds every element of this shape and these
    /// strides, and may be read (and written, if a model does) for as long as
    /// this tensor, its clones, and outputs that are views of it are used.
    pub unsafe fn from_raw_parts(
        data: NonNull<u8>,
        dtype: DType,
        shape: &[usize],
        strides: &[usize],
    ) -> Result<Tensor, Error> {
        // SAFETY: the caller's promise.
        unsafe { Tensor::borrowed(data, dtype, shape, strides, Lender::User) }
    }

    /// # Safety
    ///
    /// As for [`Tensor::from_raw_parts`].
    pub(crate) unsafe fn borrowed(
        data: NonNull<u8>,
        dtype: DType,
        shape: &[usize],
        strides: &[usize],
        lender: Lender,
    ) -> Result<Tensor, Error> {
        let bytes = span(shape, strides)
            .and_then(|span| span.checked_mul(dtype.size()))
            .ok_or_else(|| too_large(shape))?;
        // SAFETY: the caller's promise.
        let storage = unsafe { Storage::borrowed(data, bytes, lender) };
        Ok(Tensor::new(storage, dtype, shape, strides, 0))
    }

    fn new(
        storage: Storage,
        dtype: DType,
        shape: &[usize],
        strides: &[usize],
        offset: usize,
    ) -> Tensor {
        let (shape, strides) = (shape.into(), strides.into());
        Tensor { storage: Arc::new(storage), dtype, shape, strides, offset }
    }

    /// A view of the same memory; `offset` is in elements from this tensor's first.
    ///
    /// Fails if an element would lie outside the memory.
    pub fn as_strided(
        &self,
        shape: &[usize],
        strides: &[usize],
        offset: usize,
    ) -> Result<Tensor, Error> {
        let size = self.dtype.size();
        let offset = self.offset.checked_add(offset);
        let end = span(shape, strides).zip(offset).and_then(|(span, offset)| {
            // Without elements, nothing is outside.
            if span == 0 { Some(0) } else { offset.checked_add(span)?.checked_mul(size) }
        });
        match (end, offset) {
            (Some(end), Some(offset)) if end <= self.storage.len() => Ok(Tensor {
                storage: Arc::clone(&self.storage),
                dtype: self.dtype,
                shape: shape.into(),
                strides: strides.into(),
                offset,
            }),
            _ => Err(Error::Shape {
                reason: format!(
                    "a view of shape {shape:?} and strides {strides:?} does not fit the memory of \
                     {} bytes",
                    self.storage.len()
                ),
            }),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Elements along each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How far apart neighbours are along each dimension, in elements.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// How many elements.
    pub fn numel(&self) -> usize {
        // Checked when the tensor was made: this does not overflow, nor does what follows.
        self.shape.iter().product()
    }

    /// Whether the elements lie one after the other, in row-major order.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let mut dims = self.shape.iter().zip(&self.strides).rev();
        self.numel() == 0
            || dims.all(|(&size, &stride)| {
                let fits = size == 1 || stride == expected;
                expected *= size;
                fits
            })
    }

    /// The elements, if they are contiguous.
    pub fn as_slice<T: Element>(&self) -> Result<&[T], Error> {
        self.check::<T>()?;
        // SAFETY: contiguous elements within the storage (every constructor
        // checks that), of type T, aligned (checked), initialised, and written
        // by nobody: writers own the storage alone.
        Ok(unsafe { std::slice::from_raw_parts(self.data().cast().as_ptr(), self.numel()) })
    }

    /// The elements, to be written. If others share the memory, it is copied first.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T], Error> {
        self.check::<T>()?;
        self.make_unique()?;
        // SAFETY: as in `as_slice`, and the storage is this tensor's alone.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.data().cast().as_ptr(), self.numel()) })
    }

    fn check<T: Element>(&self) -> Result<(), Error> {
        if T::DTYPE != self.dtype {
            return Err(Error::WrongDType { asked: T::DTYPE, has: self.dtype });
        }
        if !self.is_contiguous() || !self.data().cast::<T>().is_aligned() {
            return Err(Error::NotContiguous);
        }
        if self.dtype == DType::Bool && self.bytes()?.iter().any(|&it| 1 < it) {
            return Err(Error::NotBool);
        }
        Ok(())
    }

    /// The elements' bytes, if they are contiguous.
    pub fn bytes(&self) -> Result<&[u8], Error> {
        if !self.is_contiguous() {
            return Err(Error::NotContiguous);
        }
        let len = self.numel() * self.dtype.size();
        // SAFETY: as in `as_slice`; bytes need no alignment.
        Ok(unsafe { std::slice::from_raw_parts(self.data().as_ptr(), len) })
    }

    /// A copy of the elements, in row-major order, whatever the strides.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        match self.as_slice() {
            Err(Error::NotContiguous) => Ok(self.copy()?.as_slice()?.to_vec()),
            slice => Ok(slice?.to_vec()),
        }
    }

    /// The element of a tensor that has one.
    pub fn item<T: Element>(&self) -> Result<T, Error> {
        match *self.to_vec()? {
            [value] => Ok(value),
            _ => {
                let reason = format!("a tensor of shape {:?} is no scalar", self.shape);
                Err(Error::Shape { reason })
            }
        }
    }

    /// A contiguous tensor with the same elements: this one, if it is contiguous already.
    pub fn contiguous(&self) -> Result<Tensor, Error> {
        if self.is_contiguous() { Ok(self.clone()) } else { self.copy() }
    }

    /// A contiguous copy.
    pub fn copy(&self) -> Result<Tensor, Error> {
        let copy = Tensor::zeros(self.dtype, &self.shape)?;
        copy.write_from(self);
        Ok(copy)
    }

    /// A copy with the same strides.
    pub(crate) fn copy_strided(&self) -> Result<Tensor, Error> {
        let copy = Tensor::with_strides(self.dtype, &self.shape, &self.strides)?;
        copy.write_from(self);
        Ok(copy)
    }

    /// Makes the memory this tensor's own, by copying it if it is shared.
    pub(crate) fn make_unique(&mut self) -> Result<(), Error> {
        // Weak references are never made, so nobody gains a share meanwhile.
        if Arc::get_mut(&mut self.storage).is_none() {
            *self = self.copy_strided()?;
        }
        Ok(())
    }

    /// Whether the memory is a library's, and may be gone after the run.
    pub(crate) fn is_of_library(&self) -> bool {
        self.storage.is_of_library()
    }

    /// What stands for an output that is no tensor.
    pub(crate) fn none() -> Tensor {
        Tensor::new(Storage::from_vec(Vec::<u8>::new()), DType::U8, &[0], &[1], 0)
    }

    /// The first element.
    pub(crate) fn data(&self) -> NonNull<u8> {
        // SAFETY: within the storage, or just past it if there are no elements:
        // then the offset may be anything, and is not used.
        if self.numel() == 0 {
            self.storage.data()
        } else {
            unsafe { self.storage.data().add(self.offset * self.dtype.size()) }
        }
    }

    pub(crate) fn storage_len(&self) -> usize {
        self.storage.len()
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// The same bytes under another element type of the same size.
    pub(crate) fn reinterpret_dtype(&self, dtype: DType) -> Option<Tensor> {
        (dtype.size() == self.dtype.size()).then(|| Tensor { dtype, ..self.clone() })
    }

    /// Copies the elements of a tensor of the same dtype and shape. The memory is
    /// written though it may be shared: for tensors that were just made, and for
    /// the library's own.
    pub(crate) fn write_from(&self, from: &Tensor) {
        if self.numel() == 0 || self.dtype != from.dtype || self.shape != from.shape {
            return;
        }
        let copy = StridedCopy {
            shape: &self.shape,
            to_strides: &self.strides,
            from_strides: &from.strides,
            item_size: self.dtype.size(),
        };
        // SAFETY: both tensors hold an element at each position of the shape.
        unsafe { copy.run(0, self.data().as_ptr(), from.data().as_ptr()) };
    }

    /// Sets all elements to zero; the same caution as for `write_from`.
    pub(crate) fn write_zeros(&self) -> Result<(), Error> {
        self.write_from(&Tensor::zeros(self.dtype, &self.shape)?);
        Ok(())
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({}{:?}, strides {:?})", self.dtype, self.shape, self.strides)
    }
}

struct StridedCopy<'a> {
    shape: &'a [usize],
    to_strides: &'a [usize],
    from_strides: &'a [usize],
    item_size: usize,
}

impl StridedCopy<'_> {
    /// Copies dimensions `d` and up.
    ///
    /// # Safety
    ///
    /// Every element of those dimensions lies in memory that may be written
    /// through `to` and read through `from`. The two may overlap.
    unsafe fn run(&self, d: usize, to: *mut u8, from: *const u8) {
        let &Self { shape, to_strides, from_strides, item_size } = self;
        let n_bytes = match shape.len() - d {
            0 => item_size,
            1 if to_strides[d] == 1 && from_strides[d] == 1 => shape[d] * item_size,
            _ => {
                for i in 0..shape[d] {
                    // SAFETY: within the tensors, by the caller's promise.
                    unsafe {
                        let to = to.add(i * to_strides[d] * item_size);
                        let from = from.add(i * from_strides[d] * item_size);
                        self.run(d + 1, to, from);
                    }
                }
                return;
            }
        };
        // SAFETY: as above.
        unsafe { std::ptr::copy(from, to, n_bytes) };
    }
}

fn too_large(shape: &[usize]) -> Error {
    Error::Shape { reason: format!("not enough memory for a tensor of shape {shape:?}") }
}

/// How many elements; no more than can be counted in an `i64`, whatever their size.
fn numel(shape: &[usize]) -> Result<usize, Error> {
    let numel = shape.iter().try_fold(1usize, |numel, &size| numel.checked_mul(size));
    // A zero among huge sizes is harmless, but its strides are not.
    let bounded = shape.iter().filter(|&&it| it != 0).try_fold(1usize, |it, &n| it.checked_mul(n));
    match (numel, bounded) {
        (Some(numel), Some(bounded)) if bounded <= (i64::MAX / 16) as usize => Ok(numel),
        _ => Err(too_large(shape)),
    }
}

fn contiguous_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d].max(1);
    }
    strides
}

/// From the first element to past the last, in elements; `None` if that is no number,
/// or if shape and strides do not go together.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.len() != strides.len() || numel(shape).is_err() {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape.iter().zip(strides).try_fold(0usize, |last, (&size, &stride)| {
        last.checked_add((size - 1).checked_mul(stride)?)
    })?;
    last.checked_add(1).filter(|&it| it <= (i64::MAX / 16) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back() {
        let tensor = Tensor::from_vec(&[2, 3], vec![1i32, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(tensor.strides(), [3, 1]);
        assert_eq!(tensor.as_slice::<i32>().unwrap(), [1, 2, 3, 4, 5, 6]);
        let wrong = tensor.as_slice::<f32>().unwrap_err().to_string();
        assert_eq!(wrong, "the tensor's elements are int32, not float32");
        assert_eq!(Tensor::scalar(2.5f64).item::<f64>().unwrap(), 2.5);
        assert!(tensor.item::<i32>().is_err());
    }

    #[test]
    fn views() {
        let tensor = Tensor::from_vec(&[2, 3], vec![1i32, 2, 3, 4, 5, 6]).unwrap();
        let transposed = tensor.as_strided(&[3, 2], &[1, 3], 0).unwrap();
        assert!(!transposed.is_contiguous());
        assert!(matches!(transposed.as_slice::<i32>(), Err(Error::NotContiguous)));
        assert_eq!(transposed.to_vec::<i32>().unwrap(), [1, 4, 2, 5, 3, 6]);
        let column = tensor.as_strided(&[2], &[3], 2).unwrap();
        assert_eq!(column.to_vec::<i32>().unwrap(), [3, 6]);
        let expanded = column.as_strided(&[2, 2], &[0, 3], 0).unwrap();
        assert_eq!(expanded.to_vec::<i32>().unwrap(), [3, 6, 3, 6]);
        assert!(column.as_strided(&[2], &[4], 0).is_err());
        assert!(column.as_strided(&[1], &[1], 4).is_err());
        assert!(tensor.as_strided(&[2, usize::MAX], &[usize::MAX, 1], 0).is_err());
        assert!(tensor.as_strided(&[0], &[1], 1000).unwrap().to_vec::<i32>().unwrap().is_empty());
    }

    #[test]
    fn writing_leaves_others_alone() {
        let mut tensor = Tensor::from_vec(&[2], vec![1u8, 2]).unwrap();
        let before = tensor.clone();
        tensor.as_mut_slice::<u8>().unwrap()[0] = 9;
        assert_eq!(tensor.as_slice::<u8>().unwrap(), [9, 2]);
        assert_eq!(before.as_slice::<u8>().unwrap(), [1, 2]);
    }

    #[test]
    fn impossible_shapes_are_errors() {
        assert!(Tensor::zeros(DType::F32, &[1 << 40, 1 << 40]).is_err());
        assert!(Tensor::zeros(DType::F32, &[0, usize::MAX, 2]).is_err());
        assert!(Tensor::zeros(DType::F64, &[1 << 60]).is_err());
        assert!(Tensor::from_vec(&[3], vec![1f32]).is_err());
        assert_eq!(Tensor::zeros(DType::F32, &[0, 4]).unwrap().numel(), 0);
    }

    #[test]
    fn bools_are_looked_at() {
        let bytes = Tensor::from_vec(&[2], vec![1u8, 0]).unwrap();
        let bools = bytes.reinterpret_dtype(DType::Bool).unwrap();
        assert_eq!(bools.as_slice::<bool>().unwrap(), [true, false]);
        let bytes = Tensor::from_vec(&[2], vec![1u8, 2]).unwrap();
        let bools = bytes.reinterpret_dtype(DType::Bool).unwrap();
        assert!(matches!(bools.as_slice::<bool>(), Err(Error::NotBool)));
    }
}
