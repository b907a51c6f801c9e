//! A model whose equal layers are calls of one function, beside the same model flat.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{repo, torch};

/// How often the two are measured, one after the other.
const ROUNDS: usize = 5;

/// One of the two models.
struct Side<'a> {
    name: &'static str,
    tintype: &'a Path,
    folder: &'a Path,
}

/// What was measured of one.
#[derive(Default)]
struct Found {
    /// Seconds of processor time of compiling with an empty cache, the host compiler's included.
    compile: Vec<f64>,
    /// Milliseconds of the fastest run of a round: other programs only ever make one slower.
    run: Vec<f64>,
    /// Bytes of C++ that is printed for the model.
    printed: usize,
    /// Bytes of the statements among it that call kernels: the host program, without its tables.
    statements: usize,
}

/// Measures; `seconds` is how long each round of runs takes.
pub(crate) fn run(tintype: &Path, scratch: &Path, threads: usize, seconds: f64) -> Result<()> {
    let folder = scratch.join("subgraphs");
    let script = repo::root().join("tests/torch/subgraphs.py");
    repo::output(torch::python()?.arg(script).arg(&folder))?;
    let sides = ["regions", "flat"].map(|name| Side { name, tintype, folder: &folder });
    let mut found = [Found::default(), Found::default()];
    for (side, found) in sides.iter().zip(&mut found) {
        side.print(found)?;
    }
    for _ in 0..ROUNDS {
        for (side, found) in sides.iter().zip(&mut found) {
            found.compile.push(side.compile()?);
            found.run.push(side.time(threads, seconds)?);
        }
    }
    let [regions, flat] = found.map(|it| {
        [
            ("run_ms", it.run.into_iter().fold(f64::INFINITY, f64::min)),
            ("compile_cpu_s", median(it.compile)),
            ("printed_bytes", it.printed as f64),
            ("statement_bytes", it.statements as f64),
        ]
    });
    let mut rows = Vec::new();
    for ((what, a), (_, b)) in regions.into_iter().zip(flat) {
        println!("{what:16} regions {a:12.3}   flat {b:12.3}   ratio {:6.3}", a / b);
        rows.push(json!({ "what": what, "regions": a, "flat": b, "ratio": a / b }));
    }
    Ok(fs::write(scratch.join("subgraphs.json"), format!("{:#}\n", Value::from(rows)))?)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Side<'_> {
    fn archive(&self) -> PathBuf {
        self.folder.join(format!("{}.pt2", self.name))
    }

    fn package(&self) -> PathBuf {
        self.folder.join(format!("{}.package.pt2", self.name))
    }

    /// The C++ of the model, without what every model has.
    fn print(&self, found: &mut Found) -> Result<()> {
        let tree = self.folder.join(format!("{}-cpp", self.name));
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        let mut command = Command::new(self.tintype);
        command.args(["compile", "--quiet", "--emit", "cpp"]).arg(self.archive());
        repo::run(command.arg("-o").arg(&tree))?;
        for entry in fs::read_dir(&tree)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name != "host.cpp" && !name.starts_with("kernels_") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            found.printed += text.len();
            if name == "host.cpp" {
                let of_run = text.lines().filter(|it| it.starts_with("  ") && it.ends_with(");"));
                found.statements += of_run.map(|it| it.len() + 1).sum::<usize>();
            }
        }
        Ok(())
    }

    fn compile(&self) -> Result<f64> {
        let cache = self.folder.join("cache");
        if cache.exists() {
            fs::remove_dir_all(&cache)?;
        }
        let mut command = Command::new("bash");
        // The shell's own clock counts the host compilers too.
        command.args(["-c", "TIMEFORMAT=%U; time \"$0\" compile --quiet \"$1\" -o \"$2\""]);
        command.arg(self.tintype).args([self.archive(), self.package()]);
        let output = command.env("TINTYPE_CACHE", cache).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            bail!("compiling {} failed: {said}", self.name);
        }
        said.trim().parse().with_context(|| format!("no time: {said}"))
    }

    fn time(&self, threads: usize, seconds: f64) -> Result<f64> {
        let inputs = self.folder.join(format!("{}.io.safetensors", self.name));
        let mut command = Command::new(self.tintype);
        command.args(["bench", "--json"]).arg(self.package()).arg("--inputs").arg(inputs);
        command.args(["--threads", &threads.to_string(), "--seconds", &seconds.to_string()]);
        let report: Value = serde_json::from_str(&repo::output(&mut command)?)?;
        report.get("min_ms").and_then(Value::as_f64).context("no time")
    }
}
