//! Run conditions.

use bevy_ecs::entity::Entity;
use bevy_ecs::system::Query;

use crate::components::VoiceState;

/// A conversation with `npc` is under way: it is spoken to, or speaks. False where there is no such voice.
pub fn in_speech(npc: Entity) -> impl Fn(Query<'_, '_, &VoiceState>) -> bool + Clone {
    move |states| states.get(npc).is_ok_and(|state| state.hears || state.speaks)
}

/// Some character speaks.
pub fn any_speaks(states: Query<'_, '_, &VoiceState>) -> bool {
    states.iter().any(|state| state.speaks)
}
