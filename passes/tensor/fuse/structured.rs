//! Products, convolutions and attention: operands as views of memory, results through epilogues.

use ir::{Arg, Attr, AttrTy, Result, TensorType, Type, ValueId};
use rustc_hash::FxHashSet;
use sym::{Answer, Expr, Facts};
use tensor::{Attention, Contract, Conv, Linalg, SliceUpdate, Sort};

use super::{
    graph::Graph,
    index::{Emitter, Known, Slot},
    layout::laid_out,
    lower::{Lower, kernel_attrs},
    roots::is_one,
};

/// A tensor as a base, an offset and one stride per dimension, all in elements.
pub(super) struct Strides {
    pub base: ValueId,
    pub offset: Expr,
    pub strides: Vec<Expr>,
}

impl Lower<'_> {
    /// Where the elements of `value` lie, if that is one stride per dimension in some stored value;
    /// where the reader `widens`, they may be of a half type there.
    fn strides_of(&self, value: ValueId, widens: bool) -> Option<Strides> {
        let graph = self.graph;
        let shape = graph.shape(value);
        let axes: Vec<(String, Expr)> =
            shape.iter().enumerate().map(|(i, it)| (format!("a{i}"), it.clone())).collect();
        let facts = loops::axis_facts(graph.facts, &axes);
        let mut at: Vec<Expr> = axes.iter().map(|it| Expr::sym(&it.0)).collect();
        let mut source = value;
        while self.buffer(source).is_none() {
            let op = graph.maker(source)?;
            match graph.widened(op).filter(|_| widens) {
                Some(narrow) => source = narrow,
                None => (source, at) = graph.movement(op, &at, &facts)?,
            }
        }
        self.affine(self.buffer(source)?, at, &axes)
    }

    /// A view of `base` whose element at `axes` lies at `at`, if that is one stride per axis.
    pub(super) fn affine(
        &self,
        base: ValueId,
        at: Vec<Expr>,
        axes: &[(String, Expr)],
    ) -> Option<Strides> {
        let graph = self.graph;
        let facts = loops::axis_facts(graph.facts, axes);
        let ty = self.builder.ty(base).as_tensor()?;
        let mut rest = loops::linear_offset(ty, &at, &facts);
        let mut strides = Vec::new();
        for (axis, size) in axes {
            let stride = match is_one(size, graph.facts) {
                true => {
                    rest = rest.subst(&|it| (it == axis).then(|| Expr::int(0)));
                    Expr::int(0)
                }
                false => {
                    let (stride, other) = rest.linear_in(axis)?;
                    rest = other;
                    stride
                }
            };
            strides.push(sym::simplify(&stride, graph.facts));
        }
        // A stride that is itself an axis' product is none.
        let is_axis = |it: &str| axes.iter().any(|axis| axis.0 == it);
        let clean = |it: &Expr| !it.symbols().iter().any(|it| is_axis(it));
        if !strides.iter().all(clean) || !clean(&rest) {
            return None;
        }
        Some(Strides { base, offset: sym::simplify(&rest, graph.facts), strides })
    }

    /// The same; if there is no such view the value is stored densely first.
    fn strided(&mut self, value: ValueId, widens: bool) -> Result<Strides> {
        if let Some(it) = self.strides_of(value, widens) {
            return Ok(it);
        }
        let narrow = self.graph.narrow(value).filter(|_| widens);
        self.need(narrow.unwrap_or(value))?;
        match self.strides_of(value, widens) {
            Some(it) => Ok(it),
            None => Err(diag::Diag::error(&diag::codes::BODY, "a stored value has no strides")),
        }
    }

    pub(super) fn view(
        &mut self,
        it: &Strides,
        shape: Vec<Expr>,
        strides: Vec<Expr>,
    ) -> Result<ValueId> {
        let dtype = self.builder.ty(it.base).dtype().unwrap_or(ir::DType::F32);
        let ty = TensorType { dtype, shape: shape.into(), strides: Some(strides.into()) };
        let whole = self.builder.ty(it.base).as_tensor() == Some(&ty) && it.offset == Expr::int(0);
        if whole {
            return Ok(it.base);
        }
        let attrs = vec![Type::Tensor(ty).to_attr(), it.offset.clone().to_attr()];
        self.builder.push1(loops::View::def(), [it.base.into()], attrs)
    }

    pub(super) fn structured(&mut self, value: ValueId, root: ValueId) -> Result<()> {
        let graph = self.graph;
        let Some(op) = graph.maker(value) else { return Ok(()) };
        self.builder.origin = op.origin;
        let view = graph.view(op);
        if let Some(it) = Contract::of(view) {
            return self.gemm(it, value, root);
        }
        if let Some(it) = Conv::of(view) {
            return self.conv2d(it, value, root);
        }
        Err(view.error("is no structured kernel"))
    }

    /// `dims` of an operand as one dimension: its size and stride.
    fn collapsed(&self, value: ValueId, it: &Strides, dims: &[usize]) -> Option<(Expr, Expr)> {
        let shape = self.graph.shape(value);
        let facts = self.graph.facts;
        let (mut size, mut stride) = (Expr::int(1), Expr::int(0));
        for dim in dims.iter().rev().filter(|it| !is_one(&shape[**it], facts)) {
            if size == Expr::int(1) {
                stride = it.strides[*dim].clone();
            } else {
                let next = stride.clone() * size.clone();
                if sym::equal(&it.strides[*dim], &next, facts) != Answer::Proven {
                    return None;
                }
            }
            size = size * shape[*dim].clone();
        }
        Some((size, stride))
    }

    /// An operand as `[groups of dims]`, each group one dimension of the view.
    fn as_matrix(
        &mut self,
        value: ValueId,
        widens: bool,
        groups: [&[usize]; 3],
    ) -> Result<ValueId> {
        let try_view = |me: &mut Self, it: &Strides| {
            let parts: Option<Vec<(Expr, Expr)>> =
                groups.iter().map(|dims| me.collapsed(value, it, dims)).collect();
            parts.map(|it| it.into_iter().unzip::<Expr, Expr, Vec<Expr>, Vec<Expr>>())
        };
        let it = self.strided(value, widens)?;
        if let Some((shape, strides)) = try_view(self, &it) {
            return self.view(&it, shape, strides);
        }
        // A copy whose dimensions lie in the order of the groups always collapses.
        let order: Vec<usize> = groups.concat();
        let dtype = self.builder.ty(it.base).dtype().unwrap_or(ir::DType::F32);
        let ty = laid_out(dtype, self.graph.shape(value), &order);
        let dense = TensorType {
            dtype: ty.dtype,
            shape: ty.shape.clone(),
            strides: Some(it.strides.clone().into()),
        };
        let attrs = vec![Type::Tensor(dense).to_attr(), it.offset.clone().to_attr()];
        let source = self.builder.push1(loops::View::def(), [it.base.into()], attrs)?;
        let strides = ty.strides.as_ref().map_or(Vec::new(), |it| it.to_vec());
        let base = self.copy(source, ty)?;
        let it = Strides { base, offset: Expr::int(0), strides };
        match try_view(self, &it) {
            Some((shape, strides)) => self.view(&it, shape, strides),
            None => Err(diag::Diag::error(&diag::codes::BODY, "a dense copy does not collapse")),
        }
    }

    fn gemm(&mut self, it: Contract<'_>, value: ValueId, root: ValueId) -> Result<()> {
        let graph = self.graph;
        let (lhs, rhs) = (it.lhs(), it.rhs());
        let dims = |it: Vec<i64>| -> Vec<usize> { it.iter().map(|it| *it as usize).collect() };
        let (lb, rb) = (dims(it.lhs_batch()), dims(it.rhs_batch()));
        let (lk, rk) = (dims(it.lhs_contract()), dims(it.rhs_contract()));
        let free = |rank: usize, taken: [&[usize]; 2]| -> Vec<usize> {
            (0..rank).filter(|it| taken.iter().all(|dims| !dims.contains(it))).collect()
        };
        let lf = free(graph.shape(lhs).len(), [&lb, &lk]);
        let rf = free(graph.shape(rhs).len(), [&rb, &rk]);
        let product = |shape: &[Expr], dims: &[usize]| {
            dims.iter().fold(Expr::int(1), |p, it| p * shape[*it].clone())
        };
        let batch = product(graph.shape(lhs), &lb);
        let m = product(graph.shape(lhs), &lf);
        let n = product(graph.shape(rhs), &rf);
        let k = product(graph.shape(lhs), &lk);
        let a = self.as_matrix(lhs, true, [&lb, &lf, &lk])?;
        let (b, packed_n) = if graph.packs(it) {
            let three = self.as_matrix(rhs, false, [&[], &rk, &rf])?;
            let ty = self.builder.ty(three).as_tensor().cloned();
            let strides = ty.and_then(|it| it.strides).map_or(Vec::new(), |it| it[1..].to_vec());
            let two = TensorType {
                dtype: ir::DType::F32,
                shape: vec![k.clone(), n.clone()].into(),
                strides: Some(strides.into()),
            };
            let attrs = vec![Type::Tensor(two).to_attr(), Expr::int(0).to_attr()];
            let two = self.builder.push1(loops::View::def(), [three.into()], attrs)?;
            let attrs = vec!["gemm_b".to_owned().to_attr(), 1_i64.to_attr()];
            (self.builder.push1(loops::Pack::def(), [two.into()], attrs)?, Some(n.clone()))
        } else {
            (self.as_matrix(rhs, true, [&rb, &rk, &rf])?, None)
        };
        let axes = [("b", batch), ("m", m.clone()), ("n", n.clone())];
        let facts = named_axes(graph.facts, &axes);
        // From the product's own place to the place in its dimensions.
        let mut at = Vec::new();
        for (axis, shape, dims) in [
            ("b", graph.shape(lhs), &lb),
            ("m", graph.shape(lhs), &lf),
            ("n", graph.shape(rhs), &rf),
        ] {
            let sizes: Vec<Expr> = dims.iter().map(|it| shape[*it].clone()).collect();
            at.extend(super::graph::unravel(&Expr::sym(axis), &sizes, &facts));
        }
        let (inputs, outs) = self.epilogue(value, root, at, facts, None)?;
        let attrs = vec![packed_n.to_attr(), outs];
        let args = [a.into(), b.into(), Arg::from(inputs)];
        let result = self.builder.push1(loops::Gemm::def(), args, attrs)?;
        self.set_buffer(root, result);
        Ok(())
    }

    fn conv2d(&mut self, it: Conv<'_>, value: ValueId, root: ValueId) -> Result<()> {
        let graph = self.graph;
        let (x, w) = (it.x(), it.w());
        let flat = graph.shape(x).len() == 3;
        let pair = |it: Vec<i64>, one: i64| if flat { vec![one, it[0]] } else { it };
        let ints = |it: Vec<Expr>| -> Vec<i64> { it.iter().filter_map(Expr::as_int).collect() };
        let w_shape: Vec<i64> = graph.shape(w).iter().filter_map(Expr::as_int).collect();
        // A sequence is an image of height one.
        let raised = |me: &mut Self, value: ValueId| -> Result<ValueId> {
            let it = me.strided(value, false)?;
            let (mut shape, mut strides) = (graph.shape(value).to_vec(), it.strides.clone());
            if flat {
                shape.insert(2, Expr::int(1));
                strides.insert(2, Expr::int(0));
            }
            me.view(&it, shape, strides)
        };
        let image = raised(self, x)?;
        let filters = raised(self, w)?;
        let (channels, groups) = (w_shape[1] * it.groups(), it.groups());
        let depthwise = groups == channels && w_shape[0] == channels && groups != 1;
        let kind = if depthwise { "depthwise2d" } else { "conv2d" };
        let attrs = vec![kind.to_owned().to_attr(), groups.to_attr()];
        let packed = self.builder.push1(loops::Pack::def(), [filters.into()], attrs)?;
        let shape = graph.shape(value);
        let pixels = [&shape[..1], &shape[2..]].concat();
        let count = pixels.iter().fold(Expr::int(1), |p, it| p * it.clone());
        let facts = named_axes(graph.facts, &[("m", count), ("n", shape[1].clone())]);
        let mut at = super::graph::unravel(&Expr::sym("m"), &pixels, &facts);
        at.insert(1, Expr::sym("n"));
        let (inputs, outs) = self.epilogue(value, root, at, facts, Some(channels_last(shape)))?;
        let attrs: Vec<Attr> = vec![
            w_shape[0].to_attr(),
            pair(w_shape[2..].to_vec(), 1).to_attr(),
            pair(it.stride(), 1).to_attr(),
            pair(ints(it.low()), 0).to_attr(),
            pair(ints(it.high()), 0).to_attr(),
            pair(it.dilation(), 1).to_attr(),
            groups.to_attr(),
            outs,
        ];
        let args = [image.into(), packed.into(), Arg::from(inputs)];
        let result = self.builder.push1(loops::Conv2d::def(), args, attrs)?;
        self.set_buffer(root, result);
        Ok(())
    }

    /// The region that stores `root`, computed from the element of `value` at `at`.
    /// `order` is how `value` would lie in memory. Gives the inputs and the `outs` attribute.
    fn epilogue(
        &mut self,
        value: ValueId,
        root: ValueId,
        at: Vec<Expr>,
        facts: Facts,
        order: Option<Vec<usize>>,
    ) -> Result<(Vec<ValueId>, Attr)> {
        let graph = self.graph;
        let (place, dims) = forward(graph, value, root, &at, &facts).ok_or_else(|| {
            diag::Diag::error(&diag::codes::BODY, "an epilogue has no place to store to")
        })?;
        let ty = match (self.returned_type(root), order) {
            (Some(it), _) => it,
            // Where the root's dimensions are the value's, it lies as the value would.
            (None, Some(order)) if dims => laid_out(graph.dtype(root), graph.shape(root), &order),
            (None, _) => TensorType::contiguous(graph.dtype(root), graph.shape(root).to_vec()),
        };
        let mut reads = Vec::new();
        if root != value {
            collect_reads(self, root, value, &mut reads);
        }
        let buffers: Vec<ValueId> = reads
            .iter()
            .map(|it| self.buffer(*it).expect("kernels come in the order of what they read"))
            .collect();
        self.builder.begin_region();
        let acc = self.builder.param(Type::Scalar(ir::DType::F32));
        let mut slots = Vec::new();
        for (value, buffer) in reads.iter().zip(&buffers) {
            let ty = self.builder.ty(*buffer).clone();
            slots.push(Slot { value: *value, param: self.builder.param(ty) });
        }
        slots.push(Slot { value: root, param: self.builder.param(Type::Tensor(ty.clone())) });
        let mut emitter = Emitter::new(graph, &self.plan, &mut self.builder, facts);
        emitter.slots = slots;
        emitter.known.push(Known { value, at: None, register: acc });
        let register = match root == value {
            true => acc,
            false => emitter.compute(root, &place, None)?,
        };
        emitter.store(root, register, place, Vec::new(), None, "set")?;
        self.builder.end_region(Vec::new());
        Ok((buffers, vec![Type::Tensor(ty)].to_attr()))
    }

    pub(super) fn single(&mut self, value: ValueId) -> Result<()> {
        let graph = self.graph;
        let Some(op) = graph.maker(value) else { return Ok(()) };
        self.builder.origin = op.origin;
        let view = graph.view(op);
        if let Some(it) = Attention::of(view) {
            return self.attention(it, value);
        }
        if let Some(it) = Linalg::of(view) {
            let mut operands = Vec::new();
            for x in it.xs() {
                operands.push(self.row_major(x)?);
            }
            let types: Vec<Type> = op.results().map(|it| Type::Tensor(self.dense(it))).collect();
            let args = [Arg::from(operands)];
            let attrs = vec![it.kind().to_attr(), it.checked().to_attr(), types.to_attr()];
            let made = self.builder.push(loops::Linalg::def(), args, attrs)?;
            for (old, new) in op.results().zip(made) {
                self.set_buffer(old, new);
            }
            return Ok(());
        }
        if let Some(it) = Sort::of(view) {
            let x = self.need(it.x())?;
            let mut results = op.results();
            let types: Vec<Type> = results
                .by_ref()
                .map(|it| {
                    Type::Tensor(TensorType::contiguous(graph.dtype(it), graph.shape(it).to_vec()))
                })
                .collect();
            let attrs = vec![it.dim().to_attr(), it.descending().to_attr(), types.to_attr()];
            let sorted = self.builder.push(loops::Sort::def(), [x.into()], attrs)?;
            for (old, new) in op.results().zip(sorted) {
                self.set_buffer(old, new);
            }
            return Ok(());
        }
        if self.buffer(value).is_some() || self.in_place(op)? {
            return Ok(());
        }
        if SliceUpdate::of(view).is_some() {
            return self.need(value).map(drop);
        }
        self.sequential(view, value)
    }

    fn dense(&self, value: ValueId) -> TensorType {
        TensorType::contiguous(self.graph.dtype(value), self.graph.shape(value).to_vec())
    }

    /// The tensor that holds a value, in row-major order.
    pub(super) fn row_major(&mut self, value: ValueId) -> Result<ValueId> {
        let buffer = self.need(value)?;
        let dense = self.dense(value);
        match self.builder.ty(buffer).as_tensor() == Some(&dense) {
            true => Ok(buffer),
            false => self.copy(buffer, dense),
        }
    }

    fn attention(&mut self, it: Attention<'_>, value: ValueId) -> Result<()> {
        let graph = self.graph;
        let operand = |me: &mut Self, value: ValueId| -> Result<ValueId> {
            let it = me.strided(value, false)?;
            let strides = it.strides.clone();
            me.view(&it, graph.shape(value).to_vec(), strides)
        };
        let q = operand(self, it.q())?;
        let k = operand(self, it.k())?;
        let v = operand(self, it.v())?;
        let mask = it.mask().map(|mask| operand(self, mask)).transpose()?;
        // Heads beside each other: what follows joins them into one dimension without a copy.
        let ty = self
            .returned_type(value)
            .unwrap_or_else(|| laid_out(graph.dtype(value), graph.shape(value), &[0, 2, 1, 3]));
        let attrs = vec![it.scale().to_attr(), it.causal().to_attr(), Type::Tensor(ty).to_attr()];
        let args = [q.into(), k.into(), v.into(), mask.into()];
        let result = self.builder.push1(loops::Attention::def(), args, attrs)?;
        self.set_buffer(value, result);
        Ok(())
    }

    /// Scans and scatters: kernels in which order matters.
    fn sequential(&mut self, view: ir::View<'_>, value: ValueId) -> Result<()> {
        let graph = self.graph;
        let mut inputs = Vec::new();
        view.op.operands().for_each(|it| self.plan.stored_reads(graph, it, &mut inputs));
        inputs.sort_unstable();
        inputs.dedup();
        let buffers: Vec<ValueId> = inputs
            .iter()
            .map(|it| self.buffer(*it).expect("kernels come in the order of what they read"))
            .collect();
        let types: Vec<TensorType> = view
            .op
            .results()
            .map(|it| {
                self.returned_type(it).unwrap_or_else(|| {
                    TensorType::contiguous(graph.dtype(it), graph.shape(it).to_vec())
                })
            })
            .collect();
        self.builder.begin_region();
        let mut slots = Vec::new();
        for (value, buffer) in inputs.iter().zip(&buffers) {
            let ty = self.builder.ty(*buffer).clone();
            slots.push(Slot { value: *value, param: self.builder.param(ty) });
        }
        for (value, ty) in view.op.results().zip(&types) {
            slots.push(Slot { value, param: self.builder.param(Type::Tensor(ty.clone())) });
        }
        let mut emitter = Emitter::new(graph, &self.plan, &mut self.builder, graph.facts.clone());
        emitter.slots = slots;
        let (axes, extents) = if let Some(it) = tensor::Scan::of(view) {
            super::sequential::scan(&mut emitter, it, value)?
        } else if let Some(it) = tensor::Nonzero::of(view) {
            super::sequential::nonzero(&mut emitter, it)?
        } else {
            super::sequential::scatter(&mut emitter, view, value)?
        };
        self.builder.end_region(Vec::new());
        let attrs = kernel_attrs(axes, extents, &types);
        let made = self.builder.push(loops::Kernel::def(), [Arg::from(buffers)], attrs)?;
        for (old, new) in view.op.results().zip(made) {
            self.set_buffer(old, new);
        }
        Ok(())
    }
}

