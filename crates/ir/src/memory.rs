//! Memory as the interpreter sees it: bytes in which tensors lie, perhaps several in the same.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::{DType, EvalError, HostTensor, host::numel};

/// What bytes are before anything is written: in a float a NaN, in an integer far off.
pub const UNWRITTEN: u8 = 0xff;

/// More bytes than an interpreter should be asked for.
const MAX_BYTES: i64 = 1 << 32;

/// A tensor in memory that others may share. Clones are the same memory.
#[derive(Clone, Debug)]
pub struct Memory {
    block: Arc<Mutex<Block>>,
    /// The byte at which its first element lies.
    start: i64,
    dtype: DType,
    shape: Vec<i64>,
    /// In elements.
    strides: Vec<i64>,
}

#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    is_written: bool,
}

impl Memory {
    /// So many bytes that nobody has written.
    pub fn bytes(size: i64) -> Result<Memory, EvalError> {
        if !(0..=MAX_BYTES).contains(&size) {
            return Err(EvalError(format!("a memory of {size} bytes")));
        }
        let block = Block { bytes: vec![UNWRITTEN; size as usize], is_written: false };
        let block = Arc::new(Mutex::new(block));
        Ok(Memory { block, start: 0, dtype: DType::U8, shape: vec![size], strides: vec![1] })
    }

    /// A tensor of its own that nobody has written.
    pub fn new(dtype: DType, shape: Vec<i64>, strides: Vec<i64>) -> Result<Memory, EvalError> {
        let end = reach(&shape, &strides)?.map_or(0, |it| it.1 + 1);
        let bytes = end.checked_mul(dtype.size() as i64);
        let bytes = bytes.ok_or_else(|| EvalError("a tensor that is too large".to_owned()))?;
        Memory::bytes(bytes)?.part(0, dtype, shape, strides)
    }

    /// A tensor of its own with the elements of a value, and not written since.
    pub fn given(
        tensor: &HostTensor,
        shape: Vec<i64>,
        strides: Vec<i64>,
    ) -> Result<Memory, EvalError> {
        let res = Memory::new(tensor.dtype, shape, strides)?;
        res.write(tensor)?;
        res.lock()?.is_written = false;
        Ok(res)
    }

    /// A tensor that begins `offset` bytes behind the first element of this one, in the same
    /// memory, of which it must not reach outside.
    pub fn part(
        &self,
        offset: i64,
        dtype: DType,
        shape: Vec<i64>,
        strides: Vec<i64>,
    ) -> Result<Memory, EvalError> {
        let start = self.start.checked_add(offset).filter(|it| 0 <= *it);
        let start = start.ok_or_else(|| EvalError(format!("an offset of {offset} bytes")))?;
        let res = Memory { block: self.block.clone(), start, dtype, shape, strides };
        if let Some((low, high)) = reach(&res.shape, &res.strides)? {
            let width = dtype.size() as i64;
            let end = (high + 1).checked_mul(width).and_then(|it| it.checked_add(start));
            let size = res.lock()?.bytes.len() as i64;
            if low.saturating_mul(width).saturating_add(start) < 0 || end.is_none_or(|it| size < it)
            {
                return Err(EvalError(format!("a tensor outside its memory of {size} bytes")));
            }
        }
        Ok(res)
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Its sizes.
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// From one element to the next in each dimension, in elements.
    pub fn strides(&self) -> &[i64] {
        &self.strides
    }

    /// Whether its memory was written since it was made.
    pub fn is_written(&self) -> bool {
        self.lock().is_ok_and(|it| it.is_written)
    }

    /// What it holds now.
    pub fn read(&self) -> Result<HostTensor, EvalError> {
        let block = self.lock()?;
        let width = self.dtype.size();
        let mut bytes = Vec::with_capacity(numel(&self.shape) * width);
        self.for_each(|at| bytes.extend_from_slice(&block.bytes[at..at + width]));
        Ok(HostTensor { dtype: self.dtype, shape: self.shape.clone(), bytes: bytes.into() })
    }

    /// Writes all its elements.
    pub fn write(&self, tensor: &HostTensor) -> Result<(), EvalError> {
        if (tensor.dtype, &tensor.shape) != (self.dtype, &self.shape) {
            let (from, to) = (&tensor.shape, &self.shape);
            let dtype = tensor.dtype;
            return Err(EvalError(format!("{dtype}{from:?} is written to {}{to:?}", self.dtype)));
        }
        let mut block = self.lock()?;
        block.is_written = true;
        let width = self.dtype.size();
        let mut elements = tensor.bytes.chunks_exact(width);
        self.for_each(|at| {
            if let Some(it) = elements.next() {
                block.bytes[at..at + width].copy_from_slice(it);
            }
        });
        Ok(())
    }

    /// Makes all its elements [`UNWRITTEN`].
    pub fn forget(&self) -> Result<(), EvalError> {
        let bytes = vec![UNWRITTEN; numel(&self.shape) * self.dtype.size()];
        self.write(&HostTensor {
            dtype: self.dtype,
            shape: self.shape.clone(),
            bytes: bytes.into(),
        })
    }

    fn lock(&self) -> Result<MutexGuard<'_, Block>, EvalError> {
        self.block.lock().map_err(|_| EvalError("a writer of this memory failed".to_owned()))
    }

