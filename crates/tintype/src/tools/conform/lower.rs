//! Lowering one case alone.

use catalog::{Phase, Pipeline};
use diag::{Diag, Severity, codes};
use ir::Function;
use pass::{Evaluate, Runner, Silent, Unit};
use toolchain::TargetCpu;

use crate::session::target;

use super::CaseOutcome;

/// Runs every pass; what came of it, or how the case ended.
pub(super) fn lower(function: Function, cpu: &TargetCpu) -> Result<Unit, CaseOutcome> {
    run(function, cpu, Phase::Wrapper, None)
}

/// Runs the passes up to a phase, evaluating after each if told how.
pub(super) fn run(
    function: Function,
    cpu: &TargetCpu,
    last: Phase,
    evaluate: Option<&Evaluate<'_>>,
) -> Result<Unit, CaseOutcome> {
    let target = target(cpu);
    let runner = Runner { target: &target, verify_each: cfg!(debug_assertions), evaluate };
    let pipeline = Pipeline::standard();
    let mut unit = Unit::new(function);
    for phase in Phase::ALL.into_iter().filter(|it| *it <= last) {
        unit = runner
            .run(&phase.contract(), pipeline.steps(phase), &unit, &mut Silent)
            .map_err(|failure| outcome(&failure.diags))?;
    }
    Ok(unit)
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
