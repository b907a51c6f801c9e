//! The loop over ops.

use std::{cell::RefCell, collections::BTreeMap};

use ir::{EvalCx, EvalError, Function, HostValue, Op, Region, Type, ValueId, View};
use sym::Expr;

use crate::{
    bind::{bind_more, describe},
    plan::{OpPlan, RegionPlan, plan},
};

/// Evaluates a function.
///
/// `sizes` gives values to symbols that the arguments' shapes do not determine; where they do, the
/// two must agree.
pub fn run(
    function: &Function,
    args: &[HostValue],
    sizes: &BTreeMap<String, i64>,
) -> Result<Vec<HostValue>, EvalError> {
    let sizes = bind_more(function, args, sizes)?;
    let plan = plan(&function.body);
    let values = RefCell::new(vec![None; function.body.types.len()]);
    let run = Run { function, sizes: &sizes, values };
    run.region(&function.body.root, &plan, args, &Scope { bindings: &[], parent: None })
}

/// The symbols that regions bind, innermost first.
struct Scope<'a> {
    bindings: &'a [(&'a str, i64)],
    parent: Option<&'a Scope<'a>>,
}

struct Run<'a> {
    function: &'a Function,
    sizes: &'a BTreeMap<String, i64>,
    /// The value of each number, while it is needed.
    values: RefCell<Vec<Option<HostValue>>>,
}

impl Run<'_> {
    fn set(&self, id: ValueId, value: Option<HostValue>) {
        if let Some(it) = self.values.borrow_mut().get_mut(id.index()) {
            *it = value;
        }
    }

    fn get(&self, id: ValueId) -> Result<HostValue, EvalError> {
        let found = self.values.borrow().get(id.index()).cloned().flatten();
        found.ok_or_else(|| EvalError(format!("{id} has no value")))
    }

    fn size(&self, expr: &Expr, scope: &Scope<'_>) -> Result<i64, EvalError> {
        if let Some(it) = expr.as_int() {
            return Ok(it);
        }
        let value = |name: &str| {
            let mut scope = Some(scope);
            while let Some(it) = scope {
                if let Some(found) = it.bindings.iter().rev().find(|it| it.0 == name) {
                    return Some(found.1);
                }
                scope = it.parent;
            }
            self.sizes.get(name).copied()
        };
        expr.eval(&value).map_err(|it| EvalError(format!("size {expr}: {it}")))
    }

    fn region(
        &self,
        region: &Region,
        plan: &RegionPlan,
        args: &[HostValue],
        scope: &Scope<'_>,
    ) -> Result<Vec<HostValue>, EvalError> {
        if args.len() != region.params.len() {
            return Err(EvalError(format!(
                "a region of {} parameters was given {}",
                region.params.len(),
                args.len()
            )));
        }
        for (param, arg) in region.params.iter().zip(args) {
            self.set(*param, Some(arg.clone()));
        }
        for (op, plan) in region.ops.iter().zip(&plan.ops) {
            self.op(op, plan, scope).map_err(|it| EvalError(format!("{}: {it}", op.def.0.name)))?;
            plan.dead.iter().for_each(|it| self.set(*it, None));
        }
        let res = region.yields.iter().map(|it| self.get(*it)).collect();
        plan.yielded.iter().for_each(|it| self.set(*it, None));
        res
    }

    fn op(&self, op: &Op, plan: &OpPlan, scope: &Scope<'_>) -> Result<(), EvalError> {
        let eval = op.def.0.eval.ok_or_else(|| EvalError("has no evaluator".to_owned()))?;
        let operands = op.operands().map(|it| self.get(it)).collect::<Result<Vec<_>, _>>()?;
        let run = |n: usize, args: &[HostValue], bindings: &[(&str, i64)]| {
            let (Some(region), Some(plan)) = (op.regions.get(n), plan.regions.get(n)) else {
                return Err(EvalError(format!("region {n} is missing")));
            };
            self.region(region, plan, args, &Scope { bindings, parent: Some(scope) })
        };
        let results = eval(&EvalCx {
            view: View::of(&self.function.body, &self.function.facts, op),
            operands: &operands,
            size: &|expr| self.size(expr, scope),
            run: &run,
        })?;
        if results.len() != op.results as usize {
            return Err(EvalError(format!(
                "gave {} results instead of {}",
                results.len(),
                op.results
            )));
        }
        for (id, value) in op.results().zip(results) {
            let ty = self.function.body.ty(id);
            if !self.fits(ty, &value, scope) {
                return Err(EvalError(format!("gave {} for {id} : {ty}", describe(&value))));
            }
            self.set(id, Some(value));
        }
        Ok(())
    }

    /// Whether a value is of a type. Sizes that have no value yet fit whatever is there: they are
    /// symbols that stand for what the op has found.
    fn fits(&self, ty: &Type, value: &HostValue, scope: &Scope<'_>) -> bool {
        match (ty, value) {
            (Type::Scalar(dtype), HostValue::Scalar(found, _)) => dtype == found,
            (Type::Tensor(ty), HostValue::Tensor(it)) => {
                ty.dtype == it.dtype
                    && ty.rank() == it.shape.len()
                    && ty.shape.iter().zip(&it.shape).all(|(expr, found)| {
                        self.size(expr, scope).map_or(true, |expected| expected == *found)
                    })
            }
            // What other levels keep in memory is theirs to check.
            (Type::Tensor(_) | Type::Arena | Type::List(_) | Type::None, _) => true,
            (Type::Scalar(_), _) => false,
        }
    }
}
