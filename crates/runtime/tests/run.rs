//! Models written by hand are built, loaded and run without PyTorch.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of any")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{build, constants, folder, source};
use tintype_runtime::{DType, Error, LoadOptions, Model, Tensor};

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().unwrap()
}

fn message(res: Result<Vec<Tensor>, Error>) -> String {
    match res {
        Err(Error::Run { message }) => message,
        other => panic!("{other:?}"),
    }
}

/// `add.cpp` as a library file.
fn load_add(path: &Path) -> Option<Model> {
    let library = build(&source("add.cpp"))?;
    package::write_library(path, &library.bytes, &package::Blob::default()).unwrap();
    Some(Model::load(path).unwrap())
}

#[test]
fn a_sum() {
    let (_dir, path) = folder();
    let Some(model) = load_add(&path("add.so")) else { return };
    let a = Tensor::from_vec(&[2, 3], vec![1f32, 2., 3., 4., 5., 6.]).unwrap();
    let b = Tensor::from_vec(&[2, 3], vec![10f32; 6]).unwrap();
    let outputs = model.run(&[a.clone(), b]).unwrap();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].shape(), [2, 3]);
    assert_eq!(outputs[0].strides(), [3, 1]);
    assert_eq!(floats(&outputs[0]), [11., 12., 13., 14., 15., 16.]);
    assert_eq!(floats(&a), [1., 2., 3., 4., 5., 6.]);
}

#[test]
fn what_the_model_is() {
    let (_dir, path) = folder();
    let Some(model) = load_add(&path("add.so")) else { return };
    let names: Vec<&str> = model.inputs().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(model.inputs()[0].dims, ["B", "3"]);
    assert_eq!(model.outputs()[0].dtype, Some(DType::F32));
    assert_eq!((model.symbols()[0].min, model.symbols()[0].max), (2, Some(1024)));
}

#[test]
fn inputs_that_do_not_fit_are_named() {
    let (_dir, path) = folder();
    let Some(model) = load_add(&path("add.so")) else { return };
    let zeros = |dtype, shape: &[usize]| Tensor::zeros(dtype, shape).unwrap();
    let good = zeros(DType::F32, &[4, 3]);
    let fail = |a: &Tensor, b: &Tensor| message(model.run(&[a.clone(), b.clone()]));
    let wide = zeros(DType::F32, &[1025, 3]);
    assert_eq!(
        fail(&wide, &wide),
        "input 'a' (input 0): dimension 0 is 1025, expected B in [2, 1024]"
    );
    assert_eq!(
        fail(&good, &zeros(DType::F32, &[5, 3])),
        "input 'b' (input 1): dimension 0 is 5, expected 4 = B"
    );
    assert_eq!(
        fail(&good, &zeros(DType::F32, &[4, 2])),
        "input 'b' (input 1): dimension 1 is 2, expected 3"
    );
    assert_eq!(
        fail(&zeros(DType::F64, &[4, 3]), &good),
        "input 'a' (input 0): dtype is float64, expected float32"
    );
    assert_eq!(
        fail(&good, &zeros(DType::F32, &[4])),
        "input 'b' (input 1): has 1 dimension, expected 2"
    );
    let transposed = zeros(DType::F32, &[3, 4]).as_strided(&[4, 3], &[1, 4], 0).unwrap();
    assert_eq!(
        fail(&transposed, &good),
        "input 'a' (input 0): the stride of dimension 0 is 1, expected 3"
    );
    let one = [good.clone()];
    assert_eq!(message(model.run(&one)), "expected inputs vector size to be 2, but got 1");
    // And none of it harms the model.
    assert_eq!(floats(&model.run(&[good.clone(), good]).unwrap()[0]), [0.; 12]);
}

