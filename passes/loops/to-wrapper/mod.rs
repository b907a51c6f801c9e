//! From kernels to the host program: what is checked, bound, allocated, called and handed over, in
//! order.
//!
//! Each kernel becomes a function of its own, named by the hash of what it says; equal kernels are
//! one function. The function left is the sequence of statements of the host program.

mod checks;
mod control;
mod kernels;

use diag::Diag;
use ir::{Builder, Function, OutputKind, RefName, Result, Type, ValueId};
use loops::{Kernel, View as LoopsView};
use pass::{OptionDef, PassCx, PassDef, Unit};
use sym::Expr;

use self::kernels::Kernels;

/// The pass.
pub(crate) static TO_WRAPPER: PassDef = PassDef {
    options: &[OptionDef::flag(
        "checks",
        true,
        "compare each input's dtype, rank, device, sizes and strides with what was exported",
    )],
    ..PassDef::new(
        "to-wrapper",
        "turn kernels into functions and the rest into the host program",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    let mut functions = Vec::new();
    let mut constants = Vec::new();
    let mut kernels = Kernels::default();
    for function in &unit.functions {
        match pass::computes_constants(function) {
            true => constants.push(function.clone()),
            false => functions
                .push(lower(function, &mut kernels, cx.flag("checks")).map_err(|it| vec![it])?),
        }
    }
    functions.extend(constants);
    functions.extend(kernels.functions);
    Ok(Unit { functions })
}

struct Lower<'a> {
    function: &'a Function,
    builder: Builder<'a>,
    /// The statement's value that stands for each value.
    map: Vec<Option<ValueId>>,
    /// For inputs that are only read: the same with the strides that kernels rely on.
    strided: Vec<Option<ValueId>>,
    /// For values that are handed over: the output's index.
    handed: Vec<Option<usize>>,
    /// For values that are the memory of a view that is handed over: that view.
    behind: Vec<Option<ValueId>>,
}

fn lower(function: &Function, kernels: &mut Kernels, checked: bool) -> Result<Function> {
    let body = &function.body;
    let mut it = Lower {
        function,
        builder: Builder::new(&function.facts),
        map: vec![None; body.types.len()],
        strided: vec![None; body.types.len()],
        handed: vec![None; body.types.len()],
        behind: vec![None; body.types.len()],
    };
    for param in &body.root.params {
        let new = it.builder.param(body.ty(*param).clone());
        it.map[param.index()] = Some(new);
    }
    for (i, (output, value)) in function.outputs.iter().zip(&body.root.yields).enumerate() {
        let leaves = matches!(output.kind, OutputKind::User | OutputKind::Result);
        if !leaves || it.handed[value.index()].is_some() {
            continue;
        }
        let Some(maker) = body.ops().iter().find(|op| op.results().any(|it| it == *value)) else {
            continue;
        };
        if let Some(view) = LoopsView::of(ir::View::of(body, &function.facts, maker)) {
            // Only a view of all of what a kernel makes for it alone.
            let x = view.x();
            if !is_joined(function, x, *value) || it.behind[x.index()].is_some() {
                continue;
            }
            it.behind[x.index()] = Some(*value);
        }
        it.handed[value.index()] = Some(user_index(function, i));
    }
    let users: Vec<(usize, ValueId)> = function
        .params
        .iter()
        .zip(&body.root.params)
        .enumerate()
        .filter(|it| it.1.0.kind.is_given())
        .map(|(i, it)| (i, *it.1))
        .collect();
    // Who calls a body of control flow has checked what it is given.
    let users = if function.is_subgraph() { Vec::new() } else { users };
    checks::inputs(function, &mut it.builder, &users, checked)?;
    for (i, value) in &users {
        if checked && is_written(function, *i) {
            let x = it.get(*value);
            wrapper::CheckStrides::build(&mut it.builder, x)?;
        }
    }
    let early = early_asserts(function);
    if !function.is_subgraph() {
        for op in body.ops().iter().enumerate().filter(|it| early.contains(&it.0)) {
            it.builder.origin = op.1.origin;
            it.op(op.1, kernels)?;
        }
        wrapper::TakeInputs::build(&mut it.builder)?;
    }
    for (i, value) in &users {
        // What is written must be written where the caller sees it.
        if !is_written(function, *i) {
            let x = it.get(*value);
            let strided = wrapper::StridedInput::build(&mut it.builder, x)?[0];
            it.strided[value.index()] = Some(strided);
        }
    }
    for op in body.ops().iter().enumerate().filter(|it| !early.contains(&it.0)) {
        it.builder.origin = op.1.origin;
        it.op(op.1, kernels)?;
    }
    it.outputs(kernels)?;
    let Function { name, facts, params, outputs: _, body: _ } = function;
    // Results are handed over by statements; nothing is returned.
    let body = ir::compact(&it.builder.finish(Vec::new()), facts);
    Ok(Function {
        name: name.clone(),
        facts: facts.clone(),
        params: params.clone(),
        outputs: Vec::new(),
        body,
    })
}

