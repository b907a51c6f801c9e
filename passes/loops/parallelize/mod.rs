//! Parallelization: how many of a kernel's outer axes are shared among threads, and from what
//! size on.
//!
//! Points of a kernel's space write different elements, so any number of its axes may be shared.
//! The fewest that give every thread enough to do are taken: fewer, longer runs.

use diag::Diag;
use ir::{AttrTy, Body, Op, View};
use loops::{Kernel, PARALLEL_WORK};
use pass::{PassCx, PassDef, Unit};
use sym::{Answer, Expr, Facts};

use crate::accesses::axes_of;

/// The pass.
pub(crate) static PARALLELIZE: PassDef = PassDef::new(
    "parallelize",
    "share the outer axes of large kernels among threads",
    include_str!("README.md"),
    run,
);

/// Points to share per thread, so that a thread that is late holds up little.
const PIECES: i64 = 64;

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

fn kernel(body: &Body, op: &mut Op, facts: &Facts) {
    let it = Kernel(View::of(body, facts, op));
    let axes: Vec<(String, Expr)> = it.axes().into_iter().zip(it.extents()).collect();
    if axes.is_empty() {
        return;
    }
    let vector = it.vector();
    let work = work(body, op, facts);
    let limit = Expr::int(PARALLEL_WORK);
    if sym::less_equal(&limit, &work, facts) == Answer::Refuted {
        return;
    }
    let steps = |(axis, extent): &(String, Expr)| match Some(axis) == vector.as_ref() {
        true => extent.ceil_div(&Expr::int(loops::PANEL)),
        false => extent.clone(),
    };
    let mut taken = 0;
    let mut pieces = Expr::int(1);
    for axis in &axes {
        taken += 1;
        pieces = pieces * steps(axis);
        if sym::less_equal(&Expr::int(PIECES), &pieces, facts) == Answer::Proven {
            break;
        }
    }
    op.set_attr("parallel", (taken as i64).to_attr());
    if sym::less_equal(&limit, &work, facts) != Answer::Proven {
        op.set_attr("work", work.to_attr());
    }
}

/// Elements that a kernel computes: its points times the points of the longest loop inside.
fn work(body: &Body, op: &Op, facts: &Facts) -> Expr {
    let own = axes_of(body, op).unwrap_or_default();
    let points = own.iter().fold(Expr::int(1), |p, it| p * it.1.clone());
    let mut inside = Expr::int(0);
    for it in op.regions.iter().flat_map(|it| &it.ops) {
        if axes_of(body, it).is_some() {
            inside = inside + work(body, it, facts);
        }
    }
    let per_point = if inside == Expr::int(0) { Expr::int(1) } else { inside };
    sym::simplify(&(points * per_point), facts)
}
