//! Tests of the `tensor` dialect, from outside: texts in, values and messages out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of any")]

mod contract;
mod create;
mod documented;
mod index;
mod movement;
mod pointwise;
mod reduce;
mod texts;
mod window;

use std::collections::BTreeMap;

use ir::{
    DType, EvalError, Function, HostTensor, HostValue, Output, OutputKind, parse_function,
    scalar::Elem,
};

/// A function of these lines that gives the results of its last op.
fn function(lines: &str) -> Function {
    let text = format!("func @f {{\n{lines}\n}}\n");
    let mut function = parse_function("test", &text, &tensor::ops())
        .unwrap_or_else(|it| panic!("{text}{it}\n{:?}", it.places));
    let yields: Vec<_> =
        function.body.ops().last().into_iter().flat_map(|it| it.results()).collect();
    function.outputs = yields
        .iter()
        .map(|it| Output {
            name: it.to_string(),
            kind: OutputKind::User,
            ty: function.body.ty(*it).clone(),
        })
        .collect();
    function.body.root.yields = yields;
    function
}

fn try_eval(lines: &str, args: &[HostTensor]) -> Result<Vec<HostTensor>, EvalError> {
    let args: Vec<HostValue> = args.iter().cloned().map(HostValue::Tensor).collect();
    interp::run(&function(lines), &args, &BTreeMap::new())?.iter().map(HostValue::tensor).collect()
}

/// The only result of the last line.
#[track_caller]
fn eval(lines: &str, args: &[HostTensor]) -> HostTensor {
    match &mut try_eval(lines, args).unwrap_or_else(|it| panic!("{lines}: {it}"))[..] {
        [it] => it.clone(),
        it => panic!("{} results", it.len()),
    }
}

/// Why the lines cannot be evaluated.
#[track_caller]
fn failure(lines: &str, args: &[HostTensor]) -> String {
    match try_eval(lines, args) {
        Err(it) => it.0,
        Ok(it) => panic!("gave {it:?}"),
    }
}

fn ints(dtype: DType, shape: &[i64], elems: &[i128]) -> HostTensor {
    HostTensor::from_elems(dtype, shape.to_vec(), elems.iter().map(|it| Elem::Int(*it)))
}

fn floats(dtype: DType, shape: &[i64], elems: &[f64]) -> HostTensor {
    HostTensor::from_elems(dtype, shape.to_vec(), elems.iter().map(|it| Elem::Float(*it)))
}

fn f32s(shape: &[i64], elems: &[f64]) -> HostTensor {
    floats(DType::F32, shape, elems)
}

fn i64s(shape: &[i64], elems: &[i128]) -> HostTensor {
    ints(DType::I64, shape, elems)
}

/// `start`, `start + 1`, … as float32.
fn counting(shape: &[i64]) -> HostTensor {
    let count: i64 = shape.iter().product();
    f32s(shape, &(0..count).map(|it| it as f64).collect::<Vec<_>>())
}

/// The same dtype, shape and bytes; NaNs of any payload are the same.
#[track_caller]
fn assert_same(found: &HostTensor, expected: &HostTensor) {
    assert_eq!((found.dtype, &found.shape), (expected.dtype, &expected.shape));
    let text = |it: &HostTensor| it.elems().map(|it| format!("{it:?}")).collect::<Vec<_>>();
    assert_eq!(text(found), text(expected));
}

#[track_caller]
fn check(lines: &str, args: &[HostTensor], expected: &HostTensor) {
    assert_same(&eval(lines, args), expected);
}
