//! Writes the packages of the models written by hand, for checks with PyTorch:
//! `cargo run -p runtime --example stub_packages -- FOLDER`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::PathBuf;

use package::{Model, Signature, TensorInfo, write_package};

fn main() -> Result<(), package::Error> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_string()));
    let info = |name: &str| TensorInfo {
        name: name.to_string(),
        dtype: "float32".to_string(),
        dims: vec!["B".to_string(), "3".to_string()],
    };
    let signature = Signature {
        producer: "tintype".to_string(),
        target_cpu: "baseline".to_string(),
        symbols: Vec::new(),
        inputs: vec![info("a"), info("b")],
        outputs: vec![info("out")],
    };
    let source = common::source("add.cpp");
    let Some(library) = common::build(&source) else { return Ok(()) };
    let model = Model { source: &source, signature: Some(signature), ..Model::new(&library.bytes) };
    write_package(&folder.join("add.pt2"), &model)?;

    let source = common::source("all.cpp");
    let Some(library) = common::build(&source) else { return Ok(()) };
    let model = Model { source: &source, blob: common::constants(), ..Model::new(&library.bytes) };
    write_package(&folder.join("all.pt2"), &model)
}
