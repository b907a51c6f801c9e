//! Reproducers: what a failure leaves behind, and reading it back.
//!
//! ```text
//! //! tintype reproducer: pass `fuse` panicked: …
//! //! phase = tensor
//! //! passes = fuse{max-ops=32}, cse
//! //! target = name=native isa=avx2 lanes=8 threads=2 l2=1048576
//! func @main {
//!   …
//! ```
//! The IR parser passes over comments, so the file is a module as it stands. A test of a pass
//! starts with the same lines, so that a reproducer becomes one by moving it.

use diag::{Diag, codes};
use ir::content_hash;

use crate::{Step, Target, Unit, print_steps};

/// One file that replays a failure. Whoever called the runner writes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Repro {
    /// `repro-HASH.ir`; equal failures have equal names.
    pub file_name: String,
    /// What the file says.
    pub text: String,
}

/// What a reproducer starts with.
pub(crate) struct Headline<'a> {
    pub(crate) phase: &'static str,
    /// The passes that were still to run, the failed one first.
    pub(crate) rest: &'a [Step],
    pub(crate) target: &'a Target,
    /// What failed.
    pub(crate) what: &'a str,
}

impl Repro {
    pub(crate) fn new(headline: &Headline<'_>, before: &Unit, diags: &[Diag]) -> Repro {
        let Headline { phase, rest, target, what } = headline;
        let mut text = format!("//! tintype reproducer: {what} failed\n");
        for diag in diags {
            for (i, line) in diag.to_string().lines().enumerate() {
                text.push_str(if i == 0 { "//! - " } else { "//!   " });
                text.push_str(line);
                text.push('\n');
            }
        }
        text.push_str(&format!("//! phase = {phase}\n"));
        text.push_str(&format!("//! passes = {}\n", print_steps(rest)));
        text.push_str(&format!("//! target = {target}\n"));
        text.push_str(&before.print());
        let hash = content_hash([text.as_bytes()]);
        Repro { file_name: format!("repro-{}.ir", &hash[..12]), text }
    }
}

/// A reproducer, read back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replay {
    /// The phase the passes belong to.
    pub phase: Option<String>,
    /// The passes to run, as text: which ones exist is for the catalog to say.
    pub passes: Option<String>,
    /// The machine that was compiled for.
    pub target: Target,
}

/// Reads the `//! key = value` lines at the top of a text; other `//!` lines are for people.
pub fn parse_repro(text: &str) -> ir::Result<Replay> {
    let mut res = Replay::default();
    for line in text.lines() {
        let Some(line) = line.strip_prefix("//!") else { break };
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        match key.trim() {
            "phase" => res.phase = Some(value.to_owned()),
            "passes" => res.passes = Some(value.to_owned()),
            "target" => {
                res.target = Target::parse(value).ok_or_else(|| {
                    Diag::error(&codes::PARSE, format!("`{value}` describes no target"))
                })?;
            }
            _ => (),
        }
    }
    Ok(res)
}
