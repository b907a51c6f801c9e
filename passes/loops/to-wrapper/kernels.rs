//! Kernels as functions, each once.

use ir::{
    Arg, AttrTy, Builder, Function, Op, Output, OutputKind, Param, ParamKind, Result, TensorType,
    Type, ValueId, content_hash, print_function,
};
use sym::Expr;

/// The kernels of a unit, in the order of first use.
#[derive(Default)]
pub(super) struct Kernels {
    pub functions: Vec<Function>,
}

/// A kernel as its callers see it.
pub(super) struct Outlined {
    pub name: String,
    /// Whether it may record an error.
    pub faults: bool,
}

impl Kernels {
    /// The function of the one op, made if there is none like it.
    pub(super) fn outline(&mut self, function: &Function, op: &Op) -> Result<Outlined> {
        let body = &function.body;
        let symbols = loops::free_symbols(body, op);
        let facts = function.facts.restricted_to(&|it| symbols.contains(it));
        let mut shell = Function { facts, ..Function::default() };
        let kernel_facts = shell.facts.clone();
        let mut builder = Builder::new(&kernel_facts);
        let mut copy = Copier { function, map: vec![None; body.types.len()] };
        let mut params = Vec::new();
        // An operand that is read twice is passed twice: callers differ, kernels need not.
        let mut args = Vec::new();
        for arg in &op.args {
            let mut made = Vec::new();
            for value in arg.values() {
                let new = builder.param(body.ty(value).clone());
                params.push(Param { name: format!("a{}", params.len()), kind: ParamKind::User });
                made.push(new);
            }
            let mut made = made.into_iter();
            args.push(match arg {
                Arg::None => Arg::None,
                Arg::Value(_) => made.next().into(),
                Arg::List(list) => {
                    Arg::List(list.iter().map(|it| it.and_then(|_| made.next())).collect())
                }
            });
        }
        for region in &op.regions {
            copy.region(&mut builder, region)?;
        }
        let results = builder.push(op.def, args, op.attrs.clone())?;
        shell.outputs = op
            .results()
            .enumerate()
            .map(|(i, it)| Output {
                name: format!("o{i}"),
                kind: OutputKind::User,
                ty: body.ty(it).clone(),
            })
            .collect();
        shell.params = params;
        shell.body = builder.finish(results);
        let mut faults = false;
        shell.body.for_each_op(&mut |it| faults |= it.def.0.may_trap);
        Ok(Outlined { name: self.intern(shell), faults })
    }

    /// A kernel that copies a tensor of one type to one of the other.
    pub(super) fn copy(&mut self, function: &Function, from: &Type, to: &Type) -> Result<Outlined> {
        let (Type::Tensor(source), Type::Tensor(target)) = (from, to) else {
            return Err(diag::Diag::error(
                &diag::codes::BODY,
                format!("cannot copy {from} to {to}"),
            ));
        };
        let mut names = std::collections::BTreeSet::new();
        for ty in [from, to] {
            ty.for_each_expr(&mut |it| names.extend(it.symbols()));
        }
        let facts = function.facts.restricted_to(&|it| names.contains(it));
        let mut shell = Function { facts, ..Function::default() };
        let kernel_facts = shell.facts.clone();
        let mut builder = Builder::new(&kernel_facts);
        let input = builder.param(from.clone());
        let result = copy_kernel(&mut builder, input, source, target)?;
        shell.params = vec![Param { name: "a0".to_owned(), kind: ParamKind::User }];
        shell.outputs =
            vec![Output { name: "o0".to_owned(), kind: OutputKind::User, ty: to.clone() }];
        shell.body = builder.finish(vec![result]);
        Ok(Outlined { name: self.intern(shell), faults: false })
    }

    /// The name of a kernel that says this, by the hash of its text without a name.
    fn intern(&mut self, mut kernel: Function) -> String {
        let hash = content_hash([print_function(&kernel).as_bytes()]);
        let name = format!("tt_kernel_{}", &hash[..16]);
        if !self.functions.iter().any(|it| it.name == name) {
            kernel.name.clone_from(&name);
            self.functions.push(kernel);
        }
        name
    }
}

fn copy_kernel(
    builder: &mut Builder<'_>,
    input: ValueId,
    from: &TensorType,
    to: &TensorType,
) -> Result<ValueId> {
    let names: Vec<String> = (0..to.rank()).map(|i| format!("i{i}")).collect();
    let at: Vec<Expr> = names.iter().map(|it| Expr::sym(it)).collect();
    builder.begin_region();
    let source = builder.param(Type::Tensor(from.clone()));
    let target = builder.param(Type::Tensor(to.clone()));
    let args = [source.into(), Arg::List(Vec::new()), Arg::None];
    let element = builder.push1(loops::Load::def(), args, vec![at.clone().to_attr()])?;
    let args = [target.into(), element.into(), Arg::List(Vec::new()), Arg::None];
    builder.push(loops::Store::def(), args, vec![at.to_attr(), "set".to_owned().to_attr()])?;
    builder.end_region(Vec::new());
    let vector = names.last().cloned();
    let outs = vec![Type::Tensor(to.clone())];
    let results = loops::Kernel::build(
        builder,
        vec![input],
        names,
        to.shape.to_vec(),
        outs.to_attr(),
        0,
        None,
        vector,
        None,
    )?;
    Ok(results[0])
}

/// Copies regions, which see nothing but their own parameters.
struct Copier<'a> {
    function: &'a Function,
    map: Vec<Option<ValueId>>,
}

impl Copier<'_> {
    fn region(&mut self, builder: &mut Builder<'_>, region: &ir::Region) -> Result<()> {
        builder.begin_region();
        for param in &region.params {
            let new = builder.param(self.function.body.ty(*param).clone());
            self.map[param.index()] = Some(new);
        }
        for op in &region.ops {
            for inner in &op.regions {
                self.region(builder, inner)?;
            }
            let args: Vec<Arg> = op.args.iter().map(|it| it.map(|it| self.get(it))).collect();
            let results = builder.push(op.def, args, op.attrs.clone())?;
            for (old, new) in op.results().zip(results) {
                self.map[old.index()] = Some(new);
            }
        }
        let yields = region.yields.iter().map(|it| self.get(*it)).collect();
        builder.end_region(yields);
        Ok(())
    }

    fn get(&self, value: ValueId) -> ValueId {
        self.map[value.index()].expect("a kernel's region sees only its parameters")
    }
}
