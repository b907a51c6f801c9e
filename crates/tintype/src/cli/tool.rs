//! `tintype tool`: what `cargo xtask` asks of the compiler.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tintype::{
    Diag, Failure, MemoryPlan, TargetCpu, codes, memory_at_sizes,
    tools::{
        ConformOptions, PipelineOptions, SizeTask, Way, chapters, conform, judge_library, pipeline,
        size,
    },
};

use super::{Outcome, show, target_cpu};

#[derive(clap::Args)]
pub(crate) struct Tool {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// The generated chapters of the book, as JSON.
    Docs,
    /// Runs a model or an IR text through the passes.
    ///
    /// Shows the program after the last pass, or what is dumped. An IR text starts at the level it
    /// is at, or at --from; a reproducer says itself where it starts and which passes were to run.
    Pipeline(Pipeline),
    /// Checks the operator cases of an archive; a line of JSON for each.
    Conform(Conform),
    /// Runs a library of operator cases; for a process of its own.
    JudgeLibrary {
        /// The library.
        library: PathBuf,
        /// The archive that the cases are from.
        archive: PathBuf,
        /// The labels of the cases that are in the library, as JSON.
        list: PathBuf,
    },
    /// Draws what `inspect --memory FILE.json` wrote, as SVG.
    Draw {
        /// The JSON.
        plan: PathBuf,
    },
    /// How large a run's arena is beside the least possible, at the sizes of the archive's example
    /// and at the ends of their ranges, as JSON.
    Memory {
        /// An archive.
        model: PathBuf,
    },
    /// Works on a size expression.
    Sym {
        #[command(subcommand)]
        task: Sym,
    },
}

