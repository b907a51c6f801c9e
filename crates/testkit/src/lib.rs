//! Test support: the .ir harness, seeded inputs, the executed-queries helper.
