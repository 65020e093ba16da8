//! Node kinds: what a scene's nodes are made of, and the system that runs a trait-style one over its lanes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bevy_ecs::component::{ComponentId, Mutable};
use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, ParamBuilder, QueryParamBuilder, SystemParamBuilder, SystemState};
use bevy_ecs::world::EntityWorldMut;
use ron::error::SpannedError;
use serde::de::DeserializeOwned;

use crate::batch::DeadlineRule;
use crate::correction::Correction;
use crate::desk::{Cx, Desk, Lanes, Look, purge};
use crate::frame::{Frame, Mark, Payload};
use crate::ids::{NodeId, SessionId};
use crate::joint::JoinTexts;
use crate::queue::{Lane, Queue};
use crate::scene::{self, Buffering, Catalogue, Format, Issue, NodeCapabilities, NodeSpec, Port, Tick};
use crate::service::{Reply, ReplyPart, ServiceKind};

/// What a node's per-session state is opened with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The session.
    pub session: SessionId,
    /// Its entity.
    pub owner: Entity,
    /// Its name.
    pub name: Arc<str>,
    /// Format of the audio that will arrive at this node.
    pub input: Option<Format>,
    /// Format of the audio that leaves it.
    pub output: Option<Format>,
    /// The engine's seed.
    pub seed: u64,
    /// The scene lets it lower its quality when a deadline is near.
    pub lowers_quality: bool,
    /// Its host asked for what a node knows beside its output, as a gate's probabilities.
    pub traced: bool,
}

/// Where a node stands in the compiled scene.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The node.
    pub node: NodeId,
    /// Number of its service in the scene.
    pub service: Option<u8>,
    /// Whether that service wants audio pushed.
    pub wants_audio: bool,
    /// What gives way when little is left of an item's time, if the scene says.
    pub rule: Option<DeadlineRule>,
    /// The node is optional, and what has little time left passes it untouched.
    pub skips: bool,
}

/// Advice for a node; it may act on it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Less than the margin is left of the time of the frame that comes next.
    DeadlineNear {
        /// Microseconds left; 0 = it is over.
        left_us: u64,
    },
}

/// A type of node. The value is its configuration as the scene gives it; it is shared by all sessions.
pub trait NodeKind: DeserializeOwned + Send + Sync + Sized + 'static {
    /// Its name in scenes.
    const NAME: &'static str;
    /// What it keeps per session.
    type State: Component<Mutability = Mutable>;

    /// Its input ports; most kinds have one.
    fn inputs(&self) -> &[Port];
    /// Its output ports.
    fn outputs(&self) -> &[Port];
    /// Judges the configuration for the format that arrives and says which leaves.
    fn check(&self, input: Option<Format>, tick: &Tick, issues: &mut Vec<Issue>) -> Option<Format>;
    /// Defaults, overridable in the scene.
    fn capabilities(&self) -> NodeCapabilities;
    /// How items gather before its service, for kinds whose service works on one batch at a time.
    fn buffering(&self) -> Buffering {
        Buffering::default()
    }
    /// Whether it can give cheaper results when a deadline is near.
    fn lowers_quality(&self) -> bool {
        false
    }
    /// Whether it decides what is speech: it opens segments and gives them their serials, which count up in a session. A
    /// scene has one such node, and `check` refuses a second.
    fn decides_speech(&self) -> bool {
        false
    }
    /// Most frames emitted per frame taken.
    fn max_out(&self, input: Option<Format>) -> u32;
    /// The service in the scene's `services` that it calls.
    fn service(&self) -> Option<&str> {
        None
    }
    /// Makes the state of one session.
    ///
    /// # Errors
    /// Says why this session's format cannot be handled.
    fn open(&self, opening: &Opening) -> Result<Self::State, String>;
}

