//! What gets memory, and what is computed together.
//!
//! 1. *Stored* are parameters, results, what only a kernel of its own can compute (reductions,
//!    products, …), what such a kernel reads as a whole, and what several kernels read and is not
//!    cheap to compute again. All else is computed where it is read.
//! 2. A product or convolution takes the element-wise work after it as its *epilogue*, up to the
//!    last value through which everything flows that it feeds.
//! 3. The other stored values form *groups*, one kernel each. A value joins the group it reads from
//!    if it reads only what the same *row* has computed; a reduction's rows are its kept dimensions.

use ir::{DType, Op, ValueId};
use rustc_hash::FxHashSet;
use sym::{Answer, Expr};
use tensor::{
    ArgReduce, Attention, Concat, Contract, Conv, Gather, Index, Linalg, Reduce, SliceUpdate, Sort,
};

use super::{
    control::is_statement,
    graph::Graph,
    index::{Access, accesses, read_access},
    length,
};

/// Members of one kernel beyond which no more join: compile time grows with a function's length.
const MAX_MEMBERS: usize = 12;
/// Ops in the code of one kernel beyond which no value joins, for the same reason.
const MAX_LENGTH: usize = 400;
/// Fewer rows than this leave a machine idle; long rows then want a kernel of their own.
const MIN_ROWS: i64 = 16;
/// The longest row that may go with few rows.
const MAX_LONE_ROW: i64 = 4096;
/// Weight of one function beyond which computing a value twice costs more than storing it.
const RECOMPUTE_LIMIT: u32 = 8;

/// The dimensions a member runs over: its own, or for a reduction its operand's.
pub(super) struct Member {
    pub value: ValueId,
    /// For each row axis the dimension of the member's space it runs along.
    pub row_dims: Vec<usize>,
}

/// Stored values computed by one kernel.
pub(super) struct Group {
    pub members: Vec<Member>,
    /// Extents of the row axes; none is the constant 1.
    pub rows: Vec<Expr>,
    /// Whether a member is a reduction over part of its space.
    reduces: bool,
    /// Ops in its members' code.
    length: usize,
}

/// What the lowered function consists of, in order.
pub(super) enum Item {
    Group(Group),
    /// A product or convolution and the value its epilogue stores.
    Structured {
        value: ValueId,
        root: ValueId,
    },
    /// Anything that is its own kernel: attention, sort, scan, scatter.
    Single(ValueId),
    /// What stands between kernels: the op of that index.
    Statement(usize),
}

impl Item {
    /// The index of the last op it computes.
    fn position(&self, graph: &Graph<'_>) -> usize {
        let at = |it: ValueId| graph.maker_index(it).unwrap_or(0);
        match self {
            Item::Group(it) => it.members.iter().map(|it| at(it.value)).max().unwrap_or(0),
            Item::Structured { value: _, root } => at(*root),
            Item::Single(it) => at(*it),
            Item::Statement(index) => *index,
        }
    }
}

pub(super) struct Plan {
    stored: Vec<bool>,
    pub items: Vec<Item>,
}

impl Plan {
    pub(super) fn is_stored(&self, value: ValueId) -> bool {
        self.stored[value.index()]
    }

    pub(super) fn mark_stored(&mut self, value: ValueId) {
        self.stored[value.index()] = true;
    }

    pub(super) fn new(graph: &Graph<'_>) -> Plan {
        let mut plan = Plan { stored: initially_stored(graph), items: Vec::new() };
        plan.store_shared(graph);
        length::store_repeated(graph, &mut plan);
        let structured = plan.epilogues(graph);
        plan.group(graph, structured);
        plan.items.sort_by_key(|it| it.position(graph));
        plan
    }

