//! One session's part of a service node: the audio and text gathered, the calls under way, and the frames that pass
//! in order.

use std::sync::Arc;

use bevy_ecs::prelude::Component;
use mynah_engine::Frame;
use mynah_engine::base::SegmentKey;
use mynah_engine::media::{Mark, Payload, Sound};
use mynah_engine::node::{NodeContext, NodePlace};
use mynah_engine::service::{Call, CallKey, Request, SegmentRef};
use mynah_engine::speech::History;

use crate::service::asked::{Asked, Order};
use crate::service::pieces::{Pieces, end_us};

/// The audio and text that one session has gathered, and its calls.
#[derive(Component, Default)]
pub struct ServiceState {
    /// The audio of the segment heard at present.
    pub(super) heard: Option<Heard>,
    /// The pieces, for a recogniser that is asked in pieces.
    pub(super) pieces: Pieces,
    /// Text gathered for one revision.
    pub(super) gathered: Gathered,
    pub(super) order: Order,
    pub(super) asking: Asking,
    pub(super) speaking: Speaking,
    /// Whether the first call is on hold: its output found no room.
    pub(super) full: bool,
    pub(super) seq: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub(super) segment: SegmentKey,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    /// Whether the segment was split: the next one goes on with this range.
    pub(super) goes_on: bool,
}

#[derive(Default)]
pub(super) struct Gathered {
    pub(super) origin: (u32, u32),
    pub(super) texts: Vec<Arc<str>>,
    /// Characters in these texts.
    chars: usize,
    /// Queue entry time and deadline of the first of them.
    entered_us: u64,
    deadline_us: u64,
}

/// A revision being asked about, part by part.
#[derive(Clone, Copy, Default)]
pub(super) struct Asking {
    pub(super) origin: (u32, u32),
    parts: u32,
    /// Tick in which its runway was last open.
    pub(super) open_tick: u64,
}

/// The answer that is being spoken.
#[derive(Clone, Copy, Default)]
pub(super) struct Speaking {
    pub(super) origin: (u32, u32),
    /// Media time of its first sample, and sample frames sent.
    pub(super) from_us: u64,
    pub(super) frames_out: u64,
}

impl Gathered {
    /// Characters gathered for the origin of `frame`.
    pub(super) fn chars_with(&self, frame: &Frame) -> usize {
        let mine = self.origin == (frame.segment.serial, frame.revision) && !self.texts.is_empty();
        if mine { self.chars } else { 0 }
    }

    pub(super) fn add(&mut self, frame: &Frame, text: &Arc<str>) {
        let origin = (frame.segment.serial, frame.revision);
        if self.origin != origin {
            self.texts.clear();
            self.origin = origin;
        }
        if self.texts.is_empty() {
            self.chars = 0;
            (self.entered_us, self.deadline_us) = (frame.queued_us, frame.deadline_us);
        }
        self.chars += text.chars().count();
        self.texts.push(Arc::clone(text));
    }

    /// The whole text that `end` bounds, the number of its frames, and its times.
    pub(super) fn take(&mut self, end: &Frame) -> (Arc<str>, u64, (u64, u64)) {
        let mine = self.origin == (end.segment.serial, end.revision);
        let frames = if mine { self.texts.len() as u64 } else { 0 };
        let text: Arc<str> = match self.texts.as_slice() {
            _ if !mine => "".into(),
            [one] => Arc::clone(one),
            many => many.concat().into(),
        };
        self.texts.clear();
        (text, frames, (self.entered_us, self.deadline_us))
    }
}

/// Takes audio: notes its range, and passes the audio to services that want it.
pub(super) fn hear(state: &mut ServiceState, mut frame: Frame, cx: &mut NodeContext<'_>, place: NodePlace) {
    let format = cx.lane.input.expect("a lane that got audio has a format");
    let end_us = end_us(&frame, format);
    let segment = frame.segment;
    let heard =
        state.heard.get_or_insert(Heard { segment, from_us: frame.pts_us, to_us: end_us, goes_on: false });
    if heard.segment != segment {
        let from_us = if heard.goes_on { heard.from_us } else { frame.pts_us };
        if let (true, true, Some(service)) = (heard.goes_on, place.wants_audio, place.service) {
            let to = key(&frame, 0, cx).segment();
            cx.request(service, Request::GoesOn(SegmentRef { serial: heard.segment.serial, ..to }, to));
        }
        *heard = Heard { segment, from_us, to_us: end_us, goes_on: false };
    }
    heard.to_us = end_us;
    // What belongs to no segment is asked about by nobody.
    if place.wants_audio
        && segment.is_some()
        && let (Some(service), Payload::Audio(_)) = (place.service, &frame.payload)
    {
        let of = key(&frame, 0, cx).segment();
        let Payload::Audio(block) = std::mem::replace(&mut frame.payload, Payload::Mark(Mark::Endpoint))
        else {
            return;
        };
        cx.request(service, Request::Hear(of, block));
        return;
    }
    cx.discard(frame);
}

