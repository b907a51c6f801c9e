//! Functions: a body with the names and roles of its parameters and results.

use sym::{Expr, Facts};

use crate::{Body, Type};

/// The role of a parameter.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ParamKind {
    /// Given by the caller of the model, or of a body of control flow.
    User,
    /// Given by whoever calls a body of control flow: at every call a constant of the model, or what
    /// is computed from such alone. So what depends on it alone need not be computed in the body.
    Fixed,
    /// A trained weight.
    Parameter,
    /// State of the module: read, and written where an output says so.
    Buffer {
        /// Whether it is part of the state dict.
        persistent: bool,
    },
    /// A tensor that the program mentions.
    Constant,
    /// Computed from other constants ahead of time, by the function of that name.
    Folded,
}

impl ParamKind {
    /// The name in IR text.
    pub fn name(&self) -> &'static str {
        match self {
            ParamKind::User => "user",
            ParamKind::Fixed => "fixed",
            ParamKind::Parameter => "parameter",
            ParamKind::Buffer { persistent: true } => "buffer",
            ParamKind::Buffer { persistent: false } => "transient_buffer",
            ParamKind::Constant => "constant",
            ParamKind::Folded => "folded",
        }
    }

    /// Whether the caller gives it, call by call; otherwise the model has it.
    pub fn is_given(&self) -> bool {
        matches!(self, ParamKind::User | ParamKind::Fixed)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<ParamKind> {
        [
            ParamKind::User,
            ParamKind::Fixed,
            ParamKind::Parameter,
            ParamKind::Buffer { persistent: true },
            ParamKind::Buffer { persistent: false },
            ParamKind::Constant,
            ParamKind::Folded,
        ]
        .into_iter()
        .find(|it| it.name() == name)
    }
}

/// A parameter of a function. Its type is that of the body's parameter of the same index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Param {
    /// Its name in the model: an argument's name or a qualified name such as `fc.weight`.
    pub name: String,
    /// Its role.
    pub kind: ParamKind,
}

/// The role of a result.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum OutputKind {
    /// Handed to the caller.
    User,
    /// The new value of the parameter of that index, written back where it lives.
    Mutates(usize),
    /// Handed to the caller as the very memory of the parameter of that index, from so many
    /// elements behind its first on.
    AliasesParam(usize, Expr),
    /// The same of the result of that index.
    AliasesOutput(usize, Expr),
    /// Given to the op that calls the function, which is a body of control flow.
    Result,
}

/// A result of a function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Output {
    /// Its name in the exported graph.
    pub name: String,
    /// Its role.
    pub kind: OutputKind,
    /// Its type as the caller sees it, strides included.
    pub ty: Type,
}

/// A function at any level.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Function {
    /// Its name; `main` is the model's.
    pub name: String,
    /// Its symbols and what is known of them.
    pub facts: Facts,
    /// Its parameters, one per parameter of the body.
    pub params: Vec<Param>,
    /// Its results, one per yield of the body.
    pub outputs: Vec<Output>,
    /// What it does.
    pub body: Body,
}

impl Function {
    /// Whether it is a body of control flow, which an op of another function calls: its operands
    /// and results are dense row-major tensors, and its size symbols are the caller's.
    pub fn is_subgraph(&self) -> bool {
        self.outputs.first().is_some_and(|it| it.kind == OutputKind::Result)
    }

    /// Whether a parameter has one value for all runs: it is the model's, and no output writes it.
    pub fn is_constant(&self, param: usize) -> bool {
        !self.is_written(param) && self.params.get(param).is_some_and(|it| !it.kind.is_given())
    }

    /// Whether a parameter has one value for all runs at each place that the function is called
    /// from: it is a constant, or given one every time.
    pub fn is_fixed(&self, param: usize) -> bool {
        let fixed = self.params.get(param).is_some_and(|it| it.kind == ParamKind::Fixed);
        fixed || self.is_constant(param)
    }

    fn is_written(&self, param: usize) -> bool {
        self.outputs.iter().any(|it| it.kind == OutputKind::Mutates(param))
    }
}