    /// Stores what several kernels would compute again at some cost.
    fn store_shared(&mut self, graph: &Graph<'_>) {
        let ops = graph.function.body.ops();
        let mut marked: Vec<ValueId> = Vec::new();
        // From the last op to the first, the kernels whose code would contain each value.
        let mut roots: Vec<Vec<ValueId>> = vec![Vec::new(); graph.function.body.types.len()];
        for op in ops.iter().rev() {
            for value in op.results() {
                let mut all: Vec<ValueId> = Vec::new();
                for reader in graph.readers(value) {
                    for result in ops[*reader].results() {
                        match self.is_stored(result) {
                            true => all.push(result),
                            false => all.extend(&roots[result.index()]),
                        }
                    }
                }
                all.sort_unstable();
                all.dedup();
                if 1 < all.len() && !self.is_stored(value) && self.is_costly(graph, value) {
                    self.mark_stored(value);
                    marked.push(value);
                }
                roots[value.index()] = all;
            }
        }
        // What a value was costly for may have memory by now: a row's values less their mean are
        // cheap where the row is stored.
        for value in marked.into_iter().rev() {
            self.stored[value.index()] = false;
            self.stored[value.index()] = self.is_costly(graph, value);
        }
    }

    /// Whether computing the value again costs more than keeping it.
    fn is_costly(&self, graph: &Graph<'_>, value: ValueId) -> bool {
        let (mut weight, mut large) = (0, 0);
        self.weigh(graph, value, graph.shape(value), &mut weight, &mut large);
        let is_arithmetic = graph.maker(value).is_some_and(|it| !graph.is_movement(it));
        is_arithmetic && (RECOMPUTE_LIMIT <= weight || 2 <= large)
    }

    /// Adds up the weight of functions and counts reads of operands as large as the value.
    fn weigh(
        &self,
        graph: &Graph<'_>,
        value: ValueId,
        whole: &[Expr],
        weight: &mut u32,
        large: &mut u32,
    ) {
        let Some(op) = graph.maker(value) else { return };
        if RECOMPUTE_LIMIT <= *weight {
            return;
        }
        *weight += op_weight(op);
        for x in op.operands() {
            if self.is_stored(x) {
                let count = |it: &[Expr]| it.iter().fold(Expr::int(1), |p, it| p * it.clone());
                *large += u32::from(count(graph.shape(x)) == count(whole));
            } else {
                self.weigh(graph, x, whole, weight, large);
            }
        }
    }

    /// Finds the structured kernels and how far their epilogues reach.
    fn epilogues(&mut self, graph: &Graph<'_>) -> Vec<(ValueId, ValueId)> {
        let mut res = Vec::new();
        // What some product's epilogue computes: two products that meet are one epilogue, the
        // first one's, and the other is stored before they meet.
        let mut claimed = vec![false; graph.function.body.types.len()];
        for op in graph.function.body.ops() {
            if !is_structured(graph, op) {
                continue;
            }
            let value = op.result();
            let (root, inside) = self.epilogue_root(graph, value, &claimed);
            inside.iter().for_each(|it| claimed[it.index()] = true);
            if root != value {
                self.stored[value.index()] = false;
                self.stored[root.index()] = true;
            }
            res.push((value, root));
        }
        res
    }

    /// The last value through which everything flows that `value` feeds, as long as each of its
    /// elements belongs to one element of `value`; and all values up to that one.
    fn epilogue_root(
        &self,
        graph: &Graph<'_>,
        value: ValueId,
        claimed: &[bool],
    ) -> (ValueId, Vec<ValueId>) {
        let ops = graph.function.body.ops();
        let mut fed = vec![value];
        let mut best = (value, 1);
        let Some(start) = graph.maker_index(value) else { return (value, fed) };
        if graph.returned[value.index()] {
            return (value, fed);
        }
        for (i, op) in ops.iter().enumerate().skip(start + 1) {
            if !op.operands().any(|it| fed.contains(&it)) {
                continue;
            }
            let elementwise = op.def.0.scalar.is_some()
                || matches!(op.def.0.name, "tensor.cast" | "tensor.permute" | "tensor.reshape");
            let taken = op.results().any(|it| claimed[it.index()]);
            if !elementwise || taken || self.reads_unready(graph, op, &fed, start) {
                break;
            }
            let result = op.result();
            fed.push(result);
            // All else that is fed must have been read by now, and only by what is fed.
            let inside = |it: &ValueId| {
                *it == result
                    || (!graph.returned[it.index()]
                        && graph
                            .readers(*it)
                            .iter()
                            .all(|r| *r <= i && ops[*r].results().all(|it| fed.contains(&it))))
            };
            if fed.iter().all(inside) {
                best = (result, fed.len());
            }
            if self.is_stored(result) {
                break;
            }
        }
        fed.truncate(best.1);
        (best.0, fed)
    }

