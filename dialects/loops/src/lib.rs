//! The `loops` dialect: kernels.
//!
//! A value of a function at this level is a tensor in memory, so its type has strides.
//! A [`Kernel`] has an iteration space and a region that runs at each of its points; the region
//! computes with single elements (`loops.add`, `loops.exp`, …), loads and stores them, reduces and
//! loops further inside. Structured kernels ([`Gemm`], [`Conv2d`], [`Attention`]) say what they
//! compute as a whole; the first two hand each result to an epilogue region that stores it.
//!
//! Places are index expressions over the *axes* in scope: the names a kernel or loop gives to its
//! loop variables (`i0`, `r0`, …), each from 0 up to its extent. In an epilogue the axes are
//! `b`, `m` and `n`. `d0`, `d1`, … in a load or store stand for its dynamic indices.
//!
//! **Invariant:** the region of a kernel sees only its parameters, the kernel's inputs followed by
//! its outputs. So equal kernels are equal regions, whatever their operands are called.

mod access;
mod control;
mod eval;
mod infer;
mod kernel;
mod ops;
mod pointwise;

pub use access::{
    Lane, axis_facts, block_access, dynamic_index, free_symbols, lane_access, linear_offset,
    part_dtype, parts_type,
};
pub use control::{Absent, AssertTensor, BindSymbol, Cond, ScanOver, Subgraph, While};
pub use infer::multiplies;
pub use kernel::{has_workspace, kernel_symbols};
pub use ops::*;
pub use pointwise::{scalar, scalar_def};

use ir::OpRef;

/// Elements of a panel of the packed second operand of a product (`NR` in `kernels.h`).
pub const PANEL: i64 = 16;

/// Elements of work below which a kernel runs on one thread: waking others takes some
/// microseconds, in which one thread does about as many.
pub const PARALLEL_WORK: i64 = 1 << 15;

/// Every operation of the dialect.
pub fn ops() -> Vec<OpRef> {
    ops::OPS.iter().chain(control::OPS).chain(pointwise::ops::OPS).map(|it| it()).collect()
}
