//! Elements at computed places, and sorting.

use ir::{DType, HostTensor};

use crate::{assert_same, check, counting, f32s, failure, floats, i64s, ints, try_eval};

const ROWS: &str = "symbol s0 in 0..9
     %0 = param user \"x\" : f32[3, 2]
     %1 = param user \"i\" : i64[s0]
     %2 = tensor.index %0, [%1] {dims = [0], at = 0} : f32[s0, 2]";

#[test]
fn index_takes_rows_and_counts_negative_ones_from_the_end() {
    check(
        ROWS,
        &[counting(&[3, 2]), i64s(&[3], &[2, -3, -1])],
        &f32s(&[3, 2], &[4.0, 5.0, 0.0, 1.0, 4.0, 5.0]),
    );
    check(ROWS, &[counting(&[3, 2]), i64s(&[0], &[])], &f32s(&[0, 2], &[]));
}

#[test]
fn index_out_of_range_names_index_and_size() {
    for index in [3, -4] {
        assert_eq!(
            failure(ROWS, &[counting(&[3, 2]), i64s(&[1], &[index])]),
            format!("tensor.index: index {index} is out of range for dimension 0 of size 3")
        );
    }
}

#[test]
fn index_of_several_dimensions_puts_the_indices_at_their_place() {
    let x = counting(&[2, 3, 4]);
    let (i, j) = (ints(DType::I32, &[2], &[0, 1]), ints(DType::I32, &[2], &[3, -1]));
    for (at, shape, expected) in [
        (0, [2, 3], [3.0, 7.0, 11.0, 15.0, 19.0, 23.0]),
        (1, [3, 2], [3.0, 15.0, 7.0, 19.0, 11.0, 23.0]),
    ] {
        let text = format!(
            "%0 = param user \"x\" : f32[2, 3, 4]
             %1 = param user \"i\" : i32[2]
             %2 = param user \"j\" : i32[2]
             %3 = tensor.index %0, [%1, %2] {{dims = [0, 2], at = {at}}} : f32{shape:?}"
        );
        check(&text, &[x.clone(), i.clone(), j.clone()], &f32s(&shape, &expected));
    }
}

