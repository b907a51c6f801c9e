//! Outlining of constants: what depends on weights alone moves to a function of its own, which the
//! interpreter runs when the library is built.

use diag::Diag;
use ir::{
    Body, Effects, Function, Op, Output, OutputKind, Param, ParamKind, Rewriter, Type, ValueId,
};

use crate::Unit;

/// What a value is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Something that is not known before the run.
    Run,
    /// No constant of the model: cheap to make again.
    Nothing,
    /// A constant of the model, perhaps seen through another shape.
    Constant,
    /// Computed from constants.
    Computed,
}

/// Splits a function in two: the function without what depends on constants alone, and a function
/// that computes that. New parameters are called `PREFIX.0`, `PREFIX.1`, … and are the other
/// function's outputs of those names. `None` if there is nothing to move.
///
/// `is_movement` says which ops only show their operand's elements under another shape: these are
/// free where they are read and stay there.
pub fn outline_constants(
    function: &Function,
    prefix: &str,
    is_movement: &dyn Fn(&Op) -> bool,
) -> ir::Result<Option<(Function, Function)>> {
    let of =
        Of { is_known: &|it| function.is_constant(it), is_certain: true, made: ParamKind::Folded };
    outline(function, prefix, is_movement, &of)
}

/// Which constants are meant.
pub(crate) struct Of<'a> {
    /// Whether the parameter of that index is one.
    pub is_known: &'a dyn Fn(usize) -> bool,
    /// Whether the function runs in every run of the model. If not, what may trap stays where it
    /// is, and so do literals.
    pub is_certain: bool,
    /// What the new parameters are.
    pub made: ParamKind,
}

/// [`outline_constants`], of what is said to be constant.
pub(crate) fn outline(
    function: &Function,
    prefix: &str,
    is_movement: &dyn Fn(&Op) -> bool,
    of: &Of<'_>,
) -> ir::Result<Option<(Function, Function)>> {
    let body = &function.body;
    let sources = sources(function, is_movement, of);
    let roots = roots(body, &sources, is_movement);
    if roots.is_empty() {
        return Ok(None);
    }
    // Names are of the whole program.
    let owner = if function.is_subgraph() { format!("{}.", function.name) } else { String::new() };
    let names: Vec<String> = (0..roots.len()).map(|i| format!("{owner}{prefix}.{i}")).collect();
    let mut main = Rewriter::new(function);
    for root in &roots {
        let param = main.new.param(body.ty(*root).clone());
        main.set(*root, param);
    }
    for op in body.ops() {
        if op.results == 0 || !op.results().all(|it| roots.contains(&it)) {
            main.copy_unless_known(op)?;
        }
    }
    let mut main = main.finish();
    let made = names.iter().map(|it| Param { name: it.clone(), kind: of.made.clone() });
    main.params.extend(made);
    let constants = constants_function(function, prefix, &roots, &names)?;
    Ok(Some((main, constants)))
}

fn is_static(ty: &Type) -> bool {
    match ty {
        Type::Tensor(it) => it.shape.iter().all(|it| it.as_int().is_some()),
        Type::Scalar(_) | Type::List(_) | Type::Arena | Type::None => false,
    }
}

fn sources(function: &Function, is_movement: &dyn Fn(&Op) -> bool, of: &Of<'_>) -> Vec<Source> {
    let body = &function.body;
    let mut res = vec![Source::Run; body.types.len()];
    for (i, value) in body.root.params.iter().enumerate() {
        if (of.is_known)(i) {
            res[value.index()] = Source::Constant;
        }
    }
    for op in body.ops() {
        let movable = op.def.0.effects == Effects::Pure
            && op.def.0.eval.is_some()
            && (of.is_certain || !traps(op))
            && op.results().all(|it| is_static(body.ty(it)));
        if !movable {
            continue;
        }
        let mut strongest = Source::Nothing;
        for operand in op.operands() {
            strongest = match (strongest, res[operand.index()]) {
                (Source::Run, _) | (_, Source::Run) => Source::Run,
                (Source::Nothing, it) => it,
                (it, Source::Nothing) => it,
                (Source::Constant, it) | (it, Source::Constant) => it,
                (Source::Computed, Source::Computed) => Source::Computed,
            };
        }
        let is_table = of.is_certain && op.def.0.name == "tensor.literal";
        let source = match strongest {
            Source::Constant if !is_movement(op) => Source::Computed,
            Source::Nothing if is_table => Source::Computed,
            it => it,
        };
        op.results().for_each(|it| res[it.index()] = source);
    }
    res
}

