//! The binary, from outside: what it writes, what it says, how it exits.

mod cli;
mod errors;
mod names;
mod support;
