//! The text of one test.

use pass::{Replay, parse_repro};

/// Between what is before and what is after.
pub(crate) const AFTER: &str = "// ---- after";

/// One test, as its text says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// What diagnostics call the text.
    pub name: String,
    /// What comes before the pass, with its comments.
    pub before: String,
    /// What is expected after it.
    pub after: Option<String>,
    /// The `//! key = value` lines.
    pub header: Replay,
}

impl Case {
    /// Reads a test. The line `// ---- after` belongs to neither part.
    pub fn parse(name: impl Into<String>, text: &str) -> Result<Case, String> {
        let header = parse_repro(text).map_err(|it| it.message)?;
        let mut before = String::new();
        let mut after: Option<String> = None;
        for line in text.lines() {
            match &mut after {
                None if line.trim_end() == AFTER => after = Some(String::new()),
                part => {
                    let part = part.as_mut().unwrap_or(&mut before);
                    part.push_str(line);
                    part.push('\n');
                }
            }
        }
        Ok(Case { name: name.into(), before, after, header })
    }

    /// The text of the test with another part after.
    pub fn with_after(&self, after: &str) -> String {
        format!("{}{AFTER}\n{after}", self.before)
    }

    /// Every `// error: text`, with the number of its line from 0.
    pub(crate) fn errors(&self) -> Vec<(usize, &str)> {
        directives(&self.before, "error").collect()
    }

    /// Every `// absent: text`.
    pub(crate) fn absent(&self) -> Vec<&str> {
        directives(&self.before, "absent").map(|it| it.1).collect()
    }
}

fn directives<'t>(text: &'t str, word: &str) -> impl Iterator<Item = (usize, &'t str)> {
    let mark = format!("// {word}: ");
    text.lines().enumerate().filter_map(move |(i, line)| {
        let at = line.find(&mark)?;
        Some((i, line[at + mark.len()..].trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_two_parts_and_directives() {
        let text = "//! passes = fuse{n=1}\n// absent: a.b\nx // error: no x\n// ---- after\ny\n";
        let case = Case::parse("t", text).unwrap();
        assert_eq!(case.header.passes.as_deref(), Some("fuse{n=1}"));
        assert_eq!((case.absent(), case.errors()), (vec!["a.b"], vec![(2, "no x")]));
        assert_eq!(case.after.as_deref(), Some("y\n"));
        assert_eq!(case.with_after("y\n"), text);
    }
}
