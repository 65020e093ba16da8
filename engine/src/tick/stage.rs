//! The stages of a tick.

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;

/// The stages of a tick, in order. Those of the engine's own world stand around those of the shards, of which the ones from
/// [`Self::Admit`] to the last node run in [`Self::FirstHalf`] and the others in [`Self::SecondHalf`]. The owner of a foreign
/// world orders systems by the stages of shards.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Engine: windows of metrics that are over are closed.
    Rotate,
    /// Engine: what came for the shards goes to them.
    Deliver,
    /// Engine: the shards run the stages up to the last node, in parallel.
    FirstHalf,
    /// Sessions come and go.
    Admit,
    /// Messages of hosts arrive.
    Control,
    /// Audio arrives.
    Ingress,
    /// Answers wait or are withdrawn because the user speaks.
    TurnTaking,
    /// What was taken back leaves one node, or the output (the number after the last node). Runs in ticks that cancel
    /// anything.
    Cancel(NodeId),
    /// One node of the scene.
    Node(NodeId),
    /// Engine: what the shards ask goes to the services, and batches form.
    Batch,
    /// Engine: the shards run the other stages, in parallel.
    SecondHalf,
    /// Audio and text leave.
    Egress,
    /// The books are closed.
    Account,
    /// Engine: what happened in all shards is joined.
    Join,
    /// Engine: metrics hear what happened.
    Observe,
}
