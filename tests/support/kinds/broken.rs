//! The services `Failing` and `Silent` answer every call with a failure, or never, and hear of no correction.

use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, Service, ServiceKind, ServiceSite,
};

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
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        self.calls.extend(batch.drain(..).map(|call| call.key));
    }
    fn cancel(&mut self, _: CallScope, _: u64) {}
    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        if self.fails {
            for key in self.calls.drain(..) {
                let _always_taken = replies.give(key, ReplyPart::Failed("it is broken".into()));
            }
        }
    }
}
