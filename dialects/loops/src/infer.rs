//! The typing rule of every operation in `ops`, each stated once.

use ir::{Attr, AttrTy, DType, Result, TensorType, Type, ValueId, View as OpView};
use sym::Expr;

use crate::{
    PANEL,
    ops::{
        Attention, Bitcast, Conv2d, Fold, For, Gemm, Kernel, Linalg, Load, Pack, Reduce, Sort,
        Store, View,
    },
};

type Types = Result<Vec<Type>>;

/// The types an `outs` attribute lists.
fn outs(view: OpView<'_>, attr: &Attr) -> Types {
    Vec::<Type>::of_attr(attr)
        .filter(|it| it.iter().all(|it| it.as_tensor().is_some_and(|it| it.strides.is_some())))
        .ok_or_else(|| view.error("`outs` is not a list of tensor types with strides"))
}

fn scalar(view: OpView<'_>, value: ValueId) -> Result<DType> {
    match view.ty(value) {
        Type::Scalar(it) => Ok(*it),
        ty => Err(view.error(format!("{value} is {ty}, not a scalar"))),
    }
}

pub(crate) fn nothing(_: OpView<'_>) -> Types {
    Ok(Vec::new())
}

pub(crate) fn kernel(view: OpView<'_>) -> Types {
    outs(view, &Kernel(view).outs())
}

/// The region's parameters must be these.
fn region_params(view: OpView<'_>, want: &[Type]) -> Result<()> {
    let region = view.region(0)?;
    let found: Vec<Type> = region.params.iter().map(|it| view.ty(*it).clone()).collect();
    match found == want {
        true => Ok(()),
        false => Err(view.error("C2: the region's parameters are not its inputs and outputs")),
    }
}

fn axes_match(view: OpView<'_>, axes: usize, extents: usize) -> Result<()> {
    match axes == extents {
        true => Ok(()),
        false => Err(view.error(format!("C1: {axes} axes with {extents} extents"))),
    }
}

pub(crate) fn verify_kernel(view: OpView<'_>) -> Result<()> {
    let it = Kernel(view);
    axes_match(view, it.axes().len(), it.extents().len())?;
    let mut want: Vec<Type> = it.inputs().iter().map(|it| view.ty(*it).clone()).collect();
    let made = outs(view, &it.outs())?;
    if let Some(input) = it.in_place() {
        let input = usize::try_from(input).ok().and_then(|it| want.get(it));
        if made.len() != 1 || made.first() != input {
            return Err(view.error("C3: what is written in place has another type"));
        }
    }
    want.extend(made);
    region_params(view, &want)
}

pub(crate) fn reduce(view: OpView<'_>) -> Types {
    let region = view.region(0)?;
    let kinds = Reduce(view).kinds();
    if kinds.len() != region.yields.len() {
        return Err(view.error(format!(
            "C1: {} kinds for {} yields",
            kinds.len(),
            region.yields.len()
        )));
    }
    let one = |(kind, value): (&String, &ValueId)| {
        let dtype = scalar(view, *value)?;
        match kind.as_str() {
            "sum" | "prod" => Ok(Type::Scalar(dtype)),
            "max" | "min" if !dtype.is_complex() => Ok(Type::Scalar(dtype)),
            "any" | "all" if dtype == DType::Bool => Ok(Type::Scalar(dtype)),
            "argmax" | "argmin" if !dtype.is_complex() => Ok(Type::Scalar(DType::I64)),
            kind => Err(view.error(format!("no kind of reduction on {dtype} is called `{kind}`"))),
        }
    };
    kinds.iter().zip(&region.yields).map(one).collect()
}

pub(crate) fn verify_reduce(view: OpView<'_>) -> Result<()> {
    let it = Reduce(view);
    axes_match(view, it.axes().len(), it.extents().len())
}

pub(crate) fn verify_loop(view: OpView<'_>) -> Result<()> {
    let it = For(view);
    axes_match(view, it.axes().len(), it.extents().len())
}