#[test]
fn many_threads_run_one_model() {
    let (_dir, path) = folder();
    let Some(model) = load_add(&path("add.so")) else { return };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let model = &model;
            scope.spawn(move || {
                for round in 0..200usize {
                    let shape = [2 + (round + thread) % 50, 3];
                    let n = shape[0] * 3;
                    let a = Tensor::from_vec(&shape, vec![thread as f32; n]).unwrap();
                    let b = Tensor::from_vec(&shape, vec![round as f32; n]).unwrap();
                    let outputs = model.run(&[a, b]).unwrap();
                    assert_eq!(floats(&outputs[0]), vec![(thread + round) as f32; n]);
                }
            });
        }
    });
}

/// `all.cpp` in each of the ways a model can be on disk.
fn load_all(check: impl Fn(&Model)) {
    let Some(library) = build(&source("all.cpp")) else { return };
    let (_dir, path) = folder();
    package::write_library(&path("all.so"), &library.bytes, &constants()).unwrap();
    check(&Model::load(path("all.so")).unwrap());

    let mut blob = Vec::new();
    constants().write_to(&mut blob).unwrap();
    std::fs::write(path("beside.so"), &library.bytes).unwrap();
    std::fs::write(path("beside_weights.blob"), &blob).unwrap();
    check(&Model::load(path("beside.so")).unwrap());

    let model = package::Model { blob: constants(), ..package::Model::new(&library.bytes) };
    package::write_package(&path("all.pt2"), &model).unwrap();
    check(&Model::load(path("all.pt2")).unwrap());
}

#[test]
fn everything_a_model_may_do() {
    load_all(|model| {
        let x = Tensor::from_vec(&[2, 4], (1..9).map(|it| it as f32).collect()).unwrap();
        let index = Tensor::from_vec(&[3], vec![3i64, 0, 2]).unwrap();
        let sum = Tensor::from_vec(&[4], vec![0f32; 4]).unwrap();
        let mut inputs = [x, index, sum];
        assert!(message(model.run(&inputs)).contains("writes its input 'sum'"));

        let before = inputs[2].clone();
        let out = model.run_mut(&mut inputs).unwrap();
        let scaled = [1., 4., 9., 16., 5., 12., 21., 32.];
        assert_eq!(floats(&out[0]), scaled);
        assert_eq!((out[1].shape(), out[1].strides()), (&[4, 2][..], &[1, 4][..]));
        assert_eq!(floats(&out[1]), [1., 5., 4., 12., 9., 21., 16., 32.]);
        assert_eq!(floats(&out[2]), (1..9).map(|it| it as f32).collect::<Vec<_>>());
        assert_eq!(floats(&out[3]), [5., 6., 7., 8.]);
        assert_eq!(floats(&out[4]), [1., 2., 3., 4.]);
        assert_eq!(out[5].item::<i64>().unwrap(), 1);
        assert_eq!(out[6].shape(), [0]);
        assert_eq!(floats(&out[7]), scaled);
        assert_eq!(floats(&out[8]), [4., 1., 3.]);
        assert_eq!(floats(&out[9]), [2., 4., 6., 8.]);
        assert_eq!(floats(&out[10]), [0.; 4]);
        assert_eq!(out[11].item::<f64>().unwrap(), 0.5);
        assert!(out[12].item::<bool>().unwrap());
        assert_eq!(floats(&out[13]), [3., 4.]);

        // The input was written, but not what shared its memory.
        assert_eq!(floats(&inputs[2]), [1.; 4]);
        assert_eq!(floats(&before), [0.; 4]);
        // State is kept.
        assert_eq!(model.run_mut(&mut inputs).unwrap()[5].item::<i64>().unwrap(), 2);
        assert_eq!(floats(&inputs[2]), [2.; 4]);
    });
}

