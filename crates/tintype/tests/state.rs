//! What a model keeps from run to run is copied out and put back.

use tintype::{
    CompileOptions, TensorFile, compile, read_tensors,
    runtime::{Model, Tensor},
    write_tensors, writes,
};

use crate::support::{has_compiler, root};

fn model(name: &str) -> std::path::PathBuf {
    root().join("tests/models").join(name)
}

/// How often the model has run, as it says itself.
fn calls(outputs: &[Tensor]) -> i64 {
    outputs[1].item::<i64>().unwrap()
}

#[test]
fn state_goes_on_in_another_model() {
    if !has_compiler() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("tiny.pt2");
    compile(&CompileOptions::new(model("tiny_2.15.pt2"), &package), &|_| ()).unwrap();
    let inputs = TensorFile::read(&model("tiny_2.15.io.safetensors")).unwrap().inputs;
    let mut first = Model::load(&package).unwrap();
    let before = calls(&first.run(&inputs).unwrap());
    assert_eq!(calls(&first.run(&inputs).unwrap()), before + 1);

    let file = folder.path().join("state.safetensors");
    write_tensors(&file, first.state().unwrap()).unwrap();
    let mut second = Model::load(&package).unwrap();
    second.set_state(&read_tensors(&file).unwrap()).unwrap();
    assert_eq!(calls(&second.run(&inputs).unwrap()), before + 2);
    // One set for each.
    assert_eq!(calls(&first.run(&inputs).unwrap()), before + 2);

    let state = second.state().unwrap();
    assert_eq!(state.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), ["calls"]);
    let named = |name: &str, tensor: Tensor| vec![(name.to_owned(), tensor)];
    let error = |state: Vec<(String, Tensor)>, second: &mut Model| {
        second.set_state(&state).unwrap_err().to_string()
    };
    assert_eq!(
        error(named("others", state[0].1.clone()), &mut second),
        "the model keeps no `others`"
    );
    assert_eq!(error(Vec::new(), &mut second), "`calls` is missing");
    let wrong = error(named("calls", Tensor::scalar(1.0f32)), &mut second);
    assert_eq!(wrong, "`calls` is int64[], not float32[]");
    assert_eq!(calls(&second.run(&inputs).unwrap()), before + 3);
}

#[test]
fn writes_are_counted() {
    let found = writes(&model("tiny_2.15.pt2")).unwrap();
    let found: Vec<String> =
        found.iter().map(|it| format!("{}: {} of {}", it.name, it.written, it.whole)).collect();
    assert_eq!(found, ["calls: 8 of 8"]);
}
