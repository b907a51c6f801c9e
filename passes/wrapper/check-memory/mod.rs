//! The verifier of memory plans. It changes nothing; what it cannot prove right is an error.
//!
//! It works from the planned program alone, so that it sees what a planner got wrong: lives that
//! were cut short, places that overlap, a result written over an input that is still read.

use diag::{Diag, codes};
use ir::{Function, View as OpView};
use pass::{PassCx, PassDef, Unit};
use sym::Expr;
use wrapper::Call;

use crate::{
    in_place::may_be_in_place, lives::Lives, proofs::Proofs, report::ArenaUse,
    workspaces::Workspaces,
};

/// The pass.
pub(crate) static CHECK_MEMORY: PassDef = PassDef::new(
    "check-memory",
    "prove that no two tensors in use at the same time overlap",
    include_str!("README.md"),
    run,
);

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    let diags: Vec<Diag> = unit
        .functions
        .iter()
        .filter(|it| wrapper::is_host(it))
        .flat_map(|it| [places(it), workspaces(it), calls(it, unit)].concat())
        .collect();
    if diags.is_empty() { Ok(unit.clone()) } else { Err(diags) }
}

/// Tensors of an arena that are in use together are apart, and inside.
fn places(function: &Function) -> Vec<Diag> {
    let mut proofs = Proofs::of(function);
    let mut diags = Vec::new();
    for arena in ArenaUse::all(function) {
        let ends: Vec<Expr> = arena
            .places
            .iter()
            .map(|it| sym::simplify(&(it.offset.clone() + it.size.clone()), &function.facts))
            .collect();
        for (i, a) in arena.places.iter().enumerate() {
            let mut wrong = |message: String| {
                diags.push(Diag::error(&codes::BODY, message).at(a.origin.0));
            };
            if !proofs.at_most(&ends[i], &arena.size) || !proofs.at_most(&Expr::int(0), &a.offset) {
                wrong(format!("{} is not proven to lie inside the arena", a.value));
            }
            for (j, b) in arena.places.iter().enumerate().take(i) {
                let together = a.life.0 < b.life.1 && b.life.0 < a.life.1;
                if together && !proofs.apart([&a.offset, &ends[i]], [&b.offset, &ends[j]]) {
                    wrong(format!(
                        "{} and {} are in use together and may overlap",
                        b.value, a.value
                    ));
                }
            }
        }
    }
    diags
}

/// What a kernel works in lies above the tensors that are in use while it runs.
fn workspaces(function: &Function) -> Vec<Diag> {
    let mut workspaces = Workspaces::of(function);
    let mut diags = Vec::new();
    for (at, op) in function.body.ops().iter().enumerate() {
        let call = Call::of(OpView::of(&function.body, &function.facts, op));
        let Some(start) = call.and_then(|it| it.workspace()) else { continue };
        let message = match &mut workspaces {
            None => "there is no arena for the workspace".to_owned(),
            Some(it) => match it.fault(at, &start) {
                Some(fault) => fault,
                None => continue,
            },
        };
        diags.push(Diag::error(&codes::BODY, message).at(op.origin.0));
    }
    diags
}

/// A call that writes memory it also reads is proven to read each element first.
fn calls(function: &Function, unit: &Unit) -> Vec<Diag> {
    let lives = Lives::of(function);
    let mut diags = Vec::new();
    for op in function.body.ops() {
        let Some(call) = Call::of(OpView::of(&function.body, &function.facts, op)) else {
            continue;
        };
        let name = call.kernel().0;
        let kernel = unit.functions.iter().find(|it| it.name == name);
        let (inputs, outputs) = (call.inputs(), call.outputs());
        let shares = |a: ir::ValueId, b: ir::ValueId| {
            let (a, b) = (&lives.owners[a.index()], &lives.owners[b.index()]);
            a.iter().any(|it| b.contains(it))
        };
        for (o, output) in outputs.iter().enumerate() {
            let twice = outputs[..o].iter().any(|it| shares(*it, *output));
            let unproven = inputs.iter().enumerate().find(|(i, input)| {
                shares(**input, *output) && !kernel.is_some_and(|it| may_be_in_place(it, *i, o))
            });
            let message = match (twice, unproven) {
                (true, _) => format!("{output} lies in memory that the call writes twice"),
                (_, Some((_, input))) => {
                    format!("{output} is written over {input}, which may still be read")
                }
                _ => continue,
            };
            diags.push(Diag::error(&codes::BODY, message).at(op.origin.0));
        }
    }
    diags
}
