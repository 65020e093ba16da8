//! The work that a modelled service does for a call, independent of its timing.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::Block;
use mynah_engine::service::{Call, CallScope, SegmentRef, SessionKey, SessionRef};
use mynah_engine::speech::Heard;

use crate::moonshine::HeardText;
use crate::service::outside::OutsideAnswer;
use crate::service::studio::Speech;

/// The result of a call.
pub enum Work {
    /// Pieces of text, in order.
    Text(VecDeque<Arc<str>>),
    /// Speech that another thread is making.
    Speech(Arc<Speech>),
    /// Words that another thread is finding in audio.
    Words(Arc<HeardText>),
    /// What comes from outside the process, part by part.
    Outside(Arc<OutsideAnswer>),
    /// No result, for this reason.
    Failure(Arc<str>),
}

/// Does the work of a service, without its timing.
pub trait Production: Send + Sync {
    /// Whether calls bring their audio.
    fn wants_audio(&self) -> bool {
        false
    }
    /// Whether its answers are there at once on the wall clock, as nothing of their time is modelled.
    fn is_instant(&self) -> bool {
        false
    }
    /// Calls that it wants at once on the wall clock, where threads of its own take them in turn; 0: as many as the timing has
    /// workers.
    fn wanted_at_once(&self) -> usize {
        0
    }
    /// Begins or does the work of one call.
    fn work(&self, call: &Call) -> Work;
    /// A session begins; see [`Service`](mynah_engine::service::Service), as for all that follows.
    fn open(&self, session: &SessionRef) {
        let _unused = session;
    }
    /// A session is over.
    fn close(&self, session: SessionKey) {
        let _unused = session;
    }
    /// Audio of a segment as it arrives, for productions that [want](Self::wants_audio) audio. Calls bring all of it again.
    fn hear(&self, segment: SegmentRef, audio: &Block) {
        let _unused = (segment, audio);
    }
    /// The first segment was split, and the second goes on with it.
    fn goes_on(&self, before: SegmentRef, segment: SegmentRef) {
        let _unused = (before, segment);
    }
    /// Something is taken back. Answers under way that this covers are stopped in any case.
    fn cancel(&self, scope: CallScope) {
        let _unused = scope;
    }
    /// The end of a segment holds, and its answer is settled.
    fn commit(&self, segment: SegmentRef, revision: u32, heard: &Heard) {
        let _unused = (segment, revision, heard);
    }
}

/// How far a result is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// More will come.
    InPart,
    /// All of it is made: this many samples.
    Whole(usize),
}

/// How far a speech is made, for a job.
pub(super) fn made_by(speech: &Speech, samples: usize, wall: bool) -> Made {
    match speech.length_within(samples, !wall) {
        Some(length) => Made::Whole(length),
        None => Made::InPart,
    }
}

/// The words of a text, each with the white space after it, as a language model gives them out one by one.
pub(crate) fn pieces(text: &str) -> VecDeque<Arc<str>> {
    text.split_inclusive(char::is_whitespace).map(Arc::from).collect()
}
