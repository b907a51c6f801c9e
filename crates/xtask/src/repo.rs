//! Where things are in the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Every file that belongs to the repository, by its path below the root, sorted. What Git would
/// not take is left out by the names that `.gitignore` has, so that no Git is needed.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let mut res = Vec::new();
    walk(&root(), Path::new(""), &mut res)?;
    res.sort();
    Ok(res)
}

fn walk(root: &Path, dir: &Path, res: &mut Vec<PathBuf>) -> Result<()> {
    let folder = root.join(dir);
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = dir.join(entry.file_name());
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let made = name == "target" || name == ".git" || name == "__pycache__";
            if !made {
                walk(root, &path, res)?;
            }
        } else if kind.is_file() {
            res.push(path);
        }
    }
    Ok(())
}

/// The text of a file of the repository.
pub(crate) fn read(path: &Path) -> Result<String> {
    let path = root().join(path);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// A Cargo to start, in the folder of the workspace.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut res = Command::new(program);
    res.current_dir(root());
    res
}

/// Runs a command to its end; its failure is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("starting {name}"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("{name} failed ({status})"),
    }
}

/// Runs a command to its end and gives what it printed; what it says of errors goes to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("starting {name}"))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).context("its output is not UTF-8"),
        false => bail!("{name} failed ({})", output.status),
    }
}

/// Fails with a list of what is wrong, if anything is.
pub(crate) fn verdict(what: &str, wrong: &[String]) -> Result<()> {
    match wrong {
        [] => Ok(()),
        _ => bail!("{}\n{what}: {} wrong", wrong.join("\n"), wrong.len()),
    }
}
