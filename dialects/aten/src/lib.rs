//! The `aten` dialect: what the exporter wrote, operator by operator.
//!
//! An operator is declared by its ATen schema, one line of `schemas.txt`:
//! `add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`. Names, defaults, alias and
//! mutation marks all come from it; a definition is made from the line when it is first asked for.
//! Tensors are operands, everything else is an attribute, in the order of the schema. The types of
//! results are stated by the exporter: dtype, sizes and strides.
//!
//! Symbolic integers are never values here: they are expressions inside attributes and types.
//! The few operators that have no schema (control flow, symbols that data defines) are in [`ops`].
//!
//! **Architecture invariant:** nothing here says how anything is computed.

pub mod ops;
mod schema;
mod table;

pub use ops::{
    AssertScalar, AssertTensor, BindSymbol, Cond, MakeNone, MakeNumber, MakeTensor, Subgraph,
    WhileLoop,
};
pub use schema::{AliasMark, ArgTy, Schema, SchemaArg, SchemaReturn, Slot};
pub use table::{lookup, ops, schema};
