//! Kernels in which the order of steps matters: scans, and writes to computed places.

use ir::{Arg, AttrTy, DType, Number, Result, ValueId, View, scalar::ScalarFn};
use sym::{Expr, Facts};
use tensor::{IndexUpdate, Nonzero, Scan, Scatter};

use super::{
    graph::unravel,
    index::{Emitter, unsupported},
    lower::in_loop,
};

type Axes = (Vec<String>, Vec<Expr>);

/// Rows are the other dimensions; along `dim` a carried value takes in one element after the other.
pub(super) fn scan(
    emitter: &mut Emitter<'_, '_, '_>,
    it: Scan<'_>,
    value: ValueId,
) -> Result<Axes> {
    let graph = emitter.graph;
    let shape = graph.shape(value);
    let dim = it.dim() as usize;
    let dtype = graph.dtype(value);
    // What is carried from element to element is wider than these, as in eager.
    let adds_up = matches!(it.kind().as_str(), "sum" | "prod");
    let carried = match dtype {
        DType::F16 | DType::BF16 if adds_up => DType::F32,
        DType::F32 if adds_up => DType::F64,
        it => it,
    };
    let mut axes = Vec::new();
    let mut at = Vec::new();
    for (i, size) in shape.iter().enumerate() {
        let name = if i == dim { "r0".to_owned() } else { format!("i{}", axes.len()) };
        at.push(Expr::sym(&name));
        if i != dim {
            axes.push((name, size.clone()));
        }
    }
    emitter.facts = loops::axis_facts(&emitter.facts, &axes);
    let (function, start) = match it.kind().as_str() {
        "sum" => (ScalarFn::Add, Number::Int(Expr::int(0))),
        "prod" => (ScalarFn::Mul, Number::Int(Expr::int(1))),
        "max" => (ScalarFn::Max, lowest(carried)),
        _ => (ScalarFn::Min, greatest(carried)),
    };
    let start = emitter.constant(start, carried)?;
    let along = vec![("r0".to_owned(), shape.get(dim).cloned().unwrap_or(Expr::int(1)))];
    let outside = emitter.facts.clone();
    emitter.facts = loops::axis_facts(&outside, &along);
    let next = emitter.scoped(|me| {
        let before = me.builder.param(ir::Type::Scalar(carried));
        let element = me.read(it.x(), &at, None)?;
        let element = me.cast(element, carried)?;
        let next = me.apply(function, &[before, element])?;
        let out = me.cast(next, dtype)?;
        me.store(value, out, at.clone(), Vec::new(), None, "set")?;
        Ok(next)
    })?;
    emitter.facts = outside;
    emitter.builder.end_region(vec![next]);
    let attrs = vec!["r0".to_owned().to_attr(), along[0].1.clone().to_attr()];
    emitter.builder.push(loops::Fold::def(), [Arg::from(vec![start])], attrs)?;
    Ok(axes.into_iter().unzip())
}

/// The places that are not zero, one after the other, and how many there are.
pub(super) fn nonzero(emitter: &mut Emitter<'_, '_, '_>, it: Nonzero<'_>) -> Result<Axes> {
    let graph = emitter.graph;
    let (x, mut results) = (it.x(), it.0.op.results());
    let (Some(places), Some(count)) = (results.next(), results.next()) else {
        return Err(unsupported(it.0));
    };
    let total = graph.shape(places)[0].clone();
    let axes = vec![("r0".to_owned(), total.clone())];
    let start = emitter.constant(Number::Int(Expr::int(0)), DType::I64)?;
    let outside = emitter.facts.clone();
    emitter.facts = loops::axis_facts(&outside, &axes);
    let at = unravel(&Expr::sym("r0"), graph.shape(x), &emitter.facts);
    let next = emitter.scoped(|me| {
        let before = me.builder.param(ir::Type::Scalar(DType::I64));
        let element = me.read(x, &at, None)?;
        let holds = me.cast(element, DType::Bool)?;
        let args = [before.into(), Some(holds).into()];
        let row = me.builder.push1(loops::Bound::def(), args, vec![total.clone().to_attr()])?;
        for (i, index) in at.iter().enumerate() {
            let index = me.index(index.clone(), DType::I64)?;
            let to = vec![Expr::sym("d0"), Expr::int(i as i64)];
            me.store(places, index, to, vec![row], Some(holds), "set")?;
        }
        let step = me.cast(holds, DType::I64)?;
        me.apply(ScalarFn::Add, &[before, step])
    })?;
    emitter.facts = outside;
    emitter.builder.end_region(vec![next]);
    let attrs = vec!["r0".to_owned().to_attr(), total.to_attr()];
    let found = emitter.builder.push1(loops::Fold::def(), [Arg::from(vec![start])], attrs)?;
    emitter.store(count, found, Vec::new(), Vec::new(), None, "set")?;
    Ok((Vec::new(), Vec::new()))
}

