//! Opens a session in its shard: its entity, one queue entity for each node, and the wiring between them.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::base::unwind::caught;
use crate::edge::exchange::block_samples;
use crate::edge::opening::Opening;
use crate::edge::session_event::CloseReason;
use crate::edge::session_port::SessionPort;
use crate::media::merge::MergeRule;
use crate::media::queue::{Lane, Queue, TARGETS_MAX, Target};
use crate::node::kind::{Node, SessionContext};
use crate::node::mark::mark;
use crate::node::plan::ScenePlan;
use crate::record::event::{Event, EventLog};
use crate::scene;
use crate::scene::{DeadlinePolicy, Format, FormatConverter, OverflowPolicy, PlanNode};
use crate::service::call::{SessionKey, SessionRef};
use crate::service::requests::Outbox;
use crate::session::components::{HostLink, Intake, Phase, Session, SessionParams, Wiring};
use crate::session::conversation::Conversation;
use crate::session::index::SessionIndex;
use crate::speech::playout::Playout;
use crate::speech::segment::Turn;
use crate::tick::egress::{Conversion, Egress};
use crate::tick::resources::{NeedsSweep, ShardConfig};

/// Frames that may wait at a session's output: an answer of 30 s in 20 ms blocks.
const OUTPUT_QUEUE_MAX: u32 = 1_500;
/// Frames that a queue has room for from the start, beside those that its senders may send at once.
const QUEUE_ROOM: u32 = 2;

/// Opens a session of the shard's scene. A session whose format some node refuses is gone at once, with the reason
/// logged.
pub(crate) fn open(world: &mut World, port: Arc<SessionPort>) {
    let now = *world.resource::<Now>();
    let now_us = now.us;
    let blueprint = world.resource::<ShardConfig>();
    let (plan, seed) = (Arc::clone(&blueprint.plan), blueprint.seed);
    let entity = world.spawn_empty().id();
    let lanes: Box<[Entity]> = (0..=plan.nodes.len()).map(|_| world.spawn_empty().id()).collect();
    let wiring = Edges::new(&plan, &lanes, plan.formats(port.input));
    let opening = port.opening.lock().ok().and_then(|mut opening| opening.take());
    let opening = *opening.expect("a session is admitted once");
    let Opening { gate, params, latency_us, interrupt_min_us, mut converter } = opening;
    let mut context = SessionContext {
        session: port.id,
        owner: entity,
        name: Arc::clone(&port.name),
        input: None,
        output: None,
        seed,
        lowers_quality: false,
        traced: port.traced,
        gate,
    };
    let mut failure = None;
    for (at, lane) in lanes.iter().enumerate() {
        (context.input, context.output) = wiring.formats[at];
        let mut queue = world.entity_mut(*lane);
        mark(NodeId(at as u8), &mut queue);
        queue.insert(wiring.lane(&plan, at, &context));
        let room = wiring.senders[at] + QUEUE_ROOM;
        let Some(node) = plan.nodes.get(at) else {
            let mut output = Queue::new(OUTPUT_QUEUE_MAX, OverflowPolicy::DropNewest);
            output.reserve(room);
            queue.insert((output, Egress::new(conversion(converter.take(), context.input, port.output))));
            continue;
        };
        let lowers = |deadline: scene::Deadline| deadline.policy == DeadlinePolicy::LowerQuality;
        context.lowers_quality = node.deadline.is_some_and(lowers);
        let mut frames = input_queue(node, context.input, now);
        frames.reserve(room);
        queue.insert(frames);
        let opened = caught(|| node.spec.open(&context, &mut queue));
        failure = failure.or(Unopened::of(NodeId(at as u8), opened));
    }
    let phase = if failure.is_some() { Phase::Gone } else { Phase::Open };
    let reason = failure.as_ref().map_or(CloseReason::Finished, |failure| failure.reason(&plan));
    world.resource_mut::<NeedsSweep>().0 |= failure.is_some();
    let tolerance_us = i64::from(plan.scene.session.input.pts_tolerance_ms) * 1_000;
    let (id, generation, format) = (port.id, port.generation, port.input);
    let history = plan.remembers().then(|| port.history());
    let playout = Playout { lead_us: port.lead_us, latency_us, interrupt_min_us, ..Playout::default() };
    let mut index = world.resource_mut::<SessionIndex>();
    index.insert(id, generation, entity, format);
    let open_sessions = Arc::clone(&index.open_sessions);
    world.entity_mut(entity).insert((
        Session { id, generation, name: Arc::clone(&port.name) },
        phase,
        wiring.of(lanes),
        Intake::new(format, tolerance_us, now_us),
        HostLink { port, unsaid: VecDeque::new(), output: None, answers: None, reason, open_sessions },
        SessionParams(params),
        Turn::default(),
        playout,
    ));
    tell_services(world, &plan, entity);
    if let Some(history) = history {
        let voices = plan.nodes.iter().filter(|node| node.spec.takes_clips()).count();
        world.entity_mut(entity).insert(Conversation::new(history, voices));
    }
    log_opening(&mut world.resource_mut::<EventLog>(), now_us, id, failure);
}

