//! Passes over `wrapper`. A pass is a folder: why and how in its `mod.rs`, its page of the book in
//! its `README.md`, whose examples are tests, and more tests in `tests/*.ir`.

use diag::Diag;
use ir::{Function, Result};
use pass::{PassDef, Unit};

pub mod arena;
mod in_place;
mod lives;
mod proofs;
pub mod report;
mod workspaces;
pub mod writes;

#[path = "check-memory/mod.rs"]
mod check_memory;
#[path = "hoist-sizes/mod.rs"]
mod hoist_sizes;
mod order;
#[path = "plan-memory/mod.rs"]
mod plan_memory;
#[path = "reuse-buffers/mod.rs"]
mod reuse_buffers;
#[path = "sanitize-memory/mod.rs"]
mod sanitize_memory;

/// Every pass of this level.
pub static PASSES: &[&PassDef] = &[
    &order::ORDER,
    &reuse_buffers::REUSE_BUFFERS,
    &plan_memory::PLAN_MEMORY,
    &sanitize_memory::SANITIZE_MEMORY,
    &check_memory::CHECK_MEMORY,
    &hoist_sizes::HOIST_SIZES,
];

/// The unit with each function of the host program replaced; kernels stay as they are.
pub(crate) fn per_host_function(
    unit: &Unit,
    f: impl Fn(&Function) -> Result<Function>,
) -> std::result::Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| match wrapper::is_host(function) {
        true => f(function),
        false => Ok(function.clone()),
    })
}
