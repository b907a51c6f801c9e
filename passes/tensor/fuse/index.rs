//! Index composition: from "the element of a value at a place" to loads and arithmetic.
//!
//! Values without memory of their own are computed where they are read. [`accesses`] says what
//! that reads; [`Emitter`] writes the code. Both walk the same way through the ops.

use ir::{
    Arg, Attr, AttrTy, Builder, DType, Number, Op, Origin, Result, ValueId, scalar::ScalarFn,
};
use rustc_hash::FxHashSet;
use sym::{Answer, Expr, Facts};
use tensor::{Concat, Gather, Index, Iota, Pad, SliceUpdate};

use super::{graph::Graph, plan::Plan};

/// A read of a stored value. The index is `None` where the program computes it.
pub(super) struct Access {
    pub value: ValueId,
    pub at: Vec<Option<Expr>>,
}

/// What computing `value` at `at` reads. `value` itself is computed even if it is stored.
pub(super) fn accesses(
    graph: &Graph<'_>,
    plan: &Plan,
    value: ValueId,
    at: &[Expr],
    facts: &Facts,
    out: &mut Vec<Access>,
) {
    Walk { graph, plan, facts, seen: FxHashSet::default(), out }.compute(value, at);
}

/// What reading `value` at `at` reads: itself if it is stored, else what computing it reads.
pub(super) fn read_access(
    graph: &Graph<'_>,
    plan: &Plan,
    value: ValueId,
    at: &[Expr],
    facts: &Facts,
    out: &mut Vec<Access>,
) {
    Walk { graph, plan, facts, seen: FxHashSet::default(), out }.read(value, at);
}

/// Collects reads. An element that is used twice is walked once: values may be shared by the
/// values computed from them, and so on.
struct Walk<'a, 'g> {
    graph: &'a Graph<'g>,
    plan: &'a Plan,
    facts: &'a Facts,
    seen: FxHashSet<(ValueId, Vec<Expr>)>,
    out: &'a mut Vec<Access>,
}

impl Walk<'_, '_> {
    fn read(&mut self, value: ValueId, at: &[Expr]) {
        if !self.seen.insert((value, at.to_vec())) {
            return;
        }
        match self.plan.is_stored(value) {
            true => {
                self.out.push(Access { value, at: at.iter().cloned().map(Some).collect() });
            }
            false => self.compute(value, at),
        }
    }

    fn compute(&mut self, value: ValueId, at: &[Expr]) {
        let (graph, facts) = (self.graph, self.facts);
        let Some(op) = graph.maker(value) else { return };
        if let Some((x, at)) = graph.movement(op, at, facts) {
            return self.read(x, &at);
        }
        let view = graph.view(op);
        if let Some(it) = Pad::of(view) {
            return self.read(it.x(), &pad_index(it, at, facts).0);
        }
        if let Some(it) = Concat::of(view) {
            for (x, at, _) in concat_parts(graph, it, at) {
                self.read(x, &at);
            }
            return;
        }
        if let Some(it) = SliceUpdate::of(view) {
            self.read(it.x(), at);
            return self.read(it.update(), &update_index(it, at, facts));
        }
        if let Some(it) = Index::of(view) {
            let (own, outer) = split_index(it, at);
            for index in it.indices() {
                self.read(index, &own);
            }
            self.out.push(Access { value: it.x(), at: outer });
            return;
        }
        if let Some(it) = Gather::of(view) {
            self.read(it.index(), at);
            let mut at: Vec<Option<Expr>> = at.iter().cloned().map(Some).collect();
            at[it.dim() as usize] = None;
            self.out.push(Access { value: it.x(), at });
            return;
        }
        let each = matches!(
            op.def.0.name,
            "tensor.cast" | "tensor.bitcast" | "tensor.complex" | "tensor.real" | "tensor.imag"
        );
        if op.def.0.scalar.is_some() || each {
            for x in op.operands() {
                self.read(x, at);
            }
        }
    }
}

