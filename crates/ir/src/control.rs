//! Control flow, the same at every level whose ops give results: what the ops infer and evaluate.
//!
//! Bodies are functions of the program. An op of control flow names them, gives the types of its
//! results in the attribute `outs`, and passes tensors; size symbols are visible in all functions.

use crate::{
    Arg, Calls, DType, EvalCx, EvalError, HostTensor, HostValue, RefName, Result, Type, View,
};

/// More turns than a loop takes that is evaluated to compare passes; random inputs may never end one.
const MAX_TURNS: usize = 1 << 16;

type Evaluated = std::result::Result<Vec<HostValue>, EvalError>;

/// The types that `outs` gives.
pub fn infer_outs(view: View<'_>) -> Result<Vec<Type>> {
    let outs: Vec<Type> = view.attr("outs");
    match outs.iter().all(|it| it.as_tensor().is_some()) {
        true => Ok(outs),
        false => Err(view.error("a result is not a tensor")),
    }
}

/// Nothing: the op has no result.
pub fn infer_nothing(_: View<'_>) -> Result<Vec<Type>> {
    Ok(Vec::new())
}

/// Nothing, where the operand is a number that is an integer or a float of at least 32 bits.
pub fn infer_bind_symbol(view: View<'_>) -> Result<Vec<Type>> {
    let dtype = view.op.operands().next().and_then(|it| view.ty(it).dtype());
    match dtype {
        Some(it) if it.is_complex() || matches!(it, DType::F16 | DType::BF16) => {
            Err(view.error(format!("C1: a symbol is not defined by {it}")))
        }
        Some(_) => Ok(Vec::new()),
        None => Err(view.error("C1: a symbol is defined by a number")),
    }
}

/// A condition of one kind, not two.
pub fn verify_cond(view: View<'_>) -> Result<()> {
    let by_tensor = !matches!(view.op.args.first(), None | Some(Arg::None));
    let by_size = view.attr::<Option<sym::Expr>>("cond").is_some();
    match by_tensor != by_size {
        true => Ok(()),
        false => Err(view.error("C1: takes either a tensor or an expression as its condition")),
    }
}

/// What is carried keeps its type.
pub fn verify_while(view: View<'_>) -> Result<()> {
    let outs: Vec<Type> = view.attr("outs");
    let carried = view.op.args.first().map(|it| it.values().collect::<Vec<_>>());
    let carried = carried.unwrap_or_default();
    let plain = |ty: &Type| ty.as_tensor().map(|it| (it.dtype, it.shape.clone()));
    let same = carried.iter().map(|it| plain(view.ty(*it))).eq(outs.iter().map(plain));
    match same {
        true => Ok(()),
        false => Err(view.error("C1: the results have not the types of what is carried")),
    }
}

/// Nothing where something could be.
pub fn infer_absent(_: View<'_>) -> Result<Vec<Type>> {
    Ok(vec![Type::None])
}

/// A tensor without elements stands for what is absent.
pub fn eval_absent(_: &EvalCx<'_>) -> Evaluated {
    let bytes = Vec::new().into();
    Ok(vec![HostValue::Tensor(HostTensor { dtype: DType::U8, shape: vec![0], bytes })])
}

/// How many operands each argument stands for, in order.
fn counts(view: View<'_>) -> Vec<usize> {
    view.op.args.iter().map(|it| it.values().count()).collect()
}

fn name(view: View<'_>, attr: &str) -> String {
    view.attr::<RefName>(attr).0
}

/// Whether the only element of a value is not zero.
fn truth(value: &HostValue) -> std::result::Result<bool, EvalError> {
    Ok(value.scalar()?.is_true())
}

/// How `cond` calls.
pub const COND: Calls =
    Calls { bodies: &["then", "otherwise"], given: &["operands"], kept: "operands" };

/// How `while` calls.
pub const WHILE: Calls =
    Calls { bodies: &["cond", "body"], given: &["carried", "extra"], kept: "extra" };

/// How `subgraph` calls.
pub const SUBGRAPH: Calls = Calls { bodies: &["body"], given: &["operands"], kept: "operands" };

/// How `scan_over` calls.
pub const SCAN: Calls = Calls { bodies: &["body"], given: &["init", "xs", "extra"], kept: "extra" };

/// One of `then` and `otherwise`, by the tensor `pred` or the size expression `cond`.
pub fn eval_cond(cx: &EvalCx<'_>) -> Evaluated {
    let by_tensor = !matches!(cx.view.op.args.first(), None | Some(Arg::None));
    let holds = match cx.view.attr::<Option<sym::Expr>>("cond") {
        Some(it) => (cx.size)(&it)? != 0,
        None => truth(cx.operands.first().ok_or_else(|| EvalError("no condition".to_owned()))?)?,
    };
    let operands = &cx.operands[usize::from(by_tensor)..];
    (cx.call)(&name(cx.view, if holds { "then" } else { "otherwise" }), operands)
}

