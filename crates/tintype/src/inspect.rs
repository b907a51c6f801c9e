//! What there is to know of an archive or a package without running it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use catalog::Phase;
use db::Source;
use diag::{Diag, codes};
use import::schema::{Argument, Graph};
use ir::{Function, OutputKind, ParamKind, Type};
use package::Package;
use toolchain::TargetCpu;
use wrapper_passes::report::{bodies_bytes, own_bytes};

use crate::{
    Failure, FileKind,
    session::{Session, Settings, map, open, target},
    values,
};

/// An input, an output, or a weight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueInfo {
    /// Its name in the model.
    pub name: String,
    /// Its element type, as PyTorch calls it.
    pub dtype: String,
    /// One text per dimension: `3`, `s0`, `2*s0`.
    pub dims: Vec<String>,
    /// Whether the model writes it in place.
    pub is_written: bool,
}

/// A size symbol and its range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolInfo {
    /// Its name.
    pub name: String,
    /// The least value; none where there is none.
    pub min: Option<i64>,
    /// The greatest value; none where there is none.
    pub max: Option<i64>,
}

/// A kind of operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// Its name, as `aten.add.Tensor`.
    pub name: String,
    /// How often the program calls it.
    pub count: usize,
    /// Whether it compiles.
    pub is_supported: bool,
}

/// What was found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inspection {
    /// What the file is: `archive`, `IR text`, `package` or `library`.
    pub kind: &'static str,
    /// Facts about where it comes from, by name.
    pub facts: Vec<(&'static str, String)>,
    /// What the caller gives.
    pub inputs: Vec<ValueInfo>,
    /// What the caller gets.
    pub outputs: Vec<ValueInfo>,
    /// The symbols in dimensions.
    pub symbols: Vec<SymbolInfo>,
    /// The kinds of operators, the most frequent first; for archives.
    pub operators: Vec<Operator>,
    /// Weights, buffers and constants; for archives.
    pub weights: Vec<ValueInfo>,
    /// Bytes of stored weights.
    pub weight_bytes: u64,
    /// Bytes that a run needs beside weights and outputs: the size as an expression, and its value
    /// at the smallest sizes, and at the largest where there are such.
    pub memory: Option<(String, Option<i64>, Option<i64>)>,
    /// Why it does not compile, if it does not.
    pub problems: Vec<Diag>,
}

/// Looks into a file.
pub fn inspect(path: &Path) -> Result<Inspection, Failure> {
    match FileKind::of(path)? {
        FileKind::Archive => archive(path),
        FileKind::Package => package(path),
        FileKind::Library => library(path),
    }
}

fn archive(path: &Path) -> Result<Inspection, Failure> {
    let file = Arc::new(map(path)?);
    let opened = open(path, &file)?;
    let mut res = Inspection { kind: "IR text", ..Inspection::default() };
    if let Source::Export(program) = &opened.source {
        res.kind = "archive";
        let version = program.schema_version;
        res.facts.push(("schema", format!("{}.{}", version.major, version.minor)));
        if !program.torch_version.is_empty() {
            res.facts.push(("torch", program.torch_version.clone()));
        }
    }
    for (name, weight) in opened.weights.iter() {
        res.weights.push(ValueInfo {
            name: name.to_owned(),
            dtype: values::stored_dtype(weight.dtype)
                .and_then(values::runtime_dtype)
                .map_or_else(|| weight.dtype.to_string(), |it| it.name().to_owned()),
            dims: weight.sizes.iter().map(ToString::to_string).collect(),
            is_written: false,
        });
    }
    res.weight_bytes = opened.weights.storages().map(|it| it.bytes.len() as u64).sum();

    let settings =
        Settings { target: target(&TargetCpu::Native), pipeline: None, unchecked: false };
    let session = Session::new(opened.source.clone(), (opened.level, Phase::Wrapper), &settings)?;
    if let Err(failure) = session.check(Phase::Wrapper) {
        res.problems = failure.diags;
    }
    // What is written in place shows once the program is functional.
    if let Some(main) = session.after(Phase::Aten).first().and_then(|it| it.main()) {
        signature(main, &mut res);
    }
    if let Source::Export(program) = &opened.source {
        res.operators = operators(&program.graph_module.graph, &res.problems);
    }
    if res.problems.is_empty() {
        let units = session.after(Phase::Wrapper);
        res.memory = units.first().and_then(|it| memory(&it.functions));
    }
    Ok(res)
}

fn value_info(name: &str, ty: &Type, is_written: bool) -> ValueInfo {
    let (dtype, dims) = match ty {
        Type::Tensor(it) => (Some(it.dtype), it.shape.iter().map(ToString::to_string).collect()),
        Type::Scalar(dtype) => (Some(*dtype), Vec::new()),
        Type::List(_) | Type::Arena | Type::None => (None, Vec::new()),
    };
    let dtype = dtype.and_then(values::runtime_dtype).map_or("none", |it| it.name());
    ValueInfo { name: name.to_owned(), dtype: dtype.to_owned(), dims, is_written }
}

