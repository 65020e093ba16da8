//! The service `Stubborn` answers after a fixed time even when it is told to stop, and may announce another time than that.

use std::collections::VecDeque;

use mynah_engine::service::{Call, CallScope, Replies, ReplyPart, Service, ServiceKind, ServiceSite};
use serde::Deserialize;

use super::LATENCY_US;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Stubborn {
    /// What it takes over every question; absent: [`LATENCY_US`].
    latency_us: Option<u64>,
    /// When it says it is due while it has questions; absent: when it is.
    announced_us: Option<u64>,
}

impl ServiceKind for Stubborn {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        let latency_us = self.latency_us.unwrap_or(LATENCY_US);
        Box::new(Answers { asked: VecDeque::new(), latency_us, announced_us: self.announced_us })
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Stubborn"
    }
}

struct Answers {
    asked: VecDeque<(u64, Call)>,
    latency_us: u64,
    announced_us: Option<u64>,
}

impl Service for Answers {
    fn start(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        let due_us = now_us + self.latency_us;
        self.asked.extend(batch.drain(..).map(|call| (due_us, call)));
    }
    fn cancel(&mut self, _: CallScope, _: u64) {}
    fn poll(&mut self, now_us: u64, replies: &mut Replies<'_>) {
        while let Some((_, call)) = self.asked.pop_front_if(|(due_us, _)| *due_us <= now_us) {
            let text = format!("{} #{}", call.name, call.key.generation);
            let _dropped_where_full = replies.give(call.key, ReplyPart::Text(text.into()));
            let _as_the_text = replies.give(call.key, ReplyPart::Done { busy_us: self.latency_us });
        }
    }
    fn next_due_us(&self) -> Option<u64> {
        self.asked.front().map(|(due_us, _)| self.announced_us.unwrap_or(*due_us))
    }
}
