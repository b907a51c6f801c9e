//! Comparing outputs with what they should be.

use std::fmt::Write;

use ir::scalar::{Elem, load};
use tintype_runtime::{DType, Tensor};

use crate::values::compiler_dtype;

/// How far floats may be apart: `|got - want| <= absolute + relative * |want|`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Tolerance {
    /// What fraction of the wanted value; by dtype where not given.
    pub relative: Option<f64>,
    /// By how much at any size; by dtype where not given.
    pub absolute: Option<f64>,
}

impl Tolerance {
    /// For a dtype: what was asked for, or what its precision allows. Integers are exact.
    fn of(self, dtype: DType) -> (f64, f64) {
        let usual = match dtype {
            DType::F64 | DType::C128 => 1e-7,
            DType::F32 | DType::C64 => 1e-4,
            DType::F16 | DType::C32 => 5e-3,
            DType::BF16 => 3e-2,
            _ => return (0.0, 0.0),
        };
        (self.relative.unwrap_or(usual), self.absolute.unwrap_or(usual))
    }
}

/// How one output compares.
#[derive(Clone, PartialEq, Debug)]
pub struct Compared {
    /// Which output.
    pub index: usize,
    /// What it should be: dtype and shape.
    pub wanted: String,
    /// What it is.
    pub found: String,
    /// How many elements differ by more than is allowed.
    pub wrong: usize,
    /// How many there are.
    pub elements: usize,
    /// The largest difference; infinite where only one of the two is a number.
    pub largest: f64,
    /// The first difference, in words.
    pub first: Option<String>,
}

impl Compared {
    /// Whether it is as it should be.
    pub fn agrees(&self) -> bool {
        self.wrong == 0 && self.first.is_none()
    }
}

/// Compares outputs with those that are wanted, by position.
pub fn compare(
    found: &[Tensor],
    wanted: &[(usize, Tensor)],
    tolerance: Tolerance,
) -> Vec<Compared> {
    wanted
        .iter()
        .map(|(index, wanted)| match found.get(*index) {
            Some(it) => one(*index, it, wanted, tolerance),
            None => Compared {
                index: *index,
                wanted: describe(wanted),
                found: "none".to_owned(),
                wrong: wanted.numel(),
                elements: wanted.numel(),
                largest: f64::INFINITY,
                first: Some(format!("the model gives {} outputs", found.len())),
            },
        })
        .collect()
}

