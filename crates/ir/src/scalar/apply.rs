//! Evaluation of the functions. Floats are computed in `f64` and rounded once to their dtype:
//! for sums, products, quotients and roots of float32 that gives float32's own result
//! (Figueroa, "When is double rounding innocuous?", 1995).

use super::{Elem, ScalarFn, cast, elem::round};
use crate::{DType, DTypeKind};

/// The function's value on elements of `dtype` (for `select`, the dtype of its branches).
/// Integer division by zero gives 0: what must stop there is asserted by who emits it.
pub fn apply(function: ScalarFn, dtype: DType, args: &[Elem]) -> Elem {
    if function == ScalarFn::Select {
        return if args[0].is_true() { args[1] } else { args[2] };
    }
    match dtype.kind() {
        DTypeKind::Bool | DTypeKind::Signed | DTypeKind::Unsigned => {
            let [a, b] = two(args).map(|it| match it {
                Elem::Int(it) => it,
                it => it.to_i64().into(),
            });
            let res = ints(function, dtype, a, b);
            match function.rule() {
                super::ResultRule::Bool => Elem::Int(res),
                _ => cast(dtype, Elem::Int(res)),
            }
        }
        DTypeKind::Float => {
            let [a, b] = two(args).map(Elem::to_f64);
            floats(function, dtype, a, b)
        }
        DTypeKind::Complex => {
            let [a, b] = two(args).map(|it| match it {
                Elem::Complex(re, im) => (re, im),
                it => (it.to_f64(), 0.0),
            });
            complex(function, dtype, a, b)
        }
    }
}

fn two(args: &[Elem]) -> [Elem; 2] {
    [args[0], args.get(1).copied().unwrap_or(args[0])]
}

fn flag(it: bool) -> i128 {
    i128::from(it)
}

fn ints(function: ScalarFn, dtype: DType, a: i128, b: i128) -> i128 {
    let bits = 8 * dtype.size() as i128;
    let is_bool = dtype == DType::Bool;
    match function {
        ScalarFn::Neg => -a,
        ScalarFn::Abs => a.abs(),
        ScalarFn::Sign => a.signum(),
        ScalarFn::SignBit => flag(a < 0),
        ScalarFn::IsNan | ScalarFn::IsInf => 0,
        ScalarFn::Not if is_bool => flag(a == 0),
        ScalarFn::Not => !a,
        ScalarFn::Add => a + b,
        ScalarFn::Sub => a - b,
        // 64-bit factors fit 128 bits; the result wraps in `cast`.
        ScalarFn::Mul => a.wrapping_mul(b),
        ScalarFn::FloorDiv | ScalarFn::TruncDiv | ScalarFn::Rem | ScalarFn::Fmod if b == 0 => 0,
        ScalarFn::FloorDiv => a.div_euclid(b) - flag(b < 0 && a.rem_euclid(b) != 0),
        ScalarFn::TruncDiv => a / b,
        ScalarFn::Rem => {
            let rem = a % b;
            rem + if rem != 0 && (rem < 0) != (b < 0) { b } else { 0 }
        }
        ScalarFn::Fmod => a % b,
        ScalarFn::Gcd => gcd(dtype, a, b),
        ScalarFn::Pow => int_pow(dtype, a, b),
        ScalarFn::Min => a.min(b),
        ScalarFn::Max => a.max(b),
        ScalarFn::And => a & b,
        ScalarFn::Or => a | b,
        ScalarFn::Xor => a ^ b,
        ScalarFn::Shl if (0..bits).contains(&b) => a << b,
        ScalarFn::Shl => 0,
        ScalarFn::Shr if (0..bits).contains(&b) => a >> b,
        // Past the width all bits are gone; of a signed type the sign stays.
        ScalarFn::Shr => -flag(a < 0),
        ScalarFn::Eq => flag(a == b),
        ScalarFn::Ne => flag(a != b),
        ScalarFn::Lt => flag(a < b),
        ScalarFn::Le => flag(a <= b),
        ScalarFn::Gt => flag(a > b),
        ScalarFn::Ge => flag(a >= b),
        // The remaining functions are not defined on integers; `ScalarFn::result` refuses them.
        _ => 0,
    }
}

