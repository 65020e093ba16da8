//! `Swallower` passes on that many frames, then nothing any more, not even a mark; no correction is heard.

use bevy_ecs::prelude::Component;
use mynah_engine::Frame;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Swallower {
    frames: u32,
}

#[derive(Component, Default)]
pub(crate) struct Swallowed(u32);

audio_kind!(Swallower, Swallowed);

impl StepNode for Swallower {
    fn step(&self, state: &mut Swallowed, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        state.0 += 1;
        if state.0 <= self.frames { cx.send(0, frame) } else { cx.discard(frame) }
    }
}
