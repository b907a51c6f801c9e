//! One query per phase.

use std::sync::Arc;

use catalog::Phase;
use diag::Diag;
use pass::{Observer, PassEvent, Repro, Runner, Step, Unit, program_steps};

use crate::{Db, Function, read::Located, together::entered};

/// A function after a phase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lowered {
    unit: Located,
    /// What is wrong, found by this phase and not by one before it.
    pub diags: Arc<[Diag]>,
    /// What replays a failure of this phase.
    pub repro: Option<Arc<Repro>>,
    /// Whether this phase or one before it failed; then the unit is what the first to fail was
    /// given.
    pub failed: bool,
    /// What the passes of this phase counted: the pass, what, and how many.
    pub counts: Arc<[(&'static str, &'static str, u64)]>,
}

impl Lowered {
    /// The function, and what was outlined from it.
    pub fn unit(&self) -> &Arc<Unit> {
        &self.unit.0
    }

    pub(crate) fn located(&self) -> &Located {
        &self.unit
    }

    pub(crate) fn unchanged(unit: &Located, failed: bool) -> Lowered {
        Lowered {
            unit: unit.clone(),
            diags: Arc::default(),
            repro: None,
            failed,
            counts: Arc::default(),
        }
    }
}

/// A function after [`Phase::Aten`].
#[salsa::tracked]
pub fn aten_phase<'db>(db: &'db dyn Db, function: Function<'db>) -> Lowered {
    run(db, function, Phase::Aten, &Lowered::unchanged(function.body(db), false))
}

/// A function after [`Phase::Tensor`].
#[salsa::tracked]
pub fn tensor_phase<'db>(db: &'db dyn Db, function: Function<'db>) -> Lowered {
    run(db, function, Phase::Tensor, aten_phase(db, function))
}

/// A function after [`Phase::Loops`].
#[salsa::tracked]
pub fn loops_phase<'db>(db: &'db dyn Db, function: Function<'db>) -> Lowered {
    run(db, function, Phase::Loops, tensor_phase(db, function))
}

/// A function after [`Phase::Wrapper`].
#[salsa::tracked]
pub fn wrapper_phase<'db>(db: &'db dyn Db, function: Function<'db>) -> Lowered {
    run(db, function, Phase::Wrapper, loops_phase(db, function))
}

/// A function after a phase.
pub fn lowered<'db>(db: &'db dyn Db, function: Function<'db>, phase: Phase) -> &'db Lowered {
    match phase {
        Phase::Aten => aten_phase(db, function),
        Phase::Tensor => tensor_phase(db, function),
        Phase::Loops => loops_phase(db, function),
        Phase::Wrapper => wrapper_phase(db, function),
    }
}

fn run<'db>(db: &'db dyn Db, function: Function<'db>, phase: Phase, before: &Lowered) -> Lowered {
    let archive = function.archive(db);
    if before.failed || !archive.runs(db, phase) {
        return Lowered::unchanged(&before.unit, before.failed);
    }
    let runner = Runner {
        target: archive.target(db).target(db),
        verify_each: cfg!(debug_assertions),
        evaluate: None,
    };
    let steps = archive.pipeline(db).steps(db, phase);
    let own = &steps[program_steps(steps)..];
    let before = match own.len() == steps.len() {
        true => before,
        false => entered(db, function, phase as usize),
    };
    if before.failed {
        return before.clone();
    }
    let mut watch = Watch { db, counts: Vec::new() };
    match runner.run(&phase.contract(), own, before.unit(), &mut watch) {
        Ok(it) => Lowered {
            counts: watch.counts.into(),
            ..Lowered::unchanged(&Located(Arc::new(it)), false)
        },
        Err(it) => Lowered {
            diags: it.diags.into(),
            repro: Some(Arc::new(it.repro)),
            ..Lowered::unchanged(&before.unit, true)
        },
    }
}

/// Stops between two passes if someone waits to change an input; keeps what passes count.
pub(crate) struct Watch<'db> {
    pub db: &'db dyn Db,
    pub counts: Vec<(&'static str, &'static str, u64)>,
}

impl Observer for Watch<'_> {
    fn before(&mut self, _phase: &'static str, _index: usize, _step: &Step, _unit: &Unit) {
        self.db.unwind_if_revision_cancelled();
    }

    fn after(&mut self, event: &PassEvent<'_>) {
        let counts = event.counts.iter().map(|it| (event.step.pass.name, it.0, it.1));
        self.counts.extend(counts);
    }
}
