//! Runs instructions. Nothing is allocated at a point.

use std::borrow::Cow;

use ir::{
    DType, EvalError, HostTensor,
    scalar::{Elem, ScalarFn, apply, cast, load, store},
};

use super::{
    Eval,
    compile::{Access, Compiler, Inst, Kind, Loop, Reduction},
};

/// The content of a tensor; only one that is owned is written.
pub(super) struct Memory<'a> {
    dtype: DType,
    shape: Vec<i64>,
    strides: Vec<i64>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Memory<'a> {
    /// One that is read. Its bytes are as many as its shape needs.
    pub(super) fn borrowed(tensor: &'a HostTensor) -> Memory<'a> {
        Memory::new(tensor.dtype, tensor.shape.clone(), Cow::Borrowed(&tensor.bytes))
    }

    /// One that may be written. Its bytes are as many as its shape needs.
    pub(super) fn owned(dtype: DType, shape: Vec<i64>, bytes: Vec<u8>) -> Memory<'a> {
        Memory::new(dtype, shape, Cow::Owned(bytes))
    }

    fn new(dtype: DType, shape: Vec<i64>, bytes: Cow<'a, [u8]>) -> Memory<'a> {
        let strides = row_major(&shape);
        Memory { dtype, shape, strides, bytes }
    }

    /// What it holds.
    pub(super) fn to_tensor(&self) -> HostTensor {
        let bytes = self.bytes.to_vec().into();
        HostTensor { dtype: self.dtype, shape: self.shape.clone(), bytes }
    }

    /// What it holds at the end.
    pub(super) fn into_tensor(self) -> HostTensor {
        let bytes = self.bytes.into_owned().into();
        HostTensor { dtype: self.dtype, shape: self.shape, bytes }
    }
}

/// Row-major strides of a shape, in elements.
pub(super) fn row_major(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = shape[i].max(0).saturating_mul(strides[i]);
    }
    strides
}

/// The state of a program.
pub(super) struct Machine<'a> {
    pub(super) elems: Vec<Elem>,
    pub(super) registers: Vec<i64>,
    pub(super) memories: Vec<Memory<'a>>,
    scratch: Vec<u8>,
}

impl<'a> Machine<'a> {
    /// A machine for what was translated, with a memory for each that was asked for.
    pub(super) fn new(compiler: &Compiler<'_>, memories: Vec<Memory<'a>>) -> Machine<'a> {
        debug_assert_eq!(compiler.memories, memories.len());
        Machine {
            elems: vec![Elem::Int(0); compiler.elements],
            registers: vec![0; compiler.registers],
            memories,
            scratch: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, body: &[Inst]) -> Eval<()> {
        body.iter().try_for_each(|it| self.step(it))
    }

    fn step(&mut self, inst: &Inst) -> Eval<()> {
        match inst {
            Inst::Const { to, value } => self.elems[*to] = *value,
            Inst::Index { to, value, dtype } => {
                let value = value.eval(&self.registers)?;
                self.elems[*to] = cast(*dtype, Elem::Int(value.into()));
            }
            Inst::Cast { to, x, dtype } => self.elems[*to] = cast(*dtype, self.elems[*x]),
            Inst::Bitcast { to, x, from, dtype } => {
                self.scratch.clear();
                store(*from, self.elems[*x], &mut self.scratch);
                self.elems[*to] = load(*dtype, &self.scratch, 0);
            }
            Inst::Apply { to, function, dtype, args } => {
                let args = args.map(|it| self.elems[it]);
                self.elems[*to] = apply(*function, *dtype, &args);
            }
            Inst::Bound { to, x, mask, size } => {
                let size = size.eval(&self.registers)?;
                self.elems[*to] = match self.is_on(*mask) {
                    true => bound(self.elems[*x].to_i64(), size)?,
                    false => Elem::Int(0),
                };
            }
            Inst::Load { to, from, absent } => {
                self.elems[*to] = match self.is_on(from.mask) {
                    true => {
                        let place = self.place(from)?;
                        let memory = &self.memories[from.memory];
                        load(memory.dtype, &memory.bytes, place)
                    }
                    false => *absent,
                };
            }
            Inst::Store { to, value, combine } => {
                if self.is_on(to.mask) {
                    self.store(to, self.elems[*value], *combine)?;
                }
            }
            Inst::For(it) => self.each(it, |_| ())?,
            Inst::Reduce { within, parts, position } => self.reduce(within, parts, *position)?,
            Inst::Fold { within, init, carried, next, yields } => {
                for (to, from) in carried.iter().zip(init) {
                    self.elems[*to] = self.elems[*from];
                }
                // By way of `next`, since one carried value may become another.
                self.each(within, |it| {
                    for (to, from) in next.iter().zip(yields) {
                        it.elems[*to] = it.elems[*from];
                    }
                    for (to, from) in carried.iter().zip(next) {
                        it.elems[*to] = it.elems[*from];
                    }
                })?;
            }
        }
        Ok(())
    }

