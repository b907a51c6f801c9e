//! Index expressions, translated for evaluation at many points.

use std::sync::Arc;

use ir::EvalError;
use sym::{Expr, Program};

use super::Eval;

/// An integer expression over the registers of a machine.
pub(super) struct Index {
    /// As the program writes it, for messages.
    pub(super) expr: Expr,
    /// What is run at each point; none where the expression has no translation.
    program: Option<Program>,
    /// The expression with sizes put in, and the registers of the symbols that are left: what says
    /// why a point has no value, and what its value is where the program cannot.
    closed: Expr,
    bound: Vec<(Arc<str>, usize)>,
}

impl Index {
    /// Translates `expr`: a symbol is what `register` says, any other a number that `size` knows.
    pub(super) fn new(
        expr: &Expr,
        register: &dyn Fn(&str) -> Option<usize>,
        size: &dyn Fn(&Expr) -> Eval<i64>,
    ) -> Eval<Index> {
        let mut bound = Vec::new();
        let mut free = Vec::new();
        for name in expr.symbols() {
            match register(&name) {
                Some(it) => bound.push((name, it)),
                None => free.push(name),
            }
        }
        let closed = if bound.is_empty() {
            Expr::int(size(expr)?)
        } else {
            let free = free
                .into_iter()
                .map(|name| size(&Expr::sym(&name)).map(|it| (name, it)))
                .collect::<Eval<Vec<_>>>()?;
            expr.subst(&|name| free.iter().find(|it| *it.0 == *name).map(|it| Expr::int(it.1)))
        };
        let slot = |name: &str| bound.iter().find(|it| *it.0 == *name).map(|it| it.1);
        let program = Program::new(&closed, &slot);
        Ok(Index { expr: expr.clone(), program, closed, bound })
    }

    /// The value.
    pub(super) fn eval(&self, registers: &[i64]) -> Eval<i64> {
        match self.program.as_ref().and_then(|it| it.eval(registers)) {
            Some(it) => Ok(it),
            None => self.eval_closed(registers),
        }
    }

    #[cold]
    fn eval_closed(&self, registers: &[i64]) -> Eval<i64> {
        let value =
            |name: &str| self.bound.iter().find(|it| *it.0 == *name).map(|it| registers[it.1]);
        self.closed.eval(&value).map_err(|it| EvalError(format!("{}: {it}", self.expr)))
    }
}
