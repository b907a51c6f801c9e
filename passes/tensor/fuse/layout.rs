//! Which way a value lies in memory.
//!
//! A result of the function lies as the caller expects. Any other value follows what its kernel
//! reads: if that lies channels-last, so does it, and the kernel runs along memory on both sides.

use ir::{TensorType, Type, ValueId};
use sym::{Answer, Expr, Facts};

use super::{index::Access, lower::Lower};

impl Lower<'_> {
    /// The type of a value with the strides its memory has. `reads` is what computing it at
    /// `a0`, `a1`, … reads.
    pub(super) fn memory_type(&self, value: ValueId, reads: &[Access]) -> TensorType {
        let shape = self.graph.shape(value);
        let dtype = self.graph.dtype(value);
        if let Some(it) = self.returned_type(value) {
            return it;
        }
        let order = reads.iter().find_map(|it| self.order_of(it, shape));
        match order {
            Some(order) => laid_out(dtype, shape, &order),
            None => TensorType::contiguous(dtype, shape.to_vec()),
        }
    }

    /// The type the caller expects, if the value is a result.
    pub(super) fn returned_type(&self, value: ValueId) -> Option<TensorType> {
        let function = self.graph.function;
        let i = function.body.root.yields.iter().position(|it| *it == value)?;
        match &function.outputs.get(i)?.ty {
            Type::Tensor(it) if it.strides.is_some() => Some(it.clone()),
            Type::Tensor(it) => Some(TensorType::contiguous(it.dtype, it.shape.clone())),
            _ => None,
        }
    }

    /// The dimensions of `shape` from the outermost to the innermost in memory, as a read at
    /// `a0`, `a1`, … moves; none if the read does not move along each of them.
    fn order_of(&self, read: &Access, shape: &[Expr]) -> Option<Vec<usize>> {
        let ty = self.builder.ty(self.buffer(read.value)?).as_tensor()?.clone();
        let at = read.at.iter().cloned().collect::<Option<Vec<Expr>>>()?;
        let axes: Vec<(String, Expr)> =
            shape.iter().enumerate().map(|(i, it)| (format!("a{i}"), it.clone())).collect();
        let facts = loops::axis_facts(self.graph.facts, &axes);
        let offset = loops::linear_offset(&ty, &at, &facts);
        let one = Expr::int(1);
        let mut moved: Vec<(usize, Expr)> = Vec::new();
        for (i, size) in shape.iter().enumerate().filter(|it| *it.1 != one) {
            debug_assert!(size.as_int() != Some(1));
            let (step, _) = offset.linear_in(&format!("a{i}"))?;
            if sym::less_equal(&one, &step, &facts) != Answer::Proven {
                return None;
            }
            moved.push((i, step));
        }
        if moved.len() < 2 {
            return None;
        }
        let mut order: Vec<usize> = Vec::new();
        // Insertion by comparison that must be decided: strides may be symbols.
        for (i, step) in &moved {
            let mut place = order.len();
            for (k, placed) in order.iter().enumerate() {
                let other = &moved.iter().find(|it| it.0 == *placed)?.1;
                if !decided_less(step, other, &facts)? {
                    place = k;
                    break;
                }
            }
            order.insert(place, *i);
        }
        // Dimensions of size 1 go where row-major order has them.
        let mut res: Vec<usize> = (0..shape.len()).filter(|it| shape[*it] == one).collect();
        res.extend(order);
        Some(res)
    }
}

/// Whether `a < b`, if that is known for every size in range.
fn decided_less(a: &Expr, b: &Expr, facts: &Facts) -> Option<bool> {
    if sym::less_equal(b, a, facts) == Answer::Proven {
        return Some(false);
    }
    (sym::less_equal(a, b, facts) == Answer::Proven).then_some(true)
}

/// A dense type whose dimensions lie in that order, outermost first.
pub(super) fn laid_out(dtype: ir::DType, shape: &[Expr], order: &[usize]) -> TensorType {
    let mut strides = vec![Expr::int(1); shape.len()];
    let mut step = Expr::int(1);
    for i in order.iter().rev() {
        strides[*i] = step.clone();
        step = step * shape[*i].clone();
    }
    TensorType { dtype, shape: shape.to_vec().into(), strides: Some(strides.into()) }
}

/// The dimensions from the outermost to the innermost in memory, where strides tell.
pub(super) fn memory_order(ty: &TensorType, facts: &Facts) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ty.rank()).collect();
    let Some(strides) = &ty.strides else { return order };
    // A stable insertion sort by decided comparisons; undecided pairs stay as they are.
    for i in 1..order.len() {
        let mut k = i;
        while 0 < k {
            let (outer, inner) = (order[k - 1], order[k]);
            let one = Expr::int(1);
            let skip = ty.shape[outer] == one || ty.shape[inner] == one;
            if skip || decided_less(&strides[outer], &strides[inner], facts) != Some(true) {
                break;
            }
            order.swap(k - 1, k);
            k -= 1;
        }
    }
    order
}
