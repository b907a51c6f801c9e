//! The verifier of memory plans. It changes nothing; what it cannot prove right is an error.
//!
//! It works from the planned program alone, so that it sees what a planner got wrong: lives that
//! were cut short, places that overlap, a result written over an input that is still read.

use diag::{Diag, codes};
use ir::{Function, View as OpView};
use pass::{PassCx, PassDef, Unit};
use rustc_hash::FxHashMap;
use sym::{Answer, Expr, Facts};
use wrapper::Call;

use crate::{in_place::may_be_in_place, lives::Lives, report::ArenaUse};

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
        .flat_map(|it| places(it).into_iter().chain(calls(it, unit)))
        .collect();
    if diags.is_empty() { Ok(unit.clone()) } else { Err(diags) }
}

/// Tensors of an arena that are in use together are apart, and inside.
fn places(function: &Function) -> Vec<Diag> {
    let mut proofs = Proofs { facts: &function.facts, known: FxHashMap::default() };
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
                let apart = |p: &mut Proofs<'_>| {
                    p.at_most(&ends[i], &b.offset) || p.at_most(&ends[j], &a.offset)
                };
                if together && !apart(&mut proofs) {
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

struct Proofs<'a> {
    facts: &'a Facts,
    known: FxHashMap<(Expr, Expr), bool>,
}

impl Proofs<'_> {
    fn at_most(&mut self, a: &Expr, b: &Expr) -> bool {
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            return a <= b;
        }
        let facts = self.facts;
        *self
            .known
            .entry((a.clone(), b.clone()))
            .or_insert_with(|| a == b || sym::less_equal(a, b, facts) == Answer::Proven)
    }
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
