//! Passes over wrapper: memory planning, reuse, size hoisting.
