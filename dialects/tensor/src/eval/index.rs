//! Elements at computed places, and sorting.

use std::cmp::Ordering;

use ir::{
    DType, EvalCx, EvalError, HostTensor, HostValue,
    scalar::{Elem, store},
};
use rayon::prelude::*;

use super::{
    Eval, build, count, dim, dims, error, extents, fold::Fold, give, host, movement::permuted,
    row_major, strided::offsets, tensor, zeroed,
};
use crate::ops::{Gather, Index, IndexUpdate, Scatter, Sort};

/// The index as a place along a dimension of that size.
fn place(index: Elem, dim: usize, size: usize, wraps: bool) -> Result<usize, EvalError> {
    let index = match index {
        Elem::Int(it) => it,
        it => it.to_i64().into(),
    };
    let found = if index < 0 && wraps { index + size as i128 } else { index };
    usize::try_from(found).ok().filter(|it| *it < size).ok_or_else(|| {
        error(format!("index {index} is out of range for dimension {dim} of size {size}"))
    })
}

/// The places that `index` reads and `index_update` writes: in row-major order of the indexed
/// shape, `before + at + after` for each of the three.
struct Places {
    /// Offsets along the dimensions that are not indexed and come before the indices.
    before: Vec<usize>,
    /// Offsets of what the indices name.
    at: Vec<usize>,
    /// Offsets along the dimensions that are not indexed and come after the indices.
    after: Vec<usize>,
    /// The indexed shape.
    shape: Vec<usize>,
}

impl Places {
    fn new(
        x: &HostTensor,
        indices: &[HostTensor],
        named: &[i64],
        at: i64,
    ) -> Result<Places, EvalError> {
        let shape = extents(x);
        let (strides, named) = (row_major(&shape), dims(named, shape.len())?);
        let first = indices.first().ok_or_else(|| error("there is no index"))?;
        if named.len() != indices.len() || indices.iter().any(|it| it.shape != first.shape) {
            return Err(error("indices of different shapes, or not one per dimension"));
        }
        let mut places = vec![0; first.numel()];
        for (index, dim) in indices.iter().zip(&named) {
            for (sum, index) in places.iter_mut().zip(index.elems()) {
                *sum += place(index, *dim, shape[*dim], true)? * strides[*dim];
            }
        }
        let rest: Vec<usize> = (0..shape.len()).filter(|it| !named.contains(it)).collect();
        let split = usize::try_from(at).ok().filter(|it| *it <= rest.len());
        let split = split.ok_or_else(|| error(format!("the result has no place {at}")))?;
        let (before, after) = rest.split_at(split);
        let of = |dims: &[usize], values: &[usize]| -> Vec<usize> {
            dims.iter().map(|it| values[*it]).collect()
        };
        let result = [of(before, &shape), extents(first), of(after, &shape)].concat();
        count(&result)?;
        Ok(Places {
            before: offsets(&of(before, &shape), &of(before, &strides)),
            at: places,
            after: offsets(&of(after, &shape), &of(after, &strides)),
            shape: result,
        })
    }

    /// How many elements in a row lie side by side, so that they can be copied at once.
    fn run(&self) -> usize {
        match self.after.iter().enumerate().all(|(i, it)| i == *it) {
            true => self.after.len(),
            false => 1,
        }
    }

    /// Calls `f` with the place of each run, in row-major order of the indexed shape.
    fn for_each(&self, mut f: impl FnMut(usize)) {
        if self.after.is_empty() {
            return;
        }
        let run = self.run();
        for before in &self.before {
            for at in &self.at {
                self.after.iter().step_by(run).for_each(|after| f(before + at + after));
            }
        }
    }
}

fn operands(cx: &EvalCx<'_>, count: usize) -> Result<Vec<HostTensor>, EvalError> {
    (1..=count).map(|i| tensor(cx, i)).collect()
}

