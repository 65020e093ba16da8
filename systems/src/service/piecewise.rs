//! Asks a recogniser about audio in pieces as it comes, and about the rest when speech ends.

use mynah_engine::Frame;
use mynah_engine::media::{Mark, Payload, Sound};
use mynah_engine::node::{NodeContext, NodePlace};
use mynah_engine::scene::Format;

use crate::service::lane::{Question, ServiceState, ask};
use crate::service::pieces::{Rest, end_us};

/// Takes audio: makes the piece longer, or begins the next.
pub(super) fn gather(
    state: &mut ServiceState,
    frame: Frame,
    piece_us: u64,
    format: Format,
    cx: &mut NodeContext<'_>,
    place: NodePlace,
) {
    // No end of speech will ever ask for it.
    if !frame.segment.is_some() {
        return cx.discard(frame);
    }
    if state.pieces.closes_before(&frame, format, piece_us) {
        ask_piece(state, cx, place);
    }
    let rest = state.pieces.rest.get_or_insert_with(|| Rest {
        origin: frame.with(Payload::Mark(Mark::Endpoint)),
        from_us: frame.pts_us,
        to_us: frame.pts_us,
        frames: 0,
        samples: 0,
        kept: Vec::new(),
        times: (0, 0),
    });
    rest.to_us = end_us(&frame, format);
    rest.frames += 1;
    rest.samples += frame.samples() as u64;
    rest.times = (frame.queued_us, frame.deadline_us);
    if place.wants_audio {
        rest.kept.push(frame);
    } else {
        cx.discard(frame);
    }
}

/// Asks about the current piece, if there is one.
pub(super) fn ask_piece(state: &mut ServiceState, cx: &mut NodeContext<'_>, place: NodePlace) {
    let Some(rest) = state.pieces.rest.take() else { return };
    let segment = rest.origin.segment.serial;
    let (of, asked) = state.pieces.asked;
    let part = if of == segment { asked } else { 0 };
    state.pieces.asked = (segment, part + 1);
    let question = Question {
        range: (rest.from_us, rest.to_us),
        times: rest.times,
        frames: rest.frames,
        heard: rest.samples,
        audio: sound(rest.kept, cx),
        part: Some(part),
        ..Question::default()
    };
    ask(state, &rest.origin, question, cx, place);
}

/// The rest, which an end of speech asks about, and which stays for the case that the speaker goes on. `None`: there
/// is none of this segment.
pub(super) fn rest(state: &ServiceState, end: &Frame, cx: &mut NodeContext<'_>) -> Option<Question> {
    let rest = state.pieces.rest.as_ref().filter(|rest| rest.origin.segment == end.segment)?;
    let shared: Vec<Frame> = rest.kept.iter().map(|frame| cx.share(frame)).collect();
    Some(Question { range: (rest.from_us, rest.to_us), audio: sound(shared, cx), ..Question::default() })
}

/// Drops audio that nobody will ask about any more.
pub(super) fn let_go(state: &mut ServiceState, cx: &mut NodeContext<'_>) {
    if let Some(rest) = state.pieces.rest.take() {
        rest.kept.into_iter().for_each(|frame| cx.discard(frame));
    }
}

fn sound(frames: Vec<Frame>, cx: &NodeContext<'_>) -> Option<Sound> {
    let format = cx.lane.input.filter(|_| !frames.is_empty())?;
    let block = |frame: Frame| match frame.payload {
        Payload::Audio(block) => Some(block),
        Payload::Text(_) | Payload::Clip(_) | Payload::Caption(_) | Payload::Mark(_) => None,
    };
    Some(Sound { format, blocks: frames.into_iter().filter_map(block).collect() })
}
