//! The configuration of a gate, and values derived from it.

use mynah_engine::scene::Issue;
use serde::Deserialize;

use crate::dsp::downmix::Channels;
use crate::vad::{SAMPLE_RATE_HZ, VadKind};

/// What is forwarded while the gate has heard no speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Forward {
    /// Nothing; at the onset the pre-roll comes first.
    #[default]
    OnOnset,
    /// Everything, in the tick in which it arrives; stretches that were not speech are cancelled.
    Always,
}

/// Configuration of the kind `VadGate`. Durations are rounded up to the detector's hop.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VadGate {
    /// Which detector listens.
    pub vad: VadKind,
    /// The channels that it listens to: the mean of all, or one of them. All channels are forwarded.
    pub channels: Channels,
    /// Probability that opens a segment, 0 to 1. At 0.9, 2-4 % of the accepted segments are noise, at 0.5, 11-14 %.
    pub threshold: f32,
    /// Probability below which speech pauses, 0 to `threshold`.
    pub release_threshold: f32,
    /// Window in which an onset must be sustained (60 % of it at or above release) to be speech.
    pub min_speech_ms: f32,
    /// Silence after which an end is final.
    pub min_silence_ms: f32,
    /// Pre-roll: audio before the onset that is forwarded with it.
    pub pad_ms: f32,
    /// Audio kept while nothing is forwarded.
    pub lookback_ms: f32,
    /// Silence after which work on the answer starts; a retraction undoes it.
    pub lookahead_ms: f32,
    /// Longest segment; a longer one is split without losing a sample.
    pub max_segment_ms: f32,
    /// Engine time without any audio after which an open segment ends, as if silence had come.
    pub silence_timeout_ms: f32,
    /// Gather time: the detector runs at multiples of this much engine time, to have more lanes at once. 0, or fewer
    /// than 16 sessions open in the engine: every tick.
    pub vad_gather_ms: f32,
    /// While an answer sounds, and for `echo_tail_ms` after it, nothing opens a segment.
    pub half_duplex: bool,
    /// Time after an answer in which its echo may still come in: room, device and network.
    pub echo_tail_ms: f32,
    /// Probability that opens a segment while an answer sounds, `threshold` to 1, of sounds as loud as
    /// `raise_level_while_speaking_db` asks for. 0: the threshold does, whatever sounds.
    pub raise_threshold_while_speaking: f32,
    /// By how much a sound must be louder than the loudest echo of late to open a segment while an answer sounds.
    pub raise_level_while_speaking_db: f32,
    /// What is forwarded before speech was heard.
    pub forward: Forward,
    /// `false`: the baseline that forwards only after `min_speech_ms` and starts work only after `min_silence_ms`.
    pub speculate: bool,
    /// Log every probability as an event.
    pub trace: bool,
}

impl Default for VadGate {
    fn default() -> Self {
        Self {
            vad: VadKind::Silero,
            channels: Channels::Mono,
            threshold: 0.9,
            release_threshold: 0.5,
            min_speech_ms: 96.0,
            min_silence_ms: 300.0,
            pad_ms: 150.0,
            lookback_ms: 200.0,
            lookahead_ms: 32.0,
            max_segment_ms: 30_000.0,
            silence_timeout_ms: 1_000.0,
            vad_gather_ms: 4.0,
            half_duplex: false,
            echo_tail_ms: 300.0,
            raise_threshold_while_speaking: 0.0,
            raise_level_while_speaking_db: 6.0,
            forward: Forward::OnOnset,
            speculate: true,
            trace: false,
        }
    }
}

impl VadGate {
    /// Media time of one hop of the detector, in microseconds.
    pub fn hop_us(&self) -> u64 {
        self.vad.hop() as u64 * 1_000_000 / u64::from(SAMPLE_RATE_HZ)
    }

    /// Judges whether the detector is part of this build.
    pub(super) fn check_vad(&self, issues: &mut Vec<Issue>) {
        if self.vad == VadKind::Silero && cfg!(not(feature = "silero")) {
            let issue = Issue::error("vad", "this build has no `Silero`").expected("`Earshot` or `Energy`");
            issues.push(issue.help("or build it with the feature `silero`"));
        }
    }

