//! Sorting along a dimension.

use std::cmp::Ordering;

use ir::{DType, EvalCx, HostTensor, HostValue, scalar::Elem};

use crate::eval::{Evaluated, error};
use crate::ops::Sort;

pub(crate) fn sort(cx: &EvalCx<'_>) -> Evaluated {
    let it = Sort(cx.view);
    let [x] = cx.operands else {
        return Err(error("takes one tensor"));
    };
    let x = x.tensor()?.check()?;
    let Some(dim) = usize::try_from(it.dim()).ok().filter(|it| *it < x.shape.len().max(1)) else {
        return Err(error(format!("{:?} has no dimension {}", x.shape, it.dim())));
    };
    // A tensor of no dimensions is sorted as it stands.
    let length = x.shape.get(dim).map_or(1, |it| usize::try_from(*it).unwrap_or(0));
    let stride = x.strides().get(dim).copied().unwrap_or(1);
    let mut elems: Vec<Elem> = x.elems().collect();
    let mut indices = vec![Elem::Int(0); elems.len()];
    for lane in 0..elems.len().checked_div(length).unwrap_or(0) {
        let first = lane / stride * stride * length + lane % stride;
        let mut order: Vec<(Elem, usize)> =
            (0..length).map(|it| (elems[first + it * stride], it)).collect();
        // Stable either way: of equal elements the first stays first.
        match it.descending() {
            true => order.sort_by(|a, b| compare(b.0, a.0)),
            false => order.sort_by(|a, b| compare(a.0, b.0)),
        }
        for (to, (elem, from)) in order.into_iter().enumerate() {
            elems[first + to * stride] = elem;
            indices[first + to * stride] = Elem::Int(from as i128);
        }
    }
    Ok(vec![
        HostValue::Tensor(HostTensor::from_elems(x.dtype, x.shape.clone(), elems)),
        HostValue::Tensor(HostTensor::from_elems(DType::I64, x.shape, indices)),
    ])
}

/// NaN is greater than all.
fn compare(a: Elem, b: Elem) -> Ordering {
    match (a, b) {
        (Elem::Int(a), Elem::Int(b)) => a.cmp(&b),
        (a, b) => {
            let (a, b) = (a.to_f64(), b.to_f64());
            a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
    }
}