    fn is_on(&self, mask: Option<usize>) -> bool {
        mask.is_none_or(|it| self.elems[it].is_true())
    }

    /// The row-major place of an access.
    fn place(&mut self, access: &Access) -> Eval<usize> {
        for (slot, register) in &access.dynamic {
            self.registers[*register] = self.elems[*slot].to_i64();
        }
        let memory = &self.memories[access.memory];
        let mut place = 0;
        for (dim, (index, size)) in access.at.iter().zip(&memory.shape).enumerate() {
            let value = index.eval(&self.registers)?;
            if !(0..*size).contains(&value) {
                return Err(EvalError(format!(
                    "{}: index {value} (`{}`) in dimension {dim} is not in 0..{size}",
                    access.op, index.expr
                )));
            }
            place += value * memory.strides[dim];
        }
        // Each index is in range, so this is below the number of elements.
        Ok(place as usize)
    }

    fn store(&mut self, access: &Access, value: Elem, combine: Option<ScalarFn>) -> Eval<()> {
        let place = self.place(access)?;
        let memory = &mut self.memories[access.memory];
        let Cow::Owned(bytes) = &mut memory.bytes else {
            return Err(EvalError(format!("{}: writes to an input", access.op)));
        };
        let value = match combine {
            Some(function) => {
                apply(function, memory.dtype, &[load(memory.dtype, bytes, place), value])
            }
            None => value,
        };
        self.scratch.clear();
        store(memory.dtype, value, &mut self.scratch);
        let size = self.scratch.len();
        bytes[place * size..(place + 1) * size].copy_from_slice(&self.scratch);
        Ok(())
    }

    /// Runs the loop's body and then `after` at every point, the last axis fastest.
    fn each(&mut self, it: &Loop, mut after: impl FnMut(&mut Self)) -> Eval<()> {
        let (first, axes) = (it.first, it.extents.len());
        let mut is_empty = false;
        for (i, extent) in it.extents.iter().enumerate() {
            let extent = extent.eval(&self.registers)?;
            is_empty |= extent <= 0;
            self.registers[first + i] = 0;
            self.registers[first + axes + i] = extent;
        }
        if is_empty {
            return Ok(());
        }
        loop {
            self.run(&it.body)?;
            after(self);
            let mut axis = axes;
            loop {
                if axis == 0 {
                    return Ok(());
                }
                axis -= 1;
                self.registers[first + axis] += 1;
                if self.registers[first + axis] < self.registers[first + axes + axis] {
                    break;
                }
                self.registers[first + axis] = 0;
            }
        }
    }

    fn reduce(&mut self, within: &Loop, parts: &[Reduction], position: usize) -> Eval<()> {
        for it in parts {
            self.elems[it.acc] = it.identity;
            self.elems[it.to] = Elem::Int(0);
        }
        self.registers[position] = 0;
        self.each(within, |machine| {
            for it in parts {
                let (acc, value) = (machine.elems[it.acc], machine.elems[it.value]);
                let (res, wins) = combine(it, acc, value);
                machine.elems[it.acc] = res;
                if wins {
                    machine.elems[it.to] = Elem::Int(machine.registers[position].into());
                }
            }
            machine.registers[position] += 1;
        })?;
        for it in parts {
            if !matches!(it.kind, Kind::Arg(_)) {
                self.elems[it.to] = cast(it.dtype, self.elems[it.acc]);
            }
        }
        Ok(())
    }
}

/// An element combined with those before, and whether its index is the one to keep.
fn combine(part: &Reduction, acc: Elem, value: Elem) -> (Elem, bool) {
    match part.kind {
        Kind::By(function) => (apply(function, part.within, &[acc, value]), false),
        Kind::Arg(function) => {
            let is_first_nan = value.to_f64().is_nan() && !acc.to_f64().is_nan();
            match is_first_nan || apply(function, part.within, &[value, acc]).is_true() {
                true => (value, true),
                false => (acc, false),
            }
        }
    }
}

/// An index into `size` elements, counted from the end where it is below zero.
fn bound(index: i64, size: i64) -> Eval<Elem> {
    let wrapped = if index < 0 { index.checked_add(size) } else { Some(index) };
    match wrapped.filter(|it| (0..size).contains(it)) {
        Some(it) => Ok(Elem::Int(it.into())),
        None => Err(EvalError(format!(
            "loops.bound: index {index} is out of range for {size} elements"
        ))),
    }
}
