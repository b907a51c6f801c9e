//! From the program to what is written: sources, and the list of what a package needs.

use std::sync::Arc;

use crate::{Archive, Db, Program, WeightsRef, program};

/// A printed file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SourceFile {
    /// Its name, without a folder.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// What a package is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// The printed sources.
    pub sources: Arc<[SourceFile]>,
    /// Where the weights are.
    pub weights: WeightsRef,
}

/// The sources of a program; none while anything is wrong with it.
#[salsa::tracked(returns(deref))]
pub fn printed(db: &dyn Db, archive: Archive) -> Arc<[SourceFile]> {
    print(program(db, archive)).into()
}

/// What the package of a program is made of. The only query that depends on where weights are.
#[salsa::tracked]
pub fn manifest(db: &dyn Db, archive: Archive) -> Manifest {
    Manifest { sources: printed(db, archive).into(), weights: archive.weights(db).clone() }
}

/// Prints one file for each unit and one for each kernel.
fn print(program: &Program) -> Vec<SourceFile> {
    let Program { units, kernels } = program;
    let units = units.iter().map(|it| SourceFile {
        name: format!("{}.ir", it.main().map_or("empty", |it| &it.name)),
        text: it.print(),
    });
    let kernels = kernels
        .iter()
        .map(|it| SourceFile { name: format!("{}.ir", it.name), text: ir::print_function(it) });
    units.chain(kernels).collect()
}
