//! The systems that run a node kind over its lanes: cancellations first, then replies of services, then frames.

use std::sync::Arc;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, ParamBuilder, QueryParamBuilder, SystemParamBuilder, SystemState};

use crate::media::frame::{Mark, Payload};
use crate::media::queue::{Lane, Queue};
use crate::node::cancel::correct_lanes_that;
use crate::node::context::Cx;
use crate::node::kind::{Advice, RestSystem, StepNode};
use crate::node::mark;
use crate::node::params::{Desk, Lanes, lane_params};
use crate::node::site::Site;
use crate::service::api::ReplyPart;
use crate::speech::cancellation::Correction;

/// The system behind [`Node::rest`]: no frame waits anywhere in the node's lanes, and all states rest.
pub(crate) fn rest_system<S: Component<Mutability = Mutable>>(
    site: Site,
    world: &mut World,
    rests: impl Fn(&S) -> bool + Send + Sync + 'static,
) -> RestSystem {
    type Rows<S> = Query<'static, 'static, (&'static Lane, &'static Queue, &'static S)>;
    let mark = mark::component(site.node, world);
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

pub(crate) fn step_system<K: StepNode>(config: Arc<K>, site: Site, world: &mut World) -> BoxedSystem {
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
            Some((left_us, true)) if site.controls => {
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
