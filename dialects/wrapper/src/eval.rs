//! What statements do: tensors are slices of real bytes, so that two which overlap while both are
//! needed give a wrong value.

use ir::{DType, EvalCx, EvalError, HostTensor, HostValue, Memory, TensorType, Type, ValueId};
use sym::Expr;

use crate::ops;

type Eval<T> = std::result::Result<T, EvalError>;
type Evaluated = Eval<Vec<HostValue>>;

fn error(message: impl Into<String>) -> EvalError {
    EvalError(message.into())
}

/// The `i`-th operand.
fn operand<'a>(cx: &EvalCx<'a>, i: usize) -> Eval<&'a HostValue> {
    cx.operands.get(i).ok_or_else(|| error("an operand is missing"))
}

fn sizes<'a>(cx: &EvalCx<'_>, exprs: impl IntoIterator<Item = &'a Expr>) -> Eval<Vec<i64>> {
    exprs.into_iter().map(|it| (cx.size)(it)).collect()
}

/// The sizes and strides of a type.
fn layout(cx: &EvalCx<'_>, ty: &TensorType) -> Eval<(Vec<i64>, Vec<i64>)> {
    let strides = ty.strides.as_deref().ok_or_else(|| error(format!("{ty} has no strides")))?;
    Ok((sizes(cx, ty.shape.iter())?, sizes(cx, strides)?))
}

fn tensor_type(ty: &Type) -> Eval<&TensorType> {
    ty.as_tensor().ok_or_else(|| error(format!("{ty} is not a tensor")))
}

/// The memory of an operand. A parameter that was given as a value is put into memory, where it
/// stays.
fn memory(cx: &EvalCx<'_>, id: ValueId, value: &HostValue) -> Eval<Memory> {
    if let HostValue::Memory(it) = value {
        return Ok(it.clone());
    }
    let (shape, strides) = layout(cx, tensor_type(cx.view.ty(id))?)?;
    let res = Memory::given(&value.tensor()?, shape, strides)?;
    (cx.set)(id, HostValue::Memory(res.clone()));
    Ok(res)
}

fn new(cx: &EvalCx<'_>, ty: &Type) -> Eval<HostValue> {
    let ty = tensor_type(ty)?;
    let (shape, strides) = layout(cx, ty)?;
    Ok(HostValue::Memory(Memory::new(ty.dtype, shape, strides)?))
}

fn give(cx: &EvalCx<'_>, index: i64, value: HostValue) -> Evaluated {
    let index = usize::try_from(index).ok().filter(|it| *it < 1 << 16);
    let index = index.ok_or_else(|| error("an output's number is out of range"))?;
    let mut given = cx.given.borrow_mut();
    let count = given.len().max(index + 1);
    given.resize(count, None);
    match given[index].replace(value) {
        None => Ok(Vec::new()),
        Some(_) => Err(error(format!("output {index} is handed over twice"))),
    }
}

pub(crate) fn nothing(_: &EvalCx<'_>) -> Evaluated {
    Ok(Vec::new())
}

pub(crate) fn same(cx: &EvalCx<'_>) -> Evaluated {
    Ok(vec![operand(cx, 0)?.clone()])
}

pub(crate) fn check_tensor(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::CheckTensor(cx.view);
    let (ty, found) = (tensor_type(cx.view.ty(it.x()))?, operand(cx, 0)?.tensor()?);
    match ty.dtype == found.dtype && ty.rank() == found.shape.len() {
        true => Ok(Vec::new()),
        false => Err(error(format!("{ty} was given {}{:?}", found.dtype, found.shape))),
    }
}

fn dim(cx: &EvalCx<'_>, dim: i64) -> Eval<i64> {
    let shape = operand(cx, 0)?.tensor()?.shape;
    let found = usize::try_from(dim).ok().and_then(|it| shape.get(it).copied());
    found.ok_or_else(|| error(format!("there is no dimension {dim}")))
}

pub(crate) fn bind(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Bind(cx.view);
    let (factor, scaled) = (it.factor(), dim(cx, it.dim())?.checked_sub((cx.size)(&it.rest())?));
    match scaled {
        Some(scaled) if factor != 0 && scaled % factor == 0 => {
            (cx.bind)(&it.symbol(), sym::Number::Int(scaled / factor))?;
            Ok(Vec::new())
        }
        _ => Err(error(format!("{} has no whole value", it.symbol()))),
    }
}