    /// Whether the op reads something besides `fed` that an epilogue cannot: nothing does today,
    /// as the kernel runs where its root stood; but its own operands may not depend on `fed`
    /// through memory.
    fn reads_unready(&self, graph: &Graph<'_>, op: &Op, fed: &[ValueId], start: usize) -> bool {
        let mut reads = Vec::new();
        for x in op.operands().filter(|it| !fed.contains(it)) {
            self.stored_reads(graph, x, &mut reads);
        }
        // A stored value made after the product may have been computed from it.
        reads.iter().any(|it| {
            graph.maker_index(*it).is_some_and(|at| start < at)
                && self.depends(graph, *it, fed, start)
        })
    }

    /// Whether `value` depends on one of `on`; nothing before op `start` does.
    fn depends(&self, graph: &Graph<'_>, value: ValueId, on: &[ValueId], start: usize) -> bool {
        let mut seen = vec![false; graph.function.body.types.len()];
        let mut work = vec![value];
        while let Some(it) = work.pop() {
            if on.contains(&it) {
                return true;
            }
            if std::mem::replace(&mut seen[it.index()], true) {
                continue;
            }
            if let Some(at) = graph.maker_index(it).filter(|at| start < *at) {
                work.extend(graph.function.body.ops()[at].operands());
            }
        }
        false
    }

    /// The stored values that reading `value` reads.
    pub(super) fn stored_reads(&self, graph: &Graph<'_>, value: ValueId, out: &mut Vec<ValueId>) {
        let mut seen = FxHashSet::default();
        let mut work = vec![value];
        while let Some(it) = work.pop() {
            if !seen.insert(it) {
                continue;
            }
            if self.is_stored(it) {
                out.push(it);
            } else if let Some(op) = graph.maker(it) {
                let operands: Vec<ValueId> = op.operands().collect();
                work.extend(operands.into_iter().rev());
            }
        }
    }

    fn group(&mut self, graph: &Graph<'_>, structured: Vec<(ValueId, ValueId)>) {
        let mut groups: Vec<Group> = Vec::new();
        let mut items = Vec::new();
        // What each stored value made so far reads.
        let mut reads: Vec<(ValueId, Vec<ValueId>)> = Vec::new();
        for (index, op) in graph.function.body.ops().iter().enumerate() {
            let mut own = Vec::new();
            op.operands().for_each(|it| self.stored_reads(graph, it, &mut own));
            own.sort_unstable();
            own.dedup();
            if is_statement(op) {
                items.push(Item::Statement(index));
                reads.push((op.first_result, own));
                continue;
            }
            for value in op.results() {
                if !self.is_stored(value) {
                    continue;
                }
                if let Some((value, root)) = structured.iter().find(|it| it.1 == value) {
                    items.push(Item::Structured { value: *value, root: *root });
                } else if is_single(graph, op) {
                    if value == op.result() {
                        items.push(Item::Single(value));
                    }
                } else {
                    self.join_or_found(graph, op, value, &own, &reads, &mut groups);
                }
                reads.push((value, own.clone()));
            }
        }
        items.extend(groups.into_iter().map(Item::Group));
        self.items = items;
    }