fn named_axes(facts: &Facts, axes: &[(&str, Expr)]) -> Facts {
    let axes: Vec<(String, Expr)> =
        axes.iter().map(|(name, extent)| ((*name).to_owned(), extent.clone())).collect();
    loops::axis_facts(facts, &axes)
}

/// Dimensions of an image or sequence from the outermost to the innermost, channels last.
fn channels_last(shape: &[Expr]) -> Vec<usize> {
    std::iter::once(0).chain(2..shape.len()).chain([1]).collect()
}

/// Where the element of `value` at `at` is stored in `root`, and whether they have the same
/// dimensions in the same order.
fn forward(
    graph: &Graph<'_>,
    value: ValueId,
    root: ValueId,
    at: &[Expr],
    facts: &Facts,
) -> Option<(Vec<Expr>, bool)> {
    let mut places: Vec<(ValueId, Vec<Expr>, bool)> = vec![(value, at.to_vec(), true)];
    let start = graph.maker_index(value)?;
    let end = graph.maker_index(root)?;
    for op in &graph.function.body.ops()[start + 1..(end + 1).max(start + 1)] {
        let fed = op.operands().find_map(|it| places.iter().find(|place| place.0 == it));
        let Some((_, at, same)) = fed else { continue };
        let moved = graph.is_movement(op);
        if let Some(to) = graph.forward(op, at, facts) {
            let same = *same && !moved;
            places.push((op.result(), to, same));
        }
    }
    places.into_iter().find(|it| it.0 == root).map(|it| (it.1, it.2))
}

/// The stored values that computing `root` reads besides `value`.
fn collect_reads(lower: &Lower<'_>, root: ValueId, value: ValueId, out: &mut Vec<ValueId>) {
    let mut seen = FxHashSet::default();
    let mut work = vec![root];
    while let Some(it) = work.pop() {
        let Some(op) = lower.graph.maker(it) else { continue };
        for x in op.operands().filter(|it| *it != value) {
            match lower.plan.is_stored(x) {
                _ if !seen.insert(x) => (),
                true if out.contains(&x) => (),
                true => out.push(x),
                false => work.push(x),
            }
        }
    }
}