/// Where a padded place lies in the operand, and per dimension the size it must be below and
/// the stretch between elements.
fn pad_index(it: Pad<'_>, at: &[Expr], facts: &Facts) -> (Vec<Expr>, Vec<Expr>) {
    let (low, interior) = (it.low(), it.interior());
    let shifted: Vec<Expr> = at
        .iter()
        .zip(&low)
        .map(|(at, low)| sym::simplify(&(at.clone() - low.clone()), facts))
        .collect();
    let index = shifted
        .iter()
        .zip(&interior)
        .map(|(it, gap)| match gap {
            0 => it.clone(),
            gap => it.floor_div(&Expr::int(gap + 1)),
        })
        .collect();
    (index, shifted)
}

/// For each operand of a concatenation: where the place lies in it, and where it starts.
fn concat_parts(graph: &Graph<'_>, it: Concat<'_>, at: &[Expr]) -> Vec<(ValueId, Vec<Expr>, Expr)> {
    let dim = it.dim() as usize;
    let mut start = Expr::int(0);
    let mut res = Vec::new();
    for x in it.xs() {
        let mut at = at.to_vec();
        at[dim] = at[dim].clone() - start.clone();
        res.push((x, at, start.clone()));
        start = start + graph.shape(x)[dim].clone();
    }
    res
}

/// Where a place lies in the update, if it is updated.
fn update_index(it: SliceUpdate<'_>, at: &[Expr], facts: &Facts) -> Vec<Expr> {
    let (start, step) = (it.start(), it.step());
    (0..at.len())
        .map(|i| {
            let it = (at[i].clone() - start[i].clone()).floor_div(&Expr::int(step[i]));
            sym::simplify(&it, facts)
        })
        .collect()
}

/// The place in the indices, and the place in the operand with `None` where the indices say it.
fn split_index(it: Index<'_>, at: &[Expr]) -> (Vec<Expr>, Vec<Option<Expr>>) {
    let (dims, begin) = (it.dims(), it.at() as usize);
    let rank = it.0.ty(it.x()).as_tensor().map_or(0, ir::TensorType::rank);
    let own = at.len() + dims.len() - rank;
    let mut outer = at[..begin].iter().chain(&at[begin + own..]);
    let place = (0..rank)
        .map(|i| match dims.contains(&(i as i64)) {
            true => None,
            false => outer.next().cloned(),
        })
        .collect();
    (at[begin..begin + own].to_vec(), place)
}

/// A stored value in the kernel under construction.
pub(super) struct Slot {
    pub value: ValueId,
    /// The kernel's parameter that holds it.
    pub param: ValueId,
}

/// An element that is in a register: the value, the place, and whether the place matters.
pub(super) struct Known {
    pub value: ValueId,
    /// `None` where the element is the one of the point, wherever that is.
    pub at: Option<Vec<Expr>>,
    pub register: ValueId,
}

/// Writes the code that computes elements inside a kernel's region.
pub(super) struct Emitter<'g, 'b, 'f> {
    pub graph: &'g Graph<'g>,
    pub plan: &'g Plan,
    pub builder: &'b mut Builder<'f>,
    /// What holds inside the loops around.
    pub facts: Facts,
    pub slots: Vec<Slot>,
    pub known: Vec<Known>,
    /// Elements computed in the region under construction, so that each is computed once.
    memo: Vec<(ValueId, Vec<Expr>, Option<ValueId>, ValueId)>,
}

