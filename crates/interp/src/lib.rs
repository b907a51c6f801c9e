//! The evaluator over OpDef::eval: the oracle of every pass test.
