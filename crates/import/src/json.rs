//! JSON members, read into structs; where they do not fit, the path of the value is found
//! afterwards, so that what is right costs nothing.

use serde::de::DeserializeOwned;

use crate::{ImportError, MemberFault};

/// No graph is this large, and what is parsed takes several times the space of its text.
const LIMIT: usize = 256 << 20;

/// Reads a JSON member. `member` is its name in errors.
///
/// serde_json stops at 128 levels of nesting, which also bounds the stack.
pub(crate) fn parse<T: DeserializeOwned>(member: &str, bytes: &[u8]) -> Result<T, ImportError> {
    if LIMIT < bytes.len() {
        let fault = MemberFault::TooLarge { size: bytes.len() as u64, limit: LIMIT as u64 };
        return Err(ImportError::member(member, fault));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let message = error.to_string();
        // serde_json appends the place, of which a path says more than a line.
        let reason = message.split_once(" at line ").map_or(&*message, |(reason, _)| reason);
        ImportError::Json {
            member: member.into(),
            path: path_at(bytes, offset(bytes, error.line(), error.column())),
            reason: reason.into(),
        }
    })
}

/// The offset of a place that serde_json gives as a line and a column, both from one.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let before = bytes.split_inclusive(|&byte| byte == b'\n').take(line.saturating_sub(1));
    before.map(<[u8]>::len).sum::<usize>().saturating_add(column)
}

/// One open object or list.
enum Level {
    /// The last key, with its quotes off and its escapes left in.
    Object(String),
    List(usize),
}

/// The path of the value that ends at or holds the byte before `end`, as `nodes[3].inputs[0].arg`.
fn path_at(bytes: &[u8], end: usize) -> String {
    let text = bytes.get(..end).unwrap_or(bytes);
    let mut levels = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let last = at + 1 == text.len();
        match byte {
            b'{' => levels.push(Level::Object(String::new())),
            b'[' => levels.push(Level::List(0)),
            // An error at a closing bracket is about what it closes.
            b'}' | b']' if last => {
                if let Some(Level::Object(key)) = levels.last_mut() {
                    key.clear();
                }
            }
            b'}' | b']' => drop(levels.pop()),
            b',' => match levels.last_mut() {
                Some(Level::List(count)) => *count += 1,
                Some(Level::Object(key)) => key.clear(),
                None => {}
            },
            b'"' => {
                let inside = text.get(at + 1..).unwrap_or_default();
                let len = string_len(inside);
                // The first string of a pair is its key.
                if let Some(Level::Object(key)) = levels.last_mut()
                    && key.is_empty()
                {
                    *key = String::from_utf8_lossy(inside.get(..len).unwrap_or_default()).into();
                }
                at += len + 1;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for level in &levels {
        match level {
            Level::Object(key) if key.is_empty() => {}
            Level::Object(key) if path.is_empty() => path.push_str(key),
            Level::Object(key) => path.extend([".", key]),
            Level::List(count) => path.push_str(&format!("[{count}]")),
        }
    }
    path
}

/// How many bytes a string has before its closing quote.
fn string_len(inside: &[u8]) -> usize {
    let mut escaped = false;
    let end = inside.iter().position(|&byte| {
        let quote = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        quote
    });
    end.unwrap_or(inside.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_the_value_that_does_not_fit() {
        #[derive(serde::Deserialize, Debug)]
        struct Outer {
            #[expect(dead_code, reason = "only parsed")]
            list: Vec<Inner>,
        }
        #[derive(serde::Deserialize, Debug)]
        struct Inner {
            #[expect(dead_code, reason = "only parsed")]
            number: i64,
        }
        let cases = [
            (r#"{"list": [{"number": 1}, {"number": "x\"y"}]}"#, "list[1].number"),
            (
                r#"{"list": [{"number": 1},
                {"other": [1, {"a": 2}]}]}"#,
                "list[1]",
            ),
            (r#"{"list": [{"number": 1.5}]}"#, "list[0].number"),
            (r#"{"list": [{"number": 99999999999999999999}]}"#, "list[0].number"),
            (r#"{"list": 3}"#, "list"),
            (r#"{"lost": 3}"#, ""),
            (r#"{"list": [{"number": 1}"#, "list[0]"),
        ];
        for (text, expected) in cases {
            match parse::<Outer>("m", text.as_bytes()) {
                Err(ImportError::Json { path, reason, .. }) => {
                    assert_eq!(path, expected, "{text}: {reason}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
