//! `Prompter`: opens, confirms and takes back segments, says texts and lets audio through, all as the audio that
//! arrives tells it. A plain system over its lanes, because it decides about segments as a gate does.
#![allow(dead_code, reason = "every test gives its own cues")]

use std::sync::Arc;

use bevy_ecs::change_detection::DetectChangesMut as _;
use bevy_ecs::prelude::{Component, World};
use bevy_ecs::system::BoxedSystem;
use mynah_engine::base::{SegmentKey, frames_to_us};
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{
    NodeContext, NodeKind, NodePlace, OpenSegment, SegmentWriter, SessionContext, SystemNode, lane_system,
};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{CancelReason, SegmentParams};
use mynah_engine::{Block, Frame};
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
    segment: OpenSegment,
    /// The segment that texts answer, also when its end holds, and the revision.
    about: SegmentKey,
    revision: u32,
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
    fn hang_up(&self, state: &mut Prompted, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        hang_up(state, gate);
    }
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        lane_system::<Prompted, SegmentParams<'static, 'static>>(
            place,
            world,
            move |lanes, params, segments| {
                for (_, mut lane, mut queue, mut state) in &mut lanes.ins {
                    let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
                    let mut cx = NodeContext::new(place.node, lane, params, &mut lanes.outs);
                    while cx.may_step()
                        && let Some(frame) = queue.pop()
                    {
                        cx.taken(&frame);
                        self.act(&mut state, frame, &mut SegmentWriter::new(&mut cx, segments));
                    }
                }
            },
        )
    }
}

impl Prompter {
    fn act(&self, state: &mut Prompted, frame: Frame, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        let Payload::Audio(block) = &frame.payload else {
            hang_up(state, gate);
            if state.segment.is_open() {
                state.segment.end(gate);
            }
            gate.cx.send(0, frame.share());
            gate.cx.send(1, frame);
            return;
        };
        let cues: Vec<Cue> = block.samples().chunks_exact(2).map(Cue::read).collect();
        gate.cx.discard(frame);
        for cue in cues {
            self.follow(cue, state, gate);
        }
    }

    fn follow(&self, cue: Cue, state: &mut Prompted, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        let at_us = frames_to_us(state.samples, 16_000);
        match cue {
            Cue::Rest => {}
            Cue::Open => {
                assert!(state.segment.open(at_us, gate), "there are places");
                (state.about, state.revision) = (state.segment.key(), 0);
            }
            Cue::Confirm => state.segment.confirm(state.segment.from_us(), gate),
            Cue::Cancel => cancel(state, CancelReason::NotSustained, gate),
            Cue::Endpoint => {
                state.revision += 1;
                state.segment.endpoint(state.revision, (at_us, at_us), gate);
            }
            Cue::Retract => state.segment.retract(gate),
            Cue::End => state.segment.end(gate),
            Cue::Split => {
                state.segment.split(gate);
                self.follow(Cue::Open, state, gate);
                self.follow(Cue::Confirm, state, gate);
            }
            Cue::Text(text) => {
                answer(state, Payload::Text(Arc::clone(&self.texts[usize::from(text)])), gate.cx);
            }
            Cue::AnswerEnd => answer(state, Payload::Mark(Mark::AnswerEnd), gate.cx),
            Cue::Lost(samples) => state.samples += u64::from(samples),
            Cue::Sound(samples) => {
                let mut block = gate.cx.pool.lease(usize::from(samples));
                let number = state.about.serial as f32;
                block.try_mut().expect("a leased block has one owner").fill(number);
                let mut sound = frame(state, Payload::Audio(block), gate.cx);
                sound.revision = 0;
                state.samples += u64::from(samples);
                if state.segment.is_open() {
                    state.segment.forward(sound, frames_to_us(state.samples, 16_000), gate.cx);
                } else {
                    gate.cx.send(0, sound);
                }
            }
        }
    }
}

fn cancel(state: &mut Prompted, reason: CancelReason, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
    state.segment.cancel(reason, gate);
    (state.about, state.revision) = (SegmentKey::NONE, 0);
}

/// What is undecided is no speech.
fn hang_up(state: &mut Prompted, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
    if state.segment.is_open() && !state.segment.is_confirmed() {
        cancel(state, CancelReason::Closed, gate);
    }
}

fn answer(state: &mut Prompted, payload: Payload, cx: &mut NodeContext<'_>) {
    let mut frame = frame(state, payload, cx);
    frame.seq = state.segment.next_seq();
    cx.send(1, frame);
}

/// A frame of the current segment and revision.
fn frame(state: &Prompted, payload: Payload, cx: &NodeContext<'_>) -> Frame {
    Frame {
        payload,
        pts_us: frames_to_us(state.samples, 16_000),
        arrived_us: cx.now.us,
        queued_us: cx.now.us,
        deadline_us: 0,
        session: cx.lane.session,
        segment: state.about,
        revision: state.revision,
        turn: state.segment.turn(),
        seq: 0,
    }
}
