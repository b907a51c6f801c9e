//! Writing packages and libraries.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::blob::{library_size, write_parts};
use crate::place::put_file;
use crate::{Blob, DEFAULT_MODEL, Error, MODELS, SIGNATURE, Signature};

/// PyTorch's own readers want every member here.
const MEMBER_ALIGNMENT: u16 = 64;
const LIBRARY_ALIGNMENT: u16 = 4096;

/// Larger members need zip64.
const LARGE: u64 = 0xF000_0000;

/// One model of a package.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    /// By which PyTorch's `aoti_load_package(path, model_name=…)` finds it.
    pub name: String,
    /// The linked library, an ELF file.
    pub elf: &'a [u8],
    /// Its constants.
    pub blob: Blob<'a>,
    /// The generated C++, for readers; older loaders want the file to be there.
    pub source: &'a str,
    /// More metadata, beside the device and platform that are always told.
    pub metadata: BTreeMap<String, String>,
    /// What it takes and gives.
    pub signature: Option<Signature>,
    /// The JSON of operators that the host must execute, where there are any.
    pub proxy: Option<&'a str>,
}

impl<'a> Model<'a> {
    /// A model by PyTorch's default name, with nothing but its library.
    pub fn new(elf: &'a [u8]) -> Model<'a> {
        Model {
            name: DEFAULT_MODEL.to_string(),
            elf,
            blob: Blob::default(),
            source: "",
            metadata: BTreeMap::new(),
            signature: None,
            proxy: None,
        }
    }
}

/// Writes a package: to a temporary file beside `path`, which then takes its place.
pub fn write_package(path: &Path, model: &Model<'_>) -> Result<(), Error> {
    if !is_plain_name(&model.name) {
        return Err(Error::Name { name: model.name.clone() });
    }
    // The root folder is named after the file, as PyTorch's writer does it.
    let stem = path.file_stem().and_then(|it| it.to_str()).filter(|it| is_plain_name(it));
    put_file(path, |file| {
        let mut out = Writer { zip: ZipWriter::new(file), root: stem.unwrap_or("archive") };
        out.package(model)?;
        Ok(out.zip.finish()?)
    })
    .map_err(|source| Error::Io { path: path.to_path_buf(), source })
}

/// Writes a library by itself, its constants behind it.
pub fn write_library(path: &Path, elf: &[u8], blob: &Blob<'_>) -> Result<(), Error> {
    put_file(path, |mut file| {
        write_parts(&mut file, elf, blob)?;
        Ok(file)
    })
    .map_err(|source| Error::Io { path: path.to_path_buf(), source })
}

struct Writer<'a> {
    zip: ZipWriter<BufWriter<File>>,
    root: &'a str,
}

impl Writer<'_> {
    fn package(&mut self, model: &Model<'_>) -> io::Result<()> {
        let Model { name, elf, blob, source, metadata, signature, proxy } = model;
        let folder = format!("{MODELS}/{name}/{name}.wrapper");
        // Of the first two members PyTorch's C++ loader takes the root's name.
        self.member("archive_format", b"pt2")?;
        self.member("archive_version", b"0")?;
        self.member("byteorder", b"little")?;
        self.start(&format!("{folder}.so"), library_size(elf, blob), LIBRARY_ALIGNMENT)?;
        write_parts(&mut self.zip, elf, blob)?;
        self.member(&format!("{folder}.cpp"), source.as_bytes())?;
        self.member(&format!("{folder}_metadata.json"), metadata_json(metadata).as_bytes())?;
        if let Some(proxy) = proxy {
            self.member(&format!("{folder}.json"), proxy.as_bytes())?;
        }
        if let Some(signature) = signature {
            self.member(SIGNATURE, signature.to_json().as_bytes())?;
        }
        // The version of the zip writer whose layout this is, not of the archive.
        self.member(".data/version", b"6\n")?;
        self.member(".data/serialization_id", serialization_id(elf, blob.size()).as_bytes())
    }

    fn member(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.start(name, bytes.len() as u64, MEMBER_ALIGNMENT)?;
        self.zip.write_all(bytes)
    }

    fn start(&mut self, name: &str, size: u64, alignment: u16) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(LARGE <= size)
            .with_alignment(alignment);
        Ok(self.zip.start_file(format!("{}/{name}", self.root), options)?)
    }
}

/// A JSON object of strings: the loader takes nothing else.
fn metadata_json(more: &BTreeMap<String, String>) -> String {
    let mut all: BTreeMap<&str, &str> = BTreeMap::from([
        ("AOTI_DEVICE_KEY", "cpu"),
        ("AOTI_PLATFORM", "linux"),
        ("AOTI_MACHINE", std::env::consts::ARCH),
    ]);
    all.extend(more.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let object = all.into_iter().map(|(key, value)| (key.to_string(), Value::from(value)));
    format!("{}\n", Value::Object(object.collect()))
}

/// Forty decimal digits, as PyTorch writes: here a hash of what is in the package.
fn serialization_id(elf: &[u8], blob_size: u64) -> String {
    let hash = |seed: u64| {
        let bytes = elf.iter().copied().chain(blob_size.to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    format!("{:020}{:020}", hash(0), hash(1))
}

/// No separator, no way up, nothing that a shell or a loader could take amiss.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.chars().all(is_plain) && !name.starts_with('.')
}