pub(crate) fn index(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, Index(cx.view));
    let places = Places::new(&x, &operands(cx, it.indices().len())?, &it.dims(), it.at())?;
    let mut out = zeroed(x.dtype, &places.shape)?;
    let width = x.dtype.size();
    let run = places.run() * width;
    let mut rows = out.chunks_exact_mut(run.max(1));
    places.for_each(|at| {
        if let Some(row) = rows.next() {
            row.copy_from_slice(&x.bytes[at * width..][..run]);
        }
    });
    give(x.dtype, &places.shape, out)
}

/// A tensor that updates are written into.
struct Updated {
    x: HostTensor,
    /// How an update combines with what is there; `None` replaces it.
    fold: Option<Fold>,
    /// The bytes, if updates replace.
    bytes: Vec<u8>,
    /// The elements, if they combine: rounded only once all have come.
    elems: Vec<Elem>,
}

impl Updated {
    fn new(x: HostTensor, mode: &str) -> Result<Updated, EvalError> {
        let fold = if mode == "set" { None } else { Some(Fold::of(mode)?) };
        let (bytes, elems) = match fold {
            None => (x.bytes.to_vec(), Vec::new()),
            Some(_) => (Vec::new(), x.elems().collect()),
        };
        Ok(Updated { x, fold, bytes, elems })
    }

    /// The run of elements at `at` receives as many of `values` from `from` on.
    fn write(&mut self, at: usize, values: &HostTensor, from: usize, run: usize) {
        let width = self.x.dtype.size();
        match self.fold {
            None => self.bytes[at * width..][..run * width]
                .copy_from_slice(&values.bytes[from * width..][..run * width]),
            Some(fold) => {
                for (i, elem) in self.elems[at..at + run].iter_mut().enumerate() {
                    *elem = fold.combine(*elem, values.elem(from + i));
                }
            }
        }
    }

    fn finish(self) -> Eval {
        let Updated { x, fold, bytes, elems } = self;
        let bytes = match fold {
            None => bytes,
            Some(_) => build(x.dtype, elems.len(), |i| elems[i])?,
        };
        give(x.dtype, &extents(&x), bytes)
    }
}

pub(crate) fn index_update(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, IndexUpdate(cx.view));
    let indices = operands(cx, it.indices().len())?;
    let values = tensor(cx, 1 + indices.len())?;
    let places = Places::new(&x, &indices, &it.dims(), it.at())?;
    if extents(&values) != places.shape {
        return Err(error(format!("values {:?} for places {:?}", values.shape, places.shape)));
    }
    let mut updated = Updated::new(x, &it.mode())?;
    let (run, mut from) = (places.run(), 0);
    places.for_each(|at| {
        updated.write(at, &values, from, run);
        from += run;
    });
    updated.finish()
}

/// For each element of `index` in row-major order, the place in a tensor of `shape` that has the
/// same coordinates but for `dim`, where it has the index.
fn along(index: &HostTensor, shape: &[usize], dim: usize) -> Result<Vec<usize>, EvalError> {
    let (strides, here) = (row_major(shape), extents(index));
    let fits = (0..shape.len()).all(|i| i == dim || here[i] <= shape[i]);
    if here.len() != shape.len() || !fits {
        return Err(error(format!("an index of {here:?} into {shape:?}")));
    }
    let mut elsewhere = strides.clone();
    elsewhere[dim] = 0;
    let mut res = offsets(&here, &elsewhere);
    for (sum, index) in res.iter_mut().zip(index.elems()) {
        *sum += place(index, dim, shape[dim], false)? * strides[dim];
    }
    Ok(res)
}

pub(crate) fn gather(cx: &EvalCx<'_>) -> Eval {
    let (x, index) = (tensor(cx, 0)?, tensor(cx, 1)?);
    let at = dim(Gather(cx.view).dim(), x.shape.len())?;
    let width = x.dtype.size();
    let places = along(&index, &extents(&x), at)?;
    let bytes: Vec<u8> =
        places.iter().flat_map(|it| &x.bytes[it * width..][..width]).copied().collect();
    give(x.dtype, &extents(&index), bytes)
}

