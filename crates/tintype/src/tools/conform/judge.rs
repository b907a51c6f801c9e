//! Comparing what a case gives with what eager gives.

use tintype_runtime::Tensor;

use crate::compare::{Tolerance, compare};

use super::cases::Wanted;

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

/// What is wrong with the outputs of a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// The first thing, in one line.
    pub(super) text: String,
    /// The outputs that differ, if nothing else is wrong than that some do.
    pub(super) differing: Vec<usize>,
}

/// What is wrong with the outputs of a case; nothing if they are eager's.
pub(super) fn judge(found: &[Found], wanted: &[Wanted<'_>]) -> Option<Fault> {
    let wrong = |text: String| Some(Fault { text, differing: Vec::new() });
    if found.len() != wanted.len() {
        return wrong(format!("{} outputs for {}", found.len(), wanted.len()));
    }
    let mut res: Option<Fault> = None;
    for (k, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let differs = difference(&found.tensor, wanted.eager);
        let is_better =
            || wanted.exact.is_some_and(|exact| difference(&found.tensor, exact).is_none());
        if let Some(it) = differs.filter(|_| !is_better()) {
            let text = format!("output {k}: {it}");
            res.get_or_insert(Fault { text, differing: Vec::new() }).differing.push(k);
        }
        let Some(strides) = &found.strides else { continue };
        let (shape, want) = (wanted.eager.shape(), wanted.eager.strides());
        if that_matter(shape, strides) != that_matter(shape, want) {
            return wrong(format!("output {k}: strides {strides:?} for {want:?} of {shape:?}"));
        }
    }
    res
}

fn difference(found: &Tensor, wanted: &Tensor) -> Option<String> {
    let compared =
        compare(std::slice::from_ref(found), &[(0, wanted.clone())], Tolerance::default());
    let it = compared.into_iter().find(|it| !it.agrees())?;
    let (first, wrong, all) = (it.first.unwrap_or_default(), it.wrong, it.elements);
    Some(format!("{} for {}: {wrong} of {all} differ; {first}", it.found, it.wanted))
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
        let check = |a: Tensor, b: Tensor| judge(&[a.into()], &[Wanted { eager: &b, exact: None }]);
        assert_eq!(check(make(&[2, 3], &[3, 1]), make(&[2, 3], &[3, 1])), None);
        let fault = check(make(&[2, 3], &[1, 2]), make(&[2, 3], &[3, 1])).unwrap();
        assert!(fault.differing.is_empty());
        assert_eq!(fault.text, "output 0: strides [1, 2] for [3, 1] of [2, 3]");
        assert_eq!(check(make(&[1, 3], &[9, 1]), make(&[1, 3], &[3, 1])), None);
        assert_eq!(check(make(&[0, 3], &[9, 1]), make(&[0, 3], &[3, 1])), None);
    }

    #[test]
    fn what_is_nearer_to_the_truth_is_no_fault() {
        let of = |value: f32| Tensor::scalar(value);
        let (eager, exact) = (of(2.25), of(2.375));
        let check =
            |found, exact| judge(&[Found::from(of(found))], &[Wanted { eager: &eager, exact }]);
        assert_eq!(check(2.375, Some(&exact)), None);
        assert_eq!(check(2.375, None).map(|it| it.differing), Some(vec![0]));
        assert!(check(2.5, Some(&exact)).is_some());
    }
}
