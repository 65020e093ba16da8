//! Audio on its way into a session: cut into blocks, and kept as far as it finds no room.

use crate::edge::exchange::{Stamp, block_samples};
use crate::edge::session_handle::SessionHandle;

/// What is left of the audio that was taken last.
#[derive(Debug, Default)]
pub(super) struct HeldAudio {
    samples: Vec<f32>,
    /// Samples of these that the session has.
    at: usize,
    stamp: Stamp,
}

impl HeldAudio {
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.samples.len()
    }

    /// Samples that wait.
    pub(super) fn len(&self) -> usize {
        self.samples.len() - self.at
    }

    /// Pushes what the session takes of `samples`, and keeps the rest; nothing is kept yet. Returns the samples pushed.
    pub(super) fn take(
        &mut self,
        now_us: u64,
        session: &SessionHandle,
        samples: &[f32],
        stamp: Stamp,
    ) -> usize {
        let pushed = push(now_us, session, samples, stamp);
        if pushed < samples.len() {
            self.samples.clear();
            self.samples.extend_from_slice(&samples[pushed..]);
            (self.at, self.stamp) = (0, later(stamp, session, pushed));
        }
        pushed
    }

    /// Pushes what the session takes of the rest. Returns the samples pushed.
    pub(super) fn hand_over(&mut self, now_us: u64, session: &SessionHandle) -> usize {
        let stamp = later(self.stamp, session, self.at);
        let pushed = push(now_us, session, &self.samples[self.at..], stamp);
        self.at += pushed;
        pushed
    }

    /// Drops what waits; how many samples that were.
    pub(super) fn clear(&mut self) -> usize {
        let dropped = self.len();
        self.at = self.samples.len();
        dropped
    }
}

/// The stamp of the audio `samples` behind the one with this stamp.
fn later(stamp: Stamp, session: &SessionHandle, samples: usize) -> Stamp {
    let format = session.input();
    let frames = (samples / usize::from(format.channels)) as u64;
    let us = frames * 1_000_000 / u64::from(format.rate_hz);
    Stamp { pts_us: stamp.pts_us.map(|pts_us| pts_us.saturating_add(us)), ..stamp }
}

/// Pushes blocks until the session takes no more; how many samples it took.
fn push(now_us: u64, session: &SessionHandle, samples: &[f32], stamp: Stamp) -> usize {
    let mut pushed = 0;
    for part in samples.chunks(block_samples(session.input())) {
        let mut block = session.lease(part.len());
        block.fill_from(part);
        let stamp = later(stamp, session, pushed);
        let arrived_us = stamp.arrived_us.or(Some(now_us));
        if let Err(full) = session.push_stamped(block, Stamp { arrived_us, ..stamp }) {
            session.give_back(full.0);
            break;
        }
        pushed += part.len();
    }
    pushed
}
