//! The driver of rewrite rules.
//!
//! A [`Rule`] looks at one op, through [`RuleCx::view`] also at what made its operands, and may
//! name a value that equals the op's result: one that exists, or one it makes with
//! [`RuleCx::make`]. The driver copies a function op by op and tries the rules on each op as soon
//! as it is made, also on ops that rules make; so operands are always simplified before their
//! users. It starts over until nothing changes.
//!
//! What a rule has to keep to:
//! - It is directional and never makes worse code. There is no general commutativity: one rule
//!   puts operands in order, the others expect that order.
//! - It makes nothing before its last test has passed.
//! - Its value has the type of the op's; it may have strides where that has none, since what has
//!   no strides does not ask for any. A value of another type is not taken.
//!
//! Work is bounded by a count: when fuel runs out or rules call each other too deeply, the error
//! names the rule.

use diag::{Diag, codes};
use ir::{Arg, Body, Builder, Function, Op, OpRef, Region, Result, Type, ValueId, View, compact};
use sym::Facts;

use crate::PassCx;

/// Which ops a rule looks at.
#[derive(Clone, Copy)]
pub enum Root {
    /// All with one result.
    Any,
    /// Those of one definition.
    Op(fn() -> OpRef),
}

/// One rewrite rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// What it does, in words with hyphens; `--stats` and errors name it.
    pub name: &'static str,
    /// Which ops it looks at.
    pub root: Root,
    /// A value that equals the one given, if the rule finds one.
    pub apply: fn(&mut RuleCx<'_>, ValueId) -> Option<Result<ValueId>>,
}

/// How many rewrites there may be for each op of the function.
const FUEL_PER_OP: u64 = 64;
/// How deeply rules may make ops on which rules make ops.
const MAX_DEPTH: u32 = 64;

/// What a rule works with: the function as it has become so far.
pub struct RuleCx<'a> {
    builder: Builder<'a>,
    /// The op that made each value; none for parameters and for ops that hold regions.
    makers: Vec<Option<Op>>,
    rules: &'a [Rule],
    /// How often each rule fired.
    hits: Vec<u64>,
    fuel: u64,
    depth: u32,
}

impl<'a> RuleCx<'a> {
    /// What is known of the symbols.
    pub fn facts(&self) -> &'a Facts {
        self.builder.facts()
    }

    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &Type {
        self.builder.ty(value)
    }

    /// The op that made a value; none for parameters and for what ops with regions give.
    pub fn view(&self, value: ValueId) -> Option<View<'_>> {
        let op = self.makers.get(value.index())?.as_ref()?;
        Some(View { types: self.builder.types(), facts: self.facts(), op })
    }

    /// Makes ops, the last with one result, and simplifies that result.
    pub fn make(
        &mut self,
        f: impl FnOnce(&mut Builder<'a>) -> Result<Vec<ValueId>>,
    ) -> Result<ValueId> {
        let first = self.builder.current_ops().len();
        let made = f(&mut self.builder)?;
        self.note_makers(first);
        match made[..] {
            [it] => self.simplified(it),
            _ => Err(Diag::error(&codes::PASS, "a rule made an op without exactly one result")),
        }
    }

    fn note_makers(&mut self, first: usize) {
        self.makers.resize(self.builder.len(), None);
        for op in &self.builder.current_ops()[first..] {
            if op.regions.is_empty() {
                op.results().for_each(|it| self.makers[it.index()] = Some(op.clone()));
            }
        }
    }

    /// A value equal to `value` that no rule improves.
    fn simplified(&mut self, value: ValueId) -> Result<ValueId> {
        let Some(view) = self.view(value) else { return Ok(value) };
        let def = view.op.def;
        if view.op.results != 1 {
            return Ok(value);
        }
        if let Some(it) = (def.0.fold)(view)
            && stands_for(self.ty(it), self.ty(value))
        {
            return Ok(it);
        }
        for (i, rule) in self.rules.iter().enumerate() {
            if matches!(rule.root, Root::Op(it) if it() != def) {
                continue;
            }
            if self.fuel == 0 || self.depth == MAX_DEPTH {
                let message = format!("rewriting does not end; rule `{}` was next", rule.name);
                return Err(Diag::error(&codes::PASS, message));
            }
            self.depth += 1;
            let found = (rule.apply)(self, value);
            self.depth -= 1;
            let Some(found) = found else { continue };
            let found = found?;
            if found != value && stands_for(self.ty(found), self.ty(value)) {
                self.fuel -= 1;
                self.hits[i] += 1;
                return Ok(found);
            }
        }
        Ok(value)
    }

    fn region(&mut self, body: &Body, region: &Region, map: &mut Vec<ValueId>) -> Result<()> {
        for op in &region.ops {
            for inner in &op.regions {
                self.builder.begin_region();
                for param in &inner.params {
                    map[param.index()] = self.builder.param(body.ty(*param).clone());
                }
                self.region(body, inner, map)?;
                self.builder.end_region(inner.yields.iter().map(|it| map[it.index()]).collect());
            }
            let first = self.builder.current_ops().len();
            self.builder.origin = op.origin;
            let args: Vec<Arg> = op.args.iter().map(|it| it.map(|it| map[it.index()])).collect();
            let stated = op.results().map(|it| body.ty(it).clone()).collect();
            let made = self.builder.push_stated(op.def, args, op.attrs.clone(), Some(stated))?;
            self.note_makers(first);
            for (old, new) in op.results().zip(made) {
                map[old.index()] = self.simplified(new)?;
            }
        }
        Ok(())
    }
}

