//! The list of dialects, passes and phases, and the default pipeline.
