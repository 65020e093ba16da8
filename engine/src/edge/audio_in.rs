//! The end of a session for the thread that has the microphone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::sync::Producer;
use crate::edge::exchange::PushError;
use crate::edge::presence::Presence;
use crate::scene::Format;

/// Samples converted at a time.
const PIECE: usize = 64;

/// Takes a session's audio in. Every call is wait-free, whatever the length: no lock, no heap, no system call. The
/// audio waits for the next tick; no bell rings for it.
///
/// One of the ends of [`SessionHandle::split`](crate::SessionHandle::split).
#[derive(Debug)]
pub struct AudioIn {
    pub(super) presence: Arc<Presence>,
    pub(super) samples: Producer<f32>,
}

impl AudioIn {
    /// Format of the audio to push.
    pub fn format(&self) -> Format {
        self.presence.port().input
    }

    /// Sample frames for which there is room: 1.1 s of them when nothing waits.
    pub fn room(&self) -> usize {
        self.samples.slots() / usize::from(self.format().channels)
    }

    /// Whether the session takes no more audio: its input has ended, or it is closed.
    pub fn has_ended(&self) -> bool {
        self.presence.port().ended.load(Ordering::Acquire)
    }

    /// Copies interleaved samples in, whole sample frames.
    ///
    /// # Errors
    /// All or nothing: [`PushError::Full`] without room, [`PushError::Ended`] once the session takes no more,
    /// [`PushError::BadLength`] for half a sample frame or more than fits at all.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), PushError> {
        self.check(samples.len())?;
        if self.samples.push_entire_slice(samples).is_err() {
            self.presence.port().note_refusal();
            // The tick may have made room before it could see that.
            self.samples.push_entire_slice(samples).map_err(|_| PushError::Full)?;
        }
        self.presence.port().shard.stir();
        Ok(())
    }

    /// [`push`](Self::push) for 16-bit samples.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_i16(&mut self, samples: &[i16]) -> Result<(), PushError> {
        self.check(samples.len())?;
        if self.samples.slots() < samples.len() {
            self.presence.port().note_refusal();
            if self.samples.slots() < samples.len() {
                return Err(PushError::Full);
            }
        }
        let mut piece = [0.0; PIECE];
        for from in samples.chunks(PIECE) {
            let piece = &mut piece[..from.len()];
            for (to, from) in piece.iter_mut().zip(from) {
                *to = f32::from(*from) / 32_768.0;
            }
            // There was room for all of them, and only this end pushes.
            let _fits = self.samples.push_entire_slice(piece);
        }
        self.presence.port().shard.stir();
        Ok(())
    }

    fn check(&self, samples: usize) -> Result<(), PushError> {
        let port = self.presence.port();
        if !samples.is_multiple_of(usize::from(port.input.channels))
            || samples > self.samples.buffer().capacity()
        {
            return Err(PushError::BadLength { samples });
        }
        if port.ended.load(Ordering::Acquire) { Err(PushError::Ended) } else { Ok(()) }
    }
}
