//! Kinds that panic for sessions whose name begins with `weak`: `Weak` in any of a step node's functions, `Flock` in a
//! system over all lanes, `Spy` in a system that the engine did not build.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bevy_ecs::change_detection::DetectChangesMut as _;
use bevy_ecs::prelude::{Component, IntoSystem, Query, World};
use bevy_ecs::system::BoxedSystem;
use mynah_engine::media::{Lane, Mark, Payload, Queue};
use mynah_engine::node::{
    Advice, NodeContext, NodeKind, NodeParams, NodePlace, ReadyContext, SessionContext, StepNode, SystemNode,
    lane_system,
};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::service::{Call, CallKey, Reply, Request};
use mynah_engine::speech::{CancelScope, Cancellation};
use mynah_engine::{DropReason, Frame, Registry};
use serde::Deserialize;

/// States that were used after a panic in them, over all tests of the program.
pub(crate) static USED_AFTER: AtomicU32 = AtomicU32::new(0);

/// Adds the kinds.
pub(crate) fn add(registry: &mut Registry) {
    registry.add::<Weak>().add_system::<Flock>().add_system::<Spy>();
}

/// A function of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Spot {
    #[default]
    Never,
    Open,
    Step,
    /// As the end of the stream is taken.
    End,
    Wake,
    Reply,
    Ready,
    Advise,
    Skip,
    Control,
    /// As the session hangs up.
    HangUp,
    Keeps,
    Waiting,
    Due,
}

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

fn capabilities() -> NodeCapabilities {
    NodeCapabilities {
        parallelizable: true,
        batch_aware: false,
        avg_processing_us: 1,
        queue_capacity: 100,
        overflow_policy: OverflowPolicy::DropOldest,
        supports_control_messages: true,
    }
}

/// Takes a frame a tick after it came, and holds each back until the next one comes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Weak {
    panics: Spot,
    /// At which call of that function for a session, counted from 1.
    at: u32,
    /// Puts every frame to the service `oracle`, too.
    asks: bool,
}

#[derive(Component, Default)]
struct Weakness {
    is_weak: bool,
    calls: AtomicU32,
    torn: AtomicBool,
    held: Option<Frame>,
    due_us: Option<u64>,
    waiting: u32,
    asked: u32,
}

impl Weak {
    fn pass(&self, spot: Spot, state: &Weakness) {
        if state.torn.load(Ordering::Relaxed) {
            USED_AFTER.fetch_add(1, Ordering::Relaxed);
        }
        if state.is_weak && self.panics == spot && state.calls.fetch_add(1, Ordering::Relaxed) + 1 >= self.at
        {
            state.torn.store(true, Ordering::Relaxed);
            panic!("weak at {spot:?}");
        }
    }
}

impl NodeKind for Weak {
    const NAME: &'static str = "Weak";
    type State = Weakness;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        capabilities()
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        2
    }
    fn service(&self) -> Option<&str> {
        self.asks.then_some("oracle")
    }
    fn open(&self, context: &SessionContext) -> Result<Weakness, String> {
        let state = Weakness { is_weak: context.name.starts_with("weak"), ..Weakness::default() };
        self.pass(Spot::Open, &state);
        Ok(state)
    }
}

impl StepNode for Weak {
    const CALLS: bool = true;

    fn step(&self, state: &mut Weakness, frame: Frame, cx: &mut NodeContext<'_>, place: NodePlace) {
        self.pass(Spot::Step, state);
        if matches!(frame.payload, Payload::Mark(Mark::StreamEnd)) {
            self.pass(Spot::End, state);
        }
        state.due_us = Some(cx.now.us + 7_000);
        if let Some(service) = place.service
            && frame.is_content()
        {
            cx.request(service, Request::Start(call(state.asked, &frame, cx, place)));
            state.asked += 1;
            state.waiting += 1;
        }
        if frame.is_content() {
            if let Some(before) = state.held.replace(frame) {
                cx.send(0, before);
            }
        } else {
            if let Some(before) = state.held.take() {
                cx.send(0, before);
            }
            cx.send(0, frame);
        }
    }
    fn control(&self, state: &mut Weakness, told: &Cancellation, cx: &mut NodeContext<'_>, _: NodePlace) {
        self.pass(Spot::Control, state);
        if told.scope == CancelScope::Session {
            self.pass(Spot::HangUp, state);
        }
        if let Some(held) = state.held.take() {
            if told.covers_frame(&held) {
                cx.drop_frame(held, DropReason::Closed);
            } else {
                state.held = Some(held);
            }
        }
    }
    fn keeps(&self, state: &Weakness) -> bool {
        self.pass(Spot::Keeps, state);
        true
    }
    fn reply(&self, state: &mut Weakness, reply: Reply, _: &mut NodeContext<'_>, _: NodePlace) {
        self.pass(Spot::Reply, state);
        if !reply.part.goes_on() {
            state.waiting -= 1;
        }
    }
    fn ready(&self, state: &Weakness, queue: &Queue, look: ReadyContext<'_>) -> bool {
        self.pass(Spot::Ready, state);
        queue.front().is_some_and(|frame| frame.queued_us < look.now.us)
    }
    fn waiting(&self, state: &Weakness) -> u32 {
        self.pass(Spot::Waiting, state);
        state.waiting
    }
    fn advise(&self, state: &mut Weakness, _: Advice, _: &mut NodeContext<'_>, _: NodePlace) {
        self.pass(Spot::Advise, state);
    }
    fn skip(&self, state: &mut Weakness, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        self.pass(Spot::Skip, state);
        cx.send(0, frame);
    }
    fn due_us(&self, state: &Weakness) -> u64 {
        self.pass(Spot::Due, state);
        state.due_us.unwrap_or(u64::MAX)
    }
    fn wake(&self, state: &mut Weakness, _: &mut NodeContext<'_>, _: NodePlace) {
        self.pass(Spot::Wake, state);
        state.due_us = None;
    }
}

