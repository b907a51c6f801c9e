//! Fusion: from operators on whole tensors to kernels.
//!
//! Why: memory is slower than arithmetic. Element-wise work is done where its operands are in
//! registers anyway: in the epilogue of the product before it, in the kernel of the reduction
//! beside it, or in the kernel that reads it.
//!
//! Reading order: [`plan`] (what gets memory, what is computed together), [`index`] (from a value
//! at a place to loads and arithmetic), [`lower`] (kernels), [`structured`] (products,
//! convolutions, attention), [`roots`] and [`sequential`] (loops inside an element, loops in
//! order), [`control`] (what stands between kernels), [`layout`] (strides), [`length`] (of code).

mod control;
mod graph;
mod in_place;
mod index;
mod layout;
mod length;
mod lower;
mod plan;
mod roots;
mod sequential;
mod structured;

use diag::Diag;
use ir::Function;
use pass::{PassCx, PassDef, Unit};

/// The pass.
pub(crate) static FUSE: PassDef = PassDef {
    tolerance: Some(1e-5),
    ..PassDef::new(
        "fuse",
        "lower operators to kernels, fusing element-wise work and reductions",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| match pass::computes_constants(function) {
        false => lower(function),
        // What is computed ahead of the run stays as it is: the interpreter runs it.
        true => Ok(function.clone()),
    })
}

fn lower(function: &Function) -> ir::Result<Function> {
    // What has no counterpart among operators on tensors has none among kernels.
    if let Some(op) = function.body.ops().iter().find(|it| it.def.0.dialect() != "tensor") {
        return Err(index::unsupported(ir::View::of(&function.body, &function.facts, op)));
    }
    let dense;
    let function = match function.is_subgraph() {
        true => {
            dense = control::with_dense_boundary(function);
            &dense
        }
        false => function,
    };
    let graph = graph::Graph::new(function);
    let plan = plan::Plan::new(&graph);
    lower::Lower::new(&graph, plan).run()
}
