//! One engine in the game's own world.

use bevy_asset::{AssetId, Assets};
use bevy_ecs::query::Without;
use bevy_ecs::world::World;
use bevy_time::{Real, Time};
use mynah_engine::ScenePlan;
use mynah_engine::embed;

use super::engines::{Place, SceneEngine, VoiceEngines, now_us};
use crate::components::{Closed, Voice, VoiceSession};
use crate::cost::VoiceCost;
use crate::scene::VoiceScene;

/// What to tell of a scene that a world cannot hold beside `held`.
pub(crate) fn second_scene(held: &ScenePlan, wanted: &ScenePlan) -> String {
    let (held, wanted) = (&held.scene.name, &wanted.scene.name);
    format!(
        "scene `{wanted}`: the world holds `{held}` already, and an embedded engine is one scene; use \
         `Run::OwnThread` or `Run::InFrame` for several"
    )
}

/// Embeds the scene of the first voice that waits for one.
pub(crate) fn install(world: &mut World) {
    if !world.resource::<VoiceEngines>().is_empty() {
        return;
    }
    let Some((id, scene)) = first(world) else { return };
    let config = world.resource::<VoiceEngines>().settings.engine();
    let handle = embed::embed(world, scene.plan(), config);
    let engine = SceneEngine::new(id, scene, (handle, Place::World));
    world.resource_mut::<VoiceEngines>().list.push(engine);
}

fn first(world: &mut World) -> Option<(AssetId<VoiceScene>, VoiceScene)> {
    let mut waiting = world.query_filtered::<&Voice, (Without<VoiceSession>, Without<Closed>)>();
    let scenes = world.resource::<Assets<VoiceScene>>();
    let loaded = |voice: &Voice| Some((voice.scene.id(), scenes.get(&voice.scene)?.clone()));
    waiting.iter(world).find_map(loaded)
}

/// Ticks the embedded engine.
pub(crate) fn tick(world: &mut World) {
    if world.resource::<VoiceEngines>().is_empty() {
        return;
    }
    let now_us = now_us(world.resource::<Time<Real>>());
    world.resource_scope(|world, cost: bevy_ecs::world::Mut<'_, VoiceCost>| {
        cost.measure_tick(|| embed::tick(world, now_us));
    });
}
