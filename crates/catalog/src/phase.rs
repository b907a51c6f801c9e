//! Phases, and the list of passes.

use std::{fmt, sync::LazyLock};

use pass::{Legality, PassDef};

/// A run of passes between two levels. Each is one query for each function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// What the exporter wrote, down to operators on whole tensors.
    Aten,
    /// Operators on whole tensors, simplified.
    Tensor,
    /// Kernels.
    Loops,
    /// The host program.
    Wrapper,
}

/// What may be there before anything has run: a `.ir` file may start at any level.
const IMPORTED: Legality = Legality::ANY;
const LOWERED: Legality = Legality::only(&["tensor"]);
const FUSED: Legality = Legality::only(&["loops"]);
const PRINTABLE: Legality = Legality::only(&["wrapper", "loops"]);

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 4] = [Phase::Aten, Phase::Tensor, Phase::Loops, Phase::Wrapper];

    /// Its name in pipelines and flags.
    pub const fn name(self) -> &'static str {
        self.contract().name
    }

    /// What it is for, in one line.
    pub const fn help(self) -> &'static str {
        match self {
            Phase::Aten => "says what the exporter wrote by operators on tensors",
            Phase::Tensor => "simplifies operators on tensors",
            Phase::Loops => "fuses operators into kernels, and tunes those",
            Phase::Wrapper => "arranges kernels and memory into the host program",
        }
    }

    /// What may come into it and what may remain after it.
    pub const fn contract(self) -> pass::Phase {
        let (name, requires, ensures) = match self {
            Phase::Aten => ("aten", IMPORTED, LOWERED),
            Phase::Tensor => ("tensor", LOWERED, LOWERED),
            Phase::Loops => ("loops", LOWERED, FUSED),
            Phase::Wrapper => ("wrapper", FUSED, PRINTABLE),
        };
        pass::Phase { name, requires, ensures }
    }

    /// The phase of that name.
    pub fn parse(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The phase before it.
    pub fn previous(self) -> Option<Phase> {
        Phase::ALL.into_iter().rev().find(|it| *it < self)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every pass, level by level. Which of them may stand in which phase is a matter of what they
/// require, not of where they are declared.
pub fn passes() -> &'static [&'static PassDef] {
    static ALL: LazyLock<Vec<&'static PassDef>> = LazyLock::new(|| {
        [aten_passes::PASSES, tensor_passes::PASSES, loops_passes::PASSES, wrapper_passes::PASSES]
            .concat()
    });
    &ALL
}

/// The pass of that name.
pub fn find_pass(name: &str) -> Option<&'static PassDef> {
    passes().iter().copied().find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_takes_what_the_one_before_leaves() {
        for phase in Phase::ALL {
            assert_eq!(Phase::parse(phase.name()), Some(phase));
            if let Some(previous) = phase.previous() {
                assert_eq!(previous.contract().ensures, phase.contract().requires);
            }
        }
    }

    #[test]
    fn passes_have_names_of_their_own_and_one_line_each() {
        let mut names: Vec<_> = passes().iter().map(|it| it.name).collect();
        names.sort_unstable();
        assert_eq!(names.windows(2).find(|it| it[0] == it[1]), None);
        for pass in passes() {
            assert!(!pass.summary.is_empty() && !pass.summary.contains('\n'), "{}", pass.name);
            let title = format!("# {}\n", pass.name);
            assert!(pass.doc.starts_with(&title), "{}: README.md is titled otherwise", pass.name);
        }
    }
}
