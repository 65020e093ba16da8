//! Push to talk: what the player says is heard while a key is held, from a little before it was pressed on, and answered as
//! soon as it is let go. The microphone is open all the time. The keys are pressed by a list of times.
//!
//! No sound device is needed. Recognition and answer are simulated, the voice is real.
//!
//! Run: `cargo run --release --example push_to_talk`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

mod device;

use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Startup, TaskPoolPlugin, Update};
use bevy_asset::{AssetPlugin, AssetServer};
use bevy_ecs::prelude::*;
use bevy_mynah::{
    AnswerStarted, Feed, GateMode, GateOverrides, Line, MynahPlugins, SpeechConfirmed, SpeechEnded, Voice,
    VoiceCommands, VoiceInput,
};
use bevy_time::{Real, Time, TimePlugin};
use device::{Device, MONO, recording};

const END_MS: u128 = 12_000;
/// When the key goes down and up, ms. What is said before the first, and after the last, is nobody's business.
const KEYS: [(u128, GateMode); 2] = [(4_600, GateMode::Open), (6_200, GateMode::Shut)];

#[derive(Resource)]
struct Scene {
    npc: Entity,
    keys: std::array::IntoIter<(u128, GateMode), 2>,
    next: Option<(u128, GateMode)>,
    _device: Device,
}

fn enter(files: Res<'_, AssetServer>, mut commands: Commands<'_, '_>) -> Result<(), BevyError> {
    let (microphone, feed) = Feed::new(MONO);
    let mut player = vec![0.0; MONO.rate_hz as usize];
    player.extend(recording("turns.wav").map_err(|error| error.to_string())?);
    // Shut from the start on: nothing is heard before the key is pressed.
    let gate = GateOverrides { mode: GateMode::Shut, ..GateOverrides::default() };
    let voice = Voice { gate, ..Voice::new(files.load("guard.voice.ron")) };
    let npc = commands.spawn((voice, VoiceInput::always(feed))).id();
    let mut keys = KEYS.into_iter();
    let next = keys.next();
    let device = Device::start(microphone, player, false, Vec::new());
    commands.insert_resource(Scene { npc, keys, next, _device: device });
    Ok(())
}

fn press(mut scene: ResMut<'_, Scene>, time: Res<'_, Time<Real>>, mut commands: Commands<'_, '_>) {
    while let Some((ms, mode)) = scene.next.filter(|(ms, _)| time.elapsed().as_millis() >= *ms) {
        commands.entity(scene.npc).gate(mode);
        println!("{:6.2} s  KEY {}", ms as f64 / 1e3, if mode == GateMode::Open { "DOWN" } else { "UP" });
        scene.next = scene.keys.next();
    }
}

fn narrate(
    mut heard: MessageReader<'_, '_, SpeechConfirmed>,
    mut ended: MessageReader<'_, '_, SpeechEnded>,
    mut answers: MessageReader<'_, '_, AnswerStarted>,
    mut lines: MessageReader<'_, '_, Line>,
    time: Res<'_, Time<Real>>,
) {
    let now = time.elapsed_secs_f64();
    for SpeechConfirmed { from_us, .. } in heard.read() {
        println!("{now:6.2} s  he hears the player, from {:.2} s of the sound on", *from_us as f64 / 1e6);
    }
    for SpeechEnded { at_us, .. } in ended.read().filter(|end| end.last) {
        println!("{now:6.2} s  the player has finished, at {:.2} s of the sound", *at_us as f64 / 1e6);
    }
    for _ in answers.read() {
        println!("{now:6.2} s  he answers");
    }
    for Line { text, .. } in lines.read().filter(|line| line.until_us.is_none()) {
        println!("{now:6.2} s  \"{text}\"");
    }
}

fn leave(time: Res<'_, Time<Real>>, mut exit: MessageWriter<'_, AppExit>) {
    if time.elapsed().as_millis() > END_MS {
        exit.write(AppExit::Success);
    }
}

fn main() {
    let mut app = App::new();
    app.add_plugins((
        TaskPoolPlugin::default(),
        TimePlugin,
        ScheduleRunnerPlugin::run_loop(Duration::from_micros(16_667)),
        AssetPlugin::default(),
        MynahPlugins,
    ))
    .add_systems(Startup, enter)
    .add_systems(Update, (press, narrate, leave));
    app.run();
}
