//! Finds the place of every value of a RON document in its text.
//!
//! ron forgets positions once a value is read; a [`Document`] keeps only positions.

use std::fmt;

use crate::scene::language::scan::scan;
use crate::scene::language::tree::{Item, Value};

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The field of a struct or the string key of a map.
    Field(String),
    /// The position in a list or tuple.
    Index(usize),
}

/// A text with the places of its values.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(crate) text: &'a str,
    pub(crate) root: Value,
    /// A name for the whole document, for messages.
    pub(crate) subject: &'static str,
}

impl<'a> Document<'a> {
    /// Scans the text; any text will do.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, root: scan(text), subject: "the scene" }
    }

    /// The value at the end of the path.
    pub(crate) fn find(&self, path: &[Step]) -> Option<&Value> {
        path.iter().try_fold(&self.root, |value, step| self.step(value, step).map(|item| &item.value))
    }

    /// One step into a value; `Some(...)` around a value is passed through.
    pub(crate) fn step<'v>(&self, value: &'v Value, step: &Step) -> Option<&'v Item> {
        let items = &self.within(value).group.as_ref()?.items;
        match step {
            Step::Index(index) => items.get(*index).filter(|item| item.key.is_none()),
            Step::Field(name) => items.iter().find(|item| self.key(item).as_deref() == Some(name)),
        }
    }

    /// The value without a `Some(...)` around it.
    pub(crate) fn within<'v>(&self, value: &'v Value) -> &'v Value {
        let mut value = value;
        while let Some(inner) = self.inside_some(value) {
            value = inner;
        }
        value
    }

    fn inside_some<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let named_some = value.head.clone().is_some_and(|head| &self.text[head] == "Some");
        match value.group.as_ref()?.items.as_slice() {
            [Item { key: None, value }] if named_some => Some(value),
            _ => None,
        }
    }

    /// The name of an item's key: an identifier, or the content of a string.
    pub(crate) fn key(&self, item: &Item) -> Option<String> {
        let raw = &self.text[item.key.clone()?];
        if is_string(raw) { unquote(raw) } else { Some(raw.strip_prefix("r#").unwrap_or(raw).to_owned()) }
    }

    /// The content of a value that is a string.
    pub(crate) fn string(&self, value: &Value) -> Option<String> {
        unquote(&self.text[self.within(value).span.clone()])
    }

    /// The innermost value that holds or touches this byte, and the path to it.
    pub(crate) fn path_at(&self, at: usize) -> (Vec<Step>, &Value) {
        let (mut path, mut value) = (Vec::new(), &self.root);
        loop {
            let items = value.group.as_ref().map_or(&[][..], |group| &group.items);
            let hit = items.iter().enumerate().find(|(_, item)| {
                // Blanks between a key and its value belong to the value: ron stops there when the value does not
                // fit.
                let start = item.key.as_ref().map_or(item.value.span.start, |key| key.end + 1);
                (start..=item.value.span.end).contains(&at)
            });
            let Some((index, item)) = hit else { return (path, value) };
            if self.inside_some(value).is_none() {
                path.push(self.key(item).map_or(Step::Index(index), Step::Field));
            }
            value = &item.value;
        }
    }

    /// The innermost value whose group is open at this byte, and the path to it.
    pub(crate) fn enclosing(&self, at: usize) -> (Vec<Step>, &Value) {
        let open = |value: &Value| {
            value.group.as_ref().is_some_and(|group| (group.span.start + 1..group.span.end).contains(&at))
        };
        let (mut path, mut value) = (Vec::new(), &self.root);
        loop {
            let items = value.group.as_ref().map_or(&[][..], |group| &group.items);
            let Some((index, item)) = items.iter().enumerate().find(|(_, item)| open(&item.value)) else {
                return (path, value);
            };
            if self.inside_some(value).is_none() {
                path.push(self.key(item).map_or(Step::Index(index), Step::Field));
            }
            value = &item.value;
        }
    }

    /// The text without blanks, comments and trailing commas, fields in alphabetical order: equal for scenes that
    /// differ only in layout.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        self.write_canonical(&self.root, &mut out);
        out
    }

    fn write_canonical(&self, value: &Value, out: &mut String) {
        if let Some(head) = &value.head {
            out.push_str(&self.text[head.clone()]);
        }
        let Some(group) = &value.group else { return };
        let mut items: Vec<&Item> = group.items.iter().collect();
        if items.iter().all(|item| item.key.is_some()) {
            items.sort_by_key(|item| self.key(item));
        }
        out.push(char::from(group.bracket));
        for item in items {
            if let Some(key) = &item.key {
                out.push_str(&self.text[key.clone()]);
                out.push(':');
            }
            self.write_canonical(&item.value, out);
            out.push(',');
        }
        out.push(';');
    }
}

/// Whether the text of a value is a string literal.
pub(crate) fn is_string(raw: &str) -> bool {
    raw.starts_with('"') || raw.starts_with("r\"") || (raw.starts_with("r#") && raw.ends_with("\"#"))
}

fn unquote(raw: &str) -> Option<String> {
    if is_string(raw) { ron::from_str(raw).ok() } else { None }
}

impl From<&str> for Step {
    fn from(field: &str) -> Self {
        Self::Field(field.into())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}