/// The assertions of a model that the sizes of its inputs decide: they are checked before memory is
/// taken for those sizes.
fn early_asserts(function: &Function) -> Vec<usize> {
    let body = &function.body;
    let view = |op| ir::View::of(body, &function.facts, op);
    let late: Vec<String> = body
        .ops()
        .iter()
        .filter_map(|op| loops::BindSymbol::of(view(op)).map(|it| it.symbol()))
        .collect();
    let is_early = |op| {
        let cond = loops::Assert::of(view(op)).map(|it| it.cond());
        cond.is_some_and(|it| late.iter().all(|late| !it.mentions(late)))
    };
    match function.is_subgraph() {
        true => Vec::new(),
        false => (0..body.ops().len()).filter(|it| is_early(&body.ops()[*it])).collect(),
    }
}

/// Whether `value` is a complex tensor whose parts a kernel makes as `x`.
fn is_joined(function: &Function, x: ValueId, value: ValueId) -> bool {
    let body = &function.body;
    let made = body
        .ops()
        .iter()
        .any(|op| op.def.0.name == "loops.kernel" && op.results().any(|it| it == x));
    let whole = body.ty(value).as_tensor().filter(|it| it.dtype.is_complex());
    made && whole.is_some_and(|it| Some(&loops::parts_type(it)) == body.ty(x).as_tensor())
}

/// Whether the function writes the parameter of that index.
fn is_written(function: &Function, param: usize) -> bool {
    function.outputs.iter().any(|it| it.kind == OutputKind::Mutates(param))
}

/// The place of an output among those the caller gets.
fn user_index(function: &Function, output: usize) -> usize {
    let is_given = |it: &&ir::Output| !matches!(it.kind, OutputKind::Mutates(_));
    function.outputs[..output].iter().filter(is_given).count()
}

