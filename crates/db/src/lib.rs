//! salsa: inputs and one query per phase.
