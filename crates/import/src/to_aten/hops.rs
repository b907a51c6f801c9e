//! Higher-order operators: each body becomes a function, unless it only runs in another mode.

use ir::{Arg, Attr, OpRef, Type};
use sym::Expr;

use super::{
    Importer, Making, Scope,
    arguments::Refusal,
    autocast::lower_dtype,
    bodies::{Item, Passing},
};
use crate::schema::{Argument, Graph, GraphArgument, Node};

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
                self.cond(making, scope, node, [pred, operands], [then, otherwise])
            }
            ("while_loop", [Argument::Graph(cond), Argument::Graph(body), carried, extra]) => {
                let (names, args) =
                    self.loop_parts(making, scope, [cond, body], [carried, extra])?;
                let attrs = names.map(Attr::Ref).to_vec();
                let args = args.to_vec();
                self.results_of(making, scope, node, aten::WhileLoop::def(), args, attrs)
            }
            (
                "while_loop_stack_output",
                [Argument::Graph(cond), Argument::Graph(body), carried, extra],
            ) => self.stacked_loop(making, scope, node, [cond, body], [carried, extra]),
            ("scan", [Argument::Graph(body), init, xs, extra, ..]) => self.subgraph(
                making,
                scope,
                node,
                "scan",
                body,
                [Some(init), Some(xs), Some(extra)],
            ),
            ("map_impl", [Argument::Graph(body), xs, extra, ..]) => {
                self.subgraph(making, scope, node, "map", body, [None, Some(xs), Some(extra)])
            }
            ("invoke_subgraph", [Argument::Graph(body), Argument::String(_), operands @ ..]) => {
                self.call(making, scope, node, body, operands)
            }
            (
                "wrap_with_set_grad_enabled",
                [Argument::Bool(_), Argument::Graph(body), operands @ ..],
            ) => self.inline(making, scope, node, body, operands),
            (
                "wrap_with_autocast",
                [Argument::String(device), dtype, enabled, _, Argument::Graph(body), operands @ ..],
            ) => {
                // Casts for another device do not happen on this one.
                let inside = match (device.as_str(), *enabled) {
                    ("cpu", Argument::Bool(false)) => None,
                    ("cpu", _) => Some(lower_dtype(dtype).ok_or(Refusal::Unfit)?),
                    _ => self.autocast,
                };
                let outside = std::mem::replace(&mut self.autocast, inside);
                let result = self.inline(making, scope, node, body, operands);
                self.autocast = outside;
                result
            }
            _ => Err(Refusal::Unfit),
        }
    }

    fn cond(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        [pred, operands]: [&'p Argument; 2],
        bodies: [&'p GraphArgument; 2],
    ) -> Result<(), Refusal> {
        let (pred, cond) = match pred {
            Argument::SymBool(it) => (Arg::None, Some(self.sym_bool(scope.graph, it))),
            Argument::Bool(it) => (Arg::None, Some(i64::from(*it).into())),
            it => (self.operand(making, scope, it)?, None),
        };
        let operands = self.items(scope, operands)?;
        let passing = self.passing(&operands, &bodies, 0);
        let operands = self.passed(making, operands, &passing)?;
        let names = bodies.map(|it| self.body(it, &passing));
        self.sizes_of_branches(making, scope, node, (&pred, cond.as_ref()), &names)?;
        let [then, otherwise] = names;
        let cond = cond.map_or(Attr::None, Attr::Size);
        let attrs = vec![cond, Attr::Ref(then), Attr::Ref(otherwise)];
        self.results_of(making, scope, node, aten::Cond::def(), vec![pred, operands], attrs)
    }

    /// Where branches give tensors of different sizes, the exporter has a symbol for the size. It
    /// is defined before the branches run, as what the one that will run gives.
    fn sizes_of_branches(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        node: &'p Node,
        (pred, cond): (&Arg, Option<&Expr>),
        names: &[String; 2],
    ) -> Result<(), Refusal> {
        let results = self.tensor_results(scope, node)?;
        for (index, ty) in results.iter().enumerate() {
            let Some(ty) = ty.as_ref().and_then(Type::as_tensor) else { continue };
            for (dim, size) in ty.shape.iter().enumerate() {
                let Some(symbol) = self.undefined_symbol(size) else { continue };
                let of = |name: &String| {
                    let function = self.functions.iter().find(|it| it.name == *name)?;
                    let shape = &function.outputs.get(index)?.ty.as_tensor()?.shape;
                    let size = shape.get(dim)?.clone();
                    size.symbols().iter().all(|it| self.is_defined(it)).then_some(size)
                };
                let (Some(then), Some(otherwise)) = (of(&names[0]), of(&names[1])) else {
                    self.unsupported_argument(
                        "a branch whose result has a size that only its data knows is not supported",
                    );
                    return Err(Refusal::Reported);
                };
                let truth = match (pred, cond) {
                    (Arg::Value(it), _) => self.as_truth(making, *it)?,
                    (_, Some(it)) => self.number_value(making, it.clone(), ir::DType::Bool)?,
                    _ => return Err(Refusal::Unfit),
                };
                let then = self.number_value(making, then, ir::DType::I64)?;
                let otherwise = self.number_value(making, otherwise, ir::DType::I64)?;
                let args = vec![truth.into(), then.into(), otherwise.into()];
                let size = self.computed(making, "where.self", args, Vec::new(), ir::DType::I64)?;
                self.define(making, size, &symbol)?;
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        body: &'p GraphArgument,
        operands: &[&'p Argument],
    ) -> Result<(), Refusal> {
        let results = self.tensor_results(scope, node)?;
        let shapes = results.iter().flatten().filter_map(Type::as_tensor).map(|it| &it.shape);
        if shapes.flat_map(|it| it.iter()).any(|it| self.undefined_symbol(it).is_some()) {
            // Only the body can say how large its results are.
            return self.inline(making, scope, node, body, operands);
        }
        let operands = self.all_items(scope, operands)?;
        let passing = self.passing(&operands, &[body], 0);
        let operands = self.passed(making, operands, &passing)?;
        let attrs = vec![Attr::Str("call".to_owned()), Attr::Ref(self.body(body, &passing))];
        let none = || Arg::List(Vec::new());
        let args = vec![operands, none(), none()];
        self.results_of(making, scope, node, aten::Subgraph::def(), args, attrs)
    }

    /// The condition and the body of a loop as functions; what they take: what is carried on, and the
    /// rest.
    pub(super) fn loop_parts(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        bodies: [&'p GraphArgument; 2],
        [carried, extra]: [&'p Argument; 2],
    ) -> Result<([String; 2], [Arg; 2]), Refusal> {
        let (carried, extra) = (self.items(scope, carried)?, self.items(scope, extra)?);
        let mut passing = vec![Passing::Tensor; carried.len()];
        passing.extend(self.passing(&extra, &bodies, carried.len()));
        let (first, rest) = passing.split_at(carried.len());
        let carried = self.passed(making, carried, first)?;
        let extra = self.passed(making, extra, rest)?;
        Ok((bodies.map(|it| self.body(it, &passing)), [carried, extra]))
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
        let mut items = |it: Option<&'p Argument>| match it {
            Some(it) => self.items(scope, it),
            None => Ok(Vec::new()),
        };
        let [init, xs, extra] = lists;
        let (init, xs, extra) = (items(init)?, items(xs)?, items(extra)?);
        // What is carried, and parts of sequences, are tensors always.
        let tensors = init.len() + xs.len();
        let mut passing = vec![Passing::Tensor; tensors];
        passing.extend(self.passing(&extra, &[body], tensors));
        let mut args = Vec::new();
        let mut rest = passing.as_slice();
        for items in [init, xs, extra] {
            let (these, others) = rest.split_at(items.len().min(rest.len()));
            args.push(self.passed(making, items, these)?);
            rest = others;
        }
        let attrs = vec![Attr::Str(kind.to_owned()), Attr::Ref(self.body(body, &passing))];
        self.results_of(making, scope, node, aten::Subgraph::def(), args, attrs)
    }

    /// Appends an op whose results are the node's; of those that are numbers, it defines the symbols.
    fn results_of(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        op: OpRef,
        args: Vec<Arg>,
        attrs: Vec<Attr>,
    ) -> Result<(), Refusal> {
        let results = self.results(scope.graph, &node.outputs);
        let mut types = Vec::new();
        for it in &results {
            types.push(it.ty.clone().ok_or(Refusal::Reported)?);
        }
        for size in types.iter().filter_map(Type::as_tensor).flat_map(|it| it.shape.iter()) {
            if self.undefined_symbol(size).is_some() {
                let what = "a loop whose results have a size that only its data knows";
                self.unsupported_argument(&format!("{what} is not supported"));
                return Err(Refusal::Reported);
            }
        }
        let made = match making.builder.push_stated(op, args, attrs, Some(types)) {
            Ok(it) => it,
            Err(diag) => {
                self.diags.push(diag);
                return Err(Refusal::Reported);
            }
        };
        for (result, value) in results.into_iter().zip(made) {
            if let Some(number) = result.number {
                if let Some(symbol) = self.undefined_symbol(&number) {
                    self.define(making, value, &symbol)?;
                }
            } else if let Some(name) = result.name {
                scope.values.insert(name.to_owned(), Some(value));
            }
        }
        Ok(())
    }

    /// The types of the results that are tensors, in their places.
    pub(super) fn tensor_results(
        &mut self,
        scope: &Scope<'p>,
        node: &'p Node,
    ) -> Result<Vec<Option<Type>>, Refusal> {
        let results = self.results(scope.graph, &node.outputs);
        Ok(results.into_iter().map(|it| it.ty.filter(|_| it.number.is_none())).collect())
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
        let operands = self.all_items(scope, operands)?;
        let graph: &'p Graph = &body.graph;
        let mut inner = Scope { graph, values: crate::schema::Map::default() };
        for (input, given) in graph.inputs.iter().zip(operands) {
            match (input, given) {
                (Argument::Tensor(it), given) => {
                    let value = self.item_value(making, given)?;
                    inner.values.insert(it.name.clone(), Some(value));
                }
                (input, given) => {
                    let Some((inside, _)) = self.number_of(graph, input) else { continue };
                    if matches!(&given, Item::Number(it, _) if *it == inside) {
                        continue;
                    }
                    let symbol = self.undefined_symbol(&inside).ok_or(Refusal::Unfit)?;
                    let value = self.item_value(making, given)?;
                    self.define(making, value, &symbol)?;
                }
            }
        }
        self.nodes(making, &mut inner);
        let (names, given) =
            (self.results(scope.graph, &node.outputs), self.results(graph, &graph.outputs));
        for (result, given) in names.into_iter().zip(given) {
            match (result.number, given.number) {
                (None, None) => {
                    let (Some(name), Some(given)) = (result.name, given.name) else { continue };
                    let value = self.value(&inner, given).ok();
                    scope.values.insert(name.to_owned(), value);
                }
                (Some(outside), Some(inside)) => {
                    if let Some(symbol) = self.undefined_symbol(&outside) {
                        let value = self.number_value(making, inside, ir::DType::I64)?;
                        self.define(making, value, &symbol)?;
                    }
                }
                _ => return Err(Refusal::Unfit),
            }
        }
        Ok(())
    }
}
