//! What is said of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Ended;
use crate::repo;

/// The statuses, in the order of tables. Those after the third are faults.
const STATUSES: [&str; 7] =
    ["agreed", "refused", "unchecked", "wrong", "raised", "host error", "crashed"];

/// Dtypes in the order of tables.
const DTYPES: [&str; 10] = [
    "float32", "float64", "bfloat16", "float16", "int64", "int32", "int16", "int8", "uint8", "bool",
];

type Counts = [usize; STATUSES.len()];

impl Ended {
    fn is_fault(&self) -> bool {
        !STATUSES[..3].contains(&self.status.as_str())
    }
}

/// Writes every case to `target/conformance/ops.jsonl`.
pub(super) fn keep(all: &[Ended]) -> Result<()> {
    let folder = repo::root().join("target/conformance");
    fs::create_dir_all(&folder)?;
    let mut text = String::new();
    for it in all {
        let line = json!({
            "operator": it.operator, "dialect": it.dialect, "case": it.label,
            "dtype": it.dtype, "status": it.status, "reason": it.reason,
        });
        text.push_str(&format!("{line}\n"));
    }
    fs::write(folder.join("ops.jsonl"), text)?;
    Ok(())
}

/// What [`keep`] wrote last.
pub(super) fn kept() -> Result<Vec<Ended>> {
    let path = repo::root().join("target/conformance/ops.jsonl");
    let text = fs::read_to_string(path).context("`cargo xtask conformance ops` has not run yet")?;
    let one = |line: &str| -> Result<Ended> {
        let line: Value = serde_json::from_str(line)?;
        let field = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        Ok(Ended {
            operator: field("operator"),
            dialect: field("dialect"),
            dtype: field("dtype"),
            label: field("case"),
            status: field("status"),
            reason: field("reason"),
        })
    };
    text.lines().map(one).collect()
}

/// A line for each operator, with a cell for each dtype: `ok`, how many of how many agree, or
/// nothing where the operator does not take it; and below it why.
pub(super) fn coverage(all: &[Ended], incomplete: bool) -> String {
    let mut operators: BTreeMap<&str, Vec<&Ended>> = BTreeMap::new();
    for it in all {
        operators.entry(&it.operator).or_default().push(it);
    }
    let mut text = format!("{:40}", "");
    for dtype in DTYPES {
        let _ = write!(text, "{dtype:>10}");
    }
    text.push('\n');
    let (mut done, count) = (0, operators.len());
    for (operator, cases) in operators {
        let is_done = cases.iter().all(|it| it.status == "agreed");
        done += usize::from(is_done);
        if is_done && incomplete {
            continue;
        }
        let _ = write!(text, "{operator:40}");
        for dtype in DTYPES {
            let cases = cases.iter().filter(|it| it.dtype == dtype);
            let (agreed, all) = cases.fold((0, 0), |(agreed, all), it| {
                (agreed + usize::from(it.status == "agreed"), all + 1)
            });
            let cell = match (agreed, all) {
                (_, 0) => String::new(),
                (agreed, all) if agreed == all => "ok".to_owned(),
                (agreed, all) => format!("{agreed}/{all}"),
            };
            let _ = write!(text, "{cell:>10}");
        }
        text.push('\n');
        let mut reasons: Vec<String> = Vec::new();
        for it in cases.iter().filter(|it| it.status != "agreed") {
            let reason = format!("{}: {}", it.status, shortened(&it.reason));
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        for it in reasons {
            let _ = writeln!(text, "    {it}");
        }
    }
    let _ = writeln!(text, "{done} of {count} operators agree in every case");
    text
}

/// The numbers, what is wrong, and the most frequent refusals.
pub(super) fn summary(all: &[Ended]) -> String {
    const SHOWN: usize = 30;
    let mut text = String::new();
    for it in all.iter().filter(|it| it.is_fault()).take(SHOWN) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:10} {} {}: {}", it.status, it.dialect, it.label, it.reason);
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for it in all.iter().filter(|it| ["refused", "unchecked"].contains(&&*it.status)) {
        *reasons.entry(&it.reason).or_default() += 1;
    }
    let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|it| std::cmp::Reverse(it.1));
    text.push_str("\nmost often refused, or not checked:\n");
    for (reason, count) in reasons.into_iter().take(SHOWN) {
        let _ = writeln!(text, "{count:6}  {reason}");
    }
    text.push('\n');
    text.push_str(&totals(all));
    text
}

/// A fault anywhere is a failure; a refusal is none.
pub(super) fn verdict(all: &[Ended]) -> Result<()> {
    match all.iter().filter(|it| it.is_fault()).count() {
        0 => Ok(()),
        count => bail!("{count} of {} cases are neither eager's nor refused", all.len()),
    }
}

