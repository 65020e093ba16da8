//! `Scribe` passes everything on, and writes down how segments stand while it works: behind a gate, what the gate has done
//! in this tick.

use std::cell::RefCell;
use std::sync::Arc;

use bevy_ecs::change_detection::DetectChangesMut as _;
use bevy_ecs::prelude::{Component, Res, World};
use bevy_ecs::system::BoxedSystem;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{
    Lanes, NodeContext, NodeKind, NodeParams, NodePlace, SessionContext, SystemNode, lane_system,
};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{Answer, CancelScope, Cancellations, Extent, Segments, Verdict};
use serde::Deserialize;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

/// What was written down.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Notes {
    /// Segments by serial.
    pub(crate) states: Vec<(u32, Verdict, Extent, Answer)>,
    pub(crate) voided: Vec<CancelScope>,
    /// Mark, segment, revision, media time.
    pub(crate) marks: Vec<(Mark, u32, u32, u64)>,
}

thread_local! {
    static NOTES: RefCell<Notes> = RefCell::default();
}

/// The notes of the engine that runs in this thread, since they were last asked for; states are those of its last tick.
pub(crate) fn notes() -> Notes {
    NOTES.take()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Scribe {}

#[derive(Component, Default)]
pub(crate) struct Nothing;

impl NodeKind for Scribe {
    const NAME: &'static str = "Scribe";
    type State = Nothing;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            queue_capacity: 120,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, _: &SessionContext) -> Result<Nothing, String> {
        Ok(Nothing)
    }
}

/// What it looks at.
type Reading = (Segments<'static, 'static>, Res<'static, Cancellations>);

impl SystemNode for Scribe {
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        lane_system::<Nothing, Reading>(place, world, move |lanes, params, (segments, cancellations)| {
            NOTES.with_borrow_mut(|notes| {
                notes.voided.extend(cancellations.all().iter().map(|cancellation| cancellation.scope));
                write_down(place, lanes, params, segments, notes);
            });
        })
    }
}

fn write_down(
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, Nothing>,
    params: &mut NodeParams<'_, '_>,
    segments: &Segments<'_, '_>,
    notes: &mut Notes,
) {
    for (_, mut lane, mut queue, _) in &mut lanes.ins {
        let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
        let mut cx = NodeContext::new(place.node, lane, params, &mut lanes.outs);
        while cx.may_step()
            && let Some(frame) = queue.pop()
        {
            cx.taken(&frame);
            if let Payload::Mark(mark) = frame.payload {
                notes.marks.push((mark, frame.segment.serial, frame.revision, frame.pts_us));
            }
            cx.send(0, frame);
        }
    }
    notes.states = segments.active().map(|s| (s.key.serial, s.verdict, s.extent, s.answer)).collect();
    notes.states.sort_by_key(|state| state.0);
}
