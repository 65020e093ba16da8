//! The service `Teller` answers in three sentences that say what was asked. Asked for a `tool` it calls one and says what
//! came of that; asked for what `hangs` it says nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, Service, ServiceKind, ServiceSite,
};
use mynah_engine::{Registry, SessionId};

/// The standard kinds and `Teller`.
pub(crate) fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add_service("Teller", |_| Ok(Arc::new(Teller)));
    registry
}

struct Teller;

impl ServiceKind for Teller {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Telling::default())
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Teller"
    }
}

/// A call, what is still to be said, and whether a result is waited for.
struct Asked {
    key: CallKey,
    parts: VecDeque<ReplyPart>,
    waits: bool,
}

#[derive(Default)]
struct Telling {
    asked: Vec<Asked>,
}

fn text(said: String) -> ReplyPart {
    ReplyPart::Text(said.into())
}

impl Service for Telling {
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        for Call { key, text: asked, .. } in batch.drain(..) {
            let (parts, waits): (Vec<ReplyPart>, bool) = match &*asked {
                "tool" => {
                    let (call_id, name) = ("call-1".into(), "look".into());
                    (vec![ReplyPart::ToolCall { call_id, name, arguments: "{}".into() }], true)
                }
                "hangs" => (Vec::new(), true),
                _ => (
                    vec![
                        text(format!("You said {asked}. ")),
                        text("There are several ways to look at it. ".into()),
                        text("Which one do you like?".into()),
                        ReplyPart::Done { busy_us: 0 },
                    ],
                    false,
                ),
            };
            self.asked.push(Asked { key, parts: parts.into(), waits });
        }
    }
    fn cancel(&mut self, scope: CallScope, _: u64) {
        self.asked.retain(|asked| !scope.covers(&asked.key));
    }
    fn tool_result(&mut self, session: SessionId, _: &str, result: &str, _: u64) {
        for asked in self.asked.iter_mut().filter(|asked| asked.key.session == session && asked.waits) {
            asked.waits = false;
            asked.parts.extend([text(format!("It says {result}.")), ReplyPart::Done { busy_us: 0 }]);
        }
    }
    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        for Asked { key, parts, .. } in &mut self.asked {
            while let Some(part) = parts.pop_front() {
                if let Err(part) = replies.give(*key, part) {
                    parts.push_front(part);
                    break;
                }
            }
        }
        self.asked.retain(|asked| asked.waits || !asked.parts.is_empty());
    }
    fn next_due_us(&self) -> Option<u64> {
        self.asked.iter().find(|asked| !asked.parts.is_empty()).map(|_| 0)
    }
}
