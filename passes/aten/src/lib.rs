//! Passes over aten: functionalize, decompose.
