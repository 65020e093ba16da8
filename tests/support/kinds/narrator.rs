//! `Narrator` says its lines at their times and takes back what it is told to.

mod ear;

use std::collections::VecDeque;

use bevy_ecs::prelude::Component;
use ear::Ear;
use mynah_engine::base::SegmentKey;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::CancelScope;
use mynah_engine::{Frame, Registry};
use serde::Deserialize;

const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];

/// The standard kinds, `Narrator` and `Ear`.
pub(crate) fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add::<Narrator>();
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

impl StepNode for Narrator {
    fn step(&self, _: &mut Narrated, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        match frame.payload {
            Payload::Mark(_) => cx.send(0, frame),
            Payload::Audio(_) | Payload::Text(_) => cx.discard(frame),
        }
    }

    fn due_us(&self, state: &Narrated) -> u64 {
        state.lines.front().map_or(u64::MAX, |(ms, _)| ms * 1_000)
    }

    fn wake(&self, state: &mut Narrated, cx: &mut NodeContext<'_>, _: NodePlace) {
        let session = state.session;
        while self.due_us(state) <= cx.now.us {
            let Some((ms, line)) = state.lines.pop_front() else { return };
            let (segment, revision, payload) = match line {
                Line::Say(segment, revision, text) => (segment, revision, Payload::Text(text.into())),
                Line::End(segment, revision) => (segment, revision, Payload::Mark(Mark::AnswerEnd)),
                Line::Endpoint(segment, revision) => (segment, revision, Payload::Mark(Mark::Endpoint)),
                Line::Retract(segment, revision) => {
                    cx.void(CancelScope::Revision { segment, revision });
                    continue;
                }
                Line::Cancel(segment) => {
                    cx.void(CancelScope::Segment { segment });
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
}
