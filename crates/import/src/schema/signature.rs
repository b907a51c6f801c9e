//! What the inputs and outputs of a graph are for.

use serde::Deserialize;

use super::{Argument, CustomObjArgument, TensorArgument, scalar};

/// One spec for each input and output of the graph.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct GraphSignature {
    /// Parameters, buffers and constants first, then the user's inputs.
    pub input_specs: Vec<InputSpec>,
    /// Mutations first, then the user's outputs.
    pub output_specs: Vec<OutputSpec>,
}

/// What an input of the graph is.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it; the fields are the schema's")]
pub enum InputSpec {
    UserInput { arg: Argument },
    Parameter { arg: TensorArgument, parameter_name: String },
    Buffer { arg: TensorArgument, buffer_name: String, persistent: bool },
    TensorConstant { arg: TensorArgument, tensor_constant_name: String },
    CustomObj { arg: CustomObjArgument, custom_obj_name: String },
    Token { arg: TokenArgument },
    ConstantInput { name: String, value: ConstantValue },
}

/// What an output of the graph is.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it; the fields are the schema's")]
pub enum OutputSpec {
    UserOutput { arg: Argument },
    LossOutput { arg: TensorArgument },
    BufferMutation { arg: TensorArgument, buffer_name: String },
    ParameterMutation { arg: TensorArgument, parameter_name: String },
    UserInputMutation { arg: TensorArgument, user_input_name: String },
    GradientToParameter { arg: TensorArgument, parameter_name: String },
    GradientToUserInput { arg: TensorArgument, user_input_name: String },
    Token { arg: TokenArgument },
}

/// An input that the export fixed to one value.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ConstantValue {
    /// Always true.
    #[serde(rename = "as_none")]
    None(bool),
    #[serde(rename = "as_int")]
    Int(i64),
    #[serde(rename = "as_float", deserialize_with = "scalar::float")]
    Float(f64),
    #[serde(rename = "as_string")]
    String(String),
    #[serde(rename = "as_bool")]
    Bool(bool),
}

/// A token, by which effects are ordered.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct TokenArgument {
    /// Its name.
    pub name: String,
}

impl InputSpec {
    /// The stored tensor that this input is: its name in the graph, and its name in the archive.
    pub fn weight(&self) -> Option<(&str, &str)> {
        match self {
            InputSpec::Parameter { arg, parameter_name: fqn }
            | InputSpec::Buffer { arg, buffer_name: fqn, .. }
            | InputSpec::TensorConstant { arg, tensor_constant_name: fqn } => {
                Some((&arg.name, fqn))
            }
            InputSpec::UserInput { .. }
            | InputSpec::CustomObj { .. }
            | InputSpec::Token { .. }
            | InputSpec::ConstantInput { .. } => None,
        }
    }
}
