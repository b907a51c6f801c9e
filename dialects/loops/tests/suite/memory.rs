//! Views and packed weights.

use ir::{DType, HostTensor};

use crate::support::{assert_same, check, counting, eval, f32s, failure, i64s, ints};

fn view(from: &str, to: &str, offset: i64) -> String {
    format!(
        "%0 = param user \"x\" : {from}\n%1 = loops.view %0 {{ty = type({to}), offset = {offset}}} : {to}"
    )
}

#[test]
fn a_slice_a_transpose_and_a_reversal_are_views() {
    let x = [counting(&[3, 4])];
    let slice = f32s(&[2, 2], &[1.0, 3.0, 5.0, 7.0]);
    check(&view("f32[3, 4]<4, 1>", "f32[2, 2]<4, 2>", 1), &x, &slice);
    let transposed = f32s(&[4, 2], &[0.0, 8.0, 1.0, 9.0, 2.0, 10.0, 3.0, 11.0]);
    check(&view("f32[3, 4]<4, 1>", "f32[4, 2]<1, 8>", 0), &x, &transposed);
    let row = f32s(&[4], &[4.0, 5.0, 6.0, 7.0]);
    check(&view("f32[3, 4]<4, 1>", "f32[4]<1>", 4), &x, &row);
    let reversed = f32s(&[4], &[11.0, 10.0, 9.0, 8.0]);
    check(&view("f32[3, 4]<4, 1>", "f32[4]<-1>", 11), &x, &reversed);
    check(&view("f32[3, 4]<4, 1>", "f32[]<>", 6), &x, &f32s(&[], &[6.0]));
}