/// Whether a value of type `new` may be used where one of type `old` was.
fn stands_for(new: &Type, old: &Type) -> bool {
    match (new, old) {
        (Type::Tensor(new), Type::Tensor(old)) => {
            new.dtype == old.dtype
                && new.shape == old.shape
                && (old.strides.is_none() || new.strides == old.strides)
        }
        _ => new == old,
    }
}

/// Applies `rules` to a function until none finds anything, and counts in `cx` how often each did.
pub fn apply_rules(function: &Function, rules: &[Rule], cx: &PassCx<'_>) -> Result<Function> {
    let mut hits = vec![0; rules.len()];
    let mut fuel = 0;
    function.body.for_each_op(&mut |_| fuel += FUEL_PER_OP);
    let mut res = function.clone();
    loop {
        let (next, rest) = one_round(&res, rules, fuel, &mut hits)?;
        // Without a rewrite there is nothing to start over for.
        let settled = rest == fuel || next == res;
        res = next;
        fuel = rest;
        if settled {
            break;
        }
    }
    for (rule, count) in rules.iter().zip(hits).filter(|it| it.1 != 0) {
        cx.count(rule.name, count);
    }
    Ok(res)
}

/// One walk over the function: what became of it, and the fuel that is left.
fn one_round(
    function: &Function,
    rules: &[Rule],
    fuel: u64,
    hits: &mut [u64],
) -> Result<(Function, u64)> {
    let Function { name, facts, params, outputs, body } = function;
    let mut cx = RuleCx {
        builder: Builder::new(facts),
        makers: Vec::new(),
        rules,
        hits: vec![0; rules.len()],
        fuel,
        depth: 0,
    };
    let mut map: Vec<ValueId> = (0..body.types.len() as u32).map(ValueId).collect();
    for param in &body.root.params {
        map[param.index()] = cx.builder.param(body.ty(*param).clone());
    }
    cx.region(body, &body.root, &mut map)?;
    hits.iter_mut().zip(&cx.hits).for_each(|(all, it)| *all += it);
    let yields = body.root.yields.iter().map(|it| map[it.index()]).collect();
    let body = compact(&cx.builder.finish(yields), facts);
    let function = Function {
        name: name.clone(),
        facts: facts.clone(),
        params: params.clone(),
        outputs: outputs.clone(),
        body,
    };
    Ok((function, cx.fuel))
}
