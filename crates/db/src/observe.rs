//! Looking at single passes: plain functions over what queries remember.

use std::{collections::BTreeMap, sync::Arc};

use catalog::Phase;
use ir::HostValue;
use pass::{Evaluate, Failure, Observer, Oracle, Runner, Silent, Unit, join_units, program_steps};

use crate::{
    Archive, Db, Function, import, lowered,
    together::{before, entered, parted},
};

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
    let mut unit = start.clone();
    let phases = Phase::ALL.into_iter().filter(|it| (watch.from..=watch.to).contains(it));
    for phase in phases.filter(|it| archive.runs(db, *it)) {
        let steps = archive.pipeline(db).steps(db, phase);
        let last = steps.iter().position(|it| watch.until.as_deref() == Some(it.pass.name));
        let contract = phase.contract();
        let steps = &steps[..last.map_or(steps.len(), |it| it + 1)];
        let (shared, own) = steps.split_at(program_steps(steps));
        // Each phase has inputs of its own: passes over the program change what a function takes.
        let evaluator = |program: Vec<ir::Function>| {
            let arguments = watch.validate_each.clone();
            arguments.map(|Arguments { seed, known }| oracle.lazily(seed, known, program))
        };
        if !shared.is_empty() {
            let functions = &import(db, archive).functions;
            let befores = functions.iter().map(|it| match *it == function {
                true => unit.clone(),
                false => before(db, *it, phase).unit().clone(),
            });
            let befores: Vec<Arc<Unit>> = befores.collect();
            let program = join_units(befores.iter().map(|it| &**it));
            let at = functions.iter().position(|it| *it == function).unwrap_or(0);
            // All functions are seen at once, with the first.
            let after = match at {
                0 => {
                    let evaluator = evaluator(Vec::new());
                    let evaluate = evaluator.as_ref().map(|it| it as &Evaluate<'_>);
                    runner(db, archive, watch, evaluate)
                        .run_steps(&contract, shared, &program, observer)?
                }
                _ => runner(db, archive, watch, None).run_steps(
                    &contract,
                    shared,
                    &program,
                    &mut Silent,
                )?,
            };
            unit = parted(db, functions, &after).swap_remove(at);
        }
        let evaluator = evaluator(others(db, archive, function, phase));
        let evaluate = evaluator.as_ref().map(|it| it as &Evaluate<'_>);
        let runner = runner(db, archive, watch, evaluate);
        unit = Arc::new(match last {
            // The phase is not over, so what it promises need not hold yet.
            Some(_) => runner.run_steps(&contract, own, &unit, observer)?,
            None => runner.run(&contract, own, &unit, observer)?,
        });
        if last.is_some() {
            break;
        }
    }
    Ok(unit)
}

fn runner<'a>(
    db: &'a dyn Db,
    archive: Archive,
    watch: &Watch,
    evaluate: Option<&'a Evaluate<'a>>,
) -> Runner<'a> {
    let target = archive.target(db).target(db);
    Runner { target, verify_each: watch.verify_each, evaluate }
}

/// The other functions of the program, which this one may call, as they enter a phase, with those
/// that compute their constants; in the first as they leave it, since nothing evaluates what the
/// exporter wrote.
fn others<'db>(
    db: &'db dyn Db,
    archive: Archive,
    function: Function<'db>,
    phase: Phase,
) -> Vec<ir::Function> {
    let others = import(db, archive).functions.iter().filter(|it| **it != function);
    let state = |it: Function<'db>| match phase {
        Phase::Aten => lowered(db, it, Phase::Aten).clone(),
        _ if program_steps(archive.pipeline(db).steps(db, phase)) == 0 => before(db, it, phase),
        _ => entered(db, it, phase as usize).clone(),
    };
    others.flat_map(|it| state(*it).unit().functions.clone()).collect()
}
