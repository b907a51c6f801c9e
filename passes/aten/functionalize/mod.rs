//! Takes writes out of a function: what was written in place becomes a new value.
//!
//! The schemas' alias marks say which results are views and which arguments are written. Each
//! tensor belongs to a memory: its base, and how it is seen through views of views. A write
//! becomes the operator's functional twin; the new value is carried back to the base through the
//! inverse of each view, and whoever reads another view of that memory later takes it anew from
//! the base. At the end, parameters that were written become results of their own, and results
//! that are the memory of a parameter say so.

mod inplace;
mod memory;
mod views;

use diag::Diag;
use ir::{Function, Op, Output, OutputKind, ParamKind, Rewriter, ValueId, compact};
use pass::{PassCx, PassDef, Unit};

use crate::Kinds;
use memory::Memory;

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
        it.memory.own(*param, value, Some(i));
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
    memory: Memory<'a>,
    unsupported: Kinds,
}

impl<'a> Functionalize<'a> {
    fn op(&mut self, op: &'a Op) -> ir::Result<()> {
        let Some(schema) = aten::schema(op.def) else {
            return self.copy(op);
        };
        if schema.written().next().is_some() {
            return self.write_op(op, schema);
        }
        if views::is_view(self.rw.view(op), schema) {
            return self.view_op(op);
        }
        self.copy(op)
    }

    /// Copies an op with what its operands are now; its results are memories of their own.
    fn copy(&mut self, op: &'a Op) -> ir::Result<()> {
        for it in op.operands() {
            let value = self.read(it)?;
            self.rw.set(it, value);
        }
        let results = self.rw.copy(op)?;
        for (old, new) in op.results().zip(results) {
            self.memory.own(old, new, None);
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
        for it in op.operands() {
            let value = self.read(it)?;
            self.rw.set(it, value);
        }
        let results = self.rw.copy(op)?;
        for (i, (old, new)) in op.results().zip(results).enumerate() {
            self.memory.view(old, base, op, i, new);
        }
        Ok(())
    }

    /// What a value is now.
    fn read(&mut self, old: ValueId) -> ir::Result<ValueId> {
        let Some((parent, op)) = self.memory.stale(old) else { return Ok(self.memory.cached(old)) };
        let parent = self.read(parent)?;
        // The view is taken anew, of what its memory holds now.
        for (i, it) in op.operands().enumerate() {
            let value = if i == 0 { parent } else { self.read(it)? };
            self.rw.set(it, value);
        }
        let origin = self.rw.new.origin;
        let results = self.rw.copy(op)?;
        self.rw.new.origin = origin;
        self.memory.refresh(old, &results);
        Ok(self.memory.cached(old))
    }

    /// Gives a value's memory a new content where the value sees it.
    fn write(&mut self, old: ValueId, new: ValueId) -> ir::Result<()> {
        match self.memory.parent(old) {
            None => self.memory.replace(old, new),
            Some((parent, op, index)) => {
                let whole = self.read(parent)?;
                let updated = views::scatter(&mut self.rw, op, index, parent, whole, new)?;
                self.write(parent, updated)?;
            }
        }
        self.memory.set_cached(old, new);
        Ok(())
    }

    /// The function with its results: first what was written, then what it gives.
    fn finish(mut self) -> ir::Result<Function> {
        let old = self.rw.old;
        let mut outputs = Vec::new();
        let mut yields = Vec::new();
        let already: Vec<usize> = old
            .outputs
            .iter()
            .filter_map(|it| match it.kind {
                OutputKind::Mutates(it) => Some(it),
                _ => None,
            })
            .collect();
        for (i, param) in old.body.root.params.iter().enumerate() {
            if self.memory.is_written(*param) && !already.contains(&i) {
                let name = old.params[i].name.clone();
                let ty = old.body.ty(*param).clone();
                outputs.push(Output { name, kind: OutputKind::Mutates(i), ty });
                yields.push(self.read(*param)?);
            }
        }
        let added = outputs.len();
        for (output, value) in old.outputs.iter().zip(&old.body.root.yields) {
            let kind = match &output.kind {
                OutputKind::User => self.alias(*value, &old.outputs, &old.body.root.yields, added, outputs.len()),
                OutputKind::AliasesOutput(it) => OutputKind::AliasesOutput(it + added),
                it => it.clone(),
            };
            outputs.push(Output { kind, ..output.clone() });
            yields.push(self.read(*value)?);
        }
        let facts = old.facts.clone();
        let body = compact(&self.rw.new.finish(yields), &facts);
        Ok(Function {
            name: old.name.clone(),
            facts,
            params: old.params.clone(),
            outputs,
            body,
        })
    }

    /// Whether a result is the memory of a parameter or of an earlier result.
    fn alias(
        &self,
        value: ValueId,
        outputs: &[Output],
        values: &[ValueId],
        added: usize,
        at: usize,
    ) -> OutputKind {
        let (base, from_start) = self.memory.base(value);
        if !from_start {
            return OutputKind::User;
        }
        if let Some(param) = self.memory.param(value) {
            return match self.rw.old.params[param].kind {
                ParamKind::User | ParamKind::Buffer { .. } | ParamKind::Parameter => {
                    OutputKind::AliasesParam(param)
                }
                ParamKind::Constant | ParamKind::Folded => OutputKind::User,
            };
        }
        let earlier = values.iter().zip(outputs).take(at - added).position(|(it, output)| {
            output.kind == OutputKind::User
                && self.memory.base(*it) == (base, true)
                && self.rw.old.body.ty(*it).as_tensor().map(|it| it.numel())
                    == self.rw.old.body.ty(base).as_tensor().map(|it| it.numel())
        });
        match earlier {
            Some(it) => OutputKind::AliasesOutput(it + added),
            None => OutputKind::User,
        }
    }
}