pub(crate) fn bind_item(cx: &EvalCx<'_>) -> Evaluated {
    let tensor = operand(cx, 0)?.tensor()?;
    match tensor.numel() {
        1 => {
            ir::control::bind(cx, &ops::BindItem(cx.view).symbol(), tensor.elem(0))?;
            Ok(Vec::new())
        }
        count => Err(error(format!("{count} elements where one is needed"))),
    }
}

pub(crate) fn size(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Size(cx.view);
    (cx.bind)(&it.symbol(), sym::Number::Int((cx.size)(&it.value())?))?;
    Ok(Vec::new())
}

pub(crate) fn check_dim(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::CheckDim(cx.view);
    let (found, expected) = (dim(cx, it.dim())?, (cx.size)(&it.size())?);
    match found == expected {
        true => Ok(Vec::new()),
        false => Err(error(format!("dimension {} is {found}, not {expected}", it.dim()))),
    }
}

pub(crate) fn assert(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Assert(cx.view);
    match (cx.size)(&it.cond())? {
        0 => Err(error(it.message())),
        _ => Ok(Vec::new()),
    }
}

pub(crate) fn arena(cx: &EvalCx<'_>) -> Evaluated {
    let size = (cx.size)(&ops::Arena(cx.view).size())?;
    Ok(vec![HostValue::Memory(Memory::bytes(size)?)])
}

pub(crate) fn slice(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Slice(cx.view);
    let HostValue::Memory(arena) = operand(cx, 0)? else {
        return Err(error("what is sliced is no arena"));
    };
    let ty = it.ty();
    let ty = tensor_type(&ty)?;
    let (shape, strides) = layout(cx, ty)?;
    let offset = (cx.size)(&it.offset())?;
    Ok(vec![HostValue::Memory(arena.part(offset, ty.dtype, shape, strides)?)])
}

pub(crate) fn alloc(cx: &EvalCx<'_>) -> Evaluated {
    Ok(vec![new(cx, &ops::Alloc(cx.view).ty())?])
}

pub(crate) fn output_alloc(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::OutputAlloc(cx.view);
    let made = new(cx, &it.ty())?;
    give(cx, it.index(), made.clone())?;
    Ok(vec![made])
}

pub(crate) fn view(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::View(cx.view);
    let base = memory(cx, it.x(), operand(cx, 0)?)?;
    Ok(vec![HostValue::Memory(part(cx, &base, &it.ty(), &it.offset())?)])
}

/// A view that begins `offset` elements of the base behind the base.
fn part(cx: &EvalCx<'_>, base: &Memory, ty: &Type, offset: &Expr) -> Eval<Memory> {
    let ty = tensor_type(ty)?;
    let (shape, strides) = layout(cx, ty)?;
    let bytes = (cx.size)(offset)?.checked_mul(base.dtype().size() as i64);
    let bytes = bytes.ok_or_else(|| error("an offset that is too large"))?;
    base.part(bytes, ty.dtype, shape, strides)
}

pub(crate) fn call(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Call(cx.view);
    let (inputs, outputs) = (it.inputs(), it.outputs());
    if cx.operands.len() != inputs.len() + outputs.len() {
        return Err(error("an operand is missing"));
    }
    let (given, written) = cx.operands.split_at(inputs.len());
    let args = given.iter().map(|it| it.tensor().map(HostValue::Tensor));
    let results = (cx.call)(&it.kernel().0, &args.collect::<Eval<Vec<_>>>()?)?;
    if results.len() != outputs.len() {
        return Err(error(format!("{} gave {} results", it.kernel().0, results.len())));
    }
    for ((id, value), result) in outputs.iter().zip(written).zip(results) {
        memory(cx, *id, value)?.write(&result.tensor()?)?;
    }
    Ok(Vec::new())
}

pub(crate) fn output_input(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::OutputInput(cx.view);
    let x = memory(cx, it.x(), operand(cx, 0)?)?;
    give(cx, it.index(), HostValue::Memory(x))
}

