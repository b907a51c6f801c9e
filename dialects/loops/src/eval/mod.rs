//! Evaluation of every operation of the dialect.
//!
//! A region runs at millions of points, so it is not interpreted op by op: [`compile`] translates
//! it once into instructions over numbered slots, with index expressions as programs
//! ([`index`]), and [`machine`] runs those at each point. An op that may stand in a region means
//! what its instruction does and nothing else; evaluated on its own it is a program of one op
//! ([`alone`]).
//!
//! Tensors are their row-major content whatever strides their types have; only `loops.view` looks
//! at memory ([`memory`]).

mod compile;
mod index;
pub(crate) mod kernel;
mod machine;
pub(crate) mod memory;
pub(crate) mod structured;

use ir::{DType, Effects, EvalCx, EvalError, HostValue, TensorType};

use compile::Compiler;
use machine::{Machine, Memory};

/// What computes one element means the same inside a kernel and outside.
pub(crate) use self::{
    alone as bitcast, alone as bound, alone as cast, alone as constant, alone as index,
    alone as scalar,
};

type Eval<T> = Result<T, EvalError>;
type Evaluated = Eval<Vec<HostValue>>;

/// More bytes than a tensor of any model has: what a broken program asks for is refused, not tried.
const MAX_BYTES: usize = 1 << 33;

/// The interpreter says which op it was.
fn error(message: impl ToString) -> EvalError {
    EvalError(message.to_string())
}

/// What is asserted must hold.
pub(crate) fn assert(cx: &EvalCx<'_>) -> Evaluated {
    let it = crate::ops::Assert(cx.view);
    match (cx.size)(&it.cond())? {
        0 => Err(error(it.message())),
        _ => Ok(Vec::new()),
    }
}

/// Evaluates an op as a program that consists of it; a cell that it stores to is written.
pub(crate) fn alone(cx: &EvalCx<'_>) -> Evaluated {
    let mut compiler = Compiler::new(cx);
    let tensors = cx
        .operands
        .iter()
        .map(|it| match it {
            HostValue::Scalar(..) => Ok(None),
            it => it.tensor()?.check().map(Some),
        })
        .collect::<Eval<Vec<_>>>()?;
    let mut memories = Vec::new();
    let mut preset = Vec::new();
    let mut cells = Vec::new();
    for ((value, operand), tensor) in cx.view.op.operands().zip(cx.operands).zip(&tensors) {
        match (operand, tensor) {
            (HostValue::Cell(cell), Some(tensor)) => {
                cells.push((compiler.memory(value), cell));
                memories.push(Memory::owned(
                    tensor.dtype,
                    tensor.shape.clone(),
                    tensor.bytes.to_vec(),
                ));
            }
            (_, Some(tensor)) => {
                compiler.memory(value);
                memories.push(Memory::borrowed(tensor));
            }
            (operand, None) => preset.push((compiler.element(value), operand.scalar()?)),
        }
    }
    let body = vec![compiler.op(cx.view.op)?];
    let mut machine = Machine::new(&compiler, memories);
    for (slot, elem) in preset {
        machine.elems[slot] = elem;
    }
    machine.run(&body)?;
    let result = |value: ir::ValueId| match cx.view.ty(value).dtype() {
        Some(dtype) => Ok(HostValue::Scalar(dtype, machine.elems[compiler.slot(value)?])),
        None => Err(error("gives what is not an element")),
    };
    let results = cx.view.op.results().map(result).collect();
    if cx.view.op.def.0.effects == Effects::Writes {
        for (memory, cell) in cells {
            let mut cell = cell.lock().map_err(|_| error("a writer of this memory failed"))?;
            *cell = machine.memories[memory].to_tensor();
        }
    }
    results
}

/// The values of sizes.
fn sizes<'e>(cx: &EvalCx<'_>, exprs: impl IntoIterator<Item = &'e sym::Expr>) -> Eval<Vec<i64>> {
    exprs.into_iter().map(|it| (cx.size)(it)).collect()
}

/// The tensor types of an `outs` attribute; inference has checked that they are.
fn tensor_types(attr: &ir::Attr) -> Eval<Vec<TensorType>> {
    let types = <Vec<ir::Type> as ir::AttrTy>::of_attr(attr);
    let types = types.and_then(|it| it.iter().map(|it| it.as_tensor().cloned()).collect());
    types.ok_or_else(|| error("`outs` is not a list of tensor types"))
}

/// The bytes of a tensor of zeros.
fn zeroed(dtype: DType, shape: &[i64]) -> Eval<Vec<u8>> {
    let bytes = shape.iter().try_fold(dtype.size(), |product, it| {
        product.checked_mul(usize::try_from(*it).unwrap_or(0))
    });
    match bytes.filter(|it| *it <= MAX_BYTES) {
        Some(it) => Ok(vec![0; it]),
        None => Err(error(format!("a tensor of {shape:?} is too large"))),
    }
}
