//! Tensors of the runtime as values of the compiler, and back.

use diag::codes;
use ir::HostTensor;
use tintype_runtime::{DType, Tensor};

use crate::Failure;

const DTYPES: &[(DType, ir::DType)] = &[
    (DType::Bool, ir::DType::Bool),
    (DType::U8, ir::DType::U8),
    (DType::I8, ir::DType::I8),
    (DType::I16, ir::DType::I16),
    (DType::U16, ir::DType::U16),
    (DType::I32, ir::DType::I32),
    (DType::U32, ir::DType::U32),
    (DType::I64, ir::DType::I64),
    (DType::U64, ir::DType::U64),
    (DType::F16, ir::DType::F16),
    (DType::BF16, ir::DType::BF16),
    (DType::F32, ir::DType::F32),
    (DType::F64, ir::DType::F64),
    (DType::C32, ir::DType::C32),
    (DType::C64, ir::DType::C64),
    (DType::C128, ir::DType::C128),
];

/// The compiler's element type, where it has that one.
pub(crate) fn compiler_dtype(dtype: DType) -> Option<ir::DType> {
    DTYPES.iter().find(|it| it.0 == dtype).map(|it| it.1)
}

/// The runtime's element type.
pub(crate) fn runtime_dtype(dtype: ir::DType) -> Option<DType> {
    DTYPES.iter().find(|it| it.1 == dtype).map(|it| it.0)
}

/// The element type of a stored weight, where the compiler has it.
pub(crate) fn stored_dtype(dtype: import::ScalarType) -> Option<ir::DType> {
    ir::DType::parse(dtype.name())
}

/// A tensor for the interpreter.
pub(crate) fn to_host(tensor: &Tensor) -> Result<HostTensor, Failure> {
    let dtype = compiler_dtype(tensor.dtype()).ok_or_else(|| {
        Failure::new(&codes::INPUT, format!("{} is not supported", tensor.dtype()))
    })?;
    let size = |it: &usize| i64::try_from(*it).unwrap_or(i64::MAX);
    let shape = tensor.shape().iter().map(size).collect();
    Ok(HostTensor { dtype, shape, bytes: tensor.contiguous()?.bytes()?.to_vec().into() })
}

/// A tensor from the interpreter.
pub(crate) fn to_tensor(tensor: &HostTensor) -> Result<Tensor, Failure> {
    let dtype = runtime_dtype(tensor.dtype)
        .ok_or_else(|| Failure::new(&codes::INPUT, format!("{} is not supported", tensor.dtype)))?;
    let shape: Vec<usize> =
        tensor.shape.iter().map(|it| usize::try_from(*it).unwrap_or(0)).collect();
    Ok(Tensor::from_bytes(dtype, &shape, &tensor.bytes)?)
}
