//! Takes writes out of a function: what was written in place becomes a new value.
//!
//! The schemas' alias marks say which results are views and which arguments are written. Each
//! tensor belongs to a memory: its base, and how it is seen through views of views. A write
//! becomes the operator's functional twin; the new value is carried back to the base through the
//! inverse of each view, and whoever reads another view of that memory later takes it anew from
//! the base. At the end, parameters that were written become results of their own, and results
//! that are the memory of a parameter say so.

mod finders;
mod inplace;
mod memory;
mod views;

use std::rc::Rc;

use diag::Diag;
use ir::{Function, Op, Output, OutputKind, ParamKind, Rewriter, ValueId, View, compact_keeping};
use pass::{PassCx, PassDef, Unit};
use sym::Expr;

use crate::Kinds;
use memory::{Memory, NodeId, Step};

/// Takes writes out of a function.
pub static FUNCTIONALIZE: PassDef = PassDef::new(
    "functionalize",
    "Makes new values of what was written in place.",
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
);

/// Makes one function functional.
pub fn run(function: &Function) -> Result<Function, Vec<Diag>> {
    let mut it = Functionalize {
        rw: Rewriter::new(function),
        memory: Memory::new(function.body.types.len()),
        unsupported: Kinds::default(),
    };
    for (i, param) in function.body.root.params.iter().enumerate() {
        let value = it.rw.get(*param);
        it.memory.own(*param, value, function.body.ty(*param).clone(), Some(i));
    }
    let mut diags = Vec::new();
    for op in function.body.ops() {
        it.rw.new.origin = op.origin;
        if let Err(diag) = it.op(op) {
            diags.push(diag);
        }
    }
    diags.extend(it.unsupported.diags("writes in a way that is not supported"));
    if !diags.is_empty() {
        return Err(diags);
    }
    it.finish().map_err(|it| vec![it])
}

struct Functionalize<'a> {
    rw: Rewriter<'a>,
    memory: Memory,
    unsupported: Kinds,
}

impl<'a> Functionalize<'a> {
    fn op(&mut self, op: &'a Op) -> ir::Result<()> {
        let Some(schema) = aten::schema(op.def) else {
            return self.copy(op);
        };
        if inplace::writes(self.rw.view(op), schema) {
            return self.write_op(op, schema);
        }
        if views::is_view(self.rw.view(op), schema) {
            return self.view_op(op);
        }
        self.copy(op)
    }

    fn own(&mut self, old: ValueId, new: ValueId) {
        let ty = self.rw.old.body.ty(old).clone();
        self.memory.own(old, new, ty, None);
    }

    /// Copies an op with what its operands are now; its results are memories of their own.
    fn copy(&mut self, op: &Op) -> ir::Result<()> {
        for it in op.operands() {
            let value = self.read(it)?;
            self.rw.set(it, value);
        }
        let results = self.rw.copy(op)?;
        for (old, new) in op.results().zip(results) {
            self.own(old, new);
        }
        Ok(())
    }

    /// Results are views of the first operand; some are that operand itself.
    fn view_op(&mut self, op: &'a Op) -> ir::Result<()> {
        let Some(base) = op.operands().next() else { return self.copy(op) };
        if views::is_identity(self.rw.view(op)) {
            for it in op.results() {
                self.memory.same(it, base);
            }
            return Ok(());
        }
        self.take_view(op.clone(), base)
    }

    /// Makes views by an op, and remembers how they were taken.
    fn take_view(&mut self, op: Op, base: ValueId) -> ir::Result<()> {
        for it in op.operands() {
            let value = self.read(it)?;
            self.rw.set(it, value);
        }
        let results = self.rw.copy(&op)?;
        let (parent, op) = (self.memory.node(base), Rc::new(op));
        for (index, (old, new)) in op.results().zip(results).enumerate() {
            let ty = self.rw.old.body.ty(old).clone();
            self.memory.view(old, Step { parent, op: op.clone(), index }, ty, new);
        }
        Ok(())
    }

    /// What a value is now.
    fn read(&mut self, old: ValueId) -> ir::Result<ValueId> {
        self.read_node(self.memory.node(old))
    }

    fn read_node(&mut self, node: NodeId) -> ir::Result<ValueId> {
        let Some(step) = self.memory.stale(node) else { return Ok(self.memory.cached(node)) };
        // The view is taken anew, of what its memory holds now.
        let parent = self.read_node(step.parent)?;
        for (i, it) in step.op.operands().enumerate() {
            let value = if i == 0 { parent } else { self.read(it)? };
            self.rw.set(it, value);
        }
        let origin = self.rw.new.origin;
        let results = self.rw.copy(&step.op)?;
        self.rw.new.origin = origin;
        self.memory.set_cached(node, results[step.index]);
        Ok(results[step.index])
    }

