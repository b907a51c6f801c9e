//! The C++ that every model shares, as text.

/// The container: what every model library is linked with.
#[path = "../cxx/host/files.rs"]
pub mod container;

/// A file: its name and its text.
pub type File = (&'static str, &'static str);

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../cxx/kernels/", $name)))),*]
    };
}

/// Headers that printed kernels include.
pub const KERNEL_HEADERS: &[File] = files![
    "vec.h",
    "vec_core.h",
    "vec_int.h",
    "vec_libm.h",
    "vec_math.h",
    "vec_mem.h",
    "vec_reduce.h",
    "vec_kernel.h",
    "vec_linalg.h",
    "kernels.h",
    "gemm_block.h",
];

/// Structured kernels: compiled for the target, linked where a model calls them.
pub const KERNEL_UNITS: &[File] = files!["gemm.cpp", "conv.cpp", "attention.cpp"];
