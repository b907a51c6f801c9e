//! Operators that move elements.

use ir::{DType, HostTensor, scalar::Elem};

use crate::{assert_same, check, counting, eval, f32s, failure, ints};

/// The element at a coordinate.
fn at(x: &HostTensor, index: &[usize]) -> Elem {
    let sum = x.strides().iter().zip(index).map(|(stride, i)| stride * i).sum();
    x.elem(sum)
}

#[test]
fn expand_repeats_and_adds_in_front() {
    check(
        "%0 = param user \"x\" : f32[2, 1]\n%1 = tensor.expand %0 {shape = [2, 2, 3]} : f32[2, 2, 3]",
        &[f32s(&[2, 1], &[1.0, 2.0])],
        &f32s(&[2, 2, 3], &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]),
    );
    check(
        "%0 = param user \"x\" : i8[]\n%1 = tensor.expand %0 {shape = [3]} : i8[3]",
        &[ints(DType::I8, &[], &[7])],
        &ints(DType::I8, &[3], &[7; 3]),
    );
    check(
        "%0 = param user \"x\" : f32[1]\n%1 = tensor.expand %0 {shape = [0]} : f32[0]",
        &[f32s(&[1], &[7.0])],
        &f32s(&[0], &[]),
    );
}

#[test]
fn permute_reorders_for_every_order_and_width() {
    let shape = [3_usize, 20, 2, 37];
    let orders =
        [[0, 1, 2, 3], [3, 1, 0, 2], [1, 0, 3, 2], [3, 2, 1, 0], [0, 3, 1, 2], [2, 0, 3, 1]];
    for dtype in [DType::I8, DType::I16, DType::F32, DType::F64, DType::C128] {
        let elems = (0..3 * 20 * 2 * 37).map(|it| Elem::Int(it % 101));
        let x = HostTensor::from_elems(dtype, shape.map(|it| it as i64).to_vec(), elems);
        for order in orders {
            let moved = order.map(|it| shape[it]);
            let text = format!(
                "%0 = param user \"x\" : {dtype}[3, 20, 2, 37]
                 %1 = tensor.permute %0 {{order = {order:?}}} : {dtype}{moved:?}"
            );
            let y = eval(&text, std::slice::from_ref(&x));
            let mut index = [0; 4];
            for i in 0..y.numel() {
                let mut rest = i;
                for d in (0..4).rev() {
                    index[order[d]] = rest % moved[d];
                    rest /= moved[d];
                }
                assert_eq!(y.elem(i), at(&x, &index), "{order:?} {dtype} at {i}");
            }
        }
    }
}

#[test]
fn permuting_back_gives_the_operand() {
    let x = counting(&[4, 5, 6]);
    check(
        "%0 = param user \"x\" : f32[4, 5, 6]
         %1 = tensor.permute %0 {order = [2, 0, 1]} : f32[6, 4, 5]
         %2 = tensor.permute %1 {order = [1, 2, 0]} : f32[4, 5, 6]",
        std::slice::from_ref(&x),
        &x,
    );
}

#[test]
fn reshape_keeps_the_order_of_elements() {
    let text = "symbol s0 in 0..9
         %0 = param user \"x\" : f32[s0, 4]
         %1 = tensor.reshape %0 {shape = [2, 2*s0]} : f32[2, 2*s0]";
    check(text, &[counting(&[3, 4])], &counting(&[2, 6]));
    check(text, &[counting(&[0, 4])], &counting(&[2, 0]));
}

#[test]
fn slice_takes_every_step() {
    let text = "%0 = param user \"x\" : f32[3, 8]
         %1 = tensor.slice %0 {start = [1, 2], size = [2, 3], step = [1, 2]} : f32[2, 3]";
    check(text, &[counting(&[3, 8])], &f32s(&[2, 3], &[10.0, 12.0, 14.0, 18.0, 20.0, 22.0]));
    let nothing = "%0 = param user \"x\" : f32[3]
         %1 = tensor.slice %0 {start = [3], size = [0], step = [1]} : f32[0]";
    check(nothing, &[counting(&[3])], &f32s(&[0], &[]));
}

#[test]
fn slice_outside_is_an_error() {
    let text = "symbol s0 in 0..9
         %0 = param user \"x\" : f32[s0]
         %1 = tensor.slice %0 {start = [1], size = [3], step = [1]} : f32[3]";
    check(text, &[counting(&[4])], &f32s(&[3], &[1.0, 2.0, 3.0]));
    assert_eq!(
        failure(text, &[counting(&[3])]),
        "tensor.slice: [3] elements from [1] by [1] do not lie within [3]"
    );
}

#[test]
fn flip_reverses() {
    check(
        "%0 = param user \"x\" : f32[2, 3]\n%1 = tensor.flip %0 {dims = [1]} : f32[2, 3]",
        &[counting(&[2, 3])],
        &f32s(&[2, 3], &[2.0, 1.0, 0.0, 5.0, 4.0, 3.0]),
    );
    check(
        "%0 = param user \"x\" : f32[2, 3]\n%1 = tensor.flip %0 {dims = [0, 1]} : f32[2, 3]",
        &[counting(&[2, 3])],
        &f32s(&[2, 3], &[5.0, 4.0, 3.0, 2.0, 1.0, 0.0]),
    );
    check(
        "%0 = param user \"x\" : f32[0]\n%1 = tensor.flip %0 {dims = [0]} : f32[0]",
        &[counting(&[0])],
        &counting(&[0]),
    );
}

