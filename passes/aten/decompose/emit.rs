//! What rules are made of: operators of `tensor` with broadcasting, and without those that
//! change nothing.

use diag::Diag;
use ir::{DType, Number, Result, Rewriter, ValueId, scalar::ScalarFn};
use sym::Expr;
use tensor as t;

use super::cx::{Cx, Input};
use crate::promote::{self, Category, canonical};

/// A number as a tensor without dimensions.
pub(super) fn constant(
    rw: &mut Rewriter<'_>,
    number: &Number,
    dtype: Option<DType>,
) -> Result<ValueId> {
    let dtype = dtype.unwrap_or_else(|| promote::number_dtype(number));
    let value = canonical(number, dtype);
    first(t::Full::build(&mut rw.new, value, Vec::new(), dtype))
}

fn first(made: Result<Vec<ValueId>>) -> Result<ValueId> {
    made.map(|it| it[0])
}

fn ints(dims: &[usize]) -> Vec<i64> {
    dims.iter().map(|it| *it as i64).collect()
}

impl Cx<'_, '_> {
    /// A tensor filled with a number.
    pub(crate) fn full(
        &mut self,
        number: impl Into<Number>,
        shape: &[Expr],
        dtype: DType,
    ) -> Result<ValueId> {
        let value = canonical(&number.into(), dtype);
        first(t::Full::build(&mut self.rw.new, value, shape.to_vec(), dtype))
    }

    /// A tensor of the same dtype and sizes filled with a number.
    pub(crate) fn full_like(&mut self, x: ValueId, number: impl Into<Number>) -> Result<ValueId> {
        let (shape, dtype) = (self.shape(x), self.dtype_of(x));
        self.full(number, &shape, dtype)
    }

    /// A small tensor of known numbers.
    pub(crate) fn literal(
        &mut self,
        values: Vec<Number>,
        shape: Vec<i64>,
        dtype: DType,
    ) -> Result<ValueId> {
        let values = values.iter().map(|it| canonical(it, dtype)).collect();
        first(t::Literal::build(&mut self.rw.new, values, shape, dtype))
    }

    /// `start + index * step` along one dimension.
    pub(crate) fn iota(
        &mut self,
        shape: &[Expr],
        dim: usize,
        start: impl Into<Number>,
        step: impl Into<Number>,
        dtype: DType,
    ) -> Result<ValueId> {
        let (start, step) = (canonical(&start.into(), dtype), canonical(&step.into(), dtype));
        let made = t::Iota::build(&mut self.rw.new, shape.to_vec(), dim as i64, start, step, dtype);
        first(made)
    }

    /// The index along the only dimension, as int64.
    pub(crate) fn positions(&mut self, count: &Expr) -> Result<ValueId> {
        self.iota(std::slice::from_ref(count), 0, int(0), int(1), DType::I64)
    }

    pub(crate) fn cast(&mut self, x: ValueId, dtype: DType) -> Result<ValueId> {
        if self.dtype_of(x) == dtype {
            return Ok(x);
        }
        first(t::Cast::build(&mut self.rw.new, x, dtype))
    }

    pub(crate) fn bitcast(&mut self, x: ValueId, dtype: DType) -> Result<ValueId> {
        if self.dtype_of(x) == dtype {
            return Ok(x);
        }
        first(t::Bitcast::build(&mut self.rw.new, x, dtype))
    }

    /// The operand as eager computes with it: half types as float32.
    pub(crate) fn widened(&mut self, x: ValueId) -> Result<ValueId> {
        let dtype = promote::compute_type(self.dtype_of(x));
        self.cast(x, dtype)
    }

    fn same_shape(&self, a: &[Expr], b: &[Expr]) -> bool {
        a == b || t::same_shape(a, b, self.facts())
    }

    /// Repeats dimensions of size 1 and adds dimensions in front.
    pub(crate) fn expand(&mut self, x: ValueId, shape: &[Expr]) -> Result<ValueId> {
        if self.same_shape(&self.shape(x), shape) {
            return Ok(x);
        }
        first(t::Expand::build(&mut self.rw.new, x, shape.to_vec()))
    }

