//! Memory planning: every intermediate tensor gets a place in one arena.
//!
//! Tensors whose lives overlap get places that do not. Known sizes are placed by an exact search;
//! sizes that are expressions in an order that keeps them apart at every size.

mod place;

pub(crate) use self::place::points;

use diag::Diag;
use ir::{Arg, AttrTy, Function, Op, Result, Rewriter, Type, ValueId, View};
use pass::{OptionDef, PassCx, PassDef, Unit};
use rustc_hash::FxHashSet;
use sym::{Expr, Facts};
use wrapper::{Arena, Call, Slice};

use crate::{
    lives::{Lives, Root},
    workspaces::Workspaces,
};

/// The pass.
pub(crate) static PLAN_MEMORY: PassDef = PassDef {
    options: &[OptionDef::int("guard", 0, "bytes to leave free before and behind each tensor")],
    ..PassDef::new(
        "plan-memory",
        "give every intermediate tensor a place in one arena",
        include_str!("README.md"),
        run,
    )
};

/// Places are multiples of this many bytes: a cache line, and the widest vector.
const ALIGNMENT: i64 = 64;

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    let planned = crate::per_host_function(unit, |function| plan(function, cx))?;
    crate::per_host_function(&planned, |function| place_workspaces(function, unit, cx))
}

fn plan(function: &Function, cx: &PassCx<'_>) -> Result<Function> {
    let body = &function.body;
    let roots = Lives::of(function).roots;
    if roots.is_empty() {
        return Ok(function.clone());
    }
    let guard = guard(cx);
    let both = guard.clone() * Expr::int(2);
    let size = |it: &Root| bytes(body.ty(it.value), &function.facts) + both.clone();
    let sizes: Vec<Expr> = roots.iter().map(size).collect();
    cx.count("tensors in the arena", roots.len() as u64);
    let stages = stages(function, &sizes);
    let mut offsets: Vec<Option<(usize, Expr)>> = vec![None; body.types.len()];
    let mut arenas = Vec::new();
    for stage in 0..=stages.iter().copied().max().unwrap_or(0) {
        let of_stage = |it: &usize| stages[*it] == stage;
        let members: Vec<usize> = (0..roots.len()).filter(of_stage).collect();
        let own: Vec<Root> = members.iter().map(|it| roots[*it].clone()).collect();
        let own_sizes: Vec<Expr> = members.iter().map(|it| sizes[*it].clone()).collect();
        let placed = place::place(&own, &own_sizes, &function.facts);
        for (root, offset) in own.iter().zip(placed.offsets) {
            offsets[root.value.index()] = Some((stage, offset + guard.clone()));
        }
        arenas.push((placed.size, None));
    }
    let mut rewrite = Rewrite { it: Rewriter::new(function), offsets, arenas };
    for op in body.ops() {
        rewrite.make_arenas(op)?;
        rewrite.op(op)?;
    }
    Ok(rewrite.it.finish())
}

/// Free bytes before and behind each tensor; places stay aligned.
fn guard(cx: &PassCx<'_>) -> Expr {
    Expr::int(cx.int("guard").clamp(0, 1 << 20) / ALIGNMENT * ALIGNMENT)
}

/// Says of each call whose kernel works in memory of its own where that begins. What a kernel needs
/// for sizes that data defines is not known when the arena is made.
fn place_workspaces(function: &Function, unit: &Unit, cx: &PassCx<'_>) -> Result<Function> {
    let Some(mut workspaces) = Workspaces::of(function) else {
        return Ok(function.clone());
    };
    let late = wrapper::symbols_of_data(function);
    let is_early = |it: &Function| loops::kernel_symbols(it).iter().all(|it| !late.contains(it));
    let kernels = unit.functions.iter().filter(|it| loops::has_workspace(it) && is_early(it));
    let names: FxHashSet<&str> = kernels.map(|it| it.name.as_str()).collect();
    let mut it = Rewriter::new(function);
    for (at, op) in function.body.ops().iter().enumerate() {
        let call = Call::of(View::of(&function.body, &function.facts, op));
        if !call.is_some_and(|it| names.contains(it.kernel().0.as_str())) {
            it.copy(op)?;
            continue;
        }
        let mut placed = op.clone();
        let place = op.def.0.attrs.iter().position(|it| it.name == "workspace");
        if let Some(attr) = place.and_then(|it| placed.attrs.get_mut(it)) {
            *attr = Some(workspaces.start(at, &guard(cx))).to_attr();
        }
        it.copy(&placed)?;
    }
    Ok(it.finish())
}

