//! What the checks of a model's inputs cost: its printed host program, cut off behind them.

use std::{
    fmt::Write,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::repo;

/// Compiles and runs the checks of `model` on the inputs of `io`; gives nanoseconds a call.
pub(crate) fn run(tintype: &Path, model: &Path, io: &Path, scratch: &Path) -> Result<Value> {
    let name = model.file_stem().context("no file")?.to_string_lossy().into_owned();
    let folder = scratch.join(format!("checks-{name}"));
    let mut compile = Command::new(tintype);
    compile.args(["compile", "--quiet", "--emit", "cpp"]).arg(model).arg("-o").arg(&folder);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    repo::run(&mut compile)?;
    let source = folder.join("checks.cpp");
    fs::write(&source, driver(&inputs(io)?))?;
    let binary = folder.join("checks");
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let mut build = Command::new(compiler);
    build.args(["-std=c++17", "-O2", "-w", "-I"]).arg(folder.join("include"));
    repo::run(build.arg("-I").arg(&folder).arg(&source).arg("-o").arg(&binary))?;
    let output = Command::new(&binary).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the inputs of {} do not pass the checks", io.display());
    }
    let text = String::from_utf8(output.stdout)?;
    let nanoseconds: f64 = text.trim().parse().context("reading the time")?;
    println!("{name:24} {nanoseconds:8.2} ns a call");
    Ok(json!({ "model": name, "checks_ns": nanoseconds }))
}

/// An input: its number, dtype and sizes.
type Input = (usize, String, Vec<i64>);

/// The inputs in a safetensors file, by its header.
fn inputs(io: &Path) -> Result<Vec<Input>> {
    let bytes = fs::read(io)?;
    let (length, rest) = bytes.split_first_chunk::<8>().context("a cut file")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    let header: Value = serde_json::from_slice(rest.get(..length).context("a cut file")?)?;
    let mut inputs: Vec<Input> = Vec::new();
    for (name, it) in header.as_object().context("no table")? {
        let Some(number) = name.strip_prefix("input_") else { continue };
        let dtype = it.get("dtype").and_then(Value::as_str).context("no dtype")?;
        let shape = it.get("shape").and_then(Value::as_array).context("no shape")?;
        let shape = shape.iter().map(|it| it.as_i64().context("no size"));
        inputs.push((number.parse()?, dtype.to_owned(), shape.collect::<Result<_>>()?));
    }
    inputs.sort();
    Ok(inputs)
}

/// The host program up to where it takes the inputs, and a loop around it.
fn driver(inputs: &[Input]) -> String {
    let mut rows = String::new();
    let mut tables = String::new();
    for (k, (_, dtype, shape)) in inputs.iter().enumerate() {
        let mut strides = vec![1; shape.len()];
        for d in (1..shape.len()).rev() {
            strides[d - 1] = strides[d] * shape[d];
        }
        let list = |it: &[i64]| it.iter().map(|it| format!("{it}, ")).collect::<String>();
        let (sizes, steps) = (list(shape), list(&strides));
        let count: i64 = shape.iter().product();
        let _ = writeln!(tables, "static const int64_t sizes{k}[] = {{{sizes}0}};");
        let _ = writeln!(tables, "static const int64_t strides{k}[] = {{{steps}0}};");
        let _ = writeln!(
            rows,
            "  {{memory, sizes{k}, strides{k}, {count}, {}, TT_{dtype}, 0, 0}},",
            shape.len()
        );
    }
    include_str!("checks.cpp").replace("TABLES", tables.trim()).replace("ROWS", rows.trim_end())
}
