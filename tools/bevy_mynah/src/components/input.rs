//! Whom a character hears.

use bevy_ecs::component::Component;

use crate::feed::Feed;

/// Who is heard. Without it a character hears nobody, and only speaks. When another source takes its place, the session
/// is opened anew in that source's format, and the conversation goes on.
#[derive(Component, Clone, Debug)]
pub struct VoiceInput {
    /// The source; several characters may share one.
    pub feed: Feed,
    /// Whether it is heard only so long as the character is [`Addressed`].
    pub when_addressed: bool,
}

impl VoiceInput {
    /// Hears everything of a source.
    pub fn always(feed: Feed) -> Self {
        Self { feed, when_addressed: false }
    }

    /// Hears a shared source only so long as the character is [`Addressed`].
    pub fn when_addressed(feed: Feed) -> Self {
        Self { feed, when_addressed: true }
    }
}

/// The player speaks to this character: a source that is heard [when addressed](VoiceInput::when_addressed) goes to it.
/// The game inserts and removes it, by gaze or by a key; a [`Listener`](crate::Listener) does so by distance.
///
/// Who is no longer addressed hears silence, so that what was said to it comes to its end and is answered.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addressed;
