//! Which statements must stay in order.

use ir::{Function, Op, ValueId, View as OpView};
use pass::Unit;
use wrapper::{Alloc, Call};

use super::{only_names, schedule::Problem};

/// Statements that do something, what they use, and which must come before which.
pub(super) struct Graph {
    /// The place of each among the function's ops.
    pub nodes: Vec<usize>,
    /// Tensors of the arena.
    pub roots: Vec<ValueId>,
    /// For each node the numbers of the tensors in `roots` that it uses.
    uses: Vec<Vec<usize>>,
    /// For each node those that must come before it.
    before: Vec<Vec<usize>>,
    /// For each value the place of the op that makes it.
    makers: Vec<Option<usize>>,
}

/// What orders a statement beside the memory it uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Nothing: a kernel that cannot fail and writes what only the run sees.
    Free,
    /// It stays in order with others of its kind: it may stop the run, or somebody sees what it
    /// writes.
    Chained,
    /// Nothing moves across it.
    Barrier,
}

impl Graph {
    pub(super) fn of(function: &Function, unit: &Unit) -> Graph {
        let body = &function.body;
        let memory = memories(function);
        let mut makers = vec![None; body.types.len()];
        let mut roots = Vec::new();
        for (at, op) in body.ops().iter().enumerate() {
            op.results().for_each(|it| makers[it.index()] = Some(at));
            if Alloc::of(OpView::of(body, &function.facts, op)).is_some() {
                roots.push(op.result());
            }
        }
        let number = |it: &ValueId| roots.iter().position(|root| root == it);
        let mut res = Graph {
            nodes: Vec::new(),
            uses: Vec::new(),
            before: Vec::new(),
            roots: Vec::new(),
            makers,
        };
        let mut hazards = Hazards::default();
        for (at, op) in body.ops().iter().enumerate().filter(|it| !only_names(it.1)) {
            let access = Access::of(function, unit, op, &memory);
            res.before.push(hazards.add(res.nodes.len(), &access));
            let mut uses: Vec<usize> =
                access.reads.iter().chain(&access.writes).filter_map(number).collect();
            uses.sort_unstable();
            uses.dedup();
            res.uses.push(uses);
            res.nodes.push(at);
        }
        res.roots = roots;
        res
    }

    /// The place of the op that makes a value; none for parameters.
    pub(super) fn maker(&self, value: ValueId) -> Option<usize> {
        self.makers[value.index()]
    }

    /// The problem of scheduling the nodes, with the tensors' sizes in bytes.
    pub(super) fn problem(&self, sizes: Vec<i64>) -> Problem {
        Problem { sizes, uses: self.uses.clone(), before: self.before.clone() }
    }
}

/// For each value the one whose memory it is. Parameters count as one memory: nobody knows whether
/// the caller's tensors overlap.
fn memories(function: &Function) -> Vec<ValueId> {
    let mut res: Vec<ValueId> =
        (0..function.body.types.len()).map(|it| ValueId(it as u32)).collect();
    let params = &function.body.root.params;
    params.iter().for_each(|it| res[it.index()] = params[0]);
    for op in function.body.ops() {
        if let ir::Alias::ViewOf(i) = op.def.0.alias
            && let Some(base) = op.args.get(i).and_then(|it| it.values().next())
        {
            op.results().for_each(|it| res[it.index()] = res[base.index()]);
        }
    }
    res
}

/// What a statement does to memory.
struct Access {
    reads: Vec<ValueId>,
    writes: Vec<ValueId>,
    order: Order,
}

impl Access {
    fn of(function: &Function, unit: &Unit, op: &Op, memory: &[ValueId]) -> Access {
        let of = |it: ValueId| memory[it.index()];
        let Some(call) = Call::of(OpView::of(&function.body, &function.facts, op)) else {
            let all = op.operands().map(of).collect();
            return Access { reads: Vec::new(), writes: all, order: Order::Barrier };
        };
        let writes: Vec<ValueId> = call.outputs().into_iter().map(of).collect();
        let is_param = |it: &ValueId| function.body.root.params.first() == Some(it);
        let is_known = unit.functions.iter().any(|it| it.name == call.kernel().0);
        let order = match is_known {
            false => Order::Barrier,
            true if call.faults() || writes.iter().any(is_param) => Order::Chained,
            true => Order::Free,
        };
        Access { reads: call.inputs().into_iter().map(of).collect(), writes, order }
    }
}

/// Who touched what so far.
#[derive(Default)]
struct Hazards {
    /// For each memory the last node that wrote it, and those that have read it since.
    last: indexmap::IndexMap<ValueId, (Option<usize>, Vec<usize>), rustc_hash::FxBuildHasher>,
    chained: Option<usize>,
    barrier: Option<usize>,
    /// Nodes since the last barrier.
    since: Vec<usize>,
}

impl Hazards {
    /// The nodes that must come before the next one, `node`.
    fn add(&mut self, node: usize, access: &Access) -> Vec<usize> {
        let mut res: Vec<usize> = self.barrier.into_iter().collect();
        for it in &access.reads {
            let (writer, readers) = self.last.entry(*it).or_default();
            res.extend(*writer);
            readers.push(node);
        }
        for it in &access.writes {
            let (writer, readers) = self.last.entry(*it).or_default();
            res.extend(*writer);
            res.append(readers);
            *writer = Some(node);
        }
        if access.order != Order::Free {
            res.extend(self.chained);
            self.chained = Some(node);
        }
        if access.order == Order::Barrier {
            res.append(&mut self.since);
            self.barrier = Some(node);
        } else {
            self.since.push(node);
        }
        res.retain(|it| *it != node);
        res.sort_unstable();
        res.dedup();
        res
    }
}
