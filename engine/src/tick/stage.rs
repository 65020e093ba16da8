//! The stages of a tick.

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;

/// The stages of a tick, in order.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
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
    /// Audio and text leave.
    Egress,
    /// The books are closed.
    Account,
}
