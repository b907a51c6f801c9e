//! The output package: what PyTorch's loader reads.
//!
//! A package is a zip archive, laid out as `torch.export`'s PT2 archive: one
//! folder at its root, named after the file, with the model library, its
//! metadata, and (ours) a description of the model's inputs and outputs.
//! Members are stored, not compressed; the library starts on a page, so that
//! its constants can be mapped straight out of the package.
//!
//! **Invariants.** Knows nothing of the IR. Writing is deterministic: no times,
//! no paths, one order; and it holds no more than one member's slices in memory.
//! Reading takes a hostile file: an error, never a panic, no path taken from a
//! member's name, no allocation that the file's real size does not pay for.

mod blob;
mod error;
mod place;
mod read;
mod signature;
mod write;

pub use blob::{BLOB_ALIGNMENT, Blob, LibraryParts, TRAILER_LEN, library_parts};
pub use error::Error;
pub use place::put_file;
pub use read::{Library, Package};
pub use signature::{Signature, Symbol, TensorInfo};
pub use write::{Model, write_library, write_package};

/// The model's name where nobody asked for another: PyTorch's default.
pub const DEFAULT_MODEL: &str = "model";

/// Where models are, below the root.
const MODELS: &str = "data/aotinductor";

/// Our own member, below the root.
const SIGNATURE: &str = "extra/tintype.json";
