//! A character that listens and speaks.

use bevy_asset::Handle;
use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
use bevy_ecs::world::DeferredWorld;
use mynah_engine::Params;
use mynah_engine::speech::{GateOverrides, History, Interruption};

use super::outbox::{Closed, Outbox};
use super::session::VoiceSession;
use super::state::VoiceState;
use crate::scene::VoiceScene;

/// Gives a character ears and a voice. As soon as its scene is loaded a session is opened for it
/// ([`VoiceOpened`](crate::VoiceOpened)); when this is removed, or the entity is despawned, it hangs up.
///
/// Its fields are read when the session opens. Whom it hears says [`VoiceInput`](crate::VoiceInput), and where it sounds
/// [`VoiceOutput`](crate::VoiceOutput); spawn them together.
#[derive(Component, Clone, Debug, Default)]
#[require(VoiceState, Outbox)]
#[component(on_remove = hang_up)]
pub struct Voice {
    /// How it hears, thinks and speaks. When the file changes, running sessions keep the scene they began with, and new
    /// ones take the new scene.
    pub scene: Handle<VoiceScene>,
    /// Name of the session, unique among the open ones of a scene, 1 to 128 bytes. `None`: the entity's number.
    pub name: Option<String>,
    /// What services should know, such as `voice` or `instructions`.
    pub params: Params,
    /// Whether the player's speech interrupts it; `None` = as the scene says.
    pub interruption: Option<Interruption>,
    /// What the scene's gate does differently, such as the mode it begins in.
    pub gate: GateOverrides,
    /// A conversation that goes on: what [`VoiceSession::history`] gave, perhaps in another game.
    pub history: History,
}

impl Voice {
    /// A voice by a scene, with all else as the scene says.
    pub fn new(scene: Handle<VoiceScene>) -> Self {
        Self { scene, ..Self::default() }
    }
}

fn hang_up(mut world: DeferredWorld<'_>, context: HookContext) {
    // Whoever despawns an entity takes these with it.
    world.commands().entity(context.entity).try_remove::<(VoiceSession, Closed)>();
}
