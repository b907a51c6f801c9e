//! Hoisting: weights that bodies are given are packed once, by their callers.
//!
//! Why: a product packs its second operand; a weight is packed when the library is built. Layers that
//! share a body give it their weights as operands, and it would pack those at every call.

use diag::Diag;
use pass::{PassCx, PassDef, Scope, Unit};

/// The pass.
pub(crate) static HOIST_PACKING: PassDef = PassDef {
    scope: Scope::Program,
    ..PassDef::new(
        "hoist-packing",
        "pack in callers, when the library is built, the weights that bodies are given",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    pass::hoist_unit(unit, "hoisted_packs", &crate::pack_constants::is_movement)
}
