//! `Prompter`: opens, confirms and takes back segments, says texts and lets audio through, all as the audio that
//! arrives tells it. A plain system over its lanes, because it decides about segments as a gate does.
#![allow(dead_code, reason = "every test gives its own cues")]

use std::sync::Arc;

use bevy_ecs::change_detection::DetectChangesMut as _;
use bevy_ecs::prelude::{Component, World};
use bevy_ecs::system::BoxedSystem;
use mynah_engine::base::{SegmentKey, frames_to_us};
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, SystemNode, lane_system};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{CancelReason, CancelScope, Extent, SegmentWriter};
use mynah_engine::{Block, Event, Frame};
use serde::Deserialize;

/// What the prompter can be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cue {
    /// Nothing: a frame arrives, and that is all.
    Rest,
    Open,
    Confirm,
    Cancel,
    /// The next revision begins.
    Endpoint,
    Retract,
    End,
    /// The text of that number in the scene.
    Text(u16),
    AnswerEnd,
    /// That many samples of the open segment's own audio, each the number of the segment.
    Sound(u16),
    /// That many samples are missing: what comes next is later by so much.
    Lost(u16),
    /// The segment has grown too long: the next one goes on.
    Split,
}

impl Cue {
    fn code(self) -> [f32; 2] {
        let (code, argument) = match self {
            Self::Rest => (0, 0),
            Self::Open => (1, 0),
            Self::Confirm => (2, 0),
            Self::Cancel => (3, 0),
            Self::Endpoint => (4, 0),
            Self::Retract => (5, 0),
            Self::End => (6, 0),
            Self::Text(text) => (7, text),
            Self::AnswerEnd => (8, 0),
            Self::Sound(samples) => (9, samples),
            Self::Lost(samples) => (10, samples),
            Self::Split => (11, 0),
        };
        [f32::from(code as u8), f32::from(argument)]
    }

    fn read(code: &[f32]) -> Self {
        let argument = code[1] as u16;
        match code[0] as u8 {
            1 => Self::Open,
            2 => Self::Confirm,
            3 => Self::Cancel,
            4 => Self::Endpoint,
            5 => Self::Retract,
            6 => Self::End,
            7 => Self::Text(argument),
            8 => Self::AnswerEnd,
            9 => Self::Sound(argument),
            10 => Self::Lost(argument),
            11 => Self::Split,
            _ => Self::Rest,
        }
    }

    /// The block to push for these, at most 160 of them in 20 ms of 16 kHz.
    pub(crate) fn block(cues: &[Self]) -> Block {
        Block::from_samples(&cues.iter().flat_map(|cue| cue.code()).collect::<Vec<f32>>())
    }
}

/// Configuration: what it can say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Prompter {
    texts: Vec<Arc<str>>,
}

#[derive(Component, Default)]
pub(crate) struct Prompted {
    segment: SegmentKey,
    serial: u32,
    /// Whether it may still be cancelled.
    undecided: bool,
    /// Whether its end holds; texts said from then on still answer it.
    ended: bool,
    revision: u32,
    turn: u32,
    seq: u32,
    samples: u64,
}

impl NodeKind for Prompter {
    const NAME: &'static str = "Prompter";
    type State = Prompted;

    fn inputs(&self) -> &[Port] {
        &[Port { name: "audio", kind: PortType::Audio }]
    }
    fn outputs(&self) -> &[Port] {
        &[Port { name: "audio", kind: PortType::Audio }, Port { name: "text", kind: PortType::Text }]
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
    fn decides_speech(&self) -> bool {
        true
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, _: &SessionContext) -> Result<Prompted, String> {
        Ok(Prompted::default())
    }
}

impl SystemNode for Prompter {
    fn hang_up(&self, state: &mut Prompted, cx: &mut NodeContext<'_>, segments: &mut SegmentWriter<'_, '_>) {
        hang_up(state, segments, cx);
    }
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        type Deciding = SegmentWriter<'static, 'static>;
        lane_system::<Prompted, Deciding>(place, world, move |lanes, params, segments| {
            for (_, mut lane, mut queue, mut state) in &mut lanes.ins {
                let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
                let mut cx = NodeContext::new(place.node, lane, params, &mut lanes.outs);
                while cx.may_step()
                    && let Some(frame) = queue.pop()
                {
                    cx.taken(&frame);
                    self.act(&mut state, frame, segments, &mut cx);
                }
            }
        })
    }
}

impl Prompter {
    fn act(
        &self,
        state: &mut Prompted,
        frame: Frame,
        segments: &mut SegmentWriter<'_, '_>,
        cx: &mut NodeContext<'_>,
    ) {
        let Payload::Audio(block) = &frame.payload else {
            if state.undecided {
                cancel(state, CancelReason::Closed, segments, cx);
            } else if state.segment.is_some() && !state.ended {
                end(state, segments, cx);
            }
            cx.send(0, frame.share());
            cx.send(1, frame);
            return;
        };
        let cues: Vec<Cue> = block.samples().chunks_exact(2).map(Cue::read).collect();
        cx.discard(frame);
        for cue in cues {
            self.follow(cue, state, segments, cx);
        }
    }

