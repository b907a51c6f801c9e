//! Looking at single passes: plain functions over what queries remember.

use std::{collections::BTreeMap, sync::Arc};

use catalog::Phase;
use ir::HostValue;
use pass::{Evaluate, Failure, Observer, Oracle, Runner, Unit};

use crate::{Archive, Db, Function, import, lowered};

/// Which passes are run under observation, and how.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The first phase; what comes before it is taken from memory.
    pub from: Phase,
    /// The last phase.
    pub to: Phase,
    /// The pass to stop after, at its first place in those phases.
    pub until: Option<String>,
    /// Whether the unit is verified after each pass.
    pub verify_each: bool,
    /// Whether the unit is evaluated after each pass, and on what. What no level can evaluate is not
    /// compared; the observer is told so.
    pub validate_each: Option<Arguments>,
}

/// What a function is evaluated on.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// What is made is made from this.
    pub seed: u64,
    /// Values of parameters, by name. The others are made.
    pub known: BTreeMap<String, HostValue>,
}

/// Runs the passes of a few phases over a function while `observer` watches. Gives the unit after
/// them; where a phase before them failed, what that one was given, unobserved.
pub fn observe<'db>(
    db: &'db dyn Db,
    function: Function<'db>,
    watch: &Watch,
    observer: &mut dyn Observer,
) -> Result<Arc<Unit>, Failure> {
    let archive = function.archive(db);
    let start = match watch.from.previous() {
        Some(phase) => {
            let before = lowered(db, function, phase);
            if before.failed {
                return Ok(before.unit().clone());
            }
            before.unit()
        }
        None => &function.body(db).0,
    };
    let oracle = Oracle { inputs: interp::seeded_inputs, run: interp::run_in };
    let evaluator = watch
        .validate_each
        .clone()
        .map(|Arguments { seed, known }| oracle.lazily(seed, known, others(db, archive, function)));
    let runner = Runner {
        target: archive.target(db).target(db),
        verify_each: watch.verify_each,
        evaluate: evaluator.as_ref().map(|it| it as &Evaluate<'_>),
    };
    let mut unit = start.clone();
    let phases = Phase::ALL.into_iter().filter(|it| (watch.from..=watch.to).contains(it));
    for phase in phases.filter(|it| archive.runs(db, *it)) {
        let steps = archive.pipeline(db).steps(db, phase);
        let last = steps.iter().position(|it| watch.until.as_deref() == Some(it.pass.name));
        let contract = phase.contract();
        unit = Arc::new(match last {
            // The phase is not over, so what it promises need not hold yet.
            Some(last) => runner.run_steps(&contract, &steps[..=last], &unit, observer)?,
            None => runner.run(&contract, steps, &unit, observer)?,
        });
        if last.is_some() {
            break;
        }
    }
    Ok(unit)
}

/// The other functions of the program, which this one may call: at the first level that can be
/// evaluated, where they take what the program passes and nothing that a pass has added.
fn others<'db>(db: &'db dyn Db, archive: Archive, function: Function<'db>) -> Vec<ir::Function> {
    let others = import(db, archive).functions.iter().filter(|it| **it != function);
    others.filter_map(|it| lowered(db, *it, Phase::Aten).unit().main().cloned()).collect()
}