    pub(crate) fn reshape(&mut self, x: ValueId, shape: &[Expr]) -> Result<ValueId> {
        if self.same_shape(&self.shape(x), shape) {
            return Ok(x);
        }
        first(t::Reshape::build(&mut self.rw.new, x, shape.to_vec()))
    }

    pub(crate) fn permute(&mut self, x: ValueId, order: &[usize]) -> Result<ValueId> {
        if order.is_sorted() {
            return Ok(x);
        }
        first(t::Permute::build(&mut self.rw.new, x, ints(order)))
    }

    /// Refuses a dimension that does not exist.
    fn check_dim(&self, x: ValueId, dim: usize) -> Result<()> {
        let rank = self.rank(x);
        match dim < rank {
            true => Ok(()),
            false => Err(self.error(format!("dimension {dim} of a tensor of rank {rank}"))),
        }
    }

    /// Exchanges two dimensions.
    pub(crate) fn transpose(&mut self, x: ValueId, a: usize, b: usize) -> Result<ValueId> {
        let mut order: Vec<usize> = (0..self.rank(x)).collect();
        if a < order.len() && b < order.len() {
            order.swap(a, b);
        }
        self.permute(x, &order)
    }

    /// Moves one dimension to another place.
    pub(crate) fn move_dim(&mut self, x: ValueId, from: usize, to: usize) -> Result<ValueId> {
        self.check_dim(x, from)?;
        self.check_dim(x, to)?;
        let mut order: Vec<usize> = (0..self.rank(x)).collect();
        let moved = order.remove(from);
        order.insert(to, moved);
        self.permute(x, &order)
    }

    /// Adds a dimension of size 1.
    pub(crate) fn unsqueeze(&mut self, x: ValueId, dim: usize) -> Result<ValueId> {
        if self.rank(x) < dim {
            return Err(self.error(format!("a dimension added at {dim} of {}", self.rank(x))));
        }
        let mut shape = self.shape(x);
        shape.insert(dim, Expr::int(1));
        self.reshape(x, &shape)
    }

    /// Removes a dimension of size 1.
    pub(crate) fn squeeze(&mut self, x: ValueId, dim: usize) -> Result<ValueId> {
        self.check_dim(x, dim)?;
        let mut shape = self.shape(x);
        shape.remove(dim);
        self.reshape(x, &shape)
    }

    /// `size` elements from `start` along one dimension, every `step`-th.
    pub(crate) fn slice(
        &mut self,
        x: ValueId,
        dim: usize,
        start: Expr,
        size: Expr,
        step: i64,
    ) -> Result<ValueId> {
        self.check_dim(x, dim)?;
        let mut sizes = self.shape(x).into_vec();
        let mut starts = vec![Expr::int(0); sizes.len()];
        let mut steps = vec![1; sizes.len()];
        if start.as_int() == Some(0) && step == 1 && self.equal(&size, &sizes[dim]) {
            return Ok(x);
        }
        (starts[dim], sizes[dim], steps[dim]) = (start, size, step);
        first(t::Slice::build(&mut self.rw.new, x, starts, sizes, steps))
    }

    /// One index of a dimension, which goes.
    pub(crate) fn select_dim(&mut self, x: ValueId, dim: usize, index: Expr) -> Result<ValueId> {
        let one = self.slice(x, dim, index, Expr::int(1), 1)?;
        self.squeeze(one, dim)
    }

    /// `x` with the slice from `start` along one dimension, every `step`-th element, replaced.
    pub(crate) fn slice_update(
        &mut self,
        x: ValueId,
        update: ValueId,
        dim: usize,
        start: Expr,
        step: i64,
    ) -> Result<ValueId> {
        self.check_dim(x, dim)?;
        let mut starts = vec![Expr::int(0); self.rank(x)];
        let mut steps = vec![1; starts.len()];
        (starts[dim], steps[dim]) = (start, step);
        first(t::SliceUpdate::build(&mut self.rw.new, x, update, starts, steps))
    }

