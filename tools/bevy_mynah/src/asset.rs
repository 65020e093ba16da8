//! Scenes as files that are read again when they change.

use std::collections::BTreeMap;
use std::sync::Arc;

use bevy_app::{App, Plugin, PreUpdate};
use bevy_asset::io::Reader;
use bevy_asset::{
    AssetApp, AssetEvent, AssetId, AssetLoadFailedEvent, AssetLoader, AssetServer, Assets, LoadContext,
};
use bevy_ecs::entity::Entity;
use bevy_ecs::message::{MessageReader, MessageWriter};
use bevy_ecs::query::{Changed, Without};
use bevy_ecs::resource::Resource;
use bevy_ecs::schedule::IntoScheduleConfigs;
use bevy_ecs::system::{Commands, Query, Res, ResMut};
use bevy_reflect::TypePath;
use mynah_engine::Registry;

use crate::components::{Voice, VoiceSession};
use crate::messages::{SceneFailed, VoiceFailed};
use crate::scene::{BadScene, VoiceKinds, VoiceScene};
use crate::schedule::VoiceSystems;
use crate::tell::announce;

/// Loads [`VoiceScene`]s from `*.voice.ron`. Without `AssetPlugin` it does nothing.
///
/// With `AssetPlugin { watch_for_changes_override: Some(true), .. }` a file is read again when it changes: new sessions
/// take the new scene, running ones keep theirs. A file that is no scene leaves the old one in place, and
/// [`SceneFailed`] says why.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoiceAssetPlugin;

impl Plugin for VoiceAssetPlugin {
    fn build(&self, app: &mut App) {
        if !app.world().contains_resource::<AssetServer>() {
            return;
        }
        let kinds = app.world().get_resource::<VoiceKinds>().cloned().unwrap_or_default();
        app.register_asset_loader(VoiceSceneLoader { kinds: kinds.0 });
        app.init_resource::<Broken>();
        app.add_systems(PreUpdate, (tell_late, tell_failures).chain().in_set(VoiceSystems::Tell));
    }
}

/// Reads and compiles `*.voice.ron`.
#[derive(TypePath)]
pub struct VoiceSceneLoader {
    kinds: Arc<Registry>,
}

impl AssetLoader for VoiceSceneLoader {
    type Asset = VoiceScene;
    type Settings = ();
    type Error = BadScene;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        (): &(),
        context: &mut LoadContext<'_>,
    ) -> Result<VoiceScene, BadScene> {
        let mut bytes = Vec::new();
        let read = reader.read_to_end(&mut bytes).await;
        read.map_err(|error| BadScene(format!("the file cannot be read: {error}")))?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|error| BadScene(format!("the file is no UTF-8 text: {error}")))?;
        let scene = VoiceScene::parse_with(&context.path().to_string(), &text, &self.kinds)?;
        Ok(scene.of_file(text))
    }

    fn extensions(&self) -> &[&str] {
        &["voice.ron"]
    }
}

/// What was told last of each file that is broken.
#[derive(Resource, Default)]
struct Broken(BTreeMap<AssetId<VoiceScene>, String>);

/// Voices that have come, or have changed, and are not open.
type New = (Changed<Voice>, Without<VoiceSession>);

/// Tells new voices whose file was found broken before they came, and was never sound.
fn tell_late(
    new: Query<'_, '_, (Entity, &Voice), New>,
    broken: Res<'_, Broken>,
    scenes: Res<'_, Assets<VoiceScene>>,
    mut commands: Commands<'_, '_>,
) {
    for (npc, voice) in new.iter().filter(|(_, voice)| !scenes.contains(&voice.scene)) {
        if let Some(reason) = broken.0.get(&voice.scene.id()) {
            announce(&mut commands, VoiceFailed { npc, reason: reason.clone() });
        }
    }
}

/// Tells of files that are no scenes, and the voices that wait for them.
fn tell_failures(
    mut failures: MessageReader<'_, '_, AssetLoadFailedEvent<VoiceScene>>,
    waiting: Query<'_, '_, (Entity, &Voice), Without<VoiceSession>>,
    mut told: MessageWriter<'_, SceneFailed>,
    mut commands: Commands<'_, '_>,
    mut loaded: MessageReader<'_, '_, AssetEvent<VoiceScene>>,
    mut broken: ResMut<'_, Broken>,
) {
    for event in loaded.read() {
        if let AssetEvent::Added { id } | AssetEvent::Modified { id } = event {
            broken.0.remove(id);
        }
    }
    for AssetLoadFailedEvent { id, path, error } in failures.read() {
        let reason = error.to_string();
        // One write of a file is often several for who watches it.
        if broken.0.insert(*id, reason.clone()).as_ref() == Some(&reason) {
            continue;
        }
        for (npc, _) in waiting.iter().filter(|(_, voice)| voice.scene.id() == *id) {
            announce(&mut commands, VoiceFailed { npc, reason: reason.clone() });
        }
        told.write(SceneFailed { scene: *id, path: path.to_string(), reason });
    }
}
