//! Constant folding: what depends on weights alone is computed when the library is built.
//!
//! Why: a batch normalisation in inference is a scale and a shift per channel; the scale belongs
//! into the convolution's weights, the shift into its epilogue, and neither is worth computing
//! at run time. Folding moves such work to a function of its own; nothing is computed here, so
//! that weights stay outside the database.

mod scale;

use diag::Diag;
use ir::Op;
use pass::{PassCx, PassDef, Unit};

/// The pass.
pub(crate) static FOLD_CONSTANTS: PassDef = PassDef {
    tolerance: Some(1e-4),
    ..PassDef::new(
        "fold-constants",
        "compute what depends on weights alone when the library is built",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    pass::outline_unit(unit, "folded", &is_movement, &scale::into_weights)
}

pub(crate) fn is_movement(op: &Op) -> bool {
    matches!(
        op.def.0.name,
        "tensor.expand" | "tensor.permute" | "tensor.reshape" | "tensor.slice" | "tensor.flip"
    )
}
