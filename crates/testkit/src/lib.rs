//! Test support. Only tests depend on it.
//!
//! Tests of IR are texts: where a file lies says what is done with it.
//!
//! | place | what is done | by |
//! | --- | --- | --- |
//! | `dialects/*/tests/*.ir` | parsed, verified, printed, compared with itself | [`dialect_file`] |
//! | `passes/*/PASS/tests/*.ir` | the pass is run, what it gives is compared whole | [`pass_file`] |
//! | `passes/*/PASS/README.md` | the same with each of its `ir` fences | [`pass_file`] |
//! | `passes/*/PASS/mod.rs` | each of the pass's rules is fired by some test | [`rules_file`] |
//!
//! A text of a pass is what is before, a line `// ---- after`, and what is after. Around it:
//!
//! - `//! passes = fuse{max-ops=4}` at the top sets options, `//! target = isa=avx2 lanes=8` the
//!   machine; these are the lines a reproducer starts with, so one becomes a test by moving it.
//! - `// error: text` says that an error with that text is expected, and if it has a place in the
//!   text, that it is on this line. Then nothing comes after.
//! - `// absent: tensor.permute` says what the test is about, if that is an absence.
//!
//! Whatever a test is about, more is checked: every text prints back to itself, what comes after a
//! pass is verified, and every function gives the same values before and after, on a few inputs
//! of a few sizes, the smallest that its facts allow among them.
//!
//! `BLESS=1` writes what was found in place of what was expected.

mod case;
mod check;
mod examples;
mod files;

pub use case::Case;
pub use check::{Checked, check_pass};
pub use examples::check_examples;
pub use files::{Wrong, dialect_file, pass_file, rules_file};

use pass::Oracle;

/// The interpreter.
pub const ORACLE: Oracle = Oracle { inputs: interp::seeded_inputs, run: interp::run_in };