    fn follow(
        &self,
        cue: Cue,
        state: &mut Prompted,
        segments: &mut SegmentWriter<'_, '_>,
        cx: &mut NodeContext<'_>,
    ) {
        let (session, owner, segment) = (cx.lane.session, cx.lane.owner, state.segment.serial);
        let at_us = frames_to_us(state.samples, 16_000);
        match cue {
            Cue::Rest => {}
            Cue::Open => {
                let key = segments
                    .segments
                    .open(session, owner, state.serial + 1, at_us)
                    .expect("there are places");
                (state.segment, state.serial) = (key, state.serial + 1);
                (state.undecided, state.ended, state.revision) = (true, false, 0);
                state.turn = segments.segments.turn(key, session);
                cx.event(state.turn, Event::SegmentOpened { segment: key.serial, from_us: at_us });
            }
            Cue::Confirm => {
                state.undecided = false;
                state.turn = segments.segments.confirm(state.segment, session);
                cx.event(state.turn, Event::SegmentConfirmed { segment, from_us: 0, to_us: at_us });
            }
            Cue::Cancel => cancel(state, CancelReason::NotSustained, segments, cx),
            Cue::Endpoint => {
                state.revision += 1;
                let revision = state.revision;
                segments.segments.set_extent(state.segment, session, Extent::Ending(revision));
                cx.event(state.turn, Event::Endpoint { segment, revision, at_us, seen_us: at_us });
                let mark = frame(state, Payload::Mark(Mark::Endpoint), cx);
                cx.send(0, mark);
            }
            Cue::Retract => {
                let revision = state.revision;
                segments.segments.set_extent(state.segment, session, Extent::Open);
                segments.cancel(session, CancelScope::Revision { segment, revision });
                cx.event(state.turn, Event::EndpointRetracted { segment, revision, at_us });
            }
            Cue::End => end(state, segments, cx),
            Cue::Split => self.split(state, segments, cx),
            Cue::Text(text) => {
                let text = frame(state, Payload::Text(Arc::clone(&self.texts[usize::from(text)])), cx);
                cx.send(1, text);
            }
            Cue::AnswerEnd => {
                let mark = frame(state, Payload::Mark(Mark::AnswerEnd), cx);
                cx.send(1, mark);
            }
            Cue::Lost(samples) => state.samples += u64::from(samples),
            Cue::Sound(samples) => {
                let mut block = cx.pool.lease(usize::from(samples));
                block.try_mut().expect("a leased block has one owner").fill(segment as f32);
                let mut sound = frame(state, Payload::Audio(block), cx);
                sound.revision = 0;
                state.samples += u64::from(samples);
                cx.send(0, sound);
            }
        }
    }

    fn split(&self, state: &mut Prompted, segments: &mut SegmentWriter<'_, '_>, cx: &mut NodeContext<'_>) {
        let (session, segment) = (cx.lane.session, state.segment.serial);
        let at_us = frames_to_us(state.samples, 16_000);
        let before = state.segment;
        segments.segments.set_extent(before, session, Extent::Ended(0));
        let split = Event::SegmentEnded {
            segment,
            revision: 0,
            from_us: 0,
            to_us: at_us,
            speech_from_us: 0,
            speech_to_us: at_us,
            split: true,
        };
        cx.event(state.turn, split);
        let mut mark = frame(state, Payload::Mark(Mark::Split), cx);
        mark.revision = 0;
        cx.send(0, mark);
        self.follow(Cue::Open, state, segments, cx);
        self.follow(Cue::Confirm, state, segments, cx);
        segments.segments.answered(before, session);
    }
}

fn cancel(
    state: &mut Prompted,
    reason: CancelReason,
    segments: &mut SegmentWriter<'_, '_>,
    cx: &mut NodeContext<'_>,
) {
    let (session, segment) = (cx.lane.session, state.segment.serial);
    segments.segments.cancel(state.segment, session, reason);
    segments.cancel(session, CancelScope::Segment { segment });
    let to_us = frames_to_us(state.samples, 16_000);
    cx.event(state.turn, Event::SegmentCancelled { segment, reason, from_us: 0, to_us });
    (state.segment, state.undecided, state.revision) = (SegmentKey::NONE, false, 0);
}

fn end(state: &mut Prompted, segments: &mut SegmentWriter<'_, '_>, cx: &mut NodeContext<'_>) {
    let (segment, revision) = (state.segment.serial, state.revision);
    segments.segments.set_extent(state.segment, cx.lane.session, Extent::Ended(revision));
    let to_us = frames_to_us(state.samples, 16_000);
    let (from_us, speech_from_us, speech_to_us) = (0, 0, to_us);
    cx.event(
        state.turn,
        Event::SegmentEnded { segment, revision, from_us, to_us, speech_from_us, speech_to_us, split: false },
    );
    let mut mark = frame(state, Payload::Mark(Mark::SegmentEnd), cx);
    mark.revision = 0;
    cx.send(0, mark);
    state.ended = true;
}

fn hang_up(state: &mut Prompted, segments: &mut SegmentWriter<'_, '_>, cx: &mut NodeContext<'_>) {
    if state.undecided {
        cancel(state, CancelReason::Closed, segments, cx);
    }
}

/// A frame of the current segment and revision.
fn frame(state: &mut Prompted, payload: Payload, cx: &NodeContext<'_>) -> Frame {
    state.seq = state.seq.wrapping_add(1);
    Frame {
        payload,
        pts_us: frames_to_us(state.samples, 16_000),
        arrived_us: cx.now.us,
        queued_us: cx.now.us,
        deadline_us: 0,
        session: cx.lane.session,
        segment: state.segment,
        revision: state.revision,
        turn: state.turn,
        seq: state.seq,
    }
}
