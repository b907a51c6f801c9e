//! Hoisting: what bodies compute from constant operands is computed once, by their callers.
//!
//! Why: layers that share a body have weights of their own, which are its operands. What the body
//! makes of weights alone, such as another dtype or another order, would be made at every call.

use diag::Diag;
use pass::{PassCx, PassDef, Scope, Unit};

/// The pass.
pub(crate) static HOIST_CONSTANTS: PassDef = PassDef {
    scope: Scope::Program,
    ..PassDef::new(
        "hoist-constants",
        "compute in callers, when the library is built, what bodies make of constants",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    pass::hoist_unit(unit, "hoisted", &crate::fold_constants::is_movement)
}
