//! The stored tensors of a program: parameters, buffers and constants, by name.
//!
//! Three ways of writing them are read: since 2.9 one raw member per storage and a JSON config
//! (where two names with one member share it); in 2.8 and before one file of `torch.save` for all
//! of them; and, within the first, such a file for a single tensor. Raw members are used in place.

use crate::{
    ImportError,
    archive::Zip,
    json,
    pickle::Value,
    schema::{ExportedProgram, Layout, Map, PayloadConfig, PayloadMeta, SymInt, TensorMeta},
    storage::{Storage, StorageId, Storages, WeightRef},
    torch_file::TorchFile,
};

/// The stored tensors of a program.
#[derive(Clone, Default, Debug)]
pub struct Weights<'a> {
    storages: Storages<'a>,
    state: Map<Payload>,
    constants: Map<Payload>,
}

/// What is stored under a name.
#[derive(Clone, PartialEq, Debug)]
enum Payload {
    Tensor(WeightRef),
    /// Something that is not read: an object of a custom class, a subclass of tensors. The error
    /// counts only if the program uses it.
    Unread(ImportError),
}

/// The folder of weights and that of constants differ in names only.
struct Folder<'s> {
    /// With a slash at its end.
    path: &'s str,
    config: &'s str,
    pickle: &'s str,
}

