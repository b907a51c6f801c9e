//! How much of its state a run writes: read off the kernels' own loops.

use ir::{Arg, AttrTy, Function, Op, Region, Type, ValueId};
use sym::Expr;

/// What a run writes of a tensor that stays from run to run, or of an input that it writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateWrites {
    /// The parameter.
    pub name: String,
    /// Its bytes.
    pub whole: Expr,
    /// How many bytes a run writes to it, those that it writes twice counted twice. A store under a
    /// condition counts as one that happens.
    pub written: Expr,
}

/// What a function of statements writes of its parameters; `kernels` are those it calls.
pub fn state_writes(function: &Function, kernels: &[&Function]) -> Vec<StateWrites> {
    let body = &function.body;
    // Whose memory each value is.
    let mut owners: Vec<Option<usize>> = vec![None; body.types.len()];
    for (i, value) in body.root.params.iter().enumerate() {
        owners[value.index()] = Some(i);
    }
    let mut written: Vec<Option<Expr>> = vec![None; function.params.len()];
    for op in body.ops() {
        let name = op.def.0.name;
        if matches!(name, "wrapper.view" | "wrapper.strided_input") {
            let from = op.operands().next().and_then(|it| owners[it.index()]);
            op.results().for_each(|it| owners[it.index()] = from);
            continue;
        }
        let results =
            op.def.0.operands.iter().position(|it| matches!(it.name, "outputs" | "results"));
        let results = results.and_then(|it| op.args.get(it)).map(|it| it.values().collect());
        let results: Vec<ValueId> = results.unwrap_or_default();
        let kernel = attr::<ir::RefName>(op, "kernel");
        let kernel = kernel.and_then(|name| kernels.iter().find(|it| it.name == name.0));
        for (k, value) in results.into_iter().enumerate() {
            let Some(param) = owners[value.index()] else { continue };
            let bytes = match kernel {
                Some(it) => stored(it, k),
                None => None,
            };
            // What is not a kernel with loops of its own writes all of its result.
            let bytes = bytes.unwrap_or_else(|| whole(body.ty(value)));
            let sum = written[param].take().map_or(bytes.clone(), |it| it + bytes);
            written[param] = Some(sum);
        }
    }
    let params = function.params.iter().zip(&body.root.params).zip(written);
    params
        .filter_map(|((param, value), written)| {
            let whole = whole(body.ty(*value));
            Some(StateWrites { name: param.name.clone(), whole, written: written? })
        })
        .collect()
}

fn whole(ty: &Type) -> Expr {
    let Some(ty) = ty.as_tensor() else { return Expr::int(0) };
    ty.numel() * Expr::int(ty.dtype.size() as i64)
}

/// The bytes that a kernel stores to its `k`-th result; `None` if it has no loops of its own.
fn stored(kernel: &Function, k: usize) -> Option<Expr> {
    let op = kernel.body.ops().iter().find(|it| it.def.0.name == "loops.kernel")?;
    let region = op.regions.first()?;
    let results = usize::try_from(op.results).ok()?;
    let target = region.params.get(region.params.len().checked_sub(results)? + k)?;
    let ty = kernel.body.ty(*target).as_tensor()?;
    let elements = in_region(region, *target) * extents(op);
    Some(elements * Expr::int(ty.dtype.size() as i64))
}

/// How often a region stores to a tensor.
fn in_region(region: &Region, target: ValueId) -> Expr {
    let mut res = Expr::int(0);
    for op in &region.ops {
        if op.def.0.name == "loops.store" && op.args.first().and_then(value) == Some(target) {
            res = res + Expr::int(1);
        }
        for inner in &op.regions {
            res = res + in_region(inner, target) * extents(op);
        }
    }
    res
}

fn value(arg: &Arg) -> Option<ValueId> {
    arg.values().next()
}

/// How often an op runs its region.
fn extents(op: &Op) -> Expr {
    let extents: Vec<Expr> = attr(op, "extents").unwrap_or_default();
    extents.into_iter().fold(Expr::int(1), |res, it| res * it)
}

fn attr<T: AttrTy>(op: &Op, name: &str) -> Option<T> {
    let at = op.def.0.attrs.iter().position(|it| it.name == name)?;
    T::of_attr(op.attrs.get(at)?)
}
