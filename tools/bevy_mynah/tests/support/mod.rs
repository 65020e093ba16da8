//! What the tests share: recordings, apps in virtual time, and what was told.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bevy_app::{App, PreUpdate, TaskPoolPlugin};
use bevy_asset::{Assets, Handle};
use bevy_ecs::prelude::*;
use bevy_mynah::mynah_engine::{Registry, SessionEvent};
use bevy_mynah::mynah_systems::service::Script;
use bevy_mynah::{
    Format, Lead, MynahPlugins, Run, TimeMode, VoiceEvent, VoiceFailed, VoiceScene, VoiceSettings,
    VoiceSystems,
};
use bevy_time::{TimePlugin, TimeUpdateStrategy};

/// Time between two frames, microseconds.
pub(crate) const FRAME_US: u64 = 16_000;
/// Sample frames in that time.
pub(crate) const FRAME: usize = 256;
pub(crate) const RATE_HZ: u32 = 16_000;
pub(crate) const MONO: Format = Format { rate_hz: RATE_HZ, channels: 1 };
pub(crate) const GUARD: &str = include_str!("../../assets/guard.voice.ron");
pub(crate) const ORACLE: &str = include_str!("../../assets/oracle.voice.ron");

/// Whatever is said, these are the words.
pub(crate) struct Words(pub(crate) &'static str);

impl Script for Words {
    fn heard(&self, _: &str, _: u64, _: u64) -> Option<String> {
        Some(self.0.into())
    }
}

pub(crate) fn registry() -> Registry {
    bevy_mynah::mynah_systems::registry(Some(Arc::new(Words("open the gate"))))
}

pub(crate) fn scene(text: &str) -> VoiceScene {
    VoiceScene::parse_with("test.voice.ron", text, &registry()).expect("the scene is sound")
}

/// A recording of `tests/recordings`, 16 kHz, cut into frames, with `quiet` frames of silence behind it.
pub(crate) fn recording(name: &str, quiet: usize) -> Vec<Vec<f32>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings").join(name);
    let mut reader = hound::WavReader::open(&path).expect("the recording is there");
    assert_eq!(reader.spec().sample_rate, RATE_HZ, "{name}");
    let samples: Vec<f32> =
        reader.samples::<i16>().map(|sample| f32::from(sample.expect("16 bit")) / 32_768.0).collect();
    let mut frames: Vec<Vec<f32>> = samples.chunks_exact(FRAME).map(<[f32]>::to_vec).collect();
    frames.extend(vec![vec![0.0; FRAME]; quiet]);
    frames
}

/// Everything that was told, in order.
#[derive(Resource, Default)]
pub(crate) struct Told {
    pub(crate) events: Vec<(Entity, SessionEvent)>,
    pub(crate) failed: Vec<(Entity, String)>,
}

impl Told {
    pub(crate) fn of(&self, npc: Entity) -> Vec<SessionEvent> {
        self.events.iter().filter(|(of, _)| *of == npc).map(|(_, event)| event.clone()).collect()
    }
}

fn collect(
    mut events: MessageReader<'_, '_, VoiceEvent>,
    mut failed: MessageReader<'_, '_, VoiceFailed>,
    mut told: ResMut<'_, Told>,
) {
    told.events.extend(events.read().map(|told| (told.npc, told.event.clone())));
    told.failed.extend(failed.read().map(|told| (told.npc, told.reason.clone())));
}

/// Settings in virtual time, with a fixed lead.
pub(crate) fn settings(run: Run) -> VoiceSettings {
    VoiceSettings { run, lead: Lead::Ms(20), time: TimeMode::Virtual, ..VoiceSettings::default() }
}

/// An app with voices. In virtual time, unless it runs on an own thread.
pub(crate) fn app(settings: VoiceSettings) -> App {
    let mut app = App::new();
    app.add_plugins((TaskPoolPlugin::default(), TimePlugin, MynahPlugins)).insert_resource(settings);
    if settings.run != Run::OwnThread {
        app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_micros(FRAME_US)));
    }
    app.init_resource::<Told>().add_systems(PreUpdate, collect.after(VoiceSystems::Tell));
    app.finish();
    app.cleanup();
    app
}

pub(crate) fn add_scene(app: &mut App, text: &str) -> Handle<VoiceScene> {
    app.world_mut().resource_mut::<Assets<VoiceScene>>().add(scene(text))
}
