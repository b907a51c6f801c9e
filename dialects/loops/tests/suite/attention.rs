//! Attention, against the formula written out.

use ir::{DType, HostTensor};

use crate::support::{eval, f32s, failure, ints, numbers};

/// `softmax(scale * q kᵀ + added) v` for two query heads per head of keys.
fn naive(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    scale: f64,
    added: impl Fn(usize, usize) -> f64,
) -> Vec<f32> {
    let (heads, rows, length, width) = (4, 3, 5, 2);
    let mut res = Vec::new();
    for head in 0..heads {
        for i in 0..rows {
            let q = &q[(head * rows + i) * width..][..width];
            let from = head / 2 * length;
            let weights: Vec<f64> = (0..length)
                .map(|j| {
                    let k = &k[(from + j) * width..][..width];
                    let product: f64 = q.iter().zip(k).map(|(a, b)| f64::from(a * b)).sum();
                    (scale * product + added(i, j)).exp()
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            for d in 0..width {
                let it: f64 =
                    (0..length).map(|j| weights[j] * f64::from(v[(from + j) * width + d])).sum();
                res.push(if sum == 0.0 { 0.0 } else { (it / sum) as f32 });
            }
        }
    }
    res
}

fn text(mask: &str, causal: bool) -> String {
    let (param, operand) = match mask {
        "" => (String::new(), "_"),
        mask => (format!("%3 = param user \"mask\" : {mask}\n"), "%3"),
    };
    format!(
        r#"
        %0 = param user "q" : f32[1, 4, 3, 2]<24, 6, 2, 1>
        %1 = param user "k" : f32[1, 2, 5, 2]<20, 10, 2, 1>
        %2 = param user "v" : f32[1, 2, 5, 2]<20, 10, 2, 1>
        {param}
        %4 = loops.attention %0, %1, %2, {operand} {{scale = 0.25, causal = {causal}, out = type(f32[1, 4, 3, 2]<24, 2, 8, 1>)}} : f32[1, 4, 3, 2]<24, 2, 8, 1>"#
    )
}

#[track_caller]
fn check(text: &str, mask: Option<HostTensor>, added: impl Fn(usize, usize) -> f64) {
    let mut args =
        vec![numbers(&[1, 4, 3, 2], 1), numbers(&[1, 2, 5, 2], 2), numbers(&[1, 2, 5, 2], 3)];
    let expected = naive(&args[0].to_f32(), &args[1].to_f32(), &args[2].to_f32(), 0.25, added);
    args.extend(mask);
    let found = eval(text, &args).to_f32();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn heads_of_queries_share_keys_and_values() {
    check(&text("", false), None, |_, _| 0.0);
}

#[test]
fn causal_attention_sees_no_later_rows() {
    check(&text("", true), None, |i, j| if i < j { f64::NEG_INFINITY } else { 0.0 });
}

#[test]
fn a_float_mask_is_added_and_broadcast() {
    let mask = f32s(&[3, 1], &[1.0, -2.0, 0.5]);
    check(&text("f32[3, 1]<1, 1>", false), Some(mask), |i, _| [1.0, -2.0, 0.5][i]);
    let mask = f32s(&[1, 1, 1, 5], &[0.0, 1.0, 2.0, 3.0, f32::NEG_INFINITY]);
    let added = |_, j| [0.0, 1.0, 2.0, 3.0, f64::NEG_INFINITY][j];
    check(&text("f32[1, 1, 1, 5]<5, 5, 5, 1>", false), Some(mask), added);
}

#[test]
fn a_bool_mask_keeps_where_true_and_a_row_without_any_is_zero() {
    let elems = [1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0];
    let mask = ints(DType::Bool, &[3, 5], &elems);
    check(&text("bool[3, 5]<5, 1>", false), Some(mask), |i, j| match elems[i * 5 + j] {
        0 => f64::NEG_INFINITY,
        _ => 0.0,
    });
}

#[test]
fn shapes_that_do_not_agree_are_refused() {
    let args = [numbers(&[1, 4, 3, 2], 1), numbers(&[1, 2, 5, 2], 2), numbers(&[1, 2, 5, 2], 3)];
    let [q, k, v] = args;
    let wide = text("", false).replace("\"k\" : f32[1, 2, 5, 2]", "\"k\" : f32[1, 2, 4, 2]");
    let short = numbers(&[1, 2, 4, 2], 2);
    assert!(failure(&wide, &[q.clone(), short, v.clone()]).contains("[1, 2, 4, 2]"));
    let mask = numbers(&[4, 5], 4);
    assert!(
        failure(&text("f32[4, 5]<5, 1>", false), &[q, k, v, mask]).contains("a mask of [4, 5]")
    );
}