pub(crate) fn output_view(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::OutputView(cx.view);
    let base = memory(cx, it.x(), operand(cx, 0)?)?;
    let part = part(cx, &base, &it.ty(), &it.offset())?;
    give(cx, it.index(), HostValue::Memory(part))
}

pub(crate) fn output_same(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::OutputSame(cx.view);
    let other = given(cx, it.other())?;
    give(cx, it.index(), other)
}

pub(crate) fn output_alias(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::OutputAlias(cx.view);
    let HostValue::Memory(base) = given(cx, it.other())? else {
        return Err(error("the other output is no memory"));
    };
    let part = part(cx, &base, &it.ty(), &it.offset())?;
    give(cx, it.index(), HostValue::Memory(part))
}

/// An output that was handed over before.
fn given(cx: &EvalCx<'_>, index: i64) -> Eval<HostValue> {
    let index = usize::try_from(index).ok();
    let found = index.and_then(|it| cx.given.borrow().get(it).cloned().flatten());
    found.ok_or_else(|| error("the other output is not handed over"))
}

/// In a body, what the caller copies into its own memory.
pub(crate) fn result(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Result(cx.view);
    let made = new(cx, &it.ty())?;
    give(cx, it.index(), made.clone())?;
    Ok(vec![made])
}

/// The operands, one list per declared operand.
fn lists<'a>(cx: &EvalCx<'a>) -> Eval<Vec<&'a [HostValue]>> {
    let mut rest = cx.operands;
    let mut res = Vec::new();
    for arg in &cx.view.op.args {
        let count = arg.values().count();
        let (list, after) =
            rest.split_at_checked(count).ok_or_else(|| error("an operand is missing"))?;
        res.push(list);
        rest = after;
    }
    Ok(res)
}

/// Calls a body with what its operands hold now, and writes what it gives.
fn call_body(
    cx: &EvalCx<'_>,
    body: &str,
    operands: impl IntoIterator<Item = HostValue>,
    results: &[HostValue],
) -> Eval<()> {
    let args = operands.into_iter().map(|it| it.tensor().map(HostValue::Tensor));
    let given = (cx.call)(body, &args.collect::<Eval<Vec<_>>>()?)?;
    if given.len() != results.len() {
        return Err(error(format!("@{body} gave {} results", given.len())));
    }
    results.iter().zip(given).try_for_each(|(to, from)| write(to, &from))
}

fn write(to: &HostValue, from: &HostValue) -> Eval<()> {
    match to {
        HostValue::Memory(it) => it.write(&from.tensor()?),
        _ => Err(error("a result that has no memory")),
    }
}

pub(crate) fn cond(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Cond(cx.view);
    let [pred, operands, results] = lists(cx)?[..] else {
        return Err(error("an operand is missing"));
    };
    let holds = match (it.cond(), pred) {
        (Some(it), _) => (cx.size)(&it)? != 0,
        (None, [it]) => it.scalar()?.is_true(),
        (None, _) => return Err(error("there is no condition")),
    };
    let body = if holds { it.then() } else { it.otherwise() };
    call_body(cx, &body.0, operands.iter().cloned(), results)?;
    Ok(Vec::new())
}

pub(crate) fn subgraph(cx: &EvalCx<'_>) -> Evaluated {
    let [operands, results] = lists(cx)?[..] else {
        return Err(error("an operand is missing"));
    };
    let body = ops::Subgraph(cx.view).body();
    call_body(cx, &body.0, operands.iter().cloned(), results)?;
    Ok(Vec::new())
}

/// Tensors that are carried from turn to turn, in two places that alternate as at run time.
struct Carried<'a> {
    read: Vec<HostValue>,
    write: &'a [HostValue],
    other: &'a [HostValue],
}

impl<'a> Carried<'a> {
    /// What was written is read next.
    fn alternate(&mut self) {
        self.read = self.write.to_vec();
        std::mem::swap(&mut self.write, &mut self.other);
    }

    fn end(self, results: &[HostValue]) -> Eval<()> {
        let last: Vec<_> = self.read.iter().map(HostValue::tensor).collect::<Eval<_>>()?;
        results.iter().zip(last).try_for_each(|(to, from)| write(to, &HostValue::Tensor(from)))
    }
}

