//! A character that speaks first: nobody has said a word when it greets; the player talks over it, and it stops and answers.
//!
//! The session is split into its ends: one for the microphone, one for the loudspeaker, one for the game. The time is
//! virtual, both speak with the built-in voice, and recognition looks up what the player says (`SimulatedTranscript`).
//!
//! Run: `cargo run --example speak_first`
#![expect(clippy::print_stdout, reason = "an example prints what happened")]

use std::sync::Arc;

use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, Say, SessionEvent, SessionSpec};
use mynah_systems::service::Script;
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

const TICK_US: u64 = 5_000;
/// When the player has come near enough to be greeted, and when he speaks.
const GREETS_US: u64 = 500_000;
const SPEAKS_US: u64 = 2_500_000;
const END_US: u64 = 14_000_000;
const GREETING: &str =
    "Good evening, traveller. You look as if you had come a long way, and the road is not safe at night.";
const PLAYER: &str = "where is the inn";

/// The player's words are recognised as they are.
struct Words;

impl Script for Words {
    fn heard(&self, _: &str, _: u64, _: u64) -> Option<String> {
        Some(PLAYER.into())
    }
}

/// What happens, one line each.
pub(crate) fn story() -> Vec<String> {
    let scene = Source::new("barge_in.ron", include_str!("../../../scenes/barge_in.ron"));
    let compiled = compile(&scene, &[], None, &mynah_systems::registry(Some(Arc::new(Words))));
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("the scene is broken: {found}"));
    let mut engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
    let innkeeper = engine.handle().open(SessionSpec::named("innkeeper")).expect("there is room");
    let (mut microphone, mut loudspeaker, mut control) = innkeeper.split().expect("nobody else has it");
    let said = Flite::new().and_then(|voice| voice.speak(PLAYER, VoiceStyle::default()));
    let said = said.expect("the voice is part of the program");
    // 5 ms at a time, for a sound device that calls as often as the game ticks.
    let piece = (u64::from(RATE_HZ) * TICK_US / 1_000_000) as usize;
    let mut words = said.chunks_exact(piece);
    let (silence, mut heard) = (vec![0.0; piece], vec![0.0; piece]);
    let mut story = Vec::new();
    for now_us in (0..END_US).step_by(TICK_US as usize) {
        if now_us == GREETS_US {
            control.say(GREETING, Say::default()).expect("the scene has a voice");
            story.push(line(now_us, "the player comes near: the game has the innkeeper greet".into()));
        }
        if now_us == SPEAKS_US {
            story.push(line(now_us, format!("the player says: {PLAYER}")));
        }
        let spoken = if now_us >= SPEAKS_US { words.next() } else { None };
        microphone.push(spoken.unwrap_or(&silence)).expect("every tick takes what came");
        engine.tick(now_us);
        if loudspeaker.read(&mut heard).cut {
            story.push(line(now_us, "the loudspeaker is silent".into()));
        }
        story.extend(std::iter::from_fn(|| control.poll()).filter_map(|event| tell(now_us, event)));
    }
    story
}

fn line(now_us: u64, what: String) -> String {
    format!("{:6.2} s  {what}", now_us as f64 / 1e6)
}

fn tell(now_us: u64, event: SessionEvent) -> Option<String> {
    let seconds = |us: u64| us as f64 / 1e6;
    let what = match event {
        SessionEvent::AnswerStarted { turn, line: 0 } => format!("turn {turn}: the innkeeper answers"),
        SessionEvent::AnswerStarted { turn, .. } => format!("turn {turn}: the innkeeper speaks first"),
        SessionEvent::Line { text, until_us: None, .. } => format!("  \"{text}\""),
        SessionEvent::AnswerPaused { turn } => format!("turn {turn}: he hesitates, for somebody speaks"),
        SessionEvent::AnswerInterrupted { turn, heard_us } => {
            format!("turn {turn}: interrupted after {:.2} s", seconds(heard_us))
        }
        SessionEvent::Transcript { text, last: false, .. } => format!("recognised: {text}"),
        SessionEvent::AnswerEnded { turn, heard_us } => {
            format!("turn {turn}: heard to its end, {:.2} s", seconds(heard_us))
        }
        _ => return None,
    };
    Some(line(now_us, what))
}

fn main() {
    story().iter().for_each(|line| println!("{line}"));
}
