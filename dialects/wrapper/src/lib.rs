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

use std::{collections::BTreeSet, sync::Arc};

use ir::{Function, OpRef};

/// Every op of the dialect.
pub fn ops() -> Vec<OpRef> {
    ops::OPS.iter().map(|it| it()).collect()
}

/// The names that a function gives to sizes it computes once.
pub fn named_sizes(function: &Function) -> Vec<String> {
    let name =
        |op| Size::of(ir::View::of(&function.body, &function.facts, op)).map(|it| it.symbol());
    function.body.ops().iter().filter_map(name).collect()
}

/// The symbols of a function that are the model's, and not names of [`named_sizes`].
pub fn model_symbols(function: &Function) -> BTreeSet<Arc<str>> {
    let named = named_sizes(function);
    let mut symbols = function.facts.symbols();
    symbols.retain(|it| named.iter().all(|named| **it != **named));
    symbols
}
