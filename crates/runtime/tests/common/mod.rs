//! Builds the models that are written by hand in `tests/stub`.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests, outside of any")]
#![allow(dead_code, reason = "not every test needs every helper")]

#[path = "../../../emit/cxx/host/files.rs"]
#[expect(unreachable_pub, reason = "it is a module of the emit crate, where it is reached")]
mod host;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use package::Blob;
use toolchain::{Cache, Header, Library, LinkOptions, Toolchain, Unit};

/// The source of a model.
pub(crate) fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stub").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Builds a model; `None`, with a line that says so, where there is no compiler.
pub(crate) fn build(source: &str) -> Option<Library> {
    // Cargo gives tests a folder, but not examples.
    let folder = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let cache = Cache::new(folder.join("tintype-test-objects"), 1 << 28);
    let toolchain = match toolchain::Compiler::find() {
        Ok(compiler) => Toolchain::new(compiler, Some(cache)),
        Err(error) => {
            eprintln!("skipped: {error}");
            return None;
        }
    };
    let headers = |files: &[&[host::File]]| -> Arc<[Header]> {
        files.concat().into_iter().map(|(name, text)| Header::new(name, text)).collect()
    };
    let extra: Vec<String> = std::env::var("TINTYPE_TEST_CXXFLAGS")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_string)
        .collect();
    let flags = |flags: &[&str]| -> Vec<String> {
        flags.iter().map(|it| it.to_string()).chain(extra.iter().cloned()).collect()
    };
    let container = headers(&[host::HEADERS, host::PRIVATE_HEADERS]);
    let mut units: Vec<Unit> = host::UNITS
        .iter()
        .map(|(name, text)| Unit {
            name: name.to_string(),
            source: text.as_bytes().to_vec(),
            headers: Arc::clone(&container),
            flags: flags(host::FLAGS),
        })
        .collect();
    units.push(Unit {
        name: "model.cpp".to_string(),
        source: source.as_bytes().to_vec(),
        headers: headers(&[host::HEADERS]),
        flags: flags(&["-O1", "-Wall", "-Wextra", "-Werror"]),
    });
    let options = LinkOptions {
        exports: Some(host::EXPORTS.to_string()),
        flags: extra,
        ..LinkOptions::default()
    };
    Some(toolchain.build(&units, &options).unwrap())
}

/// The constants of `all.cpp`: weight 1, 2, 3, 4; no calls so far; a packed block of sevens.
pub(crate) fn constants() -> Blob<'static> {
    let mut blob = Blob::default();
    let weight: Vec<u8> = [1f32, 2., 3., 4.].iter().flat_map(|it| it.to_le_bytes()).collect();
    blob.push(weight);
    blob.push(vec![0; 8]);
    blob.push(vec![7; 64]);
    blob
}

/// A folder that goes with the test, and a path in it.
pub(crate) fn folder() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_path_buf();
    (dir, move |name: &str| root.join(name))
}
