//! Operator conformance: many small cases in one archive, each judged by itself.
//!
//! An archive of `tests/torch/opcases.py` runs hundreds of samples of one operator. They share no
//! value, so the program falls into one part per case. Each part is lowered alone, which tells what
//! is refused; those that are not are compiled together, since a host compiler and a process for
//! each would take hours. What then goes wrong is found by halves.

mod batch;
mod cases;
mod free;
mod judge;
mod lower;
mod slice;

use std::{path::PathBuf, sync::Arc};

use diag::{Diag, Severity, codes};
use toolchain::TargetCpu;

use crate::{
    Failure,
    session::{map, open},
};

use batch::Batch;
use cases::{Case, Index, Tensors};

pub use batch::judge_library;

/// What is checked and how.
#[derive(Clone, Debug)]
pub struct ConformOptions {
    /// An archive with its `.io.pt` and `.json` beside it.
    pub archive: PathBuf,
    /// How its cases are computed.
    pub way: Way,
    /// Only cases whose label contains this.
    pub only: Option<String>,
    /// The machine to compile for.
    pub target_cpu: TargetCpu,
    /// Whether libraries check their memory as they run.
    pub sanitize_memory: bool,
}

/// How cases are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Way {
    /// Compiled to a library, and run.
    #[default]
    Compiled,
    /// By the interpreter, as operators on tensors.
    Interpreted,
    /// By the interpreter as operators on tensors, and after every pass from there on that has
    /// changed something.
    EachPass,
}

/// How one case ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseResult {
    /// `add[float32]#3`.
    pub label: String,
    /// The dtype it was made for.
    pub dtype: String,
    /// How it ended.
    pub outcome: CaseOutcome,
}

/// How a case can end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaseOutcome {
    /// Eager's value, dtype, shape and strides.
    Agreed,
    /// The compiler said no; why.
    Refused(String),
    /// Eager's value as operators on tensors, and some pass could not be checked after that; why.
    Unchecked(String),
    /// Something else than eager's.
    Wrong(String),
    /// The model raised an error where eager gives a value.
    Raised(String),
    /// The host compiler did not take what was printed.
    HostError(String),
    /// The compiler or the model ended by a panic or a signal.
    Crashed(String),
}

impl CaseOutcome {
    /// Its name in tables, and what is to be said of it.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            CaseOutcome::Agreed => ("agreed", ""),
            CaseOutcome::Refused(it) => ("refused", it),
            CaseOutcome::Unchecked(it) => ("unchecked", it),
            CaseOutcome::Wrong(it) => ("wrong", it),
            CaseOutcome::Raised(it) => ("raised", it),
            CaseOutcome::HostError(it) => ("host error", it),
            CaseOutcome::Crashed(it) => ("crashed", it),
        }
    }
}

fn is_error(diag: &Diag) -> bool {
    diag.severity == Severity::Error
}

/// Checks every case of an archive.
pub fn conform(options: &ConformOptions) -> Result<Vec<CaseResult>, Failure> {
    let file = Arc::new(map(&options.archive)?);
    let opened = open(&options.archive, &file)?;
    let index = Index::read(&options.archive)?;
    let db::Source::Export(program) = &opened.source else {
        return Err(Failure::new(&codes::USAGE, "conformance cases are archives"));
    };
    let chosen = |it: &&Case| options.only.as_ref().is_none_or(|only| it.label.contains(only));
    let mut cases: Vec<&Case> = index.cases.iter().filter(chosen).collect();
    let mut results = Vec::new();
    let mut imported = import::to_aten(program);
    let kept;
    // Which of the archive's outputs the program gives.
    let mut outputs: Vec<usize> = (0..index.outputs()).collect();
    if imported.diags.iter().any(is_error) {
        // Nothing is known of a program of which an operator is not; of each case by itself, it is.
        cases.retain(|case| {
            let alone = import::restrict(program, &|it| case.outputs.contains(&it));
            let diags = import::to_aten(&alone).diags;
            let refused = diags.iter().any(is_error);
            results.extend(refused.then(|| case.ended(lower::outcome(&diags))));
            !refused
        });
        outputs = cases.iter().flat_map(|it| &it.outputs).copied().collect();
        outputs.sort_unstable();
        kept = import::restrict(program, &|it| outputs.contains(&it));
        imported = import::to_aten(&kept);
    }
    let Some(main) = imported.functions.first() else { return Err(imported.diags.into()) };
    let parts = slice::Parts::new(main);
    let tensors = Tensors::read(&options.archive, &index)?;
    let batch = Batch {
        options,
        file: &file,
        opened: &opened,
        main,
        parts: &parts,
        tensors: &tensors,
        outputs: &outputs,
    };
    let mut left = Vec::new();
    for case in cases {
        let part = batch.keep(&[case]);
        let outcome = match options.way {
            Way::Compiled => lower::lower(part, &options.target_cpu).err(),
            way => Some(batch.evaluate(&part, case, way)?),
        };
        match outcome {
            Some(outcome) => results.push(case.ended(outcome)),
            None => left.push(case),
        }
    }
    batch.compiled(&left, &mut results)?;
    Ok(results)
}
