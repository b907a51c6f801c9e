//! Passes over `tensor`, down to `loops`. A pass is a folder: why and how in its `mod.rs`, its page
//! of the book in its `README.md`, whose examples are tests, and more tests in `tests/*.ir`.

use pass::PassDef;

mod canonicalize;
mod cse;
#[path = "fold-constants/mod.rs"]
mod fold_constants;
mod fuse;
#[path = "simplify-sizes/mod.rs"]
mod simplify_sizes;

/// Every pass of this level.
pub static PASSES: &[&PassDef] =
    &[&canonicalize::CANONICALIZE, &cse::CSE, &simplify_sizes::SIMPLIFY_SIZES, &fold_constants::FOLD_CONSTANTS, &fuse::FUSE];
