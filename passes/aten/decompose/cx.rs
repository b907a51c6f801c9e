//! What a rule sees: its operator's arguments by the names of the schema.

use aten::{Schema, Slot};
use diag::{Diag, codes};
use ir::{
    Arg, Attr, AttrTy, DType, Number, Op, Result, Rewriter, TensorType, ValueId, scalar::ScalarFn,
};
use rustc_hash::FxHashMap;
use sym::{Answer, Expr, Facts};

use super::{emit, shape::Shape};

/// A tensor, or a number in the place of one.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A tensor.
    Tensor(ValueId),
    /// A Python number, which has a say in promotion only by its kind.
    Number(Number),
}

impl From<ValueId> for Input {
    fn from(it: ValueId) -> Input {
        Input::Tensor(it)
    }
}
impl From<Number> for Input {
    fn from(it: Number) -> Input {
        Input::Number(it)
    }
}
impl From<f64> for Input {
    fn from(it: f64) -> Input {
        Input::Number(Number::Float(it))
    }
}

/// One operator that is being lowered.
pub(crate) struct Cx<'r, 'a> {
    pub(super) rw: &'r mut Rewriter<'a>,
    numbers: &'r FxHashMap<ValueId, Number>,
    uses: &'r [u32],
    op: &'a Op,
    schema: &'static Schema,
}

impl<'r, 'a> Cx<'r, 'a> {
    pub(super) fn new(
        rw: &'r mut Rewriter<'a>,
        numbers: &'r FxHashMap<ValueId, Number>,
        uses: &'r [u32],
        op: &'a Op,
        schema: &'static Schema,
    ) -> Cx<'r, 'a> {
        Cx { rw, numbers, uses, op, schema }
    }

    /// An error about the operator.
    pub(crate) fn error(&self, message: impl Into<String>) -> Diag {
        Diag::error(&codes::UNSUPPORTED, message).at(self.op.origin.0)
    }

