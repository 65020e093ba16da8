//! `Narrator` says its lines at their times and takes back what it is told to.

mod ear;

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::{Component, World};
use bevy_ecs::system::BoxedSystem;
use ear::Ear;
use mynah_engine::base::SegmentKey;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, SystemNode, lane_system};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{CancelScope, SegmentParams};
use mynah_engine::{Frame, Registry};
use serde::Deserialize;

const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];

/// The standard kinds, `Narrator` and `Ear`.
pub(crate) fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Narrator>();
    registry.add::<Ear>();
    registry
}

/// What is said; numbers are segment and revision.
#[derive(Clone, Debug, Deserialize)]
pub(crate) enum Line {
    Say(u32, u32, String),
    /// `Mark::AnswerEnd`.
    End(u32, u32),
    /// `Mark::Endpoint`.
    Endpoint(u32, u32),
    /// A revision is void.
    Retract(u32, u32),
    /// A segment is void.
    Cancel(u32),
}

/// Lines with their engine times in milliseconds, rising.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Narrator {
    lines: Vec<(u64, Line)>,
}

#[derive(Component)]
struct Narrated {
    lines: VecDeque<(u64, Line)>,
    session: mynah_engine::SessionId,
}

fn capabilities() -> NodeCapabilities {
    NodeCapabilities {
        parallelizable: true,
        batch_aware: false,
        avg_processing_us: 1,
        queue_capacity: 1_000,
        overflow_policy: OverflowPolicy::DropOldest,
        supports_control_messages: true,
    }
}

impl NodeKind for Narrator {
    const NAME: &'static str = "Narrator";
    type State = Narrated;

    fn inputs(&self) -> &[Port] {
        &[Port { name: "audio", kind: PortType::Audio }]
    }
    fn outputs(&self) -> &[Port] {
        TEXT
    }
    fn check(&self, _: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        None
    }
    fn capabilities(&self) -> NodeCapabilities {
        capabilities()
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, context: &SessionContext) -> Result<Narrated, String> {
        Ok(Narrated { lines: self.lines.iter().cloned().collect(), session: context.session })
    }
}

impl SystemNode for Narrator {
    fn is_idle(&self, state: &Narrated) -> bool {
        state.lines.is_empty()
    }
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        type Deciding = SegmentParams<'static, 'static>;
        lane_system::<Narrated, Deciding>(place, world, move |lanes, params, segments| {
            for (_, mut lane, mut queue, mut state) in &mut lanes.ins {
                let mut cx = NodeContext::new(place.node, &mut lane, params, &mut lanes.outs);
                if cx.may_step() {
                    wake(&mut state, &mut cx, segments);
                }
                while cx.may_step()
                    && let Some(frame) = queue.pop()
                {
                    if matches!(frame.payload, Payload::Mark(Mark::StreamEnd)) && !cx.lane.stream_ended() {
                        continue;
                    }
                    cx.taken(&frame);
                    match frame.payload {
                        Payload::Mark(_) => cx.send(0, frame),
                        _ => cx.discard(frame),
                    }
                }
            }
        })
    }
}

fn wake(state: &mut Narrated, cx: &mut NodeContext<'_>, segments: &mut SegmentParams<'_, '_>) {
    let session = state.session;
    while state.lines.front().is_some_and(|(ms, _)| ms * 1_000 <= cx.now.us) {
        let Some((ms, line)) = state.lines.pop_front() else { return };
        let (segment, revision, payload) = match line {
            Line::Say(segment, revision, text) => (segment, revision, Payload::Text(text.into())),
            Line::End(segment, revision) => (segment, revision, Payload::Mark(Mark::AnswerEnd)),
            Line::Endpoint(segment, revision) => (segment, revision, Payload::Mark(Mark::Endpoint)),
            Line::Retract(segment, revision) => {
                segments.cancel(session, CancelScope::Revision { segment, revision });
                continue;
            }
            Line::Cancel(segment) => {
                segments.cancel(session, CancelScope::Segment { segment });
                continue;
            }
        };
        let frame = Frame {
            payload,
            pts_us: ms * 1_000,
            arrived_us: cx.now.us,
            queued_us: cx.now.us,
            deadline_us: 0,
            session,
            segment: SegmentKey { slot: 0, serial: segment },
            revision,
            turn: segment,
            seq: 0,
        };
        cx.send(0, frame);
    }
}