/// A node kind that handles one frame of one session at a time.
pub trait StepNode: NodeKind {
    /// Handles one frame. Marks must be passed on (`cx.send`) after whatever they bound.
    fn step(&self, state: &mut Self::State, frame: Frame, cx: &mut Cx<'_>, site: Site);
    /// Something was taken back: drop what the state holds of it. The queue has been cleared already.
    fn control(&self, state: &mut Self::State, correction: &Correction, cx: &mut Cx<'_>, site: Site) {
        let _unused = (state, correction, cx, site);
    }
    /// Whether the state holds anything that a correction could void. Where it does not, and nothing waits in the queue
    /// either, [`StepNode::control`] need not be called.
    fn keeps(&self, state: &Self::State) -> bool {
        let _unused = state;
        true
    }
    /// A service answered.
    fn reply(&self, state: &mut Self::State, reply: Reply, cx: &mut Cx<'_>, site: Site) {
        let _unused = (state, reply, cx, site);
    }
    /// Whether the oldest frame of `queue` may be taken now. While it is `false` that frame and all behind it stay in
    /// the queue, under its bound and policy; asked again every tick.
    fn ready(&self, state: &Self::State, queue: &Queue, look: Look<'_>) -> bool {
        let _unused = (state, queue, look);
        true
    }
    /// Frames taken that still wait for a service: they count into the queue's depth.
    fn waiting(&self, state: &Self::State) -> u32 {
        let _unused = state;
        0
    }
    /// Something is advised, in the tick in which it becomes true, before the frame it is about is taken.
    fn advise(&self, state: &mut Self::State, advice: Advice, cx: &mut Cx<'_>, site: Site) {
        let _unused = (state, advice, cx, site);
    }
    /// Passes on a frame untouched that has no time left for an optional node, in order with what was taken before.
    fn skip(&self, state: &mut Self::State, frame: Frame, cx: &mut Cx<'_>, site: Site) {
        let _unused = (state, site);
        cx.send(0, frame);
    }
    /// Engine time from which [`StepNode::wake`] is wanted; `u64::MAX`: never. Asked every tick, so it must be a look
    /// at a field.
    fn due_us(&self, state: &Self::State) -> u64 {
        let _unused = state;
        u64::MAX
    }
    /// Called once a tick while [`StepNode::due_us`] is not after the tick's time, before frames are taken.
    fn wake(&self, state: &mut Self::State, cx: &mut Cx<'_>, site: Site) {
        let _unused = (state, cx, site);
    }
}

/// A node kind that is a plain system over all its lanes, for kernels that batch over sessions.
pub trait SystemNode: NodeKind {
    /// Whether nothing would ever happen in this state without a frame, a message or a correction: not by time alone
    /// either. Where all lanes of a shard rest, its ticks are left out.
    fn rests(&self, state: &Self::State) -> bool {
        let _unused = state;
        false
    }
    /// Builds the system; see [`lane_params`].
    fn system(self: Arc<Self>, site: Site, world: &mut World) -> BoxedSystem;
}

/// A configured node as the engine holds it.
pub trait Node: NodeSpec {
    /// Builds the system that runs this node.
    fn install(&self, site: Site, world: &mut World) -> BoxedSystem;
    /// Builds the system that says whether all its lanes are empty and would stay as they are.
    fn rest(&self, site: Site, world: &mut World) -> RestSystem;
    /// Adds one session's state to its queue entity.
    ///
    /// # Errors
    /// Says why this session's format cannot be handled.
    fn open(&self, opening: &Opening, entity: &mut EntityWorldMut<'_>) -> Result<(), String>;
}

struct Configured<K: NodeKind> {
    config: Arc<K>,
    install: fn(Arc<K>, Site, &mut World) -> BoxedSystem,
    rests: fn(&K, &K::State) -> bool,
}

impl<K: NodeKind> NodeSpec for Configured<K> {
    fn kind(&self) -> &'static str {
        K::NAME
    }
    fn inputs(&self) -> &[Port] {
        self.config.inputs()
    }
    fn outputs(&self) -> &[Port] {
        self.config.outputs()
    }
    fn check(&self, input: Option<Format>, tick: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        self.config.check(input, tick, issues)
    }
    fn capabilities(&self) -> NodeCapabilities {
        self.config.capabilities()
    }
    fn buffering(&self) -> Buffering {
        self.config.buffering()
    }
    fn lowers_quality(&self) -> bool {
        self.config.lowers_quality()
    }
    fn decides_speech(&self) -> bool {
        self.config.decides_speech()
    }
    fn max_out(&self, input: Option<Format>) -> u32 {
        self.config.max_out(input)
    }
    fn service(&self) -> Option<&str> {
        self.config.service()
    }
}

impl<K: NodeKind> Node for Configured<K> {
    fn install(&self, site: Site, world: &mut World) -> BoxedSystem {
        (self.install)(Arc::clone(&self.config), site, world)
    }
    fn rest(&self, site: Site, world: &mut World) -> RestSystem {
        let (config, rests) = (Arc::clone(&self.config), self.rests);
        rest_system(site, world, move |state| rests(&config, state))
    }
    fn open(&self, opening: &Opening, entity: &mut EntityWorldMut<'_>) -> Result<(), String> {
        entity.insert(self.config.open(opening)?);
        Ok(())
    }
}

type ParseNode = fn(&str) -> Result<Arc<dyn Node>, SpannedError>;
type CheckTransport = fn(&str) -> Result<(), SpannedError>;
type ParseService = Box<dyn Fn(&str) -> Result<Arc<dyn ServiceKind>, SpannedError> + Send + Sync>;

/// The kinds that scenes may name.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, ParseNode>,
    services: BTreeMap<&'static str, ParseService>,
    merges: BTreeMap<&'static str, JoinTexts>,
    transports: BTreeMap<&'static str, CheckTransport>,
}

