//! `Throttle`: a **simulated** slow consumer. It only delays frames, so that scenes can show what queues, policies
//! and producers do when something behind them cannot keep up.
//!
//! At most `per_s` frames a second are taken; the others wait in its queue, under that queue's bound and policy. Marks
//! are free: each is taken as soon as it stands in front.

use bevy_ecs::prelude::Component;
use mynah_engine::Frame;
use mynah_engine::media::Queue;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, ReadyContext, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use serde::Deserialize;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];
const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];

/// The type of frames that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Carries {
    /// Blocks of samples.
    Audio,
    /// Pieces of text.
    Text,
}

/// Configuration of the kind `Throttle`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// The type of frames that pass.
    pub carries: Carries,
    /// Frames taken a second, 0.1 to 10000.
    pub per_s: f32,
}

/// The time from which the next frame may be taken.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct ThrottleState {
    /// Engine time in picoseconds: whole microseconds would add up to an error of seconds an hour.
    free_ps: u128,
}

const PS_PER_US: u128 = 1_000_000;

impl ThrottleState {
    /// The time at which the work on `frame` begins: when the frame has come and the one before is done. So a late
    /// tick delays nothing, and time without frames earns nothing.
    fn begins_ps(&self, frame: &Frame) -> u128 {
        self.free_ps.max(u128::from(frame.queued_us) * PS_PER_US)
    }
}

impl Throttle {
    fn period_ps(&self) -> u128 {
        (1e12 / f64::from(self.per_s)).round() as u128
    }
}

impl NodeKind for Throttle {
    const NAME: &'static str = "Throttle";
    type State = ThrottleState;

    fn inputs(&self) -> &[Port] {
        match self.carries {
            Carries::Audio => AUDIO,
            Carries::Text => TEXT,
        }
    }
    fn outputs(&self) -> &[Port] {
        self.inputs()
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        if !(0.1..=10_000.0).contains(&self.per_s) {
            let text = format!("{} frames a second are out of range", self.per_s);
            issues.push(Issue::error("per_s", text).expected("0.1 to 10000"));
        }
        input.filter(|_| self.carries == Carries::Audio)
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: (self.period_ps() / PS_PER_US) as u32,
            queue_capacity: 25,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn frames_per_s(&self) -> Option<f64> {
        Some(f64::from(self.per_s))
    }
    fn numbers(&self) -> &[&'static str] {
        &["per_s"]
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, _: &SessionContext) -> Result<ThrottleState, String> {
        Ok(ThrottleState::default())
    }
}

impl StepNode for Throttle {
    fn keeps(&self, _: &ThrottleState) -> bool {
        false
    }

    fn ready(&self, state: &ThrottleState, queue: &Queue, look: ReadyContext<'_>) -> bool {
        let Some(frame) = queue.front() else { return false };
        !frame.is_content() || state.begins_ps(frame) <= u128::from(look.now.us) * PS_PER_US
    }

    fn step(&self, state: &mut ThrottleState, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        if frame.is_content() {
            state.free_ps = state.begins_ps(&frame) + self.period_ps();
        }
        cx.send(0, frame);
    }
}
