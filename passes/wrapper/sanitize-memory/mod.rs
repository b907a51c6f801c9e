//! The checked mode: guards around every tensor, and NaN in what nobody needs.
//!
//! A tensor is NaN until it is written and after its last use, so a use too early or too late gives
//! a wrong value everywhere. A store that misses its tensor damages a guard, and the run stops.

use diag::Diag;
use ir::{Function, Op, Result, Rewriter, TensorType, Type, ValueId, View as OpView};
use pass::{OptionDef, PassCx, PassDef, Unit};
use sym::{Expr, Facts};
use wrapper::{Call, CheckGuard, Forget, Guard, Slice};

use crate::{lives::Lives, plan_memory::bytes};

/// The pass.
pub(crate) static SANITIZE_MEMORY: PassDef = PassDef {
    options: &[OptionDef::int("guard", 64, "what plan-memory has left free around each tensor")],
    ..PassDef::new(
        "sanitize-memory",
        "guard the tensors of the arena and forget those that are dead",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| {
        let has_slices = function.body.ops().iter().any(|it| it.def.0.name == "wrapper.slice");
        match has_slices {
            true => sanitize(function, cx.int("guard").max(0)),
            false => Ok(function.clone()),
        }
    })
}

/// A slice of an arena with its guards.
struct Tensor {
    value: ValueId,
    ty: TensorType,
    arena: ValueId,
    offset: Expr,
    /// The first and the last outermost statement that uses it.
    uses: (usize, usize),
}

impl Tensor {
    /// Offset and size of the bytes before and behind it. Behind it they begin where its elements
    /// end, not where its place does.
    fn guards(&self, guard: i64, facts: &Facts) -> [(Expr, Expr); 2] {
        let own = self.ty.span(facts) * Expr::int(self.ty.dtype.size() as i64);
        let whole = bytes(&Type::Tensor(self.ty.clone()), facts);
        let guard = Expr::int(guard);
        [
            (self.offset.clone() - guard.clone(), guard.clone()),
            (self.offset.clone() + own.clone(), whole - own + guard),
        ]
    }
}

fn sanitize(function: &Function, guard: i64) -> Result<Function> {
    let tensors = tensors(function);
    let mut it = Rewriter::new(function);
    for (at, op) in function.body.ops().iter().enumerate() {
        it.new.origin = op.origin;
        for tensor in tensors.iter().filter(|it| it.uses.0 == at) {
            let x = it.get(tensor.value);
            Forget::build(&mut it.new, x)?;
            let arena = it.get(tensor.arena);
            for (offset, size) in tensor.guards(guard, &function.facts) {
                Guard::build(&mut it.new, arena, offset, size)?;
            }
        }
        it.copy(op)?;
        let written = written(function, op);
        for tensor in &tensors {
            let is_dead = tensor.uses.1 == at;
            if !is_dead && !written.values.contains(&tensor.value) {
                continue;
            }
            let arena = it.get(tensor.arena);
            let message = format!("{} wrote outside {} {}", written.by, tensor.value, tensor.ty);
            for (offset, size) in tensor.guards(guard, &function.facts) {
                CheckGuard::build(&mut it.new, arena, offset, size, message.clone())?;
            }
            if is_dead {
                let x = it.get(tensor.value);
                Forget::build(&mut it.new, x)?;
            }
        }
    }
    Ok(it.finish())
}

fn tensors(function: &Function) -> Vec<Tensor> {
    let body = &function.body;
    let lives = Lives::of(function);
    let outermost = |statement: usize| lives.starts.partition_point(|it| *it <= statement) - 1;
    let slices = body.ops().iter().filter_map(|op| {
        let slice = Slice::of(OpView::of(body, &function.facts, op))?;
        let root = lives.roots.iter().find(|it| it.value == op.result())?;
        let (first, end) = root.life?;
        Some(Tensor {
            value: op.result(),
            ty: body.ty(op.result()).as_tensor()?.clone(),
            arena: slice.arena(),
            offset: slice.offset(),
            uses: (outermost(first), outermost(end - 1)),
        })
    });
    slices.collect()
}

/// What a statement writes, and what it is called.
struct Written {
    by: String,
    values: Vec<ValueId>,
}

fn written(function: &Function, op: &Op) -> Written {
    match Call::of(OpView::of(&function.body, &function.facts, op)) {
        Some(it) => Written { by: it.kernel().0, values: it.outputs() },
        None => Written { by: op.def.0.name.to_owned(), values: Vec::new() },
    }
}