    pub(crate) fn flip(&mut self, x: ValueId, dims: &[usize]) -> Result<ValueId> {
        if dims.is_empty() {
            return Ok(x);
        }
        first(t::Flip::build(&mut self.rw.new, x, ints(dims)))
    }

    /// Adds elements before and after each dimension.
    pub(crate) fn pad(
        &mut self,
        x: ValueId,
        low: Vec<Expr>,
        high: Vec<Expr>,
        interior: Vec<i64>,
        value: impl Into<Number>,
    ) -> Result<ValueId> {
        let zero = Expr::int(0);
        if low.iter().chain(&high).all(|it| *it == zero) && interior.iter().all(|it| *it == 0) {
            return Ok(x);
        }
        let value = canonical(&value.into(), self.dtype_of(x));
        first(t::Pad::build(&mut self.rw.new, x, low, high, interior, value))
    }

    pub(crate) fn concat(&mut self, xs: &[ValueId], dim: usize) -> Result<ValueId> {
        match xs {
            [only] => Ok(*only),
            _ => first(t::Concat::build(&mut self.rw.new, xs, dim as i64)),
        }
    }

    /// Combines all elements along `dims`; `keep` leaves them with size 1.
    pub(crate) fn reduce(
        &mut self,
        kind: &str,
        x: ValueId,
        dims: &[usize],
        keep: bool,
    ) -> Result<ValueId> {
        let mut shape = self.shape(x);
        if shape.is_empty() || dims.is_empty() {
            return Ok(x);
        }
        let made = t::Reduce::build(&mut self.rw.new, x, kind.to_owned(), ints(dims));
        let reduced = first(made)?;
        if !keep {
            return Ok(reduced);
        }
        dims.iter().for_each(|it| shape[*it] = Expr::int(1));
        self.reshape(reduced, &shape)
    }

    /// The index of the extremum along one dimension; `keep` leaves it with size 1.
    pub(crate) fn arg_reduce(
        &mut self,
        kind: &str,
        x: ValueId,
        dim: usize,
        keep: bool,
    ) -> Result<ValueId> {
        let made = t::ArgReduce::build(&mut self.rw.new, x, kind.to_owned(), dim as i64);
        let reduced = first(made)?;
        if keep { self.unsqueeze(reduced, dim) } else { Ok(reduced) }
    }

    pub(crate) fn scan(&mut self, kind: &str, x: ValueId, dim: usize) -> Result<ValueId> {
        first(t::Scan::build(&mut self.rw.new, x, kind.to_owned(), dim as i64))
    }

    /// Sums of products over pairs of dimensions. Half types add up in float32 and are rounded once.
    pub(crate) fn contract(
        &mut self,
        lhs: ValueId,
        rhs: ValueId,
        batch: (&[usize], &[usize]),
        summed: (&[usize], &[usize]),
    ) -> Result<ValueId> {
        let dtype = self.dtype_of(lhs);
        let lhs = self.widened(lhs)?;
        let rhs = self.widened(rhs)?;
        let res = first(t::Contract::build(
            &mut self.rw.new,
            lhs,
            rhs,
            ints(batch.0),
            ints(batch.1),
            ints(summed.0),
            ints(summed.1),
        ))?;
        self.cast(res, dtype)
    }

    pub(crate) fn index(
        &mut self,
        x: ValueId,
        indices: &[ValueId],
        dims: &[usize],
        at: usize,
    ) -> Result<ValueId> {
        first(t::Index::build(&mut self.rw.new, x, indices, ints(dims), at as i64))
    }

    pub(crate) fn gather(&mut self, x: ValueId, index: ValueId, dim: usize) -> Result<ValueId> {
        first(t::Gather::build(&mut self.rw.new, x, index, dim as i64))
    }

    pub(crate) fn scatter(
        &mut self,
        x: ValueId,
        index: ValueId,
        values: ValueId,
        dim: usize,
        mode: &str,
    ) -> Result<ValueId> {
        first(t::Scatter::build(&mut self.rw.new, x, index, values, dim as i64, mode.to_owned()))
    }

    /// Values in order and where they came from.
    pub(crate) fn sort(
        &mut self,
        x: ValueId,
        dim: usize,
        descending: bool,
    ) -> Result<(ValueId, ValueId)> {
        let made = t::Sort::build(&mut self.rw.new, x, dim as i64, descending)?;
        Ok((made[0], made[1]))
    }

