//! What a kernel is called with beside its tensors.

use std::collections::BTreeSet;

use ir::{Function, View};

use crate::{Attention, Conv2d, Gemm, Linalg, Sort};

/// The symbols that a kernel takes, in order.
pub fn kernel_symbols(kernel: &Function) -> Vec<String> {
    let mut res: BTreeSet<String> =
        kernel.facts.symbols().iter().map(|it| it.to_string()).collect();
    res.extend(kernel.body.ops().iter().flat_map(|op| crate::free_symbols(&kernel.body, op)));
    res.into_iter().collect()
}

/// Whether a kernel works in memory of its own, of a size that is known once it runs.
pub fn has_workspace(kernel: &Function) -> bool {
    let Some(op) = kernel.body.ops().last() else { return false };
    let view = View::of(&kernel.body, &kernel.facts, op);
    let decomposes = |it: Linalg<'_>| matches!(it.kind().as_str(), "eigh" | "svd");
    Gemm::of(view).is_some()
        || Conv2d::of(view).is_some()
        || Attention::of(view).is_some()
        || Sort::of(view).is_some()
        || Linalg::of(view).is_some_and(decomposes)
}
