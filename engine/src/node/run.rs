//! The systems that run a node kind over its lanes: cancellations first, then replies of services, then frames.

use std::sync::Arc;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, ParamBuilder, QueryParamBuilder, SystemParamBuilder, SystemState};

use crate::media::frame::{Mark, Payload};
use crate::media::queue::{Lane, Queue};
use crate::node::cancel::cancel_lanes_that;
use crate::node::context::NodeContext;
use crate::node::kind::{Advice, IdleCheck, StepNode};
use crate::node::mark;
use crate::node::params::{Lanes, NodeParams, lane_params};
use crate::node::place::NodePlace;
use crate::service::api::ReplyPart;
use crate::speech::cancellation::Cancellation;

/// The system behind [`Node::idle_check`]: true when no frame waits in any of the node's lanes and all states are idle.
pub(crate) fn node_idle_check<S: Component<Mutability = Mutable>>(
    place: NodePlace,
    world: &mut World,
    is_idle: impl Fn(&S) -> bool + Send + Sync + 'static,
) -> IdleCheck {
    type Rows<S> = Query<'static, 'static, (&'static Lane, &'static Queue, &'static S)>;
    let mark = mark::component(place.node, world);
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

pub(crate) fn step_system<K: StepNode>(config: Arc<K>, place: NodePlace, world: &mut World) -> BoxedSystem {
    type Params<S> = (Lanes<'static, 'static, S>, NodeParams<'static>);
    let params = (lane_params::<K::State>(place, world), ParamBuilder);
    let state: SystemState<Params<K::State>> = params.build_state(world);
    let system = state.build_system(move |mut lanes: Lanes<'_, '_, K::State>, mut params: NodeParams<'_>| {
        step_lanes(&*config, place, &mut lanes, &mut params);
        params.stage_times.lap(place.node.index());
    });
    Box::new(IntoSystem::into_system(system))
}

fn step_lanes<K: StepNode>(
    kind: &K,
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, K::State>,
    params: &mut NodeParams<'_>,
) {
    let control = |state: &mut K::State, cancellation: &Cancellation, cx: &mut NodeContext<'_>| {
        kind.control(state, cancellation, cx, place);
    };
    cancel_lanes_that(place, lanes, params, |state| kind.keeps(state), control);
    answer_lanes(kind, place, lanes, params);
    let now_us = params.now.us;
    for (mut lane, mut queue, mut state) in &mut lanes.ins {
        let due = kind.due_us(&state) <= now_us;
        if queue.is_empty() && !due && !lane.has_stalled() && queue.in_service == 0 {
            continue;
        }
        let queue = queue.bypass_change_detection();
        let lane = lane.bypass_change_detection();
        let state = state.bypass_change_detection();
        if due {
            let mut cx = NodeContext::new(place.node, lane, params, &mut lanes.outs);
            if cx.may_step() {
                kind.wake(state, &mut cx, place);
            }
        }
        step_lane(
            kind,
            place,
            queue,
            state,
            &mut NodeContext::new(place.node, lane, params, &mut lanes.outs),
        );
        queue.in_service = kind.waiting(state);
    }
}

/// Works off one lane's queue, as far as the node is ready and its consumers have room.
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
        if skips {
            kind.skip(state, frame, cx, place);
        } else {
            kind.step(state, frame, cx, place);
        }
    }
}

fn answer_lanes<K: StepNode>(
    kind: &K,
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, K::State>,
    params: &mut NodeParams<'_>,
) {
    if place.service.is_none() || params.inbox.is_empty() {
        return;
    }
    for at in 0..params.inbox.replies.len() {
        let Some(reply) = params.inbox.replies[at].take_if(|r| r.key.node == place.node) else { continue };
        let key = reply.key;
        let current = params.sessions.get(key.session).is_some_and(|row| row.generation == key.generation);
        let entity = params.sessions.lane(key.session, place.node).filter(|_| current);
        let Some(entity) = entity else { continue };
        let Ok((mut lane, mut queue, mut state)) = lanes.ins.get_mut(entity) else { continue };
        if matches!(reply.part, ReplyPart::Audio(_)) {
            params.pool.adopt();
        }
        let mut cx = NodeContext::new(place.node, &mut lane, params, &mut lanes.outs);
        kind.reply(&mut state, reply, &mut cx, place);
        queue.in_service = kind.waiting(&state);
    }
}