    /// Calls `f` with the byte at which each element lies, in row-major order.
    fn for_each(&self, mut f: impl FnMut(usize)) {
        let count = numel(&self.shape);
        let mut at = vec![0_i64; self.shape.len()];
        let width = self.dtype.size() as i64;
        for _ in 0..count {
            let place: i64 = at.iter().zip(&self.strides).map(|it| it.0 * it.1).sum();
            f((self.start + place * width) as usize);
            for dim in (0..at.len()).rev() {
                at[dim] += 1;
                if at[dim] < self.shape[dim] {
                    break;
                }
                at[dim] = 0;
            }
        }
    }
}

/// The first and the last place of a tensor, in elements; none if it has no elements.
fn reach(shape: &[i64], strides: &[i64]) -> Result<Option<(i64, i64)>, EvalError> {
    let too_large = || EvalError("a tensor that is too large".to_owned());
    if shape.len() != strides.len() {
        return Err(EvalError(format!("{} sizes and {} strides", shape.len(), strides.len())));
    }
    if shape.iter().any(|it| *it <= 0) {
        return Ok(None);
    }
    let (mut low, mut high) = (0_i64, 0_i64);
    for (size, stride) in shape.iter().zip(strides) {
        let end = (size - 1).checked_mul(*stride).ok_or_else(too_large)?;
        low = low.checked_add(end.min(0)).ok_or_else(too_large)?;
        high = high.checked_add(end.max(0)).filter(|it| *it < i64::MAX).ok_or_else(too_large)?;
    }
    Ok(Some((low, high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Elem;

    fn ints(shape: &[i64], values: &[i128]) -> HostTensor {
        let elems = values.iter().map(|it| Elem::Int(*it));
        HostTensor::from_elems(DType::I32, shape.to_vec(), elems)
    }

    #[test]
    fn tensors_in_the_same_bytes_see_one_another() {
        let block = Memory::bytes(24).unwrap();
        let whole = block.part(0, DType::I32, vec![2, 3], vec![1, 2]).unwrap();
        whole.write(&ints(&[2, 3], &[0, 1, 2, 3, 4, 5])).unwrap();
        let row = block.part(4, DType::I32, vec![3], vec![2]).unwrap();
        assert_eq!(*row.read().unwrap().bytes, *ints(&[3], &[3, 4, 5]).bytes);
        row.write(&ints(&[3], &[7, 8, 9])).unwrap();
        let expected = ints(&[2, 3], &[0, 1, 2, 7, 8, 9]);
        assert_eq!(*whole.read().unwrap().bytes, *expected.bytes);
        assert!(block.is_written());
    }

    #[test]
    fn what_nobody_wrote_is_no_number() {
        let it = Memory::new(DType::F32, vec![2], vec![1]).unwrap();
        assert!(it.read().unwrap().to_f32().iter().all(|it| it.is_nan()));
    }

    #[test]
    fn nothing_lies_outside_its_memory() {
        let block = Memory::bytes(16).unwrap();
        assert!(block.part(0, DType::I32, vec![4], vec![1]).is_ok());
        assert!(block.part(4, DType::I32, vec![4], vec![1]).is_err());
        assert!(block.part(-4, DType::I32, vec![1], vec![1]).is_err());
        assert!(block.part(16, DType::I32, vec![0], vec![1]).is_ok());
        assert!(block.part(0, DType::I32, vec![2], vec![-1]).is_err());
        assert!(block.part(0, DType::I32, vec![i64::MAX], vec![i64::MAX]).is_err());
        assert!(Memory::bytes(-1).is_err() && Memory::bytes(i64::MAX).is_err());
    }
}
