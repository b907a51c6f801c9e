//! What `cargo xtask` asks of the compiler: looking at passes and sizes, chapters of the book.
//!
//! Everything here gives text; the binary prints it.

mod conform;
mod docs;
mod pipeline;
mod sizes;

pub use conform::{CaseOutcome, CaseResult, ConformOptions, Way, conform, judge_library};
pub use docs::{Chapter, chapters};
pub use pipeline::{PipelineOptions, Shown, pipeline};
pub use sizes::{SizeTask, size};
