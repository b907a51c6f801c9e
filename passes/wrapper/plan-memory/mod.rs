//! Memory planning: every intermediate tensor gets a place in one arena.
//!
//! A tensor lives from the call that writes it to the last statement that reads it or a view of
//! it. Tensors whose lives overlap get places that do not. Known sizes are placed first-fit, the
//! largest first; sizes that are expressions share a place only if one is proven to fit into the
//! place of another for every size in range.

mod place;

use diag::Diag;
use ir::{Arg, Builder, Function, Result, Type, ValueId, View as OpView};
use pass::{PassCx, PassDef, Unit};
use sym::Expr;
use wrapper::{Alloc, Arena, Slice, View};

use self::place::Buffer;

/// The pass.
pub(crate) static PLAN_MEMORY: PassDef = PassDef::new(
    "plan-memory",
    "give every intermediate tensor a place in one arena",
    include_str!("README.md"),
    run,
);

/// Places are multiples of this many bytes: a cache line, and the widest vector.
const ALIGNMENT: i64 = 64;

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| {
        let is_host = function.body.ops().iter().any(|it| it.def.0.dialect() == "wrapper");
        match is_host {
            true => plan(function, cx),
            false => Ok(function.clone()),
        }
    })
}

fn plan(function: &Function, cx: &PassCx<'_>) -> Result<Function> {
    let body = &function.body;
    let buffers = lives(function);
    if buffers.is_empty() {
        return Ok(function.clone());
    }
    let placed = place::place(&buffers, &function.facts);
    cx.count("tensors in the arena", buffers.len() as u64);
    let mut builder = Builder::new(&function.facts);
    let mut map: Vec<Option<ValueId>> = vec![None; body.types.len()];
    for param in &body.root.params {
        map[param.index()] = Some(builder.param(body.ty(*param).clone()));
    }
    let mut arena = None;
    for op in body.ops() {
        builder.origin = op.origin;
        let view = OpView::of(body, &function.facts, op);
        if let Some(it) = Alloc::of(view) {
            let arena = match arena {
                Some(it) => it,
                None => {
                    let made = Arena::build(&mut builder, placed.size.clone())?[0];
                    arena = Some(made);
                    made
                }
            };
            let i = buffers.iter().position(|it| it.value == op.result());
            let offset = i.map_or(Expr::int(0), |i| placed.offsets[i].clone());
            let slice = Slice::build(&mut builder, arena, it.ty(), offset)?;
            map[op.result().index()] = Some(slice[0]);
            continue;
        }
        let get = |it: ValueId| map[it.index()].expect("statements come in program order");
        let args: Vec<Arg> = op.args.iter().map(|it| it.map(get)).collect();
        let results = builder.push(op.def, args, op.attrs.clone())?;
        for (old, new) in op.results().zip(results) {
            map[old.index()] = Some(new);
        }
    }
    let yields = body
        .root
        .yields
        .iter()
        .map(|it| map[it.index()].expect("statements come in program order"))
        .collect();
    let mut res = function.clone();
    res.body = ir::compact(&builder.finish(yields), &function.facts);
    Ok(res)
}

/// The tensors to place, in program order, with the statements between which each lives.
fn lives(function: &Function) -> Vec<Buffer> {
    let body = &function.body;
    let mut res: Vec<Buffer> = Vec::new();
    // For each value the tensor whose memory it is.
    let mut owner: Vec<Option<usize>> = vec![None; body.types.len()];
    for (at, op) in body.ops().iter().enumerate() {
        let view = OpView::of(body, &function.facts, op);
        for value in op.operands() {
            if let Some(i) = owner[value.index()] {
                res[i].end = at;
                // An allocation stands before its first use; the life begins with that.
                res[i].start.get_or_insert(at);
            }
        }
        if let Some(it) = Alloc::of(view) {
            let bytes = bytes(&it.ty());
            owner[op.result().index()] = Some(res.len());
            res.push(Buffer { value: op.result(), bytes, start: None, end: at });
        } else if let Some(it) = View::of(view) {
            owner[op.result().index()] = owner[it.x().index()];
        }
    }
    res
}

/// The bytes a tensor takes, up to the next multiple of [`ALIGNMENT`]: from its first element to
/// its last, as strides may leave gaps or repeat.
fn bytes(ty: &Type) -> Expr {
    let Type::Tensor(it) = ty else { return Expr::int(0) };
    let span = match &it.strides {
        None => it.numel(),
        Some(strides) => {
            let one = Expr::int(1);
            let last =
                it.shape.iter().zip(strides.iter()).fold(Expr::int(0), |sum, (size, stride)| {
                    sum + Expr::max(&(size.clone() - one.clone()), &Expr::int(0)) * stride.clone()
                });
            last + one
        }
    };
    let raw = span * Expr::int(it.dtype.size() as i64);
    let lines = raw.ceil_div(&Expr::int(ALIGNMENT));
    lines * Expr::int(ALIGNMENT)
}
