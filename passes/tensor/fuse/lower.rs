//! The function under construction: which memory each stored value has, and its kernels.

use ir::{Arg, Attr, AttrTy, Builder, DType, Function, Result, TensorType, Type, ValueId};
use sym::Expr;
use tensor::Concat;

use super::{
    control::is_of_inputs,
    graph::Graph,
    index::{Access, Emitter, Known, Slot, accesses, read_access},
    layout::memory_order,
    plan::{Group, Item, Member, Plan, reduction},
};

/// The new function, built kernel by kernel.
pub(super) struct Lower<'a> {
    pub graph: &'a Graph<'a>,
    pub plan: Plan,
    pub builder: Builder<'a>,
    /// For each value the new function's tensor that holds it.
    buffers: Vec<Option<ValueId>>,
    /// For each stored value the stored values computed from it.
    dependents: Vec<Vec<ValueId>>,
    /// What is still to be lowered, the next one last.
    pub rest: Vec<Item>,
    /// Values that are one memory with a parameter that the function writes, and that parameter.
    pub families: Vec<(ValueId, ValueId)>,
}

impl<'a> Lower<'a> {
    pub(super) fn new(graph: &'a Graph<'a>, plan: Plan) -> Lower<'a> {
        let count = graph.function.body.types.len();
        let mut dependents: Vec<Vec<ValueId>> = vec![Vec::new(); count];
        for op in graph.function.body.ops() {
            let mut reads = Vec::new();
            op.operands().for_each(|it| plan.stored_reads(graph, it, &mut reads));
            for value in op.results().filter(|it| plan.is_stored(*it)) {
                for read in &reads {
                    dependents[read.index()].push(value);
                }
            }
        }
        let builder = Builder::new(graph.facts);
        let buffers = vec![None; count];
        let (rest, families) = (Vec::new(), Vec::new());
        Lower { graph, plan, builder, buffers, dependents, rest, families }
    }

    /// The tensor that holds a value.
    pub(super) fn buffer(&self, value: ValueId) -> Option<ValueId> {
        self.buffers[value.index()]
    }

    pub(super) fn set_buffer(&mut self, value: ValueId, buffer: ValueId) {
        self.buffers[value.index()] = Some(buffer);
    }

    /// The tensor that holds a value that is needed in memory; it is computed now if it was not.
    pub(super) fn need(&mut self, value: ValueId) -> Result<ValueId> {
        if let Some(it) = self.buffer(value) {
            return Ok(it);
        }
        self.plan.mark_stored(value);
        let one = Expr::int(1);
        let shape = self.graph.shape(value);
        let row_dims: Vec<usize> = (0..shape.len()).filter(|it| shape[*it] != one).collect();
        let rows = row_dims.iter().map(|it| shape[*it].clone()).collect();
        self.kernel(&[Member { value, row_dims }], rows)?;
        Ok(self.buffer(value).expect("the kernel stores it"))
    }

    /// The whole function.
    pub(super) fn run(mut self) -> Result<Function> {
        let old = self.graph.function;
        for value in &old.body.root.params {
            // A caller's tensor has the strides the exporter saw; a constant has its own.
            let ty = match old.body.ty(*value) {
                Type::Tensor(it) if it.strides.is_none() => {
                    Type::Tensor(TensorType::contiguous(it.dtype, it.shape.clone()))
                }
                it => it.clone(),
            };
            let new = self.builder.param(ty);
            self.set_buffer(*value, new);
        }
        // Most assertions are about sizes that are known before any kernel runs.
        for op in old.body.ops() {
            if let Some(it) = tensor::Assert::of(self.graph.view(op))
                && is_of_inputs(self.graph, it)
            {
                self.builder.origin = op.origin;
                loops::Assert::build(&mut self.builder, it.cond(), it.message())?;
            }
        }
        self.rest = std::mem::take(&mut self.plan.items);
        self.rest.reverse();
        while let Some(item) = self.rest.pop() {
            match item {
                Item::Group(Group { members, rows, .. }) => self.kernel(&members, rows)?,
                Item::Structured { value, root } => self.structured(value, root)?,
                Item::Single(value) => self.single(value)?,
                Item::Statement(index) => self.statement(index)?,
            }
        }
        let mut taken: Vec<ValueId> = Vec::new();
        let mut yields = Vec::new();
        for (output, value) in old.outputs.iter().zip(&old.body.root.yields) {
            let buffer = self.need(*value)?;
            if *self.builder.ty(buffer) == Type::None {
                yields.push(buffer);
                continue;
            }
            let aliases = matches!(
                output.kind,
                ir::OutputKind::AliasesParam(..) | ir::OutputKind::AliasesOutput(..)
            );
            let is_param = self.graph.param_index(*value).is_some();
            let fits = *self.builder.ty(buffer) == output.ty;
            if aliases || (fits && !is_param && !taken.contains(&buffer)) {
                taken.push(buffer);
                yields.push(buffer);
            } else {
                // Memory of its own, as the caller may write to it.
                let ty = match &output.ty {
                    Type::Tensor(it) if it.strides.is_some() => it.clone(),
                    Type::Tensor(it) => TensorType::contiguous(it.dtype, it.shape.clone()),
                    _ => {
                        TensorType::new(self.graph.dtype(*value), self.graph.shape(*value).to_vec())
                    }
                };
                yields.push(self.copy(buffer, ty)?);
            }
        }
        let Function { name, facts, params, outputs, body: _ } = old;
        let body = ir::compact(&self.builder.finish(yields), facts);
        Ok(Function {
            name: name.clone(),
            facts: facts.clone(),
            params: params.clone(),
            outputs: outputs.clone(),
            body,
        })
    }

    /// A copy of a tensor under another type of the same shape.
    pub(super) fn copy(&mut self, buffer: ValueId, ty: TensorType) -> Result<ValueId> {
        if ty.dtype.is_complex() {
            let parts = self.parts_of(buffer)?;
            let made = self.copy(parts, loops::parts_type(&ty))?;
            return self.seen_as(made, Type::Tensor(ty));
        }
        let source = self.builder.ty(buffer).clone();
        let order = memory_order(&ty, self.graph.facts);
        let names: Vec<String> = (0..ty.rank()).map(|i| format!("i{i}")).collect();
        let mut at = vec![Expr::int(0); ty.rank()];
        for (name, dim) in names.iter().zip(&order) {
            at[*dim] = Expr::sym(name);
        }
        let extents: Vec<Expr> = order.iter().map(|it| ty.shape[*it].clone()).collect();
        self.builder.begin_region();
        let from = self.builder.param(source);
        let to = self.builder.param(Type::Tensor(ty.clone()));
        let load = [from.into(), Arg::List(Vec::new()), Arg::None];
        let x = self.builder.push1(loops::Load::def(), load, vec![at.clone().to_attr()])?;
        let store = [to.into(), x.into(), Arg::List(Vec::new()), Arg::None];
        let attrs = vec![at.to_attr(), "set".to_owned().to_attr()];
        self.builder.push(loops::Store::def(), store, attrs)?;
        self.builder.end_region(Vec::new());
        let attrs = kernel_attrs(names, extents, &[ty]);
        self.builder.push1(loops::Kernel::def(), [Arg::from(vec![buffer])], attrs)
    }

    /// Whether a member's value is needed outside the kernel of these members.
    fn leaves(&self, members: &[Member], value: ValueId) -> bool {
        self.graph.returned[value.index()]
            || self.dependents[value.index()]
                .iter()
                .any(|it| !members.iter().any(|member| member.value == *it))
            || self.dependents[value.index()].is_empty()
    }

    /// One kernel for the members of a group.
    pub(super) fn kernel(&mut self, members: &[Member], rows: Vec<Expr>) -> Result<()> {
        let graph = self.graph;
        // What is read, each once, in the order of first use.
        let mut inputs: Vec<ValueId> = Vec::new();
        for member in members {
            let mut reads = Vec::new();
            match graph.maker(member.value) {
                Some(op) => {
                    op.operands().for_each(|it| self.plan.stored_reads(graph, it, &mut reads))
                }
                None => reads.push(member.value),
            }
            for it in reads {
                if !inputs.contains(&it) && !members.iter().any(|member| member.value == it) {
                    inputs.push(it);
                }
            }
        }
        let mut outs: Vec<(ValueId, TensorType)> = Vec::new();
        for member in members {
            let (over, reduced) = match graph.maker(member.value) {
                Some(op) => reduction(graph, op, member.value),
                None => (member.value, Vec::new()),
            };
            let one = Expr::int(1);
            let through_memory = graph.shape(over).iter().enumerate().any(|(i, size)| {
                *size != one && !member.row_dims.contains(&i) && !reduced.contains(&i)
            });
            let joined = graph.dtype(member.value).is_complex();
            if through_memory || joined || self.leaves(members, member.value) {
                let reads = self.own_reads(member.value);
                let ty = self.memory_type(member.value, &reads);
                outs.push((member.value, ty));
            }
        }
        let order = self.row_order(members, &outs, rows.len());
        let mut row_names = vec![String::new(); rows.len()];
        for (i, row) in order.iter().enumerate() {
            row_names[*row] = format!("i{i}");
        }
        let axes: Vec<(String, Expr)> =
            order.iter().map(|it| (row_names[*it].clone(), rows[*it].clone())).collect();
        let facts = loops::axis_facts(graph.facts, &axes);
        let input_buffers: Vec<ValueId> = inputs
            .iter()
            .map(|it| self.buffer(*it).expect("kernels come in the order of what they read"))
            .collect();
        let input_buffers: Vec<ValueId> =
            input_buffers.into_iter().map(|it| self.parts_of(it)).collect::<Result<_>>()?;
        self.builder.origin = members
            .iter()
            .filter_map(|it| graph.maker(it.value))
            .map(|it| it.origin)
            .min()
            .unwrap_or_default();
        self.builder.begin_region();
        let mut slots = Vec::new();
        for (value, buffer) in inputs.iter().zip(&input_buffers) {
            let ty = self.builder.ty(*buffer).clone();
            slots.push(Slot { value: *value, param: self.builder.param(ty) });
        }
        for (value, ty) in &outs {
            slots.push(Slot { value: *value, param: self.builder.param(Type::Tensor(seen(ty))) });
        }
        let mut emitter = Emitter::new(graph, &self.plan, &mut self.builder, facts);
        emitter.slots = slots;
        let mut inner_names = 0;
        for member in members {
            let stores = outs.iter().any(|it| it.0 == member.value);
            emit_member(&mut emitter, member, &row_names, &mut inner_names, stores)?;
        }
        self.builder.end_region(Vec::new());
        let (names, extents) = axes.into_iter().unzip();
        let types: Vec<TensorType> = outs.iter().map(|it| seen(&it.1)).collect();
        let attrs = kernel_attrs(names, extents, &types);
        let results = self.builder.push(loops::Kernel::def(), [Arg::from(input_buffers)], attrs)?;
        for ((value, ty), buffer) in outs.iter().zip(results) {
            let buffer = match ty.dtype.is_complex() {
                true => self.seen_as(buffer, Type::Tensor(ty.clone()))?,
                false => buffer,
            };
            self.set_buffer(*value, buffer);
        }
        Ok(())
    }

    fn seen_as(&mut self, buffer: ValueId, ty: Type) -> Result<ValueId> {
        Ok(loops::View::build(&mut self.builder, buffer, ty, Expr::int(0))?[0])
    }

    /// A tensor as kernels see it: a complex one as its parts.
    fn parts_of(&mut self, buffer: ValueId) -> Result<ValueId> {
        match self.builder.ty(buffer).as_tensor().filter(|it| it.dtype.is_complex()) {
            Some(ty) => {
                let ty = Type::Tensor(loops::parts_type(ty));
                self.seen_as(buffer, ty)
            }
            None => Ok(buffer),
        }
    }

    /// What computing a value at `a0`, `a1`, … reads, as far as it has memory by now.
    fn own_reads(&self, value: ValueId) -> Vec<Access> {
        let graph = self.graph;
        let shape = graph.shape(value);
        let at: Vec<Expr> = (0..shape.len()).map(|i| Expr::sym(&format!("a{i}"))).collect();
        let axes: Vec<(String, Expr)> =
            shape.iter().enumerate().map(|(i, it)| (format!("a{i}"), it.clone())).collect();
        let facts = loops::axis_facts(graph.facts, &axes);
        let mut reads = Vec::new();
        accesses(graph, &self.plan, value, &at, &facts, &mut reads);
        if reads.is_empty()
            && let Some(op) = graph.maker(value)
            && matches!(op.def.0.name, "tensor.reduce_window" | "tensor.arg_window")
        {
            // A window lies as what it moves over.
            read_access(graph, &self.plan, graph.view(op).operand("x"), &at, &facts, &mut reads);
        }
        reads
    }

    /// The row axes from the outermost to the innermost, as the first stored member lies.
    fn row_order(
        &self,
        members: &[Member],
        outs: &[(ValueId, TensorType)],
        rows: usize,
    ) -> Vec<usize> {
        let lead = outs.iter().find_map(|(value, ty)| {
            let member = members.iter().find(|it| it.value == *value)?;
            let whole = self.graph.shape(*value).len() == ty.rank()
                && reduction_free(self.graph, *value)
                && member.row_dims.len() == rows;
            whole.then_some((member, ty))
        });
        match lead {
            None => (0..rows).collect(),
            Some((member, ty)) => memory_order(ty, self.graph.facts)
                .into_iter()
                .filter_map(|dim| member.row_dims.iter().position(|it| *it == dim))
                .collect(),
        }
    }
}