/// Tells the services of a scene that a session has begun.
fn tell_services(world: &mut World, plan: &ScenePlan, owner: Entity) {
    for (at, node) in plan.nodes.iter().enumerate() {
        if let Some(service) = node.service
            && let Some(session) = session_ref(world, owner, NodeId(at as u8))
        {
            world.resource_mut::<Outbox>().opened.push((service as u8, session));
        }
    }
}

/// What a service is told of a session at one of the nodes that call it.
pub(crate) fn session_ref(world: &World, owner: Entity, node: NodeId) -> Option<SessionRef> {
    let Session { id, generation, name } = world.get(owner)?;
    let lane: &Lane = world.get(world.get::<Wiring>(owner)?.lane(node)?)?;
    let key = SessionKey { session: *id, generation: *generation, node };
    let params = Arc::clone(&world.get::<SessionParams>(owner)?.0);
    Some(SessionRef { key, name: Arc::clone(name), hears: lane.input, speaks: lane.output, params })
}

/// Logs that a session was opened, or refused at a node.
fn log_opening(log: &mut EventLog, now_us: u64, id: SessionId, failure: Option<Unopened>) {
    log.push(now_us, id, 0, Event::SessionOpened);
    if let Some(failure) = failure {
        log.push(now_us, id, 0, failure.event());
    }
}

/// Why a session is over as soon as it is opened: what a node said.
enum Unopened {
    Refused(NodeId, String),
    /// The node panicked.
    Failed(NodeId, String),
}

impl Unopened {
    /// What came of asking `node`; `None`: it opened the session.
    fn of(node: NodeId, opened: Result<Result<(), String>, String>) -> Option<Self> {
        match opened {
            Ok(Ok(())) => None,
            Ok(Err(reason)) => Some(Self::Refused(node, reason)),
            Err(said) => Some(Self::Failed(node, said)),
        }
    }

    fn reason(&self, plan: &ScenePlan) -> CloseReason {
        match self {
            Self::Refused(_, reason) => CloseReason::Refused(reason.as_str().into()),
            Self::Failed(node, said) => {
                CloseReason::Failed(format!("{}: {said}", plan.nodes[node.index()].id).into())
            }
        }
    }

    fn event(self) -> Event {
        match self {
            Self::Refused(node, reason) => Event::SessionRefused { node, reason: reason.into() },
            Self::Failed(node, said) => Event::SessionFailed { node: Some(node), reason: said.into() },
        }
    }
}

/// The conversion of audio that arrives at the session's output as `made`, if the session hears another format.
fn conversion(
    converter: Option<Box<dyn FormatConverter>>,
    made: Option<Format>,
    heard: Option<Format>,
) -> Option<Conversion> {
    Some(Conversion::new(converter?, made?, heard?))
}

