//! Models: loading and running.
#![expect(unsafe_code, reason = "calls the library's C functions")]

use std::ffi::c_int;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::ptr;

use package::Package;

use crate::library::{Container, Library};
use crate::shim::{Handle, new_handle, take_handle};
use crate::{DType, Error, Tensor};

/// An input or an output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The element type; `None` if the model says nothing, or something unknown here.
    pub dtype: Option<DType>,
    /// One text per dimension: "3", "B", "2*B".
    pub dims: Vec<String>,
    /// Whether the model writes it in place ([`Model::run_mut`]).
    pub is_written: bool,
}

/// A size symbol that the dimensions speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// The least value.
    pub min: i64,
    /// The greatest value, unless there is none.
    pub max: Option<i64>,
}

/// How to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Which model of a package; the only one, or PyTorch's default, without this.
    pub model: Option<String>,
    /// How many runs can go on at once; more wait. Each keeps an arena once it has run.
    pub concurrency: usize,
    /// How many threads a run computes with; as OpenMP has it, without this.
    pub num_threads: Option<usize>,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        let concurrency = std::thread::available_parallelism().map_or(1, usize::from);
        LoadOptions { model: None, concurrency, num_threads: None }
    }
}

/// A loaded model. Runs may go on in several threads at once.
#[derive(Debug)]
pub struct Model {
    pub(crate) container: *mut Container,
    pub(crate) library: Library,
    num_threads: Option<c_int>,
}

// SAFETY: the container is not bound to a thread.
unsafe impl Send for Model {}
// SAFETY: the only call that shares it is Run, which the container guards.
unsafe impl Sync for Model {}

impl Model {
    /// Loads a package (`.pt2`) or a model library (`.so`); which it is shows in the file.
    ///
    /// Runs the library's code: load what you trust as you would a program.
    pub fn load(path: impl AsRef<Path>) -> Result<Model, Error> {
        Model::load_with(path, &LoadOptions::default())
    }

    /// Loads with options.
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Model, Error> {
        let path = path.as_ref();
        let bad = |reason: String| Error::Load { path: path.to_path_buf(), reason };
        let library = if is_zip(path).map_err(|error| bad(error.to_string()))? {
            let mut package = Package::open(path)?;
            let model = match &options.model {
                Some(model) => model.clone(),
                None => only_model(&package),
            };
            Library::open_packaged(&mut package, &model)?
        } else {
            Library::open(path)?
        };
        let num_threads = options.num_threads.map(|it| c_int::try_from(it).unwrap_or(c_int::MAX));
        let mut model = Model { container: ptr::null_mut(), library, num_threads };
        model.create(options.concurrency).map_err(bad)?;
        Ok(model)
    }

    fn create(&mut self, concurrency: usize) -> Result<(), String> {
        let entries = &self.library.entries;
        let concurrency = concurrency.clamp(1, 1024);
        let mut loaded = false;
        let mut blob_size = 0;
        // SAFETY: the library's functions, with places for their results; the
        // container is null or was made by `create`.
        unsafe {
            let device = c"cpu".as_ptr();
            if (entries.create)(&mut self.container, concurrency, device, ptr::null()) != 0 {
                return Err(self.library.last_error());
            }
            if (entries.is_loaded)(self.container, &mut loaded) != 0
                || (entries.blob_size)(self.container, &mut blob_size) != 0
            {
                return Err(self.library.last_error());
            }
        }
        if loaded {
            return Ok(());
        }
        let Some(blob) = &self.library.blob else {
            return Err(format!(
                "the model's constants ({blob_size} bytes) are neither behind the library nor \
                 beside it"
            ));
        };
        if blob.len() as u64 != blob_size {
            return Err(format!(
                "there are {} bytes of constants, the model has {blob_size}",
                blob.len()
            ));
        }
        // SAFETY: as many bytes as the model has, which live as long as the library.
        if unsafe { (entries.use_blob)(self.container, blob.data()) } != 0 {
            return Err(self.library.last_error());
        }
        Ok(())
    }

