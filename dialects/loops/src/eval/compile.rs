//! Translation of a region into instructions.
//!
//! Values that are elements get a slot each, tensors a memory, axes and dynamic indices a
//! register. Every name and every value is looked up here, once.

use ir::{
    DType, DTypeKind, EvalCx, EvalError, Number, Op, Region, Type, ValueId, View as OpView,
    scalar::{Elem, ScalarFn, cast},
};
use sym::Expr;

use super::{Eval, index::Index};
use crate::ops::{Bitcast, Bound, Cast, Const, Fold, For, Index as IndexOp, Load, Reduce, Store};

/// One step of a program. Numbers are slots of elements unless a name says otherwise.
pub(super) enum Inst {
    Const {
        to: usize,
        value: Elem,
    },
    Index {
        to: usize,
        value: Index,
        dtype: DType,
    },
    Cast {
        to: usize,
        x: usize,
        dtype: DType,
    },
    Bitcast {
        to: usize,
        x: usize,
        from: DType,
        dtype: DType,
    },
    Apply {
        to: usize,
        function: ScalarFn,
        dtype: DType,
        args: [usize; 3],
    },
    Bound {
        to: usize,
        x: usize,
        mask: Option<usize>,
        size: Index,
    },
    Load {
        to: usize,
        from: Access,
        absent: Elem,
    },
    Store {
        to: Access,
        value: usize,
        combine: Option<ScalarFn>,
    },
    For(Loop),
    Reduce {
        within: Loop,
        parts: Vec<Reduction>,
        position: usize,
    },
    Fold {
        within: Loop,
        init: Vec<usize>,
        carried: Vec<usize>,
        next: Vec<usize>,
        yields: Vec<usize>,
    },
}

/// A place in a memory.
pub(super) struct Access {
    pub(super) op: &'static str,
    pub(super) memory: usize,
    /// Slots, and the registers that the indices know them by.
    pub(super) dynamic: Vec<(usize, usize)>,
    pub(super) at: Vec<Index>,
    pub(super) mask: Option<usize>,
}

/// Instructions at every point of a space. The axes are the registers from `first` on, and after
/// them their extents.
pub(super) struct Loop {
    pub(super) first: usize,
    pub(super) extents: Vec<Index>,
    pub(super) body: Vec<Inst>,
}

/// One of the results of a reduction.
pub(super) struct Reduction {
    pub(super) kind: Kind,
    /// The dtype it computes with.
    pub(super) within: DType,
    /// The dtype it is rounded to at the end.
    pub(super) dtype: DType,
    /// What the region yields.
    pub(super) value: usize,
    /// What it is combined with; at first `identity`.
    pub(super) acc: usize,
    pub(super) identity: Elem,
    pub(super) to: usize,
}

/// How a reduction combines.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// By that function.
    By(ScalarFn),
    /// The first index of what compares so to all before; the first NaN where there is one.
    Arg(ScalarFn),
}

#[derive(Clone, Copy)]
enum Slot {
    Element(usize),
    Memory(usize),
}

