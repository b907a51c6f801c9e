//! Views: which ops give them, and how a new content of a view is put into what it was taken of.

use aten::Schema;
use diag::{Diag, codes};
use ir::{Arg, Attr, AttrTy as _, Op, Rewriter, TensorType, Type, ValueId, View};
use sym::{Answer, Expr, Facts};

use super::memory::Step;

/// Operators whose result may be their operand, or a copy of it.
const MAYBE: &[&str] = &[
    "contiguous",
    "to.dtype",
    "to.dtype_layout",
    "to.device",
    "to.other",
    "type_as",
    "dropout",
    "feature_dropout",
    "alpha_dropout",
    "feature_alpha_dropout",
    "reshape",
    "reshape_as",
    "flatten.using_ints",
    "ravel",
];

/// Operators whose result is their operand.
const IDENTITIES: &[&str] =
    &["alias", "detach", "lift_fresh", "positive", "resolve_conj", "resolve_neg"];

fn name(op: &Op) -> &'static str {
    op.def.0.name.strip_prefix("aten.").unwrap_or(op.def.0.name)
}

/// Whether the results share the memory of the first operand.
pub(super) fn is_view(view: View<'_>, schema: &Schema) -> bool {
    let name = schema.name.as_str();
    if !MAYBE.contains(&name) {
        return schema.is_view();
    }
    let (Some(x), Some(result)) = (view.op.operands().next(), view.op.results().next()) else {
        return false;
    };
    let (Some(x), Some(result)) = (view.ty(x).as_tensor(), view.ty(result).as_tensor()) else {
        return false;
    };
    match name {
        "reshape" | "reshape_as" | "flatten.using_ints" | "ravel" => {
            reshapes_in_place(x, result, view.facts)
        }
        "contiguous" => x == result,
        name if name.ends_with("dropout") => {
            let train: Option<bool> = view.attr("train");
            train == Some(false)
        }
        _ => {
            let copy =
                schema.arg("copy").is_some() && view.attr::<Option<bool>>("copy") == Some(true);
            x == result && !copy
        }
    }
}

/// Whether the result is the first operand and not another view of its memory.
pub(super) fn is_identity(view: View<'_>) -> bool {
    let name = name(view.op);
    if IDENTITIES.contains(&name) {
        return true;
    }
    MAYBE.contains(&name) && {
        let x = view.op.operands().next().map(|it| view.ty(it));
        let result = view.op.results().next().map(|it| view.ty(it));
        x == result
    }
}

/// How many elements of its operand's behind its operand's first a view begins, where that can be
/// said: it is result `index` of an op that has perhaps several.
pub(super) fn offset(view: View<'_>, index: usize) -> Option<Expr> {
    if keeps_start(view.op) {
        return Some(Expr::int(0));
    }
    let x = view.ty(view.op.operands().next()?).as_tensor()?;
    let strides = x.strides.as_ref()?;
    let dim = |name: &'static str| tensor::normalize_dim(view.attr(name), x.rank());
    // A start as the operator reads it: from the end where it is negative, and within the size.
    let from = |start: Expr, size: &Expr| {
        let at = match start.as_int() {
            Some(it) if it < 0 => start + size.clone(),
            _ => start,
        };
        let within = sym::less_equal(&Expr::int(0), &at, view.facts) == Answer::Proven
            && sym::less_equal(&at, size, view.facts) == Answer::Proven;
        within.then_some(at)
    };
    let (at, stride) = match name(view.op) {
        "slice.Tensor" | "narrow" | "select.int" => {
            let what = if name(view.op) == "select.int" { "index" } else { "start" };
            let dim = dim("dim")?;
            let start: Option<Expr> = view.attr(what);
            (from(start.unwrap_or_else(|| Expr::int(0)), &x.shape[dim])?, &strides[dim])
        }
        "unbind.int" => (Expr::int(index as i64), &strides[dim("dim")?]),
        "split.Tensor"
        | "split.sizes"
        | "split_with_sizes"
        | "chunk"
        | "tensor_split.sections"
        | "tensor_split.indices" => {
            let dim = dim("dim")?;
            (split_at(view, index, dim).0, &strides[dim])
        }
        "diagonal" => match view.attr::<i64>("offset") {
            it if it < 0 => (Expr::int(it.checked_neg()?), &strides[dim("dim1")?]),
            it => (Expr::int(it), &strides[dim("dim2")?]),
        },
        _ => return None,
    };
    Some(at * stride.clone())
}

