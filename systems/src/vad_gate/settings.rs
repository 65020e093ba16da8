//! The settings of one gate as it decides by them: levels, and durations rounded to hops.

use crate::vad_gate::config::{Forward, VadGate};
use crate::vad_gate::echo::Echo;

/// Durations and levels of one gate, in its VAD's hops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) threshold: f32,
    /// The threshold while an answer is heard.
    pub(crate) threshold_beside: f32,
    pub(crate) release: f32,
    /// Hops in the deciding window.
    pub(crate) window_hops: u32,
    pub(crate) lookahead_us: u64,
    pub(crate) min_silence_us: u64,
    pub(crate) max_segment_us: u64,
    /// Engine time without audio after which an open segment ends, microseconds.
    pub(crate) silence_timeout_us: u64,
    pub(crate) pad_us: u64,
    pub(crate) forward: Forward,
    pub(crate) speculate: bool,
    /// What counts while an answer sounds; `None`: all, as always.
    pub(crate) echo: Option<Echo>,
}

impl Settings {
    /// Durations are rounded up to whole hops.
    pub(crate) fn new(gate: &VadGate, hop_us: u64) -> Self {
        let hops = |ms: f32| ((f64::from(ms) * 1_000.0 / hop_us as f64).ceil() as u64).max(1);
        Self {
            threshold: gate.threshold,
            threshold_beside: gate.raise_threshold_while_speaking.max(gate.threshold),
            release: gate.release_threshold,
            window_hops: hops(gate.min_speech_ms) as u32,
            lookahead_us: hops(gate.lookahead_ms) * hop_us,
            min_silence_us: hops(gate.min_silence_ms) * hop_us,
            max_segment_us: hops(gate.max_segment_ms) * hop_us,
            silence_timeout_us: (f64::from(gate.silence_timeout_ms) * 1_000.0) as u64,
            pad_us: (f64::from(gate.pad_ms) * 1_000.0) as u64,
            forward: gate.forward,
            speculate: gate.speculate,
            echo: Echo::of(gate),
        }
    }
}
