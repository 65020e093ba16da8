//! Decides whether a full stop ends a sentence, where `sentencex` alone would be wrong.
//!
//! The first rule that applies decides:
//! 1. An abbreviation that something always follows ("M. Dupont", "t. ex. idag") ends nothing.
//! 2. One that stands in front of numbers ("p. 5", "vol. II") ends nothing there.
//! 3. An ordinal number ("2. wojna", "der 2. Weltkrieg") ends nothing in front of a small letter, nor between a word
//!    that wants a noun and a capital that begins no sentence.
//! 4. An abbreviation that may end a sentence ("etc.", "v. Chr.") ends it in front of a capital, and only there.
//! 5. Any other abbreviation that `sentencex` knows ends a sentence in front of a word that begins one ("Entonces").
//!
//! All other cases are undecided in the text itself and stay as `sentencex` decides them.

use super::abbreviations::Abbreviations;

/// Most words joined to one abbreviation ("u. a. m.").
const PARTS_MAX: usize = 3;

/// Work counted for judging one full stop: its word is searched for in lists of about this many bytes.
pub(super) const STOP_WORK: u64 = 64;

/// The meaning of a full stop in its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The sentence goes on.
    Inside,
    /// The sentence is over.
    End,
    /// No rule here applies: the general rules decide.
    Plain,
}

/// Judges the full stop at the end of `before`, followed by `after`. Any other end of `before` is plain.
pub(super) fn stop(words: &Abbreviations, before: &str, after: &str) -> Stop {
    let before = before.trim_end().trim_end_matches(['*', '_', '~']);
    let Some(before) = before.strip_suffix('.').filter(|text| !text.ends_with('.')) else {
        return Stop::Plain;
    };
    let next = Next::of(after);
    let mut last = before.split_whitespace().rev();
    let Some(word) = last.next().map(bare).filter(|word| !word.is_empty()) else { return Stop::Plain };
    let mut joined = String::new();
    let (mut leading, mut numbered, mut closing) = (false, false, false);
    for (at, part) in before.split_whitespace().rev().take(PARTS_MAX).enumerate() {
        // Only a part that ends with a full stop itself belongs to the same abbreviation.
        let part = if at == 0 { Some(part) } else { part.strip_suffix('.') };
        let Some(part) = part.map(bare).filter(|part| !part.is_empty()) else { break };
        joined = if at == 0 { part.to_owned() } else { format!("{part}.{joined}") };
        leading |= lists(words.leading, &joined);
        numbered |= lists(words.numbered, &joined);
        closing |= lists(words.closing, &joined);
        let whole = format!("{joined}.{}", next.word.trim_end_matches('.'));
        // "t." in front of "ex.".
        if lists(words.leading, &whole) || lists(words.closing, &whole) {
            return Stop::Inside;
        }
    }
    let listed = leading || numbered || closing;
    if leading || numbered && next.is_number() || listed && next.is_small() {
        return Stop::Inside;
    }
    if let Some(behind) = words.ordinals
        && (1..=3).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_digit())
    {
        let noun = next.is_capital() && !lists(words.starters, next.word);
        if next.is_small() || noun && last.next().is_some_and(|word| lists(behind, bare(word))) {
            return Stop::Inside;
        }
    }
    let begins = lists(words.starters, next.word);
    if closing && next.is_capital() || begins { Stop::End } else { Stop::Plain }
}

/// The result of [`overlooked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The first end.
    pub(super) end: Option<usize>,
    /// Bytes from the beginning in which no full stop can become an end through text that follows: the word after
    /// each is complete.
    pub(super) settled: usize,
}

/// The first end in `text` from `from` on that `sentencex` did not see: after an abbreviation and the space behind
/// it. `open` says whether a place stands in quotes or brackets, and gets places in order; `judges` is called at each
/// full stop that is judged.
pub(super) fn overlooked(
    words: &Abbreviations,
    text: &str,
    from: usize,
    mut open: impl FnMut(usize) -> bool,
    mut judges: impl FnMut(),
) -> Seen {
    let mut settled = None;
    for (at, _) in text.get(from..).unwrap_or("").match_indices('.') {
        let at = from + at + 1;
        let rest = text[at..].trim_start();
        let end = text.len() - rest.len();
        // More text may still come behind it, or more of the word there.
        if rest.is_empty() || end > at && !rest.contains(char::is_whitespace) {
            settled = settled.or(Some(at - 1));
        }
        if end == at || end == text.len() {
            continue;
        }
        judges();
        if stop(words, &text[..at], &text[end..]) != Stop::End || is_initial(&text[..at]) {
            continue;
        }
        if !open(at) {
            return Seen { end: Some(end), settled: settled.unwrap_or(at - 1) };
        }
    }
    Seen { end: None, settled: settled.unwrap_or(text.len()) }
}

/// True if `text` may be a whole sentence by its end: a full stop that does not belong to an abbreviation, a number
/// or an initial, or another mark that ends sentences.
pub(super) fn may_be_over(words: &Abbreviations, text: &str) -> bool {
    let text = text
        .trim_end()
        .trim_end_matches(['*', '_', '~', '"', '\'', '”', '’', '»', '“', ')', ']', '」', '』']);
    match text.chars().next_back() {
        Some('.') if text.ends_with("..") => true,
        Some('.') => {
            let word = bare(text.rsplit(char::is_whitespace).next().unwrap_or(text));
            let number = word.trim_end_matches('.').ends_with(|c: char| c.is_numeric());
            let listed = stop(words, text, "x") == Stop::Inside;
            !number && !listed && !is_initial(text)
        }
        Some(c) => {
            matches!(c, '!' | '?' | '…' | '。' | '！' | '？' | '।' | '؟' | '۔' | '։' | '።' | '॥' | '．')
        }
        None => false,
    }
}

/// Whether `text` ends with one letter and a full stop.
fn is_initial(text: &str) -> bool {
    let word = bare(text.rsplit(char::is_whitespace).next().unwrap_or(text));
    let mut chars = word.trim_end_matches('.').chars().rev();
    let (last, before) = (chars.next(), chars.next());
    last.is_some_and(char::is_alphabetic) && before.is_none_or(|c| c == '.' || c == '-')
}

/// The word after a full stop.
struct Next<'a> {
    word: &'a str,
}

impl<'a> Next<'a> {
    fn of(after: &'a str) -> Self {
        let word = after.split_whitespace().next().unwrap_or("");
        Self {
            word: word
                .trim_start_matches(|c: char| !c.is_alphanumeric())
                .trim_end_matches([',', ';', ':', '!', '?']),
        }
    }
    fn first(&self) -> Option<char> {
        self.word.chars().next()
    }
    fn is_capital(&self) -> bool {
        self.first().is_some_and(char::is_uppercase)
    }
    fn is_small(&self) -> bool {
        self.first().is_some_and(char::is_lowercase)
    }
    /// True for digits, and for a Roman numeral that is no word ("I").
    fn is_number(&self) -> bool {
        let roman = self.word.trim_end_matches(['.', ')']);
        let is_roman = roman.chars().all(|c| "IVXLCDM".contains(c)) && !matches!(roman, "" | "I");
        is_roman || self.first().is_some_and(char::is_numeric)
    }
}

/// `word` without the marks before it, and without an article that lost its vowel ("l'av.").
fn bare(word: &str) -> &str {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '№' && c != '§');
    word.rsplit(['\'', '’']).next().unwrap_or(word)
}

/// True if `list` has `word`: as it is, or in lower case where the list has no capital.
fn lists(list: &str, word: &str) -> bool {
    let small = word.to_lowercase();
    list.split_whitespace().any(|known| known == word || known == small)
}
