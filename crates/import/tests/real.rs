//! Archives of real PyTorch versions, made by `tests/models/make.py`.

use import::{
    Archive, Sample, ScalarType, WeightRef, innermost_user_frame,
    schema::{Argument, InputSpec, OutputSpec, SymInt},
};

use crate::support::{Part, model, zip};

const VERSIONS: [&str; 4] = ["2.6", "2.8", "2.9", "2.15"];

/// The elements of a tensor in order, as bytes.
fn elements(storage: &[u8], weight: &WeightRef) -> Vec<u8> {
    let width = usize::from(weight.dtype.bytes());
    let mut offsets = vec![usize::try_from(weight.storage_offset).unwrap()];
    for (&size, &stride) in weight.sizes.iter().zip(&weight.strides) {
        let steps = |at: usize| (0..size).map(move |it| at + usize::try_from(it * stride).unwrap());
        offsets = offsets.into_iter().flat_map(steps).collect();
    }
    offsets.iter().flat_map(|at| &storage[at * width..][..width]).copied().collect()
}

fn weight(archive: &Archive<'_>, fqn: &str) -> Vec<u8> {
    let weight = archive.weights.get(fqn).unwrap();
    elements(archive.weights.storage(weight.storage).unwrap().bytes, weight)
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|it| it.to_le_bytes()).collect()
}

#[test]
fn every_version_gives_the_same_program() {
    for version in VERSIONS {
        let bytes = model(&format!("tiny_{version}.pt2"));
        let archive = import::read(&bytes).unwrap();
        let program = &archive.program;
        assert!(program.torch_version.starts_with(version));
        assert_eq!(program.verifiers, ["TRAINING"]);
        assert_eq!(program.opset_version["aten"], 10);
        let graph = &program.graph_module.graph;
        let has = |target: &str| graph.nodes.iter().any(|it| it.target == target);
        assert!(has("torch.ops.aten.add_.Tensor") && has("torch.ops.aten.embedding.default"));
        let (symbol, range) = program.range_constraints.first().unwrap();
        assert_eq!((range.min_val, range.max_val), (Some(2), Some(64)));
        match &graph.tensor_values["x"].sizes[..] {
            [SymInt::Expr(batch), SymInt::Int(8)] => {
                assert!(batch.expr_str.contains(&format!("Symbol('{symbol}'")));
            }
            other => panic!("{other:?}"),
        }
        let signature = &program.graph_module.signature;
        let lasting: Vec<bool> = signature
            .input_specs
            .iter()
            .filter_map(|it| match it {
                InputSpec::Buffer { persistent, .. } => Some(*persistent),
                _ => None,
            })
            .collect();
        assert_eq!(lasting, [true, true, true, true, false]);
        assert!(
            signature
                .output_specs
                .iter()
                .all(|it| matches!(it, OutputSpec::UserOutput { arg: Argument::Tensor(_) }))
        );
        let whole = program.graph_module.module_call_graph[0].signature.as_ref().unwrap();
        assert!(whole.in_spec.starts_with("[1, {") && whole.out_spec.contains("logits"));
        let add = graph.nodes.iter().find(|it| it.target.contains("add_")).unwrap();
        let trace = add.metadata.stack_trace.as_ref().unwrap();
        let frame = innermost_user_frame(trace).unwrap();
        assert!(frame.file.ends_with("make.py"));
        assert_eq!((frame.function, frame.code), ("forward", "self.calls.add_(1)"));
    }
}

#[test]
fn weights_are_views_of_the_file() {
    for version in VERSIONS {
        let bytes = model(&format!("tiny_{version}.pt2"));
        let archive = import::read(&bytes).unwrap();
        let get = |fqn| archive.weights.get(fqn).unwrap();
        // Tied weights, and a view of another buffer.
        assert_eq!(get("embed.weight"), get("head.weight"));
        assert_eq!(get("table").storage, get("window").storage);
        assert_eq!((get("window").storage_offset, &get("window").sizes[..]), (16, &[2, 8][..]));
        assert_eq!(&weight(&archive, "table")[64..128], &weight(&archive, "window")[..]);
        assert_eq!(
            (&get("mix.weight").strides[..], get("mix.weight").is_param),
            (&[1, 8][..], true)
        );
        assert_eq!(get("gain").strides, [1, 0]);
        assert!(!get("gain").is_contiguous() && get("table").is_contiguous());
        assert_eq!(get("low.weight").dtype, ScalarType::BF16);
        assert_eq!((get("calls").dtype, &get("calls").sizes[..]), (ScalarType::I64, &[][..]));
        assert_eq!(weight(&archive, "calls"), [0; 8]);
        // A buffer that is not persistent, and a constant of the code.
        assert_eq!(weight(&archive, "mask"), [1, 0].repeat(8));
        assert_eq!(weight(&archive, "lifted_tensor_0"), floats(&[0.5, -0.5]));
        for storage in archive.weights.storages() {
            let range = storage.bytes.file_range().unwrap();
            assert_eq!(&bytes[range], &**storage.bytes, "{}", storage.member);
        }
    }
    let values = |version: &str, fqn: &str| {
        let bytes = model(&format!("tiny_{version}.pt2"));
        weight(&import::read(&bytes).unwrap(), fqn)
    };
    // The same seed gives the same numbers, whatever the layout.
    for fqn in ["embed.weight", "mix.weight", "table", "gain"] {
        assert_eq!(values("2.6", fqn), values("2.15", fqn), "{fqn}");
        assert_eq!(values("2.6", fqn), values("2.8", fqn), "{fqn}");
    }
}

#[test]
fn sample_inputs_are_those_of_the_export() {
    for name in ["tiny_2.6", "tiny_2.8", "tiny_2.9", "tiny_2.15", "mlp"] {
        let bytes = model(&format!("{name}.pt2"));
        let samples = import::read(&bytes).unwrap().sample_inputs().unwrap().unwrap();
        let saved = model(&format!("{name}.io.safetensors"));
        let saved = safetensors::SafeTensors::deserialize(&saved).unwrap();
        assert_eq!(samples.leaves.len(), if name == "mlp" { 1 } else { 3 });
        for (position, leaf) in samples.leaves.iter().enumerate() {
            let Sample::Tensor(tensor) = leaf else { panic!("{leaf:?}") };
            let expected = saved.tensor(&format!("input_{position}")).unwrap();
            let storage = samples.storages.get(tensor.storage).unwrap();
            assert_eq!(elements(storage.bytes, tensor), expected.data(), "{name} {position}");
        }
    }
}

#[test]
fn an_archive_may_be_zipped_again() {
    for version in VERSIONS {
        let bytes = model(&format!("tiny_{version}.pt2"));
        let archive = import::read(&bytes).unwrap();
        let mut parts = vec![];
        for name in archive.zip().names() {
            parts.push(Part::deflated(name, &archive.zip().read(name).unwrap()));
        }
        // `zip -r` adds the folders.
        if version != "2.6" {
            parts.push(Part::stored("data/", ""));
        }
        let again = zip(&parts);
        let again = import::read(&again).unwrap();
        assert_eq!(again.program, archive.program);
        for (fqn, _) in archive.weights.iter() {
            assert_eq!(weight(&again, fqn), weight(&archive, fqn));
        }
        assert!(again.weights.storages().all(|it| it.bytes.file_range().is_none()));
        assert_eq!(again.sample_inputs().unwrap().unwrap().leaves.len(), 3);
    }
}
