//! The session's output: lets out what may be heard, at the scene's pace, and drops what was taken back.
//! Reads segments; writes the hosts' rings, turns, event log. Runs in `Stage::Egress`, after the hub step.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, ParamBuilder, SystemParamBuilder, SystemState};

use crate::correction::{Correction, Void};
use crate::desk::{Cx, Desk, Lanes};
use crate::event::{DropReason, Event};
use crate::frame::{Frame, Mark, Payload, frames_to_us};
use crate::handle::{Out, OutAudio, SessionPort};
use crate::ids::NodeId;
use crate::ingress::Leaving;
use crate::node::{Site, correct_lanes, lane_params};
use crate::queue::{Lane, Queue};
use crate::scene::{Pace, Release};
use crate::segment::{Segments, Standing};

/// How many started outputs are remembered, to tell whether a correction came late.
const STARTED_MAX: usize = 8;

/// State of one session's output.
#[derive(Component, Default)]
pub(crate) struct Egress {
    /// Engine time until which the released audio lasts.
    heard_until_us: u64,
    /// What is being released.
    current: (u32, u32),
    samples: u64,
    started: [(u32, u32); STARTED_MAX],
    next: usize,
}

/// Output policy of a scene.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) release: Release,
    pub(crate) pace: Pace,
}

type Params =
    (Lanes<'static, 'static, Egress>, Desk<'static>, Segments<'static, 'static>, ResMut<'static, Leaving>);

pub(crate) fn egress_system(policy: Policy, node: NodeId, world: &mut World) -> BoxedSystem {
    let site = Site { node, service: None, wants_audio: false };
    let params = (lane_params::<Egress>(site, world), ParamBuilder, ParamBuilder, ParamBuilder);
    let state: SystemState<Params> = params.build_state(world);
    let system = state.build_system(
        move |mut lanes: Lanes<'_, '_, Egress>,
              mut desk: Desk<'_>,
              mut segments: Segments<'_, '_>,
              mut leaving: ResMut<'_, Leaving>| {
            desk.laps.start();
            correct_lanes(site, &mut lanes, &mut desk, late);
            for (mut lane, mut queue, mut state) in &mut lanes.ins {
                if queue.is_empty() {
                    continue;
                }
                let Some(row) = desk.sessions.get(lane.session) else { continue };
                let port = Arc::clone(&row.port);
                let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
                let stream = Stream { policy, port: &port, lane };
                let ended =
                    stream.release(queue, &mut state, &mut segments, &mut desk, &mut lanes.outs, node);
                if ended && lane.stream_ended() {
                    leaving.0.push(lane.session);
                }
            }
            desk.laps.lap(node.index());
        },
    );
    Box::new(IntoSystem::into_system(system))
}

/// Reports outputs that had already left when they were taken back.
fn late(state: &mut Egress, correction: &Correction, cx: &mut Cx<'_>) {
    let hit = |&&(segment, revision): &&(u32, u32)| match correction.void {
        Void::Segment { segment: s } => segment == s,
        Void::Revision { segment: s, revision: r } => segment == s && revision == r,
        Void::Session => false,
    };
    if let Some(&(segment, revision)) = state.started.iter().find(hit) {
        cx.event(0, Event::LateCancelled { segment, revision });
    }
    if correction.void == Void::Session || hit(&&state.current) {
        state.current = (0, 0);
        state.samples = 0;
        // The host flushes what it has not played: the next answer may start at once.
        state.heard_until_us = 0;
    }
}

struct Stream<'a> {
    policy: Policy,
    port: &'a SessionPort,
    lane: &'a Lane,
}

