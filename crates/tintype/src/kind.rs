//! What a file is: archive, package or library. Both of the first are zips called `.pt2`.

use std::{fs::File, io::Read, path::Path};

use package::Package;

use crate::Failure;

/// What a file turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// Something to compile: what `torch.export.save` wrote. Also what nobody can read, as the
    /// reader of archives says best why.
    Archive,
    /// A package with a compiled model.
    Package,
    /// A model library.
    Library,
}

impl FileKind {
    /// Looks into a file. Fails only if it cannot be opened.
    pub fn of(path: &Path) -> Result<FileKind, Failure> {
        let io = |error| Failure::io(path, &error);
        let mut start = Vec::new();
        File::open(path).map_err(io)?.take(4).read_to_end(&mut start).map_err(io)?;
        if start == b"\x7fELF" {
            return Ok(FileKind::Library);
        }
        match Package::open(path) {
            Ok(package) if !package.models().is_empty() => Ok(FileKind::Package),
            _ => Ok(FileKind::Archive),
        }
    }
}
