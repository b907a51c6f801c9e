//! The `wrapper` dialect: the host program, one op per statement that is printed.
//!
//! A function's parameters are the model's inputs and constants. Ops stand in the order in which
//! they happen at run time: checks, symbols, memory, calls, outputs. Sizes in attributes are
//! expressions over symbols that [`Bind`] has defined by then.
//!
//! **Invariant:** a printer of this dialect decides nothing. What is not an op here is not printed.

mod eval;
mod infer;
mod ops;

pub use ops::*;

use ir::OpRef;

/// Every op of the dialect.
pub fn ops() -> Vec<OpRef> {
    ops::OPS.iter().map(|it| it()).collect()
}
