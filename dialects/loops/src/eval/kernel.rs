//! Kernels, and the ops that only make sense inside one.

use ir::{EvalCx, HostTensor, HostValue, TensorType};

use super::{
    Eval, Evaluated,
    compile::{Compiler, Inst},
    error,
    machine::{Machine, Memory},
    sizes, tensor_types, zeroed,
};
use crate::ops::Kernel;

pub(crate) use super::{
    alone as fold, alone as for_loop, alone as load, alone as reduce, alone as store,
};

pub(crate) fn kernel(cx: &EvalCx<'_>) -> Evaluated {
    let it = Kernel(cx.view);
    let outs = tensor_types(&it.outs())?;
    let inputs = tensors(cx.operands)?;
    let mut compiler = Compiler::new(cx);
    let mut memories = bind(cx, &mut compiler, 0, &inputs, &outs)?;
    let in_place = it.in_place().and_then(|it| inputs.get(usize::try_from(it).ok()?));
    if let (Some(before), Some(output)) = (in_place, memories.last_mut()) {
        let bytes = before.bytes.to_vec();
        *output = Memory::owned(before.dtype, before.shape.clone(), bytes);
    }
    let space = compiler.loop_over(cx.view, &it.axes(), &it.extents())?;
    let mut machine = Machine::new(&compiler, memories);
    machine.run(&[Inst::For(space)])?;
    Ok(results(machine, inputs.len()))
}

/// The operands as tensors whose bytes are as many as they should be.
pub(super) fn tensors(operands: &[HostValue]) -> Eval<Vec<HostTensor>> {
    operands.iter().map(|it| it.tensor()?.check()).collect()
}

/// Memories for the region's parameters from the `skip`th on: the inputs, and zeros to write to.
fn bind<'a>(
    cx: &EvalCx<'_>,
    compiler: &mut Compiler<'_>,
    skip: usize,
    inputs: &'a [HostTensor],
    outs: &[TensorType],
) -> Eval<Vec<Memory<'a>>> {
    let mut memories: Vec<_> = inputs.iter().map(Memory::borrowed).collect();
    for ty in outs {
        let shape = sizes(cx, ty.shape.iter())?;
        let bytes = zeroed(ty.dtype, &shape)?;
        memories.push(Memory::owned(ty.dtype, shape, bytes));
    }
    let region = cx.view.region(0).map_err(|it| error(it.message))?;
    for param in region.params.iter().skip(skip) {
        compiler.memory(*param);
    }
    match compiler.memories == memories.len() {
        true => Ok(memories),
        false => Err(error("the region's parameters are not its inputs and outputs")),
    }
}

/// What the outputs hold.
fn results(machine: Machine<'_>, inputs: usize) -> Vec<HostValue> {
    let outs = machine.memories.into_iter().skip(inputs);
    outs.map(|it| HostValue::Tensor(it.into_tensor())).collect()
}

/// The region of a structured kernel, which is handed each result.
pub(super) struct Epilogue<'a> {
    machine: Machine<'a>,
    body: Vec<Inst>,
    /// The slot of the region's first parameter.
    acc: usize,
    /// The registers of the axes from here on.
    axes: usize,
    inputs: usize,
}

impl<'a> Epilogue<'a> {
    /// The region of the op, over these axes.
    pub(super) fn new(
        cx: &EvalCx<'_>,
        axes: &[&str],
        inputs: &'a [HostTensor],
        outs: &[TensorType],
    ) -> Eval<Epilogue<'a>> {
        let mut compiler = Compiler::new(cx);
        let region = cx.view.region(0).map_err(|it| error(it.message))?;
        let Some(acc) = region.params.first() else {
            return Err(error("the region has no parameters"));
        };
        let acc = compiler.element(*acc);
        let memories = bind(cx, &mut compiler, 1, inputs, outs)?;
        let axes = compiler.enter(axes.iter().map(|it| (*it).to_owned()));
        let body = compiler.body(region)?;
        let machine = Machine::new(&compiler, memories);
        Ok(Epilogue { machine, body, acc, axes, inputs: inputs.len() })
    }

    /// Hands over a result, made where the axes have these values.
    pub(super) fn run(&mut self, at: &[usize], sum: f64) -> Eval<()> {
        for (i, value) in at.iter().enumerate() {
            self.machine.registers[self.axes + i] = *value as i64;
        }
        self.machine.elems[self.acc] = ir::scalar::Elem::Float(f64::from(sum as f32));
        self.machine.run(&self.body)
    }

    /// What the outputs hold.
    pub(super) fn results(self) -> Vec<HostValue> {
        results(self.machine, self.inputs)
    }
}