impl Registry {
    /// A registry without any kind.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind that handles one frame at a time.
    pub fn add<K: StepNode>(&mut self) -> &mut Self {
        self.kinds.insert(K::NAME, |config| {
            let config = Arc::new(scene::parse_config::<K>(config)?);
            let rests = |kind: &K, state: &K::State| kind.due_us(state) == u64::MAX;
            Ok(Arc::new(Configured { config, install: step_system::<K>, rests }))
        });
        self
    }

    /// Adds a kind that is a plain system over its lanes.
    pub fn add_system<K: SystemNode>(&mut self) -> &mut Self {
        self.kinds.insert(K::NAME, |config| {
            let config = Arc::new(scene::parse_config::<K>(config)?);
            Ok(Arc::new(Configured { config, install: K::system, rests: K::rests }))
        });
        self
    }

    /// Adds a kind of service output; `parse` gets its configuration text.
    pub fn add_service(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<Arc<dyn ServiceKind>, SpannedError> + Send + Sync + 'static,
    ) -> &mut Self {
        self.services.insert(name, Box::new(parse));
        self
    }

    /// Adds a transport that the host knows; `check` gets its configuration text and finds its errors.
    pub fn add_transport(
        &mut self,
        name: &'static str,
        check: fn(&str) -> Result<(), SpannedError>,
    ) -> &mut Self {
        self.transports.insert(name, check);
        self
    }

    /// Adds a way to make one text of several, for `merge: Custom(name: ...)`.
    pub fn add_merge(&mut self, name: &'static str, joins: JoinTexts) -> &mut Self {
        self.merges.insert(name, joins);
        self
    }
}

impl Catalogue for Registry {
    type Node = dyn Node;
    type Service = dyn ServiceKind;

    fn kinds(&self) -> Vec<&'static str> {
        self.kinds.keys().copied().collect()
    }
    fn parse_kind(&self, name: &str, config: &str) -> Result<Arc<dyn Node>, SpannedError> {
        (self.kinds[name])(config)
    }
    fn service_outputs(&self) -> Vec<&'static str> {
        self.services.keys().copied().collect()
    }
    fn merges(&self) -> Vec<&'static str> {
        self.merges.keys().copied().collect()
    }
    fn merge(&self, name: &str) -> Option<JoinTexts> {
        self.merges.get(name).cloned()
    }
    fn transports(&self) -> Option<Vec<&'static str>> {
        Some(self.transports.keys().copied().collect())
    }
    fn check_transport(&self, name: &str, config: &str) -> Result<(), SpannedError> {
        (self.transports[name])(config)
    }
    fn parse_service(&self, name: &str, config: &str) -> Result<Arc<dyn ServiceKind>, SpannedError> {
        (self.services[name])(config)
    }
}

/// Marks the queue entities of node `N`, so that its system sees only its own.
#[derive(Component)]
struct NodeMark<const N: usize>;

