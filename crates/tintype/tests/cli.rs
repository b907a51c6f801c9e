//! What the commands do when all is well, and their exit codes.

use std::fs;

use crate::support::{Place, has_compiler, model};

fn place() -> Place {
    let place = Place::new();
    fs::copy(model("mlp.pt2"), place.path("mlp.pt2")).unwrap();
    fs::copy(model("mlp.io.safetensors"), place.path("io.safetensors")).unwrap();
    place
}

#[test]
fn a_package_is_compiled_once_and_run_often() {
    if !has_compiler() {
        return;
    }
    let place = place();
    let done = place.run(&["compile", "mlp.pt2"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{}", done.stderr);
    assert!(done.stderr.starts_with("mlp.tintype.pt2 in "), "{}", done.stderr);
    let args = ["run", "mlp.tintype.pt2", "--inputs", "io.safetensors", "--check"];
    let done = place.run(&args);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
    assert!(done.stdout.contains("check: 1 outputs agree"), "{}", done.stdout);

    // Nothing is that exact.
    let done = place.run(&[&args[..], &["--rtol", "0", "--atol", "0"]].concat());
    assert_eq!(done.code, Some(1), "{}", done.stdout);
    assert!(done.stdout.contains("output_0  float32[8, 32]"), "{}", done.stdout);

    // Outputs that were written compare equal to themselves.
    let done = place.run(&["run", "mlp.tintype.pt2", "--seed", "7", "--outputs", "a.safetensors"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), "inputs made from seed 7\n"));
    let done = place.run(&["run", "mlp.tintype.pt2", "--seed", "7", "--outputs", "b.safetensors"]);
    assert_eq!(done.code, Some(0));
    let read = |name: &str| fs::read(place.path(name)).unwrap();
    assert_eq!(read("a.safetensors"), read("b.safetensors"));
}

#[test]
fn the_interpreter_agrees_without_any_compiler() {
    let done = place().run_with(
        &["run", "mlp.pt2", "--inputs", "io.safetensors", "--check", "--interpret"],
        &[("CXX", "no-such-compiler")],
    );
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
}

#[test]
fn sizes_are_chosen_and_refused() {
    if !has_compiler() {
        return;
    }
    let place = place();
    assert_eq!(place.run(&["compile", "--quiet", "mlp.pt2", "-o", "c.pt2"]).code, Some(0));
    for batch in [2, 3, 17, 1024] {
        let done = place.run(&["run", "c.pt2", "--size", &format!("s31={batch}"), "--json"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(found["outputs"][0]["shape"], serde_json::json!([batch, 32]));
        assert_eq!(found["outputs"][0]["strides"], serde_json::json!([32, 1]));
    }
    for batch in [1, 1025] {
        let done = place.run(&["run", "c.pt2", "--size", &format!("s31={batch}")]);
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
        let wanted = format!("dimension 0 is {batch}, expected s31 in [2, 1024]");
        assert!(done.stderr.contains(&wanted), "{}", done.stderr);
        assert!(done.stderr.contains("input 'input'"), "{}", done.stderr);
    }
}

#[test]
fn every_level_is_shown() {
    let place = place();
    for level in ["aten", "tensor", "loops", "wrapper"] {
        let done = place.run(&["compile", "mlp.pt2", "--emit", level]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stdout.starts_with("func @main {\n"), "{}", done.stdout);
        assert!(done.stdout.contains(&format!("{level}.")), "{}", done.stdout);
    }
    let done = place.run(&["compile", "mlp.pt2", "--emit", "tensor", "-o", "mlp.ir"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{}", done.stderr);
    // What was written is read back and goes on from there.
    let args = ["tool", "pipeline", "mlp.ir", "--from", "loops", "--verify-each"];
    let done = place.run(&args);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("wrapper.call"), "{}", done.stdout);
}

#[test]
fn the_same_archive_gives_the_same_bytes_anywhere() {
    if !has_compiler() {
        return;
    }
    let bytes = |cached: bool| {
        let place = place();
        let flags: &[&str] = if cached { &[] } else { &["--no-cache"] };
        let args = [&["compile", "--quiet", "mlp.pt2", "-o", "same.pt2"], flags].concat();
        assert_eq!(place.run(&args).code, Some(0));
        fs::read(place.path("same.pt2")).unwrap()
    };
    assert!(bytes(true) == bytes(false), "another folder and an empty cache give other bytes");
}

/// Two large results of which each is soon made small; they stand so that both are there at once.
const TWO_LARGE: &str = r#"func @main {
  %0 = param user "x" : f32[8, 8]<8, 1>
  %1 = param user "w" : f32[8, 512]<512, 1>
  %2 = param user "v" : f32[512, 8]<8, 1>
  %3 = tensor.contract %0, %1 {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : f32[8, 512]
  %4 = tensor.tanh %0 : f32[8, 8]
  %5 = tensor.contract %4, %1 {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : f32[8, 512]
  %6 = tensor.contract %3, %2 {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : f32[8, 8]
  %7 = tensor.contract %5, %2 {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : f32[8, 8]
  %8 = tensor.add %6, %7 : f32[8, 8]
  output user "y" %8 : f32[8, 8]<8, 1>
}
"#;

#[test]
fn compiling_tells_what_order_has_saved() {
    let place = place();
    std::fs::write(place.path("two.ir"), TWO_LARGE).unwrap();
    let done = place.run(&["compile", "two.ir", "--emit", "cpp", "-o", "two", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    // Rows of 512 numbers, eight of each, and what is made of them.
    let large = 8 * 512 * 4;
    let peak = |when: &str| found["ordered_peaks"][when].as_u64().unwrap();
    assert!(2 * large <= peak("before"), "{found}");
    assert!(large <= peak("after") && peak("after") < 2 * large, "{found}");
}

#[test]
fn inspecting_tells_the_signature() {
    let place = place();
    let done = place.run(&["inspect", "mlp.pt2", "--json"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(found["kind"], "archive");
    assert_eq!(found["inputs"][0]["dims"], serde_json::json!(["s31", "64"]));
    assert_eq!(found["symbols"][0]["max"], 1024);
    let gelu = found["operators"].as_array().unwrap().iter();
    let gelu = gelu.clone().find(|it| it["name"] == "aten.gelu.default").unwrap();
    assert_eq!((&gelu["count"], &gelu["supported"]), (&1.into(), &true.into()));
    assert_eq!(found["weights"].as_array().unwrap().len(), 6);
    let done = place.run(&["inspect", "mlp.pt2"]);
    assert!(done.stdout.contains("input: float32[s31, 64]"), "{}", done.stdout);
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let place = place();
    for args in [&["compile"][..], &["frobnicate"], &["run", "mlp.pt2", "--check"]] {
        let done = place.run(args);
        assert_eq!(done.code, Some(2), "{args:?} {}", done.stderr);
    }
    assert_eq!(place.run(&["run", "gone.pt2"]).code, Some(1));
    let done = place.run(&["--help"]);
    assert!(done.stdout.contains("Exit status:"), "{}", done.stdout);
    let done = place.run(&["compile", "gone.pt2", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done.code, &found["errors"][0]["code"]), (Some(1), &"E0404".into()));
}

#[test]
fn an_unknown_pass_is_an_error_with_a_suggestion() {
    let place = place();
    let done = place.run(&["tool", "pipeline", "mlp.pt2", "--dump-after", "canonicalise"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("did you mean `canonicalize`?"), "{}", done.stderr);
    let done = place.run(&["tool", "pipeline", "mlp.pt2", "--passes", "tensor: cse{n=1}"]);
    assert!(done.stderr.contains("pass `cse` has no option `n`"), "{}", done.stderr);
}

#[test]
fn validation_says_what_it_has_compared() {
    let place = Place::new();
    let text = "func @main {
  symbol s0 in 1..8
  %0 = param user \"x\" : f32[s0, 3]<3, 1>
  %1 = tensor.exp %0 : f32[s0, 3]
  %2 = tensor.neg %1 : f32[s0, 3]
  output user \"y\" %2 : f32[s0, 3]<3, 1>
}
";
    fs::write(place.path("model.ir"), text).unwrap();
    let done = place.run(&["compile", "model.ir", "--emit", "wrapper", "--validate-each"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let line = done.stderr.lines().find(|it| it.starts_with("validated: "));
    let line = line.unwrap_or_else(|| panic!("{}", done.stderr));
    assert!(line.ends_with("0 could not be compared") && !line.contains(" 0 runs"), "{line}");
    let done = place.run(&["compile", "model.ir", "--seed", "1"]);
    assert_eq!(done.code, Some(2), "{}", done.stderr);
}
