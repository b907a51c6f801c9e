//! `simplify-sizes`: every size is said as cheaply as the facts allow.
//!
//! Sizes come from the exporter and from inference, each written as its rule gives it. Two that
//! are equal for every input in range had better be equal as written: reshapes fold, kernels are
//! found equal, and the wrapper computes less.
//!
//! Types are inferred, so what is rewritten is what they are inferred from: attributes, types of
//! parameters, and types that an op's author states.

use diag::Diag;
use indexmap::IndexMap;
use ir::{
    Arg, Attr, Body, Builder, Function, Number, Op, Output, Region, Result, TensorType, Type,
    ValueId, compact,
};
use pass::{PassCx, PassDef, Unit, per_function};
use rustc_hash::FxBuildHasher;
use sym::{Expr, Facts};

/// Simplifies every size in attributes and types.
pub(crate) static SIMPLIFY_SIZES: PassDef = PassDef::new(
    "simplify-sizes",
    "Says every size as cheaply as the facts allow.",
    include_str!("README.md"),
    run,
);

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    per_function(unit, |it| one_function(it, cx))
}

struct Simplifier<'a> {
    body: &'a Body,
    builder: Builder<'a>,
    sizes: Sizes<'a>,
    /// Simplifies what is asserted.
    asserted: Sizes<'a>,
    /// What each old value became.
    map: Vec<Option<ValueId>>,
}

fn one_function(function: &Function, cx: &PassCx<'_>) -> Result<Function> {
    let Function { name, facts, params, outputs, body } = function;
    let ranges = facts.ranges_alone();
    let mut it = Simplifier {
        body,
        builder: Builder::new(facts),
        sizes: Sizes { facts, known: IndexMap::default() },
        asserted: Sizes { facts: &ranges, known: IndexMap::default() },
        map: vec![None; body.types.len()],
    };
    it.params(&body.root);
    it.ops(&body.root)?;
    let yields = body.root.yields.iter().map(|value| it.get(*value)).collect();
    let outputs = outputs
        .iter()
        .map(|output| Output { ty: it.sizes.in_type(&output.ty), ..output.clone() })
        .collect();
    cx.count("sizes", it.sizes.changed());
    let body = compact(&it.builder.finish(yields), facts);
    Ok(Function { name: name.clone(), facts: facts.clone(), params: params.clone(), outputs, body })
}

impl Simplifier<'_> {
    fn get(&self, old: ValueId) -> ValueId {
        self.map[old.index()].expect("ops are walked in program order")
    }

    fn params(&mut self, region: &Region) {
        for param in &region.params {
            let ty = self.sizes.in_type(self.body.ty(*param));
            self.map[param.index()] = Some(self.builder.param(ty));
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
            self.builder.begin_region();
            self.params(region);
            self.ops(region)?;
            self.builder.end_region(region.yields.iter().map(|it| self.get(*it)).collect());
        }
        self.builder.origin = op.origin;
        let args: Vec<Arg> = op.args.iter().map(|it| it.map(|it| self.get(it))).collect();
        // What a program asserts is among the facts, and holds only if it is checked.
        let sizes = match op.def == tensor::Assert::def() {
            true => &mut self.asserted,
            false => &mut self.sizes,
        };
        let attrs = op.attrs.iter().map(|it| sizes.in_attr(it)).collect();
        let stated = op.results().map(|it| self.sizes.in_type(self.body.ty(it))).collect();
        let made = self.builder.push_stated(op.def, args, attrs, Some(stated))?;
        for (old, new) in op.results().zip(made) {
            self.map[old.index()] = Some(new);
        }
        Ok(())
    }
}

/// Simplifies sizes, each once.
struct Sizes<'a> {
    facts: &'a Facts,
    known: IndexMap<Expr, Expr, FxBuildHasher>,
}

impl Sizes<'_> {
    fn changed(&self) -> u64 {
        self.known.iter().filter(|it| it.0 != it.1).count() as u64
    }

    fn size(&mut self, it: &Expr) -> Expr {
        if it.as_int().is_some() || it.as_sym().is_some() {
            return it.clone();
        }
        if let Some(it) = self.known.get(it) {
            return it.clone();
        }
        let simple = sym::simplify(it, self.facts);
        self.known.insert(it.clone(), simple.clone());
        simple
    }

    fn in_type(&mut self, ty: &Type) -> Type {
        let mut all = |it: &[Expr]| it.iter().map(|it| self.size(it)).collect();
        match ty {
            Type::Tensor(TensorType { dtype, shape, strides }) => Type::Tensor(TensorType {
                dtype: *dtype,
                shape: all(shape),
                strides: strides.as_deref().map(all),
            }),
            Type::List(it) => Type::List(it.iter().map(|it| self.in_type(it)).collect()),
            Type::Scalar(_) | Type::Arena | Type::None => ty.clone(),
        }
    }

    fn in_attr(&mut self, attr: &Attr) -> Attr {
        match attr {
            Attr::Size(it) => Attr::Size(self.size(it)),
            Attr::Number(Number::Int(it)) => Attr::Number(Number::Int(self.size(it))),
            Attr::Type(it) => Attr::Type(self.in_type(it)),
            Attr::List(it) => Attr::List(it.iter().map(|it| self.in_attr(it)).collect()),
            Attr::None
            | Attr::Bool(_)
            | Attr::Str(_)
            | Attr::Number(_)
            | Attr::DType(_)
            | Attr::Ref(_) => attr.clone(),
        }
    }
}
