//! `Limiter`: no sample leaves louder than the ceiling. The gain falls at once and recovers slowly, in place.

use mynah_engine::Frame;
use mynah_engine::bevy_ecs::{self, prelude::Component};
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{CancelScope, Cancellation};
use serde::Deserialize;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

/// Configuration of the kind `Limiter`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limiter {
    /// Greatest magnitude that leaves, above 0 up to 1 (full scale).
    pub ceiling: f32,
    /// Time in which the gain recovers by 63 %, 1 to 1000 ms.
    pub recover_ms: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { ceiling: 0.9, recover_ms: 80.0 }
    }
}

/// What one session's limiter remembers.
#[derive(Component, Clone, Copy, Debug)]
pub struct LimiterState {
    /// Factor on the next sample frame; 1 = nothing was too loud lately.
    gain: f32,
    /// Share of the missing gain that comes back per sample frame.
    recovery: f32,
}

impl NodeKind for Limiter {
    const NAME: &'static str = "Limiter";
    type State = LimiterState;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        if !(self.ceiling > 0.0 && self.ceiling <= 1.0) {
            let text = format!("{} is no ceiling", self.ceiling);
            issues.push(Issue::error("ceiling", text).expected("above 0.0, at most 1.0"));
        }
        if !(1.0..=1_000.0).contains(&self.recover_ms) {
            let text = format!("{} ms is out of range", self.recover_ms);
            issues.push(Issue::error("recover_ms", text).expected("1.0 to 1000.0"));
        }
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            queue_capacity: 100,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, context: &SessionContext) -> Result<LimiterState, String> {
        let input = context.input.ok_or("no audio arrives at this node")?;
        let recover_frames = self.recover_ms * input.rate_hz as f32 / 1_000.0;
        Ok(LimiterState { gain: 1.0, recovery: 1.0 / recover_frames })
    }
}

impl StepNode for Limiter {
    fn step(&self, state: &mut LimiterState, mut frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        let channels = cx.lane.input.map_or(1, |format| usize::from(format.channels));
        if let Payload::Audio(block) = &mut frame.payload {
            for samples in block.make_mut(cx.pool).chunks_exact_mut(channels) {
                self.limit(state, samples);
            }
        }
        // Marks travel on unchanged, behind what they bound.
        cx.send(0, frame);
    }

    fn control(
        &self,
        state: &mut LimiterState,
        cancellation: &Cancellation,
        _: &mut NodeContext<'_>,
        _: NodePlace,
    ) {
        // A cancelled segment has not been heard: its loudness is forgotten, too.
        if matches!(cancellation.scope, CancelScope::Segment { .. }) {
            state.gain = 1.0;
        }
    }
}

impl Limiter {
    /// One sample frame; all channels share the gain, so that the stereo image stands still.
    fn limit(&self, state: &mut LimiterState, samples: &mut [f32]) {
        let peak = samples.iter().fold(0.0, |peak, s| f32::max(peak, s.abs()));
        state.gain += (1.0 - state.gain) * state.recovery;
        if peak * state.gain > self.ceiling {
            state.gain = self.ceiling / peak;
        }
        for sample in samples {
            // The product may be half a unit in the last place above.
            *sample = (*sample * state.gain).clamp(-self.ceiling, self.ceiling);
        }
    }
}
