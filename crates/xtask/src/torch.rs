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

/// Where environments and what is made with them are kept.
pub(crate) fn cache() -> Result<PathBuf> {
    let environment = environment()?;
    let folder = environment.parent().context("the environment has no folder")?;
    Ok(folder.to_path_buf())
}

/// A Python in it.
pub(crate) fn python() -> Result<Command> {
    Ok(Command::new(environment()?.join("bin/python")))
}
