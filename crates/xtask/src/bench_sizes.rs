//! Measurements of sizes: random expressions against Python's rules, and us against sympy.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

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

/// How much of compiling a model, from its archive to the host program, is work on sizes. Counted
/// in instructions, by valgrind: everything that is called from outside `sym` in it, so that what
/// comes back into `sym` through a closure counts twice and the number is an upper bound.
pub(crate) fn work(tintype: &Path, model: &Path, scratch: &Path) -> Result<Value> {
    let (profile, text) = (scratch.join("callgrind.out"), scratch.join("wrapper.ir"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(tintype).args(["compile", "--quiet", "--emit", "wrapper"]);
    valgrind.arg(model).arg("-o").arg(text).stdout(Stdio::null());
    repo::run(&mut valgrind).context("valgrind counts the instructions")?;
    let (all, ours) = instructions(&std::fs::read_to_string(&profile)?)?;
    let name = model.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    let (all, ours) = (all as f64 / 1e6, ours as f64 / 1e6);
    println!("{name:24} {ours:7.1} of {all:7.1} million instructions are for sizes");
    Ok(json!({ "model": name, "all_million": all, "sizes_million": ours }))
}

/// All instructions of a callgrind profile, and those below calls into `sym`.
fn instructions(profile: &str) -> Result<(u64, u64)> {
    // A function is written `(number) name` the first time and `(number)` from then on.
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    let mut is_ours = |text: &str| match text.split_once(' ') {
        Some((number, name)) => {
            let ours = ["sym::", "<sym::", "<&sym::", "egg::", "<egg::"];
            let ours = ours.iter().any(|it| name.starts_with(it)) || name.contains(" for sym::");
            known.insert(number.to_owned(), ours);
            ours
        }
        None => known.get(text).copied().unwrap_or(false),
    };
    let (mut here, mut callee, mut is_call) = (false, false, false);
    let (mut all, mut ours) = (0, 0);
    for line in profile.lines() {
        if let Some(it) = line.strip_prefix("fn=") {
            here = is_ours(it);
        } else if let Some(it) = line.strip_prefix("cfn=") {
            callee = is_ours(it);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|it: char| it.is_ascii_digit() || "+-*".contains(it)) {
            let cost = line.split(' ').nth(1).context("a line without a cost")?;
            let cost: u64 = cost.parse().context("reading a cost")?;
            match std::mem::take(&mut is_call) {
                true if callee && !here => ours += cost,
                true => {}
                false => all += cost,
            }
        }
    }
    Ok((all, ours))
}
