//! What `opcases.py` writes beside an archive.

use std::{collections::BTreeMap, path::Path};

use diag::codes;
use import::{Mapped, Sample, SampleInputs};
use serde_json::Value;
use tintype_runtime::{DType, Tensor};

use crate::{Failure, inputs::strided, session::map, values};

use super::{CaseOutcome, CaseResult};

/// The cases of an archive.
pub(super) struct Index {
    pub(super) cases: Vec<Case>,
    /// How many tensors are stored for what eager is off in.
    exact: usize,
}

/// One sample of an operator.
pub(super) struct Case {
    pub(super) label: String,
    pub(super) dtype: String,
    /// Which outputs of the program are its.
    pub(super) outputs: Vec<usize>,
    /// For some of them, the number of a tensor that is nearer to the truth than eager's.
    exact: BTreeMap<usize, usize>,
}

impl Index {
    pub(super) fn read(archive: &Path) -> Result<Index, Failure> {
        let path = archive.with_extension("json");
        let text = std::fs::read_to_string(&path).map_err(|it| Failure::io(&path, &it))?;
        let bad = || Failure::new(&codes::USAGE, format!("{} is no index", path.display()));
        let json: Value = serde_json::from_str(&text).map_err(|_| bad())?;
        let cases = json.get("cases").and_then(Value::as_array).ok_or_else(bad)?;
        let cases = cases.iter().map(Case::read).collect::<Option<_>>().ok_or_else(bad)?;
        let exact = json.get("exact").and_then(number).unwrap_or(0);
        Ok(Index { cases, exact })
    }

    /// How many outputs the archive's program has.
    pub(super) fn outputs(&self) -> usize {
        self.cases.iter().flat_map(|it| &it.outputs).max().map_or(0, |it| it + 1)
    }
}

fn number(json: &Value) -> Option<usize> {
    json.as_u64().and_then(|it| usize::try_from(it).ok())
}

impl Case {
    fn read(json: &Value) -> Option<Case> {
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        let outputs = json.get("outputs")?.as_array()?;
        let exact = json.get("exact").and_then(Value::as_object).into_iter().flatten();
        Some(Case {
            label: text("label")?,
            dtype: text("dtype")?,
            outputs: outputs.iter().map(number).collect::<Option<_>>()?,
            exact: exact
                .map(|(k, it)| Some((k.parse().ok()?, number(it)?)))
                .collect::<Option<_>>()?,
        })
    }

    pub(super) fn ended(&self, outcome: CaseOutcome) -> CaseResult {
        CaseResult { label: self.label.clone(), dtype: self.dtype.clone(), outcome }
    }
}

/// All inputs of an archive, and all outputs that are wanted, with their strides.
pub(super) struct Tensors {
    pub(super) inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    exact: Vec<Tensor>,
}

/// What an output should be.
pub(super) struct Wanted<'a> {
    /// What eager gives.
    pub(super) eager: &'a Tensor,
    /// What it would give if it computed in float64, where it is off: it is no fault to be nearer
    /// to the truth.
    pub(super) exact: Option<&'a Tensor>,
}

impl Tensors {
    /// Reads the tensors beside an archive.
    pub(super) fn read(archive: &Path, index: &Index) -> Result<Tensors, Failure> {
        let path = archive.with_extension("io.pt");
        let file: Mapped = map(&path)?;
        let SampleInputs { leaves, storages } = SampleInputs::of_file(&file)?;
        let bad = || Failure::new(&codes::USAGE, format!("{} holds no tensors", path.display()));
        let mut all = Vec::with_capacity(leaves.len());
        for leaf in &leaves {
            let Sample::Tensor(view) = leaf else { return Err(bad()) };
            let storage = storages.get(view.storage).ok_or_else(bad)?;
            // Who has a tensor of a dtype that nobody knows is refused for it.
            all.push(match values::stored_dtype(view.dtype) {
                Some(_) => strided(view, storage.bytes)?,
                None => Tensor::zeros(DType::U8, &[0])?,
            });
        }
        let exact = all.len().checked_sub(index.exact).ok_or_else(bad)?;
        let exact = all.split_off(exact);
        let outputs = all.len().checked_sub(index.outputs()).ok_or_else(bad)?;
        let outputs = all.split_off(outputs);
        Ok(Tensors { inputs: all, outputs, exact })
    }

    /// What the outputs of a case should be.
    pub(super) fn wanted(&self, case: &Case) -> Vec<Wanted<'_>> {
        let one = |it: &usize| {
            let exact = case.exact.get(it).and_then(|it| self.exact.get(*it));
            Some(Wanted { eager: self.outputs.get(*it)?, exact })
        };
        case.outputs.iter().filter_map(one).collect()
    }
}
