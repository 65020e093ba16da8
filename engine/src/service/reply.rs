//! What services answer.

use std::sync::Arc;

use crate::base::ids::SegmentKey;
use crate::media::block::Block;
use crate::media::spoken::SpokenTime;
use crate::service::call::{CallKey, SegmentRef};
use crate::service::flights::{Flights, PARTS_PER_TICK, State};

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// Part of an answer.
#[derive(Debug)]
pub enum ReplyPart {
    /// A piece of text.
    Text(Arc<str>),
    /// Audio in the format the node declares, at most 20 ms.
    Audio(Block),
    /// When words and phones of the call's text sound; comes before the audio in which they do.
    Times(Arc<[SpokenTime]>),
    /// The service asks the session's host to do something; [`Service::tool_result`](super::Service::tool_result) brings
    /// what came of it.
    ToolCall { call_id: Arc<str>, name: Arc<str>, arguments: Arc<str> },
    /// The service has the session's host answer: the number of the request.
    Requested(u64),
    /// The call is complete; it cost this much of the service's time.
    Done { busy_us: u64 },
    /// The call failed, with the reason.
    Failed(Arc<str>),
    /// The call was stopped after this much of the service's time.
    Stopped { wasted_us: u64 },
    /// What was heard of a segment so far, in place of what was said before; no call has asked for it yet.
    Partial(Arc<str>),
    /// The host's answer to this request is not wanted any more.
    RequestOver(u64),
    /// The scene's words before an answer of which nothing has come yet: the hub says them, and no service does.
    Filler(Arc<str>),
    /// The call failed for this reason before any of its answer had come, and is started again.
    Retried(Arc<str>),
    /// Before it was submitted, the call was merged with the one before it of the same origin, which answers both.
    Merged,
    /// The call was dropped: there was no room where calls wait.
    Dropped,
}

impl ReplyPart {
    /// Whether more of the call's answer may follow.
    pub fn goes_on(&self) -> bool {
        matches!(
            self,
            Self::Text(_)
                | Self::Audio(_)
                | Self::Times(_)
                | Self::Filler(_)
                | Self::ToolCall { .. }
                | Self::Requested(_)
                | Self::Partial(_)
                | Self::RequestOver(_)
                | Self::Retried(_)
        )
    }
}

/// A reply of a service.
#[derive(Debug)]
pub struct Reply {
    /// The call that is answered.
    pub key: CallKey,
    /// One part of the answer, or its end.
    pub part: ReplyPart,
}

/// Takes what a service has ready in this tick.
pub struct Replies<'a> {
    flights: &'a mut Flights,
    service: u8,
    now_us: u64,
    list: &'a mut Vec<Reply>,
}

impl<'a> Replies<'a> {
    pub(crate) fn new(flights: &'a mut Flights, service: u8, now_us: u64, list: &'a mut Vec<Reply>) -> Self {
        Self { flights, service, now_us, list }
    }

    /// Parts of the answer to `call` that are taken now. 0: calls before it are not done, its consumers are full, or
    /// enough was taken in this tick.
    pub fn room(&self, call: CallKey) -> u32 {
        let flight = self.flights.get(&call).filter(|flight| flight.service == self.service);
        // Of a call that is over everything is taken, and dropped.
        flight.map_or(PARTS_PER_TICK, |flight| flight.room(self.flights.tick))
    }

    /// Gives a part of the answer to `call`, or its end. Parts of a call that is over are dropped; an end that comes
    /// after the call was taken back counts as [`ReplyPart::Stopped`].
    ///
    /// # Errors
    /// The part comes back: there is no [room](Self::room) for it now. Only [`ReplyPart::Failed`] and
    /// [`ReplyPart::Stopped`] are always taken.
    pub fn give(&mut self, call: CallKey, part: ReplyPart) -> Result<(), ReplyPart> {
        let tick = self.flights.tick;
        let Some(flight) = self.flights.get_mut(&call).filter(|flight| flight.service == self.service) else {
            return Ok(());
        };
        match (flight.state, &part) {
            (State::Stopping | State::GivenUp, ReplyPart::Stopped { .. }) => {}
            // The end was under way when the call was taken back: its work has stopped, too.
            (State::Stopping | State::GivenUp, ReplyPart::Done { .. } | ReplyPart::Failed(_)) => {
                let wasted_us = if let ReplyPart::Done { busy_us } = part { busy_us } else { 0 };
                self.list.push(Reply { key: call, part: ReplyPart::Stopped { wasted_us } });
                return Ok(());
            }
            (State::Stopping | State::GivenUp | State::Waiting | State::Failed, _) => return Ok(()),
            (State::Started, ReplyPart::Failed(_)) => {}
            // Comes with audio that is counted.
            (State::Started, ReplyPart::Times(_)) if !flight.held => {}
            (State::Started, _) if flight.room(tick) == 0 => return Err(part),
            (State::Started, _) => {
                flight.parts = (tick, PARTS_PER_TICK + 1 - flight.room(tick));
                flight.since_us = self.now_us;
            }
        }
        self.list.push(Reply { key: call, part });
        Ok(())
    }

    /// What was taken in this poll so far: for services that wrap others.
    pub fn given(&self) -> &[Reply] {
        self.list
    }

    /// Tells what was heard of a segment so far, in place of what was told before. For the host: no node sees this.
    pub fn partial(&mut self, segment: SegmentRef, text: Arc<str>) {
        self.list.push(Reply { key: about(segment), part: ReplyPart::Partial(text) });
    }

    /// Tells the host that its answer to a request is not wanted any more.
    pub fn request_over(&mut self, segment: SegmentRef, request: u64) {
        self.list.push(Reply { key: about(segment), part: ReplyPart::RequestOver(request) });
    }
}

/// What is told of a segment and of no call.
fn about(segment: SegmentRef) -> CallKey {
    let SegmentRef { of, serial } = segment;
    CallKey {
        session: of.session,
        generation: of.generation,
        node: of.node,
        segment: SegmentKey { slot: 0, serial },
        revision: 0,
        turn: 0,
        part: 0,
    }
}
