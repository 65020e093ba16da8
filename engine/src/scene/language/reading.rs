//! Reads RON files that are not scenes, with the same diagnostics.

use serde::de::DeserializeOwned;

use crate::scene::language::catalogue::dialect;
use crate::scene::language::diagnostic::{Diagnostic, Diagnostics};
use crate::scene::language::locate::{Document, Step};
use crate::scene::language::repair;
use crate::scene::language::source::{Edited, Source};

/// A value read from a file, with the places of its parts.
#[derive(Debug)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    source: Source,
}

impl<T: DeserializeOwned> Reading<T> {
    /// Reads the whole text of `source`.
    ///
    /// # Errors
    /// Everything that does not fit, each finding with its place.
    pub fn new(source: &Source) -> Result<Self, Diagnostics> {
        let edited = Edited::new(source);
        let document = Document { subject: "the file", ..Document::new(&edited.text) };
        let read = repair::read(&edited, &document, 0..edited.text.len(), |text| dialect().from_str(text));
        match read.value {
            Some(value) if read.found.is_empty() => Ok(Self { value, source: source.clone() }),
            _ => Err(Diagnostics(read.found)),
        }
    }

    /// An error about the value at the end of `path` (names of fields and keys of maps), or about the last part of
    /// the path that the file has.
    pub fn error(&self, path: &[&str], title: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        let edited = Edited::new(&self.source);
        let document = Document::new(&edited.text);
        let steps: Vec<Step> = path.iter().copied().map(Step::from).collect();
        let found = (0..=steps.len()).rev().find_map(|end| document.find(&steps[..end]));
        let span = found.map_or(0..0, |value| value.span.clone());
        Diagnostic::error(edited.place(span), title, label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        inner: std::collections::BTreeMap<String, f64>,
    }

    #[test]
    fn what_does_not_fit_is_placed_while_and_after_it_is_read() {
        let cases = [
            ("(inner: {\"a\": 1.0}, outer: 2)", "x.ron:1:21"),
            ("(inner: {\"a\": high})", "x.ron:1:15"),
            ("(inner: {\"a\": 1.0)", "x.ron:1:9"),
        ];
        for (text, place) in cases {
            let found = Reading::<Small>::new(&Source::new("x.ron", text)).unwrap_err();
            assert_eq!(found.0[0].place.to_string(), place, "{found}");
            assert!(!found.to_string().contains("scene"), "{found}");
        }
        let read = Reading::<Small>::new(&Source::new("x.ron", "(inner: {\n  \"a\": 7.5,\n})")).unwrap();
        assert_eq!(read.value.inner["a"], 7.5);
        assert_eq!(read.error(&["inner", "a"], "", "").place.to_string(), "x.ron:2:8");
        assert_eq!(read.error(&["inner", "b"], "", "").place.to_string(), "x.ron:1:9");
    }
}