impl Lower<'_> {
    fn get(&self, value: ValueId) -> ValueId {
        self.map[value.index()].expect("statements come in program order")
    }

    /// What kernels read for a value.
    fn read(&self, value: ValueId) -> ValueId {
        self.strided[value.index()].unwrap_or_else(|| self.get(value))
    }

    fn op(&mut self, op: &ir::Op, kernels: &mut Kernels) -> Result<()> {
        let body = &self.function.body;
        let view = ir::View::of(body, &self.function.facts, op);
        if let Some(it) = LoopsView::of(view) {
            if self.map[op.result().index()].is_some() {
                // The output whose memory the kernel wrote.
                return Ok(());
            }
            let x = self.read(it.x());
            let made = wrapper::View::build(&mut self.builder, x, it.ty(), it.offset())?;
            self.map[op.result().index()] = Some(made[0]);
            return Ok(());
        }
        if let Some(it) = loops::Assert::of(view) {
            wrapper::Assert::build(&mut self.builder, it.cond(), it.message())?;
            return Ok(());
        }
        if loops::Absent::of(view).is_some() || self.control(op)? {
            return Ok(());
        }
        let kernel = kernels.outline(self.function, op)?;
        let inputs: Vec<ValueId> = op.operands().map(|it| self.read(it)).collect();
        let mut outputs = Vec::new();
        let in_place = Kernel::of(view).and_then(|it| Some((it.in_place()?, it.inputs())));
        for value in op.results() {
            let ty = body.ty(value).clone();
            if let Some((index, from)) = &in_place {
                let target = self.read(from[*index as usize]);
                self.map[value.index()] = Some(target);
                outputs.push(target);
                continue;
            }
            if let Some(whole) = self.behind[value.index()]
                && let Some(index) = self.handed[whole.index()]
            {
                let output = body.ty(whole).clone();
                let made = self.output(index as i64, output)?;
                let parts = wrapper::View::build(&mut self.builder, made, ty, Expr::int(0))?[0];
                self.map[whole.index()] = Some(made);
                self.map[value.index()] = Some(parts);
                outputs.push(parts);
                continue;
            }
            outputs.push(self.allocate(value, ty)?);
        }
        let faults = kernel.faults;
        let name = RefName(kernel.name);
        wrapper::Call::build(&mut self.builder, inputs, outputs, name, faults, None)?;
        Ok(())
    }

    /// The tensor that a value is written to.
    fn allocate(&mut self, value: ValueId, ty: Type) -> Result<ValueId> {
        let made = match self.handed[value.index()] {
            Some(index) => self.output(index as i64, ty)?,
            None => wrapper::Alloc::build(&mut self.builder, ty)?[0],
        };
        self.map[value.index()] = Some(made);
        Ok(made)
    }

    /// The tensor of the output of that index.
    fn output(&mut self, index: i64, ty: Type) -> Result<ValueId> {
        let made = match self.function.is_subgraph() {
            true => wrapper::Result::build(&mut self.builder, index, ty)?,
            false => wrapper::OutputAlloc::build(&mut self.builder, index, ty)?,
        };
        Ok(made[0])
    }

    /// Calls a kernel that copies.
    fn copy(&mut self, kernels: &mut Kernels, from: ValueId, to: ValueId) -> Result<()> {
        let (from, to) = (self.parts(from)?, self.parts(to)?);
        let (source, target) = (self.builder.ty(from).clone(), self.builder.ty(to).clone());
        let name = RefName(kernels.copy(self.function, &source, &target)?.name);
        wrapper::Call::build(&mut self.builder, vec![from], vec![to], name, false, None)?;
        Ok(())
    }

    /// A tensor as kernels see it: a complex one as its parts.
    fn parts(&mut self, value: ValueId) -> Result<ValueId> {
        match self.builder.ty(value).as_tensor().filter(|it| it.dtype.is_complex()) {
            Some(ty) => {
                let ty = Type::Tensor(loops::parts_type(ty));
                Ok(wrapper::View::build(&mut self.builder, value, ty, Expr::int(0))?[0])
            }
            None => Ok(value),
        }
    }

    /// Hands over what was not allocated as an output, and writes back what is mutated.
    fn outputs(&mut self, kernels: &mut Kernels) -> Result<()> {
        let function = self.function;
        let yields = function.body.root.yields.clone();
        for (i, (output, value)) in function.outputs.iter().zip(yields).enumerate() {
            let index = user_index(function, i) as i64;
            if *function.body.ty(value) == Type::None {
                wrapper::OutputNone::build(&mut self.builder, index)?;
                continue;
            }
            let made = self.read(value);
            match output.kind {
                OutputKind::Mutates(param) => {
                    let target = self.get(function.body.root.params[param]);
                    if target == made {
                        continue;
                    }
                    self.copy(kernels, made, target)?;
                }
                OutputKind::AliasesParam(param, ref offset) => {
                    let x = self.get(function.body.root.params[param]);
                    let whole = self.builder.ty(x) == &output.ty && offset.as_int() == Some(0);
                    match whole {
                        true => wrapper::OutputInput::build(&mut self.builder, x, index)?,
                        false => {
                            // Of what the caller gave at the strides that are known here.
                            let x = self.read(function.body.root.params[param]);
                            let (ty, offset) = (output.ty.clone(), offset.clone());
                            wrapper::OutputView::build(&mut self.builder, x, index, ty, offset)?
                        }
                    };
                }
                OutputKind::AliasesOutput(other, ref offset) => {
                    let is_same =
                        function.outputs[other].ty == output.ty && offset.as_int() == Some(0);
                    let other = user_index(function, other) as i64;
                    match is_same {
                        true => wrapper::OutputSame::build(&mut self.builder, index, other)?,
                        false => {
                            let (ty, offset) = (output.ty.clone(), offset.clone());
                            wrapper::OutputAlias::build(
                                &mut self.builder,
                                index,
                                other,
                                ty,
                                offset,
                            )?
                        }
                    };
                }
                OutputKind::User | OutputKind::Result
                    if self.handed[value.index()] == Some(index as usize) => {}
                // A value of which another output is the memory, or that is a parameter's.
                OutputKind::User | OutputKind::Result => {
                    let ty = match &output.ty {
                        Type::Tensor(it) if it.strides.is_some() => output.ty.clone(),
                        _ => self.builder.ty(made).clone(),
                    };
                    let target = self.output(index, ty)?;
                    self.copy(kernels, made, target)?;
                }
            }
        }
        Ok(())
    }
}
