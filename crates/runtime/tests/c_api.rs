//! The C example is compiled, linked with the static library, and run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of any")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{build, folder, source};

/// Where Cargo puts the static library: beside or above this test.
fn static_library() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let folders = test.ancestors().skip(1).take(2).map(Path::to_path_buf);
    folders.map(|it| it.join("libtintype_runtime.a")).find(|it| it.exists())
}

#[test]
fn the_example_runs_a_model() {
    let Some(library) = build(&source("add.cpp")) else { return };
    let Some(runtime) = static_library() else {
        eprintln!("skipped: no libtintype_runtime.a (cargo build -p runtime makes it)");
        return;
    };
    let (_dir, path) = folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let compiled = Command::new(&compiler)
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-I"])
        .arg(root.join("include"))
        .arg(root.join("examples/run_model.c"))
        .arg(runtime)
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(path("run_model"))
        .output();
    let Ok(compiled) = compiled else {
        eprintln!("skipped: no C compiler '{compiler}'");
        return;
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));

    package::write_package(&path("add.pt2"), &package::Model::new(&library.bytes)).unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(path("run_model")).arg(path("add.pt2")).args(args).output();
        let output = output.unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(run(&[]), (Some(0), "out [2, 3] 2 2 2 2 2 2\n".into(), String::new()));
    let (code, stdout, stderr) = run(&["5", "7"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert_eq!(stderr, "run: input 'b' (input 1): dimension 0 is 7, expected 5 = B\n");
}
