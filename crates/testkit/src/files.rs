//! Tests by file: what a harness calls with each path.

use std::{env, fmt, fs, path::Path};

use ir::{OpRef, parse_module, print_module, verify};
use pass::PassDef;

use crate::{
    Case,
    case::AFTER,
    check::{check_pass, diff, errors, round_trip},
};

/// What is wrong, in a form that harnesses show as it is.
pub struct Wrong(String);

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl From<String> for Wrong {
    fn from(it: String) -> Wrong {
        Wrong(it)
    }
}

fn blessing() -> bool {
    env::var_os("BLESS").is_some_and(|it| it == "1")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|it| format!("{}: {it}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|it| format!("{}: {it}", path.display()))
}

/// The pass whose folder the path lies in.
fn pass_of(path: &Path, passes: &[&'static PassDef]) -> Result<&'static PassDef, String> {
    let folders = path.iter().rev().skip(1).filter_map(|it| it.to_str());
    let mut found = folders.filter_map(|it| passes.iter().find(|pass| pass.name == it));
    found.next().copied().ok_or_else(|| format!("{} lies in no pass's folder", path.display()))
}

/// The tests in a file, each with the bytes of the file that it is.
fn cases(path: &Path, text: &str) -> Result<Vec<(std::ops::Range<usize>, Case)>, String> {
    let name = path.display().to_string();
    if path.extension().is_some_and(|it| it == "ir") {
        return Ok(vec![(0..text.len(), Case::parse(name, text)?)]);
    }
    let fences = fences(text);
    fences
        .into_iter()
        .enumerate()
        .map(|(i, it)| {
            let case = Case::parse(format!("{name}, example {}", i + 1), &text[it.clone()])?;
            Ok((it, case))
        })
        .collect()
}

/// The insides of the `ir` fences of a Markdown text.
pub(crate) fn fences(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut res = Vec::new();
    let (mut at, mut open) = (0, None);
    for line in text.split_inclusive('\n') {
        match (open, line.trim_end()) {
            (None, "```ir") => open = Some(at + line.len()),
            (Some(from), "```") => {
                res.push(from..at);
                open = None;
            }
            _ => (),
        }
        at += line.len();
    }
    res
}

/// Runs every test in a file of a pass: an `.ir` file, or its `README.md`.
pub fn pass_file(path: &Path, passes: &[&'static PassDef], ops: &[OpRef]) -> Result<(), Wrong> {
    let pass = pass_of(path, passes)?;
    let text = read(path)?;
    let mut blessed = text.clone();
    let mut wrong = Vec::new();
    // From the last to the first, so that ranges stay right while earlier text is replaced.
    for (range, case) in cases(path, &text)?.into_iter().rev() {
        let checked = match check_pass(&case, pass, ops) {
            Ok(it) => it,
            Err(it) => {
                wrong.push(format!("{}: {it}", case.name));
                continue;
            }
        };
        if checked.after == case.after {
            continue;
        }
        if blessing() {
            let new = match &checked.after {
                Some(it) => case.with_after(it),
                None => case.before.clone(),
            };
            blessed.replace_range(range, &new);
            continue;
        }
        wrong.push(match (&case.after, &checked.after) {
            (Some(old), Some(new)) => {
                format!(
                    "{}: other than expected; BLESS=1 accepts it\n{}",
                    case.name,
                    diff(old, new)
                )
            }
            (Some(_), None) => format!("{}: nothing comes after an error", case.name),
            (None, _) => format!("{}: `{AFTER}` is missing; BLESS=1 writes it", case.name),
        });
    }
    if blessed != text {
        write(path, &blessed)?;
    }
    wrong.reverse();
    if wrong.is_empty() { Ok(()) } else { Err(Wrong(wrong.join("\n"))) }
}

/// Checks that the tests in the folder of a pass, whose `mod.rs` the path is, fire each of its
/// rules. What else is wrong with the tests is for [`pass_file`] to say.
pub fn rules_file(path: &Path, passes: &[&'static PassDef], ops: &[OpRef]) -> Result<(), Wrong> {
    let pass = pass_of(path, passes)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut files = vec![folder.join("README.md")];
    if let Ok(entries) = fs::read_dir(folder.join("tests")) {
        files.extend(entries.flatten().map(|it| it.path()));
    }
    let mut fired = Vec::new();
    for file in files.iter().filter(|it| it.extension().is_some_and(|it| it == "ir" || it == "md"))
    {
        for (_, case) in cases(file, &read(file)?)? {
            fired.extend(check_pass(&case, pass, ops).unwrap_or_default().counts);
        }
    }
    let idle: Vec<&str> = pass
        .rules
        .iter()
        .map(|it| it.name)
        .filter(|name| !fired.iter().any(|it| it.0 == *name))
        .collect();
    match idle.is_empty() {
        true => Ok(()),
        false => Err(Wrong(format!("no test fires: {}", idle.join(", ")))),
    }
}

/// Checks a file of a dialect: it parses, verifies, and prints back to itself but for comments;
/// or it has the errors that it says.
pub fn dialect_file(path: &Path, ops: &[OpRef]) -> Result<(), Wrong> {
    let text = read(path)?;
    let case = Case::parse(path.display().to_string(), &text)?;
    let functions = match parse_module(&case.name, &case.before, ops) {
        Ok(it) => it,
        Err(it) => return Ok(errors(&case, &[it]).map(drop)?),
    };
    let diags: Vec<_> = functions.iter().flat_map(verify).collect();
    if !diags.is_empty() || !case.errors().is_empty() {
        return Ok(errors(&case, &diags).map(drop)?);
    }
    round_trip(&functions, ops)?;
    let printed = print_module(&functions);
    let (comments, code) = split_comments(&case.before);
    if code == printed {
        return Ok(());
    }
    if blessing() {
        return Ok(write(path, &format!("{comments}{printed}"))?);
    }
    let difference = diff(&code, &printed);
    Err(Wrong(format!("printed otherwise; BLESS=1 accepts it\n{difference}")))
}

/// The comment lines at the top, and the rest without lines that are comments.
fn split_comments(text: &str) -> (String, String) {
    let is_comment = |it: &&str| it.trim_start().starts_with("//");
    let top: String = text
        .split_inclusive('\n')
        .take_while(|it| is_comment(it) || it.trim().is_empty())
        .collect();
    let code = text[top.len()..].split_inclusive('\n').filter(|it| !is_comment(it)).collect();
    (top, code)
}
