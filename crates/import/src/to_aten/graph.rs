//! The nodes of a graph: one op each, or none where expressions already say it.

use aten::Slot;
use diag::{Diag, codes};
use ir::{Arg, Attr, OpRef, Type};
use sym::Expr;

use super::{
    Importer, Making, OriginInfo, Scope,
    arguments::{Refusal, symbolic_name},
    vmap,
};
use crate::schema::{Argument, Node, OptionalTensorArgument};

/// Operators about symbolic values, which the archive's tables say already, and checks of what is
/// known here: dtype and device of a tensor do not change.
const DROPPED: &[&str] = &[
    "sym_size.int",
    "sym_size.default",
    "sym_stride.int",
    "sym_stride.default",
    "sym_numel.default",
    "sym_storage_offset.default",
    "sym_constrain_range.default",
    "sym_constrain_range_for_size.default",
    "_assert_tensor_metadata.default",
];

impl<'p> Importer<'p> {
    pub(super) fn nodes(&mut self, making: &mut Making<'_>, scope: &mut Scope<'p>) {
        self.some_nodes(making, scope, &scope.graph.nodes);
    }

    pub(super) fn some_nodes(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        nodes: &'p [Node],
    ) {
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            making.start(OriginInfo::of(node, node_name(node)));
            let rest = nodes.get(at..).unwrap_or(&[]);
            at += 1;
            let result = match vmap::mark(node) {
                // Marks that belong to the `vmap` around, which has read them.
                Some("lazy_load_decompositions" | "_add_batch_dim" | "_remove_batch_dim") => Ok(()),
                Some("_vmap_increment_nesting") => match vmap::extent(rest) {
                    Some(count) => {
                        at += count - 1;
                        let inside = rest.get(1..count - 1).unwrap_or(&[]);
                        let result = self.vmap(making, scope, inside);
                        if result.is_err() {
                            inside.iter().for_each(|it| poison(scope, it));
                        }
                        result
                    }
                    None => Err(Refusal::Unfit),
                },
                _ => self.node(making, scope, node),
            };
            match result {
                Ok(()) => (),
                Err(Refusal::Reported) => poison(scope, node),
                Err(Refusal::Unfit) => {
                    let kind = node.target.strip_prefix("torch.ops.").unwrap_or(&node.target);
                    self.report_unsupported(kind, &making.origin());
                    poison(scope, node);
                }
            }
        }
    }

    fn node(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
    ) -> Result<(), Refusal> {
        if let Some(name) = node.target.strip_prefix("torch.ops.higher_order.") {
            return self.higher_order(making, scope, node, name);
        }
        let operator = node.target.strip_prefix("torch.ops.");
        let Some(name) = operator.map(|it| it.strip_prefix("aten.").unwrap_or(it)) else {
            // Arithmetic on symbolic values; the tables have the result as an expression.
            let symbolic = node.outputs.iter().all(|it| symbolic_name(it).is_some());
            return if symbolic && !node.outputs.is_empty() { Ok(()) } else { Err(Refusal::Unfit) };
        };
        match name {
            name if DROPPED.contains(&name) => Ok(()),
            "item.default" | "_local_scalar_dense.default" => self.bind(making, scope, node),
            "_assert_scalar.default" => self.assert_scalar(making, scope, node),
            "_assert_async.default" | "_assert_async.msg" => {
                self.assert_tensor(making, scope, node)
            }
            name => match aten::lookup(name) {
                Some(op) => self.operator(making, scope, node, op),
                None => Err(Refusal::Unfit),
            },
        }
    }

    /// An operator with a schema.
    fn operator(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        op: OpRef,
    ) -> Result<(), Refusal> {
        let schema = aten::schema(op).ok_or(Refusal::Unfit)?;
        let mut args = Vec::new();
        let mut attrs = Vec::new();
        for (i, arg) in schema.args.iter().enumerate() {
            // Without a name an argument is given by position.
            let given = node
                .inputs
                .iter()
                .find(|it| it.name == arg.name)
                .or_else(|| node.inputs.get(i).filter(|it| it.name.is_empty()));
            match (arg.slot, given) {
                (Slot::Operand(_), Some(given)) => {
                    args.push(self.operand(making, scope, &given.arg)?);
                }
                (Slot::Operand(_), None) if arg.list => args.push(Arg::List(Vec::new())),
                (Slot::Operand(_), None) => args.push(Arg::None),
                (Slot::Attr(_), Some(given)) => {
                    attrs.push(self.attribute(scope, arg, &given.arg)?);
                }
                (Slot::Attr(_), None) => match &arg.default {
                    Some(it) => attrs.push(it.clone()),
                    None if arg.optional => attrs.push(Attr::None),
                    None => return Err(Refusal::Unfit),
                },
            }
        }
        let known = |name: &str| schema.arg(name).is_some() || name.is_empty();
        if node.inputs.iter().any(|it| !known(&it.name)) {
            return Err(Refusal::Unfit);
        }
        let args = self.autocast(making, &schema.name, args, &attrs)?;
        self.push(making, scope, node, op, args, attrs)
    }

    /// Appends an op whose results are the node's.
    pub(super) fn push(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        op: OpRef,
        args: Vec<Arg>,
        attrs: Vec<Attr>,
    ) -> Result<(), Refusal> {
        let mut names = Vec::new();
        for output in &node.outputs {
            output_names(output, &mut names);
        }
        let mut types = Vec::new();
        for name in &names {
            types.push(match name.and_then(|it| scope.graph.tensor_values.get_key_value(it)) {
                Some((name, meta)) => self.tensor_type(name, meta).ok_or(Refusal::Reported)?,
                None => Type::None,
            });
        }
        // What an operator finds defines the symbols in the sizes of its results.
        for size in types.iter().filter_map(Type::as_tensor).flat_map(|it| it.shape.iter()) {
            self.defined.extend(size.symbols().iter().map(|it| it.to_string()));
        }
        let made = match making.builder.push_stated(op, args, attrs, Some(types)) {
            Ok(it) => it,
            Err(diag) => {
                self.diags.push(diag);
                return Err(Refusal::Reported);
            }
        };
        for (name, value) in names.into_iter().zip(made) {
            if let Some(name) = name {
                scope.values.insert(name.to_owned(), Some(value));
            }
        }
        Ok(())
    }

    /// A number read from a tensor: the archive's table says which symbol that is.
    fn bind(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
    ) -> Result<(), Refusal> {
        let input = node.inputs.first().ok_or(Refusal::Unfit)?;
        let x = match self.operand(making, scope, &input.arg)? {
            Arg::Value(it) => it,
            Arg::None | Arg::List(_) => return Err(Refusal::Unfit),
        };
        let value = match node.outputs.first() {
            Some(Argument::SymInt(it)) => self.sym_int(scope.graph, it),
            Some(Argument::SymBool(it)) => self.sym_bool(scope.graph, it),
            Some(Argument::SymFloat(crate::schema::SymFloatArgument::Name(it))) => {
                self.named_float(scope.graph, it)
            }
            _ => return Err(Refusal::Unfit),
        };
        let unbacked = |name: &str| name.starts_with('u') || name.starts_with("zuf");
        let symbols: Vec<_> = value.symbols().into_iter().filter(|it| unbacked(it)).collect();
        match symbols.as_slice() {
            // The exporter knew the value.
            [] if value.as_number().is_some() => Ok(()),
            [symbol] => self.define(making, x, symbol),
            _ => Err(Refusal::Unfit),
        }
    }

    fn assert_scalar(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        node: &'p Node,
    ) -> Result<(), Refusal> {
        let input = node.inputs.first().ok_or(Refusal::Unfit)?;
        let cond = match self.one(scope, &input.arg)? {
            Attr::Size(it) => it,
            Attr::Bool(it) => Expr::int(i64::from(it)),
            _ => return Err(Refusal::Unfit),
        };
        if cond.as_int().is_some_and(|it| it != 0) {
            return Ok(());
        }
        if cond.is_undefined() {
            return Err(Refusal::Reported);
        }
        let made = aten::AssertScalar::build(&mut making.builder, cond, message(node));
        self.built(made)
    }

    fn assert_tensor(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        node: &'p Node,
    ) -> Result<(), Refusal> {
        let input = node.inputs.first().ok_or(Refusal::Unfit)?;
        let Arg::Value(x) = self.operand(making, scope, &input.arg)? else {
            return Err(Refusal::Unfit);
        };
        let made = aten::AssertTensor::build(&mut making.builder, x, message(node));
        self.built(made)
    }

    pub(super) fn built<T>(&mut self, made: Result<T, Diag>) -> Result<(), Refusal> {
        match made {
            Ok(_) => Ok(()),
            Err(diag) => {
                self.diags.push(diag);
                Err(Refusal::Reported)
            }
        }
    }

    pub(super) fn unsupported_argument(&mut self, what: &str) {
        self.diags.push(Diag::error(&codes::UNSUPPORTED, what.to_owned()));
    }
}

