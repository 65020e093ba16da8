//! `Level`: brings a voice to one loudness before anything judges it, in place and without delay.
//!
//! A high-pass takes away what is below a voice; a gain follows the loudness of the speech, up while something that
//! could be speech is heard, and never further than lets the room be quiet; a limiter holds what suddenly is louder. A
//! gate takes its time with a voice that it hears faintly, above all with the first words of a session.
//!
//! The filter is `biquad`'s, the gain this folder's. `sonora-agc2`, WebRTC's in Rust, judges whole blocks of 10 ms, which
//! is delay where blocks do not fit, with a recurrent network beside the gate's own; `dagc` raises noise as it does speech.
//! The limiter is this file's: one that looks at samples ahead would be delay, too. What a sudden onset loses is some of
//! its shape, for a few milliseconds.

mod loudness;
#[cfg(test)]
mod tests;

use bevy_ecs::prelude::Component;
use biquad::{Biquad as _, Coefficients, DirectForm2Transposed, Q_BUTTERWORTH_F64, Type};
use mynah_engine::Frame;
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use serde::Deserialize;

use crate::vad::plausible::plausible;
use loudness::{Loudness, WINDOWS_PER_S};

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];
/// No sample leaves louder: -1 dBFS, so that a resampler behind has room to overshoot.
const CEILING: f32 = 0.891_25;
/// Time in which the limiter's gain comes back by 63 %.
const RECOVERY_S: f32 = 0.08;
/// A limiter that has recovered so far does nothing more.
const AT_REST: f32 = 0.999_9;
/// A filter that has faded so far is silent; further down its numbers would get slow.
const FADED: f64 = 1e-15;

/// Configuration of the kind `Level`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Level {
    /// Corner of the high-pass, 0 to 1000 Hz, 12 dB an octave; below 1: none.
    pub high_pass_hz: f32,
    /// Peaks of speech are brought up to this level, -40 to -3 dBFS. Louder speech stays as it is.
    pub target_dbfs: f32,
    /// Greatest gain, 0 to 40 dB; 0: high-pass and limiter alone.
    pub max_gain_db: f32,
}

impl Default for Level {
    fn default() -> Self {
        Self { high_pass_hz: 80.0, target_dbfs: -9.0, max_gain_db: 30.0 }
    }
}

/// What one session's `Level` remembers: filters, loudness, gain.
#[derive(Component, Clone, Debug)]
pub struct LevelState {
    /// One per channel; none without a high-pass.
    filters: Vec<DirectForm2Transposed<f64>>,
    loudness: Loudness,
    /// Factor at the beginning of the window under way, and at its end: in between a straight line, as a step would be
    /// heard as a click.
    gain: f32,
    gain_ahead: f32,
    /// Factor of the limiter; 1: nothing was too loud lately.
    limit: f32,
    /// Share of the limiter's missing gain that comes back per sample frame.
    recovery: f32,
    /// Sample frames of a window, and of the one that is under way.
    window: usize,
    heard: usize,
    /// Greatest magnitude of the window under way.
    peak: f32,
}

impl NodeKind for Level {
    const NAME: &'static str = "Level";
    type State = LevelState;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        let mut require = |field, value: f32, range: std::ops::RangeInclusive<f32>, unit, expected| {
            if !range.contains(&value) {
                let text = format!("{value} {unit} is out of range");
                issues.push(Issue::error(field, text).expected(expected));
            }
        };
        require("high_pass_hz", self.high_pass_hz, 0.0..=1_000.0, "Hz", "0 to 1000");
        require("target_dbfs", self.target_dbfs, -40.0..=-3.0, "dBFS", "-40 to -3");
        require("max_gain_db", self.max_gain_db, 0.0..=40.0, "dB", "0 to 40");
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 2,
            queue_capacity: 120,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn numbers(&self) -> &[&'static str] {
        &["high_pass_hz", "target_dbfs", "max_gain_db"]
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, context: &SessionContext) -> Result<LevelState, String> {
        self.state(context.input.ok_or("no audio arrives at this node")?)
    }
}

impl Level {
    fn state(&self, input: Format) -> Result<LevelState, String> {
        let filters = if self.high_pass_hz >= 1.0 {
            // `from_params` of biquad 0.5.0 takes a quarter of the corner it is given; this is in half the rate.
            let corner = 2.0 * f64::from(self.high_pass_hz) / f64::from(input.rate_hz);
            let coefficients =
                Coefficients::from_normalized_params(Type::HighPass, corner, Q_BUTTERWORTH_F64).map_err(
                    |error| {
                        format!("no high-pass of {} Hz at {} Hz: {error:?}", self.high_pass_hz, input.rate_hz)
                    },
                )?;
            vec![DirectForm2Transposed::new(coefficients); usize::from(input.channels)]
        } else {
            Vec::new()
        };
        Ok(LevelState {
            filters,
            loudness: Loudness::new(),
            gain: 1.0,
            gain_ahead: 1.0,
            limit: 1.0,
            recovery: 1.0 / (RECOVERY_S * input.rate_hz as f32),
            window: (input.rate_hz / WINDOWS_PER_S) as usize,
            heard: 0,
            peak: 0.0,
        })
    }

