//! The client's audio until the session has room for it, with the ends of turns between the samples.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pcm::Encoding;
use crate::realtime::settings::{RATE_HZ, SettingsError};

/// Longest base64 text of one message.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// With so many samples waiting nothing more of the client is read: two seconds.
const ROOM: usize = 2 * RATE_HZ as usize;
/// Most samples that wait: the room and the longest message.
const SAMPLES_MAX: usize = ROOM + TEXT_BYTES_MAX;
/// Samples that are handed in at a time: 20 ms.
const PIECE: usize = RATE_HZ as usize / 50;
/// Most ends of turns that wait.
const MARKS_MAX: usize = 32;

/// How a turn ends between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The detector goes on.
    EndTurn,
    /// The gate is shut.
    Release,
}

/// What comes next.
pub(super) enum Next<'a> {
    Nothing,
    Samples(&'a [f32]),
    Mark(Mark),
}

/// Samples that wait.
#[derive(Default)]
pub(super) struct Intake {
    samples: Vec<f32>,
    /// Of these, handed in.
    taken: usize,
    /// Ends of turns, by the samples before them that wait.
    marks: VecDeque<(usize, Mark)>,
    bytes: Vec<u8>,
    /// Samples since the last end of a turn or clearing.
    pub(super) since_end: u64,
}

impl Intake {
    /// Takes the audio of a message: base64 of 16-bit samples. Half a sample waits for the other half. Nothing of a
    /// message that is refused is taken.
    pub(super) fn append(&mut self, text: &str) -> Result<(), SettingsError> {
        let bad = |code: &str, message: String| SettingsError::of(code, "audio", message);
        if text.len() > TEXT_BYTES_MAX {
            let (len, most) = (text.len(), TEXT_BYTES_MAX);
            return Err(bad(
                "string_above_max_length",
                format!("audio: {len} bytes of base64; expected at most {most}; send it in parts"),
            ));
        }
        if self.waiting() + text.len() > SAMPLES_MAX {
            let message = "audio: too much waits already; send it as fast as it is spoken";
            return Err(bad("input_audio_buffer_full", message.into()));
        }
        let kept = self.bytes.len();
        if let Err(error) = STANDARD.decode_vec(text, &mut self.bytes) {
            self.bytes.truncate(kept);
            let message = format!("audio: {error}; expected base64 of 16-bit samples, little endian");
            return Err(bad("invalid_base64", message));
        }
        let whole = self.bytes.len() & !1;
        self.tidy();
        Encoding::S16.decode(&self.bytes, &mut self.samples);
        self.bytes.drain(..whole);
        self.since_end += whole as u64 / 2;
        Ok(())
    }

    /// Gives up the place of samples that were handed in, once they are more than those that wait.
    fn tidy(&mut self) {
        if self.taken > self.samples.len() / 2 {
            self.samples.drain(..self.taken);
            self.marks.iter_mut().for_each(|(at, _)| *at -= self.taken);
            self.taken = 0;
        }
    }

    fn waiting(&self) -> usize {
        self.samples.len() - self.taken
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting() < ROOM && self.marks.len() < MARKS_MAX / 2
    }

    /// Notes the end of a turn behind what has come; false if too many wait.
    pub(super) fn mark(&mut self, mark: Mark) -> bool {
        self.since_end = 0;
        let fits = self.marks.len() < MARKS_MAX;
        if fits {
            self.marks.push_back((self.samples.len(), mark));
        }
        fits
    }

    /// The audio up to the next end, at most 20 ms, or that end.
    pub(super) fn next(&self) -> Next<'_> {
        let until = self.marks.front().map_or(self.samples.len(), |(at, _)| *at);
        match self.marks.front() {
            Some((_, mark)) if until == self.taken => Next::Mark(*mark),
            _ if until == self.taken => Next::Nothing,
            _ => Next::Samples(&self.samples[self.taken..until.min(self.taken + PIECE)]),
        }
    }

    /// So many samples were handed in.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
    }

    /// The next end was passed.
    pub(super) fn pass(&mut self) {
        self.marks.pop_front();
    }

    /// Forgets what waits.
    pub(super) fn drop_all(&mut self) {
        self.samples.clear();
        self.marks.clear();
        self.bytes.clear();
        (self.taken, self.since_end) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(intake: &mut Intake) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match intake.next() {
                Next::Nothing => return told,
                Next::Mark(mark) => {
                    told.push(format!("{mark:?}"));
                    intake.pass();
                }
                Next::Samples(samples) => {
                    let count = samples.len();
                    told.push(count.to_string());
                    intake.take(count);
                }
            }
        }
    }

    #[test]
    fn an_odd_byte_waits_for_the_next_message_and_a_broken_one_leaves_nothing() {
        let mut intake = Intake::default();
        intake.append(&STANDARD.encode([0, 0x40, 0])).expect("base64");
        intake.append("!!!").expect_err("no base64");
        intake.append(&STANDARD.encode([0xc0])).expect("base64");
        assert_eq!((intake.samples.as_slice(), intake.since_end), ([0.5, -0.5].as_slice(), 2));
    }

    #[test]
    fn the_end_of_a_turn_stays_where_it_was_said() {
        let mut intake = Intake::default();
        intake.append(&STANDARD.encode([0; 2_000])).expect("base64");
        assert!(intake.mark(Mark::Release));
        intake.append(&STANDARD.encode([0; 20])).expect("base64");
        assert_eq!(all(&mut intake), ["480", "480", "40", "Release", "10"]);
        intake.append(&STANDARD.encode([0; 20])).expect("base64");
        assert!(intake.mark(Mark::EndTurn));
        assert_eq!(all(&mut intake), ["10", "EndTurn"]);
    }

    #[test]
    fn what_waits_has_a_bound_and_too_long_a_message_is_refused() {
        let mut intake = Intake::default();
        let long = "A".repeat(TEXT_BYTES_MAX + 4);
        assert_eq!(intake.append(&long).expect_err("too long").code, "string_above_max_length");
        let mut refused = None;
        for _ in 0..8 {
            refused = refused.or(intake.append(&long[4..]).err());
        }
        assert_eq!(refused.expect("it is full").code, "input_audio_buffer_full");
        assert!(intake.waiting() <= SAMPLES_MAX && !intake.has_room());
        intake.drop_all();
        assert!(intake.has_room());
    }
}