impl<'g, 'b, 'f> Emitter<'g, 'b, 'f> {
    pub(super) fn new(
        graph: &'g Graph<'g>,
        plan: &'g Plan,
        builder: &'b mut Builder<'f>,
        facts: Facts,
    ) -> Emitter<'g, 'b, 'f> {
        Emitter {
            graph,
            plan,
            builder,
            facts,
            slots: Vec::new(),
            known: Vec::new(),
            memo: Vec::new(),
        }
    }

    /// Runs `f` inside a new region; what it computes is not visible after.
    pub(super) fn scoped<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (memo, known) = (self.memo.len(), self.known.len());
        self.builder.begin_region();
        let res = f(self);
        self.memo.truncate(memo);
        self.known.truncate(known);
        res
    }

    pub(super) fn apply(&mut self, function: ScalarFn, operands: &[ValueId]) -> Result<ValueId> {
        loops::scalar(self.builder, function, operands)
    }

    pub(super) fn constant(&mut self, value: Number, dtype: DType) -> Result<ValueId> {
        let attrs = vec![value.to_attr(), dtype.to_attr()];
        self.builder.push1(loops::Const::def(), [], attrs)
    }

    pub(super) fn index(&mut self, value: Expr, dtype: DType) -> Result<ValueId> {
        let value = sym::simplify(&value, &self.facts);
        self.builder.push1(loops::Index::def(), [], vec![value.to_attr(), dtype.to_attr()])
    }

    pub(super) fn cast(&mut self, x: ValueId, dtype: DType) -> Result<ValueId> {
        if self.builder.ty(x).dtype() == Some(dtype) {
            return Ok(x);
        }
        self.builder.push1(loops::Cast::def(), [x.into()], vec![dtype.to_attr()])
    }

    fn param_of(&self, value: ValueId) -> ValueId {
        let slot = self.slots.iter().find(|it| it.value == value);
        slot.expect("every stored value that is read has a parameter").param
    }

    pub(super) fn load(
        &mut self,
        value: ValueId,
        at: Vec<Expr>,
        dynamic: Vec<ValueId>,
        mask: Option<ValueId>,
    ) -> Result<ValueId> {
        let param = self.param_of(value);
        let at = at.iter().map(|it| sym::simplify(it, &self.facts)).collect::<Vec<_>>();
        let args = [param.into(), Arg::from(dynamic), mask.into()];
        self.builder.push1(loops::Load::def(), args, vec![at.to_attr()])
    }

    pub(super) fn store(
        &mut self,
        value: ValueId,
        register: ValueId,
        at: Vec<Expr>,
        dynamic: Vec<ValueId>,
        mask: Option<ValueId>,
        mode: &str,
    ) -> Result<()> {
        let param = self.param_of(value);
        let at = at.iter().map(|it| sym::simplify(it, &self.facts)).collect::<Vec<_>>();
        let args = [param.into(), register.into(), Arg::from(dynamic), mask.into()];
        self.builder.push(
            loops::Store::def(),
            args,
            vec![at.to_attr(), mode.to_owned().to_attr()],
        )?;
        Ok(())
    }

    /// The element of `value` at `at`: from a register, from memory, or computed.
    /// Under a mask, nothing is read where it is false.
    pub(super) fn read(
        &mut self,
        value: ValueId,
        at: &[Expr],
        mask: Option<ValueId>,
    ) -> Result<ValueId> {
        let known =
            self.known.iter().rev().find(|it| {
                it.value == value && it.at.as_ref().is_none_or(|known| known[..] == *at)
            });
        if let Some(it) = known {
            return Ok(it.register);
        }
        let done = self.memo.iter().find(|it| it.0 == value && it.1[..] == *at && it.2 == mask);
        if let Some(it) = done {
            return Ok(it.3);
        }
        let register = match self.plan.is_stored(value) {
            true => self.load(value, at.to_vec(), Vec::new(), mask)?,
            false => self.compute(value, at, mask)?,
        };
        self.memo.push((value, at.to_vec(), mask, register));
        Ok(register)
    }

    /// The element of `value` at `at`, computed even if it is stored.
    pub(super) fn compute(
        &mut self,
        value: ValueId,
        at: &[Expr],
        mask: Option<ValueId>,
    ) -> Result<ValueId> {
        let graph = self.graph;
        let Some(op) = graph.maker(value) else {
            return self.load(value, at.to_vec(), Vec::new(), mask);
        };
        let outer: Origin = std::mem::replace(&mut self.builder.origin, op.origin);
        let res = self.compute_op(op, at, mask);
        self.builder.origin = outer;
        res
    }

    fn compute_op(&mut self, op: &'g Op, at: &[Expr], mask: Option<ValueId>) -> Result<ValueId> {
        let graph = self.graph;
        if let Some((x, at)) = graph.movement(op, at, &self.facts) {
            return self.read(x, &at, mask);
        }
        let view = graph.view(op);
        if let Some(function) = op.def.0.scalar {
            let operands =
                op.operands().map(|it| self.read(it, at, mask)).collect::<Result<Vec<_>>>()?;
            return self.apply(function, &operands);
        }
        if let Some(it) = Pad::of(view) {
            return self.pad(it, at, mask);
        }
        if let Some(it) = Concat::of(view) {
            return self.concat(it, at, mask);
        }
        if let Some(it) = SliceUpdate::of(view) {
            return self.slice_update(it, at, mask);
        }
        if let Some(it) = Index::of(view) {
            let (own, place) = split_index(it, at);
            return self.gather(it.x(), it.indices(), &it.dims(), &own, place, mask);
        }
        if let Some(it) = Gather::of(view) {
            let mut place: Vec<Option<Expr>> = at.iter().cloned().map(Some).collect();
            place[it.dim() as usize] = None;
            return self.gather(it.x(), vec![it.index()], &[it.dim()], at, place, mask);
        }
        match op.def.0.name {
            "tensor.cast" => {
                let x = self.read(view.operand("x"), at, mask)?;
                self.cast(x, view.attr("dtype"))
            }
            "tensor.bitcast" => {
                let (x, dtype) = (view.operand("x"), view.attr::<DType>("dtype"));
                if graph.dtype(x).size() != dtype.size() {
                    return Err(view.error("a change of width is not lowered yet"));
                }
                let x = self.read(x, at, mask)?;
                self.builder.push1(loops::Bitcast::def(), [x.into()], vec![dtype.to_attr()])
            }
            // The parts of a complex tensor lie side by side in its memory.
            "tensor.real" => self.load_part(view.operand("x"), at, 0, mask),
            "tensor.imag" => self.load_part(view.operand("x"), at, 1, mask),
            "tensor.full" => self.constant(view.attr("value"), view.attr("dtype")),
            "tensor.size" => self.index(view.attr("value"), view.attr("dtype")),
            "tensor.iota" => self.iota(Iota(view), at),
            _ => Err(unsupported(view)),
        }
    }

    /// A part of the element at `at` of a complex value in memory, which kernels see as its parts.
    fn load_part(
        &mut self,
        x: ValueId,
        at: &[Expr],
        part: i64,
        mask: Option<ValueId>,
    ) -> Result<ValueId> {
        let at = at.iter().cloned().chain([Expr::int(part)]).collect();
        self.load(x, at, Vec::new(), mask)
    }

    /// Stores both parts of the element at `at` of a value that joins them.
    pub(super) fn store_parts(&mut self, value: ValueId, at: &[Expr]) -> Result<()> {
        let graph = self.graph;
        let Some(op) = graph.maker(value) else { return Ok(()) };
        let view = graph.view(op);
        for (part, name) in ["re", "im"].into_iter().enumerate() {
            let register = self.read(view.operand(name), at, None)?;
            let at = at.iter().cloned().chain([Expr::int(part as i64)]).collect();
            self.store(value, register, at, Vec::new(), None, "set")?;
        }
        Ok(())
    }

    fn iota(&mut self, it: Iota<'_>, at: &[Expr]) -> Result<ValueId> {
        let (start, step, dtype) = (it.start(), it.step(), it.dtype());
        let place = at[it.dim() as usize].clone();
        if let (Number::Int(start), Number::Int(step)) = (&start, &step)
            && !dtype.is_complex()
        {
            return self.index(start.clone() + place * step.clone(), dtype);
        }
        // As eager does: start + step * index, in double precision.
        let index = self.index(place, DType::F64)?;
        let start = self.constant(start, DType::F64)?;
        let step = self.constant(step, DType::F64)?;
        let scaled = self.apply(ScalarFn::Mul, &[step, index])?;
        let sum = self.apply(ScalarFn::Add, &[start, scaled])?;
        self.cast(sum, dtype)
    }

    /// `a && b`, where either may be missing.
    pub(super) fn both(
        &mut self,
        a: Option<ValueId>,
        b: Option<ValueId>,
    ) -> Result<Option<ValueId>> {
        match (a, b) {
            (Some(a), Some(b)) => self.apply(ScalarFn::And, &[a, b]).map(Some),
            (a, b) => Ok(a.or(b)),
        }
    }

    /// Whether `0 <= index` and `index < size`, as far as it is not known already.
    pub(super) fn within(&mut self, index: &Expr, size: &Expr) -> Result<Option<ValueId>> {
        let [above, below] = self.bounds(index, size);
        let mut res = None;
        if above != Answer::Proven {
            let index = self.index(index.clone(), DType::I64)?;
            let zero = self.constant(Number::Int(Expr::int(0)), DType::I64)?;
            res = Some(self.apply(ScalarFn::Ge, &[index, zero])?);
        }
        if below != Answer::Proven {
            let index = self.index(index.clone(), DType::I64)?;
            let size = self.index(size.clone(), DType::I64)?;
            let below = self.apply(ScalarFn::Lt, &[index, size])?;
            res = self.both(res, Some(below))?;
        }
        Ok(res)
    }

    /// What is known of `0 <= index`, and of `index < size`.
    fn bounds(&self, index: &Expr, size: &Expr) -> [Answer; 2] {
        let last = size.clone() - Expr::int(1);
        [(&Expr::int(0), index), (index, &last)].map(|(a, b)| sym::less_equal(a, b, &self.facts))
    }

    /// Whether it is known that a place is not within a shape.
    fn is_outside(&self, place: &[Expr], shape: &[Expr]) -> bool {
        let mut dims = place.iter().zip(shape);
        dims.any(|(index, size)| self.bounds(index, size).contains(&Answer::Refuted))
    }

    /// Whether `index` is a multiple of `step`, as far as it is not known already.
    fn multiple(&mut self, index: &Expr, step: i64) -> Result<Option<ValueId>> {
        let step = Expr::int(step);
        if sym::divisible(index, &step, &self.facts) == Answer::Proven {
            return Ok(None);
        }
        let rest = self.index(index.modulo(&step), DType::I64)?;
        let zero = self.constant(Number::Int(Expr::int(0)), DType::I64)?;
        self.apply(ScalarFn::Eq, &[rest, zero]).map(Some)
    }

    /// `inside` where the place is within, else `outside`.
    pub(super) fn choose(
        &mut self,
        within: Option<ValueId>,
        inside: ValueId,
        outside: impl FnOnce(&mut Self) -> Result<ValueId>,
    ) -> Result<ValueId> {
        match within {
            None => Ok(inside),
            Some(within) => {
                let outside = outside(self)?;
                self.apply(ScalarFn::Select, &[within, inside, outside])
            }
        }
    }

    /// Which places of a padded value are the operand's own, and where they lie in it.
    pub(super) fn pad_mask(
        &mut self,
        it: Pad<'_>,
        at: &[Expr],
    ) -> Result<(Vec<Expr>, Option<ValueId>)> {
        let facts = self.facts.clone();
        let (index, shifted) = pad_index(it, at, &facts);
        let shape = self.graph.shape(it.x());
        let mut within = None;
        for (i, gap) in it.interior().into_iter().enumerate() {
            let fits = self.within(&index[i], &shape[i])?;
            within = self.both(within, fits)?;
            if gap != 0 {
                let hits = self.multiple(&shifted[i], gap + 1)?;
                within = self.both(within, hits)?;
            }
        }
        Ok((index, within))
    }

    fn pad(&mut self, it: Pad<'_>, at: &[Expr], mask: Option<ValueId>) -> Result<ValueId> {
        if self.is_outside(&pad_index(it, at, &self.facts).0, self.graph.shape(it.x())) {
            return self.constant(it.value(), self.graph.dtype(it.x()));
        }
        let (index, within) = self.pad_mask(it, at)?;
        let inner = self.both(mask, within)?;
        let inside = self.read(it.x(), &index, inner)?;
        let dtype = self.graph.dtype(it.x());
        self.choose(within, inside, |me| me.constant(it.value(), dtype))
    }

    fn concat(&mut self, it: Concat<'_>, at: &[Expr], mask: Option<ValueId>) -> Result<ValueId> {
        let dim = it.dim() as usize;
        let mut parts = concat_parts(self.graph, it, at);
        // From the last operand to the first: each stands before what is chosen so far.
        let (last, index, start) = parts.pop().expect("a concatenation has an operand");
        let lower = |me: &mut Self, start: &Expr| -> Result<ValueId> {
            let place = me.index(at[dim].clone(), DType::I64)?;
            let start = me.index(start.clone(), DType::I64)?;
            me.apply(ScalarFn::Ge, &[place, start])
        };
        let guard = match parts.is_empty() {
            true => None,
            false => Some(lower(self, &start)?),
        };
        let inner = self.both(mask, guard)?;
        let mut res = self.read(last, &index, inner)?;
        let mut after = start;
        for (x, index, start) in parts.into_iter().rev() {
            let here = lower(self, &after)?;
            let here = self.apply(ScalarFn::Not, &[here])?;
            let from = match start.as_int() {
                Some(0) => None,
                _ => Some(lower(self, &start)?),
            };
            let within = self.both(Some(here), from)?;
            let inner = self.both(mask, within)?;
            let value = self.read(x, &index, inner)?;
            res = self.apply(ScalarFn::Select, &[here, value, res])?;
            after = start;
        }
        Ok(res)
    }

    fn slice_update(
        &mut self,
        it: SliceUpdate<'_>,
        at: &[Expr],
        mask: Option<ValueId>,
    ) -> Result<ValueId> {
        let facts = self.facts.clone();
        let index = update_index(it, at, &facts);
        let shape = self.graph.shape(it.update());
        if self.is_outside(&index, shape) {
            return self.read(it.x(), at, mask);
        }
        let mut within = None;
        for (i, (start, step)) in it.start().into_iter().zip(it.step()).enumerate() {
            let fits = self.within(&index[i], &shape[i])?;
            within = self.both(within, fits)?;
            if step != 1 {
                let hits = self.multiple(&(at[i].clone() - start), step)?;
                within = self.both(within, hits)?;
            }
        }
        let inner = self.both(mask, within)?;
        let inside = self.read(it.update(), &index, inner)?;
        self.choose(within, inside, |me| me.read(it.x(), at, mask))
    }

    /// A load whose place the program computes: `place` has `None` where `indices` say it.
    fn gather(
        &mut self,
        x: ValueId,
        indices: Vec<ValueId>,
        dims: &[i64],
        own: &[Expr],
        place: Vec<Option<Expr>>,
        mask: Option<ValueId>,
    ) -> Result<ValueId> {
        let (dynamic, at) = self.dynamic_place(x, &indices, dims, own, place, mask)?;
        self.load(x, at, dynamic, mask)
    }

    /// The dynamic indices in registers, checked, and the place with `d0`, `d1`, … for them.
    pub(super) fn dynamic_place(
        &mut self,
        x: ValueId,
        indices: &[ValueId],
        dims: &[i64],
        own: &[Expr],
        place: Vec<Option<Expr>>,
        mask: Option<ValueId>,
    ) -> Result<(Vec<ValueId>, Vec<Expr>)> {
        let shape = self.graph.shape(x);
        let mut place: Vec<Expr> = place.into_iter().map(|it| it.unwrap_or(Expr::int(0))).collect();
        let mut dynamic = Vec::new();
        for (i, (index, dim)) in indices.iter().zip(dims).enumerate() {
            let register = self.read(*index, own, mask)?;
            let register = self.cast(register, DType::I64)?;
            let size: Attr = shape[*dim as usize].clone().to_attr();
            let args = [register.into(), mask.into()];
            dynamic.push(self.builder.push1(loops::Bound::def(), args, vec![size])?);
            place[*dim as usize] = Expr::sym(&format!("d{i}"));
        }
        Ok((dynamic, place))
    }
}

/// The diagnostic for an op that has no lowering.
pub(super) fn unsupported(view: ir::View<'_>) -> diag::Diag {
    let name = view.op.def.0.name;
    diag::Diag::error(
        &diag::codes::UNSUPPORTED,
        format!("`{name}` cannot be lowered to a kernel yet"),
    )
    .at(view.op.origin.0)
}
