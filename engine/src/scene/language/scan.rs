//! One pass over RON text that notes where values begin and end.
//!
//! The scan knows no types and never fails, so that a place can also be named in a document that ron refuses.

use crate::scene::language::tree::Group;
use crate::scene::language::tree::Item;
use std::ops::Range;

use crate::scene::language::tree::{Bracket, Value};

/// Groups nested deeper than this are kept as one opaque value; ron refuses such documents (its limit is 128).
const DEPTH_MAX: usize = 160;

/// The places of a document's values; any text will do.
pub(crate) fn scan(text: &str) -> Value {
    let mut scan = Scan { text, at: 0 };
    scan.skip_attributes();
    scan.value(0)
}

/// The first unpaired bracket; the innermost where the text ends too early.
pub(crate) fn unpaired(text: &str) -> Option<Bracket> {
    let mut scan = Scan { text, at: 0 };
    let mut open: Vec<(usize, u8)> = Vec::new();
    loop {
        scan.skip_trivia();
        let at = scan.at;
        match scan.peek() {
            None => return open.pop().map(|(at, _)| Bracket::Open { at, close: None }),
            Some(bracket @ (b'(' | b'[' | b'{')) => open.push((at, bracket)),
            Some(bracket @ (b')' | b']' | b'}')) => {
                let half = match bracket {
                    b')' => b'(',
                    b']' => b'[',
                    _ => b'{',
                };
                if !open.iter().any(|(_, open)| *open == half) {
                    return Some(Bracket::Closes(at));
                }
                match open.pop() {
                    Some((open, other)) if other != half => {
                        return Some(Bracket::Open { at: open, close: Some(at) });
                    }
                    _ => {}
                }
            }
            Some(b',' | b':') => {}
            Some(_) => {
                scan.token();
                continue;
            }
        }
        scan.at += 1;
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// `#![enable(...)]` lines at the top.
    fn skip_attributes(&mut self) {
        self.skip_trivia();
        while self.rest().starts_with("#!") {
            self.at += 2;
            self.skip_trivia();
            self.value(0);
            self.skip_trivia();
        }
    }

    fn skip_trivia(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(is_blank).len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += block_comment(rest);
            } else {
                return;
            }
        }
    }

    /// Scans one value; empty where there is none.
    fn value(&mut self, depth: usize) -> Value {
        self.skip_trivia();
        let start = self.at;
        let head = self.token();
        let mut end = self.at;
        let named = head.clone().is_none_or(|head| self.text[head].starts_with(starts_name));
        if head.is_some() {
            self.skip_trivia();
        }
        let group = match self.peek() {
            Some(b'(') if named => Some(self.group(depth)),
            Some(b'[' | b'{') if head.is_none() => Some(self.group(depth)),
            _ => None,
        };
        match &group {
            Some(group) => end = group.span.end,
            None => self.at = end,
        }
        Value { span: start..end, head, group }
    }

    fn group(&mut self, depth: usize) -> Group {
        let start = self.at;
        let bracket = self.peek().unwrap_or(b'(');
        if depth >= DEPTH_MAX {
            self.skip_group();
            return Group { span: start..self.at, bracket, items: Vec::new() };
        }
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_trivia();
            match self.peek() {
                None => break,
                Some(b')' | b']' | b'}') => {
                    self.at += 1;
                    break;
                }
                Some(b',' | b':') => self.at += 1,
                Some(_) => items.push(self.item(depth + 1)),
            }
        }
        Group { span: start..self.at, bracket, items }
    }

    fn item(&mut self, depth: usize) -> Item {
        let first = self.value(depth);
        let behind = self.at;
        self.skip_trivia();
        if self.peek() == Some(b':') {
            self.at += 1;
            return Item { key: Some(first.span), value: self.value(depth) };
        }
        self.at = behind;
        Item { key: None, value: first }
    }

    /// Passes over a group without looking into it.
    fn skip_group(&mut self) {
        let mut open = 0_usize;
        loop {
            self.skip_trivia();
            match self.peek() {
                None => return,
                Some(b'(' | b'[' | b'{') => {
                    self.at += 1;
                    open += 1;
                }
                Some(b')' | b']' | b'}') => {
                    self.at += 1;
                    open -= 1;
                    if open == 0 {
                        return;
                    }
                }
                Some(b',' | b':') => self.at += 1,
                Some(_) => {
                    self.token();
                }
            }
        }
    }

    /// Scans a string, a character, or a run of anything up to the next mark.
    fn token(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let rest = self.rest();
        let length = match rest.chars().next()? {
            ',' | ':' | '(' | ')' | '[' | ']' | '{' | '}' => return None,
            _ => quoted(rest).unwrap_or_else(|| bare(rest)),
        };
        self.at += length;
        Some(start..self.at)
    }
}

fn starts_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

/// Whether ron takes the character for a blank.
fn is_blank(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}')
}

/// Length of a bare word or number, at least one character.
fn bare(text: &str) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let stops = |(at, c): (usize, char)| {
        let mark = is_blank(c) || matches!(c, ',' | ':' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | '\'');
        mark || text[at..].starts_with("//") || text[at..].starts_with("/*")
    };
    text.char_indices().skip(1).find(|&hit| stops(hit)).map_or(text.len(), |(at, _)| at).max(first)
}

/// Length of the string or character that begins here, up to the end of the text where it is not closed.
fn quoted(text: &str) -> Option<usize> {
    let prefix = if text.starts_with("br") { 2 } else { usize::from(text.starts_with(['b', 'r'])) };
    let after = &text[prefix..];
    if text[..prefix].ends_with('r') {
        let hashes = after.bytes().take_while(|&b| b == b'#').count();
        let body = after[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&close).map_or(body.len(), |at| at + close.len());
        return Some(prefix + hashes + 1 + length);
    }
    match after.chars().next()? {
        '"' => Some(prefix + escaped(after, '"').unwrap_or(after.len())),
        '\'' => {
            let second = after[1..].chars().next()?;
            if second == '\\' {
                return escaped(after, '\'').map(|length| prefix + length);
            }
            after[1 + second.len_utf8()..].starts_with('\'').then(|| prefix + 2 + second.len_utf8())
        }
        _ => None,
    }
}

/// Length of `"..."` with backslash escapes, or None where it is not closed.
fn escaped(text: &str, close: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == close {
            return Some(at + c.len_utf8());
        }
    }
    None
}

/// Length of `/* ... */`, nested.
fn block_comment(text: &str) -> usize {
    let (bytes, mut depth, mut at) = (text.as_bytes(), 0_usize, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}