fn reduction_free(graph: &Graph<'_>, value: ValueId) -> bool {
    graph.maker(value).is_none_or(|op| reduction(graph, op, value).1.is_empty())
}

/// The type under which kernels see memory of this one: of a complex tensor its parts.
fn seen(ty: &TensorType) -> TensorType {
    if ty.dtype.is_complex() { loops::parts_type(ty) } else { ty.clone() }
}

/// The attributes of a kernel whose loops are not yet told how to run.
pub(super) fn kernel_attrs(
    names: Vec<String>,
    extents: Vec<Expr>,
    outs: &[TensorType],
) -> Vec<Attr> {
    let outs: Vec<Type> = outs.iter().cloned().map(Type::Tensor).collect();
    vec![
        names.to_attr(),
        extents.to_attr(),
        outs.to_attr(),
        0_i64.to_attr(),
        Attr::None,
        Attr::None,
        Attr::None,
    ]
}

/// The code that computes one member at the rows' point.
fn emit_member(
    emitter: &mut Emitter<'_, '_, '_>,
    member: &Member,
    row_names: &[String],
    inner_names: &mut usize,
    stores: bool,
) -> Result<()> {
    let graph = emitter.graph;
    let value = member.value;
    let maker = graph.maker(value);
    let (over, reduced) = match maker {
        Some(op) => reduction(graph, op, value),
        None => (value, Vec::new()),
    };
    if let Some(op) = maker {
        emitter.builder.origin = op.origin;
    }
    let shape = graph.shape(over);
    let one = Expr::int(1);
    let mut inner: Vec<(String, Expr)> = Vec::new();
    let at: Vec<Expr> = (0..shape.len())
        .map(|dim| {
            if let Some(row) = member.row_dims.iter().position(|it| *it == dim) {
                return Expr::sym(&row_names[row]);
            }
            if shape[dim] == one {
                return Expr::int(0);
            }
            let name = format!("r{inner_names}");
            *inner_names += 1;
            inner.push((name.clone(), shape[dim].clone()));
            Expr::sym(&name)
        })
        .collect();
    if !reduced.is_empty() || maker.is_some_and(|it| it.def.0.name == "tensor.reduce") {
        let own: Vec<Expr> =
            (0..at.len()).filter(|it| !reduced.contains(it)).map(|it| at[it].clone()).collect();
        let op = maker.expect("a reduction is made by an op");
        let register = emit_reduction(emitter, op, over, &at, &inner)?;
        emitter.known.push(Known { value, at: Some(own.clone()), register });
        if stores {
            emitter.store(value, register, own, Vec::new(), None, "set")?;
        }
        return Ok(());
    }
    if let Some(it) = maker.and_then(|op| Concat::of(graph.view(op)))
        && !member.row_dims.contains(&(it.dim() as usize))
        && !inner.is_empty()
    {
        return emit_parts(emitter, value, it, &at, &inner, inner_names);
    }
    if maker.is_some_and(|it| it.def.0.name == "tensor.complex") {
        if inner.is_empty() {
            return emitter.store_parts(value, &at);
        }
        return in_loop(emitter, &inner, |me| me.store_parts(value, &at));
    }
    if inner.is_empty() {
        let register = emitter.compute_root(value, &at)?;
        emitter.known.push(Known { value, at: Some(at.clone()), register });
        if stores {
            emitter.store(value, register, at, Vec::new(), None, "set")?;
        }
        return Ok(());
    }
    in_loop(emitter, &inner, |me| {
        let register = me.compute_root(value, &at)?;
        me.store(value, register, at.clone(), Vec::new(), None, "set")
    })
}

