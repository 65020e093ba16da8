//! Reads lines of Markdown as they stream in: headings, items, rows of tables, quotes, code, rules.

use std::mem;

use super::super::sentences::stands_alone;
use super::words::is_symbol;

/// Longest beginning of a line, in characters, that is held until the kind of the line is clear. A longer one that is
/// still unclear is a rule, or the name of a language after a fence.
const HEAD_CHARS_MAX: usize = 200;

/// The block that a line belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Block {
    /// No block.
    #[default]
    None,
    Paragraph,
    Item,
    Heading,
    /// A row of a table.
    Row,
}

impl Block {
    /// The mark that ends the block if its writer put none, so that it is said as a sentence of its own. `last`: its
    /// last character.
    pub(in super::super) fn full_stop(self, last: char) -> Option<char> {
        let bare = matches!(self, Self::Item | Self::Heading | Self::Row);
        let has_none = bare && (last.is_alphanumeric() || "%€$°".contains(last) || is_symbol(last));
        let wide = matches!(last, '\u{2E80}'..);
        match (has_none, stands_alone(last)) {
            (true, false) => Some('.'),
            (true, true) if wide => Some('。'),
            _ => None,
        }
    }
}

/// A part of the text as [`Blocks`] reads it.
#[derive(Debug)]
pub(in super::super) enum Piece<'a> {
    /// Text of the open block, marks within lines included.
    Text(&'a str),
    /// The end of that block.
    End(Block),
    /// A block of code, which is not said.
    Code,
}

/// The position in a line at which the text ended.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    /// In the first characters, which are held.
    #[default]
    Start,
    /// After these, in text.
    Text(Block),
    /// After a beginning that makes the line a rule or the like: the rest is not said.
    Nothing,
    /// In code, which a run of this length and mark ends.
    Code { mark: char, len: usize },
}

/// The kind of a line, and how many bytes of its held beginning are not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Text(Block, usize),
    Rule,
    /// "===" or "---": the paragraph above is a heading.
    Underline,
    /// The line below the head of a table.
    Delimiter,
    Fence(char, usize),
}

/// A reader of lines, which holds the beginning of one line.
#[derive(Debug, Default)]
pub(in super::super) struct Blocks {
    at: At,
    head: String,
    /// The block of the line before, if this line may still go on with it.
    open: Block,
    row: Row,
}

/// The part of a table row read so far.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    last: Cell,
    /// Whether some of it was said.
    said: bool,
}

/// The last thing read in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cell {
    #[default]
    Text,
    Space,
    /// The end of a cell, without text since.
    End,
    /// A backslash: the mark after it ends no cell.
    Escape,
}

