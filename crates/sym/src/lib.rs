//! Symbolic sizes: exact integer expressions over named symbols.
//!
//! An [`Expr`] is always in normal form, a sorted sum of products over symbols and calls, so most
//! equal sizes are equal as values. [`Facts`] say what is known of the symbols; with them
//! [`simplify()`] finds something cheaper, [`equal`], [`less_equal`] and [`divisible`] answer
//! questions, and [`to_cpp`] prints C++ that computes the same integer.
//!
//! ```
//! use sym::{Expr, Facts, Range, parse, simplify};
//!
//! let mut facts = Facts::new();
//! facts.set_range("i1", Range { lo: 0, hi: 55 });
//! let index = parse("(56*i0 + i1)//56").unwrap();
//! assert_eq!(simplify(&index, &facts), Expr::sym("i0"));
//! ```
//!
//! What holds everywhere: a rewrite needs a *proof* of its guard, never the lack of a
//! counter-example; `x//0` is some integer that nobody knows, so it cancels only against itself.

mod arith;
mod cache;
mod congruence;
mod construct;
mod cpp;
mod display;
mod egraph;
mod eval;
mod expr;
mod factor;
mod facts;
mod fun;
mod logic;
mod parse;
mod program;
mod prove;
mod range;
mod real;
mod rewrite;
mod shared;
mod simplify;
mod srepr;
mod statement;
mod witness;

pub use crate::{
    cpp::{CPP_PRELUDE, to_cpp},
    eval::EvalError,
    expr::{Expr, MAX_DEPTH, MAX_SIZE, is_name},
    facts::Facts,
    parse::{ParseError, parse},
    program::Program,
    prove::{Answer, divisible, equal, less_equal},
    range::{Range, range},
    real::Number,
    shared::share,
    simplify::{explain, rules, simplify},
    srepr::parse_srepr,
};
