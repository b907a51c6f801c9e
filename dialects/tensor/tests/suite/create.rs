//! Tensors from numbers, and conversions of each element.

use ir::DType;

use crate::{check, eval, f32s, failure, floats, i64s, ints};

#[test]
fn full_repeats_a_number() {
    check(
        "%0 = tensor.full {value = 2.5, shape = [2, 2], dtype = !f32} : f32[2, 2]",
        &[],
        &f32s(&[2, 2], &[2.5; 4]),
    );
    check(
        "%0 = tensor.full {value = 300, shape = [2], dtype = !u8} : u8[2]",
        &[],
        &ints(DType::U8, &[2], &[44, 44]),
    );
    check(
        "%0 = tensor.full {value = true, shape = [0, 3], dtype = !bool} : bool[0, 3]",
        &[],
        &ints(DType::Bool, &[0, 3], &[]),
    );
    let complex = eval(
        "%0 = tensor.full {value = complex(1.0, -2.0), shape = [1], dtype = !c64} : c64[1]",
        &[],
    );
    assert_eq!(complex.elem(0), ir::scalar::Elem::Complex(1.0, -2.0));
}

#[test]
fn full_without_room_is_an_error() {
    let text = "%0 = tensor.full {value = 1.0, shape = [4000000000, 4000000000, 4000000000], dtype = !f32} : f32[4000000000, 4000000000, 4000000000]";
    assert!(failure(text, &[]).contains("too many elements"));
    let text = "%0 = tensor.full {value = 1.0, shape = [1000000000000000000], dtype = !f32} : f32[1000000000000000000]";
    assert!(failure(text, &[]).contains("no memory"));
}

#[test]
fn literal_lists_its_elements() {
    check(
        "%0 = tensor.literal {values = [1, 2.5, nan, true], shape = [2, 2], dtype = !f32} : f32[2, 2]",
        &[],
        &f32s(&[2, 2], &[1.0, 2.5, f64::NAN, 1.0]),
    );
}

#[test]
fn iota_counts_along_its_dimension() {
    check(
        "%0 = tensor.iota {shape = [2, 3], dim = 0, start = 5, step = -2, dtype = !i64} : i64[2, 3]",
        &[],
        &i64s(&[2, 3], &[5, 5, 5, 3, 3, 3]),
    );
    check(
        "%0 = tensor.iota {shape = [3], dim = 0, start = 0.5, step = 0.25, dtype = !f32} : f32[3]",
        &[],
        &f32s(&[3], &[0.5, 0.75, 1.0]),
    );
    check(
        "%0 = tensor.iota {shape = [3, 0], dim = 1, start = 0, step = 1, dtype = !i8} : i8[3, 0]",
        &[],
        &ints(DType::I8, &[3, 0], &[]),
    );
}

#[test]
fn size_is_the_value_of_its_symbol() {
    check(
        "symbol s0 in 0..9
         %0 = param user \"x\" : f32[s0]
         %1 = tensor.size {value = 2*s0 + 1, dtype = !i64} : i64[]",
        &[f32s(&[3], &[0.0; 3])],
        &i64s(&[], &[7]),
    );
}

#[test]
fn cast_goes_by_c_and_bools_are_not_zero() {
    let x = f32s(&[5], &[1.9, -1.9, 0.0, -0.0, f64::NAN]);
    let to = |dtype: &str| {
        let n = format!(
            "%0 = param user \"x\" : f32[5]\n%1 = tensor.cast %0 {{dtype = !{dtype}}} : {dtype}[5]"
        );
        eval(&n, std::slice::from_ref(&x))
    };
    crate::assert_same(&to("bool"), &ints(DType::Bool, &[5], &[1, 1, 0, 0, 1]));
    assert_eq!(to("i32").elem(1), ir::scalar::Elem::Int(-1));
    crate::assert_same(
        &to("bf16"),
        &floats(DType::BF16, &[5], &[1.8984375, -1.8984375, 0.0, -0.0, f64::NAN]),
    );
    check(
        "%0 = param user \"x\" : i64[2]\n%1 = tensor.cast %0 {dtype = !i8} : i8[2]",
        &[i64s(&[2], &[200, -129])],
        &ints(DType::I8, &[2], &[-56, 127]),
    );
    check(
        "%0 = param user \"x\" : f16[2]\n%1 = tensor.cast %0 {dtype = !f32} : f32[2]",
        &[floats(DType::F16, &[2], &[0.1, 70000.0])],
        &f32s(&[2], &[0.099_975_585_937_5, f64::INFINITY]),
    );
}

#[test]
fn bitcast_scales_the_last_dimension() {
    let x = ints(DType::I16, &[2, 2], &[1, 2, -1, 256]);
    check(
        "%0 = param user \"x\" : i16[2, 2]\n%1 = tensor.bitcast %0 {dtype = !u8} : u8[2, 4]",
        std::slice::from_ref(&x),
        &ints(DType::U8, &[2, 4], &[1, 0, 2, 0, 255, 255, 0, 1]),
    );
    check(
        "%0 = param user \"x\" : i16[2, 2]\n%1 = tensor.bitcast %0 {dtype = !u32} : u32[2, 1]",
        &[x],
        &ints(DType::U32, &[2, 1], &[0x2_0001, 0x100_ffff]),
    );
}

#[test]
fn the_parts_of_complex_are_what_it_was_made_from() {
    let (re, im) = (f32s(&[2], &[1.0, 2.0]), f32s(&[2], &[-3.0, f64::NAN]));
    for (part, expected) in [("real", &re), ("imag", &im)] {
        let text = format!(
            "%0 = param user \"a\" : f32[2]
             %1 = param user \"b\" : f32[2]
             %2 = tensor.complex %0, %1 : c64[2]
             %3 = tensor.{part} %2 : f32[2]"
        );
        check(&text, &[re.clone(), im.clone()], expected);
    }
}
