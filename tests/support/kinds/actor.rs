//! The service `Actor` behaves as the name of the session, or what it is asked, says: it hangs, fails, panics or answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, ReplyQueue, Service, ServiceKind, ServiceSite,
};
use mynah_proof::endings::Endings;
use serde::Deserialize;

/// What actors have done, over all instances.
#[derive(Clone, Default)]
pub(crate) struct Stage {
    pub(crate) endings: Endings,
    /// Calls started, in all attempts.
    pub(crate) started: Arc<AtomicU64>,
    pub(crate) instances: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Actor {
    /// Time from a call to its answer.
    after_ms: u64,
    hears: bool,
    /// Attempts of each call that fail, where the session's name or the text has `flaky` in it.
    fails: u32,
}

impl Default for Actor {
    fn default() -> Self {
        Self { after_ms: 20, hears: false, fails: 2 }
    }
}

struct Kind(Actor, Stage);

impl ServiceKind for Kind {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        self.1.instances.fetch_add(1, Ordering::Relaxed);
        let acting = Acting {
            actor: self.0,
            stage: self.1.clone(),
            queue: ReplyQueue::default(),
            open: Vec::new(),
            flops: Vec::new(),
            touchy: Vec::new(),
        };
        self.1.endings.watched(Box::new(acting))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Actor"
    }
}

/// Registers it.
pub(crate) fn add(registry: &mut Registry, stage: &Stage) {
    let stage = stage.clone();
    registry.add_service("Actor", move |config| {
        let config = if config.trim().is_empty() { "()" } else { config };
        Ok(Arc::new(Kind(parse_config::<Actor>(config)?, stage.clone())) as Arc<dyn ServiceKind>)
    });
}

struct Acting {
    actor: Actor,
    stage: Stage,
    queue: ReplyQueue,
    /// When each call is due, and what is answered; `None`: nothing, ever.
    open: Vec<(u64, CallKey, Option<ReplyPart>)>,
    /// Attempts that have failed.
    flops: Vec<CallKey>,
    /// Calls that it panics at when it is to stop them.
    touchy: Vec<CallKey>,
}

impl Service for Acting {
    fn wants_audio(&self) -> bool {
        self.actor.hears
    }

    fn start(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        for call in batch.drain(..) {
            self.stage.started.fetch_add(1, Ordering::Relaxed);
            let says = format!("{} {}", call.name, call.text);
            if says.contains("panics in start") {
                // A panic that is expected, without a word of the hook.
                std::panic::resume_unwind(Box::new("a fault of its own"));
            }
            if says.contains("panics in cancel") {
                self.touchy.push(call.key);
            }
            let failed = self.flops.iter().filter(|key| **key == call.key).count() as u32;
            let part = if says.contains("hangs") {
                None
            } else if says.contains("flaky") && failed < self.actor.fails {
                self.flops.push(call.key);
                Some(ReplyPart::Failed("not in the mood".into()))
            } else {
                Some(ReplyPart::Text(format!("answer to {}", call.text).into()))
            };
            self.open.push((now_us + self.actor.after_ms * 1_000, call.key, part));
        }
    }

    fn cancel(&mut self, scope: CallScope, _: u64) {
        if self.touchy.iter().any(|call| scope.covers(call)) {
            std::panic::resume_unwind(Box::new("a fault of its own"));
        }
        self.queue.cancel(scope);
        let queue = &mut self.queue;
        self.open.retain(|(_, call, part)| {
            let covered = scope.covers(call);
            // What hangs does not even hear that it should stop.
            if covered && part.is_some() {
                queue.push(*call, ReplyPart::Stopped { wasted_us: 7 });
            }
            !covered
        });
    }

    fn poll(&mut self, now_us: u64, replies: &mut Replies<'_>) {
        let (queue, open) = (&mut self.queue, &mut self.open);
        open.retain_mut(|(due_us, call, part)| {
            if *due_us > now_us || part.is_none() {
                return true;
            }
            let Some(part) = part.take() else { return true };
            let goes_on = part.goes_on();
            queue.push(*call, part);
            if goes_on {
                queue.push(*call, ReplyPart::Done { busy_us: 20_000 });
            }
            false
        });
        queue.hand_out(replies);
    }

    fn next_due_us(&self) -> Option<u64> {
        self.open.iter().filter(|(.., part)| part.is_some()).map(|(due_us, ..)| *due_us).min()
    }
}
