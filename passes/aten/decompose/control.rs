//! Control flow, symbols that data defines, and assertions about data.

use aten::{AssertTensor, BindSymbol, Cond, Subgraph, WhileLoop};
use ir::{AttrTy, DType, Op, Result, Rewriter, TensorType, Type, ValueId};
use sym::Expr;

/// Whether the op is lowered here.
pub(super) fn is_control(op: &Op) -> bool {
    let names = [
        "aten.make_none",
        "aten.assert_tensor",
        "aten.bind_symbol",
        "aten.cond",
        "aten.subgraph",
        "aten.while_loop",
    ];
    names.contains(&op.def.0.name)
}

/// Says the op by operators of `tensor`. Its results have the types that the exporter recorded.
pub(super) fn lower(rw: &mut Rewriter<'_>, op: &Op) -> Result<()> {
    let view = rw.view(op);
    if aten::MakeNone::of(view).is_some() {
        let absent = tensor::Absent::build(&mut rw.new)?;
        rw.set(op.result(), absent[0]);
        return Ok(());
    }
    let outs: Vec<Type> = op
        .results()
        .map(|it| plain(view.ty(it)).ok_or_else(|| view.error("a result that is no tensor")))
        .collect::<Result<_>>()?;
    let outs_attr = outs.clone().to_attr();
    let made = if let Some(it) = BindSymbol::of(view) {
        let (mut x, symbol) = (rw.get(it.x()), it.symbol());
        // A symbol is an integer or a double, whatever the tensor holds.
        let dtype = if Expr::sym(&symbol).is_real() { DType::F64 } else { DType::I64 };
        if rw.new.ty(x).as_tensor().is_some_and(|it| it.dtype != dtype) {
            x = tensor::Cast::build(&mut rw.new, x, dtype)?[0];
        }
        tensor::BindSymbol::build(&mut rw.new, x, symbol)?;
        Vec::new()
    } else if let Some(it) = AssertTensor::of(view) {
        let (x, message) = (rw.get(it.x()), it.message());
        tensor::AssertTensor::build(&mut rw.new, x, message)?;
        Vec::new()
    } else if let Some(it) = Cond::of(view) {
        let pred = it.pred().map(|it| rw.get(it));
        let operands = all(rw, it.operands());
        let (cond, then, otherwise) = (it.cond(), it.then(), it.otherwise());
        tensor::Cond::build(&mut rw.new, pred, operands, cond, then, otherwise, outs_attr)?
    } else if let Some(it) = WhileLoop::of(view) {
        let (carried, extra) = (all(rw, it.carried()), all(rw, it.extra()));
        let (cond, body) = (it.cond(), it.body());
        tensor::While::build(&mut rw.new, carried, extra, cond, body, outs_attr)?
    } else if let Some(it) = Subgraph::of(view) {
        let (init, xs, extra) = (all(rw, it.init()), all(rw, it.xs()), all(rw, it.extra()));
        let (kind, body) = (it.kind(), it.body());
        match kind.as_str() {
            "call" => tensor::Subgraph::build(&mut rw.new, init, body, outs_attr)?,
            "scan" | "map" => {
                // Sequences are as long as each other; without any, as the results.
                let first = xs.first().map(|it| rw.new.ty(*it).clone());
                let stacked = outs.get(init.len()).cloned();
                let length = first.or(stacked).and_then(|it| length(&it));
                let length = length.ok_or_else(|| view.error("a scan over nothing"))?;
                tensor::ScanOver::build(&mut rw.new, init, xs, extra, length, body, outs_attr)?
            }
            kind => return Err(view.error(format!("`{kind}` is not supported"))),
        }
    } else {
        return Err(view.error("is not control flow"));
    };
    for (old, new) in op.results().zip(made) {
        rw.set(old, new);
    }
    Ok(())
}

fn all(rw: &Rewriter<'_>, values: Vec<ValueId>) -> Vec<ValueId> {
    values.into_iter().map(|it| rw.get(it)).collect()
}

/// The size of the first dimension.
fn length(ty: &Type) -> Option<Expr> {
    ty.as_tensor().and_then(|it| it.shape.first().cloned())
}

/// A tensor's type without strides.
fn plain(ty: &Type) -> Option<Type> {
    ty.as_tensor().map(TensorType::without_strides).map(Type::Tensor)
}
