//! From what was given to functions.

#![expect(missing_docs, reason = "salsa generates methods without documentation")]

use std::sync::Arc;

use ::import::OriginInfo;
use diag::{Diag, Severity, codes};
use indexmap::IndexSet;
use pass::Unit;
use rustc_hash::FxBuildHasher;

use crate::{Archive, Db, Source};

/// One function of the program, with what was outlined from it. Identity is the name.
#[salsa::tracked(debug)]
pub struct Function<'db> {
    /// The program it belongs to.
    #[returns(copy)]
    pub archive: Archive,
    /// Its name; `main` is the model's.
    #[returns(deref)]
    pub name: String,
    /// What it does.
    #[tracked]
    pub body: Located,
    /// What its origins number.
    #[tracked]
    #[returns(deref)]
    pub origins: Arc<[OriginInfo]>,
}

/// A unit with its origins: equal only if those are, too.
#[derive(Clone, Debug)]
pub struct Located(pub Arc<Unit>);

impl PartialEq for Located {
    fn eq(&self, other: &Located) -> bool {
        let origins = |unit: &Unit| {
            let mut res = Vec::new();
            for it in &unit.functions {
                it.body.for_each_op(&mut |op| res.push(op.origin));
            }
            res
        };
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0 && origins(&self.0) == origins(&other.0)
    }
}
impl Eq for Located {}

/// A program that was read.
#[derive(PartialEq, Eq, Debug, salsa::SalsaValue)]
pub struct Imported<'db> {
    /// Its functions, the model's first.
    pub functions: Vec<Function<'db>>,
    /// The trees of inputs and outputs, in PyTorch's own JSON.
    pub specs: (Option<String>, Option<String>),
    /// What is wrong. If there is an error, the functions are incomplete and of no use.
    pub diags: Arc<[Diag]>,
}

impl Imported<'_> {
    /// Whether the functions are of no use.
    pub fn failed(&self) -> bool {
        is_failure(&self.diags)
    }
}

pub(crate) fn is_failure(diags: &[Diag]) -> bool {
    diags.iter().any(|it| it.severity == Severity::Error)
}

/// Reads a program.
#[salsa::tracked]
pub fn import<'db>(db: &'db dyn Db, archive: Archive) -> Imported<'db> {
    let read = match archive.source(db) {
        Source::Export(it) => ::import::to_aten(it),
        Source::Module { name, text } => match ir::parse_module(name, text, catalog::ops()) {
            Ok(functions) => ::import::Imported { functions, ..::import::Imported::default() },
            Err(it) => ::import::Imported { diags: vec![it], ..::import::Imported::default() },
        },
    };
    let ::import::Imported { functions, origins, in_spec, out_spec, mut diags } = read;
    if !is_failure(&diags) {
        diags.extend(functions.iter().flat_map(ir::verify));
        diags.extend(named_twice(&functions));
    }
    // Only functions of an export have origins, and each of those is a unit of its own.
    let mut origins = origins.into_iter();
    let units = match archive.source(db) {
        Source::Export(_) => functions.into_iter().map(Unit::new).collect(),
        Source::Module { .. } => Unit::split(functions),
    };
    let functions = units
        .into_iter()
        .map(|unit| {
            let name = unit.main().map_or_else(String::new, |it| it.name.clone());
            let origins = origins.next().unwrap_or_default().into();
            Function::new(db, archive, name, Located(Arc::new(unit)), origins)
        })
        .collect();
    Imported { functions, specs: (in_spec, out_spec), diags: diags.into() }
}

/// Units that share a kernel each have it; other functions have a name of their own.
fn named_twice(functions: &[ir::Function]) -> Vec<Diag> {
    let mut seen: IndexSet<&str, FxBuildHasher> = IndexSet::default();
    let named = functions.iter().filter(|it| !it.name.starts_with(pass::KERNEL_PREFIX));
    let twice = named.filter(|it| !seen.insert(&it.name));
    let error = |name: &str| Diag::error(&codes::BODY, format!("two functions are called @{name}"));
    twice.map(|it| error(&it.name)).collect()
}
