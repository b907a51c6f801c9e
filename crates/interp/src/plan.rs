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

#[cfg(test)]
mod tests {
    use ir::{Builder, DType, Effects, OpDef, OpRef, Type};

    use super::*;

    static LOOP: OpDef = OpDef::new(
        "t.loop",
        "",
        &[ir::OperandDef { name: "xs", kind: ir::OperandKind::Many }],
        &[],
        |_| Ok(vec![Type::Scalar(DType::I64)]),
        Effects::Pure,
    );

    #[test]
    fn a_value_dies_after_its_last_reader_in_its_own_region() {
        let facts = sym::Facts::default();
        let mut builder = Builder::new(&facts);
        let make = |builder: &mut Builder<'_>, xs: &[ValueId]| {
            builder.push1(OpRef(&LOOP), [xs.into()], Vec::new()).unwrap()
        };
        let a = make(&mut builder, &[]);
        let b = make(&mut builder, &[a, a]);
        builder.begin_region();
        let param = builder.param(Type::Scalar(DType::I64));
        let inner = make(&mut builder, &[a, param]);
        let last = make(&mut builder, &[inner, b]);
        builder.end_region(vec![last, b]);
        let c = make(&mut builder, &[]);
        let unread = make(&mut builder, &[]);
        let body = builder.finish(vec![c]);

        let plan = plan(&body);
        let dead: Vec<_> = plan.ops.iter().map(|it| it.dead.clone()).collect();
        assert_eq!(dead, [vec![], vec![], vec![a, b], vec![unread]]);
        assert_eq!(plan.yielded, [c]);
        let region = &plan.ops[2].regions[0];
        let dead: Vec<_> = region.ops.iter().map(|it| it.dead.clone()).collect();
        assert_eq!(dead, [vec![param], vec![inner]]);
        assert_eq!(region.yielded, [last]);
    }
}
