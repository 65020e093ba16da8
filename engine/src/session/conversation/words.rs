//! The words of an answer that is being heard, and how many of them were heard when it was cut.

use std::sync::Arc;

use crate::media::spoken::{Spoken, SpokenTime};

/// By how much the end of what was spoken may lie behind what was heard of it: times are rounded in several places.
const ROUNDING_US: u64 = 1_000;
/// Shortest time that is taken for a character of which only the beginning was made, microseconds: 17 characters a
/// second, a quick speaker.
const CHAR_US: u64 = 60_000;
/// Pieces of one answer that are kept apart; of more, the first two become one.
const PIECES_MAX: usize = 256;

/// An answer that is being heard.
#[derive(Debug)]
pub(super) struct Answer {
    /// Segment and revision.
    pub(super) origin: (u32, u32),
    pieces: Vec<Piece>,
    /// What has left as text.
    written: String,
}

/// What is said at one go.
#[derive(Debug)]
struct Piece {
    text: Arc<str>,
    /// Where in the answer it begins.
    from_us: u64,
    /// Its length, as far as it is known.
    length: Length,
    /// When its words sound, as far as that is known; times count from its beginning.
    times: Vec<SpokenTime>,
}

/// How long a piece sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Unknown,
    /// At least so long.
    AtLeast(u64),
    Exactly(u64),
}

impl Answer {
    pub(super) fn new(origin: (u32, u32)) -> Self {
        Self { origin, pieces: Vec::new(), written: String::new() }
    }

    /// A piece begins at `from_us`, or it is the end of the last one that is known now.
    pub(super) fn speaks(&mut self, text: &Arc<str>, from_us: u64, until_us: Option<u64>) {
        let length =
            until_us.map_or(Length::Unknown, |until_us| Length::Exactly(until_us.saturating_sub(from_us)));
        if let Some(last) = self.pieces.last_mut()
            && last.from_us == from_us
            && Arc::ptr_eq(&last.text, text)
        {
            last.length = length;
            return;
        }
        if self.pieces.len() == PIECES_MAX {
            let first = self.pieces.remove(0);
            let (next, mut words) = (&mut self.pieces[0], first.text.to_string());
            join(&mut words, &next.text, true);
            let length = match next.length {
                Length::Exactly(us) => Length::Exactly(next.from_us + us - first.from_us),
                other => other,
            };
            *next = Piece { text: words.into(), from_us: first.from_us, length, times: Vec::new() };
        }
        self.pieces.push(Piece { text: Arc::clone(text), from_us, length, times: Vec::new() });
    }

    pub(super) fn times(&mut self, times: &[SpokenTime]) {
        if let Some(last) = self.pieces.last_mut() {
            let words = times.iter().filter(|time| matches!(time.what, Spoken::Word { .. }));
            last.times.extend(words.cloned());
        }
    }

    pub(super) fn is_cut(&mut self, made_us: u64, is_all: bool) {
        if let Some(last) = self.pieces.last_mut().filter(|last| last.length == Length::Unknown) {
            last.length = if is_all { Length::Exactly(made_us) } else { Length::AtLeast(made_us) };
        }
    }

    pub(super) fn writes(&mut self, text: &str) {
        let apart = needs_space(&self.written, text);
        join(&mut self.written, text, apart);
    }

    /// The words heard when `us` of the answer were, or `whole` of it was. What each of several `voices` says was said
    /// once.
    pub(super) fn heard(&self, us: u64, whole: bool, voices: usize) -> String {
        if self.pieces.is_empty() {
            return self.written.clone();
        }
        let mut heard = String::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            let before = self.pieces[..at].iter().filter(|other| other.text == piece.text).count();
            if before % voices.max(1) != 0 {
                continue;
            }
            let words = if whole { &piece.text } else { piece.heard(us.saturating_sub(piece.from_us)) };
            join(&mut heard, words, true);
        }
        heard
    }
}

impl Piece {
    /// The words of which the last sounded within the first `us`.
    fn heard(&self, us: u64) -> &str {
        let all_us = match self.length {
            Length::Exactly(all_us) if all_us <= us.saturating_add(ROUNDING_US) => return &self.text,
            Length::Exactly(all_us) => all_us,
            Length::AtLeast(made_us) => made_us.max(self.text.chars().count() as u64 * CHAR_US),
            Length::Unknown => self.text.chars().count() as u64 * CHAR_US,
        };
        if self.times.is_empty() {
            return self.first(us, all_us);
        }
        let heard =
            self.times.iter().take_while(|time| time.until_us <= us.saturating_add(ROUNDING_US)).last();
        let end = heard.map_or(0, |time| match time.what {
            Spoken::Word { to, .. } => to as usize,
            Spoken::Phone(_) | Spoken::Pause => 0,
        });
        self.text.get(..end).unwrap_or_default()
    }