/// Turns that an interpreter may be asked for.
const MAX_TURNS: usize = 1 << 20;

pub(crate) fn while_loop(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::While(cx.view);
    let [init, extra, holds, others, results] = lists(cx)?[..] else {
        return Err(error("an operand is missing"));
    };
    let [holds_now] = holds else { return Err(error("there is no condition")) };
    let mut carried = Carried { read: init.to_vec(), write: results, other: others };
    for _ in 0..MAX_TURNS {
        let args = || carried.read.iter().chain(extra).cloned();
        call_body(cx, &it.cond().0, args(), holds)?;
        if !holds_now.scalar()?.is_true() {
            carried.end(results)?;
            return Ok(Vec::new());
        }
        call_body(cx, &it.body().0, args(), carried.write)?;
        carried.alternate();
    }
    Err(error("a loop that does not end"))
}

/// Part `i` of the first dimension of a tensor in memory, without that dimension.
fn row(value: &HostValue, i: i64) -> Eval<HostValue> {
    let HostValue::Memory(it) = value else {
        let tensor = value.tensor()?;
        let shape = tensor.shape.clone();
        let strides: Vec<i64> = tensor.strides().into_iter().map(|it| it as i64).collect();
        return row(&HostValue::Memory(Memory::given(&tensor, shape, strides)?), i);
    };
    let missing = || error("a tensor that has no first dimension");
    let (shape, strides) = (it.shape(), it.strides());
    let step = strides.first().ok_or_else(missing)?.checked_mul(it.dtype().size() as i64);
    let offset = step.and_then(|it| it.checked_mul(i)).ok_or_else(missing)?;
    it.part(offset, it.dtype(), shape[1..].to_vec(), strides[1..].to_vec()).map(HostValue::Memory)
}

pub(crate) fn scan_over(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::ScanOver(cx.view);
    let [init, xs, extra, others, results] = lists(cx)?[..] else {
        return Err(error("an operand is missing"));
    };
    let (last, stacked) =
        results.split_at_checked(init.len()).ok_or_else(|| error("a result is missing"))?;
    let mut carried = Carried { read: init.to_vec(), write: last, other: others };
    for i in 0..(cx.size)(&it.length())? {
        let rows = xs.iter().map(|it| row(it, i)).collect::<Eval<Vec<_>>>()?;
        let parts = stacked.iter().map(|it| row(it, i)).collect::<Eval<Vec<_>>>()?;
        let args = carried.read.iter().chain(&rows).chain(extra).cloned();
        call_body(cx, &it.body().0, args, &[carried.write, &parts].concat())?;
        carried.alternate();
    }
    carried.end(last)?;
    Ok(Vec::new())
}

/// What a guard is filled with.
const GUARD: u8 = 0xa5;

/// Bytes of the arena, and what they are where nobody has written.
fn guarded(cx: &EvalCx<'_>, offset: &Expr, size: &Expr) -> Eval<(Memory, HostTensor)> {
    let HostValue::Memory(arena) = operand(cx, 0)? else {
        return Err(error("what is guarded is no arena"));
    };
    let size = (cx.size)(size)?;
    let part = arena.part((cx.size)(offset)?, DType::U8, vec![size], vec![1])?;
    let count = usize::try_from(size).map_err(|_| error("a guard of negative size"))?;
    let bytes = vec![GUARD; count].into();
    Ok((part, HostTensor { dtype: DType::U8, shape: vec![size], bytes }))
}

pub(crate) fn guard(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::Guard(cx.view);
    let (part, pattern) = guarded(cx, &it.offset(), &it.size())?;
    part.write(&pattern)?;
    Ok(Vec::new())
}

pub(crate) fn check_guard(cx: &EvalCx<'_>) -> Evaluated {
    let it = ops::CheckGuard(cx.view);
    let (part, pattern) = guarded(cx, &it.offset(), &it.size())?;
    match *part.read()?.bytes == *pattern.bytes {
        true => Ok(Vec::new()),
        false => Err(error(it.message())),
    }
}

pub(crate) fn forget(cx: &EvalCx<'_>) -> Evaluated {
    memory(cx, ops::Forget(cx.view).x(), operand(cx, 0)?)?.forget()?;
    Ok(Vec::new())
}
