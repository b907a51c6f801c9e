//! Reading packages, ours and those of others.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zip::{CompressionMethod, ZipArchive};

use crate::blob::{LibraryParts, TRAILER_LEN, library_parts};
use crate::write::is_plain_name;
use crate::{Error, MODELS, SIGNATURE, Signature};

/// More members than any real package has.
const MAX_MEMBERS: usize = 100_000;

/// No metadata or signature is larger.
const MAX_TEXT: u64 = 8 << 20;

/// An open package.
#[derive(Debug)]
pub struct Package {
    path: PathBuf,
    /// A second handle of the file `zip` reads: positioned reads leave its place alone.
    file: File,
    zip: ZipArchive<BufReader<File>>,
    file_size: u64,
    /// "" or "name/": what precedes every member's name.
    root: String,
    names: Vec<String>,
}

/// Where a model's library lies in its package's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Library {
    /// From the beginning of the file to the library's first byte.
    pub offset: u64,
    /// Bytes, constants included.
    pub size: u64,
    /// The ELF file and the constants, from the library's first byte.
    pub parts: LibraryParts,
}

impl Package {
    /// Opens a package and reads its directory.
    pub fn open(path: &Path) -> Result<Package, Error> {
        let io_error = |source| Error::Io { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(io_error)?;
        let meta = file.metadata().map_err(io_error)?;
        if !meta.is_file() {
            let reason = "not a regular file".to_string();
            return Err(Error::Package { path: path.to_path_buf(), reason });
        }
        let second = file.try_clone().map_err(io_error)?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| Error::Zip { path: path.to_path_buf(), reason: error.to_string() })?;
        let mut package = Package {
            path: path.to_path_buf(),
            file: second,
            zip,
            file_size: meta.len(),
            root: String::new(),
            names: Vec::new(),
        };
        package.read_names()?;
        Ok(package)
    }

    fn read_names(&mut self) -> Result<(), Error> {
        if MAX_MEMBERS < self.zip.len() {
            return Err(self.bad(format!("has {} members", self.zip.len())));
        }
        if self.zip.has_duplicate_names() {
            return Err(self.bad("has two members of one name".to_string()));
        }
        let names: Result<Vec<String>, _> =
            self.zip.file_names().map(|it| it.map(|name| name.into_owned())).collect();
        let names = names.map_err(|error| self.bad(error.to_string()))?;
        for name in &names {
            let is_safe = !name.starts_with('/')
                && !name.contains(['\\', '\0'])
                && name.split('/').all(|part| part != ".." && part != ".");
            if !is_safe {
                return Err(Error::Name { name: name.clone() });
            }
        }
        let marker = "archive_format";
        let marked = names.iter().find_map(|it| {
            it.strip_suffix(marker).filter(|root| {
                root.is_empty() || root.strip_suffix('/').is_some_and(|it| !it.contains('/'))
            })
        });
        let Some(root) = marked else {
            return Err(self.bad("is a zip archive, but not a model package".to_string()));
        };
        self.root = root.to_string();
        self.names = names;
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the models in it, sorted.
    pub fn models(&self) -> Vec<String> {
        let prefix = format!("{}{MODELS}/", self.root);
        let mut models: Vec<String> = self
            .names
            .iter()
            .filter_map(|it| it.strip_prefix(&prefix)?.split_once('/'))
            .map(|(model, _)| model.to_string())
            .filter(|it| is_plain_name(it))
            .collect();
        models.sort();
        models.dedup();
        models
    }

    /// Where the library of a model is.
    pub fn library(&mut self, model: &str) -> Result<Library, Error> {
        let name =
            self.member_of(model, ".wrapper.so").or_else(|_| self.member_of(model, ".so"))?;
        let zip_error =
            |path: &Path, reason: String| Error::Zip { path: path.to_path_buf(), reason };
        let member =
            self.zip.by_name(&name).map_err(|error| zip_error(&self.path, error.to_string()))?;
        let stored = member.compression() == CompressionMethod::Stored && !member.encrypted();
        let (offset, size) = (member.data_start(), member.size());
        let is_whole = member.compressed_size() == size;
        drop(member);
        if !stored {
            return Err(self.bad(format!("'{name}' is compressed: it must be stored as it is")));
        }
        let Some(offset) = offset.filter(|offset| {
            is_whole && offset.checked_add(size).is_some_and(|end| end <= self.file_size)
        }) else {
            return Err(self.bad(format!("'{name}' does not lie within the file")));
        };
        let mut last_bytes = [0; TRAILER_LEN];
        let n_last = size.min(TRAILER_LEN as u64) as usize;
        self.read_at(offset + size - n_last as u64, &mut last_bytes[..n_last])?;
        Ok(Library { offset, size, parts: library_parts(size, &last_bytes[..n_last])? })
    }

    /// The metadata of a model: what PyTorch's `get_metadata` gives.
    pub fn metadata(&mut self, model: &str) -> Result<BTreeMap<String, String>, Error> {
        let name = self.member_of(model, "_metadata.json")?;
        let text = self.text(&name)?;
        let value: Value = serde_json::from_slice(&text)
            .map_err(|error| self.bad(format!("'{name}': {error}")))?;
        let Value::Object(object) = value else {
            return Err(self.bad(format!("'{name}' is not an object")));
        };
        let pairs = object.into_iter().map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            _ => Err(self.bad(format!("'{name}': '{key}' is not a string"))),
        });
        pairs.collect()
    }

    /// What the model takes and gives, if the package says so.
    pub fn signature(&mut self) -> Result<Option<Signature>, Error> {
        let name = format!("{}{SIGNATURE}", self.root);
        if !self.names.contains(&name) {
            return Ok(None);
        }
        Signature::from_json(&self.text(&name)?).map(Some)
    }

    /// The open file itself: what was checked is what is mapped, whatever happens to the path.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads bytes of the file, by an offset into it.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.file
            .read_exact_at(bytes, offset)
            .map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    /// The one member of a model's folder with this ending.
    fn member_of(&self, model: &str, ending: &str) -> Result<String, Error> {
        if !is_plain_name(model) {
            return Err(Error::Name { name: model.to_string() });
        }
        let prefix = format!("{}{MODELS}/{model}/", self.root);
        let mut found = self.names.iter().filter(|it| {
            it.strip_prefix(&prefix).is_some_and(|it| it.ends_with(ending) && !it.contains('/'))
        });
        match (found.next(), found.next()) {
            (Some(name), None) => Ok(name.clone()),
            (None, _) => {
                let models = self.models().join(", ");
                let reason = format!("has no '{ending}' of a model '{model}' (models: {models})");
                Err(self.bad(reason))
            }
            (Some(_), Some(_)) => {
                Err(self.bad(format!("has more than one '{ending}' of model '{model}'")))
            }
        }
    }

    /// A small member, compressed or not.
    fn text(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        let read = |zip: &mut ZipArchive<BufReader<File>>| {
            let member = zip.by_name(name).map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            // The declared size is the sender's word; what is read is counted.
            member.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(|it| it.to_string())?;
            if MAX_TEXT < bytes.len() as u64 {
                return Err("is too large".to_string());
            }
            Ok(bytes)
        };
        read(&mut self.zip).map_err(|reason| self.bad(format!("'{name}': {reason}")))
    }

    fn bad(&self, reason: String) -> Error {
        Error::Package { path: self.path.clone(), reason }
    }
}