    /// Puts the value into the latest group it reads from, or into one of its own.
    fn join_or_found<'g>(
        &self,
        graph: &Graph<'g>,
        op: &'g Op,
        value: ValueId,
        own: &[ValueId],
        reads: &[(ValueId, Vec<ValueId>)],
        groups: &mut Vec<Group>,
    ) {
        let space = Space::new(graph, self, op, value);
        let length = length::length(graph, self, value);
        let latest = groups.iter_mut().rev().find(|it| {
            own.iter().any(|read| it.members.iter().any(|member| member.value == *read))
        });
        if let Some(group) = latest
            && group.members.len() < MAX_MEMBERS
            && group.length + length <= MAX_LENGTH
            && !is_overtaken(group, reads)
            && join(graph, group, &space)
        {
            group.length += length;
            return;
        }
        let one = Expr::int(1);
        // The parts of a concatenation are loops of their own along its dimension.
        let joined = Concat::of(graph.view(op)).map(|it| it.dim() as usize);
        let row_dims: Vec<usize> =
            space.kept().filter(|it| space.shape[*it] != one && Some(*it) != joined).collect();
        let rows = row_dims.iter().map(|it| space.shape[*it].clone()).collect();
        groups.push(Group {
            members: vec![Member { value, row_dims }],
            rows,
            reduces: space.is_reduction(),
            length,
        });
    }
}

/// Whether something outside the group that was made since reads from it: then the group cannot
/// be moved down to take in one more.
fn is_overtaken(group: &Group, reads: &[(ValueId, Vec<ValueId>)]) -> bool {
    let is_member = |it: &ValueId| group.members.iter().any(|member| member.value == *it);
    reads.iter().any(|(value, own)| !is_member(value) && own.iter().any(is_member))
}

/// What a value is computed over.
pub(super) struct Space {
    value: ValueId,
    /// Sizes of the dimensions run over.
    pub shape: Vec<Expr>,
    /// Those of them that the value lacks.
    pub reduced: Vec<usize>,
    reads: Vec<Access>,
}

/// The name of a dimension of a space while a plan is made.
fn axis(i: usize) -> Expr {
    Expr::sym(&format!("a{i}"))
}

impl Space {
    fn new(graph: &Graph<'_>, plan: &Plan, op: &Op, value: ValueId) -> Space {
        let (over, reduced) = reduction(graph, op, value);
        let shape = graph.shape(over).to_vec();
        let at: Vec<Expr> = (0..shape.len()).map(axis).collect();
        let axes: Vec<(String, Expr)> =
            shape.iter().enumerate().map(|(i, it)| (format!("a{i}"), it.clone())).collect();
        let facts = loops::axis_facts(graph.facts, &axes);
        let mut reads = Vec::new();
        match over == value {
            true => accesses(graph, plan, value, &at, &facts, &mut reads),
            false => read_access(graph, plan, over, &at, &facts, &mut reads),
        }
        if over == value {
            // What a window, product or gather reads is not read at the value's own place.
            if op.def.0.scalar.is_none() && reads.is_empty() {
                let mut all = Vec::new();
                op.operands().for_each(|it| plan.stored_reads(graph, it, &mut all));
                reads = all
                    .into_iter()
                    .map(|value| Access { value, at: vec![None; graph.shape(value).len()] })
                    .collect();
            }
        }
        Space { value, shape, reduced, reads }
    }

    fn kept(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.shape.len()).filter(|it| !self.reduced.contains(it))
    }

    fn is_reduction(&self) -> bool {
        !self.reduced.is_empty()
    }
}

/// The value a member runs over, and the dimensions of it that are reduced away.
pub(super) fn reduction(graph: &Graph<'_>, op: &Op, value: ValueId) -> (ValueId, Vec<usize>) {
    let view = ir::View::of(&graph.function.body, graph.facts, op);
    if let Some(it) = Reduce::of(view) {
        return (it.x(), it.dims().iter().map(|it| *it as usize).collect());
    }
    if let Some(it) = ArgReduce::of(view) {
        return (it.x(), vec![it.dim() as usize]);
    }
    (value, Vec::new())
}

