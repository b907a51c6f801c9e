//! `cse`: what is computed twice is computed once.
//!
//! Two ops are the same if definition, operands, attributes and result types are. An op in a
//! region is replaced by one of the regions around it, never the other way round, and an isolated
//! region sees none of what is around it. Ops that hold regions are left alone; those that have
//! effects, or draw random numbers, too.

use diag::Diag;
use indexmap::IndexMap;
use ir::{Arg, Attr, Body, Builder, Effects, Function, Op, Region, Result, Type, ValueId, compact};
use pass::{PassCx, PassDef, Unit, per_function};
use rustc_hash::FxBuildHasher;

/// Replaces each op by the first that is the same.
pub(crate) static CSE: PassDef =
    PassDef::new("cse", "Computes once what is computed twice.", include_str!("README.md"), run);

fn run(unit: &Unit, _: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    per_function(unit, one_function)
}

/// What makes two ops the same.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    name: &'static str,
    args: Vec<Arg>,
    attrs: Vec<Attr>,
    types: Vec<Type>,
}

struct Cse<'a> {
    body: &'a Body,
    builder: Builder<'a>,
    /// What each old value became.
    map: Vec<Option<ValueId>>,
    /// The first result of each op that is in sight.
    seen: IndexMap<Key, ValueId, FxBuildHasher>,
}

fn one_function(function: &Function) -> Result<Function> {
    let Function { name, facts, params, outputs, body } = function;
    let mut cse = Cse {
        body,
        builder: Builder::new(facts),
        map: vec![None; body.types.len()],
        seen: IndexMap::default(),
    };
    cse.params(&body.root);
    cse.ops(&body.root)?;
    let yields = body.root.yields.iter().map(|it| cse.get(*it)).collect();
    let body = compact(&cse.builder.finish(yields), facts);
    Ok(Function {
        name: name.clone(),
        facts: facts.clone(),
        params: params.clone(),
        outputs: outputs.clone(),
        body,
    })
}

impl Cse<'_> {
    fn get(&self, old: ValueId) -> ValueId {
        self.map[old.index()].expect("ops are walked in program order")
    }

    fn params(&mut self, region: &Region) {
        for param in &region.params {
            let new = self.builder.param(self.body.ty(*param).clone());
            self.map[param.index()] = Some(new);
        }
    }

    fn ops(&mut self, region: &Region) -> Result<()> {
        for op in &region.ops {
            self.op(op)?;
        }
        Ok(())
    }

    fn op(&mut self, op: &Op) -> Result<()> {
        for region in &op.regions {
            self.region(region, op.def.0.isolated)?;
        }
        let args: Vec<Arg> = op.args.iter().map(|it| it.map(|it| self.get(it))).collect();
        let types: Vec<Type> = op.results().map(|it| self.body.ty(it).clone()).collect();
        let mut key = None;
        if op.def.0.effects == Effects::Pure && op.regions.is_empty() {
            let it = Key {
                name: op.def.0.name,
                args: ordered(op, &types, args.clone()),
                attrs: op.attrs.clone(),
                types: types.clone(),
            };
            if let Some(first) = self.seen.get(&it).copied() {
                for (i, old) in op.results().enumerate() {
                    self.map[old.index()] = Some(ValueId(first.0 + i as u32));
                }
                return Ok(());
            }
            key = Some(it);
        }
        self.builder.origin = op.origin;
        let made = self.builder.push_stated(op.def, args, op.attrs.clone(), Some(types))?;
        for (old, new) in op.results().zip(&made) {
            self.map[old.index()] = Some(*new);
        }
        if let (Some(key), Some(first)) = (key, made.first()) {
            self.seen.insert(key, *first);
        }
        Ok(())
    }

    /// What is seen first inside a region is out of sight behind it.
    fn region(&mut self, region: &Region, isolated: bool) -> Result<()> {
        let outside = if isolated { std::mem::take(&mut self.seen) } else { IndexMap::default() };
        let visible = self.seen.len();
        self.builder.begin_region();
        self.params(region);
        self.ops(region)?;
        self.builder.end_region(region.yields.iter().map(|it| self.get(*it)).collect());
        match isolated {
            true => self.seen = outside,
            false => self.seen.truncate(visible),
        }
        Ok(())
    }
}

/// The arguments in an order that does not depend on how a commutative op was written.
fn ordered(op: &Op, types: &[Type], mut args: Vec<Arg>) -> Vec<Arg> {
    if types.first().is_some_and(|it| crate::commutes(op.def, it))
        && let [Arg::Value(lhs), Arg::Value(rhs), ..] = &mut args[..]
        && rhs < lhs
    {
        std::mem::swap(lhs, rhs);
    }
    args
}
