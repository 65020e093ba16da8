//! Voice in a game: the game owns the time and ticks the engine inside its frame; audio is pushed from the thread
//! that the sound device calls. The frame neither allocates nor waits for anybody.
//!
//! Run: `cargo run --release --example game_loop`
#![expect(clippy::print_stdout, reason = "an example prints what happened")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, Event, Out, SessionHandle, SessionSpec};
use mynah_host::clock::Epoch;
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

/// Counts what is allocated, so that "the frame does not" is a measurement.
#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

const FRAMES_A_SECOND: u64 = 60;
/// The sound device calls every 10 ms.
pub(crate) const CAPTURE_US: u64 = 10_000;
/// Everybody says the same again after this time; the first round warms the engine up.
const ROUND_US: u64 = 4_000_000;
const LINES: [(&str, &str, f32); 3] = [
    ("Ada", "there is a dragon behind the gate", 1.0),
    ("Bo", "then we should take the bridge", 0.8),
    ("Cy", "wait for me", 1.3),
];

/// Engine time of a frame.
pub(crate) fn frame_us(frame: u64) -> u64 {
    frame * 1_000_000 / FRAMES_A_SECOND
}

/// The sound device's side: what every player's microphone hears, 10 ms a call.
pub(crate) struct Microphones {
    players: Vec<(SessionHandle, Vec<f32>)>,
    at: usize,
    /// Pieces that found the engine's edge full.
    pub(crate) refused: u64,
}

impl Microphones {
    /// Pushes the next 10 ms of every player; returns at once, whatever the game does.
    pub(crate) fn capture(&mut self) {
        let piece = (u64::from(RATE_HZ) * CAPTURE_US / 1_000_000) as usize;
        for (voice, sound) in &self.players {
            let from = self.at % sound.len();
            self.refused += u64::from(voice.try_push(&sound[from..from + piece]).is_err());
        }
        self.at += piece;
    }
}

/// A player as the game sees it.
struct Player {
    name: &'static str,
    voice: SessionHandle,
    talking: bool,
    /// Samples of speech that the other players were sent.
    sent: u64,
}

/// What happened in a game.
pub(crate) struct Score {
    /// Frame, player, and whether it begins (or ends) to talk.
    pub(crate) scenes: Vec<(u64, &'static str, bool)>,
    /// Allocations inside frames after the first round, over all threads.
    pub(crate) allocations: u64,
    /// Samples of speech sent on, by player.
    pub(crate) sent: Vec<(&'static str, u64)>,
}

/// The game: `frames` frames. `vsync` waits for the display; `device` gets the microphones on a thread of its own.
pub(crate) fn play(
    frames: u64,
    mut vsync: impl FnMut(u64),
    device: impl FnOnce(Microphones) + Send,
) -> Score {
    let scene = Source::new("gate_only.ron", include_str!("../../../scenes/gate_only.ron"));
    let compiled = compile(&scene, &[], None, &mynah_systems::registry(None));
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("the scene of the game is broken: {found:?}"));
    // One thread: the game's own.
    let mut engine = Engine::new(Arc::new(plan), EngineConfig { threads: 1, ..EngineConfig::real_time() });
    let mut players: Vec<Player> = LINES
        .iter()
        .map(|(name, ..)| {
            let voice = engine.handle().open(SessionSpec::named(*name)).expect("three players fit");
            Player { name, voice, talking: false, sent: 0 }
        })
        .collect();
    let voices = players.iter().map(|p| p.voice.clone());
    let microphones = Microphones { players: voices.zip(sounds()).collect(), at: 0, refused: 0 };
    let mut scenes = Vec::with_capacity(1_000);
    let mut allocations = 0;
    std::thread::scope(|scope| {
        scope.spawn(move || device(microphones));
        for frame in 0..frames {
            vsync(frame);
            let before = mynah_alloc::allocations();
            run_frame(frame, &mut engine, &mut players, &mut scenes);
            if frame_us(frame) > ROUND_US {
                allocations += mynah_alloc::allocations() - before;
            }
        }
        // Tells the display, and so the device, that the game is over.
        vsync(frames);
    });
    let sent = players.iter().map(|p| (p.name, p.sent)).collect();
    Score { scenes, allocations, sent }
}

/// One frame: the engine's tick is one of the things a frame does.
fn run_frame(
    frame: u64,
    engine: &mut Engine,
    players: &mut [Player],
    scenes: &mut Vec<(u64, &'static str, bool)>,
) {
    engine.tick(frame_us(frame));
    for record in engine.records() {
        let talking = match record.event {
            Event::SegmentConfirmed { .. } => true,
            Event::SegmentEnded { .. } => false,
            _ => continue,
        };
        if let Some(player) = players.iter_mut().find(|p| p.voice.id() == record.session) {
            player.talking = talking;
            scenes.push((frame, player.name, talking));
        }
    }
    for player in players {
        while let Some(out) = player.voice.poll() {
            if let Out::Audio(audio) = out {
                // Here a game would mix it at the player's place, or send it to the others.
                player.sent += audio.block.len() as u64;
                player.voice.give_back(audio.block);
            }
        }
    }
}

/// One round of every player's microphone: silence, a line, silence.
fn sounds() -> Vec<Vec<f32>> {
    let flite = Flite::new().expect("the voice is part of the program");
    let round = (u64::from(RATE_HZ) * ROUND_US / 1_000_000) as usize;
    let speak = |(nth, (_, line, pitch)): (usize, &(&str, &str, f32))| {
        let mut sound = vec![0.0; RATE_HZ as usize * (1 + 2 * nth) / 5];
        let style = VoiceStyle { pitch: *pitch, ..VoiceStyle::default() };
        let mut take = |piece: &[f32]| {
            sound.extend_from_slice(piece);
            ControlFlow::Continue(())
        };
        let spoken = flite.synthesize(line, style, &mut take);
        assert!(spoken.is_ok(), "a style in range");
        sound.resize(round, 0.0);
        sound
    };
    LINES.iter().enumerate().map(speak).collect()
}

/// Eight seconds in real time.
fn main() {
    let frames = 8 * FRAMES_A_SECOND;
    let epoch = Epoch::start();
    let over = AtomicBool::new(false);
    let (mut returned_us, mut slowest_us) = (0, 0);
    let vsync = |frame| {
        slowest_us = slowest_us.max(if frame > 0 { epoch.now_us() - returned_us } else { 0 });
        over.store(frame == frames, Ordering::Release);
        epoch.sleep_until(frame_us(frame));
        returned_us = epoch.now_us();
    };
    let device = |mut microphones: Microphones| {
        let mut due_us = 0;
        while !over.load(Ordering::Acquire) {
            due_us += CAPTURE_US;
            epoch.sleep_until(due_us);
            microphones.capture();
        }
        if microphones.refused > 0 {
            println!(
                "{} pieces of 10 ms were refused: the game stood still for a second",
                microphones.refused
            );
        }
    };
    let score = play(frames, vsync, device);
    for (frame, name, talking) in &score.scenes {
        let seconds = frame_us(*frame) as f64 / 1e6;
        println!("{seconds:5.2} s  {name} {}", if *talking { "talks" } else { "has finished" });
    }
    for (name, sent) in &score.sent {
        println!("{name}: {:.2} s of speech sent on", *sent as f64 / f64::from(RATE_HZ));
    }
    let round_s = ROUND_US / 1_000_000;
    println!(
        "{frames} frames at {FRAMES_A_SECOND} Hz: the slowest took {:.2} of 16.67 ms; {} allocations after the first {round_s} s",
        slowest_us as f64 / 1e3,
        score.allocations
    );
}
