//! What control flow passes to its bodies, and the bodies as functions.
//!
//! Size symbols are visible in all functions, so a number that a body calls by the expression that
//! its caller has for it is not passed. Any other number, and every number that a loop carries, is
//! passed as a tensor without dimensions, and defines the body's symbol there.

use std::collections::BTreeSet;

use ir::{
    Arg, Attr, AttrTy as _, Builder, DType, Function, Number, Output, OutputKind, Param, ParamKind,
    TensorType, Type, ValueId,
};
use sym::Expr;

use super::{Importer, Making, Scope, arguments::Refusal};
use crate::schema::{
    Argument, Graph, GraphArgument, Map, OptionalTensorArgument, SymBoolArgument, SymFloatArgument,
    SymIntArgument,
};

/// An operand of control flow.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Tensor(ValueId),
    /// A number, and what it becomes as a tensor.
    Number(Expr, DType),
}

/// How an operand reaches a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Passing {
    /// As a tensor.
    Tensor,
    /// Not at all: the body knows its value.
    Known,
}

/// A result of control flow.
pub(super) struct HopResult<'p> {
    pub(super) name: Option<&'p str>,
    /// None where it was reported.
    pub(super) ty: Option<Type>,
    /// What it is, if it is a number.
    pub(super) number: Option<Expr>,
}

/// A body that has become a function.
pub(super) struct Made<'p> {
    body: &'p GraphArgument,
    passing: Vec<Passing>,
    /// What autocast around it computes in.
    autocast: Option<DType>,
    name: String,
}

/// Whether only data, or an input that is a number, defines the symbol.
fn is_unbacked(name: &str) -> bool {
    name.starts_with('u') || name.starts_with("zuf")
}

pub(super) fn scalar(dtype: DType) -> Type {
    Type::Tensor(TensorType::contiguous(dtype, Vec::new()))
}

impl<'p> Importer<'p> {
    /// The number that an argument or an input of a graph is.
    pub(super) fn number_of(&mut self, graph: &Graph, it: &Argument) -> Option<(Expr, DType)> {
        Some(match it {
            Argument::Int(it) => (Expr::int(*it), DType::I64),
            Argument::Float(it) => (Expr::float(*it), DType::F64),
            Argument::Bool(it) => (Expr::int(i64::from(*it)), DType::Bool),
            Argument::SymInt(it) => (self.sym_int(graph, it), DType::I64),
            Argument::SymBool(it) => (self.sym_bool(graph, it), DType::Bool),
            Argument::SymFloat(SymFloatArgument::Float(it)) => (Expr::float(*it), DType::F64),
            Argument::SymFloat(SymFloatArgument::Name(it)) => {
                (self.named_float(graph, it), DType::F64)
            }
            _ => return None,
        })
    }

