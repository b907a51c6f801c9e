//! Casts of autocast on the CPU: which operators compute in its lower precision, which in float32, and
//! which in the widest dtype of what they take.
//!
//! The archive says what a region that runs under autocast gives, and not where it casts: the lists do,
//! which are those of PyTorch's kernels for `AutocastCPU`. Operators that are in none compute in what
//! they are given.

use ir::{Arg, Attr, DType, DTypeKind, TensorType, Type, ValueId};

use super::{
    Importer, Making,
    arguments::{Refusal, with_defaults},
};
use crate::schema::{Argument, ScalarType};

/// What autocast casts an operator's tensors to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Policy {
    /// Its own dtype.
    Lower,
    /// float32.
    Float,
    /// float32 if there is one among them, else its own.
    Widest,
}

const LOWER: &[&str] = &[
    "_addmm_activation",
    "_convolution.deprecated",
    "_native_multi_head_attention",
    "addbmm",
    "addmm",
    "baddbmm",
    "bmm",
    "conv1d",
    "conv1d.padding",
    "conv2d",
    "conv2d.padding",
    "conv3d",
    "conv3d.padding",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d.input",
    "conv_transpose3d.input",
    "linalg_vecdot",
    "linear",
    "matmul",
    "mm",
    "prelu",
    "scaled_dot_product_attention",
];

const WIDEST: &[&str] = &["cat", "index_copy", "stack"];

const FLOAT: &[&str] = &[
    "adaptive_avg_pool3d",
    "adaptive_max_pool3d",
    "avg_pool3d",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cdist",
    "cholesky_inverse",
    "cholesky_solve",
    "cosine_embedding_loss",
    "cross_entropy_loss",
    "ctc_loss.IntList",
    "ctc_loss.Tensor",
    "fake_quantize_per_tensor_affine",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "geqrf",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "_grid_sampler_2d_cpu_fallback",
    "hinge_embedding_loss",
    "huber_loss",
    "inverse",
    "kl_div",
    "l1_loss",
    "_lu_with_info",
    "lu_solve",
    "margin_ranking_loss",
    "max_pool3d",
    "max_unpool2d",
    "max_unpool3d",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_margin_loss_forward",
    "nanquantile",
    "nanquantile.scalar",
    "nll_loss",
    "nll_loss2d",
    "orgqr",
    "ormqr",
    "pinverse",
    "poisson_nll_loss",
    "polar",
    "prod",
    "prod.dim_int",
    "quantile",
    "quantile.scalar",
    "reflection_pad1d",
    "reflection_pad2d",
    "replication_pad1d",
    "replication_pad2d",
    "replication_pad3d",
    "smooth_l1_loss",
    "soft_margin_loss",
    "stft",
    "stft.center",
    "svd",
    "trace",
    "triangular_solve",
    "triplet_margin_loss",
    "view_as_complex",
];

/// Whole families that compute in float32, but for what [`LOWER`] has of them.
const FLOAT_FAMILIES: &[(&str, &[&str])] = &[
    (
        "fft_",
        &[
            "fft", "fft2", "fftn", "hfft", "ifft", "ifft2", "ifftn", "ihfft", "irfft", "irfft2",
            "irfftn", "rfft", "rfft2", "rfftn",
        ],
    ),
    (
        "linalg_",
        &[
            "cholesky",
            "cholesky_ex",
            "cond",
            "cond.p_str",
            "eig",
            "eigh",
            "eigvals",
            "eigvalsh",
            "householder_product",
            "inv",
            "inv_ex",
            "lstsq",
            "matrix_rank",
            "matrix_rank.atol_rtol_float",
            "matrix_rank.atol_rtol_tensor",
            "matrix_rank.tol_tensor",
            "qr",
            "solve",
            "svd",
            "svdvals",
            "tensorinv",
            "tensorsolve",
        ],
    ),
];

/// Operators that are made of others, which the lists have.
const MADE_OF_LOWER: &[&str] =
    &["chain_matmul", "einsum", "inner", "linalg_multi_dot", "tensordot"];

