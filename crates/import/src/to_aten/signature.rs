//! Parameters and results of the model.

use ir::{Arg, AttrTy as _, DType, Number, Output, OutputKind, Param, ParamKind, Type, ValueId};

use super::{Importer, Making, OriginInfo, Scope, arguments::symbolic_name};
use crate::schema::{Argument, ConstantValue, InputSpec, OutputSpec};

impl<'p> Importer<'p> {
    /// Makes the parameters, in the order of the specs.
    pub(super) fn params(&mut self, making: &mut Making<'_>, scope: &mut Scope<'p>) -> Vec<Param> {
        let mut params = Vec::new();
        let mut bound = Vec::new();
        for spec in &self.program.graph_module.signature.input_specs {
            let (graph_name, name, kind) = match spec {
                InputSpec::UserInput { arg: Argument::Tensor(arg) } => {
                    (&arg.name, &arg.name, ParamKind::User)
                }
                InputSpec::UserInput { arg } => {
                    self.number_input(making, scope, arg, &mut params, &mut bound);
                    continue;
                }
                InputSpec::Parameter { arg, parameter_name } => {
                    (&arg.name, parameter_name, ParamKind::Parameter)
                }
                InputSpec::Buffer { arg, buffer_name, persistent } => {
                    (&arg.name, buffer_name, ParamKind::Buffer { persistent: *persistent })
                }
                InputSpec::TensorConstant { arg, tensor_constant_name } => {
                    (&arg.name, tensor_constant_name, ParamKind::Constant)
                }
                InputSpec::ConstantInput { value: ConstantValue::None(_), .. } => continue,
                InputSpec::ConstantInput { .. } => continue,
                InputSpec::CustomObj { custom_obj_name, .. } => {
                    self.unsupported_argument(&format!(
                        "the custom object `{}` is not supported",
                        custom_obj_name.escape_debug()
                    ));
                    continue;
                }
                InputSpec::Token { .. } => {
                    self.unsupported_argument("effect tokens are not supported");
                    continue;
                }
            };
            let value = match scope.graph.tensor_values.get(graph_name) {
                Some(meta) => self.tensor_type(graph_name, meta).map(|ty| making.builder.param(ty)),
                None => {
                    self.schema_error(format!("the input `{}` has no type", name.escape_debug()));
                    None
                }
            };
            if value.is_some() {
                params.push(Param { name: name.clone(), kind });
            }
            scope.values.insert(graph_name.clone(), value);
        }
        // Ops come after all parameters.
        for (value, symbol) in bound {
            making.start(OriginInfo::default());
            let _reported = self.define(making, value, &symbol);
        }
        params
    }

    /// An input that is a number: callers give a tensor of one element, and its symbol is defined
    /// by it.
    fn number_input(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        arg: &'p Argument,
        params: &mut Vec<Param>,
        bound: &mut Vec<(ValueId, String)>,
    ) {
        let (Some(name), Ok(attr)) = (symbolic_name(arg), self.one(scope, arg)) else {
            // What was fixed by the export takes no part in the computation.
            return;
        };
        let (dtype, symbol) = match Number::of_attr(&attr) {
            Some(Number::Int(it)) => {
                let dtype = match arg {
                    Argument::SymBool(_) => DType::Bool,
                    _ if it.is_real() => DType::F64,
                    _ => DType::I64,
                };
                (dtype, it.as_sym().map(str::to_owned))
            }
            _ => return,
        };
        let value = making.builder.param(super::bodies::scalar(dtype));
        params.push(Param { name: name.to_owned(), kind: ParamKind::User });
        if let Some(symbol) = symbol {
            bound.push((value, symbol));
        }
    }

    /// The results, in the order of the specs.
    pub(super) fn outputs(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        params: &[Param],
    ) -> (Vec<Output>, Vec<ValueId>) {
        let specs = &self.program.graph_module.signature.output_specs;
        // The graph name of an input is what a mutation of it refers to.
        let (mut outputs, mut yields) = (Vec::new(), Vec::new());
        for spec in specs {
            let index = |name: &str, wanted: fn(&ParamKind) -> bool| {
                params.iter().position(|it| it.name == name && wanted(&it.kind))
            };
            let (name, kind) = match spec {
                OutputSpec::UserOutput { arg } => {
                    if let Some((output, value)) = self.user_output(making, scope, arg) {
                        outputs.push(output);
                        yields.push(value);
                    }
                    continue;
                }
                OutputSpec::LossOutput { arg } => (&arg.name, Some(OutputKind::User)),
                OutputSpec::BufferMutation { arg, buffer_name } => {
                    let at = index(buffer_name, |it| matches!(it, ParamKind::Buffer { .. }));
                    (&arg.name, at.map(OutputKind::Mutates))
                }
                OutputSpec::ParameterMutation { arg, parameter_name } => {
                    let at = index(parameter_name, |it| *it == ParamKind::Parameter);
                    (&arg.name, at.map(OutputKind::Mutates))
                }
                OutputSpec::UserInputMutation { arg, user_input_name } => {
                    let at = index(user_input_name, |it| *it == ParamKind::User);
                    (&arg.name, at.map(OutputKind::Mutates))
                }
                OutputSpec::GradientToParameter { arg, .. }
                | OutputSpec::GradientToUserInput { arg, .. } => {
                    self.unsupported_argument("a program that computes gradients is not supported");
                    (&arg.name, None)
                }
                OutputSpec::Token { .. } => continue,
            };
            let Some(kind) = kind else {
                self.schema_error(format!(
                    "the output `{}` writes to nothing",
                    name.escape_debug()
                ));
                continue;
            };
            if let Ok(value) = self.value(scope, name) {
                let ty = making.builder.ty(value).clone();
                outputs.push(Output { name: name.clone(), kind, ty });
                yields.push(value);
            }
        }
        (outputs, yields)
    }

    /// A result for the caller; one that is no tensor is made into a value.
    fn user_output(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        arg: &'p Argument,
    ) -> Option<(Output, ValueId)> {
        making.start(OriginInfo::default());
        let (name, value) = match arg {
            Argument::Tensor(it) => (it.name.clone(), self.value(scope, &it.name).ok()?),
            Argument::None(_) => {
                let made = aten::MakeNone::build(&mut making.builder).ok()?;
                (String::new(), *made.first()?)
            }
            it => {
                let number = self.one(scope, it).ok().and_then(|it| Number::of_attr(&it));
                let Some(number) = number else {
                    self.unsupported_argument(&format!("an output that is {}", it.kind()));
                    return None;
                };
                let dtype = match (&number, it) {
                    (Number::Bool(_), _) | (_, Argument::SymBool(_)) => DType::Bool,
                    (Number::Int(it), _) if !it.is_real() => DType::I64,
                    (Number::Complex(..), _) => DType::C128,
                    (Number::Int(_) | Number::Float(_), _) => DType::F64,
                };
                let def = aten::MakeNumber::def();
                let stated = Some(vec![Type::Scalar(dtype)]);
                let none: [Arg; 0] = [];
                let made = making.builder.push_stated(def, none, vec![number.to_attr()], stated);
                let name = symbolic_name(it).unwrap_or_default().to_owned();
                (name, *made.ok()?.first()?)
            }
        };
        let ty = making.builder.ty(value).clone();
        Some((Output { name, kind: OutputKind::User, ty }, value))
    }
}
