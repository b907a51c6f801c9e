//! What comes of a thing that did not work.

use std::{fmt, io, path::Path, path::PathBuf};

use diag::{Diag, DiagCode, Sources, codes};

/// Why there is no result: diagnostics, the texts they point into, and the file that replays the
/// failure, where one was written.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// What went wrong, all of it.
    pub diags: Vec<Diag>,
    /// The texts that places refer to.
    pub sources: Sources,
    /// The reproducer.
    pub repro: Option<PathBuf>,
}

impl Failure {
    /// One error of that kind.
    pub fn new(code: &'static DiagCode, message: impl Into<String>) -> Failure {
        Diag::error(code, message).into()
    }

    /// A file that could not be read or written.
    pub fn io(path: &Path, error: &io::Error) -> Failure {
        Failure::new(&codes::IO, format!("{}: {error}", path.display()))
    }

    /// As people read it.
    pub fn render(&self) -> String {
        let Failure { diags, sources, repro } = self;
        let mut text = diag::render(diags, sources);
        if let Some(repro) = repro {
            text.push_str(&format!(
                "note: {} replays this: `cargo xtask pipeline {0}`\n",
                repro.display()
            ));
        }
        text
    }
}

impl From<Diag> for Failure {
    fn from(diag: Diag) -> Failure {
        vec![diag].into()
    }
}

impl From<Vec<Diag>> for Failure {
    fn from(diags: Vec<Diag>) -> Failure {
        Failure { diags, ..Failure::default() }
    }
}

impl From<tintype_runtime::Error> for Failure {
    fn from(error: tintype_runtime::Error) -> Failure {
        use tintype_runtime::Error as E;
        match error {
            E::Load { .. } => Failure::new(&codes::PACKAGE, error.to_string()),
            E::Package(error) => error.into(),
            _ => Failure::new(&codes::INPUT, error.to_string()),
        }
    }
}

impl From<package::Error> for Failure {
    fn from(error: package::Error) -> Failure {
        Failure::new(&codes::PACKAGE, error.to_string())
    }
}

impl From<toolchain::Error> for Failure {
    fn from(error: toolchain::Error) -> Failure {
        Failure::new(&codes::TOOLCHAIN, error.to_string())
    }
}

impl From<import::ImportError> for Failure {
    fn from(error: import::ImportError) -> Failure {
        use import::ImportError as E;
        let code = match &error {
            E::Container { .. }
            | E::Member { .. }
            | E::NotAnExport { .. }
            | E::MissingMember { .. } => &codes::ARCHIVE,
            E::SchemaVersion { .. } | E::Json { .. } => &codes::SCHEMA,
            E::Pickle { .. } | E::PickleGlobal { .. } => &codes::PICKLE,
            E::MissingWeight { .. } | E::ShortWeight { .. } | E::BadWeight { .. } => &codes::WEIGHT,
        };
        let mut diag = Diag::error(code, error.to_string());
        if let E::SchemaVersion { .. } = error {
            diag = diag.note("export the model again with a PyTorch from 2.6 to 2.15");
        }
        diag.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render().trim_end())
    }
}

impl std::error::Error for Failure {}