#[derive(clap::Args)]
struct Pipeline {
    /// An archive (.pt2) or an IR text (.ir).
    input: PathBuf,
    /// Show the program after passes: all, changed (those that changed it), or names in commas.
    #[arg(long, value_name = "PASS|all|changed")]
    dump_after: Option<String>,
    /// Show the program before passes.
    #[arg(long, value_name = "PASS|all")]
    dump_before: Option<String>,
    /// The first phase to run.
    #[arg(long, value_name = "PHASE")]
    from: Option<String>,
    /// The last phase to run.
    #[arg(long, value_name = "PHASE")]
    to: Option<String>,
    /// The pass to stop after.
    #[arg(long, value_name = "PASS")]
    until: Option<String>,
    /// Write the texts to files in this folder.
    #[arg(long, value_name = "DIR")]
    dump_dir: Option<PathBuf>,
    /// The passes to run, as text: `tensor: cse, canonicalize`; phases on lines of their own.
    #[arg(long, value_name = "TEXT")]
    passes: Option<String>,
    /// The CPU to compile for.
    #[arg(long, value_name = "NAME", default_value = "native", value_parser = target_cpu)]
    target_cpu: TargetCpu,
    /// Show how long each pass took.
    #[arg(long)]
    time: bool,
    /// Show what each pass did: whether it changed anything, ops before and after, rules.
    #[arg(long)]
    stats: bool,
    /// Verify after each pass.
    #[arg(long)]
    verify_each: bool,
    /// Evaluate after each pass and name the first that changed a value.
    #[arg(long)]
    validate_each: bool,
    /// What the inputs of --validate-each are made from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(clap::Args)]
struct Conform {
    /// An archive of tests/torch/opcases.py.
    archive: PathBuf,
    /// Evaluate with the interpreter instead of compiling.
    #[arg(long)]
    interpret: bool,
    /// Evaluate after each pass instead of compiling.
    #[arg(long)]
    validate_each: bool,
    /// Have compiled cases check their memory: guards, and NaN in what nobody needs.
    #[arg(long)]
    sanitize_memory: bool,
    /// Only cases whose label has this in it.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The CPU to compile for.
    #[arg(long, value_name = "NAME", default_value = "native", value_parser = target_cpu)]
    target_cpu: TargetCpu,
}

#[derive(clap::Subcommand)]
enum Sym {
    /// Shows the simplified expression.
    Simplify(Size),
    /// Shows the rules that simplify it.
    Explain(Size),
    /// Shows the C++ that computes it.
    Cpp(Size),
}

#[derive(clap::Args)]
struct Size {
    /// The expression, as IR writes it or in sympy's srepr.
    #[arg(allow_hyphen_values = true)]
    expr: String,
    /// What is known of a symbol: `s0=2:1024`.
    #[arg(long = "range", value_name = "NAME=LEAST:MOST")]
    ranges: Vec<String>,
}

pub(crate) fn run(tool: &Tool) -> Result<Outcome, Failure> {
    match &tool.task {
        Task::Docs => {
            let chapters: Vec<Value> = chapters()
                .into_iter()
                .map(|it| {
                    json!({
                        "path": it.path, "title": it.title, "depth": it.depth, "text": it.text,
                    })
                })
                .collect();
            show(&format!("{}\n", Value::from(chapters)));
        }
        Task::Pipeline(it) => run_pipeline(it)?,
        Task::Draw { plan } => show(&draw(plan)?),
        Task::Memory { model } => show(&format!("{}\n", memory_at_sizes(model)?)),
        Task::Conform(it) => run_conform(it)?,
        Task::JudgeLibrary { library, archive, list } => {
            show(&judge_library(library, archive, list)?);
        }
        Task::Sym { task } => {
            let (task, Size { expr, ranges }) = match task {
                Sym::Simplify(it) => (SizeTask::Simplify, it),
                Sym::Explain(it) => (SizeTask::Explain, it),
                Sym::Cpp(it) => (SizeTask::Cpp, it),
            };
            show(&size(task, expr, ranges)?);
        }
    }
    Ok(Outcome::Good)
}

fn run_conform(args: &Conform) -> Result<(), Failure> {
    let way = match (args.interpret, args.validate_each) {
        (_, true) => Way::EachPass,
        (true, false) => Way::Interpreted,
        (false, false) => Way::Compiled,
    };
    let results = conform(&ConformOptions {
        archive: args.archive.clone(),
        way,
        only: args.only.clone(),
        target_cpu: args.target_cpu.clone(),
        sanitize_memory: args.sanitize_memory,
    })?;
    for it in results {
        let (status, reason) = it.outcome.parts();
        let line = json!({
            "case": it.label, "dtype": it.dtype, "status": status, "reason": reason,
        });
        show(&format!("{line}\n"));
    }
    Ok(())
}

fn run_pipeline(args: &Pipeline) -> Result<(), Failure> {
    let shown = pipeline(&PipelineOptions {
        input: args.input.clone(),
        dump_after: args.dump_after.clone(),
        dump_before: args.dump_before.clone(),
        from: args.from.clone(),
        to: args.to.clone(),
        until: args.until.clone(),
        dump_dir: args.dump_dir.clone(),
        pipeline: args.passes.clone(),
        target_cpu: args.target_cpu.clone(),
        time: args.time,
        verify_each: args.verify_each,
        validate_each: args.validate_each,
        seed: args.seed,
    })?;
    if args.time || args.stats {
        eprint!("{}", shown.table);
    }
    eprint!("{}", shown.skipped);
    show(&shown.text);
    match shown.failure {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

fn draw(path: &Path) -> Result<String, Failure> {
    let wrong = |it: String| Failure::from(Diag::error(&codes::INPUT, it));
    let text = std::fs::read_to_string(path).map_err(|it| {
        Failure::from(Diag::error(&codes::IO, format!("{}: {it}", path.display())))
    })?;
    let value = serde_json::from_str(&text);
    let value: Value = value.map_err(|it| wrong(format!("{}: {it}", path.display())))?;
    let plan = MemoryPlan::from_json(&value);
    let plan = plan.ok_or_else(|| wrong(format!("{}: not the memory of a run", path.display())))?;
    Ok(plan.to_svg())
}
