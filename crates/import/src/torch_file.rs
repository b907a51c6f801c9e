//! Files of `torch.save`: a zip that holds a pickle, `data.pkl`, and beside it the bytes of each
//! storage, `data/<key>`, all in one folder. Exports hold such files as members.

use crate::{
    Bytes, ImportError, MemberFault,
    archive::Zip,
    pickle::{Pickle, PickledTensor, Value},
    schema::ScalarType,
    storage::{StorageId, Storages, WeightRef},
};

/// A file of `torch.save`.
#[derive(Debug)]
pub(crate) struct TorchFile<'a> {
    zip: Zip<'a>,
    root: String,
    pickle: Pickle,
}

impl<'a> TorchFile<'a> {
    /// Reads the pickle of such a file; `member` is its name in errors.
    pub(crate) fn open(bytes: Bytes<'a>, member: &str) -> Result<TorchFile<'a>, ImportError> {
        let zip = Zip::open(bytes, member)?;
        let root = zip.root().to_owned();
        let order = format!("{root}byteorder");
        // Files older than this member are little-endian.
        if zip.contains(&order) && &*zip.read(&order)? != b"little" {
            return Err(ImportError::member(zip.place(&order), MemberFault::BigEndian));
        }
        let name = format!("{root}data.pkl");
        let bytes = zip.read(&name)?;
        let pickle = Pickle::parse(&zip.place(&name), &bytes)?;
        Ok(TorchFile { zip, root, pickle })
    }

    pub(crate) fn pickle(&self) -> &Pickle {
        &self.pickle
    }

    /// An error about the pickle as a whole.
    pub(crate) fn error(&self, reason: &str) -> ImportError {
        ImportError::Pickle {
            member: self.zip.place(&format!("{}data.pkl", self.root)),
            at: 0,
            reason: reason.into(),
        }
    }

    /// Checks a tensor, and adds its storage to those that are known. `fqn` is its name in errors.
    pub(crate) fn tensor(
        &self,
        tensor: &PickledTensor,
        fqn: &str,
        storages: &mut Storages<'a>,
    ) -> Result<WeightRef, ImportError> {
        let bad = |reason: &str| ImportError::BadWeight { fqn: fqn.into(), reason: reason.into() };
        let shape = |id| self.pickle.shape(id).ok_or_else(|| bad("its shape is not a short tuple"));
        let (sizes, strides) = (shape(tensor.sizes)?, shape(tensor.strides)?);
        let storage = self.storage(tensor, fqn, storages)?;
        let weight = WeightRef {
            storage,
            dtype: tensor.dtype,
            sizes,
            strides,
            storage_offset: tensor.offset,
            is_param: tensor.parameter,
            requires_grad: tensor.requires_grad,
        };
        storages.check(fqn, &weight)?;
        Ok(weight)
    }

    fn storage(
        &self,
        tensor: &PickledTensor,
        fqn: &str,
        storages: &mut Storages<'a>,
    ) -> Result<StorageId, ImportError> {
        let Value::Str(key) = self.pickle.value(tensor.storage.key) else {
            return Err(self.error("a storage has no key"));
        };
        let name = format!("{}data/{key}", self.root);
        let place = self.zip.place(&name);
        let id = storages.get_or_add(&place, || self.zip.read(&name))?;
        let have = storages.get(id).map_or(0, |it| it.bytes.len() as u64);
        let width = tensor.storage.dtype.map_or(1, ScalarType::bytes);
        let need = u64::try_from(tensor.storage.len).unwrap_or(0).saturating_mul(width.into());
        if have < need {
            return Err(ImportError::ShortWeight { fqn: fqn.into(), member: place, need, have });
        }
        Ok(id)
    }
}
