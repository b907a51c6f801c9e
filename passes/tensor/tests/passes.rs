//! Every `.ir` file and every README of a pass is a test; so is every list of rules.

use std::path::Path;

use ir::OpRef;
use tensor_passes::PASSES;

fn ops() -> Vec<OpRef> {
    [tensor::ops(), loops::ops()].concat()
}

fn file(path: &Path) -> datatest_stable::Result<()> {
    Ok(testkit::pass_file(path, PASSES, &ops())?)
}

fn rules(path: &Path) -> datatest_stable::Result<()> {
    Ok(testkit::rules_file(path, PASSES, &ops())?)
}

datatest_stable::harness! {
    { test = file, root = ".", pattern = r"^[a-z-]+/(tests/.*\.ir|README\.md)$" },
    { test = rules, root = ".", pattern = r"^[a-z-]+/mod\.rs$" },
}
