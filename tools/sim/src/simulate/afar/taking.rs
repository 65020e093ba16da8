//! What a client sees, as the records that an engine would have made of it.

use mynah_engine::speech::CancelReason;
use mynah_engine::wire::message::{ControlMessage, MessageType};
use mynah_engine::{Control, Event, Record, SessionId};

use super::Afar;
use super::sightings::{Ear, Sighting};

impl Afar {
    /// Caller number `caller` has seen something at `at_us`.
    pub fn saw(&mut self, caller: usize, at_us: u64, sighting: &Sighting) {
        if caller >= self.ears.len() {
            return;
        }
        match sighting {
            Sighting::SpeechStarted { segment, from_us } => self.opens(caller, at_us, *segment, *from_us),
            Sighting::Speech(control) => {
                self.exchanged.of_speech += 1;
                self.decided(caller, at_us, control);
            }
            Sighting::Event { message, segment } => self.happened(caller, at_us, message, *segment),
            Sighting::Audio { segment, revision, pts_us, sound_us, samples } => {
                self.frames.out += 1;
                self.frames.samples_received += samples;
                self.measured.sessions[caller].released += samples;
                if *revision > 0 {
                    self.sounds(caller, at_us, (*segment, *revision), *sound_us);
                } else if *segment == 0 {
                    self.passed(caller, at_us, pts_us + sound_us);
                }
            }
        }
    }

    fn tell(&mut self, caller: usize, at_us: u64, turn: u32, event: Event) {
        self.measured.event(&Record::new(at_us, SessionId(caller as u32), turn, event));
    }

    fn is_known(&self, caller: usize, segment: u32) -> bool {
        self.measured.sessions[caller].segments.contains_key(&segment)
    }

    fn opens(&mut self, caller: usize, at_us: u64, segment: u32, from_us: u64) {
        if segment != 0 && !self.is_known(caller, segment) {
            self.ears[caller].newest = segment;
            self.tell(caller, at_us, 0, Event::SegmentOpened { segment, from_us });
        }
    }

    fn decided(&mut self, caller: usize, at_us: u64, control: &Control) {
        match *control {
            Control::ConfirmSpeculation { segment, turn, from_us, to_us } => {
                // Where the beginning was not told, this is the first of it.
                self.opens(caller, at_us, segment, from_us);
                self.tell(caller, at_us, turn, Event::SegmentConfirmed { segment, from_us, to_us });
            }
            Control::CancelSpeculation { segment, from_us, to_us, late } => {
                self.opens(caller, at_us, segment, from_us);
                let reason = CancelReason::Elsewhere;
                self.tell(caller, at_us, 0, Event::SegmentCancelled { segment, reason, from_us, to_us });
                if late {
                    self.tell(caller, at_us, 0, Event::LateCancelled { segment, revision: 0 });
                }
            }
            Control::EndOfSpeech { segment, revision, at_us: end_us, last } => {
                let event = if last {
                    let from_us = self.begins_us(caller, segment, end_us);
                    Event::SegmentEnded {
                        segment,
                        revision,
                        from_us,
                        to_us: end_us,
                        speech_from_us: from_us,
                        speech_to_us: end_us,
                        split: revision == 0,
                    }
                } else {
                    Event::Endpoint { segment, revision, at_us: end_us, seen_us: end_us }
                };
                self.tell(caller, at_us, 0, event);
            }
            Control::RetractEndOfSpeech { segment, revision, at_us: end_us } => {
                self.tell(caller, at_us, 0, Event::EndpointRetracted { segment, revision, at_us: end_us });
            }
            _ => {}
        }
    }

    /// Where a segment begins.
    fn begins_us(&self, caller: usize, segment: u32, else_us: u64) -> u64 {
        self.measured.sessions[caller].segments.get(&segment).map_or(else_us, |story| story.from_us)
    }

    fn happened(&mut self, caller: usize, at_us: u64, message: &ControlMessage, about: Option<u32>) {
        let turn = message.turn.unwrap_or(0);
        let Ear { newest, plays_until_us, .. } = self.ears[caller];
        let event = match &message.message_type {
            MessageType::AnswerPaused {} => {
                Event::AnswerPaused { segment: newest, quiet_us: plays_until_us.max(at_us) }
            }
            MessageType::AnswerResumed {} => Event::AnswerResumed { segment: newest, ignored: false },
            MessageType::AnswerInterrupted { heard_us } => {
                Event::AnswerInterrupted { turn, segment: newest, heard_us: *heard_us }
            }
            MessageType::Transcript { text, .. } => {
                let (Some(node), Some(segment)) = (self.recogniser, about) else { return };
                let revision = message.revision.unwrap_or(0);
                Event::Text { node, segment, revision, text: text.clone() }
            }
            MessageType::ServiceFailed { service, .. } => {
                *self.counts.failures.entry(service.to_string()).or_default() += 1;
                return;
            }
            MessageType::Closed { .. } => Event::SessionClosed,
            _ => return,
        };
        self.tell(caller, at_us, turn, event);
    }

    /// A piece of an answer has arrived.
    fn sounds(&mut self, caller: usize, at_us: u64, answer: (u32, u32), sound_us: u64) {
        let (segment, revision) = answer;
        let ear = &mut self.ears[caller];
        // What arrives while something sounds is behind it.
        ear.plays_until_us = ear.plays_until_us.max(at_us) + sound_us;
        if std::mem::replace(&mut ear.sounded, answer) == answer || segment == 0 {
            return;
        }
        if !self.is_known(caller, segment) {
            self.tell(caller, at_us, 0, Event::LineOpened { segment, line: 0 });
        }
        let story = self.measured.sessions[caller].segments.get(&segment);
        // One that paused goes on.
        if story.is_none_or(|story| story.answers.iter().all(|(other, _)| *other != revision)) {
            self.tell(caller, at_us, 0, Event::OutputStarted { segment, revision });
        }
    }

    /// The caller's own audio, ungated, has come back up to `until_us` of media time: its last sample was there when the
    /// chunk that holds it was.
    fn passed(&mut self, caller: usize, at_us: u64, until_us: u64) {
        let arrived_us = until_us.next_multiple_of(self.measured.chunk_us.max(1));
        let there_us = self.measured.sessions[caller].offset_us + arrived_us;
        if at_us >= self.measured.counted_from_us {
            self.measured.latencies.frame_in_to_out.saturating_record(at_us.saturating_sub(there_us));
        }
    }
}
