//! Products of vectors, matrices and batches of them.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::decompose::cx::Cx;

type Values = Result<Vec<ValueId>>;

/// `a @ b` for all ranks.
pub(super) fn matmul_of(cx: &mut Cx<'_, '_>, a: ValueId, b: ValueId) -> Result<ValueId> {
    let (rank_a, rank_b) = (cx.rank(a), cx.rank(b));
    match (rank_a, rank_b) {
        (0, _) | (_, 0) => Err(cx.error("a product of a tensor without dimensions")),
        (_, 1) => cx.contract(a, b, (&[], &[]), (&[rank_a.saturating_sub(1)], &[0])),
        (1, 2) => cx.contract(a, b, (&[], &[]), (&[0], &[0])),
        (1, _) => {
            let row = cx.unsqueeze(a, 0)?;
            let res = matmul_of(cx, row, b)?;
            cx.squeeze(res, rank_b.saturating_sub(2))
        }
        // One matrix for every row of all batches.
        (_, 2) => cx.contract(a, b, (&[], &[]), (&[rank_a.saturating_sub(1)], &[0])),
        _ => batched(cx, a, b),
    }
}

fn batched(cx: &mut Cx<'_, '_>, a: ValueId, b: ValueId) -> Result<ValueId> {
    let (shape_a, shape_b) = (cx.shape(a), cx.shape(b));
    let (lead_a, tail_a) = shape_a.split_at(shape_a.len().saturating_sub(2));
    let (lead_b, tail_b) = shape_b.split_at(shape_b.len().saturating_sub(2));
    let lead = tensor::broadcast(lead_a, lead_b, cx.facts())
        .ok_or_else(|| cx.error("batches that do not broadcast for every size in range"))?;
    let with = |tail: &[Expr]| lead.iter().chain(tail).cloned().collect::<Vec<_>>();
    let a = cx.expand(a, &with(tail_a))?;
    let b = cx.expand(b, &with(tail_b))?;
    let batch: Vec<usize> = (0..lead.len()).collect();
    let n = lead.len();
    cx.contract(a, b, (&batch, &batch), (&[n + 1], &[n]))
}

fn product(cx: &mut Cx<'_, '_>, a: &str, b: &str) -> Values {
    let (a, b) = (cx.x(a)?, cx.x(b)?);
    Ok(vec![matmul_of(cx, a, b)?])
}

/// `x` times the transposed weight; the weight may be a vector. The bias is added before the one
/// rounding of half types.
fn linear(cx: &mut Cx<'_, '_>) -> Values {
    let (x, weight, bias) = (cx.x("input")?, cx.x("weight")?, cx.opt("bias")?);
    let dtype = cx.dtype_of(x);
    let res = linear_of(cx, x, weight, bias)?;
    Ok(vec![cx.cast(res, dtype)?])
}

/// `x weightᵀ + bias` in the dtype of the computation.
pub(super) fn linear_of(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    weight: ValueId,
    bias: Option<ValueId>,
) -> Result<ValueId> {
    let (x, weight) = (cx.widened(x)?, cx.widened(weight)?);
    let last = cx.rank(x).saturating_sub(1);
    let summed = cx.rank(weight).saturating_sub(1);
    let mut res = cx.contract(x, weight, (&[], &[]), (&[last], &[summed]))?;
    if let Some(bias) = bias {
        let bias = cx.widened(bias)?;
        res = cx.zip(ScalarFn::Add, res, bias)?;
    }
    Ok(res)
}

/// `beta * self + alpha * product` in `dtype`; with `beta` 0 nothing of `self` shows. Half types
/// are rounded once.
fn added(cx: &mut Cx<'_, '_>, product: ValueId, dtype: DType) -> Values {
    let x = cx.x("self")?;
    let (beta, alpha) = (cx.number("beta")?, cx.number("alpha")?);
    let shape = cx.out_shape()?;
    let scaled = |cx: &mut Cx<'_, '_>, x: ValueId, by: Number| match by.is_int(1) {
        true => Ok(x),
        false => cx.with_number(ScalarFn::Mul, x, by),
    };
    let product = cx.widened(product)?;
    let product = scaled(cx, product, alpha)?;
    if beta.is_int(0) {
        let res = cx.expand(product, &shape)?;
        return Ok(vec![cx.cast(res, dtype)?]);
    }
    let x = cx.widened(x)?;
    let x = scaled(cx, x, beta)?;
    let res = cx.zip(ScalarFn::Add, x, product)?;
    Ok(vec![cx.cast(res, dtype)?])
}

