//! What a session takes of its client: messages and audio.

use mynah_engine::wire::message::{AckStage, ControlMessage, MESSAGE_BYTES_MAX, MessageType, json};
use mynah_engine::wire::peer::{Input, PeerError};
use mynah_engine::{PushError, Stamp};

use crate::terms::{Closing, Refusal};

use super::inbound::Inbound;
use super::session::NativeSession;

impl NativeSession {
    /// Takes a text message of the client; what is wrong with it the client is told, at most once a second. One of more
    /// than 64 KiB ends the session.
    pub fn text(&mut self, now_us: u64, text: &str) {
        if let Err(refusal) = self.message(now_us, text) {
            if refusal.code == "too_large" {
                self.closing = Some(Closing::new(1009, &refusal.message));
                self.peer.session().close();
            }
            self.complaints.take(now_us, &refusal);
        }
    }

    /// Takes a message of the client: a control message, `finish` or `close`.
    ///
    /// # Errors
    /// What is wrong with it, and what would do. The session goes on, except where `control_overflow` has closed it.
    pub fn message(&mut self, now_us: u64, text: &str) -> Result<(), Refusal> {
        self.touch(now_us);
        if text.len() > MESSAGE_BYTES_MAX {
            let length = text.len();
            let what = format!(
                "a message of {length} bytes: expected at most {MESSAGE_BYTES_MAX}; send it in parts"
            );
            return Err(Refusal::new("too_large", what));
        }
        match Inbound::of(text)? {
            Inbound::Control => self.control(now_us, text.as_bytes()),
            Inbound::Finish => {
                self.peer.finish(now_us);
                Ok(())
            }
            Inbound::Close => {
                self.peer.session().close();
                Ok(())
            }
            Inbound::Open | Inbound::Resume => Err(Refusal::new(
                "bad_message",
                "the session is open already: send open or resume on a connection of its own",
            )),
        }
    }

    fn control(&mut self, now_us: u64, text: &[u8]) -> Result<(), Refusal> {
        self.peer.handle(now_us, Input::Json(text)).map_err(|error| match error {
            PeerError::Rejected { error, .. } => Refusal::new("bad_message", error.to_string()),
            PeerError::Overflow => Refusal::new("control_overflow", PeerError::Overflow.to_string()),
        })
    }

    /// Takes the acknowledgement of a message, for clients that have no message for it. Repeating it is fine.
    ///
    /// # Errors
    /// `bad_message`: no message has this id.
    pub fn acknowledge(&mut self, now_us: u64, message_id: u64, stage: AckStage) -> Result<(), Refusal> {
        self.touch(now_us);
        let ack = MessageType::Ack { message_id, stage };
        let at_us = self.config.epoch_us.saturating_add(now_us);
        let message = ControlMessage::new(self.peer.session().name().into(), at_us, ack);
        let mut bytes = Vec::new();
        json::encode_into(&message, &mut bytes)
            .map_err(|error| Refusal::new("bad_message", error.to_string()))?;
        self.control(now_us, &bytes)
    }

    /// Takes a binary message of the client: whole sample frames, at most a second. What is wrong with it the client is
    /// told, at most once a second; such audio is not taken.
    pub fn binary(&mut self, now_us: u64, bytes: &[u8]) {
        self.touch(now_us);
        let (frame, most) = (self.frame_bytes(), self.second_bytes());
        let refusal = if !bytes.len().is_multiple_of(frame) || bytes.len() > most {
            let length = bytes.len();
            let what = format!(
                "audio of {length} bytes: expected whole sample frames of {frame} bytes, at most {most} bytes"
            );
            Some(Refusal::new("bad_audio", what))
        } else {
            match self.push(now_us, bytes) {
                Ok(()) => None,
                // The server has ended the input: the client could not know.
                Err(PushError::Ended) if self.ending.is_some() => {
                    self.complaints.pass_over();
                    None
                }
                Err(error) => Some(bad_audio(error)),
            }
        };
        refusal.iter().for_each(|refusal| self.complaints.take(now_us, refusal));
    }

    /// Takes audio out of a stream of bytes, as far as there is room; how many bytes that were, whole sample frames. Who
    /// calls keeps the rest and puts it before what comes next.
    ///
    /// # Errors
    /// `bad_audio`: the input has ended.
    pub fn audio(&mut self, now_us: u64, bytes: &[u8]) -> Result<usize, Refusal> {
        self.touch(now_us);
        let length = bytes.len().min(self.second_bytes());
        let length = length - length % self.frame_bytes();
        match self.push(now_us, &bytes[..length]) {
            Ok(()) => Ok(length),
            Err(PushError::Full) => Ok(0),
            Err(error) => Err(bad_audio(error)),
        }
    }

    fn push(&mut self, now_us: u64, bytes: &[u8]) -> Result<(), PushError> {
        self.samples.clear();
        self.input.decode(bytes, &mut self.samples);
        self.peer.push(now_us, &self.samples, Stamp::default())?;
        if let Some(tap) = &mut self.tap {
            tap.heard(now_us, &self.samples);
        }
        Ok(())
    }

    /// Bytes of a sample frame of the client's.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.input.sample_bytes() * usize::from(self.peer.session().input().channels)
    }

    fn second_bytes(&self) -> usize {
        self.frame_bytes() * self.peer.session().input().rate_hz as usize
    }
}

fn bad_audio(error: PushError) -> Refusal {
    Refusal::new(
        "bad_audio",
        match error {
            PushError::Ended => "the input has ended: open another session for more".to_owned(),
            PushError::Full | PushError::BadLength { .. } => error.to_string(),
        },
    )
}
