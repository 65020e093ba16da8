//! When the words and phones of an utterance sound, by the voice's own model of durations.
//!
//! The voice joins halves of phones: its sound ends in the middle of the last pause, and so do the times.

use flite_rs::Utterance;
use flite_rs::text::Token;
use mynah_engine::media::{Spoken, SpokenTime};

/// The voice's name for a pause.
const PAUSE: &str = "pau";

/// The words, phones and pauses of `utterance`, which speaks `tokens` that begin at byte `from` of a text, in order of their
/// ends. Phones and pauses follow each other without gaps, from the first sample to the last.
pub(super) fn times(utterance: &Utterance, tokens: &[Token], from: usize) -> Vec<SpokenTime> {
    let mut times = phones(utterance);
    let mut at = from;
    for (item, token) in utterance.iter_relation("Token").zip(tokens) {
        let begins = at + token.whitespace.len();
        at = begins + token.prepunctuation.len() + token.name.len() + token.punctuation.len();
        let words = std::iter::successors(utterance.daughter(item), |word| utterance.next(*word));
        let spans = words.filter_map(|word| {
            let word = utterance.item_as(word, "SylStructure")?;
            let first = utterance.daughter(utterance.daughter(word)?)?;
            let last = utterance.last_daughter(utterance.last_daughter(word)?)?;
            let before = utterance.prev(utterance.item_as(first, "Segment")?);
            Some((before.map_or(0, |before| end_us(utterance, before)), end_us(utterance, last)))
        });
        let span = spans.reduce(|all, next| (all.0, next.1));
        // What is written and not spoken counts with the word before.
        if let Some((from_us, until_us)) = span {
            let what = Spoken::Word { from: begins as u32, to: at as u32 };
            times.push(SpokenTime { what, from_us, until_us });
        } else if let Some(Spoken::Word { to, .. }) = times.last_mut().map(|time| &mut time.what) {
            *to = at as u32;
        }
    }
    times.sort_by_key(|time| time.until_us);
    times
}

fn phones(utterance: &Utterance) -> Vec<SpokenTime> {
    let mut from_us = 0;
    let mut phones = Vec::new();
    for segment in utterance.iter_relation("Segment") {
        let (name, until_us) = (utterance.name(segment), end_us(utterance, segment));
        let what = if name == PAUSE { Spoken::Pause } else { Spoken::Phone(name.into()) };
        phones.push(SpokenTime { what, from_us, until_us });
        from_us = until_us;
    }
    if let Some(last) = phones.last_mut().filter(|last| last.what == Spoken::Pause) {
        last.until_us = u64::midpoint(last.from_us, last.until_us);
    }
    phones
}

fn end_us(utterance: &Utterance, segment: flite_rs::utterance::ItemId) -> u64 {
    (f64::from(utterance.feature_f32(segment, "end")) * 1e6) as u64
}
