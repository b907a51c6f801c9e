//! When values are read for the last time.

use ir::{Body, Op, Region, ValueId};

/// What may be dropped while a region runs.
pub(crate) struct RegionPlan {
    /// For each op of the region, in order.
    pub(crate) ops: Vec<OpPlan>,
    /// The region's own values among its yields.
    pub(crate) yielded: Vec<ValueId>,
}

/// What may be dropped after an op.
pub(crate) struct OpPlan {
    /// Values of the region that nobody reads later.
    pub(crate) dead: Vec<ValueId>,
    /// The op's own regions.
    pub(crate) regions: Vec<RegionPlan>,
}

/// The plan of a body. A region drops only what it made itself: it may run again.
pub(crate) fn plan(body: &Body) -> RegionPlan {
    let mut state = vec![State::Elsewhere; body.types.len()];
    region(&body.root, &mut state)
}

/// What is known of a value while its region is walked from the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not made by the region.
    Elsewhere,
    /// Made by the region, and not read by what was walked so far.
    Unread,
    /// Made by the region, and read later.
    Read,
}

fn region(it: &Region, state: &mut [State]) -> RegionPlan {
    let mut set = |values: &mut dyn Iterator<Item = ValueId>, to: State| {
        values.for_each(|it| {
            if let Some(state) = state.get_mut(it.index()) {
                *state = to;
            }
        });
    };
    set(&mut it.params.iter().copied(), State::Unread);
    it.ops.iter().for_each(|op| set(&mut op.results(), State::Unread));
    let mut yielded = Vec::new();
    for value in &it.yields {
        if state.get(value.index()) == Some(&State::Unread) {
            state[value.index()] = State::Read;
            yielded.push(*value);
        }
    }
    let mut ops: Vec<OpPlan> = it.ops.iter().rev().map(|op| op_plan(op, state)).collect();
    ops.reverse();
    // Seen from outside, the values of a region that was walked are not there.
    for value in it.params.iter().copied().chain(it.ops.iter().flat_map(Op::results)) {
        if let Some(state) = state.get_mut(value.index()) {
            *state = State::Elsewhere;
        }
    }
    RegionPlan { ops, yielded }
}

fn op_plan(op: &Op, state: &mut [State]) -> OpPlan {
    let mut dead = Vec::new();
    let mut read = |value: ValueId| {
        if let Some(state) = state.get_mut(value.index())
            && *state == State::Unread
        {
            *state = State::Read;
            dead.push(value);
        }
    };
    op.results().for_each(&mut read);
    op.for_each_use(&mut read);
    if op.regions.is_empty() {
        return OpPlan { dead, regions: Vec::new() };
    }
    // A nested region sees the values of this one as made elsewhere.
    let mut inner = vec![State::Elsewhere; state.len()];
    let regions = op.regions.iter().map(|it| region(it, &mut inner)).collect();
    OpPlan { dead, regions }
}
