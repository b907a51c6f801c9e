//! Products of matrices and convolutions, against the sums written out.

use ir::HostTensor;

use crate::support::{check, counting, eval, f32s, failure, numbers};

/// Row `i`, column `j` of the product of `[m, k]` and `[k, n]`.
fn entry(a: &[f32], b: &[f32], k: usize, n: usize, i: usize, j: usize) -> f32 {
    (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum()
}

#[test]
fn a_product_with_packed_weights_hands_each_sum_to_the_epilogue() {
    let (a, w, bias) = (numbers(&[1, 3, 5], 1), numbers(&[5, 20], 2), numbers(&[20], 3));
    let found = eval(
        r#"
        symbol s0 in 1..64
        %0 = param user "a" : f32[1, s0, 5]<5*s0, 5, 1>
        %1 = param parameter "w" : f32[5, 20]<20, 1>
        %2 = param parameter "bias" : f32[20]<1>
        %3 = loops.pack %1 {kind = "gemm_b", groups = 1} : f32[160]<1>
        %9 = loops.gemm %0, %3, [%2] {n = 20, outs = [type(f32[s0, 20]<20, 1>)]} : f32[s0, 20]<20, 1> {
          ^ %4 : f32, %5 : f32[20]<1>, %6 : f32[s0, 20]<20, 1>
          %7 = loops.load %5, [], _ {at = [n]} : f32
          %8 = loops.add %4, %7 : f32
          loops.store %6, %8, [], _ {at = [m, n], mode = "set"}
        }"#,
        &[a.clone(), w.clone(), bias.clone()],
    );
    let (a, w, bias) = (a.to_f32(), w.to_f32(), bias.to_f32());
    let expected = (0..60).map(|it| entry(&a, &w, 5, 20, it / 20, it % 20) + bias[it % 20]);
    assert_eq!(found.to_f32(), expected.collect::<Vec<_>>());
}

const BATCHED: &str = r#"
    symbol s0 in 1..64
    %0 = param user "a" : f32[s0, 2, 3]<6, 3, 1>
    %1 = param user "b" : f32[s0, 3, 4]<12, 1, 3>
    %5 = loops.gemm %0, %1, [] {outs = [type(f32[s0, 2, 4]<8, 4, 1>)]} : f32[s0, 2, 4]<8, 4, 1> {
      ^ %2 : f32, %3 : f32[s0, 2, 4]<8, 4, 1>
      loops.store %3, %2, [], _ {at = [b, m, n], mode = "set"}
    }"#;

#[test]
fn products_of_a_batch_are_apart() {
    let (a, b) = (numbers(&[2, 2, 3], 4), numbers(&[2, 3, 4], 5));
    let found = eval(BATCHED, &[a.clone(), b.clone()]).to_f32();
    let (a, b) = (a.to_f32(), b.to_f32());
    let expected =
        (0..16).map(|it| entry(&a[it / 8 * 6..], &b[it / 8 * 12..], 3, 4, it / 4 % 2, it % 4));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn a_product_over_nothing_is_zero() {
    let text =
        BATCHED.replace("3]<6, 3, 1>", "0]<1, 1, 1>").replace("3, 4]<12, 1, 3>", "0, 4]<4, 4, 1>");
    check(&text, &[counting(&[1, 2, 0]), counting(&[1, 0, 4])], &f32s(&[1, 2, 4], &[0.0; 8]));
}

#[test]
fn matrices_that_do_not_fit_are_refused() {
    let text = BATCHED.replace("f32[s0, 3, 4]<12, 1, 3>", "f32[s0, 5, 4]<20, 4, 1>");
    let it = failure(&text, &[counting(&[2, 2, 3]), counting(&[2, 5, 4])]);
    assert!(it.contains("[2, 2, 3] by [2, 5, 4]"), "{it}");
}

/// The shape of a convolution: images and channels, height and width and so on in pairs.
#[derive(Clone, Copy)]
struct Conv {
    n: usize,
    c: usize,
    size: [usize; 2],
    oc: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    low: [usize; 2],
    high: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

impl Conv {
    fn out(&self, dim: usize) -> usize {
        let reach = self.dilation[dim] * (self.kernel[dim] - 1) + 1;
        (self.size[dim] + self.low[dim] + self.high[dim] - reach) / self.stride[dim] + 1
    }

    /// A function that packs the weights and convolves; its result is `[n, oc, oh, ow]`.
    fn text(&self) -> String {
        let Conv { n, c, size: [h, w], oc, kernel: [kh, kw], groups, .. } = *self;
        let (oh, ow, inner) = (self.out(0), self.out(1), c / groups);
        let depthwise = groups == c && groups == oc;
        let count = match depthwise {
            true => c * kh * kw,
            false => groups * (oc / groups).next_multiple_of(16) * inner * kh * kw,
        };
        let kind = if depthwise { "depthwise2d" } else { "conv2d" };
        let ty = format!("f32[{n}, {oc}, {oh}, {ow}]<{}, {}, {ow}, 1>", oc * oh * ow, oh * ow);
        let pairs = [("stride", self.stride), ("low", self.low), ("high", self.high)];
        let pairs = pairs.map(|(name, it)| format!("{name} = {it:?}, ")).concat();
        format!(
            r#"
            %0 = param user "x" : f32[{n}, {c}, {h}, {w}]<{}, {}, {w}, 1>
            %1 = param parameter "w" : f32[{oc}, {inner}, {kh}, {kw}]<{}, {}, {kw}, 1>
            %2 = loops.pack %1 {{kind = "{kind}", groups = {groups}}} : f32[{count}]<1>
            %9 = loops.conv2d %0, %2, [] {{oc = {oc}, kernel = [{kh}, {kw}], {pairs}dilation = {:?}, groups = {groups}, outs = [type({ty})]}} : {ty} {{
              ^ %3 : f32, %4 : {ty}
              loops.store %4, %3, [], _ {{at = [m//{}, n, Mod(m//{ow}, {oh}), Mod(m, {ow})], mode = "set"}}
            }}"#,
            c * h * w,
            h * w,
            inner * kh * kw,
            kh * kw,
            self.dilation,
            oh * ow,
        )
    }

    fn naive(&self, x: &[f32], weights: &[f32]) -> Vec<f32> {
        let Conv { n, c, size: [h, w], oc, kernel: [kh, kw], groups, .. } = *self;
        let (inner, out) = (c / groups, oc / groups);
        let mut res = Vec::new();
        for i in 0..n * oc * self.out(0) * self.out(1) {
            let (ox, oy) = (i % self.out(1), i / self.out(1) % self.out(0));
            let (o, image) =
                (i / self.out(1) / self.out(0) % oc, i / self.out(1) / self.out(0) / oc);
            let mut sum = 0.0;
            for tap in 0..inner * kh * kw {
                let (kx, ky, ci) = (tap % kw, tap / kw % kh, tap / kw / kh);
                let y = (oy * self.stride[0] + ky * self.dilation[0]).checked_sub(self.low[0]);
                let x_ = (ox * self.stride[1] + kx * self.dilation[1]).checked_sub(self.low[1]);
                if let (Some(y), Some(x_)) = (y.filter(|it| *it < h), x_.filter(|it| *it < w)) {
                    let channel = image * c + o / out * inner + ci;
                    sum += x[(channel * h + y) * w + x_] * weights[o * inner * kh * kw + tap];
                }
            }
            res.push(sum);
        }
        res
    }

    #[track_caller]
    fn check(&self) {
        let (n, c, [h, w]) = (self.n as i64, self.c as i64, self.size.map(|it| it as i64));
        let [kh, kw] = self.kernel.map(|it| it as i64);
        let x = numbers(&[n, c, h, w], 6);
        let weights = numbers(&[self.oc as i64, (self.c / self.groups) as i64, kh, kw], 7);
        let expected = self.naive(&x.to_f32(), &weights.to_f32());
        let shape = [n, self.oc as i64, self.out(0) as i64, self.out(1) as i64];
        check(&self.text(), &[x, weights], &HostTensor::from_f32(shape.to_vec(), &expected));
    }
}

const PLAIN: Conv = Conv {
    n: 2,
    c: 3,
    size: [5, 6],
    oc: 18,
    kernel: [3, 2],
    stride: [1, 1],
    low: [0, 0],
    high: [0, 0],
    dilation: [1, 1],
    groups: 1,
};

#[test]
fn convolutions_are_the_sums_they_should_be() {
    PLAIN.check();
    Conv { low: [1, 2], high: [2, 0], ..PLAIN }.check();
    Conv { stride: [2, 3], low: [1, 1], high: [1, 1], ..PLAIN }.check();
    Conv { dilation: [2, 3], low: [2, 1], high: [0, 1], ..PLAIN }.check();
    Conv { kernel: [1, 1], oc: 1, ..PLAIN }.check();
}

#[test]
fn convolutions_in_groups_and_by_channel() {
    Conv { c: 4, oc: 36, groups: 2, low: [1, 0], ..PLAIN }.check();
    Conv { c: 4, oc: 4, groups: 4, high: [1, 1], ..PLAIN }.check();
    Conv { c: 4, oc: 8, groups: 4, ..PLAIN }.check();
}

#[test]
fn convolutions_without_meaning_are_refused() {
    let args = [numbers(&[2, 3, 5, 6], 6), numbers(&[18, 3, 3, 2], 7)];
    let text = PLAIN.text().replace("stride = [1, 1]", "stride = [0, 1]");
    assert!(failure(&text, &args).contains("has no meaning"));
    let text = PLAIN.text().replace("oc = 18", "oc = 40");
    assert!(failure(&text, &args).contains("packed weights"));
}
