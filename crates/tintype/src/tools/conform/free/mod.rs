//! What PyTorch leaves open: outputs that may differ from eager's and be as good.
//!
//! Two kinds are. The *position* that an unstable selection gives for an element which has equals,
//! and the *vectors* of a decomposition, of which the sign is free, and the basis where values are
//! equal. Neither is taken on trust: a position has to lead to the same element as eager's, and
//! vectors have to be orthonormal and give the matrix back.
//!
//! Which outputs these are follows from the exported operator itself, never from a test's name.

mod factors;
mod positions;

use catalog::Phase;
use ir::{Attr, Body, Function, HostTensor, HostValue, OutputKind, ValueId, View};
use toolchain::TargetCpu;

use super::lower;
use factors::{Matrices, are_eigen, are_singular};
use positions::lead_to_equals;

/// Operators one of whose results holds positions in dimension `dim` of `self`, in an order that is
/// documented as unspecified where elements are equal. The first occurrence is what `max.dim` and
/// `argmax` promise, so they are not here.
const SELECTIONS: [(&str, usize); 9] = [
    ("aten.argsort", 0),
    ("aten.argsort.stable", 0),
    ("aten.kthvalue", 1),
    ("aten.median.dim", 1),
    ("aten.mode", 1),
    ("aten.nanmedian.dim", 1),
    ("aten.sort", 1),
    ("aten.sort.stable", 1),
    ("aten.topk", 1),
];

/// The outputs of one case: ours and eager's.
pub(super) struct Outputs<'a> {
    pub(super) found: &'a [HostTensor],
    pub(super) eager: &'a [HostTensor],
}

/// Where an output comes from: a result of an op, its last two dimensions swapped or not.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Source {
    op: usize,
    result: usize,
    is_transposed: bool,
}

/// Whether these outputs of a case, all that differ from eager's, are as good as eager's.
/// `function` is the case alone and `args` are its arguments.
pub(super) fn as_good(
    function: &Function,
    args: &[HostValue],
    cpu: &TargetCpu,
    differing: &[usize],
    outputs: &Outputs<'_>,
) -> bool {
    let body = &function.body;
    let sources = sources(function);
    differing.iter().all(|output| {
        let Some(Some(source)) = sources.get(*output) else { return false };
        let (Some(found), Some(eager)) = (outputs.found.get(*output), outputs.eager.get(*output))
        else {
            return false;
        };
        if (found.dtype, &found.shape) != (eager.dtype, &eager.shape) {
            return false;
        }
        let view = View::of(body, &function.facts, &body.ops()[source.op]);
        let operand = |name: &str| value(function, view.operand(name), args, cpu);
        // The outputs that are results of the same op.
        let result = |result: usize| {
            let of = |it: &Option<Source>| {
                it.is_some_and(|it| (it.op, it.result) == (source.op, result))
            };
            let at = sources.iter().position(of)?;
            Some((outputs.found.get(at)?, sources[at]?.is_transposed))
        };
        let matrices = |n: usize| result(n).and_then(|it| Matrices::of(it.0, it.1));
        let values = |n: usize| result(n).map(|it| it.0);
        let name = view.op.def.0.name;
        match name {
            _ if SELECTIONS.contains(&(name, source.result)) => {
                let dim = || view.attr("dim");
                !is_stable(view)
                    && !source.is_transposed
                    && operand("self").is_some_and(|of| lead_to_equals(&of, dim(), found, eager))
            }
            // The old operator gives V, the others its transpose.
            "aten.svd" => {
                let right = matrices(2).map(|it| it.transposed());
                are_singular(operand("self"), matrices(0), values(1), right)
            }
            "aten.linalg_svd" | "aten._linalg_svd" => {
                are_singular(operand("A"), matrices(0), values(1), matrices(2))
            }
            "aten.linalg_eigh" | "aten._linalg_eigh" => {
                let input = if name == "aten.linalg_eigh" { "self" } else { "A" };
                let half: String = view.attr("UPLO");
                are_eigen(operand(input), &half, values(0), matrices(1))
            }
            _ => false,
        }
    })
}

