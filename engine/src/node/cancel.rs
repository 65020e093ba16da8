//! Cancellation: before a node works, what was cancelled in this tick leaves its queues and its state. Every node has
//! a system for this, built for its kind, which runs only in ticks that cancel anything.

use std::sync::Arc;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, SystemParam};

use crate::base::ids::NodeId;
use crate::media::queue::{Lane, Queue};
use crate::node::context::NodeContext;
use crate::node::failure::{attempt, tear_all, tear_one};
use crate::node::kind::{StepNode, SystemNode};
use crate::node::params::{Lanes, NodeParams, timed_lane_system};
use crate::node::place::NodePlace;
use crate::node::purge::purge;
use crate::node::writer::SegmentWriter;
use crate::service::requests::Outbox;
use crate::session::index::SessionLanes;
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};
use crate::speech::segment::SegmentParams;

/// Looking up the lanes of a few sessions costs as much as going through this many one after the other.
const LOOKUPS_WORTH: usize = 8;

/// Whether the systems here run in this tick.
pub(crate) fn cancels_now(cancellations: Res<'_, Cancellations>) -> bool {
    cancellations.concern_this_tick()
}

/// The cancellations of this tick, and the queue entities they concern.
#[derive(SystemParam)]
pub(crate) struct Cancelling<'w, 's> {
    cancellations: Res<'w, Cancellations>,
    lanes: SessionLanes<'w, 's>,
}

/// The same for a node that calls a service.
#[derive(SystemParam)]
struct Calling<'w, 's> {
    cancelling: Cancelling<'w, 's>,
    outbox: ResMut<'w, Outbox>,
}

/// The same for a node that decides about segments, which may cancel more.
#[derive(SystemParam)]
struct Deciding<'w, 's> {
    segments: SegmentParams<'w, 's>,
    lanes: SessionLanes<'w, 's>,
}

/// Gives a cancelling system its parts, whatever else the system touches.
pub(crate) trait Cancels<'w, 's> {
    fn list(&self) -> &Cancellations;
    fn lanes(&self) -> &SessionLanes<'w, 's>;
}

impl<'w, 's> Cancels<'w, 's> for Cancelling<'w, 's> {
    fn list(&self) -> &Cancellations {
        &self.cancellations
    }
    fn lanes(&self) -> &SessionLanes<'w, 's> {
        &self.lanes
    }
}

impl<'w, 's> Cancels<'w, 's> for Calling<'w, 's> {
    fn list(&self) -> &Cancellations {
        &self.cancelling.cancellations
    }
    fn lanes(&self) -> &SessionLanes<'w, 's> {
        &self.cancelling.lanes
    }
}

impl<'w, 's> Cancels<'w, 's> for Deciding<'w, 's> {
    fn list(&self) -> &Cancellations {
        &self.segments.cancellations
    }
    fn lanes(&self) -> &SessionLanes<'w, 's> {
        &self.lanes
    }
}

/// Builds the system that cancels for a kind that handles one frame at a time.
pub(crate) fn cancel_step<K: StepNode>(kind: Arc<K>, place: NodePlace, world: &mut World) -> BoxedSystem {
    let keeps = {
        let kind = Arc::clone(&kind);
        move |state: &K::State| kind.keeps(state)
    };
    let cancel = move |state: &mut K::State, cancellation: &Cancellation, cx: &mut NodeContext<'_>| {
        // The end of a session is no message: every node drops what is left.
        if place.controls || cancellation.scope == CancelScope::Session {
            kind.control(state, cancellation, cx, place);
        }
    };
    if !K::CALLS {
        return timed_lane_system::<K::State, Cancelling<'static, 'static>>(
            place,
            world,
            move |lanes, params, more| {
                cancel_each(place.node, lanes, params, more, &keeps, |row, cancellation, params, _, outs| {
                    let mut cx = NodeContext::new(place.node, row.lane, params, outs);
                    purge(row.queue, cancellation, &mut cx);
                    cancel(row.state, cancellation, &mut cx);
                });
            },
        );
    }
    timed_lane_system::<K::State, Calling<'static, 'static>>(place, world, move |lanes, params, more| {
        cancel_each(place.node, lanes, params, more, &keeps, |row, cancellation, params, more, outs| {
            let cx = NodeContext::new(place.node, row.lane, params, outs);
            let mut cx = cx.calling(Some(&mut more.outbox));
            purge(row.queue, cancellation, &mut cx);
            cancel(row.state, cancellation, &mut cx);
        });
    })
}

/// Cancels for a kind that handles one frame at a time: a panic tears the lane at work.
fn cancel_each<'w, 's, 'a, 'b, 'x, 'y, S: Component<Mutability = Mutable>, E: Cancels<'x, 'y>>(
    node: NodeId,
    lanes: &mut Lanes<'w, 's, S>,
    params: &mut NodeParams<'a, 'b>,
    more: &mut E,
    keeps: impl Fn(&S) -> bool,
    mut cancel: impl FnMut(
        Row<'_, S>,
        &Cancellation,
        &mut NodeParams<'a, 'b>,
        &mut E,
        &mut Query<'w, 's, &'static mut Queue>,
    ),
) {
    let mut progress = Progress::new(more.list());
    loop {
        let attempted = attempt(|| {
            cancel_lanes(
                node,
                lanes,
                params,
                more,
                &mut progress,
                &keeps,
                |row, cancellation, params, more, outs| {
                    if !params.log.is_torn(cancellation.session, node) {
                        cancel(row, cancellation, params, more, outs);
                    }
                },
            );
        });
        let Err(panic) = attempted else { return };
        tear_one(node, progress.at_work, panic, lanes, params);
    }
}

