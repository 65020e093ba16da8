//! Who is spoken to, by distance.

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::query::{Has, With};
use bevy_ecs::system::{Commands, Local, Query};
use bevy_transform::components::GlobalTransform;

use crate::components::{Addressed, Voice, VoiceInput};

/// Stands where a player stands, and has the nearest character within `radius` [`Addressed`]: of those that hear a
/// source [when addressed](VoiceInput::when_addressed). With several listeners each addresses one. Who was addressed by the game
/// itself stays so.
///
/// Needs a `GlobalTransform` on both. Distances are those of the frame before.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Listener {
    /// Farthest distance, in units of the world.
    pub radius: f32,
    /// Another character must be so much nearer than the one that is addressed, in units of the world: whoever walks
    /// between two does not flutter.
    pub margin: f32,
}

impl Default for Listener {
    /// 5 units, 0.5 of them to change over.
    fn default() -> Self {
        Self { radius: 5.0, margin: 0.5 }
    }
}

/// Addressed by distance, and not by the game.
#[derive(Component)]
pub(crate) struct Nearest;

type Candidate<'a> = (Entity, &'a GlobalTransform, &'a VoiceInput, Has<Nearest>, Has<Addressed>);

/// Addresses the nearest character of each listener. Without listeners it does nothing.
pub(crate) fn address_nearest(
    listeners: Query<'_, '_, (&GlobalTransform, &Listener)>,
    voices: Query<'_, '_, Candidate<'_>, With<Voice>>,
    addressed: Query<'_, '_, (), With<Nearest>>,
    mut chosen: Local<'_, Vec<Entity>>,
    mut commands: Commands<'_, '_>,
) {
    if listeners.is_empty() && addressed.is_empty() {
        return;
    }
    let nearest = |(place, listener): (&GlobalTransform, &Listener)| {
        let reached = voices.iter().filter(|(_, _, input, ..)| input.when_addressed).filter_map(|voice| {
            let (npc, at, _, held, _) = voice;
            let distance = at.translation().distance(place.translation());
            let lead = if held { listener.margin } else { 0.0 };
            (distance <= listener.radius).then_some((distance - lead, npc))
        });
        reached.min_by(|(one, a), (other, b)| one.total_cmp(other).then(a.cmp(b))).map(|(_, npc)| npc)
    };
    chosen.clear();
    chosen.extend(listeners.iter().filter_map(nearest));
    for (npc, _, _, held, addressed) in &voices {
        let wanted = chosen.contains(&npc);
        if held && !wanted {
            commands.entity(npc).try_remove::<(Nearest, Addressed)>();
        } else if wanted && !addressed {
            commands.entity(npc).try_insert((Nearest, Addressed));
        }
    }
}
