//! Which words of a known text lie in a stretch of time: what a perfect recogniser would return for it.

use std::sync::Arc;

use super::truth::Stretch;

/// A piece of text spoken in one go, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The words, separated by spaces, with their punctuation.
    pub text: Arc<str>,
    /// From its first to its last speech, on the clock of what holds it (clip, file or session).
    pub at: Stretch,
}

/// A word and when it is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedWord {
    /// Where its middle is, microseconds.
    pub at_us: u64,
    /// The word with its punctuation.
    pub word: String,
}

/// The words of `part`, each with its middle. They are placed over the `speech` inside the part in proportion to their
/// characters: no alignment, good to some 100 ms.
fn placed<'a>(part: &'a Part, speech: &'a [Stretch]) -> impl Iterator<Item = (u64, &'a str)> {
    let spoken = || speech.iter().filter_map(|&stretch| overlap(stretch, part.at));
    let spoken_us: u64 = spoken().map(|stretch| stretch.len_us()).sum();
    let letters = |word: &str| word.chars().count() as u64 + 1;
    let all: u64 = part.text.split_whitespace().map(letters).sum();
    let mut before = 0;
    part.text.split_whitespace().map(move |word| {
        let middle = 2 * before + letters(word);
        before += letters(word);
        let mut left_us = spoken_us * middle / (2 * all);
        let mut at_us = part.at.start_us;
        for stretch in spoken() {
            at_us = stretch.start_us + left_us.min(stretch.len_us());
            if left_us < stretch.len_us() {
                break;
            }
            left_us -= stretch.len_us();
        }
        (at_us, word)
    })
}

/// Appends to `words` those of `part` whose middle lies in `within`, `by_us` later than the part says.
pub(super) fn place_words(
    words: &mut Vec<PlacedWord>,
    part: &Part,
    speech: &[Stretch],
    within: Stretch,
    by_us: u64,
) {
    let inside = placed(part, speech).filter(|(at_us, _)| (within.start_us..within.end_us).contains(at_us));
    words.extend(inside.map(|(at_us, word)| PlacedWord { at_us: at_us + by_us, word: word.into() }));
}

/// Appends to `heard`, after a space, the words of `part` whose middle lies in `within`.
pub(super) fn append_words(heard: &mut String, part: &Part, speech: &[Stretch], within: Stretch) {
    for (at_us, word) in placed(part, speech) {
        if (within.start_us..within.end_us).contains(&at_us) {
            if !heard.is_empty() {
                heard.push(' ');
            }
            heard.push_str(word);
        }
    }
}

/// What two stretches share, if anything.
pub(super) fn overlap(one: Stretch, other: Stretch) -> Option<Stretch> {
    let both = Stretch { start_us: one.start_us.max(other.start_us), end_us: one.end_us.min(other.end_us) };
    (both.start_us < both.end_us).then_some(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start_us: u64, end_us: u64) -> Stretch {
        Stretch { start_us, end_us }
    }

    #[test]
    fn words_follow_their_characters_and_skip_silence() {
        // 4 words of 4 + 1 characters over 400 us of speech with a hole of 600 us in the middle.
        let part = Part { text: "one, two2 tre3 four".into(), at: at(1_000, 2_000) };
        let speech = [at(1_000, 1_200), at(1_800, 2_000)];
        let cases = [
            (at(0, 9_000), "one, two2 tre3 four"),
            (at(0, 1_100), "one,"),
            (at(0, 1_040), ""),
            (at(1_040, 1_060), "one,"),
            (at(1_100, 1_200), "two2"),
            (at(1_200, 1_800), ""),
            (at(1_800, 1_900), "tre3"),
            (at(1_900, 2_000), "four"),
            (at(2_000, 9_000), ""),
        ];
        for (within, expected) in cases {
            let mut heard = String::new();
            append_words(&mut heard, &part, &speech, within);
            assert_eq!(heard, expected, "{within:?}");
        }
    }
}