/// Euclid's steps at the dtype's width, where the absolute value of the least integer is itself.
fn gcd(dtype: DType, a: i128, b: i128) -> i128 {
    let absolute = |it: i128| match cast(dtype, Elem::Int(it.abs())) {
        Elem::Int(it) => it,
        Elem::Float(_) | Elem::Complex(..) => 0,
    };
    let (mut a, mut b) = (absolute(a), absolute(b));
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

/// Wrapping power by squaring; a negative exponent gives 1 for 1, ±1 for -1, else 0.
fn int_pow(dtype: DType, base: i128, exponent: i128) -> i128 {
    if exponent < 0 {
        return match base {
            1 => 1,
            -1 => {
                if exponent % 2 == 0 {
                    1
                } else {
                    -1
                }
            }
            _ => 0,
        };
    }
    let wrap = |it: i128| match cast(dtype, Elem::Int(it)) {
        Elem::Int(it) => it,
        _ => 0,
    };
    let (mut res, mut base, mut exponent) = (1, base, exponent);
    while exponent != 0 {
        if exponent & 1 == 1 {
            res = wrap(res * base);
        }
        base = wrap(base.wrapping_mul(base));
        exponent >>= 1;
    }
    res
}

fn floats(function: ScalarFn, dtype: DType, a: f64, b: f64) -> Elem {
    let truth = |it: bool| Elem::Int(flag(it));
    let value = match function {
        ScalarFn::IsNan => return truth(a.is_nan()),
        ScalarFn::IsInf => return truth(a.is_infinite()),
        ScalarFn::SignBit => return truth(a.is_sign_negative()),
        ScalarFn::Eq => return truth(a == b),
        ScalarFn::Ne => return truth(a != b),
        ScalarFn::Lt => return truth(a < b),
        ScalarFn::Le => return truth(a <= b),
        ScalarFn::Gt => return truth(a > b),
        ScalarFn::Ge => return truth(a >= b),
        ScalarFn::FloorDiv if dtype == DType::F64 => floor_div(a, b, |it| it),
        ScalarFn::FloorDiv => floor_div(a, b, |it| f64::from(it as f32)),
        ScalarFn::NextAfter if matches!(dtype, DType::F16 | DType::BF16) => {
            return Elem::Float(half_next(dtype, a, b));
        }
        ScalarFn::NextAfter if dtype == DType::F32 => libm::nextafterf(a as f32, b as f32).into(),
        _ => float(function, a, b),
    };
    Elem::Float(round(dtype, value))
}

/// The next value of a half type: one step of its bits, which lie in the order of magnitudes.
fn half_next(dtype: DType, a: f64, b: f64) -> f64 {
    let bits = |it: f64| match dtype {
        DType::F16 => half::f16::from_f64(it).to_bits(),
        _ => half::bf16::from_f64(it).to_bits(),
    };
    let value = |it: u16| match dtype {
        DType::F16 => half::f16::from_bits(it).to_f64(),
        _ => half::bf16::from_bits(it).to_f64(),
    };
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == b {
        return b;
    }
    if a == 0.0 {
        return value(1).copysign(b);
    }
    let away = (a < b) == (0.0 < a);
    value(if away { bits(a) + 1 } else { bits(a) - 1 })
}

/// The float functions in double precision.
fn float(function: ScalarFn, a: f64, b: f64) -> f64 {
    match function {
        ScalarFn::Neg => -a,
        ScalarFn::Abs => a.abs(),
        // Of NaN it is 0, as in eager.
        ScalarFn::Sign if a > 0.0 => 1.0,
        ScalarFn::Sign if a < 0.0 => -1.0,
        ScalarFn::Sign => 0.0,
        ScalarFn::Floor => a.floor(),
        ScalarFn::Ceil => a.ceil(),
        ScalarFn::Trunc => a.trunc(),
        ScalarFn::Round => a.round_ties_even(),
        ScalarFn::Sqrt => a.sqrt(),
        ScalarFn::Rsqrt => 1.0 / a.sqrt(),
        ScalarFn::Reciprocal => 1.0 / a,
        ScalarFn::Exp => a.exp(),
        ScalarFn::Exp2 => a.exp2(),
        ScalarFn::Expm1 => a.exp_m1(),
        ScalarFn::Log => a.ln(),
        ScalarFn::Log2 => a.log2(),
        ScalarFn::Log10 => a.log10(),
        ScalarFn::Log1p => a.ln_1p(),
        ScalarFn::Sin => a.sin(),
        ScalarFn::Cos => a.cos(),
        ScalarFn::Tan => a.tan(),
        ScalarFn::Asin => a.asin(),
        ScalarFn::Acos => a.acos(),
        ScalarFn::Atan => a.atan(),
        ScalarFn::Sinh => a.sinh(),
        ScalarFn::Cosh => a.cosh(),
        ScalarFn::Tanh => a.tanh(),
        ScalarFn::Asinh => libm::asinh(a),
        ScalarFn::Acosh => libm::acosh(a),
        ScalarFn::Atanh => libm::atanh(a),
        ScalarFn::Erf => libm::erf(a),
        ScalarFn::Erfc => libm::erfc(a),
        ScalarFn::Erfinv => erfinv(a),
        ScalarFn::Lgamma => {
            if a.is_infinite() {
                f64::INFINITY
            } else {
                libm::lgamma(a)
            }
        }
        ScalarFn::Digamma => digamma(a),
        ScalarFn::Sigmoid => 1.0 / (1.0 + (-a).exp()),
        ScalarFn::Add => a + b,
        ScalarFn::Sub => a - b,
        ScalarFn::Mul => a * b,
        ScalarFn::Div => a / b,
        ScalarFn::TruncDiv => (a / b).trunc(),
        ScalarFn::Rem => {
            let rem = a % b;
            if rem != 0.0 && (rem < 0.0) != (b < 0.0) { rem + b } else { rem }
        }
        ScalarFn::Fmod => a % b,
        ScalarFn::Pow => a.powf(b),
        ScalarFn::Min => {
            if a.is_nan() || a < b {
                a
            } else {
                b
            }
        }
        ScalarFn::Max => {
            if a.is_nan() || a > b {
                a
            } else {
                b
            }
        }
        ScalarFn::Atan2 => a.atan2(b),
        ScalarFn::CopySign => a.copysign(b),
        ScalarFn::Hypot => a.hypot(b),
        ScalarFn::NextAfter => libm::nextafter(a, b),
        ScalarFn::Zeta => zeta(a, b),
        // The remaining functions are not defined on floats; `ScalarFn::result` refuses them.
        _ => f64::NAN,
    }
}

/// Floor division by fmod's rule, each step rounded by `r` as the dtype would.
fn floor_div(a: f64, b: f64, r: fn(f64) -> f64) -> f64 {
    if b == 0.0 {
        return a / b;
    }
    let rem = a % b;
    let mut div = r(r(a - rem) / b);
    if rem != 0.0 && (b < 0.0) != (rem < 0.0) {
        div -= 1.0;
    }
    if div == 0.0 {
        return 0.0_f64.copysign(a / b);
    }
    let floor = div.floor();
    if div - floor > 0.5 { floor + 1.0 } else { floor }
}

/// The inverse error function: a rational start (M. Giles, "Approximating the erfinv function",
/// 2011) and two steps of Newton's method on `erf`.
fn erfinv(x: f64) -> f64 {
    if x.is_nan() || x.abs() > 1.0 {
        return f64::NAN;
    }
    if x.abs() == 1.0 {
        return f64::INFINITY.copysign(x);
    }
    let w = -((1.0 - x) * (1.0 + x)).ln();
    let coefficients: [f64; 9];
    let t;
    if w < 5.0 {
        t = w - 2.5;
        coefficients = [
            2.81022636e-08,
            3.43273939e-07,
            -3.5233877e-06,
            -4.39150654e-06,
            0.00021858087,
            -0.00125372503,
            -0.00417768164,
            0.246640727,
            1.50140941,
        ];
    } else {
        t = w.sqrt() - 3.0;
        coefficients = [
            -0.000200214257,
            0.000100950558,
            0.00134934322,
            -0.00367342844,
            0.00573950773,
            -0.0076224613,
            0.00943887047,
            1.00167406,
            2.83297682,
        ];
    }
    let mut y = coefficients.iter().fold(0.0, |sum, it| sum * t + it) * x;
    for _ in 0..2 {
        let slope = 2.0 / std::f64::consts::PI.sqrt() * (-y * y).exp();
        y -= (libm::erf(y) - x) / slope;
    }
    y
}

/// The digamma function: reflection below zero, recurrence up to 10, then the asymptotic series
/// (Abramowitz and Stegun 6.3.18).
fn digamma(x: f64) -> f64 {
    if x == 0.0 {
        return f64::INFINITY.copysign(-x);
    }
    if x < 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        return digamma(1.0 - x) - std::f64::consts::PI / (std::f64::consts::PI * x).tan();
    }
    let (mut x, mut res) = (x, 0.0);
    while x < 10.0 {
        res -= 1.0 / x;
        x += 1.0;
    }
    let inv = 1.0 / (x * x);
    let series = [
        1.0 / 12.0,
        -1.0 / 120.0,
        1.0 / 252.0,
        -1.0 / 240.0,
        5.0 / 660.0,
        -691.0 / 32760.0,
        1.0 / 12.0,
    ];
    let tail = series.iter().rev().fold(0.0, |sum, it| (sum + it) * inv);
    res + x.ln() - 0.5 / x - tail
}

