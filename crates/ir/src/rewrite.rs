//! Rewriting: a new body from an old one, and the canonical form every pass ends in.

use sym::Facts;

use crate::{Body, Builder, Effects, Function, Op, Region, Result, Type, ValueId, View};

/// Copies a function op by op while a pass replaces what it wants to.
pub struct Rewriter<'a> {
    /// The function as it was.
    pub old: &'a Function,
    /// The function as it becomes.
    pub new: Builder<'a>,
    /// What each old value became.
    map: Vec<Option<ValueId>>,
}

impl<'a> Rewriter<'a> {
    /// Starts with the parameters copied.
    pub fn new(old: &'a Function) -> Rewriter<'a> {
        Rewriter::with_param_types(old, |_, ty| ty.clone())
    }

    /// Starts with the parameters copied under new types.
    pub fn with_param_types(
        old: &'a Function,
        mut ty: impl FnMut(usize, &Type) -> Type,
    ) -> Rewriter<'a> {
        let mut new = Builder::new(&old.facts);
        let mut map = vec![None; old.body.types.len()];
        for (i, param) in old.body.root.params.iter().enumerate() {
            map[param.index()] = Some(new.param(ty(i, old.body.ty(*param))));
        }
        Rewriter { old, new, map }
    }

    /// Starts with nothing copied, not even parameters.
    pub fn empty(old: &'a Function) -> Rewriter<'a> {
        Rewriter { old, new: Builder::new(&old.facts), map: vec![None; old.body.types.len()] }
    }

    /// What is known of the symbols.
    pub fn facts(&self) -> &'a Facts {
        &self.old.facts
    }

    /// What an old value became.
    pub fn get(&self, old: ValueId) -> ValueId {
        self.map[old.index()].expect("ops are rewritten in program order")
    }

    /// What an old value became, if it was kept.
    pub fn try_get(&self, old: ValueId) -> Option<ValueId> {
        self.map[old.index()]
    }

    /// Says what an old value became.
    pub fn set(&mut self, old: ValueId, new: ValueId) {
        self.map[old.index()] = Some(new);
    }

