//! Python pickles, read as data and never run.
//!
//! A pickle is a program for a small stack machine whose `GLOBAL` and `REDUCE` opcodes import and
//! call anything. Here they can name only what [`Global`] lists, and a call makes a value of
//! [`Value`]: nothing else can come out, whatever the bytes say. A name that is not listed is an
//! error that gives the name.
//!
//! Bounds: every opcode takes at least one byte and makes at most one value, and there are at most
//! [`VALUES_LIMIT`] of them, each of a size that its own opcode pays for; values live in one arena and refer to each other by number, so that
//! neither reading, nor comparing, nor dropping them recurses. The arena may hold cycles and
//! shared parts: who walks it must bound the walk, as [`Pickle::leaves`] does.

mod globals;
mod machine;

pub(crate) use globals::Global;

use crate::{ImportError, ScalarType};

/// How many values a pickle may make.
const VALUES_LIMIT: usize = 8 << 20;

/// No tensor has more dimensions.
pub(crate) const RANK_LIMIT: usize = 64;

/// The number of a value in its pickle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ValueId(u32);

/// What a pickle can say.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    /// Also `torch.Size`.
    Tuple(Box<[ValueId]>),
    List(Vec<ValueId>),
    /// Also `OrderedDict`. Keys may repeat; the last one counts.
    Dict(Vec<(ValueId, ValueId)>),
    Global(Global),
    DType(ScalarType),
    Device,
    Storage(PickledStorage),
    /// Also a parameter.
    Tensor(Box<PickledTensor>),
}

/// A storage: the member `data/<key>` beside the pickle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PickledStorage {
    /// A text.
    pub(crate) key: ValueId,
    /// None where the storage is just bytes.
    pub(crate) dtype: Option<ScalarType>,
    /// In elements; in bytes where it is just bytes.
    pub(crate) len: i64,
}

/// A view of a storage. Nothing of it has been checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PickledTensor {
    pub(crate) storage: PickledStorage,
    pub(crate) dtype: ScalarType,
    pub(crate) offset: i64,
    /// A tuple.
    pub(crate) sizes: ValueId,
    /// A tuple.
    pub(crate) strides: ValueId,
    pub(crate) requires_grad: bool,
    pub(crate) parameter: bool,
}

/// A pickle that has been read.
#[derive(Debug)]
pub(crate) struct Pickle {
    values: Vec<Value>,
    root: ValueId,
}

impl Pickle {
    /// Reads a pickle. `member` is its name in errors.
    pub(crate) fn parse(member: &str, bytes: &[u8]) -> Result<Pickle, ImportError> {
        machine::Machine::new(member, bytes).run()
    }

    pub(crate) fn root(&self) -> ValueId {
        self.root
    }

    pub(crate) fn value(&self, id: ValueId) -> &Value {
        self.values.get(id.0 as usize).unwrap_or(&Value::None)
    }

    /// The leaves under a value, as PyTorch's pytree flattens tuples, lists and dicts. None if
    /// there are too many of them, or they are too deep, as in a pickle that contains itself.
    pub(crate) fn leaves(&self, root: ValueId) -> Option<Vec<ValueId>> {
        const DEEPEST: usize = 64;
        let mut items_left = 1usize << 16;
        let mut leaves = Vec::new();
        // In reverse: the next one to visit is the last. Its depth goes with it.
        let mut pending = vec![(root, 0)];
        while let Some((id, depth)) = pending.pop() {
            let value = self.value(id);
            let items = match value {
                Value::Tuple(items) => items.len(),
                Value::List(items) => items.len(),
                Value::Dict(pairs) => pairs.len(),
                _ => 0,
            };
            items_left = items_left.checked_sub(items)?;
            if DEEPEST < depth {
                return None;
            }
            let inner = depth + 1;
            match value {
                Value::Tuple(items) => pending.extend(items.iter().rev().map(|&it| (it, inner))),
                Value::List(items) => pending.extend(items.iter().rev().map(|&it| (it, inner))),
                Value::Dict(pairs) => {
                    pending.extend(self.last_of_each(pairs).rev().map(|it| (it, inner)));
                }
                _ => leaves.push(id),
            }
        }
        Some(leaves)
    }

    /// The values of a dict in order, without those that a later pair of the same key replaces.
    fn last_of_each(
        &self,
        pairs: &[(ValueId, ValueId)],
    ) -> impl DoubleEndedIterator<Item = ValueId> {
        let mut by_key = indexmap::IndexMap::new();
        for (position, &(key, value)) in pairs.iter().enumerate() {
            // Keys other than text cannot be told apart here, and are kept.
            let key = match self.value(key) {
                Value::Str(text) => Ok(&**text),
                _ => Err(position),
            };
            by_key.insert(key, value);
        }
        by_key.into_values()
    }

    /// The numbers in a tuple; None if it is something else, or longer than any shape.
    pub(crate) fn shape(&self, id: ValueId) -> Option<Vec<i64>> {
        match self.value(id) {
            Value::Tuple(items) if items.len() <= RANK_LIMIT => items
                .iter()
                .map(|&item| match self.value(item) {
                    &Value::Int(int) => Some(int),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }

    /// The pairs of a dict whose keys are text; None if the value is something else.
    pub(crate) fn text_pairs(&self, id: ValueId) -> Option<Vec<(&str, ValueId)>> {
        let Value::Dict(pairs) = self.value(id) else { return None };
        pairs
            .iter()
            .map(|&(key, value)| match self.value(key) {
                Value::Str(text) => Some((&**text, value)),
                _ => None,
            })
            .collect()
    }
}
