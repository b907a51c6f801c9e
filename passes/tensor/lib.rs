//! Passes over `tensor`, down to `loops`. A pass is a folder: why and how in its `mod.rs`, its page
//! of the book in its `README.md`, whose examples are tests, and more tests in `tests/*.ir`.

use ir::{OpRef, Type, scalar::ScalarFn};
use pass::PassDef;

mod canonicalize;
mod cse;
#[path = "expand-attention/mod.rs"]
mod expand_attention;
#[path = "fold-constants/mod.rs"]
mod fold_constants;
mod fuse;
#[path = "hoist-constants/mod.rs"]
mod hoist_constants;
#[path = "inline-subgraphs/mod.rs"]
mod inline_subgraphs;
#[path = "mark-fixed/mod.rs"]
mod mark_fixed;
#[path = "simplify-sizes/mod.rs"]
mod simplify_sizes;
#[path = "split-complex/mod.rs"]
mod split_complex;

/// Every pass of this level.
pub static PASSES: &[&PassDef] = &[
    &inline_subgraphs::INLINE_SUBGRAPHS,
    &mark_fixed::MARK_FIXED,
    &canonicalize::CANONICALIZE,
    &cse::CSE,
    &simplify_sizes::SIMPLIFY_SIZES,
    &expand_attention::EXPAND_ATTENTION,
    &split_complex::SPLIT_COMPLEX,
    &fold_constants::FOLD_CONSTANTS,
    &hoist_constants::HOIST_CONSTANTS,
    &fuse::FUSE,
];

/// Whether an op that gives a value of type `ty` keeps every bit when its operands are exchanged.
/// Of two zeros of different sign `min` and `max` give one or the other.
fn commutes(op: OpRef, ty: &Type) -> bool {
    let extremum = matches!(op.0.scalar, Some(ScalarFn::Min | ScalarFn::Max));
    op.0.commutative && !(extremum && ty.dtype().is_none_or(|it| it.is_float()))
}
