//! `Ear` writes down what reaches it and lets it out.

use bevy_ecs::prelude::Component;
use mynah_engine::Frame;
use mynah_engine::base::SegmentKey;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, Port, Tick};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Ear {}

#[derive(Component)]
pub(super) struct Heard;

impl NodeKind for Ear {
    const NAME: &'static str = "Ear";
    type State = Heard;

    fn inputs(&self) -> &[Port] {
        super::TEXT
    }
    fn outputs(&self) -> &[Port] {
        super::TEXT
    }
    fn check(&self, _: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        None
    }
    fn capabilities(&self) -> NodeCapabilities {
        super::capabilities()
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, _: &SessionContext) -> Result<Heard, String> {
        Ok(Heard)
    }
}

impl StepNode for Ear {
    /// Of no segment, so that the output does not ask whether there is one.
    fn step(&self, _: &mut Heard, mut frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        let now_ms = cx.now.us / 1_000;
        let Frame { pts_us, arrived_us, turn, revision, seq, .. } = frame;
        let whose = format!("{}/{revision}", frame.segment.serial);
        let note = match &frame.payload {
            Payload::Text(text) => {
                assert!((pts_us..=cx.now.us).contains(&arrived_us), "{text}: made at {arrived_us} us");
                assert_eq!(turn, frame.segment.serial, "{text}");
                format!("{now_ms} {whose} {text} #{seq} @{}", pts_us / 1_000)
            }
            Payload::Mark(Mark::StreamEnd) => {
                cx.send(0, frame);
                return;
            }
            Payload::Mark(mark) => format!("{now_ms} {whose} {mark:?}"),
            Payload::Audio(_) | Payload::Clip(_) | Payload::Caption(_) => {
                unreachable!("its port carries text")
            }
        };
        frame.payload = Payload::Text(note.into());
        frame.segment = SegmentKey::NONE;
        cx.send(0, frame);
    }
}
