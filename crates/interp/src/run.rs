//! The loop over ops.

use std::{cell::RefCell, collections::BTreeMap};

use ir::{
    EvalCx, EvalError, Function, HostValue, Memory, Op, Param, ParamKind, Region, Type, ValueId,
    View,
};
use sym::{Expr, Number};

use crate::{
    bind::{bind_more, describe},
    plan::{OpPlan, RegionPlan, plan},
};

/// Evaluates a function. After its results come the parameters that it has written in place, in
/// order, then what its statements have handed over.
///
/// `sizes` gives values to symbols that the arguments' shapes do not determine; where they do, the
/// two must agree.
pub fn run(
    function: &Function,
    args: &[HostValue],
    sizes: &BTreeMap<String, i64>,
) -> Result<Vec<HostValue>, EvalError> {
    run_in(&[], function, args, sizes)
}

/// As [`run`], in a program whose functions are the bodies of control flow, and those that compute
/// the constants that bodies read.
pub fn run_in(
    program: &[Function],
    function: &Function,
    args: &[HostValue],
    sizes: &BTreeMap<String, i64>,
) -> Result<Vec<HostValue>, EvalError> {
    let params = function.params.iter().zip(args);
    let constants = params.filter(|it| !it.0.kind.is_given());
    let constants = constants.map(|it| (it.0.name.clone(), it.1.clone())).collect();
    let state = State { program, constants: &RefCell::new(constants) };
    called(state, function, args, sizes, &BTreeMap::new(), 0)
}

/// Deeper than control flow nests.
const MAX_DEPTH: usize = 64;

/// What all functions of a program see.
#[derive(Clone, Copy)]
struct State<'a> {
    program: &'a [Function],
    /// The model's constants, which bodies of control flow read too. What is folded is added when
    /// it is first read.
    constants: &'a RefCell<BTreeMap<String, HostValue>>,
}

impl State<'_> {
    /// The value of a parameter that nobody passes: a constant that is known, or what a function of
    /// the program computes from such.
    fn constant(self, param: &Param, depth: usize) -> Result<Option<HostValue>, EvalError> {
        let known = |name: &str| self.constants.borrow().get(name).cloned();
        if let Some(it) = known(&param.name) {
            return Ok(Some(it));
        }
        let makes = |it: &&Function| {
            it.outputs.iter().any(|it| it.name == param.name)
                && !it.params.iter().any(|it| it.kind.is_given() || it.name == param.name)
        };
        let maker = match param.kind {
            ParamKind::Folded => self.program.iter().find(makes),
            _ => None,
        };
        let Some(maker) = maker else { return Ok(None) };
        if MAX_DEPTH < depth {
            return Err(EvalError(format!("{} is computed from itself", param.name)));
        }
        let args = maker.params.iter().map(|it| {
            let missing = || EvalError(format!("@{}: {} has no value", maker.name, it.name));
            self.constant(it, depth + 1)?.ok_or_else(missing)
        });
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let values = called(self, maker, &args, &BTreeMap::new(), &BTreeMap::new(), depth + 1)?;
        let names = maker.outputs.iter().map(|it| it.name.clone());
        self.constants.borrow_mut().extend(names.zip(values));
        Ok(known(&param.name))
    }
}

fn called(
    state: State<'_>,
    function: &Function,
    args: &[HostValue],
    sizes: &BTreeMap<String, i64>,
    reals: &BTreeMap<String, f64>,
    depth: usize,
) -> Result<Vec<HostValue>, EvalError> {
    if MAX_DEPTH < depth {
        return Err(EvalError(format!("@{} calls itself", function.name)));
    }
    let sizes = RefCell::new(bind_more(function, args, sizes)?);
    let reals = RefCell::new(reals.clone());
    let plan = plan(&function.body);
    let values = RefCell::new(vec![None; function.body.types.len()]);
    let given = RefCell::default();
    let memories = RefCell::default();
    let run = Run { state, function, sizes, reals, values, memories, given, depth };
    let scope = Scope { bindings: &[], parent: None };
    let mut res = run.region(&function.body.root, &plan, args, &scope)?;
    let mut memories = run.memories.into_inner();
    memories.sort_by_key(|it| it.0);
    res.extend(
        memories.into_iter().filter(|it| it.1.is_written()).map(|it| HostValue::Memory(it.1)),
    );
    for (i, it) in run.given.into_inner().into_iter().enumerate() {
        res.push(it.ok_or_else(|| EvalError(format!("output {i} is not handed over")))?);
    }
    Ok(res)
}

