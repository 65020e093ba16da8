//! `Replayer` keeps a copy of the first audio and sends it once more, as part of the next segment.

use bevy_ecs::prelude::Component;
use mynah_engine::Frame;
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Replayer {}

#[derive(Component, Default)]
pub(crate) struct Kept(Option<Frame>);

audio_kind!(Replayer, Kept);

impl StepNode for Replayer {
    fn step(&self, state: &mut Kept, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        if let Payload::Audio(_) = frame.payload {
            match state.0.take_if(|kept| kept.segment != frame.segment) {
                Some(mut copy) => {
                    (copy.segment, copy.turn) = (frame.segment, frame.turn);
                    cx.send(0, copy);
                }
                None => state.0 = Some(frame.share()),
            }
        }
        cx.send(0, frame);
    }
}