/// A loop over `inner` around what `f` emits.
pub(super) fn in_loop(
    emitter: &mut Emitter<'_, '_, '_>,
    inner: &[(String, Expr)],
    f: impl FnOnce(&mut Emitter<'_, '_, '_>) -> Result<()>,
) -> Result<()> {
    let outside = emitter.facts.clone();
    emitter.facts = loops::axis_facts(&outside, inner);
    emitter.scoped(f)?;
    emitter.facts = outside;
    emitter.builder.end_region(Vec::new());
    let (names, extents): (Vec<String>, Vec<Expr>) = inner.iter().cloned().unzip();
    let attrs = vec![names.to_attr(), extents.to_attr(), Attr::None];
    emitter.builder.push(loops::For::def(), [], attrs)?;
    Ok(())
}

/// A reduction over `inner` of what `f` emits; half types add up in float32.
pub(super) fn in_reduce(
    emitter: &mut Emitter<'_, '_, '_>,
    inner: &[(String, Expr)],
    kind: &str,
    f: impl FnOnce(&mut Emitter<'_, '_, '_>) -> Result<ValueId>,
) -> Result<ValueId> {
    let outside = emitter.facts.clone();
    emitter.facts = loops::axis_facts(&outside, inner);
    let mut dtype = DType::F32;
    let yielded = emitter.scoped(|me| {
        let register = f(me)?;
        dtype = me.builder.ty(register).dtype().unwrap_or(dtype);
        match (kind, dtype) {
            ("sum" | "prod", DType::F16 | DType::BF16) => me.cast(register, DType::F32),
            _ => Ok(register),
        }
    })?;
    emitter.facts = outside;
    emitter.builder.end_region(vec![yielded]);
    let (names, extents): (Vec<String>, Vec<Expr>) = inner.iter().cloned().unzip();
    let attrs =
        vec![names.to_attr(), extents.to_attr(), vec![kind.to_owned()].to_attr(), Attr::None];
    let register = emitter.builder.push1(loops::Reduce::def(), [], attrs)?;
    match kind {
        "argmax" | "argmin" => Ok(register),
        _ => emitter.cast(register, dtype),
    }
}

fn emit_reduction<'g>(
    emitter: &mut Emitter<'g, '_, '_>,
    op: &'g ir::Op,
    over: ValueId,
    at: &[Expr],
    inner: &[(String, Expr)],
) -> Result<ValueId> {
    let view = emitter.graph.view(op);
    let kind: String = view.attr("kind");
    let kind = match op.def.0.name {
        "tensor.arg_reduce" => format!("arg{kind}"),
        _ => kind,
    };
    in_reduce(emitter, inner, &kind, |me| me.read(over, at, None))
}

/// The parts of a concatenation, each in a loop of its own.
fn emit_parts(
    emitter: &mut Emitter<'_, '_, '_>,
    value: ValueId,
    it: Concat<'_>,
    at: &[Expr],
    inner: &[(String, Expr)],
    inner_names: &mut usize,
) -> Result<()> {
    let dim = it.dim() as usize;
    let along = at[dim].clone();
    let mut start = Expr::int(0);
    for x in it.xs() {
        let size = emitter.graph.shape(x)[dim].clone();
        let name = format!("r{inner_names}");
        *inner_names += 1;
        let mut from = at.to_vec();
        from[dim] = Expr::sym(&name);
        let mut to = at.to_vec();
        to[dim] = Expr::sym(&name) + start.clone();
        let mut inner = inner.to_vec();
        for axis in inner.iter_mut().filter(|it| Expr::sym(&it.0) == along) {
            *axis = (name.clone(), size.clone());
        }
        in_loop(emitter, &inner, |me| {
            let register = me.read(x, &from, None)?;
            me.store(value, register, to, Vec::new(), None, "set")
        })?;
        start = start + size;
    }
    Ok(())
}
