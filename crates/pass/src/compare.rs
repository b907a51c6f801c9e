//! Whether two tensors hold the same.

use ir::{DType, HostTensor, scalar::Elem};

/// Compares two tensors; `Err` says where they differ first.
///
/// Without a tolerance every bit counts, but NaN is NaN, whatever its payload: no rewrite promises
/// one. With a tolerance floats may differ by that much of the larger of 1 and their size, and by
/// two units in the last place of their dtype.
pub fn same_values(a: &HostTensor, b: &HostTensor, tolerance: Option<f64>) -> Result<(), String> {
    if a.dtype != b.dtype || a.shape != b.shape {
        return Err(format!("{}{:?} became {}{:?}", a.dtype, a.shape, b.dtype, b.shape));
    }
    let allowed = tolerance.map(|it| it.max(2.0 * epsilon(a.dtype)));
    let differs = |(a, b): &(Elem, Elem)| match (*a, *b) {
        (Elem::Int(a), Elem::Int(b)) => a != b,
        (Elem::Float(a), Elem::Float(b)) => !same_float(a, b, allowed),
        (Elem::Complex(a, ai), Elem::Complex(b, bi)) => {
            !same_float(a, b, allowed) || !same_float(ai, bi, allowed)
        }
        _ => true,
    };
    match a.elems().zip(b.elems()).enumerate().find(|it| differs(&it.1)) {
        None => Ok(()),
        Some((i, (x, y))) => Err(format!("element {i} was {} and is {}", show(x), show(y))),
    }
}

fn same_float(a: f64, b: f64, allowed: Option<f64>) -> bool {
    if a.is_nan() && b.is_nan() || a.to_bits() == b.to_bits() {
        return true;
    }
    // Infinities of one sign are equal in bits; any other difference to one is no number.
    allowed.is_some_and(|it| {
        (a - b).abs() <= it * a.abs().max(b.abs()).max(1.0) && (a - b).is_finite()
    })
}

/// The distance from 1 to the next number.
fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F16 | DType::C32 => 2.0_f64.powi(-10),
        DType::BF16 => 2.0_f64.powi(-7),
        DType::F32 | DType::C64 => f64::from(f32::EPSILON),
        _ => f64::EPSILON,
    }
}

fn show(elem: Elem) -> String {
    match elem {
        Elem::Int(it) => it.to_string(),
        Elem::Float(it) => format!("{it:?}"),
        Elem::Complex(re, im) => format!("{re:?} + {im:?}i"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: f32, b: f32, tolerance: Option<f64>) -> bool {
        let tensor = |it| HostTensor::from_f32(vec![1], &[it]);
        same_values(&tensor(a), &tensor(b), tolerance).is_ok()
    }

    #[test]
    fn bits_count_unless_a_tolerance_says_otherwise() {
        assert!(same(1.0, 1.0, None) && same(f32::NAN, -f32::NAN, None));
        assert!(!same(0.0, -0.0, None) && same(0.0, -0.0, Some(0.0)));
        assert!(!same(1.0, 1.0 + f32::EPSILON, None) && same(1.0, 1.0 + f32::EPSILON, Some(0.0)));
        assert!(same(1e6, 1e6 + 0.5, Some(1e-6)) && !same(1e6, 1e6 + 2.0, Some(1e-6)));
        assert!(!same(f32::INFINITY, 1.0, Some(1e9)) && !same(f32::NAN, 1.0, Some(1e9)));
    }

    #[test]
    fn the_first_difference_is_named() {
        let a = HostTensor::from_f32(vec![2], &[1.0, 2.0]);
        let b = HostTensor::from_f32(vec![2], &[1.0, 3.0]);
        assert_eq!(same_values(&a, &b, None), Err("element 1 was 2.0 and is 3.0".to_owned()));
        let c = HostTensor::from_f32(vec![1], &[1.0]);
        assert_eq!(same_values(&a, &c, None), Err("f32[2] became f32[1]".to_owned()));
    }
}
