//! What can go wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a package could not be written or read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system said no.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a zip archive, or a damaged one.
    Zip {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// The archive is not a package we can use.
    Package {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A name that cannot be part of a package: a model's, a member's.
    Name {
        /// The name.
        name: String,
    },
    /// A signature that is not one.
    Signature {
        /// What is wrong.
        reason: String,
    },
    /// A library whose constants do not fit it.
    Library {
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Zip { path, reason } => {
                write!(f, "{}: not a readable zip archive: {reason}", path.display())
            }
            Error::Package { path, reason } => write!(f, "{}: {reason}", path.display()),
            Error::Name { name } => write!(
                f,
                "'{}' cannot be a name in a package: expected letters, digits, '_', '-' and '.'",
                name.escape_default()
            ),
            Error::Signature { reason } => write!(f, "the model's signature: {reason}"),
            Error::Library { reason } => write!(f, "the model library: {reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Zip { .. }
            | Error::Package { .. }
            | Error::Name { .. }
            | Error::Signature { .. }
            | Error::Library { .. } => None,
        }
    }
}
