//! The stages of a tick.

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;

/// The stages of a tick, as they follow each other; `tick/order.rs` makes the edges. Some belong to the engine's own world; of the stages of shards, those from
/// [`Self::Admit`] to the last node run in [`Self::FirstHalf`] and the others in [`Self::SecondHalf`]. The owner of a
/// foreign world orders systems by the stages of shards.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Engine: windows of metrics that are over are closed.
    Rotate,
    /// Engine: sessions to open and replies of services go to the shards.
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
    /// What was cancelled leaves one node, or the output (the number after the last node). Runs in ticks that cancel
    /// anything, and in those that admit sessions.
    Cancel(NodeId),
    /// One node of the scene.
    Node(NodeId),
    /// Engine: the shards' requests go to the services, and batches form.
    Batch,
    /// Engine: the shards run the other stages, in parallel.
    SecondHalf,
    /// Audio and text leave.
    Egress,
    /// What was heard of answers is settled, and services are told in the next tick. Only in scenes that call services.
    Settle,
    /// Hosts are told, and segments and sessions that are over are removed.
    Account,
    /// Engine: the events of all shards are joined.
    Join,
    /// Engine: metrics count the answers that began.
    Observe,
}
