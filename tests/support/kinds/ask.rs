//! `Ask` puts every frame of audio to a service and passes on the text that comes back.

mod stubborn;

use std::sync::Arc;

use bevy_ecs::prelude::Component;
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{
    Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick, parse_config,
};
use mynah_engine::service::{Call, CallKey, Reply, ReplyPart, Request, ServiceKind};
use mynah_engine::{Frame, Registry};
use serde::Deserialize;
use stubborn::Stubborn;

/// One node that asks; the service's latency in the scene is what it takes.
pub(crate) const SCENE: &str = r#"(
    name: "asking",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "ask", kind: Ask())],
    edges: [("input", "ask"), ("ask", "output")],
    services: {"oracle": (output: Stubborn, timing: (latency: Fixed(ms: 12)))},
)"#;

/// What `Stubborn` takes over every question unless the scene says otherwise.
pub(crate) const LATENCY_US: u64 = 12_000;

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
    const CALLS: bool = true;

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
            part: frame.seq,
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
            params: cx.session_params(),
            attempt: 0,
            history: Arc::default(),
        };
        cx.request(place.service.expect("the scene names the service"), Request::Start(call));
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