fn pad(low: i64, high: i64, interior: i64, x: &[f64], expected: &[f64]) {
    let text = format!(
        "%0 = param user \"x\" : f32[{}]
         %1 = tensor.pad %0 {{low = [{low}], high = [{high}], interior = [{interior}], value = 9.0}} : f32[{}]",
        x.len(),
        expected.len()
    );
    check(&text, &[f32s(&[x.len() as i64], x)], &f32s(&[expected.len() as i64], expected));
}

#[test]
fn pad_adds_before_after_and_between() {
    pad(1, 2, 0, &[1.0, 2.0], &[9.0, 1.0, 2.0, 9.0, 9.0]);
    pad(0, 0, 2, &[1.0, 2.0], &[1.0, 9.0, 9.0, 2.0]);
    pad(1, 0, 1, &[1.0, 2.0, 3.0], &[9.0, 1.0, 9.0, 2.0, 9.0, 3.0]);
    pad(1, 2, 1, &[], &[9.0, 9.0, 9.0]);
}

#[test]
fn pad_of_a_negative_number_removes() {
    pad(-1, 0, 0, &[1.0, 2.0, 3.0], &[2.0, 3.0]);
    pad(1, -2, 0, &[1.0, 2.0, 3.0], &[9.0, 1.0]);
    // What is removed may be a gap, and then the next element comes first.
    pad(-1, 0, 2, &[1.0, 2.0], &[9.0, 9.0, 2.0]);
    pad(-3, 0, 1, &[1.0, 2.0, 3.0], &[9.0, 3.0]);
    pad(-2, 3, 0, &[1.0], &[9.0, 9.0]);
    pad(4, -3, 0, &[1.0, 2.0], &[9.0, 9.0, 9.0]);
}

#[test]
fn pad_in_two_dimensions() {
    check(
        "%0 = param user \"x\" : i32[1, 2]
         %1 = tensor.pad %0 {low = [1, 0], high = [0, 1], interior = [0, 1], value = -1} : i32[2, 4]",
        &[ints(DType::I32, &[1, 2], &[5, 6])],
        &ints(DType::I32, &[2, 4], &[-1, -1, -1, -1, 5, -1, 6, -1]),
    );
}

#[test]
fn concat_joins_along_its_dimension() {
    let text = "symbol s0 in 0..9
         %0 = param user \"x\" : f32[2, s0]
         %1 = param user \"y\" : f32[2, 1]
         %2 = tensor.concat [%0, %1, %0] {dim = 1} : f32[2, 2*s0 + 1]";
    let y = f32s(&[2, 1], &[7.0, 8.0]);
    check(
        text,
        &[counting(&[2, 2]), y.clone()],
        &f32s(&[2, 5], &[0.0, 1.0, 7.0, 0.0, 1.0, 2.0, 3.0, 8.0, 2.0, 3.0]),
    );
    check(text, &[counting(&[2, 0]), y.clone()], &y);
}

#[test]
fn slices_of_a_concat_are_its_operands() {
    let (x, y) = (counting(&[3, 2]), counting(&[3, 4]));
    for (start, size, expected) in [(0, 2, &x), (2, 4, &y)] {
        let text = format!(
            "%0 = param user \"x\" : f32[3, 2]
             %1 = param user \"y\" : f32[3, 4]
             %2 = tensor.concat [%0, %1] {{dim = 1}} : f32[3, 6]
             %3 = tensor.slice %2 {{start = [0, {start}], size = [3, {size}], step = [1, 1]}} : f32[3, {size}]"
        );
        check(&text, &[x.clone(), y.clone()], expected);
    }
}

#[test]
fn slice_update_replaces_what_slice_takes() {
    let text = "%0 = param user \"x\" : f32[2, 5]
         %1 = param user \"u\" : f32[1, 2]
         %2 = tensor.slice_update %0, %1 {start = [1, 1], step = [1, 3]} : f32[2, 5]";
    check(
        text,
        &[counting(&[2, 5]), f32s(&[1, 2], &[-1.0, -2.0])],
        &f32s(&[2, 5], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, -1.0, 7.0, 8.0, -2.0]),
    );
    let back = format!(
        "{text}\n%3 = tensor.slice %2 {{start = [1, 1], size = [1, 2], step = [1, 3]}} : f32[1, 2]"
    );
    let u = f32s(&[1, 2], &[-1.0, -2.0]);
    check(&back, &[counting(&[2, 5]), u.clone()], &u);
}

#[test]
fn strided_reads_by_offset_and_strides() {
    let text = "%0 = param user \"x\" : f32[8]
         %1 = tensor.strided %0 {shape = [2, 3], strides = [4, 1], offset = 1} : f32[2, 3]";
    check(text, &[counting(&[8])], &f32s(&[2, 3], &[1.0, 2.0, 3.0, 5.0, 6.0, 7.0]));
    // Windows that overlap.
    let text = "%0 = param user \"x\" : f32[4]
         %1 = tensor.strided %0 {shape = [3, 2], strides = [1, 1], offset = 0} : f32[3, 2]";
    assert_same(&eval(text, &[counting(&[4])]), &f32s(&[3, 2], &[0.0, 1.0, 1.0, 2.0, 2.0, 3.0]));
}

#[test]
fn strided_outside_is_an_error() {
    let text = "symbol s0 in 0..9
         %0 = param user \"x\" : f32[s0]
         %1 = tensor.strided %0 {shape = [2, 2], strides = [2, 1], offset = 1} : f32[2, 2]";
    check(text, &[counting(&[5])], &f32s(&[2, 2], &[1.0, 2.0, 3.0, 4.0]));
    assert!(failure(text, &[counting(&[4])]).contains("out of range"));
}
