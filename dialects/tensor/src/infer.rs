//! The typing rule of every operator in `ops`, each stated once.

mod contract;

use ir::{DType, Number, Result, TensorType, Type, ValueId, View};
use sym::{Answer, Expr};

use crate::{
    ops::{
        ArgReduce, ArgWindow, Bitcast, Cast, Concat, Expand, Flip, Full, Gather, Index,
        IndexUpdate, Iota, Linalg, Literal, Nonzero, Pad, Permute, Reduce, ReduceWindow, Reshape,
        Scan, Scatter, Size, Slice, SliceUpdate, Sort, Strided,
    },
    shape::{same_shape, same_size},
};

pub(crate) use contract::{attention, contract, conv};

type Types = Result<Vec<Type>>;

fn one(dtype: DType, shape: Vec<Expr>) -> Types {
    Ok(vec![Type::tensor(dtype, shape)])
}

/// A result of sizes that somebody asked for: none may be known to be negative.
fn sized(view: View<'_>, dtype: DType, shape: Vec<Expr>) -> Types {
    let negative = |it: &&Expr| match it.as_int() {
        Some(it) => it < 0,
        None => sym::less_equal(&Expr::int(0), it, view.facts) == Answer::Refuted,
    };
    match shape.iter().find(negative) {
        Some(it) => Err(view.error(format!("a size of {it}"))),
        None => one(dtype, shape),
    }
}

/// Checks that a number may stand for an element: a complex one has no real value.
fn fits(view: View<'_>, number: &Number, dtype: DType) -> Result<()> {
    match (number, dtype.is_complex()) {
        (Number::Complex(..), false) => Err(view.error(format!("{number} as {dtype}"))),
        _ => Ok(()),
    }
}

/// Checks that a dtype has an order: all but the complex ones.
fn ordered(view: View<'_>, dtype: DType) -> Result<()> {
    match dtype.is_complex() {
        false => Ok(()),
        true => Err(view.error(format!("{dtype} has no order"))),
    }
}

/// The dimension of that index, which must exist and is not counted from the end here.
fn dim(view: View<'_>, dim: i64, rank: usize) -> Result<usize> {
    usize::try_from(dim)
        .ok()
        .filter(|it| *it < rank)
        .ok_or_else(|| view.error(format!("dimension {dim} does not exist in rank {rank}")))
}

fn dims(view: View<'_>, dims: &[i64], rank: usize) -> Result<Vec<usize>> {
    let res = dims.iter().map(|it| dim(view, *it, rank)).collect::<Result<Vec<_>>>()?;
    let mut sorted = res.clone();
    sorted.sort_unstable();
    match sorted.windows(2).any(|it| it[0] == it[1]) {
        true => Err(view.error(format!("C1: a dimension is named twice in {dims:?}"))),
        false => Ok(res),
    }
}

fn len(view: View<'_>, name: &str, found: usize, want: usize) -> Result<()> {
    match found == want {
        true => Ok(()),
        false => Err(view.error(format!("C1: `{name}` has {found} entries, {want} are needed"))),
    }
}

/// The type of the value with its strides left out.
fn plain(view: View<'_>, value: ValueId) -> Result<TensorType> {
    view.tensor(value).map(TensorType::without_strides)
}

pub(crate) fn full(view: View<'_>) -> Types {
    let it = Full(view);
    fits(view, &it.value(), it.dtype())?;
    sized(view, it.dtype(), it.shape())
}

pub(crate) fn literal(view: View<'_>) -> Types {
    let it = Literal(view);
    let shape = it.shape();
    let count = shape.iter().try_fold(1_i64, |product, it| product.checked_mul(*it));
    if count != i64::try_from(it.values().len()).ok() {
        return Err(view.error(format!("C1: {} values for shape {shape:?}", it.values().len())));
    }
    it.values().iter().try_for_each(|value| fits(view, value, it.dtype()))?;
    sized(view, it.dtype(), shape.into_iter().map(Expr::int).collect())
}

