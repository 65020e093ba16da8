//! Hands every caller's chunks to its socket at their intended times, whatever the server does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use mynah_engine::scene::Format;
use mynah_host::clock::Epoch;
use mynah_load::load::Stream;
use mynah_sim::simulate::afar::CallingVoice;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

/// From this many callers on their chunks come as many packets come from one network card: those of a millisecond together,
/// at its end. One sleep for each would take more time than the callers' work.
const PACKED_MIN: usize = 200;
/// See [`PACKED_MIN`].
const PACKED_US: u64 = 1_000;
/// Longest sleep, microseconds: the end may be moved forward meanwhile.
const SLEEP_MAX_US: u64 = 50_000;

/// A chunk on its way to a socket.
pub(super) struct Chunk {
    /// When it was to be sent.
    pub(super) due_us: u64,
    /// Media time behind it, microseconds.
    pub(super) until_us: u64,
    /// Interleaved samples.
    pub(super) samples: Vec<f32>,
}

/// A caller with the way to its socket.
pub(super) struct Mouth {
    voice: CallingVoice,
    /// `None`: it got no session, or its session is over.
    to: Option<Sender<Chunk>>,
    chunks: u64,
}

/// What was handed over.
pub(super) struct Paced {
    /// What the callers have said, in order.
    pub(super) streams: Vec<Stream>,
    /// Chunks.
    pub(super) chunks: u64,
    /// Callers whose chunks nobody took any more, though their sessions went on.
    pub(super) starved: u64,
}

/// How chunks are.
#[derive(Clone, Copy)]
pub(super) struct ChunkStyle {
    pub(super) format: Format,
    pub(super) chunk_us: u64,
}

impl ChunkStyle {
    pub(super) fn frames(self) -> usize {
        (u64::from(self.format.rate_hz) * self.chunk_us / 1_000_000) as usize
    }
}

impl Mouth {
    pub(super) fn new(voice: CallingVoice, to: Option<Sender<Chunk>>) -> Self {
        Self { voice, to, chunks: 0 }
    }

    /// When the next chunk is due after the start: when its last sample exists.
    fn next_us(&self, style: ChunkStyle) -> u64 {
        self.voice.offset_us + (self.chunks + 1) * style.chunk_us
    }

    fn chunk(&mut self, style: ChunkStyle, due_us: u64) -> Chunk {
        let mut mono = vec![0.0; style.frames()];
        self.voice.stream.fill(&mut mono);
        self.chunks += 1;
        let channels = usize::from(style.format.channels.max(1));
        let samples = match channels {
            1 => mono,
            _ => mono.iter().flat_map(|sample| std::iter::repeat_n(*sample, channels)).collect(),
        };
        Chunk { due_us, until_us: self.chunks * style.chunk_us, samples }
    }
}

/// Paces all callers until `until_us`, on the clock of `epoch` on which the run began at `started_us`; then they have said
/// all.
pub(super) fn pace(
    mut mouths: Vec<Mouth>,
    style: ChunkStyle,
    epoch: Epoch,
    started_us: u64,
    until_us: &AtomicU64,
) -> Paced {
    let packed = mouths.len() >= PACKED_MIN;
    let open = mouths.iter().enumerate().filter(|(_, mouth)| mouth.to.is_some());
    let mut order: BTreeSet<(u64, usize)> = open.map(|(at, mouth)| (mouth.next_us(style), at)).collect();
    let (mut chunks, mut starved) = (0, 0);
    while let Some((after_us, at)) = order.pop_first() {
        let due_us = started_us + after_us;
        let wake_us = if packed { due_us.next_multiple_of(PACKED_US) } else { due_us };
        if !sleeps_until(wake_us, epoch, until_us) {
            break;
        }
        let mouth = &mut mouths[at];
        let chunk = mouth.chunk(style, due_us);
        match mouth.to.as_ref().map(|to| to.try_send(chunk)) {
            Some(Ok(())) => {
                chunks += 1;
                order.insert((mouth.next_us(style), at));
            }
            Some(Err(TrySendError::Full(_))) => {
                starved += 1;
                mouth.to = None;
            }
            // Its session is over: nothing more is said.
            Some(Err(TrySendError::Closed(_))) | None => mouth.to = None,
        }
    }
    let streams = mouths.into_iter().map(|mouth| mouth.voice.stream).collect();
    Paced { streams, chunks, starved }
}

/// Sleeps until `wake_us`; false: all have said what they have to say before that.
fn sleeps_until(wake_us: u64, epoch: Epoch, until_us: &AtomicU64) -> bool {
    loop {
        if wake_us > until_us.load(Ordering::Acquire) {
            return false;
        }
        let now_us = epoch.now_us();
        if now_us >= wake_us {
            return true;
        }
        epoch.sleep_until(wake_us.min(now_us + SLEEP_MAX_US));
    }
}
