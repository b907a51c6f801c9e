//! Passes over `wrapper`. A pass is a folder: why and how in its `mod.rs`, its page of the book in
//! its `README.md`, whose examples are tests, and more tests in `tests/*.ir`.

use pass::PassDef;

pub mod arena;
mod lives;
pub mod report;

#[path = "plan-memory/mod.rs"]
mod plan_memory;

/// Every pass of this level.
pub static PASSES: &[&PassDef] = &[&plan_memory::PLAN_MEMORY];
