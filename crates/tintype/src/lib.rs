//! The front door: compiling exported PyTorch programs, looking at them, running them.
//!
//! ```no_run
//! use tintype::{CompileOptions, compile, runtime::{Model, Tensor}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! compile(&CompileOptions::new("model.pt2", "compiled.pt2"), &|_| ())?;
//! let model = Model::load("compiled.pt2")?;
//! let outputs = model.run(&[Tensor::from_vec(&[2, 3], vec![1.0f32; 6])?])?;
//! # Ok(())
//! # }
//! ```
//!
//! **Architecture invariants:** this crate joins the others and knows no op. What it writes appears
//! complete or not at all. It prints nothing; the binary beside it does.

mod compare;
mod compile;
mod constants;
mod failure;
mod files;
mod inputs;
mod inspect;
mod interpret;
mod kind;
mod locate;
mod memory;
mod picture;
mod sanitize;
mod session;
mod sources;
mod tensors;
pub mod tools;
mod tree;
mod validate;
mod values;
mod writes;

pub use catalog::{sanitizing_pipeline, updatable_pipeline};
pub use compare::{Compared, Tolerance, compare, describe, table};
pub use compile::{CompileOptions, Emit, Report, Stage, compile};
pub use diag::{Diag, codes};
pub use failure::Failure;
pub use inputs::{Sizes, sample_inputs, seeded};
pub use inspect::{Inspection, Operator, SymbolInfo, ValueInfo, inspect};
pub use interpret::interpret;
pub use kind::FileKind;
pub use memory::{MemoryBuffer, MemoryPlan, memory_at_sizes, memory_plan};
pub use sanitize::Sanitizer;
pub use tensors::{TensorFile, read_tensors, write_outputs, write_tensors};
pub use tintype_runtime as runtime;
pub use toolchain::TargetCpu;
pub use validate::{ValidateOptions, Validation, validate};
pub use wrapper_passes::arena;
pub use writes::{StateWrites, writes};
