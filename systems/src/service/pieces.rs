//! A recogniser that is asked in pieces: a call for each piece of a segment's audio as it comes, and one for the rest
//! at each end of speech. The text of the pieces stands before that of the last call.
//!
//! Pieces belong to the segment and to no revision: a retraction changes neither the pieces nor the rest.

use std::sync::Arc;

use mynah_engine::Frame;
use mynah_engine::base::frames_to_us;
use mynah_engine::node::NodeContext;
use mynah_engine::scene::Format;
use mynah_engine::speech::Cancellation;

/// The pieces of a session.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) rest: Option<Rest>,
    /// Segment of the last piece that was asked about, and the number of its pieces.
    pub(super) asked: (u32, u32),
    /// Text of the pieces of one turn, by segment.
    pub(super) said: Vec<(u32, Arc<str>)>,
}

/// Audio of one segment, without a gap, that is not part of a piece yet.
pub(super) struct Rest {
    /// A frame with its segment and session.
    pub(super) origin: Frame,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    /// Frames in it; `kept` holds them if the service takes audio.
    pub(super) frames: u64,
    pub(super) samples: u64,
    pub(super) kept: Vec<Frame>,
    /// Queue entry time of the last of them, and its deadline.
    pub(super) times: (u64, u64),
}

/// The media time after the last sample of a frame of audio.
pub(super) fn end_us(frame: &Frame, format: Format) -> u64 {
    let frames = (frame.samples() / usize::from(format.channels)) as u64;
    frame.pts_us + frames_to_us(frames, format.rate_hz)
}

/// Media times are rounded to a microsecond each.
const ROUNDING_US: u64 = 2;

impl Pieces {
    /// True if `frame` begins a new piece, so that the current one has to be asked about first.
    pub(super) fn closes_before(&self, frame: &Frame, format: Format, piece_us: u64) -> bool {
        self.rest.as_ref().is_some_and(|rest| {
            rest.origin.segment.serial != frame.segment.serial
                || frame.pts_us.abs_diff(rest.to_us) > ROUNDING_US
                || end_us(frame, format).saturating_sub(rest.from_us) > piece_us + ROUNDING_US
        })
    }

    /// Takes the text of a piece.
    pub(super) fn say(&mut self, segment: u32, text: Arc<str>) {
        if !text.trim().is_empty() {
            self.said.push((segment, text));
        }
    }

    /// `text` after the text of its turn's pieces, if there is any.
    pub(super) fn before(&self, text: &str) -> Option<Arc<str>> {
        if self.said.is_empty() {
            return None;
        }
        let said = self.said.iter().map(|(_, text)| text.trim());
        let all: Vec<&str> = said.chain(Some(text.trim_start()).filter(|text| !text.is_empty())).collect();
        Some(all.join(" ").into())
    }

    /// Ends the segment, whose end is final.
    pub(super) fn over(&mut self) {
        self.said.clear();
    }

    /// Forgets what a cancellation covers, and returns the number of frames without a call.
    pub(super) fn scope(&mut self, cancellation: &Cancellation, cx: &mut NodeContext<'_>) -> u64 {
        let session = cx.lane.session;
        self.said.retain(|(segment, _)| !cancellation.covers(session, *segment, 0));
        let scope = |rest: &mut Rest| cancellation.covers(session, rest.origin.segment.serial, 0);
        let Some(rest) = self.rest.take_if(scope) else { return 0 };
        rest.kept.into_iter().for_each(|frame| cx.discard(frame));
        rest.frames
    }
}
