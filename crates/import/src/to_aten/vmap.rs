//! `vmap` before dispatch: nodes between two marks, which run on each part of some tensors.
//!
//! `_add_batch_dim(x, dim, level)` is a part of `x` along `dim`, and `_remove_batch_dim(y, level,
//! size, dim)` stacks what `y` is for each part. What lies between becomes the body of a map.

use std::collections::BTreeSet;

use ir::{Arg, Attr, Builder, Function, Output, OutputKind, Param, ParamKind, ValueId};

use super::{Importer, Making, Scope, arguments::Refusal, graph::output_names};
use crate::schema::{Argument, Map, Node};

const PREFIX: &str = "torch._functorch.predispatch.";

/// The node's name among those of `vmap`.
pub(super) fn mark(node: &Node) -> Option<&str> {
    node.target.strip_prefix(PREFIX)
}

/// How many nodes from the first, which begins a `vmap`, to the one that ends it.
pub(super) fn extent(nodes: &[Node]) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, node) in nodes.iter().enumerate() {
        match mark(node) {
            Some("_vmap_increment_nesting") => depth += 1,
            Some("_vmap_decrement_nesting") => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return Some(i + 1);
        }
    }
    None
}

/// The tensor and the dimension of a node that adds or removes one; no other than the first is
/// supported.
fn along_first(node: &Node, dim: usize) -> Result<(&str, &str), Refusal> {
    let arg = |i: usize| node.inputs.get(i).map(|it| &it.arg);
    match (arg(0), arg(dim), node.outputs.first()) {
        (Some(Argument::Tensor(x)), Some(Argument::Int(0)), Some(Argument::Tensor(y))) => {
            Ok((&x.name, &y.name))
        }
        _ => Err(Refusal::Unfit),
    }
}

impl<'p> Importer<'p> {
    /// The nodes between the marks as a function that is mapped.
    pub(super) fn vmap(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        nodes: &'p [Node],
    ) -> Result<(), Refusal> {
        let (mut parts, mut stacked) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            match mark(node) {
                Some("_add_batch_dim") => parts.push(along_first(node, 1)?),
                Some("_remove_batch_dim") => stacked.push(along_first(node, 3)?),
                Some("_vmap_increment_nesting") => {
                    at += extent(nodes.get(at..).unwrap_or(&[])).ok_or(Refusal::Unfit)?;
                    continue;
                }
                _ => (),
            }
            at += 1;
        }
        let mut xs = Vec::new();
        for (x, _) in &parts {
            xs.push(Some(self.value(scope, x)?));
        }
        let inner: Vec<&str> = parts.iter().map(|it| it.1).collect();
        let extra = free_tensors(scope, nodes, &inner);
        let given = extra.iter().map(|it| Some(it.1)).collect();
        let name = self.mapped_body(scope, nodes, &inner, &extra, &stacked)?;
        let mut types = Vec::new();
        for (_, name) in &stacked {
            let meta = scope.graph.tensor_values.get_key_value(*name).ok_or(Refusal::Unfit)?;
            types.push(self.tensor_type(meta.0, meta.1).ok_or(Refusal::Reported)?);
        }
        let args = vec![Arg::List(Vec::new()), Arg::List(xs), Arg::List(given)];
        let attrs = vec![Attr::Str("map".to_owned()), Attr::Ref(name)];
        let made = making.builder.push_stated(aten::Subgraph::def(), args, attrs, Some(types));
        let made = made.map_err(|diag| {
            self.diags.push(diag);
            Refusal::Reported
        })?;
        for ((_, name), value) in stacked.iter().zip(made) {
            scope.values.insert((*name).to_owned(), Some(value));
        }
        Ok(())
    }

    fn mapped_body(
        &mut self,
        outer: &Scope<'p>,
        nodes: &'p [Node],
        parts: &[&str],
        extra: &[(&str, ValueId)],
        stacked: &[(&str, &str)],
    ) -> Result<String, Refusal> {
        let graph = outer.graph;
        let name = self.function_name("vmap");
        let at = self.functions.len();
        self.functions.push(Function { name: name.clone(), ..Function::default() });
        self.origins.push(Vec::new());
        let outside = self.defined.clone();
        let facts = self.facts(graph);
        let mut making = Making { builder: Builder::new(&facts), origins: Vec::new() };
        let mut scope = Scope { graph, values: Map::default() };
        let mut params = Vec::new();
        for name in parts.iter().copied().chain(extra.iter().map(|it| it.0)) {
            // Weights are known to the graph by other names than tables have.
            let meta = graph.tensor_values.get_key_value(name).ok_or(Refusal::Unfit)?;
            let ty = self.tensor_type(meta.0, meta.1).ok_or(Refusal::Reported)?;
            let value = making.builder.param(ty);
            params.push(Param { name: name.to_owned(), kind: ParamKind::User });
            scope.values.insert(name.to_owned(), Some(value));
        }
        self.some_nodes(&mut making, &mut scope, nodes);
        let (mut outputs, mut yields) = (Vec::new(), Vec::new());
        for (inside, _) in stacked {
            let value = self.value(&scope, inside)?;
            let ty = making.builder.ty(value).clone();
            outputs.push(Output { name: (*inside).to_owned(), kind: OutputKind::Result, ty });
            yields.push(value);
        }
        let body = making.builder.finish(yields);
        let function = Function { name: name.clone(), facts: facts.clone(), params, outputs, body };
        if let (Some(slot), Some(origins)) = (self.functions.get_mut(at), self.origins.get_mut(at))
        {
            *slot = function;
            *origins = making.origins;
        }
        self.defined = outside;
        Ok(name)
    }
}

/// The tensors of the graph around the nodes that they read as a whole.
fn free_tensors<'p>(
    scope: &Scope<'p>,
    nodes: &'p [Node],
    parts: &[&str],
) -> Vec<(&'p str, ValueId)> {
    let mut seen: BTreeSet<&str> = parts.iter().copied().collect();
    let mut res = Vec::new();
    for node in nodes {
        if mark(node) != Some("_add_batch_dim") || !parts.iter().any(|it| makes(node, it)) {
            let mut names = Vec::new();
            node.inputs.iter().for_each(|it| output_names(&it.arg, &mut names));
            for name in names.into_iter().flatten() {
                if let Some(Some(value)) = scope.values.get(name)
                    && seen.insert(name)
                {
                    res.push((name, *value));
                }
            }
        }
    }
    res
}

fn makes(node: &Node, name: &str) -> bool {
    matches!(node.outputs.first(), Some(Argument::Tensor(it)) if it.name == name)
}
