//! `Service`: hands what belongs to one endpoint revision to a service and sends on what comes back.
//!
//! Calls of one session run one after the other, so that answers stay in order; sessions meet in the hub. A call
//! whose segment or revision was taken back is stopped and leaves nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::Component;
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::{
    Call, CallKey, Correction, Cx, Event, Frame, Mark, NodeKind, Opening, Payload, Reply, ReplyPart, Request,
    Site, StepNode, Void, frames_to_us,
};
use serde::Deserialize;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];
const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];
const REPLY: &[Port] = &[Port { name: "reply", kind: PortType::Text }];

/// What the service does, and so what goes in and comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Task {
    /// Audio to text.
    Transcribe,
    /// Text to text.
    Reply,
    /// Text to audio.
    Synthesize,
}

/// Configuration of the kind `Service`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceNode {
    /// Its entry in the scene's `services`.
    pub service: String,
    /// What it does.
    pub task: Task,
    /// Rate of the audio a synthesis gives, in Hz, mono.
    #[serde(default = "synthesis_rate")]
    pub rate_hz: u32,
}

fn synthesis_rate() -> u32 {
    crate::speech::flite::RATE_HZ
}

/// What one session has gathered and asked for.
#[derive(Component, Default)]
pub struct ServiceState {
    /// The audio of the segment heard at present.
    heard: Option<Heard>,
    /// Text gathered for one revision.
    gathered: Vec<Arc<str>>,
    gathered_for: (u32, u32),
    waiting: VecDeque<Call>,
    running: Option<Running>,
    stream_end: Option<Frame>,
    seq: u32,
}

#[derive(Clone, Copy)]
struct Heard {
    segment: u32,
    from_us: u64,
    to_us: u64,
    /// The segment was split: the next one goes on with this range.
    goes_on: bool,
}

struct Running {
    key: CallKey,
    /// Media time of the answer's first sample, and sample frames sent.
    from_us: u64,
    frames_out: u64,
}

impl NodeKind for ServiceNode {
    const NAME: &'static str = "Service";
    type State = ServiceState;

    fn inputs(&self) -> &[Port] {
        match self.task {
            Task::Transcribe => AUDIO,
            Task::Reply | Task::Synthesize => TEXT,
        }
    }
    fn outputs(&self) -> &[Port] {
        match self.task {
            Task::Transcribe => TEXT,
            Task::Reply => REPLY,
            Task::Synthesize => AUDIO,
        }
    }
    fn check(&self, _: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        if !(8_000..=192_000).contains(&self.rate_hz) {
            issues.push(
                Issue::error("rate_hz", format!("{} Hz is out of range", self.rate_hz))
                    .expected("8000 to 192000"),
            );
        }
        (self.task == Task::Synthesize).then_some(Format { rate_hz: self.rate_hz, channels: 1 })
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: self.task != Task::Synthesize,
            batch_aware: true,
            avg_processing_us: 20_000,
            queue_capacity: 120,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }
    fn open(&self, _: &Opening) -> Result<ServiceState, String> {
        Ok(ServiceState::default())
    }
}

impl StepNode for ServiceNode {
    fn step(&self, state: &mut ServiceState, frame: Frame, cx: &mut Cx<'_>, site: Site) {
        match &frame.payload {
            Payload::Audio(_) => hear(state, frame, cx, site),
            Payload::Text(text) => {
                let origin = (frame.segment.serial, frame.revision);
                if state.gathered_for != origin {
                    state.gathered.clear();
                    state.gathered_for = origin;
                }
                state.gathered.push(Arc::clone(text));
            }
            Payload::Mark(mark) => self.bound(*mark, state, frame, cx, site),
        }
    }

    fn control(&self, state: &mut ServiceState, correction: &Correction, cx: &mut Cx<'_>, site: Site) {
        let session = cx.lane.session;
        state.waiting.retain(|c| !correction.voids(session, c.key.segment.serial, c.key.revision));
        let (segment, revision) = state.gathered_for;
        if correction.voids(session, segment, revision) {
            state.gathered.clear();
        }
        let voids_segment = !matches!(correction.void, Void::Revision { .. });
        if voids_segment && state.heard.is_some_and(|h| correction.voids(session, h.segment, 0)) {
            state.heard = None;
        }
        let stopped =
            state.running.take_if(|r| correction.voids(session, r.key.segment.serial, r.key.revision));
        if let (Some(running), Some(service)) = (stopped, site.service) {
            let request =
                if voids_segment { Request::Cancel(running.key) } else { Request::Retract(running.key) };
            cx.request(service, request);
        }
        self.next(state, cx, site);
    }

    fn reply(&self, state: &mut ServiceState, reply: Reply, cx: &mut Cx<'_>, site: Site) {
        let CallKey { segment, revision, turn, .. } = reply.key;
        let (node, serial) = (cx.node, segment.serial);
        if let ReplyPart::Stopped { wasted_us } = reply.part {
            cx.event(turn, Event::ServiceCancelled { node, segment: serial, revision, wasted_us });
            return;
        }
        let Some(running) = state.running.as_mut().filter(|r| r.key == reply.key) else {
            return;
        };
        match reply.part {
            ReplyPart::Text(text) => {
                cx.event(turn, Event::Text { node, segment: serial, revision, text: Arc::clone(&text) });
                let frame = answer(state, reply.key, 0, Payload::Text(text), cx);
                cx.send(0, frame);
            }
            ReplyPart::Audio(block) => {
                let pts_us = running.from_us + frames_to_us(running.frames_out, self.rate_hz);
                running.frames_out += block.len() as u64;
                let frame = answer(state, reply.key, pts_us, Payload::Audio(block), cx);
                cx.send(0, frame);
            }
            ReplyPart::Done { busy_us } => {
                let samples = running.frames_out;
                cx.event(turn, Event::ServiceDone { node, segment: serial, revision, samples, busy_us });
                self.complete(state, reply.key, cx, site);
            }
            ReplyPart::Failed(reason) => {
                cx.event(turn, Event::ServiceFailed { node, segment: serial, revision, reason });
                self.complete(state, reply.key, cx, site);
            }
            ReplyPart::Stopped { .. } => {}
        }
    }
}