    /// What the model takes, in order.
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.library.inputs
    }

    /// What it gives, in order.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.library.outputs
    }

    /// The symbols in the dimensions of both.
    pub fn symbols(&self) -> &[Symbol] {
        &self.library.symbols
    }

    /// Runs the model.
    ///
    /// An output that is an input, or a view of one, shares its memory; one that is
    /// None in Python is a tensor without elements. Fails for a model that writes its
    /// inputs: that is [`Model::run_mut`]'s to do.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        if let Some(info) = self.inputs().iter().find(|it| it.is_written) {
            let message =
                format!("the model writes its input '{}': run it with run_mut", info.name);
            return Err(Error::Run { message });
        }
        self.run_shared(inputs)
    }

    /// Runs a model that writes inputs in place.
    ///
    /// A written tensor whose memory others share is copied first: they do not see the writes.
    pub fn run_mut(&self, inputs: &mut [Tensor]) -> Result<Vec<Tensor>, Error> {
        for (tensor, info) in inputs.iter_mut().zip(self.inputs()) {
            if info.is_written {
                tensor.make_unique()?;
            }
        }
        self.run_shared(inputs)
    }

    /// Runs; what is written is written, whoever shares it.
    pub(crate) fn run_shared(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let entries = &self.library.entries;
        let mut handles = Handles(inputs.iter().cloned().map(new_handle).collect());
        let mut outputs = Handles(vec![ptr::null_mut(); self.outputs().len()]);
        if let (Some(num_threads), Some(set_threads)) = (self.num_threads, &entries.set_threads) {
            // SAFETY: a setting of this thread.
            unsafe { set_threads(num_threads) };
        }
        // SAFETY: handles of ours; the library nulls those it takes, and fills the others.
        let code = unsafe {
            (entries.run)(
                self.container,
                handles.0.as_mut_ptr(),
                handles.0.len(),
                outputs.0.as_mut_ptr(),
                outputs.0.len(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if code != 0 {
            return Err(Error::Run { message: self.library.last_error() });
        }
        outputs.take_tensors()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the container is null or the library's, and no run is going on:
        // runs borrow the model.
        unsafe { (self.library.entries.delete)(self.container) };
    }
}

/// Handles that are given back, whatever happens.
struct Handles(Vec<Handle>);

impl Handles {
    fn take_tensors(&mut self) -> Result<Vec<Tensor>, Error> {
        let mut tensors = Vec::with_capacity(self.0.len());
        for idx in 0..self.0.len() {
            let handle = std::mem::replace(&mut self.0[idx], ptr::null_mut());
            // A library may give one handle for two outputs: it is one tensor.
            let is_repeated = self.0[idx + 1..].contains(&handle) && !handle.is_null();
            // SAFETY: a handle of the shim, given to us, and not deleted yet: it
            // is taken apart at its last place.
            let tensor = if is_repeated {
                unsafe { handle.as_ref() }.and_then(|it| it.0.clone())
            } else {
                unsafe { take_handle(handle) }
            };
            let tensor = tensor.unwrap_or_else(Tensor::none);
            // Memory of the library's may be gone or rewritten after the run.
            tensors.push(if tensor.is_of_library() { tensor.copy_strided()? } else { tensor });
        }
        Ok(tensors)
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        for idx in 0..self.0.len() {
            let handle = std::mem::replace(&mut self.0[idx], ptr::null_mut());
            if !self.0[idx + 1..].contains(&handle) {
                // SAFETY: handles that nobody took, each once.
                drop(unsafe { take_handle(handle) });
            }
        }
    }
}

fn is_zip(path: &Path) -> std::io::Result<bool> {
    let mut start = [0; 2];
    let n_read = File::open(path)?.read(&mut start)?;
    Ok(n_read == 2 && start == *b"PK")
}

/// The model that is meant if none is named.
fn only_model(package: &Package) -> String {
    match package.models().as_slice() {
        [model] => model.clone(),
        _ => package::DEFAULT_MODEL.to_string(),
    }
}
