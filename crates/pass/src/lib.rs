//! Pass definitions, legality, textual pipelines, the runner and reproducers.
