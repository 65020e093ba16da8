//! What a panic in a node costs: the session whose lane the node was working on, or all sessions of the shard where the
//! node is a system that works on all lanes at once. Everybody else goes on in the same tick.
//!
//! A lane whose node panicked is *torn*: the node's state there may be half changed, so the node never sees that lane
//! again. What waited for the node is dropped here, with the reason `Closed`; [`Account`](crate::tick::Stage::Account)
//! then ends the session, and the next [`Admit`](crate::tick::Stage::Admit) takes the lane out of the node's sight.

use std::sync::Arc;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::base::mutation::Mutation;
use crate::base::unwind::caught;
use crate::media::lost;
use crate::media::queue::{Lane, Queue};
use crate::node::context::NodeContext;
use crate::node::params::{Lanes, NodeParams};
use crate::node::purge::purge;
use crate::speech::cancellation::{CancelScope, Cancellation};

/// A panic of a node.
pub(crate) struct Panic {
    reason: Arc<str>,
    /// Blocks that were dropped as the stack unwound.
    blocks: u32,
}

/// Runs what a node does.
#[inline]
pub(crate) fn attempt(work: impl FnOnce()) -> Result<(), Panic> {
    lost::reset();
    caught(work).map_err(|said| Panic { reason: said.into(), blocks: lost::since_reset() })
}

/// Calls `work` for every lane of a node. A panic in it tears the lane at work, and the lanes behind that are worked
/// off all the same: one place that catches for all lanes, not one for each.
#[inline]
pub(crate) fn each_lane<'w, 's, S: Component<Mutability = Mutable>, M>(
    node: NodeId,
    lanes: &mut Lanes<'w, 's, S>,
    params: &mut NodeParams<'_, '_>,
    more: &mut M,
    mut work: impl FnMut(
        (Mut<'_, Lane>, Mut<'_, Queue>, Mut<'_, S>),
        &mut NodeParams<'_, '_>,
        &mut M,
        &mut Query<'w, 's, &'static mut Queue>,
    ),
) {
    let mut begun = 0;
    loop {
        let attempted = attempt(|| {
            let mut rows = lanes.ins.iter_mut();
            if begun > 0 {
                let _behind = rows.nth(begun - 1);
            }
            for (_, lane, queue, state) in rows {
                begun += 1;
                work((lane, queue, state), params, more, &mut lanes.outs);
            }
        });
        let Err(panic) = attempted else { return };
        tear_rows(node, begun - 1, 1, panic, lanes, params);
    }
}

/// Tears `count` of a node's lanes, from the one at `from` in the order in which they are worked off.
#[cold]
fn tear_rows<S: Component<Mutability = Mutable>>(
    node: NodeId,
    from: usize,
    count: usize,
    panic: Panic,
    lanes: &mut Lanes<'_, '_, S>,
    params: &mut NodeParams<'_, '_>,
) {
    params.pool.lose(panic.blocks);
    let count = count.saturating_add(usize::from(params.now.is_broken(Mutation::TearNeighbour)));
    for (_, mut lane, mut queue, _) in lanes.ins.iter_mut().skip(from).take(count) {
        tear(node, &panic.reason, &mut lane, &mut queue, params, &mut lanes.outs);
    }
}

/// Tears all lanes of a node: nobody knows which of them its system was working on.
#[cold]
pub(crate) fn tear_all<S: Component<Mutability = Mutable>>(
    node: NodeId,
    panic: Panic,
    lanes: &mut Lanes<'_, '_, S>,
    params: &mut NodeParams<'_, '_>,
) {
    tear_rows(node, 0, usize::MAX, panic, lanes, params);
}

/// Tears the lane of one queue entity, if it is one of the node's.
#[cold]
pub(crate) fn tear_one<S: Component<Mutability = Mutable>>(
    node: NodeId,
    queue: Entity,
    panic: Panic,
    lanes: &mut Lanes<'_, '_, S>,
    params: &mut NodeParams<'_, '_>,
) {
    params.pool.lose(panic.blocks);
    if let Ok((_, mut lane, mut queue, _)) = lanes.ins.get_mut(queue) {
        tear(node, &panic.reason, &mut lane, &mut queue, params, &mut lanes.outs);
    }
}

/// Tears one lane: its session fails, and what waits for its node is dropped.
fn tear(
    node: NodeId,
    reason: &Arc<str>,
    lane: &mut Lane,
    queue: &mut Queue,
    params: &mut NodeParams<'_, '_>,
    outs: &mut Query<'_, '_, &'static mut Queue>,
) {
    let session = lane.session;
    if !params.log.fail(params.now.us, session, Some(node), reason) {
        return;
    }
    let cancellation = Cancellation { session, scope: CancelScope::Session };
    purge(queue, &cancellation, &mut NodeContext::new(node, lane, params, outs));
    queue.in_service = 0;
}
