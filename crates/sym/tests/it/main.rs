//! Tests of sizes through the public interface.

mod dbg;
mod named;
mod random;
mod sample;
