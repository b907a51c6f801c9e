//! Hoisting of constants: what a body of control flow computes from nothing but what it is given as
//! constants moves to those who call it, where it is computed when the library is built.

use std::collections::{BTreeMap, BTreeSet};

use diag::Diag;
use ir::{Arg, Function, Op, Param, ParamKind, Rewriter, Type, ValueId, View};

use crate::{
    Unit, call_order, computes_constants,
    outline::{Of, outline, outline_unit},
    splice,
};

/// Moves what bodies compute from constant operands to their callers, innermost bodies first, and
/// what callers then compute from constants of the model to functions that run when the library is
/// built (see [`outline_unit`]). Operands that no body reads any more go.
pub fn hoist_unit(
    program: &Unit,
    prefix: &str,
    is_movement: &dyn Fn(&Op) -> bool,
) -> Result<Unit, Vec<Diag>> {
    let order = call_order(program).map_err(|it| vec![it])?;
    let mut functions = program.functions.clone();
    let mut changed = false;
    let mut done = BTreeSet::new();
    let groups = groups(&functions);
    for at in order {
        let Some(group) = groups.get(&functions[at].name).filter(|_| done.insert(at)) else {
            continue;
        };
        done.extend(group.iter().copied());
        let members: Vec<&Function> = group.iter().map(|it| &functions[*it]).collect();
        let moved = Moved::out_of(&members, prefix, is_movement).map_err(|it| vec![it])?;
        let Some(moved) = moved else { continue };
        changed = true;
        for (at, new) in group.iter().zip(&moved.bodies) {
            functions[*at] = new.clone();
        }
        for function in functions.iter_mut().filter(|it| !computes_constants(it)) {
            if let Some(new) = moved.called_from(function).map_err(|it| vec![it])? {
                *function = new;
            }
        }
    }
    match changed {
        true => outline_unit(&Unit { functions }, prefix, is_movement, &|it| Ok(it.clone())),
        false => Ok(program.clone()),
    }
}

/// For each body its place and those of all that are given the same operands as it by some op, as
/// the branches of `cond` are: these change together.
fn groups(functions: &[Function]) -> BTreeMap<String, Vec<usize>> {
    let places: BTreeMap<&str, usize> =
        functions.iter().enumerate().map(|(i, it)| (it.name.as_str(), i)).collect();
    let mut group_of: Vec<usize> = (0..functions.len()).collect();
    for function in functions {
        for op in function.body.ops() {
            let view = View::of(&function.body, &function.facts, op);
            let called: Vec<usize> =
                view.called().filter_map(|it| places.get(it.as_str()).copied()).collect();
            for pair in called.windows(2) {
                let (keep, goes) = (group_of[pair[0]], group_of[pair[1]]);
                group_of.iter_mut().filter(|it| **it == goes).for_each(|it| *it = keep);
            }
        }
    }
    let members = |group: usize| -> Vec<usize> {
        (0..functions.len()).filter(|it| group_of[*it] == group).collect()
    };
    let bodies = functions.iter().enumerate().filter(|it| it.1.is_subgraph());
    bodies.map(|(i, it)| (it.name.clone(), members(group_of[i]))).collect()
}

/// What moves out of the bodies of a group.
struct Moved {
    /// The bodies after it.
    bodies: Vec<Function>,
    /// What callers compute now: with the places of its parameters among what the bodies are given.
    parts: Vec<(Function, Vec<usize>)>,
    /// The places, among what the bodies are given, that they are no longer given.
    dropped: BTreeSet<usize>,
}

/// The places of the parameters that callers give.
fn given(function: &Function) -> Vec<usize> {
    let params = function.params.iter().enumerate();
    params.filter(|it| it.1.kind.is_given()).map(|it| it.0).collect()
}

