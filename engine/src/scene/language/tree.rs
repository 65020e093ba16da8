//! A scene file as a tree of values with their places in the text.

use std::ops::Range;

/// A value's place in the text.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// From the first byte to the one after the last, without blanks and comments around the value.
    pub(crate) span: Range<usize>,
    /// The name before the group, or the whole of a scalar.
    pub(crate) head: Option<Range<usize>>,
    pub(crate) group: Option<Group>,
}

/// `(...)`, `[...]` or `{...}` with its content.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Brackets included.
    pub(crate) span: Range<usize>,
    pub(crate) bracket: u8,
    pub(crate) items: Vec<Item>,
}

/// One entry of a group.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) key: Option<Range<usize>>,
    pub(crate) value: Value,
}

/// An unpaired bracket, by its byte in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    /// Nothing of its kind is open.
    Closes(usize),
    /// `close`: a bracket of another kind is closed before it; `None`: the text ends.
    Open { at: usize, close: Option<usize> },
}
