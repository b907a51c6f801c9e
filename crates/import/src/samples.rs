//! The example inputs that an export keeps.

use crate::{
    Bytes, ImportError,
    archive::Zip,
    pickle::Value,
    storage::{Storages, WeightRef},
    torch_file::TorchFile,
};

/// The example inputs: the leaves of (args, kwargs), in PyTorch's order.
#[derive(Clone, Debug)]
pub struct SampleInputs<'a> {
    /// The leaves.
    pub leaves: Vec<Sample>,
    /// What its tensors are views of.
    pub storages: Storages<'a>,
}

/// One example input.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Sample {
    Tensor(WeightRef),
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    /// A dtype, a device, bytes: something that no graph takes as an input.
    Other,
}

impl<'a> SampleInputs<'a> {
    /// Reads a member; none where the export kept no inputs.
    pub(crate) fn read(
        zip: &Zip<'a>,
        member: &str,
    ) -> Result<Option<SampleInputs<'a>>, ImportError> {
        if !zip.contains(member) {
            return Ok(None);
        }
        let bytes = zip.read(member)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let file = TorchFile::open(bytes, &zip.place(member))?;
        let pickle = file.pickle();
        if *pickle.value(pickle.root()) == Value::None {
            return Ok(None);
        }
        SampleInputs::leaves(&file).map(Some)
    }

    /// Reads a file of `torch.save`; `bytes` are the whole of it.
    pub fn of_file(bytes: &'a [u8]) -> Result<SampleInputs<'a>, ImportError> {
        SampleInputs::leaves(&TorchFile::open(Bytes::mapped(bytes), "")?)
    }

    fn leaves(file: &TorchFile<'a>) -> Result<SampleInputs<'a>, ImportError> {
        let pickle = file.pickle();
        let leaves = pickle.leaves(pickle.root());
        let leaves = leaves.ok_or_else(|| file.error("its inputs are too many or too deep"))?;
        let mut storages = Storages::default();
        let samples = leaves.into_iter().enumerate().map(|(position, leaf)| {
            Ok(match pickle.value(leaf) {
                Value::Tensor(tensor) => {
                    let name = format!("example input {position}");
                    Sample::Tensor(file.tensor(tensor, &name, &mut storages)?)
                }
                Value::None => Sample::None,
                Value::Bool(value) => Sample::Bool(*value),
                Value::Int(value) => Sample::Int(*value),
                Value::Float(value) => Sample::Float(*value),
                Value::Str(value) => Sample::Str(value.to_string()),
                _ => Sample::Other,
            })
        });
        let leaves = samples.collect::<Result<_, ImportError>>()?;
        Ok(SampleInputs { leaves, storages })
    }
}
