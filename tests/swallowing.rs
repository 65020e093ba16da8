//! Nodes and services that fail in the middle of a scene, and nodes behind them that note what they are told.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use bevy_ecs::prelude::Component;
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{
    Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick, parse_config,
};
use mynah_engine::service::{Call, CallKey, Reply, ReplyPart, Service, ServiceKind, ServiceSite};
use mynah_engine::speech::Cancellation;
use mynah_engine::{Frame, NodeId, Registry};
use mynah_systems::service::{FliteVoice, Modelled, Production, Work};
use serde::Deserialize;

use super::Prompter;

thread_local! {
    /// What the notes of this thread's engine say: when, at which node, what.
    static NOTES: RefCell<Vec<(u64, NodeId, Cancellation)>> = const { RefCell::new(Vec::new()) };
}

/// The notes of the engine that runs in this thread.
pub(crate) fn notes() -> Vec<(u64, NodeId, Cancellation)> {
    NOTES.take()
}

/// For each speech that was begun: waits until its thread has done with it, gives the samples that were made.
pub(crate) type Speeches = Arc<Mutex<Vec<Box<dyn Fn() -> usize + Send>>>>;

/// The standard kinds, the prompter and all of this file.
pub(crate) fn registry(speeches: &Speeches) -> Registry {
    NOTES.take();
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>().add::<Noter>().add::<Swallower>().add::<Replayer>();
    for (name, service) in [("Failing", Broken::Failing), ("Silent", Broken::Silent)] {
        registry.add_service(name, move |config| {
            parse_config(empty(config)).map(|()| Arc::new(service) as Arc<dyn ServiceKind>)
        });
    }
    let speeches = Arc::clone(speeches);
    registry.add_service("Watched", move |config| {
        parse_config(empty(config)).map(|()| Arc::new(Watched(Arc::clone(&speeches))) as Arc<dyn ServiceKind>)
    });
    registry
}

/// The configuration of a service that has none.
fn empty(config: &str) -> &str {
    if config.trim().is_empty() { "()" } else { config }
}

/// What all the nodes here have in common: audio in and out, no state but what `$state` says.
macro_rules! audio_kind {
    ($kind:ident, $state:ty) => {
        impl NodeKind for $kind {
            const NAME: &'static str = stringify!($kind);
            type State = $state;

            fn inputs(&self) -> &[Port] {
                &[Port { name: "audio", kind: PortType::Audio }]
            }
            fn outputs(&self) -> &[Port] {
                &[Port { name: "audio", kind: PortType::Audio }]
            }
            fn check(&self, input: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
                input
            }
            fn capabilities(&self) -> NodeCapabilities {
                NodeCapabilities {
                    parallelizable: true,
                    batch_aware: false,
                    avg_processing_us: 1,
                    queue_capacity: 120,
                    overflow_policy: OverflowPolicy::DropOldest,
                    supports_control_messages: true,
                }
            }
            fn max_out(&self, _: Option<Format>) -> u32 {
                2
            }
            fn open(&self, _: &SessionContext) -> Result<$state, String> {
                Ok(<$state>::default())
            }
        }
    };
}

/// Passes everything on and notes every correction.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Noter {}

#[derive(Component, Default)]
pub(crate) struct Nothing;

audio_kind!(Noter, Nothing);

impl StepNode for Noter {
    fn step(&self, _: &mut Nothing, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        cx.send(0, frame);
    }
    fn control(&self, _: &mut Nothing, cancellation: &Cancellation, cx: &mut NodeContext<'_>, _: NodePlace) {
        let note = (cx.now.us, cx.node, *cancellation);
        NOTES.with_borrow_mut(|notes| notes.push(note));
    }
}

/// Passes on that many frames, then nothing any more, not even a mark; no correction is heard.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Swallower {
    frames: u32,
}

#[derive(Component, Default)]
pub(crate) struct Swallowed(u32);

audio_kind!(Swallower, Swallowed);

impl StepNode for Swallower {
    fn step(&self, state: &mut Swallowed, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        state.0 += 1;
        if state.0 <= self.frames { cx.send(0, frame) } else { cx.discard(frame) }
    }
}

/// Keeps a copy of the first audio and sends it once more, as part of the next segment.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Replayer {}

#[derive(Component, Default)]
pub(crate) struct Kept(Option<Frame>);

audio_kind!(Replayer, Kept);

impl StepNode for Replayer {
    fn step(&self, state: &mut Kept, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        if let Payload::Audio(_) = frame.payload {
            match state.0.take_if(|kept| kept.segment != frame.segment) {
                Some(mut copy) => {
                    (copy.segment, copy.turn) = (frame.segment, frame.turn);
                    cx.send(0, copy);
                }
                None => state.0 = Some(frame.share()),
            }
        }
        cx.send(0, frame);
    }
}

/// A service that answers every call with a failure, or never, and hears of no correction.
#[derive(Clone, Copy)]
enum Broken {
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

/// The real voice, with an eye on the thread that makes the speech.
struct Watched(Speeches);

impl Production for Watched {
    fn work(&self, call: &Call) -> Work {
        let work = FliteVoice::default().work(call);
        if let Work::Speech(speech) = &work {
            let speech = Arc::clone(speech);
            let made = move || speech.length_within(usize::MAX, true).unwrap_or(0);
            self.0.lock().expect("nobody panics").push(Box::new(made));
        }
        work
    }
}

impl ServiceKind for Watched {
    fn start(&self, place: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Modelled::new(place, Box::new(Watched(Arc::clone(&self.0)))))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Watched"
    }
}
