//! Watching a model's values through the whole pipeline.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use catalog::Phase;
use db::{Arguments, Watch};
use diag::{Diag, codes};
use ir::{Function, HostValue, ParamKind, Type};
use pass::{Recorder, Select, Validated};
use tintype_runtime::Tensor;
use toolchain::TargetCpu;

use crate::{
    Failure,
    constants::{share, weight_value},
    locate::locate,
    session::{Opened, Session, Settings, map, open, target, write_repro},
    values,
};

/// What is run, and on what.
#[derive(Clone, Debug)]
pub struct ValidateOptions {
    /// An archive, or IR text.
    pub input: PathBuf,
    /// The machine to compile for.
    pub target_cpu: TargetCpu,
    /// The passes to run, as text; the default ones without.
    pub pipeline: Option<String>,
    /// Whether checks of inputs are left out.
    pub unchecked: bool,
    /// The inputs; made from the seed without.
    pub inputs: Option<Vec<Tensor>>,
    /// What inputs are made from, and the arguments of control flow's bodies.
    pub seed: u64,
}

/// What was found of a program of which no pass changed a value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Validation {
    /// How many runs of passes changed the program and none of its values.
    pub compared: usize,
    /// How many runs of passes changed nothing.
    pub unchanged: usize,
    /// Runs of passes whose values could not be compared: function, pass, and why.
    pub skipped: Vec<(String, String, String)>,
}

/// Runs a program through every pass and evaluates it after each, with the model's own weights.
/// `clock` tells the time since any moment. Fails at the first pass that changed a value.
pub fn validate(
    options: &ValidateOptions,
    clock: &dyn Fn() -> Duration,
) -> Result<Validation, Failure> {
    let file = Arc::new(map(&options.input)?);
    let opened = open(&options.input, &file)?;
    let settings = Settings {
        target: target(&options.target_cpu),
        pipeline: options.pipeline.as_deref().map(|it| ("the pipeline", it)),
        unchecked: options.unchecked,
    };
    let session = Session::new(opened.source.clone(), (opened.level, Phase::Wrapper), &settings)?;
    // What is refused is said as compiling says it.
    session.check(Phase::Wrapper)?;
    let imported = db::import(&session.db, session.archive);
    let mut res = Validation::default();
    for (i, function) in imported.functions.iter().enumerate() {
        let inputs = options.inputs.as_deref().filter(|_| i == 0);
        let body = function.body(&session.db);
        let known = match body.0.main() {
            Some(it) => known(it, &opened, &share(&file), inputs)?,
            None => BTreeMap::new(),
        };
        let watch = Watch {
            from: opened.level,
            to: Phase::Wrapper,
            until: None,
            verify_each: true,
            validate_each: Some(Arguments { seed: options.seed, known }),
        };
        let mut recorder = Recorder::new(Select::Nothing, Select::Nothing, Some(clock));
        if let Err(found) = db::observe(&session.db, *function, &watch, &mut recorder) {
            let mut failure = Failure { sources: session.sources.clone(), ..Failure::default() };
            let origins = function.origins(&session.db);
            for diag in found.diags {
                failure.diags.push(locate(diag, origins, &mut failure.sources));
            }
            failure.repro = write_repro(&found.repro);
            return Err(failure);
        }
        let name = body.0.main().map_or("", |it| &it.name);
        res.add(name, recorder);
    }
    Ok(res)
}

impl Validation {
    fn add(&mut self, function: &str, recorder: Recorder<'_>) {
        for it in recorder.records {
            match it.validated {
                Validated::Unneeded => self.unchanged += 1,
                Validated::Same => self.compared += 1,
                Validated::Skipped(why) => {
                    self.skipped.push((function.to_owned(), it.step, why));
                }
            }
        }
    }

    /// For people: what was compared, and what was not and why.
    pub fn summary(&self) -> String {
        let Validation { compared, unchanged, skipped } = self;
        let mut text = format!(
            "validated: {compared} runs of passes kept every value, {unchanged} changed nothing, \
             {} could not be compared\n",
            skipped.len()
        );
        let mut reasons: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for (function, pass, why) in skipped {
            match reasons.iter_mut().find(|it| (it.0, it.1) == (function, why)) {
                Some(it) => it.2.push(pass),
                None => reasons.push((function, why, vec![pass])),
            }
        }
        for (function, why, passes) in reasons {
            text.push_str(&format!("  @{function}: {}: {why}\n", passes.join(", ")));
        }
        text
    }
}

/// The arguments that are known: the weights, and the inputs if there are any.
fn known(
    function: &Function,
    opened: &Opened<'_>,
    shared: &crate::constants::SharedMap,
    inputs: Option<&[Tensor]>,
) -> Result<BTreeMap<String, HostValue>, Failure> {
    let mut left = inputs.unwrap_or_default().iter();
    let mut res = BTreeMap::new();
    for (param, value) in function.params.iter().zip(&function.body.root.params) {
        let tensor = match param.kind {
            ParamKind::User if inputs.is_none() => continue,
            ParamKind::User => {
                let missing = || {
                    let message = format!("input `{}` is missing", param.name.escape_debug());
                    Diag::error(&codes::INPUT, message)
                };
                values::to_host(left.next().ok_or_else(missing)?)?
            }
            _ => weight_value(shared, &opened.weights, &param.name)?,
        };
        let value = match function.body.ty(*value) {
            Type::Scalar(dtype) if tensor.numel() == 1 => HostValue::Scalar(*dtype, tensor.elem(0)),
            _ => HostValue::Tensor(tensor),
        };
        res.insert(param.name.clone(), value);
    }
    match left.count() {
        0 => Ok(res),
        n => Err(Failure::new(&codes::INPUT, format!("{n} inputs more than the program takes"))),
    }
}
