//! The PyTorch that slow tests run against.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::repo;

/// The virtual environment, made by `tests/torch/setup.sh` if there is none.
pub(crate) fn environment() -> Result<PathBuf> {
    let script = repo::root().join("tests/torch/setup.sh");
    let mut bash = Command::new("bash");
    let text = repo::output(bash.arg(script).current_dir(repo::root()))?;
    let path = text.lines().last().context("tests/torch/setup.sh names no folder")?;
    Ok(PathBuf::from(path))
}

/// A Python in it.
pub(crate) fn python() -> Result<Command> {
    Ok(Command::new(environment()?.join("bin/python")))
}
