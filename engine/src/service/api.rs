//! Slow models behind the tick: what a service is, and what it is made with.

use std::any::Any;
use std::sync::Arc;

use crate::base::ids::SessionId;
use crate::edge::shard_inbox::Bell;
use crate::media::block::Block;
use crate::scene::Timing;
use crate::service::call::{Call, CallKey, CallScope, SegmentRef, SessionKey, SessionRef};
use crate::service::reply::Replies;
use crate::speech::heard::Heard;

/// A slow model outside the tick.
///
/// Called only from serial steps of the tick, by session in order of their ids, never while another call is under way:
/// a service hands its work to threads of its own, and [`poll`](Self::poll) hands out what they have made. The engine
/// keeps the order of answers, their flow, timeouts and retries; a service only works.
///
/// **Endings.** Whatever a service hears of ends once:
/// - a session with [`close`](Self::close). By then all its segments and calls have ended;
/// - a segment, from the first audio or the first call about it on, with [`commit`](Self::commit), or with a
///   [`cancel`](Self::cancel) that [ends](CallScope::ends) it;
/// - a call with the [`Done`](super::ReplyPart::Done) or [`Failed`](super::ReplyPart::Failed) that the service gives, or
///   with a `cancel` that [covers](CallScope::covers) it. After that the service gives nothing but one
///   [`Stopped`](super::ReplyPart::Stopped) for the call, once its work has stopped.
///
/// A service that panics is dropped, which ends everything it has heard of, and made anew: its calls fail, or are
/// started again where the scene allows that, and the sessions that are open are opened at the new one.
pub trait Service: Any + Send {
    /// A session begins, before anything is asked for it.
    fn open(&mut self, session: SessionRef) {
        drop(session);
    }
    /// A session is over.
    fn close(&mut self, session: SessionKey) {
        let _unused = session;
    }
    /// Whether the service wants audio: as it arrives, or in the calls of a node that asks in pieces. If not, calls
    /// only give its range. Asked once.
    fn wants_audio(&self) -> bool {
        false
    }
    /// Audio of a segment as it arrives, at most 20 ms, in the format of [`SessionRef::hears`]. Much of it comes before
    /// it is known whether the segment is speech.
    fn hear(&mut self, segment: SegmentRef, audio: Block) {
        drop((segment, audio));
    }
    /// The segment `before` was split: the audio heard of it belongs to `segment`, which goes on without a gap and will
    /// be asked about. Comes before the first audio of `segment`. `before` ends like any other segment.
    fn goes_on(&mut self, before: SegmentRef, segment: SegmentRef) {
        let _unused = (before, segment);
    }
    /// Starts a batch of calls; empties `batch`. More than one only for nodes behind the hub.
    fn start(&mut self, batch: &mut Vec<Call>, now_us: u64);
    /// Batches that the service can start at once; the hub starts no more.
    fn room(&self) -> usize {
        usize::MAX
    }
    /// Advice: nothing of the call is taken until it is released (`false`). For services that plan when they have to be
    /// [polled](Self::next_due_us); [`Replies`] refuses in any case. May come before the call.
    fn hold(&mut self, call: CallKey, held: bool) {
        let _unused = (call, held);
    }
    /// Stops what `scope` covers, and forgets what it ends.
    fn cancel(&mut self, scope: CallScope, now_us: u64);
    /// The end of `revision` holds, and its answer is settled: `heard` says how much of it was heard. The segment has
    /// ended. With revision 0 there was to be no answer. What is to be remembered of the segment is known only now.
    fn commit(&mut self, segment: SegmentRef, revision: u32, heard: &Heard) {
        let _unused = (segment, revision, heard);
    }
    /// The host's answer to a [`ToolCall`](super::ReplyPart::ToolCall), for every service of the scene: which one
    /// asked, the name says.
    fn tool_result(&mut self, session: SessionId, call_id: &str, result: &str, now_us: u64) {
        let _unused = (session, call_id, result, now_us);
    }
    /// Part of the host's own answer to a [`Requested`](super::ReplyPart::Requested), for every service of the scene.
    /// `last`: nothing follows.
    fn reply_to(&mut self, session: SessionId, request: u64, text: &Arc<str>, last: bool) {
        let _unused = (session, request, text, last);
    }
    /// Hands out what is ready by `now_us`. What is refused is given again at a later poll.
    fn poll(&mut self, now_us: u64, replies: &mut Replies<'_>);
    /// Engine time in microseconds at which a reply will be ready, if known: the driver wakes then. A time that is
    /// past, or 0, means at once. `None`: nothing will be, or the service [wakes](ServiceSite::waker) the driver.
    fn next_due_us(&self) -> Option<u64> {
        None
    }
}

/// The time that a service runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// The scene's model says when an answer is ready; the driver waits for real work before passing that time.
    Virtual,
    /// Real services take the time they take; simulated ones keep their model.
    Wall,
}

/// Wakes the driver of an engine, from any thread: an answer is ready, and the tick that polls it begins at once. The
/// default wakes nobody.
#[derive(Clone, Debug, Default)]
pub struct ServiceWaker(pub(crate) Arc<Bell>);

impl ServiceWaker {
    /// Wakes the driver. Cheap: only the first call since the last tick wakes anybody.
    pub fn wake(&self) {
        self.0.ring();
    }
}

/// The surroundings of a new service.
#[derive(Clone, Debug)]
pub struct ServiceSite<'a> {
    /// Its name in the scene.
    pub name: &'a str,
    /// Its modelled timing; `None`: the scene gives none.
    pub timing: Option<&'a Timing>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The time that it runs in.
    pub time: TimeMode,
    /// Wakes the driver of its engine.
    pub waker: ServiceWaker,
}

/// A configured kind of service, from the scene.
pub trait ServiceKind: Any + Send + Sync {
    /// Makes the service; again after it has panicked.
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service>;
    /// Whether its timing or its output is simulated, for reports.
    fn modelled(&self) -> bool;
    /// Whether it keeps to the scene's `timing`, which scenes must then give.
    fn keeps_timing(&self) -> bool {
        false
    }
    /// Whether its answers come from outside the process, where they may differ from run to run: a log keeps them, so that
    /// the run can be repeated.
    fn is_outside(&self) -> bool {
        false
    }
    /// The name of the kind.
    fn kind(&self) -> &'static str;
}
