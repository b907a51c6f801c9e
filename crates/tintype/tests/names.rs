//! Names that an archive chooses: none leaves the literal or comment it stands in.

use std::fs;

use crate::support::{Parts, Place, has_compiler, model};

/// Compiles `mlp` with names of the sender's making and compares what it gives with eager.
fn check(edit: impl FnOnce(&mut Parts)) {
    let place = Place::new();
    let mut parts = Parts::of_mlp();
    edit(&mut parts);
    fs::write(place.path("named.pt2"), parts.bytes()).unwrap();
    fs::copy(model("mlp.io.safetensors"), place.path("io.safetensors")).unwrap();
    if !has_compiler() {
        return;
    }
    let done = place.run(&["run", "named.pt2", "--inputs", "io.safetensors", "--check"]);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let done = place.run(&["compile", "--quiet", "named.pt2", "--emit", "cpp", "-o", "sources"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let host = fs::read_to_string(place.path("sources/host.cpp")).unwrap();
    assert!(!host.lines().any(|it| it.trim_start().starts_with("#error")), "{host}");
}

/// Ends a string, a comment, a line; in JSON.
const HOSTILE: &str = r##"a\"); */ \n#error x\n// \\ ??/"##;

#[test]
fn an_input_that_is_no_identifier() {
    check(|it| {
        // The argument's name, not that of the operator's parameter.
        it.replace(
            "models/model.json",
            r#"{"name": "input"}"#,
            &format!(r#"{{"name": "{HOSTILE}"}}"#),
        );
        it.replace(
            "models/model.json",
            r#""input": {"dtype""#,
            &format!(r#""{HOSTILE}": {{"dtype""#),
        );
    });
}

#[test]
fn a_weight_that_closes_a_string() {
    check(|it| {
        let name = format!(r#""{HOSTILE}""#);
        it.replace("models/model.json", r#""0.weight""#, &name);
        it.replace("model_weights_config.json", r#""0.weight""#, &name);
    });
}

#[test]
fn a_symbol_is_called_as_the_exporter_calls_them_or_refused() {
    for name in ["while", "int64_t", "run", "t0", "workspace", "NULL", "s0);//"] {
        let place = Place::new();
        let mut parts = Parts::of_mlp();
        parts.replace("models/model.json", "s31", name);
        fs::write(place.path("named.pt2"), parts.bytes()).unwrap();
        let done = place.run(&["compile", "named.pt2", "--emit", "cpp", "-o", "sources"]);
        assert_eq!(done.code, Some(1), "{name}");
        assert!(done.stderr.contains("error[E0104]"), "{name}: {}", done.stderr);
        assert_eq!(place.files(), ["named.pt2"]);
    }
    check(|it| it.replace("models/model.json", "s31", "s1234567"));
}
