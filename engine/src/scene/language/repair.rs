//! Goes on reading after an error: the part that does not fit is left out and the rest read again, so that all errors
//! are reported at once.

use std::ops::Range;

use ron::error::{Error, SpannedError};

use crate::scene::language::diagnostic::Diagnostic;
use crate::scene::language::finder::Finder;
use crate::scene::language::locate::{Document, Step};
use crate::scene::language::source::Edited;
use crate::scene::language::suggest::nearest;
use crate::scene::language::tree::{Item, Value};

/// Most errors that one reading looks for.
const ERRORS_MAX: usize = 32;

/// The result of reading a text.
#[derive(Debug)]
pub(crate) struct Read<T> {
    /// The value, without the parts that were wrong.
    pub(crate) value: Option<T>,
    pub(crate) found: Vec<Diagnostic>,
}

/// A field that does not fit: its owner, its name, and its text with what separates it from the next one.
struct Misfit {
    owner: Vec<Step>,
    name: String,
    span: Range<usize>,
}

/// Reads `part` of the text with `parse`, and goes on behind fields that do not fit.
pub(crate) fn read<T>(
    edited: &Edited,
    document: &Document<'_>,
    part: Range<usize>,
    parse: impl Fn(&str) -> Result<T, SpannedError>,
) -> Read<T> {
    let (mut text, mut found) = (document.text.to_owned(), Vec::<Diagnostic>::new());
    let mut left_out: Vec<Misfit> = Vec::new();
    while found.len() < ERRORS_MAX {
        let error = match parse(&text[part.clone()]) {
            Ok(value) => return Read { value: Some(value), found },
            Err(error) => error,
        };
        let document = Document { subject: document.subject, ..Document::new(&text) };
        let finder = Finder::new(edited, &document, part.clone(), &error);
        if is_lacking_for_it(&finder, &error.code, &left_out) {
            break;
        }
        let one = finder.explain(&error.code);
        if found.contains(&one) {
            break;
        }
        found.push(one);
        let Some(misfit) = misfit(&finder, &error.code) else { break };
        blank(&mut text, misfit.span.clone());
        left_out.push(misfit);
    }
    Read { value: None, found }
}

/// Whether a field is missing only because it was left out, or because its name was misspelt.
fn is_lacking_for_it(finder: &Finder<'_>, code: &Error, left_out: &[Misfit]) -> bool {
    let Error::MissingStructField { field, .. } = code else { return false };
    let (owner, _) = finder.document.enclosing(finder.at);
    let mut misfits = left_out.iter().filter(|misfit| misfit.owner == owner);
    misfits.any(|misfit| misfit.name == *field || nearest(&misfit.name, [*field]).is_some())
}

/// The field to leave out, if the error is about one.
fn misfit(finder: &Finder<'_>, code: &Error) -> Option<Misfit> {
    let document = finder.document;
    let (owner, name, value) = match code {
        Error::NoSuchStructField { found, .. } => {
            let (owner, value) = document.enclosing(finder.at);
            (owner, found.clone(), value)
        }
        Error::DuplicateStructField { field, .. } => {
            let (owner, value) = document.enclosing(finder.at);
            (owner, (*field).to_owned(), value)
        }
        Error::NoSuchEnumVariant { .. }
        | Error::ExpectedBoolean
        | Error::ExpectedFloat
        | Error::ExpectedInteger
        | Error::ExpectedString
        | Error::IntegerOutOfBounds
        | Error::InvalidIntegerDigit { .. }
        | Error::InvalidValueForType { .. } => {
            let (path, _) = document.path_at(finder.at);
            let Some((Step::Field(name), owner)) = path.split_last() else { return None };
            (owner.to_vec(), name.clone(), document.find(owner)?)
        }
        _ => return None,
    };
    let span = with_separator(document, value, &name, finder.at)?;
    Some(Misfit { owner, name, span })
}

/// The last item of this name before `at`, up to the next item or the bracket that closes the group.
fn with_separator(document: &Document<'_>, owner: &Value, name: &str, at: usize) -> Option<Range<usize>> {
    let group = document.within(owner).group.as_ref()?;
    let begins = |item: &Item| item.key.as_ref().map_or(item.value.span.start, |key| key.start);
    let index = group
        .items
        .iter()
        .rposition(|item| begins(item) <= at && document.key(item).as_deref() == Some(name))?;
    let item = &group.items[index];
    let next = group.items.get(index + 1).map(begins);
    // A group without a closing bracket has none after its last item.
    let closed = || (item.value.span.end < group.span.end).then(|| group.span.end - 1);
    Some(begins(item)..next.or_else(closed)?)
}

/// Replaces everything but line ends by blanks, byte for byte: all other text keeps its place.
fn blank(text: &mut String, span: Range<usize>) {
    let blanks: String =
        text[span.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(span, &blanks);
}
