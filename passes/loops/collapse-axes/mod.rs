//! Collapsing of axes: two loops that run through memory as one become one.
//!
//! Why: a dense tensor of `[1, 64, 7, 7]` is one run of elements. A loop over the last 7 leaves
//! most lanes idle and starts anew 448 times; one loop over all does neither.

use diag::Diag;
use ir::{Attr, Function, Op, Region};
use pass::{PassCx, PassDef, Unit};
use sym::{Answer, Expr, Facts};

use crate::accesses::{Uses, axes_of, set_axes, uses};

/// The pass.
pub(crate) static COLLAPSE_AXES: PassDef = PassDef::new(
    "collapse-axes",
    "join loops that run through memory as one",
    include_str!("README.md"),
    run,
);

fn run(unit: &Unit, cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| {
        let mut res = function.clone();
        for i in 0..res.body.root.ops.len() {
            if res.body.root.ops[i].def.0.name == "loops.kernel" {
                let mut op = res.body.root.ops[i].clone();
                collapse(function, &mut op, &function.facts, cx);
                res.body.root.ops[i] = op;
            }
        }
        Ok(res)
    })
}

/// Joins axes of the op and of the loops inside it.
fn collapse(function: &Function, op: &mut Op, facts: &Facts, cx: &PassCx<'_>) {
    let Some(mut axes) = axes_of(&function.body, op) else { return };
    if op.def.0.name != "loops.fold" {
        let mut i = 0;
        while i + 1 < axes.len() {
            let inner = loops::axis_facts(facts, &axes);
            let used = uses(&function.body, &op.regions[0], &inner);
            if !joins(&axes[i], &axes[i + 1], &used, &inner) {
                i += 1;
                continue;
            }
            let (outer, outer_extent) = axes[i].clone();
            let (name, extent) = axes[i + 1].clone();
            axes[i] = (outer.clone(), outer_extent * extent.clone());
            axes.remove(i + 1);
            let inner = loops::axis_facts(facts, &axes);
            let joined = Expr::sym(&outer);
            let (high, low) = (joined.floor_div(&extent), joined.modulo(&extent));
            let replace = |it: &str| {
                if it == outer {
                    Some(high.clone())
                } else if it == name {
                    Some(low.clone())
                } else {
                    None
                }
            };
            rewrite(&mut op.regions[0], &replace, &inner);
            cx.count("axes joined", 1);
        }
        set_axes(op, &axes);
    }
    let inner = loops::axis_facts(facts, &axes);
    for region in &mut op.regions {
        for op in &mut region.ops {
            collapse(function, op, &inner, cx);
        }
    }
}

/// Whether every place moves on along `outer` by what a whole run along `inner` moves it.
fn joins(outer: &(String, Expr), inner: &(String, Expr), used: &Uses, facts: &Facts) -> bool {
    let fits = |it: &Expr, facts: &Facts| {
        if !it.mentions(&outer.0) && !it.mentions(&inner.0) {
            return true;
        }
        let (Some((step, rest)), Some((run, _))) = (it.linear_in(&outer.0), it.linear_in(&inner.0))
        else {
            return false;
        };
        !step.mentions(&inner.0)
            && !run.mentions(&outer.0)
            && !rest.mentions(&outer.0)
            && sym::equal(&step, &(run * inner.1.clone()), facts) == Answer::Proven
    };
    let _ = facts;
    used.accesses.iter().all(|it| fits(&it.offset, &it.facts))
        && used.indices.iter().all(|it| fits(&it.0, &it.1))
}

/// Replaces symbols in every attribute of a region.
fn rewrite(region: &mut Region, replace: &dyn Fn(&str) -> Option<Expr>, facts: &Facts) {
    for op in &mut region.ops {
        for attr in &mut op.attrs {
            *attr = rewritten(attr, replace, facts);
        }
        for inner in &mut op.regions {
            rewrite(inner, replace, facts);
        }
    }
}

fn rewritten(attr: &Attr, replace: &dyn Fn(&str) -> Option<Expr>, facts: &Facts) -> Attr {
    match attr {
        Attr::Size(it) => Attr::Size(sym::simplify(&it.subst(replace), facts)),
        Attr::List(it) => Attr::List(it.iter().map(|it| rewritten(it, replace, facts)).collect()),
        it => it.clone(),
    }
}
