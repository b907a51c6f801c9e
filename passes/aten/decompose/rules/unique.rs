//! What differs: elements or slices that are not the one before, in order or sorted.

use ir::{DType, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{data::nonzero_columns, rules};
use crate::decompose::{cx::Cx, emit::int};

type Values = Result<Vec<ValueId>>;

/// More columns than this are not sorted by: each is a sort of its own.
const MOST_COLUMNS: i64 = 256;

/// Lines of elements, which are told apart as wholes: a matrix of them, or a vector of one element
/// each.
#[derive(Clone, Copy)]
struct Lines(ValueId);

impl Lines {
    /// Some of the lines, in that order.
    fn at(self, cx: &mut Cx<'_, '_>, index: ValueId) -> Result<Lines> {
        Ok(Lines(cx.index(self.0, &[index], &[0], 0)?))
    }

    /// By which they are in order, equal ones as they were.
    fn sorted(self, cx: &mut Cx<'_, '_>) -> Result<ValueId> {
        if cx.rank(self.0) == 1 {
            return Ok(cx.sort(self.0, 0, false)?.1);
        }
        let columns = match cx.dim_size(self.0, 1).as_int() {
            Some(it) if it <= MOST_COLUMNS => it,
            _ => return Err(cx.error("slices that are sorted by unknown or very many elements")),
        };
        let count = cx.dim_size(self.0, 0);
        let mut order = cx.positions(&count)?;
        // From the last column on: a stable sort keeps what the later columns decided.
        for column in (0..columns).rev() {
            let key = cx.select_dim(self.0, 1, Expr::int(column))?;
            let key = cx.index(key, &[order], &[0], 0)?;
            let by_column = cx.sort(key, 0, false)?.1;
            order = cx.index(order, &[by_column], &[0], 0)?;
        }
        Ok(order)
    }

    /// Whether each differs from the one before it, as the first one does.
    fn begins(self, cx: &mut Cx<'_, '_>) -> Result<ValueId> {
        let count = cx.dim_size(self.0, 0);
        let place = cx.positions(&count)?;
        let before = cx.with_number(ScalarFn::Sub, place, int(1))?;
        let before = cx.with_number(ScalarFn::Max, before, int(0))?;
        let before = self.at(cx, before)?;
        let mut differs = cx.zip(ScalarFn::Ne, self.0, before.0)?;
        if cx.rank(differs) == 2 {
            differs = cx.reduce("any", differs, &[1], false)?;
        }
        let is_first = cx.with_number(ScalarFn::Eq, place, int(0))?;
        cx.zip(ScalarFn::Or, is_first, differs)
    }
}

/// A result that was not asked for is empty.
fn asked(cx: &mut Cx<'_, '_>, index: usize, wanted: bool, value: ValueId) -> Result<ValueId> {
    let Ok(ty) = cx.out(index).cloned() else { return Ok(value) };
    match wanted {
        true => cx.reshape(value, &ty.shape),
        false => cx.full(int(0), &ty.shape, ty.dtype),
    }
}

/// The results of the operator: first ones of runs of equal lines, the run of each line where
/// `order` found it, and how long runs are.
fn results(
    cx: &mut Cx<'_, '_>,
    lines: Lines,
    order: Option<ValueId>,
    count: &Expr,
) -> Result<[ValueId; 3]> {
    let begins = lines.begins(cx)?;
    let first = nonzero_columns(cx, begins, count)?[0];
    let ones = cx.cast(begins, DType::I64)?;
    let run = cx.scan("sum", ones, 0)?;
    let run = cx.with_number(ScalarFn::Sub, run, int(1))?;
    let none = cx.full(int(0), std::slice::from_ref(count), DType::I64)?;
    let each = cx.full_like(run, int(1))?;
    let sizes = cx.scatter(none, run, each, 0, "add")?;
    let inverse = match order {
        Some(order) => {
            let zeros = cx.full_like(run, int(0))?;
            cx.scatter(zeros, order, run, 0, "set")?
        }
        None => run,
    };
    Ok([lines.at(cx, first)?.0, inverse, sizes])
}

/// Each element or slice once: sorted, or where it differs from the one before.
fn unique(cx: &mut Cx<'_, '_>, sorted: bool) -> Values {
    let x = cx.x("self")?;
    let (shape, out) = (cx.shape(x), cx.out_shape()?);
    let dim = match cx.has("dim") && !cx.is_none("dim")? && !shape.is_empty() {
        true => Some(cx.dim("dim", shape.len())?),
        false => None,
    };
    // PyTorch's own rule for sizes takes a dimension counted from the end for another.
    if out.len() != dim.map_or(1, |_| shape.len()) {
        return Err(cx.error("a result that is recorded with other dimensions than it has"));
    }
    let lines = match dim {
        None => vec![cx.ty(x)?.numel()],
        Some(dim) => {
            let others = (0..shape.len()).filter(|it| *it != dim).map(|it| shape[it].clone());
            vec![shape[dim].clone(), cx.simple(&others.fold(Expr::int(1), |a, b| a * b))]
        }
    };
    let moved = match dim {
        None => x,
        Some(dim) => cx.move_dim(x, dim, 0)?,
    };
    let mut lines = Lines(cx.reshape(moved, &lines)?);
    let order = match sorted {
        true => Some(lines.sorted(cx)?),
        false => None,
    };
    if let Some(order) = order {
        lines = lines.at(cx, order)?;
    }
    let count = out[dim.unwrap_or(0)].clone();
    let [kept, inverse, sizes] = results(cx, lines, order, &count)?;
    let mut res = vec![match dim {
        None => kept,
        Some(dim) => {
            let mut shape = out.to_vec();
            let count = shape.remove(dim);
            shape.insert(0, count);
            let kept = cx.reshape(kept, &shape)?;
            cx.move_dim(kept, 0, dim)?
        }
    }];
    for (index, name, value) in [(1, "return_inverse", inverse), (2, "return_counts", sizes)] {
        if cx.has(name) {
            let wanted = cx.flag(name)?;
            res.push(asked(cx, index, wanted, value)?);
        }
    }
    Ok(res)
}

rules! {
    "unique_consecutive" | "unique_dim_consecutive" => |cx| unique(cx, false),
    "_unique" | "_unique2" | "unique_dim" => |cx| unique(cx, true),
}
