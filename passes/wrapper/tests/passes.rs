//! Every `.ir` file and every README of a pass is a test.

use std::path::Path;

use ir::OpRef;
use wrapper_passes::PASSES;

fn ops() -> Vec<OpRef> {
    [loops::ops(), wrapper::ops()].concat()
}

fn file(path: &Path) -> datatest_stable::Result<()> {
    Ok(testkit::pass_file(path, PASSES, &ops())?)
}

datatest_stable::harness! {
    { test = file, root = ".", pattern = r"^[a-z-]+/(tests/.*\.ir|README\.md)$" },
}
