//! Comparing what a case gives with what eager gives.

use tintype_runtime::Tensor;

use crate::compare::{Tolerance, compare};

/// An output that was computed.
pub(super) struct Found {
    pub(super) tensor: Tensor,
    /// Its strides; none if nobody knows them.
    pub(super) strides: Option<Vec<usize>>,
}

impl From<Tensor> for Found {
    fn from(tensor: Tensor) -> Found {
        Found { strides: Some(tensor.strides().to_vec()), tensor }
    }
}

/// What is wrong with the outputs of a case, in one line; nothing if they are eager's.
pub(super) fn judge(found: &[Found], wanted: &[Tensor]) -> Option<String> {
    let numbered: Vec<(usize, Tensor)> = wanted.iter().cloned().enumerate().collect();
    let tensors: Vec<Tensor> = found.iter().map(|it| it.tensor.clone()).collect();
    for it in compare(&tensors, &numbered, Tolerance::default()) {
        if !it.agrees() {
            let first = it.first.unwrap_or_default();
            return Some(format!(
                "output {}: {} for {}: {} of {} differ; {first}",
                it.index, it.found, it.wanted, it.wrong, it.elements
            ));
        }
    }
    for (k, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let Some(strides) = &found.strides else { continue };
        let (shape, want) = (wanted.shape(), wanted.strides());
        if that_matter(shape, strides) != that_matter(shape, want) {
            return Some(format!("output {k}: strides {strides:?} for {want:?} of {shape:?}"));
        }
    }
    None
}

/// The strides that matter: where a dimension has one element, or the tensor none, they do not.
fn that_matter(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    if shape.contains(&0) {
        return Vec::new();
    }
    let dims = shape.iter().zip(strides);
    dims.map(|(size, stride)| if *size == 1 { 0 } else { *stride }).collect()
}

#[cfg(test)]
mod tests {
    use tintype_runtime::DType;

    use super::*;

    #[test]
    fn strides_are_compared_where_they_matter() {
        let make = |shape: &[usize], strides: &[usize]| {
            Tensor::with_strides(DType::F32, shape, strides).unwrap()
        };
        let check = |a: Tensor, b: Tensor| judge(&[a.into()], &[b]);
        assert_eq!(check(make(&[2, 3], &[3, 1]), make(&[2, 3], &[3, 1])), None);
        let text = check(make(&[2, 3], &[1, 2]), make(&[2, 3], &[3, 1])).unwrap();
        assert_eq!(text, "output 0: strides [1, 2] for [3, 1] of [2, 3]");
        assert_eq!(check(make(&[1, 3], &[9, 1]), make(&[1, 3], &[3, 1])), None);
        assert_eq!(check(make(&[0, 3], &[9, 1]), make(&[0, 3], &[3, 1])), None);
    }
}
