//! Statements between kernels: control flow, symbols that data defines, and assertions.
//!
//! Each stands where it stood among the operators: what it reads is in memory by then, and what
//! depends on it comes after.

use ir::{AttrTy, Function, Op, Result, TensorType, Type, ValueId};
use tensor::{Absent, Assert, AssertTensor, BindSymbol, Cond, ScanOver, Subgraph, While};

use super::{graph::Graph, lower::Lower};

/// Whether the op is a statement of its own.
pub(super) fn is_statement(op: &Op) -> bool {
    op.results == 0 || op.def == Absent::def() || op.def.0.calls.is_some()
}

/// Whether an assertion is about sizes that are known before any kernel runs.
pub(super) fn is_of_inputs(graph: &Graph<'_>, it: Assert<'_>) -> bool {
    let symbols = it.cond().symbols();
    !graph.function.body.ops().iter().any(|op| {
        let bound = BindSymbol::of(graph.view(op));
        bound.is_some_and(|it| symbols.contains(it.symbol().as_str()))
    })
}

/// A body of control flow with dense operands and results, as those who call it expect.
pub(super) fn with_dense_boundary(function: &Function) -> Function {
    let dense = |ty: &Type| match ty {
        Type::Tensor(it) => Type::Tensor(TensorType::contiguous(it.dtype, it.shape.clone())),
        it => it.clone(),
    };
    let mut res = function.clone();
    for param in &function.body.root.params {
        res.body.types[param.index()] = dense(function.body.ty(*param));
    }
    for output in &mut res.outputs {
        output.ty = dense(&output.ty);
    }
    res
}

impl Lower<'_> {
    fn all_dense(&mut self, values: Vec<ValueId>) -> Result<Vec<ValueId>> {
        values.into_iter().map(|it| self.row_major(it)).collect()
    }

    /// The statement itself; its results are dense.
    pub(super) fn statement(&mut self, index: usize) -> Result<()> {
        let graph = self.graph;
        let Some(op) = graph.function.body.ops().get(index) else { return Ok(()) };
        self.builder.origin = op.origin;
        let view = graph.view(op);
        if Absent::of(view).is_some() {
            let absent = loops::Absent::build(&mut self.builder)?;
            self.set_buffer(op.result(), absent[0]);
            return Ok(());
        }
        let dense = |it| TensorType::contiguous(graph.dtype(it), graph.shape(it).to_vec());
        let outs: Vec<Type> = op.results().map(|it| Type::Tensor(dense(it))).collect();
        let outs = outs.to_attr();
        let results = if let Some(it) = Assert::of(view) {
            if !is_of_inputs(graph, it) {
                loops::Assert::build(&mut self.builder, it.cond(), it.message())?;
            }
            Vec::new()
        } else if let Some(it) = AssertTensor::of(view) {
            let x = self.row_major(it.x())?;
            loops::AssertTensor::build(&mut self.builder, x, it.message())?;
            Vec::new()
        } else if let Some(it) = BindSymbol::of(view) {
            let x = self.row_major(it.x())?;
            loops::BindSymbol::build(&mut self.builder, x, it.symbol())?;
            Vec::new()
        } else if let Some(it) = Cond::of(view) {
            let pred = it.pred().map(|it| self.row_major(it)).transpose()?;
            let operands = self.all_dense(it.operands())?;
            let (cond, then, otherwise) = (it.cond(), it.then(), it.otherwise());
            loops::Cond::build(&mut self.builder, pred, operands, cond, then, otherwise, outs)?
        } else if let Some(it) = While::of(view) {
            let carried = self.all_dense(it.carried())?;
            let extra = self.all_dense(it.extra())?;
            let (cond, body) = (it.cond(), it.body());
            loops::While::build(&mut self.builder, carried, extra, cond, body, outs)?
        } else if let Some(it) = Subgraph::of(view) {
            let operands = self.all_dense(it.operands())?;
            loops::Subgraph::build(&mut self.builder, operands, it.body(), outs)?
        } else if let Some(it) = ScanOver::of(view) {
            let (init, xs) = (self.all_dense(it.init())?, self.all_dense(it.xs())?);
            let extra = self.all_dense(it.extra())?;
            let (length, body) = (it.length(), it.body());
            loops::ScanOver::build(&mut self.builder, init, xs, extra, length, body, outs)?
        } else {
            return Err(super::index::unsupported(view));
        };
        for (old, new) in op.results().zip(results) {
            self.set_buffer(old, new);
        }
        Ok(())
    }
}
