//! One hash over all events and all output of a run, with counts.

use std::collections::BTreeMap;

use mynah_engine::{Event, OutAudio, Record};
use mynah_sim::events::code;
use xxhash_rust::xxh3::Xxh3;

/// Equal for equal runs, whatever the threads and shards.
#[derive(Default)]
pub(super) struct Fingerprint {
    hash: Xxh3,
    code: Vec<u8>,
}

impl Fingerprint {
    /// Takes an event.
    pub(super) fn event(&mut self, record: &Record) {
        if code::encode(record, &mut self.code) {
            self.hash.update(&record.session.0.to_le_bytes());
            self.hash.update(&self.code);
        }
    }

    /// Takes a released block.
    pub(super) fn audio(&mut self, out: &OutAudio) {
        self.samples(out.block.samples());
    }

    /// Takes sound that was read.
    pub(super) fn samples(&mut self, samples: &[f32]) {
        for piece in samples.chunks(256) {
            let mut bytes = [0; 1024];
            for (to, sample) in bytes.chunks_exact_mut(4).zip(piece) {
                to.copy_from_slice(&sample.to_le_bytes());
            }
            self.hash.update(&bytes[..piece.len() * 4]);
        }
    }

    /// The hash so far, as reports write it.
    pub(super) fn hex(&self) -> String {
        format!("{:016x}", self.hash.digest())
    }
}

/// What the events of one engine add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Segments opened.
    pub opened: u64,
    /// Segments confirmed.
    pub confirmed: u64,
    /// Segments cancelled, by reason.
    pub cancelled: BTreeMap<&'static str, u64>,
    /// Segments ended.
    pub ended: u64,
    /// Endpoint revisions taken back.
    pub retracted: u64,
    /// Frames lost, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Calls that services failed.
    pub failed: u64,
    /// Lines of hosts and typed texts that were spoken or answered, and those that were not.
    pub lines: (u64, u64),
}

impl Seen {
    /// Takes an event.
    pub(super) fn event(&mut self, record: &Record) {
        match &record.event {
            Event::SegmentOpened { .. } => self.opened += 1,
            Event::SegmentConfirmed { .. } => self.confirmed += 1,
            Event::SegmentCancelled { reason, .. } => {
                *self.cancelled.entry(reason.name()).or_default() += 1;
            }
            Event::SegmentEnded { .. } => self.ended += 1,
            Event::EndpointRetracted { .. } => self.retracted += 1,
            Event::FrameDropped { reason, .. } | Event::OutputDropped { reason, .. } => {
                *self.dropped.entry(reason.name()).or_default() += 1;
            }
            Event::ServiceFailed { .. } => self.failed += 1,
            Event::LineOpened { .. } => self.lines.0 += 1,
            Event::LineDropped { .. } => self.lines.1 += 1,
            _ => {}
        }
    }

    /// Segments that were opened and neither cancelled nor ended.
    pub(super) fn open(&self) -> u64 {
        self.opened.saturating_sub(self.cancelled.values().sum::<u64>() + self.ended)
    }
}
