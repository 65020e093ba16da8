//! When voices do what they do.

use bevy_ecs::schedule::SystemSet;

/// What voices do in a frame, in `PreUpdate` and in this order: what is told in a frame can be read in its `Update`.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VoiceSystems {
    /// Sessions are opened, and sources routed.
    Open,
    /// Engines tick, where they do in the frame.
    Tick,
    /// Messages are written, events triggered, and [`VoiceState`](crate::VoiceState) follows.
    Tell,
}
