//! A scene as a file: read, read again when it changes, and kept when it breaks.
#![cfg(feature = "asset")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bevy_app::{App, TaskPoolPlugin};
use bevy_asset::{AssetPlugin, AssetServer, Assets, Handle};
use bevy_ecs::prelude::*;
use bevy_mynah::mynah_host::clock::Epoch;
use bevy_mynah::{
    MynahPlugins, Run, SceneFailed, Voice, VoiceEngines, VoiceFailed, VoiceScene, VoiceSession, VoiceSettings,
};
use bevy_time::TimePlugin;

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("it is the test's own");
    }
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn put(scene: &str, folder: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(scene);
    fs::copy(from, folder.join("npc.voice.ron")).expect("both are there");
}

fn app(folder: &Path) -> App {
    let mut app = App::new();
    let files = AssetPlugin {
        file_path: folder.display().to_string(),
        watch_for_changes_override: Some(true),
        ..AssetPlugin::default()
    };
    app.add_plugins((TaskPoolPlugin::default(), TimePlugin, files, MynahPlugins));
    app.insert_resource(VoiceSettings { run: Run::InFrame, ..VoiceSettings::default() });
    app.finish();
    app.cleanup();
    app
}

/// Frames until `over` holds, half a minute at most; the time that took, ms.
#[expect(clippy::disallowed_methods, reason = "files are watched on the wall clock")]
fn until(app: &mut App, mut over: impl FnMut(&mut App) -> bool) -> u64 {
    let epoch = Epoch::start();
    while epoch.now_us() < 30_000_000 {
        app.update();
        if over(app) {
            return epoch.now_us() / 1_000;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come so far");
}

fn name(app: &App, handle: &Handle<VoiceScene>) -> Option<String> {
    let scenes = app.world().resource::<Assets<VoiceScene>>();
    scenes.get(handle).map(|scene| scene.plan().scene.name.clone())
}

/// What was told of files since the last call.
fn failures(app: &mut App) -> Vec<String> {
    app.world_mut().resource_mut::<Messages<SceneFailed>>().drain().map(|failed| failed.reason).collect()
}

fn spawn(app: &mut App, scene: &Handle<VoiceScene>) -> Entity {
    app.world_mut().spawn(Voice::new(scene.clone())).id()
}

fn is_open(app: &App, npc: Entity) -> bool {
    app.world().get::<VoiceSession>(npc).is_some()
}

#[test]
#[expect(clippy::print_stdout, reason = "how long it took is a figure, and no promise on a busy machine")]
fn a_file_that_changes_is_for_the_next_session_and_a_broken_one_changes_nothing() {
    let folder = folder("reload");
    put("assets/guard.voice.ron", &folder);
    let mut app = app(&folder);
    let scene: Handle<VoiceScene> = app.world().resource::<AssetServer>().load("npc.voice.ron");
    let old = spawn(&mut app, &scene);
    until(&mut app, |app| is_open(app, old));
    assert_eq!(name(&app, &scene).as_deref(), Some("guard"));

    put("tests/assets/patient.voice.ron", &folder);
    let ms = until(&mut app, |app| name(app, &scene).as_deref() == Some("patient"));
    println!("reloaded after {ms} ms");
    let new = spawn(&mut app, &scene);
    until(&mut app, |app| is_open(app, new));
    assert!(is_open(&app, old), "a running session keeps its scene");
    assert_eq!(app.world().resource::<VoiceEngines>().len(), 2);
    assert_eq!(failures(&mut app), [""; 0]);

    put("tests/assets/broken.voice.ron", &folder);
    let mut told = Vec::new();
    let ms = until(&mut app, |app| {
        told.extend(failures(app));
        !told.is_empty()
    });
    println!("told why it is broken after {ms} ms:\n{}", told[0]);
    for part in ["treshold", "npc.voice.ron", "did you mean", "threshold"] {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }
    assert_eq!(name(&app, &scene).as_deref(), Some("patient"), "the scene before stays");
    let later = spawn(&mut app, &scene);
    until(&mut app, |app| is_open(app, later));
}

#[test]
fn a_voice_whose_file_is_broken_from_the_start_is_told_and_opens_when_it_is_mended() {
    let folder = folder("mended");
    put("tests/assets/broken.voice.ron", &folder);
    let mut app = app(&folder);
    let scene: Handle<VoiceScene> = app.world().resource::<AssetServer>().load("npc.voice.ron");
    let npc = spawn(&mut app, &scene);
    let mut told = Vec::new();
    until(&mut app, |app| {
        told.extend(app.world_mut().resource_mut::<Messages<VoiceFailed>>().drain());
        !told.is_empty()
    });
    assert!(told[0].npc == npc && told[0].reason.contains("treshold"), "{told:?}");
    // Who comes later is told as well.
    let late = spawn(&mut app, &scene);
    told.clear();
    until(&mut app, |app| {
        told.extend(app.world_mut().resource_mut::<Messages<VoiceFailed>>().drain());
        !told.is_empty()
    });
    assert!(told.iter().all(|failed| failed.npc == late && failed.reason.contains("treshold")), "{told:?}");
    put("assets/guard.voice.ron", &folder);
    until(&mut app, |app| is_open(app, npc));
}
