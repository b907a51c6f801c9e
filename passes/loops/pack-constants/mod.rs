//! Packing ahead of time: weights of structured kernels get their layout when the library is built.
//!
//! Why: a product reads its second operand panel by panel. Laying a constant one out that way once
//! saves doing it at every call.

use diag::Diag;
use indexmap::IndexMap;
use ir::{Arg, Attr, Function, Op, Rewriter, Type, ValueId, compact};
use pass::{PassCx, PassDef, Unit};
use rustc_hash::FxBuildHasher;

/// The pass.
pub(crate) static PACK_CONSTANTS: PassDef = PassDef::new(
    "pack-constants",
    "pack the weights of structured kernels when the library is built",
    include_str!("README.md"),
    run,
);

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    pass::outline_unit(unit, "packed", &is_movement, &|it| packed_once(it))
}

/// What makes two ops give the same.
type Key = (&'static str, Vec<Arg>, Vec<Attr>, Vec<Type>);

/// Weights that several products read, layers that share theirs, are packed once.
fn packed_once(function: &Function) -> ir::Result<Function> {
    let body = &function.body;
    let mut is_constant = vec![false; body.types.len()];
    for (i, it) in body.root.params.iter().enumerate() {
        is_constant[it.index()] = function.is_fixed(i);
    }
    let mut seen: IndexMap<Key, ValueId, FxBuildHasher> = IndexMap::default();
    let mut rw = Rewriter::new(function);
    for op in body.ops() {
        let moves = is_movement(op) || op.def.0.name == "loops.pack";
        if !(moves && op.operands().all(|it| is_constant[it.index()])) {
            rw.copy(op)?;
            continue;
        }
        is_constant[op.result().index()] = true;
        let args = op.args.iter().map(|it| it.map(|it| rw.get(it))).collect();
        let key = (op.def.0.name, args, op.attrs.clone(), vec![body.ty(op.result()).clone()]);
        match seen.get(&key) {
            Some(first) => rw.set(op.result(), *first),
            None => {
                let made = rw.copy(op)?;
                seen.extend(made.first().map(|it| (key, *it)));
            }
        }
    }
    let mut res = rw.finish();
    res.body = compact(&res.body, &res.facts);
    Ok(res)
}

pub(crate) fn is_movement(op: &Op) -> bool {
    op.def.0.name == "loops.view"
}
