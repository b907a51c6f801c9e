//! Lowering one case alone.

use catalog::{Phase, Pipeline};
use diag::{Diag, Severity, codes};
use ir::Function;
use pass::{Evaluate, Recorder, Runner, Select, Unit, Validated};
use toolchain::TargetCpu;

use crate::session::target;

use super::CaseOutcome;

/// Runs every pass; what came of it, or how the case ended.
pub(super) fn lower(function: Function, cpu: &TargetCpu) -> Result<Unit, CaseOutcome> {
    run(function, cpu, Phase::Wrapper, None).map(|it| it.0)
}

/// Runs the passes up to a phase, evaluating after each if told how. Gives what came of it, and why
/// some pass on tensor operators or below could not be compared, if there is one.
pub(super) fn run(
    function: Function,
    cpu: &TargetCpu,
    last: Phase,
    evaluate: Option<&Evaluate<'_>>,
) -> Result<(Unit, Option<String>), CaseOutcome> {
    let target = target(cpu);
    let runner = Runner { target: &target, verify_each: cfg!(debug_assertions), evaluate };
    let pipeline = Pipeline::standard();
    let mut unit = Unit::new(function);
    let mut recorder = Recorder::new(Select::Nothing, Select::Nothing, None);
    for phase in Phase::ALL.into_iter().filter(|it| *it <= last) {
        unit = runner
            .run(&phase.contract(), pipeline.steps(phase), &unit, &mut recorder)
            .map_err(|failure| outcome(&failure.diags))?;
    }
    // What the exporter wrote has no evaluators: its passes are checked by what eager gives.
    let records = recorder.records.into_iter().filter(|it| it.phase != Phase::Aten.name());
    let mut skipped = records.filter_map(|it| match it.validated {
        Validated::Skipped(why) => Some(format!("{}: {why}", it.step)),
        Validated::Same | Validated::Unneeded => None,
    });
    Ok((unit, skipped.next()))
}

/// How a case ended that these diagnostics are of.
pub(super) fn outcome(diags: &[Diag]) -> CaseOutcome {
    let Some(first) = diags.iter().find(|it| it.severity == Severity::Error) else {
        return CaseOutcome::Crashed("lowering failed without a reason".to_owned());
    };
    let text = format!("{}: {}", first.code.id, first.message);
    match first.code {
        code if code == &codes::VALIDATE => CaseOutcome::Wrong(text),
        code if code == &codes::PASS && first.message.contains("panicked") => {
            CaseOutcome::Crashed(text)
        }
        _ => CaseOutcome::Refused(text),
    }
}
