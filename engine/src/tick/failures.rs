//! Ends what a panic has torn: takes torn lanes out of their nodes' sight, ends the segments of torn gates, and counts what
//! a torn lane keeps. The hub stops their calls, as at any end of a session.
//!
//! A tick in which a node panics goes on to its end. Its Account makes the sessions that failed `Gone`, so that in the
//! next tick all nodes but the torn ones hear of their end as of a hang-up; that tick's Account closes them, and the
//! tick after that removes their entities.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::base::ids::NodeId;
use crate::base::time::Now;
use crate::edge::session_event::CloseReason;
use crate::media::block::BlockPool;
use crate::media::lost;
use crate::media::queue::{Lane, Queue};
use crate::node::enqueue::Enqueue;
use crate::node::mark::unmark;
use crate::node::plan::ScenePlan;
use crate::record::counts::Counts;
use crate::record::event::{DropReason, Event, EventLog};
use crate::session::components::{HostLink, Phase, Session, Wiring};
use crate::session::index::SessionIndex;
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};
use crate::speech::segment::{CancelReason, Extent, Segment, SegmentParams, Verdict};
use crate::tick::resources::{Closing, NeedsSweep};

/// Lanes that their nodes do not see any more; the entities live until their sessions are removed.
#[derive(Resource, Debug, Default)]
pub(crate) struct Torn {
    lanes: Vec<TornLane>,
}

#[derive(Clone, Copy, Debug)]
struct TornLane {
    node: NodeId,
    queue: Entity,
}

/// Takes the lanes that were torn in the last tick out of their nodes' sight. Nothing is spawned or removed.
pub(crate) fn take_out(world: &mut World) {
    if world.resource::<EventLog>().failed.is_empty() {
        return;
    }
    let failed = std::mem::take(&mut world.resource_mut::<EventLog>().failed);
    for (id, node) in failed {
        let Some(session) = world.resource::<SessionIndex>().entity(id) else { continue };
        let lane = node.and_then(|node| Some((node, world.get::<Wiring>(session)?.lane(node)?)));
        let Some((node, queue)) = lane else { continue };
        unmark(node, &mut world.entity_mut(queue));
        world.resource_mut::<Torn>().lanes.push(TornLane { node, queue });
    }
}

/// Removes a queue entity. What a torn lane's state still holds goes with it, and is counted as lost.
pub(crate) fn despawn_lane(world: &mut World, queue: Entity) {
    let lanes = &mut world.resource_mut::<Torn>().lanes;
    let torn = lanes.iter().position(|lane| lane.queue == queue);
    if let Some(at) = torn {
        lanes.swap_remove(at);
        // What waits there has been accounted for: only the state's blocks are to be counted.
        drop(world.entity_mut(queue).take::<(Queue, Lane)>());
        let blocks = lost::during(|| {
            world.despawn(queue);
        });
        world.resource_mut::<BlockPool>().lose(blocks);
    } else {
        world.despawn(queue);
    }
}

/// What the account touches of sessions that failed.
#[derive(SystemParam)]
pub(crate) struct Failures<'w, 's> {
    torn: Res<'w, Torn>,
    counts: ResMut<'w, Counts>,
    queues: Query<'w, 's, &'static mut Queue>,
}

impl Failures<'_, '_> {
    /// Drops what other nodes have sent to torn lanes since these were taken out.
    pub(crate) fn drop_arrived(&mut self, now: Now, pool: &mut BlockPool, log: &mut EventLog) {
        for TornLane { node, queue } in &self.torn.lanes {
            let Ok(mut queue) = self.queues.get_mut(*queue) else { continue };
            while let Some(frame) = queue.pop() {
                let mut enqueue = Enqueue { now, pool, counts: &mut self.counts, log };
                enqueue.lose(*node, frame, DropReason::Closed);
            }
        }
    }

