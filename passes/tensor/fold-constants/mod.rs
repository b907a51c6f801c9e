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
    let mut functions = Vec::new();
    // What was outlined before comes first: what is outlined now may read its results.
    let mut earlier = Vec::new();
    let mut outlined = Vec::new();
    for function in &unit.functions {
        if pass::computes_constants(function) {
            earlier.push(function.clone());
            continue;
        }
        let scaled = scale::into_weights(function).map_err(|it| vec![it])?;
        match pass::outline_constants(&scaled, "folded", &is_movement).map_err(|it| vec![it])? {
            None => functions.push(scaled),
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
    matches!(
        op.def.0.name,
        "tensor.expand" | "tensor.permute" | "tensor.reshape" | "tensor.slice" | "tensor.flip"
    )
}