/// Whether a selection promises the order of equals.
fn is_stable(view: View<'_>) -> bool {
    ["aten.argsort.stable", "aten.sort.stable"].contains(&view.op.def.0.name)
        && *view.raw_attr("stable") == Attr::Bool(true)
}

/// For each output that the caller sees, where it comes from.
fn sources(function: &Function) -> Vec<Option<Source>> {
    let body = &function.body;
    let makers = body.defining_ops();
    let outputs = function.outputs.iter().zip(&body.root.yields);
    let given = outputs.filter(|it| !matches!(it.0.kind, OutputKind::Mutates(_)));
    given.map(|it| source(body, function, &makers, *it.1)).collect()
}

/// Follows a value through what only swaps matrices' dimensions or nothing at all.
fn source(
    body: &Body,
    function: &Function,
    makers: &[Option<usize>],
    mut value: ValueId,
) -> Option<Source> {
    let mut is_transposed = false;
    loop {
        let op = makers[value.index()]?;
        let view = View::of(body, &function.facts, &body.ops()[op]);
        let rank = view.tensor(value).ok()?.rank();
        let real = view.tensor(value).ok()?.dtype.kind() != ir::DTypeKind::Complex;
        let dim = |it: i64| usize::try_from(if it < 0 { it + rank as i64 } else { it }).ok();
        let swaps = match view.op.def.0.name {
            "aten.alias" | "aten.detach" | "aten.clone" => false,
            "aten.conj" if real => false,
            "aten.t" => rank == 2,
            "aten.mT" => true,
            "aten.mH" | "aten.adjoint" if real => true,
            "aten.transpose.int" => {
                let (a, b) = (dim(view.attr("dim0"))?, dim(view.attr("dim1"))?);
                if a.min(b) + 2 != rank || a.max(b) + 1 != rank {
                    return None;
                }
                true
            }
            "aten.permute" => {
                let order: Vec<i64> = view.attr("dims");
                let order: Vec<usize> = order.into_iter().map(dim).collect::<Option<_>>()?;
                let mut swapped: Vec<usize> = (0..rank).collect();
                if 2 <= rank {
                    swapped.swap(rank - 2, rank - 1);
                }
                match order.is_sorted() {
                    true => false,
                    false if order == swapped => true,
                    false => return None,
                }
            }
            _ => {
                let result = view.op.results().position(|it| it == value)?;
                return Some(Source { op, result, is_transposed });
            }
        };
        is_transposed ^= swaps;
        value = view.operand("self");
    }
}

