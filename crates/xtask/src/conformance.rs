//! Conformance: every operator of PyTorch's own database, against eager.
//!
//! `tests/torch/opcases.py` makes the cases, once for a version of PyTorch; they are kept where
//! caches are. The compiler's `conform` tool judges the cases of one archive. This starts it for
//! each, in processes of their own, and counts.

mod report;

use std::{
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{compiler, repo, torch};

/// What to check.
#[derive(clap::Args)]
pub(crate) struct Conformance {
    /// What to check.
    what: What,
    /// Evaluate with the interpreter instead of compiling.
    #[arg(long)]
    interpret: bool,
    /// Evaluate after every pass instead of compiling.
    #[arg(long, conflicts_with = "interpret")]
    validate_each: bool,
    /// Have compiled cases check their memory as they run.
    #[arg(long, conflicts_with_all = ["interpret", "validate_each"])]
    sanitize_memory: bool,
    /// One operator of so many, spread over the database.
    #[arg(long, value_name = "N", default_value_t = 1)]
    fraction: usize,
    /// Only archives whose name has this in it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Use the cases that are there, and make none.
    #[arg(long, conflicts_with = "fraction")]
    no_make: bool,
    /// Where the cases are; with other caches without it.
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// How many archives are checked at once; as many as there are processors without.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write what is refused into the book, as `ops --write` does afterwards.
    #[arg(long)]
    write: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum What {
    /// Operators, one by one.
    Ops,
}

/// Which operators to show.
#[derive(clap::Args)]
pub(crate) struct Ops {
    /// Only those whose name has this in it.
    #[arg(default_value = "")]
    filter: String,
    /// Only those that are not eager's in every case.
    #[arg(long)]
    incomplete: bool,
    /// Write what is refused into the book.
    #[arg(long, conflicts_with = "filter")]
    write: bool,
}

/// Shows what the last run found.
pub(crate) fn ops(args: &Ops) -> Result<()> {
    let mut all = report::kept()?;
    if args.write {
        return write(&all);
    }
    all.retain(|it| it.operator.contains(&args.filter));
    print!("{}", report::coverage(&all, args.incomplete));
    Ok(())
}

/// Writes the chapter of the book.
fn write(all: &[Ended]) -> Result<()> {
    let path = repo::root().join("book/src/conformance.md");
    fs::write(&path, report::chapter(all)).context("writing the chapter")
}

/// How one case ended.
pub(crate) struct Ended {
    pub(crate) operator: String,
    pub(crate) dialect: String,
    pub(crate) dtype: String,
    pub(crate) label: String,
    pub(crate) status: String,
    pub(crate) reason: String,
}

/// Checks, prints what came of it, and fails if anything is wrong that is not refused.
pub(crate) fn run(args: &Conformance) -> Result<()> {
    let What::Ops = args.what;
    let folder = match &args.cases {
        Some(it) => it.clone(),
        None => torch::cache()?.join(kept_under()?),
    };
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let names = match args.no_make {
        true => None,
        false => Some(make(args, &folder, jobs)?),
    };
    let archives = archives(&folder, &args.filter, names.as_deref())?;
    if archives.is_empty() {
        bail!("there are no cases in {}", folder.display());
    }
    let start = Instant::now();
    // Optimised: thousands of cases are lowered and evaluated.
    let program = compiler::release()?;
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(archive) = archives.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = check(args, &program, archive);
                    all.lock().unwrap_or_else(|it| it.into_inner()).extend(found);
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(|it| it.into_inner());
    all.sort_by(|a, b| {
        (&a.operator, &a.dialect, &a.label).cmp(&(&b.operator, &b.dialect, &b.label))
    });
    report::keep(&all)?;
    println!("{}", report::summary(&all));
    println!("{} archives in {:.0} s", archives.len(), start.elapsed().as_secs_f64());
    if args.write {
        write(&all)?;
    }
    report::verdict(&all)
}

/// What the folder of kept cases is called: by the version of PyTorch and what the script is, so that
/// cases of another script are never judged.
fn kept_under() -> Result<String> {
    let script = fs::read(repo::root().join("tests/torch/opcases.py"))?;
    let mut hasher = std::hash::DefaultHasher::new();
    script.hash(&mut hasher);
    Ok(format!("opcases-2.15.0-{:016x}", hasher.finish()))
}

/// Has the cases made that are not there yet; gives the names of the operators that were chosen.
/// Which operators are a tenth is the script's to say, so that it is the same tenth always.
fn make(args: &Conformance, folder: &Path, jobs: usize) -> Result<Vec<String>> {
    let script = repo::root().join("tests/torch/opcases.py");
    let mut running: Vec<Child> = Vec::new();
    for job in 0..jobs {
        let mut command = torch::python()?;
        command.arg(&script).arg(folder).arg(format!("--part={job}/{jobs}"));
        command.arg(format!("--fraction={}", args.fraction));
        command.arg(format!("--filter={}", args.filter));
        running.push(command.stdout(Stdio::piped()).spawn().context("starting Python")?);
    }
    let mut names = Vec::new();
    for child in running {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("making cases failed ({})", output.status);
        }
        names.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
    }
    Ok(names)
}

/// The archives of these operators; of all that are in the folder, without names.
fn archives(folder: &Path, filter: &str, names: Option<&[String]>) -> Result<Vec<PathBuf>> {
    let mut res = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let operator = name.split('.').next().unwrap_or(name);
        let is_chosen = names.is_none_or(|it| it.iter().any(|it| it == operator));
        if is_chosen && operator.contains(filter) {
            res.push(path.with_extension("pt2"));
        }
    }
    res.sort();
    Ok(res)
}

/// What the compiler says of the cases of one archive.
fn check(args: &Conformance, program: &Path, archive: &Path) -> Vec<Ended> {
    let mut command = Command::new(program);
    command.args(["tool", "conform"]).arg(archive);
    for (flag, is_on) in [
        ("--interpret", args.interpret),
        ("--validate-each", args.validate_each),
        ("--sanitize-memory", args.sanitize_memory),
    ] {
        if is_on {
            command.arg(flag);
        }
    }
    let stem = archive.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let (operator, dialect) = stem.rsplit_once('.').unwrap_or((&stem, ""));
    let ended = |label: &str, dtype: &str, status: &str, reason: &str| Ended {
        operator: operator.to_owned(),
        dialect: dialect.to_owned(),
        dtype: dtype.to_owned(),
        label: label.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
    };
    let output = match command.stderr(Stdio::piped()).output() {
        Ok(it) => it,
        Err(error) => return vec![ended(&stem, "", "crashed", &error.to_string())],
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut res = Vec::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let field = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        res.push(ended(field("case"), field("dtype"), field("status"), field("reason")));
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = format!("{}: {}", output.status, said.lines().next().unwrap_or_default());
        res.push(ended(&stem, "", "crashed", &reason));
    }
    res
}
