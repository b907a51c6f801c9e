//! A scale per output channel moves into the weights: `conv(x, w) * s = conv(x, w * s)`.

use ir::{DType, Function, Result, Rewriter, ValueId, View, scalar::ScalarFn};
use sym::Expr;
use tensor::{Conv, Expand, Reshape};

/// The function with constant scales of convolutions moved into their weights.
pub(super) fn into_weights(function: &Function) -> Result<Function> {
    let body = &function.body;
    let makers = body.defining_ops();
    let counts = body.use_counts();
    let mut rw = Rewriter::new(function);
    for op in body.ops() {
        rw.new.origin = op.origin;
        let view = rw.view(op);
        let product = (op.def.0.scalar == Some(ScalarFn::Mul))
            .then(|| (view.operand("lhs"), view.operand("rhs")));
        let found = product.and_then(|(lhs, rhs)| {
            [(lhs, rhs), (rhs, lhs)].into_iter().find_map(|(conv, scale)| {
                let made = &body.ops()[makers[conv.index()]?];
                let it = Conv::of(rw.view(made))?;
                let once = counts[conv.index()] == 1;
                let channels =
                    channel_scale(function, &makers, scale, body.ty(conv).as_tensor()?.rank())?;
                let constant = is_constant(function, &makers, channels)
                    && is_constant(function, &makers, it.w());
                let float = matches!(body.ty(conv).dtype(), Some(DType::F32 | DType::F64));
                (once && constant && float).then_some((made, it, channels))
            })
        });
        let Some((made, it, channels)) = found else {
            rw.copy(op)?;
            continue;
        };
        // The scale as [o, 1, …], expanded over the weights.
        let w = rw.get(it.w());
        let Some(w_ty) = rw.new.ty(w).as_tensor().cloned() else {
            rw.copy(op)?;
            continue;
        };
        let mut shape = vec![Expr::int(1); w_ty.rank()];
        shape[0] = w_ty.shape[0].clone();
        let scale = rw.get(channels);
        let scale = Reshape::build(&mut rw.new, scale, shape)?[0];
        let scale = Expand::build(&mut rw.new, scale, w_ty.shape.to_vec())?[0];
        let scaled = tensor::pointwise(&mut rw.new, ScalarFn::Mul, &[w, scale])?;
        let x = rw.get(it.x());
        let attrs = made.attrs.clone();
        let conv = rw.new.push1(Conv::def(), [x.into(), scaled.into()], attrs)?;
        rw.set(op.result(), conv);
    }
    Ok(rw.finish())
}

/// The one-dimensional value of which `scale` is the expansion over dimension 1, if it is one.
fn channel_scale(
    function: &Function,
    makers: &[Option<usize>],
    scale: ValueId,
    rank: usize,
) -> Option<ValueId> {
    let body = &function.body;
    let op = |it: ValueId| makers[it.index()].map(|it| &body.ops()[it]);
    let view = |op| View::of(body, &function.facts, op);
    let expand = Expand::of(view(op(scale)?))?;
    let inner = body.ty(expand.x()).as_tensor()?;
    let one = Expr::int(1);
    // Aligned at the end, only dimension 1 may be other than 1.
    let added = rank.checked_sub(inner.rank())?;
    if (0..inner.rank()).any(|i| i + added != 1 && inner.shape[i] != one) || 1 < added {
        return None;
    }
    Some(expand.x())
}

/// Whether a value depends alone on constants of the model, or on what a body is given as such.
fn is_constant(function: &Function, makers: &[Option<usize>], value: ValueId) -> bool {
    let mut work = vec![value];
    while let Some(it) = work.pop() {
        match makers[it.index()] {
            Some(at) => work.extend(function.body.ops()[at].operands()),
            None => {
                let at = function.body.root.params.iter().position(|param| *param == it);
                let is_weight = at.is_some_and(|at| function.is_fixed(at));
                if !is_weight {
                    return false;
                }
            }
        }
    }
    true
}
