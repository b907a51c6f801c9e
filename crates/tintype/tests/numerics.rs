//! What the book's chapter on numerics says, statement by statement, of compiled code.

use std::{collections::BTreeMap, path::Path, sync::OnceLock};

use tintype::{
    CompileOptions, compile,
    runtime::{Element, Model, Tensor},
};

use crate::support::{has_compiler, root};

/// A vector and a rest of three, which repeats the vector's first elements.
const COUNT: usize = 19;
const LANES: usize = 16;
const LONG: usize = 3_000_000;

const X: [f32; LANES] = [
    5.5,
    -5.5,
    -0.0,
    f32::INFINITY,
    f32::NAN,
    1e-40,
    3.0,
    0.0,
    -7.0,
    1e30,
    -1.0,
    6.0,
    -6.0,
    0.3,
    -0.3,
    2.5,
];
const Y: [f32; LANES] = [
    2.0,
    2.0,
    3.0,
    2.0,
    1.0,
    1.0,
    -2.0,
    -0.0,
    -2.0,
    7.0,
    f32::INFINITY,
    0.1,
    0.1,
    0.1,
    0.1,
    f32::NAN,
];
const A: [i8; LANES] = [127, -128, -128, 100, -1, 64, 1, -5, 3, 7, 9, -9, 0, 1, -1, 16];
const B: [i8; LANES] = [1, -1, -128, 3, 8, 1, 7, 2, 9, 100, -1, -1, 5, 8, 100, 4];
const C: [i32; LANES] =
    [i32::MIN, 7, -7, 7, -7, i32::MAX, 0, 1, -1, 9, -9, 9, -9, i32::MIN, i32::MIN, 5];
const D: [i32; LANES] = [-1, 2, 2, -2, -2, -1, 5, i32::MIN, i32::MIN, 3, 3, -3, -3, 1, 2, 7];

fn cycled<T: Copy>(values: [T; LANES]) -> Vec<T> {
    values.iter().copied().cycle().take(COUNT).collect()
}

fn long() -> Vec<f32> {
    (0..LONG).map(|i| 0.1 + (i % 7) as f32 * 0.01).collect()
}

fn load(path: &Path) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("model.pt2");
    let options = CompileOptions { use_cache: false, ..CompileOptions::new(path, &package) };
    compile(&options, &|_| ()).unwrap_or_else(|it| panic!("{it}"));
    Model::load(&package).unwrap()
}

