//! Which memory each value is, and what it holds.

use ir::{Op, ValueId};

use super::views;

/// A memory: the value that owns it, and its content.
struct Storage {
    base: ValueId,
    current: ValueId,
    /// How often it was written.
    generation: u32,
    /// The parameter whose memory it is.
    param: Option<usize>,
}

/// A value of the old function.
#[derive(Clone)]
struct Seen<'a> {
    storage: usize,
    /// The value that it is a view of, by which op, as which of its results.
    parent: Option<(ValueId, &'a Op, usize)>,
    /// What it was when the memory had been written that often.
    cached: ValueId,
    generation: u32,
}

/// The memories of a function.
pub(super) struct Memory<'a> {
    storages: Vec<Storage>,
    seen: Vec<Option<Seen<'a>>>,
}

impl<'a> Memory<'a> {
    pub(super) fn new(values: usize) -> Memory<'a> {
        Memory { storages: Vec::new(), seen: vec![None; values] }
    }

    fn of(&self, old: ValueId) -> &Seen<'a> {
        self.seen[old.index()].as_ref().expect("operands are made before their use")
    }

    /// A value with a memory of its own.
    pub(super) fn own(&mut self, old: ValueId, new: ValueId, param: Option<usize>) {
        let storage = self.storages.len();
        self.storages.push(Storage { base: old, current: new, generation: 0, param });
        self.seen[old.index()] = Some(Seen { storage, parent: None, cached: new, generation: 0 });
    }

    /// A value that is another one.
    pub(super) fn same(&mut self, old: ValueId, as_value: ValueId) {
        self.seen[old.index()] = Some(self.of(as_value).clone());
    }

    /// A value that is a view of another one.
    pub(super) fn view(&mut self, old: ValueId, parent: ValueId, op: &'a Op, index: usize, new: ValueId) {
        let storage = self.of(parent).storage;
        let generation = self.storages[storage].generation;
        let parent = Some((parent, op, index));
        self.seen[old.index()] = Some(Seen { storage, parent, cached: new, generation });
    }

    /// What it is a view of, and by which op, where its memory was written since it was taken.
    pub(super) fn stale(&self, old: ValueId) -> Option<(ValueId, &'a Op)> {
        let seen = self.of(old);
        let (parent, op, _) = seen.parent?;
        (seen.generation != self.storages[seen.storage].generation).then_some((parent, op))
    }

    /// What a value is, when it is not stale.
    pub(super) fn cached(&self, old: ValueId) -> ValueId {
        let seen = self.of(old);
        match seen.parent {
            None => self.storages[seen.storage].current,
            Some(_) => seen.cached,
        }
    }

    pub(super) fn set_cached(&mut self, old: ValueId, new: ValueId) {
        let generation = self.storages[self.of(old).storage].generation;
        if let Some(seen) = &mut self.seen[old.index()] {
            (seen.cached, seen.generation) = (new, generation);
        }
    }

    /// Takes the results of a view that was taken anew.
    pub(super) fn refresh(&mut self, old: ValueId, results: &[ValueId]) {
        if let Some((_, _, index)) = self.of(old).parent {
            self.set_cached(old, results[index]);
        }
    }

    pub(super) fn parent(&self, old: ValueId) -> Option<(ValueId, &'a Op, usize)> {
        self.of(old).parent
    }

    /// Gives a memory a new content; `old` sees the whole of it.
    pub(super) fn replace(&mut self, old: ValueId, new: ValueId) {
        let storage = self.of(old).storage;
        let storage = &mut self.storages[storage];
        storage.current = new;
        storage.generation += 1;
    }

    pub(super) fn is_written(&self, old: ValueId) -> bool {
        self.storages[self.of(old).storage].generation != 0
    }

    /// The parameter whose memory it is.
    pub(super) fn param(&self, old: ValueId) -> Option<usize> {
        self.storages[self.of(old).storage].param
    }

    /// The value that owns its memory, and whether the value begins where the memory begins.
    pub(super) fn base(&self, old: ValueId) -> (ValueId, bool) {
        let base = self.storages[self.of(old).storage].base;
        let mut from_start = true;
        let mut at = self.of(old);
        while let Some((parent, op, _)) = at.parent {
            from_start &= views::keeps_start(op);
            at = self.of(parent);
        }
        (base, from_start)
    }
}
