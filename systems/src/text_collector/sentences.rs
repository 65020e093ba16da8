//! Finds sentences in text that arrives in pieces.
//!
//! **Nothing depends on how the text is cut into pieces.** The text is judged at the end of each word, and what
//! leaves is a function of the text up to there. A sentence leaves when the word after its end is complete: that word
//! decides ("5 p.m. on Monday" goes on, "5 p.m. Then" does not), and so the last sentence always waits for the end of
//! the reply.
//!
//! `sentencex` judges whole texts. Where it would change its mind about a prefix, the sentence is held back or the
//! question changed:
//! - **Quotes and brackets** that stand open are taken as closed behind the last word, so that neither `Go. "Now` ends
//!   inside the quote nor `"Go. Now` ends at all. After [`OPEN_CHARS_MAX`] characters such a mark is no quote.
//! - **Lists.** One item makes no list; the first items of a list are judged like other text until the second comes.
//!   A number ("2.") stays with what it numbers.
//! - **Abbreviations.** `ends` has those that it lacks, and rules for what may end a sentence and may not.
//! - **What was said before.** A sentence that left is not looked at again; in a whole text an odd quotation mark or a
//!   clause far in front could still join what was two sentences here.
//!
//! **The work is bounded.** At most [`CHARS_MAX`] characters are held and looked at for each that comes; a full stop
//! is judged once its next word is complete, and not again; at most `JUDGED_MAX` sentences leave after one word and
//! `CLOSED_MAX` at an end; and [`Sentences::work`] counts the bytes looked at.

use std::sync::Arc;

use super::abbreviations::{self, Abbreviations};
use super::ends::{self, STOP_WORK, Stop};

/// Longest text that leaves, in characters: a longer one is cut at the last space.
pub const CHARS_MAX: usize = 1_000;

/// Longest stretch in quotes or brackets that is kept whole, in characters.
pub const OPEN_CHARS_MAX: usize = 300;

/// Most sentences that leave after one word; further complete ones leave after the next. Everything held is looked at
/// for each, and more than one is there only when a mark turns out to have been no quote.
const JUDGED_MAX: u32 = 4;

/// Most sentences that leave one by one when everything held leaves; the rest goes as one text. A reply ends with one
/// or two, or with those of a quote that was never closed.
pub(super) const CLOSED_MAX: u32 = 16;

/// Quotation marks in use. Marks that look the same on both sides are told apart by what stands beside them.
const QUOTES: [(char, char); 10] = [
    ('"', '"'),
    ('“', '”'),
    ('„', '“'),
    ('«', '»'),
    ('‹', '›'),
    ('‘', '’'),
    ('`', '`'),
    ('「', '」'),
    ('《', '》'),
    ('\'', '\''),
];

/// Languages with rules of their own; others use those of a related language, or of English.
const LANGUAGES: [&str; 31] = [
    "am", "ar", "bg", "bn", "ca", "da", "de", "el", "en", "es", "fi", "fr", "gu", "hi", "hy", "it", "ja",
    "kk", "kn", "ml", "mr", "my", "nl", "pa", "pl", "pt", "ru", "sk", "ta", "te", "uk",
];

/// True if there are rules for `language` or a related one; any other language uses those of English.
pub fn has_rules(language: &str) -> bool {
    LANGUAGES.contains(&language) || sentencex::languages::get_fallbacks(language).is_some()
}

/// Reads the rules of `language` now, which takes milliseconds once, and not at the first sentence.
pub(super) fn prepare(language: &str) {
    sentencex::segment(language, "“So.” 'So.' \"So.\" [1] (a@b.cd) So");
}

/// A word in no language, as it would begin a sentence.
const NEUTRAL: &str = " Zzz";

/// Words that an apostrophe begins: no quote.
const ELISIONS: [&str; 9] = ["em", "tis", "twas", "til", "till", "cause", "n", "bout", "round"];

/// Gathers one reply and releases its sentences as they become complete.
#[derive(Debug)]
pub struct Sentences {
    language: Arc<str>,
    words: &'static Abbreviations,
    first_chars: Option<usize>,
    /// Text that has not left; begins without white space.
    held: String,
    chars: usize,
    /// Whether `held` has a possible end of a sentence that is not judged finally.
    pending: bool,
    /// Length of `held`, in characters, from which an open mark is no quote and everything is judged again.
    again: usize,
    begun: bool,
    /// Bytes of `held` in which no full stop that `ends` judges can end a sentence any more.
    settled: usize,
    work: u64,
}

