//! Whole pipelines as text.
//!
//! ```text
//! tensor: decompose, canonicalize, cse
//! loops: fuse{max-ops=32},
//!     vectorize
//! ```
//! One phase a line, in any order; a line that starts with a space goes on with the one before.
//! A phase that is not named has no passes. `#` starts a comment.

use std::fmt;

use diag::{Diag, codes, suggest};
use pass::{Step, check_order, parse_steps, print_steps};

use crate::{Phase, passes};

/// The pipeline that runs unless told otherwise.
pub static DEFAULT_PIPELINE: &str = include_str!("default.pipeline");

/// The default pipeline in which the memory of a run is checked while it runs.
pub fn sanitizing_pipeline() -> String {
    DEFAULT_PIPELINE.replace("plan-memory,", "plan-memory{guard=64}, sanitize-memory,")
}

/// The passes that compute constants from constants, once and for all.
const BAKING: [&str; 5] =
    ["mark-fixed", "fold-constants", "hoist-constants", "pack-constants", "hoist-packing"];

/// The default pipeline without the passes that compute constants from constants, so that each
/// constant of the model can be replaced by another.
pub fn updatable_pipeline() -> String {
    let lines = DEFAULT_PIPELINE.lines().map(|line| {
        let (phase, passes) = line.split_once(": ").unwrap_or((line, ""));
        let kept: Vec<&str> = passes.split(", ").filter(|it| !BAKING.contains(it)).collect();
        format!("{phase}: {}\n", kept.join(", "))
    });
    lines.collect()
}

/// The passes of every phase.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pipeline {
    /// By phase, in order.
    steps: [Vec<Step>; Phase::ALL.len()],
}

impl Pipeline {
    /// Reads a pipeline. `name` is what diagnostics call the text.
    pub fn parse(name: &str, text: &str) -> Result<Pipeline, Vec<Diag>> {
        let mut res = Pipeline::default();
        let mut named = Vec::new();
        let mut diags = Vec::new();
        for line in lines(text) {
            let at = |it: Diag| it.place(name, line.range.clone(), "here");
            match line.read(&mut named) {
                Ok((phase, steps)) => {
                    let order = check_order(&steps, phase.contract().requires);
                    diags.extend(order.err().unwrap_or_default().into_iter().map(at));
                    res.steps[phase as usize] = steps;
                }
                Err(it) => diags.push(at(it)),
            }
        }
        if diags.is_empty() { Ok(res) } else { Err(diags) }
    }

    /// The passes of a phase.
    pub fn steps(&self, phase: Phase) -> &[Step] {
        &self.steps[phase as usize]
    }

    /// Replaces the passes of a phase.
    pub fn set_steps(&mut self, phase: Phase, steps: Vec<Step>) {
        self.steps[phase as usize] = steps;
    }

    /// The pipeline in `default.pipeline`.
    pub fn standard() -> Pipeline {
        Pipeline::parse("default.pipeline", DEFAULT_PIPELINE)
            .expect("a test reads the default pipeline")
    }
}

/// Prints all phases, so that the text says the same to every reader.
impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for phase in Phase::ALL {
            let steps = print_steps(self.steps(phase));
            let space = if steps.is_empty() { "" } else { " " };
            writeln!(f, "{phase}:{space}{steps}")?;
        }
        Ok(())
    }
}

/// A line with those that go on with it.
struct Line {
    text: String,
    /// The bytes of it all.
    range: std::ops::Range<usize>,
}

fn lines(text: &str) -> Vec<Line> {
    let mut res: Vec<Line> = Vec::new();
    let mut at = 0;
    for whole in text.split_inclusive('\n') {
        let start = at;
        at += whole.len();
        let line = whole.split('#').next().unwrap_or_default().trim_end();
        if line.trim().is_empty() {
            continue;
        }
        let end = start + line.len();
        match res.last_mut() {
            Some(before) if line.starts_with([' ', '\t']) => {
                before.text.push_str(line);
                before.range.end = end;
            }
            _ => res.push(Line { text: line.to_owned(), range: start..end }),
        }
    }
    res
}

impl Line {
    fn read(&self, named: &mut Vec<Phase>) -> ir::Result<(Phase, Vec<Step>)> {
        let error = |message: String| Diag::error(&codes::PIPELINE, message);
        let Some((name, steps)) = self.text.split_once(':') else {
            return Err(error(format!("`{}` is not `phase: passes`", self.text)));
        };
        let name = name.trim();
        let Some(phase) = Phase::parse(name) else {
            let all = Phase::ALL.map(Phase::name);
            let note = match suggest(name, all) {
                Some(it) => format!("did you mean `{it}`?"),
                None => format!("there is: {}", all.join(", ")),
            };
            return Err(error(format!("no phase is called `{name}`")).note(note));
        };
        if named.contains(&phase) {
            return Err(error(format!("phase `{phase}` is given twice")));
        }
        named.push(phase);
        Ok((phase, parse_steps(steps, passes())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_updatable_pipeline_computes_no_constants() {
        let pipeline = Pipeline::parse("p", &updatable_pipeline()).unwrap();
        let text = pipeline.to_string();
        assert!(!BAKING.iter().any(|it| text.contains(it)), "{text}");
        let count = |it: &str| it.split(", ").count();
        assert_eq!(count(&text) + BAKING.len(), count(DEFAULT_PIPELINE));
    }

    #[test]
    fn the_sanitizing_pipeline_has_one_pass_more() {
        let pipeline = Pipeline::parse("p", &sanitizing_pipeline()).unwrap();
        let names = |it: &Pipeline| it.to_string().matches(',').count();
        assert_eq!(names(&pipeline), names(&Pipeline::standard()) + 1);
    }

    #[test]
    fn the_default_pipeline_prints_back_to_its_file() {
        let pipeline = Pipeline::parse("default.pipeline", DEFAULT_PIPELINE)
            .map_err(|it| it.iter().map(|it| format!("{it} {:?}\n", it.notes)).collect::<String>())
            .unwrap();
        assert_eq!(pipeline.to_string(), DEFAULT_PIPELINE);
    }

    #[test]
    fn comments_and_long_lines_are_read() {
        let text = "# mine\ntensor: cse, # twice\n  canonicalize,\n\n  cse\n";
        let pipeline = Pipeline::parse("p", text).unwrap();
        let printed = "aten:\ntensor: cse, canonicalize, cse\nloops:\nwrapper:\n";
        assert_eq!(pipeline.to_string(), printed);
        assert_eq!(Pipeline::parse("p", printed), Ok(pipeline));
    }

    #[test]
    fn every_error_is_reported_at_its_line() {
        let text = "tensor: canonicalise\ntensors: cse\ntensor: cse\ncse\n";
        let diags = Pipeline::parse("p", text).unwrap_err();
        let shown: Vec<String> = diags
            .iter()
            .map(|it| format!("{:?} {} ({})", it.places[0].range, it.message, it.notes.join("")))
            .collect();
        assert_eq!(
            shown,
            [
                "0..20 no pass is called `canonicalise` here (did you mean `canonicalize`?)",
                "21..33 no phase is called `tensors` (did you mean `tensor`?)",
                "34..45 phase `tensor` is given twice ()",
                "46..49 `cse` is not `phase: passes` ()",
            ]
        );
    }
}
