//! A kind and a service for tests of the edge: `Ask` puts every frame of audio to a service and passes on the text
//! that comes back. The service `Stubborn` answers after a fixed time even when it is told to stop, and may announce
//! another time than that.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::Component;
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{
    Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick, parse_config,
};
use mynah_engine::service::{Call, CallKey, Reply, ReplyPart, Request, Service, ServiceKind, ServiceSite};
use mynah_engine::{Frame, Registry};
use serde::Deserialize;

/// One node that asks; the service's latency in the scene is what it takes.
pub(crate) const SCENE: &str = r#"(
    name: "asking",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "ask", kind: Ask())],
    edges: [("input", "ask"), ("ask", "output")],
    services: {"oracle": (output: Stubborn, timing: (latency: Fixed(ms: 12)))},
)"#;

/// The standard kinds, `Ask` and `Stubborn`.
pub(crate) fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add::<Ask>();
    registry.add_service("Stubborn", |config| {
        let config = if config.trim().is_empty() { "()" } else { config };
        parse_config::<Stubborn>(config).map(|kind| Arc::new(kind) as Arc<dyn ServiceKind>)
    });
    registry
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ask {}

#[derive(Component)]
struct Asked;

impl NodeKind for Ask {
    const NAME: &'static str = "Ask";
    type State = Asked;

    fn inputs(&self) -> &[Port] {
        &[Port { name: "audio", kind: PortType::Audio }]
    }
    fn outputs(&self) -> &[Port] {
        &[Port { name: "text", kind: PortType::Text }]
    }
    fn check(&self, _: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        None
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            queue_capacity: 100,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: false,
        }
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn service(&self) -> Option<&str> {
        Some("oracle")
    }
    fn open(&self, _: &SessionContext) -> Result<Asked, String> {
        Ok(Asked)
    }
}

impl StepNode for Ask {
    fn step(&self, _: &mut Asked, frame: Frame, cx: &mut NodeContext<'_>, place: NodePlace) {
        if let Payload::Mark(_) = frame.payload {
            cx.send(0, frame);
            return;
        }
        let key = CallKey {
            session: frame.session,
            generation: cx.generation(),
            node: place.node,
            segment: frame.segment,
            revision: 0,
            turn: 0,
            part: 0,
        };
        let call = Call {
            key,
            name: cx.session_name(),
            text: "".into(),
            audio: None,
            from_us: frame.pts_us,
            to_us: frame.pts_us,
            queued_us: cx.now.us,
            deadline_us: 0,
            reduced: false,
            sentences: 1,
        };
        cx.request(place.service.expect("the scene names the service"), Request::End(call));
        cx.discard(frame);
    }

    fn reply(&self, _: &mut Asked, reply: Reply, cx: &mut NodeContext<'_>, _: NodePlace) {
        let CallKey { session, segment, revision, turn, .. } = reply.key;
        if let ReplyPart::Text(text) = reply.part {
            let now_us = cx.now.us;
            let frame = Frame {
                payload: Payload::Text(text),
                pts_us: 0,
                arrived_us: now_us,
                queued_us: now_us,
                deadline_us: 0,
                session,
                segment,
                revision,
                turn,
                seq: 0,
            };
            cx.send(0, frame);
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Stubborn {
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

/// What it takes over every question unless the scene says otherwise.
pub(crate) const LATENCY_US: u64 = 12_000;

struct Answers {
    asked: VecDeque<(u64, Call)>,
    latency_us: u64,
    announced_us: Option<u64>,
}

impl Service for Answers {
    fn submit(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        let due_us = now_us + self.latency_us;
        self.asked.extend(batch.drain(..).map(|call| (due_us, call)));
    }
    fn hold(&mut self, _: CallKey, _: bool) {}
    fn retract(&mut self, _: CallKey, _: u64) {}
    fn poll(&mut self, now_us: u64, replies: &mut Vec<Reply>) {
        while let Some((_, call)) = self.asked.pop_front_if(|(due_us, _)| *due_us <= now_us) {
            let text = format!("{} #{}", call.name, call.key.generation);
            replies.push(Reply { key: call.key, part: ReplyPart::Text(text.into()) });
            replies.push(Reply { key: call.key, part: ReplyPart::Done { busy_us: self.latency_us } });
        }
    }
    fn next_due_us(&self) -> Option<u64> {
        self.asked.front().map(|(due_us, _)| self.announced_us.unwrap_or(*due_us))
    }
}