impl ServiceNode {
    fn bound(&self, mark: Mark, state: &mut ServiceState, frame: Frame, cx: &mut Cx<'_>, site: Site) {
        match mark {
            Mark::Endpoint if self.task == Task::Transcribe => {
                let heard = state.heard.filter(|h| h.segment == frame.segment.serial);
                let Heard { from_us, to_us, .. } = heard.unwrap_or(Heard {
                    segment: 0,
                    from_us: frame.pts_us,
                    to_us: frame.pts_us,
                    goes_on: false,
                });
                let call = call(&frame, "".into(), from_us, to_us, cx);
                state.waiting.push_back(call);
            }
            Mark::AnswerEnd if self.task != Task::Transcribe => {
                let text: Arc<str> = match state.gathered.as_slice() {
                    _ if state.gathered_for != (frame.segment.serial, frame.revision) => "".into(),
                    [] => "".into(),
                    [one] => Arc::clone(one),
                    many => many.join(" ").into(),
                };
                state.gathered.clear();
                let call = call(&frame, text, frame.pts_us, frame.pts_us, cx);
                state.waiting.push_back(call);
            }
            Mark::Split => {
                if let Some(heard) = &mut state.heard {
                    heard.goes_on = true;
                }
            }
            Mark::StreamEnd => state.stream_end = Some(frame),
            Mark::Endpoint | Mark::SegmentEnd | Mark::AnswerEnd => {}
        }
        self.next(state, cx, site);
    }

    /// Starts the next call when none runs; at the end of everything lets the stream end.
    fn next(&self, state: &mut ServiceState, cx: &mut Cx<'_>, site: Site) {
        while state.running.is_none() {
            let Some(call) = state.waiting.pop_front() else {
                if let Some(end) = state.stream_end.take() {
                    cx.send(0, end);
                }
                return;
            };
            let key = call.key;
            if self.task != Task::Transcribe && call.text.is_empty() {
                // Nothing was said, so there is nothing to answer: the turn is empty.
                let end = answer(state, key, call.to_us, Payload::Mark(Mark::AnswerEnd), cx);
                cx.send(0, end);
                continue;
            }
            let Some(service) = site.service else { return };
            let (node, segment, revision) = (cx.node, key.segment.serial, key.revision);
            cx.event(key.turn, Event::ServiceSubmitted { node, segment, revision });
            state.running = Some(Running { key, from_us: call.to_us, frames_out: 0 });
            cx.request(service, Request::End(call));
        }
    }

    fn complete(&self, state: &mut ServiceState, key: CallKey, cx: &mut Cx<'_>, site: Site) {
        let to_us = state.running.as_ref().map_or(0, |r| r.from_us);
        let end = answer(state, key, to_us, Payload::Mark(Mark::AnswerEnd), cx);
        cx.send(0, end);
        state.running = None;
        self.next(state, cx, site);
    }
}

/// Takes audio: notes its range, and passes it to services that want it.
fn hear(state: &mut ServiceState, mut frame: Frame, cx: &mut Cx<'_>, site: Site) {
    let format = cx.lane.input.expect("a lane that got audio has a format");
    let frames = (frame.samples() / usize::from(format.channels)) as u64;
    let end_us = frame.pts_us + frames_to_us(frames, format.rate_hz);
    let segment = frame.segment.serial;
    let heard =
        state.heard.get_or_insert(Heard { segment, from_us: frame.pts_us, to_us: end_us, goes_on: false });
    if heard.segment != segment {
        let from_us = if heard.goes_on { heard.from_us } else { frame.pts_us };
        *heard = Heard { segment, from_us, to_us: end_us, goes_on: false };
    }
    heard.to_us = end_us;
    if site.wants_audio
        && let (Some(service), Payload::Audio(_)) = (site.service, &frame.payload)
    {
        let key = key(&frame, cx);
        let Payload::Audio(block) = std::mem::replace(&mut frame.payload, Payload::Mark(Mark::Endpoint))
        else {
            return;
        };
        cx.request(service, Request::Push(key, block));
        return;
    }
    cx.discard(frame);
}

fn key(frame: &Frame, cx: &Cx<'_>) -> CallKey {
    CallKey {
        session: frame.session,
        opening: cx.opening(),
        node: cx.node,
        segment: frame.segment,
        revision: frame.revision,
        turn: frame.turn,
    }
}

fn call(frame: &Frame, text: Arc<str>, from_us: u64, to_us: u64, cx: &Cx<'_>) -> Call {
    Call { key: key(frame, cx), name: cx.session_name(), text, from_us, to_us }
}

/// A frame derived from the call `key`.
fn answer(state: &mut ServiceState, key: CallKey, pts_us: u64, payload: Payload, cx: &Cx<'_>) -> Frame {
    state.seq = state.seq.wrapping_add(1);
    Frame {
        payload,
        pts_us,
        arrived_us: cx.now.us,
        queued_us: cx.now.us,
        deadline_us: 0,
        session: key.session,
        segment: key.segment,
        revision: key.revision,
        turn: key.turn,
        seq: state.seq,
    }
}
