//! Kernels that say what they compute as a whole.

mod attention;
mod product;
mod sort;

use ir::{EvalCx, HostValue, linalg::Factor};

use super::{Evaluated, error};

pub(crate) use attention::attention;
pub(crate) use product::{conv2d, gemm};
pub(crate) use sort::sort;

/// Factors of matrices.
pub(crate) fn linalg(cx: &EvalCx<'_>) -> Evaluated {
    let kind: String = cx.view.attr("kind");
    let kind = Factor::parse(&kind).ok_or_else(|| error(kind))?;
    let mut operands = Vec::new();
    for it in cx.operands {
        operands.push(it.tensor()?.check()?);
    }
    let results = kind.evaluate(&operands, cx.view.attr("checked")).map_err(error)?;
    Ok(results.into_iter().map(HostValue::Tensor).collect())
}
