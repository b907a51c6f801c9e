//! Vectorization: which axis of each loop nest runs in lanes.
//!
//! An outer axis is taken if along it everything lies side by side or stays put: then inner loops
//! and reductions run in every lane by themselves and no sum crosses lanes. Otherwise each inner
//! loop gets an axis of its own, the one along which most lies side by side.

use diag::Diag;
use ir::{AttrTy, Body, Op};
use loops::{Lane, block_access};
use pass::{PassCx, PassDef, Unit};
use sym::{Expr, Facts};

use crate::accesses::{Access, axes_of, uses};

/// The pass.
pub(crate) static VECTORIZE: PassDef = PassDef {
    tolerance: Some(1e-5),
    ..PassDef::new(
        "vectorize",
        "choose the axis of each loop that runs in lanes",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, _cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| {
        let mut res = function.clone();
        for op in &mut res.body.root.ops {
            if op.def.0.name == "loops.kernel" {
                kernel(&function.body, op, &function.facts);
            }
        }
        Ok(res)
    })
}

/// Along one axis: how many places lie side by side, and how many jump.
#[derive(Clone, Copy, Default)]
struct Score {
    side_by_side: i64,
    jumps: i64,
}

fn score(axis: &str, accesses: &[Access]) -> Score {
    let mut res = Score::default();
    for it in accesses {
        let weight = if it.is_store { 2 } else { 1 };
        match block_access(&it.offset, axis, loops::PANEL, &it.facts) {
            _ if it.varies_with.contains(axis) => res.jumps += weight,
            Lane::Uniform => (),
            Lane::Contiguous => res.side_by_side += weight,
            Lane::Strided(_) | Lane::Gather => res.jumps += weight,
        }
    }
    res
}

fn kernel(body: &Body, op: &mut Op, facts: &Facts) {
    let Some(axes) = axes_of(body, op) else { return };
    let inner = loops::axis_facts(facts, &axes);
    let used = uses(body, &op.regions[0], &inner);
    let has_loops = op.regions[0].ops.iter().any(|it| axes_of(body, it).is_some());
    let ordered = used.accesses.iter().any(|it| it.is_store && it.is_dynamic);
    if !ordered && let Some(axis) = best(&axes, &used.accesses, !has_loops) {
        op.set_attr("vector", axis.to_attr());
        return;
    }
    for inner_op in &mut op.regions[0].ops {
        inner_loop(body, inner_op, &inner);
    }
}

fn inner_loop(body: &Body, op: &mut Op, facts: &Facts) {
    let Some(axes) = axes_of(body, op) else { return };
    let inner = loops::axis_facts(facts, &axes);
    if op.def.0.name != "loops.fold" {
        let used = uses(body, &op.regions[0], &inner);
        let ordered = used.accesses.iter().any(|it| it.is_store && it.is_dynamic);
        if !ordered && let Some(axis) = best(&axes, &used.accesses, true) {
            op.set_attr("vector", axis.to_attr());
            return;
        }
    }
    for inner_op in &mut op.regions[0].ops {
        inner_loop(body, inner_op, &inner);
    }
}

/// The axis to run in lanes. Where jumps are not admitted there must be none.
fn best(axes: &[(String, Expr)], accesses: &[Access], admit_jumps: bool) -> Option<String> {
    let short = |it: &Expr| it.as_int().is_some_and(|it| it < 2);
    let long = |it: &Expr| it.as_int().is_none_or(|it| loops::PANEL <= it);
    let scored = axes.iter().filter(|it| !short(&it.1)).map(|it| (it, score(&it.0, accesses)));
    let admitted = scored
        .filter(|(_, score)| 0 < score.side_by_side && (admit_jumps || score.jumps == 0))
        // Enough to fill a vector counts more than a place more or less; then the innermost.
        .max_by_key(|(axis, score)| (long(&axis.1), score.side_by_side - score.jumps));
    match admitted {
        Some((axis, _)) => Some(axis.0.clone()),
        // Arithmetic alone is worth lanes even if every place jumps.
        None if admit_jumps => axes.iter().rev().find(|it| !short(&it.1)).map(|it| it.0.clone()),
        None => None,
    }
}
