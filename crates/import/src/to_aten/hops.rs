//! Higher-order operators: each body becomes a function, unless it only runs in another mode.

use ir::{Arg, Attr, Builder, Function, Output, OutputKind, Param, ParamKind, ValueId};

use super::{Importer, Making, Scope, arguments::Refusal, graph::output_names};
use crate::schema::{Argument, Graph, GraphArgument, Map, Node};

impl<'p> Importer<'p> {
    pub(super) fn higher_order(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        name: &str,
    ) -> Result<(), Refusal> {
        let args: Vec<&'p Argument> = node.inputs.iter().map(|it| &it.arg).collect();
        match (name, args.as_slice()) {
            ("cond", [pred, Argument::Graph(then), Argument::Graph(otherwise), operands]) => {
                let (pred, cond) = match pred {
                    Argument::SymBool(it) => {
                        let cond = self.sym_bool(scope.graph, it);
                        (Arg::None, Attr::Size(cond))
                    }
                    Argument::Bool(it) => (Arg::None, Attr::Size(i64::from(*it).into())),
                    it => (self.operand(making, scope, it)?, Attr::None),
                };
                let operands = self.operand(making, scope, operands)?;
                let (then, otherwise) = (self.body(then), self.body(otherwise));
                let attrs = vec![cond, Attr::Ref(then), Attr::Ref(otherwise)];
                self.push(making, scope, node, aten::Cond::def(), vec![pred, operands], attrs)
            }
            ("while_loop", [Argument::Graph(cond), Argument::Graph(body), carried, extra]) => {
                let carried = self.operand(making, scope, carried)?;
                let extra = self.operand(making, scope, extra)?;
                let attrs = vec![Attr::Ref(self.body(cond)), Attr::Ref(self.body(body))];
                self.push(making, scope, node, aten::WhileLoop::def(), vec![carried, extra], attrs)
            }
            ("scan", [Argument::Graph(body), init, xs, extra]) => self.subgraph(
                making,
                scope,
                node,
                "scan",
                body,
                [Some(*init), Some(*xs), Some(*extra)],
            ),
            ("map_impl", [Argument::Graph(body), xs, extra]) => {
                self.subgraph(making, scope, node, "map", body, [None, Some(*xs), Some(*extra)])
            }
            ("invoke_subgraph", [Argument::Graph(body), Argument::String(_), operands @ ..]) => {
                let init = self.operands(making, scope, operands)?;
                let attrs = vec![Attr::Str("call".to_owned()), Attr::Ref(self.body(body))];
                let none = || Arg::List(Vec::new());
                let args = vec![Arg::List(init.into_iter().map(Some).collect()), none(), none()];
                self.push(making, scope, node, aten::Subgraph::def(), args, attrs)
            }
            (
                "wrap_with_set_grad_enabled",
                [Argument::Bool(_), Argument::Graph(body), operands @ ..],
            ) => self.inline(making, scope, node, body, operands),
            (
                "wrap_with_autocast",
                [Argument::String(device), _, enabled, _, Argument::Graph(body), operands @ ..],
            ) => {
                // Casts for another device do not happen on this one.
                if device == "cpu" && **enabled != Argument::Bool(false) {
                    return Err(Refusal::Unfit);
                }
                self.inline(making, scope, node, body, operands)
            }
            _ => Err(Refusal::Unfit),
        }
    }

    fn subgraph(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        kind: &str,
        body: &'p GraphArgument,
        lists: [Option<&'p Argument>; 3],
    ) -> Result<(), Refusal> {
        let mut args = Vec::new();
        for it in lists {
            args.push(match it {
                Some(it) => self.operand(making, scope, it)?,
                None => Arg::List(Vec::new()),
            });
        }
        let attrs = vec![Attr::Str(kind.to_owned()), Attr::Ref(self.body(body))];
        self.push(making, scope, node, aten::Subgraph::def(), args, attrs)
    }

    fn operands(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        operands: &[&'p Argument],
    ) -> Result<Vec<ValueId>, Refusal> {
        let mut res = Vec::new();
        for it in operands {
            res.extend(self.operand(making, scope, it)?.values());
        }
        Ok(res)
    }

    /// Makes a function of a body; gives its name.
    fn body(&mut self, it: &'p GraphArgument) -> String {
        let name = self.function_name(&it.name);
        let at = self.functions.len();
        // The name is taken before the bodies inside ask for theirs.
        self.functions.push(Function { name: name.clone(), ..Function::default() });
        self.origins.push(Vec::new());
        let graph: &'p Graph = &it.graph;
        let facts = self.facts(graph);
        let mut making = Making { builder: Builder::new(&facts), origins: Vec::new() };
        let mut scope = Scope { graph, values: Map::default() };
        let mut params = Vec::new();
        for input in &graph.inputs {
            let Argument::Tensor(input) = input else {
                self.unsupported_argument("a body of control flow that takes no tensor");
                continue;
            };
            let ty = graph
                .tensor_values
                .get(&input.name)
                .and_then(|it| self.tensor_type(&input.name, it));
            let value = ty.map(|ty| making.builder.param(ty));
            if value.is_some() {
                params.push(Param { name: input.name.clone(), kind: ParamKind::User });
            }
            scope.values.insert(input.name.clone(), value);
        }
        self.nodes(&mut making, &mut scope);
        let mut outputs = Vec::new();
        let mut yields = Vec::new();
        for output in &graph.outputs {
            if let Ok(Arg::Value(value)) = self.operand(&mut making, &scope, output) {
                let name = match output {
                    Argument::Tensor(it) => it.name.clone(),
                    _ => String::new(),
                };
                let ty = making.builder.ty(value).clone();
                outputs.push(Output { name, kind: OutputKind::Result, ty });
                yields.push(value);
            }
        }
        let body = making.builder.finish(yields);
        let function = Function { name: name.clone(), facts: facts.clone(), params, outputs, body };
        if let (Some(slot), Some(origins)) = (self.functions.get_mut(at), self.origins.get_mut(at))
        {
            *slot = function;
            *origins = making.origins;
        }
        name
    }

    /// Puts a body in the place of its call.
    fn inline(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        body: &'p GraphArgument,
        operands: &[&'p Argument],
    ) -> Result<(), Refusal> {
        let operands = self.operands(making, scope, operands)?;
        let graph: &'p Graph = &body.graph;
        let mut inner = Scope { graph, values: Map::default() };
        let inputs = graph.inputs.iter().filter_map(|it| match it {
            Argument::Tensor(it) => Some(it.name.clone()),
            _ => None,
        });
        inner.values.extend(inputs.zip(operands.into_iter().map(Some)));
        self.nodes(making, &mut inner);
        let (mut names, mut given) = (Vec::new(), Vec::new());
        node.outputs.iter().for_each(|it| output_names(it, &mut names));
        graph.outputs.iter().for_each(|it| output_names(it, &mut given));
        for (name, given) in names.into_iter().zip(given) {
            let (Some(name), Some(given)) = (name, given) else { continue };
            let value = self.value(&inner, given).ok();
            scope.values.insert(name.to_owned(), value);
        }
        Ok(())
    }
}
