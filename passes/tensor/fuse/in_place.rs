//! State that is written where it lies: an update of a part moves that part alone.
//!
//! Functionalization made a new value of each update of a parameter. The value can be the
//! parameter's own memory if nothing that comes later reads what was there before: then only the
//! updated elements are stored. An update of a view (`cache[layer]` at some rows) is, after
//! functionalization, a slice taken out, updated and put back; where it is put back is where it was
//! taken from, so it too writes the rows alone.

use ir::{Arg, AttrTy, Op, Result, Type, ValueId};
use sym::{Answer, Expr, Facts};
use tensor::{IndexUpdate, Scatter, SliceUpdate};

use super::{
    graph::Graph,
    index::{Emitter, Slot},
    lower::{Lower, kernel_attrs},
    plan::Item,
    sequential::{named, write_elements},
};

/// The update of a whole by an updated slice of it.
#[derive(Clone, Copy)]
struct PutBack<'g> {
    /// The updated slice.
    slice: ValueId,
    update: SliceUpdate<'g>,
}

impl PutBack<'_> {
    fn whole(&self) -> ValueId {
        self.update.0.op.result()
    }

    /// Where the slice's element at `at` lies in the whole.
    fn place(&self, graph: &Graph<'_>, at: &[Expr], facts: &Facts) -> Option<Vec<Expr>> {
        let at = forward(graph, self.slice, self.update.update(), at, facts)?;
        Some(slice_place(self.update, at, facts))
    }
}

fn slice_place(it: SliceUpdate<'_>, at: Vec<Expr>, facts: &Facts) -> Vec<Expr> {
    let (start, step) = (it.start(), it.step());
    let place = |(i, at): (usize, Expr)| {
        sym::simplify(&(start[i].clone() + at * Expr::int(step[i])), facts)
    };
    at.into_iter().enumerate().map(place).collect()
}

/// Where the element of `value` at `at` lies in `target`, which movements make of it.
fn forward(
    graph: &Graph<'_>,
    value: ValueId,
    target: ValueId,
    at: &[Expr],
    facts: &Facts,
) -> Option<Vec<Expr>> {
    // From the target back to the value, then forward along the same ops.
    let mut path = Vec::new();
    let mut current = target;
    while current != value {
        let op = graph.maker(current).filter(|it| graph.is_movement(it))?;
        path.push(op);
        current = op.operands().next()?;
    }
    path.iter().rev().try_fold(at.to_vec(), |at, op| graph.forward(op, &at, facts))
}

/// For an update of a slice of state: where the slice is put back, if that is where it came from.
fn put_back<'g>(graph: &'g Graph<'g>, op: &'g Op) -> Option<PutBack<'g>> {
    let slice = op.result();
    let (axes, at) = named("a", graph.shape(slice));
    let facts = loops::axis_facts(graph.facts, &axes);
    graph.function.body.ops().iter().find_map(|it| {
        let update = SliceUpdate::of(graph.view(it))?;
        let x = update.x();
        graph.written_param(x)?;
        let res = PutBack { slice, update };
        let to = res.place(graph, &at, &facts)?;
        // Where the slice was taken from.
        let (mut source, mut from): (ValueId, Vec<Expr>) =
            (graph.view(op).operand("x"), at.clone());
        while source != x {
            (source, from) = graph.movement(graph.maker(source)?, &from, &facts)?;
        }
        let same = |(a, b): (&Expr, &Expr)| sym::equal(a, b, &facts) == Answer::Proven;
        (from.len() == to.len() && from.iter().zip(&to).all(same)).then_some(res)
    })
}

impl<'a> Lower<'a> {
    /// Writes the update into the memory of what it updates, if that is state whose former content
    /// nobody reads later. Says whether it did.
    pub(super) fn in_place(&mut self, op: &'a Op) -> Result<bool> {
        let graph = self.graph;
        let view = graph.view(op);
        let is_elements = IndexUpdate::of(view).is_some() || Scatter::of(view).is_some();
        if graph.dtype(op.result()).is_complex()
            || (!is_elements && SliceUpdate::of(view).is_none())
        {
            return Ok(false);
        }
        let x: ValueId = view.operand("x");
        if graph.written_param(x).is_some() {
            return self.write(op, x, None);
        }
        match put_back(graph, op).filter(|_| is_elements) {
            Some(it) => self.write(op, it.update.x(), Some(it)),
            None => Ok(false),
        }
    }

    /// Whether the value is the memory of the parameter `root`, at some time.
    fn is_member(&self, value: ValueId, root: ValueId) -> bool {
        value == root || self.families.contains(&(value, root))
    }

    /// Whether a later item besides `except`, or the function's result, reads the memory of `root`
    /// as it is now.
    fn is_read_later(&self, root: ValueId, except: ValueId) -> bool {
        let graph = self.graph;
        let ops = graph.function.body.ops();
        let reads = |op: Option<&Op>| {
            let mut all = Vec::new();
            let operands = op.into_iter().flat_map(Op::operands);
            operands.for_each(|it| self.plan.stored_reads(graph, it, &mut all));
            all.iter().any(|it| self.is_member(*it, root))
        };
        let by_maker = |value: ValueId| reads(graph.maker(value));
        let later = self.rest.iter().any(|item| match item {
            Item::Group(it) => it.members.iter().any(|it| by_maker(it.value)),
            Item::Structured { value, root: last } => {
                // Everything from the product to the end of its epilogue.
                let at = |it: &ValueId| graph.maker_index(*it).unwrap_or(0);
                ops[at(value)..=at(last).max(at(value))].iter().any(|op| {
                    let inside = op.results().any(|it| it == *value || !self.plan.is_stored(it));
                    (inside || op.results().any(|it| it == *last)) && reads(Some(op))
                })
            }
            Item::Single(it) => *it != except && by_maker(*it),
            Item::Statement(index) => reads(ops.get(*index)),
        });
        later || graph.function.body.root.yields.iter().any(|it| self.is_member(*it, root))
    }

