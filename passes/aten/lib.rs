//! Passes over `aten`, down to `tensor`. A pass is a folder: why and how in its `mod.rs`, its page
//! of the book in its `README.md`, whose examples are tests, and more tests in `tests/*.ir`.

pub mod decompose;
pub mod functionalize;
mod promote;

use diag::{Diag, codes};
use indexmap::IndexMap;
use ir::Origin;
use pass::PassDef;
use rustc_hash::FxBuildHasher;

/// Every pass of this level.
pub static PASSES: &[&PassDef] = &[&functionalize::FUNCTIONALIZE, &decompose::DECOMPOSE];

/// Kinds of things that a pass cannot take, so that each is reported once.
#[derive(Default)]
struct Kinds {
    counts: IndexMap<&'static str, (usize, Origin), FxBuildHasher>,
}

impl Kinds {
    fn count(&mut self, kind: &'static str, origin: Origin) {
        self.counts.entry(kind).or_insert((0, origin)).0 += 1;
    }

    /// One error per kind, at the first place.
    fn diags(&self, what: &str) -> Vec<Diag> {
        let one = |(kind, (count, origin)): (&&str, &(usize, Origin))| {
            let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
            Diag::error(&codes::UNSUPPORTED, format!("`{kind}` {what}; it is used {times}"))
                .at(origin.0)
        };
        self.counts.iter().map(one).collect()
    }
}
