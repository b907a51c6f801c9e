//! Loads model libraries without PyTorch: the C shim, the container client, tensors.
//!
//! ```no_run
//! use tintype_runtime::{Model, Tensor};
//!
//! # fn main() -> Result<(), tintype_runtime::Error> {
//! let model = Model::load("model.pt2")?;
//! let x = Tensor::from_vec(&[2, 3], vec![1.0f32; 6])?;
//! let outputs = model.run(&[x])?;
//! println!("{:?}", outputs[0].to_vec::<f32>()?);
//! # Ok(())
//! # }
//! ```
//!
//! A model library has AOTInductor's entry points and asks its host for a few
//! dozen `aoti_torch_*` functions on tensors. PyTorch is one such host; this
//! crate is another, in which a tensor is a [`Tensor`]. A C header with the
//! same reach is `include/tintype.h`.
//!
//! **Invariants.** None of the compiler is behind this crate. It is the one place
//! with unsafe code, each block with its reason. Loading runs the library's
//! code: a library is trusted as any program is; but a file that is damaged,
//! cut short, or something else altogether is an error.

mod capi;
mod dtype;
mod elf;
mod error;
mod library;
mod model;
mod shim;
mod state;
mod storage;
mod tensor;

pub use dtype::{Complex, DType, Element};
pub use error::Error;
pub use model::{LoadOptions, Model, Symbol, TensorInfo};
pub use tensor::Tensor;
