//! What can go wrong.

use std::fmt;
use std::path::PathBuf;

use crate::DType;

/// Why a model could not be loaded or run, or a tensor not be made or read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file that is no model library, or not one for this machine.
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A package that cannot be read.
    Package(package::Error),
    /// The model refused its inputs, or failed: its own message.
    Run {
        /// The message.
        message: String,
    },
    /// What a model keeps could not be read or set.
    State {
        /// What is wrong.
        message: String,
    },
    /// A tensor's data and shape do not go together.
    Shape {
        /// What is wrong.
        reason: String,
    },
    /// A tensor was read as another element type than it has.
    WrongDType {
        /// What was asked for.
        asked: DType,
        /// What the tensor has.
        has: DType,
    },
    /// A tensor was read as one run of memory, and its elements do not lie so.
    NotContiguous,
    /// A tensor of bools holds bytes other than 0 and 1.
    NotBool,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Load { path, reason } => write!(f, "{}: {reason}", path.display()),
            Error::Package(error) => error.fmt(f),
            Error::Run { message } | Error::State { message } => f.write_str(message),
            Error::Shape { reason } => f.write_str(reason),
            Error::WrongDType { asked, has } => {
                write!(f, "the tensor's elements are {has}, not {asked}")
            }
            Error::NotContiguous => f.write_str(
                "the tensor's elements do not lie one after the other: make it contiguous first",
            ),
            Error::NotBool => f.write_str("the tensor of bools holds bytes other than 0 and 1"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Package(error) => error.source(),
            _ => None,
        }
    }
}

impl From<package::Error> for Error {
    fn from(error: package::Error) -> Error {
        Error::Package(error)
    }
}
