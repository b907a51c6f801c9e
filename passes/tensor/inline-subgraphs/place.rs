//! Whether what a function says means the same in the place of a call.

use std::collections::{BTreeMap, BTreeSet};

use ir::{Function, OutputKind, Param, Rewriter, Type, ValueId};
use tensor::Subgraph;

use super::bound;

/// A function that others are put into.
pub(super) struct Places<'a> {
    caller: &'a Function,
    /// The symbols that are defined in it by then.
    bound: BTreeSet<String>,
}

impl<'a> Places<'a> {
    pub(super) fn new(caller: &'a Function) -> Places<'a> {
        Places { caller, bound: bound(caller) }
    }

    /// Whether the function can stand in place of the call; then it is taken to be there.
    pub(super) fn admit(&mut self, callee: &Function, call: Subgraph<'_>) -> bool {
        let own = bound(callee);
        // Symbols keep their names, so what defines one can be there once.
        let fits = callee.is_subgraph()
            && callee.outputs.iter().all(|it| it.kind == OutputKind::Result)
            && self.knows(callee)
            && self.bound.is_disjoint(&own)
            && self.constants_stay(callee)
            && same_types(self.caller, callee, call);
        if fits {
            self.bound.extend(own);
        }
        fits
    }

    /// Whether the caller knows as much of the callee's symbols as the callee.
    fn knows(&self, callee: &Function) -> bool {
        self.caller.facts == callee.facts || callee.facts.symbols().is_empty()
    }

    /// Whether the constants that the callee reads are never written.
    fn constants_stay(&self, callee: &Function) -> bool {
        let written: Vec<&str> = self
            .caller
            .outputs
            .iter()
            .filter_map(|it| match it.kind {
                OutputKind::Mutates(it) => self.caller.params.get(it).map(|it| it.name.as_str()),
                _ => None,
            })
            .collect();
        own_constants(callee).all(|it| !written.contains(&it.0.name.as_str()))
    }

    /// The constants that the callees read, as parameters of the caller: new ones where it has none
    /// of that name.
    pub(super) fn constants<'c>(
        &self,
        rw: &mut Rewriter<'_>,
        params: &mut Vec<Param>,
        callees: impl Iterator<Item = &'c Function>,
    ) -> BTreeMap<String, ValueId> {
        let known = self.caller.params.iter().zip(&self.caller.body.root.params);
        let known = known.filter(|it| !it.0.kind.is_given());
        let mut res: BTreeMap<String, ValueId> =
            known.map(|(param, value)| (param.name.clone(), rw.get(*value))).collect();
        for (param, ty) in callees.flat_map(own_constants) {
            res.entry(param.name.clone()).or_insert_with(|| {
                params.push(param.clone());
                rw.new.param(ty.clone())
            });
        }
        res
    }
}

/// The constants that a function reads by name.
fn own_constants(function: &Function) -> impl Iterator<Item = (&Param, &Type)> {
    let params = function.params.iter().zip(&function.body.root.params);
    params.filter(|it| !it.0.kind.is_given()).map(|it| (it.0, function.body.ty(*it.1)))
}

/// Whether what is given and what comes back have the types that the function states.
fn same_types(caller: &Function, callee: &Function, call: Subgraph<'_>) -> bool {
    let plain = |ty: &Type| match ty {
        Type::Tensor(it) => Type::Tensor(it.without_strides()),
        it => it.clone(),
    };
    let params = callee.params.iter().zip(&callee.body.root.params);
    let params = params.filter(|it| it.0.kind.is_given()).map(|it| plain(callee.body.ty(*it.1)));
    let given = call.operands();
    let given = given.iter().map(|it| plain(caller.body.ty(*it)));
    let results = call.0.op.results().map(|it| plain(caller.body.ty(it)));
    let yields = callee.body.root.yields.iter().map(|it| plain(callee.body.ty(*it)));
    params.eq(given) && results.eq(yields)
}
