//! How long a kernel's code gets.
//!
//! What is computed where it is read is computed once for each place at which it is read: a chain
//! of `k` updates, each of which writes a slice of what the one before made (a circular padding,
//! say), reads its first value at up to `2^k` places. The host compiler's time grows faster than
//! the code it is given, so such a chain is cut: some value on the way gets memory.

use ir::ValueId;
use rustc_hash::{FxHashMap, FxHashSet};
use tensor::{Concat, Pad, SliceUpdate};

use super::{graph::Graph, plan::Plan};

/// Ops in the code of one stored value from which on values read at several places get memory.
const MAX_REPEATED: usize = 160;
/// Beyond this nobody counts.
const MAX_COUNTED: usize = 1 << 14;

/// A value read at the place that a path of movements leads to.
type Visit = (ValueId, u64);

/// The code of one stored value.
struct Code {
    /// Its length, in ops; a condition on a place is one for each dimension.
    length: usize,
    /// At how many places each value is read.
    places: FxHashMap<ValueId, usize>,
}

/// How many ops the code of `value` has, whose operands are stored or computed there.
pub(super) fn length(graph: &Graph<'_>, plan: &Plan, value: ValueId) -> usize {
    code(graph, plan, value).length
}

fn code(graph: &Graph<'_>, plan: &Plan, root: ValueId) -> Code {
    let mut res = Code { length: 0, places: FxHashMap::default() };
    let mut seen: FxHashSet<Visit> = FxHashSet::default();
    let mut work: Vec<Visit> = vec![(root, 0)];
    while let Some((value, path)) = work.pop() {
        if MAX_COUNTED <= res.length || !seen.insert((value, path)) {
            continue;
        }
        res.length += 1;
        *res.places.entry(value).or_default() += 1;
        let Some(index) = graph.maker_index(value) else { continue };
        if value != root && plan.is_stored(value) {
            continue;
        }
        let op = &graph.function.body.ops()[index];
        let view = graph.view(op);
        // Another place for each operand that is not read at the op's own.
        let moved = |i: usize| path.rotate_left(7) ^ hash(index, i);
        let rank = graph.shape(value).len();
        if let Some(it) = SliceUpdate::of(view) {
            res.length += 2 * rank;
            work.extend([(it.x(), path), (it.update(), moved(0))]);
        } else if Pad::of(view).is_some() || Concat::of(view).is_some() {
            res.length += 2 * rank;
            work.extend(op.operands().enumerate().map(|(i, it)| (it, moved(i))));
        } else if op.def.0.scalar.is_some() || op.def.0.name == "tensor.cast" {
            work.extend(op.operands().map(|it| (it, path)));
        } else {
            work.extend(op.operands().map(|it| (it, moved(0))));
        }
    }
    res
}

/// A number of the operand `i` of op `index`, well mixed.
fn hash(index: usize, i: usize) -> u64 {
    let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i as u64 + 1);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Gives memory to what long code computes at several places, until none is left.
pub(super) fn store_repeated(graph: &Graph<'_>, plan: &mut Plan) {
    let all = graph.function.body.ops().iter().flat_map(|it| it.results());
    let mut roots: Vec<ValueId> = all.filter(|it| plan.is_stored(*it)).collect();
    roots.reverse();
    while let Some(root) = roots.pop() {
        let code = code(graph, plan, root);
        if let Some(value) = worst(graph, plan, root, &code) {
            plan.mark_stored(value);
            roots.extend([root, value]);
        }
    }
}

/// The value whose memory would shorten the code the most, where the code is too long and some
/// value would.
fn worst(graph: &Graph<'_>, plan: &Plan, root: ValueId, code: &Code) -> Option<ValueId> {
    if code.length <= MAX_REPEATED {
        return None;
    }
    let saved = |value: ValueId, places: usize| {
        let own = length(graph, plan, value);
        (places * own.saturating_sub(1)).saturating_sub(own)
    };
    code.places
        .iter()
        .filter(|(value, places)| **value != root && 1 < **places && !plan.is_stored(**value))
        .filter(|(value, _)| graph.maker(**value).is_some_and(|it| !graph.is_movement(it)))
        .map(|(value, places)| (saved(*value, *places), *value))
        .filter(|(saved, _)| MAX_REPEATED / 4 <= *saved)
        .max()
        .map(|it| it.1)
}
