//! Finds the field that an error of ron is about, and says what was expected and what was found.

use std::ops::Range;

use ron::error::{Error, Position, SpannedError};

use crate::scene::language::diagnostic::Diagnostic;
use crate::scene::language::locate::{Document, Step};
use crate::scene::language::scan::unpaired;
use crate::scene::language::source::Edited;
use crate::scene::language::suggest;
use crate::scene::language::tree::{Bracket, Value};

/// Whether the text of a scalar is a name, and not a number, string or keyword.
pub(crate) fn is_name(text: &str) -> bool {
    let text = text.strip_prefix("r#").unwrap_or(text);
    let keyword = matches!(text, "true" | "false" | "None" | "Some" | "inf" | "NaN");
    !keyword
        && text.starts_with(|c: char| c == '_' || c.is_alphabetic())
        && text.chars().all(|c| c == '_' || c.is_alphanumeric())
}

/// Byte of a line and column, both counted from 1 in characters.
fn byte_at(text: &str, position: Position) -> usize {
    let line: usize = text.split_inclusive('\n').take(position.line.saturating_sub(1)).map(str::len).sum();
    let in_line = text[line..].char_indices().nth(position.col.saturating_sub(1));
    in_line.map_or(text.len(), |(at, _)| line + at)
}

/// The range of the value's name, or else of its first line: enough to recognise it.
pub(crate) fn short_span(value: &Value) -> Range<usize> {
    value.head.clone().unwrap_or_else(|| value.span.clone())
}

/// A path as messages and `--set` write it: `gate.threshold`.
pub(crate) fn path_name(document: &Document<'_>, path: &[Step]) -> String {
    let mut shown = String::new();
    let rest = match node_at(document, path) {
        Some((id, inner)) => {
            shown = id;
            inner
        }
        None => path,
    };
    let in_node = !shown.is_empty();
    for step in rest {
        match step {
            Step::Index(index) if in_node => shown += &format!(".{index}"),
            Step::Field(name) if !shown.is_empty() => shown += &format!(".{name}"),
            step => shown += &step.to_string(),
        }
    }
    shown
}

/// The id of the node a path leads into, and the path inside it as `--set` counts it.
fn node_at<'p>(document: &Document<'_>, path: &'p [Step]) -> Option<(String, &'p [Step])> {
    let [nodes, Step::Index(_), inner @ ..] = path else { return None };
    if nodes != &Step::from("nodes") {
        return None;
    }
    let id = document.string(document.find(&[path[0].clone(), path[1].clone(), "id".into()])?)?;
    let in_kind = inner.len() > 1 && inner[0] == Step::from("kind");
    Some((id, if in_kind { &inner[1..] } else { inner }))
}

/// A path as the owner of fields.
fn owner_name(document: &Document<'_>, path: &[Step], value: &Value) -> String {
    let named = value.head.as_ref().map(|head| &document.text[head.clone()]);
    match (path, node_at(document, path)) {
        ([], _) => document.subject.into(),
        (_, Some((id, []))) => format!("node `{id}`"),
        ([_, _, Step::Field(kind)], Some((id, _))) if kind == "kind" => {
            format!("`{id}` ({})", named.unwrap_or("no kind"))
        }
        _ => match named {
            Some(name) => format!("`{}` ({name})", path_name(document, path)),
            None => format!("`{}`", path_name(document, path)),
        },
    }
}

/// Finds the place and the meaning of an error.
pub(crate) struct Finder<'a> {
    edited: &'a Edited,
    pub(crate) document: &'a Document<'a>,
    /// The byte at which the parser stopped.
    pub(crate) at: usize,
}

impl<'a> Finder<'a> {
    /// A finder for an error about `part` of the text, whose positions count from its start.
    pub(crate) fn new(
        edited: &'a Edited,
        document: &'a Document<'a>,
        part: Range<usize>,
        error: &SpannedError,
    ) -> Self {
        let at = part.start + byte_at(&document.text[part], error.span.end);
        Self { edited, document, at }
    }

    pub(crate) fn explain(&self, code: &Error) -> Diagnostic {
        match code {
            Error::NoSuchStructField { expected, found, .. } => self.unknown_field(found, expected),
            Error::MissingStructField { field, .. } => self.missing_field(field),
            Error::DuplicateStructField { field, .. } => self.duplicate_field(field),
            Error::NoSuchEnumVariant { expected, found, .. } => self.unknown_variant(found, expected),
            code => self.misfit(code),
        }
    }

