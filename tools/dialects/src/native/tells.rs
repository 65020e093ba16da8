//! What a session has to tell its client, in order.

use mynah_engine::edge::{CloseReason, OutAudio};
use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::segment_id;
use mynah_engine::wire::peer::Output;
use mynah_engine::{Out, SessionEvent};
use serde::Deserialize;

use crate::terms::{Closing, Ending};

use super::audio_tag::{AudioTag, sound_us};
use super::complaints::error_json;
use super::messages;
use super::session::{NativeOutput, NativeSession};

/// What [`NativeSession::poll`] is to give.
enum Step {
    Event(&'static str, Option<u64>),
    Audio(u32),
    Closed(Closing),
    Wait(Option<u64>),
}

#[derive(Deserialize)]
struct Numbered {
    message_id: u64,
}

impl NativeSession {
    /// What is to be done next.
    pub fn poll(&mut self, now_us: u64) -> NativeOutput<'_> {
        match self.step(now_us) {
            Step::Event(kind, id) => NativeOutput::Event { kind, id, json: &self.json },
            Step::Audio(sound_us) => NativeOutput::Audio { bytes: &self.bytes, sound_us },
            Step::Closed(closing) => NativeOutput::Closed(closing),
            Step::Wait(until_us) => NativeOutput::Wait { until_us },
        }
    }

    fn step(&mut self, now_us: u64) -> Step {
        if self.over {
            return Step::Wait(None);
        }
        let lapse_us = self.lost_us.map(|us| us.saturating_add(u64::from(self.config.resume_ms) * 1_000));
        if lapse_us.is_some_and(|us| us <= now_us) {
            self.peer.session().close();
            self.over = true;
            return Step::Wait(None);
        }
        if self.ending == Some(Ending::AfterTurn) && !self.speaking.is_open() {
            self.peer.finish(now_us);
        }
        self.peer.hand_over(now_us);
        loop {
            let until_us = match self.told(now_us) {
                Ok(step) => return step,
                Err(until_us) => until_us,
            };
            if let Some(audio) = self.held.take() {
                return self.sound(now_us, audio);
            }
            let Some(out) = self.peer.session().poll() else {
                let end = self.peer.poll_end();
                return end.map_or_else(
                    || Step::Wait([until_us, lapse_us].into_iter().flatten().min()),
                    |reason| self.over(reason.as_ref()),
                );
            };
            if let Some(step) = self.out(now_us, out) {
                return step;
            }
        }
    }

    /// What waits to be told, or until when nothing does.
    fn told(&mut self, now_us: u64) -> Result<Step, Option<u64>> {
        if self.listening.messages {
            if let Some((refusal, silent)) = self.complaints.pop() {
                self.json = error_json(&refusal, silent);
                return Ok(Step::Event("error", None));
            }
            if let Some((kind, json)) = self.notes.pop(now_us) {
                self.json = json;
                return Ok(Step::Event(kind, None));
            }
        }
        loop {
            match self.peer.poll_connection(now_us) {
                Output::Transmit(bytes) => {
                    self.json.clear();
                    self.json.push_str(&String::from_utf8_lossy(bytes));
                    let id = serde_json::from_slice::<Numbered>(bytes).ok().map(|head| head.message_id);
                    return Ok(Step::Event("control_message", id));
                }
                Output::Wait { until_us } => {
                    let notes_us = self.notes.due_us().filter(|_| self.listening.messages);
                    return Err([until_us, notes_us].into_iter().flatten().min());
                }
                // What has become of messages is counted, and nothing that has arrived is among it.
                Output::Delivery(_) | Output::Control(_) | Output::Event { .. } => {}
            }
        }
    }

    /// Takes what the session puts out.
    fn out(&mut self, now_us: u64, out: Out) -> Option<Step> {
        if let Out::Event(event) = &out {
            self.follow(now_us, event);
            if !self.listening.messages && !is_kept(event) {
                self.figures.untold += 1;
                return None;
            }
        }
        match self.peer.take(now_us, out)? {
            Out::Audio(audio) if self.listening.audio => {
                let format = self.peer.session().output()?;
                if self.tag.differs(format, &audio) && self.listening.messages {
                    self.json = AudioTag::json(&audio, self.segment(audio.segment));
                    self.held = Some(audio);
                    return Some(Step::Event("audio", None));
                }
                Some(self.sound(now_us, audio))
            }
            Out::Audio(audio) => {
                self.unheard(audio);
                None
            }
            Out::Text { text, segment, revision, turn } => {
                self.json = messages::text(&text, self.segment(segment), revision, turn);
                Some(Step::Event("text", None))
            }
            Out::Control(_) | Out::Event(_) => None,
        }
    }

    /// Notes what happens, and who else wants to know.
    fn follow(&mut self, now_us: u64, event: &SessionEvent) {
        if let Some(tap) = &mut self.tap {
            tap.told(now_us, event);
        }
        self.speaking.follow(event);
        if self.listening.messages {
            let (name, generation) = (self.peer.session().name(), self.peer.session().generation());
            self.notes.event(event, |serial| segment_id(name, generation, serial));
        }
    }

    /// The name of a segment on the wire; none for 0.
    fn segment(&self, serial: u32) -> Option<Uuid> {
        let session = self.peer.session();
        (serial != 0).then(|| segment_id(session.name(), session.generation(), serial))
    }

    fn sound(&mut self, now_us: u64, audio: OutAudio) -> Step {
        if let Some(tap) = &mut self.tap {
            tap.said(now_us, &audio);
        }
        let format = self.peer.session().output().unwrap_or(self.peer.session().input());
        self.bytes.clear();
        self.output.encode(audio.block.samples(), &mut self.bytes);
        let sound_us = sound_us(format, &audio);
        self.peer.session().give_back(audio.block);
        Step::Audio(sound_us)
    }

    fn over(&mut self, reason: Option<&CloseReason>) -> Step {
        self.over = true;
        let of_the_session = || Closing::of_session(reason, self.ending.is_some());
        Step::Closed(self.closing.take().unwrap_or_else(of_the_session))
    }
}

/// Whether an event is kept for a client that does not listen.
fn is_kept(event: &SessionEvent) -> bool {
    matches!(
        event,
        SessionEvent::SpeechConfirmed { .. }
            | SessionEvent::SpeechCancelled { .. }
            | SessionEvent::EndOfSpeech { .. }
            | SessionEvent::EndOfSpeechRetracted { .. }
            | SessionEvent::Applied { .. }
            | SessionEvent::Closed { .. }
    )
}
