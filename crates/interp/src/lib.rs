//! The interpreter: a loop over [`OpDef::eval`](ir::OpDef::eval), the oracle of every pass test.
//!
//! - [`run`] evaluates a function of any dialect whose ops have an evaluator, [`run_in`] one whose
//!   control flow calls others;
//! - [`bind_sizes`] solves a function's symbols from the shapes of its arguments;
//! - [`seeded_inputs`] makes arguments, the same for the same seed on every machine.
//!
//! What an evaluator gives is compared with the inferred types, so every evaluation also checks
//! inference.
//!
//! **Architecture invariant:** nothing here names an op or a dialect.

mod bind;
mod plan;
mod run;
mod seed;

pub use bind::bind_sizes;
pub use run::{run, run_in};
pub use seed::seeded_inputs;