/// Translates ops; holds what is in scope.
pub(super) struct Compiler<'a> {
    cx: &'a EvalCx<'a>,
    values: Vec<Option<Slot>>,
    axes: Vec<(String, usize)>,
    pub(super) elements: usize,
    pub(super) memories: usize,
    pub(super) registers: usize,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(cx: &'a EvalCx<'a>) -> Compiler<'a> {
        Compiler {
            cx,
            values: vec![None; cx.view.types.len()],
            axes: Vec::new(),
            elements: 0,
            memories: 0,
            registers: 0,
        }
    }

    /// A slot for `value`.
    pub(super) fn element(&mut self, value: ValueId) -> usize {
        let slot = self.temporary();
        self.values[value.index()] = Some(Slot::Element(slot));
        slot
    }

    /// A slot for no value of the program.
    fn temporary(&mut self) -> usize {
        self.elements += 1;
        self.elements - 1
    }

    /// The next memory, for `value`.
    pub(super) fn memory(&mut self, value: ValueId) -> usize {
        self.values[value.index()] = Some(Slot::Memory(self.memories));
        self.memories += 1;
        self.memories - 1
    }

    /// Registers for `axes`, which are in scope from here on, and after them for their extents.
    pub(super) fn enter(&mut self, axes: impl IntoIterator<Item = String>) -> usize {
        let first = self.registers;
        let outside = self.axes.len();
        for (i, axis) in axes.into_iter().enumerate() {
            self.axes.push((axis, first + i));
        }
        self.registers += 2 * (self.axes.len() - outside);
        first
    }

    /// The slot of an element.
    pub(super) fn slot(&self, value: ValueId) -> Eval<usize> {
        match self.values.get(value.index()) {
            Some(Some(Slot::Element(it))) => Ok(*it),
            _ => Err(EvalError(format!("{value} is not an element that is visible here"))),
        }
    }

    fn slots(&self, values: &[ValueId]) -> Eval<Vec<usize>> {
        values.iter().map(|it| self.slot(*it)).collect()
    }

    fn dtype(&self, value: ValueId) -> Eval<DType> {
        match self.cx.view.ty(value) {
            Type::Scalar(it) => Ok(*it),
            ty => Err(EvalError(format!("{value} is {ty}, not an element"))),
        }
    }

    fn index(&self, expr: &Expr, dynamic: &[(usize, usize)]) -> Eval<Index> {
        let register = |name: &str| {
            let nth = crate::access::dynamic_index(name);
            let dynamic = nth.and_then(|it| dynamic.get(it)).map(|it| it.1);
            dynamic.or_else(|| self.axes.iter().rev().find(|it| it.0 == name).map(|it| it.1))
        };
        Index::new(expr, &register, self.cx.size)
    }

    /// Translates a region's ops.
    pub(super) fn body(&mut self, region: &Region) -> Eval<Vec<Inst>> {
        region.ops.iter().map(|it| self.op(it)).collect()
    }

    /// Translates one op.
    pub(super) fn op(&mut self, op: &Op) -> Eval<Inst> {
        let view = OpView { types: self.cx.view.types, facts: self.cx.view.facts, op };
        let inst = self.inst(view);
        inst.map_err(|it| EvalError(format!("{}: {}", op.def.0.name, it.0)))
    }

    fn inst(&mut self, view: OpView<'_>) -> Eval<Inst> {
        if let Some(function) = view.op.def.0.scalar {
            self.apply(view, function)
        } else if let Some(it) = Load::of(view) {
            let mask = it.mask();
            let from = self.access(view, it.t(), &it.dynamic(), &it.at(), mask)?;
            let to = self.element(view.op.result());
            let absent = cast(self.dtype(view.op.result())?, Elem::Int(0));
            Ok(Inst::Load { to, from, absent })
        } else if let Some(it) = Store::of(view) {
            let to = self.access(view, it.t(), &it.dynamic(), &it.at(), it.mask())?;
            let combine = match it.mode().as_str() {
                "add" => Some(ScalarFn::Add),
                "mul" => Some(ScalarFn::Mul),
                "max" => Some(ScalarFn::Max),
                "min" => Some(ScalarFn::Min),
                _ => None,
            };
            Ok(Inst::Store { to, value: self.slot(it.value())?, combine })
        } else if let Some(it) = Const::of(view) {
            self.constant(view, &it.value(), it.dtype())
        } else if let Some(it) = IndexOp::of(view).filter(|it| it.value().is_real()) {
            self.constant(view, &Number::Int(it.value()), it.dtype())
        } else if let Some(it) = IndexOp::of(view) {
            let value = self.index(&it.value(), &[])?;
            Ok(Inst::Index { to: self.element(view.op.result()), value, dtype: it.dtype() })
        } else if let Some(it) = Cast::of(view) {
            let x = self.slot(it.x())?;
            Ok(Inst::Cast { to: self.element(view.op.result()), x, dtype: it.dtype() })
        } else if let Some(it) = Bitcast::of(view) {
            let (x, from) = (self.slot(it.x())?, self.dtype(it.x())?);
            Ok(Inst::Bitcast { to: self.element(view.op.result()), x, from, dtype: it.dtype() })
        } else if let Some(it) = Bound::of(view) {
            let (x, mask) = (self.slot(it.x())?, it.mask().map(|it| self.slot(it)).transpose()?);
            let size = self.index(&it.size(), &[])?;
            Ok(Inst::Bound { to: self.element(view.op.result()), x, mask, size })
        } else if let Some(it) = For::of(view) {
            Ok(Inst::For(self.loop_over(view, &it.axes(), &it.extents())?))
        } else if let Some(it) = Reduce::of(view) {
            self.reduce(it)
        } else if let Some(it) = Fold::of(view) {
            self.fold(it)
        } else {
            Err(EvalError("cannot run inside a kernel".to_owned()))
        }
    }

    fn apply(&mut self, view: OpView<'_>, function: ScalarFn) -> Eval<Inst> {
        let operands: Vec<ValueId> = view.op.operands().collect();
        let slots = self.slots(&operands)?;
        let ([first, ..], Some(last)) = (&slots[..], operands.last()) else {
            return Err(EvalError("has no operands".to_owned()));
        };
        // Slots past the arity are read and not used.
        let mut args = [*first; 3];
        args.iter_mut().zip(&slots).for_each(|(to, it)| *to = *it);
        // The dtype that the function works on is that of its last operand, of `select` too.
        let dtype = self.dtype(*last)?;
        Ok(Inst::Apply { to: self.element(view.op.result()), function, dtype, args })
    }

    fn constant(&mut self, view: OpView<'_>, value: &Number, dtype: DType) -> Eval<Inst> {
        let elem = match value {
            Number::Bool(it) => Elem::Int((*it).into()),
            Number::Float(it) => Elem::Float(*it),
            Number::Complex(re, im) => Elem::Complex(*re, *im),
            Number::Int(it) if it.is_real() => match (self.cx.number)(it)? {
                sym::Number::Int(it) => Elem::Int(it.into()),
                sym::Number::Float(it) => Elem::Float(it),
            },
            Number::Int(it) => match it.as_int() {
                Some(it) => Elem::Int(it.into()),
                None => {
                    let value = self.index(it, &[])?;
                    return Ok(Inst::Index { to: self.element(view.op.result()), value, dtype });
                }
            },
        };
        Ok(Inst::Const { to: self.element(view.op.result()), value: cast(dtype, elem) })
    }

    fn access(
        &mut self,
        view: OpView<'_>,
        tensor: ValueId,
        dynamic: &[ValueId],
        at: &[Expr],
        mask: Option<ValueId>,
    ) -> Eval<Access> {
        let Some(Some(Slot::Memory(memory))) = self.values.get(tensor.index()).copied() else {
            return Err(EvalError(format!("{tensor} is not a tensor that is visible here")));
        };
        let slots = self.slots(dynamic)?;
        let first = self.registers;
        self.registers += slots.len();
        let dynamic: Vec<_> = slots.into_iter().zip(first..).collect();
        let at = at.iter().map(|it| self.index(it, &dynamic)).collect::<Eval<_>>()?;
        let mask = mask.map(|it| self.slot(it)).transpose()?;
        Ok(Access { op: view.op.def.0.name, memory, dynamic, at, mask })
    }

    /// The loop of an op over `axes`: extents see the axes outside, the region those inside too.
    pub(super) fn loop_over(
        &mut self,
        view: OpView<'_>,
        axes: &[String],
        extents: &[Expr],
    ) -> Eval<Loop> {
        let extents = extents.iter().map(|it| self.index(it, &[])).collect::<Eval<Vec<_>>>()?;
        let outside = self.axes.len();
        let first = self.enter(axes.iter().cloned());
        let region = view.region(0).map_err(|it| EvalError(it.message))?;
        let body = self.body(region)?;
        self.axes.truncate(outside);
        match axes.len() == extents.len() {
            true => Ok(Loop { first, extents, body }),
            false => Err(EvalError(format!("{} axes, {} extents", axes.len(), extents.len()))),
        }
    }

    fn reduce(&mut self, it: Reduce<'_>) -> Eval<Inst> {
        let within = self.loop_over(it.0, &it.axes(), &it.extents())?;
        let region = it.0.region(0).map_err(|it| EvalError(it.message))?;
        let position = self.registers;
        self.registers += 1;
        let mut parts = Vec::new();
        for ((name, value), result) in it.kinds().iter().zip(&region.yields).zip(it.0.op.results())
        {
            let dtype = self.dtype(*value)?;
            let (kind, within, identity) = reduction(name, dtype)
                .ok_or_else(|| EvalError(format!("no kind of reduction is called `{name}`")))?;
            let (value, acc, to) = (self.slot(*value)?, self.temporary(), self.element(result));
            parts.push(Reduction { kind, within, dtype, value, acc, identity, to });
        }
        Ok(Inst::Reduce { within, parts, position })
    }

    /// What is carried lives in the slots of the results: the region's parameters are those.
    fn fold(&mut self, it: Fold<'_>) -> Eval<Inst> {
        let init = self.slots(&it.init())?;
        let region = it.0.region(0).map_err(|it| EvalError(it.message))?;
        let carried: Vec<usize> = region.params.iter().map(|it| self.element(*it)).collect();
        let next = carried.iter().map(|_| self.temporary()).collect();
        let within = self.loop_over(it.0, &[it.axis()], &[it.extent()])?;
        let yields = self.slots(&region.yields)?;
        for (result, slot) in it.0.op.results().zip(&carried) {
            self.values[result.index()] = Some(Slot::Element(*slot));
        }
        Ok(Inst::Fold { within, init, carried, next, yields })
    }
}

