//! Diagnostics: what went wrong, where, and what to do about it.
//!
//! A [`Diag`] is data and part of an answer; nothing prints where it is made.
//! [`render`] turns diagnostics into text for people, and is the only place that knows
//! codespan-reporting.
//!
//! **Architecture invariant:** this crate knows nothing of the IR. A place is an origin number or
//! a range of bytes in a named text.

pub mod codes;
mod render;

use std::{fmt, ops::Range};

pub use codes::DiagCode;
pub use render::{Sources, render};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing.
    Warning,
    /// Nothing comes out.
    Error,
}

/// A place in a text that [`Sources`] holds by name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The name of the text: a file, or `<before PASS>`.
    pub text: String,
    /// Bytes in it.
    pub range: Range<usize>,
    /// What to say there.
    pub message: String,
}

/// One diagnostic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Diag {
    /// Its kind.
    pub code: &'static DiagCode,
    /// How bad it is.
    pub severity: Severity,
    /// What went wrong, in one sentence without a full stop.
    pub message: String,
    /// The exported node it is about, as an index into the function's table of origins.
    pub origin: Option<u32>,
    /// Places in texts.
    pub places: Vec<Place>,
    /// What else helps.
    pub notes: Vec<String>,
}

impl Diag {
    /// An error.
    pub fn error(code: &'static DiagCode, message: impl Into<String>) -> Diag {
        Diag {
            code,
            severity: Severity::Error,
            message: message.into(),
            origin: None,
            places: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A warning.
    pub fn warning(code: &'static DiagCode, message: impl Into<String>) -> Diag {
        Diag { severity: Severity::Warning, ..Diag::error(code, message) }
    }

    /// About that exported node, unless the number stands for none.
    #[must_use]
    pub fn at(mut self, origin: u32) -> Diag {
        self.origin = (origin != u32::MAX).then_some(origin);
        self
    }

    /// Points at a range of bytes in a text.
    #[must_use]
    pub fn place(
        mut self,
        text: impl Into<String>,
        range: Range<usize>,
        message: impl Into<String>,
    ) -> Diag {
        self.places.push(Place { text: text.into(), range, message: message.into() });
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Diag {
        self.notes.push(note.into());
        self
    }
}

impl fmt::Display for Diag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}[{}]: {}", self.code.id, self.message)
    }
}

impl std::error::Error for Diag {}

/// The closest of `known` to `name`, for "did you mean"; none if nothing is close.
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = name.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|it| (distance(name, it), it))
        .filter(|it| it.0 <= limit)
        .min()
        .map(|it| it.1)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_close_or_none() {
        assert_eq!(suggest("canonicalise", ["cse", "canonicalize"]), Some("canonicalize"));
        assert_eq!(suggest("fuse", ["layout", "cse"]), None);
    }
}
