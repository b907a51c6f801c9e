//! Attention of float64, which the structured kernel does not serve.
//!
//! Why: the kernel computes in float32, as eager does for float32 and half types. Attention of
//! float64 is written out as products and a softmax, so that it stays float64.

use diag::Diag;
use ir::{DType, Number, Result, Rewriter, ValueId, scalar::ScalarFn};
use pass::{PassCx, PassDef, Unit};
use sym::Expr;
use tensor::{Attention, Contract, Expand, Full, Iota, Reduce, Reshape, pointwise};

/// The pass.
pub(crate) static EXPAND_ATTENTION: PassDef = PassDef {
    tolerance: Some(1e-9),
    ..PassDef::new(
        "expand-attention",
        "say attention of float64 by other operators",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, _cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| {
        let mut rw = Rewriter::new(function);
        for op in function.body.ops() {
            rw.new.origin = op.origin;
            let view = rw.view(op);
            let it = Attention::of(view);
            let dtype = it.and_then(|it| view.ty(it.q()).dtype());
            match (it, dtype) {
                (Some(it), Some(DType::F64)) => {
                    let made = written_out(&mut rw, it)?;
                    rw.set(op.result(), made);
                }
                _ => {
                    rw.copy(op)?;
                }
            }
        }
        Ok(rw.finish())
    })
}

fn shape(rw: &Rewriter<'_>, value: ValueId) -> Vec<Expr> {
    rw.new.ty(value).as_tensor().map_or(Vec::new(), |it| it.shape.to_vec())
}

/// A number in the shape of `like`.
fn filled(rw: &mut Rewriter<'_>, number: f64, like: ValueId, dtype: DType) -> Result<ValueId> {
    let shape = shape(rw, like);
    Ok(Full::build(&mut rw.new, Number::Float(number), shape, dtype)?[0])
}

/// `softmax(scale * q kᵀ + mask) v`; a row in which nothing may be attended to gives zeros.
fn written_out(rw: &mut Rewriter<'_>, it: Attention<'_>) -> Result<ValueId> {
    let dtype = it.0.ty(it.q()).dtype().unwrap_or(DType::F64);
    let q = rw.get(it.q());
    let heads = shape(rw, q)[1].clone();
    let k = shared_heads(rw, it.k(), &heads)?;
    let v = shared_heads(rw, it.v(), &heads)?;
    let product = |rw: &mut Rewriter<'_>, a: ValueId, b: ValueId, dim: i64| -> Result<ValueId> {
        let batch = vec![0, 1];
        Ok(Contract::build(&mut rw.new, a, b, batch.clone(), batch, vec![3], vec![dim])?[0])
    };
    let scores = product(rw, q, k, 3)?;
    let scale = filled(rw, it.scale(), scores, dtype)?;
    let mut scores = pointwise(&mut rw.new, ScalarFn::Mul, &[scores, scale])?;
    let whole = shape(rw, scores);
    let least = filled(rw, f64::NEG_INFINITY, scores, dtype)?;
    if let Some(mask) = it.mask() {
        let mask = rw.get(mask);
        let mask = Expand::build(&mut rw.new, mask, whole.clone())?[0];
        scores = match rw.new.ty(mask).dtype() {
            Some(DType::Bool) => pointwise(&mut rw.new, ScalarFn::Select, &[mask, scores, least])?,
            _ => pointwise(&mut rw.new, ScalarFn::Add, &[scores, mask])?,
        };
    }
    if it.causal() {
        let place = |rw: &mut Rewriter<'_>, dim: i64| -> Result<ValueId> {
            let (start, step) = (Number::Int(Expr::int(0)), Number::Int(Expr::int(1)));
            Ok(Iota::build(&mut rw.new, whole.clone(), dim, start, step, DType::I64)?[0])
        };
        let (row, column) = (place(rw, 2)?, place(rw, 3)?);
        let keep = pointwise(&mut rw.new, ScalarFn::Le, &[column, row])?;
        scores = pointwise(&mut rw.new, ScalarFn::Select, &[keep, scores, least])?;
    }
    let along = |rw: &mut Rewriter<'_>, kind: &str, x: ValueId| -> Result<ValueId> {
        let reduced = Reduce::build(&mut rw.new, x, kind.to_owned(), vec![3])?[0];
        let mut kept = shape(rw, reduced);
        kept.push(Expr::int(1));
        let reduced = Reshape::build(&mut rw.new, reduced, kept)?[0];
        Ok(Expand::build(&mut rw.new, reduced, whole.clone())?[0])
    };
    let top = along(rw, "max", scores)?;
    let zero = filled(rw, 0.0, scores, dtype)?;
    // A row without any score would be -inf minus -inf.
    let empty = pointwise(&mut rw.new, ScalarFn::Eq, &[top, least])?;
    let top = pointwise(&mut rw.new, ScalarFn::Select, &[empty, zero, top])?;
    let shifted = pointwise(&mut rw.new, ScalarFn::Sub, &[scores, top])?;
    let powers = pointwise(&mut rw.new, ScalarFn::Exp, &[shifted])?;
    let sum = along(rw, "sum", powers)?;
    let one = filled(rw, 1.0, scores, dtype)?;
    let sum = pointwise(&mut rw.new, ScalarFn::Select, &[empty, one, sum])?;
    let weights = pointwise(&mut rw.new, ScalarFn::Div, &[powers, sum])?;
    product(rw, weights, v, 2)
}

/// Heads repeated so that each head of `q` has its own.
fn shared_heads(rw: &mut Rewriter<'_>, value: ValueId, heads: &Expr) -> Result<ValueId> {
    let value = rw.get(value);
    let old = shape(rw, value);
    if old[1] == *heads {
        return Ok(value);
    }
    let [batch, own, length, width] = [0, 1, 2, 3].map(|i: usize| old[i].clone());
    let times = sym::simplify(&heads.floor_div(&own), rw.facts());
    let apart = vec![batch.clone(), own.clone(), Expr::int(1), length.clone(), width.clone()];
    let apart = Reshape::build(&mut rw.new, value, apart)?[0];
    let repeated = vec![batch.clone(), own, times, length.clone(), width.clone()];
    let repeated = Expand::build(&mut rw.new, apart, repeated)?[0];
    let joined = vec![batch, heads.clone(), length, width];
    Ok(Reshape::build(&mut rw.new, repeated, joined)?[0])
}