/// The value of a tensor in a run of the case, by the interpreter.
fn value(
    function: &Function,
    value: ValueId,
    args: &[HostValue],
    cpu: &TargetCpu,
) -> Option<HostTensor> {
    let mut alone = function.clone();
    let output = ir::Output {
        name: "value".to_owned(),
        kind: OutputKind::User,
        ty: function.body.ty(value).clone(),
    };
    (alone.outputs, alone.body.root.yields) = (vec![output], vec![value]);
    let (unit, _) = lower::run(alone, cpu, Phase::Aten, None).ok()?;
    let results = interp::run(unit.main()?, args, &Default::default()).ok()?;
    results.into_iter().next()?.tensor().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluates nothing but what `text` takes.
    fn good(text: &str, arg: HostTensor, found: &[HostTensor], eager: &[HostTensor]) -> bool {
        let mut functions = ir::parse_module("test", text, catalog::ops()).unwrap();
        let function = functions.swap_remove(0);
        let differs = |i: &usize| *found[*i].bytes != *eager[*i].bytes;
        let differing: Vec<usize> = (0..found.len()).filter(differs).collect();
        let outputs = Outputs { found, eager };
        let args = [HostValue::Tensor(arg)];
        as_good(&function, &args, &TargetCpu::Baseline, &differing, &outputs)
    }

    fn sort(op: &str, attrs: &str) -> String {
        format!(
            "func @main {{
  %0 = param user \"x\" : f32[4]<1>
  %1, %2 = {op} %0 {{{attrs}}} : f32[4]<1>, i64[4]<1>
  output user \"a\" %1 : f32[4]<1>
  output user \"b\" %2 : i64[4]<1>
}}
"
        )
    }

    fn ints(values: &[i64]) -> HostTensor {
        let elems = values.iter().map(|it| ir::scalar::Elem::Int(i128::from(*it)));
        HostTensor::from_elems(ir::DType::I64, vec![values.len() as i64], elems)
    }

    #[test]
    fn only_positions_of_equals_of_an_unstable_sort_may_differ() {
        let x = HostTensor::from_f32(vec![4], &[2.0, 1.0, 2.0, f32::NAN]);
        let sorted = HostTensor::from_f32(vec![4], &[1.0, 2.0, 2.0, f32::NAN]);
        let check = |text: &str, found: &[i64]| {
            let found = [sorted.clone(), ints(found)];
            good(text, x.clone(), &found, &[sorted.clone(), ints(&[1, 0, 2, 3])])
        };
        let unstable = sort("aten.sort", "dim = 0, descending = false");
        assert!(check(&unstable, &[1, 2, 0, 3]));
        // Another element, one twice, and one that is not there.
        assert!(!check(&unstable, &[0, 1, 2, 3]) && !check(&unstable, &[1, 2, 2, 3]));
        assert!(!check(&unstable, &[1, 0, 2, 4]) && !check(&unstable, &[1, 0, -2, 3]));
        let with = |stable: &str| {
            sort("aten.sort.stable", &format!("stable = {stable}, dim = 0, descending = false"))
        };
        assert!(!check(&with("true"), &[1, 2, 0, 3]) && check(&with("false"), &[1, 2, 0, 3]));
    }

    #[test]
    fn singular_vectors_are_free_in_sign_and_have_to_give_the_matrix_back() {
        let text = "func @main {
  %0 = param user \"x\" : f32[2, 2]<2, 1>
  %1, %2, %3 = aten._linalg_svd %0 {full_matrices = false, compute_uv = true} : f32[2, 2]<1, 2>, f32[2]<1>, f32[2, 2]<1, 2>
  %4 = aten.permute %3 {dims = [1, 0]} : f32[2, 2]<2, 1>
  output user \"u\" %1 : f32[2, 2]<1, 2>
  output user \"s\" %2 : f32[2]<1>
  output user \"v\" %4 : f32[2, 2]<2, 1>
}
";
        let matrix = |it: &[f32]| HostTensor::from_f32(vec![2, 2], it);
        let x = matrix(&[0.0, 3.0, 2.0, 0.0]);
        let s = HostTensor::from_f32(vec![2], &[3.0, 2.0]);
        let eager = [matrix(&[1.0, 0.0, 0.0, 1.0]), s.clone(), matrix(&[0.0, 1.0, 1.0, 0.0])];
        let check = |u: &[f32], v: &[f32]| {
            good(text, x.clone(), &[matrix(u), s.clone(), matrix(v)], &eager)
        };
        assert!(check(&[-1.0, 0.0, 0.0, 1.0], &[0.0, 1.0, -1.0, 0.0]));
        // One sign alone, vectors of another length, the transpose.
        assert!(!check(&[-1.0, 0.0, 0.0, 1.0], &[0.0, 1.0, 1.0, 0.0]));
        assert!(!check(&[2.0, 0.0, 0.0, 1.0], &[0.0, 1.0, 0.5, 0.0]));
        assert!(!check(&[-1.0, 0.0, 0.0, 1.0], &[0.0, -1.0, 1.0, 0.0]));
    }
}