pub(crate) fn fold(view: OpView<'_>) -> Types {
    Ok(Fold(view).init().iter().map(|it| view.ty(*it).clone()).collect())
}

pub(crate) fn verify_fold(view: OpView<'_>) -> Result<()> {
    let region = view.region(0)?;
    let types =
        |it: &[ValueId]| -> Vec<Type> { it.iter().map(|it| view.ty(*it).clone()).collect() };
    let init = types(&Fold(view).init());
    match types(&region.params) == init && types(&region.yields) == init {
        true => Ok(()),
        false => Err(view.error("C1: what is carried changes its type")),
    }
}

fn place(view: OpView<'_>, t: ValueId, at: &[Expr]) -> Result<DType> {
    let ty = view.tensor(t)?;
    match ty.rank() == at.len() {
        true => Ok(ty.dtype),
        false => Err(view.error(format!("C1: {} indices into {ty}", at.len()))),
    }
}

fn mask(view: OpView<'_>, mask: Option<ValueId>) -> Result<()> {
    match mask.map(|it| scalar(view, it)).transpose()? {
        None | Some(DType::Bool) => Ok(()),
        Some(it) => Err(view.error(format!("the mask is {it}, not bool"))),
    }
}

pub(crate) fn load(view: OpView<'_>) -> Types {
    let it = Load(view);
    mask(view, it.mask())?;
    place(view, it.t(), &it.at()).map(|it| vec![Type::Scalar(it)])
}

pub(crate) fn store(view: OpView<'_>) -> Types {
    let it = Store(view);
    mask(view, it.mask())?;
    let dtype = place(view, it.t(), &it.at())?;
    let value = scalar(view, it.value())?;
    if !matches!(it.mode().as_str(), "set" | "add" | "mul" | "max" | "min") {
        return Err(view.error(format!("no mode is called `{}`", it.mode())));
    }
    match dtype == value {
        true => Ok(Vec::new()),
        false => Err(view.error(format!("C2: {value} is stored to {dtype}"))),
    }
}

pub(crate) fn scalar_of_dtype(view: OpView<'_>) -> Types {
    for it in view.op.operands() {
        scalar(view, it)?;
    }
    Ok(vec![Type::Scalar(view.attr("dtype"))])
}

pub(crate) fn fold_cast(view: OpView<'_>) -> Option<ValueId> {
    let x = view.operand("x");
    (view.ty(x).dtype() == Some(view.attr("dtype"))).then_some(x)
}

pub(crate) fn bitcast(view: OpView<'_>) -> Types {
    let it = Bitcast(view);
    let from = scalar(view, it.x())?;
    match from.size() == it.dtype().size() {
        true => Ok(vec![Type::Scalar(it.dtype())]),
        false => Err(view.error(format!("{from} and {} differ in width", it.dtype()))),
    }
}

pub(crate) fn bound(view: OpView<'_>) -> Types {
    mask(view, view.optional("mask"))?;
    match scalar(view, view.operand("x"))? {
        DType::I64 => Ok(vec![Type::Scalar(DType::I64)]),
        it => Err(view.error(format!("an index is i64, not {it}"))),
    }
}

fn strided(view: OpView<'_>, ty: Type) -> Types {
    match ty.as_tensor().is_some_and(|it| it.strides.is_some()) {
        true => Ok(vec![ty]),
        false => Err(view.error(format!("{ty} is not a tensor type with strides"))),
    }
}

pub(crate) fn view(view: OpView<'_>) -> Types {
    let it = View(view);
    view.tensor(it.x())?;
    strided(view, it.ty())
}

