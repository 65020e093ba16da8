//! The services `Failing` and `Silent` answer every call with a failure, or never, and hear of no correction.

use mynah_engine::service::{Call, CallKey, Reply, ReplyPart, Service, ServiceKind, ServiceSite};

#[derive(Clone, Copy)]
pub(super) enum Broken {
    Failing,
    Silent,
}

impl ServiceKind for Broken {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Unable { fails: matches!(self, Self::Failing), calls: Vec::new() })
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Broken"
    }
}

struct Unable {
    fails: bool,
    calls: Vec<CallKey>,
}

impl Service for Unable {
    fn submit(&mut self, batch: &mut Vec<Call>, _: u64) {
        self.calls.extend(batch.drain(..).map(|call| call.key));
    }
    fn hold(&mut self, _: CallKey, _: bool) {}
    fn retract(&mut self, _: CallKey, _: u64) {}
    fn poll(&mut self, _: u64, replies: &mut Vec<Reply>) {
        if self.fails {
            let failed = |key| Reply { key, part: ReplyPart::Failed("it is broken".into()) };
            replies.extend(self.calls.drain(..).map(failed));
        }
    }
    fn next_due_us(&self) -> Option<u64> {
        None
    }
}
