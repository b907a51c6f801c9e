//! Sums of products.

use ir::{DType, HostTensor};

use crate::{assert_same, check, counting, eval, f32s, floats, i64s, ints};

#[test]
fn contract_of_matrices() {
    let (x, w) = (counting(&[2, 3]), counting(&[2, 3]));
    // x wᵀ, and xᵀ w.
    for (dim, shape, expected) in [
        (1, "2, 2", f32s(&[2, 2], &[5.0, 14.0, 14.0, 50.0])),
        (0, "3, 3", f32s(&[3, 3], &[9.0, 12.0, 15.0, 12.0, 17.0, 22.0, 15.0, 22.0, 29.0])),
    ] {
        let text = format!(
            "%0 = param user \"x\" : f32[2, 3]
             %1 = param user \"w\" : f32[2, 3]
             %2 = tensor.contract %0, %1 {{lhs_batch = [], rhs_batch = [], lhs_contract = [{dim}], rhs_contract = [{dim}]}} : f32[{shape}]"
        );
        check(&text, &[x.clone(), w.clone()], &expected);
    }
}

#[test]
fn contract_with_batches_is_sums_of_products() {
    let (a, b) = (counting(&[3, 2, 5, 4]), counting(&[4, 3, 6, 5]));
    let text = "%0 = param user \"a\" : f32[3, 2, 5, 4]
         %1 = param user \"b\" : f32[4, 3, 6, 5]
         %2 = tensor.contract %0, %1 {lhs_batch = [3], rhs_batch = [0], lhs_contract = [2, 0], rhs_contract = [3, 1]} : f32[4, 2, 6]";
    let mut expected = Vec::new();
    for n in 0..4 {
        for i in 0..2 {
            for j in 0..6 {
                let mut sum = 0.0;
                for k in 0..5 {
                    for l in 0..3 {
                        let left = a.elem(((l * 2 + i) * 5 + k) * 4 + n).to_f64();
                        sum += left * b.elem(((n * 3 + l) * 6 + j) * 5 + k).to_f64();
                    }
                }
                expected.push(sum);
            }
        }
    }
    check(text, &[a, b], &f32s(&[4, 2, 6], &expected));
}

fn dot(a: &HostTensor, b: &HostTensor) -> HostTensor {
    let text = format!(
        "%0 = param user \"a\" : {0}{1:?}
         %1 = param user \"b\" : {0}{1:?}
         %2 = tensor.contract %0, %1 {{lhs_batch = [], rhs_batch = [], lhs_contract = [0], rhs_contract = [0]}} : {0}[]",
        a.dtype, a.shape
    );
    eval(&text, &[a.clone(), b.clone()])
}

#[test]
fn products_wrap_round_once_and_keep_nan() {
    let (a, b) = (ints(DType::I8, &[2], &[100, 100]), ints(DType::I8, &[2], &[100, 3]));
    assert_same(&dot(&a, &b), &ints(DType::I8, &[], &[60]));
    let big = ints(DType::U64, &[2], &[u64::MAX.into(), 3]);
    assert_same(&dot(&big, &big), &ints(DType::U64, &[], &[10]));
    let half = floats(DType::F16, &[5], &[2049.0, 2049.0, 2049.0, 2049.0, 2049.0]);
    let ones = floats(DType::F16, &[5], &[1.0; 5]);
    assert_same(&dot(&half, &ones), &floats(DType::F16, &[], &[10240.0]));
    assert_same(
        &dot(&f32s(&[2], &[f64::INFINITY, 1.0]), &f32s(&[2], &[0.0, 1.0])),
        &f32s(&[], &[f64::NAN]),
    );
    assert_same(&dot(&f32s(&[0], &[]), &f32s(&[0], &[])), &f32s(&[], &[0.0]));
    assert_same(&dot(&i64s(&[2], &[-1, 2]), &i64s(&[2], &[3, 4])), &i64s(&[], &[5]));
}