/// Whether computing the op may stop whoever computes it.
fn traps(op: &Op) -> bool {
    let mut inner = op.regions.iter().flat_map(|it| &it.ops);
    op.def.0.may_trap || inner.any(traps)
}

/// The computed constants that the run reads, each before the movements it is read through.
fn roots(body: &Body, sources: &[Source], is_movement: &dyn Fn(&Op) -> bool) -> Vec<ValueId> {
    let mut needed = vec![false; sources.len()];
    body.root.yields.iter().for_each(|it| needed[it.index()] = true);
    for op in body.ops().iter().rev() {
        let runs = op.results == 0 || op.results().any(|it| sources[it.index()] == Source::Run);
        let shows = is_movement(op) && op.results().any(|it| needed[it.index()]);
        // Cheap values that are made again need what they are made of.
        let again =
            op.results().any(|it| needed[it.index()] && sources[it.index()] == Source::Nothing);
        if runs || shows || again {
            op.for_each_use(&mut |it| needed[it.index()] = true);
        }
    }
    let mut res = Vec::new();
    for op in body.ops().iter().filter(|it| !is_movement(it)) {
        res.extend(
            op.results().filter(|it| needed[it.index()] && sources[it.index()] == Source::Computed),
        );
    }
    res
}

fn constants_function(
    function: &Function,
    prefix: &str,
    roots: &[ValueId],
    names: &[String],
) -> ir::Result<Function> {
    let body = &function.body;
    // What the roots need, found from the last op to the first.
    let mut needed = vec![false; body.types.len()];
    roots.iter().for_each(|it| needed[it.index()] = true);
    for op in body.ops().iter().rev() {
        if op.results().any(|it| needed[it.index()]) {
            op.for_each_use(&mut |it| needed[it.index()] = true);
        }
    }
    let mut new = Rewriter::empty(function);
    let mut params = Vec::new();
    for (param, value) in function.params.iter().zip(&body.root.params) {
        if needed[value.index()] {
            let copied = new.new.param(body.ty(*value).clone());
            new.set(*value, copied);
            params.push(param.clone());
        }
    }
    for op in body.ops() {
        if op.results().any(|it| needed[it.index()]) {
            new.copy(op)?;
        }
    }
    let outputs = roots
        .iter()
        .zip(names)
        .map(|(root, name)| Output {
            name: name.clone(),
            kind: OutputKind::User,
            ty: body.ty(*root).clone(),
        })
        .collect();
    let yields = roots.iter().map(|it| new.get(*it)).collect();
    let mut res = new.finish_with(yields);
    res.name = format!("{}.constants.{prefix}", function.name);
    res.params = params;
    res.outputs = outputs;
    Ok(res)
}

/// [`outline_constants`] for every function of a unit, after `prepare`. Functions that were outlined
/// before come first among those that compute constants: the new ones may read their results.
pub fn outline_unit(
    unit: &Unit,
    prefix: &str,
    is_movement: &dyn Fn(&Op) -> bool,
    prepare: &dyn Fn(&Function) -> ir::Result<Function>,
) -> Result<Unit, Vec<Diag>> {
    let (mut functions, mut earlier, mut outlined) = (Vec::new(), Vec::new(), Vec::new());
    for function in &unit.functions {
        if computes_constants(function) {
            earlier.push(function.clone());
            continue;
        }
        let prepared = prepare(function).map_err(|it| vec![it])?;
        match outline_constants(&prepared, prefix, is_movement).map_err(|it| vec![it])? {
            None => functions.push(prepared),
            Some((main, constants)) => {
                functions.push(main);
                outlined.push(constants);
            }
        }
    }
    functions.extend(earlier);
    functions.extend(outlined);
    Ok(Unit { functions })
}

/// Whether a function computes constants ahead of the run.
pub fn computes_constants(function: &Function) -> bool {
    function.name.contains(".constants.")
}