pub(crate) fn iota(view: View<'_>) -> Types {
    let it = Iota(view);
    let shape = it.shape();
    dim(view, it.dim(), shape.len())?;
    fits(view, &it.start(), it.dtype())?;
    fits(view, &it.step(), it.dtype())?;
    sized(view, it.dtype(), shape)
}

pub(crate) fn nothing(_: View<'_>) -> Types {
    Ok(Vec::new())
}

pub(crate) fn size(view: View<'_>) -> Types {
    one(Size(view).dtype(), Vec::new())
}

pub(crate) fn cast(view: View<'_>) -> Types {
    let it = Cast(view);
    one(it.dtype(), plain(view, it.x())?.shape.to_vec())
}

pub(crate) fn fold_cast(view: View<'_>) -> Option<ValueId> {
    let it = Cast(view);
    (view.ty(it.x()).dtype() == Some(it.dtype())).then(|| it.x())
}

/// An operand of the result's type is the result.
pub(crate) fn fold_same_type(view: View<'_>) -> Option<ValueId> {
    let x = view.op.operands().next()?;
    (view.ty(x) == view.types.get(view.op.result().index())?).then_some(x)
}

pub(crate) fn bitcast(view: View<'_>) -> Types {
    let it = Bitcast(view);
    let x = plain(view, it.x())?;
    let (from, to) = (x.dtype.size() as i64, it.dtype().size() as i64);
    let mut shape = x.shape.to_vec();
    if from != to {
        let Some(last) = shape.last_mut() else {
            return Err(view.error("a tensor without dimensions cannot change its width"));
        };
        let bytes = last.clone() * Expr::int(from);
        if sym::divisible(&bytes, &Expr::int(to), view.facts) != Answer::Proven {
            return Err(view.error(format!("the last size {last} is not divisible by {to}/{from}")));
        }
        *last = sym::simplify(&bytes.floor_div(&Expr::int(to)), view.facts);
    }
    one(it.dtype(), shape)
}

pub(crate) fn expand(view: View<'_>) -> Types {
    let it = Expand(view);
    let (x, shape) = (plain(view, it.x())?, it.shape());
    if shape.len() < x.rank() {
        return Err(view.error(format!("C1: {x} cannot be expanded to rank {}", shape.len())));
    }
    let added = shape.len() - x.rank();
    for (from, to) in x.shape.iter().zip(&shape[added..]) {
        if *from != Expr::int(1) && !same_size(from, to, view.facts) {
            return Err(view.error(format!("C1: size {from} cannot be expanded to {to}")));
        }
    }
    sized(view, x.dtype, shape)
}

pub(crate) fn permute(view: View<'_>) -> Types {
    let it = Permute(view);
    let (x, order) = (plain(view, it.x())?, it.order());
    len(view, "order", order.len(), x.rank())?;
    let order = dims(view, &order, x.rank())?;
    one(x.dtype, order.iter().map(|it| x.shape[*it].clone()).collect())
}

pub(crate) fn fold_permute(view: View<'_>) -> Option<ValueId> {
    let it = Permute(view);
    it.order().is_sorted().then(|| it.x())
}

