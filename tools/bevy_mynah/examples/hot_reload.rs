//! A scene that changes while the game runs: a copy of the guard's is replaced by that of a patient guard, then by a broken
//! one. Who is there keeps the scene he began with, who comes later has the new one, and what is broken is told.
//!
//! Run: `cargo run --release --example hot_reload`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, TaskPoolPlugin, Update};
use bevy_asset::{AssetEvent, AssetPlugin, AssetServer, Assets, Handle};
use bevy_ecs::prelude::*;
use bevy_mynah::{MynahPlugins, SceneFailed, Voice, VoiceEngines, VoiceOpened, VoiceScene};
use bevy_time::{Real, Time, TimePlugin};

/// What becomes of the file, and when, s.
const CHANGES: [(f64, &str); 2] =
    [(1.0, "tests/assets/patient.voice.ron"), (2.5, "tests/assets/broken.voice.ron")];
const END_S: f64 = 5.0;

#[derive(Resource)]
struct Files {
    folder: PathBuf,
    scene: Handle<VoiceScene>,
    done: usize,
    changed_s: f64,
}

impl Files {
    fn put(&self, scene: &str) -> std::io::Result<()> {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(scene);
        fs::copy(from, self.folder.join("npc.voice.ron")).map(|_| ())
    }
}

fn change(mut files: ResMut<'_, Files>, time: Res<'_, Time<Real>>) -> Result<(), BevyError> {
    if let Some((_, scene)) = CHANGES.get(files.done).filter(|(at_s, _)| time.elapsed_secs_f64() >= *at_s) {
        println!("{:6.2} s  the file becomes {scene}", time.elapsed_secs_f64());
        files.put(scene)?;
        files.done += 1;
        files.changed_s = time.elapsed_secs_f64();
    }
    Ok(())
}

/// Somebody new comes whenever the scene is another.
fn come(
    files: Res<'_, Files>,
    time: Res<'_, Time<Real>>,
    scenes: Res<'_, Assets<VoiceScene>>,
    mut loaded: MessageReader<'_, '_, AssetEvent<VoiceScene>>,
    mut commands: Commands<'_, '_>,
) {
    let now_s = time.elapsed_secs_f64();
    let after_ms = (now_s - files.changed_s) * 1e3;
    for event in loaded.read() {
        let (AssetEvent::Added { id } | AssetEvent::Modified { id }) = event else { continue };
        let name = scenes.get(*id).map_or("?", |scene| &scene.plan().scene.name);
        println!("{now_s:6.2} s  the scene is `{name}` ({after_ms:.0} ms later); somebody new comes");
        commands.spawn(Voice::new(files.scene.clone()));
    }
}

fn narrate(
    files: Res<'_, Files>,
    time: Res<'_, Time<Real>>,
    engines: Res<'_, VoiceEngines>,
    mut failed: MessageReader<'_, '_, SceneFailed>,
    mut opened: MessageReader<'_, '_, VoiceOpened>,
) {
    let now_s = time.elapsed_secs_f64();
    let after_ms = (now_s - files.changed_s) * 1e3;
    for VoiceOpened { npc } in opened.read() {
        println!("{now_s:6.2} s  {npc} is there; engines: {}", engines.len());
    }
    for SceneFailed { reason, .. } in failed.read() {
        println!("{now_s:6.2} s  the file is broken ({after_ms:.0} ms later), the scene stays:\n{reason}");
    }
}

fn leave(time: Res<'_, Time<Real>>, files: Res<'_, Files>, mut exit: MessageWriter<'_, AppExit>) {
    if time.elapsed_secs_f64() > END_S {
        // The folder is the example's own.
        drop(fs::remove_dir_all(&files.folder));
        exit.write(AppExit::Success);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("mynah_hot_reload_{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let watched = AssetPlugin {
        file_path: folder.display().to_string(),
        watch_for_changes_override: Some(true),
        ..AssetPlugin::default()
    };
    let mut app = App::new();
    app.add_plugins((
        TaskPoolPlugin::default(),
        TimePlugin,
        ScheduleRunnerPlugin::run_loop(Duration::from_micros(16_667)),
        watched,
        MynahPlugins,
    ));
    let mut files = Files { folder, scene: Handle::default(), done: 0, changed_s: 0.0 };
    files.put("assets/guard.voice.ron")?;
    files.scene = app.world().resource::<AssetServer>().load("npc.voice.ron");
    app.insert_resource(files).add_systems(Update, (change, come, narrate, leave).chain()).run();
    Ok(())
}