/// A question to a service.
#[derive(Default)]
pub(super) struct Question {
    pub(super) text: Arc<str>,
    pub(super) audio: Option<Sound>,
    /// Media time of the audio heard.
    pub(super) range: (u64, u64),
    /// Queue entry time and deadline.
    pub(super) times: (u64, u64),
    /// Frames taken for this call alone, and their samples.
    pub(super) frames: u64,
    pub(super) heard: u64,
    /// Number of the call among those of its revision; `None`: the next.
    pub(super) part: Option<u32>,
    /// Whether it is about an answer, for which the conversation must be known.
    pub(super) answers: bool,
}

/// Asks the service about the origin of `frame`; only the first call in order hands anything out.
pub(super) fn ask(
    state: &mut ServiceState,
    frame: &Frame,
    asks: Question,
    cx: &mut NodeContext<'_>,
    place: NodePlace,
) {
    let Some(service) = place.service else { return };
    let Question { text, audio, range: (from_us, to_us), times, frames, heard, part, answers } = asks;
    let (entered_us, deadline_us) = times;
    let part = part.unwrap_or_else(|| {
        let origin = (frame.segment.serial, frame.revision);
        if state.asking.origin != origin {
            state.asking = Asking { origin, ..Asking::default() };
        }
        state.asking.parts += 1;
        state.asking.parts - 1
    });
    let key = key(frame, part, cx);
    let deadline_us = if place.rule.is_some() { deadline_us } else { 0 };
    let sentences = sentences(&text);
    let (name, queued_us) = (cx.session_name(), cx.now.us);
    let reduced = false;
    let (params, said) = (cx.session_params(), Arc::clone(&text));
    let history = if answers { cx.history(frame.segment) } else { History::empty() };
    let call = Call {
        key,
        name,
        text,
        audio,
        from_us,
        to_us,
        queued_us,
        deadline_us,
        reduced,
        sentences,
        params,
        attempt: 0,
        history,
    };
    cx.request(service, Request::Start(call));
    if state.order.calls() > 0 {
        cx.request(service, Request::Hold(key, true));
    }
    let from_us = to_us;
    let (samples, times, begun, spoke) = (0, Arc::default(), false, false);
    state.order.ask(Asked {
        key,
        text: said,
        entered_us,
        deadline_us,
        from_us,
        frames,
        heard,
        samples,
        times,
        begun,
        spoke,
    });
}

/// Sentences in a text, at least 1; abbreviations count, so it is never too few.
fn sentences(text: &str) -> u32 {
    let ends = text
        .match_indices(['.', '?', '!'])
        .filter(|(at, _)| text[at + 1..].chars().next().is_none_or(char::is_whitespace));
    ends.count().max(1) as u32
}

/// Sends the frames that pass, as soon as everything before them has left.
pub(super) fn pass_on(state: &mut ServiceState, cx: &mut NodeContext<'_>) {
    while let Some(frame) = state.order.passing() {
        if matches!(frame.payload, Payload::Mark(Mark::SegmentEnd)) {
            state.pieces.over();
            continue;
        }
        cx.send(0, frame);
    }
}

/// Moves on after the first in order has changed: frames pass, and the next call may hand out.
pub(super) fn advance(state: &mut ServiceState, cx: &mut NodeContext<'_>, place: NodePlace) {
    pass_on(state, cx);
    if let (Some(key), Some(service), false) = (state.order.front(), place.service, state.full) {
        cx.request(service, Request::Hold(key, false));
    }
}

fn key(frame: &Frame, part: u32, cx: &NodeContext<'_>) -> CallKey {
    CallKey {
        session: frame.session,
        generation: cx.generation(),
        node: cx.node,
        segment: frame.segment,
        revision: frame.revision,
        turn: frame.turn,
        part,
    }
}

/// A frame derived from the call `key`.
pub(super) fn answer(
    state: &mut ServiceState,
    key: CallKey,
    pts_us: u64,
    payload: Payload,
    cx: &NodeContext<'_>,
) -> Frame {
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
