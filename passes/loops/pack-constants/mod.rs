//! Packing ahead of time: weights of structured kernels get their layout when the library is built.
//!
//! Why: a product reads its second operand panel by panel. Laying a constant one out that way once
//! saves doing it at every call.

use diag::Diag;
use ir::Op;
use pass::{PassCx, PassDef, Unit};

/// The pass.
pub(crate) static PACK_CONSTANTS: PassDef = PassDef::new(
    "pack-constants",
    "pack the weights of structured kernels when the library is built",
    include_str!("README.md"),
    run,
);

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    let mut functions = Vec::new();
    // What was outlined before comes first: what is outlined now may read its results.
    let mut earlier = Vec::new();
    let mut outlined = Vec::new();
    for function in &unit.functions {
        if pass::computes_constants(function) {
            earlier.push(function.clone());
            continue;
        }
        match pass::outline_constants(function, "packed", &is_movement).map_err(|it| vec![it])? {
            None => functions.push(function.clone()),
            Some((main, constants)) => {
                functions.push(main);
                outlined.push(constants);
            }
        }
    }
    functions.extend(earlier);
    functions.extend(outlined);
    Ok(Unit { functions })
}

fn is_movement(op: &Op) -> bool {
    op.def.0.name == "loops.view"
}
