//! Sorting.

use ir::{HostTensor, scalar::Elem};

use crate::support::{assert_same, eval_all, f32s, i64s};

fn sort(x: &HostTensor, dim: usize, descending: bool) -> [HostTensor; 2] {
    let (dtype, shape) = (x.dtype, &x.shape);
    let strides = x.strides();
    let sizes = shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let strides = strides.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let text = format!(
        r#"
        %0 = param user "x" : {dtype}[{sizes}]<{strides}>
        %1, %2 = loops.sort %0 {{dim = {dim}, descending = {descending}, outs = [type({dtype}[{sizes}]<{strides}>), type(i64[{sizes}]<{strides}>)]}} : {dtype}[{sizes}]<{strides}>, i64[{sizes}]<{strides}>"#
    );
    eval_all(&text, std::slice::from_ref(x)).try_into().expect("values and indices")
}

#[test]
fn nan_is_greatest_and_equals_keep_their_order() {
    let nan = f32::NAN;
    let x = f32s(&[6], &[2.0, nan, -1.0, 2.0, nan, 0.0]);
    let [values, indices] = sort(&x, 0, false);
    assert_same(&values, &f32s(&[6], &[-1.0, 0.0, 2.0, 2.0, nan, nan]));
    assert_same(&indices, &i64s(&[6], &[2, 5, 0, 3, 1, 4]));
    let [values, indices] = sort(&x, 0, true);
    assert_same(&values, &f32s(&[6], &[nan, nan, 2.0, 2.0, 0.0, -1.0]));
    assert_same(&indices, &i64s(&[6], &[1, 4, 0, 3, 5, 2]));
}

#[test]
fn each_lane_of_any_dimension_is_sorted() {
    let x = i64s(&[2, 3, 2], &[5, 0, 3, 9, 4, 1, 7, 2, 8, 2, 6, 2]);
    let [values, indices] = sort(&x, 1, false);
    assert_same(&values, &i64s(&[2, 3, 2], &[3, 0, 4, 1, 5, 9, 6, 2, 7, 2, 8, 2]));
    assert_same(&indices, &i64s(&[2, 3, 2], &[1, 0, 2, 2, 0, 1, 2, 0, 0, 1, 1, 2]));
}

/// Exact where a float would not be.
#[test]
fn large_integers_are_told_apart() {
    let large = i128::from(i64::MAX);
    let [values, _] = sort(&i64s(&[3], &[large, large - 1, large - 2]), 0, false);
    assert_same(&values, &i64s(&[3], &[large - 2, large - 1, large]));
}

#[test]
fn a_tensor_without_dimensions_or_elements_is_sorted_as_it_stands() {
    let [values, indices] = sort(&f32s(&[], &[3.0]), 0, false);
    assert_eq!((values.elem(0), indices.elem(0)), (Elem::Float(3.0), Elem::Int(0)));
    let [values, indices] = sort(&f32s(&[2, 0], &[]), 1, false);
    assert_eq!((values.numel(), indices.numel()), (0, 0));
}
