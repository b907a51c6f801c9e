//! Passes over `loops`, down to `wrapper`. A pass is a folder: why and how in its `mod.rs`, its page
//! of the book in its `README.md`, whose examples are tests, and more tests in `tests/*.ir`.

use pass::PassDef;

mod accesses;
#[path = "collapse-axes/mod.rs"]
mod collapse_axes;
#[path = "hoist-packing/mod.rs"]
mod hoist_packing;
#[path = "pack-constants/mod.rs"]
mod pack_constants;
mod parallelize;
#[path = "to-wrapper/mod.rs"]
mod to_wrapper;
mod vectorize;

/// Every pass of this level.
pub static PASSES: &[&PassDef] = &[
    &pack_constants::PACK_CONSTANTS,
    &collapse_axes::COLLAPSE_AXES,
    &vectorize::VECTORIZE,
    &parallelize::PARALLELIZE,
    &hoist_packing::HOIST_PACKING,
    &to_wrapper::TO_WRAPPER,
];
