//! The systems that run a node kind over its lanes: first replies of services, then frames.

use std::panic::resume_unwind;
use std::sync::Arc;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, QueryParamBuilder, SystemParam, SystemParamBuilder, SystemState};

use crate::base::ids::NodeId;
use crate::media::frame::{Mark, Payload};
use crate::media::queue::{Lane, Queue};
use crate::node::context::NodeContext;
use crate::node::failure::{attempt, each_lane, tear_one};
use crate::node::kind::{Advice, IdleCheck, StepNode};
use crate::node::mark;
use crate::node::params::{Lanes, NodeParams, timed_lane_system};
use crate::node::place::NodePlace;
use crate::service::reply::{Reply, ReplyPart};
use crate::service::requests::{Inbox, Outbox};
use crate::session::index::SessionLanes;

/// The system behind [`Node::idle_check`]: true when no frame waits in any of the node's lanes and all states are idle.
pub(crate) fn node_idle_check<S: Component<Mutability = Mutable>>(
    node: NodeId,
    world: &mut World,
    is_idle: impl Fn(&S) -> bool + Send + Sync + 'static,
) -> IdleCheck {
    type Rows<S> = Query<'static, 'static, (&'static Lane, &'static Queue, &'static S)>;
    let mark = mark::component(node, world);
    let rows = QueryParamBuilder::new(move |b: &mut QueryBuilder<'_, (&Lane, &Queue, &S)>| {
        b.with_id(mark);
    });
    let state: SystemState<(Rows<S>,)> = (rows,).build_state(world);
    let system = state.build_system(move |rows: Query<'_, '_, (&Lane, &Queue, &S)>| {
        rows.iter().all(|(lane, queue, state)| {
            queue.is_empty() && queue.in_service == 0 && !lane.has_stalled() && is_idle(state)
        })
    });
    let mut system: IdleCheck = Box::new(IntoSystem::into_system(system));
    system.initialize(world);
    system
}

/// What the system of a node that calls a service touches beside the frames.
#[derive(SystemParam)]
struct Calls<'w, 's> {
    outbox: ResMut<'w, Outbox>,
    inbox: ResMut<'w, Inbox>,
    lanes: SessionLanes<'w, 's>,
}

pub(crate) fn step_system<K: StepNode>(config: Arc<K>, place: NodePlace, world: &mut World) -> BoxedSystem {
    if !K::CALLS {
        assert!(place.service.is_none(), "`{}` calls a service: its `StepNode::CALLS` must say so", K::NAME);
        return timed_lane_system::<K::State, ()>(place, world, move |lanes, params, ()| {
            step_lanes(&*config, place, lanes, params, None);
        });
    }
    timed_lane_system::<K::State, Calls<'static, 'static>>(place, world, move |lanes, params, calls| {
        answer_lanes(&*config, place, lanes, params, calls);
        step_lanes(&*config, place, lanes, params, Some(&mut calls.outbox));
    })
}

fn step_lanes<K: StepNode>(
    kind: &K,
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, K::State>,
    params: &mut NodeParams<'_, '_>,
    mut outbox: Option<&mut Outbox>,
) {
    let now_us = params.now.us;
    // Lanes that were torn earlier in this tick, by a cancellation or by a reply, and those to be struck.
    let is_watched = params.log.has_torn(place.node) || params.now.strikes.is_some();
    each_lane(place.node, lanes, params, &mut outbox, |row, params, outbox, outs| {
        let (mut lane, mut queue, mut state) = row;
        if is_watched {
            if params.log.is_torn(lane.session, place.node) {
                return;
            }
            strike(&lane, &queue, params, place.node);
        }
        let due = kind.due_us(&state) <= now_us;
        if queue.is_empty() && !due && !lane.has_stalled() && queue.in_service == 0 {
            return;
        }
        let queue = queue.bypass_change_detection();
        let lane = lane.bypass_change_detection();
        let state = state.bypass_change_detection();
        let cx = NodeContext::new(place.node, lane, params, outs);
        let mut cx = cx.calling(outbox.as_deref_mut());
        if due && cx.may_step() {
            kind.wake(state, &mut cx, place);
        }
        step_lane(kind, place, queue, state, &mut cx);
        queue.in_service = kind.waiting(state);
    });
}