impl Stream<'_> {
    /// Releases what may leave now; true when the stream's end was reached.
    fn release(
        &self,
        queue: &mut Queue,
        state: &mut Egress,
        segments: &mut Segments<'_, '_>,
        desk: &mut Desk<'_>,
        outs: &mut Query<'_, '_, &'static mut Queue>,
        node: NodeId,
    ) -> bool {
        let mut woken = false;
        let mut ended = false;
        while let Some(frame) = queue.front() {
            let standing = segments.standing(frame.segment, frame.session, frame.revision);
            let now_us = desk.now.us;
            let wait = match &frame.payload {
                Payload::Mark(Mark::AnswerEnd) => standing == Standing::Undecided,
                Payload::Mark(_) => false,
                _ if standing == Standing::Void => false,
                _ if standing == Standing::Undecided && self.policy.release == Release::OnConfirm => true,
                Payload::Audio(_) => self.too_early(state, now_us) || self.port.outputs.is_full(),
                Payload::Text(_) => self.port.outputs.is_full(),
            };
            if wait {
                break;
            }
            let frame = queue.pop().expect("looked at above");
            let mut cx = Cx::new(node, self.lane, desk, outs);
            cx.taken(&frame);
            match frame.payload {
                Payload::Mark(Mark::StreamEnd) => {
                    ended = true;
                    break;
                }
                Payload::Mark(mark) => self.bound(mark, &frame, standing, state, segments, &mut cx),
                _ if standing == Standing::Void => cx.drop_frame(frame, DropReason::Cancelled),
                _ => {
                    self.let_out(frame, state, &mut cx);
                    woken = true;
                }
            }
        }
        if woken && let Some(waker) = &self.port.waker {
            waker();
        }
        ended
    }

    fn too_early(&self, state: &Egress, now_us: u64) -> bool {
        match self.policy.pace {
            Pace::Burst => false,
            Pace::RealTime { lead_ms } => {
                state.heard_until_us.saturating_sub(now_us) >= u64::from(lead_ms) * 1_000
            }
        }
    }

    /// A boundary: answers end, turns close.
    fn bound(
        &self,
        mark: Mark,
        frame: &Frame,
        standing: Standing,
        state: &mut Egress,
        segments: &mut Segments<'_, '_>,
        cx: &mut Cx<'_>,
    ) {
        match mark {
            Mark::AnswerEnd if standing == Standing::Void => {}
            Mark::AnswerEnd | Mark::SegmentEnd => {
                if state.current == (frame.segment.serial, frame.revision) && state.samples > 0 {
                    let (segment, revision) = state.current;
                    let samples = std::mem::take(&mut state.samples);
                    cx.event(frame.turn, Event::OutputEnded { segment, revision, samples });
                }
                state.current = (0, 0);
                segments.answered(frame.segment, frame.session);
            }
            Mark::Endpoint | Mark::Split | Mark::StreamEnd => {}
        }
    }

    fn let_out(&self, frame: Frame, state: &mut Egress, cx: &mut Cx<'_>) {
        let (segment, revision) = (frame.segment.serial, frame.revision);
        if segment != 0 && state.current != (segment, revision) {
            state.current = (segment, revision);
            state.samples = 0;
            state.started[state.next % STARTED_MAX] = (segment, revision);
            state.next += 1;
            cx.event(frame.turn, Event::OutputStarted { segment, revision });
        }
        let out = match frame.payload {
            Payload::Text(text) => Out::Text { text, segment, revision, turn: frame.turn },
            Payload::Audio(block) => {
                let format = self.lane.input.expect("audio reaches only lanes with a format");
                let frames = block.len() as u64 / u64::from(format.channels);
                let now_us = cx.now.us;
                state.heard_until_us =
                    state.heard_until_us.max(now_us) + frames_to_us(frames, format.rate_hz);
                state.samples += block.len() as u64;
                cx.released(block.len() as u64);
                Out::Audio(OutAudio {
                    block,
                    pts_us: frame.pts_us,
                    released_us: now_us,
                    arrived_us: frame.arrived_us,
                    segment,
                    revision,
                    turn: frame.turn,
                })
            }
            Payload::Mark(_) => return,
        };
        // There was room a moment ago, and only this system pushes.
        drop(self.port.outputs.push(out));
    }
}
