//! Checks of inputs: what a library says when it is called with what was not exported.

use tintype::{
    CompileOptions, compile,
    runtime::{DType, Model, Tensor},
};

use crate::support::has_compiler;

/// A size that is a multiple and one more, a relation of two inputs, a static size, an input that
/// is written.
const PROGRAM: &str = r#"func @main {
  symbol s0 in 2..64
  symbol s1 in 1..
  %0 = param user "x" : f32[2*s0 + 1, 8]<8, 1>
  %1 = param user "y" : f32[s1]<1>
  %2 = param user "z" : f32[s0 + s1, s1]<s1, 1>
  %3 = tensor.neg %0 : f32[2*s0 + 1, 8]
  %4 = tensor.neg %2 : f32[s0 + s1, s1]
  %5 = tensor.neg %1 : f32[s1]
  output user "a" %3 : f32[2*s0 + 1, 8]<8, 1>
  output user "b" %5 : f32[s1]<1>
  output mutates(2) "z" %4 : f32[s0 + s1, s1]<s1, 1>
}
"#;

fn model(unchecked: bool) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("checked.ir");
    std::fs::write(&source, PROGRAM).unwrap();
    let package = folder.path().join("checked.pt2");
    let options = CompileOptions { unchecked, ..CompileOptions::new(&source, &package) };
    compile(&options, &|_| ()).unwrap_or_else(|it| panic!("{it}"));
    Model::load(&package).unwrap()
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(DType::F32, shape).unwrap()
}

#[test]
fn a_message_says_what_was_expected_and_what_came() {
    if !has_compiler() {
        return;
    }
    let model = model(false);
    let good = || vec![zeros(&[9, 8]), zeros(&[3]), zeros(&[7, 3])];
    model.run_mut(&mut good()).unwrap();
    let check = |at: usize, tensor: Tensor, message: &str| {
        let mut inputs = good();
        inputs[at] = tensor;
        let error = model.run_mut(&mut inputs).unwrap_err().to_string();
        assert!(error.contains(message), "{error}\nwithout: {message}");
    };
    let f64s = Tensor::zeros(DType::F64, &[9, 8]).unwrap();
    check(0, f64s, "input 'x' (input 0): dtype is float64, expected float32");
    check(1, zeros(&[3, 1]), "input 'y' (input 1): has 2 dimensions, expected 1");
    check(0, zeros(&[9, 7]), "input 'x' (input 0): dimension 1 is 7, expected 8");
    check(
        0,
        zeros(&[8, 8]),
        "input 'x' (input 0): dimension 0 is 8, expected 2*s0 + 1, 1 and a multiple of 2",
    );
    check(
        0,
        zeros(&[131, 8]),
        "input 'x' (input 0): dimension 0 is 131, expected 2*s0 + 1 in [5, 129]",
    );
    check(1, zeros(&[0]), "input 'y' (input 1): dimension 0 is 0, expected s1 >= 1");
    check(
        2,
        zeros(&[8, 3]),
        "input 'z' (input 2): dimension 0 is 8, expected 7 = s0 + s1 \
         (s0 is dimension 0 of 'x', s1 is dimension 0 of 'y')",
    );
    check(
        2,
        zeros(&[7, 2]),
        "input 'z' (input 2): dimension 1 is 2, expected 3 = s1 (s1 is dimension 0 of 'y')",
    );
    let across = Tensor::with_strides(DType::F32, &[7, 3], &[1, 7]).unwrap();
    check(2, across, "input 'z' (input 2): the stride of dimension 0 is 1, expected 3 = s1");
}

#[test]
fn unchecked_libraries_define_sizes_all_the_same() {
    if !has_compiler() {
        return;
    }
    let model = model(true);
    let ones = Tensor::from_vec(&[9, 8], vec![1f32; 72]).unwrap();
    let found = model.run_mut(&mut [ones, zeros(&[3]), zeros(&[7, 3])]).unwrap();
    assert_eq!(found[0].shape(), [9, 8]);
    assert_eq!(found[0].to_vec::<f32>().unwrap(), vec![-1f32; 72]);
    // Out of every range; nobody asks.
    let found = model.run_mut(&mut [zeros(&[203, 8]), zeros(&[1]), zeros(&[102, 1])]).unwrap();
    assert_eq!(found[0].shape(), [203, 8]);
}
