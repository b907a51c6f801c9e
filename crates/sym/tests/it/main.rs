//! Tests of sizes through the public interface.

mod named;
mod random;
mod sample;
