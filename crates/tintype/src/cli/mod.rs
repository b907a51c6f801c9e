//! The command line: flags, files, exit codes.

mod bench;
mod compile;
mod inspect;
mod model;
mod plan;
mod process;
mod progress;
mod run;
mod tool;

use std::{
    io::Write as _,
    panic::{self, PanicHookInfo},
    path::Path,
    process::ExitCode,
    str::FromStr,
};

use clap::{Parser, Subcommand};
use tintype::{Failure, TargetCpu, codes};

/// Compiles exported PyTorch programs to C++ model libraries, and runs them.
///
/// A model is what torch.export.save wrote. A package is what PyTorch's AOTInductor loader reads:
/// PyTorch loads it with torch._inductor.aoti_load_package, this program without PyTorch.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say nothing but errors and what was asked for.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
}

const EXIT_CODES: &str = "\
Exit status:
  0  all went well
  1  the model is not supported, is damaged, or a check failed; the reason is on standard error
  2  the command line makes no sense

Environment:
  CXX                 the host compiler; g++, clang++ or c++ without it
  TINTYPE_CACHE       the folder of compiled objects
  TINTYPE_CACHE_SIZE  how large it may grow, such as 512M; 0 for none
  NO_COLOR            no progress bar";

#[derive(Subcommand)]
enum Command {
    /// Compile a model.
    Compile(compile::Compile),
    /// Run a model or a package.
    Run(run::Run),
    /// Time a model or a package.
    Bench(bench::Bench),
    /// Show what a model or a package takes, gives and needs.
    Inspect(inspect::Inspect),
    /// Place things of known size and life in one piece of memory.
    Plan(plan::Plan),
    /// What `cargo xtask` asks.
    #[command(hide = true)]
    Tool(tool::Tool),
}

/// How to print.
#[derive(Clone, Copy)]
struct Style {
    quiet: bool,
    json: bool,
}

/// How a command ends, if not in an error.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Good,
    /// It ran, and what was checked is not so.
    CheckFailed,
}

/// Runs the command line.
pub(crate) fn main() -> ExitCode {
    panic::set_hook(Box::new(note_panic));
    let Cli { command, quiet, json } = Cli::parse();
    let style = Style { quiet, json };
    let result = panic::catch_unwind(panic::AssertUnwindSafe(|| match command {
        Command::Compile(it) => compile::run(&it, style),
        Command::Run(it) => run::run(&it, style),
        Command::Bench(it) => bench::run(&it, style),
        Command::Inspect(it) => inspect::run(&it, style),
        Command::Plan(it) => plan::run(&it, style),
        Command::Tool(it) => tool::run(&it),
    }));
    match result {
        Ok(Ok(Outcome::Good)) => ExitCode::SUCCESS,
        Ok(Ok(Outcome::CheckFailed)) => ExitCode::from(1),
        Ok(Err(failure)) => {
            let is_usage = failure.diags.iter().any(|it| it.code == &codes::USAGE);
            report(&failure, style);
            ExitCode::from(if is_usage { 2 } else { 1 })
        }
        // What happened was said by the hook.
        Err(_) => ExitCode::from(1),
    }
}

/// Says what went wrong: as text, or with `--json` as an object on standard output.
fn report(failure: &Failure, style: Style) {
    if style.json {
        let errors: Vec<serde_json::Value> = failure
            .diags
            .iter()
            .map(|it| {
                serde_json::json!({ "code": it.code.id, "message": it.message, "notes": it.notes })
            })
            .collect();
        let repro = failure.repro.as_ref().map(|it| it.display().to_string());
        show(&format!("{:#}\n", serde_json::json!({ "errors": errors, "reproducer": repro })));
    } else {
        eprint!("{}", failure.render());
    }
}

/// A fault of ours. Passes catch their own and leave a reproducer; what comes here left none, so
/// that the command itself is what replays it.
fn note_panic(info: &PanicHookInfo<'_>) {
    let text = info
        .payload()
        .downcast_ref::<&str>()
        .map(|it| (*it).to_owned())
        .or_else(|| info.payload().downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let place = info.location().map_or(String::new(), |it| format!(" ({it})"));
    let arguments: Vec<String> =
        std::env::args_os().map(|it| it.to_string_lossy().into_owned()).collect();
    let note = format!(
        "tintype {}: internal error: {text}{place}\ncommand: {arguments:?}\n\n{}\n",
        env!("CARGO_PKG_VERSION"),
        std::backtrace::Backtrace::force_capture()
    );
    // A pass that panics is reported by its runner, on whatever thread it ran.
    if std::thread::current().name() != Some("main") || in_pass(&note) {
        return;
    }
    let path = std::env::temp_dir().join(format!("tintype-panic-{}.txt", std::process::id()));
    eprintln!("error: internal error: {text}{place}");
    match std::fs::write(&path, note) {
        Ok(()) => eprintln!("note: this is a fault of Tintype; {} says more", path.display()),
        Err(_) => eprintln!("note: this is a fault of Tintype"),
    }
}

/// Whether a backtrace leads through the runner of passes, which catches.
fn in_pass(backtrace: &str) -> bool {
    backtrace.contains("pass::run::caught")
}

/// Prints what was asked for. A reader that has seen enough is no error.
fn show(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn target_cpu(text: &str) -> Result<TargetCpu, String> {
    TargetCpu::from_str(text).map_err(|it| it.to_string())
}

/// A file beside the user, called after another.
fn beside(input: &Path, ending: &str) -> std::path::PathBuf {
    let stem = input.file_stem().map_or_else(|| "model".into(), |it| it.to_os_string());
    let mut name = stem;
    name.push(ending);
    name.into()
}
