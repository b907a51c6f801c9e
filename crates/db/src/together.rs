//! Passes that take the whole program: they begin a phase, before each function goes its own way.
//!
//! All functions come in, and each asks for its own part of what comes out. A part that is as it was
//! stops an edit there: that the passes ran again is not seen behind it.

use std::sync::Arc;

use catalog::Phase;
use pass::{Repro, Runner, Unit, join_units, part_units, program_steps};

use crate::{
    Archive, Db, Function, import, lowered,
    phases::{Lowered, Watch},
    read::Located,
};

/// The functions of a program after the passes that begin a phase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Together {
    /// In the order of the program's functions; empty where a pass has dropped one.
    units: Vec<Located>,
    diags: Arc<[diag::Diag]>,
    repro: Option<Arc<Repro>>,
    failed: bool,
}

/// A function before a phase.
pub(crate) fn before<'db>(db: &'db dyn Db, function: Function<'db>, phase: Phase) -> Lowered {
    match phase.previous() {
        Some(it) => lowered(db, function, it).clone(),
        None => Lowered::unchanged(function.body(db), false),
    }
}

/// The program after the passes that take all of it and begin the phase of that number. Where a
/// function failed before, or one of the passes does, nothing is done.
#[salsa::tracked]
pub(crate) fn together(db: &dyn Db, archive: Archive, phase: usize) -> Together {
    let phase = Phase::ALL[phase];
    let functions = &import(db, archive).functions;
    let befores: Vec<Lowered> = functions.iter().map(|it| before(db, *it, phase)).collect();
    let unchanged = Together {
        units: befores.iter().map(|it| it.located().clone()).collect(),
        diags: Arc::default(),
        repro: None,
        failed: true,
    };
    if befores.iter().any(|it| it.failed) {
        return unchanged;
    }
    let runner = Runner {
        target: archive.target(db).target(db),
        verify_each: cfg!(debug_assertions),
        evaluate: None,
    };
    let steps = archive.pipeline(db).steps(db, phase);
    let program = join_units(befores.iter().map(|it| &**it.unit()));
    let steps = &steps[..program_steps(steps)];
    match runner.run_steps(
        &phase.contract(),
        steps,
        &program,
        &mut Watch { db, counts: Vec::new() },
    ) {
        Ok(it) => Together {
            units: parted(db, functions, &it).into_iter().map(Located).collect(),
            failed: false,
            ..unchanged
        },
        Err(it) => {
            Together { diags: it.diags.into(), repro: Some(Arc::new(it.repro)), ..unchanged }
        }
    }
}

/// The parts of a program that belong to its functions.
pub(crate) fn parted<'db>(
    db: &'db dyn Db,
    functions: &[Function<'db>],
    program: &Unit,
) -> Vec<Arc<Unit>> {
    let names: Vec<&str> = functions.iter().map(|it| it.name(db)).collect();
    part_units(program, &names)
}

/// A function after the passes that take the whole program and begin the phase of that number.
/// What went wrong with those is said of the first function.
#[salsa::tracked]
pub(crate) fn entered<'db>(db: &'db dyn Db, function: Function<'db>, phase: usize) -> Lowered {
    let archive = function.archive(db);
    let program = together(db, archive, phase);
    let at = import(db, archive).functions.iter().position(|it| *it == function);
    let unit = at.and_then(|it| program.units.get(it)).cloned();
    let unit = unit.unwrap_or_else(|| function.body(db).clone());
    let mut res = Lowered::unchanged(&unit, program.failed);
    if at == Some(0) {
        res.diags = program.diags.clone();
        res.repro = program.repro.clone();
    }
    res
}
