//! Control flow: the functions are called with the tensors that they write their results to.

use ir::{Op, Result, TensorType, Type, ValueId, View};
use loops::{AssertTensor, BindSymbol, Cond, ScanOver, Subgraph, While};

use super::Lower;

impl Lower<'_> {
    /// Lowers the op if it is control flow, a symbol that data defines, or an assertion about data.
    pub(super) fn control(&mut self, op: &Op) -> Result<bool> {
        let view = View::of(&self.function.body, &self.function.facts, op);
        if let Some(it) = BindSymbol::of(view) {
            let x = self.read(it.x());
            wrapper::BindItem::build(&mut self.builder, x, it.symbol())?;
        } else if let Some(it) = AssertTensor::of(view) {
            let x = self.read(it.x());
            wrapper::AssertItem::build(&mut self.builder, x, it.message())?;
        } else if let Some(it) = Cond::of(view) {
            let pred = it.pred().map(|it| self.read(it));
            let operands = self.all(it.operands());
            let results = self.results(op)?;
            let (cond, then, otherwise) = (it.cond(), it.then(), it.otherwise());
            let make = &mut self.builder;
            wrapper::Cond::build(make, pred, operands, results, cond, then, otherwise)?;
        } else if let Some(it) = While::of(view) {
            let (init, extra) = (self.all(it.carried()), self.all(it.extra()));
            let others = self.others(op, init.len())?;
            let results = self.results(op)?;
            let truth = Type::Tensor(TensorType::contiguous(ir::DType::Bool, Vec::new()));
            let holds = wrapper::Alloc::build(&mut self.builder, truth)?[0];
            let (cond, body) = (it.cond(), it.body());
            let make = &mut self.builder;
            wrapper::While::build(make, init, extra, holds, others, results, cond, body)?;
        } else if let Some(it) = Subgraph::of(view) {
            let operands = self.all(it.operands());
            let results = self.results(op)?;
            wrapper::Subgraph::build(&mut self.builder, operands, results, it.body())?;
        } else if let Some(it) = ScanOver::of(view) {
            let (init, xs) = (self.all(it.init()), self.all(it.xs()));
            let extra = self.all(it.extra());
            let others = self.others(op, init.len())?;
            let results = self.results(op)?;
            let (length, body) = (it.length(), it.body());
            let make = &mut self.builder;
            wrapper::ScanOver::build(make, init, xs, extra, others, results, length, body)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn all(&self, values: Vec<ValueId>) -> Vec<ValueId> {
        values.into_iter().map(|it| self.read(it)).collect()
    }

    fn results(&mut self, op: &Op) -> Result<Vec<ValueId>> {
        op.results()
            .map(|it| {
                let ty = self.function.body.ty(it).clone();
                self.allocate(it, ty)
            })
            .collect()
    }

    /// What carried tensors alternate with.
    fn others(&mut self, op: &Op, carried: usize) -> Result<Vec<ValueId>> {
        op.results()
            .take(carried)
            .map(|it| {
                let ty = self.function.body.ty(it).clone();
                Ok(wrapper::Alloc::build(&mut self.builder, ty)?[0])
            })
            .collect()
    }
}
