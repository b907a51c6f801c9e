//! Computing cases: many in one library, which a process of its own runs.

use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use catalog::Phase;
use diag::codes;
use import::Mapped;
use ir::{Function, HostTensor, HostValue, OutputKind, ParamKind, Type};
use pass::Oracle;
use serde_json::{Value, json};
use tintype_runtime::{Model, Tensor};
use toolchain::TargetCpu;

use crate::{
    Failure,
    compile::{CompileOptions, Emit, compile_function},
    constants::{share, weight_value},
    session::{Opened, map, open},
    values,
};

use super::{
    CaseOutcome, CaseResult, ConformOptions, Way,
    cases::{Case, Index, Tensors, Wanted},
    free,
    judge::{Fault, Found, judge},
    lower,
    slice::Parts,
};

/// Longer than a batch runs on a busy machine.
const RUN_LIMIT: Duration = Duration::from_secs(120);

/// An archive under check.
pub(super) struct Batch<'a> {
    pub(super) options: &'a ConformOptions,
    pub(super) file: &'a Arc<Mapped>,
    pub(super) opened: &'a Opened<'a>,
    pub(super) main: &'a Function,
    pub(super) parts: &'a Parts,
    pub(super) tensors: &'a Tensors,
    /// For each output of `main`, its number in the archive.
    pub(super) outputs: &'a [usize],
}

impl Batch<'_> {
    /// The program with the outputs of some cases only.
    pub(super) fn keep(&self, cases: &[&Case]) -> Function {
        let numbers = cases.iter().flat_map(|it| &it.outputs);
        let places: Vec<usize> =
            numbers.filter_map(|it| self.outputs.binary_search(it).ok()).collect();
        self.parts.keep(self.main, &places)
    }

    /// Compiles and runs cases together. Where that does not go well, each half is done by itself.
    pub(super) fn compiled(
        &self,
        cases: &[&Case],
        results: &mut Vec<CaseResult>,
    ) -> Result<(), Failure> {
        if cases.is_empty() {
            return Ok(());
        }
        let fault = match self.together(cases)? {
            Ok(outcomes) => {
                results.extend(cases.iter().zip(outcomes).map(|(case, it)| case.ended(it)));
                return Ok(());
            }
            Err(fault) => fault,
        };
        if let [case] = cases {
            results.push(case.ended(fault));
            return Ok(());
        }
        let (one, other) = cases.split_at(cases.len() / 2);
        self.compiled(one, results)?;
        self.compiled(other, results)
    }

    fn together(&self, cases: &[&Case]) -> Result<Result<Vec<CaseOutcome>, CaseOutcome>, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("tintype-conform-")
            .tempdir()
            .map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
        let library = folder.path().join("model.so");
        let function = self.keep(cases);
        let options = CompileOptions {
            emit: Emit::So,
            target_cpu: self.options.target_cpu.clone(),
            jobs: Some(1),
            pipeline: self.options.sanitize_memory.then(catalog::sanitizing_pipeline),
            ..CompileOptions::new(&self.options.archive, &library)
        };
        if let Err(failure) = compile_function(&options, self.file, self.opened, &function) {
            let is_host = failure.diags.iter().any(|it| it.code == &codes::TOOLCHAIN);
            return Ok(Err(match is_host {
                true => CaseOutcome::HostError(one_line(&failure)),
                false => lower::outcome(&failure.diags),
            }));
        }
        let labels: Vec<&str> = cases.iter().map(|it| it.label.as_str()).collect();
        let list = folder.path().join("cases.json");
        std::fs::write(&list, Value::from(labels).to_string())
            .map_err(|error| Failure::io(&list, &error))?;
        let program = std::env::current_exe()
            .map_err(|error| Failure::io(Path::new("this program"), &error))?;
        let mut command = Command::new(program);
        command.args(["tool", "judge-library"]).arg(&library).arg(&self.options.archive).arg(&list);
        Ok(judged(command, cases.len()))
    }

    /// Evaluates a case without compiling it.
    pub(super) fn evaluate(
        &self,
        part: &Function,
        case: &Case,
        way: Way,
    ) -> Result<CaseOutcome, Failure> {
        let given = self.tensors;
        let args = arguments(self.file, self.opened, part, &given.inputs)?;
        let cpu = &self.options.target_cpu;
        let unit = match lower::run(part.clone(), cpu, Phase::Aten, None) {
            Ok((it, _)) => it,
            Err(outcome) => return Ok(outcome),
        };
        let Some(main) = unit.main() else { return Ok(CaseOutcome::Agreed) };
        let results = match interp::run(main, &args, &BTreeMap::new()) {
            Ok(it) => it,
            Err(error) => return Ok(CaseOutcome::Raised(error.to_string())),
        };
        let mut found = Vec::new();
        for (output, value) in main.outputs.iter().zip(results) {
            if !matches!(output.kind, OutputKind::Mutates(_)) {
                let tensor = to_tensor(value).map_err(|it| Failure::new(&codes::INPUT, it))?;
                found.push(Found {
                    tensor: values::to_tensor(&tensor)?,
                    strides: stated_strides(&output.ty),
                });
            }
        }
        let program = || Ok((part.clone(), args.clone()));
        if let Some(it) = verdict(&found, &given.wanted(case), cpu, program)? {
            return Ok(CaseOutcome::Wrong(it));
        }
        match way {
            Way::EachPass => Ok(self.each_pass(part, args)),
            Way::Compiled | Way::Interpreted => Ok(CaseOutcome::Agreed),
        }
    }

    /// Whether every pass keeps what a case gives.
    fn each_pass(&self, part: &Function, args: Vec<HostValue>) -> CaseOutcome {
        let names = part.params.iter().map(|it| it.name.clone());
        let known = names.zip(args).collect();
        let oracle = Oracle { inputs: interp::seeded_inputs, run: interp::run_in };
        let evaluate = oracle.lazily(0, known, Vec::new());
        let cpu = &self.options.target_cpu;
        match lower::run(part.clone(), cpu, Phase::Wrapper, Some(&evaluate)) {
            Ok((_, None)) => CaseOutcome::Agreed,
            Ok((_, Some(why))) => CaseOutcome::Unchecked(why),
            Err(outcome) => outcome,
        }
    }
}