    /// What is known of the symbols.
    pub(crate) fn facts(&self) -> &'a Facts {
        self.rw.facts()
    }

    /// The operator's name with its overload.
    pub(crate) fn name(&self) -> &'static str {
        &self.schema.name
    }

    /// Whether the schema has an argument of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.schema.arg(name).is_some()
    }

    fn arg(&self, name: &str) -> Result<&'a Arg> {
        match self.schema.arg(name).map(|it| it.slot) {
            Some(Slot::Operand(it)) => Ok(&self.op.args[it]),
            _ => Err(self.error(format!("the schema has no tensor `{name}`"))),
        }
    }

    fn attr(&self, name: &str) -> Result<&'a Attr> {
        match self.schema.arg(name).map(|it| it.slot) {
            Some(Slot::Attr(it)) => Ok(&self.op.attrs[it]),
            _ => Err(self.error(format!("the schema has no argument `{name}`"))),
        }
    }

    fn read<T: AttrTy>(&self, name: &str, attr: &Attr) -> Result<T> {
        T::of_attr(attr).ok_or_else(|| self.error(format!("`{name}` must not be {attr}")))
    }

    fn given(&mut self, old: ValueId) -> Result<ValueId> {
        match self.numbers.get(&old) {
            None => Ok(self.rw.get(old)),
            Some(number) => emit::constant(self.rw, number, self.rw.old.body.ty(old).dtype()),
        }
    }

    /// A tensor.
    pub(crate) fn x(&mut self, name: &str) -> Result<ValueId> {
        match self.arg(name)? {
            Arg::Value(it) => self.given(*it),
            Arg::None | Arg::List(_) => Err(self.error(format!("`{name}` is missing"))),
        }
    }

    /// A tensor or a number.
    pub(crate) fn input(&mut self, name: &str) -> Result<Input> {
        match self.schema.arg(name).map(|it| it.slot) {
            Some(Slot::Attr(_)) => self.number(name).map(Input::Number),
            _ => match self.arg(name)? {
                Arg::Value(it) => match self.numbers.get(it) {
                    Some(it) => Ok(Input::Number(it.clone())),
                    None => Ok(Input::Tensor(self.rw.get(*it))),
                },
                Arg::None | Arg::List(_) => Err(self.error(format!("`{name}` is missing"))),
            },
        }
    }

    /// A tensor, a number, or neither.
    pub(crate) fn opt_input(&mut self, name: &str) -> Result<Option<Input>> {
        let absent = match self.schema.arg(name).map(|it| it.slot) {
            Some(Slot::Attr(_)) => *self.attr(name)? == Attr::None,
            _ => *self.arg(name)? == Arg::None,
        };
        if absent { Ok(None) } else { self.input(name).map(Some) }
    }

    /// An optional tensor.
    pub(crate) fn opt(&mut self, name: &str) -> Result<Option<ValueId>> {
        match self.arg(name)? {
            Arg::Value(it) => self.given(*it).map(Some),
            Arg::None | Arg::List(_) => Ok(None),
        }
    }

    /// A list of tensors.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<ValueId>> {
        let values: Vec<ValueId> = self.arg(name)?.values().collect();
        values.into_iter().map(|it| self.given(it)).collect()
    }

    /// A list of tensors of which some may be absent.
    pub(crate) fn opt_list(&mut self, name: &str) -> Result<Vec<Option<ValueId>>> {
        match self.arg(name)? {
            Arg::List(it) => it.iter().map(|it| it.map(|it| self.given(it)).transpose()).collect(),
            Arg::Value(_) | Arg::None => Ok(Vec::new()),
        }
    }

    /// Whether an argument that is no tensor was left out.
    pub(crate) fn is_none(&self, name: &str) -> Result<bool> {
        Ok(*self.attr(name)? == Attr::None)
    }

    /// An attribute of any type.
    pub(crate) fn get<T: AttrTy>(&self, name: &str) -> Result<T> {
        self.read(name, self.attr(name)?)
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<Number> {
        self.get(name)
    }

    /// An integer that is known, and small enough to be computed with.
    pub(crate) fn int(&self, name: &str) -> Result<i64> {
        self.get(name).and_then(|it| self.moderate(name, it))
    }

    fn moderate(&self, name: &str, it: i64) -> Result<i64> {
        match (-(1 << 31)..=1 << 31).contains(&it) {
            true => Ok(it),
            false => Err(self.error(format!("`{name}` must not be {it}"))),
        }
    }

    /// An integer.
    pub(crate) fn size(&self, name: &str) -> Result<Expr> {
        self.get(name)
    }

    /// Integers.
    pub(crate) fn sizes(&self, name: &str) -> Result<Vec<Expr>> {
        match self.attr(name)? {
            Attr::None => Ok(Vec::new()),
            it => self.read(name, it),
        }
    }

    /// Integers that are known; none where they were left out.
    pub(crate) fn ints(&self, name: &str) -> Result<Vec<i64>> {
        let list: Vec<i64> = match self.attr(name)? {
            Attr::None => return Ok(Vec::new()),
            it => self.read(name, it)?,
        };
        list.into_iter().map(|it| self.moderate(name, it)).collect()
    }

    /// One known integer for each of `count` dimensions; one that stands alone is for all.
    pub(crate) fn ints_for(&self, name: &str, count: usize) -> Result<Vec<i64>> {
        match self.ints(name)?.as_slice() {
            [one] => Ok(vec![*one; count]),
            list if list.len() == count => Ok(list.to_vec()),
            list => Err(self.error(format!("`{name}` has {} entries, not {count}", list.len()))),
        }
    }

    /// A float.
    pub(crate) fn float(&self, name: &str) -> Result<f64> {
        let number: Number = self.get(name)?;
        number.as_f64().ok_or_else(|| self.error(format!("`{name}` must be known")))
    }

    /// A bool; false where it was left out.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.get::<Option<bool>>(name)?.unwrap_or(false))
    }

    /// Text.
    pub(crate) fn text(&self, name: &str) -> Result<String> {
        self.get(name)
    }

    /// An element type, where it is given.
    pub(crate) fn dtype(&self, name: &str) -> Result<Option<DType>> {
        self.get(name)
    }

    /// A dimension of a tensor of that rank, counted from the front.
    pub(crate) fn dim(&self, name: &str, rank: usize) -> Result<usize> {
        let dim = self.int(name)?;
        self.normal(dim, rank)
    }

    /// A dimension counted from the front.
    pub(crate) fn normal(&self, dim: i64, rank: usize) -> Result<usize> {
        tensor::normalize_dim(dim, rank)
            .ok_or_else(|| self.error(format!("dimension {dim} of a tensor of rank {rank}")))
    }

    /// Dimensions counted from the front.
    pub(crate) fn normal_all(&self, dims: &[i64], rank: usize) -> Result<Vec<usize>> {
        dims.iter().map(|it| self.normal(*it, rank)).collect()
    }

    /// What the exporter recorded of a result.
    pub(crate) fn out(&self, index: usize) -> Result<&'a TensorType> {
        let value = self.op.results().nth(index);
        let ty = value.and_then(|it| self.rw.old.body.ty(it).as_tensor());
        ty.ok_or_else(|| self.error(format!("result {index} has no type on record")))
    }

    /// The sizes that the exporter recorded of the first result.
    pub(crate) fn out_shape(&self) -> Result<Shape> {
        self.out(0).map(|it| Shape::new(it.shape.to_vec()))
    }

    /// How many results there are.
    pub(crate) fn results(&self) -> usize {
        self.op.results as usize
    }

    /// The places where a mask holds, one per row. Their number is `count`, which is checked
    /// where it is not a symbol that this defines.
    pub(crate) fn nonzero(&mut self, mask: ValueId, count: &Expr) -> Result<ValueId> {
        let made = tensor::Nonzero::build(&mut self.rw.new, mask)?;
        self.bind_size(count, |_| Ok(made[1]))?;
        let (start, step) = (vec![Expr::int(0); 2], vec![1; 2]);
        let size = vec![count.clone(), Expr::int(self.rank(mask) as i64)];
        self.build(|make| tensor::Slice::build(make, made[0], start, size, step))
    }

    /// Says that a size that data decides is the number that `f` computes: it defines the size,
    /// where that is a symbol nothing has defined so far, and is compared with it elsewhere.
    pub(crate) fn bind_size(
        &mut self,
        size: &Expr,
        f: impl FnOnce(&mut Self) -> Result<ValueId>,
    ) -> Result<()> {
        let value = f(self)?;
        let unbound = size.as_sym().filter(|it| it.starts_with('u') && !self.is_bound(it));
        if let Some(symbol) = unbound {
            tensor::BindSymbol::build(&mut self.rw.new, value, symbol.to_owned())?;
            return Ok(());
        }
        let made = tensor::Size::build(&mut self.rw.new, size.clone(), DType::I64)?;
        let equal = self.zip(ScalarFn::Eq, value, made[0])?;
        let message = format!("{}: the result has another size than {size}", self.op.def.0.name);
        tensor::AssertTensor::build(&mut self.rw.new, equal, message)?;
        Ok(())
    }

    /// Stops the run with the operator's name and `what` where `fine` does not hold.
    pub(crate) fn assert(&mut self, fine: ValueId, what: &str) -> Result<()> {
        let message = format!("{}: {what}", self.op.def.0.name);
        tensor::AssertTensor::build(&mut self.rw.new, fine, message)?;
        Ok(())
    }

    /// Whether the symbol was defined by data already.
    fn is_bound(&self, symbol: &str) -> bool {
        let (types, facts) = (self.rw.new.types(), self.facts());
        self.rw.new.current_ops().iter().any(|op| {
            let view = ir::View { types, facts, op };
            tensor::BindSymbol::of(view).is_some_and(|it| it.symbol() == symbol)
        })
    }

    /// Whether anything reads a result.
    pub(crate) fn is_read(&self, index: usize) -> bool {
        self.op.results().nth(index).is_some_and(|it| self.uses[it.index()] != 0)
    }

    /// Whether an operator of that name reads a result.
    pub(crate) fn is_read_by(&self, index: usize, name: &str) -> bool {
        let Some(value) = self.op.results().nth(index) else { return false };
        let reads = |op: &Op| op.def.0.name == name && op.operands().any(|it| it == value);
        self.rw.old.body.ops().iter().any(reads)
    }

    /// Start and step of a vector that counts.
    pub(crate) fn iota_of(&self, value: ValueId) -> Option<(Number, Number)> {
        let ops = self.rw.new.current_ops();
        let op = ops.iter().rev().find(|it| it.results().any(|it| it == value))?;
        let view = ir::View { types: self.rw.new.types(), facts: self.facts(), op };
        tensor::Iota::of(view).map(|it| (it.start(), it.step()))
    }

    /// The strides that the exporter recorded of a tensor argument, where it is known.
    pub(crate) fn recorded(&self, name: &str) -> Result<Option<&'a TensorType>> {
        Ok(match self.arg(name)? {
            Arg::Value(it) => self.rw.old.body.ty(*it).as_tensor(),
            Arg::None | Arg::List(_) => None,
        })
    }

    /// The type of a value.
    pub(crate) fn ty(&self, value: ValueId) -> Result<&TensorType> {
        let ty = self.rw.new.ty(value);
        ty.as_tensor().ok_or_else(|| self.error(format!("{ty} is no tensor")))
    }

    /// The sizes of a value.
    pub(crate) fn shape(&self, value: ValueId) -> Shape {
        Shape::new(
            self.rw.new.ty(value).as_tensor().map(|it| it.shape.to_vec()).unwrap_or_default(),
        )
    }

    /// Refuses a tensor of fewer dimensions.
    pub(crate) fn at_least(&self, value: ValueId, rank: usize) -> Result<()> {
        let own = self.rank(value);
        match rank <= own {
            true => Ok(()),
            false => Err(self.error(format!("a tensor of rank {own}; {rank} or more is needed"))),
        }
    }

    /// One size of a value.
    pub(crate) fn dim_size(&self, value: ValueId, dim: usize) -> Expr {
        let ty = self.rw.new.ty(value).as_tensor();
        ty.and_then(|it| it.shape.get(dim)).cloned().unwrap_or_else(|| Expr::int(1))
    }

    /// The number of dimensions of a value.
    pub(crate) fn rank(&self, value: ValueId) -> usize {
        self.rw.new.ty(value).as_tensor().map_or(0, TensorType::rank)
    }

    /// The element type of a value.
    pub(crate) fn dtype_of(&self, value: ValueId) -> DType {
        self.rw.new.ty(value).dtype().unwrap_or(DType::F32)
    }

    /// Whether `a == b` is proven.
    pub(crate) fn equal(&self, a: &Expr, b: &Expr) -> bool {
        a == b || sym::equal(a, b, self.facts()) == Answer::Proven
    }

    /// Whether `a <= b` is proven.
    pub(crate) fn at_most(&self, a: &Expr, b: &Expr) -> bool {
        sym::less_equal(a, b, self.facts()) == Answer::Proven
    }

    /// Refuses to write out so much.
    pub(crate) fn moderately_many(&self, what: &str, count: i64) -> Result<()> {
        match (0..=1 << 16).contains(&count) {
            true => Ok(()),
            false => Err(self.error(format!("{count} {what}"))),
        }
    }

    /// A simpler form of a size.
    pub(crate) fn simple(&self, it: &Expr) -> Expr {
        sym::simplify(it, self.facts())
    }
}
