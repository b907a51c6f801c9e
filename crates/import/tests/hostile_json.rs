//! Programs and configs that do not fit the schema, or each other.

use import::{
    ImportError,
    schema::{Argument, InputSpec, ScalarType},
};

use crate::support::{PROGRAM, Part, archive, program_without_weight, zip};

fn read_error(program: &str) -> ImportError {
    import::read(&zip(&archive(program))).unwrap_err()
}

/// The argument of the program's node, parsed from `json`.
fn argument(json: &str) -> Result<Argument, ImportError> {
    let program = program_without_weight();
    let program = program.replace(
        r#""arg": {"as_tensor": {"name": "w"}}, "kind": 1"#,
        &format!(r#""arg": {json}, "kind": 1"#),
    );
    let bytes = zip(&archive(&program));
    let archive = import::read(&bytes)?;
    Ok(archive.program.graph_module.graph.nodes[0].inputs[0].arg.clone())
}

#[test]
fn every_kind_of_argument_is_read() {
    for json in [
        r#"{"as_none": true}"#,
        r#"{"as_tensor": {"name": "x"}}"#,
        r#"{"as_tensors": [{"name": "x"}]}"#,
        r#"{"as_optional_tensor": {"as_none": true}}"#,
        r#"{"as_optional_tensors": [{"as_tensor": {"name": "x"}}, {"as_none": true}]}"#,
        r#"{"as_nested_tensors": [[{"name": "x"}], []]}"#,
        r#"{"as_int": -9223372036854775808}"#,
        r#"{"as_ints": [1, 9007199254740993]}"#,
        r#"{"as_int_lists": [[1], []]}"#,
        r#"{"as_float": 1}"#,
        r#"{"as_floats": [1.5, "NaN"]}"#,
        r#"{"as_float_lists": [[1.5], ["Infinity"]]}"#,
        r#"{"as_complex": {"real": 1.0, "imag": "-Infinity"}}"#,
        r#"{"as_bool": false}"#,
        r#"{"as_bools": [true]}"#,
        r#"{"as_string": "mean"}"#,
        r#"{"as_strings": ["a", "b"]}"#,
        r#"{"as_sym_int": {"as_name": "s"}}"#,
        r#"{"as_sym_ints": [{"as_int": 3}, {"as_name": "s"}]}"#,
        r#"{"as_sym_float": {"as_float": 0.5}}"#,
        r#"{"as_sym_floats": [{"as_name": "s"}]}"#,
        r#"{"as_sym_bool": {"as_bool": true}}"#,
        r#"{"as_sym_bools": [{"as_name": "s"}]}"#,
        r#"{"as_scalar_type": 13}"#,
        r#"{"as_memory_format": 2}"#,
        r#"{"as_layout": 7}"#,
        r#"{"as_device": {"type": "cpu", "index": null}}"#,
        r#"{"as_graph": {"name": "g", "graph": {"inputs": [], "outputs": [], "nodes": [],
            "tensor_values": {}, "sym_int_values": {}, "sym_bool_values": {}}}}"#,
        r#"{"as_custom_obj": {"name": "o", "class_fqn": "c"}}"#,
        r#"{"as_operator": "torch.ops.aten.add.Tensor"}"#,
        r#"{"as_string_to_argument": {"k": {"as_int": 1}}}"#,
    ] {
        let read = argument(json).unwrap();
        assert!(json.contains(&format!("{{\"{}\"", read.kind())), "{json}: {read:?}");
    }
    let exact = Argument::Ints(vec![1, 9_007_199_254_740_993]);
    assert_eq!(argument(r#"{"as_ints": [1, 9007199254740993]}"#), Ok(exact));
    // Correctly rounded, which takes a careful parser.
    let text = "0.12345678901234568e-5";
    let read = argument(&format!(r#"{{"as_float": {text}}}"#)).unwrap();
    assert_eq!(read, Argument::Float(text.parse().unwrap()));
    assert_eq!(argument(r#"{"as_scalar_type": 13}"#), Ok(Argument::ScalarType(ScalarType::BF16)));
}

#[test]
fn errors_name_the_path() {
    for (json, path, reason) in [
        (r#"{"as_foo": 1}"#, "arg.as_foo", "unknown variant `as_foo`"),
        (r#"{"as_scalar_type": 14}"#, "arg.as_scalar_type", "unknown scalar type 14"),
        (r#"{"as_float": "inf"}"#, "arg.as_float", "invalid value: string \"inf\""),
        (r#"{"as_int": 1.0}"#, "arg.as_int", "invalid type: floating point"),
        (r#"{"as_int": 9223372036854775808}"#, "arg.as_int", "invalid value"),
        (r#"{"as_ints": [1, "x"]}"#, "arg.as_ints[1]", "invalid type: string \"x\""),
        (r#"{"as_tensor": {}}"#, "arg.as_tensor", "missing field `name`"),
        (r#"{"as_graph": {"name": "g", "graph": {"inputs": 1}}}"#, "arg.as_graph.graph.inputs", ""),
    ] {
        match argument(json) {
            Err(ImportError::Json { member, path: at, reason: why }) => {
                assert_eq!(member, "m/models/model.json");
                assert_eq!(at, format!("graph_module.graph.nodes[0].inputs[0].{path}"));
                assert!(why.contains(reason), "{why}");
            }
            other => panic!("{json}: {other:?}"),
        }
    }
}

#[test]
fn another_major_version_is_refused_by_its_number() {
    let newer = PROGRAM.replace(r#""major": 8, "minor": 2"#, r#""major": 9, "minor": 1"#);
    let error = read_error(&newer);
    assert_eq!(error, ImportError::SchemaVersion { major: 9, minor: 1 });
    assert!(error.to_string().contains("schema version 9.1; this importer reads 8.x"));
    // Also where nothing else fits.
    let other = r#"{"schema_version": {"major": 7, "minor": 0}, "graph": []}"#;
    assert_eq!(read_error(other), ImportError::SchemaVersion { major: 7, minor: 0 });
    let later = program_without_weight().replace(r#""minor": 2"#, r#""minor": 99, "new": {}"#);
    assert!(import::read(&zip(&archive(&later))).is_ok());
}

#[test]
fn nesting_is_bounded() {
    // Far deeper than any stack, in a value that is read and in one that is skipped.
    let open = "[".repeat(1 << 20);
    assert_eq!(read_error(&open).kind(), "json");
    assert_eq!(read_error(&format!(r#"{{"unknown": {open}"#)).kind(), "json");
    let graph = r#"{"as_graph": {"name": "g", "graph": {"inputs": ["#.repeat(10_000);
    assert_eq!(argument(&graph).unwrap_err().kind(), "json");
}

#[test]
fn every_kind_of_input_is_read() {
    let specs = r#"[
      {"user_input": {"arg": {"as_sym_int": {"as_name": "s"}}}},
      {"custom_obj": {"arg": {"name": "o", "class_fqn": "c"}, "custom_obj_name": "o"}},
      {"token": {"arg": {"name": "t"}}},
      {"constant_input": {"name": "k", "value": {"as_float": "Infinity"}}}]"#;
    let program = PROGRAM
        .replace(r#"[{"parameter": {"arg": {"name": "w"}, "parameter_name": "a.w"}}]"#, specs);
    let bytes = zip(&archive(&program));
    let archive = import::read(&bytes).unwrap();
    let specs = &archive.program.graph_module.signature.input_specs;
    // A token is read and taken out: nodes are in order without it.
    assert!(matches!(
        specs[..],
        [InputSpec::UserInput { .. }, InputSpec::CustomObj { .. }, InputSpec::ConstantInput { .. },]
    ));
}

/// An archive whose weight `a.w` is described by `meta`, with 24 bytes to hold it.
fn with_weight(meta: &str) -> Result<(), ImportError> {
    let mut parts = archive(PROGRAM);
    let config = format!(r#"{{"config": {{"a.w": {meta}}}}}"#);
    parts[1] = Part::stored("m/data/weights/model_weights_config.json", config);
    parts.push(Part::stored("m/data/weights/weight_0", [0; 24]));
    import::read(&zip(&parts)).map(drop)
}

fn meta(sizes: &str, strides: &str, offset: i64) -> String {
    format!(
        r#"{{"path_name": "weight_0", "is_param": true, "use_pickle": false, "tensor_meta":
        {{"dtype": 7, "sizes": {sizes}, "requires_grad": false, "device": {{"type": "cpu"}},
          "strides": {strides}, "storage_offset": {{"as_int": {offset}}}, "layout": 7}}}}"#
    )
}

#[test]
fn weights_are_checked_against_their_bytes() {
    let (six, one) = (r#"[{"as_int": 6}]"#, r#"[{"as_int": 1}]"#);
    assert_eq!(with_weight(&meta(six, one, 0)), Ok(()));
    let error = with_weight(&meta(six, one, 1)).unwrap_err().to_string();
    let expected = "weight `a.w` needs 28 bytes of `m/data/weights/weight_0`, which has 24";
    assert_eq!(error, expected);
    let huge = r#"[{"as_int": 9223372036854775807}]"#;
    assert_eq!(with_weight(&meta(huge, huge, i64::MAX)).unwrap_err().kind(), "short-weight");
    for bad in [
        meta(r#"[{"as_int": -6}]"#, one, 0),
        meta(six, "[]", 0),
        meta(r#"[{"as_expr": {"expr_str": "Symbol('s0')"}}]"#, one, 0),
        meta(six, one, 0).replace("weight_0", "weight_1"),
        meta(six, one, 0).replace("weight_0", "../weights/weight_0"),
        meta(six, one, 0).replace(r#""layout": 7"#, r#""layout": 1"#),
        r#"{"path_name": "w", "is_param": true, "use_pickle": true}"#.into(),
        r#"{"path_name": "w", "is_param": true, "use_pickle": false}"#.into(),
    ] {
        let error = with_weight(&bad).unwrap_err();
        assert_eq!(error.kind(), "bad-weight", "{error}");
    }
    let missing = ImportError::MissingWeight { fqn: "a.w".into() };
    assert_eq!(read_error(PROGRAM), missing);
    let tensor = r#""tensor_values": {"w": {"dtype": 7, "sizes": [{"as_int": 5}],
        "requires_grad": false, "device": {"type": "cpu"}, "strides": [{"as_int": 1}],
        "storage_offset": {"as_int": 0}, "layout": 7}}"#;
    let mut parts = archive(&PROGRAM.replace(r#""tensor_values": {}"#, tensor));
    let config = format!(r#"{{"config": {{"a.w": {}}}}}"#, meta(six, one, 0));
    parts[1] = Part::stored("m/data/weights/model_weights_config.json", config);
    parts.push(Part::stored("m/data/weights/weight_0", [0; 24]));
    let error = import::read(&zip(&parts)).unwrap_err().to_string();
    assert!(error.contains("sizes [6] are not those of the graph"), "{error}");
}

#[test]
fn objects_count_only_where_they_are_used() {
    let mut parts = archive(&program_without_weight());
    let config = r#"{"config": {"obj": {"path_name": "custom_obj_0", "is_param": false,
        "use_pickle": true, "tensor_meta": null}}}"#;
    parts[2] = Part::stored("m/data/constants/model_constants_config.json", config);
    let bytes = zip(&parts);
    let archive = import::read(&bytes).unwrap();
    let error = archive.weights.get("obj").unwrap_err().to_string();
    assert_eq!(error, "weight `obj`: it is an object of a custom class");
}