fn call(part: u32, frame: &Frame, cx: &NodeContext<'_>, place: NodePlace) -> Call {
    let key = CallKey {
        session: frame.session,
        generation: cx.generation(),
        node: place.node,
        segment: frame.segment,
        revision: 0,
        turn: 0,
        part,
    };
    Call {
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
        history: Default::default(),
    }
}

/// Passes frames on, all lanes in one system.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Flock {
    /// Panics with that frame of audio of a weak session; 0: with none.
    at: u32,
    /// Panics as it hears of a cancellation of a weak session.
    at_control: bool,
}

#[derive(Component)]
struct Sheep {
    is_weak: bool,
    taken: u32,
    held: Option<Frame>,
}

impl NodeKind for Flock {
    const NAME: &'static str = "Flock";
    type State = Sheep;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        capabilities()
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        2
    }
    fn open(&self, context: &SessionContext) -> Result<Sheep, String> {
        Ok(Sheep { is_weak: context.name.starts_with("weak"), taken: 0, held: None })
    }
}

impl SystemNode for Flock {
    fn is_idle(&self, _: &Sheep) -> bool {
        true
    }
    fn control(&self, state: &mut Sheep, told: &Cancellation, cx: &mut NodeContext<'_>) {
        assert!(!(self.at_control && state.is_weak), "a weak sheep");
        if let Some(held) = state.held.take_if(|held| told.covers_frame(held)) {
            cx.drop_frame(held, DropReason::Closed);
        }
    }
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        lane_system::<Sheep, ()>(place, world, move |lanes, params, ()| {
            for (_, mut lane, mut queue, mut state) in &mut lanes.ins {
                let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
                let mut cx = NodeContext::new(place.node, lane, params, &mut lanes.outs);
                while cx.may_step()
                    && let Some(frame) = queue.pop()
                {
                    cx.taken(&frame);
                    state.taken += u32::from(frame.is_content());
                    assert!(!(state.is_weak && state.taken == self.at), "a weak sheep");
                    let is_content = frame.is_content();
                    if let Some(before) = state.held.take() {
                        cx.send(0, before);
                    }
                    if is_content {
                        state.held = Some(frame);
                    } else {
                        cx.send(0, frame);
                    }
                }
            }
        })
    }
}

/// Takes all audio and says nothing, in a system of its own making.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Spy {
    /// Panics with that frame of audio of a weak session.
    at: u32,
}

#[derive(Component)]
struct Spied(Sheep);

impl NodeKind for Spy {
    const NAME: &'static str = "Spy";
    type State = Spied;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        &[]
    }
    fn check(&self, _: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        None
    }
    fn capabilities(&self) -> NodeCapabilities {
        capabilities()
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        0
    }
    fn open(&self, context: &SessionContext) -> Result<Spied, String> {
        Ok(Spied(Sheep { is_weak: context.name.starts_with("weak"), taken: 0, held: None }))
    }
}

impl SystemNode for Spy {
    fn is_idle(&self, _: &Spied) -> bool {
        true
    }
    fn system(self: Arc<Self>, place: NodePlace, _: &mut World) -> BoxedSystem {
        let system = move |mut lanes: Query<'_, '_, (&mut Lane, &mut Queue, &mut Spied)>,
                           mut params: NodeParams<'_, '_>| {
            for (_, mut queue, mut state) in &mut lanes {
                // What a panic has cost by then is in the queue, and is counted there.
                let next = state.0.taken + queue.iter().filter(|frame| frame.is_content()).count() as u32;
                assert!(!(state.0.is_weak && self.at > 0 && next >= self.at), "a spy is caught");
                while let Some(frame) = queue.pop() {
                    if let Payload::Audio(block) = frame.payload {
                        state.0.taken += 1;
                        params.pool.put(block);
                        let counts = params.counts.node(place.node);
                        counts.consumed += 1;
                        counts.taken += 1;
                    }
                }
            }
        };
        Box::new(IntoSystem::into_system(system))
    }
}