    /// The operands of a list. The exporter calls them all tensors, numbers too.
    pub(super) fn items(
        &mut self,
        scope: &Scope<'p>,
        list: &'p Argument,
    ) -> Result<Vec<Item>, Refusal> {
        let graph = scope.graph;
        let numbers: Vec<Argument> = match list {
            Argument::Tensors(it) => {
                return it.iter().map(|it| self.named_item(scope, &it.name)).collect();
            }
            Argument::OptionalTensors(it) => {
                let name = |it: &'p OptionalTensorArgument| match it {
                    OptionalTensorArgument::Tensor(it) => Ok(it.name.as_str()),
                    OptionalTensorArgument::None(_) => Err(Refusal::Unfit),
                };
                return it.iter().map(|it| self.named_item(scope, name(it)?)).collect();
            }
            Argument::Ints(it) => it.iter().map(|it| Argument::Int(*it)).collect(),
            Argument::Floats(it) => it.iter().map(|it| Argument::Float(*it)).collect(),
            Argument::Bools(it) => it.iter().map(|it| Argument::Bool(*it)).collect(),
            Argument::SymInts(it) => it.iter().cloned().map(Argument::SymInt).collect(),
            Argument::SymFloats(it) => it.iter().cloned().map(Argument::SymFloat).collect(),
            Argument::SymBools(it) => it.iter().cloned().map(Argument::SymBool).collect(),
            Argument::Tensor(it) => return Ok(vec![self.named_item(scope, &it.name)?]),
            it => vec![it.clone()],
        };
        numbers.iter().map(|it| self.number_item(graph, it)).collect()
    }

    /// The operands that the arguments stand for.
    pub(super) fn all_items(
        &mut self,
        scope: &Scope<'p>,
        arguments: &[&'p Argument],
    ) -> Result<Vec<Item>, Refusal> {
        let mut res = Vec::new();
        for it in arguments {
            res.extend(self.items(scope, it)?);
        }
        Ok(res)
    }

    fn number_item(&mut self, graph: &Graph, it: &Argument) -> Result<Item, Refusal> {
        let (expr, dtype) = self.number_of(graph, it).ok_or(Refusal::Unfit)?;
        match expr.is_undefined() {
            true => Err(Refusal::Reported),
            false => Ok(Item::Number(expr, dtype)),
        }
    }

    fn named_item(&mut self, scope: &Scope<'p>, name: &str) -> Result<Item, Refusal> {
        let graph = scope.graph;
        let number = if scope.values.contains_key(name) {
            None
        } else if graph.sym_int_values.contains_key(name) {
            Some(Argument::SymInt(SymIntArgument::Name(name.to_owned())))
        } else if graph.sym_bool_values.contains_key(name) {
            Some(Argument::SymBool(SymBoolArgument::Name(name.to_owned())))
        } else if graph.sym_float_values.contains_key(name) {
            Some(Argument::SymFloat(SymFloatArgument::Name(name.to_owned())))
        } else {
            None
        };
        match number {
            Some(it) => self.number_item(graph, &it),
            None => self.value(scope, name).map(Item::Tensor),
        }
    }

    /// How operands reach bodies whose inputs from `first` on they are.
    pub(super) fn passing(
        &mut self,
        items: &[Item],
        bodies: &[&'p GraphArgument],
        first: usize,
    ) -> Vec<Passing> {
        let mut res = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let Item::Number(given, _) = item else {
                res.push(Passing::Tensor);
                continue;
            };
            let mut known = true;
            for body in bodies {
                let input = body.graph.inputs.get(first + i);
                let inside = input.and_then(|it| self.number_of(&body.graph, it));
                known &= inside.is_some_and(|it| it.0 == *given);
            }
            res.push(if known { Passing::Known } else { Passing::Tensor });
        }
        res
    }

    /// The operands that are passed.
    pub(super) fn passed(
        &mut self,
        making: &mut Making<'_>,
        items: Vec<Item>,
        passing: &[Passing],
    ) -> Result<Arg, Refusal> {
        let mut res = Vec::new();
        for (item, passing) in items.into_iter().zip(passing) {
            if *passing == Passing::Tensor {
                res.push(Some(self.item_value(making, item)?));
            }
        }
        Ok(Arg::List(res))
    }

    pub(super) fn item_value(
        &mut self,
        making: &mut Making<'_>,
        item: Item,
    ) -> Result<ValueId, Refusal> {
        match item {
            Item::Tensor(it) => Ok(it),
            Item::Number(expr, dtype) => self.number_value(making, expr, dtype),
        }
    }

    /// A tensor without dimensions that holds a number.
    pub(super) fn number_value(
        &mut self,
        making: &mut Making<'_>,
        it: Expr,
        dtype: DType,
    ) -> Result<ValueId, Refusal> {
        let number = match (it.as_number(), dtype) {
            (Some(sym::Number::Float(it)), _) => Number::Float(it),
            (Some(sym::Number::Int(it)), DType::Bool) => Number::Bool(it != 0),
            _ => Number::Int(it),
        };
        let none: [Arg; 0] = [];
        let attrs = vec![number.to_attr()];
        let def = aten::MakeTensor::def();
        match making.builder.push_stated(def, none, attrs, Some(vec![scalar(dtype)])).as_deref() {
            Ok([it]) => Ok(*it),
            _ => Err(Refusal::Unfit),
        }
    }

    /// An operator whose result has no dimensions.
    pub(super) fn computed(
        &mut self,
        making: &mut Making<'_>,
        name: &str,
        args: Vec<Arg>,
        attrs: Vec<Attr>,
        dtype: DType,
    ) -> Result<ValueId, Refusal> {
        let op = aten::lookup(name).ok_or(Refusal::Unfit)?;
        match making.builder.push_stated(op, args, attrs, Some(vec![scalar(dtype)])).as_deref() {
            Ok([it]) => Ok(*it),
            _ => Err(Refusal::Unfit),
        }
    }

    /// Whether the one element of a tensor is not zero, as a tensor without dimensions.
    pub(super) fn as_truth(
        &mut self,
        making: &mut Making<'_>,
        it: ValueId,
    ) -> Result<ValueId, Refusal> {
        // A predicate may have one element and dimensions.
        let plain = match making.builder.ty(it) {
            Type::Tensor(ty) if ty.rank() == 0 => it,
            ty => {
                let dtype = ty.dtype().ok_or(Refusal::Unfit)?;
                let attrs = vec![Attr::List(Vec::new())];
                self.computed(making, "reshape.default", vec![it.into()], attrs, dtype)?
            }
        };
        if making.builder.ty(plain).dtype() == Some(DType::Bool) {
            return Ok(plain);
        }
        let zero = vec![Number::Int(Expr::int(0)).to_attr()];
        self.computed(making, "ne.Scalar", vec![plain.into()], zero, DType::Bool)
    }

    /// Whether something that comes before defines the symbol.
    pub(super) fn is_defined(&self, symbol: &str) -> bool {
        !is_unbacked(symbol) || self.defined.contains(symbol)
    }

    /// The symbol that an expression is, if nothing before defines it.
    pub(super) fn undefined_symbol(&self, it: &Expr) -> Option<String> {
        it.as_sym().filter(|it| !self.is_defined(it)).map(str::to_owned)
    }

    /// Defines a symbol by the one element of a tensor.
    pub(super) fn define(
        &mut self,
        making: &mut Making<'_>,
        value: ValueId,
        symbol: &str,
    ) -> Result<(), Refusal> {
        self.defined.insert(symbol.to_owned());
        let made = aten::BindSymbol::build(&mut making.builder, value, symbol.to_owned());
        self.built(made)
    }

    /// The results that a node or a graph gives.
    pub(super) fn results(
        &mut self,
        graph: &'p Graph,
        outputs: &'p [Argument],
    ) -> Vec<HopResult<'p>> {
        let mut res = Vec::new();
        for output in outputs {
            if let Some((number, dtype)) = self.number_of(graph, output) {
                let ty = (!number.is_undefined()).then(|| scalar(dtype));
                res.push(HopResult { name: None, ty, number: Some(number) });
                continue;
            }
            let mut names = Vec::new();
            super::graph::output_names(output, &mut names);
            for name in names {
                let meta = name.and_then(|it| graph.tensor_values.get_key_value(it));
                let ty = match meta {
                    Some((name, meta)) => self.tensor_type(name, meta),
                    None => Some(Type::None),
                };
                res.push(HopResult { name, ty, number: None });
            }
        }
        res
    }

    /// Makes a function of a body, once for all its calls; gives its name.
    pub(super) fn body(&mut self, it: &'p GraphArgument, passing: &[Passing]) -> String {
        let autocast = self.autocast;
        let same = |made: &&Made<'_>| {
            made.passing == passing && made.autocast == autocast && *made.body == *it
        };
        if let Some(made) = self.made.iter().find(same) {
            return made.name.clone();
        }
        let name = self.function_name(&it.name);
        let at = self.functions.len();
        // The name is taken before the bodies inside ask for theirs.
        self.functions.push(Function { name: name.clone(), ..Function::default() });
        self.origins.push(Vec::new());
        let outside = self.defined.clone();
        let graph: &'p Graph = &it.graph;
        let facts = self.facts(graph);
        let mut making = Making { builder: Builder::new(&facts), origins: Vec::new() };
        let mut scope = Scope { graph, values: Map::default() };
        let params = self.body_params(&mut making, &mut scope, passing);
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
        self.defined = outside;
        let passing = passing.to_vec();
        self.made.push(Made { body: it, passing, autocast, name: name.clone() });
        name
    }

    fn body_params(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        passing: &[Passing],
    ) -> Vec<Param> {
        let graph = scope.graph;
        let (mut params, mut bound) = (Vec::new(), Vec::new());
        for (i, input) in graph.inputs.iter().enumerate() {
            let number = self.number_of(graph, input);
            if passing.get(i) == Some(&Passing::Known) {
                continue;
            }
            let (name, ty) = match (input, &number) {
                (Argument::Tensor(input), _) => {
                    let meta = graph.tensor_values.get(&input.name);
                    (input.name.clone(), meta.and_then(|it| self.tensor_type(&input.name, it)))
                }
                (_, Some((_, dtype))) => (format!("number_{i}"), Some(scalar(*dtype))),
                _ => {
                    self.unsupported_argument("a body of control flow that takes no tensor");
                    continue;
                }
            };
            let value = ty.map(|ty| making.builder.param(ty));
            if value.is_some() {
                params.push(Param { name: name.clone(), kind: ParamKind::User });
            }
            match (number, value) {
                (Some((number, _)), Some(value)) => bound.push((number, value)),
                _ => drop(scope.values.insert(name, value)),
            }
        }
        // Ops come after all parameters. Each body's numbers are its own.
        let mut here = BTreeSet::new();
        for (number, value) in bound {
            making.start(super::OriginInfo::default());
            match number.as_sym() {
                Some(it) if here.insert(it.to_owned()) => {
                    let _reported = self.define(making, value, it);
                }
                // The value is that of another input, or the exporter knew it.
                _ if number.symbols().iter().all(|it| self.is_defined(it)) => (),
                _ => self.unsupported_argument("a body of control flow that takes an expression"),
            }
        }
        params
    }
}