impl Moved {
    fn out_of(
        members: &[&Function],
        prefix: &str,
        is_movement: &dyn Fn(&Op) -> bool,
    ) -> ir::Result<Option<Moved>> {
        let count = given(members[0]).len();
        if members.iter().any(|it| !it.is_subgraph() || given(it).len() != count) {
            return Ok(None);
        }
        let (mut bodies, mut parts) = (Vec::new(), Vec::new());
        // What each body computed, by the group's own order.
        let mut own: Vec<usize> = Vec::new();
        for member in members {
            let is_fixed = |it: usize| member.params[it].kind == ParamKind::Fixed;
            let of = Of { is_known: &is_fixed, is_certain: false, made: ParamKind::Fixed };
            match outline(member, prefix, is_movement, &of)? {
                None => {
                    own.push(0);
                    bodies.push((*member).clone());
                }
                Some((rest, part)) => {
                    let places = given(member);
                    let place = |it: &Param| {
                        places.iter().position(|at| member.params[*at].name == it.name)
                    };
                    let args: Option<Vec<usize>> = part.params.iter().map(place).collect();
                    let Some(args) = args else { return Ok(None) };
                    own.push(part.outputs.len());
                    bodies.push(rest);
                    parts.push((part, args));
                }
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let made: Vec<(Param, Type)> = parts
            .iter()
            .flat_map(|it| &it.0.outputs)
            .map(|it| (Param { name: it.name.clone(), kind: ParamKind::Fixed }, it.ty.clone()))
            .collect();
        let mut first = 0;
        for (body, own) in bodies.iter_mut().zip(own) {
            *body = with_all(body, &made, first..first + own)?;
            first += own;
        }
        let dropped: BTreeSet<usize> =
            (0..count).filter(|it| bodies.iter().all(|body| is_unread(body, *it))).collect();
        let bodies =
            bodies.iter().map(|it| without(it, &dropped)).collect::<ir::Result<Vec<_>>>()?;
        Ok(Some(Moved { bodies, parts, dropped }))
    }

    /// The function with other calls of the group; `None` if it has none.
    fn called_from(&self, function: &Function) -> ir::Result<Option<Function>> {
        let is_ours = |op: &Op| {
            let view = View::of(&function.body, &function.facts, op);
            view.called().any(|name| self.bodies.iter().any(|it| it.name == name))
        };
        if !function.body.ops().iter().any(is_ours) {
            return Ok(None);
        }
        let mut rw = Rewriter::new(function);
        for op in function.body.ops() {
            match is_ours(op) {
                true => self.call(&mut rw, op)?,
                false => drop(rw.copy(op)?),
            }
        }
        Ok(Some(rw.finish()))
    }

    fn call(&self, rw: &mut Rewriter<'_>, op: &Op) -> ir::Result<()> {
        let view = View::of(&rw.old.body, &rw.old.facts, op);
        let Some(calls) = op.def.0.calls else { return Ok(()) };
        let given: Vec<ValueId> = view.given().into_iter().map(|it| rw.get(it)).collect();
        let mut more = Vec::new();
        for (part, args) in &self.parts {
            let args: Vec<ValueId> = args.iter().map(|it| given[*it]).collect();
            more.extend(splice(&mut rw.new, part, &args, op.origin)?);
        }
        let mut args = Vec::new();
        let mut place = 0;
        for (def, arg) in op.def.0.operands.iter().zip(&op.args) {
            let mut arg = arg.map(|it| rw.get(it));
            if let Arg::List(list) = &mut arg
                && calls.given.contains(&def.name)
            {
                list.retain(|_| {
                    place += 1;
                    !self.dropped.contains(&(place - 1))
                });
                if def.name == calls.kept {
                    list.extend(more.iter().copied().map(Some));
                }
            }
            args.push(arg);
        }
        rw.new.origin = op.origin;
        let made = rw.new.push(op.def, args, op.attrs.clone())?;
        for (old, new) in op.results().zip(made) {
            rw.set(old, new);
        }
        Ok(())
    }
}

/// The body with a parameter for all that moved out of its group; those in `own` it has.
fn with_all(
    body: &Function,
    made: &[(Param, Type)],
    own: std::ops::Range<usize>,
) -> ir::Result<Function> {
    let old = body.params.len() - own.len();
    let mut rw = Rewriter::empty(body);
    let mut params = body.params[..old].to_vec();
    for value in &body.body.root.params[..old] {
        let new = rw.new.param(body.body.ty(*value).clone());
        rw.set(*value, new);
    }
    for (i, (param, ty)) in made.iter().enumerate() {
        let new = rw.new.param(ty.clone());
        if own.contains(&i) {
            rw.set(body.body.root.params[old + i - own.start], new);
        }
        params.push(param.clone());
    }
    for op in body.body.ops() {
        rw.copy(op)?;
    }
    Ok(Function { params, ..rw.finish() })
}

/// Whether nothing reads what is given at a place, and that is fixed.
fn is_unread(body: &Function, place: usize) -> bool {
    let uses = body.body.use_counts();
    given(body).get(place).is_some_and(|it| {
        body.params[*it].kind == ParamKind::Fixed && uses[body.body.root.params[*it].index()] == 0
    })
}

/// The body without what is given at some places and unread.
fn without(body: &Function, places: &BTreeSet<usize>) -> ir::Result<Function> {
    let given = given(body);
    let goes =
        |at: usize| given.iter().position(|it| *it == at).is_some_and(|it| places.contains(&it));
    let mut rw = Rewriter::empty(body);
    let mut params = Vec::new();
    for (i, (param, value)) in body.params.iter().zip(&body.body.root.params).enumerate() {
        if !goes(i) {
            let new = rw.new.param(body.body.ty(*value).clone());
            rw.set(*value, new);
            params.push(param.clone());
        }
    }
    for op in body.body.ops() {
        rw.copy(op)?;
    }
    Ok(Function { params, ..rw.finish() })
}