    /// Gives a memory a new content where the node sees it.
    fn write(&mut self, node: NodeId, new: ValueId) -> ir::Result<()> {
        match self.memory.step(node) {
            None => self.memory.replace(node, new),
            Some(step) => {
                let whole = self.read_node(step.parent)?;
                let ty = self.memory.ty(step.parent).clone();
                let updated = views::scatter(&mut self.rw, &step, ty, whole, new)?;
                self.write(step.parent, updated)?;
            }
        }
        self.memory.set_cached(node, new);
        Ok(())
    }

    /// The function with its results: first what was written, then what it gives.
    fn finish(mut self) -> ir::Result<Function> {
        let old = self.rw.old;
        let mut outputs = Vec::new();
        let mut yields = Vec::new();
        let said = |i: usize| old.outputs.iter().any(|it| it.kind == OutputKind::Mutates(i));
        for (i, param) in old.body.root.params.iter().enumerate() {
            // An op that changes how a parameter is seen leaves its memory's owner alone.
            let base = self.memory.base(self.memory.node(*param));
            if self.memory.is_written(base) && !said(i) {
                let name = old.params[i].name.clone();
                let ty = old.body.ty(*param).clone();
                outputs.push(Output { name, kind: OutputKind::Mutates(i), ty });
                yields.push(self.read_node(base)?);
            }
        }
        let added = outputs.len();
        for (i, (output, value)) in old.outputs.iter().zip(&old.body.root.yields).enumerate() {
            let kind = match &output.kind {
                OutputKind::User => self.alias(*value, i, added),
                OutputKind::AliasesOutput(it, offset) => {
                    OutputKind::AliasesOutput(it + added, offset.clone())
                }
                it => it.clone(),
            };
            outputs.push(Output { kind, ..output.clone() });
            yields.push(self.read(*value)?);
        }
        let facts = old.facts.clone();
        let body = self.rw.new.finish(yields);
        let body = compact_keeping(&body, &facts, &finders::finders(&body));
        let (name, params) = (old.name.clone(), old.params.clone());
        Ok(Function { name, facts, params, outputs, body })
    }

    /// How many elements behind the first of its memory a node begins, where that can be said.
    fn offset(&self, node: NodeId) -> Option<Expr> {
        let old = self.rw.old;
        let mut sum = Expr::int(0);
        let mut at = node;
        while let Some(step) = self.memory.step(at) {
            let view = View::of(&old.body, &old.facts, &step.op);
            let own = views::offset(view, step.index)?;
            // Elements are counted in those of the memory.
            let base = self.memory.ty(self.memory.base(node)).dtype();
            if own != Expr::int(0) && self.memory.ty(step.parent).dtype() != base {
                return None;
            }
            sum = sum + own;
            at = step.parent;
        }
        Some(sym::simplify(&sum, &old.facts))
    }

    /// Whether the result of that index is the memory of a parameter or of an earlier result.
    fn alias(&self, value: ValueId, index: usize, added: usize) -> OutputKind {
        let old = self.rw.old;
        let node = self.memory.node(value);
        let base = self.memory.base(node);
        let offset = self.offset(node).filter(|_| old.body.ty(value).as_tensor().is_some());
        let Some(offset) = offset else { return OutputKind::User };
        // A view has its base's dtype; what reads the bytes as another is handed over as a copy.
        let dtype = |ty: &ir::Type| ty.as_tensor().map(|it| it.dtype);
        if dtype(old.body.ty(value)) != dtype(self.memory.ty(base)) {
            return OutputKind::User;
        }
        // A constant may lie in memory that nobody can write to, and is handed over as a copy.
        let is_given = |it: &usize| old.params[*it].kind == ParamKind::User;
        let param = self.memory.param(node);
        if let Some(param) = param.filter(|it| is_given(it) || self.memory.is_written(base)) {
            return OutputKind::AliasesParam(param, offset);
        }
        let numel = |ty: &ir::Type| ty.as_tensor().map(ir::TensorType::numel);
        let whole = numel(self.memory.ty(base));
        let earlier = old.body.root.yields.iter().zip(&old.outputs).take(index).position(|it| {
            let node = self.memory.node(*it.0);
            it.1.kind == OutputKind::User
                && self.memory.base(node) == base
                && self.offset(node) == Some(Expr::int(0))
                && numel(old.body.ty(*it.0)) == whole
        });
        match earlier {
            Some(it) => OutputKind::AliasesOutput(it + added, offset),
            None => OutputKind::User,
        }
    }
}