#[test]
fn outputs_outlive_the_model() {
    let Some(library) = build(&source("all.cpp")) else { return };
    let (_dir, path) = folder();
    package::write_library(&path("all.so"), &library.bytes, &constants()).unwrap();
    let model = Model::load(path("all.so")).unwrap();
    let x = Tensor::from_vec(&[1, 4], vec![1f32; 4]).unwrap();
    let index = Tensor::zeros(DType::I64, &[0]).unwrap();
    let sum = Tensor::zeros(DType::F32, &[4]).unwrap();
    let out = model.run_mut(&mut [x, index, sum]).unwrap();
    drop(model);
    assert_eq!(floats(&out[0]), [1., 2., 3., 4.]);
    assert_eq!(floats(&out[4]), [1., 2., 3., 4.]);
    assert!(floats(&out[8]).is_empty());
}

#[test]
fn strided_inputs_and_faults() {
    load_all(|model| {
        let base = Tensor::from_vec(&[4, 3], (0..12).map(|it| it as f32).collect()).unwrap();
        let x = base.as_strided(&[3, 4], &[1, 3], 0).unwrap();
        let index = Tensor::from_vec(&[6], vec![0i64, 9, 1, 9, 2, 9]).unwrap();
        let even = index.as_strided(&[3], &[2], 0).unwrap();
        let sum = Tensor::zeros(DType::F32, &[4]).unwrap();
        let out = model.run_mut(&mut [x.clone(), even, sum.clone()]).unwrap();
        assert_eq!(floats(&out[0])[..4], [0., 6., 18., 36.]);
        assert_eq!(out[2].strides(), [1, 3]);
        assert_eq!(floats(&out[8]), [1., 2., 3.]);

        let run = |x: &Tensor, index: &Tensor| {
            message(model.run_mut(&mut [x.clone(), index.clone(), sum.clone()]))
        };
        assert_eq!(
            run(&x, &index),
            "index of picked: 9 is out of range, expected a value in [0, 4)"
        );
        let infinite = Tensor::from_vec(&[1, 4], vec![0., f32::INFINITY, 0., 0.]).unwrap();
        assert_eq!(
            run(&infinite, &index),
            "'scratch' holds an infinity at element 1, after scale, all.cpp:79"
        );
    });
}

#[test]
fn options() {
    let Some(library) = build(&source("add.cpp")) else { return };
    let (_dir, path) = folder();
    let mut model = package::Model::new(&library.bytes);
    model.name = "sum".to_string();
    package::write_package(&path("add.pt2"), &model).unwrap();
    let load = |name: Option<&str>| {
        let model = name.map(str::to_string);
        let options = LoadOptions { model, concurrency: 1, num_threads: Some(1) };
        Model::load_with(path("add.pt2"), &options)
    };
    let ones = Tensor::from_vec(&[2, 3], vec![1f32; 6]).unwrap();
    for name in [None, Some("sum")] {
        let outputs = load(name).unwrap().run(&[ones.clone(), ones.clone()]).unwrap();
        assert_eq!(floats(&outputs[0]), [2.; 6]);
    }
    let error = load(Some("other")).unwrap_err().to_string();
    assert!(error.contains("(models: sum)"), "{error}");
}

#[test]
fn two_models_at_once_are_two_models() {
    let (Some(add), Some(all)) = (build(&source("add.cpp")), build(&source("all.cpp"))) else {
        return;
    };
    let (_dir, path) = folder();
    package::write_package(&path("add.pt2"), &package::Model::new(&add.bytes)).unwrap();
    let model = package::Model { blob: constants(), ..package::Model::new(&all.bytes) };
    package::write_package(&path("all.pt2"), &model).unwrap();
    let [first, second, third] =
        ["add.pt2", "all.pt2", "all.pt2"].map(|it| Model::load(path(it)).unwrap());
    assert_eq!([first.inputs().len(), second.inputs().len(), third.inputs().len()], [2, 3, 3]);
    // A descriptor's number that was freed names the next library.
    drop(first);
    let fourth = Model::load(path("add.pt2")).unwrap();
    assert_eq!(fourth.inputs().len(), 2);
    // State is each model's own.
    let x = Tensor::from_vec(&[1, 4], vec![1f32; 4]).unwrap();
    let index = Tensor::zeros(DType::I64, &[0]).unwrap();
    let sum = Tensor::zeros(DType::F32, &[4]).unwrap();
    let mut inputs = [x, index, sum];
    for (model, calls) in [(&second, 1), (&second, 2), (&third, 1)] {
        assert_eq!(model.run_mut(&mut inputs).unwrap()[5].item::<i64>().unwrap(), calls);
    }
}

