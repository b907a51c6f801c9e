//! Graphs: nodes in order, and what is known of the values between them.

use serde::Deserialize;

use super::{Argument, CustomObjArgument, Device, Layout, Map, ScalarType, scalar};

/// A graph; also the body of a higher-order operator.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Graph {
    /// Its inputs, in the order of the signature's.
    pub inputs: Vec<Argument>,
    /// Its outputs, in the order of the signature's.
    pub outputs: Vec<Argument>,
    /// Its nodes, each after those it uses.
    pub nodes: Vec<Node>,
    /// The tensors by name.
    pub tensor_values: Map<TensorMeta>,
    /// The symbolic integers by name.
    pub sym_int_values: Map<SymInt>,
    /// The symbolic booleans by name.
    pub sym_bool_values: Map<SymBool>,
    /// The symbolic floats by name.
    #[serde(default)]
    pub sym_float_values: Map<SymFloat>,
    /// Objects of custom classes by name.
    #[serde(default)]
    pub custom_obj_values: Map<CustomObjArgument>,
    /// Whether a body gives its only tensor bare, and not in a tuple.
    #[serde(default)]
    pub is_single_tensor_return: bool,
}

/// A call.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Node {
    /// What is called: `torch.ops.aten.add.Tensor`, `_operator.mul`, `torch.sym_max`.
    pub target: String,
    /// Its arguments; those equal to the schema's default may be missing.
    pub inputs: Vec<NamedArgument>,
    /// Its results.
    pub outputs: Vec<Argument>,
    /// Where it comes from.
    #[serde(default)]
    pub metadata: NodeMetadata,
    /// Whether a higher-order operator gives its only tensor bare.
    #[serde(default)]
    pub is_hop_single_tensor_return: Option<bool>,
    /// The node's own name, from schema 8.17 on.
    #[serde(default)]
    pub name: Option<String>,
}

/// An argument of a call.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct NamedArgument {
    /// The name in the operator's schema; empty for operators without one.
    pub name: String,
    /// The value.
    pub arg: Argument,
    /// Whether it was given by position or by name, from schema 8.7 on.
    #[serde(default)]
    pub kind: Option<ArgumentKind>,
}

/// How an argument was given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ArgumentKind {
    Unknown,
    Positional,
    Keyword,
}

impl scalar::Numbered for ArgumentKind {
    const WHAT: &str = "kind of argument";

    fn from_number(number: i64) -> Option<ArgumentKind> {
        match number {
            0 => Some(ArgumentKind::Unknown),
            1 => Some(ArgumentKind::Positional),
            2 => Some(ArgumentKind::Keyword),
            _ => None,
        }
    }
}

scalar::deserialize_numbered!(ArgumentKind);

/// Where a node comes from. Other keys are not kept.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
pub struct NodeMetadata {
    /// A Python traceback; [`crate::innermost_user_frame`] reads it.
    #[serde(default)]
    pub stack_trace: Option<String>,
    /// `key,path,type` of each module around it, outermost first, with `;` between.
    #[serde(default)]
    pub nn_module_stack: Option<String>,
    /// The PyTorch function that was called.
    #[serde(default)]
    pub torch_fn: Option<String>,
}

/// What is known of a tensor.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct TensorMeta {
    /// The type of an element.
    pub dtype: ScalarType,
    /// The size of each dimension.
    pub sizes: Vec<SymInt>,
    /// Whether it takes part in training.
    pub requires_grad: bool,
    /// Where it lives.
    pub device: Device,
    /// In elements.
    pub strides: Vec<SymInt>,
    /// In elements.
    pub storage_offset: SymInt,
    /// Strided, or one of the sparse ones.
    pub layout: Layout,
}

/// An integer or an expression.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub enum SymInt {
    /// In the `srepr` text of sympy.
    #[serde(rename = "as_expr")]
    Expr(SymExpr),
    /// A number.
    #[serde(rename = "as_int")]
    Int(i64),
}

/// A float or an expression.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub enum SymFloat {
    /// In the `srepr` text of sympy.
    #[serde(rename = "as_expr")]
    Expr(SymExpr),
    /// A number.
    #[serde(rename = "as_float", deserialize_with = "scalar::float")]
    Float(f64),
}

/// A boolean or an expression.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub enum SymBool {
    /// In the `srepr` text of sympy.
    #[serde(rename = "as_expr")]
    Expr(SymExpr),
    /// A value.
    #[serde(rename = "as_bool")]
    Bool(bool),
}

/// A symbolic expression.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct SymExpr {
    /// The `srepr` text of sympy.
    pub expr_str: String,
    /// What it was for the example inputs; none for what depends on data.
    #[serde(default)]
    pub hint: Option<SymExprHint>,
}

/// The value of an expression for the example inputs.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SymExprHint {
    #[serde(rename = "as_int")]
    Int(i64),
    #[serde(rename = "as_bool")]
    Bool(bool),
    #[serde(rename = "as_float", deserialize_with = "scalar::float")]
    Float(f64),
}
