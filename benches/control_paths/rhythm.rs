//! What every session does: bursts and pauses in real time, and a message in each burst.

use std::time::{Duration, Instant};

use mynah_engine::base::rng::Rng;

use crate::{SECONDS, SESSIONS};

/// Sample frames a piece: 20 ms at 16 kHz.
pub(crate) const PIECE: usize = 320;
/// The time of a piece.
pub(crate) const PIECE_TIME: Duration = Duration::from_millis(20);
/// Pieces from one burst to the next, how many of them are loud, and before which of them the host asks.
const ROUND: u64 = 25;
const LOUD: u64 = 10;
const ASKS: u64 = 7;

/// A scene in which what is loud may be speech, and never lasts long enough to be.
pub(crate) const SCENE: &str = r#"(
    name: "corrections",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate(
        vad: Energy, min_speech_ms: 1000, min_silence_ms: 200, lookahead_ms: 25, forward: Always,
    ))],
    edges: [("input", "gate"), ("gate", "output")],
)"#;

/// One session's pieces, and when the host asks.
pub(crate) struct Rhythm {
    at: u64,
    rng: Rng,
    samples: Vec<f32>,
}

impl Rhythm {
    /// The rhythm of session `number`; sessions are out of step.
    pub(crate) fn of(number: usize) -> Self {
        Self { at: number as u64 % ROUND, rng: Rng::new(4, 0, number as u64), samples: Vec::new() }
    }

    /// How long session `number` waits before its first piece.
    pub(crate) fn offset(number: usize) -> Duration {
        PIECE_TIME * number as u32 / SESSIONS as u32
    }

    /// The next piece, and whether the host asks before it; `None`: it was the last.
    pub(crate) fn next(&mut self) -> Option<(&[f32], bool)> {
        if self.at >= SECONDS * 50 {
            return None;
        }
        let place = self.at % ROUND;
        self.at += 1;
        let level = if place < LOUD { 0.3 } else { 0.0005 };
        self.samples.clear();
        let noise = (0..PIECE).map(|_| level * (self.rng.range_u64(0..20_000) as f32 / 10_000.0 - 1.0));
        self.samples.extend(noise);
        // The first round may be cut, and the scene has to hear a pause first.
        Some((&self.samples, place == ASKS && self.at > ROUND))
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) asked: u64,
    /// From the message to its effect.
    pub(crate) latencies_us: Vec<u64>,
    /// Messages that were given up.
    pub(crate) failed: u64,
    waits: Option<Instant>,
}

impl Told {
    /// The host has asked.
    pub(crate) fn ask(&mut self) {
        self.asked += 1;
        self.waits = Some(Instant::now());
    }

    /// The effect has come; what nobody asked for counts nothing.
    pub(crate) fn tell(&mut self) {
        if let Some(since) = self.waits.take() {
            self.latencies_us.push(since.elapsed().as_micros() as u64);
        }
    }

    /// Whether every message had its effect.
    pub(crate) fn is_whole(&self) -> bool {
        self.failed == 0 && self.latencies_us.len() as u64 == self.asked
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.asked += other.asked;
        self.failed += other.failed;
        self.latencies_us.extend(other.latencies_us);
        self
    }

    /// A quantile, milliseconds.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        let mut us = self.latencies_us.clone();
        us.sort_unstable();
        let at = ((us.len() as f64 * quantile) as usize).min(us.len().saturating_sub(1));
        us.get(at).map_or(f64::NAN, |us| *us as f64 / 1e3)
    }
}
