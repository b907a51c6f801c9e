//! The union of everything that an argument or a result can be.

use serde::Deserialize;

use super::{Device, Graph, Layout, Map, MemoryFormat, ScalarType, scalar};

/// An argument of a call, a result of one, or an input or output of a graph.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names are the schema's, less their `as_`")]
pub enum Argument {
    /// Always true.
    #[serde(rename = "as_none")]
    None(bool),
    #[serde(rename = "as_tensor")]
    Tensor(TensorArgument),
    #[serde(rename = "as_tensors")]
    Tensors(Vec<TensorArgument>),
    #[serde(rename = "as_optional_tensor")]
    OptionalTensor(OptionalTensorArgument),
    #[serde(rename = "as_optional_tensors")]
    OptionalTensors(Vec<OptionalTensorArgument>),
    #[serde(rename = "as_nested_tensors")]
    NestedTensors(Vec<Vec<TensorArgument>>),
    #[serde(rename = "as_int")]
    Int(i64),
    #[serde(rename = "as_ints")]
    Ints(Vec<i64>),
    #[serde(rename = "as_int_lists")]
    IntLists(Vec<Vec<i64>>),
    #[serde(rename = "as_float", deserialize_with = "scalar::float")]
    Float(f64),
    #[serde(rename = "as_floats", deserialize_with = "scalar::floats")]
    Floats(Vec<f64>),
    #[serde(rename = "as_float_lists", deserialize_with = "scalar::float_lists")]
    FloatLists(Vec<Vec<f64>>),
    #[serde(rename = "as_complex")]
    Complex(ComplexValue),
    #[serde(rename = "as_bool")]
    Bool(bool),
    #[serde(rename = "as_bools")]
    Bools(Vec<bool>),
    #[serde(rename = "as_string")]
    String(String),
    #[serde(rename = "as_strings")]
    Strings(Vec<String>),
    #[serde(rename = "as_sym_int")]
    SymInt(SymIntArgument),
    #[serde(rename = "as_sym_ints")]
    SymInts(Vec<SymIntArgument>),
    #[serde(rename = "as_sym_float")]
    SymFloat(SymFloatArgument),
    #[serde(rename = "as_sym_floats")]
    SymFloats(Vec<SymFloatArgument>),
    #[serde(rename = "as_sym_bool")]
    SymBool(SymBoolArgument),
    #[serde(rename = "as_sym_bools")]
    SymBools(Vec<SymBoolArgument>),
    #[serde(rename = "as_scalar_type")]
    ScalarType(ScalarType),
    #[serde(rename = "as_memory_format")]
    MemoryFormat(MemoryFormat),
    #[serde(rename = "as_layout")]
    Layout(Layout),
    #[serde(rename = "as_device")]
    Device(Device),
    #[serde(rename = "as_graph")]
    Graph(GraphArgument),
    #[serde(rename = "as_custom_obj")]
    CustomObj(CustomObjArgument),
    #[serde(rename = "as_operator")]
    Operator(String),
    #[serde(rename = "as_string_to_argument")]
    StringToArgument(Box<Map<Argument>>),
}

impl Argument {
    /// The schema's name of the kind, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Argument::None(_) => "as_none",
            Argument::Tensor(_) => "as_tensor",
            Argument::Tensors(_) => "as_tensors",
            Argument::OptionalTensor(_) => "as_optional_tensor",
            Argument::OptionalTensors(_) => "as_optional_tensors",
            Argument::NestedTensors(_) => "as_nested_tensors",
            Argument::Int(_) => "as_int",
            Argument::Ints(_) => "as_ints",
            Argument::IntLists(_) => "as_int_lists",
            Argument::Float(_) => "as_float",
            Argument::Floats(_) => "as_floats",
            Argument::FloatLists(_) => "as_float_lists",
            Argument::Complex(_) => "as_complex",
            Argument::Bool(_) => "as_bool",
            Argument::Bools(_) => "as_bools",
            Argument::String(_) => "as_string",
            Argument::Strings(_) => "as_strings",
            Argument::SymInt(_) => "as_sym_int",
            Argument::SymInts(_) => "as_sym_ints",
            Argument::SymFloat(_) => "as_sym_float",
            Argument::SymFloats(_) => "as_sym_floats",
            Argument::SymBool(_) => "as_sym_bool",
            Argument::SymBools(_) => "as_sym_bools",
            Argument::ScalarType(_) => "as_scalar_type",
            Argument::MemoryFormat(_) => "as_memory_format",
            Argument::Layout(_) => "as_layout",
            Argument::Device(_) => "as_device",
            Argument::Graph(_) => "as_graph",
            Argument::CustomObj(_) => "as_custom_obj",
            Argument::Operator(_) => "as_operator",
            Argument::StringToArgument(_) => "as_string_to_argument",
        }
    }
}

/// A tensor by name.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct TensorArgument {
    /// A key of [`Graph::tensor_values`].
    pub name: String,
}

/// An element of a `Tensor?[]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OptionalTensorArgument {
    #[serde(rename = "as_tensor")]
    Tensor(TensorArgument),
    /// Always true.
    #[serde(rename = "as_none")]
    None(bool),
}

/// An integer, symbolic or not.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub enum SymIntArgument {
    /// A key of [`Graph::sym_int_values`].
    #[serde(rename = "as_name")]
    Name(String),
    /// A number.
    #[serde(rename = "as_int")]
    Int(i64),
}

/// A float, symbolic or not.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub enum SymFloatArgument {
    /// A key of [`Graph::sym_float_values`].
    #[serde(rename = "as_name")]
    Name(String),
    /// A number.
    #[serde(rename = "as_float", deserialize_with = "scalar::float")]
    Float(f64),
}

/// A boolean, symbolic or not.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub enum SymBoolArgument {
    /// A key of [`Graph::sym_bool_values`].
    #[serde(rename = "as_name")]
    Name(String),
    /// A value.
    #[serde(rename = "as_bool")]
    Bool(bool),
}

/// The body of a higher-order operator.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct GraphArgument {
    /// Its name.
    pub name: String,
    /// The body itself.
    pub graph: Box<Graph>,
}

/// An object of a custom class.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct CustomObjArgument {
    /// Its name.
    pub name: String,
    /// Its class.
    pub class_fqn: String,
}

/// A complex number.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ComplexValue {
    #[serde(deserialize_with = "scalar::float")]
    pub real: f64,
    #[serde(deserialize_with = "scalar::float")]
    pub imag: f64,
}
