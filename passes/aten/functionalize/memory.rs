//! Which memory each value is, and what it holds.

use std::rc::Rc;

use ir::{Op, Type, ValueId};

/// A way to see a memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeId(usize);

/// A memory: who owns it, and its content.
struct Storage {
    base: NodeId,
    current: ValueId,
    /// How often it was written.
    generation: u32,
    /// The parameter whose memory it is.
    param: Option<usize>,
}

/// The step from one way to see a memory to another.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) parent: NodeId,
    /// The op that takes the view, and which of its results it is.
    pub(super) op: Rc<Op>,
    pub(super) index: usize,
}

struct Node {
    storage: usize,
    step: Option<Step>,
    ty: Type,
    /// What it was when the memory had been written that often.
    cached: ValueId,
    generation: u32,
}

/// The memories of a function.
pub(super) struct Memory {
    storages: Vec<Storage>,
    nodes: Vec<Node>,
    /// How each value of the old function sees its memory.
    of: Vec<Option<NodeId>>,
}

impl Memory {
    pub(super) fn new(values: usize) -> Memory {
        Memory { storages: Vec::new(), nodes: Vec::new(), of: vec![None; values] }
    }

    /// How a value sees its memory.
    pub(super) fn node(&self, old: ValueId) -> NodeId {
        self.of[old.index()].expect("operands are made before their use")
    }

    fn add(&mut self, old: ValueId, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(node);
        self.of[old.index()] = Some(id);
        id
    }

    /// A value with a memory of its own.
    pub(super) fn own(&mut self, old: ValueId, new: ValueId, ty: Type, param: Option<usize>) {
        let storage = self.storages.len();
        let base = self.add(old, Node { storage, step: None, ty, cached: new, generation: 0 });
        self.storages.push(Storage { base, current: new, generation: 0, param });
    }

    /// A value that sees a memory as another one does.
    pub(super) fn same(&mut self, old: ValueId, as_value: ValueId) {
        self.of[old.index()] = Some(self.node(as_value));
    }

    /// A value that is a view.
    pub(super) fn view(&mut self, old: ValueId, step: Step, ty: Type, new: ValueId) {
        let storage = self.nodes[step.parent.0].storage;
        let generation = self.storages[storage].generation;
        self.add(old, Node { storage, step: Some(step), ty, cached: new, generation });
    }

    /// How a view is taken anew, where its memory was written since it was taken.
    pub(super) fn stale(&self, node: NodeId) -> Option<Step> {
        let it = &self.nodes[node.0];
        let step = it.step.as_ref()?;
        (it.generation != self.storages[it.storage].generation).then(|| step.clone())
    }

    /// What a node sees, when it is not stale.
    pub(super) fn cached(&self, node: NodeId) -> ValueId {
        let it = &self.nodes[node.0];
        match it.step {
            None => self.storages[it.storage].current,
            Some(_) => it.cached,
        }
    }

    pub(super) fn set_cached(&mut self, node: NodeId, new: ValueId) {
        let it = &mut self.nodes[node.0];
        (it.cached, it.generation) = (new, self.storages[it.storage].generation);
    }

    pub(super) fn step(&self, node: NodeId) -> Option<Step> {
        self.nodes[node.0].step.clone()
    }

    pub(super) fn ty(&self, node: NodeId) -> &Type {
        &self.nodes[node.0].ty
    }

    /// Gives a memory a new content; the node sees the whole of it.
    pub(super) fn replace(&mut self, node: NodeId, new: ValueId) {
        let storage = &mut self.storages[self.nodes[node.0].storage];
        storage.current = new;
        storage.generation += 1;
    }

    pub(super) fn is_written(&self, node: NodeId) -> bool {
        self.storages[self.nodes[node.0].storage].generation != 0
    }

    /// The parameter whose memory it is.
    pub(super) fn param(&self, node: NodeId) -> Option<usize> {
        self.storages[self.nodes[node.0].storage].param
    }

    /// Who owns the memory.
    pub(super) fn base(&self, node: NodeId) -> NodeId {
        self.storages[self.nodes[node.0].storage].base
    }
}
