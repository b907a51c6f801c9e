//! The book: chapters made from the tables, links, and the list of chapters.
//!
//! What is generated lies under `book/src/generated`, and in `SUMMARY.md` below the part that is
//! called [`PART`]. The statics are in the compiler, so it prints the chapters, and this writes
//! them. Pictures of memory are drawn from the plans in `book/memory`. Building HTML is mdBook's, and needs to be installed for nothing else.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{compiler, links, repo};

const SRC: &str = "book/src";
const GENERATED: &str = "book/src/generated";
const SUMMARY: &str = "book/src/SUMMARY.md";
/// Memory plans that are drawn.
const PLANS: &str = "book/memory";
/// The part of the list of chapters that is generated; it comes last.
const PART: &str = "# Reference";

/// Generates, or with `check` compares; then checks links and the list of chapters.
pub(crate) fn run(check: bool) -> Result<()> {
    let wanted = wanted()?;
    let mut wrong = Vec::new();
    if check {
        wrong.extend(differences(&wanted)?);
    } else {
        write(&wanted)?;
    }
    wrong.extend(dead_links()?);
    wrong.extend(lost_chapters()?);
    repo::verdict("book", &wrong)
}

/// Every generated file with its text.
fn wanted() -> Result<BTreeMap<PathBuf, String>> {
    let text = repo::output(&mut compiler::tool("docs")?)?;
    let chapters: Value = serde_json::from_str(&text).context("reading `tintype tool docs`")?;
    let mut res = BTreeMap::new();
    let mut list = String::new();
    for chapter in chapters.as_array().context("`tintype tool docs` prints a list")? {
        let field = |key: &str| {
            let text = chapter.get(key).and_then(Value::as_str);
            text.with_context(|| format!("a chapter of `tintype tool docs` has no `{key}`"))
        };
        let (path, title) = (field("path")?, field("title")?);
        let depth = chapter.get("depth").and_then(Value::as_u64).unwrap_or(0);
        let indent = "  ".repeat(usize::try_from(depth).unwrap_or(0));
        list.push_str(&format!("{indent}- [{title}](generated/{path})\n"));
        res.insert(Path::new(GENERATED).join(path), field("text")?.to_owned());
    }
    for plan in repo::files()?.into_iter().filter(|it| it.starts_with(PLANS)) {
        let svg = repo::output(compiler::tool("draw")?.arg(repo::root().join(&plan)))?;
        let name = plan.file_name().map(Path::new).unwrap_or(&plan).with_extension("svg");
        res.insert(Path::new(GENERATED).join("memory").join(name), svg);
    }
    let summary = repo::read(Path::new(SUMMARY))?;
    let (written, _) =
        summary.split_once(PART).with_context(|| format!("{SUMMARY} has no part `{PART}`"))?;
    res.insert(SUMMARY.into(), format!("{written}{PART}\n\n{list}"));
    Ok(res)
}

/// The files that are there and that nobody generates any more.
fn stale(wanted: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    let is_stale = |it: &PathBuf| it.starts_with(GENERATED) && !wanted.contains_key(it);
    Ok(repo::files()?.into_iter().filter(is_stale).collect())
}

fn write(wanted: &BTreeMap<PathBuf, String>) -> Result<()> {
    for path in stale(wanted)? {
        fs::remove_file(repo::root().join(path))?;
    }
    for (path, text) in wanted {
        let path = repo::root().join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn differences(wanted: &BTreeMap<PathBuf, String>) -> Result<Vec<String>> {
    let mut wrong: Vec<String> = stale(wanted)?
        .iter()
        .map(|it| format!("{}: nobody generates it any more", it.display()))
        .collect();
    for (path, text) in wanted {
        if fs::read_to_string(repo::root().join(path)).ok().as_ref() != Some(text) {
            let path = path.display();
            wrong.push(format!("{path}: not as generated; `cargo xtask book` writes it"));
        }
    }
    Ok(wrong)
}

/// Links in the book and in the other texts of the repository.
fn dead_links() -> Result<Vec<String>> {
    let read = |path: &Path| {
        let whole = repo::root().join(path);
        whole.exists().then(|| fs::read_to_string(whole).ok())
    };
    let mut wrong = Vec::new();
    for path in repo::files()? {
        if path.extension().is_some_and(|it| it == "md") {
            wrong.extend(links::check(&path, &repo::read(&path)?, &read));
        }
    }
    Ok(wrong)
}

/// Chapters that no reader finds: they are not in the list.
fn lost_chapters() -> Result<Vec<String>> {
    let summary = repo::read(Path::new(SUMMARY))?;
    let listed: Vec<PathBuf> = links::links(&summary)
        .into_iter()
        .filter_map(|it| links::normal(&Path::new(SRC).join(it.target)))
        .collect();
    let files = repo::files()?;
    let is_lost = |it: &&PathBuf| {
        it.starts_with(SRC)
            && it.extension().is_some_and(|it| it == "md")
            && *it != Path::new(SUMMARY)
            && !listed.contains(it)
    };
    let lost = files.iter().filter(is_lost);
    Ok(lost.map(|it| format!("{}: not in {SUMMARY}", it.display())).collect())
}
