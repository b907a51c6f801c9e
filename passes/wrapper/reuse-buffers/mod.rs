//! Reuse: a call writes its result where an input lies that nobody needs any more.
//!
//! Each element must be read for the last time before it is written, which is proven from the
//! kernel's indices, never guessed from shapes. Memory of another size, or read elsewhere, is for
//! `plan-memory` to use again.

use diag::Diag;
use ir::{Function, Op, Result, Rewriter, ValueId, View as OpView};
use pass::{PassCx, PassDef, Unit};
use sym::Expr;
use wrapper::{Alloc, Call, View};

use crate::{
    in_place::may_be_in_place,
    lives::{Lives, Root},
    plan_memory::{bytes, bytes_of},
};

/// The pass.
pub(crate) static REUSE_BUFFERS: PassDef = PassDef::new(
    "reuse-buffers",
    "write results over inputs that are read for the last time",
    include_str!("README.md"),
    run,
);

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    crate::per_host_function(unit, |function| reuse(function, unit, cx))
}

fn reuse(function: &Function, unit: &Unit, cx: &PassCx<'_>) -> Result<Function> {
    let chosen = choose(function, unit).0;
    if chosen.is_empty() {
        return Ok(function.clone());
    }
    cx.count("results in place of inputs", chosen.len() as u64);
    let mut it = Rewriter::new(function);
    for (at, op) in function.body.ops().iter().enumerate() {
        let view = OpView::of(&function.body, &function.facts, op);
        if Alloc::of(view).is_some() && chosen.iter().any(|it| it.output == op.result()) {
            // It is made where it is written.
            continue;
        }
        for place in chosen.iter().filter(|it| it.at == at) {
            it.new.origin = op.origin;
            let ty = function.body.ty(place.output).clone();
            let base = it.get(place.input);
            let made = View::build(&mut it.new, base, ty, Expr::int(0))?;
            it.set(place.output, made[0]);
        }
        it.copy(op)?;
    }
    Ok(it.finish())
}

/// A result that takes the place of an input.
struct InPlace {
    /// The place of the call among the function's ops.
    at: usize,
    input: ValueId,
    output: ValueId,
}

/// The tensors that are left once results lie over inputs, with their sizes in bytes.
pub(crate) fn lives_after(function: &Function, unit: &Unit) -> Vec<(Root, Expr)> {
    let (_, lives) = choose(function, unit);
    let is_left = |it: &Root| !lives.merged.contains(&it.value);
    let sized = |it: &Root| (it.clone(), bytes(function.body.ty(it.value), &function.facts));
    lives.roots.iter().filter(|it| is_left(it)).map(sized).collect()
}

fn choose(function: &Function, unit: &Unit) -> (Vec<InPlace>, Lives) {
    let body = &function.body;
    let mut lives = Lives::of(function);
    let mut res: Vec<InPlace> = Vec::new();
    for (at, op) in body.ops().iter().enumerate() {
        let Some(call) = Call::of(OpView::of(body, &function.facts, op)) else { continue };
        let name = call.kernel().0;
        let Some(kernel) = unit.functions.iter().find(|it| it.name == name) else { continue };
        let statement = lives.starts[at];
        let (inputs, outputs) = (call.inputs(), call.outputs());
        for (o, output) in outputs.iter().enumerate() {
            let found = inputs.iter().enumerate().find(|(i, input)| {
                let pair = (**input, *output);
                is_free(&lives, op, statement, pair)
                    && same_bytes(function, pair)
                    && may_be_in_place(kernel, *i, o)
            });
            if let Some((_, input)) = found {
                lives.merge(*input, *output);
                res.push(InPlace { at, input: *input, output: *output });
            }
        }
    }
    (res, lives)
}

/// Whether the input is a whole tensor of its own that this call is the last to use, and the output
/// one that it is the first to use.
fn is_free(lives: &Lives, op: &Op, statement: usize, (input, output): (ValueId, ValueId)) -> bool {
    let ([from], [to]) = (&lives.owners[input.index()][..], &lives.owners[output.index()][..])
    else {
        return false;
    };
    let (from_root, to_root) = (&lives.roots[*from], &lives.roots[*to]);
    let users = op.operands().filter(|it| lives.owners[it.index()].contains(from)).count();
    let is_root = from_root.value == input || lives.merged.contains(&input);
    from != to
        && is_root
        && to_root.value == output
        && users == 1
        && from_root.life.is_some_and(|it| it.1 == statement + 1)
        && to_root.life.is_some_and(|it| it.0 == statement)
}

/// Whether both take up the same memory.
fn same_bytes(function: &Function, (input, output): (ValueId, ValueId)) -> bool {
    bytes_of(function, input) == bytes_of(function, output)
}
