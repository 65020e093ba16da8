//! Feeds one recording into its session: which audio arrives, and when.

use mynah_engine::{PushError, SessionHandle};

use mynah_load::chunk::Chunks;
use mynah_load::wav::Recording;

/// A recording on its way into the engine. Its media time begins at engine time 0.
#[derive(Debug)]
pub struct Feed {
    /// The session that is fed.
    pub handle: SessionHandle,
    recording: Recording,
    chunks: Chunks,
    /// Sample frames pushed.
    pushed: usize,
    /// Sample frames left of the chunk that is arriving, and when it did.
    due: usize,
    due_us: u64,
    finished: bool,
}

impl Feed {
    /// Nothing has arrived yet.
    pub fn new(handle: SessionHandle, recording: Recording, chunks: Chunks) -> Self {
        let mut feed = Self { handle, recording, chunks, pushed: 0, due: 0, due_us: 0, finished: false };
        feed.plan_next();
        feed
    }

    /// Whether everything has been pushed.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Sample frames that the engine's edge has taken.
    pub fn frames_pushed(&self) -> usize {
        self.pushed
    }

    /// Media time at which the recording ends.
    pub fn end_us(&self) -> u64 {
        self.exists_us(self.frames())
    }

    /// The recording that is fed.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    fn frames(&self) -> usize {
        self.recording.samples.len() / usize::from(self.recording.channels)
    }

    /// Media time at which this many sample frames exist, rounded up.
    fn exists_us(&self, frames: usize) -> u64 {
        (frames as u64 * 1_000_000).div_ceil(u64::from(self.recording.rate))
    }

    fn plan_next(&mut self) {
        let left = self.frames() - self.pushed;
        self.due = if left == 0 { 0 } else { self.chunks.next_frames().min(left) };
        self.due_us = self.exists_us(self.pushed + self.due);
    }

    /// The recording ends with what has been pushed of it.
    pub fn cut(&mut self) {
        let channels = usize::from(self.recording.channels);
        self.recording.samples.truncate(self.pushed * channels);
        self.due = 0;
    }

    /// Pushes every chunk whose last sample exists at `now_us`, as arrived at that moment; ends the input in the tick
    /// behind the last one. What the engine's edge refuses is pushed in smaller pieces, now or next time: nothing is
    /// lost.
    pub fn push_until(&mut self, now_us: u64) {
        // Only once the edge is empty: then what it still puts together, the last 2.5 ms, finds room.
        let ended = self.due == 0;
        while self.due > 0 && self.due_us <= now_us {
            let done = self.push(self.due) || self.push_pieces();
            if !done {
                return;
            }
            self.plan_next();
        }
        if ended && !self.finished {
            self.finished = true;
            self.handle.finish();
        }
    }

    /// Pushes the chunk block by block; false when the edge has no room for the rest.
    fn push_pieces(&mut self) -> bool {
        let longest = (self.recording.rate * mynah_engine::edge::BLOCK_MS_MAX / 1_000) as usize;
        while self.due > 0 {
            let piece = self.due.min(longest);
            if !self.push(piece) {
                return false;
            }
        }
        true
    }

    fn push(&mut self, frames: usize) -> bool {
        let channels = usize::from(self.recording.channels);
        let samples = &self.recording.samples[self.pushed * channels..][..frames * channels];
        let taken = self.handle.try_push_with(samples.len(), Some(self.due_us), |at, out| {
            out.copy_from_slice(&samples[at..at + out.len()]);
        });
        match taken {
            Ok(()) => {
                self.pushed += frames;
                self.due -= frames;
                true
            }
            // A session that has ended takes nothing more: the recording is over.
            Err(PushError::Ended) => {
                self.pushed = self.frames();
                self.due = 0;
                true
            }
            Err(PushError::Full | PushError::BadLength { .. }) => false,
        }
    }
}
