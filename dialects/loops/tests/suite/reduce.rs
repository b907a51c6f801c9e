//! Reductions.

use ir::{DType, HostTensor, scalar::Elem};

use crate::support::{check, eval, eval_all, f32s, i64s, ints};

/// The reductions of those kinds of a vector, each a tensor without dimensions.
fn reduce(dtype: DType, kinds: &[(&str, DType)], x: &HostTensor) -> Vec<Elem> {
    let names: Vec<_> = kinds.iter().map(|it| format!("\"{}\"", it.0)).collect();
    let outs: Vec<_> = kinds.iter().map(|it| format!("type({}[]<>)", it.1)).collect();
    let types: Vec<_> = kinds.iter().map(|it| format!("{}[]<>", it.1)).collect();
    let numbers = |from: usize| (from..from + kinds.len()).map(|it| format!("%{it}"));
    let params: Vec<_> = numbers(10).zip(&types).map(|(it, ty)| format!("{it} : {ty}")).collect();
    let stores: String = numbers(10)
        .zip(numbers(20))
        .map(|(to, it)| format!("loops.store {to}, {it}, [], _ {{at = [], mode = \"set\"}}\n"))
        .collect();
    let scalars: Vec<_> = kinds.iter().map(|it| it.1.to_string()).collect();
    let text = format!(
        r#"
        symbol s0 in 0..64
        %0 = param user "x" : {dtype}[s0]<1>
        {results} = loops.kernel [%0] {{axes = [], extents = [], outs = [{outs}], parallel = 0}} : {types} {{
          ^ %1 : {dtype}[s0]<1>, {params}
          {sums} = loops.reduce {{axes = ["r0"], extents = [s0], kinds = [{names}]}} : {scalars} {{
            %2 = loops.load %1, [], _ {{at = [r0]}} : {dtype}
            yield {yields}
          }}
          {stores}
        }}"#,
        results = numbers(30).collect::<Vec<_>>().join(", "),
        sums = numbers(20).collect::<Vec<_>>().join(", "),
        yields = vec!["%2"; kinds.len()].join(", "),
        outs = outs.join(", "),
        types = types.join(", "),
        params = params.join(", "),
        names = names.join(", "),
        scalars = scalars.join(", "),
    );
    eval_all(&text, std::slice::from_ref(x)).iter().map(|it| it.elem(0)).collect()
}

