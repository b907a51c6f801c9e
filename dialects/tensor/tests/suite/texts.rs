//! The functions in `tests/*.ir`, one file per group of operators.
//!
//! A line that says `// error: text` must be refused with a message that contains the text, at that
//! line. A function without such a line must verify and print as it is written.

use std::{fs, path::Path};

use ir::{parse_function, print_function, verify};

/// What is wrong with one function of a file.
fn complaint(text: &str) -> Option<String> {
    let ops = tensor::ops();
    let expected = text.lines().enumerate().find_map(|(i, line)| {
        line.split_once(" // error: ").map(|(_, message)| (i, message.trim()))
    });
    let plain: String = text
        .lines()
        .map(|it| it.split(" //").next().unwrap_or(it).trim_end())
        .filter(|it| !it.is_empty())
        .map(|it| format!("{it}\n"))
        .collect();
    match (parse_function("test", text, &ops), expected) {
        (Ok(it), None) => {
            let printed = print_function(&it);
            let diags = verify(&it);
            if printed != plain {
                return Some(format!("prints as\n{printed}"));
            }
            (!diags.is_empty()).then(|| format!("{diags:?}"))
        }
        (Ok(_), Some((_, message))) => Some(format!("is accepted, but `{message}` was expected")),
        (Err(it), None) => Some(format!("{it}")),
        (Err(it), Some((line, message))) => {
            let at = it.places.first().map_or(0, |it| it.range.start);
            let found = text[..at].matches('\n').count();
            let fits = it.message.contains(message) && found == line;
            (!fits).then(|| format!("line {found}: {it}, but line {line} expects `{message}`"))
        }
    }
}

#[test]
fn files_of_functions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    let mut complaints = Vec::new();
    let mut seen = 0;
    for path in paths.iter().filter(|it| it.extension().is_some_and(|it| it == "ir")) {
        let text = fs::read_to_string(path).unwrap();
        let starts: Vec<usize> = text.match_indices("func @").map(|it| it.0).collect();
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        for (start, end) in starts.iter().zip(ends) {
            seen += 1;
            let function = &text[*start..end];
            if let Some(it) = complaint(function) {
                complaints.push(format!("{}\n{function}{it}\n", path.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(50 < seen, "only {seen} functions were found");
}