/// Where along `dim` result `index` of a split begins and ends.
fn split_at(view: View<'_>, index: usize, dim: usize) -> (Expr, Expr) {
    let sizes = |it: ValueId| {
        view.ty(it).as_tensor().map_or_else(|| Expr::int(0), |it| it.shape[dim].clone())
    };
    let start = view.op.results().take(index).fold(Expr::int(0), |start, it| start + sizes(it));
    let own = view.op.results().nth(index).map_or_else(|| Expr::int(0), sizes);
    (start.clone(), start + own)
}

/// Whether a view begins at its operand's first element.
fn keeps_start(op: &Op) -> bool {
    let base = name(op).split('.').next().unwrap_or_default();
    matches!(
        base,
        "view"
            | "reshape"
            | "flatten"
            | "unflatten"
            | "squeeze"
            | "unsqueeze"
            | "view_as"
            | "ravel"
            | "reshape_as"
            | "permute"
            | "transpose"
            | "t"
            | "numpy_T"
            | "mT"
            | "movedim"
            | "moveaxis"
            | "swapaxes"
            | "swapdims"
            | "expand"
            | "expand_as"
            | "view_as_real"
            | "view_as_complex"
            | "real"
    )
}

/// Whether a dense result needs no copy: every run of dimensions that merges is dense in memory.
fn reshapes_in_place(x: &TensorType, result: &TensorType, facts: &Facts) -> bool {
    let equal = |a: &Expr, b: &Expr| sym::equal(a, b, facts) == Answer::Proven;
    let Some(strides) = &x.strides else { return false };
    let wanted = tensor::contiguous_dims(&x.shape);
    let one = Expr::int(1);
    let dense = x
        .shape
        .iter()
        .zip(strides.iter().zip(&wanted))
        .all(|(size, (a, b))| *size == one || equal(a, b));
    if dense {
        return true;
    }
    // A copy comes out dense; if what is on record is not, it must be a view.
    let Some(recorded) = &result.strides else { return false };
    let wanted = tensor::contiguous_dims(&result.shape);
    let copied = result
        .shape
        .iter()
        .zip(recorded.iter().zip(&wanted))
        .all(|(size, (a, b))| *size == one || equal(a, b));
    !copied
}

/// An aten op by name with some arguments; the others stand at their defaults.
pub(super) fn emit(
    rw: &mut Rewriter<'_>,
    name: &str,
    args: Vec<Arg>,
    attrs: &[(&str, Attr)],
    ty: Type,
) -> ir::Result<ValueId> {
    let missing = || Diag::error(&codes::OP, format!("there is no operator aten.{name}"));
    let def = aten::lookup(name).ok_or_else(missing)?;
    let schema = aten::schema(def).ok_or_else(missing)?;
    let mut all = Vec::new();
    for arg in schema.args.iter().filter(|it| it.ty != aten::ArgTy::Tensor) {
        let given = attrs.iter().find(|it| it.0 == arg.name).map(|it| it.1.clone());
        all.push(given.or_else(|| arg.default.clone()).unwrap_or(Attr::None));
    }
    let made = rw.new.push_stated(def, args, all, Some(vec![ty]))?;
    Ok(made[0])
}

fn size(it: Expr) -> Attr {
    Attr::Size(it)
}

fn ints(it: impl IntoIterator<Item = usize>) -> Attr {
    Attr::List(it.into_iter().map(|it| size(Expr::int(it as i64))).collect())
}