/// The chapter of the book.
pub(super) fn chapter(all: &[Ended]) -> String {
    let mut text = String::from(
        "# Conformance\n\n\
         Written by `cargo xtask conformance ops --write`: samples of operators in PyTorch's \
         own database, exported in the training dialect and after `run_decompositions()`, compiled, \
         and compared with eager in value, dtype, shape and strides.\n\n",
    );
    let operators: BTreeSet<&str> = all.iter().map(|it| it.operator.as_str()).collect();
    let _ = writeln!(text, "{} operators, {} cases:\n", operators.len(), all.len());
    text.push_str(&totals(all));
    text.push_str(
        "\n## What is refused\n\n\
         Operators that draw random numbers are left out.\n\n\
         | operator | dialect | dtypes | cases | of | reason |\n|---|---|---|---:|---:|---|\n",
    );
    let mut rows: BTreeMap<(&str, &str, String), Vec<&Ended>> = BTreeMap::new();
    let mut sums: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for it in all {
        *sums.entry((&it.operator, &it.dialect)).or_default() += 1;
        if it.status != "agreed" {
            let reason = match it.status.as_str() {
                "refused" => shortened(&it.reason),
                status => format!("**{status}**"),
            };
            rows.entry((&it.operator, &it.dialect, reason)).or_default().push(it);
        }
    }
    for ((operator, dialect, reason), cases) in rows {
        let has = |dtype: &&&str| cases.iter().any(|it| it.dtype == **dtype);
        let dtypes: Vec<&str> = DTYPES.iter().filter(has).copied().collect();
        let dtypes =
            if dtypes.len() == DTYPES.len() { "all".to_owned() } else { dtypes.join(", ") };
        let sum = sums.get(&(operator, dialect)).copied().unwrap_or(0);
        let count = cases.len();
        let _ =
            writeln!(text, "| {operator} | {dialect} | {dtypes} | {count} | {sum} | {reason} |");
    }
    let agrees = |operator: &&&str| {
        all.iter().filter(|it| it.operator == ***operator).all(|it| it.status == "agreed")
    };
    let names: Vec<&str> = operators.iter().filter(agrees).copied().collect();
    text.push_str("\n## What agrees in every case\n\nWhat is named nowhere on this page was not in the run.\n\n");
    for line in names.chunks(6) {
        let _ = writeln!(text, "`{}`", line.join("`, `"));
    }
    text
}

/// A reason without the numbers of one case, and as a table's cell may have it.
fn shortened(reason: &str) -> String {
    let line = reason.split(": ").skip(1).collect::<Vec<_>>().join(": ");
    let line = if line.is_empty() { reason } else { &line };
    let mut text = String::new();
    let mut inside = 0_usize;
    for it in line.chars().take(160) {
        match it {
            '[' => {
                inside += 1;
                if inside == 1 {
                    text.push_str("[…]");
                }
            }
            ']' => inside = inside.saturating_sub(1),
            '|' | '<' | '>' if inside == 0 => text.push(' '),
            _ if inside == 0 => text.push(it),
            _ => (),
        }
    }
    text
}

/// How cases ended, by dialect and by dtype.
fn totals(all: &[Ended]) -> String {
    let mut text = format!("| | agreed | {} |\n|---|---:|", STATUSES.join(" | "));
    text.push_str(&"---:|".repeat(STATUSES.len()));
    text.push('\n');
    let mut row = |name: &str, of: &dyn Fn(&&Ended) -> bool| {
        let mut counts = Counts::default();
        for it in all.iter().filter(of) {
            let status = STATUSES.iter().position(|status| *status == it.status);
            counts[status.unwrap_or(STATUSES.len() - 1)] += 1;
        }
        let sum: usize = counts.iter().sum();
        if sum != 0 {
            let agreed = 100.0 * counts[0] as f64 / sum as f64;
            let cells: Vec<String> = counts.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "| {name} | {agreed:.1} % | {} |", cells.join(" | "));
        }
    };
    row("all", &|_| true);
    for dialect in ["training", "core"] {
        row(dialect, &|it| it.dialect == dialect);
    }
    for dtype in DTYPES {
        row(dtype, &|it| it.dtype == dtype);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(dtype: &str, status: &str, reason: &str) -> Ended {
        Ended {
            operator: "roll".to_owned(),
            dialect: "core".to_owned(),
            dtype: dtype.to_owned(),
            label: format!("roll[{dtype}]#0"),
            status: status.to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn refusals_are_rows_and_faults_fail() {
        let refused = "E0105: aten.roll: shape [2, [3]] | no";
        let mut all = vec![ended("float32", "agreed", ""), ended("int8", "refused", refused)];
        assert!(verdict(&all).is_ok());
        let text = chapter(&all);
        assert!(
            text.contains("| roll | core | int8 | 1 | 2 | aten.roll: shape […]   no |"),
            "{text}"
        );
        assert!(text.contains("| all | 50.0 % | 1 | 1 | 0 | 0 | 0 | 0 | 0 |"), "{text}");
        let text = coverage(&all, false);
        assert!(
            text.contains("refused: aten.roll: shape […]") && text.contains("0 of 1 operators"),
            "{text}"
        );
        all.push(ended("bool", "wrong", "output 0"));
        assert!(verdict(&all).is_err());
        assert!(chapter(&all).contains("**wrong**"));
    }
}