impl<'a> Weights<'a> {
    /// Reads the archive layout of 2.8 and later. `root` ends with a slash.
    pub(crate) fn read(zip: &Zip<'a>, root: &str, model: &str) -> Result<Weights<'a>, ImportError> {
        let mut weights = Weights::default();
        let mut read = |kind: &str| {
            let path = format!("{root}data/{kind}/");
            let config = format!("{path}{model}_{kind}_config.json");
            let pickle = format!("{path}{model}.pt");
            let folder = Folder { path: &path, config: &config, pickle: &pickle };
            weights.read_folder(zip, &folder)
        };
        let (state, constants) = (read("weights")?, read("constants")?);
        Ok(Weights { state, constants, ..weights })
    }

    /// Reads the archive layout of 2.6 and 2.7.
    pub(crate) fn read_flat(zip: &Zip<'a>) -> Result<Weights<'a>, ImportError> {
        let mut weights = Weights::default();
        let state = weights.read_pickle(zip, "serialized_state_dict.pt")?;
        let constants = weights.read_pickle(zip, "serialized_constants.pt")?;
        Ok(Weights { state, constants, ..weights })
    }

    /// The tensor of that name.
    pub fn get(&self, fqn: &str) -> Result<&WeightRef, ImportError> {
        // Both maps for all kinds: a buffer that is not persistent is stored as a constant.
        match self.state.get(fqn).or_else(|| self.constants.get(fqn)) {
            Some(Payload::Tensor(weight)) => Ok(weight),
            Some(Payload::Unread(error)) => Err(error.clone()),
            None => Err(ImportError::MissingWeight { fqn: fqn.into() }),
        }
    }

    /// All tensors with their names: first parameters and persistent buffers, then constants.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &WeightRef)> {
        self.state.iter().chain(&self.constants).filter_map(|(fqn, payload)| match payload {
            Payload::Tensor(weight) => Some((fqn.as_str(), weight)),
            Payload::Unread(_) => None,
        })
    }

    /// The storage of that number.
    pub fn storage(&self, id: StorageId) -> Option<Storage<'_, 'a>> {
        self.storages.get(id)
    }

    /// All storages, in the order of their numbers.
    pub fn storages(&self) -> impl Iterator<Item = Storage<'_, 'a>> {
        self.storages.iter()
    }

    /// Checks that each stored tensor the program takes is there, with the dtype and the sizes
    /// that the graph says.
    pub(crate) fn check(&self, program: &ExportedProgram) -> Result<(), ImportError> {
        let module = &program.graph_module;
        for (name, fqn) in module.signature.input_specs.iter().filter_map(|it| it.weight()) {
            let weight = self.get(fqn)?;
            let Some(meta) = module.graph.tensor_values.get(name) else { continue };
            let bad = |reason| ImportError::BadWeight { fqn: fqn.into(), reason };
            if meta.dtype != weight.dtype {
                let (graph, stored) = (meta.dtype, weight.dtype);
                return Err(bad(format!("it is stored as {stored}, and {graph} in the graph")));
            }
            let fits = |(meta, &size): (&SymInt, &i64)| match meta {
                SymInt::Int(int) => *int == size,
                SymInt::Expr(_) => true,
            };
            let same_rank = meta.sizes.len() == weight.sizes.len();
            if !same_rank || !meta.sizes.iter().zip(&weight.sizes).all(fits) {
                let stored = &weight.sizes;
                return Err(bad(format!("its stored sizes {stored:?} are not those of the graph")));
            }
        }
        Ok(())
    }

    fn read_folder(
        &mut self,
        zip: &Zip<'a>,
        folder: &Folder<'_>,
    ) -> Result<Map<Payload>, ImportError> {
        if zip.contains(folder.pickle) {
            return self.read_pickle(zip, folder.pickle);
        }
        let bytes = zip.read(folder.config)?;
        let config: PayloadConfig = json::parse(&zip.place(folder.config), &bytes)?;
        let payloads = config.config.into_iter().map(|(fqn, meta)| {
            let payload = self.read_payload(zip, folder, &fqn, &meta)?;
            Ok((fqn, payload))
        });
        payloads.collect()
    }

    fn read_payload(
        &mut self,
        zip: &Zip<'a>,
        folder: &Folder<'_>,
        fqn: &str,
        meta: &PayloadMeta,
    ) -> Result<Payload, ImportError> {
        let bad = |reason: &str| ImportError::BadWeight { fqn: fqn.into(), reason: reason.into() };
        let member = format!("{}{}", folder.path, meta.path_name);
        if meta.use_pickle {
            let Some(_) = &meta.tensor_meta else {
                return Ok(Payload::Unread(bad("it is an object of a custom class")));
            };
            return Ok(self.read_pickled(zip, &member, fqn).unwrap_or_else(Payload::Unread));
        }
        let tensor = meta.tensor_meta.as_ref().ok_or_else(|| bad("it has no tensor_meta"))?;
        if !zip.contains(&member) {
            let member = zip.place(&member);
            return Err(bad(&format!("its member `{member}` is not in the archive")));
        }
        if tensor.layout != Layout::Strided {
            return Ok(Payload::Unread(bad("it is not a strided tensor")));
        }
        let storage = self.storages.get_or_add(&member, || zip.read(&member))?;
        let weight = view(tensor, storage, meta.is_param)
            .ok_or_else(|| bad("its shape is not made of plain integers"))?;
        self.storages.check(fqn, &weight)?;
        Ok(Payload::Tensor(weight))
    }

    /// A file of `torch.save` that holds one tensor.
    fn read_pickled(
        &mut self,
        zip: &Zip<'a>,
        member: &str,
        fqn: &str,
    ) -> Result<Payload, ImportError> {
        let file = TorchFile::open(zip.read(member)?, &zip.place(member))?;
        match file.pickle().value(file.pickle().root()) {
            Value::Tensor(tensor) => {
                file.tensor(tensor, fqn, &mut self.storages).map(Payload::Tensor)
            }
            _ => Err(file.error("it does not hold a tensor")),
        }
    }

    /// A file of `torch.save` that holds a dict of tensors.
    fn read_pickle(&mut self, zip: &Zip<'a>, member: &str) -> Result<Map<Payload>, ImportError> {
        let file = TorchFile::open(zip.read(member)?, &zip.place(member))?;
        let pickle = file.pickle();
        let pairs = pickle.text_pairs(pickle.root());
        let pairs =
            pairs.ok_or_else(|| file.error("it does not hold a dict with names as keys"))?;
        let payloads = pairs.into_iter().map(|(fqn, id)| {
            let payload = match pickle.value(id) {
                Value::Tensor(tensor) => {
                    Payload::Tensor(file.tensor(tensor, fqn, &mut self.storages)?)
                }
                _ => Payload::Unread(ImportError::BadWeight {
                    fqn: fqn.into(),
                    reason: "it is not a tensor".into(),
                }),
            };
            Ok((fqn.to_owned(), payload))
        });
        payloads.collect()
    }
}

/// The view that a config describes; none if a number in it is symbolic.
fn view(meta: &TensorMeta, storage: StorageId, is_param: bool) -> Option<WeightRef> {
    let int = |it: &SymInt| match it {
        SymInt::Int(int) => Some(*int),
        SymInt::Expr(_) => None,
    };
    Some(WeightRef {
        storage,
        dtype: meta.dtype,
        sizes: meta.sizes.iter().map(int).collect::<Option<_>>()?,
        strides: meta.strides.iter().map(int).collect::<Option<_>>()?,
        storage_offset: int(&meta.storage_offset)?,
        is_param,
        requires_grad: meta.requires_grad,
    })
}
