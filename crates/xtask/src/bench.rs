//! Measurements. Each prints a table and writes the same numbers to `target/bench/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{bench_checks, bench_sizes, bench_subgraphs, compiler, memory, repo, torch};

/// What to measure, and on which models.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// What to measure.
    what: What,
    /// Archives; those of tests/models without any. Inputs are `NAME.io.safetensors` beside each.
    models: Vec<PathBuf>,
    /// Threads a run computes with.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// How long each model is run.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// For `peers`: who to compare with, in commas (eager, aoti, aoti_max).
    #[arg(long, default_value = "eager,aoti")]
    peers: String,
    /// For `sym-random` and `sym-sympy`: how many random expressions; 10,000 and 1,000 without.
    #[arg(long)]
    count: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum What {
    /// Archive to package: with empty caches, and again with warm ones.
    Compile,
    /// One call without PyTorch.
    Latency,
    /// One call under PyTorch's loader, beside eager and AOTInductor.
    Peers,
    /// The arena planner on the instances of tests/plans; fails above a capacity.
    Plan,
    /// The arena beside the least possible one, at the ends of the ranges too; fails if it is more
    /// than 1.02 times that at the archive's example, 1.10 times elsewhere, or takes over 200 ms.
    Memory,
    /// The checks of inputs alone.
    Checks,
    /// The part of compiling that is for sizes, in instructions; needs valgrind.
    SizeWork,
    /// Random size expressions: simplified, printed, compiled, compared with direct evaluation.
    SymRandom,
    /// Twelve equal layers as calls of one function, beside the same model flat: time of a run and of
    /// compiling, and how long the C++ is.
    Subgraphs,
    /// Simplifying the models' sizes and random ones, beside sympy.
    SymSympy,
}

/// Measures.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    let models = if bench.models.is_empty() { own_models()? } else { bench.models.clone() };
    let scratch = repo::root().join("target/bench");
    fs::create_dir_all(&scratch)?;
    match bench.what {
        What::SymRandom => return bench_sizes::random(bench.count.unwrap_or(10_000)),
        What::SymSympy => {
            let text = bench_sizes::sympy(&models, bench.count.unwrap_or(1_000))?;
            return Ok(fs::write(scratch.join("sym-sympy.jsonl"), text)?);
        }
        What::Subgraphs => {
            let tintype = compiler::release()?;
            return bench_subgraphs::run(&tintype, &scratch, bench.threads, bench.seconds);
        }
        What::Plan => return memory::plan(&compiler::release()?),
        What::Compile | What::Latency | What::Peers | What::Memory => {}
        What::Checks | What::SizeWork => {}
    }
    let tintype = compiler::release()?;
    let mut rows = Vec::new();
    for model in &models {
        let name = model.file_stem().map(|it| it.to_string_lossy().into_owned());
        let name = name.with_context(|| format!("{} is no file", model.display()))?;
        let package = scratch.join(format!("{name}.pt2"));
        let one = Measure { bench, tintype: &tintype, model, package: &package, scratch: &scratch };
        match bench.what {
            What::Compile => rows.push(one.compile(&name)?),
            What::Latency => rows.push(one.latency(&name)?),
            What::Peers => rows.extend(one.peers()?),
            What::Memory => rows.push(memory::of_model(&tintype, model, &name)?),
            What::Plan => (),
            What::Checks => {
                let inputs = inputs(model).context("no inputs beside the model")?;
                rows.push(bench_checks::run(&tintype, model, &inputs, &scratch)?);
            }
            What::SizeWork => rows.push(bench_sizes::work(&tintype, model, &scratch)?),
            What::SymRandom | What::SymSympy | What::Subgraphs => {}
        }
    }
    let text = format!("{:#}\n", Value::from(rows.clone()));
    let file = match bench.what {
        What::Compile => "compile.json",
        What::Latency => "latency.json",
        What::Peers => "peers.json",
        What::Memory => "memory.json",
        What::Plan => "plan.json",
        What::Checks => "checks.json",
        What::SizeWork => "size-work.json",
        What::SymRandom | What::SymSympy => "sym.json",
        What::Subgraphs => "subgraphs.json",
    };
    fs::write(scratch.join(file), text)?;
    match bench.what {
        What::Memory => memory::verdict(&rows),
        _ => Ok(()),
    }
}

