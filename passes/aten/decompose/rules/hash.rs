//! Hashes of the bits of tensors.

use ir::{DType, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{
    reduce::{count, dims},
    rules,
};
use crate::decompose::{cx::Cx, emit::int};

type Values = Result<Vec<ValueId>>;

/// The exclusive or of the bits of all elements, each as an integer or a float of 64 bits.
fn hash(cx: &mut Cx<'_, '_>) -> Values {
    let x = cx.x("self")?;
    if cx.int("mode")? != 0 {
        return Err(cx.error("a hash of another mode"));
    }
    let dims = dims(cx, x)?;
    let shape = cx.out_shape()?;
    let bits = match cx.dtype_of(x).is_float() {
        true => {
            let wide = cx.cast(x, DType::F64)?;
            cx.bitcast(wide, DType::I64)?
        }
        false => cx.cast(x, DType::I64)?,
    };
    let rank = cx.rank(x);
    let kept: Vec<usize> = (0..rank).filter(|it| !dims.contains(it)).collect();
    let order: Vec<usize> = kept.iter().chain(&dims).copied().collect();
    let mut size = count(cx, x, &dims).as_int().ok_or_else(|| cx.error("an unknown count"))?;
    cx.moderately_many("elements of a hash", size)?;
    let bits = cx.permute(bits, &order)?;
    let flat: Vec<Expr> =
        kept.iter().map(|it| cx.dim_size(x, *it)).chain([Expr::int(size)]).collect();
    let mut bits = cx.reshape(bits, &flat)?;
    let last = kept.len();
    if size == 0 {
        bits = cx.full(int(0), &shape, DType::I64)?;
    }
    // Halves onto each other; an element that is over waits for the next round.
    while 1 < size {
        let half = size / 2;
        let mut part =
            |start: i64, size: i64| cx.slice(bits, last, Expr::int(start), Expr::int(size), 1);
        let (low, high) = (part(0, half)?, part(half, half)?);
        let over = if size % 2 == 1 { Some(part(2 * half, 1)?) } else { None };
        let mut both = cx.zip(ScalarFn::Xor, low, high)?;
        if let Some(it) = over {
            both = cx.concat(&[both, it], last)?;
        }
        (bits, size) = (both, size - half);
    }
    let bits = cx.reshape(bits, &shape)?;
    let dtype = cx.out(0)?.dtype;
    Ok(vec![cx.bitcast(bits, dtype)?])
}

rules! {
    "hash_tensor" => hash,
}
