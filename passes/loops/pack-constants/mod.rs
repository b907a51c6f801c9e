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
    pass::outline_unit(unit, "packed", &is_movement, &|it| Ok(it.clone()))
}

pub(crate) fn is_movement(op: &Op) -> bool {
    op.def.0.name == "loops.view"
}
