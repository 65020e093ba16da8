//! Removes from words what nobody says: addresses become their host, stray marks and emoji go.

use unicode_properties::{EmojiStatus, UnicodeEmoji};

/// Marks that a sentence or a part of one ends with.
const ENDS: [char; 8] = ['.', ',', '!', '?', ';', ':', '…', '。'];

/// `text` as it is said, with single spaces; empty if no word is left.
pub(super) fn said(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut word = String::new();
    let mut dropped = false;
    for raw in text.split_whitespace() {
        word.clear();
        let marks_only = raw.len() > 1 && raw.chars().all(|c| matches!(c, '*' | '_' | '~' | '#' | '|'));
        if !marks_only && !matches!(raw, "#" | "|" | "_" | "`") {
            push_word(raw, &mut word);
        }
        // Text after something dropped moves up to the word before.
        let word = word.trim();
        let end = word.chars().all(|c| ENDS.contains(&c));
        let moves = end && (dropped || word.len() < raw.len());
        if !said.is_empty() && !word.is_empty() && !moves {
            said.push(' ');
        }
        dropped = word.is_empty() || moves;
        said.push_str(word);
    }
    if !said.contains(char::is_alphanumeric) {
        said.clear();
    }
    said
}

/// Whether an address may stand in `text`.
pub(super) fn has_address(text: &str) -> bool {
    text.contains("://") || text.contains("www.")
}

/// Whether `c` may be an emoji or part of one.
pub(super) fn is_symbol(c: char) -> bool {
    matches!(c, '\u{200D}' | '\u{203C}' | '\u{2049}' | '\u{20E3}' | '\u{2122}'..='\u{2139}' | '\u{2194}'..='\u{2BFF}')
        || matches!(c, '\u{3030}'..='\u{303D}' | '\u{3297}'..='\u{3299}' | '\u{FE0E}'..='\u{FE0F}' | '\u{1F000}'..)
        || matches!(c, '\u{A9}' | '\u{AE}')
}

/// `raw` without marks and emoji, an address as its host.
fn push_word(raw: &str, word: &mut String) {
    let Some((front, host, tail)) = address(raw) else { return push_plain(raw, word) };
    push_plain(front.trim_end_matches("]("), word);
    word.push_str(host);
    push_plain(tail, word);
}

/// The text before the address in `word`, its host without "www.", and the marks after it.
fn address(word: &str) -> Option<(&str, &str, &str)> {
    let (front, rest) = match word.find("://") {
        Some(at) => {
            let scheme = word[..at]
                .rfind(|c: char| !c.is_ascii_alphanumeric())
                .map_or(0, |end| end + word[end..].chars().next().map_or(0, char::len_utf8));
            if scheme == at {
                return None;
            }
            (&word[..scheme], &word[at + 3..])
        }
        None => {
            let at = word.find("www.").filter(|at| !word[..*at].ends_with(char::is_alphanumeric))?;
            (&word[..at], &word[at..])
        }
    };
    let tail = rest.len() - rest.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '/').len();
    let (address, tail) = rest.split_at(rest.len() - tail);
    let authority = address.split(['/', '?', '#', '\\']).next().unwrap_or(address);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host);
    let host = host.strip_prefix("www.").unwrap_or(host);
    (!host.is_empty()).then_some((front, host, tail))
}

fn push_plain(raw: &str, word: &mut String) {
    let mut before = ' ';
    let mut pictured = false;
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        let within = before.is_alphanumeric() && after.is_alphanumeric();
        let mark = match c {
            // Alone, the mark stands between factors.
            '*' => !within && raw != "*",
            '_' => !within,
            '~' => before == '~' || after == '~',
            '`' => true,
            _ => false,
        };
        let picture = is_picture(c, after) || pictured && c == '\u{200D}';
        if picture && word.ends_with(|c: char| !c.is_whitespace()) {
            word.push(' ');
        }
        if !mark && !picture {
            if ENDS.contains(&c) && word.ends_with(' ') {
                word.pop();
            }
            word.push(c);
        }
        // A joiner stands between the emoji that it joins.
        pictured = picture || pictured && is_variation(c);
        before = c;
    }
}

fn is_variation(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}' | '\u{20E3}' | '\u{E0020}'..='\u{E007F}')
}

/// True if `c` before `after` is shown as a picture, or belongs to one. Digits, © and the like are not, unless a
/// variation selector follows.
fn is_picture(c: char, after: char) -> bool {
    match c.emoji_status() {
        EmojiStatus::EmojiPresentation
        | EmojiStatus::EmojiPresentationAndModifierBase
        | EmojiStatus::EmojiPresentationAndEmojiComponent
        | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent => true,
        EmojiStatus::EmojiOther | EmojiStatus::EmojiModifierBase => {
            after == '\u{FE0F}' || matches!(c, '\u{2600}'..='\u{27BF}' | '\u{1F000}'..)
        }
        _ => is_variation(c),
    }
}
