//! From the program as the archive says it to functions of the `aten` dialect.
//!
//! [`to_aten`] never stops half-way: what it cannot take is left out and reported, every kind of
//! operator once, with its count and the first line of Python that used it. A function is usable
//! only if no diagnostic is an error.
//!
//! Names of values, parameters and outputs stay data. The names of functions and symbols, which
//! become part of a text, are checked or replaced.

mod arguments;
mod autocast;
mod bodies;
mod constants;
mod graph;
mod hops;
mod signature;
mod stacked;
mod symbols;
mod vmap;

use std::collections::BTreeSet;

use diag::{Diag, codes};
use ir::{Builder, DType, Function, Origin, Type, ValueId};
use sym::{Expr, Facts};

use crate::{
    schema::{ExportedProgram, Graph, Map, Node, TensorMeta},
    stack::{Frame, frames},
};
use symbols::Symbols;

/// The exported node that an op came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OriginInfo {
    /// The node's name in the graph.
    pub node: String,
    /// The Python file that called it; empty where that is not known.
    pub file: String,
    /// The line in it, from one.
    pub line: u32,
    /// The text of the line.
    pub code: String,
    /// The qualified name of the module it was called in.
    pub module: String,
}

/// A program at the level of `aten`.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The model, called `main`, and after it the bodies of its higher-order operators.
    pub functions: Vec<Function>,
    /// For each function, what its origins number.
    pub origins: Vec<Vec<OriginInfo>>,
    /// The tree of the inputs, in PyTorch's own JSON.
    pub in_spec: Option<String>,
    /// The tree of the outputs, in PyTorch's own JSON.
    pub out_spec: Option<String>,
    /// What is wrong.
    pub diags: Vec<Diag>,
}

/// Converts a program.
pub fn to_aten(program: &ExportedProgram) -> Imported {
    let mut importer = Importer::new(program);
    importer.main();
    constants::into_bodies(&mut importer.functions);
    let root = program.graph_module.module_call_graph.iter().find(|it| it.fqn.is_empty());
    let signature = root.and_then(|it| it.signature.as_ref());
    let mut res = Imported {
        functions: importer.functions,
        origins: importer.origins,
        in_spec: signature.map(|it| it.in_spec.clone()),
        out_spec: signature.map(|it| it.out_spec.clone()),
        diags: importer.diags,
    };
    for (kind, Unsupported { count, first }) in importer.unsupported {
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let mut diag = Diag::error(
            &codes::UNSUPPORTED,
            format!("`{kind}` is not supported; it is used {times}"),
        );
        if !first.file.is_empty() {
            diag = diag.note(format!("first at {}:{}: {}", first.file, first.line, first.code));
        }
        res.diags.push(diag);
    }
    res
}

struct Unsupported {
    count: usize,
    first: OriginInfo,
}

struct Importer<'p> {
    program: &'p ExportedProgram,
    symbols: Symbols,
    functions: Vec<Function>,
    origins: Vec<Vec<OriginInfo>>,
    /// The bodies among the functions.
    made: Vec<bodies::Made<'p>>,
    /// What must hold of the inputs' sizes, and what to say if it doesn't.
    guards: Vec<(Expr, String)>,
    /// The symbols that data has defined at this place, in the functions around it too.
    defined: BTreeSet<String>,
    /// What autocast computes in at this place.
    autocast: Option<DType>,
    unsupported: Map<Unsupported>,
    diags: Vec<Diag>,
}

/// A function under construction.
struct Making<'f> {
    builder: Builder<'f>,
    origins: Vec<OriginInfo>,
}

/// A graph and what its names stand for so far.
struct Scope<'p> {
    graph: &'p Graph,
    /// `None` is a value whose making was reported already.
    values: Map<Option<ValueId>>,
}

