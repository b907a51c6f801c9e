//! What there is: dialects, passes, phases, and the order in which passes run unless told otherwise.
//!
//! The lists are written by hand, here and in the crates they come from; nothing registers itself.
//! A pipeline is text, read and printed by [`Pipeline`]; the default one is `default.pipeline`.
//!
//! **Architecture invariant:** this crate decides nothing but order. What a pass does is in its
//! folder, what remains after a phase is in [`Phase::contract`].

mod dialects;
mod phase;
mod pipeline;

pub use dialects::{Dialect, dialects, ops};
pub use phase::{Phase, find_pass, passes};
pub use pipeline::{DEFAULT_PIPELINE, Pipeline, sanitizing_pipeline, updatable_pipeline};
