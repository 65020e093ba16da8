//! A scene file as a tree of values with their places in the text.

use std::ops::Range;

/// A value's place in the text.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// From the first to behind the last byte, without blanks and comments around it.
    pub(crate) span: Range<usize>,
    /// What stands before the group, or the whole of a scalar.
    pub(crate) head: Option<Range<usize>>,
    pub(crate) group: Option<Group>,
}

/// `(...)`, `[...]` or `{...}` with what is in it.
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

/// A bracket without its other half. Bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    /// Nothing of its kind is open.
    Closes(usize),
    /// `close`: another kind of bracket is closed before it; `None`: the text ends.
    Open { at: usize, close: Option<usize> },
}
