//! Starting the compiler, through Cargo.

use std::{ffi::OsString, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::repo;

/// Builds the `tintype` binary optimised and gives its path.
pub(crate) fn release() -> Result<PathBuf> {
    build(&["--release"], "release")
}

fn build(flags: &[&str], profile: &str) -> Result<PathBuf> {
    let mut cargo = repo::cargo();
    cargo.args(["build", "--quiet", "--package", "tintype", "--bin", "tintype"]).args(flags);
    repo::run(&mut cargo)?;
    let target = target()?;
    let name = format!("tintype{}", std::env::consts::EXE_SUFFIX);
    Ok(target.join(profile).join(name))
}

/// The folder that Cargo builds into.
pub(crate) fn target() -> Result<PathBuf> {
    let text = repo::output(repo::cargo().args([
        "metadata",
        "--no-deps",
        "--format-version=1",
        "--offline",
    ]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).context("reading cargo metadata")?;
    let target = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    Ok(PathBuf::from(target.context("cargo metadata names no target folder")?))
}

/// A command of the compiler's hidden tools, built as for tests.
pub(crate) fn tool(name: &str) -> Result<Command> {
    let mut command = Command::new(build(&[], "debug")?);
    command.args(["tool", name]);
    Ok(command)
}

/// Runs one of the compiler's hidden tools where the user is, with the user's arguments. Among
/// them `--release` is for us: it asks for the optimised compiler.
pub(crate) fn forward(name: &str, args: &[OsString]) -> Result<()> {
    let program = match args.iter().any(|it| it == "--release") {
        true => release()?,
        false => build(&[], "debug")?,
    };
    let args = args.iter().filter(|it| *it != "--release");
    let mut tool = Command::new(program);
    let status = tool.args(["tool", name]).args(args).status().context("starting tintype")?;
    match status.code() {
        Some(0) => Ok(()),
        // What went wrong has been said.
        Some(code) => std::process::exit(code),
        None => anyhow::bail!("tintype was stopped ({status})"),
    }
}
