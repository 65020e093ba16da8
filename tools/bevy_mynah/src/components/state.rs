//! What a character does at the moment.

use bevy_ecs::component::Component;
use mynah_engine::media::Viseme;

/// What a voice does at the moment: for queries, run conditions and animation. Written in
/// [`VoiceSystems::Tell`](crate::VoiceSystems::Tell), and marked as changed only when something did.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct VoiceState {
    /// A session is open.
    pub open: bool,
    /// Somebody speaks to it; what turns out to be no speech does not count.
    pub hears: bool,
    /// It speaks: an answer sounds, and does not wait.
    pub speaks: bool,
    /// How loud it is at the device: root mean square of what was read last, 0 to 1.
    pub level: f32,
    /// How far other sounds should make way, 0 to 1: rises in 60 ms when it speaks, falls in 600 ms. A gain of
    /// `1.0 - 0.7 * duck` takes 10 dB off the music.
    pub duck: f32,
    /// The shape of its mouth, where its voice knows its phones; to the frame. For exact times read
    /// [`Spoken`](crate::Spoken).
    pub viseme: Viseme,
}