    fn error(&self, span: Range<usize>, title: String, label: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.edited.place(span), title, label)
    }

    /// The owner's name, and the last key of this name before the parser's place.
    fn key(&self, name: &str) -> (String, Range<usize>) {
        let (path, owner) = self.document.enclosing(self.at);
        let items = owner.group.as_ref().map_or(&[][..], |group| &group.items);
        let key = items
            .iter()
            .filter(|item| self.document.key(item).as_deref() == Some(name))
            .filter_map(|item| item.key.clone())
            .rfind(|key| key.start <= self.at);
        (owner_name(self.document, &path, owner), key.unwrap_or_else(|| self.next_char()))
    }

    fn next_char(&self) -> Range<usize> {
        let length = self.document.text[self.at..].chars().next().map_or(0, char::len_utf8);
        self.at..self.at + length
    }

    fn unknown_field(&self, found: &str, expected: &[&str]) -> Diagnostic {
        let (owner, key) = self.key(found);
        self.error(key, format!("{owner} has no field `{found}`"), "unknown field").help(suggest::help(
            found,
            "its fields are",
            expected,
        ))
    }

    fn missing_field(&self, field: &str) -> Diagnostic {
        let (path, owner) = self.document.enclosing(self.at);
        let name = owner_name(self.document, &path, owner);
        let span = match (&owner.head, &owner.group) {
            (Some(head), _) => head.clone(),
            (None, Some(group)) if path.is_empty() => group.span.start..group.span.start + 1,
            _ => owner.span.clone(),
        };
        self.error(
            span,
            format!("{name} lacks the field `{field}`"),
            format!("`{field}: ...` is missing here"),
        )
    }

    fn duplicate_field(&self, field: &str) -> Diagnostic {
        let (owner, key) = self.key(field);
        self.error(key, format!("{owner} has the field `{field}` twice"), "given before")
    }

    fn unknown_variant(&self, found: &str, expected: &[&str]) -> Diagnostic {
        let (path, value) = self.document.path_at(self.at);
        let name = path_name(self.document, &path);
        self.error(short_span(value), format!("`{name}` cannot be `{found}`"), "unknown name")
            .help(suggest::help(found, "expected one of", expected))
    }

    /// A value of the wrong type, or text that is not RON.
    fn misfit(&self, code: &Error) -> Diagnostic {
        let (path, value) = self.document.path_at(self.at);
        if let Some(special) = self.edge(code, &path).or_else(|| self.shape(code, &path, value)) {
            return special;
        }
        if let Error::Message(message) = code {
            // What a kind itself says of its configuration is whole.
            let name = path_name(self.document, &path);
            let title = if path.is_empty() { message.clone() } else { format!("`{name}`: {message}") };
            return self.error(short_span(value), title, "refused");
        }
        let found = cut(&self.document.text[value.span.clone()]);
        let inside_scalar =
            value.group.is_none() && (value.span.start + 1..value.span.end).contains(&self.at);
        let name = path_name(self.document, &path);
        let place = self.edited.place(value.span.clone());
        let negative = found.starts_with('-');
        let wanted = match expectation(code) {
            _ if value.span.is_empty() => None,
            None if inside_scalar && found.parse::<f64>().is_ok() => Some("a whole number".into()),
            None if inside_scalar && !path.is_empty() => Some("another type of value".into()),
            Some(_) if matches!(code, Error::IntegerOutOfBounds) && negative => {
                Some("a number from 0 up".into())
            }
            wanted => wanted,
        };
        let Some(wanted) = wanted else { return self.malformed(code) };
        let title = if path.is_empty() {
            format!("expected {wanted}, found `{found}`")
        } else {
            format!("`{name}`: expected {wanted}, found `{found}`")
        };
        Diagnostic::error(place, title, format!("expected {wanted}"))
    }

    /// An error in an edge, which must be a pair of names.
    fn edge(&self, code: &Error, path: &[Step]) -> Option<Diagnostic> {
        let [edges, Step::Index(index), ..] = path else { return None };
        let at = [edges.clone(), Step::Index(*index)];
        let edge = self.document.find(&at).filter(|_| edges == &Step::from("edges"))?;
        if matches!(code, Error::ExpectedComma) && self.at <= edge.span.start {
            return None;
        }
        let title = format!("`edges[{index}]` is no pair of names");
        Some(self.error(edge.span.clone(), title, "expected (\"from\", \"to\")"))
    }

    /// An error of shape: fields where none can be, values without a name where fields are expected, groups cut off
    /// by a wrong bracket.
    fn shape(&self, code: &Error, path: &[Step], value: &Value) -> Option<Diagnostic> {
        let (name, text) = (path_name(self.document, path), self.document.text);
        if let (Some(head), Some(group), Error::ExpectedComma) = (&value.head, &value.group, code)
            && (head.end..=group.span.start).contains(&self.at)
        {
            let title = format!("`{name}`: `{}` has no fields", &text[head.clone()]);
            return Some(self.error(group.span.clone(), title, "expected nothing here"));
        }
        let unnamed = matches!(
            code,
            Error::SuggestRawIdentifier(_) | Error::InvalidIdentifier(_) | Error::ExpectedIdentifier
        );
        if unnamed && unpaired(text).is_some() {
            return Some(self.malformed(code));
        }
        if unnamed && matches!(path.last(), Some(Step::Index(_))) {
            let (owner_path, owner) = self.document.enclosing(self.at);
            if owner.group.as_ref().is_some_and(|group| group.bracket == b'(') {
                let owner = owner_name(self.document, &owner_path, owner);
                let title = format!("{owner}: fields are given by name");
                return Some(self.error(value.span.clone(), title, "expected `name: value`"));
            }
        }
        let group = value.group.as_ref()?;
        let between = (group.span.start + 1..group.span.end).contains(&self.at);
        let judged = matches!(
            code,
            Error::InvalidValueForType { .. } | Error::ExpectedDifferentLength { .. } | Error::Message(_)
        );
        (between && !judged).then(|| self.malformed(code))
    }

    fn malformed(&self, code: &Error) -> Diagnostic {
        if let Some(bracket) = unpaired(self.document.text) {
            return self.unpaired(&bracket);
        }
        let label = match code {
            Error::ExpectedComma => "a comma or the closing bracket is missing before this",
            Error::TrailingCharacters => "the scene ends before this",
            Error::Eof => "the text ends here",
            Error::ExceededRecursionLimit => {
                let title = "this is not a scene: its brackets are nested deeper than 128".to_owned();
                return self.error(self.next_char(), title, "expected no more brackets in brackets");
            }
            _ => "",
        };
        let reason = code.to_string();
        let lower = reason.chars().next().map_or('?', |first| first.to_ascii_lowercase());
        let rest = reason.get(1..).unwrap_or("");
        let error = self.error(self.next_char(), format!("this is not RON: {lower}{rest}"), label);
        if label.is_empty() {
            error.help("look at the brackets, quotes and commas up to this place")
        } else {
            error
        }
    }
}

