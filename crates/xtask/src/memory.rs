//! Measurements of memory plans.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::repo;

fn number(value: &Value, key: &str) -> f64 {
    value.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Plans every instance of tests/plans at the capacity in its name.
pub(crate) fn plan(tintype: &Path) -> Result<()> {
    let is_instance = |it: &PathBuf| {
        it.starts_with("tests/plans") && it.extension().is_some_and(|it| it == "csv")
    };
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for file in repo::files()?.into_iter().filter(is_instance) {
        let name =
            file.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
        let (name, capacity) = name.split_once('.').context("no capacity in an instance's name")?;
        let mut command = Command::new(tintype);
        command.args(["plan", "--json", "--capacity", capacity]).arg(repo::root().join(&file));
        let output = command.stderr(Stdio::inherit()).output()?;
        let row: Value = serde_json::from_slice(&output.stdout).context("reading the plan")?;
        let (height, first_fit) = (number(&row, "height"), number(&row, "first_fit"));
        let (seconds, steps) = (number(&row, "seconds"), number(&row, "steps"));
        println!(
            "{name:10} {height:9} of {capacity:>9} in {seconds:7.3} s, {steps:8} steps   \
             first fit by size {first_fit:9}"
        );
        if !output.status.success() {
            wrong.push(format!("{name} is planned at {height}, above {capacity}"));
        }
        rows.push(json!({ "instance": name, "capacity": capacity, "plan": row }));
    }
    let scratch = repo::root().join("target/bench");
    fs::create_dir_all(&scratch)?;
    fs::write(scratch.join("plan.json"), format!("{:#}\n", Value::from(rows)))?;
    repo::verdict("bench plan", &wrong)
}

/// The arena of a model, and how long its planning took.
pub(crate) fn of_model(tintype: &Path, model: &Path, name: &str) -> Result<Value> {
    let text = repo::output(Command::new(tintype).args(["tool", "memory"]).arg(model))?;
    let sizes: Value = serde_json::from_str(&text).context("reading `tintype tool memory`")?;
    let mut pipeline = Command::new(tintype);
    pipeline.args(["tool", "pipeline"]).arg(model).args(["--time", "--until", "check-memory"]);
    let output = pipeline.output()?;
    if !output.status.success() {
        bail!("planning {} failed", model.display());
    }
    let table = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    let of_pass = |pass: &str| {
        let row = table.lines().find(|it| it.split_whitespace().any(|it| it == pass));
        let words: Vec<&str> = row.map(|it| it.split_whitespace().collect()).unwrap_or_default();
        let unit = words.iter().position(|it| *it == "ms");
        unit.and_then(|it| words.get(it.checked_sub(1)?)?.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    let milliseconds = of_pass("plan-memory");
    let ratio = |at: &str| {
        let at = sizes.get(at).unwrap_or(&Value::Null);
        number(at, "arena") / number(at, "lower_bound").max(1.0)
    };
    let (example, least, most) = (ratio("example"), ratio("least"), ratio("most"));
    let of_example = |key: &str| number(sizes.get("example").unwrap_or(&Value::Null), key);
    let (arena, bodies) = (of_example("arena"), of_example("bodies"));
    println!(
        "{name:24} arena {arena:12}   bodies {bodies:8}   over the bound {example:.3}, at the ends {least:.3} {most:.3}   \
         planned in {milliseconds:7.1} ms"
    );
    Ok(json!({ "model": name, "sizes": sizes, "example": example, "least": least, "most": most,
        "plan_ms": milliseconds }))
}

/// Fails for models above the limits.
pub(crate) fn verdict(rows: &[Value]) -> Result<()> {
    let mut wrong = Vec::new();
    for row in rows {
        let name = row.get("model").and_then(Value::as_str).unwrap_or("");
        for (key, limit) in [("example", 1.02), ("least", 1.10), ("most", 1.10), ("plan_ms", 200.0)]
        {
            // What is no number is above every limit.
            if number(row, key).is_nan() || limit < number(row, key) {
                wrong.push(format!("{name}: {key} is {}, above {limit}", number(row, key)));
            }
        }
        let faults = row.get("sizes").and_then(Value::as_object).into_iter().flatten();
        for (at, it) in faults {
            if let Some(fault) = it.get("fault").and_then(Value::as_str) {
                wrong.push(format!("{name} at {at}: {fault}"));
            }
        }
    }
    repo::verdict("bench memory", &wrong)
}