/// `B(2j) / (2j)!` for `j` from 1: Bernoulli's numbers over factorials.
const BERNOULLI: [f64; 12] = [
    0.08333333333333333,
    -0.001388888888888889,
    3.306878306878307e-05,
    -8.267195767195768e-07,
    2.08767569878681e-08,
    -5.284190138687493e-10,
    1.3382536530684679e-11,
    -3.3896802963225827e-13,
    8.586062056277845e-15,
    -2.174868698558062e-16,
    5.5090028283602295e-18,
    -1.3954464685812522e-19,
];

/// Hurwitz' zeta function, the sum of `(q + k)^-s` over `k` from 0: the terms up to 9 as they
/// are, the rest by Euler and Maclaurin (Abramowitz and Stegun 23.1.30). Of a whole order it has
/// values below zero, poles at whole numbers there, and none of other orders.
fn zeta(s: f64, q: f64) -> f64 {
    // Farther below, the terms down there are those of a difference of two sums above zero.
    const FAR: f64 = -64.0;
    if s.is_nan() || q.is_nan() || s < 1.0 {
        return f64::NAN;
    }
    if s == 1.0 || (q <= 0.0 && q == q.floor()) {
        return f64::INFINITY;
    }
    if q < 0.0 && s != s.floor() {
        return f64::NAN;
    }
    if q < FAR {
        let part = q - q.floor();
        let mirrored = zeta(s, 1.0 - part) - zeta(s, 1.0 - q);
        let below = if s % 2.0 == 0.0 { mirrored } else { -mirrored };
        return below + zeta(s, part);
    }
    let negligible = |term: f64, sum: f64| term.abs() < f64::EPSILON / 2.0 * sum.abs();
    let (mut at, mut term) = (q, q.powf(-s));
    let (mut sum, mut count) = (term, 0);
    while count < 9 || at <= 9.0 {
        at += 1.0;
        term = at.powf(-s);
        sum += term;
        count += 1;
        if negligible(term, sum) {
            return sum;
        }
    }
    sum += term * at / (s - 1.0) - term / 2.0;
    let mut factor = term * s / at;
    for (bernoulli, k) in BERNOULLI.iter().zip((1..).step_by(2)) {
        let correction = bernoulli * factor;
        sum += correction;
        if negligible(correction, sum) {
            break;
        }
        factor *= (s + f64::from(k)) / at * ((s + f64::from(k + 1)) / at);
    }
    sum
}