    /// An operator of `tensor` that has no helper of its own.
    pub(crate) fn build(
        &mut self,
        make: impl FnOnce(&mut ir::Builder<'_>) -> Result<Vec<ValueId>>,
    ) -> Result<ValueId> {
        first(make(&mut self.rw.new))
    }

    /// A function of each element. Of complex ones `tensor` has only some; others have a formula.
    pub(crate) fn map(&mut self, function: ScalarFn, x: ValueId) -> Result<ValueId> {
        let dtype = self.dtype_of(x);
        if dtype.is_complex()
            && function.result(&[dtype]).is_err()
            && let Some(made) = super::rules::complex_function(self, function, x)?
        {
            return Ok(made);
        }
        t::pointwise(&mut self.rw.new, function, &[x])
    }

    /// The sizes that all of the values broadcast to.
    pub(crate) fn broadcast_shape(&self, values: &[ValueId]) -> Result<Vec<Expr>> {
        let mut res: Vec<Expr> = Vec::new();
        for it in values {
            let shape = self.shape(*it);
            res = t::broadcast(&res, &shape, self.facts())
                .ok_or_else(|| self.undecided(&res, &shape))?;
        }
        Ok(res)
    }

    fn undecided(&self, a: &[Expr], b: &[Expr]) -> Diag {
        let text = |it: &[Expr]| it.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Diag::error(
            &diag::codes::UNDECIDED_SIZE,
            format!("[{}] and [{}] do not broadcast for every size in range", text(a), text(b)),
        )
    }

    /// The values expanded to the sizes that they all broadcast to.
    pub(crate) fn broadcast<const N: usize>(
        &mut self,
        values: [ValueId; N],
    ) -> Result<[ValueId; N]> {
        let shape = self.broadcast_shape(&values)?;
        let mut res = values;
        for it in &mut res {
            *it = self.expand(*it, &shape)?;
        }
        Ok(res)
    }

    /// A function of two tensors of one dtype, which broadcast.
    pub(crate) fn zip(&mut self, function: ScalarFn, a: ValueId, b: ValueId) -> Result<ValueId> {
        let operands = self.broadcast([a, b])?;
        t::pointwise(&mut self.rw.new, function, &operands)
    }

    /// A function of a tensor and a number.
    pub(crate) fn with_number(
        &mut self,
        function: ScalarFn,
        a: ValueId,
        number: impl Into<Number>,
    ) -> Result<ValueId> {
        let b = self.full_like(a, number)?;
        self.zip(function, a, b)
    }

    /// `a` where `cond` holds, else `b`; all three broadcast.
    pub(crate) fn select(&mut self, cond: ValueId, a: ValueId, b: ValueId) -> Result<ValueId> {
        let operands = self.broadcast([cond, a, b])?;
        t::pointwise(&mut self.rw.new, ScalarFn::Select, &operands)
    }

    /// The dtype that the operands are computed in.
    pub(crate) fn result_type(&self, inputs: &[Input]) -> DType {
        let operands: Vec<_> = inputs
            .iter()
            .map(|it| match it {
                Input::Tensor(it) if self.rank(*it) == 0 => (self.dtype_of(*it), Category::ZeroDim),
                Input::Tensor(it) => (self.dtype_of(*it), Category::Tensor),
                Input::Number(it) => (promote::number_dtype(it), Category::Number),
            })
            .collect();
        promote::result_type(&operands)
    }

    /// The operand in the dtype.
    pub(crate) fn as_dtype(&mut self, input: &Input, dtype: DType) -> Result<ValueId> {
        match input {
            Input::Tensor(it) => self.cast(*it, dtype),
            Input::Number(it) => self.full(it.clone(), &[], dtype),
        }
    }
}

/// A known integer as a number.
pub(crate) fn int(value: i64) -> Number {
    Number::Int(Expr::int(value))
}

/// A float as a number.
pub(crate) fn float(value: f64) -> Number {
    Number::Float(value)
}
