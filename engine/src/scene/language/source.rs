//! The text of a scene, and the origin of each of its bytes: the file, or a `--set` that was worked into it.

use std::ops::Range;
use std::sync::Arc;

use crate::scene::language::diagnostic::Place;

/// A scene file's name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in diagnostics, mostly its path.
    pub name: Arc<str>,
    /// The text, in RON.
    pub text: Arc<str>,
}

impl Source {
    /// A source from a text and its name. A byte order mark at the start of the text is dropped.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let text = text.strip_prefix('\u{feff}').map_or_else(|| Arc::clone(&text), Arc::from);
        Self { name: name.into(), text }
    }
}

/// Where a piece of the edited text came from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The file, from this byte on.
    File(usize),
    /// A `--set` argument, byte for byte from this byte on.
    Argument { text: Arc<str>, from: usize },
    /// Inserted text that stands for this part of a `--set` argument.
    Standin { text: Arc<str>, part: Range<usize> },
}

impl Origin {
    fn skipped(&self, bytes: usize) -> Self {
        match self.clone() {
            Self::File(from) => Self::File(from + bytes),
            Self::Argument { text, from } => Self::Argument { text, from: from + bytes },
            standin @ Self::Standin { .. } => standin,
        }
    }
}

#[derive(Debug, Clone)]
struct Piece {
    bytes: usize,
    origin: Origin,
}

/// The text of a scene with `--set` worked in.
#[derive(Debug, Clone)]
pub(crate) struct Edited {
    source: Source,
    pub(crate) text: String,
    pieces: Vec<Piece>,
}

impl Edited {
    pub(crate) fn new(source: &Source) -> Self {
        let text = source.text.to_string();
        let pieces = vec![Piece { bytes: text.len(), origin: Origin::File(0) }];
        Self { source: source.clone(), text, pieces }
    }

    /// Puts new pieces of text in place of a range (on character boundaries).
    pub(crate) fn replace(&mut self, range: Range<usize>, new: Vec<(String, Origin)>) {
        let (mut before, mut after, mut at) = (Vec::new(), Vec::new(), 0);
        for piece in &self.pieces {
            let (start, end) = (at, at + piece.bytes);
            at = end;
            if start < range.start {
                let bytes = piece.bytes.min(range.start - start);
                before.push(Piece { bytes, origin: piece.origin.clone() });
            }
            if end > range.end {
                let skipped = range.end.saturating_sub(start);
                after.push(Piece { bytes: piece.bytes - skipped, origin: piece.origin.skipped(skipped) });
            }
        }
        let text: String = new.iter().map(|(text, _)| text.as_str()).collect();
        self.text.replace_range(range, &text);
        before.extend(new.into_iter().map(|(text, origin)| Piece { bytes: text.len(), origin }));
        before.extend(after);
        self.pieces = before;
    }

    /// The place, in the file or on the command line, that a range of the edited text stands for.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let mut at = 0;
        for piece in &self.pieces {
            let (start, end) = (at, at + piece.bytes);
            at = end;
            if span.start >= end {
                continue;
            }
            let skip = span.start - start;
            return match &piece.origin {
                Origin::File(from) => self.in_file(from + skip, &span),
                Origin::Argument { text, from } => {
                    let from = from + skip;
                    Place::argument(text, from..from + span.end.min(end).saturating_sub(span.start))
                }
                Origin::Standin { text, part } => Place::argument(text, part.clone()),
            };
        }
        let end = self.source.text.len();
        Place::new(&self.source.name, &self.source.text, end..end)
    }

    /// The place of a range that begins in the file: it ends there too, after the last of the file's bytes that it
    /// covers.
    fn in_file(&self, from: usize, span: &Range<usize>) -> Place {
        let (mut at, mut to) = (0, from);
        for piece in &self.pieces {
            let (start, end) = (at, at + piece.bytes);
            at = end;
            if let Origin::File(file) = piece.origin
                && start < span.end
                && end > span.start
            {
                to = to.max(file + span.end.min(end) - start);
            }
        }
        Place::new(&self.source.name, &self.source.text, from..to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_keeps_its_origin_through_edits() {
        let mut edited = Edited::new(&Source::new("x.ron", "abcdef"));
        let arg: Arc<str> = "k=XYZ".into();
        edited.replace(2..4, vec![("XYZ".into(), Origin::Argument { text: arg.clone(), from: 2 })]);
        edited.replace(3..4, vec![("!!".into(), Origin::Standin { text: "q=2".into(), part: 0..1 })]);
        assert_eq!(edited.text, "abX!!Zef");
        let spans: Vec<_> = (0..8).map(|at| edited.place(at..at + 1).to_string()).collect();
        let set = |column: &str| format!("--set {column}");
        assert_eq!(
            spans,
            [
                "x.ron:1:1",
                "x.ron:1:2",
                &set("k=XYZ"),
                &set("q=2"),
                &set("q=2"),
                &set("k=XYZ"),
                "x.ron:1:5",
                "x.ron:1:6"
            ]
        );
        assert_eq!(edited.place(0..8).span(), 0..6, "a range around an edit is the file's");
    }
}
