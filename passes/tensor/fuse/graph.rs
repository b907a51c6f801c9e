//! What the pass asks of the function it lowers: who makes a value, who reads it, where it ends up.

use ir::{DType, Function, Op, ValueId, View};
use rustc_hash::FxHashSet;
use sym::{Expr, Facts};
use tensor::{
    Cast, Contract, Expand, Flip, IndexUpdate, Permute, Reshape, Scatter, Slice, SliceUpdate,
    Strided, contiguous_dims,
};

/// A function with the answers at hand.
pub(super) struct Graph<'a> {
    pub function: &'a Function,
    pub facts: &'a Facts,
    makers: Vec<Option<usize>>,
    /// For each value the ops that read it, in order, each once.
    readers: Vec<Vec<usize>>,
    /// Whether the function returns it.
    pub returned: Vec<bool>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(function: &'a Function) -> Graph<'a> {
        let body = &function.body;
        let mut readers = vec![Vec::new(); body.types.len()];
        for (i, op) in body.ops().iter().enumerate() {
            for value in op.operands() {
                let list: &mut Vec<usize> = &mut readers[value.index()];
                if list.last() != Some(&i) {
                    list.push(i);
                }
            }
        }
        let mut returned = vec![false; body.types.len()];
        body.root.yields.iter().for_each(|it| returned[it.index()] = true);
        Graph { function, facts: &function.facts, makers: body.defining_ops(), readers, returned }
    }

    pub(super) fn maker_index(&self, value: ValueId) -> Option<usize> {
        self.makers[value.index()]
    }

    pub(super) fn maker(&self, value: ValueId) -> Option<&'a Op> {
        self.makers[value.index()].map(|it| &self.function.body.ops()[it])
    }

    pub(super) fn readers(&self, value: ValueId) -> &[usize] {
        &self.readers[value.index()]
    }

    pub(super) fn view(&self, op: &'a Op) -> View<'a> {
        View::of(&self.function.body, self.facts, op)
    }

    pub(super) fn shape(&self, value: ValueId) -> &'a [Expr] {
        match self.function.body.ty(value).as_tensor() {
            Some(it) => &it.shape,
            None => &[],
        }
    }

    pub(super) fn dtype(&self, value: ValueId) -> DType {
        self.function.body.ty(value).dtype().expect("values at this level are tensors")
    }

    /// The index of parameter `value` among the function's.
    pub(super) fn param_index(&self, value: ValueId) -> Option<usize> {
        self.function.body.root.params.iter().position(|it| *it == value)
    }

    /// The parameter whose memory the value could be: it is that parameter, which the function
    /// writes, or what updates of parts make of it.
    pub(super) fn written_param(&self, value: ValueId) -> Option<ValueId> {
        if let Some(i) = self.param_index(value) {
            let written = |it: &ir::Output| it.kind == ir::OutputKind::Mutates(i);
            return self.function.outputs.iter().any(written).then_some(value);
        }
        let view = self.view(self.maker(value)?);
        let updated = SliceUpdate::of(view)
            .map(|it| it.x())
            .or_else(|| IndexUpdate::of(view).map(|it| it.x()))
            .or_else(|| Scatter::of(view).map(|it| it.x()));
        self.written_param(updated?)
    }

    /// Whether the op only says where its operand's elements are found.
    pub(super) fn is_movement(&self, op: &Op) -> bool {
        matches!(
            op.def.0.name,
            "tensor.expand"
                | "tensor.permute"
                | "tensor.reshape"
                | "tensor.slice"
                | "tensor.flip"
                | "tensor.strided"
        )
    }

    /// For an op that only moves: the operand, and where the element at `at` of the result is
    /// found in it.
    pub(super) fn movement(
        &self,
        op: &'a Op,
        at: &[Expr],
        facts: &Facts,
    ) -> Option<(ValueId, Vec<Expr>)> {
        let view = self.view(op);
        if let Some(it) = Expand::of(view) {
            let shape = self.shape(it.x());
            let added = at.len() - shape.len();
            let one = Expr::int(1);
            let index = |(size, at): (&Expr, &Expr)| {
                if *size == one { Expr::int(0) } else { at.clone() }
            };
            return Some((it.x(), shape.iter().zip(&at[added..]).map(index).collect()));
        }
        if let Some(it) = Permute::of(view) {
            let mut res = vec![Expr::int(0); at.len()];
            for (i, dim) in it.order().into_iter().enumerate() {
                res[dim as usize] = at[i].clone();
            }
            return Some((it.x(), res));
        }
        if let Some(it) = Reshape::of(view) {
            let res = reshape_index(self.shape(op.result()), self.shape(it.x()), at, facts);
            return Some((it.x(), res));
        }
        if let Some(it) = Slice::of(view) {
            let (start, step) = (it.start(), it.step());
            let index = |i: usize| {
                let it = start[i].clone() + at[i].clone() * Expr::int(step[i]);
                sym::simplify(&it, facts)
            };
            return Some((it.x(), (0..at.len()).map(index).collect()));
        }
        if let Some(it) = Flip::of(view) {
            let (shape, dims) = (self.shape(it.x()), it.dims());
            let index = |i: usize| match dims.contains(&(i as i64)) {
                true => shape[i].clone() - Expr::int(1) - at[i].clone(),
                false => at[i].clone(),
            };
            return Some((it.x(), (0..at.len()).map(index).collect()));
        }
        if let Some(it) = Strided::of(view) {
            let linear = at
                .iter()
                .zip(it.strides())
                .fold(it.offset(), |sum, (at, stride)| sum + at.clone() * stride);
            return Some((it.x(), unravel(&linear, self.shape(it.x()), facts)));
        }
        None
    }

    /// The operand of a cast from a half type to float32, which products widen themselves: it lies
    /// in memory half as wide.
    pub(super) fn widened(&self, op: &'a Op) -> Option<ValueId> {
        let x = Cast::of(self.view(op)).filter(|it| it.dtype() == DType::F32)?.x();
        (self.dtype(x) != DType::F32 && loops::multiplies(self.dtype(x))).then_some(x)
    }

    /// The same of what gives a value.
    pub(super) fn narrow(&self, value: ValueId) -> Option<ValueId> {
        self.widened(self.maker(value)?)
    }

    /// Whether a product's second operand is a constant matrix of known sizes, packed once for all
    /// runs; any other is copied as it is multiplied.
    pub(super) fn packs(&self, it: Contract<'_>) -> bool {
        let known = |it: &Expr| it.as_int().is_some();
        it.lhs_batch().is_empty()
            && self.shape(it.rhs()).iter().all(known)
            && self.is_constant(it.rhs())
    }

    /// Whether the tensor is a constant of the model or computed from such alone.
    fn is_constant(&self, value: ValueId) -> bool {
        let mut seen = FxHashSet::default();
        let mut work = vec![value];
        while let Some(it) = work.pop() {
            if !seen.insert(it) {
                continue;
            }
            if let Some(i) = self.param_index(it) {
                if !self.function.is_fixed(i) {
                    return false;
                }
            } else if let Some(op) = self.maker(it) {
                work.extend(op.operands());
            }
        }
        true
    }

    /// The same forwards: where the element at `at` of the operand ends up in the result.
    /// Only where every element of the operand is in the result exactly once.
    pub(super) fn forward(&self, op: &'a Op, at: &[Expr], facts: &Facts) -> Option<Vec<Expr>> {
        let view = self.view(op);
        if op.def.0.scalar.is_some() || op.def.0.name == "tensor.cast" {
            return Some(at.to_vec());
        }
        if let Some(it) = Permute::of(view) {
            return Some(it.order().iter().map(|it| at[*it as usize].clone()).collect());
        }
        if let Some(it) = Reshape::of(view) {
            return Some(reshape_index(self.shape(it.x()), self.shape(op.result()), at, facts));
        }
        None
    }
}