/// AOTInductor's entry points, as of PyTorch 2.15.
const ENTRY_POINTS: &str = "
    AOTInductorGetLastError AOTInductorModelContainerCreate
    AOTInductorModelContainerCreateWithDevice
    AOTInductorModelContainerCreateWithExternalConstants AOTInductorModelContainerDelete
    AOTInductorModelContainerDidCallLoadConstants AOTInductorModelContainerExtractConstantsMap
    AOTInductorModelContainerExtractConstantsMapEntries
    AOTInductorModelContainerFreeInactiveConstantBuffer AOTInductorModelContainerGetCallSpec
    AOTInductorModelContainerGetConstantDataSize AOTInductorModelContainerGetConstantDtype
    AOTInductorModelContainerGetConstantFromFolded AOTInductorModelContainerGetConstantName
    AOTInductorModelContainerGetConstantOriginalFQN AOTInductorModelContainerGetConstantType
    AOTInductorModelContainerGetConstantsBlobSize AOTInductorModelContainerGetInputName
    AOTInductorModelContainerGetNumConstants AOTInductorModelContainerGetNumInputs
    AOTInductorModelContainerGetNumOutputs AOTInductorModelContainerGetOutputName
    AOTInductorModelContainerGetStreamAffinityModelIndexForTesting
    AOTInductorModelContainerRun AOTInductorModelContainerRunConstantFolding
    AOTInductorModelContainerRunSingleThreaded AOTInductorModelContainerSetUseStreamAffinity
    AOTInductorModelContainerSwapConstantBuffer AOTInductorModelContainerUpdateConstantBuffer
    AOTInductorModelContainerUpdateConstantBufferFromCpu
    AOTInductorModelContainerUpdateConstantBufferFromCpuPairs
    AOTInductorModelContainerUpdateConstantBufferPairs
    AOTInductorModelContainerUpdateInactiveConstantBuffer
    AOTInductorModelContainerUpdateInactiveConstantBufferPairs
    AOTInductorModelContainerUpdateUserManagedConstantBuffer
    AOTInductorModelContainerUpdateUserManagedConstantBufferPairs AOTInductorModelCreate
    AOTInductorModelCreateV2 AOTInductorModelDelete AOTInductorModelGetNumOutputs
    AOTInductorModelRun AOTInductorModelRunMinimalArrayrefInterfaceV2
    AOTInductorModelUpdateConstantsFromBlob AOTInductorModelUpdateConstantsMap
    AOTInductorModelUpdateConstantsMapV2 AOTInductorSetPinnedAsyncConstantsCopyCpuThreads
    AOTInductorSetPinnedAsyncConstantsCopyStageBufferBytes
    AOTInductorSetUsePinnedAsyncConstantsCopy";

#[test]
fn every_entry_point_is_exported_and_little_else() {
    let Some(library) = build(&source("add.cpp")) else { return };
    let (_dir, path) = folder();
    std::fs::write(path("add.so"), &library.bytes).unwrap();
    let nm = Command::new("nm").args(["-D", "--defined-only"]).arg(path("add.so")).output();
    let Ok(nm) = nm else { return };
    let text = String::from_utf8_lossy(&nm.stdout).into_owned();
    let mut exported: Vec<&str> = text.lines().filter_map(|it| it.split(' ').next_back()).collect();
    let mut expected: Vec<&str> = ENTRY_POINTS.split_whitespace().collect();
    assert_eq!(expected.len(), 48);
    expected.extend(["tintype_get_model", "tintype_set_shim"]);
    exported.sort_unstable();
    expected.sort_unstable();
    assert_eq!(exported, expected);
}