/// For each size how many of the symbols that data defines must be defined before it is known: up
/// to the last one in it. Each such stage has an arena of its own, made once its size is known.
fn stages(function: &Function, sizes: &[Expr]) -> Vec<usize> {
    let late = wrapper::symbols_of_data(function);
    let stage = |size: &Expr| {
        let symbols = size.symbols();
        late.iter().rposition(|it| symbols.contains(it.as_str())).map_or(0, |it| it + 1)
    };
    sizes.iter().map(stage).collect()
}

struct Rewrite<'a> {
    it: Rewriter<'a>,
    /// For each value the arena it is in, and its place there.
    offsets: Vec<Option<(usize, Expr)>>,
    /// The size of each arena, and the arena once it is made.
    arenas: Vec<(Expr, Option<ValueId>)>,
}

impl<'a> Rewrite<'a> {
    /// Whether the op, or one inside it, makes a tensor that has a place.
    fn needs_arena(&self, op: &Op) -> bool {
        let inside = || op.regions.iter().flat_map(|it| &it.ops).any(|it| self.needs_arena(it));
        op.results().any(|it| self.offsets[it.index()].is_some()) || inside()
    }

    /// Makes the arenas that the op, or one inside it, is the first to need.
    fn make_arenas(&mut self, op: &Op) -> Result<()> {
        for it in op.results() {
            if let Some((stage, _)) = self.offsets[it.index()]
                && self.arenas[stage].1.is_none()
            {
                self.it.new.origin = op.origin;
                let size = self.arenas[stage].0.clone();
                self.arenas[stage].1 = Some(Arena::build(&mut self.it.new, size)?[0]);
            }
        }
        op.regions.iter().flat_map(|it| &it.ops).try_for_each(|it| self.make_arenas(it))
    }

    fn op(&mut self, op: &'a Op) -> Result<()> {
        let place = op.results().find_map(|it| self.offsets[it.index()].clone());
        let place = place.and_then(|(stage, offset)| Some((offset, self.arenas[stage].1?)));
        let Some((offset, arena)) = place else {
            return self.copy(op);
        };
        self.it.new.origin = op.origin;
        let ty = self.it.old.body.ty(op.result()).clone();
        let slice = Slice::build(&mut self.it.new, arena, ty, offset)?;
        self.it.set(op.result(), slice[0]);
        Ok(())
    }

    fn copy(&mut self, op: &'a Op) -> Result<()> {
        if !self.needs_arena(op) {
            return self.it.copy(op).map(drop);
        }
        for region in &op.regions {
            self.it.new.begin_region();
            for param in &region.params {
                let new = self.it.new.param(self.it.old.body.ty(*param).clone());
                self.it.set(*param, new);
            }
            region.ops.iter().try_for_each(|it| self.op(it))?;
            let yields = region.yields.iter().map(|it| self.it.get(*it)).collect();
            self.it.new.end_region(yields);
        }
        self.it.new.origin = op.origin;
        let args: Vec<Arg> = op.args.iter().map(|it| it.map(|it| self.it.get(it))).collect();
        let results = self.it.new.push(op.def, args, op.attrs.clone())?;
        op.results().zip(results).for_each(|(old, new)| self.it.set(old, new));
        Ok(())
    }
}

/// The bytes a tensor takes, up to the next multiple of [`ALIGNMENT`]: from its first element to
/// its last.
pub(crate) fn bytes(ty: &Type, facts: &Facts) -> Expr {
    let Type::Tensor(it) = ty else { return Expr::int(0) };
    let raw = it.span(facts) * Expr::int(it.dtype.size() as i64);
    let lines = raw.ceil_div(&Expr::int(ALIGNMENT));
    lines * Expr::int(ALIGNMENT)
}

/// The same of a value, in its simplest form.
pub(crate) fn bytes_of(function: &Function, value: ValueId) -> Expr {
    let facts = &function.facts;
    sym::simplify(&bytes(function.body.ty(value), facts), facts)
}
