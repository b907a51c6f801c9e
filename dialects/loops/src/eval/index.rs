//! Index expressions, translated for evaluation at many points.

use std::sync::Arc;

use ir::EvalError;
use sym::Expr;

use super::Eval;

/// An integer expression over the registers of a machine.
pub(super) struct Index {
    /// As the program writes it, for messages.
    pub(super) expr: Expr,
    form: Form,
}

enum Form {
    /// A constant and the sum of coefficients times registers: nearly all there are.
    Affine(i64, Vec<(i64, usize)>),
    /// Symbols bound to registers by name.
    General(Expr, Vec<(Arc<str>, usize)>),
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
        if bound.is_empty() {
            let form = Form::Affine(size(expr)?, Vec::new());
            return Ok(Index { expr: expr.clone(), form });
        }
        let free = free
            .into_iter()
            .map(|name| size(&Expr::sym(&name)).map(|it| (name, it)))
            .collect::<Eval<Vec<_>>>()?;
        let known = |name: &str| free.iter().find(|it| *it.0 == *name).map(|it| Expr::int(it.1));
        let closed = expr.subst(&known);
        let form = affine(&closed, &bound).unwrap_or(Form::General(closed, bound));
        Ok(Index { expr: expr.clone(), form })
    }

    /// The value.
    pub(super) fn eval(&self, registers: &[i64]) -> Eval<i64> {
        match &self.form {
            Form::Affine(constant, terms) => {
                let add = |sum: i64, (coefficient, register): &(i64, usize)| {
                    sum.checked_add(coefficient.checked_mul(registers[*register])?)
                };
                terms.iter().try_fold(*constant, add).ok_or_else(|| {
                    EvalError(format!("the value of {} does not fit in 64 bits", self.expr))
                })
            }
            Form::General(expr, bound) => {
                let value =
                    |name: &str| bound.iter().find(|it| *it.0 == *name).map(|it| registers[it.1]);
                expr.eval(&value).map_err(|it| EvalError(format!("{}: {it}", self.expr)))
            }
        }
    }
}

fn affine(expr: &Expr, bound: &[(Arc<str>, usize)]) -> Option<Form> {
    let mut rest = expr.clone();
    let mut terms = Vec::new();
    for (name, register) in bound {
        let (coefficient, without) = rest.linear_in(name)?;
        terms.push((coefficient.as_int()?, *register));
        rest = without;
    }
    Some(Form::Affine(rest.as_int()?, terms))
}
