//! Operators element by element: the functions themselves are tested in `ir::scalar`.

use ir::{
    DType, HostTensor,
    scalar::{Elem, ScalarFn, apply},
};

use crate::{assert_same, check, eval, f32s, floats, ints};

fn unary(function: &str, dtype: DType, x: &HostTensor) -> HostTensor {
    let n = x.numel();
    let text =
        format!("%0 = param user \"x\" : {dtype}[{n}]\n%1 = tensor.{function} %0 : {dtype}[{n}]");
    eval(&text, std::slice::from_ref(x))
}

#[test]
fn fast_functions_agree_with_the_table() {
    let specials =
        [0.0, -0.0, 1.0, -1.5, 3.0, 1e-40, 1e38, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let pairs: Vec<(f64, f64)> =
        specials.iter().flat_map(|a| specials.iter().map(|b| (*a, *b))).collect();
    let n = pairs.len() as i64;
    let a = f32s(&[n], &pairs.iter().map(|it| it.0).collect::<Vec<_>>());
    let b = f32s(&[n], &pairs.iter().map(|it| it.1).collect::<Vec<_>>());
    for function in ScalarFn::ALL {
        if ir::scalar::apply_f32(*function).is_none() {
            continue;
        }
        let name = function.name();
        let operands = if function.arity() == 1 { "%0" } else { "%0, %1" };
        let text = format!(
            "%0 = param user \"a\" : f32[{n}]
             %1 = param user \"b\" : f32[{n}]
             %2 = tensor.{name} {operands} : f32[{n}]"
        );
        let found = eval(&text, &[a.clone(), b.clone()]);
        for (i, pair) in pairs.iter().enumerate() {
            let expected = apply(*function, DType::F32, &[a.elem(i), b.elem(i)]).to_f64();
            let found = found.elem(i).to_f64();
            assert!(
                found == expected || (found.is_nan() && expected.is_nan()),
                "{name} of {pair:?}: {found} is not {expected}"
            );
        }
    }
}

#[test]
fn large_tensors_are_cut_into_the_same_elements() {
    let n = 100_000;
    let x: Vec<f64> = (0..n).map(|it| f64::from(it % 1000) / 8.0).collect();
    let found = unary("exp", DType::F64, &floats(DType::F64, &[n.into()], &x));
    let slow: Vec<f64> = x.iter().map(|it| it.exp()).collect();
    assert_same(&found, &floats(DType::F64, &[n.into()], &slow));
    let found = unary("neg", DType::F32, &f32s(&[n.into()], &x));
    let slow: Vec<f64> = x.iter().map(|it| -it).collect();
    assert_same(&found, &f32s(&[n.into()], &slow));
}

#[test]
fn integers_wrap_and_bools_stay_bools() {
    let add = |dtype: DType, a: i128, b: i128| {
        let text = format!(
            "%0 = param user \"a\" : {dtype}[1]
             %1 = param user \"b\" : {dtype}[1]
             %2 = tensor.add %0, %1 : {dtype}[1]"
        );
        eval(&text, &[ints(dtype, &[1], &[a]), ints(dtype, &[1], &[b])]).elem(0)
    };
    assert_eq!(add(DType::I8, 127, 1), Elem::Int(-128));
    assert_eq!(add(DType::U8, 255, 1), Elem::Int(0));
    assert_eq!(add(DType::I64, i64::MAX.into(), 1), Elem::Int(i64::MIN.into()));
    assert_eq!(add(DType::U64, u64::MAX.into(), 2), Elem::Int(1));
    assert_eq!(add(DType::Bool, 1, 1), Elem::Int(1));
}

#[test]
fn half_is_rounded_once() {
    let x = floats(DType::F16, &[2], &[2048.0, 0.1]);
    check(
        "%0 = param user \"x\" : f16[2]\n%1 = tensor.add %0, %0 : f16[2]",
        &[x],
        &floats(DType::F16, &[2], &[4096.0, 0.199_951_171_875]),
    );
}

#[test]
fn comparisons_give_bools_and_nan_equals_nothing() {
    let (a, b) = (f32s(&[3], &[1.0, 2.0, f64::NAN]), f32s(&[3], &[1.0, 1.0, f64::NAN]));
    for (name, expected) in
        [("eq", [1, 0, 0]), ("ne", [0, 1, 1]), ("le", [1, 0, 0]), ("gt", [0, 1, 0])]
    {
        let text = format!(
            "%0 = param user \"a\" : f32[3]
             %1 = param user \"b\" : f32[3]
             %2 = tensor.{name} %0, %1 : bool[3]"
        );
        check(&text, &[a.clone(), b.clone()], &ints(DType::Bool, &[3], &expected));
    }
}

#[test]
fn select_takes_whole_elements() {
    for dtype in [DType::I8, DType::BF16, DType::F32, DType::I64, DType::C128] {
        let text = format!(
            "%0 = param user \"c\" : bool[3]
             %1 = param user \"a\" : {dtype}[3]
             %2 = param user \"b\" : {dtype}[3]
             %3 = tensor.select %0, %1, %2 : {dtype}[3]"
        );
        let (a, b) = (ints(dtype, &[3], &[1, 2, 3]), ints(dtype, &[3], &[4, 5, 6]));
        check(&text, &[ints(DType::Bool, &[3], &[1, 0, 1]), a, b], &ints(dtype, &[3], &[1, 5, 3]));
    }
}

#[test]
fn nothing_gives_nothing() {
    check(
        "%0 = param user \"x\" : f32[0, 2]\n%1 = tensor.exp %0 : f32[0, 2]",
        &[f32s(&[0, 2], &[])],
        &f32s(&[0, 2], &[]),
    );
    check(
        "%0 = param user \"x\" : f32[0]\n%1 = tensor.neg %0 : f32[0]",
        &[f32s(&[0], &[])],
        &f32s(&[0], &[]),
    );
}
