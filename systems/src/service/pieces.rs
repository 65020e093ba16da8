//! A recogniser that is asked in pieces: a call for every so much audio of a segment as it comes, and one for the rest
//! at each end of speech. What the pieces said stands before what that last call says.
//!
//! Pieces belong to the segment and to no revision: a retraction leaves them, and the rest, as they are.

use std::sync::Arc;

use mynah_engine::scene::Format;
use mynah_engine::{Correction, Cx, Frame, Mark, Payload, Site, Sound, frames_to_us};

use crate::service::lane::{Question, ServiceState, ask};

/// Where a session's pieces stand.
#[derive(Default)]
pub(super) struct Pieces {
    rest: Option<Rest>,
    /// Segment of the last piece that was asked about, and how many of it were.
    asked: (u32, u32),
    /// What pieces said, by segment: those of one turn.
    said: Vec<(u32, Arc<str>)>,
}

/// Audio of one segment, without a gap, that no piece was made of yet.
struct Rest {
    /// Whose it is.
    origin: Frame,
    from_us: u64,
    to_us: u64,
    /// Frames in it; `kept` has them if the service takes audio.
    frames: u64,
    samples: u64,
    kept: Vec<Frame>,
    /// When the last of them entered the queue, and its deadline.
    times: (u64, u64),
}

/// The media time after the last sample of a frame of audio.
pub(super) fn end_us(frame: &Frame, format: Format) -> u64 {
    let frames = (frame.samples() / usize::from(format.channels)) as u64;
    frame.pts_us + frames_to_us(frames, format.rate_hz)
}

/// Media times are rounded to a microsecond each.
const ROUNDING_US: u64 = 2;

impl Pieces {
    /// Whether `frame` begins a new piece, so that what is there has to be asked about first.
    pub(super) fn closes_before(&self, frame: &Frame, format: Format, piece_us: u64) -> bool {
        self.rest.as_ref().is_some_and(|rest| {
            rest.origin.segment.serial != frame.segment.serial
                || frame.pts_us.abs_diff(rest.to_us) > ROUNDING_US
                || end_us(frame, format).saturating_sub(rest.from_us) > piece_us + ROUNDING_US
        })
    }

    /// Takes in what a piece said.
    pub(super) fn say(&mut self, segment: u32, text: Arc<str>) {
        if !text.trim().is_empty() {
            self.said.push((segment, text));
        }
    }

    /// `text` behind what the pieces of its turn said, if they said anything.
    pub(super) fn before(&self, text: &str) -> Option<Arc<str>> {
        if self.said.is_empty() {
            return None;
        }
        let said = self.said.iter().map(|(_, text)| text.trim());
        let all: Vec<&str> = said.chain(Some(text.trim_start()).filter(|text| !text.is_empty())).collect();
        Some(all.join(" ").into())
    }

    /// The segment is over, and its end holds.
    pub(super) fn over(&mut self) {
        self.said.clear();
    }

    /// Forgets what a correction voids. The frames that no call was made of.
    pub(super) fn void(&mut self, correction: &Correction, cx: &mut Cx<'_>) -> u64 {
        let session = cx.lane.session;
        self.said.retain(|(segment, _)| !correction.voids(session, *segment, 0));
        let void = |rest: &mut Rest| correction.voids(session, rest.origin.segment.serial, 0);
        let Some(rest) = self.rest.take_if(void) else { return 0 };
        rest.kept.into_iter().for_each(|frame| cx.discard(frame));
        rest.frames
    }
}

/// Takes audio: it makes the piece longer, or begins the next.
pub(super) fn gather(
    state: &mut ServiceState,
    frame: Frame,
    piece_us: u64,
    format: Format,
    cx: &mut Cx<'_>,
    site: Site,
) {
    // No end of speech will ever ask for it.
    if !frame.segment.is_some() {
        return cx.discard(frame);
    }
    if state.pieces.closes_before(&frame, format, piece_us) {
        ask_piece(state, cx, site);
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
    if site.wants_audio {
        rest.kept.push(frame);
    } else {
        cx.discard(frame);
    }
}

/// Asks about the audio that is there, if there is any.
pub(super) fn ask_piece(state: &mut ServiceState, cx: &mut Cx<'_>, site: Site) {
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
    ask(state, &rest.origin, question, cx, site);
}

/// What an end of speech asks about: the rest, which stays for the case that the speaker goes on. `None`: there is none
/// of this segment.
pub(super) fn rest(state: &ServiceState, end: &Frame, cx: &mut Cx<'_>) -> Option<Question> {
    let rest = state.pieces.rest.as_ref().filter(|rest| rest.origin.segment == end.segment)?;
    let shared: Vec<Frame> = rest.kept.iter().map(|frame| cx.share(frame)).collect();
    Some(Question { range: (rest.from_us, rest.to_us), audio: sound(shared, cx), ..Question::default() })
}

/// Lets go of what nobody will ask about any more.
pub(super) fn let_go(state: &mut ServiceState, cx: &mut Cx<'_>) {
    if let Some(rest) = state.pieces.rest.take() {
        rest.kept.into_iter().for_each(|frame| cx.discard(frame));
    }
}

fn sound(frames: Vec<Frame>, cx: &Cx<'_>) -> Option<Sound> {
    let format = cx.lane.input.filter(|_| !frames.is_empty())?;
    let block = |frame: Frame| match frame.payload {
        Payload::Audio(block) => Some(block),
        Payload::Text(_) | Payload::Mark(_) => None,
    };
    Some(Sound { format, blocks: frames.into_iter().filter_map(block).collect() })
}