impl<'p> Importer<'p> {
    fn new(program: &'p ExportedProgram) -> Importer<'p> {
        Importer {
            program,
            symbols: Symbols::default(),
            functions: Vec::new(),
            origins: Vec::new(),
            made: Vec::new(),
            guards: Vec::new(),
            defined: BTreeSet::new(),
            autocast: None,
            unsupported: Map::default(),
            diags: Vec::new(),
        }
    }

    fn main(&mut self) {
        let graph = &self.program.graph_module.graph;
        let facts = self.facts(graph);
        // The model comes first, before the bodies it refers to.
        self.functions.push(Function { name: "main".to_owned(), ..Function::default() });
        self.origins.push(Vec::new());
        let mut making = Making { builder: Builder::new(&facts), origins: Vec::new() };
        let mut scope = Scope { graph, values: Map::default() };
        let params = self.params(&mut making, &mut scope);
        self.guards(&mut making);
        self.nodes(&mut making, &mut scope);
        let (outputs, yields) = self.outputs(&mut making, &scope, &params);
        let body = making.builder.finish(yields);
        let main =
            Function { name: "main".to_owned(), facts: facts.clone(), params, outputs, body };
        if let (Some(function), Some(origins)) =
            (self.functions.first_mut(), self.origins.first_mut())
        {
            *function = main;
            *origins = making.origins;
        }
    }

    /// A name for a function that no other has and that is a word.
    fn function_name(&self, wanted: &str) -> String {
        let is_word = sym::is_name(wanted) && wanted.len() <= 100;
        let base = if is_word { wanted } else { "subgraph" };
        let taken = |name: &str| self.functions.iter().any(|it| it.name == name);
        if !taken(base) {
            return base.to_owned();
        }
        let mut number = 1_usize;
        loop {
            let name = format!("{base}_{number}");
            if !taken(&name) {
                return name;
            }
            number += 1;
        }
    }

    fn report_unsupported(&mut self, kind: &str, origin: &OriginInfo) {
        let entry = self
            .unsupported
            .entry(kind.to_owned())
            .or_insert_with(|| Unsupported { count: 0, first: origin.clone() });
        entry.count += 1;
    }

    fn schema_error(&mut self, message: impl Into<String>) {
        self.diags.push(Diag::error(&codes::SCHEMA, message));
    }

    /// The type of a tensor as the exporter recorded it.
    fn tensor_type(&mut self, name: &str, meta: &TensorMeta) -> Option<Type> {
        let Some(dtype) = arguments::dtype(meta.dtype) else {
            let origin = OriginInfo { node: name.to_owned(), ..OriginInfo::default() };
            self.report_unsupported(&format!("dtype {}", meta.dtype), &origin);
            return None;
        };
        if meta.layout != crate::schema::Layout::Strided {
            let origin = OriginInfo { node: name.to_owned(), ..OriginInfo::default() };
            self.report_unsupported("a sparse layout", &origin);
            return None;
        }
        let shape: Vec<_> = meta.sizes.iter().map(|it| self.size(it)).collect();
        let strides: Vec<_> = meta.strides.iter().map(|it| self.size(it)).collect();
        if shape.len() != strides.len() {
            self.schema_error(format!(
                "`{name}` has {} sizes and {} strides",
                shape.len(),
                strides.len()
            ));
            return None;
        }
        Some(Type::Tensor(ir::TensorType {
            dtype,
            shape: shape.into(),
            strides: Some(strides.into()),
        }))
    }

    fn facts(&mut self, graph: &Graph) -> Facts {
        let mut facts = self.ranges();
        self.size_facts(graph, &mut facts);
        self.guard_facts(graph, &mut facts);
        self.asserted_facts(graph, &mut facts);
        facts
    }
}

impl OriginInfo {
    fn of(node: &Node, name: &str) -> OriginInfo {
        let metadata = &node.metadata;
        let trace = metadata.stack_trace.as_deref().unwrap_or_default();
        let Frame { file, line, function: _, code } = user_frame(trace).unwrap_or(NO_FRAME);
        let stack = metadata.nn_module_stack.as_deref().unwrap_or_default();
        let module =
            stack.rsplit(';').next().and_then(|it| it.split(',').nth(1)).unwrap_or_default();
        OriginInfo {
            node: name.to_owned(),
            file: file.to_owned(),
            line,
            code: code.to_owned(),
            module: module.to_owned(),
        }
    }
}

const NO_FRAME: Frame<'static> = Frame { file: "", line: 0, function: "", code: "" };

/// The innermost frame that a user wrote: neither PyTorch's own code nor code made during tracing.
fn user_frame(trace: &str) -> Option<Frame<'_>> {
    let made = |it: &Frame<'_>| it.file.starts_with('<');
    let inside = |it: &Frame<'_>| it.file.contains("-packages/torch/");
    let user = frames(trace).filter(|it| !made(it) && !inside(it)).last();
    user.or_else(|| frames(trace).filter(|it| !made(it)).last())
}

impl Making<'_> {
    /// Makes what is made from here on come from that node.
    fn start(&mut self, origin: OriginInfo) {
        self.builder.origin = Origin(u32::try_from(self.origins.len()).unwrap_or(u32::MAX));
        self.origins.push(origin);
    }

    fn origin(&self) -> OriginInfo {
        self.origins.last().cloned().unwrap_or_default()
    }
}
