//! What `opcases.py` writes beside an archive.

use std::path::Path;

use diag::codes;
use import::{Mapped, Sample, SampleInputs};
use serde_json::Value;
use tintype_runtime::Tensor;

use crate::{Failure, inputs::strided, session::map};

use super::{CaseOutcome, CaseResult};

/// The cases of an archive.
pub(super) struct Index {
    pub(super) cases: Vec<Case>,
}

/// One sample of an operator.
pub(super) struct Case {
    pub(super) label: String,
    pub(super) dtype: String,
    /// Which outputs of the program are its.
    pub(super) outputs: Vec<usize>,
}

impl Index {
    pub(super) fn read(archive: &Path) -> Result<Index, Failure> {
        let path = archive.with_extension("json");
        let text = std::fs::read_to_string(&path).map_err(|it| Failure::io(&path, &it))?;
        let bad = || Failure::new(&codes::USAGE, format!("{} is no index", path.display()));
        let json: Value = serde_json::from_str(&text).map_err(|_| bad())?;
        let cases = json.get("cases").and_then(Value::as_array).ok_or_else(bad)?;
        let cases = cases.iter().map(Case::read).collect::<Option<_>>().ok_or_else(bad)?;
        Ok(Index { cases })
    }

    /// How many outputs the archive's program has.
    pub(super) fn outputs(&self) -> usize {
        self.cases.iter().flat_map(|it| &it.outputs).max().map_or(0, |it| it + 1)
    }
}

impl Case {
    fn read(json: &Value) -> Option<Case> {
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        let outputs = json.get("outputs")?.as_array()?;
        let number = |it: &Value| it.as_u64().and_then(|it| usize::try_from(it).ok());
        Some(Case {
            label: text("label")?,
            dtype: text("dtype")?,
            outputs: outputs.iter().map(number).collect::<Option<_>>()?,
        })
    }

    pub(super) fn ended(&self, outcome: CaseOutcome) -> CaseResult {
        CaseResult { label: self.label.clone(), dtype: self.dtype.clone(), outcome }
    }
}

/// All inputs of an archive, and all outputs that are wanted, with their strides.
pub(super) struct Tensors {
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
}

impl Tensors {
    /// Reads the tensors beside an archive whose program has `outputs` outputs.
    pub(super) fn read(archive: &Path, outputs: usize) -> Result<Tensors, Failure> {
        let path = archive.with_extension("io.pt");
        let file: Mapped = map(&path)?;
        let SampleInputs { leaves, storages } = SampleInputs::of_file(&file)?;
        let bad = || Failure::new(&codes::USAGE, format!("{} holds no tensors", path.display()));
        let mut all = Vec::with_capacity(leaves.len());
        for leaf in &leaves {
            let Sample::Tensor(view) = leaf else { return Err(bad()) };
            let storage = storages.get(view.storage).ok_or_else(bad)?;
            all.push(strided(view, storage.bytes)?);
        }
        let inputs = all.len().checked_sub(outputs).ok_or_else(bad)?;
        let outputs = all.split_off(inputs);
        Ok(Tensors { inputs: all, outputs })
    }
}