/// For a member, the dimension of its value that row axis `row` runs along.
fn value_dim(graph: &Graph<'_>, member: &Member, row: usize) -> usize {
    let reduced = match graph.maker(member.value) {
        Some(op) => reduction(graph, op, member.value).1,
        None => Vec::new(),
    };
    let dim = member.row_dims[row];
    dim - reduced.iter().filter(|it| **it < dim).count()
}

/// Adds a value to a group if everything it reads from the group is in its own row.
fn join(graph: &Graph<'_>, group: &mut Group, space: &Space) -> bool {
    let mut dims: Vec<Option<usize>> = vec![None; group.rows.len()];
    for read in &space.reads {
        let Some(member) = group.members.iter().find(|it| it.value == read.value) else { continue };
        // What is read at a place that the program computes is in memory before the kernel runs.
        if read.at.contains(&None) {
            return false;
        }
        for (row, slot) in dims.iter_mut().enumerate() {
            let index = read.at[value_dim(graph, member, row)].as_ref();
            let dim = (0..space.shape.len()).find(|it| index == Some(&axis(*it)));
            match (dim, *slot) {
                (Some(dim), None) => *slot = Some(dim),
                (Some(dim), Some(known)) if dim == known => (),
                _ => return false,
            }
        }
    }
    let Some(dims) = dims.into_iter().collect::<Option<Vec<usize>>>() else { return false };
    let one = Expr::int(1);
    let same = |a: &Expr, b: &Expr| sym::equal(a, b, graph.facts) == Answer::Proven;
    if (0..dims.len()).any(|row| !same(&space.shape[dims[row]], &group.rows[row])) {
        return false;
    }
    let covers =
        |rows: &[usize]| space.kept().all(|it| space.shape[it] == one || rows.contains(&it));
    if !space.is_reduction() {
        // Work of a row's own length beside element-wise rows would leave those without lanes.
        if !group.reduces && !covers(&dims) {
            return false;
        }
        group.members.push(Member { value: space.value, row_dims: dims });
        return true;
    }
    let keep: Vec<usize> =
        (0..dims.len()).filter(|it| !space.reduced.contains(&dims[*it])).collect();
    let row_dims: Vec<usize> = keep.iter().map(|it| dims[*it]).collect();
    if !covers(&row_dims) {
        return false;
    }
    if keep.len() < dims.len() {
        if group.reduces {
            return false;
        }
        let known = |it: Vec<&Expr>| {
            it.iter().try_fold(1_i64, |p, it| it.as_int().map(|it| p.saturating_mul(it)))
        };
        let rows = known(keep.iter().map(|it| &group.rows[*it]).collect());
        let row = known(space.reduced.iter().map(|it| &space.shape[*it]).collect());
        if rows.is_some_and(|it| it < MIN_ROWS) && row.is_none_or(|it| MAX_LONE_ROW < it) {
            return false;
        }
        group.rows = keep.iter().map(|it| group.rows[*it].clone()).collect();
        for member in &mut group.members {
            member.row_dims = keep.iter().map(|it| member.row_dims[*it]).collect();
        }
    }
    group.reduces = true;
    group.members.push(Member { value: space.value, row_dims });
    true
}

/// The weight of computing one element of an op's result, in additions.
fn op_weight(op: &Op) -> u32 {
    use ir::scalar::ScalarFn as F;
    match op.def.0.scalar {
        Some(F::Add | F::Sub | F::Mul | F::Neg | F::Abs | F::Min | F::Max | F::Select) => 1,
        Some(
            F::Div | F::Sqrt | F::Rsqrt | F::Reciprocal | F::FloorDiv | F::Rem | F::Fmod | F::Gcd,
        ) => 4,
        Some(it) if it.result(&[DType::F32]).is_ok() && !it.commutes() && it.arity() == 1 => 8,
        Some(_) => 2,
        None if matches!(op.def.0.name, "tensor.index" | "tensor.gather") => 4,
        None => 0,
    }
}

