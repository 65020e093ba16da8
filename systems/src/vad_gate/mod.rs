//! `VadGate`: forwards speech at once and revocably, and says when it begins, ends, or was none.
//!
//! The detector is part of the gate: a gate that waits for probabilities from elsewhere would be a feedback edge.
//! Frames are forwarded as they come while a segment is open, and kept in a lookback ring while none is; a frame is
//! forwarded whole, so output equals input, bit for bit. Decisions fall on media time, hop by hop, and never depend
//! on the rest of the batch.
//!
//! Files: `machine` decides, `decision` what it hears and says, `lane` is one session, `asked` and `host` what its host decides in its place, `overrides`
//! what that session does differently from the scene, `echo` what counts while an answer sounds,
//! `held` a frame that it keeps, `settings` the durations by which it decides, `settled` the same in words, `system` runs all lanes of a shard through the
//! detector's kernel.

mod asked;
mod beside_answer;
mod config;
mod decision;
mod echo;
mod held;
mod host;
mod lane;
mod lookback;
mod machine;
mod overrides;
mod settings;
mod settled;
mod system;

use std::sync::Arc;

use crate::dsp::downmix::Channels;
use bevy_ecs::prelude::World;
use bevy_ecs::system::BoxedSystem;
use mynah_engine::node::{NodeKind, NodePlace, SegmentWriter, SessionContext, SystemNode};
use mynah_engine::scene::{Format, Hearing, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{GateOverrides, GateSettings};

pub use config::{Forward, VadGate};
pub use lane::GateLane;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

impl NodeKind for VadGate {
    const NAME: &'static str = "VadGate";
    type State = GateLane;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        self.check_vad(issues);
        self.check_levels(issues);
        self.check_echo(issues);
        self.check_channels(input.map(|input| input.channels), issues);
        self.check_durations(issues);
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: true,
            avg_processing_us: 20,
            queue_capacity: 120,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn decides_speech(&self) -> bool {
        true
    }
    fn hearing(&self) -> Option<Hearing> {
        let (opens_at, closes_below) = (self.threshold, self.release_threshold);
        Some(Hearing { opens_at, closes_below, traces: self.trace })
    }
    fn silence_us(&self) -> Option<u64> {
        // A hop that waits for the gather time is heard late, and the silence counts anew from there.
        let silent_ms = f64::from(self.silence_timeout_ms) + f64::from(self.vad_gather_ms);
        Some((silent_ms * 1_000.0) as u64)
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn mixes_channels(&self) -> bool {
        self.channels == Channels::Mono
    }
    fn numbers(&self) -> &[&'static str] {
        &[
            "threshold",
            "release_threshold",
            "min_speech_ms",
            "min_silence_ms",
            "pad_ms",
            "lookback_ms",
            "lookahead_ms",
            "max_segment_ms",
            "silence_timeout_ms",
            "vad_gather_ms",
            "echo_tail_ms",
            "raise_threshold_while_speaking",
            "raise_level_while_speaking_db",
        ]
    }
    fn settled(&self) -> Vec<String> {
        settled::lines(self)
    }
    fn gate_settings(&self) -> Option<GateSettings> {
        let Self { threshold, release_threshold, raise_threshold_while_speaking, .. } = *self;
        let Self { pad_ms, lookback_ms, min_silence_ms, lookahead_ms, .. } = *self;
        Some(GateSettings {
            threshold,
            release_threshold,
            raise_threshold_while_speaking,
            pad_ms,
            lookback_ms,
            min_silence_ms,
            lookahead_ms,
        })
    }
    fn check_overrides(&self, overrides: &GateOverrides) -> Result<(), String> {
        overrides::check(self, overrides)
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        // The whole lookback at once, and the marks: an endpoint, the segment's end, the end of the stream.
        self.kept_at_once() + 3
    }
    fn open(&self, context: &SessionContext) -> Result<GateLane, String> {
        GateLane::new(self, context)
    }
}

impl SystemNode for VadGate {
    fn is_idle(&self, state: &GateLane) -> bool {
        // A hop that waits for the gather time is heard when its time comes, and a segment ends when nothing comes.
        // What is kept in a pause is dropped when the lane is next looked at, before any new audio has an effect.
        state.ready_hop(self.vad.hop()).is_none() && state.is_idle()
    }
    fn hang_up(&self, state: &mut GateLane, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        state.finish(true, &mut Vec::new(), writer);
    }
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        system::build(self, place, world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::downmix::Channels;

    fn issues(gate: &VadGate) -> Vec<(mynah_engine::scene::Severity, String)> {
        let mut issues = Vec::new();
        gate.check(Some(Format { rate_hz: 16_000, channels: 1 }), &Tick::default(), &mut issues);
        issues.into_iter().map(|i| (i.severity, i.field)).collect()
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        use mynah_engine::scene::Severity::{Error, Warning};
        const RAISED: &str = "raise_threshold_while_speaking";
        let d = VadGate::default();
        let cases = [
            (d, vec![]),
            (VadGate { channels: Channels::Left, ..d }, vec![]),
            (VadGate { channels: Channels::Right, ..d }, vec![(Error, "channels")]),
            (VadGate { channels: Channels::Keep, ..d }, vec![(Error, "channels")]),
            (VadGate { threshold: 1.5, ..d }, vec![(Error, "threshold")]),
            (VadGate { threshold: f32::NAN, ..d }, vec![(Error, "threshold")]),
            (VadGate { release_threshold: 0.95, ..d }, vec![(Error, "release_threshold")]),
            (VadGate { lookback_ms: 300.0, ..d }, vec![(Warning, "lookback_ms")]),
            (
                VadGate { lookback_ms: -1.0, pad_ms: 0.0, ..d },
                vec![(Error, "lookback_ms"), (Error, "pad_ms")],
            ),
            (VadGate { lookahead_ms: 60.0, ..d }, vec![(Warning, "lookahead_ms")]),
            (VadGate { min_silence_ms: 20.0, ..d }, vec![(Error, "lookahead_ms")]),
            (VadGate { forward: Forward::Always, speculate: false, ..d }, vec![(Error, "forward")]),
            (VadGate { silence_timeout_ms: 100.0, ..d }, vec![]),
            (VadGate { silence_timeout_ms: 99.0, ..d }, vec![(Error, "silence_timeout_ms")]),
            (VadGate { silence_timeout_ms: 600_000.0, ..d }, vec![]),
            (VadGate { silence_timeout_ms: 600_001.0, ..d }, vec![(Error, "silence_timeout_ms")]),
            (VadGate { raise_threshold_while_speaking: 0.9, ..d }, vec![]),
            (VadGate { raise_threshold_while_speaking: 1.0, ..d }, vec![]),
            (VadGate { raise_threshold_while_speaking: 0.8, ..d }, vec![(Error, RAISED)]),
            (VadGate { raise_threshold_while_speaking: -0.1, ..d }, vec![(Error, RAISED)]),
            (VadGate { raise_threshold_while_speaking: f32::NAN, ..d }, vec![(Error, RAISED)]),
            (
                VadGate { raise_threshold_while_speaking: 0.95, half_duplex: true, ..d },
                vec![(Warning, RAISED)],
            ),
            (
                VadGate { raise_level_while_speaking_db: -1.0, ..d },
                vec![(Error, "raise_level_while_speaking_db")],
            ),
            (VadGate { echo_tail_ms: 20.0, half_duplex: true, ..d }, vec![]),
            (VadGate { echo_tail_ms: 19.0, ..d }, vec![(Error, "echo_tail_ms")]),
        ];
        for (gate, want) in cases {
            let want: Vec<_> = want.into_iter().map(|(s, f)| (s, f.to_string())).collect();
            assert_eq!(issues(&gate), want, "{gate:?}");
        }
    }
}
