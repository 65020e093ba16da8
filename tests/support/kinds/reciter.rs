//! The service `Reciter` answers at once, in a few sentences that say what was asked, and keeps what each call knew of the
//! conversation. Asked for a `tool` it calls one, and says what came of that.

use std::sync::{Arc, Mutex};

use mynah_engine::base::SegmentKey;
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, Service, ServiceKind, ServiceSite,
};
use mynah_engine::speech::History;
use mynah_engine::{Registry, SessionId};

/// A call that came: its segment, its text, and what it knew.
pub(crate) type Asked = (SegmentKey, Arc<str>, Arc<History>);

/// The calls that came, in order.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Asked>>>);

impl Calls {
    pub(crate) fn all(&self) -> Vec<Asked> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

/// The standard kinds and `Reciter`.
pub(crate) fn registry() -> (Registry, Calls) {
    let mut registry = mynah_systems::registry(None);
    let calls = Calls::default();
    let kept = calls.clone();
    registry.add_service("Reciter", move |_| Ok(Arc::new(Reciter(kept.clone()))));
    (registry, calls)
}

struct Reciter(Calls);

impl ServiceKind for Reciter {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Reciting { calls: self.0.clone(), asked: Vec::new(), came: Vec::new() })
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Reciter"
    }
}

struct Reciting {
    calls: Calls,
    asked: Vec<(CallKey, Arc<str>)>,
    /// Results of tools, by session.
    came: Vec<(SessionId, Arc<str>)>,
}

impl Service for Reciting {
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        for Call { key, text, history, .. } in batch.drain(..) {
            self.calls.0.lock().expect("nobody panics with it").push((
                key.segment,
                Arc::clone(&text),
                history,
            ));
            self.asked.push((key, text));
        }
    }
    fn cancel(&mut self, scope: CallScope, _: u64) {
        self.asked.retain(|(asked, _)| !scope.covers(asked));
    }
    fn tool_result(&mut self, session: SessionId, _: &str, result: &str, _: u64) {
        self.came.push((session, result.into()));
    }
    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        let mut waits = Vec::new();
        for (key, text) in self.asked.drain(..) {
            let mut say = |text: String| {
                replies.give(key, ReplyPart::Text(text.into())).expect("few at a time");
            };
            let came = self.came.iter().position(|(session, _)| *session == key.session);
            match (&*text, came) {
                ("tool", Some(came)) => say(format!("It says {}.", self.came.remove(came).1)),
                ("tool" | "waits", None) => {
                    if &*text == "tool" {
                        let (call_id, name) = ("call-1".into(), "look".into());
                        let part = ReplyPart::ToolCall { call_id, name, arguments: "{}".into() };
                        replies.give(key, part).expect("few at a time");
                    }
                    waits.push((key, "waits".into()));
                    continue;
                }
                ("waits", Some(came)) => say(format!("It says {}.", self.came.remove(came).1)),
                (asked, _) => {
                    for sentence in [
                        &format!("You said {asked}. "),
                        "There are several ways to look at it. ",
                        "Which one do you like?",
                    ] {
                        say(sentence.into());
                    }
                }
            }
            replies.give(key, ReplyPart::Done { busy_us: 0 }).expect("few at a time");
        }
        self.asked = waits;
    }
    fn next_due_us(&self) -> Option<u64> {
        self.asked.first().filter(|(_, text)| **text != *"waits").map(|_| 0)
    }
}