/// Of a real number it is real; where the power is nothing, so is all.
fn complex_exp(a: (f64, f64)) -> (f64, f64) {
    let scale = a.0.exp();
    match a.1 {
        _ if scale == 0.0 => (0.0, 0.0),
        0.0 => (scale, a.1),
        angle => (scale * angle.cos(), scale * angle.sin()),
    }
}

fn complex(function: ScalarFn, dtype: DType, a: (f64, f64), b: (f64, f64)) -> Elem {
    let value = match function {
        ScalarFn::Eq => return Elem::Int(flag(a == b)),
        ScalarFn::Ne => return Elem::Int(flag(a != b)),
        ScalarFn::Abs => return Elem::Float(round(dtype, a.0.hypot(a.1))),
        ScalarFn::Neg => (-a.0, -a.1),
        ScalarFn::Add => (a.0 + b.0, a.1 + b.1),
        ScalarFn::Sub => (a.0 - b.0, a.1 - b.1),
        ScalarFn::Mul => (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0),
        ScalarFn::Div => {
            let norm = b.0 * b.0 + b.1 * b.1;
            ((a.0 * b.0 + a.1 * b.1) / norm, (a.1 * b.0 - a.0 * b.1) / norm)
        }
        ScalarFn::Reciprocal => {
            let norm = a.0 * a.0 + a.1 * a.1;
            (a.0 / norm, -a.1 / norm)
        }
        ScalarFn::Exp => complex_exp(a),
        ScalarFn::Log => (a.0.hypot(a.1).ln(), a.1.atan2(a.0)),
        ScalarFn::Sqrt => {
            let (length, angle) = (a.0.hypot(a.1).sqrt(), a.1.atan2(a.0) / 2.0);
            (length * angle.cos(), length * angle.sin())
        }
        ScalarFn::Sin => (a.0.sin() * a.1.cosh(), a.0.cos() * a.1.sinh()),
        ScalarFn::Cos => (a.0.cos() * a.1.cosh(), -a.0.sin() * a.1.sinh()),
        ScalarFn::Rsqrt => {
            let (length, angle) = (a.0.hypot(a.1).sqrt(), a.1.atan2(a.0) / -2.0);
            (angle.cos() / length, angle.sin() / length)
        }
        ScalarFn::Pow => {
            let (log, angle) = (a.0.hypot(a.1).ln(), a.1.atan2(a.0));
            complex_exp((b.0 * log - b.1 * angle, b.0 * angle + b.1 * log))
        }
        // The remaining functions are not defined on complex values; `ScalarFn::result` refuses them.
        _ => (f64::NAN, f64::NAN),
    };
    cast(dtype, Elem::Complex(value.0, value.1))
}

