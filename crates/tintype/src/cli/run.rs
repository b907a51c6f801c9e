//! `tintype run`.

use std::{fmt::Write, path::PathBuf};

use serde_json::json;
use tintype::{
    Compared, Diag, Failure, FileKind, Tolerance, codes, compare, describe, interpret,
    read_tensors,
    runtime::{DType, Tensor},
    table, write_outputs, write_tensors,
};

use super::{
    Outcome, Style,
    model::{Given, Origin, Source},
    show,
};

#[derive(clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    source: Source,
    /// Where to write the outputs, as tensors `output_0`, `output_1`, ….
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// Compare the outputs with the tensors `output_K` in the file of inputs: value, dtype and
    /// shape. Exit status 1, with a table, if they differ.
    #[arg(long)]
    check: bool,
    /// The relative difference that --check allows; by dtype without it (float32: 1e-4).
    #[arg(long, value_name = "X")]
    rtol: Option<f64>,
    /// The absolute difference that --check allows; by dtype without it (float32: 1e-4).
    #[arg(long, value_name = "X")]
    atol: Option<f64>,
    /// What the model keeps from run to run: read from the file before the run, if it is there, and
    /// written to it afterwards.
    #[arg(long, value_name = "FILE", conflicts_with = "interpret")]
    state: Option<PathBuf>,
    /// Evaluate the program by the definitions of its operators, without compiling it. Slow.
    #[arg(long)]
    interpret: bool,
}

pub(crate) fn run(args: &Run, style: Style) -> Result<Outcome, Failure> {
    let Run { source, outputs: file, check, rtol, atol, state, interpret } = args;
    if *check && source.inputs.is_none() {
        return Err(Failure::new(
            &codes::USAGE,
            "--check needs --inputs, with outputs in the file",
        ));
    }
    let (given, outputs) = match interpret {
        true => interpreted(source)?,
        false => {
            let mut model = source.prepare(style)?.load()?;
            let mut given = source.inputs_for(&model)?;
            if let Some(path) = state.as_ref().filter(|it| it.exists()) {
                model.set_state(&read_tensors(path)?)?;
            }
            let outputs = model.run_mut(&mut given.inputs)?;
            if let Some(path) = state {
                write_tensors(path, model.state()?)?;
            }
            (given, outputs)
        }
    };
    let compared = match check {
        true if given.outputs.is_empty() => {
            let message = "the file of inputs has no `output_0` to compare with";
            return Err(Failure::new(&codes::INPUT, message));
        }
        true => {
            let tolerance = Tolerance { relative: *rtol, absolute: *atol };
            Some(compare(&outputs, &given.outputs, tolerance))
        }
        false => None,
    };
    if let Some(path) = file {
        write_outputs(path, &outputs)?;
    }
    let agrees = compared.iter().flatten().all(Compared::agrees);
    match style.json {
        true => show(&as_json(source, &given, &outputs, compared.as_deref())),
        false => as_text(source, style, &given, &outputs, compared.as_deref()),
    }
    Ok(if agrees { Outcome::Good } else { Outcome::CheckFailed })
}

fn interpreted(source: &Source) -> Result<(Given, Vec<Tensor>), Failure> {
    if FileKind::of(&source.model)? != FileKind::Archive {
        let message = "--interpret needs the archive: a package has no program to interpret";
        return Err(Failure::new(&codes::USAGE, message));
    }
    let given = source.given()?.ok_or_else(|| {
        Diag::error(&codes::INPUT, "the archive carries no inputs").note("give some with --inputs")
    })?;
    let outputs = interpret(&source.model, &given.inputs)?;
    Ok((given, outputs))
}

fn as_text(
    source: &Source,
    style: Style,
    given: &Given,
    outputs: &[Tensor],
    compared: Option<&[Compared]>,
) {
    let mut text = String::new();
    if !style.quiet {
        match given.origin {
            Origin::Seed => eprintln!("inputs made from seed {}", source.seed),
            Origin::Archive => eprintln!("inputs are the archive's examples"),
            Origin::File => (),
        }
        for (k, output) in outputs.iter().enumerate() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "output_{k}  {}  {}", describe(output), beginning(output));
        }
    }
    if let Some(compared) = compared {
        let differences = table(compared);
        match differences.is_empty() {
            true if style.quiet => (),
            true => {
                let largest = compared.iter().map(|it| it.largest).fold(0.0, f64::max);
                let _ = writeln!(
                    text,
                    "check: {} outputs agree (largest difference {largest:.3e})",
                    compared.len()
                );
            }
            false => text.push_str(&differences),
        }
    }
    show(&text);
}

/// The first few elements, for a look.
fn beginning(tensor: &Tensor) -> String {
    const SHOWN: usize = 4;
    macro_rules! list {
        ($($dtype:ident: $ty:ty),*) => {
            match tensor.dtype() {
                $(DType::$dtype => {
                    let all = tensor.to_vec::<$ty>().unwrap_or_default();
                    all.iter().take(SHOWN).map(|it| format!("{it:?}")).collect::<Vec<_>>()
                })*
                _ => Vec::new(),
            }
        };
    }
    let shown = list!(
        F32: f32, F64: f64, I64: i64, I32: i32, I16: i16, I8: i8, U8: u8, Bool: bool
    );
    let more = if shown.len() < tensor.numel() { ", …" } else { "" };
    match shown.is_empty() {
        true => String::new(),
        false => format!("[{}{more}]", shown.join(", ")),
    }
}

fn as_json(
    source: &Source,
    given: &Given,
    outputs: &[Tensor],
    compared: Option<&[Compared]>,
) -> String {
    let tensors: Vec<serde_json::Value> = outputs
        .iter()
        .enumerate()
        .map(|(k, it)| {
            json!({
                "name": format!("output_{k}"),
                "dtype": it.dtype().name(),
                "shape": it.shape(),
                "strides": it.strides(),
            })
        })
        .collect();
    let inputs = match given.origin {
        Origin::File => "file",
        Origin::Archive => "archive",
        Origin::Seed => "seed",
    };
    let check = compared.map(|compared| {
        compared
            .iter()
            .map(|it| {
                json!({
                    "name": format!("output_{}", it.index),
                    "agrees": it.agrees(),
                    "wanted": it.wanted,
                    "found": it.found,
                    "elements": it.elements,
                    "wrong": it.wrong,
                    // JSON has no infinity.
                    "largest": it.largest.is_finite().then_some(it.largest),
                    "first": it.first,
                })
            })
            .collect::<Vec<_>>()
    });
    let seed = (given.origin == Origin::Seed).then_some(source.seed);
    format!("{:#}\n", json!({ "inputs": inputs, "seed": seed, "outputs": tensors, "check": check }))
}
