//! Running the binary in a folder of its own, and archives with something wrong in them.

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
    process::Command,
};

use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A model of `tests/models`.
pub(crate) fn model(name: &str) -> PathBuf {
    root().join("tests/models").join(name)
}

/// A folder that commands run in, so that what they say has no path of this machine in it.
pub(crate) struct Place(tempfile::TempDir);

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The files in it.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs `tintype`, with objects cached for all tests together.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, &[])
    }

    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Done {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("objects");
        let output = Command::new(env!("CARGO_BIN_EXE_tintype"))
            .args(args)
            .current_dir(self.0.path())
            .env("TINTYPE_CACHE", cache)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = |it: Vec<u8>| String::from_utf8(it).unwrap();
        Done {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Whether there is a host compiler to test with; says so if there is none.
pub(crate) fn has_compiler() -> bool {
    let found = toolchain::Compiler::find();
    if let Err(error) = &found {
        eprintln!("skipped: {error}");
    }
    found.is_ok()
}

/// An archive, taken apart.
pub(crate) struct Parts(pub(crate) Vec<(String, Vec<u8>)>);

impl Parts {
    /// Those of `mlp`. Folders of the machine that exported it are cut from its tracebacks.
    pub(crate) fn of_mlp() -> Parts {
        let mut zip = ZipArchive::new(Cursor::new(fs::read(model("mlp.pt2")).unwrap())).unwrap();
        let mut parts = Vec::new();
        for i in 0..zip.len() {
            let mut member = zip.by_index(i).unwrap();
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).unwrap();
            parts.push((member.name().unwrap().into_owned(), bytes));
        }
        let mut res = Parts(parts);
        res.edit("models/model.json", |text| {
            let mut pieces = text.split("File \\\"");
            let mut res = pieces.next().unwrap_or_default().to_owned();
            for piece in pieces {
                let at = piece.find("torch/").unwrap_or(0);
                res.push_str("File \\\"/site-packages/");
                res.push_str(&piece[at..]);
            }
            res
        });
        res
    }

    /// The member whose name ends so.
    pub(crate) fn member(&mut self, ending: &str) -> &mut (String, Vec<u8>) {
        self.0.iter_mut().find(|it| it.0.ends_with(ending)).unwrap()
    }

    /// Changes a member that is text.
    pub(crate) fn edit(&mut self, ending: &str, f: impl FnOnce(String) -> String) {
        let member = self.member(ending);
        let old = String::from_utf8(std::mem::take(&mut member.1)).unwrap();
        member.1 = f(old).into_bytes();
    }

    /// Replaces text in a member, which has to be there.
    pub(crate) fn replace(&mut self, ending: &str, from: &str, to: &str) {
        self.edit(ending, |text| {
            assert!(text.contains(from), "{ending} has no {from}");
            text.replace(from, to)
        });
    }

    /// The archive, put together again.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in &self.0 {
            zip.start_file(name.as_str(), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

/// Compares a text with a file of the repository; `BLESS=1` writes it there.
pub(crate) fn expect(file: &str, text: &str) {
    let path = root().join(file);
    if std::env::var_os("BLESS").is_some_and(|it| it == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{file} is not there; BLESS=1 writes it\n{text}"));
    assert!(expected == text, "{file} says otherwise; BLESS=1 accepts this:\n{text}");
}
