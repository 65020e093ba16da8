//! Recognised words against those that were said, voice by voice.

use std::collections::BTreeMap;

use mynah_engine::ScenePlan;
use mynah_engine::scene::{Port, PortType};
use mynah_load::load::truth::Stretch;
use mynah_load::load::words::{Passage, Said, WordErrors, passages};
use serde::Serialize;

use crate::run::segments::{Outcome, Segment};
use crate::scenes::counted;

/// How many of the words that one voice said were recognised as others, or not, or came from nowhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoiceWords {
    /// The voice, as labels call it; empty: they do not say.
    pub voice: String,
    /// Words that were said.
    pub words: u64,
    /// Words replaced, added and left out.
    pub errors: u64,
    /// Errors a word; `None`: none was said.
    pub word_error_rate: Option<f64>,
}

/// What recognisers made of the words that were said in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recognition {
    /// Words that were said.
    pub words: u64,
    /// Words replaced, added and left out: also what the gate or a cancellation kept from the recogniser.
    pub errors: u64,
    /// Of these, words recognised where nothing was said.
    pub errors_in_silence: u64,
    /// Errors a word; `None`: none was said.
    pub word_error_rate: Option<f64>,
    /// Voice by voice, by name.
    pub voices: Vec<VoiceWords>,
}

/// Whether words of a scene are found in audio: it has a recogniser, and none that is simulated.
pub fn is_real(plan: &ScenePlan) -> bool {
    let hears = |ports: &[Port]| ports.iter().any(|port| port.kind == PortType::Audio);
    let recognisers =
        plan.nodes.iter().filter(|node| hears(node.spec.inputs())).filter_map(|node| node.service);
    let mut outputs = recognisers.map(|service| &plan.services[service].output).peekable();
    outputs.peek().is_some() && outputs.all(|output| !output.modelled())
}

/// Words against words so far, voice by voice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WordCount {
    voices: BTreeMap<String, WordErrors>,
    errors_in_silence: u64,
}

impl WordCount {
    /// Adds what was said at some time in one session, and the segments that were heard then.
    pub fn add(&mut self, said: &[Said], segments: Vec<Segment>) {
        for Passage { said, heard, voice } in passages(said, &heard(segments)) {
            let found = WordErrors::between(&said, &heard);
            if found.words > 0 {
                *self.voices.entry(voice).or_default() += found;
            } else {
                self.errors_in_silence += found.errors;
            }
        }
    }

    /// Adds what another one has counted.
    pub fn join(&mut self, other: &Self) {
        self.errors_in_silence += other.errors_in_silence;
        for (voice, found) in &other.voices {
            *self.voices.entry(voice.clone()).or_default() += *found;
        }
    }

    /// The figures; `None`: nothing was said, and nothing heard.
    pub fn figures(&self) -> Option<Recognition> {
        let mut all = WordErrors { words: 0, errors: self.errors_in_silence };
        self.voices.values().for_each(|voice| all += *voice);
        let of_voice = |(voice, found): (&String, &WordErrors)| VoiceWords {
            voice: voice.clone(),
            words: found.words,
            errors: found.errors,
            word_error_rate: found.rate(),
        };
        (all != WordErrors::default()).then(|| Recognition {
            words: all.words,
            errors: all.errors,
            errors_in_silence: self.errors_in_silence,
            word_error_rate: all.rate(),
            voices: self.voices.iter().map(of_voice).collect(),
        })
    }
}

/// Words against words, over all sessions: what was said, and the segments that were heard. `None`: nothing was said, and
/// nothing heard.
pub fn compare(sessions: impl IntoIterator<Item = (Vec<Said>, Vec<Segment>)>) -> Option<Recognition> {
    let mut count = WordCount::default();
    sessions.into_iter().for_each(|(said, segments)| count.add(&said, segments));
    count.figures()
}

