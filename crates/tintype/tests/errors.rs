//! Broken inputs: each is refused with a message that is in `tests/errors`, exits with 1, and
//! leaves nothing behind.

use std::fs;

use crate::support::{Parts, Place, expect, has_compiler, model};

/// Compiles `broken.pt2` with these bytes, which must fail and leave nothing.
fn refuse(name: &str, bytes: &[u8]) {
    let place = Place::new();
    fs::write(place.path("broken.pt2"), bytes).unwrap();
    let done = place.run(&["compile", "broken.pt2", "-o", "out.pt2"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{}", done.stderr);
    assert_eq!(place.files(), ["broken.pt2"]);
    expect(&format!("tests/errors/{name}.txt"), &done.stderr);
}

/// The same with one thing changed in a good archive.
fn refuse_edited(name: &str, edit: impl FnOnce(&mut Parts)) {
    let mut parts = Parts::of_mlp();
    edit(&mut parts);
    refuse(name, &parts.bytes());
}

const PROGRAM: &str = "models/model.json";
const WEIGHTS: &str = "model_weights_config.json";

#[test]
fn an_empty_file() {
    refuse("empty", b"");
}

#[test]
fn something_else() {
    refuse("no-zip", b"#!/bin/sh\necho this is no archive\n");
}

#[test]
fn a_zip_that_is_cut_short() {
    let bytes = fs::read(model("mlp.pt2")).unwrap();
    refuse("cut-short", &bytes[..bytes.len() / 2]);
}

#[test]
fn a_member_that_climbs_out() {
    refuse_edited("climbs-out", |it| {
        let member = it.member("weight_0");
        member.0 = "mlp/../../../etc/cron.d/weight".to_owned();
    });
}

#[test]
fn a_weight_that_is_not_there() {
    refuse_edited("missing-weight", |it| it.0.retain(|it| !it.0.ends_with("weight_0")));
}

#[test]
fn a_weight_that_nothing_names() {
    refuse_edited("unnamed-weight", |it| it.replace(WEIGHTS, "\"0.weight\"", "\"9.weight\""));
}

#[test]
fn a_weight_with_too_few_bytes() {
    refuse_edited("short-weight", |it| it.member("weight_0").1.truncate(1000));
}

#[test]
fn a_schema_of_tomorrow() {
    refuse_edited("schema-major", |it| it.replace(PROGRAM, "\"major\": 8", "\"major\": 9"));
}

#[test]
fn a_program_that_is_no_json() {
    refuse_edited("no-json", |it| it.edit(PROGRAM, |text| text[..text.len() / 2].to_owned()));
}

#[test]
fn a_size_that_does_not_parse() {
    refuse_edited("size-expression", |it| {
        it.replace(PROGRAM, "Symbol('s31', positive=True, integer=True)", "Mul(Symbol('s31'), ");
    });
}

#[test]
fn operators_that_nobody_knows() {
    refuse_edited("unsupported", |it| {
        it.replace(PROGRAM, "torch.ops.aten.gelu.default", "torch.ops.aten.frobnicate.default");
        it.replace(PROGRAM, "torch.ops.aten.linear.default", "torch.ops.mylib.linear.default");
    });
}

#[test]
fn a_pickle_that_wants_more_than_tensors() {
    // Example inputs are read when a model is to be run on them.
    let place = Place::new();
    let mut parts = Parts::of_mlp();
    // GLOBAL os.system, MARK, a string, TUPLE, REDUCE, STOP, as `torch.save` never wrote it.
    let pickle = b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00true\x85R.".to_vec();
    let inner = Parts(vec![
        ("archive/data.pkl".to_owned(), pickle),
        ("archive/version".to_owned(), b"3\n".to_vec()),
    ]);
    parts.member("sample_inputs/model.pt").1 = inner.bytes();
    fs::write(place.path("broken.pt2"), parts.bytes()).unwrap();
    if !has_compiler() {
        return;
    }
    let done = place.run(&["run", "broken.pt2"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{}", done.stderr);
    expect("tests/errors/pickle.txt", &done.stderr);
}

#[test]
fn a_package_that_cannot_be_read() {
    if !has_compiler() {
        return;
    }
    let place = Place::new();
    fs::copy(model("mlp.pt2"), place.path("mlp.pt2")).unwrap();
    let done = place.run(&["compile", "--quiet", "mlp.pt2", "-o", "good.pt2"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let good = fs::read(place.path("good.pt2")).unwrap();
    let elf = good.windows(4).position(|it| it == b"\x7fELF").unwrap();

    let mut broken = good.clone();
    // What the library's program headers say, and the class of the file.
    broken[elf + 4] = 7;
    broken[elf + 32..elf + 40].fill(0xff);
    fs::write(place.path("broken.pt2"), broken).unwrap();
    let done = place.run(&["run", "broken.pt2"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{}", done.stderr);
    expect("tests/errors/package.txt", &done.stderr);

    // Cut short, it is no zip any more, and so no package that anybody would know.
    fs::write(place.path("broken.pt2"), &good[..good.len() - 100]).unwrap();
    let done = place.run(&["run", "broken.pt2"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{}", done.stderr);
    expect("tests/errors/package-cut-short.txt", &done.stderr);
}

#[test]
fn no_compiler() {
    let place = Place::new();
    fs::copy(model("mlp.pt2"), place.path("mlp.pt2")).unwrap();
    let done = place.run_with(&["compile", "mlp.pt2"], &[("CXX", "no-such-compiler")]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{}", done.stderr);
    assert_eq!(place.files(), ["mlp.pt2"]);
    expect("tests/errors/no-compiler.txt", &done.stderr);
}

#[test]
fn nothing_is_half_written_where_the_place_is_taken() {
    let place = Place::new();
    fs::copy(model("mlp.pt2"), place.path("mlp.pt2")).unwrap();
    fs::create_dir(place.path("theirs")).unwrap();
    fs::write(place.path("theirs/thesis.tex"), "").unwrap();
    let done = place.run(&["compile", "mlp.pt2", "--emit", "cpp", "-o", "theirs"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{}", done.stderr);
    assert_eq!(place.files(), ["mlp.pt2", "theirs"]);
    expect("tests/errors/taken-folder.txt", &done.stderr);
}