type Marking = (fn(&mut World) -> ComponentId, fn(&mut EntityWorldMut<'_>));

macro_rules! marks {
    ($($n:literal)*) => {
        [$((|world| world.register_component::<NodeMark<$n>>(), |entity| { entity.insert(NodeMark::<$n>); })),*]
    };
}

/// 64 nodes and the session's output.
const MARKS: [Marking; 65] = marks!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
    30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64);

/// Marks `entity` as a queue of `node`.
pub(crate) fn mark(node: NodeId, entity: &mut EntityWorldMut<'_>) {
    (MARKS[node.index()].1)(entity);
}

/// The parameters of a node's system, restricted to that node's lanes. Use it to build a system of your own:
/// `(lane_params::<S>(site, world), ParamBuilder).build_state(world).build_system(...)`.
pub fn lane_params<S: Component<Mutability = Mutable>>(
    site: Site,
    world: &mut World,
) -> impl SystemParamBuilder<Lanes<'static, 'static, S>> + use<S> {
    Lanes::of((MARKS[site.node.index()].0)(world))
}

/// Says whether all lanes of a node rest.
pub type RestSystem = BoxedSystem<(), bool>;

/// The system behind [`Node::rest`]: no frame waits anywhere in the node's lanes, and all states rest.
pub(crate) fn rest_system<S: Component<Mutability = Mutable>>(
    site: Site,
    world: &mut World,
    rests: impl Fn(&S) -> bool + Send + Sync + 'static,
) -> RestSystem {
    type Rows<S> = Query<'static, 'static, (&'static Lane, &'static Queue, &'static S)>;
    let mark = (MARKS[site.node.index()].0)(world);
    let rows = QueryParamBuilder::new(move |b: &mut QueryBuilder<'_, (&Lane, &Queue, &S)>| {
        b.with_id(mark);
    });
    let state: SystemState<(Rows<S>,)> = (rows,).build_state(world);
    let system = state.build_system(move |rows: Query<'_, '_, (&Lane, &Queue, &S)>| {
        rows.iter().all(|(lane, queue, state)| {
            queue.is_empty() && queue.behind == 0 && !lane.has_unsent() && rests(state)
        })
    });
    let mut system: RestSystem = Box::new(IntoSystem::into_system(system));
    system.initialize(world);
    system
}

fn step_system<K: StepNode>(config: Arc<K>, site: Site, world: &mut World) -> BoxedSystem {
    type Params<S> = (Lanes<'static, 'static, S>, Desk<'static>);
    let params = (lane_params::<K::State>(site, world), ParamBuilder);
    let state: SystemState<Params<K::State>> = params.build_state(world);
    let system = state.build_system(move |mut lanes: Lanes<'_, '_, K::State>, mut desk: Desk<'_>| {
        step_lanes(&*config, site, &mut lanes, &mut desk);
        desk.laps.lap(site.node.index());
    });
    Box::new(IntoSystem::into_system(system))
}

fn step_lanes<K: StepNode>(kind: &K, site: Site, lanes: &mut Lanes<'_, '_, K::State>, desk: &mut Desk<'_>) {
    let control = |state: &mut K::State, correction: &Correction, cx: &mut Cx<'_>| {
        kind.control(state, correction, cx, site);
    };
    correct_lanes_that(site, lanes, desk, |state| kind.keeps(state), control);
    answer_lanes(kind, site, lanes, desk);
    let now_us = desk.now.us;
    for (mut lane, mut queue, mut state) in &mut lanes.ins {
        let due = kind.due_us(&state) <= now_us;
        if queue.is_empty() && !due && !lane.has_unsent() && queue.behind == 0 {
            continue;
        }
        let queue = queue.bypass_change_detection();
        let lane = lane.bypass_change_detection();
        let state = state.bypass_change_detection();
        if due {
            let mut cx = Cx::new(site.node, lane, desk, &mut lanes.outs);
            if cx.may_step() {
                kind.wake(state, &mut cx, site);
            }
        }
        step_lane(kind, site, queue, state, &mut Cx::new(site.node, lane, desk, &mut lanes.outs));
        queue.behind = kind.waiting(state);
    }
}