fn policy(name: &str, attrs: &[Attr]) -> Option<Policy> {
    let name = name.strip_suffix(".default").unwrap_or(name);
    let in_family = || {
        FLOAT_FAMILIES
            .iter()
            .any(|(prefix, names)| name.strip_prefix(prefix).is_some_and(|it| names.contains(&it)))
    };
    let mode = |mode: &str| attrs.iter().any(|it| matches!(it, Attr::Str(it) if it == mode));
    if name == "pad" {
        return (mode("reflect") || mode("replicate")).then_some(Policy::Float);
    }
    if LOWER.contains(&name) || MADE_OF_LOWER.contains(&name) {
        return Some(Policy::Lower);
    }
    if WIDEST.contains(&name) {
        return Some(Policy::Widest);
    }
    (FLOAT.contains(&name) || in_family()).then_some(Policy::Float)
}

/// What a region computes in that begins with this dtype: without one, autocast's own on the CPU.
/// None where it is no dtype that autocast takes there.
pub(super) fn lower_dtype(it: &Argument) -> Option<DType> {
    match it {
        Argument::None(_) | Argument::ScalarType(ScalarType::BF16) => Some(DType::BF16),
        Argument::ScalarType(ScalarType::F16) => Some(DType::F16),
        _ => None,
    }
}

/// Autocast leaves numbers that are not floating, and float64, as they are.
fn is_cast(ty: &Type) -> bool {
    ty.as_tensor().is_some_and(|it| it.dtype.kind() == DTypeKind::Float && it.dtype != DType::F64)
}

impl Importer<'_> {
    /// The operands of an operator as autocast gives them to it, if this place is under autocast.
    pub(super) fn autocast(
        &mut self,
        making: &mut Making<'_>,
        name: &str,
        args: Vec<Arg>,
        attrs: &[Attr],
    ) -> Result<Vec<Arg>, Refusal> {
        let (Some(lower), Some(policy)) = (self.autocast, policy(name, attrs)) else {
            return Ok(args);
        };
        let dtype = match policy {
            Policy::Lower => lower,
            Policy::Float => DType::F32,
            Policy::Widest => {
                let values = args.iter().flat_map(Arg::values);
                let mut types = values.map(|it| making.builder.ty(it)).filter(|it| is_cast(it));
                match types.any(|it| it.dtype() == Some(DType::F32)) {
                    true => DType::F32,
                    false => lower,
                }
            }
        };
        let mut cast = |it: ValueId| self.cast(making, it, dtype);
        let one = |it: Arg| {
            Ok(match it {
                Arg::Value(it) => Arg::Value(cast(it)?),
                Arg::List(it) => {
                    let items = it.into_iter().map(|it| it.map(&mut cast).transpose());
                    Arg::List(items.collect::<Result<_, Refusal>>()?)
                }
                Arg::None => Arg::None,
            })
        };
        args.into_iter().map(one).collect()
    }

    fn cast(
        &mut self,
        making: &mut Making<'_>,
        it: ValueId,
        dtype: DType,
    ) -> Result<ValueId, Refusal> {
        let ty = making.builder.ty(it).clone();
        let from = ty.as_tensor().filter(|it| it.dtype != dtype && is_cast(&ty));
        let Some(from) = from.cloned() else { return Ok(it) };
        let ty = Type::Tensor(TensorType { dtype, ..from });
        let (op, attrs) = with_defaults("to.dtype", ("dtype", Attr::DType(dtype)))?;
        match making.builder.push_stated(op, vec![it.into()], attrs, Some(vec![ty])).as_deref() {
            Ok([it]) => Ok(*it),
            _ => Err(Refusal::Unfit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_the_lists_have_schemas_or_are_refused() {
        let (wrapped, mirrored) = (Attr::Str("circular".into()), Attr::Str("reflect".into()));
        assert_eq!(policy("pad", &[mirrored]), Some(Policy::Float));
        assert_eq!(policy("pad", &[wrapped]), None);
        // Names that no table of operators has would never apply; a few are not supported at all.
        let known = LOWER.iter().chain(WIDEST).filter(|it| aten::lookup(it).is_some());
        assert!(25 < known.count() + FLOAT.iter().filter(|it| aten::lookup(it).is_some()).count());
        assert_eq!(policy("linear", &[]), Some(Policy::Lower));
        assert_eq!(policy("linear.default", &[]), Some(Policy::Lower));
        assert_eq!(policy("fft_rfft", &[]), Some(Policy::Float));
        assert_eq!(policy("linalg_vecdot.default", &[]), Some(Policy::Lower));
        assert_eq!(policy("layer_norm.default", &[]), None);
    }
}
