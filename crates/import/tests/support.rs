//! A writer of zips that writes what it is told, and the smallest archive that reads.

use std::path::PathBuf;

/// The bytes of a file in `tests/models`.
pub(crate) fn model(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/models");
    std::fs::read(folder.join(name)).unwrap()
}

/// A member as its headers describe it, which need not be what it is.
#[derive(Clone, Default)]
pub(crate) struct Part {
    pub(crate) name: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    /// The inflated size, if it is not the data's.
    pub(crate) size: Option<u32>,
    /// The offset of the local header, if it is not where it is.
    pub(crate) header: Option<u32>,
}

impl Part {
    pub(crate) fn stored(name: &str, data: impl AsRef<[u8]>) -> Part {
        Part { name: name.into(), data: data.as_ref().into(), ..Part::default() }
    }

    pub(crate) fn deflated(name: &str, data: &[u8]) -> Part {
        let mut packed = Vec::new();
        let level = flate2::Compression::default();
        let mut encoder = flate2::read::DeflateEncoder::new(data, level);
        std::io::Read::read_to_end(&mut encoder, &mut packed).unwrap();
        let size = Some(data.len().try_into().unwrap());
        Part { name: name.into(), data: packed, method: 8, size, ..Part::default() }
    }
}

/// Writes the parts as a zip.
pub(crate) fn zip(parts: &[Part]) -> Vec<u8> {
    write(parts, false)
}

/// Writes the parts as a zip whose directory says every number in 64 bits.
pub(crate) fn zip64(parts: &[Part]) -> Vec<u8> {
    write(parts, true)
}

fn write(parts: &[Part], wide: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut central = Vec::new();
    for part in parts {
        let header = part.header.unwrap_or_else(|| u32::try_from(file.len()).unwrap());
        let packed = u32::try_from(part.data.len()).unwrap();
        let name_len = u16::try_from(part.name.len()).unwrap();
        let mut common = Vec::new();
        for field in [20, part.flags, part.method, 0, 0] {
            common.extend(u16::to_le_bytes(field));
        }
        for field in [0, packed, part.size.unwrap_or(packed)] {
            common.extend(u32::to_le_bytes(field));
        }
        common.extend(name_len.to_le_bytes());
        common.extend([0, 0]);
        if part.header.is_none() {
            file.extend(0x0403_4b50_u32.to_le_bytes());
            file.extend(&common);
            file.extend(&part.name);
            file.extend(&part.data);
        }
        central.extend(0x0201_4b50_u32.to_le_bytes());
        central.extend([20, 0]);
        if wide {
            central.extend(&common[..14]);
            central.extend([0xff; 8]);
            central.extend(name_len.to_le_bytes());
            // Another field first, then that of zip64 with its three numbers.
            central.extend([5 + 28, 0]);
            central.extend([0; 10]);
            central.extend([0xff; 4]);
            central.extend(&part.name);
            central.extend([9, 0, 1, 0, 0, 1, 0, 24, 0]);
            for number in [part.size.unwrap_or(packed), packed, header] {
                central.extend(u64::from(number).to_le_bytes());
            }
            continue;
        }
        central.extend(&common);
        central.extend([0; 10]);
        central.extend(header.to_le_bytes());
        central.extend(&part.name);
    }
    let offset = u32::try_from(file.len()).unwrap();
    let count = u16::try_from(parts.len()).unwrap();
    file.extend(&central);
    if wide {
        let end = file.len() as u64;
        file.extend(0x0606_4b50_u32.to_le_bytes());
        file.extend(44_u64.to_le_bytes());
        file.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [count.into(), count.into(), central.len() as u64, offset.into()] {
            file.extend(number.to_le_bytes());
        }
        file.extend(0x0706_4b50_u32.to_le_bytes());
        file.extend([0; 4]);
        file.extend(end.to_le_bytes());
        file.extend([1, 0, 0, 0]);
        file.extend(0x0605_4b50_u32.to_le_bytes());
        file.extend([0; 4]);
        file.extend([0xff; 12]);
        file.extend([0; 2]);
        return file;
    }
    file.extend(0x0605_4b50_u32.to_le_bytes());
    file.extend([0; 4]);
    file.extend(count.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(u32::try_from(central.len()).unwrap().to_le_bytes());
    file.extend(offset.to_le_bytes());
    file.extend([0; 2]);
    file
}

/// The members of an archive around a program.
pub(crate) fn archive(program: &str) -> Vec<Part> {
    vec![
        Part::stored("m/models/model.json", program),
        Part::stored("m/data/weights/model_weights_config.json", r#"{"config": {}}"#),
        Part::stored("m/data/constants/model_constants_config.json", r#"{"config": {}}"#),
        Part::stored("m/archive_format", "pt2"),
    ]
}

/// A program of one node; the marks stand where tests put something else.
pub(crate) const PROGRAM: &str = r#"{
  "graph_module": {
    "graph": {
      "inputs": [{"as_tensor": {"name": "w"}}],
      "outputs": [{"as_tensor": {"name": "y"}}],
      "nodes": [{"target": "torch.ops.aten.relu.default",
        "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "w"}}, "kind": 1}],
        "outputs": [{"as_tensor": {"name": "y"}}],
        "metadata": {"stack_trace": "", "other": "dropped"}}],
      "tensor_values": {},
      "sym_int_values": {},
      "sym_bool_values": {}
    },
    "signature": {
      "input_specs": [{"parameter": {"arg": {"name": "w"}, "parameter_name": "a.w"}}],
      "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": "y"}}}}]
    },
    "module_call_graph": []
  },
  "opset_version": {"aten": 10},
  "range_constraints": {},
  "schema_version": {"major": 8, "minor": 2}
}"#;

/// The same without its weight.
pub(crate) fn program_without_weight() -> String {
    let with = r#"{"parameter": {"arg": {"name": "w"}, "parameter_name": "a.w"}}"#;
    let without = r#"{"user_input": {"arg": {"as_tensor": {"name": "w"}}}}"#;
    assert!(PROGRAM.contains(with));
    PROGRAM.replace(with, without)
}

/// An archive whose example inputs are a pickle.
pub(crate) fn with_samples(pickle: &[u8]) -> Vec<u8> {
    let inner = [
        Part::stored("archive/data.pkl", pickle),
        Part::stored("archive/data/0", [0; 24]),
        Part::stored("archive/byteorder", "little"),
    ];
    let mut parts = archive(&program_without_weight());
    parts.push(Part::stored("m/data/sample_inputs/model.pt", zip(&inner)));
    zip(&parts)
}
