//! What covers the whole program, downstream of every phase.

use std::sync::Arc;

use catalog::Phase;
use diag::Diag;
use indexmap::IndexMap;
use ir::{Attr, Op, Region, content_hash, print_function};
use pass::Unit;
use rustc_hash::FxBuildHasher;

use crate::{Archive, Db, import, lowered, read::is_failure, wrapper_phase};

/// A kernel, as many functions of the program as it may come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kernel {
    /// Made from what it says, so that equal kernels of any programs share it: it names the object
    /// in the cache.
    pub name: String,
    /// What it says, under that name.
    pub function: Arc<ir::Function>,
}

/// The kernels of a program, each once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kernels {
    /// In the order in which the program comes upon them.
    pub kernels: Arc<[Kernel]>,
    /// For what each unit calls a kernel, the index of it.
    names: IndexMap<String, usize, FxBuildHasher>,
}

impl Kernels {
    /// The kernel that a unit calls by that name.
    pub fn find(&self, name: &str) -> Option<&Kernel> {
        self.kernels.get(*self.names.get(name)?)
    }
}

/// A program, ready to be printed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Program {
    /// Its functions, the model's first, with what computes their constants, without kernels.
    /// What they call are the kernels' own names.
    pub units: Vec<Unit>,
    /// The kernels they call.
    pub kernels: Arc<[Kernel]>,
}

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

/// The kernels of a program; none while anything is wrong with it.
#[salsa::tracked]
pub fn kernels(db: &dyn Db, archive: Archive) -> Kernels {
    let mut names = IndexMap::default();
    let mut found: IndexMap<String, Kernel, FxBuildHasher> = IndexMap::default();
    if is_failure(program_diags(db, archive)) {
        return Kernels::default();
    }
    for function in &import(db, archive).functions {
        db.unwind_if_revision_cancelled();
        let unit = wrapper_phase(db, *function).unit();
        for kernel in unit.functions.iter().skip(1).filter(|it| !Unit::computes_constants(it)) {
            let anonymous = anonymous(kernel);
            let name = kernel_name(&anonymous);
            let entry = found.entry(name.clone());
            names.insert(kernel.name.clone(), entry.index());
            entry.or_insert_with(|| Kernel {
                function: Arc::new(ir::Function { name: name.clone(), ..anonymous }),
                name,
            });
        }
    }
    Kernels { kernels: found.into_values().collect(), names }
}

/// The kernel without what does not matter to what it computes: names.
fn anonymous(kernel: &ir::Function) -> ir::Function {
    let mut res = ir::Function { name: "kernel".to_owned(), ..kernel.clone() };
    for (i, it) in res.params.iter_mut().enumerate() {
        it.name = format!("a{i}");
    }
    for (i, it) in res.outputs.iter_mut().enumerate() {
        it.name = format!("o{i}");
    }
    res
}

/// 64 bits of the content's hash: enough for as many kernels as there will ever be on one machine.
fn kernel_name(anonymous: &ir::Function) -> String {
    let hash = content_hash([print_function(anonymous).as_bytes()]);
    format!("kernel_{}", &hash[..16])
}

/// The program as it is printed; empty while anything is wrong with it.
#[salsa::tracked]
pub fn program(db: &dyn Db, archive: Archive) -> Program {
    if is_failure(program_diags(db, archive)) {
        return Program::default();
    }
    let kernels = kernels(db, archive);
    let unit = |unit: &Unit| {
        let kept = unit.functions.iter().filter(|it| !kernels.names.contains_key(&it.name));
        let mut res = Unit { functions: kept.cloned().collect() };
        for it in &mut res.functions {
            rename(&mut it.body.root, kernels);
        }
        res
    };
    let functions = &import(db, archive).functions;
    Program {
        units: functions.iter().map(|it| unit(wrapper_phase(db, *it).unit())).collect(),
        kernels: Arc::clone(&kernels.kernels),
    }
}

/// Calls kernels by their own names.
fn rename(region: &mut Region, kernels: &Kernels) {
    fn in_attr(attr: &mut Attr, kernels: &Kernels) {
        match attr {
            Attr::Ref(name) => {
                if let Some(it) = kernels.find(name) {
                    name.clone_from(&it.name);
                }
            }
            Attr::List(it) => it.iter_mut().for_each(|it| in_attr(it, kernels)),
            Attr::None
            | Attr::Bool(_)
            | Attr::Size(_)
            | Attr::Str(_)
            | Attr::Number(_)
            | Attr::DType(_)
            | Attr::Type(_) => (),
        }
    }
    for Op { attrs, regions, .. } in &mut region.ops {
        attrs.iter_mut().for_each(|it| in_attr(it, kernels));
        regions.iter_mut().for_each(|it| rename(it, kernels));
    }
}