impl Finder<'_> {
    /// An unpaired bracket: ron says where it noticed, which may be far behind.
    fn unpaired(&self, bracket: &Bracket) -> Diagnostic {
        let text = self.document.text;
        let one = |at: usize| at..at + 1;
        let (open, close) = match *bracket {
            Bracket::Closes(at) => {
                let title = format!("this is not RON: `{}` closes nothing", &text[one(at)]);
                return self.error(one(at), title, "nothing is open here");
            }
            Bracket::Open { at, close } => (at, close),
        };
        let title = format!("this is not RON: `{}` is not closed", &text[one(open)]);
        let error = self.error(one(open), title, "opened here");
        match close {
            Some(close) => error.related(self.edited.place(one(close)), "expected its closing bracket first"),
            None => error.help("the text ends without its closing bracket"),
        }
    }
}

/// The expected value, for errors about a value as a whole.
fn expectation(code: &Error) -> Option<String> {
    let fixed = match code {
        Error::ExpectedInteger | Error::InvalidIntegerDigit { .. } | Error::UnderscoreAtBeginning => {
            "a whole number"
        }
        Error::IntegerOutOfBounds => "a smaller number",
        Error::ExpectedFloat | Error::FloatUnderscore => "a number",
        Error::ExpectedBoolean => "`true` or `false`",
        Error::ExpectedString => "a string in double quotes",
        Error::ExpectedChar => "a character in single quotes",
        Error::ExpectedArray => "a list, `[...]`",
        Error::ExpectedMap => "a map, `{...}`",
        Error::ExpectedIdentifier => "a name, or a name with fields",
        Error::ExpectedOption => "`None` or a value",
        Error::ExpectedUnit => "`()`",
        Error::ExpectedStructLike
        | Error::ExpectedNamedStructLike(_)
        | Error::ExpectedDifferentStructName { .. } => "fields in parentheses, `(...)`",
        Error::InvalidValueForType { expected, .. } | Error::ExpectedDifferentLength { expected, .. } => {
            expected
        }
        _ => return None,
    };
    Some(fixed.to_owned())
}

/// The start of a value's text, on one line.
fn cut(text: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let line = text.lines().next().unwrap_or("");
    if line.len() == text.len() && line.chars().count() <= SHOWN_MAX {
        return line.to_owned();
    }
    line.chars().take(SHOWN_MAX).collect::<String>() + " ..."
}
