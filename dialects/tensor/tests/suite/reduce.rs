//! Operators that combine the elements along dimensions.

use ir::{DType, HostTensor};

use crate::{check, counting, eval, f32s, failure, floats, i64s, ints};

fn reduce(kind: &str, dims: &str, x: &HostTensor, expected: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {0}{1:?}
         %1 = tensor.reduce %0 {{kind = \"{kind}\", dims = {dims}}} : {0}{2:?}",
        x.dtype, x.shape, expected.shape
    );
    check(&text, std::slice::from_ref(x), expected);
}

#[test]
fn reduce_combines_along_its_dimensions() {
    let x = counting(&[2, 3]);
    reduce("sum", "[1]", &x, &f32s(&[2], &[3.0, 12.0]));
    reduce("sum", "[0]", &x, &f32s(&[3], &[3.0, 5.0, 7.0]));
    reduce("sum", "[0, 1]", &x, &f32s(&[], &[15.0]));
    reduce("sum", "[]", &x, &x);
    reduce("prod", "[1]", &x, &f32s(&[2], &[0.0, 60.0]));
    reduce("max", "[0]", &x, &f32s(&[3], &[3.0, 4.0, 5.0]));
    reduce("min", "[1]", &x, &f32s(&[2], &[0.0, 3.0]));
    let middle = counting(&[2, 2, 2]);
    reduce("sum", "[1]", &middle, &f32s(&[2, 2], &[2.0, 4.0, 10.0, 12.0]));
    reduce("sum", "[0, 2]", &middle, &f32s(&[2], &[10.0, 18.0]));
}

#[test]
fn reduce_of_nothing_is_the_identity() {
    let x = f32s(&[2, 0], &[]);
    reduce("sum", "[1]", &x, &f32s(&[2], &[0.0; 2]));
    reduce("prod", "[1]", &x, &f32s(&[2], &[1.0; 2]));
    reduce("max", "[1]", &x, &f32s(&[2], &[f64::NEG_INFINITY; 2]));
    reduce("min", "[1]", &x, &f32s(&[2], &[f64::INFINITY; 2]));
    reduce("sum", "[0]", &x, &f32s(&[0], &[]));
    reduce("max", "[0]", &ints(DType::I8, &[0], &[]), &ints(DType::I8, &[], &[-128]));
    reduce("min", "[0]", &ints(DType::U64, &[0], &[]), &ints(DType::U64, &[], &[u64::MAX.into()]));
    reduce("any", "[0]", &ints(DType::Bool, &[0], &[]), &ints(DType::Bool, &[], &[0]));
    reduce("all", "[0]", &ints(DType::Bool, &[0], &[]), &ints(DType::Bool, &[], &[1]));
}

#[test]
fn any_and_all_of_bools() {
    let x = ints(DType::Bool, &[2, 2], &[1, 0, 1, 1]);
    reduce("any", "[1]", &x, &ints(DType::Bool, &[2], &[1, 1]));
    reduce("all", "[1]", &x, &ints(DType::Bool, &[2], &[0, 1]));
}

#[test]
fn nan_wins_in_every_lane_of_a_reduction() {
    for i in 0..19 {
        let mut elems = [1.0; 19];
        elems[i] = f64::NAN;
        for kind in ["sum", "prod", "max", "min"] {
            reduce(kind, "[0]", &f32s(&[19], &elems), &f32s(&[], &[f64::NAN]));
        }
        reduce(
            "max",
            "[0]",
            &floats(DType::BF16, &[19], &elems),
            &floats(DType::BF16, &[], &[f64::NAN]),
        );
    }
}

#[test]
fn sums_wrap_or_round_once() {
    reduce("sum", "[0]", &ints(DType::I8, &[3], &[-100, -100, 50]), &ints(DType::I8, &[], &[106]));
    reduce("prod", "[0]", &i64s(&[3], &[1 << 40, 1 << 40, 3]), &i64s(&[], &[0]));
    // Each step would round away in the dtype itself.
    reduce(
        "sum",
        "[0]",
        &floats(DType::F16, &[5], &[2049.0; 5]),
        &floats(DType::F16, &[], &[10240.0]),
    );
    let mut elems = vec![1.0; 17];
    elems[0] = 16_777_216.0;
    reduce("sum", "[0]", &f32s(&[17], &elems), &f32s(&[], &[16_777_232.0]));
}

#[test]
fn complex_sums_and_products() {
    let text = |kind: &str| {
        format!(
            "%0 = param user \"a\" : f32[2]
             %1 = param user \"b\" : f32[2]
             %2 = tensor.complex %0, %1 : c64[2]
             %3 = tensor.reduce %2 {{kind = \"{kind}\", dims = [0]}} : c64[]"
        )
    };
    let args = [f32s(&[2], &[1.0, 2.0]), f32s(&[2], &[3.0, -1.0])];
    assert_eq!(eval(&text("sum"), &args).elem(0), ir::scalar::Elem::Complex(3.0, 2.0));
    assert_eq!(eval(&text("prod"), &args).elem(0), ir::scalar::Elem::Complex(5.0, 5.0));
}

fn arg(kind: &str, x: &HostTensor, dim: i64, expected: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {}{:?}
         %1 = tensor.arg_reduce %0 {{kind = \"{kind}\", dim = {dim}}} : i64{:?}",
        x.dtype, x.shape, expected.shape
    );
    check(&text, std::slice::from_ref(x), expected);
}

#[test]
fn arg_reduce_finds_the_first_and_nan_before_all() {
    let x = f32s(&[2, 3], &[1.0, 3.0, 3.0, 0.0, -1.0, -1.0]);
    arg("max", &x, 1, &i64s(&[2], &[1, 0]));
    arg("min", &x, 1, &i64s(&[2], &[0, 1]));
    arg("max", &x, 0, &i64s(&[3], &[0, 0, 0]));
    let nan = f32s(&[4], &[1.0, f64::NAN, 9.0, f64::NAN]);
    arg("max", &nan, 0, &i64s(&[], &[1]));
    arg("min", &nan, 0, &i64s(&[], &[1]));
    arg("max", &ints(DType::U64, &[2], &[1, u64::MAX.into()]), 0, &i64s(&[], &[1]));
    arg("max", &f32s(&[0, 3], &[]), 1, &i64s(&[0], &[]));
}

#[test]
fn arg_reduce_of_nothing_is_an_error() {
    let text = "symbol s0 in 0..9
         %0 = param user \"x\" : f32[2, s0]
         %1 = tensor.arg_reduce %0 {kind = \"max\", dim = 1} : i64[2]";
    assert!(failure(text, &[f32s(&[2, 0], &[])]).contains("no elements to choose from"));
}

fn scan(kind: &str, x: &HostTensor, dim: i64, expected: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {0}{1:?}
         %1 = tensor.scan %0 {{kind = \"{kind}\", dim = {dim}}} : {0}{1:?}",
        x.dtype, x.shape
    );
    check(&text, std::slice::from_ref(x), expected);
}

#[test]
fn scan_combines_up_to_each() {
    let x = counting(&[2, 3]);
    scan("sum", &x, 1, &f32s(&[2, 3], &[0.0, 1.0, 3.0, 3.0, 7.0, 12.0]));
    scan("sum", &x, 0, &f32s(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 5.0, 7.0]));
    scan("prod", &i64s(&[3], &[2, 3, -4]), 0, &i64s(&[3], &[2, 6, -24]));
    let nan = f32s(&[4], &[2.0, f64::NAN, 1.0, 3.0]);
    scan("max", &nan, 0, &f32s(&[4], &[2.0, f64::NAN, f64::NAN, f64::NAN]));
    scan("min", &nan, 0, &f32s(&[4], &[2.0, f64::NAN, f64::NAN, f64::NAN]));
    scan("max", &ints(DType::I8, &[3], &[-5, 2, 1]), 0, &ints(DType::I8, &[3], &[-5, 2, 2]));
    scan(
        "sum",
        &ints(DType::I8, &[3], &[100, 100, 100]),
        0,
        &ints(DType::I8, &[3], &[100, -56, 44]),
    );
    scan("sum", &f32s(&[2, 0], &[]), 1, &f32s(&[2, 0], &[]));
}

#[test]
fn the_last_of_a_scan_is_the_reduction() {
    let x = counting(&[4, 5, 3]);
    for kind in ["sum", "prod", "max", "min"] {
        let head = "%0 = param user \"x\" : f32[4, 5, 3]\n";
        let scanned = format!(
            "{head}%1 = tensor.scan %0 {{kind = \"{kind}\", dim = 1}} : f32[4, 5, 3]
             %2 = tensor.slice %1 {{start = [0, 4, 0], size = [4, 1, 3], step = [1, 1, 1]}} : f32[4, 1, 3]
             %3 = tensor.reshape %2 {{shape = [4, 3]}} : f32[4, 3]"
        );
        let reduced =
            format!("{head}%1 = tensor.reduce %0 {{kind = \"{kind}\", dims = [1]}} : f32[4, 3]");
        let args = std::slice::from_ref(&x);
        crate::assert_same(&eval(&scanned, args), &eval(&reduced, args));
    }
}