impl Sentences {
    /// A new reply without text. `language` is an ISO 639 code; `first_chars`: length in characters from which the
    /// first text of a reply may leave before its sentence is complete.
    pub fn new(language: Arc<str>, first_chars: Option<usize>) -> Self {
        let (words, held) = (abbreviations::of(&language), String::new());
        Self {
            language,
            words,
            first_chars,
            held,
            chars: 0,
            pending: false,
            again: usize::MAX,
            begun: false,
            settled: 0,
            work: 0,
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes held.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Bytes looked at since the beginning, counted each time: the cost of the text, without a clock.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// True if some of this reply has left.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Adds a piece as it is, without added white space. `leaves` gets the sentences that are complete now.
    pub fn push(&mut self, piece: &str, leaves: &mut dyn FnMut(&str)) {
        self.work += piece.len() as u64;
        for c in piece.chars() {
            if c.is_whitespace() && !self.held.ends_with(char::is_whitespace) {
                self.word_ended(leaves);
            }
            if c.is_whitespace() && self.held.is_empty() {
                continue;
            }
            self.held.push(c);
            self.chars += 1;
            self.pending |= may_end(c) || self.chars >= self.again;
            if stands_alone(c) {
                self.word_ended(leaves);
            }
            if self.chars > CHARS_MAX {
                let last = self.held.len() - c.len_utf8();
                let at = self.held[..last].rfind(char::is_whitespace).unwrap_or(last);
                self.leave(at, leaves);
            }
        }
    }

    /// Ends the reply: the held text leaves, sentence by sentence.
    pub fn flush(&mut self, leaves: &mut dyn FnMut(&str)) {
        self.close(leaves);
        self.clear();
    }

    /// Ends a paragraph: the held text leaves, and the reply goes on.
    pub fn close(&mut self, leaves: &mut dyn FnMut(&str)) {
        self.word_ended(leaves);
        for _ in 0..CLOSED_MAX {
            if self.held.is_empty() {
                return;
            }
            let at = self.first_end("").unwrap_or(self.held.len());
            self.leave(at, leaves);
        }
        self.leave(self.held.len(), leaves);
    }

    /// Ends the held text with `mark`, before its white space.
    pub(super) fn stop(&mut self, mark: char) {
        self.held.truncate(self.held.trim_end().len());
        self.held.push(mark);
        self.chars = self.held.chars().count();
        (self.pending, self.settled) = (true, 0);
    }

    /// The last character of the held text, apart from marks of emphasis, brackets and quotes.
    pub(super) fn last(&self) -> Option<char> {
        let marks = |c: char| c.is_whitespace() || "*_~`)]\"'”’»".contains(c);
        self.held.trim_end_matches(marks).chars().next_back()
    }

    /// Notes that nothing has come for a while: text that reads as whole leaves. A word that has begun counts as one.
    pub fn pause(&mut self, leaves: &mut dyn FnMut(&str)) {
        self.judge(leaves);
        let early = self.first_chars.is_some_and(|chars| !self.begun && self.chars >= chars);
        // "1," may be the beginning of a number.
        let number = self.held.trim_end_matches(|c: char| !c.is_alphanumeric()).ends_with(char::is_numeric);
        if early && !number && ends_softly(&self.held) && !in_link(&self.held) || self.is_whole() {
            self.leave(self.held.len(), leaves);
        }
        // The word may go on.
        self.pending = self.held.chars().any(may_end);
    }

    /// True if the held text reads as a whole sentence: no mark is open, and its last mark ends sentences.
    fn is_whole(&mut self) -> bool {
        let len = self.held.trim_end().len();
        let over = has_word(&self.held) && ends::may_be_over(self.words, &self.held[..len]);
        if !over || open_marks(&self.held).iter().any(Option::is_some) {
            return false;
        }
        // `sentencex` knows further abbreviations: it is asked with a neutral word after the text.
        let whole = self.held.len();
        let settled = self.settled;
        self.held.push_str(NEUTRAL);
        let is_end = self.first_end("").is_some_and(|end| end >= len);
        self.held.truncate(whole);
        // The last word may go on where the neutral one stood.
        self.settled = settled;
        is_end
    }

    /// Forgets everything; the next piece begins another reply.
    pub fn clear(&mut self) {
        self.held.clear();
        (self.chars, self.pending, self.again, self.begun) = (0, false, usize::MAX, false);
        self.settled = 0;
    }

    /// Acts on a complete word: everything that it decides is done.
    fn word_ended(&mut self, leaves: &mut dyn FnMut(&str)) {
        self.judge(leaves);
        let Some(chars) = self.first_chars.filter(|_| !self.begun && !self.held.is_empty()) else { return };
        // A full stop there could be that of an abbreviation, which the next word tells. And where no space is written
        // nobody knows what is a word.
        let long = self.chars >= 2 * chars && !self.held.ends_with(|c| c == '.' || stands_alone(c));
        if (long || self.chars >= chars && ends_softly(&self.held)) && !in_link(&self.held) {
            self.leave(self.held.len(), leaves);
        }
    }

    /// Releases every sentence that has a word after it.
    fn judge(&mut self, leaves: &mut dyn FnMut(&str)) {
        for _ in 0..JUDGED_MAX {
            if !self.pending || !has_word(last_word(&self.held)) {
                return;
            }
            self.work += self.held.len() as u64;
            let open = open_marks(&self.held);
            let mut buffer = [0; 8];
            match self.first_end(spell(open, &mut buffer)) {
                Some(end) if has_word(&self.held[end..]) => self.leave(end, leaves),
                _ => {
                    // What stands before a plain word is decided, as long as the marks that stand open are marks.
                    self.pending = last_word(&self.held).chars().any(may_end);
                    let oldest = open.iter().flatten().map(|mark| mark.at).min();
                    self.again = oldest.map_or(usize::MAX, |at| at + OPEN_CHARS_MAX + 2);
                    return;
                }
            }
        }
    }

    /// The end of the first sentence, if something follows it. `closing` is added for the judgement only.
    fn first_end(&mut self, closing: &str) -> Option<usize> {
        let len = self.held.len();
        self.held.push_str(closing);
        let mut end = 0;
        let mut found = None;
        let mut marks = Marks::default();
        self.work += self.held.len() as u64;
        for sentence in sentencex::segment(&self.language, &self.held) {
            let from = end.min(len);
            end += sentence.len();
            let past = end + emphasis(self.held.get(end..len).unwrap_or(""));
            let text = &self.held[..past.min(len)];
            let mut stops = 1;
            // From one full stop to the next: all of them together look at the text once.
            let open = |at: usize| {
                marks.advance(&text[..at]);
                marks.open().iter().any(Option::is_some)
            };
            let seen = ends::overlooked(self.words, text, from.max(self.settled), open, || stops += 1);
            if from <= self.settled {
                self.settled = self.settled.max(seen.settled);
            }
            self.work += stops * STOP_WORK;
            found = seen.end;
            if found.is_some() || past >= len {
                break;
            }
            if !ends_with_item_number(self.held[..end].trim()) && !self.goes_on(end, past, len) {
                found = Some(past);
                break;
            }
        }
        self.held.truncate(len);
        self.work += marks.seen as u64;
        found
    }

    /// True if the full stop before `end` is inside a sentence that goes on from `past` to `len`. An empty line ends
    /// everything, and so does a line that begins with a mark.
    fn goes_on(&self, end: usize, past: usize, len: usize) -> bool {
        let (before, after) = (&self.held[..end], &self.held[past..len]);
        let gap = &self.held[before.trim_end().len()..len - after.trim_start().len()];
        let lines = gap.matches('\n').count();
        let marked = lines > 0 && !after.trim_start().starts_with(char::is_alphanumeric);
        lines < 2 && !marked && ends::stop(self.words, before, after) == Stop::Inside
    }

    /// Releases the first `end` bytes.
    fn leave(&mut self, end: usize, leaves: &mut dyn FnMut(&str)) {
        let text = self.held[..end].trim_end();
        if !text.is_empty() {
            leaves(text);
            self.begun = true;
        }
        let rest = self.held.len() - self.held[end..].trim_start().len();
        self.held.drain(..rest);
        self.chars = self.held.chars().count();
        self.pending = self.held.chars().any(may_end);
        self.work += (end + self.held.len()) as u64;
        (self.again, self.settled) = (usize::MAX, 0);
    }
}

/// Whether a sentence may end here. Every mark but those that cannot in any language: an extra look costs
/// microseconds, a missing one the sentence.
fn may_end(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, ' ' | '\t' | ',' | '\'' | '’' | '"' | '-')
}

/// Scripts that put no space between words: each of their characters counts as a word, and so do their commas.
pub(super) fn stands_alone(c: char) -> bool {
    let spaceless = matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{2E80}'..='\u{A4CF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}');
    spaceless && c.is_alphanumeric() || is_wide_pause(c)
}

fn is_wide_pause(c: char) -> bool {
    matches!(c, '、' | '，' | '；' | '：')
}

fn has_word(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The last word of `text`.
fn last_word(text: &str) -> &str {
    match text.char_indices().rev().find(|(_, c)| c.is_whitespace() || stands_alone(*c)) {
        Some((at, c)) if at + c.len_utf8() == text.len() => &text[at..],
        Some((at, c)) => &text[at + c.len_utf8()..],
        None => text,
    }
}

/// True at a place where a speaker would breathe.
fn ends_softly(text: &str) -> bool {
    let last = text.chars().next_back().unwrap_or(' ');
    matches!(last, ',' | ';' | ':' | '—' | '–')
        || is_wide_pause(last)
        || matches!(last_word(text), "-" | "--")
}

/// Whether `text` ends within a link or what may become one.
fn in_link(text: &str) -> bool {
    let named = text.rfind('[') > text.rfind(']');
    named || text.rfind("](").is_some_and(|at| !text[at..].contains(')'))
}

/// Length of the marks at the front of `text` that end an emphasis: that of the sentence before ("**No.** Then").
fn emphasis(text: &str) -> usize {
    let behind = text.trim_start_matches(['*', '_', '~']);
    if behind.starts_with(|c: char| !c.is_whitespace()) { 0 } else { text.len() - behind.len() }
}

/// Whether `text` ends with the number of a list item: alone, or behind a colon.
fn ends_with_item_number(text: &str) -> bool {
    let (before, number) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
    let digits = number.trim_end_matches(['.', ')']);
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let before = before.trim_end();
    is_number && digits.len() < number.len() && (before.is_empty() || before.ends_with(':'))
}

/// A quote or bracket that stands open.
#[derive(Clone, Copy)]
struct Open {
    /// Where it was opened, in characters.
    at: usize,
    close: char,
}

/// The quote and the bracket that stand open at the end of `text`, the inner one first.
fn open_marks(text: &str) -> [Option<Open>; 2] {
    let mut marks = Marks::default();
    marks.advance(text);
    marks.open()
}

/// A reader of quotes and brackets, on its way through a text.
struct Marks {
    quote: Option<Open>,
    bracket: Option<Open>,
    before: char,
    /// Bytes and characters read.
    seen: usize,
    chars: usize,
}

impl Default for Marks {
    fn default() -> Self {
        Self { quote: None, bracket: None, before: ' ', seen: 0, chars: 0 }
    }
}

impl Marks {
    /// Reads on to the end of `text`, of which some has been read. What was read so far ends with a full stop, so that
    /// nothing in it depends on what follows.
    fn advance(&mut self, text: &str) {
        let unread = self.seen;
        for (byte, c) in text.get(unread..).unwrap_or("").char_indices() {
            self.read(c, &text[unread + byte + c.len_utf8()..]);
        }
        self.seen = self.seen.max(text.len());
    }

    /// Reads `c` in front of `rest`.
    fn read(&mut self, c: char, rest: &str) {
        let (at, before) = (self.chars, self.before);
        let after = rest.chars().next().unwrap_or(' ');
        let near = |open: &Open| at - open.at <= OPEN_CHARS_MAX;
        self.quote = self.quote.filter(near);
        self.bracket = self.bracket.filter(near);
        match self.quote {
            None => self.quote = opened(c, before, rest).map(|close| Open { at, close }),
            Some(Open { close, .. }) if c == close => {
                let apostrophe = c == '\'' && (before.is_whitespace() || after.is_alphanumeric());
                self.quote = self.quote.filter(|_| apostrophe);
            }
            Some(_) => {}
        }
        match c {
            ')' | ']' | '}' | '）' => self.bracket = None,
            '(' | '[' | '{' if self.bracket.is_none() && !after.is_whitespace() => {
                self.bracket = Some(Open { at, close: ')' });
            }
            '（' if self.bracket.is_none() => self.bracket = Some(Open { at, close: '）' }),
            _ => {}
        }
        (self.before, self.chars) = (c, at + 1);
    }

    /// The open marks, the inner one first.
    fn open(&self) -> [Option<Open>; 2] {
        let quote_within = self.quote.map(|open| open.at) > self.bracket.map(|open| open.at);
        let (inner, outer) =
            if quote_within { (self.quote, self.bracket) } else { (self.bracket, self.quote) };
        [inner.or(outer), inner.and(outer)]
    }
}

/// The mark that closes the quote which `c` opens between `before` and `rest`, if it opens one.
fn opened(c: char, before: char, rest: &str) -> Option<char> {
    let (_, close) = *QUOTES.iter().find(|(open, _)| *open == c)?;
    let after = rest.chars().next().unwrap_or(' ');
    if after.is_whitespace() || c == close && before.is_alphanumeric() {
        return None;
    }
    if c == '\'' {
        let word = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
        let elided = ELISIONS.iter().any(|known| known.eq_ignore_ascii_case(word));
        if elided || !after.is_alphabetic() {
            return None;
        }
    }
    Some(close)
}

/// What closes the marks.
fn spell(open: [Option<Open>; 2], buffer: &mut [u8; 8]) -> &str {
    let mut len = 0;
    for mark in open.into_iter().flatten() {
        len += mark.close.encode_utf8(&mut buffer[len..]).len();
    }
    std::str::from_utf8(&buffer[..len]).expect("whole characters were encoded")
}
