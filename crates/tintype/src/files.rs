//! Writing files so that nobody sees them half-written.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Writes a file, as [`package::put_file`] does.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    package::put_file(path, |mut file| {
        io::Write::write_all(&mut file, bytes)?;
        Ok(file)
    })
}

/// A folder that is filled under another name and then takes its own.
pub(crate) struct NewFolder {
    path: PathBuf,
    temporary: tempfile::TempDir,
}

/// What a folder that may be replaced has in it: one that this program wrote.
pub(crate) const MARKER: &str = ".tintype";

impl NewFolder {
    /// For a folder that is not there, is empty, or was written by this program before.
    pub(crate) fn new(path: &Path) -> io::Result<NewFolder> {
        let is_free = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none() || path.join(MARKER).exists(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        if !is_free {
            let what = "the folder has files in it that Tintype did not write";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        let parent = match path.parent() {
            Some(it) if !it.as_os_str().is_empty() => it,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent)?;
        let temporary = tempfile::Builder::new().prefix(".tintype-").tempdir_in(parent)?;
        fs::write(temporary.path().join(MARKER), "This folder may be replaced by Tintype.\n")?;
        Ok(NewFolder { path: path.to_path_buf(), temporary })
    }

    /// Where to put a file, its folder made.
    pub(crate) fn file(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.temporary.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(path)
    }

    /// Puts the folder in its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        let NewFolder { path, temporary } = self;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755))?;
        }
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        fs::rename(temporary.keep(), path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        for round in ["one", "two"] {
            let folder = NewFolder::new(&path).unwrap();
            fs::write(folder.file("src/a.cpp").unwrap(), round).unwrap();
            folder.finish().unwrap();
            assert_eq!(fs::read_to_string(path.join("src/a.cpp")).unwrap(), round);
        }
        let theirs = dir.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("thesis.tex"), "").unwrap();
        assert!(NewFolder::new(&theirs).is_err());
        drop(NewFolder::new(&dir.path().join("unfinished")).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
