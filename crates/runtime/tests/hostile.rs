//! What is no model, or a damaged one, is an error.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of any")]

mod common;

use std::fs;
use std::path::Path;

use common::{build, constants, folder, source};
use package::Model as PackagedModel;
use tintype_runtime::{Model, Tensor};

fn error(path: &Path) -> String {
    Model::load(path).unwrap_err().to_string()
}

#[test]
fn other_files() {
    let (dir, path) = folder();
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("short.so", b"\x7fELF"),
        ("text", b"hello, this is no library at all, but it is longer than an ELF header is."),
        ("short.pt2", b"PK\x03\x04"),
    ] {
        fs::write(path(name), bytes).unwrap();
        let error = error(&path(name));
        assert!(error.contains(name), "{error}");
    }
    assert!(error(&path("absent")).contains("absent"));
    assert!(error(dir.path()).contains(dir.path().to_str().unwrap()));
}

#[test]
fn a_library_that_is_no_model() {
    let libraries = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6"];
    let Some(library) = libraries.into_iter().find(|it| Path::new(it).exists()) else { return };
    let error = error(Path::new(library));
    assert!(error.contains("not a model of Tintype's"), "{error}");
}

#[test]
fn libraries_cut_short() {
    let Some(library) = build(&source("all.cpp")) else { return };
    let (_dir, path) = folder();
    package::write_library(&path("all.so"), &library.bytes, &constants()).unwrap();
    let good = fs::read(path("all.so")).unwrap();
    // The ELF file ends in tables that are not loaded; what is loaded must be there.
    for len in [0, 63, 64, 1000, library.bytes.len() / 2, 3 * library.bytes.len() / 4] {
        fs::write(path("cut.so"), &good[..len]).unwrap();
        error(&path("cut.so"));
    }
    // Without its constants it is a library that has none.
    fs::write(path("cut.so"), &good[..good.len() - 1]).unwrap();
    let message = error(&path("cut.so"));
    assert!(message.contains("constants (192 bytes) are neither"), "{message}");
    // With those of another, it says so.
    let mut blob = package::Blob::default();
    blob.push(vec![0; 100]);
    package::write_library(&path("other.so"), &library.bytes, &blob).unwrap();
    let message = error(&path("other.so"));
    assert!(message.contains("(128 bytes) are not those of the model (192 bytes)"), "{message}");
    let packaged = PackagedModel { blob, ..PackagedModel::new(&library.bytes) };
    package::write_package(&path("other.pt2"), &packaged).unwrap();
    let message = error(&path("other.pt2"));
    assert!(message.contains("128 bytes of constants, the model has 192"), "{message}");
}

#[test]
fn a_package_that_was_zipped_again_works() {
    let Some(library) = build(&source("all.cpp")) else { return };
    let (_dir, path) = folder();
    let packaged = PackagedModel { blob: constants(), ..PackagedModel::new(&library.bytes) };
    package::write_package(&path("all.pt2"), &packaged).unwrap();
    // Bytes before the archive move every member off its page.
    let mut bytes = vec![0; 13];
    bytes.extend(fs::read(path("all.pt2")).unwrap());
    bytes[..2].copy_from_slice(b"PK");
    fs::write(path("moved.pt2"), bytes).unwrap();
    let Ok(model) = Model::load(path("moved.pt2")) else { return };
    let x = Tensor::from_vec(&[1, 4], vec![1f32; 4]).unwrap();
    let index = Tensor::from_vec(&[1], vec![1i64]).unwrap();
    let sum = Tensor::from_vec(&[4], vec![1f32; 4]).unwrap();
    let out = model.run_mut(&mut [x, index, sum]).unwrap();
    assert_eq!(out[0].to_vec::<f32>().unwrap(), [1., 2., 3., 4.]);
}

#[test]
fn a_cpu_that_this_is_not() {
    // A bit beyond those that are known: no machine has it.
    let text = source("add.cpp").replace("TT_CPU_REQUIRED", "TT_CPU_AVX512FP16 | TT_CPU_AVX");
    let Some(library) = build(&text) else { return };
    let (_dir, path) = folder();
    package::write_library(&path("add.so"), &library.bytes, &package::Blob::default()).unwrap();
    let Err(error) = Model::load(path("add.so")) else { return };
    let error = error.to_string();
    assert!(error.contains("was compiled for a CPU with avx"), "{error}");
}

#[test]
fn a_function_that_no_host_has() {
    let text = source("all.cpp").replace("\"aoti_torch_zero_\"", "\"aoti_torch_cpu_unheard_of\"");
    let Some(library) = build(&text) else { return };
    let (_dir, path) = folder();
    package::write_library(&path("all.so"), &library.bytes, &constants()).unwrap();
    let error = error(&path("all.so"));
    assert!(error.contains("calls 'aoti_torch_cpu_unheard_of'"), "{error}");
}

#[test]
fn models_that_go_wrong() {
    let (_dir, path) = folder();
    let cases = [
        // An output that is not filled; one that is filled twice; memory without end; an input
        // used after its release.
        (
            "float* out = (float*)tt_output_alloc(run, 0, 2, sizes, strides, TT_F32);",
            "(void)sizes; (void)strides; float* out = (float*)tt_alloc(run, B * 12);",
            "output 0 is not filled",
        ),
        ("const float* a =", "tt_output_null(run, 0); const float* a =", "is filled twice"),
        ("const float* a =", "tt_arena(run, INT64_MAX - 1); const float* a =", "more memory than"),
        ("const float* a =", "tt_arena(run, (int64_t)1 << 60); const float* a =", "out of memory"),
        (
            "const float* a =",
            "tt_release_input(run, 0); tt_output_input(run, 0, 0); const float* a =",
            "used after its release",
        ),
    ];
    for (idx, (from, to, expected)) in cases.into_iter().enumerate() {
        let Some(library) = build(&source("add.cpp").replace(from, to)) else { return };
        let file = path(&format!("{idx}.so"));
        package::write_library(&file, &library.bytes, &package::Blob::default()).unwrap();
        let model = Model::load(file).unwrap();
        let a = Tensor::from_vec(&[2, 3], vec![1f32; 6]).unwrap();
        let error = model.run(&[a.clone(), a]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