fn own_models() -> Result<Vec<PathBuf>> {
    let is_archive = |it: &PathBuf| it.extension().is_some_and(|it| it == "pt2");
    let all = repo::files()?.into_iter().filter(|it| it.starts_with("tests/models"));
    Ok(all.filter(is_archive).map(|it| repo::root().join(it)).collect())
}

struct Measure<'a> {
    bench: &'a Bench,
    tintype: &'a Path,
    model: &'a Path,
    package: &'a Path,
    scratch: &'a Path,
}

impl Measure<'_> {
    fn tintype(&self) -> Command {
        let mut command = Command::new(self.tintype);
        command.stderr(Stdio::inherit());
        command
    }

    /// The time and the compiler's own report.
    fn compiled(&self, cache: &Path) -> Result<(f64, Value)> {
        let start = Instant::now();
        let output = self
            .tintype()
            .env("TINTYPE_CACHE", cache)
            .args(["compile", "--json"])
            .arg(self.model)
            .arg("-o")
            .arg(self.package)
            .output()?;
        let seconds = start.elapsed().as_secs_f64();
        if !output.status.success() {
            bail!("compiling {} failed", self.model.display());
        }
        let report = serde_json::from_slice(&output.stdout).context("reading its report")?;
        Ok((seconds, report))
    }

    fn compile(&self, name: &str) -> Result<Value> {
        let cache = self.scratch.join(format!("cache-{}", std::process::id()));
        let (cold, report) = self.compiled(&cache)?;
        let (warm, _) = self.compiled(&cache)?;
        fs::remove_dir_all(&cache)?;
        let number = |key: &str| report.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let (front, peak) = (number("front_ms"), number("peak_bytes") / f64::from(1 << 20));
        println!(
            "{name:24} cold {cold:7.2} s   warm {warm:6.3} s   archive to C++ {front:7.1} ms   \
             peak {peak:7.1} MiB"
        );
        Ok(json!({ "model": name, "cold_s": cold, "warm_s": warm, "report": report }))
    }

    fn latency(&self, name: &str) -> Result<Value> {
        let mut command = self.tintype();
        command.args(["bench", "--json"]).arg(self.model);
        command.arg("--threads").arg(self.bench.threads.to_string());
        command.arg("--seconds").arg(self.bench.seconds.to_string());
        if let Some(inputs) = inputs(self.model) {
            command.arg("--inputs").arg(inputs);
        }
        let output = command.output()?;
        if !output.status.success() {
            bail!("running {} failed", self.model.display());
        }
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let number = |key: &str| report.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let (median, first, load) = (number("median_ms"), number("first_ms"), number("load_ms"));
        println!("{name:24} median {median:9.4} ms   first {first:9.3} ms   load {load:8.3} ms");
        Ok(json!({ "model": name, "report": report }))
    }

    fn peers(&self) -> Result<Vec<Value>> {
        let inputs = inputs(self.model).with_context(|| {
            format!("{} has no .io.safetensors beside it", self.model.display())
        })?;
        self.compiled(&self.scratch.join("objects"))?;
        let script = repo::root().join("tests/torch/bench_peers.py");
        let text = repo::output(
            torch::python()?
                .arg(script)
                .args([self.model, &inputs, self.package])
                .args(["--peers", &self.bench.peers])
                .args(["--threads", &self.bench.threads.to_string()])
                .args(["--seconds", &self.bench.seconds.to_string()]),
        )?;
        print!("{text}");
        text.lines().map(|it| Ok(serde_json::from_str(it)?)).collect()
    }
}

/// The inputs that belong to a model.
fn inputs(model: &Path) -> Option<PathBuf> {
    let path = model.with_extension("io.safetensors");
    path.exists().then_some(path)
}