/// The content of the operand is row-major; its memory is as its strides say.
#[test]
fn a_view_goes_through_the_memory_of_its_operand() {
    let x = [counting(&[2, 3])];
    let memory = f32s(&[6], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    check(&view("f32[2, 3]<1, 2>", "f32[6]<1>", 0), &x, &memory);
    check(&view("f32[2, 3]<1, 2>", "f32[2, 3]<1, 2>", 0), &x, &x[0]);
    // Backwards in memory, the first element lies last.
    let back = f32s(&[6], &[3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
    check(&view("f32[2, 3]<-3, 1>", "f32[6]<1>", -3), &x, &back);
}

#[test]
fn windows_overlap_and_a_repeated_row_is_one_in_memory() {
    let windows = f32s(&[3, 2], &[0.0, 1.0, 1.0, 2.0, 2.0, 3.0]);
    check(&view("f32[4]<1>", "f32[3, 2]<1, 1>", 0), &[counting(&[4])], &windows);
    let rows = f32s(&[2, 3], &[5.0, 6.0, 7.0, 5.0, 6.0, 7.0]);
    let row = f32s(&[3], &[5.0, 6.0, 7.0]);
    check(&view("f32[2, 3]<0, 1>", "f32[3]<1>", 0), std::slice::from_ref(&rows), &row);
    check(&view("f32[3]<1>", "f32[2, 3]<0, 1>", 0), &[row], &rows);
}

#[test]
fn a_view_of_a_view_and_symbolic_sizes() {
    check(
        r#"
        symbol s0 in 2..64
        %0 = param user "x" : f32[s0, 4]<4, 1>
        %1 = loops.view %0 {ty = type(f32[s0, 2]<4, 2>), offset = 1} : f32[s0, 2]<4, 2>
        %2 = loops.view %1 {ty = type(f32[s0 - 1]<4>), offset = 6} : f32[s0 - 1]<4>"#,
        &[counting(&[3, 4])],
        &f32s(&[2], &[7.0, 11.0]),
    );
}

#[test]
fn a_view_may_read_another_dtype() {
    let x = f32s(&[2, 2], &[1.0, -0.0, 2.0, 4.0]);
    let bits = ints(DType::U32, &[2, 2], &[0x3f80_0000, 0x8000_0000, 0x4000_0000, 0x4080_0000]);
    check(&view("f32[2, 2]<2, 1>", "u32[2, 2]<2, 1>", 0), std::slice::from_ref(&x), &bits);
    let transposed =
        ints(DType::U32, &[2, 2], &[0x3f80_0000, 0x4000_0000, 0x8000_0000, 0x4080_0000]);
    check(&view("f32[2, 2]<1, 2>", "u32[2, 2]<2, 1>", 0), &[x], &transposed);
    let wide = HostTensor { dtype: DType::U16, ..i64s(&[8], &[]) };
    let halves = HostTensor { bytes: i64s(&[2], &[0x0004_0003_0002_0001, 7]).bytes, ..wide };
    let expected = ints(DType::U16, &[3], &[2, 4, 0]);
    check(&view("u16[8]<1>", "u16[3]<2>", 1), &[halves], &expected);
}

#[test]
fn nothing_is_viewed_without_reading() {
    check(&view("f32[0, 4]<4, 1>", "f32[0]<1>", 99), &[counting(&[0, 4])], &f32s(&[0], &[]));
}

#[test]
fn memory_that_is_not_the_operands_is_not_read() {
    let x = [counting(&[2, 2])];
    let outside = failure(&view("f32[2, 2]<2, 1>", "f32[4]<1>", 1), &x);
    assert!(outside.contains("elements 1..=4 of a memory that has 0..4"), "{outside}");
    let before = failure(&view("f32[2, 2]<2, 1>", "f32[1]<1>", -1), &x);
    assert!(before.contains("elements -1..=-1 of a memory that has 0..4"), "{before}");
    let between = failure(&view("f32[2, 2]<3, 1>", "f32[5]<1>", 0), &x);
    assert!(between.contains("between the tensor's elements"), "{between}");
    let huge = failure(&view("f32[2, 2]<4611686018427387904, 1>", "f32[5]<1>", 0), &x);
    assert!(huge.contains("a memory that is too large"), "{huge}");
    let far = format!("f32[3]<{}>", i64::MAX);
    assert!(failure(&view("f32[2, 2]<2, 1>", &far, 0), &x).contains("64 bits"));
}

fn pack(from: &str, kind: &str, groups: i64, count: i64) -> String {
    format!(
        "%0 = param parameter \"w\" : {from}\n\
         %1 = loops.pack %0 {{kind = \"{kind}\", groups = {groups}}} : f32[{count}]<1>"
    )
}

#[test]
fn a_matrix_is_packed_in_panels_of_columns() {
    let (k, n) = (3, 20);
    let w = counting(&[k, n]);
    let found =
        eval(&pack("f32[3, 20]<20, 1>", "gemm_b", 1, 96), std::slice::from_ref(&w)).to_f32();
    let mut expected = vec![0.0; 96];
    for i in 0..k as usize {
        for j in 0..n as usize {
            expected[(j / 16) * 3 * 16 + i * 16 + j % 16] = w.to_f32()[i * 20 + j];
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn filters_are_packed_by_group_position_and_channel() {
    let (groups, out, inner, h, w) = (2, 18, 3, 2, 2);
    let weights = counting(&[groups * out, inner, h, w]);
    let found = eval(
        &pack("f32[36, 3, 2, 2]<12, 4, 2, 1>", "conv2d", 2, 768),
        std::slice::from_ref(&weights),
    );
    let mut expected = vec![0.0; 768];
    let k = inner * h * w;
    for (i, it) in weights.to_f32().into_iter().enumerate() {
        let i = i as i64;
        let (x, y, ci, o) = (i % w, i / w % h, i / (w * h) % inner, i / k);
        let (g, co) = (o / out, o % out);
        let row = (y * w + x) * inner + ci;
        expected[(g * 2 * k * 16 + (co / 16) * k * 16 + row * 16 + co % 16) as usize] = it;
    }
    assert_eq!(found.to_f32(), expected);
}

#[test]
fn depthwise_filters_are_packed_by_position() {
    let found =
        eval(&pack("f32[2, 1, 2, 2]<4, 4, 2, 1>", "depthwise2d", 2, 8), &[counting(&[2, 1, 2, 2])]);
    assert_same(&found, &f32s(&[8], &[0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]));
}

#[test]
fn channels_that_groups_do_not_divide_are_refused() {
    let text = pack("f32[4, 1, 1, 1]<1, 1, 1, 1>", "conv2d", 3, 48);
    assert!(failure(&text, &[counting(&[4, 1, 1, 1])]).contains("4 channels in 3 groups"));
}
