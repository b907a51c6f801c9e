//! From `aten` to `tensor`: one rule per operator.
//!
//! A rule says what its operator computes, in eager's own order where floating point can tell.
//! Type promotion is in `promote`, broadcasting in `emit`, both once. What a rule gives is
//! compared with what the exporter recorded: another dtype or size is an error that names the node.
//!
//! Operators without a rule are reported all at once, each kind with its count. Control flow and
//! what is no operator of ATen are in [`control`].

mod control;
mod cx;
mod emit;
mod rules;
mod shape;

use diag::{Diag, codes};
use ir::{Function, Op, Rewriter, TensorType, Type, ValueId};
use pass::{Legality, PassCx, PassDef, Unit};
use rustc_hash::FxHashMap;
use sym::Answer;

use crate::Kinds;
use cx::Cx;

/// What may remain.
pub static LOWERED: Legality = Legality::only(&["tensor"]);

/// From `aten` to `tensor`.
pub static DECOMPOSE: PassDef = PassDef {
    ensures: Some(LOWERED),
    ..PassDef::new(
        "decompose",
        "Says every ATen operator by operators of `tensor`.",
        include_str!("README.md"),
        |unit, _: &PassCx<'_>| {
            let mut functions = Vec::new();
            let mut diags = Vec::new();
            for it in &unit.functions {
                match run(it) {
                    Ok(it) => functions.push(it),
                    Err(it) => diags.extend(it),
                }
            }
            if diags.is_empty() { Ok(Unit { functions }) } else { Err(diags) }
        },
    )
};

/// A rule gives the results of its operator.
type Apply = fn(&mut Cx<'_, '_>) -> ir::Result<Vec<ValueId>>;

/// How one operator is lowered.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// Its name without the dialect: `add.Tensor`.
    pub(crate) op: &'static str,
    /// What it computes.
    pub(crate) apply: Apply,
}

/// The operators that have a rule, sorted.
pub fn supported() -> impl Iterator<Item = &'static str> {
    rules::table().iter().map(|it| it.op)
}

/// Lowers one function, which must be functional.
pub fn run(function: &Function) -> Result<Function, Vec<Diag>> {
    let mut it = Decompose {
        rw: Rewriter::new(function),
        numbers: FxHashMap::default(),
        uses: function.body.use_counts(),
        unsupported: Kinds::default(),
        diags: Vec::new(),
    };
    for op in function.body.ops() {
        it.op(op);
    }
    function.body.root.yields.iter().for_each(|value| it.settle(*value));
    it.diags.extend(it.unsupported.diags("is not supported"));
    if !it.diags.is_empty() {
        return Err(it.diags);
    }
    let mut res = it.rw.finish();
    for output in &mut res.outputs {
        if let Type::Scalar(dtype) = output.ty {
            output.ty = Type::Tensor(TensorType::contiguous(dtype, Vec::new()));
        }
    }
    Ok(res)
}

struct Decompose<'a> {
    rw: Rewriter<'a>,
    /// Tensors that stand for a Python number; they are made when somebody needs the tensor.
    numbers: FxHashMap<ValueId, ir::Number>,
    /// How often each old value is read.
    uses: Vec<u32>,
    unsupported: Kinds,
    diags: Vec<Diag>,
}