/// Cancels for a kind that is a plain system over its lanes: a panic tears all of them, as it does in that system.
fn cancel_all<'w, 's, 'a, 'b, 'x, 'y, S: Component<Mutability = Mutable>, E: Cancels<'x, 'y>>(
    node: NodeId,
    lanes: &mut Lanes<'w, 's, S>,
    params: &mut NodeParams<'a, 'b>,
    more: &mut E,
    cancel: impl FnMut(
        Row<'_, S>,
        &Cancellation,
        &mut NodeParams<'a, 'b>,
        &mut E,
        &mut Query<'w, 's, &'static mut Queue>,
    ),
) {
    let mut progress = Progress::new(more.list());
    let attempted = attempt(|| cancel_lanes(node, lanes, params, more, &mut progress, |_| true, cancel));
    if let Err(panic) = attempted {
        tear_all(node, panic, lanes, params);
    }
}

/// Builds the system that cancels for a kind that is a plain system over its lanes.
pub(crate) fn cancel_lanes_of<K: SystemNode>(
    kind: Arc<K>,
    place: NodePlace,
    world: &mut World,
) -> BoxedSystem {
    let told =
        move |cancellation: &Cancellation| place.controls || cancellation.scope == CancelScope::Session;
    if !kind.decides_speech() {
        return timed_lane_system::<K::State, Cancelling<'static, 'static>>(
            place,
            world,
            move |lanes, params, more| {
                cancel_all(place.node, lanes, params, more, |row, cancellation, params, _, outs| {
                    let mut cx = NodeContext::new(place.node, row.lane, params, outs);
                    purge(row.queue, cancellation, &mut cx);
                    if told(cancellation) {
                        kind.control(row.state, cancellation, &mut cx);
                    }
                });
            },
        );
    }
    timed_lane_system::<K::State, Deciding<'static, 'static>>(place, world, move |lanes, params, more| {
        cancel_all(place.node, lanes, params, more, |row, cancellation, params, more, outs| {
            let mut cx = NodeContext::new(place.node, row.lane, params, outs);
            purge(row.queue, cancellation, &mut cx);
            if told(cancellation) {
                kind.control(row.state, cancellation, &mut cx);
            }
            if cancellation.scope == CancelScope::Session {
                kind.hang_up(row.state, &mut SegmentWriter::new(&mut cx, &mut more.segments));
            }
        });
    })
}

/// How far a node has come with the cancellations of a tick, for going on after a panic.
pub(crate) struct Progress {
    /// Cancellations that concern the node: what is cancelled later is for the nodes behind.
    pushed: usize,
    /// Cancellations that were begun, or lanes, where all are gone through.
    begun: usize,
    /// The queue entity at work.
    at_work: Entity,
}

impl Progress {
    /// Nothing is begun of what `list` has by now.
    pub(crate) fn new(list: &Cancellations) -> Self {
        Self { pushed: list.all().len(), begun: 0, at_work: Entity::PLACEHOLDER }
    }
}

/// The components of a queue entity that a cancellation concerns.
pub(crate) struct Row<'a, S> {
    pub(crate) lane: &'a mut Lane,
    pub(crate) queue: &'a mut Queue,
    pub(crate) state: &'a mut S,
}

/// Calls `cancel` for each cancellation of this tick with each lane of `node` that it concerns, from where `progress`
/// stands. Skips lanes where nothing waits and whose state `keeps` nothing that could be covered.
pub(crate) fn cancel_lanes<'w, 's, 'x, 'y, S: Component<Mutability = Mutable>, P, E: Cancels<'x, 'y>>(
    node: NodeId,
    lanes: &mut Lanes<'w, 's, S>,
    params: &mut P,
    more: &mut E,
    progress: &mut Progress,
    keeps: impl Fn(&S) -> bool,
    mut cancel: impl FnMut(Row<'_, S>, &Cancellation, &mut P, &mut E, &mut Query<'w, 's, &'static mut Queue>),
) {
    let Progress { pushed, begun, at_work } = progress;
    let pushed = *pushed;
    let Lanes { ins, outs } = lanes;
    if pushed * LOOKUPS_WORTH < more.lanes().open() as usize {
        for at in *begun..pushed {
            *begun = at + 1;
            let cancellation = more.list().all()[at];
            let Some(entity) = more.lanes().lane(cancellation.session, node) else { continue };
            let Ok((_, mut lane, mut queue, mut state)) = ins.get_mut(entity) else { continue };
            *at_work = entity;
            let row = Row { lane: &mut lane, queue: &mut queue, state: &mut *state };
            cancel(row, &cancellation, params, more, outs);
        }
        return;
    }
    for (entity, mut lane, mut queue, mut state) in ins.iter_mut().skip(*begun) {
        *begun += 1;
        *at_work = entity;
        if queue.is_empty() && !lane.has_stalled() && !keeps(&state) {
            continue;
        }
        let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
        let state = state.bypass_change_detection();
        let mut next = more.list().first(lane.session);
        while let Some(at) = next.filter(|at| *at < pushed) {
            let cancellation = more.list().all()[at];
            let row = Row { lane: &mut *lane, queue: &mut *queue, state: &mut *state };
            cancel(row, &cancellation, params, more, outs);
            next = more.list().after(at);
        }
    }
}
