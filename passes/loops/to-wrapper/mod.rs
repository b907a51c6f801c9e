//! From kernels to the host program: what is checked, bound, allocated, called and handed over, in
//! order.
//!
//! Each kernel becomes a function of its own, named by the hash of what it says; equal kernels are
//! one function. The function left is the sequence of statements of the host program.

mod checks;
mod kernels;

use diag::Diag;
use ir::{Builder, Function, OutputKind, ParamKind, RefName, Result, Type, ValueId};
use loops::View as LoopsView;
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
}

fn lower(function: &Function, kernels: &mut Kernels, checked: bool) -> Result<Function> {
    let body = &function.body;
    let mut it = Lower {
        function,
        builder: Builder::new(&function.facts),
        map: vec![None; body.types.len()],
        strided: vec![None; body.types.len()],
        handed: vec![None; body.types.len()],
    };
    for param in &body.root.params {
        let new = it.builder.param(body.ty(*param).clone());
        it.map[param.index()] = Some(new);
    }
    for (i, (output, value)) in function.outputs.iter().zip(&body.root.yields).enumerate() {
        let made_here = !body.root.params.contains(value);
        if output.kind == OutputKind::User && made_here && it.handed[value.index()].is_none() {
            it.handed[value.index()] = Some(user_index(function, i));
        }
    }
    let users: Vec<(usize, ValueId)> = function
        .params
        .iter()
        .zip(&body.root.params)
        .enumerate()
        .filter(|it| it.1.0.kind == ParamKind::User)
        .map(|(i, it)| (i, *it.1))
        .collect();
    checks::inputs(function, &mut it.builder, &users, checked)?;
    for (i, value) in &users {
        if checked && is_written(function, *i) {
            let x = it.get(*value);
            wrapper::CheckStrides::build(&mut it.builder, x)?;
        }
    }
    wrapper::TakeInputs::build(&mut it.builder)?;
    for (i, value) in &users {
        // What is written must be written where the caller sees it.
        if !is_written(function, *i) {
            let x = it.get(*value);
            let strided = wrapper::StridedInput::build(&mut it.builder, x)?[0];
            it.strided[value.index()] = Some(strided);
        }
    }
    for op in body.ops() {
        it.builder.origin = op.origin;
        it.op(op, kernels)?;
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
            let x = self.read(it.x());
            let made = wrapper::View::build(&mut self.builder, x, it.ty(), it.offset())?;
            self.map[op.result().index()] = Some(made[0]);
            return Ok(());
        }
        if let Some(it) = loops::Assert::of(view) {
            wrapper::Assert::build(&mut self.builder, it.cond(), it.message())?;
            return Ok(());
        }
        let kernel = kernels.outline(self.function, op)?;
        let inputs: Vec<ValueId> = op.operands().map(|it| self.read(it)).collect();
        let mut outputs = Vec::new();
        for value in op.results() {
            let ty = body.ty(value).clone();
            let made = match self.handed[value.index()] {
                Some(index) => wrapper::OutputAlloc::build(&mut self.builder, index as i64, ty)?,
                None => wrapper::Alloc::build(&mut self.builder, ty)?,
            };
            self.map[value.index()] = Some(made[0]);
            outputs.push(made[0]);
        }
        let faults = kernel.faults;
        let name = RefName(kernel.name);
        wrapper::Call::build(&mut self.builder, inputs, outputs, name, faults)?;
        Ok(())
    }

    /// Hands over what was not allocated as an output, and writes back what is mutated.
    fn outputs(&mut self, kernels: &mut Kernels) -> Result<()> {
        let function = self.function;
        let yields = function.body.root.yields.clone();
        for (i, (output, value)) in function.outputs.iter().zip(yields).enumerate() {
            let made = self.read(value);
            let index = user_index(function, i) as i64;
            match output.kind {
                OutputKind::Mutates(param) => {
                    let target = self.get(function.body.root.params[param]);
                    if target == made {
                        continue;
                    }
                    let from = self.builder.ty(made).clone();
                    let to = self.builder.ty(target).clone();
                    let kernel = kernels.copy(function, &from, &to)?;
                    let name = RefName(kernel.name);
                    wrapper::Call::build(&mut self.builder, vec![made], vec![target], name, false)?;
                }
                OutputKind::AliasesParam(param) => {
                    let x = self.get(function.body.root.params[param]);
                    let whole = self.builder.ty(x) == &output.ty;
                    match whole {
                        true => wrapper::OutputInput::build(&mut self.builder, x, index)?,
                        false => {
                            let ty = output.ty.clone();
                            let offset = Expr::int(0);
                            wrapper::OutputView::build(&mut self.builder, x, index, ty, offset)?
                        }
                    };
                }
                OutputKind::AliasesOutput(other) => {
                    let other = user_index(function, other) as i64;
                    wrapper::OutputSame::build(&mut self.builder, index, other)?;
                }
                OutputKind::User if self.handed[value.index()] == Some(index as usize) => (),
                // A value of which another output is the memory, or that is a parameter's.
                OutputKind::User => {
                    let ty = match &output.ty {
                        Type::Tensor(it) if it.strides.is_some() => output.ty.clone(),
                        _ => self.builder.ty(made).clone(),
                    };
                    let from = self.builder.ty(made).clone();
                    let kernel = kernels.copy(function, &from, &ty)?;
                    let target = wrapper::OutputAlloc::build(&mut self.builder, index, ty)?[0];
                    let name = RefName(kernel.name);
                    wrapper::Call::build(&mut self.builder, vec![made], vec![target], name, false)?;
                }
            }
        }
        Ok(())
    }
}
