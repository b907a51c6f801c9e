//! The `.ir` files beside this folder: each function is read, verified and printed back, or, where
//! a line says `// error: text`, refused at that line with that message.

use std::{fs, path::Path};

use ir::{parse_function, print_function, verify};

/// The functions of a text, each with the comments before it.
fn functions(text: &str) -> Vec<String> {
    let mut res = vec![String::new()];
    for line in text.lines() {
        if let Some(it) = res.last_mut() {
            *it += line;
            *it += "\n";
        }
        if line == "}" {
            res.push(String::new());
        }
    }
    res.retain(|it| !it.trim().is_empty());
    res
}

fn check(name: &str, text: &str) {
    let expected = text
        .lines()
        .enumerate()
        .find_map(|(i, line)| line.split_once("// error: ").map(|it| (i, it.1)));
    match (parse_function(name, text, &loops::ops()), expected) {
        (Ok(function), None) => {
            assert_eq!(verify(&function), [], "{name}:\n{text}");
            let code: String = text
                .lines()
                .filter(|it| !it.trim_start().starts_with("//") && !it.is_empty())
                .map(|it| format!("{it}\n"))
                .collect();
            assert_eq!(print_function(&function), code, "{name}");
        }
        (Err(it), Some((line, message))) => {
            assert!(it.message.contains(message), "{name}: {it}\n{text}");
            let place = it.places.first().map(|it| it.range.start);
            let found = place.map(|it| text[..it].lines().count() - 1);
            assert_eq!(found, Some(line), "{name}: {it}\n{text}");
        }
        (Ok(_), Some((_, message))) => panic!("{name}: no error `{message}`\n{text}"),
        (Err(it), None) => panic!("{name}: {it} {:?}\n{text}", it.places),
    }
}

#[test]
fn texts_read_and_print_or_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "ir") {
            let text = fs::read_to_string(&path).unwrap();
            for it in functions(&text) {
                check(&path.file_name().unwrap().to_string_lossy(), &it);
                found += 1;
            }
        }
    }
    assert!(0 < found);
}
