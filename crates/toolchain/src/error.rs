//! What can go wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a library could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No C++ compiler.
    NoCompiler {
        /// The programs that were looked for.
        tried: Vec<String>,
    },
    /// The compiler that was asked for does not work.
    BadCompiler {
        /// As it was named.
        program: String,
        /// What it said, or what the system said.
        reason: String,
    },
    /// A unit does not compile, or the objects do not link.
    Compile {
        /// The unit; "the library" for a link.
        unit: String,
        /// The compiler's program.
        compiler: String,
        /// What became of the process: an exit status, a signal.
        status: String,
        /// The beginning of what it printed.
        output: String,
    },
    /// A header's name is not a plain relative path.
    HeaderName {
        /// The name.
        name: String,
    },
    /// A file of the temporary folder could not be written or read.
    Workspace {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoCompiler { tried } => write!(
                f,
                "no C++ compiler found (looked for {}); install one (Debian and Ubuntu: apt \
                 install g++; Fedora: dnf install gcc-c++; Arch: pacman -S gcc; conda: conda \
                 install gxx) or name one in the environment variable CXX",
                tried.join(", ")
            ),
            Error::BadCompiler { program, reason } => {
                write!(f, "the C++ compiler '{program}' does not work: {reason}")
            }
            Error::Compile { unit, compiler, status, output } => {
                write!(f, "{compiler} failed on {unit} ({status})")?;
                if output.is_empty() { Ok(()) } else { write!(f, ":\n{output}") }
            }
            Error::HeaderName { name } => {
                write!(f, "'{name}' is not a plain relative path")
            }
            Error::Workspace { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Workspace { source, .. } => Some(source),
            Error::NoCompiler { .. }
            | Error::BadCompiler { .. }
            | Error::Compile { .. }
            | Error::HeaderName { .. } => None,
        }
    }
}
