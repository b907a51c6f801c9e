//! Printing C++: kernels from `loops`, the host program from `wrapper`.
//!
//! A printer decides nothing: what is fused, tiled, vectorised, allocated or freed was decided by
//! passes and stands in the IR. Names and escaping are in [`names`], in one place.
//!
//! The C++ that every model shares lies under `cxx/` and is part of this crate as text:
//! [`container`], [`KERNEL_HEADERS`] and [`KERNEL_UNITS`].
//!
//! **Architecture invariants:** a printed text depends on the function alone, not on the run, the
//! machine or a hash seed. No text of an archive is printed but through `names`.

mod code;
mod host;
mod kernel;
pub mod names;
mod scalar;
mod shared;
mod structured;
mod value;

pub use host::{ConstantEntry, HostInfo, IoEntry, print_host};
pub use kernel::{kernel_declaration, print_kernels};
pub use shared::{File, KERNEL_HEADERS, KERNEL_UNITS, container};

/// Lanes of a vector in printed kernels, for every element type.
pub const LANES: i64 = 16;