pub(crate) fn scatter(cx: &EvalCx<'_>) -> Eval {
    let (x, index, values) = (tensor(cx, 0)?, tensor(cx, 1)?, tensor(cx, 2)?);
    let it = Scatter(cx.view);
    let at = dim(it.dim(), x.shape.len())?;
    let (here, given) = (extents(&index), extents(&values));
    if here.len() != given.len() || here.iter().zip(&given).any(|(a, b)| b < a) {
        return Err(error(format!("an index of {here:?} over values {given:?}")));
    }
    let places = along(&index, &extents(&x), at)?;
    let sources = offsets(&here, &row_major(&given));
    let mut updated = Updated::new(x, &it.mode())?;
    for (place, source) in places.iter().zip(&sources) {
        updated.write(*place, &values, *source, 1);
    }
    updated.finish()
}

/// The order that sorting goes by: NaN is greater than all, and equal to itself.
fn order(a: Elem, b: Elem) -> Ordering {
    match (a, b) {
        (Elem::Int(a), Elem::Int(b)) => a.cmp(&b),
        (a, b) => {
            let (a, b) = (a.to_f64(), b.to_f64());
            a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
    }
}

pub(crate) fn nonzero(cx: &EvalCx<'_>) -> Eval {
    let x = tensor(cx, 0)?;
    let (shape, strides) = (extents(&x), x.strides());
    let mut places = Vec::with_capacity(x.numel() * shape.len() * DType::I64.size());
    let mut count: i64 = 0;
    for (i, _) in x.elems().enumerate().filter(|it| it.1.is_true()) {
        for (size, stride) in shape.iter().zip(&strides) {
            store(DType::I64, Elem::Int((i / stride % size) as i128), &mut places);
        }
        count += 1;
    }
    places.resize(x.numel() * shape.len() * DType::I64.size(), 0);
    let rows = i64::try_from(x.numel()).unwrap_or(i64::MAX);
    let places = HostTensor {
        dtype: DType::I64,
        shape: vec![rows, shape.len() as i64],
        bytes: places.into(),
    };
    let count = HostTensor::from_elems(DType::I64, Vec::new(), [Elem::Int(count.into())]);
    Ok(vec![HostValue::Tensor(places), HostValue::Tensor(count)])
}

pub(crate) fn sort(cx: &EvalCx<'_>) -> Eval {
    let (x, it) = (tensor(cx, 0)?, Sort(cx.view));
    let shape = extents(&x);
    let at = dim(it.dim(), shape.len())?;
    // The sorted dimension goes last and comes back when all is done.
    let to_last: Vec<usize> = (0..shape.len()).filter(|it| *it != at).chain([at]).collect();
    let mut back: Vec<usize> = (0..shape.len() - 1).collect();
    back.insert(at, shape.len() - 1);
    let rows = permuted(&x, &to_last)?;
    let (len, descending) = (shape[at], it.descending());
    let sorted = |row: usize| {
        let elems: Vec<Elem> = (row * len..(row + 1) * len).map(|i| rows.elem(i)).collect();
        let mut indices: Vec<usize> = (0..len).collect();
        indices.sort_by(|a, b| match descending {
            false => order(elems[*a], elems[*b]),
            true => order(elems[*b], elems[*a]),
        });
        let (mut values, mut places) = (Vec::new(), Vec::new());
        for it in indices {
            store(x.dtype, elems[it], &mut values);
            store(DType::I64, Elem::Int(it as i128), &mut places);
        }
        (values, places)
    };
    let count = x.numel().checked_div(len).unwrap_or(0);
    let (values, places): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
        (0..count).into_par_iter().map(sorted).unzip();
    let moved: Vec<usize> = to_last.iter().map(|it| shape[*it]).collect();
    let result = |dtype: DType, bytes: Vec<u8>| {
        permuted(&host(dtype, &moved, bytes), &back).map(HostValue::Tensor)
    };
    Ok(vec![result(x.dtype, values.concat())?, result(DType::I64, places.concat())?])
}
