//! A hundred characters, all spoken to at once at 60 frames a second: what voices cost in a frame, with the engine on an own
//! thread and in the frame.
//!
//! Times are CPU times of the game's thread, so that a busy machine shows little in them; systems run on that thread alone.
//! No sound device is needed. Recognition and answer are simulated, the voice is real.
//!
//! Run: `cargo run --release --example crowd [characters]`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

mod device;

use std::cell::Cell;
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bevy_app::{App, PreUpdate, TaskPoolPlugin};
use bevy_asset::Assets;
use bevy_diagnostic::DiagnosticsStore;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::SingleThreadedExecutor;
use bevy_mynah::mynah_host::clock::Epoch;
use bevy_mynah::{
    AnswerEnded, Feed, MynahPlugins, Run, SpeechConfirmed, Voice, VoiceCost, VoiceDiagnosticsPlugin,
    VoiceInput, VoiceOutput, VoiceScene, VoiceSettings, VoiceSystems,
};
use bevy_time::TimePlugin;
use cpu_time::ThreadTime;
use device::{Device, MONO, recording};

const FRAME_US: u64 = 16_667;
const SECONDS: u64 = 12;
const GUARD: &str = include_str!("../assets/guard.voice.ron");

/// CPU time of the voices in each frame, microseconds.
#[derive(Resource, Default)]
struct Cost {
    /// The measured systems alone, by the wall clock.
    systems: Vec<f64>,
    frames: Vec<f64>,
    speeches: usize,
    answers: usize,
}

thread_local! {
    /// When the voices of this frame began: the clock of the game's thread.
    static BEGAN: Cell<Option<ThreadTime>> = const { Cell::new(None) };
}

fn begin() {
    BEGAN.set(Some(ThreadTime::now()));
}

fn end(
    mut cost: ResMut<'_, Cost>,
    measured: Res<'_, VoiceCost>,
    mut speeches: MessageReader<'_, '_, SpeechConfirmed>,
    mut answers: MessageReader<'_, '_, AnswerEnded>,
) {
    let took = BEGAN.get().map_or(Duration::ZERO, |began| began.elapsed());
    let us = took.as_secs_f64() * 1e6;
    cost.frames.push(us);
    cost.systems.push(measured.frame_us());
    cost.speeches += speeches.read().count();
    cost.answers += answers.read().count();
}

/// Of the sorted values, the one that `share` of them do not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(0.0)
}

fn game(run: Run, characters: u32) -> Result<(), Box<dyn Error>> {
    let mut app = App::new();
    app.add_plugins((TaskPoolPlugin::default(), TimePlugin, MynahPlugins))
        .insert_resource(VoiceSettings { run, sessions_max: characters, ..VoiceSettings::default() })
        .init_resource::<Cost>()
        .add_systems(PreUpdate, (begin.before(VoiceSystems::Open), end.after(VoiceSystems::Tell)));
    app.edit_schedule(PreUpdate, |schedule| {
        schedule.set_executor(SingleThreadedExecutor::new());
    });
    app.finish();
    app.cleanup();
    let scene = app.world_mut().resource_mut::<Assets<VoiceScene>>().add(VoiceScene::parse("guard", GUARD)?);
    let (microphone, feed) = Feed::new(MONO);
    let mut readers = Vec::new();
    for _ in 0..characters {
        let output = VoiceOutput::new(MONO);
        readers.extend(output.take_reader());
        app.world_mut().spawn((Voice::new(scene.clone()), VoiceInput::always(feed.clone()), output));
    }
    app.update();
    let device = Device::start(microphone, recording("turns.wav")?, true, readers);
    let (epoch, mut due_us) = (Epoch::start(), 0);
    while epoch.now_us() < SECONDS * 1_000_000 {
        due_us = epoch.now_us().max(due_us + FRAME_US);
        app.update();
        epoch.sleep_until(due_us);
    }
    report(&mut app, run, &device);
    Ok(())
}

fn report(app: &mut App, run: Run, device: &Device) {
    let mut cost = app.world_mut().resource_mut::<Cost>();
    // The first frames open the sessions.
    let opening = 60.min(cost.frames.len());
    let mut frames = cost.frames.split_off(opening);
    let mut systems = cost.systems.split_off(opening);
    frames.sort_by(f64::total_cmp);
    systems.sort_by(f64::total_cmp);
    let (speeches, answers) = (cost.speeches, cost.answers);
    let (p50, p99) = (quantile(&frames, 0.5), quantile(&frames, 0.99));
    println!("{run:?}, {} frames", frames.len());
    println!("  CPU time of the schedule that voices are in: {p50:.0} us P50, {p99:.0} us P99");
    let (p50, p99) = (quantile(&systems, 0.5), quantile(&systems, 0.99));
    println!("  their systems alone, by the wall clock: {p50:.0} us P50, {p99:.0} us P99");
    println!("  {speeches} stretches of speech were heard, {answers} answers spoken to their end");
    let diagnostics = app.world().resource::<DiagnosticsStore>();
    for path in
        [VoiceDiagnosticsPlugin::TICK_US, VoiceDiagnosticsPlugin::HOLES, VoiceDiagnosticsPlugin::REFUSED]
    {
        let value = diagnostics.get(&path).and_then(|one| one.average()).unwrap_or(0.0);
        println!("  {path}: {value:.1} on average at the end");
    }
    let voice = device.seen.sounded.load(Ordering::Relaxed) as f64 / f64::from(MONO.rate_hz);
    println!("  {voice:.0} s of voices were heard, with {} holes", device.seen.holes.load(Ordering::Relaxed));
}

fn main() -> Result<(), Box<dyn Error>> {
    let characters = std::env::args().nth(1).map_or(Ok(100), |count| count.parse())?;
    println!("{characters} characters, {} s each", Duration::from_secs(SECONDS).as_secs());
    for run in [Run::OwnThread, Run::InFrame, Run::Embedded] {
        game(run, characters)?;
    }
    Ok(())
}
