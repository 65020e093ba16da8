//! A hundred characters, all spoken to, in virtual time: what `benches/instructions.sh` counts, 120 frames that are the same
//! in every run.
//!
//! Run: `cargo run --release --example frames`
#![expect(clippy::print_stdout, reason = "says how much was heard")]

mod device;

use std::error::Error;
use std::time::Duration;

use bevy_app::{App, PreUpdate, TaskPoolPlugin};
use bevy_asset::Assets;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::SingleThreadedExecutor;
use bevy_mynah::{
    Feed, Lead, MynahPlugins, Run, SpeechConfirmed, TimeMode, Voice, VoiceInput, VoiceOutput, VoiceReader,
    VoiceScene, VoiceSettings, VoiceSystems,
};
use bevy_time::{TimePlugin, TimeUpdateStrategy};
use device::{MONO, recording};

const CHARACTERS: u32 = 100;
const FRAMES: usize = 120;
/// Time between two frames, and the sample frames in that time.
const FRAME_US: u64 = 16_000;
const FRAME: usize = 256;
const GUARD: &str = include_str!("../assets/guard.voice.ron");

#[derive(Resource, Default)]
struct Heard(usize);

fn count(mut speeches: MessageReader<'_, '_, SpeechConfirmed>, mut heard: ResMut<'_, Heard>) {
    heard.0 += speeches.read().count();
}

/// All that voices cost in a frame is in it.
#[inline(never)]
fn frame(app: &mut App) {
    app.update();
}

fn game() -> Result<(App, bevy_mynah::FeedIn, Vec<VoiceReader>), Box<dyn Error>> {
    let mut app = App::new();
    let run = Run::InFrame;
    let settings = VoiceSettings {
        run,
        sessions_max: CHARACTERS,
        lead: Lead::Ms(40),
        time: TimeMode::Virtual,
        threads: 1,
        ..VoiceSettings::default()
    };
    app.add_plugins((TaskPoolPlugin::default(), TimePlugin, MynahPlugins))
        .insert_resource(settings)
        .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_micros(FRAME_US)))
        .init_resource::<Heard>()
        .add_systems(PreUpdate, count.after(VoiceSystems::Tell));
    app.edit_schedule(PreUpdate, |schedule| {
        schedule.set_executor(SingleThreadedExecutor::new());
    });
    app.finish();
    app.cleanup();
    let scene = app.world_mut().resource_mut::<Assets<VoiceScene>>().add(VoiceScene::parse("guard", GUARD)?);
    let (microphone, feed) = Feed::new(MONO);
    let mut readers = Vec::new();
    for _ in 0..CHARACTERS {
        let output = VoiceOutput::new(MONO);
        readers.extend(output.take_reader());
        app.world_mut().spawn((Voice::new(scene.clone()), VoiceInput::always(feed.clone()), output));
    }
    app.update();
    Ok((app, microphone, readers))
}

fn main() -> Result<(), Box<dyn Error>> {
    let call = recording("turns.wav")?;
    let (mut app, mut microphone, mut readers) = game()?;
    let mut room = [0.0; FRAME];
    for samples in call.chunks_exact(FRAME).cycle().take(FRAMES) {
        microphone.push(samples).map_err(|error| format!("{error:?}"))?;
        frame(&mut app);
        readers.iter_mut().for_each(|reader| {
            reader.read(&mut room);
        });
    }
    let heard = app.world().resource::<Heard>().0;
    println!(
        "{CHARACTERS} characters, {FRAMES} frames of {FRAME_US} us: {heard} stretches of speech were heard"
    );
    assert!(heard >= CHARACTERS as usize, "everybody hears");
    Ok(())
}