    /// The old op through its types.
    pub fn view(&self, op: &'a Op) -> View<'a> {
        View::of(&self.old.body, &self.old.facts, op)
    }

    /// Copies an op with its regions, its operands replaced by what they became.
    pub fn copy(&mut self, op: &Op) -> Result<Vec<ValueId>> {
        self.new.origin = op.origin;
        for region in &op.regions {
            self.copy_region(region)?;
        }
        self.new.origin = op.origin;
        let args: Vec<_> = op.args.iter().map(|it| it.map(|it| self.get(it))).collect();
        let stated = op.results().map(|it| self.old.body.ty(it).clone()).collect();
        let res = self.new.push_stated(op.def, args, op.attrs.clone(), Some(stated))?;
        for (old, new) in op.results().zip(&res) {
            self.set(old, *new);
        }
        Ok(res)
    }

    /// Copies an op unless it was already said what all its results became.
    pub fn copy_unless_known(&mut self, op: &Op) -> Result<()> {
        if op.results != 0 && op.results().all(|it| self.try_get(it).is_some()) {
            return Ok(());
        }
        let known: Vec<(ValueId, ValueId)> =
            op.results().filter_map(|it| self.try_get(it).map(|new| (it, new))).collect();
        self.copy(op)?;
        known.into_iter().for_each(|(old, new)| self.set(old, new));
        Ok(())
    }

    fn copy_region(&mut self, region: &Region) -> Result<()> {
        self.new.begin_region();
        for param in &region.params {
            let new = self.new.param(self.old.body.ty(*param).clone());
            self.set(*param, new);
        }
        for op in &region.ops {
            self.copy(op)?;
        }
        let yields = region.yields.iter().map(|it| self.get(*it)).collect();
        self.new.end_region(yields);
        Ok(())
    }

    /// The new function, in canonical form.
    pub fn finish(self) -> Function {
        let yields = self.old.body.root.yields.iter().map(|it| self.get(*it)).collect();
        self.finish_with(yields)
    }

    /// The new function with these results, in canonical form.
    pub fn finish_with(self, yields: Vec<ValueId>) -> Function {
        let Function { name, facts, params, outputs, body: _ } = self.old;
        let body = compact(&self.new.finish(yields), facts);
        Function {
            name: name.clone(),
            facts: facts.clone(),
            params: params.clone(),
            outputs: outputs.clone(),
            body,
        }
    }
}

/// Folds ops that equal one of their operands, drops pure ops nobody reads, and renumbers:
/// the end of every pass. Equal programs come out as equal bodies.
pub fn compact(body: &Body, facts: &Facts) -> Body {
    compact_keeping(body, facts, &[])
}

/// As [`compact`], with some values that are kept though nobody reads them.
pub fn compact_keeping(body: &Body, facts: &Facts, kept: &[ValueId]) -> Body {
    let mut forward: Vec<ValueId> = (0..body.types.len() as u32).map(ValueId).collect();
    fold_region(body, facts, &body.root, &mut forward);
    let mut live = vec![false; body.types.len()];
    for it in body.root.yields.iter().chain(kept) {
        live[forward[it.index()].index()] = true;
    }
    mark_region(&body.root, &forward, &mut live);
    let mut out = Renumber {
        body,
        forward: &forward,
        live: &live,
        map: vec![None; body.types.len()],
        types: Vec::new(),
    };
    let root = out.region(&body.root);
    Body { types: out.types, root }
}

fn fold_region(body: &Body, facts: &Facts, region: &Region, forward: &mut [ValueId]) {
    for op in &region.ops {
        for inner in &op.regions {
            fold_region(body, facts, inner, forward);
        }
        if let (1, Some(it)) = (op.results, (op.def.0.fold)(View::of(body, facts, op)))
            && body.ty(it) == body.ty(op.result())
        {
            forward[op.result().index()] = forward[it.index()];
        }
    }
}

fn keeps(op: &Op, live: &[bool]) -> bool {
    op.def.0.effects != Effects::Pure
        || op.results().any(|it| live[it.index()])
        || has_inner_effect(op)
}

/// Whether something inside the op's regions has an effect outside them.
/// What an isolated region does stays inside: the op's own `effects` speaks for it.
fn has_inner_effect(op: &Op) -> bool {
    let effect = |it: &Op| it.def.0.effects != Effects::Pure || has_inner_effect(it);
    !op.def.0.isolated && op.regions.iter().any(|it| it.ops.iter().any(effect))
}

/// Marks from the last op to the first, so that one walk suffices.
fn mark_region(region: &Region, forward: &[ValueId], live: &mut [bool]) {
    for op in region.ops.iter().rev() {
        if !keeps(op, live) {
            continue;
        }
        for it in op.operands() {
            live[forward[it.index()].index()] = true;
        }
        for inner in op.regions.iter().rev() {
            for it in &inner.yields {
                live[forward[it.index()].index()] = true;
            }
            mark_region(inner, forward, live);
        }
    }
}

struct Renumber<'a> {
    body: &'a Body,
    forward: &'a [ValueId],
    live: &'a [bool],
    map: Vec<Option<ValueId>>,
    types: Vec<Type>,
}

impl Renumber<'_> {
    fn define(&mut self, old: ValueId) -> ValueId {
        let new = ValueId(self.types.len() as u32);
        self.types.push(self.body.ty(old).clone());
        self.map[old.index()] = Some(new);
        new
    }

    fn get(&self, old: ValueId) -> ValueId {
        self.map[self.forward[old.index()].index()].expect("a live value's maker is kept")
    }

    fn region(&mut self, region: &Region) -> Region {
        let params = region.params.iter().map(|it| self.define(*it)).collect();
        let mut ops = Vec::new();
        for op in &region.ops {
            if !keeps(op, self.live) {
                continue;
            }
            let regions = op.regions.iter().map(|it| self.region(it)).collect();
            let args = op.args.iter().map(|it| it.map(|it| self.get(it))).collect();
            let first_result = ValueId(self.types.len() as u32);
            op.results().for_each(|it| {
                self.define(it);
            });
            ops.push(Op {
                def: op.def,
                args,
                attrs: op.attrs.clone(),
                regions,
                first_result,
                results: op.results,
                origin: op.origin,
            });
        }
        let yields = region.yields.iter().map(|it| self.get(*it)).collect();
        Region { params, ops, yields }
    }
}
