//! Passes over loops, down to wrapper.
