//! Project tasks: `cargo xtask TASK`.
//!
//! **Architecture invariant:** depends on nothing of ours, so that it builds in seconds and works
//! while the compiler does not. What needs the compiler starts it through Cargo.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what this program says, it says on the terminal"
)]

mod bench;
mod bench_checks;
mod bench_sizes;
mod bench_subgraphs;
mod bless;
mod book;
mod compiler;
mod conformance;
mod layers;
mod links;
mod memory;
mod new_op;
mod repo;
mod tidy;
mod torch;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

/// Project tasks of Tintype.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Checks who imports whom, among our crates and from outside.
    Layers,
    /// Checks the files of the repository: headers, lengths, spaces, paths.
    Tidy,
    /// Generates the reference chapters of the book, and checks links and SUMMARY.md.
    Book {
        /// Changes nothing; fails if a chapter is not what it should be.
        #[arg(long)]
        check: bool,
    },
    /// Runs a model or an IR text through the passes; `pipeline --help` lists what it can show.
    #[command(disable_help_flag = true)]
    Pipeline(Forwarded),
    /// Simplifies, explains or prints a size expression: `sym --help`.
    #[command(disable_help_flag = true)]
    Sym(Forwarded),
    /// Runs the tests and accepts what they found as what is expected.
    Bless(bless::Bless),
    /// Measures compile time, latency, or us against PyTorch.
    Bench(bench::Bench),
    /// Checks operators against eager, on samples of PyTorch's own operator database.
    Conformance(conformance::Conformance),
    /// Shows, by operator and dtype, what the last `conformance ops` found: done, refused and why.
    Ops(conformance::Ops),
    /// Makes the test of an operator that is to be added, and says what is to be written where.
    NewOp(new_op::NewOp),
    /// Makes the virtual environment with the PyTorch that slow tests use, if there is none.
    TorchEnv,
}

/// Arguments that another program reads.
#[derive(clap::Args)]
struct Forwarded {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Layers => layers::run(),
        Task::Tidy => tidy::run(),
        Task::Book { check } => book::run(check),
        Task::Pipeline(it) => compiler::forward("pipeline", &it.args),
        Task::Sym(it) => compiler::forward("sym", &it.args),
        Task::Bless(it) => bless::run(&it),
        Task::Bench(it) => bench::run(&it),
        Task::Conformance(it) => conformance::run(&it),
        Task::Ops(it) => conformance::ops(&it),
        Task::NewOp(it) => new_op::run(&it),
        Task::TorchEnv => torch::environment().map(|it| println!("{}", it.display())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
