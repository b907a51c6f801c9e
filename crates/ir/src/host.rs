//! Values on the host: what the interpreter computes with.

use std::{fmt, ops::Range, sync::Arc};

use half::{bf16, f16};

use crate::{
    DType, EvalError, Memory,
    scalar::{Elem, store},
};

/// Bytes that are owned or lie in something shared, such as a mapped file.
#[derive(Clone)]
pub enum Bytes {
    /// Owned.
    Owned(Arc<Vec<u8>>),
    /// A range of something shared.
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>, Range<usize>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(it) => it,
            Bytes::Shared(it, range) => &(**it).as_ref()[range.clone()],
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(it: Vec<u8>) -> Bytes {
        Bytes::Owned(Arc::new(it))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// A dense row-major tensor, little-endian.
#[derive(Clone, Debug)]
pub struct HostTensor {
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub shape: Vec<i64>,
    /// The elements.
    pub bytes: Bytes,
}

impl HostTensor {
    /// A tensor of `shape` from its elements in row-major order.
    pub fn from_elems(
        dtype: DType,
        shape: Vec<i64>,
        elems: impl IntoIterator<Item = Elem>,
    ) -> HostTensor {
        let mut bytes = Vec::with_capacity(numel(&shape) * dtype.size());
        elems.into_iter().for_each(|it| store(dtype, it, &mut bytes));
        HostTensor { dtype, shape, bytes: bytes.into() }
    }

    /// A float32 tensor.
    pub fn from_f32(shape: Vec<i64>, elems: &[f32]) -> HostTensor {
        let bytes: Vec<u8> = elems.iter().flat_map(|it| it.to_le_bytes()).collect();
        HostTensor { dtype: DType::F32, shape, bytes: bytes.into() }
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        numel(&self.shape)
    }

    /// The element at a row-major index.
    pub fn elem(&self, i: usize) -> Elem {
        crate::scalar::load(self.dtype, &self.bytes, i)
    }

    /// All elements in row-major order.
    pub fn elems(&self) -> impl Iterator<Item = Elem> + '_ {
        (0..self.numel()).map(|it| self.elem(it))
    }

    /// The elements of a float32 tensor.
    pub fn to_f32(&self) -> Vec<f32> {
        let bytes: &[u8] = &self.bytes;
        match self.dtype {
            DType::F32 => bytes
                .chunks_exact(4)
                .map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]]))
                .collect(),
            DType::F16 => bytes
                .chunks_exact(2)
                .map(|it| f16::from_le_bytes([it[0], it[1]]).to_f32())
                .collect(),
            DType::BF16 => bytes
                .chunks_exact(2)
                .map(|it| bf16::from_le_bytes([it[0], it[1]]).to_f32())
                .collect(),
            _ => self.elems().map(|it| it.to_f64() as f32).collect(),
        }
    }

    /// Row-major strides, in elements.
    pub fn strides(&self) -> Vec<usize> {
        row_major(&self.shape)
    }

    /// Checks that there are as many bytes as the shape needs.
    pub fn check(self) -> Result<HostTensor, EvalError> {
        match self.bytes.len() == self.numel() * self.dtype.size() {
            true => Ok(self),
            false => Err(EvalError(format!(
                "{} bytes for {} elements of {}",
                self.bytes.len(),
                self.numel(),
                self.dtype
            ))),
        }
    }
}

/// Number of elements of a shape; negative sizes count as none.
pub(crate) fn numel(shape: &[i64]) -> usize {
    shape.iter().map(|it| usize::try_from(*it).unwrap_or(0)).product()
}

/// Row-major strides of a shape, in elements.
pub(crate) fn row_major(shape: &[i64]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * usize::try_from(shape[i]).unwrap_or(0);
    }
    strides
}

/// A value of the interpreter.
#[derive(Clone, Debug)]
pub enum HostValue {
    /// A tensor.
    Tensor(HostTensor),
    /// One element.
    Scalar(DType, Elem),
    /// A memory that ops write into: what a kernel stores to.
    Cell(Arc<std::sync::Mutex<HostTensor>>),
    /// A tensor in memory that others may share.
    Memory(Memory),
}

impl HostValue {
    /// The tensor; a cell or a memory gives what it holds now.
    pub fn tensor(&self) -> Result<HostTensor, EvalError> {
        match self {
            HostValue::Tensor(it) => Ok(it.clone()),
            HostValue::Cell(it) => match it.lock() {
                Ok(it) => Ok(it.clone()),
                Err(_) => Err(EvalError("a writer of this memory failed".to_owned())),
            },
            HostValue::Memory(it) => it.read(),
            HostValue::Scalar(..) => Err(EvalError("a scalar where a tensor is needed".to_owned())),
        }
    }

    /// The element.
    pub fn scalar(&self) -> Result<Elem, EvalError> {
        match self {
            HostValue::Scalar(_, it) => Ok(*it),
            HostValue::Tensor(it) if it.numel() == 1 => Ok(it.elem(0)),
            HostValue::Memory(it) if it.shape().iter().all(|it| *it == 1) => Ok(it.read()?.elem(0)),
            HostValue::Tensor(_) | HostValue::Cell(_) | HostValue::Memory(_) => {
                Err(EvalError("a tensor where a scalar is needed".to_owned()))
            }
        }
    }
}
