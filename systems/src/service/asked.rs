//! The calls of one session that are not answered yet, in order: answers leave in the order of the questions.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::media::{Clip, SpokenTime};
use mynah_engine::service::CallKey;
use mynah_engine::speech::Cancellation;
use mynah_engine::{Frame, SessionId};

/// Most calls of one session that may be under way or wait for the service; further frames stay in the queue.
pub(super) const CALLS_MAX: usize = 8;

/// A call under way.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) key: CallKey,
    /// What is asked; calls that were merged into it included.
    pub(super) text: Arc<str>,
    /// Engine time at which its input entered the node's queue.
    pub(super) entered_us: u64,
    /// Its soft deadline in engine time; 0 = none.
    pub(super) deadline_us: u64,
    /// Media time of the first sample of its answer.
    pub(super) from_us: u64,
    /// Frames taken for this call alone, with their samples.
    pub(super) frames: u64,
    pub(super) heard: u64,
    /// Samples of its answer so far.
    pub(super) samples: u64,
    /// When its first words sound, until its first sample has come.
    pub(super) times: Arc<[SpokenTime]>,
    /// Whether some of its answer has come.
    pub(super) begun: bool,
    /// Whether some of that was text.
    pub(super) spoke: bool,
}

/// A recording, and how much of it was played.
#[derive(Debug)]
pub(super) struct Playing {
    /// Names the answer it is.
    pub(super) frame: Frame,
    pub(super) clip: Arc<Clip>,
    /// Samples played.
    pub(super) at: usize,
}

/// An entry in the order of a session.
#[derive(Debug)]
pub(super) enum Entry {
    Call(Asked),
    /// A recording that is played once everything before it has passed.
    Clip(Playing),
    /// A frame that passes on once everything before it has: a mark, or a frame that skipped the service.
    Pass(Frame),
}

/// The order of one session.
#[derive(Debug, Default)]
pub(super) struct Order {
    entries: VecDeque<Entry>,
    calls: usize,
    clips: usize,
}

impl Order {
    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// Calls whose answer has not begun.
    pub(super) fn waiting(&self) -> u32 {
        let waits = |entry: &&Entry| matches!(entry, Entry::Call(asked) if !asked.begun);
        self.entries.iter().filter(waits).count() as u32
    }

    /// True if some of the answer to (segment, revision) is under way.
    pub(super) fn has(&self, segment: u32, revision: u32) -> bool {
        self.entries.iter().any(|entry| match entry {
            Entry::Call(asked) => (asked.key.segment.serial, asked.key.revision) == (segment, revision),
            Entry::Pass(_) | Entry::Clip(_) => false,
        })
    }

    /// The call whose answer may leave now.
    pub(super) fn front(&self) -> Option<CallKey> {
        match self.entries.front() {
            Some(Entry::Call(asked)) => Some(asked.key),
            _ => None,
        }
    }

    pub(super) fn ask(&mut self, asked: Asked) {
        self.entries.push_back(Entry::Call(asked));
        self.calls += 1;
    }

    pub(super) fn pass(&mut self, frame: Frame) {
        self.entries.push_back(Entry::Pass(frame));
    }

    /// Whether a recording is played, or waits to be.
    pub(super) fn has_clips(&self) -> bool {
        self.clips > 0
    }

    pub(super) fn play(&mut self, playing: Playing) {
        self.entries.push_back(Entry::Clip(playing));
        self.clips += 1;
    }

    /// The recording that may be played now.
    pub(super) fn playing(&mut self) -> Option<&mut Playing> {
        match self.entries.front_mut() {
            Some(Entry::Clip(playing)) => Some(playing),
            _ => None,
        }
    }

    /// The recording in front was played to its end.
    pub(super) fn played(&mut self) {
        self.entries.pop_front();
        self.clips -= 1;
    }

    /// Adds the words of a call to the one before it of the same origin, which answers both.
    pub(super) fn merge(&mut self, key: CallKey) {
        let origin = |other: &CallKey| (other.segment, other.revision);
        let mut before: Option<&mut Asked> = None;
        for entry in &mut self.entries {
            let Entry::Call(asked) = entry else { continue };
            if asked.key != key {
                before = Some(asked).filter(|asked| origin(&asked.key) == origin(&key)).or(before);
                continue;
            }
            if let Some(before) = before {
                before.text = format!("{} {}", before.text, asked.text).into();
            }
            return;
        }
    }

    /// The next frame to pass, if everything before it has gone.
    pub(super) fn passing(&mut self) -> Option<Frame> {
        match self.entries.pop_front()? {
            Entry::Pass(frame) => Some(frame),
            call @ (Entry::Call(_) | Entry::Clip(_)) => {
                self.entries.push_front(call);
                None
            }
        }
    }

    pub(super) fn get_mut(&mut self, key: CallKey) -> Option<&mut Asked> {
        self.entries.iter_mut().find_map(|entry| match entry {
            Entry::Call(asked) if asked.key == key => Some(asked),
            _ => None,
        })
    }

    /// Removes a call that is over.
    pub(super) fn remove(&mut self, key: CallKey) -> Option<Asked> {
        let at = self.entries.iter().position(|entry| matches!(entry, Entry::Call(a) if a.key == key))?;
        self.calls -= 1;
        match self.entries.remove(at)? {
            Entry::Call(asked) => Some(asked),
            Entry::Pass(_) | Entry::Clip(_) => None,
        }
    }

    /// Removes what a cancellation covers: `lost` gets the frames.
    pub(super) fn scope(
        &mut self,
        cancellation: &Cancellation,
        session: SessionId,
        mut lost: impl FnMut(Frame),
    ) {
        for _ in 0..self.entries.len() {
            match self.entries.pop_front().expect("counted") {
                Entry::Call(asked)
                    if cancellation.covers(session, asked.key.segment.serial, asked.key.revision) =>
                {
                    self.calls -= 1;
                }
                Entry::Clip(playing) if cancellation.covers_frame(&playing.frame) => self.clips -= 1,
                Entry::Pass(frame) if cancellation.covers_frame(&frame) => lost(frame),
                other => self.entries.push_back(other),
            }
        }
    }
}
