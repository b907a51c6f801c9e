//! Solving symbols from the shapes of arguments.

use std::collections::BTreeMap;

use ir::{EvalError, Function, HostValue, Type};
use sym::Expr;

/// A size of a parameter and what the argument has there.
struct Size<'a> {
    expr: &'a Expr,
    value: i64,
    param: &'a str,
}

/// The value of every symbol that the shapes of the arguments determine.
///
/// Plain symbols come first, then whatever is linear in one unknown symbol, until nothing more can
/// be solved. It is an error if an argument does not have its parameter's type, if two sizes
/// disagree, if a value is outside its declared range, or if a size stays unknown.
pub fn bind_sizes(
    function: &Function,
    args: &[HostValue],
) -> Result<BTreeMap<String, i64>, EvalError> {
    bind_more(function, args, &BTreeMap::new())
}

/// As [`bind_sizes`], with some symbols given.
pub(crate) fn bind_more(
    function: &Function,
    args: &[HostValue],
    given: &BTreeMap<String, i64>,
) -> Result<BTreeMap<String, i64>, EvalError> {
    let mut bound = given.clone();
    let sizes = sizes(function, args)?;
    let (plain, mut others): (Vec<_>, Vec<_>) =
        sizes.into_iter().partition(|it| it.expr.as_sym().is_some());
    for size in &plain {
        size.solve(&mut bound)?;
    }
    loop {
        let (solved, before) = (bound.len(), others.len());
        let mut open = Vec::new();
        for size in others {
            if !size.solve(&mut bound)? {
                open.push(size);
            }
        }
        if let (Some(size), true) = (open.first(), (bound.len(), open.len()) == (solved, before)) {
            return Err(size.error("has a symbol that no shape determines"));
        }
        if open.is_empty() {
            break;
        }
        others = open;
    }
    for (name, value) in &bound {
        let range = function.facts.range_of_sym(name);
        if !range.contains(*value) {
            return Err(EvalError(format!(
                "{name} = {value} is outside {}..{}",
                range.lo, range.hi
            )));
        }
    }
    Ok(bound)
}

/// Every size of every parameter, once the arguments are known to fit them otherwise.
fn sizes<'a>(function: &'a Function, args: &[HostValue]) -> Result<Vec<Size<'a>>, EvalError> {
    let Function { name, facts: _, params, outputs: _, body } = function;
    if args.len() != params.len() || params.len() != body.root.params.len() {
        return Err(EvalError(format!(
            "@{name} takes {} arguments, was given {}",
            params.len(),
            args.len()
        )));
    }
    let mut res = Vec::new();
    for ((param, value), arg) in params.iter().zip(&body.root.params).zip(args) {
        let ty = body.ty(*value);
        let fits = match (ty, arg) {
            (Type::Scalar(dtype), HostValue::Scalar(found, _)) => dtype == found,
            (
                Type::Tensor(ty),
                HostValue::Tensor(_) | HostValue::Cell(_) | HostValue::Memory(_),
            ) => {
                let arg = arg.tensor()?.check()?;
                let pairs = ty.shape.iter().zip(&arg.shape);
                res.extend(pairs.map(|(expr, value)| Size {
                    expr,
                    value: *value,
                    param: &param.name,
                }));
                ty.dtype == arg.dtype && ty.rank() == arg.shape.len()
            }
            _ => false,
        };
        if !fits {
            return Err(EvalError(format!("{}: {ty} was given {}", param.name, describe(arg))));
        }
    }
    Ok(res)
}

/// A value's type as a text.
pub(crate) fn describe(value: &HostValue) -> String {
    match value {
        HostValue::Scalar(dtype, _) => dtype.to_string(),
        HostValue::Tensor(it) => format!("{}{:?}", it.dtype, it.shape),
        HostValue::Memory(it) => format!("a memory of {}{:?}", it.dtype(), it.shape()),
        HostValue::Cell(_) => match value.tensor() {
            Ok(it) => format!("a memory of {}{:?}", it.dtype, it.shape),
            Err(it) => it.0,
        },
    }
}

impl Size<'_> {
    fn error(&self, message: &str) -> EvalError {
        EvalError(format!("{}: size {} = {} {message}", self.param, self.expr, self.value))
    }

    /// Whether the size is settled: what it says agrees with what is bound, or has been bound.
    fn solve(&self, bound: &mut BTreeMap<String, i64>) -> Result<bool, EvalError> {
        let symbols = self.expr.symbols();
        let mut unknown = symbols.iter().filter(|it| !bound.contains_key(&***it));
        let eval = |expr: &Expr| {
            expr.eval(&|name| bound.get(name).copied()).map_err(|it| self.error(&it.to_string()))
        };
        match (unknown.next(), unknown.next()) {
            (None, _) => {
                let expected = eval(self.expr)?;
                match expected == self.value {
                    true => Ok(true),
                    false => Err(self.error(&format!("should be {expected}"))),
                }
            }
            (Some(name), None) => {
                let Some((coefficient, rest)) = self.expr.linear_in(name) else {
                    return Ok(false);
                };
                let (coefficient, rest) = (eval(&coefficient)?, eval(&rest)?);
                let difference = i128::from(self.value) - i128::from(rest);
                let value = match i128::from(coefficient) {
                    0 => return Ok(false),
                    it if difference % it == 0 => i64::try_from(difference / it).ok(),
                    _ => None,
                };
                let value = value.ok_or_else(|| self.error("has no integer solution"))?;
                bound.insert(name.to_string(), value);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
