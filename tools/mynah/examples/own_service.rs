//! A service of one's own, in one file: a storyteller that streams its words from a thread, as a language model in
//! another process would. It stops when it is told to, fails now and then, and once it panics: the scene's timeout,
//! retries and fallback do the rest, and the other callers notice nothing.
//!
//! In real time: the thread takes the time that it takes, and wakes the engine with each word.
//!
//! Run: `cargo run --release --example own_service`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mynah_engine::edge::SessionControl;
use mynah_engine::scene::{Source, compile, parse_config};
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, ReplyQueue, ReplySender, Service, ServiceKind, ServiceSite,
};
use mynah_engine::{EngineConfig, SessionEvent, SessionSpec};
use mynah_host::clock::Epoch;
use mynah_host::{Runner, RunnerOptions};
use serde::Deserialize;

/// Texts go to the storyteller, and what it tells comes out as text.
const SCENE: &str = r#"(
    name: "storyteller",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate()),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "storyteller", task: Reply)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "output")],
    services: {
        // Nobody speaks in this story: the callers type.
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20))),
        "storyteller": (
            output: Storyteller(words_per_s: 20),
            timeout_ms: 1000,
            retries: 1,
            fallback: "I have lost the thread.",
        ),
    },
)"#;

/// Configuration of the service output `Storyteller`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Storyteller {
    words_per_s: u32,
}

impl ServiceKind for Storyteller {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let (replies, queue) = ReplyQueue::new(site.waker);
        let (work, orders) = channel();
        let between_us = 1_000_000 / u64::from(self.words_per_s.max(1));
        // The thread ends with the service, which holds the other end of its orders.
        thread::spawn(move || tell_stories(&orders, &replies, between_us));
        Box::new(Front { work, queue })
    }
    fn modelled(&self) -> bool {
        false
    }
    fn kind(&self) -> &'static str {
        "Storyteller"
    }
}

/// What the thread is told.
enum Order {
    Tell(CallKey, Arc<str>, u8),
    Stop(CallScope),
}

/// The end of the service in the tick.
struct Front {
    work: Sender<Order>,
    queue: ReplyQueue,
}

impl Service for Front {
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        for call in batch.drain(..) {
            if &*call.text == "panic" && call.attempt == 0 {
                // As a bug would, without the backtrace.
                std::panic::resume_unwind(Box::new("the storyteller has choked"));
            }
            // A thread that is gone answers nothing: its calls time out.
            let _unused = self.work.send(Order::Tell(call.key, call.text, call.attempt));
        }
    }
    fn cancel(&mut self, scope: CallScope, _: u64) {
        self.queue.cancel(scope);
        let _unused = self.work.send(Order::Stop(scope));
    }
    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        self.queue.hand_out(replies);
    }
}

/// A story that is being told.
struct Story {
    call: CallKey,
    words: std::vec::IntoIter<String>,
}

/// The thread: a word of each story in turn, and orders in between.
fn tell_stories(orders: &Receiver<Order>, replies: &ReplySender, between_us: u64) {
    let clock = Epoch::start();
    let mut stories: Vec<Story> = Vec::new();
    loop {
        // Without a story there is nothing to do but to wait.
        let order = if stories.is_empty() { orders.recv().ok() } else { orders.try_recv().ok() };
        match order {
            Some(Order::Tell(call, text, attempt)) => match (&*text, attempt) {
                ("hang", _) => {}
                ("fail", _) | ("fail once", 0) => {
                    replies.send(call, ReplyPart::Failed("no idea".into()));
                }
                _ => {
                    let story =
                        format!("Once upon a time there was {text}, and they lived happily ever after.");
                    let words: Vec<String> = story.split_inclusive(' ').map(String::from).collect();
                    stories.push(Story { call, words: words.into_iter() });
                }
            },
            Some(Order::Stop(scope)) => stories.retain(|story| {
                let stops = scope.covers(&story.call);
                if stops {
                    replies.send(story.call, ReplyPart::Stopped { wasted_us: 0 });
                }
                !stops
            }),
            None if stories.is_empty() => return,
            None => {
                clock.sleep_until(clock.now_us() + between_us);
                stories.retain_mut(|story| match story.words.next() {
                    Some(word) => {
                        replies.send(story.call, ReplyPart::Text(word.into()));
                        true
                    }
                    None => {
                        replies.send(story.call, ReplyPart::Done { busy_us: 0 });
                        false
                    }
                });
            }
        }
    }
}

/// What each caller types, and when, ms.
const CALLERS: [(&str, &[(u64, &str)]); 3] = [
    ("anna", &[(0, "a dragon"), (1_500, "a very small dragon"), (3_500, "fail once")]),
    ("ben", &[(200, "hang"), (2_500, "fail")]),
    ("carl", &[(1_350, "panic")]),
];
const END_US: u64 = 6_500_000;

/// Plays the story; each line is told when it happens.
pub(crate) fn play(mut tell: impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    let mut registry = mynah_systems::registry(None);
    registry.add_service("Storyteller", |config| Ok(Arc::new(parse_config::<Storyteller>(config)?)));
    let (plan, _warnings) = compile(&Source::new("storyteller.ron", SCENE), &[], None, &registry)?;
    let config = EngineConfig { threads: 1, ..EngineConfig::real_time() };
    let runner = Runner::spawn(plan.into(), config, RunnerOptions::default())?;
    let mut controls: Vec<SessionControl> = Vec::new();
    let mut ends = Vec::new();
    for (name, _) in CALLERS {
        let (microphone, loudspeaker, control) = runner.handle().open(SessionSpec::named(name))?.split()?;
        ends.push((microphone, loudspeaker));
        controls.push(control);
    }
    let epoch = Epoch::start();
    let mut told: Vec<String> = vec![String::new(); CALLERS.len()];
    for ms in 0..END_US / 1_000 {
        epoch.sleep_until(ms * 1_000);
        for (at, control) in controls.iter_mut().enumerate() {
            let (name, texts) = CALLERS[at];
            if let Some((_, text)) = texts.iter().find(|(at_ms, _)| *at_ms == ms) {
                control.send_text(*text)?;
                tell(format!("{:5.2} s  {name}: {text}", ms as f64 / 1e3));
            }
            while let Some(event) = control.poll() {
                let what = match event {
                    SessionEvent::Text { text, .. } => {
                        told[at].push_str(&text);
                        if !text.ends_with('.') {
                            continue;
                        }
                        format!("to {name}: {}", std::mem::take(&mut told[at]))
                    }
                    SessionEvent::AnswerInterrupted { .. } => {
                        format!("to {name}: {}--", std::mem::take(&mut told[at]))
                    }
                    SessionEvent::ServiceFailed { reason, .. } => format!("{name}'s call failed: {reason}"),
                    _ => continue,
                };
                tell(format!("{:5.2} s  {what}", ms as f64 / 1e3));
            }
        }
    }
    runner.stop()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    play(|line| println!("{line}"))
}
