//! Every `.ir` file and every README of a pass is a test.

use std::path::Path;

use aten_passes::PASSES;
use ir::OpRef;

fn ops() -> Vec<OpRef> {
    [aten::ops(), tensor::ops()].concat()
}

fn file(path: &Path) -> datatest_stable::Result<()> {
    Ok(testkit::pass_file(path, PASSES, &ops())?)
}

datatest_stable::harness! {
    { test = file, root = ".", pattern = r"^[a-z-]+/(tests/.*\.ir|README\.md)$" },
}