fn f32_kinds() -> [(&'static str, DType); 6] {
    let dtype = DType::F32;
    let (max, min) = (("argmax", DType::I64), ("argmin", DType::I64));
    [("sum", dtype), ("prod", dtype), ("max", dtype), ("min", dtype), max, min]
}

#[test]
fn each_kind_combines_in_its_way() {
    let found = reduce(DType::F32, &f32_kinds(), &f32s(&[4], &[2.0, -3.0, 2.0, -3.0]));
    let floats = [-2.0, 36.0, 2.0, -3.0].map(Elem::Float);
    assert_eq!(found[..4], floats);
    // The first of equals.
    assert_eq!(found[4..], [0, 1].map(Elem::Int));

    let kinds = [("any", DType::Bool), ("all", DType::Bool)];
    let found = reduce(DType::Bool, &kinds, &ints(DType::Bool, &[3], &[0, 1, 0]));
    assert_eq!(found, [1, 0].map(Elem::Int));
}

#[test]
fn of_nothing_each_kind_gives_its_identity() {
    let found = reduce(DType::F32, &f32_kinds(), &f32s(&[0], &[]));
    let infinity = f64::INFINITY;
    assert_eq!(found[..4], [0.0, 1.0, -infinity, infinity].map(Elem::Float));
    assert_eq!(found[4..], [0, 0].map(Elem::Int));

    let kinds = [("max", DType::I8), ("min", DType::I8)];
    assert_eq!(reduce(DType::I8, &kinds, &ints(DType::I8, &[0], &[])), [-128, 127].map(Elem::Int));
    let kinds = [("max", DType::U64), ("min", DType::U64)];
    let found = reduce(DType::U64, &kinds, &ints(DType::U64, &[0], &[]));
    assert_eq!(found, [0, u64::MAX.into()].map(Elem::Int));
    let kinds = [("any", DType::Bool), ("all", DType::Bool)];
    assert_eq!(reduce(DType::Bool, &kinds, &ints(DType::Bool, &[0], &[])), [0, 1].map(Elem::Int));
}

#[test]
fn nan_wins_and_the_first_nan_is_the_extremum() {
    let x = f32s(&[5], &[1.0, f32::NAN, 9.0, f32::NAN, -9.0]);
    let found = reduce(DType::F32, &f32_kinds(), &x);
    assert!(found[..4].iter().all(|it| it.to_f64().is_nan()));
    assert_eq!(found[4..], [1, 1].map(Elem::Int));
    // All as low as the identity: still the first.
    let x = f32s(&[2], &[f32::NEG_INFINITY; 2]);
    assert_eq!(reduce(DType::F32, &f32_kinds(), &x)[4..], [0, 0].map(Elem::Int));
}

#[test]
fn sums_are_rounded_once() {
    let x = f32s(&[4], &[1e8, 1.0, 1.0, -1e8]);
    assert_eq!(reduce(DType::F32, &[("sum", DType::F32)], &x), [Elem::Float(2.0)]);
    let x = ints(DType::U8, &[3], &[200, 200, 3]);
    let kinds = [("sum", DType::U8), ("prod", DType::U8)];
    assert_eq!(reduce(DType::U8, &kinds, &x), [403 % 256, 120_000 % 256].map(Elem::Int));
}

#[test]
fn softmax_of_rows_takes_two_reductions() {
    let x = [1.0_f32, 2.0, 3.0, 0.0, 0.0, 5.0];
    let found = eval(
        r#"
        symbol s0 in 1..64
        %0 = param user "x" : f32[s0, 3]<3, 1>
        %9 = loops.kernel [%0] {axes = ["i0"], extents = [s0], outs = [type(f32[s0, 3]<3, 1>)], parallel = 1} : f32[s0, 3]<3, 1> {
          ^ %1 : f32[s0, 3]<3, 1>, %2 : f32[s0, 3]<3, 1>
          %4 = loops.reduce {axes = ["r0"], extents = [3], kinds = ["max"]} : f32 {
            %3 = loops.load %1, [], _ {at = [i0, r0]} : f32
            yield %3
          }
          %8 = loops.reduce {axes = ["r1"], extents = [3], kinds = ["sum"]} : f32 {
            %5 = loops.load %1, [], _ {at = [i0, r1]} : f32
            %6 = loops.sub %5, %4 : f32
            %7 = loops.exp %6 : f32
            yield %7
          }
          loops.for {axes = ["i1"], extents = [3]} {
            %10 = loops.load %1, [], _ {at = [i0, i1]} : f32
            %11 = loops.sub %10, %4 : f32
            %12 = loops.exp %11 : f32
            %13 = loops.div %12, %8 : f32
            loops.store %2, %13, [], _ {at = [i0, i1], mode = "set"}
          }
        }"#,
        &[f32s(&[2, 3], &x)],
    );
    let expected: Vec<f32> = x
        .chunks(3)
        .flat_map(|row| {
            let sum: f32 = row.iter().map(|it| it.exp()).sum();
            row.iter().map(move |it| it.exp() / sum).collect::<Vec<_>>()
        })
        .collect();
    for (found, expected) in found.to_f32().iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

/// The index of an extremum counts the points of the whole space, the last axis fastest.
#[test]
fn an_index_over_two_axes_is_row_major() {
    check(
        r#"
        %0 = param user "x" : f32[2, 3]<3, 1>
        %5 = loops.kernel [%0] {axes = [], extents = [], outs = [type(i64[]<>)], parallel = 0} : i64[]<> {
          ^ %1 : f32[2, 3]<3, 1>, %2 : i64[]<>
          %4 = loops.reduce {axes = ["r0", "r1"], extents = [2, 3], kinds = ["argmax"]} : i64 {
            %3 = loops.load %1, [], _ {at = [r0, r1]} : f32
            yield %3
          }
          loops.store %2, %4, [], _ {at = [], mode = "set"}
        }"#,
        &[f32s(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 9.0, 4.0])],
        &i64s(&[], &[4]),
    );
}

#[test]
fn complex_sums_and_products() {
    let elems = [Elem::Complex(1.0, 2.0), Elem::Complex(3.0, -1.0)];
    let x = HostTensor::from_elems(DType::C64, vec![2], elems);
    let kinds = [("sum", DType::C64), ("prod", DType::C64)];
    let found = reduce(DType::C64, &kinds, &x);
    assert_eq!(found, [Elem::Complex(4.0, 1.0), Elem::Complex(5.0, 5.0)]);
}
