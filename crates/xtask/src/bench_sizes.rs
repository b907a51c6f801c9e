//! Measurements of sizes: random expressions against Python's rules, and us against sympy.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{compiler, repo, torch};

/// Random expressions, simplified, printed, compiled and compared with their values.
pub(crate) fn random(count: usize) -> Result<()> {
    let mut cargo = repo::cargo();
    cargo.args(["test", "--quiet", "--release", "--package", "sym", "--test", "it"]);
    cargo.args(["whole", "--", "--nocapture"]).env("SYM_EXPRESSIONS", count.to_string());
    repo::run(&mut cargo)
}

/// Time and outcome of simplifying, ours beside sympy's; gives the lines of JSON.
pub(crate) fn sympy(archives: &[PathBuf], count: usize) -> Result<String> {
    let mut cargo = repo::cargo();
    cargo.args(["build", "--quiet", "--release", "--package", "sym", "--example", "measure"]);
    repo::run(&mut cargo)?;
    let measure = compiler::target()?.join("release/examples/measure");
    let script = repo::root().join("tests/torch/sympy_sizes.py");
    let mut python = torch::python()?;
    python.arg(script).arg(Path::new(&measure)).args(archives);
    let text = repo::output(python.arg("--random").arg(count.to_string()))?;
    print!("{text}");
    Ok(text)
}
