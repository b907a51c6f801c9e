//! Packages are written and read again; files of others, and hostile ones, are refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of any")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use package::{Blob, Error, LibraryParts, Model, Package, Signature, write_library, write_package};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn model<'a>(elf: &'a [u8], weights: &'a [u8]) -> Model<'a> {
    let mut blob = Blob::default();
    blob.push(weights);
    Model {
        blob,
        source: "// the source\n",
        metadata: BTreeMap::from([("author".to_string(), "\"me\"".to_string())]),
        signature: Some(Signature { producer: "test".to_string(), ..Signature::default() }),
        ..Model::new(elf)
    }
}

#[test]
fn a_package_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.pt2");
    let (elf, weights) = (vec![1; 10_000], vec![2; 100_001]);
    write_package(&path, &model(&elf, &weights)).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "leftovers");

    let mut package = Package::open(&path).unwrap();
    assert_eq!(package.models(), ["model"]);
    let metadata = package.metadata("model").unwrap();
    assert_eq!(metadata["AOTI_DEVICE_KEY"], "cpu");
    assert_eq!(metadata["author"], "\"me\"");
    assert_eq!(package.signature().unwrap().unwrap().producer, "test");

    let library = package.library("model").unwrap();
    assert_eq!(library.offset % 4096, 0);
    let blob = Some((12_288, 100_032));
    assert_eq!(library.parts, LibraryParts { elf_size: 12_288, blob });
    let bytes = fs::read(&path).unwrap();
    let at = library.offset as usize;
    assert_eq!(bytes[at..at + elf.len()], elf);
    assert_eq!(bytes[at + 12_288..][..weights.len()], weights);
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let write = |folder: &str| {
        let path = dir.path().join(folder).join("net.pt2");
        fs::create_dir(path.parent().unwrap()).unwrap();
        write_package(&path, &model(&[1; 100], &[2; 100])).unwrap();
        fs::read(path).unwrap()
    };
    let first = write("first");
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(first, write("second"));
    let text = String::from_utf8_lossy(&first);
    assert!(!text.contains(dir.path().to_str().unwrap()));
}

#[test]
fn every_member_is_stored_and_aligned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.pt2");
    write_package(&path, &model(&[1; 100], &[2; 100])).unwrap();
    let mut zip = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    for idx in 0..zip.len() {
        let member = zip.by_index(idx).unwrap();
        assert_eq!(member.compression(), CompressionMethod::Stored);
        assert_eq!(member.data_start().unwrap() % 64, 0, "{:?}", member.name());
        assert!(member.name().unwrap().starts_with("net/"));
    }
    // By the first two, PyTorch's loader finds the root.
    assert_eq!(zip.by_index(0).unwrap().name().unwrap(), "net/archive_format");
    assert_eq!(zip.by_index(1).unwrap().name().unwrap(), "net/archive_version");
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.pt2");
    fs::write(&path, "before").unwrap();
    let bad = Model { name: "../x".to_string(), ..model(&[1], &[2]) };
    assert!(matches!(write_package(&path, &bad), Err(Error::Name { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"before");
    let nowhere = dir.path().join("missing").join("net.pt2");
    assert!(matches!(write_package(&nowhere, &model(&[1], &[2])), Err(Error::Io { .. })));
    assert!(write_package(Path::new("/"), &model(&[1], &[2])).is_err());
}

#[test]
fn a_library_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.so");
    let mut blob = Blob::default();
    blob.push(&[9; 10][..]);
    write_library(&path, b"an elf", &blob).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 4096 + 64 + 32);
    assert!(bytes.starts_with(b"an elf") && bytes.ends_with(b"TINTYPE-BLOB-v1\0"));
    assert_eq!(bytes[4096..4106], [9; 10]);
}

/// A zip archive of these members.
fn archive(path: &Path, members: &[(&str, &[u8])], method: CompressionMethod) -> PathBuf {
    let mut zip = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in members {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path.to_path_buf()
}

#[test]
fn what_is_not_our_package_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let stored = CompressionMethod::Stored;
    let so = "m/data/aotinductor/model/model.wrapper.so";
    let meta = "m/data/aotinductor/model/model.wrapper_metadata.json";
    let marker: (&str, &[u8]) = ("m/archive_format", b"pt2");
    let open = |name: &str, members: &[(&str, &[u8])], method| {
        Package::open(&archive(&dir.path().join(name), members, method))
    };
    assert!(Package::open(&dir.path().join("absent")).is_err());
    assert!(Package::open(dir.path()).is_err());
    assert!(open("plain", &[("readme", b"")], stored).is_err());
    for name in ["../up", "/root", "m/../../up", "m/./x", "a\\b"] {
        let res = open("traversal", &[marker, (name, b"")], stored);
        assert!(matches!(res, Err(Error::Name { .. })), "{name}");
    }

    let mut package = open("none", &[marker], stored).unwrap();
    assert!(package.models().is_empty());
    assert!(package.library("model").is_err() && package.metadata("model").is_err());
    assert!(package.library("../model").is_err());
    assert!(package.signature().unwrap().is_none());

    let members = [marker, (so, &[1u8; 100][..]), (meta, b"{\"a\":1}")];
    let mut package = open("bad", &members, stored).unwrap();
    assert!(package.library("model").is_ok());
    assert!(package.metadata("model").unwrap_err().to_string().contains("'a' is not a string"));
    let mut package = open("deflated", &members, CompressionMethod::Deflated).unwrap();
    assert!(package.library("model").unwrap_err().to_string().contains("is compressed"));

    let two = [marker, (so, b""), ("m/data/aotinductor/model/other.wrapper.so", b"")];
    assert!(open("two", &two, stored).unwrap().library("model").is_err());
    let huge = vec![b' '; 9 << 20];
    let members = [marker, ("m/extra/tintype.json", &huge[..])];
    let mut package = open("bomb", &members, CompressionMethod::Deflated).unwrap();
    assert!(package.signature().unwrap_err().to_string().contains("too large"));
}

#[test]
fn damage_is_an_error_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.pt2");
    write_package(&path, &model(&[1; 100], &[2; 100])).unwrap();
    let good = fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let mut package = Package::open(&path)?;
        package.metadata("model")?;
        package.signature()?;
        let library = package.library("model")?;
        // Wherever it is said to be, it is within the file.
        assert!(library.offset + library.size <= bytes.len() as u64);
        assert!(library.parts.elf_size <= library.size);
        Ok::<_, Error>(())
    };
    read(&good).unwrap();
    for len in (0..good.len()).step_by(101) {
        assert!(read(&good[..len]).is_err(), "cut at {len}");
    }
    // More of the directory than of the rest.
    let directory = good.len() - 1500;
    for at in (0..directory).step_by(97).chain((directory..good.len()).step_by(3)) {
        for flip in [0x01, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            let _ = read(&bad);
        }
    }
}