    /// The first whole words by the number of characters: the share that `us` is of `all_us`.
    fn first(&self, us: u64, all_us: u64) -> &str {
        let chars = self.text.chars().count() as u64;
        let heard = (u128::from(chars) * u128::from(us) / u128::from(all_us.max(1))) as usize;
        let Some((end, next)) = self.text.char_indices().nth(heard) else { return &self.text };
        if next.is_whitespace() {
            return &self.text[..end];
        }
        let word = self.text[..end].rfind(char::is_whitespace);
        &self.text[..word.unwrap_or(0)]
    }
}

/// Appends words to a text, with a space between where `apart` says so.
fn join(text: &mut String, words: &str, apart: bool) {
    let is_apart =
        text.is_empty() || text.ends_with(char::is_whitespace) || words.starts_with(char::is_whitespace);
    if apart && !is_apart && !words.is_empty() {
        text.push(' ');
    }
    text.push_str(words);
}

/// Whether a sentence ends where the next one begins without a space.
fn needs_space(text: &str, next: &str) -> bool {
    text.ends_with(['.', '?', '!', '…']) && next.starts_with(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    /// 23 characters.
    const TEXT: &str = "eleven char and another";

    fn spoken(until_us: Option<u64>) -> Answer {
        let mut answer = Answer::new((1, 1));
        answer.speaks(&"First.".into(), 0, Some(S));
        answer.speaks(&TEXT.into(), S, until_us);
        answer
    }

    #[test]
    fn without_times_the_share_of_the_sound_counts_rounded_down_to_a_word() {
        let cases = [(0, ""), (S, "First."), (S + 400_000, "First."), (S + 600_000, "First. eleven")];
        let more = [
            (2 * S, "First. eleven char"),
            (2_900_000, "First. eleven char and"),
            (3 * S, "First. eleven char and another"),
        ];
        for (us, want) in cases.into_iter().chain(more) {
            assert_eq!(spoken(Some(3 * S)).heard(us, false, 1), want, "{us} us");
        }
        assert_eq!(spoken(None).heard(0, true, 1), format!("First. {TEXT}"));
    }

    #[test]
    fn a_piece_whose_end_never_came_is_as_long_as_was_made_of_it_or_as_a_quick_speaker_takes() {
        let cut = |made_us, is_all| {
            let mut answer = spoken(None);
            answer.is_cut(made_us, is_all);
            answer.heard(2 * S, false, 1)
        };
        assert_eq!(cut(2 * S, true), "First. eleven char");
        assert_eq!(cut(4 * S, false), "First.", "it is that long at least");
        assert_eq!(cut(S, true), format!("First. {TEXT}"));
        assert_eq!(cut(S, false), "First. eleven char and", "23 characters take longer than a second");
        let mut known = spoken(Some(3 * S));
        known.is_cut(S, true);
        assert_eq!(known.heard(2 * S, false, 1), "First. eleven char", "what is known stays");
    }

    #[test]
    fn where_the_voice_gives_times_the_words_count_whose_end_was_heard() {
        let word = |from, to, until_us| SpokenTime { what: Spoken::Word { from, to }, from_us: 0, until_us };
        let phone = SpokenTime { what: Spoken::Phone("ah".into()), from_us: 0, until_us: 9 * S };
        let mut answer = spoken(None);
        answer.times(&[word(0, 6, 100_000), word(7, 11, 200_000), phone]);
        answer.times(&[word(12, 15, 1_500_000), word(16, 23, 1_900_000)]);
        for (us, want) in [
            (S + 50_000, "First."),
            (S + 100_000, "First. eleven"),
            (2 * S, "First. eleven char"),
            (2_600_000, "First. eleven char and"),
            (u64::MAX, "First. eleven char and another"),
        ] {
            assert_eq!(answer.heard(us, false, 1), want, "{us} us");
        }
    }

    #[test]
    fn many_pieces_are_still_all_there() {
        let mut answer = Answer::new((1, 1));
        for at in 0..1_000 {
            answer.speaks(&format!("w{at}").into(), at * S, Some((at + 1) * S));
        }
        let words = answer.heard(999 * S, false, 1);
        assert!(words.starts_with("w0 w1 w2 ") && words.ends_with(" w998"), "{}", words.len());
        assert_eq!(answer.pieces.len(), PIECES_MAX);
    }

    #[test]
    fn what_left_as_text_is_joined_as_it_left() {
        let mut answer = Answer::new((1, 1));
        for text in ["Hel", "lo. ", "One.", "Two."] {
            answer.writes(text);
        }
        assert_eq!(answer.heard(0, false, 1), "Hello. One. Two.");
    }
}
