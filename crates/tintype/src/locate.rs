//! Where in the user's Python a diagnostic belongs.

use std::{fs, path::Path};

use diag::{Diag, Sources};
use import::OriginInfo;

/// Files larger than this are not shown: no source of a model is.
const MAX_SOURCE: u64 = 4 << 20;

/// Puts a diagnostic at the line of Python that its origin names: in the file, where that is still
/// there and says the same, else in words.
pub(crate) fn locate(mut diag: Diag, origins: &[OriginInfo], sources: &mut Sources) -> Diag {
    let origin = diag.origin.and_then(|it| origins.get(usize::try_from(it).ok()?));
    let Some(OriginInfo { node, file, line, code, module }) = origin else { return diag };
    if file.is_empty() {
        return diag.note(format!("at node `{}`", node.escape_debug()));
    }
    if let Some(range) = line_of(file, *line, code, sources) {
        diag = diag.place(file, range, "here");
    } else {
        let (file, code) = (file.escape_debug(), code.escape_debug());
        diag = diag.note(format!("at {file}:{line}: {code}"));
    }
    let place = match module.is_empty() {
        true => String::new(),
        false => format!(" in module `{}`", module.escape_debug()),
    };
    diag.note(format!("node `{}`{place}", node.escape_debug()))
}

/// The bytes of a line, its indentation apart, if it says `code`; the file is then among `sources`.
fn line_of(
    file: &str,
    line: u32,
    code: &str,
    sources: &mut Sources,
) -> Option<std::ops::Range<usize>> {
    let path = Path::new(file);
    // The archive names the file: it may be any, so it is shown only if the line is there.
    let meta = fs::metadata(path).ok().filter(|it| it.is_file() && it.len() <= MAX_SOURCE)?;
    let is_python = path.extension().is_some_and(|it| it == "py");
    if !is_python || meta.len() == 0 || code.is_empty() {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let mut start = 0;
    for (i, whole) in text.split_inclusive('\n').enumerate() {
        if u32::try_from(i + 1) == Ok(line) {
            let from = start + (whole.len() - whole.trim_start().len());
            let range = from..from + whole.trim().len();
            (whole.trim() == code.trim()).then_some(())?;
            sources.add(file, text);
            return Some(range);
        }
        start += whole.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_still_there_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.py");
        fs::write(&path, "def forward(x):\n    return x.foo()\n").unwrap();
        let origin = |line, code: &str| OriginInfo {
            node: "foo".into(),
            file: path.display().to_string(),
            line,
            code: code.into(),
            module: "blocks.0".into(),
        };
        let origins = [origin(2, "return x.foo()"), origin(2, "return x.bar()")];
        let render = |at| {
            let mut sources = Sources::default();
            let diag = Diag::error(&diag::codes::UNSUPPORTED, "no foo").at(at);
            let diag = locate(diag, &origins, &mut sources);
            diag::render(&[diag], &sources)
        };
        assert!(render(0).contains("2 │     return x.foo()"), "{}", render(0));
        assert!(render(0).contains("node `foo` in module `blocks.0`"), "{}", render(0));
        assert!(render(1).contains("model.py:2: return x.bar()"), "{}", render(1));
        assert!(!render(2).contains("node"), "{}", render(2));
    }
}