    /// Interleaved samples, in place. What leaves depends on the samples before alone, not on the blocks they came in.
    fn level(&self, state: &mut LevelState, mut samples: &mut [f32], channels: usize) {
        while !samples.is_empty() {
            let left = (state.window - state.heard) * channels;
            let (now, later) = samples.split_at_mut(left.min(samples.len()));
            samples = later;
            state.high_pass(now, channels);
            let peak = peak_of(now);
            state.peak = state.peak.max(peak);
            state.amplify(now, peak, channels);
            state.heard += now.len() / channels;
            if state.heard >= state.window {
                self.end_window(state);
            }
        }
    }

    fn end_window(&self, state: &mut LevelState) {
        let gain_db = state.loudness.hear(state.peak, self.target_dbfs, self.max_gain_db);
        (state.gain, state.gain_ahead) = (state.gain_ahead, 10f32.powf(gain_db / 20.0));
        if state.limit > AT_REST {
            state.limit = 1.0;
        }
        (state.heard, state.peak) = (0, 0.0);
        for filter in &mut state.filters {
            if filter.s1.abs().max(filter.s2.abs()) < FADED {
                filter.reset_state();
            }
        }
    }
}

impl LevelState {
    fn high_pass(&mut self, samples: &mut [f32], channels: usize) {
        samples.iter_mut().for_each(|sample| *sample = plausible(*sample));
        for (channel, filter) in self.filters.iter_mut().enumerate() {
            for sample in samples[channel..].iter_mut().step_by(channels) {
                *sample = filter.run(f64::from(*sample)) as f32;
            }
        }
    }

    /// All channels share gain and limit, so that the stereo image stands still. `peak`: that of the samples.
    fn amplify(&mut self, samples: &mut [f32], peak: f32, channels: usize) {
        let step = (self.gain_ahead - self.gain) / self.window as f32;
        let (from, heard) = (self.gain, self.heard as u32);
        let gains = (heard..).map(|at| from + step * at as f32);
        let frames = samples.chunks_exact_mut(channels).zip(gains);
        // Nothing will be too loud, and nothing was: the same samples as below, for a third of the time.
        if self.limit == 1.0 && peak * self.gain.max(self.gain_ahead) < 0.999 * CEILING {
            if channels == 1 {
                let gains = (heard..).map(|at| from + step * at as f32);
                return samples.iter_mut().zip(gains).for_each(|(sample, gain)| *sample *= gain);
            }
            return frames.for_each(|(frame, gain)| frame.iter_mut().for_each(|sample| *sample *= gain));
        }
        for (frame, gain) in frames {
            self.limit += (1.0 - self.limit) * self.recovery;
            let peak = frame.iter().fold(0.0, |peak, sample| f32::max(peak, sample.abs())) * gain;
            if peak * self.limit > CEILING {
                self.limit = CEILING / peak;
            }
            let factor = gain * self.limit;
            // The product may be half a unit in the last place above.
            frame.iter_mut().for_each(|sample| *sample = (*sample * factor).clamp(-CEILING, CEILING));
        }
    }
}

/// Greatest magnitude; in lanes, as the order makes no difference.
fn peak_of(samples: &[f32]) -> f32 {
    let (groups, rest) = samples.as_chunks::<8>();
    let mut peaks = [0.0f32; 8];
    for group in groups {
        for (peak, sample) in peaks.iter_mut().zip(group) {
            *peak = if sample.abs() > *peak { sample.abs() } else { *peak };
        }
    }
    rest.iter().map(|sample| sample.abs()).chain(peaks).fold(0.0, f32::max)
}

impl StepNode for Level {
    /// How loud the caller and the room are stays true, whatever became of the segment.
    fn keeps(&self, _: &LevelState) -> bool {
        false
    }
    fn step(&self, state: &mut LevelState, mut frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        let channels = cx.lane.input.map_or(1, |format| usize::from(format.channels));
        if let Payload::Audio(block) = &mut frame.payload {
            self.level(state, block.make_mut(cx.pool), channels);
        }
        cx.send(0, frame);
    }
}
