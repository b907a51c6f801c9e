//! The IR core: value-typed bodies, op definitions, and what reads them.
//!
//! - [`Body`] is a straight line of ops in program order, some with nested regions.
//!   It owns everything it says; two bodies are equal when they say the same.
//! - [`OpDef`] is all that is known of one op. Printer, parser, verifier, dead-code removal,
//!   interpreter and book read it; none of them has an arm per op.
//! - [`Builder`] is the only way to make ops: it infers each result's type.
//!
//! **Architecture invariant:** this crate knows no dialect, no database, no file and no clock.

mod attr;
mod body;
mod builder;
pub mod control;
mod dialect;
mod dtype;
mod func;
mod hash;
mod host;
mod lex;
pub mod linalg;
mod memory;
mod number;
mod op;
mod parse;
mod print;
mod rewrite;
pub mod scalar;
mod types;
mod verify;

pub use attr::{Attr, AttrKind, AttrTy, RefName, attr_ty};
pub use body::{Arg, Body, Op, Origin, Region, ValueId};
pub use builder::Builder;
pub use dtype::{DType, DTypeKind};
pub use func::{Function, Output, OutputKind, Param, ParamKind};
pub use hash::content_hash;
pub use host::{Bytes, HostTensor, HostValue};
pub use memory::{Memory, UNWRITTEN};
pub use number::Number;
pub use op::{
    Alias, AttrDef, Calls, Effects, EvalCx, EvalError, EvalFn, OpDef, OpRef, OperandDef,
    OperandKind, ResultCount, View,
};
pub use parse::{parse_function, parse_module};
pub use print::{print_function, print_module};
pub use rewrite::{Rewriter, compact, compact_keeping};
pub use types::{TensorType, Type};
pub use verify::verify;

pub use diag::Diag;
/// What fallible IR operations give: a value, or one diagnostic.
pub type Result<T> = std::result::Result<T, Diag>;
