//! Passes over tensor, down to loops.
