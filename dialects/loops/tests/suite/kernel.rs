//! Kernels: points, places, elements, carried values.

use std::sync::{Arc, Mutex};

use ir::{DType, EvalCx, HostTensor, HostValue, View, scalar::Elem};

use crate::support::{
    assert_same, check, counting, eval, eval_all, f32s, failure, function, i64s, ints,
};

#[test]
fn a_kernel_runs_at_every_point_with_sizes_from_its_inputs() {
    check(
        r#"
        symbol s0 in 1..64
        %0 = param user "x" : f32[s0, 3]<3, 1>
        %1 = param user "row" : f32[3]<1>
        %9 = loops.kernel [%0, %1] {axes = ["i0", "i1"], extents = [s0, 3], outs = [type(f32[3, s0]<s0, 1>)], parallel = 1} : f32[3, s0]<s0, 1> {
          ^ %2 : f32[s0, 3]<3, 1>, %3 : f32[3]<1>, %4 : f32[3, s0]<s0, 1>
          %5 = loops.load %2, [], _ {at = [i0, i1]} : f32
          %6 = loops.load %3, [], _ {at = [i1]} : f32
          %7 = loops.mul %5, %6 : f32
          loops.store %4, %7, [], _ {at = [i1, i0], mode = "set"}
        }"#,
        &[counting(&[2, 3]), f32s(&[3], &[1.0, 10.0, 100.0])],
        &f32s(&[3, 2], &[0.0, 3.0, 10.0, 40.0, 200.0, 500.0]),
    );
}

