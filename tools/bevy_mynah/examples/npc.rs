//! One character, and a player who speaks to it: a recording, pushed by a thread in place of a sound device. The character
//! says the first word, listens, answers, and is interrupted.
//!
//! No sound device is needed. Recognition and answer are simulated, the voice is real.
//!
//! Run: `cargo run --release --example npc`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

mod device;

use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Startup, TaskPoolPlugin, Update};
use bevy_asset::{AssetPlugin, AssetServer};
use bevy_ecs::prelude::*;
use bevy_mynah::mynah_engine::SessionEvent;
use bevy_mynah::{
    AnswerInterrupted, Feed, Format, MynahPlugins, Say, Transcript, Voice, VoiceCommands, VoiceEvent,
    VoiceFailed, VoiceInput, VoiceOutput,
};
use bevy_time::{Real, Time, TimePlugin};
use device::{Device, MONO, recording};

/// A usual frame.
const FRAME: Duration = Duration::from_micros(16_667);
const END: Duration = Duration::from_secs(13);
/// What the loudspeaker wants.
const LOUDSPEAKER: Format = Format { rate_hz: 48_000, channels: 2 };

/// The device's thread.
#[derive(Resource)]
struct Sound(Device);

fn enter(files: Res<'_, AssetServer>, mut commands: Commands<'_, '_>) -> Result<(), BevyError> {
    let (microphone, feed) = Feed::new(MONO);
    let output = VoiceOutput::new(LOUDSPEAKER);
    let mut player = vec![0.0; 3 * MONO.rate_hz as usize];
    player.extend(recording("turns.wav").map_err(|error| error.to_string())?);
    let loudspeaker = output.take_reader().into_iter().collect();
    commands.insert_resource(Sound(Device::start(microphone, player, false, loudspeaker)));
    let mut guard =
        commands.spawn((Voice::new(files.load("guard.voice.ron")), VoiceInput::always(feed), output));
    // It waits until the scene is loaded.
    guard.say("Halt! Who goes there?", Say::default());
    guard.observe(|cut: On<'_, '_, AnswerInterrupted>| {
        println!("          ... he is interrupted after {:.2} s", cut.heard_us as f64 / 1e6);
    });
    Ok(())
}

fn narrate(
    mut events: MessageReader<'_, '_, VoiceEvent>,
    mut failed: MessageReader<'_, '_, VoiceFailed>,
    time: Res<'_, Time<Real>>,
) {
    for VoiceFailed { reason, .. } in failed.read() {
        println!("that failed: {reason}");
    }
    for told in events.read() {
        let what = match &told.event {
            SessionEvent::SpeechConfirmed { .. } => "player  speaks".into(),
            SessionEvent::EndOfSpeech { last: true, .. } => "player  has finished".into(),
            SessionEvent::AnswerStarted { .. } => "guard   speaks".into(),
            SessionEvent::Line { text, until_us: None, .. } => format!("guard   \"{text}\""),
            SessionEvent::AnswerPaused { .. } => "guard   waits, for the player speaks".into(),
            SessionEvent::AnswerEnded { heard_us, .. } => {
                format!("guard   was heard to the end, {:.2} s", *heard_us as f64 / 1e6)
            }
            _ => continue,
        };
        println!("{:6.2} s  {what}", time.elapsed_secs_f64());
    }
}

/// The same by its kind: most games read a few kinds alone.
fn transcribe(mut heard: MessageReader<'_, '_, Transcript>) {
    for Transcript { text, .. } in heard.read().filter(|heard| !heard.last) {
        println!("          player  \"{text}\"");
    }
}

fn leave(time: Res<'_, Time<Real>>, sound: Res<'_, Sound>, mut exit: MessageWriter<'_, AppExit>) {
    if time.elapsed() > END {
        let seen = &sound.0.seen;
        let voice = seen.sounded.load(Ordering::Relaxed) as f64 / f64::from(LOUDSPEAKER.rate_hz);
        let (holes, refused) = (seen.holes.load(Ordering::Relaxed), seen.refused.load(Ordering::Relaxed));
        println!("{voice:.1} s of his voice were heard, with {holes} holes; {refused} pushes were refused");
        exit.write(AppExit::Success);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    App::new()
        .add_plugins((
            TaskPoolPlugin::default(),
            TimePlugin,
            ScheduleRunnerPlugin::run_loop(FRAME),
            AssetPlugin::default(),
            MynahPlugins,
        ))
        .add_systems(Startup, enter)
        .add_systems(Update, (narrate, transcribe, leave))
        .run();
    Ok(())
}
