//! What is being spoken, told to the host, and to the session's memory, as the audio leaves.

use std::sync::Arc;

use crate::base::time::frames_to_us;
use crate::media::frame::{Caption, Mark, Payload};
use crate::media::queue::Queue;
use crate::media::spoken::SpokenTime;
use crate::node::context::NodeContext;
use crate::record::aside::Aside;
use crate::record::event::ToldCaption;
use crate::speech::cancellation::Cancellation;
use crate::speech::playout::Playout;

/// The captions of one session's output.
#[derive(Default)]
pub(crate) struct Captions {
    /// Its audio leaves next, as part of the answer to this (segment, revision).
    next: Option<(Arc<Caption>, (u32, u32))>,
    /// More times of the caption whose audio leaves next.
    more: Vec<Arc<[SpokenTime]>>,
    /// The words whose audio leaves at present; their end is not known yet.
    spoken: Option<Open>,
}

/// Words that are being spoken.
struct Open {
    text: Arc<str>,
    turn: u32,
    origin: (u32, u32),
    /// Where in the answer they began.
    from_us: u64,
    /// What has left of them, microseconds.
    left_us: u64,
}

/// The answer that leaves at present.
fn origin(playout: &Playout) -> (u32, u32) {
    (playout.segment, playout.revision)
}

/// Tells of words at a place of the answer that leaves.
fn tell(
    cx: &mut NodeContext<'_>,
    (turn, origin): (u32, (u32, u32)),
    text: Arc<str>,
    (from_us, until_us): (u64, Option<u64>),
    times: Arc<[SpokenTime]>,
) {
    let session = cx.lane.session;
    cx.log.caption(ToldCaption { after: 0, session, turn, origin, text, from_us, until_us, times });
}

impl Captions {
    /// A caption of the answer to a (segment, revision) comes before its audio, or more times of one.
    pub(crate) fn comes(&mut self, caption: Arc<Caption>, origin: (u32, u32), cx: &mut NodeContext<'_>) {
        if !caption.text.is_empty() {
            self.next = Some((caption, origin));
            self.more.clear();
        } else if self.next.as_ref().is_some_and(|(_, of)| *of == origin) {
            self.more.push(Arc::clone(&caption.times));
        } else {
            let spoken = self.spoken.as_ref().filter(|spoken| spoken.origin == origin);
            let (turn, from_us) = spoken.map_or((0, 0), |spoken| (spoken.turn, spoken.from_us));
            tell(cx, (turn, origin), "".into(), (from_us, None), Arc::clone(&caption.times));
        }
    }

    /// A block of the answer is about to leave.
    pub(crate) fn leaves(&mut self, playout: &Playout, cx: &mut NodeContext<'_>) {
        // What was withdrawn before its audio came is of no answer that leaves.
        let Some((caption, origin)) = self.next.take_if(|(_, of)| *of == origin(playout)) else { return };
        self.ends(playout, cx);
        let (text, from_us) = (Arc::clone(&caption.text), playout.released_us);
        let until_us = caption.us.map(|us| from_us + us);
        let answer = (playout.turn, origin);
        tell(cx, answer, Arc::clone(&text), (from_us, until_us), Arc::clone(&caption.times));
        for times in self.more.drain(..) {
            tell(cx, answer, "".into(), (from_us, None), times);
        }
        if until_us.is_none() {
            self.spoken = Some(Open { text, turn: playout.turn, origin, from_us, left_us: 0 });
        }
    }

    /// A block of `us` has left.
    pub(crate) fn left(&mut self, us: u64) {
        if let Some(spoken) = &mut self.spoken {
            spoken.left_us += us;
        }
    }

    /// The audio of what is spoken has left.
    pub(crate) fn ends(&mut self, playout: &Playout, cx: &mut NodeContext<'_>) {
        if let Some(Open { text, origin: of, from_us, .. }) = self.spoken.take()
            && of == origin(playout)
        {
            let until_us = Some(playout.released_us);
            tell(cx, (playout.turn, of), text, (from_us, until_us), Arc::default());
        }
    }

    /// The answer breaks off.
    pub(crate) fn clear(&mut self) {
        (self.next, self.spoken) = (None, None);
    }

    /// If a cancellation covers what is spoken, notes how long that would have been, as far as it was made: `queue` holds
    /// what has not left.
    pub(crate) fn are_cut(&mut self, cancellation: &Cancellation, queue: &Queue, cx: &mut NodeContext<'_>) {
        let session = cx.lane.session;
        let covered = |spoken: &mut Open| cancellation.covers(session, spoken.origin.0, spoken.origin.1);
        let Some(Open { origin, left_us, .. }) = self.spoken.take_if(covered) else { return };
        let Some(format) = cx.lane.input else { return };
        let (mut made_us, mut is_all) = (left_us, false);
        let rest = queue.iter().filter(|frame| (frame.segment.serial, frame.revision) == origin);
        for frame in rest {
            match &frame.payload {
                Payload::Audio(block) => {
                    let frames = block.len() as u64 / u64::from(format.channels);
                    made_us += frames_to_us(frames, format.rate_hz);
                }
                Payload::Mark(Mark::AnswerEnd) => is_all = true,
                Payload::Caption(caption) => is_all = !caption.text.is_empty(),
                Payload::Text(_) | Payload::Clip(_) | Payload::Mark(_) => {}
            }
            if is_all {
                break;
            }
        }
        cx.log.aside(session, || Aside::Cut { origin, made_us, is_all });
    }
}
