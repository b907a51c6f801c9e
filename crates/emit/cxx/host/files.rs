//! The container's sources, as text: what every model library is linked with.
//!
//! `emit` takes this file in as a module; it stands here so that a file added
//! to the folder is added to the list beside it.

/// A source file: its name and its text.
pub type File = (&'static str, &'static str);

/// Translation units that do not depend on the model.
pub const UNITS: &[File] = &[
    ("maps.cpp", include_str!("maps.cpp")),
    ("container.cpp", include_str!("container.cpp")),
    ("run.cpp", include_str!("run.cpp")),
    ("describe.cpp", include_str!("describe.cpp")),
    ("debug.cpp", include_str!("debug.cpp")),
    ("error.cpp", include_str!("error.cpp")),
    ("blob.cpp", include_str!("blob.cpp")),
    ("constants.cpp", include_str!("constants.cpp")),
    ("update.cpp", include_str!("update.cpp")),
    ("memory.cpp", include_str!("memory.cpp")),
    ("shim.cpp", include_str!("shim.cpp")),
];

/// Headers of those units alone.
pub const PRIVATE_HEADERS: &[File] =
    &[("internal.h", include_str!("internal.h")), ("entry.h", include_str!("entry.h"))];

/// Headers that a generated host program includes.
pub const HEADERS: &[File] = &[
    ("tintype_model.h", include_str!("tintype_model.h")),
    ("tintype_fault.h", include_str!("tintype_fault.h")),
];

/// The linker's version script: what a model library exports.
pub const EXPORTS: &str = include_str!("exports.map");

/// Compiler flags of [`UNITS`], beside those the toolchain gives to every unit.
///
/// No `-march`: the container is what says that the machine lacks an instruction set.
pub const FLAGS: &[&str] = &["-O2", "-Wall", "-Wextra"];