pub(crate) fn reshape(view: View<'_>) -> Types {
    let it = Reshape(view);
    let (x, shape) = (plain(view, it.x())?, it.shape());
    // What both begin and end with need not be multiplied to see that they agree.
    let begin = x.shape.iter().zip(&shape).take_while(|(a, b)| a == b).count();
    let (old, new) = (&x.shape[begin..], &shape[begin..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    if !same_size(&Expr::product(old), &Expr::product(new), view.facts) {
        let count = Expr::product(&shape);
        if !same_size(&x.numel(), &count, view.facts) {
            return Err(view.error(format!("C1: {x} does not have {count} elements")));
        }
    }
    one(x.dtype, shape)
}

pub(crate) fn slice(view: View<'_>) -> Types {
    let it = Slice(view);
    let x = plain(view, it.x())?;
    let (start, size, step) = (it.start(), it.size(), it.step());
    len(view, "start", start.len(), x.rank())?;
    len(view, "size", size.len(), x.rank())?;
    len(view, "step", step.len(), x.rank())?;
    slice_bounds(view, &x, &start, &size, &step)?;
    sized(view, x.dtype, size)
}

fn slice_bounds(
    view: View<'_>,
    x: &TensorType,
    start: &[Expr],
    size: &[Expr],
    step: &[i64],
) -> Result<()> {
    if let Some(it) = step.iter().find(|it| **it < 1) {
        return Err(view.error(format!("C1: step {it}")));
    }
    for i in 0..x.rank() {
        if step[i] == 1 && size[i] == x.shape[i] && start[i] == Expr::int(0) {
            continue;
        }
        let last = start[i].clone() + (size[i].clone() - Expr::int(1)) * Expr::int(step[i]);
        let below = sym::less_equal(&Expr::int(0), &start[i], view.facts);
        let above = sym::less_equal(&last, &(x.shape[i].clone() - Expr::int(1)), view.facts);
        let empty = sym::less_equal(&size[i], &Expr::int(0), view.facts);
        if (below == Answer::Refuted || above == Answer::Refuted) && empty == Answer::Refuted {
            return Err(view.error(format!(
                "C2: {} elements from {} by {} do not lie within {}",
                size[i], start[i], step[i], x.shape[i]
            )));
        }
    }
    Ok(())
}

pub(crate) fn fold_slice(view: View<'_>) -> Option<ValueId> {
    let it = Slice(view);
    let whole =
        it.start().iter().all(|it| *it == Expr::int(0)) && it.step().iter().all(|it| *it == 1);
    (whole && it.size() == view.ty(it.x()).as_tensor()?.shape[..]).then(|| it.x())
}

pub(crate) fn flip(view: View<'_>) -> Types {
    let it = Flip(view);
    let x = plain(view, it.x())?;
    dims(view, &it.dims(), x.rank())?;
    one(x.dtype, x.shape.to_vec())
}

pub(crate) fn pad(view: View<'_>) -> Types {
    let it = Pad(view);
    let x = plain(view, it.x())?;
    let (low, high, interior) = (it.low(), it.high(), it.interior());
    len(view, "low", low.len(), x.rank())?;
    len(view, "high", high.len(), x.rank())?;
    len(view, "interior", interior.len(), x.rank())?;
    fits(view, &it.value(), x.dtype)?;
    let mut shape = Vec::new();
    for i in 0..x.rank() {
        if interior[i] < 0 {
            return Err(view.error("C1: interior padding is negative"));
        }
        // Between n elements there are n - 1 gaps; of no elements, none.
        let gaps = match interior[i] {
            0 => Expr::int(0),
            // `Expr::max` by its path: the method of that name is `Ord`'s.
            it => Expr::max(&(x.shape[i].clone() - Expr::int(1)), &Expr::int(0)) * Expr::int(it),
        };
        let size = low[i].clone() + high[i].clone() + x.shape[i].clone() + gaps;
        shape.push(sym::simplify(&size, view.facts));
    }
    sized(view, x.dtype, shape)
}

pub(crate) fn concat(view: View<'_>) -> Types {
    let it = Concat(view);
    let xs = it.xs().into_iter().map(|it| plain(view, it)).collect::<Result<Vec<_>>>()?;
    let Some(first) = xs.first() else {
        return Err(view.error("C1: there is nothing to concatenate"));
    };
    let at = dim(view, it.dim(), first.rank())?;
    let mut shape = first.shape.to_vec();
    for x in &xs[1..] {
        let fits = x.dtype == first.dtype
            && x.rank() == first.rank()
            && (0..first.rank())
                .all(|i| i == at || same_size(&x.shape[i], &first.shape[i], view.facts));
        if !fits {
            return Err(view.error(format!("C1: {first} and {x} differ outside dimension {at}")));
        }
        shape[at] = shape[at].clone() + x.shape[at].clone();
    }
    one(first.dtype, shape)
}

pub(crate) fn slice_update(view: View<'_>) -> Types {
    let it = SliceUpdate(view);
    let (x, update) = (plain(view, it.x())?, plain(view, it.update())?);
    let (start, step) = (it.start(), it.step());
    len(view, "start", start.len(), x.rank())?;
    len(view, "step", step.len(), x.rank())?;
    len(view, "update", update.rank(), x.rank())?;
    if x.dtype != update.dtype {
        return Err(view.error(format!("C1: {} is replaced by {}", x.dtype, update.dtype)));
    }
    slice_bounds(view, &x, &start, &update.shape, &step)?;
    one(x.dtype, x.shape.to_vec())
}

pub(crate) fn reduce(view: View<'_>) -> Types {
    let it = Reduce(view);
    let x = plain(view, it.x())?;
    let gone = dims(view, &it.dims(), x.rank())?;
    match it.kind().as_str() {
        "sum" | "prod" if x.dtype != DType::Bool => (),
        "max" | "min" if !x.dtype.is_complex() => (),
        "any" | "all" if x.dtype == DType::Bool => (),
        "any" | "all" => return Err(view.error(format!("C2: any and all of {}", x.dtype))),
        kind => return Err(view.error(format!("`{kind}` is not defined on {}", x.dtype))),
    }
    let kept = (0..x.rank()).filter(|i| !gone.contains(i));
    one(x.dtype, kept.map(|i| x.shape[i].clone()).collect())
}

pub(crate) fn arg_reduce(view: View<'_>) -> Types {
    let it = ArgReduce(view);
    let x = plain(view, it.x())?;
    if !matches!(it.kind().as_str(), "max" | "min") {
        return Err(view.error(format!("no kind is called `{}`", it.kind())));
    }
    ordered(view, x.dtype)?;
    let at = dim(view, it.dim(), x.rank())?;
    let kept = (0..x.rank()).filter(|i| *i != at);
    one(DType::I64, kept.map(|i| x.shape[i].clone()).collect())
}

pub(crate) fn scan(view: View<'_>) -> Types {
    let it = Scan(view);
    let x = plain(view, it.x())?;
    match it.kind().as_str() {
        "sum" | "prod" if x.dtype != DType::Bool => (),
        "max" | "min" if x.dtype != DType::Bool => ordered(view, x.dtype)?,
        kind => return Err(view.error(format!("`{kind}` is not defined on {}", x.dtype))),
    }
    dim(view, it.dim(), x.rank())?;
    one(x.dtype, x.shape.to_vec())
}

/// The sizes of the windowed dimensions after a window has moved over them:
/// `(size + low + high - dilation * (window - 1) - 1) // stride + 1`.
fn windowed(
    view: View<'_>,
    sizes: &[Expr],
    window: &[Expr],
    stride: &[i64],
    low: &[Expr],
    high: &[Expr],
    dilation: &[i64],
) -> Result<Vec<Expr>> {
    for (name, found) in [
        ("stride", stride.len()),
        ("low", low.len()),
        ("high", high.len()),
        ("dilation", dilation.len()),
    ] {
        len(view, name, found, sizes.len())?;
    }
    if stride.iter().chain(dilation).any(|it| *it < 1) {
        return Err(view.error("strides and dilations are at least 1"));
    }
    let one = Expr::int(1);
    let at = |i: usize| {
        let span = Expr::int(dilation[i]) * (window[i].clone() - one.clone()) + one.clone();
        let padded = sizes[i].clone() + low[i].clone() + high[i].clone();
        let places = (padded - span).floor_div(&Expr::int(stride[i])) + one.clone();
        sym::simplify(&places, view.facts)
    };
    let res: Vec<Expr> = (0..sizes.len()).map(at).collect();
    match res.iter().find(|it| sym::less_equal(&Expr::int(0), it, view.facts) == Answer::Refuted) {
        Some(it) => Err(view.error(format!("the window is larger than what it moves over: {it}"))),
        None => Ok(res),
    }
}

fn window_type(view: View<'_>, x: &TensorType, it: WindowAttrs) -> Result<Vec<Expr>> {
    let spatial = it.window.len();
    if x.rank() < spatial {
        return Err(view.error(format!("C1: a window of rank {spatial} over {x}")));
    }
    let (kept, moved) = x.shape.split_at(x.rank() - spatial);
    let moved = windowed(view, moved, &it.window, &it.stride, &it.low, &it.high, &it.dilation)?;
    Ok(kept.iter().cloned().chain(moved).collect())
}

struct WindowAttrs {
    window: Vec<Expr>,
    stride: Vec<i64>,
    low: Vec<Expr>,
    high: Vec<Expr>,
    dilation: Vec<i64>,
}

pub(crate) fn reduce_window(view: View<'_>) -> Types {
    let it = ReduceWindow(view);
    let x = plain(view, it.x())?;
    if !matches!(it.kind().as_str(), "sum" | "max")
        || x.dtype == DType::Bool
        || x.dtype.is_complex()
    {
        return Err(view.error(format!("`{}` is not defined on {}", it.kind(), x.dtype)));
    }
    let attrs = WindowAttrs {
        window: it.window(),
        stride: it.stride(),
        low: it.low(),
        high: it.high(),
        dilation: it.dilation(),
    };
    one(x.dtype, window_type(view, &x, attrs)?)
}

pub(crate) fn arg_window(view: View<'_>) -> Types {
    let it = ArgWindow(view);
    let x = plain(view, it.x())?;
    ordered(view, x.dtype)?;
    let attrs = WindowAttrs {
        window: it.window(),
        stride: it.stride(),
        low: it.low(),
        high: it.high(),
        dilation: it.dilation(),
    };
    one(DType::I64, window_type(view, &x, attrs)?)
}

/// The type that indexing gives.
fn indexed(
    view: View<'_>,
    x: &TensorType,
    indices: &[ValueId],
    named: &[i64],
    at: i64,
) -> Result<Vec<Expr>> {
    let named = dims(view, named, x.rank())?;
    len(view, "dims", named.len(), indices.len())?;
    let indices = indices.iter().map(|it| plain(view, *it)).collect::<Result<Vec<_>>>()?;
    let Some(first) = indices.first() else {
        return Err(view.error("C1: there is no index"));
    };
    for it in &indices {
        let fits = it.dtype == first.dtype && same_shape(&it.shape, &first.shape, view.facts);
        if !it.dtype.is_int() || !fits {
            return Err(view.error(format!("C1: indices {first} and {it}")));
        }
    }
    let mut shape: Vec<Expr> =
        (0..x.rank()).filter(|i| !named.contains(i)).map(|i| x.shape[i].clone()).collect();
    let at = usize::try_from(at)
        .ok()
        .filter(|it| *it <= shape.len())
        .ok_or_else(|| view.error(format!("the result has no place {at}")))?;
    shape.splice(at..at, first.shape.iter().cloned());
    Ok(shape)
}

pub(crate) fn index(view: View<'_>) -> Types {
    let it = Index(view);
    let x = plain(view, it.x())?;
    one(x.dtype, indexed(view, &x, &it.indices(), &it.dims(), it.at())?)
}

fn update_mode(view: View<'_>, mode: &str) -> Result<()> {
    match mode {
        "set" | "add" | "mul" | "max" | "min" => Ok(()),
        mode => Err(view.error(format!("no mode is called `{mode}`"))),
    }
}

pub(crate) fn index_update(view: View<'_>) -> Types {
    let it = IndexUpdate(view);
    let (x, values) = (plain(view, it.x())?, plain(view, it.values())?);
    update_mode(view, &it.mode())?;
    let shape = indexed(view, &x, &it.indices(), &it.dims(), it.at())?;
    if values.dtype != x.dtype || !same_shape(&values.shape, &shape, view.facts) {
        return Err(view.error(format!("{values} does not fit the indexed part of {x}")));
    }
    one(x.dtype, x.shape.to_vec())
}

pub(crate) fn gather(view: View<'_>) -> Types {
    let it = Gather(view);
    let (x, index) = (plain(view, it.x())?, plain(view, it.index())?);
    dim(view, it.dim(), x.rank())?;
    if !index.dtype.is_int() || index.rank() != x.rank() {
        return Err(view.error(format!("an index of {index} into {x}")));
    }
    one(x.dtype, index.shape.to_vec())
}

pub(crate) fn scatter(view: View<'_>) -> Types {
    let it = Scatter(view);
    let (x, index, values) =
        (plain(view, it.x())?, plain(view, it.index())?, plain(view, it.values())?);
    update_mode(view, &it.mode())?;
    dim(view, it.dim(), x.rank())?;
    if !index.dtype.is_int()
        || index.rank() != x.rank()
        || values.rank() != x.rank()
        || values.dtype != x.dtype
    {
        return Err(view.error(format!("an index of {index} and values {values} into {x}")));
    }
    one(x.dtype, x.shape.to_vec())
}

pub(crate) fn sort(view: View<'_>) -> Types {
    let it = Sort(view);
    let x = plain(view, it.x())?;
    ordered(view, x.dtype)?;
    dim(view, it.dim(), x.rank())?;
    Ok(vec![Type::tensor(x.dtype, x.shape.clone()), Type::tensor(DType::I64, x.shape)])
}

pub(crate) fn nonzero(view: View<'_>) -> Types {
    let x = plain(view, Nonzero(view).x())?;
    let shape = vec![x.numel(), Expr::int(x.rank() as i64)];
    Ok(vec![Type::tensor(DType::I64, shape), Type::tensor(DType::I64, Vec::new())])
}

pub(crate) fn linalg(view: View<'_>) -> Types {
    let it = Linalg(view);
    let kind = ir::linalg::Factor::parse(&it.kind())
        .ok_or_else(|| view.error(format!("no factor is called `{}`", it.kind())))?;
    let operands = it.xs().iter().map(|it| plain(view, *it)).collect::<Result<Vec<_>>>()?;
    let operands: Vec<&TensorType> = operands.iter().collect();
    let equal = |a: &Expr, b: &Expr| same_size(a, b, view.facts);
    let less = |a: &Expr, b: &Expr| sym::less_equal(a, b, view.facts) == Answer::Proven;
    kind.types(&operands, &equal, &less).map_err(|it| view.error(it))
}

pub(crate) fn strided(view: View<'_>) -> Types {
    let it = Strided(view);
    let x = plain(view, it.x())?;
    let (shape, strides, first) = (it.shape(), it.strides(), it.offset());
    len(view, "strides", strides.len(), shape.len())?;
    // The last element taken lies furthest out: eager has no negative strides.
    let last = shape.iter().zip(&strides).fold(first.clone(), |sum, (size, stride)| {
        sum + (size.clone() - Expr::int(1)) * stride.clone()
    });
    let answer = |a: &Expr, b: &Expr| sym::less_equal(a, b, view.facts);
    let zero = Expr::int(0);
    let taken = shape.iter().all(|it| answer(it, &zero) == Answer::Refuted);
    let below = strides.iter().chain([&first]).any(|it| answer(&zero, it) == Answer::Refuted);
    let above = answer(&last, &(x.numel() - Expr::int(1))) == Answer::Refuted;
    if taken && (below || above) {
        return Err(view.error(format!("C1: elements {first} to {last} of {}", x.numel())));
    }
    sized(view, x.dtype, shape)
}

pub(crate) fn complex(view: View<'_>) -> Types {
    let mut operands = view.op.operands();
    let parts: Vec<TensorType> =
        operands.by_ref().map(|it| plain(view, it)).collect::<Result<Vec<_>>>()?;
    let (re, im) = (&parts[0], &parts[1]);
    let Some(dtype) = re.dtype.of_parts() else {
        return Err(view.error(format!("no complex dtype has parts of {}", re.dtype)));
    };
    if re.dtype != im.dtype || !same_shape(&re.shape, &im.shape, view.facts) {
        return Err(view.error(format!("parts {re} and {im} differ")));
    }
    one(dtype, re.shape.to_vec())
}

pub(crate) fn part(view: View<'_>) -> Types {
    let x = plain(view, view.op.args[0].values().next().expect("the operand is given"))?;
    let Some(dtype) = x.dtype.part() else {
        return Err(view.error(format!("{} has no parts", x.dtype)));
    };
    one(dtype, x.shape.to_vec())
}