/// The symbols that regions bind, innermost first.
struct Scope<'a> {
    bindings: &'a [(&'a str, i64)],
    parent: Option<&'a Scope<'a>>,
}

struct Run<'a> {
    state: State<'a>,
    function: &'a Function,
    sizes: RefCell<BTreeMap<String, i64>>,
    /// The floating-point symbols.
    reals: RefCell<BTreeMap<String, f64>>,
    /// How many functions wait for this one.
    depth: usize,
    /// The value of each number, while it is needed.
    values: RefCell<Vec<Option<HostValue>>>,
    /// The memory of the parameters that were given as values, where an op has asked for it.
    memories: RefCell<Vec<(ValueId, Memory)>>,
    given: RefCell<Vec<Option<HostValue>>>,
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
        match self.number(expr, scope)? {
            Number::Int(it) => Ok(it),
            Number::Float(_) => Err(EvalError(format!("size {expr} is not an integer"))),
        }
    }

    fn number(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Number, EvalError> {
        if let Some(it) = expr.as_number() {
            return Ok(it);
        }
        let value = |name: &str| {
            let mut scope = Some(scope);
            while let Some(it) = scope {
                if let Some(found) = it.bindings.iter().rev().find(|it| it.0 == name) {
                    return Some(Number::Int(found.1));
                }
                scope = it.parent;
            }
            let real = self.reals.borrow().get(name).copied().map(Number::Float);
            real.or_else(|| self.sizes.borrow().get(name).copied().map(Number::Int))
        };
        expr.eval_number(&value).map_err(|it| EvalError(format!("size {expr}: {it}")))
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
            number: &|expr| self.number(expr, scope),
            run: &run,
            call: &|name, args| self.call(name, args),
            bind: &|symbol, value| self.bind(symbol, value),
            set: &|id, value| self.replace(id, value),
            given: &self.given,
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

    fn replace(&self, id: ValueId, value: HostValue) {
        if let HostValue::Memory(it) = &value
            && self.function.body.root.params.contains(&id)
        {
            self.memories.borrow_mut().push((id, it.clone()));
        }
        self.set(id, Some(value));
    }

    /// Size symbols are visible in the functions that control flow calls.
    fn call(&self, name: &str, args: &[HostValue]) -> Result<Vec<HostValue>, EvalError> {
        let callee = self.state.program.iter().find(|it| it.name == name);
        let callee = callee.ok_or_else(|| EvalError(format!("there is no function @{name}")))?;
        let sizes = self.sizes.borrow().clone();
        let reals = self.reals.borrow().clone();
        let mut given = args.iter();
        let mut all = Vec::with_capacity(callee.params.len());
        for param in &callee.params {
            let value = match param.kind.is_given() {
                true => given.next().cloned(),
                false => self.state.constant(param, self.depth)?,
            };
            let missing = || EvalError(format!("@{name}: {} has no value", param.name));
            all.push(value.ok_or_else(missing)?);
        }
        all.extend(given.cloned());
        called(self.state, callee, &all, &sizes, &reals, self.depth + 1)
            .map_err(|it| EvalError(format!("@{name}: {it}")))
    }

    fn bind(&self, symbol: &str, value: Number) -> Result<(), EvalError> {
        let value = match value {
            Number::Int(it) => it,
            Number::Float(it) => {
                self.reals.borrow_mut().insert(symbol.to_owned(), it);
                return Ok(());
            }
        };
        let range = self.function.facts.range_of_sym(symbol);
        if !range.contains(value) {
            let sym::Range { lo, hi } = range;
            let what = self.function.facts.described(symbol);
            return Err(EvalError(format!("{what} = {value} is outside {lo}..{hi}")));
        }
        self.sizes.borrow_mut().insert(symbol.to_owned(), value);
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
            (Type::Tensor(ty), HostValue::Memory(it)) => {
                ty.dtype == it.dtype()
                    && ty.rank() == it.shape().len()
                    && ty.shape.iter().zip(it.shape()).all(|(expr, found)| {
                        self.size(expr, scope).map_or(true, |expected| expected == *found)
                    })
            }
            // What other levels keep in memory is theirs to check.
            (Type::Tensor(_) | Type::Arena | Type::List(_) | Type::None, _) => true,
            (Type::Scalar(_), _) => false,
        }
    }
}
