//! A game at 30 frames a second that hangs for 300 ms every 2 s: on an own thread nobody hears it.
#![expect(clippy::disallowed_methods, reason = "hitches are times on the wall clock")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bevy_app::App;
use bevy_mynah::mynah_host::clock::Epoch;
use bevy_mynah::{
    AnswerEnded, Format, Lead, MynahPlugins, Run, Say, TimeMode, Voice, VoiceCommands, VoiceOutput,
    VoiceReader, VoiceSettings,
};
use support::{GUARD, add_scene};

const DEVICE: Format = Format { rate_hz: 48_000, channels: 2 };
const CALLBACK_US: u64 = 10_000;
const FRAME_US: u64 = 33_333;
const SECONDS: u64 = 12;
const NPCS: usize = 8;
const SPEECH: &str = "Listen well, for I shall say this but once. Beyond the hill there is a bridge.";

/// What the sound device has heard.
#[derive(Default)]
struct Heard {
    sound: AtomicU64,
    holes: AtomicU64,
    over: AtomicBool,
}

/// Reads all characters every 10 ms.
fn device(mut readers: Vec<VoiceReader>, heard: &Heard) {
    let (epoch, mut due_us) = (Epoch::start(), 0);
    let mut out = vec![0.0; (u64::from(DEVICE.rate_hz) * CALLBACK_US / 1_000_000) as usize * 2];
    while !heard.over.load(Ordering::Acquire) {
        due_us += CALLBACK_US;
        epoch.sleep_until(due_us);
        for reader in &mut readers {
            heard.sound.fetch_add(reader.read(&mut out).frames as u64, Ordering::Relaxed);
        }
        heard.holes.store(readers.iter().map(VoiceReader::holes).sum(), Ordering::Release);
    }
}

fn game(run: Run, lead: Lead, hitches: bool) -> (u64, u64, usize) {
    let mut app = App::new();
    app.add_plugins((bevy_app::TaskPoolPlugin::default(), bevy_time::TimePlugin, MynahPlugins));
    app.insert_resource(VoiceSettings { run, lead, time: TimeMode::Wall, ..VoiceSettings::default() });
    app.finish();
    app.cleanup();
    let scene = add_scene(&mut app, GUARD);
    let mut readers = Vec::new();
    for _ in 0..NPCS {
        let output = VoiceOutput::new(DEVICE);
        readers.extend(output.take_reader());
        let npc = app.world_mut().spawn((Voice::new(scene.clone()), output)).id();
        // More than there is time for.
        for _ in 0..20 {
            app.world_mut().commands().entity(npc).say(SPEECH, Say::default());
        }
    }
    let heard = Arc::new(Heard::default());
    let of_device = Arc::clone(&heard);
    let thread = thread::spawn(move || device(readers, &of_device));
    let (epoch, mut answers, mut next_hitch_us) = (Epoch::start(), 0, 2_000_000);
    let mut due_us = 0;
    while epoch.now_us() < SECONDS * 1_000_000 {
        app.update();
        answers += app.world_mut().resource_mut::<bevy_ecs::message::Messages<AnswerEnded>>().drain().count();
        due_us = epoch.now_us().max(due_us + FRAME_US);
        if hitches && epoch.now_us() >= next_hitch_us {
            next_hitch_us += 2_000_000;
            thread::sleep(Duration::from_millis(300));
        }
        epoch.sleep_until(due_us);
    }
    heard.over.store(true, Ordering::Release);
    thread.join().expect("the device does not panic");
    let sound = heard.sound.load(Ordering::Relaxed) / u64::from(DEVICE.rate_hz);
    (heard.holes.load(Ordering::Acquire), sound, answers)
}

#[test]
#[ignore = "takes a minute of real time, and a quiet machine: cargo test --release --test hitch -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "figures")]
fn hitches_of_the_frame_are_not_heard_on_an_own_thread() {
    let runs = [
        (Run::OwnThread, Lead::Auto, false),
        (Run::OwnThread, Lead::Auto, true),
        (Run::InFrame, Lead::Ms(20), false),
        (Run::InFrame, Lead::Auto, false),
        (Run::InFrame, Lead::Auto, true),
    ];
    let all = runs.map(|(run, lead, hitches)| {
        let (holes, sound, answers) = game(run, lead, hitches);
        println!(
            "{run:?}, lead {lead:?}, hitches {hitches}: {holes} holes in {sound} s of speech, {answers} ends"
        );
        assert!(sound > 0);
        holes
    });
    // A busy machine takes threads from the device and the engine, too: then none is many.
    assert!(all[1] * 4 < all[4], "hitches are heard on an own thread as in the frame: {all:?}");
}