/// The basic float32 functions, for whole slices at a time; others go through [`apply`].
pub fn apply_f32(function: ScalarFn) -> Option<fn(f32, f32) -> f32> {
    Some(match function {
        ScalarFn::Neg => |a, _| -a,
        ScalarFn::Abs => |a, _| a.abs(),
        ScalarFn::Add => |a, b| a + b,
        ScalarFn::Sub => |a, b| a - b,
        ScalarFn::Mul => |a, b| a * b,
        ScalarFn::Div => |a, b| a / b,
        ScalarFn::Sqrt => |a, _| a.sqrt(),
        ScalarFn::Rsqrt => |a, _| (1.0 / f64::from(a).sqrt()) as f32,
        ScalarFn::Reciprocal => |a, _| 1.0 / a,
        ScalarFn::Min => |a, b| if a.is_nan() || a < b { a } else { b },
        ScalarFn::Max => |a, b| if a.is_nan() || a > b { a } else { b },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f(function: ScalarFn, args: &[f64]) -> f64 {
        let args: Vec<Elem> = args.iter().map(|it| Elem::Float(*it)).collect();
        apply(function, DType::F64, &args).to_f64()
    }

    fn i(function: ScalarFn, dtype: DType, a: i128, b: i128) -> i128 {
        match apply(function, dtype, &[Elem::Int(a), Elem::Int(b)]) {
            Elem::Int(it) => it,
            it => panic!("{it:?}"),
        }
    }

    #[test]
    fn integers_wrap_at_their_own_width() {
        assert_eq!(i(ScalarFn::Add, DType::U8, 250, 10), 4);
        assert_eq!(i(ScalarFn::Abs, DType::I8, -128, 0), -128);
        assert_eq!(i(ScalarFn::Mul, DType::I64, i64::MAX.into(), 2), -2);
        assert_eq!(i(ScalarFn::TruncDiv, DType::I32, i32::MIN.into(), -1), i32::MIN.into());
        assert_eq!(i(ScalarFn::Shl, DType::I32, 1, 40), 0);
        assert_eq!(i(ScalarFn::Shr, DType::I32, -8, 99), -1);
    }

    #[test]
    fn division_rounds_down_and_remainders_follow_the_divisor() {
        assert_eq!(i(ScalarFn::FloorDiv, DType::I64, -7, 2), -4);
        assert_eq!(i(ScalarFn::FloorDiv, DType::I64, 7, -2), -4);
        assert_eq!(i(ScalarFn::Rem, DType::I64, -7, 2), 1);
        assert_eq!(i(ScalarFn::Rem, DType::I64, 7, -2), -1);
        assert_eq!(f(ScalarFn::FloorDiv, &[-7.5, 2.0]), -4.0);
        assert_eq!(f(ScalarFn::Rem, &[-7.5, 2.0]), 0.5);
        assert_eq!(f(ScalarFn::FloorDiv, &[1.0, 0.0]), f64::INFINITY);
    }

    #[test]
    fn nan_wins_in_min_and_max() {
        assert!(f(ScalarFn::Min, &[f64::NAN, 1.0]).is_nan());
        assert!(f(ScalarFn::Max, &[1.0, f64::NAN]).is_nan());
    }

    #[test]
    fn special_functions_at_known_points() {
        assert!((f(ScalarFn::Erfinv, &[0.5]) - 0.476_936_276_204_469_9).abs() < 1e-14);
        assert!((f(ScalarFn::Digamma, &[1.0]) + 0.577_215_664_901_532_9).abs() < 1e-13);
        assert_eq!(f(ScalarFn::Sign, &[-0.0]), 0.0);
        assert_eq!(f(ScalarFn::Sign, &[-3.0]), -1.0);
        let zeta = |s: f64, q: f64| f(ScalarFn::Zeta, &[s, q]);
        assert!((zeta(2.0, 1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-15);
        // One step of the recurrence, across where the far side begins.
        for (s, q) in [(2.0, -64.25), (3.0, -64.25), (4.0, -64.5)] {
            let step = f64::powf(q, -s) + zeta(s, q + 1.0);
            assert!((zeta(s, q) / step - 1.0).abs() < 1e-14, "{s} {q}");
        }
        assert_eq!(zeta(3.0, -2.0), f64::INFINITY);
        assert!(zeta(2.5, -2.5).is_nan() && zeta(0.5, 1.0).is_nan());
    }
}
