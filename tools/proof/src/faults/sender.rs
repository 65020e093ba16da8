//! The sender: cuts a caller's audio into packets on a clock of its own, and gets some of them wrong.

use mynah_engine::scene::Format;

use super::plan::{Dice, Hazard};
use super::site::Site;
use mynah_load::load::Stream;

/// Audio on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Interleaved, as the session was opened.
    pub samples: Vec<f32>,
    /// Media time of the first sample as the sender counts, if it says so.
    pub pts_us: Option<u64>,
}

/// One caller's sending side, for one call.
#[derive(Debug)]
pub(super) struct Sender {
    stream: Stream,
    format: Format,
    /// Sample frames of a packet when nothing else is drawn.
    usual: usize,
    /// Of the packet that is being filled.
    frames: usize,
    frames_sent: u64,
    /// When that packet is full: true time, whatever the sender's clock says.
    due_us: f64,
    /// True microseconds in one of the sender's.
    pace: f64,
    stamps: bool,
    /// How far the sender's clock was set off.
    off_us: i64,
    mono: Vec<f32>,
}

/// Most packets a second of a sender who stamps them: 2.5 ms each, the shortest frame of Opus (RFC 6716).
const STAMPED_PER_S: usize = 400;
/// Numbers that no microphone gives.
const ODD: [f32; 5] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE / 4.0, f32::MAX];

impl Sender {
    /// Begins to send `stream` at `now_us`.
    pub(super) fn new(
        stream: Stream,
        format: Format,
        chunk_us: u64,
        hazard: &mut Hazard<'_>,
        dice: &mut Dice,
    ) -> Self {
        let usual = (u64::from(format.rate_hz) * chunk_us / 1_000_000) as usize;
        let skew = hazard.acts(Site::ClockSkew).map_or(0.0, |drawn| {
            hazard.tally.add(Site::ClockSkew);
            drawn.amount
        });
        let stamps = hazard.strikes(Site::Stamps, dice).is_some();
        let pace = 1.0 - skew / 1e6;
        let due_us = hazard.now_us as f64;
        let (frames_sent, off_us, mono) = (0, 0, Vec::new());
        let mut sender =
            Self { stream, format, usual, frames: 0, frames_sent, due_us, pace, stamps, off_us, mono };
        sender.begin(hazard, dice);
        sender
    }

    /// When the next packet is full, engine time.
    pub(super) fn due_us(&self) -> u64 {
        self.due_us as u64
    }

    /// From now on nothing is wrong with the sender.
    pub(super) fn heal(&mut self) {
        self.pace = 1.0;
    }

    /// Decides how long the next packet is.
    fn begin(&mut self, hazard: &mut Hazard<'_>, dice: &mut Dice) {
        self.frames = self.usual.max(1);
        if let Some(drawn) = hazard.acts(Site::ChunkSizes) {
            hazard.tally.add(Site::ChunkSizes);
            self.frames = dice.of(Site::ChunkSizes).range_u64(1..drawn.amount as u64 + 1) as usize;
            if self.stamps {
                // Nobody puts a header with a time before every sample.
                self.frames = self.frames.max(self.format.rate_hz as usize / STAMPED_PER_S);
            }
        }
        self.due_us += self.frames as f64 * 1e6 / f64::from(self.format.rate_hz) * self.pace;
    }

    /// The packet that is full, and on to the next.
    pub(super) fn send(&mut self, hazard: &mut Hazard<'_>, dice: &mut Dice) -> Packet {
        let pts_us = self.stamp(hazard, dice);
        let (mut frames, mut channels) = (self.frames, usize::from(self.format.channels));
        if hazard.strikes(Site::FormatInPush, dice).is_some() {
            match dice.of(Site::FormatInPush).below(4) {
                0 => frames *= 3,
                1 => frames = frames.div_ceil(3),
                2 => channels = 3 - channels.min(2),
                _ => frames *= 2,
            }
        }
        // No push may hold more than a second, whatever it was taken for.
        let frames = frames.min(self.format.rate_hz as usize / 2);
        self.mono.resize(frames, 0.0);
        self.stream.fill(&mut self.mono);
        let mut samples = Vec::with_capacity(frames * channels);
        for sample in &self.mono {
            samples.extend(std::iter::repeat_n(*sample, channels));
        }
        if hazard.strikes(Site::NonFinite, dice).is_some() {
            let rng = dice.of(Site::NonFinite);
            for _ in 0..1 + rng.below(8) {
                let at = rng.below(samples.len() as u64) as usize;
                samples[at] = ODD[rng.below(ODD.len() as u64) as usize];
            }
        }
        self.frames_sent += self.frames as u64;
        self.begin(hazard, dice);
        Packet { samples, pts_us }
    }

    /// What the sender's clock says.
    fn stamp(&mut self, hazard: &mut Hazard<'_>, dice: &mut Dice) -> Option<u64> {
        let either_way = |us: u64, dice: &mut Dice, site: Site| {
            let back = dice.of(site).chance(0.5);
            if back { -(us as i64) } else { us as i64 }
        };
        if hazard.strikes(Site::ClockSteps, dice).is_some() {
            self.stamps = true;
            let us = hazard.up_to_us(Site::ClockSteps, dice);
            self.off_us += either_way(us, dice, Site::ClockSteps);
        }
        let mut jump_us = None;
        if hazard.strikes(Site::TimestampJumps, dice).is_some() {
            let us = hazard.up_to_us(Site::TimestampJumps, dice);
            jump_us = Some(either_way(us, dice, Site::TimestampJumps));
        }
        if !self.stamps && jump_us.is_none() {
            return None;
        }
        let media_us = self.frames_sent * 1_000_000 / u64::from(self.format.rate_hz);
        Some((media_us as i64 + self.off_us + jump_us.unwrap_or(0)).max(0) as u64)
    }
}
