//! One engine in the game's own world.

use bevy_asset::{AssetEvent, AssetId, Assets};
use bevy_ecs::message::{MessageReader, MessageWriter};
use bevy_ecs::query::Without;
use bevy_ecs::system::Res;
use bevy_ecs::world::{Mut, World};
use bevy_time::{Real, Time};
use mynah_engine::ScenePlan;
use mynah_engine::embed;

use super::engines::{Place, SceneEngine, VoiceEngines, now_us};
use crate::components::{Closed, Voice, VoiceSession};
use crate::cost::VoiceCost;
use crate::messages::SceneFailed;
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

/// Tells of a scene that has changed: the world keeps the one it holds.
pub(crate) fn tell_kept(
    engines: Res<'_, VoiceEngines>,
    scenes: Res<'_, Assets<VoiceScene>>,
    mut changes: MessageReader<'_, '_, AssetEvent<VoiceScene>>,
    mut told: MessageWriter<'_, SceneFailed>,
) {
    for event in changes.read() {
        let (AssetEvent::Modified { id }, Some(held)) = (event, engines.list.first()) else { continue };
        let changed = scenes.get(*id).is_some_and(|scene| !scene.is_same(&held.scene));
        if held.id == *id && changed {
            let name = &held.scene.plan().scene.name;
            let reason = format!(
                "the scene has changed, and the world keeps `{name}` as it was: start the game anew, or use \
                 `Run::OwnThread` or `Run::InFrame`"
            );
            told.write(SceneFailed { scene: *id, path: String::new(), reason });
        }
    }
}

/// Ticks the embedded engine.
pub(crate) fn tick(world: &mut World) {
    if world.resource::<VoiceEngines>().is_empty() {
        return;
    }
    let now_us = now_us(world.resource::<Time<Real>>());
    world.resource_scope(|world, cost: Mut<'_, VoiceCost>| {
        cost.measure_tick(|| embed::tick(world, now_us));
    });
}
