//! Opens the sessions of a tick and removes those that are gone. Exclusive: makes and removes entities. Reads
//! admissions and closing sessions; writes the session index, segments, pools. Runs in `Stage::Admit`.

use std::collections::BTreeSet;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::edge::exchange::block_samples;
use crate::media::block::BlockPool;
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;
use crate::scene::Format;
use crate::service::call::SessionKey;
use crate::service::requests::Outbox;
use crate::session::components::{Intake, Session, Wiring};
use crate::session::index::SessionIndex;
use crate::speech::cancellation::Cancellations;
use crate::speech::segment::SegmentPool;
use crate::tick::failures::{despawn_lane, take_out};
use crate::tick::open::open;
use crate::tick::resources::{Admissions, Closing, ShardConfig};

/// Segments kept ready per session, so that no node ever has to spawn one: the one it is in, and one whose answer is
/// under way.
const SEGMENTS_SPARE: usize = 2;

/// Free segments beyond one per session below which new ones are made.
const SEGMENTS_LOW: usize = 16;

/// Most free blocks of one size per session that come home at once: those that a gate holds back, those in queues,
/// and those in the host's hands.
pub(crate) const BLOCKS_HOME: usize = 24;

/// Sessions of a shard that are provisioned to want all of this in the same tick; of further ones, every fourth.
const AT_ONCE: usize = 32;

/// Most events of one session in one tick, on average over a shard.
const RECORDS_PER_TICK: usize = 4;

/// Starts the stopwatch, removes sessions that are gone and opens the admitted ones. Exclusive.
pub(crate) fn admit(world: &mut World) {
    world.resource_mut::<StageTimes>().start();
    take_out(world);
    let mut changed = false;
    let mut closing = std::mem::take(&mut world.resource_mut::<Closing>().0);
    for id in closing.drain(..) {
        if let Some(session) = world.resource_mut::<SessionIndex>().remove(id) {
            close(world, session);
            despawn(world, session);
            changed = true;
        }
    }
    world.resource_mut::<Closing>().0 = closing;
    if changed {
        measure(world);
    }
    let open_now = world.resource::<SessionIndex>().open() as usize;
    if world.resource::<SegmentPool>().free() < open_now + SEGMENTS_LOW {
        // Answers that no host reads keep their segments: they must not keep other sessions from being heard.
        SegmentPool::reserve(world, open_now * SEGMENTS_SPARE + 32);
    }
    if world.resource::<Admissions>().0.is_empty() {
        return;
    }
    let admissions = std::mem::take(&mut world.resource_mut::<Admissions>().0);
    for port in admissions {
        open(world, port);
    }
    let open_now = world.resource::<SessionIndex>().open() as usize;
    world.resource_mut::<BlockPool>().serve(open_now);
    let spare = open_now * SEGMENTS_SPARE + 32;
    let active = world.resource::<SegmentPool>().active();
    SegmentPool::reserve(world, spare.saturating_sub(active).max(32));
    make_room(world);
}

/// Tells the services of a session that it is over.
fn close(world: &mut World, owner: Entity) {
    let plan = Arc::clone(&world.resource::<ShardConfig>().plan);
    let Some(&Session { id: session, generation, .. }) = world.get(owner) else { return };
    let mut outbox = world.resource_mut::<Outbox>();
    for (at, node) in plan.nodes.iter().enumerate() {
        if let Some(service) = node.service {
            outbox.closed.push((service as u8, SessionKey { session, generation, node: NodeId(at as u8) }));
        }
    }
}

/// Removes a session's entity and its queues.
fn despawn(world: &mut World, session: Entity) {
    let wiring = world.entity_mut(session).take::<Wiring>();
    for lane in wiring.iter().flat_map(|wiring| &wiring.lanes) {
        despawn_lane(world, *lane);
    }
    if world.resource::<Now>().is_broken(Mutation::LeakEntity) {
        world.entity_mut(session).clear();
    } else {
        world.despawn(session);
    }
}

/// The formats of the audio that arrives, one of each.
fn input_formats(world: &World) -> Vec<Format> {
    let mut formats = Vec::new();
    for session in world.resource::<SessionIndex>().entities() {
        if let Some(intake) = world.get::<Intake>(session)
            && !formats.contains(&intake.format)
        {
            formats.push(intake.format);
        }
    }
    formats
}

/// Measures the longest block anew: it may have been that of a session that is gone.
fn measure(world: &mut World) {
    let formats = input_formats(world);
    world.resource_mut::<SessionIndex>().measure(formats.into_iter());
}

/// Reserves storage for what all open sessions may have under way, so that no tick has to allocate.
fn make_room(world: &mut World) {
    let plan = Arc::clone(&world.resource::<ShardConfig>().plan);
    let open = world.resource::<SessionIndex>().open() as usize;
    let formats = input_formats(world).into_iter().flat_map(|input| {
        let nodes = plan.formats(input).into_iter().flat_map(|(arriving, closing)| [arriving, closing]);
        nodes.flatten().chain([input])
    });
    let lengths: BTreeSet<usize> = formats.map(block_samples).collect();
    let mut pool = world.resource_mut::<BlockPool>();
    let at_once = at_once(open);
    for samples in lengths {
        pool.reserve(samples, at_once * BLOCKS_HOME);
    }
    world.resource_mut::<EventLog>().reserve(at_once * RECORDS_PER_TICK + 16);
    let slots = world.resource::<SessionIndex>().slots();
    world.resource_mut::<Cancellations>().reserve(open + 16, slots);
    world.resource_mut::<Closing>().0.reserve(open);
}

/// How many of `sessions` a shard provisions for a simultaneous peak: the first 32 and a quarter of the rest.
pub(crate) fn at_once(sessions: usize) -> usize {
    sessions.min(AT_ONCE) + sessions.saturating_sub(AT_ONCE) / 4
}
