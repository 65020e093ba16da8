//! Two kinds for tests of what happens to text: `Prompter` says its lines at their times and takes back what it is
//! told to, `Ear` writes down what reaches it and lets it out.

use std::collections::VecDeque;

use bevy_ecs::prelude::Component;
use mynah_engine::base::SegmentKey;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{CancelScope, Cancellation};
use mynah_engine::{Frame, Registry};
use serde::Deserialize;

const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];

/// The standard kinds, `Prompter` and `Ear`.
pub(crate) fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add::<Prompter>();
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
struct Prompter {
    lines: Vec<(u64, Line)>,
}

#[derive(Component)]
struct Prompted {
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

impl NodeKind for Prompter {
    const NAME: &'static str = "Prompter";
    type State = Prompted;

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
    fn open(&self, context: &SessionContext) -> Result<Prompted, String> {
        Ok(Prompted { lines: self.lines.iter().cloned().collect(), session: context.session })
    }
}

impl StepNode for Prompter {
    fn step(&self, _: &mut Prompted, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        match frame.payload {
            Payload::Mark(_) => cx.send(0, frame),
            Payload::Audio(_) | Payload::Text(_) => cx.discard(frame),
        }
    }

    fn due_us(&self, state: &Prompted) -> u64 {
        state.lines.front().map_or(u64::MAX, |(ms, _)| ms * 1_000)
    }

    fn wake(&self, state: &mut Prompted, cx: &mut NodeContext<'_>, _: NodePlace) {
        let session = state.session;
        while self.due_us(state) <= cx.now.us {
            let Some((ms, line)) = state.lines.pop_front() else { return };
            let (segment, revision, payload) = match line {
                Line::Say(segment, revision, text) => (segment, revision, Payload::Text(text.into())),
                Line::End(segment, revision) => (segment, revision, Payload::Mark(Mark::AnswerEnd)),
                Line::Endpoint(segment, revision) => (segment, revision, Payload::Mark(Mark::Endpoint)),
                Line::Retract(segment, revision) => {
                    cx.cancellations
                        .push(Cancellation { session, scope: CancelScope::Revision { segment, revision } });
                    continue;
                }
                Line::Cancel(segment) => {
                    cx.cancellations.push(Cancellation { session, scope: CancelScope::Segment { segment } });
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

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ear {}

#[derive(Component)]
struct Heard;

impl NodeKind for Ear {
    const NAME: &'static str = "Ear";
    type State = Heard;

    fn inputs(&self) -> &[Port] {
        TEXT
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
            Payload::Audio(_) => unreachable!("its port carries text"),
        };
        frame.payload = Payload::Text(note.into());
        frame.segment = SegmentKey::NONE;
        cx.send(0, frame);
    }
}
