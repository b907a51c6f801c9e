//! A model to run, wherever it comes from: archives are compiled first.

use std::path::{Path, PathBuf};

use tintype::{
    CompileOptions, Diag, Failure, FileKind, Sizes, TargetCpu, TensorFile, codes, compile,
    runtime::{LoadOptions, Model, Tensor},
    sample_inputs, sanitizing_pipeline, seeded,
};

use super::{Style, progress::Progress};

/// What is run and on what.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// A model (an archive of torch.export.save), a package, or a model library.
    pub(crate) model: PathBuf,
    /// Tensors `input_0`, `input_1`, … in the order of the model's inputs. Without it: the example
    /// inputs that the archive carries, or inputs made from --seed.
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// What inputs are made from where there are none.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The size of a symbol in inputs that are made, as `s0=8`.
    #[arg(long = "size", value_name = "NAME=N", value_parser = size)]
    pub(crate) sizes: Vec<(String, i64)>,
    /// How many threads a run computes with; as many as there are processors without.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// The CPU to compile an archive for.
    #[arg(long, value_name = "NAME", default_value = "native", value_parser = super::target_cpu)]
    pub(crate) target_cpu: TargetCpu,
    /// Compile an archive so that the run checks its memory: guards around every tensor, NaN in
    /// what nobody needs. Slow.
    #[arg(long)]
    pub(crate) sanitize_memory: bool,
}

pub(crate) fn size(text: &str) -> Result<(String, i64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=N")?;
    Ok((name.to_owned(), value.parse().map_err(|_| format!("`{value}` is no number"))?))
}

/// A file that can be loaded.
pub(crate) struct Prepared {
    path: PathBuf,
    threads: Option<usize>,
    /// Where the file is, if it was compiled for this run alone.
    _folder: Option<tempfile::TempDir>,
}

impl Prepared {
    pub(crate) fn load(&self) -> Result<Model, Failure> {
        let options = LoadOptions { num_threads: self.threads, ..LoadOptions::default() };
        Ok(Model::load_with(&self.path, &options)?)
    }
}

/// Where inputs came from.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Origin {
    /// The user's file.
    File,
    /// The archive.
    Archive,
    /// The seed.
    Seed,
}

/// Inputs, and the outputs that the user's file has beside them.
pub(crate) struct Given {
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) outputs: Vec<(usize, Tensor)>,
    pub(crate) origin: Origin,
}

impl Source {
    /// The model's file; compiled, if it is an archive.
    pub(crate) fn prepare(&self, style: Style) -> Result<Prepared, Failure> {
        let (path, folder) = match FileKind::of(&self.model)? {
            FileKind::Package | FileKind::Library => (self.model.clone(), None),
            FileKind::Archive => {
                let folder = tempfile::Builder::new()
                    .prefix("tintype-run-")
                    .tempdir()
                    .map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
                (self.compile(folder.path(), style)?, Some(folder))
            }
        };
        Ok(Prepared { path, threads: self.threads, _folder: folder })
    }

    fn compile(&self, folder: &Path, style: Style) -> Result<PathBuf, Failure> {
        let path = folder.join("model.pt2");
        let progress = Progress::new(style);
        let options = CompileOptions {
            target_cpu: self.target_cpu.clone(),
            pipeline: self.sanitize_memory.then(sanitizing_pipeline),
            ..CompileOptions::new(&self.model, &path)
        };
        compile(&options, &|stage| progress.stage(stage))?;
        Ok(path)
    }

    /// The inputs in the user's file, or else those the archive carries.
    pub(crate) fn given(&self) -> Result<Option<Given>, Failure> {
        if let Some(path) = &self.inputs {
            let TensorFile { inputs, outputs } = TensorFile::read(path)?;
            return Ok(Some(Given { inputs, outputs, origin: Origin::File }));
        }
        // A size that was chosen is not that of the example.
        if !self.sizes.is_empty() || FileKind::of(&self.model)? != FileKind::Archive {
            return Ok(None);
        }
        let samples = sample_inputs(&self.model)?;
        Ok(samples.map(|inputs| Given { inputs, outputs: Vec::new(), origin: Origin::Archive }))
    }

    /// Inputs for a model, made if there are none.
    pub(crate) fn inputs_for(&self, model: &Model) -> Result<Given, Failure> {
        let (given, wanted) = (self.given()?, model.inputs().len());
        let given = match given {
            Some(it) if it.origin == Origin::Archive && it.inputs.len() != wanted => None,
            it => it,
        };
        let Some(given) = given else {
            let sizes: Sizes = self.sizes.iter().cloned().collect();
            let inputs = seeded(model, self.seed, &sizes)?;
            return Ok(Given { inputs, outputs: Vec::new(), origin: Origin::Seed });
        };
        if given.inputs.len() != wanted {
            let names: Vec<&str> = model.inputs().iter().map(|it| it.name.as_str()).collect();
            let message =
                format!("the model takes {wanted} inputs, the file has {}", given.inputs.len());
            let note = format!("the inputs are: {}", names.join(", "));
            return Err(Diag::error(&codes::INPUT, message).note(note).into());
        }
        Ok(given)
    }
}
