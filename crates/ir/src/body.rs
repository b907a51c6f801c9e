//! Bodies: ops in program order, values by number.

use std::fmt;

use smallvec::SmallVec;

use crate::{Attr, OpRef, Type};

/// The number of a value. Numbers grow in program order, so an operand's is smaller than its user's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ValueId(pub u32);

impl ValueId {
    /// As an index into a table of values.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// The exported node an op came from: an index into its function's table of origins.
/// Not part of what a body says: bodies that differ in origins alone print alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Origin(pub u32);

impl Origin {
    /// Made by nobody in particular.
    pub const NONE: Origin = Origin(u32::MAX);
}

/// What is passed for one declared operand.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Arg {
    /// One value.
    Value(ValueId),
    /// An optional operand that is not given; printed `_`.
    None,
    /// A variadic operand; entries may be absent where the declaration says so.
    List(Vec<Option<ValueId>>),
}

impl Arg {
    /// Every value in it, in order.
    pub fn values(&self) -> impl Iterator<Item = ValueId> + '_ {
        let (one, many) = match self {
            Arg::Value(it) => (Some(*it), &[][..]),
            Arg::None => (None, &[][..]),
            Arg::List(it) => (None, &it[..]),
        };
        one.into_iter().chain(many.iter().flatten().copied())
    }

    /// The same with every value replaced.
    pub fn map(&self, mut f: impl FnMut(ValueId) -> ValueId) -> Arg {
        match self {
            Arg::Value(it) => Arg::Value(f(*it)),
            Arg::None => Arg::None,
            Arg::List(it) => Arg::List(it.iter().map(|it| it.map(&mut f)).collect()),
        }
    }
}

impl From<ValueId> for Arg {
    fn from(it: ValueId) -> Arg {
        Arg::Value(it)
    }
}
impl From<Option<ValueId>> for Arg {
    fn from(it: Option<ValueId>) -> Arg {
        it.map_or(Arg::None, Arg::Value)
    }
}
impl From<Vec<ValueId>> for Arg {
    fn from(it: Vec<ValueId>) -> Arg {
        Arg::List(it.into_iter().map(Some).collect())
    }
}
impl From<&[ValueId]> for Arg {
    fn from(it: &[ValueId]) -> Arg {
        Arg::List(it.iter().copied().map(Some).collect())
    }
}
impl From<Vec<Option<ValueId>>> for Arg {
    fn from(it: Vec<Option<ValueId>>) -> Arg {
        Arg::List(it)
    }
}

/// One op. Its results are numbered from `first_result` on.
#[derive(Clone, Debug)]
pub struct Op {
    /// Its definition.
    pub def: OpRef,
    /// One entry per declared operand.
    pub args: SmallVec<[Arg; 3]>,
    /// One entry per declared attribute; [`Attr::None`] where an optional one is not given.
    pub attrs: Vec<Attr>,
    /// Nested regions.
    pub regions: Vec<Region>,
    /// The number of its first result.
    pub first_result: ValueId,
    /// How many results it has.
    pub results: u32,
    /// Where it came from.
    pub origin: Origin,
}

impl Op {
    /// The numbers of its results.
    pub fn results(&self) -> impl Iterator<Item = ValueId> + use<> {
        let first = self.first_result.0;
        (first..first + self.results).map(ValueId)
    }

    /// The only result.
    pub fn result(&self) -> ValueId {
        self.first_result
    }

    /// Every operand value, in order; those used inside its regions are not among them.
    pub fn operands(&self) -> impl Iterator<Item = ValueId> + '_ {
        self.args.iter().flat_map(Arg::values)
    }

    /// Replaces a declared attribute. The op's types must not depend on it.
    pub fn set_attr(&mut self, name: &str, attr: Attr) {
        let i = self.def.0.attrs.iter().position(|it| it.name == name);
        self.attrs[i.expect("a declared attribute is set")] = attr;
    }

    /// Calls `f` with every value the op reads, inside its regions too.
    pub fn for_each_use(&self, f: &mut dyn FnMut(ValueId)) {
        self.operands().for_each(&mut *f);
        for region in &self.regions {
            for op in &region.ops {
                op.for_each_use(f);
            }
            region.yields.iter().copied().for_each(&mut *f);
        }
    }
}

/// Equality leaves out origins: where an op came from is not what it says.
impl PartialEq for Op {
    fn eq(&self, other: &Op) -> bool {
        let Op { def, args, attrs, regions, first_result, results, origin: _ } = self;
        *def == other.def
            && *first_result == other.first_result
            && *results == other.results
            && *args == other.args
            && *attrs == other.attrs
            && *regions == other.regions
    }
}
impl Eq for Op {}

/// A list of ops with parameters and results. A value made outside is visible inside,
/// unless the op that holds the region is isolated.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Region {
    /// The region's own parameters.
    pub params: Vec<ValueId>,
    /// Its ops in program order.
    pub ops: Vec<Op>,
    /// What it gives.
    pub yields: Vec<ValueId>,
}

/// The body of a function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Body {
    /// The type of each value, by number.
    pub types: Vec<Type>,
    /// The outermost region: its parameters are the function's, its yields what it returns.
    pub root: Region,
}

impl Body {
    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &Type {
        &self.types[value.index()]
    }

    /// The outermost ops in program order.
    pub fn ops(&self) -> &[Op] {
        &self.root.ops
    }

    /// For each value, the index of the outermost op that makes it; `None` for parameters
    /// and for what is made inside a region.
    pub fn defining_ops(&self) -> Vec<Option<usize>> {
        let mut res = vec![None; self.types.len()];
        for (i, op) in self.root.ops.iter().enumerate() {
            for value in op.results() {
                res[value.index()] = Some(i);
            }
        }
        res
    }

    /// How often each value is read, by ops anywhere and by the function's results.
    pub fn use_counts(&self) -> Vec<u32> {
        let mut res = vec![0; self.types.len()];
        let mut count = |it: ValueId| res[it.index()] += 1;
        for op in &self.root.ops {
            op.for_each_use(&mut count);
        }
        self.root.yields.iter().copied().for_each(count);
        res
    }

    /// Calls `f` with every op, those in regions after the op that holds them.
    pub fn for_each_op<'a>(&'a self, f: &mut dyn FnMut(&'a Op)) {
        fn walk<'a>(ops: &'a [Op], f: &mut dyn FnMut(&'a Op)) {
            for op in ops {
                f(op);
                for region in &op.regions {
                    walk(&region.ops, f);
                }
            }
        }
        walk(&self.root.ops, f);
    }
}
