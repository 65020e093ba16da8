//! Push to talk: the player's microphone is always open, and the assistant hears what is said while a key is held, from
//! a little before it was pressed. What to say is worked on in the tick in which the key is let go.
//!
//! The time is virtual, player and assistant speak with the built-in voice, and recognition looks up what the player
//! says (`SimulatedTranscript`).
//!
//! Run: `cargo run --example push_to_talk`
#![expect(clippy::print_stdout, reason = "an example prints what happened")]

use std::sync::Arc;

use mynah_engine::scene::{Source, compile};
use mynah_engine::speech::{GateMode, GateOverrides};
use mynah_engine::{Engine, EngineConfig, SessionEvent, SessionSpec};
use mynah_systems::service::Script;
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

const TICK_US: u64 = 5_000;
const LENGTH_US: u64 = 11_000_000;

/// What the player says and when, ms; what is said while no key is held is nobody's business.
const LINES: [(u64, &str); 3] =
    [(550, "please open the door"), (3_200, "I wonder who lives here"), (6_000, "that is enough thanks")];
/// When the player presses the key and lets it go, ms. The first time a little late.
const KEYS: [(u64, GateMode); 4] =
    [(600, GateMode::Open), (2_300, GateMode::Shut), (5_900, GateMode::Open), (7_500, GateMode::Shut)];

/// Words are recognised where they are spoken.
struct Words;

impl Script for Words {
    fn heard(&self, _: &str, from_us: u64, to_us: u64) -> Option<String> {
        let heard = LINES.iter().filter(|(ms, _)| (from_us..to_us).contains(&(ms * 1_000)));
        Some(heard.map(|(_, words)| *words).collect::<Vec<_>>().join(" "))
    }
}

/// What happens, one line each.
pub(crate) fn story() -> Vec<String> {
    let scene = Source::new("barge_in.ron", include_str!("../../../scenes/barge_in.ron"));
    let compiled = compile(&scene, &[], None, &mynah_systems::registry(Some(Arc::new(Words))));
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("the scene is broken: {found}"));
    let mut engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
    // Shut from the start on: nothing is heard before the key is pressed.
    let gate = GateOverrides { mode: GateMode::Shut, ..GateOverrides::default() };
    let player = SessionSpec { gate, ..SessionSpec::named("player") };
    let player = engine.handle().open(player).expect("the engine has room for one");
    let (mut microphone, mut loudspeaker, mut control) = player.split().expect("nobody else has it");
    let sound = spoken();
    let piece = (TICK_US * u64::from(RATE_HZ) / 1_000_000) as usize;
    let mut heard = vec![0.0; piece];
    let (mut story, mut keys) = (Vec::new(), KEYS.into_iter().peekable());
    for (now_us, sound) in (0..LENGTH_US).step_by(TICK_US as usize).zip(sound.chunks(piece)) {
        while let Some((ms, mode)) = keys.next_if(|(ms, _)| ms * 1_000 <= now_us) {
            control.gate(mode).expect("so few messages always fit");
            story.push(line(ms, if mode == GateMode::Open { "KEY DOWN" } else { "KEY UP" }.into()));
        }
        engine.tick(now_us);
        while let Some(event) = control.poll() {
            story.extend(tell(event).map(|what| line(now_us / 1_000, what)));
        }
        loudspeaker.read(&mut heard);
        microphone.push(sound).expect("the engine keeps up");
    }
    story
}

fn line(ms: u64, what: String) -> String {
    format!("{:5.2} s  {what}", ms as f64 / 1e3)
}

/// What an event means to somebody who follows the story.
fn tell(event: SessionEvent) -> Option<String> {
    Some(match event {
        SessionEvent::SpeechStarted { from_us, .. } => {
            format!("         the assistant listens, from {:.2} s on", from_us as f64 / 1e6)
        }
        SessionEvent::EndOfSpeech { last: true, .. } => "         it has heard the player out".into(),
        SessionEvent::Transcript { text, last: false, .. } => format!("player:    {text}"),
        SessionEvent::AnswerStarted { .. } => "         the answer sounds".into(),
        SessionEvent::Line { text, until_us: None, .. } => format!("assistant: {text}"),
        SessionEvent::AnswerPaused { .. } => "         the answer waits".into(),
        SessionEvent::AnswerInterrupted { heard_us, .. } => {
            format!("         the answer is withdrawn after {:.2} s", heard_us as f64 / 1e6)
        }
        _ => return None,
    })
}

/// What the microphone hears, whether a key is held or not.
fn spoken() -> Vec<f32> {
    let voice = Flite::new().expect("the voice is part of the program");
    let samples = |ms: u64| (ms * u64::from(RATE_HZ) / 1_000) as usize;
    let mut heard = vec![0.0; samples(LENGTH_US / 1_000)];
    for (ms, words) in LINES {
        let spoken = voice.speak(words, VoiceStyle::default()).expect("a style in range");
        heard[samples(ms)..][..spoken.len()].copy_from_slice(&spoken);
    }
    heard
}

fn main() {
    story().iter().for_each(|line| println!("{line}"));
}