/// `body` on the carried values while `cond` of them holds.
pub fn eval_while(cx: &EvalCx<'_>) -> Evaluated {
    let carried = counts(cx.view).first().copied().unwrap_or(0);
    let mut values = cx.operands.to_vec();
    let (cond, body) = (name(cx.view, "cond"), name(cx.view, "body"));
    for _ in 0..MAX_TURNS {
        let holds = (cx.call)(&cond, &values)?;
        if !truth(holds.first().ok_or_else(|| EvalError("no condition".to_owned()))?)? {
            values.truncate(carried);
            return Ok(values);
        }
        let next = (cx.call)(&body, &values)?;
        values.splice(..carried, next);
    }
    Err(EvalError(format!("a loop did not end after {MAX_TURNS} turns")))
}

/// `body` on the operands.
pub fn eval_call(cx: &EvalCx<'_>) -> Evaluated {
    (cx.call)(&name(cx.view, "body"), cx.operands)
}

/// Part `i` of the first dimension, which goes.
fn part(x: &HostTensor, i: usize) -> HostTensor {
    let shape = x.shape.get(1..).unwrap_or(&[]).to_vec();
    let size: usize = shape.iter().map(|it| usize::try_from(*it).unwrap_or(0)).product();
    let bytes = size * x.dtype.size();
    let all: &[u8] = &x.bytes;
    let of_part = all.get(i * bytes..(i + 1) * bytes).unwrap_or(&[]).to_vec();
    HostTensor { dtype: x.dtype, shape, bytes: of_part.into() }
}

/// `body` on the carried values and the `i`-th parts of the sequences, for each `i` in turn; gives
/// the last carried values, and what else the body gave stacked along a new first dimension.
pub fn eval_scan(cx: &EvalCx<'_>) -> Evaluated {
    let counts = counts(cx.view);
    let (init, xs) = (counts[0], counts[1]);
    let length = (cx.size)(&cx.view.attr::<sym::Expr>("length"))?;
    let mut carried = cx.operands[..init].to_vec();
    let sequences = cx.operands[init..init + xs]
        .iter()
        .map(HostValue::tensor)
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let extra = &cx.operands[init + xs..];
    let outs: Vec<Type> = cx.view.attr("outs");
    let stacked = outs.get(init..).unwrap_or(&[]);
    let mut gathered: Vec<Vec<u8>> = vec![Vec::new(); stacked.len()];
    for i in 0..usize::try_from(length).unwrap_or(0) {
        let mut args = carried.clone();
        args.extend(sequences.iter().map(|it| HostValue::Tensor(part(it, i))));
        args.extend_from_slice(extra);
        let mut results = (cx.call)(&name(cx.view, "body"), &args)?;
        for (all, it) in gathered.iter_mut().zip(results.split_off(init.min(results.len()))) {
            all.extend_from_slice(&it.tensor()?.bytes);
        }
        carried = results;
    }
    for (ty, bytes) in stacked.iter().zip(gathered) {
        let ty = ty.as_tensor().ok_or_else(|| EvalError("not a tensor".to_owned()))?;
        let shape = ty.shape.iter().map(cx.size).collect::<std::result::Result<Vec<_>, _>>()?;
        carried.push(HostValue::Tensor(HostTensor { dtype: ty.dtype, shape, bytes: bytes.into() }));
    }
    Ok(carried)
}

/// Gives a symbol the value of an element, as an integer or as a float.
pub fn bind(
    cx: &EvalCx<'_>,
    symbol: &str,
    value: crate::scalar::Elem,
) -> std::result::Result<(), EvalError> {
    let value = match sym::Expr::sym(symbol).is_real() {
        true => sym::Number::Float(value.to_f64()),
        false => sym::Number::Int(value.to_i64()),
    };
    (cx.bind)(symbol, value)
}

/// Defines a symbol by the only element of the operand.
pub fn eval_bind_symbol(cx: &EvalCx<'_>) -> Evaluated {
    let value = cx.operands.first().ok_or_else(|| EvalError("no operand".to_owned()))?.scalar()?;
    bind(cx, &cx.view.attr::<String>("symbol"), value)?;
    Ok(Vec::new())
}

/// Fails with `message` where the only element of the operand is zero.
pub fn eval_assert_tensor(cx: &EvalCx<'_>) -> Evaluated {
    match truth(cx.operands.first().ok_or_else(|| EvalError("no operand".to_owned()))?)? {
        true => Ok(Vec::new()),
        false => Err(EvalError(cx.view.attr::<String>("message"))),
    }
}
