//! What covers the whole program, downstream of every phase.

use std::sync::Arc;

use catalog::Phase;
use diag::Diag;
use indexmap::IndexMap;
use pass::{Unit, computes_constants};
use rustc_hash::FxBuildHasher;

use crate::{Archive, Db, import, lowered, read::is_failure, wrapper_phase};

/// A program, ready to be printed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Program {
    /// Its functions, the model's first, with what computes their constants, without kernels.
    pub units: Vec<Unit>,
    /// The kernels they call, each once.
    pub kernels: Kernels,
}

/// The kernels of a program. A kernel's name is a hash of what it says, so that those of one name
/// are one kernel, in whatever units they are called, and its object is found in the cache by it.
pub type Kernels = Arc<[Arc<ir::Function>]>;

/// Everything wrong with a program, in the order of its functions.
#[salsa::tracked(returns(deref))]
pub fn program_diags(db: &dyn Db, archive: Archive) -> Arc<[Diag]> {
    let imported = import(db, archive);
    let mut res = imported.diags.to_vec();
    if !imported.failed() {
        for function in &imported.functions {
            for phase in Phase::ALL {
                res.extend(lowered(db, *function, phase).diags.iter().cloned());
            }
        }
    }
    res.into()
}

/// The kernels of a program, in the order in which it comes upon them; none while anything is
/// wrong with it.
#[salsa::tracked(returns(deref))]
pub fn kernels(db: &dyn Db, archive: Archive) -> Kernels {
    let mut found: IndexMap<&str, Arc<ir::Function>, FxBuildHasher> = IndexMap::default();
    if is_failure(program_diags(db, archive)) {
        return Kernels::default();
    }
    for function in &import(db, archive).functions {
        for kernel in wrapper_phase(db, *function).unit().functions.iter().filter(is_kernel) {
            found.entry(&kernel.name).or_insert_with(|| Arc::new(kernel.clone()));
        }
    }
    found.into_values().collect()
}

fn is_kernel(function: &&ir::Function) -> bool {
    function.name.starts_with(pass::KERNEL_PREFIX) && !computes_constants(function)
}

/// The program as it is printed; empty while anything is wrong with it.
#[salsa::tracked]
pub fn program(db: &dyn Db, archive: Archive) -> Program {
    if is_failure(program_diags(db, archive)) {
        return Program::default();
    }
    let unit = |unit: &Unit| Unit {
        functions: unit.functions.iter().filter(|it| !is_kernel(it)).cloned().collect(),
    };
    let functions = &import(db, archive).functions;
    Program {
        units: functions
            .iter()
            .map(|it| unit(wrapper_phase(db, *it).unit()))
            // A pass has dropped what has no function.
            .filter(|it| it.main().is_some())
            .collect(),
        kernels: Arc::from(kernels(db, archive)),
    }
}