fn signature(main: &Function, res: &mut Inspection) {
    for (i, (param, value_id)) in main.params.iter().zip(&main.body.root.params).enumerate() {
        let is_written = main.outputs.iter().any(|it| it.kind == OutputKind::Mutates(i));
        if param.kind == ParamKind::User {
            res.inputs.push(value_info(&param.name, main.body.ty(*value_id), is_written));
        } else if is_written
            && let Some(it) = res.weights.iter_mut().find(|it| it.name == param.name)
        {
            it.is_written = true;
        }
    }
    for output in &main.outputs {
        if !matches!(output.kind, OutputKind::Mutates(_)) {
            res.outputs.push(value_info(&output.name, &output.ty, false));
        }
    }
    for name in main.facts.symbols() {
        let sym::Range { lo, hi } = main.facts.range_of_sym(&name);
        res.symbols.push(SymbolInfo {
            name: name.to_string(),
            min: (lo != i64::MIN).then_some(lo),
            max: (hi != i64::MAX).then_some(hi),
        });
    }
}

/// The kinds of operators of a graph and of the graphs inside it.
fn operators(graph: &Graph, problems: &[Diag]) -> Vec<Operator> {
    fn count<'a>(graph: &'a Graph, counts: &mut BTreeMap<&'a str, usize>) {
        for node in &graph.nodes {
            let name = node.target.strip_prefix("torch.ops.").unwrap_or(&node.target);
            *counts.entry(name).or_default() += 1;
            for input in &node.inputs {
                if let Argument::Graph(it) = &input.arg {
                    count(&it.graph, counts);
                }
            }
        }
    }
    let mut counts = BTreeMap::new();
    count(graph, &mut counts);
    // A kind that does not compile is named, in backquotes, by the error about it.
    let is_named = |name: &str| {
        let short = name.strip_prefix("aten.").unwrap_or(name);
        let shorter = short.strip_suffix(".default").unwrap_or(short);
        problems.iter().filter(|it| it.code == &codes::UNSUPPORTED).any(|it| {
            it.message.split('`').skip(1).step_by(2).any(|it| {
                let it = it.strip_prefix("aten.").unwrap_or(it);
                it == short || it == shorter
            })
        })
    };
    let mut res: Vec<Operator> = counts
        .into_iter()
        .map(|(name, count)| Operator {
            name: name.to_owned(),
            count,
            is_supported: !is_named(name),
        })
        .collect();
    res.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    res
}

/// The size of the arena, which one statement of the host program says.
fn memory(functions: &[Function]) -> Option<(String, Option<i64>, Option<i64>)> {
    let main = functions.first()?;
    let size = own_bytes(main) + bodies_bytes(functions, main);
    let size = sym::simplify(&size, &main.facts);
    let range = |name: &str| main.facts.range_of_sym(name);
    let least = |name: &str| Some(range(name).lo.max(0));
    let most = |name: &str| Some(range(name).hi).filter(|it| *it != i64::MAX);
    Some((size.to_string(), size.eval(&least).ok(), size.eval(&most).ok()))
}

fn package(path: &Path) -> Result<Inspection, Failure> {
    let mut package = Package::open(path)?;
    let mut res = Inspection { kind: "package", ..Inspection::default() };
    let models = package.models();
    res.facts.push(("models", models.join(", ")));
    if let Some(signature) = package.signature()? {
        res.facts.push(("producer", signature.producer));
        res.facts.push(("target CPU", signature.target_cpu));
        let values = |infos: Vec<package::TensorInfo>| {
            infos
                .into_iter()
                .map(|it| ValueInfo {
                    name: it.name,
                    dtype: it.dtype,
                    dims: it.dims,
                    is_written: false,
                })
                .collect()
        };
        (res.inputs, res.outputs) = (values(signature.inputs), values(signature.outputs));
        res.symbols = signature
            .symbols
            .into_iter()
            .map(|it| SymbolInfo { name: it.name, min: Some(it.min), max: it.max })
            .collect();
    }
    for model in &models {
        let library = package.library(model)?;
        res.facts.push(("library", format!("{} bytes", library.parts.elf_size)));
        res.weight_bytes += library.parts.blob.map_or(0, |it| it.1);
    }
    Ok(res)
}

/// A library says what it is only once it is loaded.
fn library(path: &Path) -> Result<Inspection, Failure> {
    let model = tintype_runtime::Model::load(path)?;
    let values = |infos: &[tintype_runtime::TensorInfo]| {
        let value = |it: &tintype_runtime::TensorInfo| ValueInfo {
            name: it.name.clone(),
            dtype: it.dtype.map_or("unknown", |it| it.name()).to_owned(),
            dims: it.dims.clone(),
            is_written: it.is_written,
        };
        infos.iter().map(value).collect()
    };
    let symbol = |it: &tintype_runtime::Symbol| SymbolInfo {
        name: it.name.clone(),
        min: Some(it.min),
        max: it.max,
    };
    Ok(Inspection {
        kind: "library",
        inputs: values(model.inputs()),
        outputs: values(model.outputs()),
        symbols: model.symbols().iter().map(symbol).collect(),
        ..Inspection::default()
    })
}
