//! Passes: what they are, how a list of them is written and run, and what a failure leaves behind.
//!
//! - A [`PassDef`] is a pass as data: name, documentation, options, and a plain function from one
//!   [`Unit`] to the next. Passes are listed by hand, crate by crate; nothing registers itself.
//! - [`Legality`] says which ops may remain. It is checked at the end of a phase always, and after
//!   each pass on request.
//! - [`parse_steps`] reads a list of passes from text and [`print_steps`] prints it back.
//! - A [`Runner`] runs the list. It alone verifies, compares, counts, validates and catches; what a
//!   user sees of a run goes through [`Observer`].
//! - A [`Repro`] is what a failure leaves: one file that replays it.
//! - An [`Oracle`] evaluates a unit before and after a pass on the same inputs.
//! - [`rules`] is the one driver of rewrite rules.
//!
//! **Architecture invariant:** a pass sees a unit, its options and the target; no database, no
//! file, no clock, no environment. The interpreter comes in as callbacks ([`Oracle`], [`Evaluate`]).

mod compare;
mod cx;
mod def;
mod hoist;
mod legality;
mod oracle;
mod outline;
mod program;
mod record;
mod repro;
pub mod rules;
mod run;
mod sizes;
mod steps;
mod target;
mod unit;

pub use compare::same_values;
pub use cx::PassCx;
pub use def::{OptionDef, OptionValue, PassDef, RunFn, Scope};
pub use hoist::hoist_unit;
pub use legality::Legality;
pub use oracle::{Inputs, Oracle};
pub use outline::{computes_constants, outline_constants, outline_unit};
pub use program::{call_order, join_units, part_units, splice};
pub use record::{Dump, Record, Recorder, Select};
pub use repro::{Replay, Repro, parse_repro};
pub use run::{Evaluate, Failure, Observer, PassEvent, Phase, Runner, Silent, Validated};
pub use sizes::{Sizes, sample_sizes};
pub use steps::{Step, check_order, parse_steps, print_steps, program_steps};
pub use target::Target;
pub use unit::{KERNEL_PREFIX, Unit, per_function};
