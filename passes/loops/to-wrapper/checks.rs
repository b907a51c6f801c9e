//! Checks of inputs and definitions of symbols, in an order in which each uses only what the ones
//! before have defined.

use diag::{Diag, codes};
use ir::{Builder, Function, Result, Type, ValueId};
use sym::Expr;
use wrapper::{Bind, CheckDim, CheckTensor};

/// The statements for the model's inputs: parameters by index and value. Unless they are
/// `checked`, symbols are defined and nothing else.
pub(super) fn inputs(
    function: &Function,
    builder: &mut Builder<'_>,
    users: &[(usize, ValueId)],
    checked: bool,
) -> Result<()> {
    let ty = |value: ValueId| function.body.ty(value).clone();
    // First dtype, rank and device of all: sizes are read after that.
    let mut dims: Vec<(ValueId, usize, Expr)> = Vec::new();
    for (_, value) in users {
        let Type::Tensor(it) = ty(*value) else { continue };
        if checked {
            CheckTensor::build(builder, *value)?;
        }
        dims.extend(it.shape.iter().enumerate().map(|(i, size)| (*value, i, size.clone())));
    }
    let mut bound: Vec<String> = Vec::new();
    let known = |it: &Expr, bound: &[String]| {
        it.symbols().iter().all(|it| bound.iter().any(|b| **b == **it))
    };
    loop {
        let before = dims.len();
        let mut left = Vec::new();
        for (value, dim, size) in dims {
            if known(&size, &bound) {
                if checked {
                    CheckDim::build(builder, value, dim as i64, size)?;
                }
            } else if let Some((symbol, factor, rest)) = solved(&size, &bound) {
                let dim = dim as i64;
                Bind::build(builder, value, dim, symbol.clone(), factor, rest, checked)?;
                bound.push(symbol);
            } else {
                left.push((value, dim, size));
            }
        }
        dims = left;
        if dims.is_empty() {
            return Ok(());
        }
        if dims.len() == before {
            let sizes: Vec<String> = dims.iter().map(|it| it.2.to_string()).collect();
            return Err(Diag::error(
                &codes::UNDECIDED_SIZE,
                format!(
                    "@{}: no input gives the symbols in {} a value of their own",
                    function.name,
                    sizes.join(", ")
                ),
            )
            .note("export the model with an input whose size is the symbol itself"));
        }
    }
}

/// `size` as `factor * symbol + rest` with one symbol that is not bound yet.
fn solved(size: &Expr, bound: &[String]) -> Option<(String, i64, Expr)> {
    let open: Vec<String> = size
        .symbols()
        .iter()
        .filter(|it| !bound.iter().any(|b| **b == ***it))
        .map(|it| it.to_string())
        .collect();
    let [symbol] = &open[..] else { return None };
    let (factor, rest) = size.linear_in(symbol)?;
    // A negative factor would turn the range around; nobody exports such a size.
    let factor = factor.as_int().filter(|it| 0 < *it)?;
    Some((symbol.clone(), factor, rest))
}