impl Blocks {
    /// Reads more text.
    pub(in super::super) fn push(&mut self, text: &str, sink: &mut dyn FnMut(Piece<'_>)) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let taken = match self.at {
                At::Text(block) if block != Block::Row => self.text(block, rest, sink),
                _ => {
                    self.character(c, sink);
                    c.len_utf8()
                }
            };
            rest = &rest[taken..];
        }
    }

    /// Bytes that are looked at again with the next character.
    pub(in super::super) fn held(&self) -> usize {
        if matches!(self.at, At::Start) { self.head.len() } else { 0 }
    }

    /// Ends the text.
    pub(in super::super) fn finish(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        if matches!(self.at, At::Start) {
            self.head_ended(sink);
        }
        self.end(sink);
        self.clear();
    }

    /// Forgets everything.
    pub(in super::super) fn clear(&mut self) {
        self.head.clear();
        (self.at, self.open, self.row) = (At::Start, Block::None, Row::default());
    }

    /// Takes text up to the end of the line, and returns its length.
    fn text(&mut self, block: Block, rest: &str, sink: &mut dyn FnMut(Piece<'_>)) -> usize {
        let Some(at) = rest.find('\n') else {
            sink(Piece::Text(rest));
            return rest.len();
        };
        sink(Piece::Text(&rest[..at]));
        self.line_ended(block, sink);
        at + 1
    }

    fn character(&mut self, c: char, sink: &mut dyn FnMut(Piece<'_>)) {
        match (self.at, c) {
            (At::Start, '\n') => {
                self.head_ended(sink);
                match self.at {
                    // Nothing was decided: the line is empty.
                    At::Start => self.end(sink),
                    At::Text(block) => self.line_ended(block, sink),
                    At::Nothing => self.at = At::Start,
                    At::Code { .. } => {}
                }
            }
            (At::Start, _) => {
                // Indentation and the marks of a quote are not said.
                if !self.head.is_empty() || !(c.is_whitespace() || c == '>') {
                    self.head.push(c);
                    if let Some(line) = decide(&self.head) {
                        self.begin(line, sink);
                    }
                }
            }
            (At::Text(_), _) => self.cell(c, sink),
            (At::Nothing, '\n') => self.at = At::Start,
            (At::Nothing, _) => {}
            (At::Code { mark, len }, '\n') => {
                let line = self.head.trim();
                if line.len() >= len && line.chars().all(|c| c == mark) {
                    self.at = At::Start;
                }
                self.head.clear();
            }
            (At::Code { .. }, _) => {
                // A line that closes is short.
                if self.head.len() < HEAD_CHARS_MAX {
                    self.head.push(c);
                }
            }
        }
    }

    /// Ends a line whose kind was not clear before.
    fn head_ended(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        if !self.head.is_empty() {
            let line = decide_whole(self.head.trim_end());
            self.begin(line, sink);
        }
    }

    /// Begins a line whose kind is clear now.
    fn begin(&mut self, line: Line, sink: &mut dyn FnMut(Piece<'_>)) {
        let head = mem::take(&mut self.head);
        match line {
            Line::Text(block, skipped) => {
                let goes_on =
                    block == Block::Paragraph && matches!(self.open, Block::Paragraph | Block::Item);
                let block = if goes_on { self.open } else { block };
                if !goes_on {
                    self.end(sink);
                }
                self.open = block;
                self.at = At::Text(block);
                if block == Block::Row {
                    head[skipped..].chars().for_each(|c| self.cell(c, sink));
                } else if skipped < head.len() {
                    sink(Piece::Text(&head[skipped..]));
                }
            }
            Line::Fence(mark, len) => {
                self.end(sink);
                sink(Piece::Code);
                self.at = At::Code { mark, len };
            }
            Line::Underline if self.open == Block::Paragraph => {
                self.open = Block::Heading;
                self.end(sink);
                self.at = At::Nothing;
            }
            Line::Rule | Line::Underline | Line::Delimiter => {
                self.end(sink);
                self.at = At::Nothing;
            }
        }
        // The memory is kept.
        self.head = head;
        self.head.clear();
    }

    fn line_ended(&mut self, block: Block, sink: &mut dyn FnMut(Piece<'_>)) {
        self.at = At::Start;
        self.open = block;
        if matches!(block, Block::Paragraph | Block::Item) {
            sink(Piece::Text("\n"));
        } else {
            self.end(sink);
        }
    }

    /// Reads a character of a row: cells become parts of a sentence.
    fn cell(&mut self, c: char, sink: &mut dyn FnMut(Piece<'_>)) {
        let Row { last, said } = self.row;
        match c {
            '\n' => self.line_ended(Block::Row, sink),
            '|' if last != Cell::Escape => self.row.last = Cell::End,
            c if c.is_whitespace() => self.row.last = if last == Cell::End { last } else { Cell::Space },
            c => {
                match last {
                    Cell::End if said => sink(Piece::Text(", ")),
                    Cell::Space if said => sink(Piece::Text(" ")),
                    _ => {}
                }
                let last = if c == '\\' && last != Cell::Escape { Cell::Escape } else { Cell::Text };
                self.row = Row { last, said: true };
                sink(Piece::Text(c.encode_utf8(&mut [0; 4])));
            }
        }
    }

    /// Ends the open block.
    fn end(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        self.row = Row::default();
        if self.open != Block::None {
            sink(Piece::End(mem::take(&mut self.open)));
        }
    }
}

/// The kind of a line that begins with `head`, unless more of it must be seen.
fn decide(head: &str) -> Option<Line> {
    if head.chars().count() > HEAD_CHARS_MAX {
        return Some(decide_whole(head));
    }
    let first = head.chars().next()?;
    let run = head.len() - head.trim_start_matches(first).len();
    let behind = head[run..].chars().next();
    let plain = Some(Line::Text(Block::Paragraph, 0));
    match first {
        '#' => match behind {
            None if run <= 6 => None,
            Some(c) if run <= 6 && c.is_whitespace() => Some(Line::Text(Block::Heading, run)),
            _ => plain,
        },
        '`' | '~' if run >= 3 && (first == '~' || !head[run..].contains('`')) => None,
        '`' | '~' if behind.is_none() => None,
        '|' if !is_delimiter(head) => Some(Line::Text(Block::Row, 0)),
        '|' => None,
        '-' | '*' | '_' | '=' | ':' if is_delimiter(head) || is_rule(head, first) => None,
        '-' | '*' | '+' if run > 1 => behind.and(plain),
        '-' | '*' | '+' | '•' | '‣' | '◦' => match behind {
            None => None,
            Some(c) if c.is_whitespace() || !first.is_ascii() => item(head),
            Some(_) => plain,
        },
        '0'..='9' => {
            let digits = head.len() - head.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let mut behind = head[digits..].chars();
            match (behind.next(), behind.next()) {
                _ if digits > 9 => plain,
                (None, _) | (Some('.' | ')'), None) => None,
                (Some('.' | ')'), Some(c)) if c.is_whitespace() => Some(Line::Text(Block::Item, 0)),
                _ => plain,
            }
        }
        _ => plain,
    }
}

/// The item that `head` begins, once there is text after its bullet. The number of an item is said, a bullet is not.
fn item(head: &str) -> Option<Line> {
    let bullet = |c: char| c.is_whitespace() || matches!(c, '-' | '*' | '+' | '•' | '‣' | '◦');
    let text = head.trim_start_matches(bullet);
    let marks = &head[..head.len() - text.len()];
    // "- **Red**", "- -5": marks directly before the text belong to the text.
    let own = marks.len() - marks.trim_end_matches(['*', '-', '+']).len();
    (!text.is_empty()).then_some(Line::Text(Block::Item, marks.len() - own))
}

/// The kind of the whole line `head`, if its beginning alone did not tell.
fn decide_whole(head: &str) -> Line {
    let Some(first) = head.chars().next() else { return Line::Rule };
    let run = head.len() - head.trim_start_matches(first).len();
    match first {
        '#' if run == head.len() && run <= 6 => Line::Rule,
        '`' | '~' if run >= 3 => Line::Fence(first, run),
        '=' if run == head.len() => Line::Underline,
        '-' if run == head.len() && run >= 2 => Line::Underline,
        '-' | '*' | '+' | '•' if head.len() == first.len_utf8() => Line::Rule,
        '-' | '*' | '_' if is_rule(head, first) && head.matches(first).count() >= 3 => Line::Rule,
        '|' | ':' | '-' if is_delimiter(head) && head.contains('-') => Line::Delimiter,
        '|' => Line::Text(Block::Row, 0),
        _ => Line::Text(Block::Paragraph, 0),
    }
}

/// True for a line of nothing but `mark` and space.
fn is_rule(head: &str, mark: char) -> bool {
    mark != ':' && head.chars().all(|c| c == mark || c.is_whitespace())
}

/// True for a line between the head of a table and its rows.
fn is_delimiter(head: &str) -> bool {
    head.chars().all(|c| matches!(c, '|' | '-' | ':') || c.is_whitespace())
}
