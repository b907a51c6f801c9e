//! The `tintype` command.
//!
//! Standard output is what was asked for, standard error is what happened on the way. Exit status:
//! 0 if all went well, 1 if the model is not what it should be or a check failed, 2 if the command
//! line makes no sense.

#![expect(clippy::print_stderr, reason = "what this program says, it says on the terminal")]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