/// The differences as a table, one line per output; empty where all agree.
pub fn table(compared: &[Compared]) -> String {
    let rows: Vec<[String; 5]> = compared
        .iter()
        .filter(|it| !it.agrees())
        .map(|it| {
            [
                format!("output_{}", it.index),
                it.wanted.clone(),
                it.found.clone(),
                format!("{} of {} (largest {:.3e})", it.wrong, it.elements, it.largest),
                it.first.clone().unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = ["output", "wanted", "found", "wrong elements", "first"].map(str::to_owned);
    let all: Vec<&[String; 5]> = std::iter::once(&heads).chain(&rows).collect();
    let mut text = String::new();
    for row in &all {
        for (i, cell) in row.iter().enumerate() {
            let width = all.iter().map(|it| it[i].chars().count()).max().unwrap_or(0);
            let last = i + 1 == row.len();
            // Writing to a string does not fail.
            let _ = match last {
                true => writeln!(text, "{cell}"),
                false => write!(text, "{cell:width$}  "),
            };
        }
    }
    text
}

/// `float32[2, 3]`.
pub fn describe(tensor: &Tensor) -> String {
    format!("{}{:?}", tensor.dtype(), tensor.shape())
}

fn one(index: usize, found: &Tensor, wanted: &Tensor, tolerance: Tolerance) -> Compared {
    let mut res = Compared {
        index,
        wanted: describe(wanted),
        found: describe(found),
        wrong: 0,
        elements: wanted.numel(),
        largest: 0.0,
        first: None,
    };
    if found.dtype() != wanted.dtype() || found.shape() != wanted.shape() {
        let what = if found.dtype() == wanted.dtype() { "shape" } else { "dtype" };
        res.first = Some(format!("another {what}"));
        (res.wrong, res.largest) = (res.elements, f64::INFINITY);
        return res;
    }
    let (found, wanted) = match (elements(found), elements(wanted)) {
        (Some(found), Some(wanted)) => (found, wanted),
        _ => {
            res.first = Some(format!("{} cannot be compared", found.dtype()));
            return res;
        }
    };
    let (relative, absolute) = tolerance.of(wanted.runtime);
    for i in 0..res.elements {
        let (a, b) = (found.at(i), wanted.at(i));
        let (distance, size) = distance(a, b);
        if distance <= absolute + relative * size {
            res.largest = res.largest.max(distance);
            continue;
        }
        res.wrong += 1;
        // A NaN is no distance that `max` would keep.
        res.largest = if distance.is_nan() { f64::INFINITY } else { res.largest.max(distance) };
        if res.first.is_none() {
            let place = position(i, found.tensor.shape());
            res.first = Some(format!("at {place:?}: {}, wanted {}", show(a), show(b)));
        }
    }
    res
}

struct Elements {
    tensor: Tensor,
    runtime: DType,
    dtype: ir::DType,
}

fn elements(tensor: &Tensor) -> Option<Elements> {
    let runtime = tensor.dtype();
    Some(Elements { tensor: tensor.contiguous().ok()?, runtime, dtype: compiler_dtype(runtime)? })
}

impl Elements {
    fn at(&self, i: usize) -> Elem {
        // Made contiguous above.
        load(self.dtype, self.tensor.bytes().unwrap_or_default(), i)
    }
}

/// How far apart two elements are, and how large the second is. Two NaN are equal, as are equal
/// infinities.
fn distance(a: Elem, b: Elem) -> (f64, f64) {
    let real = |a: f64, b: f64| match (a == b) || a.is_nan() && b.is_nan() {
        true => 0.0,
        false if a.is_finite() && b.is_finite() => (a - b).abs(),
        false => f64::INFINITY,
    };
    let size = |it: f64| if it.is_finite() { it.abs() } else { 0.0 };
    match (a, b) {
        (Elem::Int(a), Elem::Int(b)) => ((a - b).unsigned_abs() as f64, 0.0),
        (Elem::Float(a), Elem::Float(b)) => (real(a, b), size(b)),
        (Elem::Complex(a, ai), Elem::Complex(b, bi)) => {
            (real(a, b).hypot(real(ai, bi)), size(b).hypot(size(bi)))
        }
        _ => (f64::INFINITY, 0.0),
    }
}

fn show(elem: Elem) -> String {
    match elem {
        Elem::Int(it) => it.to_string(),
        Elem::Float(it) => format!("{it:?}"),
        Elem::Complex(re, im) => format!("{re:?}+{im:?}i"),
    }
}

fn position(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut res = vec![0; shape.len()];
    for (d, size) in shape.iter().enumerate().rev() {
        res[d] = i % size.max(&1);
        i /= size.max(&1);
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(values: &[f32]) -> Tensor {
        Tensor::from_vec(&[values.len()], values.to_vec()).unwrap()
    }

    fn check(found: Tensor, wanted: Tensor) -> String {
        table(&compare(&[found], &[(0, wanted)], Tolerance::default()))
    }

    #[test]
    fn what_agrees_needs_no_table() {
        let same = [f32::NAN, f32::INFINITY, 1.0];
        assert_eq!(check(floats(&same), floats(&[f32::NAN, f32::INFINITY, 1.00005])), "");
    }

    #[test]
    fn what_differs_is_named() {
        let text = check(floats(&[1.0, 2.0]), floats(&[1.0, 3.0]));
        assert!(
            text.contains("1 of 2 (largest 1.000e0)") && text.contains("at [1]: 2.0, wanted 3.0")
        );
        let text = check(floats(&[1.0]), floats(&[f32::NAN]));
        assert!(text.contains("1 of 1 (largest inf)"), "{text}");
        let text = check(Tensor::scalar(1_i32), Tensor::scalar(1_i64));
        assert!(text.contains("another dtype"), "{text}");
        let text = check(floats(&[1.0]), floats(&[1.0, 2.0]));
        assert!(text.contains("another shape"), "{text}");
        let text = check(Tensor::scalar(1_i64), Tensor::scalar(2_i64));
        assert!(text.contains("at []: 1, wanted 2"), "{text}");
    }

    #[test]
    fn an_output_that_is_not_there_is_wrong() {
        let text = table(&compare(&[], &[(0, Tensor::scalar(1.0_f32))], Tolerance::default()));
        assert!(text.contains("the model gives 0 outputs"), "{text}");
    }
}
