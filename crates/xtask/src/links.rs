//! Links in Markdown: whether what they name is there.

use std::path::{Component, Path, PathBuf};

/// A link: what it names, and on which line it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) target: String,
    pub(crate) line: usize,
}

/// The links of a text, outside of code.
pub(crate) fn links(text: &str) -> Vec<Link> {
    let mut res = Vec::new();
    for (line, text) in prose(text) {
        let mut rest: &str = &text;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find(')') else { break };
            res.push(Link { target: rest[..end].to_owned(), line });
            rest = &rest[end..];
        }
    }
    res
}

/// The anchors of a text's headings, as mdBook makes them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut res: Vec<String> = Vec::new();
    for (_, line) in raw_prose(text) {
        let Some(heading) = line.strip_prefix('#').map(|it| it.trim_start_matches('#')) else {
            continue;
        };
        let Some(heading) = heading.strip_prefix(' ') else { continue };
        let slug: String = heading
            .trim()
            .chars()
            .filter_map(|it| match it {
                it if it.is_alphanumeric() || it == '_' || it == '-' => {
                    Some(it.to_ascii_lowercase())
                }
                it if it.is_whitespace() => Some('-'),
                _ => None,
            })
            .collect();
        let repeats = res
            .iter()
            .filter(|it| {
                **it == slug || it.strip_prefix(&format!("{slug}-")).is_some_and(is_number)
            })
            .count();
        res.push(if repeats == 0 { slug } else { format!("{slug}-{repeats}") });
    }
    res
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// What is wrong with the links of a file, given the text of any file of the repository.
pub(crate) fn check(
    path: &Path,
    text: &str,
    read: &dyn Fn(&Path) -> Option<Option<String>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for Link { target, line } in links(text) {
        if target.starts_with("http://") || target.starts_with("https://") {
            continue;
        }
        let mut say = |what: &str| wrong.push(format!("{}:{line}: {what}", path.display()));
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let (named, text) = if file.is_empty() {
            (path.to_path_buf(), Some(text.to_owned()))
        } else {
            let folder = path.parent().unwrap_or(Path::new(""));
            let Some(named) = normal(&folder.join(file)) else {
                say(&format!("`{target}` leaves the repository"));
                continue;
            };
            match read(&named) {
                Some(text) => (named, text),
                None => {
                    say(&format!("`{target}` is not there"));
                    continue;
                }
            }
        };
        if anchor.is_empty() {
            continue;
        }
        if !text.is_some_and(|it| anchors(&it).iter().any(|it| it == anchor)) {
            say(&format!("{} has no heading `#{anchor}`", named.display()));
        }
    }
    wrong
}

/// A path without `.` and `..`; none if it leaves the folder it starts in.
pub(crate) fn normal(path: &Path) -> Option<PathBuf> {
    let mut res = PathBuf::new();
    for it in path.components() {
        match it {
            Component::Normal(it) => res.push(it),
            Component::CurDir => (),
            Component::ParentDir => {
                if !res.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(res)
}

/// The lines outside of fenced code, with their numbers from one.
fn raw_prose(text: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut res = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            res.push((i + 1, line.to_owned()));
        }
    }
    res
}

/// The same without what stands between single backticks.
fn prose(text: &str) -> Vec<(usize, String)> {
    let outside = |line: &str| line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    raw_prose(text).into_iter().map(|(i, line)| (i, outside(&line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_outside_code_are_found() {
        let text = "a [b](c.md) `[x](y)` [`d`](e.md#f)\n```\n[g](h)\n```\n";
        let found: Vec<String> = links(text).into_iter().map(|it| it.target).collect();
        assert_eq!(found, ["c.md", "e.md#f"]);
    }

    #[test]
    fn anchors_are_as_mdbook_makes_them() {
        let text = "# Add an op\n## `tensor.add`\n## In & out\n# Add an op\n";
        assert_eq!(anchors(text), ["add-an-op", "tensoradd", "in--out", "add-an-op-1"]);
    }

    #[test]
    fn dead_links_are_named() {
        let read = |path: &Path| {
            (path == Path::new("book/there.md")).then(|| Some("# There\n".to_owned()))
        };
        let text = "[a](there.md#there) [b](there.md#gone)\n[c](gone.md) [d](../../out.md)\n";
        let wrong = check(Path::new("book/x.md"), text, &read);
        assert_eq!(
            wrong,
            [
                "book/x.md:1: book/there.md has no heading `#gone`",
                "book/x.md:2: `gone.md` is not there",
                "book/x.md:2: `../../out.md` leaves the repository",
            ]
        );
    }
}
