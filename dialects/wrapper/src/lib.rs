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

/// Whether a function is of the host program, and not a kernel.
pub fn is_host(function: &Function) -> bool {
    function.body.ops().iter().any(|it| it.def.0.dialect() == "wrapper")
}

/// The symbols that data defines on the way, in order.
pub fn symbols_of_data(function: &Function) -> Vec<String> {
    let name =
        |op| BindItem::of(ir::View::of(&function.body, &function.facts, op)).map(|it| it.symbol());
    function.body.ops().iter().filter_map(name).collect()
}

/// The statement that takes the inputs, and the first arena if its size is known by then: such an
/// arena is made at once, before the first kernel, so its size is needed there.
pub fn early_arena(function: &Function) -> Option<(usize, usize)> {
    let ops = function.body.ops();
    let view = |op| ir::View::of(&function.body, &function.facts, op);
    let taken = ops.iter().position(|it| TakeInputs::of(view(it)).is_some())?;
    let at = ops.iter().position(|it| Arena::of(view(it)).is_some())?;
    let mut late = symbols_of_data(function);
    for it in ops.iter().filter_map(|it| Size::of(view(it))) {
        let value = it.value();
        late.extend(late.iter().any(|late| value.mentions(late)).then(|| it.symbol()));
    }
    let size = Arena::of(view(&ops[at]))?.size();
    (taken < at && late.iter().all(|it| !size.mentions(it))).then_some((taken, at))
}
