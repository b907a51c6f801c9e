//! `tintype compile`.

use std::{path::PathBuf, time::Instant};

use clap::builder::PossibleValuesParser;
use serde_json::json;
use tintype::{
    CompileOptions, Emit, Failure, Sanitizer, TargetCpu, TensorFile, ValidateOptions, compile,
    sample_inputs, sanitizing_pipeline, updatable_pipeline, validate,
};

use super::{Outcome, Style, beside, process, progress::Progress, show, target_cpu};

#[derive(clap::Args)]
pub(crate) struct Compile {
    /// The model: an archive of torch.export.save.
    model: PathBuf,
    /// What to write: a file, or for `--emit cpp` a folder. In the current folder, called after the
    /// model, without it; IR texts are shown.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// What to write.
    #[arg(long, default_value = "package",
          value_parser = PossibleValuesParser::new(Emit::ALL.map(Emit::name)))]
    emit: String,
    /// The CPU to compile for: native, baseline, x86-64-v2, -v3, -v4, or a name that the host
    /// compiler knows.
    #[arg(long, value_name = "NAME", default_value = "native", value_parser = target_cpu)]
    target_cpu: TargetCpu,
    /// A file with the passes to run, instead of the default ones.
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
    /// Have runs check their memory: guards around every tensor, NaN in what nobody needs. Slow.
    #[arg(long, conflicts_with = "pipeline")]
    sanitize_memory: bool,
    /// Compute nothing from weights ahead of time, so that each can be replaced in a loaded package
    /// (`load_constants` of PyTorch's loader). Slower: products pack their weights in every run.
    #[arg(long, conflicts_with_all = ["pipeline", "sanitize_memory"])]
    updatable: bool,
    /// Have the library watch itself while it runs: any of address, undefined, thread. What loads it
    /// must have that sanitizer's runtime preloaded. Slow.
    #[arg(long, value_name = "LIST", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(Sanitizer::ALL.map(Sanitizer::name)))]
    sanitize: Vec<String>,
    /// How many host compilers run at once; as many as there are processors without.
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// Compile everything anew and keep nothing.
    #[arg(long)]
    no_cache: bool,
    /// Leave out the checks of inputs: dtype, rank, device, sizes, strides. What the model is
    /// called with must then be right; anything else is undefined.
    #[arg(long)]
    unchecked: bool,
    /// Before anything is written, evaluate the program after every pass, with its own weights, and
    /// name the first pass that changed a value. Slow: the interpreter runs it dozens of times.
    #[arg(long)]
    validate_each: bool,
    /// Tensors `input_0`, `input_1`, … for --validate-each. Without it: the example inputs that the
    /// archive carries, or inputs made from --seed.
    #[arg(long, value_name = "FILE", requires = "validate_each")]
    inputs: Option<PathBuf>,
    /// What inputs of --validate-each are made from where there are none.
    #[arg(long, default_value_t = 0, requires = "validate_each")]
    seed: u64,
}

/// Watches the values of a program through the pipeline that it will be compiled with.
fn validated(args: &Compile, options: &CompileOptions, style: Style) -> Result<(), Failure> {
    let inputs = match &args.inputs {
        Some(path) => Some(TensorFile::read(path)?.inputs),
        // IR text carries no inputs.
        None if args.model.extension().is_none_or(|it| it != "ir") => sample_inputs(&args.model)?,
        None => None,
    };
    let start = Instant::now();
    let validation = validate(
        &ValidateOptions {
            input: options.input.clone(),
            target_cpu: options.target_cpu.clone(),
            pipeline: options.pipeline.clone(),
            unchecked: options.unchecked,
            inputs,
            seed: args.seed,
        },
        &|| start.elapsed(),
    )?;
    if !style.quiet {
        eprint!("{}", validation.summary());
    }
    Ok(())
}

pub(crate) fn run(args: &Compile, style: Style) -> Result<Outcome, Failure> {
    let Compile {
        model,
        output,
        emit,
        target_cpu,
        pipeline,
        sanitize_memory,
        updatable,
        sanitize,
        jobs,
        no_cache,
        unchecked,
        validate_each,
        inputs: _,
        seed: _,
    } = args;
    let emit: Emit = emit.parse()?;
    let output = match (output, emit) {
        (Some(it), _) => Some(it.clone()),
        (None, it) if it.is_text() => None,
        (None, Emit::Cpp) => Some(beside(model, "-cpp")),
        (None, Emit::So) => Some(beside(model, ".so")),
        (None, _) => Some(beside(model, ".tintype.pt2")),
    };
    let pipeline = match pipeline {
        Some(path) => {
            Some(std::fs::read_to_string(path).map_err(|error| Failure::io(path, &error))?)
        }
        None if *sanitize_memory => Some(sanitizing_pipeline()),
        None => updatable.then(updatable_pipeline),
    };
    let options = CompileOptions {
        input: model.clone(),
        output,
        emit,
        target_cpu: target_cpu.clone(),
        pipeline,
        jobs: *jobs,
        use_cache: !no_cache,
        unchecked: *unchecked,
        sanitize: sanitize.iter().map(|it| it.parse()).collect::<Result<_, _>>()?,
    };
    if *validate_each {
        validated(args, &options, style)?;
    }
    let progress = Progress::new(style);
    let report = compile(&options, &|stage| progress.stage(stage))?;
    drop(progress);
    if !style.quiet {
        let warnings = Failure::from(report.warnings.clone());
        if !warnings.diags.is_empty() {
            eprint!("{}", warnings.render());
        }
    }
    let total: f64 = report.times.iter().map(|it| it.1.as_secs_f64()).sum();
    if style.json {
        let ms = |seconds: f64| (seconds * 1e6).round() / 1e3;
        let times: serde_json::Map<String, serde_json::Value> = report
            .times
            .iter()
            .map(|(stage, it)| (stage.name().to_owned(), json!(ms(it.as_secs_f64()))))
            .collect();
        let front = report.times.iter().take(3).map(|it| it.1.as_secs_f64()).sum();
        let (files, cached) = report.files;
        show(&format!(
            "{:#}\n",
            json!({
                "output": report.output.as_ref().map(|it| it.display().to_string()),
                "text": report.text,
                "times_ms": times,
                "front_ms": ms(front),
                "total_ms": ms(total),
                "kernels": report.kernels,
                "files": files,
                "files_cached": cached,
                "constant_bytes": report.constants,
                "ordered_peaks": report.ordered_peaks.map(|(before, after)| {
                    json!({ "before": before, "after": after })
                }),
                "peak_bytes": process::peak_memory(),
            })
        ));
        return Ok(Outcome::Good);
    }
    if let Some(text) = &report.text {
        show(text);
    } else if let (Some(path), false) = (&report.output, style.quiet) {
        let (files, cached) = report.files;
        eprintln!(
            "{} in {total:.2} s ({} kernels; {files} files, {cached} of them compiled before)",
            path.display(),
            report.kernels
        );
    }
    Ok(Outcome::Good)
}
