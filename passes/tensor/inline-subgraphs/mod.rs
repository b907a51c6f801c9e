//! Inlining: a function that need not be one becomes part of its caller.
//!
//! Why: nothing is fused across a call, and nothing is shared with what is around it. On the other
//! hand a function that is called twelve times is compiled once. So what is called from one place is
//! inlined, what is small is inlined, and the rest stays; see README.md for the cost.

mod place;

use std::collections::{BTreeMap, BTreeSet};

use diag::Diag;
use ir::{AttrTy, Function, Op, RefName, Result, Rewriter, Type, View};
use pass::{OptionDef, PassCx, PassDef, Scope, Unit};
use tensor::{BindSymbol, Cond, Subgraph};

/// The pass.
pub(crate) static INLINE_SUBGRAPHS: PassDef = PassDef {
    scope: Scope::Program,
    options: &[
        OptionDef::int(
            "small",
            8,
            "up to how many ops a function is inlined wherever it is called",
        ),
        OptionDef::int(
            "growth",
            64,
            "by how many ops the copies of a function may make a program longer",
        ),
    ],
    ..PassDef::new(
        "inline-subgraphs",
        "make functions that are small or called once a part of their callers",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    inline(unit, cx).map_err(|it| vec![it])
}

fn inline(unit: &Unit, cx: &PassCx<'_>) -> Result<Unit> {
    // Also finds functions that call themselves: from here on none does.
    pass::call_order(unit)?;
    let mut functions = Vec::new();
    for function in &unit.functions {
        functions.push(decide(function, cx)?);
    }
    let mut program = Unit { functions };
    let order = pass::call_order(&program)?;
    let sites = sites(&program, &order);
    // Innermost first: what is inlined has nothing left in it to be inlined.
    for at in &order {
        let caller = &program.functions[*at];
        if let Some(new) = with_bodies(caller, &program, &sites, cx)? {
            program.functions[*at] = new;
        }
    }
    let alive: BTreeSet<usize> = pass::call_order(&program)?.into_iter().collect();
    let is_called = |i: usize| alive.contains(&i) || !program.functions[i].is_subgraph();
    let functions = (0..program.functions.len()).filter(|it| is_called(*it));
    Ok(Unit { functions: functions.map(|it| program.functions[it].clone()).collect() })
}

/// How often each function is called, in the text of those that run.
fn sites(program: &Unit, order: &[usize]) -> BTreeMap<String, usize> {
    let mut res = BTreeMap::new();
    for function in order.iter().map(|it| &program.functions[*it]) {
        for op in function.body.ops() {
            let view = View::of(&function.body, &function.facts, op);
            view.called().for_each(|it| *res.entry(it).or_default() += 1);
        }
    }
    res
}

/// The function with the branches taken whose condition is known.
fn decide(function: &Function, cx: &PassCx<'_>) -> Result<Function> {
    let mut rw = Rewriter::new(function);
    for op in function.body.ops() {
        let view = rw.view(op);
        let Some((it, holds)) = Cond::of(view).and_then(|it| Some((it, truth(function, it)?)))
        else {
            rw.copy(op)?;
            continue;
        };
        cx.count("branches that are known", 1);
        rw.new.origin = op.origin;
        let body = if holds { it.then() } else { it.otherwise() };
        let operands: Vec<_> = it.operands().into_iter().map(|it| rw.get(it)).collect();
        let outs: Vec<Type> = view.attr("outs");
        let made = Subgraph::build(&mut rw.new, operands, body, outs.to_attr())?;
        op.results().zip(made).for_each(|(old, new)| rw.set(old, new));
    }
    Ok(rw.finish())
}

/// Whether the condition holds, if that is known.
fn truth(function: &Function, it: Cond<'_>) -> Option<bool> {
    if let Some(cond) = it.cond() {
        return sym::simplify(&cond, &function.facts).as_int().map(|it| it != 0);
    }
    let pred = it.pred()?;
    let maker = function.body.ops().iter().find(|op| op.results().any(|it| it == pred))?;
    let view = View::of(&function.body, &function.facts, maker);
    let value = match (tensor::Full::of(view), tensor::Literal::of(view)) {
        (Some(it), _) => it.value(),
        (_, Some(it)) => it.values().first()?.clone(),
        _ => return None,
    };
    value.as_f64().map(|it| it != 0.0)
}

/// The caller with what it calls inlined where that pays; `None` if nothing is.
fn with_bodies(
    caller: &Function,
    program: &Unit,
    sites: &BTreeMap<String, usize>,
    cx: &PassCx<'_>,
) -> Result<Option<Function>> {
    let mut places = place::Places::new(caller);
    let mut inlined: BTreeMap<usize, &Function> = BTreeMap::new();
    for (i, op) in caller.body.ops().iter().enumerate() {
        let view = View::of(&caller.body, &caller.facts, op);
        let Some(it) = Subgraph::of(view) else { continue };
        let RefName(name) = it.body();
        let Some(callee) = program.find(&name) else { continue };
        let times = sites.get(&name).copied().unwrap_or(1);
        if pays(callee, times, cx) && places.admit(callee, it) {
            inlined.insert(i, callee);
        }
    }
    if inlined.is_empty() {
        return Ok(None);
    }
    cx.count("calls inlined", inlined.len() as u64);
    let mut rw = Rewriter::new(caller);
    let mut params = caller.params.clone();
    let constants = places.constants(&mut rw, &mut params, inlined.values().copied());
    for (i, op) in caller.body.ops().iter().enumerate() {
        match inlined.get(&i) {
            Some(callee) => splice(&mut rw, op, callee, &constants)?,
            None => drop(rw.copy(op)?),
        }
    }
    Ok(Some(Function { params, ..rw.finish() }))
}

fn splice(
    rw: &mut Rewriter<'_>,
    op: &Op,
    callee: &Function,
    constants: &BTreeMap<String, ir::ValueId>,
) -> Result<()> {
    let mut given = rw.view(op).given().into_iter();
    let mut args = Vec::new();
    for param in &callee.params {
        let value = match param.kind.is_given() {
            true => given.next().map(|it| rw.get(it)),
            false => constants.get(&param.name).copied(),
        };
        args.extend(value);
    }
    let made = pass::splice(&mut rw.new, callee, &args, op.origin)?;
    op.results().zip(made).for_each(|(old, new)| rw.set(old, new));
    Ok(())
}

/// Whether copies of the function in place of `times` calls are worth their length.
fn pays(callee: &Function, times: usize, cx: &PassCx<'_>) -> bool {
    let length = callee.body.ops().len();
    let small = usize::try_from(cx.int("small")).unwrap_or(0);
    let growth = usize::try_from(cx.int("growth")).unwrap_or(0);
    times <= 1 || (length <= small && (times - 1).saturating_mul(length) <= growth)
}

/// The symbols that data defines in a function.
fn bound(function: &Function) -> BTreeSet<String> {
    let bound = |op: &Op| {
        BindSymbol::of(View::of(&function.body, &function.facts, op)).map(|it| it.symbol())
    };
    function.body.ops().iter().filter_map(bound).collect()
}