    pub(super) fn check_levels(&self, issues: &mut Vec<Issue>) {
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            let text = format!("{} is no probability to open at", self.threshold);
            issues.push(Issue::error("threshold", text).expected("above 0.0, at most 1.0"));
        }
        if !(self.release_threshold >= 0.0 && self.release_threshold <= 1.0) {
            let text = format!("{} is no probability", self.release_threshold);
            issues.push(Issue::error("release_threshold", text).expected("0.0 to `threshold`"));
        } else if self.release_threshold > self.threshold {
            let text = format!("{} is above threshold {}", self.release_threshold, self.threshold);
            let help =
                "a gate that closes more easily than it opens flutters: choose a lower release_threshold";
            issues.push(Issue::error("release_threshold", text).expected("0.0 to `threshold`").help(help));
        }
    }

    /// Judges what holds while an answer sounds.
    pub(super) fn check_echo(&self, issues: &mut Vec<Issue>) {
        let (raised, level_db) = (self.raise_threshold_while_speaking, self.raise_level_while_speaking_db);
        if raised != 0.0 && !(self.threshold..=1.0).contains(&raised) {
            let text = match raised {
                below if (0.0..self.threshold).contains(&below) => {
                    format!("{below} is below threshold {}", self.threshold)
                }
                _ => format!("{raised} is no probability to open at"),
            };
            let issue = Issue::error("raise_threshold_while_speaking", text);
            issues.push(issue.expected("0, which is off, or `threshold` to 1.0"));
        }
        if !(0.0..=40.0).contains(&level_db) {
            let issue =
                Issue::error("raise_level_while_speaking_db", format!("{level_db} dB is out of range"));
            issues.push(issue.expected("0 to 40 dB"));
        }
        if raised > 0.0 && self.half_duplex {
            let text = "with `half_duplex` nothing opens while an answer sounds, however loud";
            issues.push(Issue::warning("raise_threshold_while_speaking", text).help("choose one of the two"));
        }
    }

    pub(super) fn check_channels(&self, arriving: Option<u8>, issues: &mut Vec<Issue>) {
        if self.channels == Channels::Keep {
            let issue = Issue::error("channels", "`Keep` chooses none, and the detector hears one");
            issues.push(issue.expected("`Mono`, `Left`, `Right` or `Channel(n)`"));
        }
        issues.extend(self.channels.issue(arriving));
    }

    pub(super) fn check_durations(&self, issues: &mut Vec<Issue>) {
        let durations = [
            ("min_speech_ms", self.min_speech_ms, 1.0, 5_000.0),
            ("min_silence_ms", self.min_silence_ms, 1.0, 10_000.0),
            ("pad_ms", self.pad_ms, 0.0, 2_000.0),
            ("lookback_ms", self.lookback_ms, 1.0, 2_000.0),
            ("lookahead_ms", self.lookahead_ms, 1.0, 2_000.0),
            ("max_segment_ms", self.max_segment_ms, 200.0, 600_000.0),
            ("silence_timeout_ms", self.silence_timeout_ms, 100.0, 600_000.0),
            ("vad_gather_ms", self.vad_gather_ms, 0.0, 100.0),
            ("echo_tail_ms", self.echo_tail_ms, 20.0, 5_000.0),
        ];
        for (field, value, least, most) in durations {
            if !(least..=most).contains(&value) {
                let what = if value < 0.0 { "is negative" } else { "is out of range" };
                let issue = Issue::error(field, format!("{value} ms {what}"));
                issues.push(issue.expected(format!("{least} to {most} ms")));
            }
        }
        for (field, value, range) in [
            ("lookback_ms", self.lookback_ms, 100.0..=200.0),
            ("lookahead_ms", self.lookahead_ms, 25.0..=50.0),
        ] {
            if (1.0..=2_000.0).contains(&value) && !range.contains(&value) {
                let text = format!("{value} ms is outside the usual range");
                issues.push(Issue::warning(field, text).expected(format!(
                    "{} to {} ms",
                    range.start(),
                    range.end()
                )));
            }
        }
        if self.pad_ms > self.lookback_ms {
            let text = format!(
                "{} ms of pre-roll do not fit into a lookback of {} ms",
                self.pad_ms, self.lookback_ms
            );
            issues.push(Issue::error("pad_ms", text).expected("at most `lookback_ms`"));
        }
        if self.lookahead_ms > self.min_silence_ms {
            let text =
                format!("{} ms is longer than min_silence_ms {}", self.lookahead_ms, self.min_silence_ms);
            let help = "an end that holds before it is suspected leaves nothing to speculate on";
            issues.push(Issue::error("lookahead_ms", text).expected("at most `min_silence_ms`").help(help));
        }
        if self.forward == Forward::Always && !self.speculate {
            let text = "`Always` forwards before anything is known, `speculate: false` only afterwards";
            issues.push(Issue::error("forward", text).help("use `OnOnset` with `speculate: false`"));
        }
    }
}

impl VadGate {
    /// Most frames of the lookback that leave at once. Neighbours shorter than 10 ms are joined up to 20 ms before
    /// they leave: two that stay apart are longer than that together.
    pub(super) fn kept_at_once(&self) -> u32 {
        (self.kept_ms() / 10.0).ceil().clamp(1.0, 1_000.0) as u32 + 1
    }

    /// Length of audio that the ring must hold: without speculation the deciding window comes on top of the pre-roll.
    pub(super) fn kept_ms(&self) -> f32 {
        let hop_ms = self.hop_us() as f32 / 1_000.0;
        let decide_ms = if self.speculate { hop_ms } else { self.min_speech_ms + 2.0 * hop_ms };
        self.lookback_ms.max(self.pad_ms + decide_ms)
    }
}