pub(crate) fn pack(view: OpView<'_>) -> Types {
    let it = Pack(view);
    let w = view.tensor(it.w())?;
    let Some(shape) = w.static_shape() else {
        return Err(view.error(format!("{w} has sizes that are not known")));
    };
    let up = |it: i64, to: i64| (it + to - 1) / to * to;
    let groups = it.groups().max(1);
    let count = match (it.kind().as_str(), &shape[..]) {
        ("gemm_b", [k, n]) => up(*n, PANEL) * k,
        ("conv2d", [o, c, h, w]) => groups * up(o / groups, PANEL) * c * h * w,
        ("depthwise2d", [c, 1, h, w]) => c * h * w,
        (kind, _) => return Err(view.error(format!("{w} cannot be packed as `{kind}`"))),
    };
    Ok(vec![Type::Tensor(TensorType::contiguous(w.dtype, vec![Expr::int(count)]))])
}

/// What the epilogue's parameters must be.
fn epilogue(view: OpView<'_>, acc: DType, inputs: &[ValueId], results: &[Type]) -> Result<()> {
    let mut want = vec![Type::Scalar(acc)];
    want.extend(inputs.iter().map(|it| view.ty(*it).clone()));
    want.extend(results.iter().cloned());
    region_params(view, &want)
}

/// Whether products and attention take operands of a type: float32, and half types, which they
/// widen as they read them. Only what is packed for a product is float32 always.
pub fn multiplies(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::BF16 | DType::F16)
}

pub(crate) fn gemm(view: OpView<'_>) -> Types {
    let it = Gemm(view);
    let (a, b) = (view.tensor(it.a())?, view.tensor(it.b())?);
    let fits = match it.n() {
        Some(_) => b.rank() == 1 && b.dtype == DType::F32,
        None => b.rank() == 3 && multiplies(b.dtype),
    };
    if a.rank() != 3 || !fits || !multiplies(a.dtype) {
        return Err(view.error(format!("the product of {a} and {b}")));
    }
    let results = outs(view, &it.outs())?;
    epilogue(view, DType::F32, &it.inputs(), &results)?;
    Ok(results)
}

pub(crate) fn conv2d(view: OpView<'_>) -> Types {
    let it = Conv2d(view);
    let (x, w) = (view.tensor(it.x())?, view.tensor(it.w())?);
    let pairs = [it.kernel(), it.stride(), it.low(), it.high(), it.dilation()];
    if x.rank() != 4
        || w.rank() != 1
        || pairs.iter().any(|it| it.len() != 2)
        || x.dtype != DType::F32
    {
        return Err(view.error(format!("the convolution of {x} with {w}")));
    }
    let results = outs(view, &it.outs())?;
    epilogue(view, DType::F32, &it.inputs(), &results)?;
    Ok(results)
}

pub(crate) fn attention(view: OpView<'_>) -> Types {
    let it = Attention(view);
    let dtype = view.tensor(it.q())?.dtype;
    for value in [it.q(), it.k(), it.v()] {
        let ty = view.tensor(value)?;
        if ty.rank() != 4 || ty.dtype != dtype || !multiplies(dtype) {
            return Err(view.error(format!("attention over {ty}")));
        }
    }
    if let Some(mask) = it.mask() {
        let ty = view.tensor(mask)?;
        if ty.dtype != dtype && ty.dtype != DType::Bool {
            return Err(view.error(format!("a mask of {ty} for attention over {dtype}")));
        }
    }
    if it.out().dtype() != Some(dtype) {
        return Err(view.error(format!("a result of {} of attention over {dtype}", it.out())));
    }
    strided(view, it.out())
}

pub(crate) fn linalg(view: OpView<'_>) -> Types {
    let it = Linalg(view);
    if ir::linalg::Factor::parse(&it.kind()).is_none() {
        return Err(view.error(format!("no factor is called `{}`", it.kind())));
    }
    for x in it.xs() {
        let ty = view.tensor(x)?;
        if *ty != TensorType::contiguous(ty.dtype, ty.shape.to_vec()) {
            return Err(view.error(format!("{ty} is not row-major")));
        }
    }
    outs(view, &it.outs())
}

pub(crate) fn sort(view: OpView<'_>) -> Types {
    let it = Sort(view);
    view.tensor(it.x())?;
    outs(view, &it.outs())
}
