//! Putting a file where the user asked for it, so that nobody sees it half-written.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// Writes a file beside `path`, which it then takes the place of in one step.
///
/// Through a symbolic link, what it points at is replaced. What is no regular file (a device, a
/// pipe) is not replaced: it is written to.
///
/// # Errors
/// Whatever the file system says; what was half written is gone then.
pub fn put_file(
    path: &Path,
    write: impl FnOnce(BufWriter<File>) -> io::Result<BufWriter<File>>,
) -> io::Result<()> {
    // Of a path that leads nowhere there is nothing to keep.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match fs::metadata(&path) {
        Ok(it) if !it.is_file() && !it.is_dir() => {
            // Writers go back in what they write, which a pipe does not take.
            let elsewhere = std::env::temp_dir().join("tintype-output");
            let temporary = Temporary::beside(&elsewhere)?;
            let mut file = temporary.fill(write)?;
            file.rewind()?;
            io::copy(&mut file, &mut File::options().write(true).open(&path)?)?;
            Ok(())
        }
        _ => {
            let mut temporary = Temporary::beside(&path)?;
            drop(temporary.fill(write)?);
            fs::rename(&temporary.path, &path)?;
            temporary.is_gone = true;
            Ok(())
        }
    }
}

/// A file that goes when this is dropped.
struct Temporary {
    path: PathBuf,
    is_gone: bool,
}

impl Temporary {
    /// In the folder of the destination, so that a rename is one step.
    fn beside(path: &Path) -> io::Result<Temporary> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut name = name.to_os_string();
        name.push(format!(".{}.partial", std::process::id()));
        let path = path.with_file_name(name);
        // Of a process that had our number and died.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Temporary { path, is_gone: false }),
        }
    }

    fn fill(
        &self,
        write: impl FnOnce(BufWriter<File>) -> io::Result<BufWriter<File>>,
    ) -> io::Result<File> {
        let file = File::options().read(true).write(true).create_new(true).open(&self.path)?;
        let mut file = write(BufWriter::with_capacity(1 << 16, file))?;
        file.flush()?;
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_gone {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileTypeExt;

    fn put(path: &Path, text: &str) {
        put_file(path, |mut file| {
            file.write_all(text.as_bytes())?;
            Ok(file)
        })
        .unwrap();
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        put(&file, "one");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        put(&link, "two");
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_pipe_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read_to_string(path).unwrap()
        });
        put(&path, "text");
        assert_eq!(reader.join().unwrap(), "text");
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        put(&path, "one");
        put_file(&path, |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
