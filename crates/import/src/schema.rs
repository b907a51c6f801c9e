//! The export schema, major version 8: what `models/<name>.json` and the payload configs say.
//!
//! The structs follow `torch/_export/serde/schema.py` field by field, with these rules of its
//! reader: unknown keys are ignored, and a key with a default may be missing. A union is an
//! object with one key, which is what serde's derived enums read. Two things JSON cannot say are
//! said in strings: infinities, and numbers that are not.
//!
//! Nothing here is checked beyond its own shape; names may refer to nothing.

mod argument;
mod graph;
mod scalar;
mod signature;

pub use argument::*;
pub use graph::*;
pub use scalar::*;
pub use signature::*;

use indexmap::IndexMap;
use serde::Deserialize;

/// A map in the order of the file.
///
/// Its keys are what an archive says, hence the standard library's seeded hasher: keys can be made
/// to collide under a fixed one. No order depends on the seed.
pub type Map<T> = IndexMap<String, T>;

/// The whole file.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ExportedProgram {
    /// The graph and what surrounds it.
    pub graph_module: GraphModule,
    /// Versions of operator sets, `aten` first of all.
    pub opset_version: Map<i64>,
    /// Bounds by the name of the symbol.
    pub range_constraints: Map<RangeConstraint>,
    /// The version of this schema that was written.
    pub schema_version: SchemaVersion,
    /// The dialect's checks that passed: `TRAINING`, `ATEN`, `EDGE`.
    #[serde(default)]
    pub verifiers: Vec<String>,
    /// The PyTorch that wrote it.
    #[serde(default)]
    pub torch_version: String,
    /// Python expressions over the inputs that the export relies on.
    #[serde(default)]
    pub guards_code: Vec<String>,
}

/// The version of the schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct SchemaVersion {
    /// Differs when old readers cannot read new files.
    pub major: i64,
    /// Differs when something was added.
    pub minor: i64,
}

/// The bounds of a symbol, both included; none where it has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct RangeConstraint {
    /// The least value.
    pub min_val: Option<i64>,
    /// The greatest value.
    pub max_val: Option<i64>,
}

/// The graph and how it is called.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct GraphModule {
    /// The graph.
    pub graph: Graph,
    /// What its inputs and outputs are for.
    pub signature: GraphSignature,
    /// The modules that were called; the first, with an empty name, is the whole program and has
    /// the tree structure of inputs and outputs.
    pub module_call_graph: Vec<ModuleCallEntry>,
    /// Free text.
    #[serde(default)]
    pub metadata: Map<String>,
    /// The fields of named tuples that occur in inputs or outputs.
    #[serde(default)]
    pub treespec_namedtuple_fields: Map<NamedTupleDef>,
}

/// A module that was called during export.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ModuleCallEntry {
    /// Where it is in the program.
    pub fqn: String,
    /// How it was called, where that was kept.
    #[serde(default)]
    pub signature: Option<ModuleCallSignature>,
}

/// The calling convention of a module.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ModuleCallSignature {
    /// Its inputs, flat.
    pub inputs: Vec<Argument>,
    /// Its outputs, flat.
    pub outputs: Vec<Argument>,
    /// The tree of (args, kwargs), in PyTorch's own JSON.
    pub in_spec: String,
    /// The tree of the result, in PyTorch's own JSON.
    pub out_spec: String,
    /// The names of the parameters of `forward`.
    #[serde(default)]
    pub forward_arg_names: Option<Vec<String>>,
}

/// The fields of a named tuple.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct NamedTupleDef {
    /// Their names in order.
    pub field_names: Vec<String>,
}

/// `data/weights/<name>_weights_config.json` and its like for constants.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct PayloadConfig {
    pub(crate) config: Map<PayloadMeta>,
}

/// Where one weight is stored, and as what.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct PayloadMeta {
    pub(crate) path_name: String,
    pub(crate) is_param: bool,
    pub(crate) use_pickle: bool,
    /// None for what is not a tensor.
    #[serde(default)]
    pub(crate) tensor_meta: Option<TensorMeta>,
}