/// Panics if the lane is to be struck by now. Says nothing on standard error: the panic is no surprise.
#[cold]
fn strike(lane: &Lane, queue: &Queue, params: &NodeParams<'_, '_>, node: NodeId) {
    let strikes = params.now.strikes.filter(|strikes| params.now.us < strikes.until_us);
    let Some((strikes, frame)) = strikes.zip(queue.front().filter(|frame| frame.is_content())) else {
        return;
    };
    let generation = params.sessions.get(lane.owner).map_or(0, |(session, ..)| session.generation);
    if strikes.at(lane.session, generation, node).is_some_and(|seq| frame.seq >= seq) {
        resume_unwind(Box::new("a fault of this run"));
    }
}

/// Works off one lane's queue, as far as the node is ready and its targets have room.
fn step_lane<K: StepNode>(
    kind: &K,
    place: NodePlace,
    queue: &mut Queue,
    state: &mut K::State,
    cx: &mut NodeContext<'_>,
) {
    while cx.may_step() {
        let Some(front) = queue.front() else { return };
        let pressed = place.rule.is_some_and(|rule| match cx.near(front, rule) {
            Some((left_us, true)) if place.controls => {
                kind.advise(state, Advice::DeadlineNear { left_us }, cx, place);
                true
            }
            near => near.is_some(),
        });
        let skips = pressed && place.skips;
        if !skips && !kind.ready(state, queue, cx.look()) {
            return;
        }
        let Some(frame) = queue.pop() else { return };
        if matches!(frame.payload, Payload::Mark(Mark::StreamEnd)) && !cx.lane.stream_ended() {
            continue;
        }
        cx.taken(&frame);
        if place.service.is_none() {
            cx.came_out(frame.deadline_us, frame.turn);
        }
        if matches!(frame.payload, Payload::Caption(_)) && !K::CALLS {
            cx.send(0, frame);
        } else if skips {
            kind.skip(state, frame, cx, place);
        } else {
            kind.step(state, frame, cx, place);
        }
    }
}

/// Hands a reply to its lane, if that exists and is whole. `at_work`: the queue entity.
fn answer_lane<K: StepNode>(
    kind: &K,
    place: NodePlace,
    reply: Reply,
    lanes: &mut Lanes<'_, '_, K::State>,
    params: &mut NodeParams<'_, '_>,
    calls: &mut Calls<'_, '_>,
    at_work: &mut Entity,
) {
    let key = reply.key;
    let entity = calls.lanes.current(key.session, key.generation, place.node);
    let Some(entity) = entity.filter(|_| !params.log.is_torn(key.session, place.node)) else { return };
    let Ok((_, mut lane, mut queue, mut state)) = lanes.ins.get_mut(entity) else { return };
    *at_work = entity;
    if matches!(reply.part, ReplyPart::Audio(_)) {
        params.pool.adopt();
    }
    let cx = NodeContext::new(place.node, &mut lane, params, &mut lanes.outs);
    kind.reply(&mut state, reply, &mut cx.calling(Some(&mut calls.outbox)), place);
    queue.in_service = kind.waiting(&state);
}

/// Hands the replies of this tick to their lanes, in the order in which the services gave them.
fn answer_lanes<K: StepNode>(
    kind: &K,
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, K::State>,
    params: &mut NodeParams<'_, '_>,
    calls: &mut Calls<'_, '_>,
) {
    let mut at = 0;
    while at < calls.inbox.replies.len() {
        let mut at_work = Entity::PLACEHOLDER;
        let attempted = attempt(|| {
            while at < calls.inbox.replies.len() {
                let reply = calls.inbox.replies[at].take_if(|reply| reply.key.node == place.node);
                at += 1;
                if let Some(reply) = reply {
                    answer_lane(kind, place, reply, lanes, params, calls, &mut at_work);
                }
            }
        });
        if let Err(panic) = attempted {
            tear_one(place.node, at_work, panic, lanes, params);
        }
    }
}
