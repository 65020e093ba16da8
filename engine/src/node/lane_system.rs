//! Builds the system of a node that is a plain system over its lanes.

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, SystemParam, SystemParamItem};

use crate::node::failure::{attempt, tear_all};
use crate::node::params::{Lanes, NodeParams, timed_lane_system};
use crate::node::place::NodePlace;

/// Builds the system of a node: `work` gets the node's lanes, what frames touch, and the further parameters `E`, so
/// that the system declares what it touches and nothing more. The time of `work` counts as the node's.
///
/// A panic in `work` ends the sessions of the shard, as nobody knows whose lane it was. Sessions that come later get
/// lanes of their own, but `work` stays: what it keeps from tick to tick must do after a panic, too.
pub fn lane_system<S, E>(
    place: NodePlace,
    world: &mut World,
    mut work: impl FnMut(&mut Lanes<'_, '_, S>, &mut NodeParams<'_, '_>, &mut SystemParamItem<'_, '_, E>)
    + Send
    + Sync
    + 'static,
) -> BoxedSystem
where
    S: Component<Mutability = Mutable>,
    E: SystemParam + 'static,
{
    timed_lane_system::<S, E>(place, world, move |lanes, params, more| {
        // A lane that was torn as it heard of a cancellation is one of all lanes here.
        let attempted =
            if params.log.has_torn(place.node) { Ok(()) } else { attempt(|| work(lanes, params, more)) };
        if let Err(panic) = attempted {
            tear_all(place.node, panic, lanes, params);
        }
    })
}