/// The queue of a node for one session whose audio arrives there as `input`.
fn input_queue(node: &PlanNode<dyn Node>, input: Option<Format>, now: Now) -> Queue {
    let joint = MergeRule {
        strategy: node.merge.clone(),
        custom: node.joins.clone(),
        format: input,
        samples_max: input.map_or(0, block_samples),
    };
    let budget_us = node.deadline.map_or(0, |deadline| (deadline.budget_ms * 1_000.0) as u64);
    let widens = if now.is_broken(Mutation::WidenQueue) { 4 } else { 1 };
    let overflow = match node.capabilities.overflow_policy {
        OverflowPolicy::DropOldest if now.is_broken(Mutation::DropOther) => OverflowPolicy::DropNewest,
        _ if now.is_broken(Mutation::DropOther) => OverflowPolicy::DropOldest,
        overflow => overflow,
    };
    Queue::new(node.capabilities.queue_capacity * widens, overflow).joining(joint).with_budget(budget_us)
}

/// The edges for one session, by the nodes' positions; the output comes last.
struct Edges {
    formats: Vec<(Option<Format>, Option<Format>)>,
    /// Most frames that arrive for one step of all senders.
    senders: Vec<u32>,
    /// Number of edges that end there.
    sources: Vec<u8>,
    targets: Vec<[Option<Target>; TARGETS_MAX]>,
    /// Whether some target blocks its senders.
    backpressured: Vec<bool>,
    /// The targets of the session's input, and whether any of them blocks.
    input: Vec<Target>,
    input_waits: bool,
    /// Where nothing but lines enters.
    only_said: Vec<Target>,
}

impl Edges {
    fn new(plan: &ScenePlan, lanes: &[Entity], formats: Vec<(Option<Format>, Option<Format>)>) -> Self {
        let count = lanes.len();
        let (mut senders, mut sources) = (vec![0; count], vec![0; count]);
        let mut resolve = |targets: &[scene::PlanTarget], max_out: u32| -> Vec<Target> {
            let wire = |target: &scene::PlanTarget| {
                let node = plan.position(target.node);
                sources[node.index()] += 1;
                senders[node.index()] += max_out;
                Target { port: target.port, node, queue: lanes[node.index()] }
            };
            targets.iter().map(wire).collect()
        };
        let input = resolve(&plan.input_targets, 1);
        let nodes = plan.nodes.iter().zip(&formats);
        let wired: Vec<Vec<Target>> =
            nodes.map(|(node, (input, _))| resolve(&node.targets, node.spec.max_out(*input))).collect();
        let mut only_said = Vec::new();
        for target in &plan.said_targets {
            let node = plan.position(target.node);
            // Nodes without an edge to them get the end of the stream with the lines.
            if sources[node.index()] == 0 {
                sources[node.index()] = 1;
                only_said.push(Target { port: target.port, node, queue: lanes[node.index()] });
            }
        }
        let blocks = |target: &Target| plan.nodes.get(target.node.index()).is_some_and(PlanNode::blocks);
        let mut backpressured: Vec<bool> = wired.iter().map(|targets| targets.iter().any(blocks)).collect();
        let mut targets: Vec<_> =
            wired.iter().map(|wired| std::array::from_fn(|at| wired.get(at).copied())).collect();
        backpressured.push(false);
        targets.push([None; TARGETS_MAX]);
        let input_waits = input.iter().any(blocks);
        Self { formats, senders, sources, targets, backpressured, input, input_waits, only_said }
    }

    /// What the session keeps of them.
    fn of(self, lanes: Box<[Entity]>) -> Wiring {
        let Self { input, only_said, input_waits, .. } = self;
        Wiring { lanes, inputs: input.into(), only_said: only_said.into(), waits: input_waits }
    }

    /// The wiring of the queue at `at`.
    fn lane(&self, plan: &ScenePlan, at: usize, context: &SessionContext) -> Lane {
        Lane {
            session: context.session,
            owner: context.owner,
            input: context.input,
            output: context.output,
            sources: self.sources[at],
            ends: 0,
            max_out: plan.nodes.get(at).map_or(0, |node| node.spec.max_out(context.input)),
            backpressured: self.backpressured[at],
            stalled: VecDeque::new(),
            warned: None,
            answered: (0, 0),
            targets: self.targets[at],
        }
    }
}
