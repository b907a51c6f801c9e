//! The `tensor` dialect: pure operators on whole tensors.
//!
//! A value is what a tensor holds: element type and sizes, no strides, no memory. Sizes are
//! expressions over the function's symbols. Types are explicit: operands of an element-wise
//! operator have one dtype and one shape; [`Cast`] and [`Expand`] say where they came to.
//!
//! Every operator has inference (its one typing rule), effects and an evaluator. An operator's
//! numbered constraints (`C1`) are what its inference checks, and its messages name them.

mod control;
mod eval;
mod infer;
mod ops;
mod pointwise;
mod shape;

pub use control::{Absent, AssertTensor, BindSymbol, Cond, ScanOver, Subgraph, While};
pub use ops::*;
pub use pointwise::{pointwise, pointwise_def};
pub use shape::{broadcast, contiguous_dims, normalize_dim, same_shape};

use ir::OpRef;

/// Every operator of the dialect.
pub fn ops() -> Vec<OpRef> {
    ops::OPS.iter().chain(control::OPS).chain(pointwise::ops::OPS).map(|it| it()).collect()
}
