//! Export archives, 2.6 to today, to aten.
//!
//! [`read`] takes the bytes of a `.pt2` file and gives the program as its schema says it, and its
//! weights as views of those bytes. It reads both layouts that `torch.export.save` has had, runs no
//! pickle, and fails with an error that says where.
//!
//! **Architecture invariant:** an archive is hostile. No input makes this crate panic, recurse
//! without bound, or use more time and memory than a fixed multiple of the input's size; the tests
//! damage real archives to hold it to that. Indexing is denied for that reason.
//!
//! **Architecture invariant:** weights are never copied. A stored member is a range of the
//! caller's map; only a deflated one is a buffer.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod archive;
mod bytes;
mod error;
mod guards;
mod json;
mod pickle;
mod restrict;
mod samples;
pub mod schema;
mod stack;
mod storage;
mod to_aten;
mod tokens;
mod torch_file;
mod weights;

pub use archive::{Mapped, Zip};
pub use bytes::Bytes;
pub use error::{ImportError, MemberFault};
pub use restrict::restrict;
pub use samples::{Sample, SampleInputs};
pub use schema::{ExportedProgram, ScalarType};
pub use stack::{Frame, frames, innermost_user_frame};
pub use storage::{Storage, StorageId, Storages, WeightRef};
pub use to_aten::{Imported, OriginInfo, to_aten};
pub use weights::Weights;

use serde::Deserialize;

/// The major version of the schema that is read; every minor one is.
pub const SCHEMA_MAJOR: i64 = 8;

/// An archive that has been read.
#[derive(Clone, Debug)]
pub struct Archive<'a> {
    /// The program.
    pub program: ExportedProgram,
    /// Its stored tensors. Every one that the program takes is there.
    pub weights: Weights<'a>,
    /// The model's name in the archive; `model` unless someone chose another.
    pub model: String,
    zip: Zip<'a>,
    samples: String,
}

/// Where the parts of a program are.
struct Layout {
    /// The folder that everything is in, with a slash; empty in 2.6 and 2.7.
    root: String,
    model: String,
    program: String,
    samples: String,
    flat: bool,
}

/// Reads an archive; `bytes` are the whole file.
pub fn read(bytes: &[u8]) -> Result<Archive<'_>, ImportError> {
    let zip = Zip::open(Bytes::mapped(bytes), "")?;
    let Layout { root, model, program, samples, flat } = Layout::find(&zip)?;
    let order = format!("{root}byteorder");
    if zip.contains(&order) && &*zip.read(&order)? != b"little" {
        return Err(ImportError::member(order, MemberFault::BigEndian));
    }
    let program = read_program(&program, &zip.read(&program)?)?;
    let weights =
        if flat { Weights::read_flat(&zip)? } else { Weights::read(&zip, &root, &model)? };
    weights.check(&program)?;
    Ok(Archive { program, weights, model, zip, samples })
}

impl<'a> Archive<'a> {
    /// The example inputs, flat; none where the export kept none. They are read when asked for:
    /// they may hold what is not read, and nothing but a trial run needs them.
    pub fn sample_inputs(&self) -> Result<Option<SampleInputs<'a>>, ImportError> {
        SampleInputs::read(&self.zip, &self.samples)
    }

    /// The archive's members, for what else is in it.
    pub fn zip(&self) -> &Zip<'a> {
        &self.zip
    }
}

impl Layout {
    fn find(zip: &Zip<'_>) -> Result<Layout, ImportError> {
        const FLAT: &str = "serialized_exported_program.json";
        if zip.contains(FLAT) {
            return Ok(Layout {
                root: String::new(),
                model: "model".into(),
                program: FLAT.into(),
                samples: "serialized_example_inputs.pt".into(),
                flat: true,
            });
        }
        let root = zip.root().to_owned();
        let format = format!("{root}archive_format");
        if root.is_empty() || !zip.contains(&format) {
            let reason = format!("it has neither `{FLAT}` nor `<folder>/archive_format`");
            return Err(ImportError::NotAnExport { reason });
        }
        if &*zip.read(&format)? != b"pt2" {
            return Err(ImportError::NotAnExport { reason: format!("`{format}` is not `pt2`") });
        }
        let model = choose_model(zip, &root)?.to_owned();
        Ok(Layout {
            program: format!("{root}models/{model}.json"),
            samples: format!("{root}data/sample_inputs/{model}.pt"),
            root,
            model,
            flat: false,
        })
    }
}

/// The program to read: `model`, or the only one.
fn choose_model<'z>(zip: &'z Zip<'_>, root: &str) -> Result<&'z str, ImportError> {
    let name =
        |member: &'z str| member.strip_prefix(root)?.strip_prefix("models/")?.strip_suffix(".json");
    let mut models = zip.names().filter_map(name);
    let reason = match (models.next(), models.next()) {
        (Some(only), None) => return Ok(only),
        (None, _) => "it holds no program: no member is `models/<name>.json`",
        (Some(_), Some(_)) => match zip.names().filter_map(name).find(|it| *it == "model") {
            Some(model) => return Ok(model),
            None => "it holds several programs, and none is named `model`",
        },
    };
    Err(ImportError::NotAnExport { reason: reason.into() })
}

fn read_program(member: &str, bytes: &[u8]) -> Result<ExportedProgram, ImportError> {
    #[derive(Deserialize)]
    struct Versioned {
        schema_version: schema::SchemaVersion,
    }
    let unknown = |version: schema::SchemaVersion| ImportError::SchemaVersion {
        major: version.major,
        minor: version.minor,
    };
    match json::parse::<ExportedProgram>(member, bytes) {
        Ok(mut program) if program.schema_version.major == SCHEMA_MAJOR => {
            tokens::remove(&mut program);
            Ok(program)
        }
        Ok(program) => Err(unknown(program.schema_version)),
        // Another version is the reason why the rest does not fit.
        Err(error) => match json::parse::<Versioned>(member, bytes) {
            Ok(Versioned { schema_version }) if schema_version.major != SCHEMA_MAJOR => {
                Err(unknown(schema_version))
            }
            _ => Err(error),
        },
    }
}