fn add_matmul(cx: &mut Cx<'_, '_>, a: &str, b: &str) -> Values {
    let (a, b) = (cx.x(a)?, cx.x(b)?);
    let dtype = cx.dtype_of(a);
    let (a, b) = (cx.widened(a)?, cx.widened(b)?);
    let product = matmul_of(cx, a, b)?;
    added(cx, product, dtype)
}

/// The products of all batches, summed.
fn addbmm(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("batch1")?, cx.x("batch2")?);
    let dtype = cx.dtype_of(a);
    let (a, b) = (cx.widened(a)?, cx.widened(b)?);
    let product = cx.contract(a, b, (&[], &[]), (&[0, 2], &[0, 1]))?;
    added(cx, product, dtype)
}

fn outer_of(cx: &mut Cx<'_, '_>, a: ValueId, b: ValueId) -> Result<ValueId> {
    let dtype = cx.result_type(&[a.into(), b.into()]);
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let column = cx.unsqueeze(a, 1)?;
    cx.zip(ScalarFn::Mul, column, b)
}

fn outer(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("vec2")?);
    Ok(vec![outer_of(cx, a, b)?])
}

fn addr(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("vec1")?, cx.x("vec2")?);
    let product = outer_of(cx, a, b)?;
    let x = cx.x("self")?;
    let dtype = cx.result_type(&[x.into(), product.into()]);
    let product = cx.cast(product, dtype)?;
    added(cx, product, dtype)
}

fn inner(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let (rank_a, rank_b) = (cx.rank(a), cx.rank(b));
    if rank_a == 0 || rank_b == 0 {
        return Ok(vec![cx.zip(ScalarFn::Mul, a, b)?]);
    }
    Ok(vec![cx.contract(
        a,
        b,
        (&[], &[]),
        (&[rank_a.saturating_sub(1)], &[rank_b.saturating_sub(1)]),
    )?])
}

fn tensordot(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let dims_a = cx.normal_all(&cx.ints("dims_self")?, cx.rank(a))?;
    let dims_b = cx.normal_all(&cx.ints("dims_other")?, cx.rank(b))?;
    // A paired size of 1 is repeated.
    let (mut shape_a, mut shape_b) = (cx.shape(a), cx.shape(b));
    for (i, j) in dims_a.iter().zip(&dims_b) {
        let one = Expr::int(1);
        match (shape_a[*i] == one, shape_b[*j] == one) {
            (true, false) => shape_a[*i] = shape_b[*j].clone(),
            (false, true) => shape_b[*j] = shape_a[*i].clone(),
            _ => (),
        }
    }
    let (a, b) = (cx.expand(a, &shape_a)?, cx.expand(b, &shape_b)?);
    Ok(vec![cx.contract(a, b, (&[], &[]), (&dims_a, &dims_b))?])
}

/// Products along one dimension, which goes.
fn vecdot(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("x")?, cx.x("y")?);
    if cx.dtype_of(a).is_complex() {
        return Err(cx.error("a product with a conjugate"));
    }
    let [a, b] = cx.broadcast([a, b])?;
    let dim = cx.dim("dim", cx.rank(a))?;
    let dtype = cx.dtype_of(a);
    let (a, b) = (cx.widened(a)?, cx.widened(b)?);
    let product = cx.zip(ScalarFn::Mul, a, b)?;
    let sum = cx.reduce("sum", product, &[dim], false)?;
    Ok(vec![cx.cast(sum, dtype)?])
}

fn vdot(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    if cx.dtype_of(a).is_complex() {
        return Err(cx.error("a product with a conjugate"));
    }
    Ok(vec![matmul_of(cx, a, b)?])
}

rules! {
    "matmul" | "linalg_matmul" => |cx| product(cx, "self", "other"),
    "mm" => |cx| product(cx, "self", "mat2"),
    "bmm" => |cx| product(cx, "self", "mat2"),
    "mv" => |cx| product(cx, "self", "vec"),
    "dot" => |cx| product(cx, "self", "tensor"),
    "vdot" => vdot,
    "linear" => linear,
    "addmm" => |cx| add_matmul(cx, "mat1", "mat2"),
    "baddbmm" => |cx| add_matmul(cx, "batch1", "batch2"),
    "addmv" => |cx| add_matmul(cx, "mat", "vec"),
    "addbmm" => addbmm,
    "outer" | "ger" => outer,
    "addr" => addr,
    "inner" => inner,
    "tensordot" => tensordot,
    "linalg_vecdot" => vecdot,
}
