//! Files of tensors, in the safetensors format: `input_0`, `input_1`, …, `output_0`, ….

use std::{borrow::Cow, path::Path};

use diag::codes;
use safetensors::{Dtype, SafeTensors, View};
use tintype_runtime::{DType, Tensor};

use crate::Failure;

/// Inputs and the outputs that belong to them.
#[derive(Clone, Debug, Default)]
pub struct TensorFile {
    /// In the order of their numbers, which need not be without gaps.
    pub inputs: Vec<Tensor>,
    /// With their numbers: the positions among the model's outputs.
    pub outputs: Vec<(usize, Tensor)>,
}

impl TensorFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<TensorFile, Failure> {
        let bad =
            |reason: String| Failure::new(&codes::INPUT, format!("{}: {reason}", path.display()));
        let map = import::Mapped::open(path).map_err(|it| Failure::io(path, &it))?;
        let file = SafeTensors::deserialize(&map)
            .map_err(|it| bad(format!("is not a readable safetensors file: {it}")))?;
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for (name, view) in file.iter() {
            let (list, number) = match name.split_once('_') {
                Some(("input", number)) => (&mut inputs, number),
                Some(("output", number)) => (&mut outputs, number),
                _ => continue,
            };
            let Ok(number) = number.parse::<usize>() else { continue };
            let dtype = from_file(view.dtype())
                .ok_or_else(|| bad(format!("`{name}` is {}, which is not read", view.dtype())))?;
            let tensor = Tensor::from_bytes(dtype, view.shape(), view.data())
                .map_err(|it| bad(format!("`{name}`: {it}")))?;
            list.push((number, tensor));
        }
        inputs.sort_by_key(|it| it.0);
        outputs.sort_by_key(|it| it.0);
        Ok(TensorFile { inputs: inputs.into_iter().map(|it| it.1).collect(), outputs })
    }
}

/// Reads every tensor of a file, by name.
pub fn read_tensors(path: &Path) -> Result<Vec<(String, Tensor)>, Failure> {
    let bad = |reason: String| Failure::new(&codes::INPUT, format!("{}: {reason}", path.display()));
    let map = import::Mapped::open(path).map_err(|it| Failure::io(path, &it))?;
    let file = SafeTensors::deserialize(&map)
        .map_err(|it| bad(format!("is not a readable safetensors file: {it}")))?;
    let read = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        let dtype = from_file(view.dtype())
            .ok_or_else(|| bad(format!("`{name}` is {}, which is not read", view.dtype())))?;
        let tensor = Tensor::from_bytes(dtype, view.shape(), view.data());
        Ok((name.to_owned(), tensor.map_err(|it| bad(format!("`{name}`: {it}")))?))
    };
    file.iter().map(read).collect()
}

/// Writes outputs as `output_K`; the file appears by a rename, complete.
pub fn write_outputs(path: &Path, outputs: &[Tensor]) -> Result<(), Failure> {
    let named = outputs.iter().enumerate().map(|(k, it)| (format!("output_{k}"), it.clone()));
    write_tensors(path, named.collect())
}

/// Writes tensors by name; the file appears by a rename, complete.
pub fn write_tensors(path: &Path, tensors: Vec<(String, Tensor)>) -> Result<(), Failure> {
    let mut views = Vec::new();
    for (name, tensor) in tensors {
        let tensor = tensor.contiguous()?;
        let Some(dtype) = to_file(tensor.dtype()) else {
            let message = format!("a safetensors file holds no {}", tensor.dtype());
            return Err(Failure::new(&codes::INPUT, message));
        };
        views.push((name, Stored { dtype, tensor }));
    }
    let io = |error: &std::io::Error| Failure::io(path, error);
    let bytes = safetensors::serialize(views, None)
        .map_err(|it| Failure::new(&codes::IO, format!("{}: {it}", path.display())))?;
    crate::files::replace(path, &bytes).map_err(|it| io(&it))
}

struct Stored {
    dtype: Dtype,
    tensor: Tensor,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }
    fn data(&self) -> Cow<'_, [u8]> {
        // Made contiguous when it was stored.
        self.tensor.bytes().unwrap_or_default().into()
    }
    fn data_len(&self) -> usize {
        self.tensor.numel() * self.tensor.dtype().size()
    }
}

const DTYPES: &[(Dtype, DType)] = &[
    (Dtype::BOOL, DType::Bool),
    (Dtype::U8, DType::U8),
    (Dtype::I8, DType::I8),
    (Dtype::I16, DType::I16),
    (Dtype::U16, DType::U16),
    (Dtype::I32, DType::I32),
    (Dtype::U32, DType::U32),
    (Dtype::I64, DType::I64),
    (Dtype::U64, DType::U64),
    (Dtype::F16, DType::F16),
    (Dtype::BF16, DType::BF16),
    (Dtype::F32, DType::F32),
    (Dtype::F64, DType::F64),
    (Dtype::C64, DType::C64),
    (Dtype::F8_E5M2, DType::F8E5M2),
    (Dtype::F8_E4M3, DType::F8E4M3FN),
];

fn from_file(dtype: Dtype) -> Option<DType> {
    DTYPES.iter().find(|it| it.0 == dtype).map(|it| it.1)
}

fn to_file(dtype: DType) -> Option<Dtype> {
    DTYPES.iter().find(|it| it.1 == dtype).map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_read_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.safetensors");
        let outputs = [
            Tensor::from_vec(&[2], vec![1.5_f32, -0.0]).unwrap(),
            Tensor::from_vec(&[2, 2], vec![1_i64, 2, 3, 4]).unwrap(),
            Tensor::scalar(true),
        ];
        write_outputs(&path, &outputs).unwrap();
        let file = TensorFile::read(&path).unwrap();
        assert!(file.inputs.is_empty());
        for (k, (number, tensor)) in file.outputs.iter().enumerate() {
            assert_eq!(*number, k);
            assert_eq!(tensor.dtype(), outputs[k].dtype());
            assert_eq!(tensor.shape(), outputs[k].shape());
            assert_eq!(tensor.bytes().unwrap(), outputs[k].bytes().unwrap());
        }
    }

    #[test]
    fn what_is_no_tensor_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.safetensors");
        std::fs::write(&path, b"\xff\xff\xff\xff\xff\xff\xff\x7f{}").unwrap();
        let message = TensorFile::read(&path).unwrap_err().diags[0].message.clone();
        assert!(message.contains("is not a readable safetensors file"), "{message}");
    }
}