/// Whether the op's kernel is written by hand and takes an epilogue.
pub(super) fn is_structured(graph: &Graph<'_>, op: &Op) -> bool {
    let view = graph.view(op);
    let f32_operands = || op.operands().all(|it| graph.dtype(it) == DType::F32);
    if let Some(it) = Contract::of(view) {
        return !it.lhs_contract().is_empty() && f32_operands();
    }
    if let Some(it) = Conv::of(view) {
        let fixed = |it: Vec<Expr>| it.iter().all(|it| it.as_int().is_some());
        let rank = graph.shape(it.x()).len();
        let known = graph.function.body.ty(it.w()).as_tensor().and_then(|it| it.static_shape());
        return rank <= 4
            && f32_operands()
            && fixed(it.low())
            && fixed(it.high())
            && known.is_some();
    }
    false
}

/// Whether the op is a kernel by itself that nothing joins.
fn is_single(graph: &Graph<'_>, op: &Op) -> bool {
    let updated = SliceUpdate::of(graph.view(op)).map(|it| it.x());
    if updated.is_some_and(|it| graph.written_param(it).is_some()) {
        return true;
    }
    matches!(
        op.def.0.name,
        "tensor.attention"
            | "tensor.nonzero"
            | "tensor.sort"
            | "tensor.linalg"
            | "tensor.scan"
            | "tensor.scatter"
            | "tensor.index_update"
    )
}

/// What must be stored whatever the cost.
fn initially_stored(graph: &Graph<'_>) -> Vec<bool> {
    let body = &graph.function.body;
    let mut stored = graph.returned.clone();
    body.root.params.iter().for_each(|it| stored[it.index()] = true);
    for op in body.ops() {
        let view = graph.view(op);
        let own_kernel = is_single(graph, op)
            || matches!(
                op.def.0.name,
                "tensor.reduce"
                    | "tensor.arg_reduce"
                    | "tensor.reduce_window"
                    | "tensor.arg_window"
                    | "tensor.contract"
                    | "tensor.conv"
                    | "tensor.complex"
            );
        if own_kernel {
            op.results().for_each(|it| stored[it.index()] = true);
        }
        let mut whole: Vec<ValueId> = Vec::new();
        if is_statement(op) {
            op.results().for_each(|it| stored[it.index()] = true);
            whole.extend(op.operands());
        }
        if let Some(it) = Index::of(view) {
            whole.push(it.x());
        } else if let Some(it) = Gather::of(view) {
            whole.push(it.x());
        } else if matches!(op.def.0.name, "tensor.real" | "tensor.imag") {
            whole.push(view.operand("x"));
        } else if let Some(it) = Sort::of(view) {
            whole.push(it.x());
        } else if let Some(it) = Linalg::of(view) {
            whole.extend(it.xs());
        } else if let Some(it) = Attention::of(view) {
            whole.extend([it.q(), it.k(), it.v()].map(|it| base(graph, it)));
            whole.extend(it.mask().map(|it| base(graph, it)));
        } else if let Some(it) = Contract::of(view).filter(|_| is_structured(graph, op)) {
            let narrow = |value| {
                let wide = base(graph, value);
                graph.narrow(wide).map_or(wide, |it| base(graph, it))
            };
            whole.push(narrow(it.lhs()));
            whole.push(if graph.packs(it) { base(graph, it.rhs()) } else { narrow(it.rhs()) });
        } else if is_structured(graph, op) {
            whole.extend(op.operands().map(|it| base(graph, it)));
        }
        whole.into_iter().for_each(|it| stored[it.index()] = true);
    }
    stored
}

/// The value that movements lead back to.
fn base(graph: &Graph<'_>, mut value: ValueId) -> ValueId {
    while let Some(op) = graph.maker(value).filter(|it| graph.is_movement(it)) {
        value = op.args[0].values().next().unwrap_or(value);
    }
    value
}
