//! `tintype inspect`.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tintype::{
    Diag, Failure, Inspection, MemoryPlan, Operator, StateWrites, SymbolInfo, ValueInfo, codes,
    inspect, memory_plan, writes,
};

use super::{Outcome, Style, model::size, show};

#[derive(clap::Args)]
pub(crate) struct Inspect {
    /// A model (an archive of torch.export.save), a package, or a model library.
    model: PathBuf,
    /// Write where in memory a run keeps what, and when: a picture (.svg, or .html to point into),
    /// or data (.json, or .csv in MiniMalloc's form).
    #[arg(long, value_name = "FILE")]
    memory: Option<PathBuf>,
    /// Show how many bytes of its state a run writes: of each buffer, and of each input that the
    /// model writes in place.
    #[arg(long, conflicts_with = "memory")]
    writes: bool,
    /// The size of a symbol for --memory, as `s0=8`; those of the archive's example without.
    #[arg(long = "size", value_name = "NAME=N", value_parser = size, requires = "memory")]
    sizes: Vec<(String, i64)>,
}

pub(crate) fn run(args: &Inspect, style: Style) -> Result<Outcome, Failure> {
    if let Some(path) = &args.memory {
        return memory(args, path);
    }
    if args.writes {
        for StateWrites { name, whole, written } in writes(&args.model)? {
            show(&format!("{name}: {written} of {whole} bytes\n"));
        }
        return Ok(Outcome::Good);
    }
    let found = inspect(&args.model)?;
    show(&if style.json { as_json(&found) } else { as_text(&found) });
    if !style.json && !style.quiet && !found.problems.is_empty() {
        eprint!("{}", Failure::from(found.problems.clone()).render());
    }
    Ok(Outcome::Good)
}

fn memory(args: &Inspect, path: &Path) -> Result<Outcome, Failure> {
    let ending = path.extension().map(|it| it.to_string_lossy().to_ascii_lowercase());
    let write: fn(&MemoryPlan) -> String = match ending.as_deref() {
        Some("svg") => MemoryPlan::to_svg,
        Some("html") => MemoryPlan::to_html,
        Some("json") => |it| format!("{:#}\n", it.to_json()),
        Some("csv") => MemoryPlan::to_csv,
        _ => {
            let message = format!("{}: not a .svg, .html, .json or .csv", path.display());
            return Err(Diag::error(&codes::USAGE, message).into());
        }
    };
    let plan = memory_plan(&args.model, &args.sizes.iter().cloned().collect())?;
    std::fs::write(path, write(&plan))
        .map_err(|it| Diag::error(&codes::IO, format!("{}: {it}", path.display())))?;
    Ok(Outcome::Good)
}

/// Writing to a string does not fail.
macro_rules! put {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

fn as_text(found: &Inspection) -> String {
    let Inspection { kind, facts, inputs, outputs, symbols, operators, weights, .. } = found;
    let mut text = format!("{kind}\n");
    for (name, value) in facts {
        put!(text, "  {name}: {value}");
    }
    values(&mut text, "inputs", inputs);
    values(&mut text, "outputs", outputs);
    if !symbols.is_empty() {
        put!(text, "symbols");
        for SymbolInfo { name, min, max } in symbols {
            let end = |it: &Option<i64>| it.map_or("unbounded".to_owned(), |it| it.to_string());
            put!(text, "  {name}: {} to {}", end(min), end(max));
        }
    }
    if !operators.is_empty() {
        let unsupported = operators.iter().filter(|it| !it.is_supported).count();
        let total: usize = operators.iter().map(|it| it.count).sum();
        put!(text, "operators: {total} of {} kinds, {unsupported} not supported", operators.len());
        let width = operators.iter().map(|it| it.name.len()).max().unwrap_or(0);
        for Operator { name, count, is_supported } in operators {
            let mark = if *is_supported { "" } else { "  not supported" };
            put!(text, "  {name:width$} {count:6}{mark}");
        }
    }
    let written: Vec<&ValueInfo> = weights.iter().filter(|it| it.is_written).collect();
    put!(text, "weights: {} tensors, {} bytes", weights.len(), found.weight_bytes);
    for it in written {
        put!(text, "  {} is state: the model writes it", it.name);
    }
    if let Some((size, least, most)) = &found.memory {
        let at = |it: &Option<i64>, what: &str| {
            it.map_or(String::new(), |it| format!(", {it} at the {what} sizes"))
        };
        let is_fixed = size.parse::<i64>().is_ok();
        let (least, most) = match is_fixed {
            true => (String::new(), String::new()),
            false => (at(least, "smallest"), at(most, "largest")),
        };
        put!(text, "memory of a run: {size} bytes{least}{most}");
    }
    text
}

fn values(text: &mut String, what: &str, values: &[ValueInfo]) {
    put!(text, "{what}");
    for ValueInfo { name, dtype, dims, is_written } in values {
        let written = if *is_written { "  (written in place)" } else { "" };
        put!(text, "  {name}: {dtype}[{}]{written}", dims.join(", "));
    }
}

fn as_json(found: &Inspection) -> String {
    let values = |values: &[ValueInfo]| -> Vec<Value> {
        values
            .iter()
            .map(|it| {
                json!({
                    "name": it.name, "dtype": it.dtype, "dims": it.dims, "written": it.is_written,
                })
            })
            .collect()
    };
    let facts: serde_json::Map<String, Value> =
        found.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let symbols: Vec<Value> = found
        .symbols
        .iter()
        .map(|it| json!({ "name": it.name, "min": it.min, "max": it.max }))
        .collect();
    let operators: Vec<Value> = found
        .operators
        .iter()
        .map(|it| json!({ "name": it.name, "count": it.count, "supported": it.is_supported }))
        .collect();
    let memory = found.memory.as_ref().map(
        |(size, least, most)| json!({ "bytes": size, "at_smallest": least, "at_largest": most }),
    );
    let problems: Vec<Value> = found
        .problems
        .iter()
        .map(|it| json!({ "code": it.code.id, "message": it.message, "notes": it.notes }))
        .collect();
    format!(
        "{:#}\n",
        json!({
            "kind": found.kind,
            "facts": facts,
            "inputs": values(&found.inputs),
            "outputs": values(&found.outputs),
            "symbols": symbols,
            "operators": operators,
            "weights": values(&found.weights),
            "weight_bytes": found.weight_bytes,
            "memory": memory,
            "problems": problems,
        })
    )
}