/// Strides say where elements lie, not which they are.
#[test]
fn places_are_indices_whatever_the_strides() {
    check(
        r#"
        %0 = param user "x" : f32[2, 3]<1, 2>
        %5 = loops.kernel [%0] {axes = ["i0"], extents = [6], outs = [type(f32[6]<1>)], parallel = 0} : f32[6]<1> {
          ^ %1 : f32[2, 3]<1, 2>, %2 : f32[6]<1>
          %3 = loops.load %1, [], _ {at = [i0//3, Mod(i0, 3)]} : f32
          loops.store %2, %3, [], _ {at = [5 - i0], mode = "set"}
        }"#,
        &[counting(&[2, 3])],
        &f32s(&[6], &[5.0, 4.0, 3.0, 2.0, 1.0, 0.0]),
    );
}

#[test]
fn a_kernel_over_nothing_leaves_zeros_and_one_without_axes_runs_once() {
    let text = |axes: &str, extents: &str| {
        format!(
            r#"
            symbol s0 in 0..8
            %0 = param user "x" : f32[s0]<1>
            %4 = loops.kernel [%0] {{axes = [{axes}], extents = [{extents}], outs = [type(f32[2]<1>)], parallel = 0}} : f32[2]<1> {{
              ^ %1 : f32[s0]<1>, %2 : f32[2]<1>
              %3 = loops.const {{value = 1.0, dtype = !f32}} : f32
              loops.store %2, %3, [], _ {{at = [0], mode = "add"}}
            }}"#
        )
    };
    check(&text(r#""i0""#, "s0"), &[counting(&[0])], &f32s(&[2], &[0.0, 0.0]));
    check(&text("", ""), &[counting(&[0])], &f32s(&[2], &[1.0, 0.0]));
    check(&text(r#""i0", "i1""#, "2, s0"), &[counting(&[3])], &f32s(&[2], &[6.0, 0.0]));
}

#[test]
fn an_axis_inside_hides_one_of_its_name_and_extents_see_those_outside() {
    check(
        r#"
        %5 = loops.kernel [] {axes = ["i0"], extents = [3], outs = [type(i64[3, 3]<3, 1>)], parallel = 0} : i64[3, 3]<3, 1> {
          ^ %0 : i64[3, 3]<3, 1>
          loops.for {axes = ["i1"], extents = [i0 + 1]} {
            %1 = loops.index {value = 10*i0 + i1 + 1, dtype = !i64} : i64
            loops.store %0, %1, [], _ {at = [i0, i1], mode = "set"}
          }
          loops.for {axes = ["i0"], extents = [3]} {
            %2 = loops.const {value = 100, dtype = !i64} : i64
            loops.store %0, %2, [], _ {at = [i0, 2], mode = "add"}
          }
        }"#,
        &[],
        &i64s(&[3, 3], &[1, 0, 300, 11, 12, 300, 21, 22, 123]),
    );
}

/// The tail of a tile: the index is out of range where the mask is off.
#[test]
fn where_the_mask_is_off_nothing_is_read_or_written() {
    let x = [f32s(&[3], &[7.0, 8.0, 9.0])];
    let outs = eval_all(
        r#"
        %0 = param user "x" : f32[3]<1>
        %7, %8 = loops.kernel [%0] {axes = ["i0"], extents = [8], outs = [type(f32[8]<1>), type(f32[3]<1>)], parallel = 0} : f32[8]<1>, f32[3]<1> {
          ^ %1 : f32[3]<1>, %2 : f32[8]<1>, %9 : f32[3]<1>
          %3 = loops.index {value = i0, dtype = !i64} : i64
          %4 = loops.const {value = 3, dtype = !i64} : i64
          %5 = loops.lt %3, %4 : bool
          %6 = loops.load %1, [], %5 {at = [i0]} : f32
          loops.store %2, %6, [], _ {at = [i0], mode = "set"}
          loops.store %9, %6, [], %5 {at = [i0], mode = "set"}
        }"#,
        &x,
    );
    assert_same(&outs[0], &f32s(&[8], &[7.0, 8.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
    assert_same(&outs[1], &x[0]);
}

const GATHER: &str = r#"
    %0 = param user "x" : f32[4, 2]<2, 1>
    %1 = param user "i" : i64[3]<1>
    %8 = loops.kernel [%0, %1] {axes = ["i0", "i1"], extents = [3, 2], outs = [type(f32[3, 2]<2, 1>)], parallel = 0} : f32[3, 2]<2, 1> {
      ^ %2 : f32[4, 2]<2, 1>, %3 : i64[3]<1>, %4 : f32[3, 2]<2, 1>
      %5 = loops.load %3, [], _ {at = [i0]} : i64
      %6 = loops.bound %5, _ {size = 4} : i64
      %7 = loops.load %2, [%6], _ {at = [d0, i1]} : f32
      loops.store %4, %7, [], _ {at = [i0, i1], mode = "set"}
    }"#;

#[test]
fn a_gather_reads_at_dynamic_indices_and_counts_from_the_end() {
    let expected = f32s(&[3, 2], &[6.0, 7.0, 0.0, 1.0, 4.0, 5.0]);
    check(GATHER, &[counting(&[4, 2]), i64s(&[3], &[-1, 0, 2])], &expected);
}

#[test]
fn an_index_out_of_range_stops_the_run() {
    for index in [4, -5] {
        let it = failure(GATHER, &[counting(&[4, 2]), i64s(&[3], &[0, index, 0])]);
        let expected = format!("loops.bound: index {index} is out of range for 4 elements");
        assert!(it.contains(&expected), "{it}");
    }
}

#[test]
fn where_the_mask_is_off_an_index_is_not_checked() {
    check(
        r#"
        %0 = param user "i" : i64[3]<1>
        %8 = loops.kernel [%0] {axes = ["i0"], extents = [3], outs = [type(i64[3]<1>)], parallel = 0} : i64[3]<1> {
          ^ %1 : i64[3]<1>, %2 : i64[3]<1>
          %3 = loops.load %1, [], _ {at = [i0]} : i64
          %4 = loops.const {value = 9, dtype = !i64} : i64
          %5 = loops.lt %3, %4 : bool
          %6 = loops.bound %3, %5 {size = 4} : i64
          loops.store %2, %6, [], _ {at = [i0], mode = "set"}
        }"#,
        &[i64s(&[3], &[3, 9, -1])],
        &i64s(&[3], &[3, 0, 3]),
    );
}

#[test]
fn a_scatter_adds_at_dynamic_indices() {
    check(
        r#"
        %0 = param user "x" : f32[5]<1>
        %1 = param user "i" : i64[5]<1>
        %8 = loops.kernel [%0, %1] {axes = ["i0"], extents = [5], outs = [type(f32[3]<1>)], parallel = 0} : f32[3]<1> {
          ^ %2 : f32[5]<1>, %3 : i64[5]<1>, %4 : f32[3]<1>
          %5 = loops.load %2, [], _ {at = [i0]} : f32
          %6 = loops.load %3, [], _ {at = [i0]} : i64
          loops.store %4, %5, [%6], _ {at = [d0], mode = "add"}
        }"#,
        &[f32s(&[5], &[1.0, 2.0, 3.0, 4.0, 5.0]), i64s(&[5], &[0, 2, 0, 0, 2])],
        &f32s(&[3], &[8.0, 0.0, 7.0]),
    );
}

#[test]
fn stores_combine_as_their_mode_says() {
    let eval_mode = |mode: &str| {
        let text = format!(
            r#"
            %0 = param user "x" : i64[3]<1>
            %6 = loops.kernel [%0] {{axes = ["i0"], extents = [3], outs = [type(i64[1]<1>)], parallel = 0}} : i64[1]<1> {{
              ^ %1 : i64[3]<1>, %2 : i64[1]<1>
              %3 = loops.load %1, [], _ {{at = [i0]}} : i64
              %4 = loops.const {{value = 1, dtype = !i64}} : i64
              loops.store %2, %4, [], _ {{at = [0], mode = "max"}}
              loops.store %2, %3, [], _ {{at = [0], mode = "{mode}"}}
            }}"#
        );
        eval(&text, &[i64s(&[3], &[-2, 5, 3])]).elem(0)
    };
    assert_eq!(eval_mode("set"), Elem::Int(3));
    assert_eq!(eval_mode("add"), Elem::Int(9));
    assert_eq!(eval_mode("mul"), Elem::Int(15));
    assert_eq!(eval_mode("max"), Elem::Int(5));
    assert_eq!(eval_mode("min"), Elem::Int(-2 + 3));
}

/// Wrong index arithmetic is found here.
#[test]
fn an_access_out_of_range_names_the_op_the_index_and_the_size() {
    let text = |at: &str| {
        format!(
            r#"
            %0 = param user "x" : f32[2, 4]<4, 1>
            %5 = loops.kernel [%0] {{axes = ["i0"], extents = [4], outs = [type(f32[4]<1>)], parallel = 0}} : f32[4]<1> {{
              ^ %1 : f32[2, 4]<4, 1>, %2 : f32[4]<1>
              %3 = loops.load %1, [], _ {{at = [0, {at}]}} : f32
              loops.store %2, %3, [], _ {{at = [i0], mode = "set"}}
            }}"#
        )
    };
    let args = [counting(&[2, 4])];
    // In range of the memory as a whole, but not of the dimension.
    let expected = "loops.kernel: loops.load: index 4 (`i0 + 1`) in dimension 1 is not in 0..4";
    assert_eq!(failure(&text("i0 + 1"), &args), expected);
    assert!(failure(&text("i0 - 1"), &args).contains("index -1"));
    assert!(failure(&text("i0 + u7"), &args).contains("`u7`"));
    assert!(failure(&text("i0 + d0"), &args).contains("`d0`"));
    assert!(failure(&text("i0//(i0 - i0)"), &args).contains("division by zero"));
    let large = format!("{0}*i0 + {0}*Mod(i0, 2)", i64::MAX);
    assert!(failure(&text(&large), &args).contains("does not fit in 64 bits"));
}

#[test]
fn a_kernel_does_not_write_to_its_inputs() {
    let text = r#"
        %0 = param user "x" : f32[2]<1>
        %5 = loops.kernel [%0] {axes = [], extents = [], outs = [type(f32[2]<1>)], parallel = 0} : f32[2]<1> {
          ^ %1 : f32[2]<1>, %2 : f32[2]<1>
          %3 = loops.const {value = 1.0, dtype = !f32} : f32
          loops.store %1, %3, [], _ {at = [0], mode = "set"}
        }"#;
    assert!(failure(text, &[counting(&[2])]).contains("writes to an input"));
}

#[test]
fn a_kernel_of_unreasonable_size_is_refused() {
    let text = r#"
        %5 = loops.kernel [] {axes = [], extents = [], outs = [type(f32[4611686018427387904, 8]<8, 1>)], parallel = 0} : f32[4611686018427387904, 8]<8, 1> {
          ^ %2 : f32[4611686018427387904, 8]<8, 1>
        }"#;
    assert!(failure(text, &[]).contains("is too large"));
}

#[test]
fn a_fold_carries_values_along_its_axis() {
    check(
        r#"
        %0 = param user "x" : f32[2, 4]<4, 1>
        %9 = loops.kernel [%0] {axes = ["i0"], extents = [2], outs = [type(f32[2, 4]<4, 1>)], parallel = 1} : f32[2, 4]<4, 1> {
          ^ %1 : f32[2, 4]<4, 1>, %2 : f32[2, 4]<4, 1>
          %3 = loops.const {value = 0.0, dtype = !f32} : f32
          %7 = loops.fold [%3] {axis = "r0", extent = 4} : f32 {
            ^ %4 : f32
            %5 = loops.load %1, [], _ {at = [i0, r0]} : f32
            %6 = loops.add %4, %5 : f32
            loops.store %2, %6, [], _ {at = [i0, r0], mode = "set"}
            yield %6
          }
        }"#,
        &[counting(&[2, 4])],
        &f32s(&[2, 4], &[0.0, 1.0, 3.0, 6.0, 4.0, 9.0, 15.0, 22.0]),
    );
}

/// Fibonacci: each carried value becomes the other; of no steps the results are the operands.
#[test]
fn carried_values_may_change_places() {
    let steps = |n: i64| {
        let text = format!(
            r#"
            %9 = loops.kernel [] {{axes = [], extents = [], outs = [type(i64[2]<1>)], parallel = 0}} : i64[2]<1> {{
              ^ %0 : i64[2]<1>
              %1 = loops.const {{value = 0, dtype = !i64}} : i64
              %2 = loops.const {{value = 1, dtype = !i64}} : i64
              %6, %7 = loops.fold [%1, %2] {{axis = "r0", extent = {n}}} : i64, i64 {{
                ^ %3 : i64, %4 : i64
                %5 = loops.add %3, %4 : i64
                yield %4, %5
              }}
              loops.store %0, %6, [], _ {{at = [0], mode = "set"}}
              loops.store %0, %7, [], _ {{at = [1], mode = "set"}}
            }}"#
        );
        eval(&text, &[])
    };
    assert_same(&steps(10), &i64s(&[2], &[55, 89]));
    assert_same(&steps(0), &i64s(&[2], &[0, 1]));
}

#[test]
fn elements_are_made_and_converted() {
    let outs = eval_all(
        r#"
        symbol s0 in 1..9
        %0 = param user "x" : f32[s0]<1>
        %20, %21, %22, %23 = loops.kernel [%0] {axes = ["i0"], extents = [s0], outs = [type(i32[s0]<1>), type(i8[s0]<1>), type(f16[s0]<1>), type(bool[s0]<1>)], parallel = 0} : i32[s0]<1>, i8[s0]<1>, f16[s0]<1>, bool[s0]<1> {
          ^ %1 : f32[s0]<1>, %2 : i32[s0]<1>, %3 : i8[s0]<1>, %4 : f16[s0]<1>, %5 : bool[s0]<1>
          %6 = loops.load %1, [], _ {at = [i0]} : f32
          %7 = loops.bitcast %6 {dtype = !i32} : i32
          loops.store %2, %7, [], _ {at = [i0], mode = "set"}
          %8 = loops.cast %6 {dtype = !i8} : i8
          %9 = loops.const {value = s0 + 100, dtype = !i8} : i8
          %10 = loops.add %8, %9 : i8
          loops.store %3, %10, [], _ {at = [i0], mode = "set"}
          %11 = loops.cast %6 {dtype = !f16} : f16
          loops.store %4, %11, [], _ {at = [i0], mode = "set"}
          %12 = loops.index {value = i0, dtype = !bool} : bool
          loops.store %5, %12, [], _ {at = [i0], mode = "set"}
        }"#,
        &[f32s(&[3], &[1.0, -2.7, 30.1])],
    );
    let bits = [1.0_f32, -2.7, 30.1].map(|it| i128::from(it.to_bits() as i32));
    assert_same(&outs[0], &ints(DType::I32, &[3], &bits));
    // 30 + 103 wraps.
    assert_same(&outs[1], &ints(DType::I8, &[3], &[104, 101, -123]));
    let halves = [1.0, -2.7, 30.1].map(Elem::Float);
    assert_same(&outs[2], &HostTensor::from_elems(DType::F16, vec![3], halves));
    assert_same(&outs[3], &ints(DType::Bool, &[3], &[0, 1, 1]));
}

/// An op outside a kernel means what it means inside: here stores to a memory that others hold.
#[test]
fn a_store_on_its_own_writes_to_its_cell() {
    let function = function(
        r#"
        %0 = param user "x" : f32[3]<1>
        %1 = loops.const {value = 5.0, dtype = !f32} : f32
        loops.store %0, %1, [], _ {at = [1], mode = "add"}"#,
    );
    let cell = Arc::new(Mutex::new(counting(&[3])));
    let store = &function.body.ops()[1];
    let operands = [HostValue::Cell(cell.clone()), HostValue::Scalar(DType::F32, Elem::Float(5.0))];
    let results = store.def.0.eval.unwrap()(&EvalCx {
        view: View::of(&function.body, &function.facts, store),
        operands: &operands,
        size: &|it| Ok(it.as_int().unwrap()),
        number: &|it| Ok(it.as_number().unwrap()),
        run: &|_, _, _| panic!("a store has no region"),
        call: &|_, _| panic!("a store calls nothing"),
        bind: &|_, _| panic!("a store binds nothing"),
        set: &|_, _| panic!("a store replaces nothing"),
        given: &std::cell::RefCell::default(),
    });
    assert!(results.unwrap().is_empty());
    assert_same(&cell.lock().unwrap(), &f32s(&[3], &[0.0, 6.0, 2.0]));
}
