//! The compiler as queries: what is asked again after an edit is computed again only as far as the
//! edit reaches.
//!
//! ```text
//! Archive ── import ─┬─ Function ── aten_phase ── tensor_phase ── loops_phase ── wrapper_phase ─┐
//!                    └─ Function ── …                                                         ──┤
//!                                                         printed ── program ── kernels ────────┘
//! ```
//! A query covers one phase of one function; the passes inside a phase are plain functions, and so
//! is whatever looks at single passes ([`observe`]). What covers the program is downstream of all
//! phases, and nothing per function reads it.
//!
//! A phase may begin with passes that take the whole program ([`mod@together`]): these are a query
//! of the program, and each function's phase reads its own part of what they give.
//!
//! Where an op came from is a number in the body; the table of those numbers is another field of
//! [`Function`]. So a line that moves in a Python file changes the table and nothing else.
//! A [`Lowered`] unit with other numbers is another unit all the same: its diagnostics would point
//! elsewhere. [`program`] forgets the numbers, so what is printed does not depend on them.
//!
//! Diagnostics are part of every answer. Reading never fails, and a phase whose input failed hands
//! that on without adding to it.
//!
//! **Architecture invariant:** no other crate knows salsa. Queries read nothing but the database;
//! weights are a path and a digest here, and only [`manifest`] reads those.

mod database;
mod inputs;
mod observe;
mod phases;
mod print;
mod read;
mod together;
mod whole;

pub use crate::{
    database::{Database, Db},
    inputs::{Archive, PipelineInput, Source, TargetInput, WeightsRef},
    observe::{Arguments, Watch, observe},
    phases::{Lowered, aten_phase, loops_phase, lowered, tensor_phase, wrapper_phase},
    print::{Manifest, SourceFile, manifest, printed},
    read::{Function, Imported, Located, import},
    whole::{Kernels, Program, kernels, program, program_diags},
};