/// What a program of an archive is evaluated on: its weights and these inputs.
fn arguments(
    file: &Arc<Mapped>,
    opened: &Opened<'_>,
    part: &Function,
    inputs: &[Tensor],
) -> Result<Vec<HostValue>, Failure> {
    let shared = share(file);
    let mut inputs = inputs.iter();
    let mut args = Vec::new();
    for (param, value) in part.params.iter().zip(&part.body.root.params) {
        let tensor = match param.kind {
            ParamKind::User => values::to_host(inputs.next().ok_or_else(too_few)?)?,
            _ => weight_value(&shared, &opened.weights, &param.name)?,
        };
        args.push(match part.body.ty(*value) {
            Type::Scalar(dtype) => HostValue::Scalar(*dtype, tensor.elem(0)),
            _ => HostValue::Tensor(tensor),
        });
    }
    Ok(args)
}

/// How outputs are judged that may be as good as eager's where they differ: `program` gives the
/// case alone and its arguments.
fn verdict(
    found: &[Found],
    wanted: &[Wanted<'_>],
    cpu: &TargetCpu,
    program: impl FnOnce() -> Result<(Function, Vec<HostValue>), Failure>,
) -> Result<Option<String>, Failure> {
    let Some(Fault { text, differing }) = judge(found, wanted) else { return Ok(None) };
    if differing.is_empty() {
        return Ok(Some(text));
    }
    let host = |it: &Tensor| values::to_host(it);
    let ours = found.iter().map(|it| host(&it.tensor)).collect::<Result<Vec<_>, _>>()?;
    let eager = wanted.iter().map(|it| host(it.eager)).collect::<Result<Vec<_>, _>>()?;
    let (function, args) = program()?;
    let outputs = free::Outputs { found: &ours, eager: &eager };
    let is_good = free::as_good(&function, &args, cpu, &differing, &outputs);
    Ok((!is_good).then_some(text))
}

fn too_few() -> Failure {
    Failure::new(&codes::INPUT, "there are fewer inputs than the program takes")
}

fn pick(tensors: &[Tensor], which: &[usize]) -> Vec<Tensor> {
    which.iter().filter_map(|it| tensors.get(*it)).cloned().collect()
}

fn to_tensor(value: HostValue) -> Result<HostTensor, String> {
    match value {
        HostValue::Scalar(dtype, it) => Ok(HostTensor::from_elems(dtype, Vec::new(), [it])),
        it => it.tensor().map_err(|it| it.0),
    }
}

/// The strides that the program says an output has.
fn stated_strides(ty: &Type) -> Option<Vec<usize>> {
    let ty = crate::constants::boundary_type(ty);
    ty.strides?.iter().map(|it| usize::try_from(it.as_int()?).ok()).collect()
}

/// Runs a library that has the cases of `list`, and says of each how it ended: one line of JSON
/// for each. For a process of its own, as the library may end it.
pub fn judge_library(library: &Path, archive: &Path, list: &Path) -> Result<String, Failure> {
    let index = Index::read(archive)?;
    let io = |error| Failure::io(list, &error);
    let labels: Value = serde_json::from_str(&std::fs::read_to_string(list).map_err(io)?)
        .map_err(|it| Failure::new(&codes::USAGE, it.to_string()))?;
    let labels = labels.as_array().map(Vec::as_slice).unwrap_or_default();
    let find = |it: &Value| index.cases.iter().find(|case| it.as_str() == Some(&case.label));
    let cases: Vec<&Case> = labels.iter().filter_map(find).collect();
    let tensors = Tensors::read(archive, &index)?;
    let mut inputs = tensors.inputs.clone();
    let model = Model::load(library)?;
    let found = match model.run_mut(&mut inputs) {
        Ok(it) => it,
        Err(error) => return Ok(json!({ "raised": error.to_string() }).to_string()),
    };
    let mut order: Vec<usize> = cases.iter().flat_map(|it| &it.outputs).copied().collect();
    order.sort_unstable();
    let mut text = String::new();
    for case in cases {
        let place = |it: &usize| order.binary_search(it).ok();
        let places: Vec<usize> = case.outputs.iter().filter_map(place).collect();
        let found: Vec<Found> = pick(&found, &places).into_iter().map(Found::from).collect();
        let alone = || alone(archive, case, &tensors.inputs);
        let wrong = verdict(&found, &tensors.wanted(case), &TargetCpu::Baseline, alone)?;
        text.push_str(&format!("{}\n", json!({ "wrong": wrong })));
    }
    Ok(text)
}

/// A case of an archive as a program of its own, and its arguments.
fn alone(
    archive: &Path,
    case: &Case,
    inputs: &[Tensor],
) -> Result<(Function, Vec<HostValue>), Failure> {
    let file = Arc::new(map(archive)?);
    let opened = open(archive, &file)?;
    let db::Source::Export(program) = &opened.source else {
        return Err(Failure::new(&codes::USAGE, "conformance cases are archives"));
    };
    let program = import::restrict(program, &|it| case.outputs.contains(&it));
    let mut functions = import::to_aten(&program).functions;
    if functions.is_empty() {
        return Err(Failure::new(&codes::ARCHIVE, "the archive has no program"));
    }
    let function = functions.swap_remove(0);
    let args = arguments(&file, &opened, &function, inputs)?;
    Ok((function, args))
}

/// Runs a judge and reads what it says of `count` cases, or the fault of them all.
fn judged(mut command: Command, count: usize) -> Result<Vec<CaseOutcome>, CaseOutcome> {
    let crashed = |text: String| CaseOutcome::Crashed(text);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|it| crashed(it.to_string()))?;
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        // What a process that ends early wrote is read as far as it goes.
        let _ = output.map(|mut it| it.read_to_string(&mut text));
        text
    });
    let status = finish(&mut child);
    let text = reader.join().unwrap_or_default();
    match status {
        None => return Err(crashed(format!("does not end within {} s", RUN_LIMIT.as_secs()))),
        Some(it) if !it.success() => return Err(crashed(it.to_string())),
        Some(_) => (),
    }
    let lines = text.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let mut outcomes = Vec::new();
    for line in lines {
        if let Some(it) = line.get("raised").and_then(Value::as_str) {
            return Err(CaseOutcome::Raised(it.to_owned()));
        }
        let wrong = line.get("wrong").and_then(Value::as_str);
        outcomes.push(wrong.map_or(CaseOutcome::Agreed, |it| CaseOutcome::Wrong(it.to_owned())));
    }
    match outcomes.len() == count {
        true => Ok(outcomes),
        false => Err(crashed("the run says too little".to_owned())),
    }
}

/// Waits for a process, and ends one that takes too long.
fn finish(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if start.elapsed() < RUN_LIMIT => thread::sleep(Duration::from_millis(3)),
            _ => {
                // It may have ended by itself meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// The beginning of what the host compiler says.
fn one_line(failure: &Failure) -> String {
    let text = failure.diags.first().map_or_else(String::new, |it| it.message.clone());
    let line = text.lines().find(|it| it.contains("error")).or(text.lines().next());
    line.unwrap_or_default().chars().take(300).collect()
}
