//! Windows.

use ir::{DType, HostTensor};

use crate::{assert_same, check, counting, eval, f32s, i64s, ints};

/// `window stride low high dilation`, all of one dimension.
fn attrs(it: [i64; 5]) -> String {
    let [window, stride, low, high, dilation] = it;
    format!(
        "window = [{window}], stride = [{stride}], low = [{low}], high = [{high}], dilation = [{dilation}]"
    )
}

fn windows(kind: &str, it: [i64; 5], x: &HostTensor, expected: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {0}{1:?}
         %1 = tensor.reduce_window %0 {{kind = \"{kind}\", {2}}} : {0}{3:?}",
        x.dtype,
        x.shape,
        attrs(it),
        expected.shape
    );
    check(&text, std::slice::from_ref(x), expected);
}

#[test]
fn reduce_window_moves_over_the_last_dimensions() {
    let x = f32s(&[2, 4], &[1.0, 3.0, 2.0, 5.0, -1.0, -3.0, -2.0, -5.0]);
    windows("max", [2, 2, 0, 0, 1], &x, &f32s(&[2, 2], &[3.0, 5.0, -1.0, -2.0]));
    windows("sum", [2, 1, 0, 0, 1], &x, &f32s(&[2, 3], &[4.0, 5.0, 7.0, -4.0, -5.0, -7.0]));
    // Padding is the identity: it never wins and adds nothing.
    windows("max", [3, 2, 1, 1, 1], &x, &f32s(&[2, 2], &[3.0, 5.0, -1.0, -2.0]));
    windows("sum", [3, 2, 1, 1, 1], &x, &f32s(&[2, 2], &[4.0, 10.0, -4.0, -10.0]));
    windows("sum", [2, 1, 0, 0, 2], &x, &f32s(&[2, 2], &[3.0, 8.0, -3.0, -8.0]));
    // A window that is all padding gives the identity.
    windows("max", [1, 1, 1, 0, 1], &f32s(&[1], &[7.0]), &f32s(&[2], &[f64::NEG_INFINITY, 7.0]));
    windows(
        "max",
        [2, 1, 0, 0, 1],
        &f32s(&[3], &[f64::NAN, 1.0, 2.0]),
        &f32s(&[2], &[f64::NAN, 2.0]),
    );
    windows(
        "sum",
        [2, 1, 0, 0, 1],
        &ints(DType::I8, &[2], &[100, 100]),
        &ints(DType::I8, &[1], &[-56]),
    );
    windows("sum", [2, 1, 0, 0, 1], &f32s(&[0, 3], &[]), &f32s(&[0, 2], &[]));
    // Negative padding leaves out the first element.
    windows("sum", [2, 1, -1, 0, 1], &f32s(&[3], &[1.0, 2.0, 3.0]), &f32s(&[1], &[5.0]));
}

#[test]
fn a_window_in_two_dimensions() {
    let text = "%0 = param user \"x\" : f32[1, 3, 4]
         %1 = tensor.reduce_window %0 {kind = \"sum\", window = [2, 2], stride = [1, 2], low = [0, 1], high = [0, 1], dilation = [1, 1]} : f32[1, 2, 3]";
    check(text, &[counting(&[1, 3, 4])], &f32s(&[1, 2, 3], &[4.0, 14.0, 10.0, 12.0, 30.0, 18.0]));
}

#[test]
fn a_window_over_all_is_a_reduction() {
    let x = counting(&[2, 3, 5]);
    for kind in ["sum", "max"] {
        let head = "%0 = param user \"x\" : f32[2, 3, 5]\n";
        let window = format!(
            "{head}%1 = tensor.reduce_window %0 {{kind = \"{kind}\", window = [3, 5], stride = [1, 1], low = [0, 0], high = [0, 0], dilation = [1, 1]}} : f32[2, 1, 1]
             %2 = tensor.reshape %1 {{shape = [2]}} : f32[2]"
        );
        let reduced =
            format!("{head}%1 = tensor.reduce %0 {{kind = \"{kind}\", dims = [1, 2]}} : f32[2]");
        let args = std::slice::from_ref(&x);
        assert_same(&eval(&window, args), &eval(&reduced, args));
    }
}

fn places(it: [i64; 5], x: &HostTensor, expected: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {}{:?}
         %1 = tensor.arg_window %0 {{{}}} : i64{:?}",
        x.dtype,
        x.shape,
        attrs(it),
        expected.shape
    );
    check(&text, std::slice::from_ref(x), expected);
}

#[test]
fn arg_window_gives_places_within_the_plane() {
    let x = f32s(&[2, 4], &[1.0, 3.0, 3.0, 2.0, 0.0, 0.0, 0.0, 9.0]);
    places([3, 1, 0, 0, 1], &x, &i64s(&[2, 2], &[1, 1, 0, 3]));
    places([3, 2, 1, 1, 1], &x, &i64s(&[2, 2], &[1, 1, 0, 3]));
    // As eager: of several NaN the last, of -inf alone the first.
    places([3, 1, 0, 0, 1], &f32s(&[3], &[f64::NAN, f64::NAN, 1.0]), &i64s(&[1], &[1]));
    places([2, 1, 0, 0, 1], &f32s(&[2], &[f64::NEG_INFINITY; 2]), &i64s(&[1], &[0]));
    let text = "%0 = param user \"x\" : f32[1, 2, 3]
         %1 = tensor.arg_window %0 {window = [2, 2], stride = [1, 1], low = [0, 0], high = [0, 0], dilation = [1, 1]} : i64[1, 1, 2]";
    check(text, &[counting(&[1, 2, 3])], &i64s(&[1, 1, 2], &[4, 5]));
}
