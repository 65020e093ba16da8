//! `Host`: the answers come from the session's host, such as the dialogue of a game or a language model of its own.
//!
//! Each call becomes a request that the host is told of ([`SessionEvent::ReplyRequested`]), and answers with
//! [`SessionControl::reply_to`], in one part or in many. A request whose call is taken back is over
//! ([`SessionEvent::ReplyCancelled`]): what the host still says to it is dropped.
//!
//! [`SessionEvent::ReplyRequested`]: mynah_engine::SessionEvent::ReplyRequested
//! [`SessionEvent::ReplyCancelled`]: mynah_engine::SessionEvent::ReplyCancelled
//! [`SessionControl::reply_to`]: mynah_engine::edge::SessionControl::reply_to

use std::sync::Arc;

use mynah_engine::scene::parse_config;
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, ReplyQueue, SegmentRef, Service, ServiceKind, ServiceSite,
};
use mynah_engine::{Registry, SessionId};
use serde::Deserialize;

/// Configuration of the service output `Host`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Host {}

/// What the hosts were asked and have not answered yet.
#[derive(Default)]
struct Requests {
    /// The calls that hosts answer, with the numbers of their requests.
    open: Vec<(CallKey, u64)>,
    /// Requests that are over, of which the hosts are still to be told.
    over: Vec<(SegmentRef, u64)>,
    answers: ReplyQueue,
    /// Requests so far.
    count: u64,
}

impl Service for Requests {
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        for Call { key, .. } in batch.drain(..) {
            self.count += 1;
            self.open.push((key, self.count));
            self.answers.push(key, ReplyPart::Requested(self.count));
        }
    }

    fn cancel(&mut self, scope: CallScope, _: u64) {
        self.answers.cancel(scope);
        let (over, answers) = (&mut self.over, &mut self.answers);
        self.open.retain(|(call, request)| {
            let covered = scope.covers(call);
            if covered {
                over.push((call.segment(), *request));
                answers.push(*call, ReplyPart::Stopped { wasted_us: 0 });
            }
            !covered
        });
    }

    fn reply_to(&mut self, session: SessionId, request: u64, text: &Arc<str>, last: bool) {
        // Numbers count over all sessions: the host of another one cannot answer here.
        let open = self.open.iter().position(|(call, asked)| (call.session, *asked) == (session, request));
        let Some(at) = open else { return };
        let call = self.open[at].0;
        if !text.is_empty() {
            self.answers.push(call, ReplyPart::Text(Arc::clone(text)));
        }
        if last {
            self.open.swap_remove(at);
            self.answers.push(call, ReplyPart::Done { busy_us: 0 });
        }
    }

    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        for (segment, request) in self.over.drain(..) {
            replies.request_over(segment, request);
        }
        self.answers.hand_out(replies);
    }

    fn next_due_us(&self) -> Option<u64> {
        // What was said to this service in the last tick leaves with the next one, which comes at once.
        (!self.over.is_empty() || self.answers.is_fresh()).then_some(0)
    }
}

impl ServiceKind for Host {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Requests::default())
    }
    fn modelled(&self) -> bool {
        false
    }
    fn kind(&self) -> &'static str {
        "Host"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("Host", |config| Ok(Arc::new(parse_config::<Host>(config)?)));
}