/// The message of an assertion.
pub(super) fn message(node: &Node) -> String {
    let given = node.inputs.iter().find_map(|it| match &it.arg {
        Argument::String(it) => Some(it.clone()),
        _ => None,
    });
    given.unwrap_or_else(|| "an assertion of the program does not hold".to_owned())
}

/// The node's name; in older archives that of its first result.
fn node_name(node: &Node) -> &str {
    if let Some(name) = &node.name {
        return name;
    }
    let mut names = Vec::new();
    if let Some(output) = node.outputs.first() {
        output_names(output, &mut names);
    }
    names.into_iter().flatten().next().unwrap_or(&node.target)
}

/// The tensors that a result consists of; an absent one has no name.
pub(super) fn output_names<'p>(output: &'p Argument, names: &mut Vec<Option<&'p str>>) {
    match output {
        Argument::Tensor(it) => names.push(Some(&it.name)),
        Argument::Tensors(it) => names.extend(it.iter().map(|it| Some(it.name.as_str()))),
        Argument::OptionalTensor(it) => names.push(optional_name(it)),
        Argument::OptionalTensors(it) => names.extend(it.iter().map(optional_name)),
        Argument::None(_) => names.push(None),
        _ => (),
    }
}

fn optional_name(it: &OptionalTensorArgument) -> Option<&str> {
    match it {
        OptionalTensorArgument::Tensor(it) => Some(&it.name),
        OptionalTensorArgument::None(_) => None,
    }
}

/// Says of the node's results that their absence was reported.
fn poison(scope: &mut Scope<'_>, node: &Node) {
    let mut names = Vec::new();
    for output in &node.outputs {
        output_names(output, &mut names);
    }
    for name in names.into_iter().flatten() {
        scope.values.insert(name.to_owned(), None);
    }
}
