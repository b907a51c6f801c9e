//! Marking: a body of control flow is told which operands are constants at every call.
//!
//! Why: a function is lowered without seeing those who call it. A product whose second factor is a
//! weight is done another way than one whose factors are both computed, and what depends on weights
//! alone is not worth computing at every call; in a body weights are operands like any other.

use std::collections::{BTreeMap, BTreeSet};

use diag::Diag;
use ir::{Effects, Function, ParamKind, View};
use pass::{PassCx, PassDef, Scope, Unit};

/// The pass.
pub(crate) static MARK_FIXED: PassDef = PassDef {
    scope: Scope::Program,
    ..PassDef::new(
        "mark-fixed",
        "mark the operands of bodies that are constants at every call",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    let mut order = pass::call_order(unit).map_err(|it| vec![it])?;
    // Callers first: what they are given as constants they may hand on as such.
    order.reverse();
    let mut functions = unit.functions.clone();
    // By function, the places that some call gives something else at.
    let mut others: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for at in order {
        let function = &mut functions[at];
        if let Some(others) = others.get(&function.name) {
            let given = function.params.iter_mut().filter(|it| it.kind.is_given()).enumerate();
            for (_, param) in given.filter(|it| !others.contains(&it.0)) {
                param.kind = ParamKind::Fixed;
                cx.count("operands marked", 1);
            }
        }
        note_calls(&functions[at], &mut others);
    }
    Ok(Unit { functions })
}

/// Notes which places of the functions that are called here get what is no constant.
fn note_calls(function: &Function, others: &mut BTreeMap<String, BTreeSet<usize>>) {
    let fixed = fixed(function);
    for op in function.body.ops() {
        let Some(calls) = op.def.0.calls else { continue };
        let view = View::of(&function.body, &function.facts, op);
        let kept = view.list(calls.kept).len();
        let given = view.given();
        let first_kept = given.len() - kept;
        let varying =
            given.iter().enumerate().filter(|(i, it)| *i < first_kept || !fixed[it.index()]);
        let varying: BTreeSet<usize> = varying.map(|it| it.0).collect();
        for name in view.called() {
            others.entry(name).or_default().extend(&varying);
        }
    }
}

/// For each value, whether it is a constant of the model or computed from such alone.
fn fixed(function: &Function) -> Vec<bool> {
    let body = &function.body;
    let mut res = vec![false; body.types.len()];
    for (i, value) in body.root.params.iter().enumerate() {
        res[value.index()] = function.is_fixed(i);
    }
    for op in body.ops() {
        let is_pure = op.def.0.effects == Effects::Pure && op.def.0.calls.is_none();
        // What is made of nothing at all is made where it is needed.
        let mut operands = op.operands().peekable();
        let known = is_pure && operands.peek().is_some() && operands.all(|it| res[it.index()]);
        op.results().for_each(|it| res[it.index()] = known);
    }
    res
}
