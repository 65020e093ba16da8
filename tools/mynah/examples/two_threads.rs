//! A game and a sound device, each on its own thread, in real time: the device's callback pushes and reads 10 ms at a
//! time and never waits; the game hears of events once a frame and has the character speak; the engine ticks on a
//! third thread ([`Runner`]).
//!
//! The player speaks with the built-in voice, and recognition looks up what he says (`SimulatedTranscript`).
//!
//! Run: `cargo run --release --example two_threads`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mynah_engine::edge::{AudioIn, AudioOut, SessionControl};
use mynah_engine::scene::{Source, compile};
use mynah_engine::{EngineConfig, PushError, Say, SessionEvent, SessionSpec};
use mynah_host::clock::Epoch;
use mynah_host::{Runner, RunnerOptions};
use mynah_systems::service::Script;
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

const CALLBACK_US: u64 = 10_000;
const FRAME_US: u64 = 16_667;
/// The game gives up after this.
const END_US: u64 = 9_000_000;
const PLAYER: &str = "I seek a dragon";
/// Short answers, for a short story.
const REPLY: &str = "A dragon, you say. It sleeps in the hills.";

struct Words;

impl Script for Words {
    fn heard(&self, _: &str, _: u64, _: u64) -> Option<String> {
        Some(PLAYER.into())
    }
}

/// What the two threads share: nothing of the session, and no lock.
#[derive(Default)]
struct Flags {
    player_speaks: AtomicBool,
    over: AtomicBool,
}

/// What the sound device has seen.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) calls: u64,
    /// Buffers for which there was no room.
    pub(crate) refused: u64,
    /// Sample frames of the character's voice.
    pub(crate) sounded: u64,
    pub(crate) loudest: f32,
}

/// The sound device's thread. A real device would call the body of this loop.
fn device(mut input: AudioIn, mut output: AudioOut, voice: &[f32], flags: &Flags) -> Calls {
    let (epoch, mut due_us, mut calls) = (Epoch::start(), 0, Calls::default());
    let piece = (u64::from(RATE_HZ) * CALLBACK_US / 1_000_000) as usize;
    let (mut words, silence) = (voice.chunks_exact(piece), vec![0.0; piece]);
    let mut heard = vec![0.0; piece];
    while !flags.over.load(Ordering::Acquire) {
        due_us += CALLBACK_US;
        epoch.sleep_until(due_us);
        let spoken = if flags.player_speaks.load(Ordering::Acquire) { words.next() } else { None };
        let taken = input.push(spoken.unwrap_or(&silence));
        calls.refused += u64::from(taken == Err(PushError::Full));
        let read = output.read(&mut heard);
        calls.sounded += read.frames as u64;
        calls.loudest = calls.loudest.max(read.level);
        calls.calls += 1;
    }
    calls
}

/// The game's thread: a frame, and what it makes of the events.
fn game(
    mut control: SessionControl,
    flags: &Flags,
    mut tell: impl FnMut(String),
) -> Result<(), Box<dyn Error>> {
    let epoch = Epoch::start();
    let seconds = |us: u64| us as f64 / 1e6;
    control.say("Welcome. What brings you here?", Say::default())?;
    for frame in 1..END_US / FRAME_US {
        epoch.sleep_until(frame * FRAME_US);
        while let Some(event) = control.poll() {
            let what = match event {
                SessionEvent::AnswerStarted { line: 0, .. } => "the character answers".into(),
                SessionEvent::AnswerStarted { .. } => "the character speaks first".into(),
                SessionEvent::Line { text, until_us: None, .. } => format!("  \"{text}\""),
                SessionEvent::Transcript { text, last: false, .. } => format!("recognised: {text}"),
                SessionEvent::AnswerEnded { turn: 1, heard_us } => {
                    flags.player_speaks.store(true, Ordering::Release);
                    format!("heard after {:.2} s; the player says: {PLAYER}", seconds(heard_us))
                }
                SessionEvent::AnswerEnded { heard_us, .. } => {
                    control.finish();
                    format!("heard after {:.2} s; the player goes on", seconds(heard_us))
                }
                SessionEvent::Closed { reason } => {
                    tell(format!("{:5.2} s  closed: {reason}", seconds(epoch.now_us())));
                    return Ok(());
                }
                _ => continue,
            };
            tell(format!("{:5.2} s  {what}", seconds(epoch.now_us())));
        }
    }
    Err(format!("the story has no end after {} s", END_US / 1_000_000).into())
}

/// Plays the story; each line is told when it happens.
pub(crate) fn play(tell: impl FnMut(String)) -> Result<Calls, Box<dyn Error>> {
    let set = format!("services.reply.output.template={REPLY:?}");
    let scene = Source::new("barge_in.ron", include_str!("../../../scenes/barge_in.ron"));
    let sets = [mynah_engine::scene::Override::parse(&set)?];
    let registry = mynah_systems::registry(Some(Arc::new(Words)));
    let (plan, _warnings) = compile(&scene, &sets, None, &registry)?;
    let config = EngineConfig { threads: 1, ..EngineConfig::real_time() };
    let runner = Runner::spawn(plan.into(), config, RunnerOptions::default())?;
    let character = runner.handle().open(SessionSpec::named("character"))?;
    let (input, output, control) = character.split()?;
    let voice = Flite::new()?.speak(PLAYER, VoiceStyle::default())?;
    let flags = Flags::default();
    let (told, calls) = thread::scope(|threads| {
        let device = threads.spawn(|| device(input, output, &voice, &flags));
        let told = game(control, &flags, tell);
        flags.over.store(true, Ordering::Release);
        (told, device.join().expect("it has no reason to panic"))
    });
    runner.stop()?;
    told.map(|()| calls)
}

fn main() -> Result<(), Box<dyn Error>> {
    let calls = play(|line| println!("{line}"))?;
    let Calls { calls, refused, sounded, loudest } = calls;
    let sounded_s = sounded as f64 / f64::from(RATE_HZ);
    println!("{calls} callbacks, {refused} refused; {sounded_s:.2} s of sound, the loudest {loudest:.2}");
    Ok(())
}