fn update(mode: &str, x: &HostTensor, index: &[i128], values: &HostTensor, expected: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {0}{1:?}
         %1 = param user \"i\" : i64[{2}]
         %2 = param user \"v\" : {0}{3:?}
         %3 = tensor.index_update %0, [%1], %2 {{dims = [0], at = 0, mode = \"{mode}\"}} : {0}{1:?}",
        x.dtype,
        x.shape,
        index.len(),
        values.shape
    );
    check(&text, &[x.clone(), i64s(&[index.len() as i64], index), values.clone()], expected);
}

#[test]
fn index_update_combines_equal_places_in_order() {
    let (x, index) = (f32s(&[3], &[1.0, 2.0, 3.0]), [0, 2, 0, -1]);
    let values = f32s(&[4], &[5.0, -6.0, 7.0, 0.5]);
    update("set", &x, &index, &values, &f32s(&[3], &[7.0, 2.0, 0.5]));
    update("add", &x, &index, &values, &f32s(&[3], &[13.0, 2.0, -2.5]));
    update("mul", &x, &index, &values, &f32s(&[3], &[35.0, 2.0, -9.0]));
    update("max", &x, &index, &values, &f32s(&[3], &[7.0, 2.0, 3.0]));
    update("min", &x, &index, &values, &f32s(&[3], &[1.0, 2.0, -6.0]));
    update("add", &x, &[], &f32s(&[0], &[]), &x);
    let nan = f32s(&[1], &[f64::NAN]);
    update("max", &x, &[1], &nan, &f32s(&[3], &[1.0, f64::NAN, 3.0]));
}

#[test]
fn index_update_of_rows_wraps_and_rounds_once() {
    update(
        "set",
        &counting(&[2, 2]),
        &[1],
        &f32s(&[1, 2], &[8.0, 9.0]),
        &f32s(&[2, 2], &[0.0, 1.0, 8.0, 9.0]),
    );
    let (x, values) = (ints(DType::I8, &[1], &[100]), ints(DType::I8, &[2], &[100, 100]));
    update("add", &x, &[0, 0], &values, &ints(DType::I8, &[1], &[44]));
    let mut elems = vec![1.0; 9];
    elems[0] = 2048.0;
    let (x, values) = (floats(DType::F16, &[1], &[0.0]), floats(DType::F16, &[9], &elems));
    update("add", &x, &[0; 9], &values, &floats(DType::F16, &[1], &[2056.0]));
}

#[test]
fn index_gives_back_what_index_update_set() {
    let text = "%0 = param user \"x\" : f32[4, 3]
         %1 = param user \"i\" : i64[2]
         %2 = param user \"v\" : f32[4, 2]
         %3 = tensor.index_update %0, [%1], %2 {dims = [1], at = 1, mode = \"set\"} : f32[4, 3]
         %4 = tensor.index %3, [%1] {dims = [1], at = 1} : f32[4, 2]";
    let values = f32s(&[4, 2], &[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0]);
    check(text, &[counting(&[4, 3]), i64s(&[2], &[2, 0]), values.clone()], &values);
}

#[test]
fn gather_reads_along_its_dimension() {
    let text = |dim: i64| {
        format!(
            "symbol s0 in 0..9
             symbol s1 in 0..9
             %0 = param user \"x\" : f32[2, 3]
             %1 = param user \"i\" : i64[s0, s1]
             %2 = tensor.gather %0, %1 {{dim = {dim}}} : f32[s0, s1]"
        )
    };
    let x = counting(&[2, 3]);
    check(
        &text(1),
        &[x.clone(), i64s(&[2, 2], &[2, 0, 1, 1])],
        &f32s(&[2, 2], &[2.0, 0.0, 4.0, 4.0]),
    );
    check(&text(0), &[x.clone(), i64s(&[1, 2], &[1, 0])], &f32s(&[1, 2], &[3.0, 1.0]));
    check(&text(1), &[x.clone(), i64s(&[0, 2], &[])], &f32s(&[0, 2], &[]));
    for index in [3, -1] {
        let message = failure(&text(1), &[x.clone(), i64s(&[1, 1], &[index])]);
        assert_eq!(
            message,
            format!("tensor.gather: index {index} is out of range for dimension 1 of size 3")
        );
    }
    let message = failure(&text(1), &[x, i64s(&[3, 1], &[0, 0, 0])]);
    assert!(message.contains("an index of [3, 1] into [2, 3]"), "{message}");
}

#[test]
fn scatter_writes_along_its_dimension() {
    let text = |mode: &str| {
        format!(
            "%0 = param user \"x\" : f32[2, 3]
             %1 = param user \"i\" : i64[2, 2]
             %2 = param user \"v\" : f32[2, 3]
             %3 = tensor.scatter %0, %1, %2 {{dim = 1, mode = \"{mode}\"}} : f32[2, 3]"
        )
    };
    let args = |index: &[i128]| {
        [
            counting(&[2, 3]),
            i64s(&[2, 2], index),
            f32s(&[2, 3], &[10.0, 20.0, 0.0, 30.0, 40.0, 0.0]),
        ]
    };
    let index = [2, 2, 0, 1];
    check(&text("set"), &args(&index), &f32s(&[2, 3], &[0.0, 1.0, 20.0, 30.0, 40.0, 5.0]));
    check(&text("add"), &args(&index), &f32s(&[2, 3], &[0.0, 1.0, 32.0, 33.0, 44.0, 5.0]));
    check(&text("mul"), &args(&index), &f32s(&[2, 3], &[0.0, 1.0, 400.0, 90.0, 160.0, 5.0]));
    check(&text("max"), &args(&index), &f32s(&[2, 3], &[0.0, 1.0, 20.0, 30.0, 40.0, 5.0]));
    check(&text("min"), &args(&index), &f32s(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    assert!(failure(&text("set"), &args(&[0, 0, 0, 3])).contains("index 3"));
    assert!(failure(&text("add"), &args(&[0, 0, 0, -1])).contains("index -1"));
}

fn sort(descending: bool, x: &HostTensor, dim: i64, values: &HostTensor, indices: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {0}{1:?}
         %1, %2 = tensor.sort %0 {{dim = {dim}, descending = {descending}}} : {0}{1:?}, i64{1:?}",
        x.dtype, x.shape
    );
    let found = try_eval(&text, std::slice::from_ref(x)).unwrap();
    assert_same(&found[0], values);
    assert_same(&found[1], indices);
}

#[test]
fn sort_is_stable_and_nan_is_greatest() {
    let x = f32s(&[5], &[2.0, f64::NAN, 1.0, f64::NAN, 2.0]);
    let nan = f64::NAN;
    sort(false, &x, 0, &f32s(&[5], &[1.0, 2.0, 2.0, nan, nan]), &i64s(&[5], &[2, 0, 4, 1, 3]));
    sort(true, &x, 0, &f32s(&[5], &[nan, nan, 2.0, 2.0, 1.0]), &i64s(&[5], &[1, 3, 0, 4, 2]));
    let zeros = f32s(&[2], &[0.0, -0.0]);
    sort(false, &zeros, 0, &zeros, &i64s(&[2], &[0, 1]));
}

#[test]
fn sort_along_any_dimension() {
    let x = ints(DType::U8, &[3, 2], &[3, 1, 1, 200, 2, 0]);
    sort(
        false,
        &x,
        0,
        &ints(DType::U8, &[3, 2], &[1, 0, 2, 1, 3, 200]),
        &i64s(&[3, 2], &[1, 2, 2, 0, 0, 1]),
    );
    sort(
        true,
        &x,
        1,
        &ints(DType::U8, &[3, 2], &[3, 1, 200, 1, 2, 0]),
        &i64s(&[3, 2], &[0, 1, 1, 0, 0, 1]),
    );
    sort(false, &f32s(&[2, 0], &[]), 1, &f32s(&[2, 0], &[]), &i64s(&[2, 0], &[]));
    sort(false, &f32s(&[0, 2], &[]), 1, &f32s(&[0, 2], &[]), &i64s(&[0, 2], &[]));
}