/// Works off one lane's queue, as far as the node is ready and its consumers have room.
fn step_lane<K: StepNode>(kind: &K, site: Site, queue: &mut Queue, state: &mut K::State, cx: &mut Cx<'_>) {
    while cx.may_step() {
        let Some(front) = queue.front() else { return };
        let pressed = site.rule.is_some_and(|rule| match cx.near(front, rule) {
            Some((left_us, true)) => {
                kind.advise(state, Advice::DeadlineNear { left_us }, cx, site);
                true
            }
            near => near.is_some(),
        });
        let skips = pressed && site.skips;
        if !skips && !kind.ready(state, queue, cx.look()) {
            return;
        }
        let Some(frame) = queue.pop() else { return };
        if matches!(frame.payload, Payload::Mark(Mark::StreamEnd)) && !cx.lane.stream_ended() {
            continue;
        }
        cx.taken(&frame);
        if site.service.is_none() {
            cx.came_out(frame.deadline_us, frame.turn);
        }
        if skips {
            kind.skip(state, frame, cx, site);
        } else {
            kind.step(state, frame, cx, site);
        }
    }
}

/// Finding the lanes of a few sessions costs as much as going through this many one after the other.
const LOOKUPS_WORTH: usize = 8;

/// Applies this tick's corrections to the lanes of one node: first the queue, then `control` for the state.
pub fn correct_lanes<S: Component<Mutability = Mutable>>(
    site: Site,
    lanes: &mut Lanes<'_, '_, S>,
    desk: &mut Desk<'_>,
    control: impl FnMut(&mut S, &Correction, &mut Cx<'_>),
) {
    correct_lanes_that(site, lanes, desk, |_| true, control);
}

/// The same, passing over lanes where nothing waits and whose state `keeps` nothing that could be void.
pub(crate) fn correct_lanes_that<S: Component<Mutability = Mutable>>(
    site: Site,
    lanes: &mut Lanes<'_, '_, S>,
    desk: &mut Desk<'_>,
    keeps: impl Fn(&S) -> bool,
    mut control: impl FnMut(&mut S, &Correction, &mut Cx<'_>),
) {
    // What is pushed meanwhile is for the nodes behind this one.
    let pushed = desk.corrections.all().len();
    if pushed == 0 {
        return;
    }
    let Lanes { ins, outs } = lanes;
    let mut correct = |lane: &mut Lane, queue: &mut Queue, state: &mut S, at: usize, desk: &mut Desk<'_>| {
        let correction = desk.corrections.all()[at];
        let mut cx = Cx::new(site.node, lane, desk, outs);
        purge(queue, &correction, &mut cx);
        control(state, &correction, &mut cx);
    };
    if pushed * LOOKUPS_WORTH < desk.sessions.open() as usize {
        for at in 0..pushed {
            let session = desk.corrections.all()[at].session;
            let Some(entity) = desk.sessions.lane(session, site.node) else { continue };
            let Ok((mut lane, mut queue, mut state)) = ins.get_mut(entity) else { continue };
            correct(&mut lane, &mut queue, &mut state, at, desk);
        }
        return;
    }
    for (mut lane, mut queue, mut state) in ins.iter_mut() {
        if queue.is_empty() && !lane.has_unsent() && !keeps(&state) {
            continue;
        }
        let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
        let mut next = desk.corrections.first(lane.session);
        while let Some(at) = next.filter(|at| *at < pushed) {
            correct(lane, queue, state.bypass_change_detection(), at, desk);
            next = desk.corrections.after(at);
        }
    }
}

fn answer_lanes<K: StepNode>(kind: &K, site: Site, lanes: &mut Lanes<'_, '_, K::State>, desk: &mut Desk<'_>) {
    if site.service.is_none() || desk.inbox.is_empty() {
        return;
    }
    for at in 0..desk.inbox.replies.len() {
        let Some(reply) = desk.inbox.replies[at].take_if(|r| r.key.node == site.node) else { continue };
        let key = reply.key;
        let current = desk.sessions.get(key.session).is_some_and(|row| row.opening == key.opening);
        let entity = desk.sessions.lane(key.session, site.node).filter(|_| current);
        let Some(entity) = entity else { continue };
        let Ok((mut lane, mut queue, mut state)) = lanes.ins.get_mut(entity) else { continue };
        if matches!(reply.part, ReplyPart::Audio(_)) {
            desk.pool.adopt();
        }
        let mut cx = Cx::new(site.node, &mut lane, desk, &mut lanes.outs);
        kind.reply(&mut state, reply, &mut cx, site);
        queue.behind = kind.waiting(&state);
    }
}