impl<'a> Decompose<'a> {
    fn op(&mut self, op: &'a Op) {
        self.rw.new.origin = op.origin;
        if let Some(it) = aten::MakeTensor::of(self.rw.view(op)) {
            self.numbers.insert(op.result(), it.value());
            return;
        }
        if let Some(it) = aten::AssertScalar::of(self.rw.view(op)) {
            let made = tensor::Assert::build(&mut self.rw.new, it.cond(), it.message());
            self.diags.extend(made.err());
            return;
        }
        if let Some(it) = aten::MakeNumber::of(self.rw.view(op)) {
            // A library gives tensors: a number is one without dimensions.
            let dtype = self.rw.old.body.ty(op.result()).dtype();
            match emit::constant(&mut self.rw, &it.value(), dtype) {
                Ok(made) => self.rw.set(op.result(), made),
                Err(it) => self.diags.push(it),
            }
            return;
        }
        let name = op.def.0.name;
        let rule = name.strip_prefix("aten.").and_then(rules::find);
        let is_control = control::is_control(op);
        if rule.is_none() && !is_control {
            self.unsupported.count(name, op.origin);
            return;
        }
        let ready = |it: ValueId| self.rw.try_get(it).is_some() || self.numbers.contains_key(&it);
        if !op.operands().all(ready) {
            // Whoever should have made the operand was reported.
            return;
        }
        if is_control {
            op.operands().for_each(|it| self.settle(it));
            if let Err(it) = control::lower(&mut self.rw, op) {
                self.diags.push(self.named(op, it));
            }
            return;
        }
        let (Some(rule), Some(schema)) = (rule, aten::schema(op.def)) else {
            self.keep(op);
            return;
        };
        let mut cx = Cx::new(&mut self.rw, &self.numbers, &self.uses, op, schema);
        match (rule.apply)(&mut cx) {
            Ok(results) => self.bind(op, &results),
            Err(it) => self.diags.push(self.named(op, it)),
        }
    }

    /// Says which operator a rule's error is about.
    fn named(&self, op: &Op, mut diag: Diag) -> Diag {
        if diag.origin.is_none() {
            diag = diag.at(op.origin.0);
        }
        diag.message = format!("{}: {}", op.def.0.name, diag.message);
        diag
    }

    /// Makes the tensor of a value that stands for a number.
    fn settle(&mut self, old: ValueId) {
        let Some(number) = self.numbers.get(&old).cloned() else { return };
        let dtype = self.rw.old.body.ty(old).dtype();
        match emit::constant(&mut self.rw, &number, dtype) {
            Ok(made) => self.rw.set(old, made),
            Err(it) => self.diags.push(it),
        }
    }

    fn keep(&mut self, op: &'a Op) {
        op.operands().for_each(|it| self.settle(it));
        if let Err(it) = self.rw.copy(op) {
            self.diags.push(it);
        }
    }

    /// Takes a rule's results once they are what the exporter recorded.
    fn bind(&mut self, op: &Op, results: &[ValueId]) {
        if results.len() != op.results as usize {
            let message = format!("{} results for {} values", results.len(), op.results);
            self.diags.push(self.named(op, Diag::error(&codes::OP, message)));
            return;
        }
        for (old, new) in op.results().zip(results) {
            let recorded = self.rw.old.body.ty(old);
            let inferred = self.rw.new.ty(*new);
            // Exporters have recorded nonsense for what nobody reads.
            if self.uses[old.index()] == 0 || self.same(recorded, inferred) {
                self.rw.set(old, *new);
                continue;
            }
            let plain = recorded.as_tensor().map(TensorType::without_strides);
            let recorded = plain.map_or_else(|| recorded.to_string(), |it| it.to_string());
            let message = format!("gives {inferred}, the exporter recorded {recorded}");
            self.diags.push(self.named(op, Diag::error(&codes::TYPE_MISMATCH, message)));
        }
    }

    fn same(&self, recorded: &Type, inferred: &Type) -> bool {
        match (recorded.as_tensor(), inferred.as_tensor()) {
            (Some(a), Some(b)) => {
                let facts = self.rw.facts();
                let equal =
                    |it: (&sym::Expr, &sym::Expr)| sym::equal(it.0, it.1, facts) == Answer::Proven;
                a.dtype == b.dtype
                    && a.rank() == b.rank()
                    && a.shape.iter().zip(b.shape.iter()).all(equal)
            }
            // What nobody reads has no type on record.
            (None, _) => *recorded == Type::None,
            (Some(_), None) => false,
        }
    }
}