/// What `tests/numerics/contract.ir` gives on the inputs above; computed once. Nothing without a
/// host compiler.
fn outputs() -> Option<&'static BTreeMap<String, Tensor>> {
    static OUTPUTS: OnceLock<Option<BTreeMap<String, Tensor>>> = OnceLock::new();
    let make = || {
        if !has_compiler() {
            return None;
        }
        let model = load(&root().join("tests/numerics/contract.ir"));
        let e = cycled([i64::MIN, i64::MAX, 0, 1, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let inputs = [
            Tensor::from_vec(&[COUNT], cycled(X)).unwrap(),
            Tensor::from_vec(&[COUNT], cycled(Y)).unwrap(),
            Tensor::from_vec(&[COUNT], cycled(A)).unwrap(),
            Tensor::from_vec(&[COUNT], cycled(B)).unwrap(),
            Tensor::from_vec(&[COUNT], cycled(C)).unwrap(),
            Tensor::from_vec(&[COUNT], cycled(D)).unwrap(),
            Tensor::from_vec(&[COUNT], e).unwrap(),
            Tensor::from_vec(&[LONG], long()).unwrap(),
            Tensor::from_vec(&[8192], vec![1.0_f32; 8192]).unwrap(),
        ];
        let names = model.outputs().iter().map(|it| it.name.clone());
        let found = model.run(&inputs).unwrap();
        Some(names.zip(found).collect())
    };
    OUTPUTS.get_or_init(make).as_ref()
}

fn output<T: Element>(name: &str) -> Option<Vec<T>> {
    outputs().map(|it| it[name].to_vec::<T>().unwrap())
}

/// Floats are compared by their bits, so that zeros have signs; every NaN is one.
fn bits(it: f32) -> u32 {
    if it.is_nan() { f32::NAN.to_bits() } else { it.to_bits() }
}

/// Each element, in the vector and in the rest.
fn check_floats(name: &str, of: impl Fn(f32, f32) -> f32) {
    let Some(found) = output::<f32>(name) else { return };
    for (i, found) in found.iter().enumerate() {
        let (x, y) = (X[i % LANES], Y[i % LANES]);
        let want = of(x, y);
        assert_eq!(bits(*found), bits(want), "{name} of {x:?} and {y:?}: {found:?}, not {want:?}");
    }
}

fn check<T: Element + PartialEq + std::fmt::Debug, A: Copy>(
    name: &str,
    (a, b): ([A; LANES], [A; LANES]),
    of: impl Fn(A, A) -> T,
) {
    let Some(found) = output::<T>(name) else { return };
    for (i, found) in found.iter().enumerate() {
        assert_eq!(*found, of(a[i % LANES], b[i % LANES]), "{name} at {i}");
    }
}

/// Python's remainder.
fn rem(x: f32, y: f32) -> f32 {
    let r = x % y;
    if r != 0.0 && (y < 0.0) != (r < 0.0) { r + y } else { r }
}

/// Python's floor division: through the remainder, so that the two agree.
fn floordiv(x: f32, y: f32) -> f32 {
    if y == 0.0 {
        return x / y;
    }
    let r = x % y;
    let mut q = (x - r) / y;
    if r != 0.0 && (y < 0.0) != (r < 0.0) {
        q -= 1.0;
    }
    if q == 0.0 {
        return 0.0_f32.copysign(x / y);
    }
    let down = q.floor();
    if 0.5 < q - down { down + 1.0 } else { down }
}

#[test]
fn integers_wrap_at_their_own_width() {
    check("add_i8", (A, B), i8::wrapping_add);
    check("mul_i8", (A, B), i8::wrapping_mul);
    let Some(negated) = output::<i64>("neg_i64") else { return };
    assert_eq!(negated[..2], [i64::MIN, -i64::MAX]);
}

#[test]
fn shifts_past_the_width_leave_nothing_but_the_sign() {
    let inside = |b: i8| (0..8).contains(&b);
    check("shl_i8", (A, B), |a, b| if inside(b) { a.wrapping_shl(b as u32) } else { 0 });
    check("shr_i8", (A, B), |a, b| a >> if inside(b) { b } else { 7 });
}

#[test]
fn integers_divide_as_python_does_and_the_least_by_minus_one_wraps() {
    check("floordiv_i32", (C, D), |a, b| {
        let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
        if r != 0 && (r < 0) != (b < 0) { q - 1 } else { q }
    });
    check("rem_i32", (C, D), |a, b| {
        let r = a.wrapping_rem(b);
        if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
    });
}

#[test]
fn integer_division_by_zero_is_an_error_of_the_run() {
    if !has_compiler() {
        return;
    }
    let model = load(&root().join("tests/numerics/zero.ir"));
    let run = |divisor: Vec<i32>| {
        let c = Tensor::from_vec(&[COUNT], cycled(C)).unwrap();
        model.run(&[c, Tensor::from_vec(&[COUNT], divisor).unwrap()])
    };
    assert_eq!(run(vec![3; COUNT]).unwrap()[0].to_vec::<i32>().unwrap()[1], 1);
    for place in [0, COUNT - 1] {
        let mut divisor = vec![3; COUNT];
        divisor[place] = 0;
        let error = run(divisor).unwrap_err().to_string();
        assert!(error.contains("division by zero"), "{error}");
    }
}

#[test]
fn floats_divide_and_leave_remainders_by_the_rule_of_fmod() {
    check_floats("fmod", |x, y| x % y);
    check_floats("rem", rem);
    check_floats("floordiv", floordiv);
}

#[test]
fn nan_is_the_least_and_the_greatest_and_sorts_last() {
    let pick = |x: f32, y: f32, takes_x: bool| match (x.is_nan(), y.is_nan()) {
        (true, _) | (_, true) => f32::NAN,
        _ => {
            if takes_x {
                x
            } else {
                y
            }
        }
    };
    // Which of two zeros it is, eager leaves to the machine.
    let same = |a: f32, b: f32| a == b || a.is_nan() && b.is_nan();
    for (name, is_min) in [("min", true), ("max", false)] {
        let Some(found) = output::<f32>(name) else { return };
        for (i, found) in found.iter().enumerate() {
            let (x, y) = (X[i % LANES], Y[i % LANES]);
            let want = pick(x, y, (x < y) == is_min);
            assert!(same(*found, want), "{name} of {x:?} and {y:?}: {found:?}");
        }
    }
    assert_eq!(output::<i64>("argmax").unwrap(), [4]);
    let sorted = output::<f32>("sorted").unwrap();
    assert!(sorted[COUNT - 1].is_nan() && !sorted[COUNT - 2].is_nan());
    assert!(sorted[..COUNT - 1].is_sorted());
    assert_eq!(output::<i64>("order").unwrap()[COUNT - 1], 4);
}

#[test]
fn zeros_keep_their_signs_and_denormals_their_values() {
    check_floats("neg", |x, _| -x);
    check_floats("mul", |x, y| x * y);
    let Some(product) = output::<f32>("mul") else { return };
    assert_eq!(bits(product[5]), bits(1e-40), "a denormal");
    assert_eq!(bits(product[2]), bits(-0.0), "a zero");
}

#[test]
fn floats_become_integers_towards_zero() {
    let Some(found) = output::<i32>("to_i32") else { return };
    for (i, found) in found.iter().enumerate() {
        let x = X[i % LANES];
        if x.abs() < 1e9 {
            assert_eq!(*found, x as i32, "{x:?}");
        }
    }
}

#[test]
fn long_sums_are_as_near_as_a_cascade() {
    let Some(found) = output::<f32>("sum") else { return };
    let exact: f64 = long().iter().map(|it| f64::from(*it)).sum();
    let error = (f64::from(found[0]) - exact).abs() / exact;
    // One accumulator for each lane would be off by 1e-4.
    assert!(error < 3e-7, "{error:e}");
}

#[test]
fn running_sums_carry_doubles() {
    let Some(found) = output::<f32>("scan") else { return };
    let mut sum = 0.0_f64;
    for (i, (found, x)) in found.iter().zip(long()).enumerate() {
        sum += f64::from(x);
        assert_eq!(*found, sum as f32, "at {i}");
    }
}

#[test]
fn half_types_accumulate_in_float32() {
    let Some(found) = output::<f32>("sum_f16") else { return };
    // In float16 itself the sum would stay at 2048.
    assert_eq!(found, [8192.0]);
}