/// How a reduction of that name combines elements, in which dtype, and what it gives of none.
fn reduction(name: &str, dtype: DType) -> Option<(Kind, DType, Elem)> {
    let (least, greatest) = limits(dtype);
    // Sums and products are exact, or nearly, until they are rounded: an oracle that rounded at
    // every step would be no better than what it judges.
    let wide = match dtype.kind() {
        DTypeKind::Bool | DTypeKind::Signed | DTypeKind::Unsigned => DType::I64,
        DTypeKind::Float => DType::F64,
        DTypeKind::Complex => DType::C128,
    };
    Some(match name {
        "sum" => (Kind::By(ScalarFn::Add), wide, cast(wide, Elem::Int(0))),
        "prod" => (Kind::By(ScalarFn::Mul), wide, cast(wide, Elem::Int(1))),
        "max" => (Kind::By(ScalarFn::Max), dtype, least),
        "min" => (Kind::By(ScalarFn::Min), dtype, greatest),
        "any" => (Kind::By(ScalarFn::Or), dtype, Elem::Int(0)),
        "all" => (Kind::By(ScalarFn::And), dtype, Elem::Int(1)),
        "argmax" => (Kind::Arg(ScalarFn::Gt), dtype, least),
        "argmin" => (Kind::Arg(ScalarFn::Lt), dtype, greatest),
        _ => return None,
    })
}

/// Elements that none is below, none above.
fn limits(dtype: DType) -> (Elem, Elem) {
    let bits = 8 * dtype.size() as u32;
    match dtype.kind() {
        DTypeKind::Bool => (Elem::Int(0), Elem::Int(1)),
        DTypeKind::Unsigned => (Elem::Int(0), Elem::Int((1 << bits) - 1)),
        DTypeKind::Signed => (Elem::Int(-(1 << (bits - 1))), Elem::Int((1 << (bits - 1)) - 1)),
        DTypeKind::Float | DTypeKind::Complex => {
            (Elem::Float(f64::NEG_INFINITY), Elem::Float(f64::INFINITY))
        }
    }
}
