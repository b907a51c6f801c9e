//! Positions of elements that have equals.

use ir::{HostTensor, scalar::Elem};

/// Whether `found` holds positions along a dimension of `of`, no two alike in a line, that lead to
/// elements equal to those that `eager` leads to.
///
/// `dim` counts as PyTorch does. Positions have the rank of `of`, or lack the dimension.
pub(super) fn lead_to_equals(
    of: &HostTensor,
    dim: i64,
    found: &HostTensor,
    eager: &HostTensor,
) -> bool {
    if (found.dtype, &found.shape) != (eager.dtype, &eager.shape) {
        return false;
    }
    let rank = of.shape.len();
    let Ok(dim) = usize::try_from(if dim < 0 { dim + rank as i64 } else { dim }) else {
        return false;
    };
    let (mut shape, mut of_shape) = (found.shape.clone(), of.shape.clone());
    if rank == 0 {
        of_shape.push(1);
        shape.push(1);
    } else if shape.len() + 1 == rank && dim < rank {
        shape.insert(dim, 1);
    }
    let same_but_one = |(d, (a, b)): (usize, (&i64, &i64))| d == dim || a == b;
    if shape.len() != of_shape.len()
        || of_shape.len() <= dim
        || !shape.iter().zip(&of_shape).enumerate().all(same_but_one)
    {
        return false;
    }
    let product = |dims: &[i64]| -> usize {
        dims.iter().map(|it| usize::try_from(*it).unwrap_or(0)).product()
    };
    let (outer, inner) = (product(&shape[..dim]), product(&shape[dim + 1..]));
    let (taken, size) = (product(&shape[dim..=dim]), product(&of_shape[dim..=dim]));
    let position = |it: &HostTensor, at: usize| match it.elem(at) {
        Elem::Int(it) => usize::try_from(it).ok().filter(|it| *it < size),
        Elem::Float(_) | Elem::Complex(..) => None,
    };
    (0..outer * inner).all(|line| {
        let (o, i) = (line / inner, line % inner);
        let mut seen = vec![false; size];
        (0..taken).all(|k| {
            let at = (o * taken + k) * inner + i;
            let (Some(ours), Some(theirs)) = (position(found, at), position(eager, at)) else {
                return false;
            };
            let element = |k: usize| of.elem((o * size + k) * inner + i);
            let is_new = !std::mem::replace(&mut seen[ours], true);
            is_new && are_equal(element(ours), element(theirs))
        })
    })
}

/// Equal to a comparison, or both NaN.
fn are_equal(a: Elem, b: Elem) -> bool {
    match (a, b) {
        (Elem::Int(a), Elem::Int(b)) => a == b,
        (Elem::Float(a), Elem::Float(b)) => a == b || a.is_nan() && b.is_nan(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(shape: &[i64], values: &[i64]) -> HostTensor {
        let elems = values.iter().map(|it| Elem::Int(i128::from(*it)));
        HostTensor::from_elems(ir::DType::I64, shape.to_vec(), elems)
    }

    #[test]
    fn lines_run_along_the_dimension() {
        // Columns 5 5 1 and 2 3 3.
        let of = ints(&[3, 2], &[5, 2, 5, 3, 1, 3]);
        let check = |shape: &[i64], found: &[i64], eager: &[i64], dim: i64| {
            lead_to_equals(&of, dim, &ints(shape, found), &ints(shape, eager))
        };
        assert!(check(&[2], &[0, 2], &[1, 1], 0) && check(&[1, 2], &[0, 2], &[1, 1], -2));
        assert!(!check(&[2], &[0, 0], &[1, 1], 0));
        assert!(check(&[2, 2], &[1, 1, 0, 2], &[0, 2, 1, 1], 0));
        // One twice in a column.
        assert!(!check(&[2, 2], &[1, 1, 1, 2], &[0, 2, 1, 1], 0));
        assert!(!check(&[3], &[0, 1, 1], &[1, 1, 1], 1) && !check(&[2], &[3, 0], &[0, 0], 0));
        assert!(lead_to_equals(&ints(&[], &[7]), 0, &ints(&[], &[0]), &ints(&[], &[0])));
        assert!(!lead_to_equals(&ints(&[], &[7]), -1, &ints(&[], &[1]), &ints(&[], &[0])));
    }
}
