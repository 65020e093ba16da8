//! Turns one sentence of Markdown into what is said.

use std::borrow::Cow;

use pulldown_cmark::{Event, Options, Parser};

use super::words;

/// Stands before the parsed text, so that nothing in it begins a block: blocks are known already.
const FRONT: &str = "x ";

/// What a person would say of `sentence`; empty if it is marks and emoji only.
pub(in super::super) fn spoken(sentence: &str) -> Cow<'_, str> {
    if !sentence.chars().any(means_something) && !words::has_address(sentence) {
        return Cow::Borrowed(sentence);
    }
    let mut text = String::with_capacity(FRONT.len() + sentence.len());
    text.push_str(FRONT);
    let boxless = ["[ ] ", "[x] ", "[X] "].iter().find_map(|task| sentence.strip_prefix(task));
    let mut before = ' ';
    let mut chars = boxless.unwrap_or(sentence).chars().peekable();
    while let Some(c) = chars.next() {
        // "2*3*4" is a product.
        let digits = before.is_ascii_digit() && chars.peek().is_some_and(char::is_ascii_digit);
        if c == '*' && digits {
            text.push('\\');
        }
        text.push(if matches!(c, '\n' | '\r') { ' ' } else { c });
        before = c;
    }
    let mut said = String::with_capacity(text.len());
    for event in Parser::new_ext(&text, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(part) | Event::Code(part) => said.push_str(&part),
            Event::InlineHtml(tag) if tag.starts_with("<br") => said.push(' '),
            Event::SoftBreak | Event::HardBreak => said.push(' '),
            _ => {}
        }
    }
    let said = said.strip_prefix(FRONT).or_else(|| said.strip_prefix(FRONT.trim_end())).unwrap_or(&said);
    Cow::Owned(words::said(said))
}

/// True if Markdown gives `c` a meaning, or if `c` may be an emoji.
fn means_something(c: char) -> bool {
    matches!(c, '*' | '_' | '~' | '`' | '[' | ']' | '<' | '>' | '&' | '\\' | '|' | '#' | '\n')
        || words::is_symbol(c)
}
