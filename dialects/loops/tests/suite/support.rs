//! What the tests say things with.

use std::collections::BTreeMap;

use ir::{
    DType, EvalError, Function, HostTensor, HostValue, Output, OutputKind, parse_function,
    scalar::Elem, verify,
};

/// A function of these lines that gives the results of its last op.
pub(crate) fn function(lines: &str) -> Function {
    let text = format!("func @f {{\n{lines}\n}}\n");
    let mut function = parse_function("test", &text, &loops::ops())
        .unwrap_or_else(|it| panic!("{text}{it}\n{:?}", it.places));
    let yields: Vec<_> =
        function.body.ops().last().into_iter().flat_map(|it| it.results()).collect();
    let output = |it: &ir::ValueId| Output {
        name: it.to_string(),
        kind: OutputKind::User,
        ty: function.body.ty(*it).clone(),
    };
    function.outputs = yields.iter().map(output).collect();
    function.body.root.yields = yields;
    assert_eq!(verify(&function), [], "{text}");
    function
}

pub(crate) fn try_eval(lines: &str, args: &[HostTensor]) -> Result<Vec<HostTensor>, EvalError> {
    let args: Vec<HostValue> = args.iter().cloned().map(HostValue::Tensor).collect();
    interp::run(&function(lines), &args, &BTreeMap::new())?.iter().map(HostValue::tensor).collect()
}

/// The results of the last line.
#[track_caller]
pub(crate) fn eval_all(lines: &str, args: &[HostTensor]) -> Vec<HostTensor> {
    try_eval(lines, args).unwrap_or_else(|it| panic!("{lines}: {it}"))
}

/// The only result of the last line.
#[track_caller]
pub(crate) fn eval(lines: &str, args: &[HostTensor]) -> HostTensor {
    match &mut eval_all(lines, args)[..] {
        [it] => it.clone(),
        it => panic!("{} results", it.len()),
    }
}

/// Why the lines cannot be evaluated.
#[track_caller]
pub(crate) fn failure(lines: &str, args: &[HostTensor]) -> String {
    match try_eval(lines, args) {
        Err(it) => it.0,
        Ok(it) => panic!("gave {it:?}"),
    }
}

pub(crate) fn ints(dtype: DType, shape: &[i64], elems: &[i128]) -> HostTensor {
    HostTensor::from_elems(dtype, shape.to_vec(), elems.iter().map(|it| Elem::Int(*it)))
}

pub(crate) fn i64s(shape: &[i64], elems: &[i128]) -> HostTensor {
    ints(DType::I64, shape, elems)
}

pub(crate) fn f32s(shape: &[i64], elems: &[f32]) -> HostTensor {
    HostTensor::from_f32(shape.to_vec(), elems)
}

/// Small whole numbers without a pattern, so that products of them are exact.
pub(crate) fn numbers(shape: &[i64], seed: u64) -> HostTensor {
    let count: i64 = shape.iter().product();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((state >> 60) as f32) - 8.0
    };
    f32s(shape, &(0..count).map(|_| next()).collect::<Vec<_>>())
}

/// `0`, `1`, … as float32.
pub(crate) fn counting(shape: &[i64]) -> HostTensor {
    let count: i64 = shape.iter().product();
    f32s(shape, &(0..count).map(|it| it as f32).collect::<Vec<_>>())
}

/// The same dtype, shape and elements; NaN is NaN.
#[track_caller]
pub(crate) fn assert_same(found: &HostTensor, expected: &HostTensor) {
    assert_eq!((found.dtype, &found.shape), (expected.dtype, &expected.shape));
    let text = |it: &HostTensor| it.elems().map(|it| format!("{it:?}")).collect::<Vec<_>>();
    assert_eq!(text(found), text(expected));
}

#[track_caller]
pub(crate) fn check(lines: &str, args: &[HostTensor], expected: &HostTensor) {
    assert_same(&eval(lines, args), expected);
}
