//! Weights that reach a body of control flow as operands become parameters of the body.
//!
//! A body that is called from one place is given the same weights on every call. As constants of its
//! own they are folded and packed when the model is compiled, and not on every call. A body that is
//! called from several places keeps its operands: it is one function for other weights each.

use std::collections::BTreeMap;

use ir::{Arg, Attr, Effects, Function, Op, Param, ParamKind, Type, ValueId};

/// Which operands of an op become parameters of which functions.
struct Call {
    bodies: Vec<String>,
    /// The argument that lists what may be constant from turn to turn.
    list: usize,
    /// The parameter of the bodies that the first in the list is.
    first: usize,
}

/// Does it for a whole program, callers before what they call.
pub(super) fn into_bodies(functions: &mut [Function]) {
    // What is written in place isn't constant, and before in-place writes are resolved it isn't
    // known what they write to.
    if functions.iter().any(|it| it.body.ops().iter().any(writes)) {
        return;
    }
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for op in functions.iter().flat_map(|it| it.body.ops()) {
        for name in called(op) {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    for caller in 0..functions.len() {
        let count = functions.get(caller).map_or(0, |it| it.body.ops().len());
        for at in 0..count {
            let Some(call) = functions.get(caller).and_then(|it| call(it.body.ops().get(at)?))
            else {
                continue;
            };
            if call.bodies.iter().all(|it| calls.get(it) == Some(&1)) {
                move_constants(functions, caller, at, &call);
            }
        }
    }
}

fn writes(op: &Op) -> bool {
    let harmless = ["aten.bind_symbol", "aten.assert_scalar", "aten.assert_tensor", "aten.detach_"];
    op.def.0.effects == Effects::Writes && !harmless.contains(&op.def.0.name)
}

fn called(op: &Op) -> impl Iterator<Item = &str> {
    op.attrs.iter().filter_map(|it| match it {
        Attr::Ref(it) => Some(it.as_str()),
        _ => None,
    })
}

fn call(op: &Op) -> Option<Call> {
    let count = |i: usize| op.args.get(i).map_or(0, |it| it.values().count());
    let kind = op.attrs.iter().find_map(|it| match it {
        Attr::Str(it) => Some(it.as_str()),
        _ => None,
    });
    let (list, first) = match (op.def.0.name, kind) {
        ("aten.cond", _) => (1, 0),
        ("aten.while_loop", _) => (1, count(0)),
        ("aten.subgraph", Some("call")) => (0, 0),
        ("aten.subgraph", _) => (2, count(0) + count(1)),
        _ => return None,
    };
    Some(Call { bodies: called(op).map(str::to_owned).collect(), list, first })
}

/// The weight that a value is, and its type.
fn weight(function: &Function, value: ValueId) -> Option<(Param, Type)> {
    let at = function.body.root.params.iter().position(|it| *it == value)?;
    let param = function.params.get(at).filter(|_| function.is_constant(at))?;
    (param.kind != ParamKind::Folded).then(|| (param.clone(), function.body.ty(value).clone()))
}

fn move_constants(functions: &mut [Function], caller: usize, at: usize, call: &Call) {
    let Some(function) = functions.get(caller) else { return };
    let Some(op) = function.body.ops().get(at) else { return };
    let Some(Arg::List(list)) = op.args.get(call.list).cloned() else { return };
    let mut kept = Vec::new();
    let mut moved = Vec::new();
    for (i, value) in list.into_iter().enumerate() {
        let weight = value.and_then(|it| weight(function, it));
        let fits = |weight: &(Param, Type)| {
            call.bodies.iter().all(|name| {
                let body = functions.iter().find(|it| it.name == *name);
                let param = body.and_then(|it| it.body.root.params.get(call.first + i).copied());
                // A body that knows another type would read other memory.
                let same = body.zip(param).is_some_and(|it| *it.0.body.ty(it.1) == weight.1);
                // Parameters are known by their names.
                let is_free = moved.iter().all(|it: &(usize, Param)| it.1.name != weight.0.name)
                    && body.is_some_and(|it| {
                        let mut others = it.params.iter().enumerate();
                        others.all(|(at, it)| at == call.first + i || it.name != weight.0.name)
                    });
                same && is_free
            })
        };
        match weight.filter(fits) {
            Some((param, _)) => moved.push((call.first + i, param)),
            None => kept.push(value),
        }
    }
    for name in &call.bodies {
        let Some(body) = functions.iter_mut().find(|it| it.name == *name) else { continue };
        for (i, param) in &moved {
            if let Some(slot) = body.params.get_mut(*i) {
                slot.clone_from(param);
            }
        }
    }
    let op = functions.get_mut(caller).and_then(|it| it.body.root.ops.get_mut(at));
    if let Some(list) = op.and_then(|it| it.args.get_mut(call.list)) {
        *list = Arg::List(kept);
    }
}