/// The index under shape `to` of the element at `at` under shape `from`.
/// Runs of dimensions that both shapes share are mapped on their own, so that an index that a
/// reshape does not touch stays as it is whatever the sizes.
fn reshape_index(from: &[Expr], to: &[Expr], at: &[Expr], facts: &Facts) -> Vec<Expr> {
    let one = Expr::int(1);
    let mut res = Vec::with_capacity(to.len());
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        if i < from.len() && j < to.len() && same(&from[i], &to[j], facts) {
            res.push(at[i].clone());
            i += 1;
            j += 1;
        } else if i < from.len() && from[i] == one {
            i += 1;
        } else if j < to.len() && to[j] == one {
            res.push(Expr::int(0));
            j += 1;
        } else {
            let (next_i, next_j) = block(from, to, i, j, facts);
            let linear = ravel(&from[i..next_i], &at[i..next_i]);
            res.extend(unravel(&linear, &to[j..next_j], facts));
            (i, j) = (next_i, next_j);
        }
    }
    res
}

fn same(a: &Expr, b: &Expr, facts: &Facts) -> bool {
    a == b || sym::equal(a, b, facts) == sym::Answer::Proven
}

/// The ends of the shortest runs from `i` and `j` on that have as many elements.
fn block(from: &[Expr], to: &[Expr], i: usize, j: usize, facts: &Facts) -> (usize, usize) {
    let (mut ei, mut ej) = ((i + 1).min(from.len()), (j + 1).min(to.len()));
    let product = |it: &[Expr]| it.iter().fold(Expr::int(1), |p, it| p * it.clone());
    loop {
        let (a, b) = (product(&from[i..ei]), product(&to[j..ej]));
        if same(&a, &b, facts) {
            return (ei, ej);
        }
        // Extend the run that is smaller, or the one that can still be.
        let less = sym::less_equal(&a, &b, facts) == sym::Answer::Proven;
        let more = sym::less_equal(&b, &a, facts) == sym::Answer::Proven;
        match (ei < from.len(), ej < to.len()) {
            (true, _) if less => ei += 1,
            (_, true) if more => ej += 1,
            // Which is smaller is not known: take all that is left.
            _ => return (from.len(), to.len()),
        }
    }
}

/// The row-major number of the element at `at`.
pub(super) fn ravel(shape: &[Expr], at: &[Expr]) -> Expr {
    at.iter()
        .zip(contiguous_dims(shape))
        .fold(Expr::int(0), |sum, (at, stride)| sum + at.clone() * stride)
}

/// The index of the element of that row-major number.
pub(super) fn unravel(linear: &Expr, shape: &[Expr], facts: &Facts) -> Vec<Expr> {
    let strides = contiguous_dims(shape);
    let one = Expr::int(1);
    let first = shape.iter().position(|it| *it != one).unwrap_or(0);
    (0..shape.len())
        .map(|i| {
            if shape[i] == one {
                return Expr::int(0);
            }
            let quotient = linear.floor_div(&strides[i]);
            // The first dimension needs no remainder: the number is within the shape.
            let index = if i == first { quotient } else { quotient.modulo(&shape[i]) };
            sym::simplify(&index, facts)
        })
        .collect()
}