    /// Ends the segments of sessions whose gate was torn in this tick, as the gate would at a hang-up. `media_us` is how
    /// much of the session's audio has arrived: nobody knows how far the gate had come.
    pub(crate) fn end_segments(
        &mut self,
        now: Now,
        log: &mut EventLog,
        plan: &ScenePlan,
        segments: &mut SegmentParams<'_, '_>,
        media_us: impl Fn(Entity) -> u64,
    ) {
        for at in 0..log.failed.len() {
            let (session, Some(node)) = log.failed[at] else { continue };
            if !plan.nodes.get(node.index()).is_some_and(|node| node.spec.decides_speech()) {
                continue;
            }
            let mut open: Vec<Segment> = segments.segments.active().cloned().collect();
            open.retain(|segment| segment.session == session && segment.is_spoken());
            open.sort_unstable_by_key(|segment| segment.key.serial);
            for segment in open {
                let to_us = media_us(segment.owner).max(segment.from_us + 1);
                let event = end(&segment, to_us, segments);
                self.counts.node(node).count(&event);
                log.push(now.us, session, segment.turn, event);
            }
        }
    }
}

/// Ends an open segment at `to_us`: one that is undecided is no speech, one that is speech ends unanswered.
fn end(segment: &Segment, to_us: u64, params: &mut SegmentParams<'_, '_>) -> Event {
    let (key, session, from_us) = (segment.key, segment.session, segment.from_us);
    if segment.verdict == Verdict::Speculative {
        let reason = CancelReason::Closed;
        params.segments.cancel(key, session, reason);
        return Event::SegmentCancelled { segment: key.serial, reason, from_us, to_us };
    }
    let revision = match segment.extent {
        Extent::Ending(revision) => revision,
        Extent::Open | Extent::Ended(_) => 0,
    };
    params.segments.set_extent(key, session, Extent::Ended(revision));
    let (heard_from_us, heard_to_us) = segment.voiced;
    Event::SegmentEnded {
        segment: key.serial,
        revision,
        from_us,
        to_us,
        speech_from_us: heard_from_us.clamp(from_us, to_us),
        speech_to_us: heard_to_us.clamp(from_us, to_us),
        split: false,
    }
}

/// Ends all sessions of a shard in which a system panicked that is no node's. Logged at once, the rest is Account's.
pub(crate) fn fail_all(world: &mut World, said: &str) {
    let reason: Arc<str> = said.into();
    let now_us = world.resource::<Now>().us;
    let sessions: Vec<Entity> = world.resource::<SessionIndex>().entities().collect();
    for entity in sessions {
        let (Some(session), Some(phase)) = (world.get::<Session>(entity), world.get::<Phase>(entity)) else {
            continue;
        };
        if *phase != Phase::Gone {
            let id = session.id;
            world.resource_mut::<EventLog>().fail(now_us, id, None, &reason);
        }
    }
}

/// Ends the sessions that failed behind this tick's Account, or because of it.
pub(crate) fn end_unaccounted(world: &mut World) {
    let failed = std::mem::take(&mut world.resource_mut::<EventLog>().failed);
    for (id, _) in &failed {
        let Some(entity) = world.resource::<SessionIndex>().entity(*id) else { continue };
        if world.get::<Phase>(entity).is_none_or(|phase| *phase == Phase::Gone) {
            continue;
        }
        let mut session = world.entity_mut(entity);
        session.insert(Phase::Gone);
        if let Some(mut link) = session.get_mut::<HostLink>() {
            link.reason = CloseReason::Failed("a system of its shard panicked".into());
        }
        let cancellation = Cancellation { session: *id, scope: CancelScope::Session };
        world.resource_mut::<Cancellations>().push(cancellation);
    }
    world.resource_mut::<EventLog>().failed = failed;
    world.resource_mut::<NeedsSweep>().0 = true;
    keep_untold(world);
}

/// Leaves sessions whose hosts were not told of their end to the next Account.
fn keep_untold(world: &mut World) {
    let mut closing = std::mem::take(&mut world.resource_mut::<Closing>().0);
    closing.retain(|id| {
        let entity = world.resource::<SessionIndex>().entity(*id);
        let link = entity.and_then(|entity| world.get::<HostLink>(entity));
        link.is_none_or(|link| link.port.is_closed())
    });
    world.resource_mut::<Closing>().0 = closing;
}