    /// Writes what `op` updates into the memory of `x`: from then on that is `op`'s result, or of
    /// a slice that is put back, the whole, of which the slice is a view.
    fn write(&mut self, op: &'a Op, x: ValueId, put_back: Option<PutBack<'a>>) -> Result<bool> {
        let graph = self.graph;
        let view = graph.view(op);
        let result = put_back.map_or(op.result(), |it| it.whole());
        let (Some(root), Some(memory)) = (graph.written_param(x), self.buffer(x)) else {
            return Ok(false);
        };
        if !self.is_member(x, root) || self.is_read_later(root, result) {
            return Ok(false);
        }
        // What the update itself reads: everything but the updated tensor.
        let updated: ValueId = view.operand("x");
        let mut inputs = Vec::new();
        let operands = op.operands().filter(|it| *it != updated);
        operands.for_each(|it| self.plan.stored_reads(graph, it, &mut inputs));
        inputs.sort_unstable();
        inputs.dedup();
        let buffers: Option<Vec<ValueId>> = inputs.iter().map(|it| self.buffer(*it)).collect();
        let ty = self.builder.ty(memory).as_tensor().cloned();
        let (Some(mut buffers), Some(ty)) = (buffers, ty) else { return Ok(false) };
        if inputs.iter().any(|it| self.is_member(*it, root)) {
            return Ok(false);
        }
        let slice = match put_back {
            Some(it) => {
                let (axes, at) = named("a", graph.shape(it.slice));
                let facts = loops::axis_facts(graph.facts, &axes);
                let place = it.place(graph, &at, &facts);
                let Some(strides) = place.and_then(|it| self.affine(memory, it, &axes)) else {
                    return Ok(false);
                };
                Some((it.slice, strides))
            }
            None => None,
        };
        self.builder.begin_region();
        let mut slots = Vec::new();
        for (value, buffer) in inputs.iter().zip(&buffers) {
            let ty = self.builder.ty(*buffer).clone();
            slots.push(Slot { value: *value, param: self.builder.param(ty) });
        }
        self.builder.param(Type::Tensor(ty.clone()));
        let param = self.builder.param(Type::Tensor(ty.clone()));
        slots.push(Slot { value: result, param });
        let mut emitter = Emitter::new(graph, &self.plan, &mut self.builder, graph.facts.clone());
        emitter.slots = slots;
        let (axes, extents) = match SliceUpdate::of(view) {
            Some(it) => write_slice(&mut emitter, it, result)?,
            None => {
                let to = |at: Vec<Expr>, facts: &Facts| match put_back {
                    Some(it) => it.place(graph, &at, facts).unwrap_or(at),
                    None => at,
                };
                write_elements(&mut emitter, view, result, &to)?;
                (Vec::new(), Vec::new())
            }
        };
        self.builder.end_region(Vec::new());
        let mut attrs = kernel_attrs(axes, extents, std::slice::from_ref(&ty));
        buffers.push(memory);
        if let Some(in_place) = attrs.last_mut() {
            *in_place = (buffers.len() as i64 - 1).to_attr();
        }
        let made = self.builder.push1(loops::Kernel::def(), [Arg::from(buffers)], attrs)?;
        self.set_buffer(result, made);
        self.families.push((result, root));
        if let Some((value, mut strides)) = slice {
            strides.base = made;
            let steps = strides.strides.clone();
            let seen = self.view(&strides, graph.shape(value).to_vec(), steps)?;
            self.set_buffer(value, seen);
            self.families.push((value, root));
        }
        Ok(true)
    }
}

/// Stores every element of the update at its place in `target`.
fn write_slice(
    emitter: &mut Emitter<'_, '_, '_>,
    it: SliceUpdate<'_>,
    target: ValueId,
) -> Result<(Vec<String>, Vec<Expr>)> {
    let graph = emitter.graph;
    let one = Expr::int(1);
    let mut axes = Vec::new();
    let mut at = Vec::new();
    for size in graph.shape(it.update()) {
        if *size == one {
            at.push(Expr::int(0));
            continue;
        }
        let name = format!("i{}", axes.len());
        at.push(Expr::sym(&name));
        axes.push((name, size.clone()));
    }
    emitter.facts = loops::axis_facts(&emitter.facts, &axes);
    let place = slice_place(it, at.clone(), &emitter.facts);
    // What the facts do not keep inside is left out, as everywhere.
    let mut within = None;
    for (index, size) in place.iter().zip(graph.shape(it.x())) {
        let fits = emitter.within(index, size)?;
        within = emitter.both(within, fits)?;
    }
    let register = emitter.read(it.update(), &at, within)?;
    emitter.store(target, register, place, Vec::new(), within, "set")?;
    Ok(axes.into_iter().unzip())
}