/// First all elements are copied, then one after the other is written.
pub(super) fn scatter(
    emitter: &mut Emitter<'_, '_, '_>,
    view: View<'_>,
    value: ValueId,
) -> Result<Axes> {
    let graph = emitter.graph;
    let x = view.operand("x");
    let (axes, at) = named("r", graph.shape(value));
    in_loop(emitter, &axes, |me| {
        let register = me.read(x, &at, None)?;
        me.store(value, register, at.clone(), Vec::new(), None, "set")
    })?;
    write_elements(emitter, view, value, &|at, _| at)?;
    Ok((Vec::new(), Vec::new()))
}

/// Writes one element of an update after the other to `target`, each at `to` of its place.
pub(super) fn write_elements(
    emitter: &mut Emitter<'_, '_, '_>,
    view: View<'_>,
    target: ValueId,
    to: &dyn Fn(Vec<Expr>, &Facts) -> Vec<Expr>,
) -> Result<()> {
    let graph = emitter.graph;
    let x = view.operand("x");
    if let Some(it) = Scatter::of(view) {
        let (axes, at) = named("s", graph.shape(it.index()));
        in_loop(emitter, &axes, |me| {
            let mut place: Vec<Option<Expr>> = at.iter().cloned().map(Some).collect();
            place[it.dim() as usize] = None;
            let (dynamic, place) =
                me.dynamic_place(x, &[it.index()], &[it.dim()], &at, place, None)?;
            let register = me.read(it.values(), &at, None)?;
            let place = to(place, &dynamic_facts(&me.facts, graph.shape(x), &[it.dim()]));
            me.store(target, register, place, dynamic, None, &it.mode())
        })
    } else if let Some(it) = IndexUpdate::of(view) {
        let (axes, at) = named("s", graph.shape(it.values()));
        in_loop(emitter, &axes, |me| {
            let (dims, begin) = (it.dims(), it.at() as usize);
            let rank = graph.shape(x).len();
            let own = at.len() + dims.len() - rank;
            let mut outer = at[..begin].iter().chain(&at[begin + own..]);
            let place = (0..rank)
                .map(|i| match dims.contains(&(i as i64)) {
                    true => None,
                    false => outer.next().cloned(),
                })
                .collect();
            let own = &at[begin..begin + own];
            let (dynamic, place) = me.dynamic_place(x, &it.indices(), &dims, own, place, None)?;
            let register = me.read(it.values(), &at, None)?;
            let place = to(place, &dynamic_facts(&me.facts, graph.shape(x), &dims));
            me.store(target, register, place, dynamic, None, &it.mode())
        })
    } else {
        Err(unsupported(view))
    }
}

/// Facts that hold where `d0`, `d1`, … are checked indices of these dimensions.
fn dynamic_facts(facts: &Facts, shape: &[Expr], dims: &[i64]) -> Facts {
    let axes: Vec<(String, Expr)> = dims
        .iter()
        .enumerate()
        .filter_map(|(i, dim)| Some((format!("d{i}"), shape.get(*dim as usize)?.clone())))
        .collect();
    loops::axis_facts(facts, &axes)
}

/// Axes over a shape, and the place they make.
pub(super) fn named(prefix: &str, shape: &[Expr]) -> (Vec<(String, Expr)>, Vec<Expr>) {
    let axes: Vec<(String, Expr)> =
        shape.iter().enumerate().map(|(i, it)| (format!("{prefix}{i}"), it.clone())).collect();
    let at = axes.iter().map(|it| Expr::sym(&it.0)).collect();
    (axes, at)
}

fn lowest(dtype: DType) -> Number {
    bound(dtype, f64::NEG_INFINITY, true)
}

fn greatest(dtype: DType) -> Number {
    bound(dtype, f64::INFINITY, false)
}

/// The least or greatest value of a dtype.
fn bound(dtype: DType, float: f64, least: bool) -> Number {
    let bits = 8 * dtype.size() as u32;
    let signed = dtype.kind() == ir::DTypeKind::Signed;
    if dtype.is_float() {
        return Number::Float(float);
    }
    let value = match (signed, least) {
        (true, true) => i64::MIN >> (64 - bits),
        (true, false) => i64::MAX >> (64 - bits),
        (false, true) => 0,
        (false, false) if bits == 64 => i64::MAX,
        (false, false) => (1 << bits) - 1,
    };
    Number::Int(Expr::int(value))
}
