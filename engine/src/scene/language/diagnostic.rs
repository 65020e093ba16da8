//! Diagnostics: what is wrong with a scene, where, and what would be right; drawn the way rustc draws them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};

use crate::scene::language::catalogue::Severity;

/// A stretch of a scene file or of a `--set` argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    origin: Arc<str>,
    text: Arc<str>,
    span: Range<usize>,
}

/// The name of the origin of a `--set` argument.
const COMMAND_LINE: &str = "command line";

impl Place {
    /// A stretch of a file; cut to its first line, and to whole characters.
    pub(crate) fn new(name: &Arc<str>, text: &Arc<str>, span: Range<usize>) -> Self {
        let boundary =
            |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let start = boundary(span.start);
        let rest = &text[start..boundary(span.end).max(start)];
        let line = rest.split(['\n', '\r']).next().unwrap_or("").trim_end();
        Self { origin: name.clone(), text: text.clone(), span: start..start + line.len() }
    }

    /// A stretch of `PATH=VALUE`.
    pub(crate) fn argument(argument: &str, span: Range<usize>) -> Self {
        const FLAG: &str = "--set ";
        let text: Arc<str> = format!("{FLAG}{argument}").into();
        Self::new(&COMMAND_LINE.into(), &text, span.start + FLAG.len()..span.end + FLAG.len())
    }

    /// The byte range in the file or argument.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Line and column, both from 1, in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = &self.text[..self.span.start];
        let line = before.matches('\n').count() + 1;
        (line, before.chars().rev().take_while(|&c| c != '\n').count() + 1)
    }

    /// Whether the place is in a `--set` argument, and not in the file.
    pub fn is_argument(&self) -> bool {
        &*self.origin == COMMAND_LINE
    }

    /// The text at this place.
    pub fn excerpt(&self) -> &str {
        &self.text[self.span.clone()]
    }
}

impl fmt::Display for Place {
    /// Writes `file:line:column`, or the whole `--set PATH=VALUE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_argument() {
            return f.write_str(&self.text);
        }
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.origin)
    }
}

/// Findings that are drawn at once: nobody reads more.
const SHOWN_MAX: usize = 100;

/// How a diagnostic is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// For files, pipes and `NO_COLOR`.
    Plain,
    /// With ANSI colours.
    Styled,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in a sentence that stands alone.
    pub title: String,
    /// The place in the document.
    pub place: Place,
    /// The text under the caret.
    pub label: String,
    /// A second place that has to do with it, and why.
    pub related: Option<(Place, String)>,
    /// What to do about it.
    pub help: Vec<String>,
}

impl Diagnostic {
    pub(crate) fn error(place: Place, title: impl Into<String>, label: impl Into<String>) -> Self {
        let (severity, help) = (Severity::Error, Vec::new());
        Self { severity, title: title.into(), place, label: label.into(), related: None, help }
    }

    pub(crate) fn warning(place: Place, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, title, label) }
    }

    /// Adds one more thing that can be done about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(crate) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related = Some((place, label.into()));
        self
    }

    /// Draws title, file:line:column, the line with a caret, and help.
    pub fn render(&self, look: Rendering) -> String {
        let level = if self.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
        let (title, label) = (printable(&self.title), printable(&self.label));
        let related = self.related.as_ref();
        let here = related.filter(|(place, _)| place.text == self.place.text);
        let (first, last) = here.map_or((&self.place, &self.place), |(place, _)| {
            let before = place.span.start < self.place.span.start;
            if before { (place, &self.place) } else { (&self.place, place) }
        });
        let lines = Lines::of(&self.place, first.span.start..last.span.end.max(first.span.end));
        let from = lines.from;
        let mut snippet = lines.snippet().annotation(mark(AnnotationKind::Primary, &self.place, from, label));
        let mut second = None;
        if let Some((place, label)) = related {
            let label = printable(label);
            if here.is_some() {
                snippet = snippet.annotation(mark(AnnotationKind::Context, place, from, label));
            } else {
                let lines = Lines::of(place, place.span.clone());
                second =
                    Some(lines.snippet().annotation(mark(AnnotationKind::Context, place, lines.from, label)));
            }
        }
        let mut group = level.primary_title(title).element(snippet);
        if let Some(second) = second {
            group = group.element(second);
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        let renderer = match look {
            Rendering::Plain => Renderer::plain(),
            Rendering::Styled => Renderer::styled(),
        };
        renderer.render(&[group])
    }
}

/// An annotation in a source that is cut off before `from`.
fn mark(kind: AnnotationKind, place: &Place, from: usize, label: String) -> Annotation<'static> {
    let span = place.span.start - from..place.span.end - from;
    kind.span(span).label((!label.is_empty()).then_some(label))
}

/// The lines that a drawing shows, so that other lines need not be gone through, however many findings there are.
struct Lines<'a> {
    place: &'a Place,
    from: usize,
    to: usize,
}

impl<'a> Lines<'a> {
    /// The whole lines that hold `span`.
    fn of(place: &'a Place, span: Range<usize>) -> Self {
        let text = &*place.text;
        // A place after the last line has no line of its own: it is the end of the line before.
        let before = &text[..span.start];
        let before = if span.start == text.len() { before.trim_end_matches('\n') } else { before };
        let from = before.rfind('\n').map_or(0, |at| at + 1);
        let to = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at);
        Self { place, from, to }
    }

    fn snippet(&self) -> Snippet<'a, Annotation<'a>> {
        let first = self.place.text[..self.from].matches('\n').count() + 1;
        let source = shown(&self.place.text[self.from..self.to]);
        Snippet::source(source).line_start(first).path(&*self.place.origin)
    }
}

/// Text in which control characters are visible and do nothing to a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// A source text in which control characters are visible and every byte keeps its place. The renderer handles the
/// ASCII ones; those above take two bytes, as does their replacement.
fn shown(text: &str) -> Cow<'_, str> {
    let above = |c: char| c.is_control() && !c.is_ascii();
    if text.contains(above) { Cow::Owned(text.replace(above, "\u{BF}")) } else { Cow::Borrowed(text) }
}

/// Findings in the order of the checks; for a refused scene at least one is an error.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

impl Diagnostics {
    /// Draws the findings, a blank line between them; beyond a hundred, the first ones and the number of the others.
    pub fn render(&self, look: Rendering) -> String {
        let mut shown: Vec<String> = self.0.iter().take(SHOWN_MAX).map(|one| one.render(look)).collect();
        if let Some(more @ 1..) = self.0.len().checked_sub(SHOWN_MAX) {
            shown.push(format!("{more} more of these"));
        }
        shown.join("\n\n")
    }

    /// Number of errors.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|one| one.severity == Severity::Error).count()
    }
}

/// Same text as `Display`: a `main` that returns an error prints it with `Debug`.
impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Rendering::Plain))
    }
}

impl std::error::Error for Diagnostics {}
