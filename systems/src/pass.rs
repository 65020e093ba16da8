//! `Pass`: multiplies every sample by a gain, in place. The least that a node can cost.

use bevy_ecs::prelude::Component;
use mynah_engine::Frame;
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use serde::Deserialize;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

/// Configuration of the kind `Pass`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pass {
    /// Factor on every sample, -16 to 16; 1 leaves the signal unchanged (every sample is touched all the same).
    pub gain: f32,
}

impl Default for Pass {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

/// `Pass` keeps no state.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct PassState;

impl NodeKind for Pass {
    const NAME: &'static str = "Pass";
    type State = PassState;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        if !(-16.0..=16.0).contains(&self.gain) {
            issues.push(
                Issue::error("gain", format!("{} is no usable gain", self.gain)).expected("-16.0 to 16.0"),
            );
        }
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            // One second of audio that arrives at once, and one second of silence for a gap before it.
            queue_capacity: 120,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn numbers(&self) -> &[&'static str] {
        &["gain"]
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, _: &SessionContext) -> Result<PassState, String> {
        Ok(PassState)
    }
}

impl StepNode for Pass {
    fn keeps(&self, _: &PassState) -> bool {
        false
    }
    fn step(&self, _: &mut PassState, mut frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        if let Payload::Audio(block) = &mut frame.payload {
            for sample in block.make_mut(cx.pool) {
                *sample *= self.gain;
            }
        }
        cx.send(0, frame);
    }
}
