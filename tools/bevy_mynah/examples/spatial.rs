//! A guard who walks around the player while he speaks: his voice comes from where he is, through Bevy's own audio.
//!
//! With a sound device it is heard. Without one the example says so, and the story goes on unheard.
//!
//! Run: `cargo run --release --features bevy_audio --example spatial`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Startup, TaskPoolPlugin, Update};
use bevy_asset::{AssetPlugin, AssetServer};
use bevy_audio::{AudioPlugin, SpatialAudioSink, SpatialListener};
use bevy_ecs::prelude::*;
use bevy_mynah::{
    AnswerEnded, Format, Line, MynahPlugins, Say, Voice, VoiceCommands, VoiceFailed, VoiceOutput, VoiceState,
};
use bevy_time::{Real, Time, TimePlugin};
use bevy_transform::TransformPlugin;
use bevy_transform::components::Transform;

/// Spatial sound is made of one channel.
const VOICE: Format = Format { rate_hz: 48_000, channels: 1 };
const LINES: [&str; 3] =
    ["Now I stand to your right.", "Now I walk behind you.", "And now I am on your left."];
/// Radius of his way, and the time it takes, s.
const RADIUS: f32 = 3.0;
const ROUND_S: f32 = 8.0;
const END_S: f32 = 20.0;
/// Whether there is a device is known by then, s.
const DEVICE_S: f32 = 2.0;

#[derive(Component)]
struct Guard;

fn enter(files: Res<'_, AssetServer>, mut commands: Commands<'_, '_>) {
    // Ears half a unit apart.
    commands.spawn((SpatialListener::new(0.5), Transform::default()));
    let voice = Voice::new(files.load("guard.voice.ron"));
    let output = VoiceOutput::new(VOICE).spatial();
    let mut guard = commands.spawn((Guard, voice, output, Transform::from_xyz(RADIUS, 0.0, 0.0)));
    for line in LINES {
        guard.say(line, Say::default());
    }
}

fn walk(mut guards: Query<'_, '_, &mut Transform, With<Guard>>, time: Res<'_, Time<Real>>) {
    let angle = time.elapsed_secs() / ROUND_S * std::f32::consts::TAU;
    for mut place in &mut guards {
        (place.translation.x, place.translation.z) = (RADIUS * angle.cos(), RADIUS * angle.sin());
    }
}

fn narrate(
    guards: Query<'_, '_, (&Transform, &VoiceState)>,
    mut lines: MessageReader<'_, '_, Line>,
    mut failed: MessageReader<'_, '_, VoiceFailed>,
    time: Res<'_, Time<Real>>,
) {
    for VoiceFailed { reason, .. } in failed.read() {
        println!("that failed: {reason}");
    }
    for Line { npc, text, .. } in lines.read().filter(|line| line.until_us.is_none()) {
        let Ok((place, state)) = guards.get(*npc) else { continue };
        let (x, z) = (place.translation.x, place.translation.z);
        println!(
            "{:6.2} s  from ({x:4.1}, {z:4.1}), level {:.2}: \"{text}\"",
            time.elapsed_secs(),
            state.level
        );
    }
}

/// Says once whether there is a device.
fn look_for_device(
    sinks: Query<'_, '_, &SpatialAudioSink>,
    time: Res<'_, Time<Real>>,
    mut said: Local<'_, bool>,
) {
    if *said || (sinks.is_empty() && time.elapsed_secs() < DEVICE_S) {
        return;
    }
    *said = true;
    if sinks.is_empty() {
        println!("no sound device was found: what he says passes unheard");
    } else {
        println!("a sound device was found: listen");
    }
}

fn leave(
    mut ended: MessageReader<'_, '_, AnswerEnded>,
    time: Res<'_, Time<Real>>,
    mut heard: Local<'_, usize>,
    mut exit: MessageWriter<'_, AppExit>,
) {
    *heard += ended.read().count();
    if *heard == LINES.len() || time.elapsed_secs() > END_S {
        println!("{:6.2} s  he has said {} of {} lines", time.elapsed_secs(), *heard, LINES.len());
        exit.write(AppExit::Success);
    }
}

fn main() {
    App::new()
        .add_plugins((
            TaskPoolPlugin::default(),
            TimePlugin,
            ScheduleRunnerPlugin::run_loop(Duration::from_micros(16_667)),
            TransformPlugin,
            AssetPlugin::default(),
            AudioPlugin::default(),
            MynahPlugins,
        ))
        .add_systems(Startup, enter)
        .add_systems(Update, (walk, narrate, look_for_device, leave))
        .run();
}