/// The whole of type `ty` with `new` where the view by that step sees it.
pub(super) fn scatter(
    rw: &mut Rewriter<'_>,
    step: &Step,
    ty: Type,
    whole: ValueId,
    new: ValueId,
) -> ir::Result<ValueId> {
    let (op, index) = (&*step.op, step.index);
    let view = View::of(&rw.old.body, &rw.old.facts, op);
    let attr = |it: &'static str| (it, view.raw_attr(it).clone());
    let both = || vec![Arg::Value(whole), Arg::Value(new)];
    let refused = || view.error("a write through this view is not supported");
    let shape = match &ty {
        Type::Tensor(it) => it.shape.clone(),
        _ => return Err(refused()),
    };
    let rank = shape.len();
    let name = name(op);
    match name {
        "slice.Tensor" => {
            let attrs = [attr("dim"), attr("start"), attr("end"), attr("step")];
            emit(rw, "slice_scatter", both(), &attrs, ty)
        }
        "select.int" => emit(rw, "select_scatter", both(), &[attr("dim"), attr("index")], ty),
        "diagonal" => {
            let attrs = [attr("offset"), attr("dim1"), attr("dim2")];
            emit(rw, "diagonal_scatter", both(), &attrs, ty)
        }
        "as_strided" => {
            let attrs = [attr("size"), attr("stride"), attr("storage_offset")];
            emit(rw, "as_strided_scatter", both(), &attrs, ty)
        }
        "narrow" => {
            let (start, length): (Expr, Expr) = (view.attr("start"), view.attr("length"));
            let end = ("end", size(start + length));
            emit(rw, "slice_scatter", both(), &[attr("dim"), attr("start"), end], ty)
        }
        "unbind.int" => {
            let at = ("index", size(Expr::int(index as i64)));
            emit(rw, "select_scatter", both(), &[attr("dim"), at], ty)
        }
        "split.Tensor"
        | "split.sizes"
        | "split_with_sizes"
        | "chunk"
        | "tensor_split.sections"
        | "tensor_split.indices" => {
            let dim: i64 = view.attr("dim");
            let at = tensor::normalize_dim(dim, rank).ok_or_else(refused)?;
            let (start, end) = split_at(view, index, at);
            let attrs = [attr("dim"), ("start", size(start)), ("end", size(end))];
            emit(rw, "slice_scatter", both(), &attrs, ty)
        }
        "view" | "reshape" | "flatten.using_ints" | "unflatten.int" | "squeeze" | "squeeze.dim"
        | "squeeze.dims" | "unsqueeze" | "view_as" | "reshape_as" | "ravel" | "_reshape_alias" => {
            let shape = Attr::List(shape.iter().cloned().map(size).collect());
            emit(rw, "view", vec![new.into()], &[("size", shape)], ty)
        }
        "view.dtype" => {
            let dtype = ty.dtype().ok_or_else(refused)?;
            emit(rw, "view.dtype", vec![new.into()], &[("dtype", dtype.to_attr())], ty)
        }
        "permute" => {
            let order: Vec<i64> = view.attr("dims");
            let mut back = vec![0; rank];
            for (i, from) in order.iter().enumerate() {
                back[tensor::normalize_dim(*from, rank).ok_or_else(refused)?] = i;
            }
            emit(rw, "permute", vec![new.into()], &[("dims", ints(back))], ty)
        }
        "transpose.int" | "swapdims" => {
            let attrs = [attr("dim0"), attr("dim1")];
            emit(rw, "transpose.int", vec![new.into()], &attrs, ty)
        }
        "swapaxes" => {
            let attrs = [attr("axis0"), attr("axis1")];
            emit(rw, "swapaxes", vec![new.into()], &attrs, ty)
        }
        "t" | "mT" | "numpy_T" => emit(rw, name, vec![new.into()], &[], ty),
        "movedim.int" | "movedim.intlist" | "moveaxis.int" | "moveaxis.intlist" => {
            let attrs = [("source", attr("destination").1), ("destination", attr("source").1)];
            emit(rw, name, vec![new.into()], &attrs, ty)
        }
        "view_as_real" => emit(rw, "view_as_complex", vec![new.into()], &[], ty),
        "view_as_complex" => emit(rw, "view_as_real", vec![new.into()], &[], ty),
        "real" | "imag" => {
            let other = if name == "real" { "imag" } else { "real" };
            let part = rw.new.ty(new).clone();
            let kept = emit(rw, other, vec![whole.into()], &[], part)?;
            let parts = if name == "real" { [new, kept] } else { [kept, new] };
            emit(rw, "complex", parts.map(Arg::from).to_vec(), &[], ty)
        }
        _ => Err(refused()),
    }
}
