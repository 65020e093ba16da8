//! Scenes as files that are read again when they change.

use std::sync::Arc;

use bevy_app::{App, Plugin, PreUpdate};
use bevy_asset::io::Reader;
use bevy_asset::{AssetApp, AssetLoadFailedEvent, AssetLoader, AssetServer, LoadContext};
use bevy_ecs::entity::Entity;
use bevy_ecs::message::{MessageReader, MessageWriter};
use bevy_ecs::query::Without;
use bevy_ecs::schedule::IntoScheduleConfigs;
use bevy_ecs::system::{Commands, Query};
use bevy_reflect::TypePath;
use mynah_engine::Registry;

use crate::components::{Voice, VoiceSession};
use crate::messages::{SceneFailed, VoiceFailed};
use crate::plugin::VoiceSystems;
use crate::scene::{BadScene, VoiceKinds, VoiceScene};
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
        app.add_systems(PreUpdate, tell_failures.in_set(VoiceSystems::Tell));
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
        VoiceScene::parse_with(&context.path().to_string(), &text, &self.kinds)
    }

    fn extensions(&self) -> &[&str] {
        &["voice.ron"]
    }
}

/// Tells of files that are no scenes, and the voices that wait for them.
fn tell_failures(
    mut failures: MessageReader<'_, '_, AssetLoadFailedEvent<VoiceScene>>,
    waiting: Query<'_, '_, (Entity, &Voice), Without<VoiceSession>>,
    mut told: MessageWriter<'_, SceneFailed>,
    mut commands: Commands<'_, '_>,
) {
    for AssetLoadFailedEvent { id, path, error } in failures.read() {
        let reason = error.to_string();
        for (npc, _) in waiting.iter().filter(|(_, voice)| voice.scene.id() == *id) {
            announce(&mut commands, VoiceFailed { npc, reason: reason.clone() });
        }
        told.write(SceneFailed { scene: *id, path: path.to_string(), reason });
    }
}