fn conv(text: &str, x: &HostTensor, w: &HostTensor, expected: &HostTensor) {
    let text = format!(
        "%0 = param user \"x\" : {0}{1:?}
         %1 = param user \"w\" : {0}{2:?}
         %2 = tensor.conv %0, %1 {{{text}}} : {0}{3:?}",
        x.dtype, x.shape, w.shape, expected.shape
    );
    check(&text, &[x.clone(), w.clone()], expected);
}

#[test]
fn conv_in_one_dimension() {
    let x = f32s(&[1, 1, 5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let w = f32s(&[1, 1, 3], &[1.0, 0.0, -1.0]);
    let attrs = |stride: i64, low: i64, high: i64, dilation: i64| {
        format!(
            "stride = [{stride}], low = [{low}], high = [{high}], dilation = [{dilation}], groups = 1"
        )
    };
    conv(&attrs(1, 0, 0, 1), &x, &w, &f32s(&[1, 1, 3], &[-2.0, -2.0, -2.0]));
    conv(&attrs(2, 1, 1, 1), &x, &w, &f32s(&[1, 1, 3], &[-2.0, -2.0, 4.0]));
    conv(&attrs(1, 0, 0, 2), &x, &w, &f32s(&[1, 1, 1], &[-4.0]));
    conv(&attrs(1, 2, 0, 1), &x, &w, &f32s(&[1, 1, 5], &[-1.0, -2.0, -2.0, -2.0, -2.0]));
    conv(&attrs(1, -1, 0, 1), &x, &w, &f32s(&[1, 1, 2], &[-2.0, -2.0]));
    conv(&attrs(1, 0, 0, 1), &f32s(&[0, 1, 5], &[]), &w, &f32s(&[0, 1, 3], &[]));
}

#[test]
fn conv_in_groups_and_three_dimensions_is_sums_of_products() {
    let (x, w) = (counting(&[2, 4, 3, 4, 5]), counting(&[6, 2, 2, 1, 3]));
    let (out, low, stride) = ([2, 5, 3], [1, 0, 1], [2, 1, 2]);
    let mut expected = Vec::new();
    for n in 0..2 {
        for o in 0..6 {
            for place in 0..2 * 5 * 3 {
                let at = [place / 15, place / 3 % 5, place % 3];
                let mut sum = 0.0;
                for c in 0..2 {
                    for tap in 0..6 {
                        let tap3 = [tap / 3, 0, tap % 3];
                        let from: Vec<i64> =
                            (0..3).map(|i| at[i] * stride[i] - low[i] + tap3[i]).collect();
                        let [d, h, l] = from[..] else { unreachable!() };
                        if (0..3).contains(&d) && (0..4).contains(&h) && (0..5).contains(&l) {
                            let channel = o / 3 * 2 + c;
                            let i = (((n * 4 + channel) * 3 + d) * 4 + h) * 5 + l;
                            let j = (o * 2 + c) * 6 + tap;
                            sum += x.elem(i as usize).to_f64() * w.elem(j as usize).to_f64();
                        }
                    }
                }
                expected.push(sum);
            }
        }
    }
    let shape = [2, 6, out[0], out[1], out[2]];
    conv(
        "stride = [2, 1, 2], low = [1, 0, 1], high = [1, 1, 1], dilation = [1, 1, 1], groups = 2",
        &x,
        &w,
        &f32s(&shape, &expected),
    );
}

#[test]
fn conv_with_a_window_of_one_is_a_contraction() {
    let (x, w) = (counting(&[2, 3, 20, 20]), counting(&[5, 3, 1, 1]));
    let head = "%0 = param user \"x\" : f32[2, 3, 20, 20]
         %1 = param user \"w\" : f32[5, 3, 1, 1]\n";
    let conv = format!(
        "{head}%2 = tensor.conv %0, %1 {{stride = [1, 1], low = [0, 0], high = [0, 0], dilation = [1, 1], groups = 1}} : f32[2, 5, 20, 20]"
    );
    let contract = format!(
        "{head}%2 = tensor.reshape %1 {{shape = [5, 3]}} : f32[5, 3]
         %3 = tensor.contract %0, %2 {{lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [1]}} : f32[2, 20, 20, 5]
         %4 = tensor.permute %3 {{order = [0, 3, 1, 2]}} : f32[2, 5, 20, 20]"
    );
    let args = [x, w];
    assert_same(&eval(&conv, &args), &eval(&contract, &args));
}

/// One query of width 1 for each score, over two keys whose values are 1 and 3.
fn attention(attrs: &str, mask: Option<&HostTensor>, queries: &[f64]) -> Vec<f64> {
    let n = queries.len() as i64;
    let (param, operand) = match mask {
        Some(it) => (format!("%3 = param user \"m\" : {}{:?}\n", it.dtype, it.shape), "%3"),
        None => (String::new(), "_"),
    };
    let text = format!(
        "%0 = param user \"q\" : f32[1, 1, {n}, 1]
         %1 = param user \"k\" : f32[1, 1, 2, 1]
         %2 = param user \"v\" : f32[1, 1, 2, 1]
         {param}%4 = tensor.attention %0, %1, %2, {operand} {{{attrs}}} : f32[1, 1, {n}, 1]"
    );
    let mut args = vec![
        f32s(&[1, 1, n, 1], queries),
        f32s(&[1, 1, 2, 1], &[0.0, 1.0]),
        f32s(&[1, 1, 2, 1], &[1.0, 3.0]),
    ];
    args.extend(mask.cloned());
    eval(&text, &args).to_f32().into_iter().map(f64::from).collect()
}

#[test]
fn attention_weighs_values_by_softmax() {
    let ln3 = 3.0_f64.ln();
    let close = |found: Vec<f64>, expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6 || (a.is_nan() && b.is_nan()), "{found:?} {expected:?}");
        }
    };
    close(attention("scale = 1.0, causal = false", None, &[0.0, ln3]), &[2.0, 2.5]);
    close(attention("scale = 2.0, causal = false", None, &[0.0, ln3]), &[2.0, 2.8]);
    // The first query sees the first key only.
    close(attention("scale = 1.0, causal = true", None, &[ln3, ln3]), &[1.0, 2.5]);
    let mask = f32s(&[2, 2], &[0.0, ln3, 0.0, f64::NEG_INFINITY]);
    close(attention("scale = 1.0, causal = false", Some(&mask), &[0.0, 0.0]), &[2.5, 1.0]);
    let mask = ints(DType::Bool, &[1, 1, 1, 2], &[0, 1]);
    close(attention("scale = 1.0, causal = false", Some(&mask), &[0.0, ln3]), &[3.0, 3.0]);
    // Who may attend to nothing gets zero, in eager as here.
    let mask = ints(DType::Bool, &[2, 1], &[1, 0]);
    close(attention("scale = 1.0, causal = false", Some(&mask), &[0.0, ln3]), &[2.0, 0.0]);
    close(attention("scale = 1.0, causal = false", None, &[f64::NAN]), &[f64::NAN]);
}

#[test]
fn heads_share_keys_in_groups() {
    let text = "%0 = param user \"q\" : f32[1, 4, 1, 1]
         %1 = param user \"k\" : f32[1, 2, 1, 1]
         %2 = tensor.attention %0, %1, %1, _ {scale = 1.0, causal = false} : f32[1, 4, 1, 1]";
    let args = [f32s(&[1, 4, 1, 1], &[0.0; 4]), f32s(&[1, 2, 1, 1], &[5.0, 6.0])];
    check(text, &args, &f32s(&[1, 4, 1, 1], &[5.0, 5.0, 6.0, 6.0]));
}

#[test]
fn attention_over_no_keys_is_zero() {
    let text = "%0 = param user \"q\" : f32[1, 1, 2, 3]
         %1 = param user \"k\" : f32[1, 1, 0, 3]
         %2 = tensor.attention %0, %1, %1, _ {scale = 1.0, causal = false} : f32[1, 1, 2, 3]";
    check(
        text,
        &[counting(&[1, 1, 2, 3]), counting(&[1, 1, 0, 3])],
        &f32s(&[1, 1, 2, 3], &[0.0; 6]),
    );
}
