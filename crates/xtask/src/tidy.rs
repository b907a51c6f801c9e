//! What every file of the repository keeps to.
//!
//! - A Rust file says first what it is for, in `//!`, and is at most [`MAX_LINES`] lines long.
//! - Texts have no tabs, no spaces at the end of a line, and end in one newline.
//! - Nothing names a folder of somebody's machine, and nothing is included from outside of the
//!   repository.
//! - No snapshot waits to be accepted.

use std::path::{Component, Path};

use anyhow::Result;

use crate::repo;

/// Lines of the longest Rust file.
const MAX_LINES: usize = 700;

/// Files with text in them, by their endings.
const TEXTS: &[&str] = &[
    "rs", "md", "toml", "py", "sh", "c", "h", "cpp", "ir", "pipeline", "txt", "map", "json", "in",
];

/// Checks every file.
pub(crate) fn run() -> Result<()> {
    let mut wrong = Vec::new();
    for path in repo::files()? {
        wrong.extend(check(&path)?.into_iter().map(|it| format!("{}: {it}", path.display())));
    }
    repo::verdict("tidy", &wrong)
}

fn check(path: &Path) -> Result<Vec<String>> {
    let name = path.file_name().map(|it| it.to_string_lossy()).unwrap_or_default();
    if name.ends_with(".snap.new") || name.ends_with(".pending-snap") {
        return Ok(vec!["a snapshot that nobody has accepted".to_owned()]);
    }
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    if !TEXTS.contains(&extension) {
        return Ok(Vec::new());
    }
    let text = repo::read(path)?;
    // Tables, and what a program printed, are as they are.
    let mut wrong = if extension == "txt" { Vec::new() } else { spaces(&text) };
    if extension == "rs" {
        wrong.extend(rust(&text));
    }
    wrong.extend(paths(path, &text));
    Ok(wrong)
}

fn spaces(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (i, line) in text.split('\n').enumerate() {
        if line.ends_with([' ', '\r', '\t']) {
            wrong.push(format!("line {} ends in a space", i + 1));
        }
        if line.contains('\t') {
            wrong.push(format!("line {} has a tab", i + 1));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        wrong.push("does not end in one newline".to_owned());
    }
    wrong
}

fn rust(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//! ") {
        wrong.push("does not begin with `//!`: say what it is for".to_owned());
    }
    let lines = text.lines().count();
    if MAX_LINES < lines {
        wrong.push(format!("has {lines} lines, more than {MAX_LINES}: split it"));
    }
    wrong
}

/// Paths in a text that lead out of the repository.
fn paths(path: &Path, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    // Put together, so that this file does not hold what it looks for.
    for home in [["/ho", "me/"], ["/ro", "ot/"], ["/Use", "rs/"], ["/wo", "rk/"]] {
        let home = home.concat();
        if text.contains(&home) {
            wrong.push(format!("names a path on somebody's machine: `{home}`"));
        }
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for word in ["include_str!(\"", "include_bytes!(\"", "path = \""] {
        for rest in text.split(word).skip(1) {
            let target = rest.split('"').next().unwrap_or_default();
            if climbs_out(&folder.join(target)) {
                wrong.push(format!("`{target}` is outside of the repository"));
            }
        }
    }
    wrong
}

/// Whether a path below the root leaves it on the way.
fn climbs_out(path: &Path) -> bool {
    let mut depth = 0_i64;
    path.components().any(|it| {
        depth += match it {
            Component::ParentDir => -1,
            Component::Normal(_) => 1,
            Component::CurDir => 0,
            Component::RootDir | Component::Prefix(_) => return true,
        };
        depth < 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_untidy_is_found() {
        assert_eq!(spaces("a\nb\n"), Vec::<String>::new());
        assert_eq!(
            spaces("a \n\tb"),
            ["line 1 ends in a space", "line 2 has a tab", "does not end in one newline"]
        );
        assert_eq!(rust("fn f() {}\n"), ["does not begin with `//!`: say what it is for"]);
        let text = "include_str!(\"../../x.md\")";
        assert!(paths(Path::new("crates/a/b.rs"), text).is_empty());
        let wrong = paths(Path::new("crates/b.rs"), text);
        assert_eq!(wrong, ["`../../x.md` is outside of the repository"]);
    }
}
