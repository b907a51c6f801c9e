//! Diagnostics as text for people. The only file that knows codespan-reporting.

use codespan_reporting::{
    diagnostic::{Diagnostic, Label, Severity as CsSeverity},
    files::SimpleFiles,
    term,
};

use crate::{Diag, Severity};

/// The texts that diagnostics point into, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sources {
    texts: Vec<(String, String)>,
}

impl Sources {
    /// Adds a text; a name given before is kept as it was.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) {
        let name = name.into();
        if !self.texts.iter().any(|it| it.0 == name) {
            self.texts.push((name, text.into()));
        }
    }
}

/// Renders diagnostics in order. A place in a text that `sources` lacks becomes a note.
pub fn render(diags: &[Diag], sources: &Sources) -> String {
    let mut files = SimpleFiles::new();
    for (name, text) in &sources.texts {
        files.add(name.as_str(), text.as_str());
    }
    let config = term::Config::default();
    let mut res = String::new();
    for diag in diags {
        let severity = match diag.severity {
            Severity::Warning => CsSeverity::Warning,
            Severity::Error => CsSeverity::Error,
        };
        let mut labels = Vec::new();
        let mut notes = diag.notes.clone();
        for place in &diag.places {
            let id = sources.texts.iter().position(|it| it.0 == place.text);
            match id {
                Some(id) if place.range.end <= sources.texts[id].1.len() => {
                    let label = match labels.is_empty() {
                        true => Label::primary(id, place.range.clone()),
                        false => Label::secondary(id, place.range.clone()),
                    };
                    labels.push(label.with_message(&place.message));
                }
                _ => notes.push(format!("in {}: {}", place.text, place.message)),
            }
        }
        let out = Diagnostic::new(severity)
            .with_code(diag.code.id)
            .with_message(&diag.message)
            .with_labels(labels)
            .with_notes(notes);
        match term::emit_into_string(&config, &files, &out) {
            Ok(text) => res.push_str(&text),
            // A label that codespan cannot place still leaves the message to show.
            Err(_) => res.push_str(&format!("{diag}\n")),
        }
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn a_place_is_shown_and_a_lost_one_becomes_a_note() {
        let mut sources = Sources::default();
        sources.add("model.py", "y = x.view(3)\n");
        let diag = Diag::error(&codes::OP, "cannot view 4 elements as 3")
            .place("model.py", 4..13, "here")
            .place("gone.py", 0..1, "there")
            .note("sizes are fixed");
        let text = render(&[diag], &sources);
        assert!(text.contains("model.py:1:5") && text.contains("^^^^^^^^^ here"), "{text}");
        assert!(text.contains("in gone.py: there") && text.contains("sizes are fixed"), "{text}");
    }
}