/// The words of segments that are speech. One that goes on from others has their words, too, and takes their place.
fn heard(segments: Vec<Segment>) -> Vec<(Stretch, String)> {
    let (mut heard, mut from_us, mut before) = (Vec::new(), 0, 0);
    for segment in segments.into_iter().filter(|segment| segment.outcome == Outcome::Confirmed) {
        let (start_us, end_us) = segment.shown_us();
        if !segment.continues {
            (from_us, before) = (start_us, heard.len());
        }
        if let (Some(end_us), Some(said)) = (end_us, segment.said) {
            heard.truncate(before);
            heard.push((Stretch { start_us: from_us, end_us }, said));
        }
    }
    heard
}

/// The comparison for people, a line for each voice below the line of all.
pub fn lines(found: &Recognition) -> Vec<String> {
    let rate = |rate: Option<f64>| rate.map_or("-".into(), |rate| format!("{rate:.3}"));
    let Recognition { words, errors, errors_in_silence, word_error_rate, voices } = found;
    let silence = match errors_in_silence {
        0 => String::new(),
        some => format!(", {some} of them where nobody spoke"),
    };
    let errors = counted(*errors as usize, "error");
    let rate_of_all = rate(*word_error_rate);
    let mut lines = vec![format!("words: {words} said, {errors}{silence}: word error rate {rate_of_all}")];
    let width = voices.iter().map(|voice| voice.voice.chars().count()).max().unwrap_or(0);
    lines.extend(voices.iter().filter(|_| voices.len() > 1).map(|voice| {
        let VoiceWords { voice, words, errors, word_error_rate } = voice;
        format!("  {voice:<width$}  {words:>6} words {errors:>5} errors  {:>6}", rate(*word_error_rate))
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_was_split_counts_once() {
        let said = Said {
            at: Stretch { start_us: 0, end_us: 9_000_000 },
            text: "one two three four".into(),
            voice: "anna".into(),
        };
        let part = |from_s: u64, continues: bool, text: &str| Segment {
            outcome: Outcome::Confirmed,
            from_us: from_s * 1_000_000,
            to_us: Some((from_s + 3) * 1_000_000),
            continues,
            said: Some(text.into()),
            ..Segment::default()
        };
        let parts =
            vec![part(0, false, "one"), part(3, true, "one two three"), part(6, true, "one two three four")];
        let found = compare([(vec![said], parts)]).expect("words were said");
        assert_eq!((found.words, found.errors), (4, 0));
    }

    #[test]
    fn words_count_for_the_voice_that_said_them_and_in_silence_for_none() {
        let said = |from_s: u64, text: &str, voice: &str| Said {
            at: Stretch { start_us: from_s * 1_000_000, end_us: (from_s + 1) * 1_000_000 },
            text: text.into(),
            voice: voice.into(),
        };
        let heard = |from_s: u64, text: &str, outcome| Segment {
            outcome,
            from_us: from_s * 1_000_000,
            to_us: Some((from_s + 1) * 1_000_000),
            said: Some(text.into()),
            ..Segment::default()
        };
        let spoken = vec![said(0, "turn it off", "anna"), said(5, "stop", "ben"), said(8, "go on", "anna")];
        let segments = vec![
            heard(0, "Turn it up.", Outcome::Confirmed),
            heard(3, "Thank you.", Outcome::Confirmed),
            heard(5, "Stop!", Outcome::Confirmed),
            // What was taken back is not heard.
            heard(8, "go on", Outcome::Cancelled),
        ];
        let found = compare([(spoken, segments)]).expect("words were said");
        assert_eq!((found.words, found.errors, found.errors_in_silence), (6, 5, 2));
        let voices: Vec<_> = found.voices.iter().map(|v| (v.voice.as_str(), v.words, v.errors)).collect();
        assert_eq!(voices, [("anna", 5, 3), ("ben", 1, 0)]);
        assert_eq!(compare([(Vec::new(), Vec::new())]), None);
        assert_eq!(
            lines(&found),
            [
                "words: 6 said, 5 errors, 2 of them where nobody spoke: word error rate 0.833",
                "  anna       5 words     3 errors   0.600",
                "  ben        1 words     0 errors   0.000",
            ]
        );
    }
}
