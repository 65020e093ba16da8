//! A character whose answers come from the game (`Host`): the engine hears, asks the game for a reply, speaks it, and
//! remembers of an answer that the player cut short only the words that were heard.
//!
//! The time is virtual, both speak with the built-in voice, and recognition looks up what the player says
//! (`SimulatedTranscript`).
//!
//! Run: `cargo run --example npc_dialogue`
#![expect(clippy::print_stdout, reason = "an example prints what happened")]

use std::error::Error;
use std::sync::Arc;

use mynah_engine::edge::SessionControl;
use mynah_engine::scene::{Override, Source, compile};
use mynah_engine::speech::{History, HistoryEntry, Speaker};
use mynah_engine::{Engine, EngineConfig, SessionEvent, SessionSpec};
use mynah_systems::service::Script;
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

const TICK_US: u64 = 5_000;
const END_US: u64 = 16_000_000;
/// What the player says, and when.
const SPEECHES: [(u64, &str); 3] =
    [(500_000, "where is the inn"), (4_500_000, "never mind"), (9_000_000, "open the gate please")];
/// The game thinks this long about a second sentence.
const THINKS_US: u64 = 300_000;

/// The player's words are recognised as they are.
struct Words;

impl Script for Words {
    fn heard(&self, _: &str, from_us: u64, _: u64) -> Option<String> {
        // The pre-roll begins before the words.
        let said = SPEECHES.iter().rfind(|(at_us, _)| at_us.saturating_sub(500_000) <= from_us);
        said.map(|(_, words)| (*words).to_string())
    }
}

/// The character's mind: what it says at once, and what after a moment.
fn answer(text: &str) -> (&'static str, Option<&'static str>) {
    if text.contains("inn") {
        let way = "Follow the river to the old mill, turn left at the well, and walk up to the third house.";
        ("The inn? ", Some(way))
    } else if text.contains("gate") {
        ("As you wish. The gate is open.", None)
    } else {
        ("Very well.", None)
    }
}

/// Requests that the game has not answered to their end.
#[derive(Default)]
struct Mind {
    thoughts: Vec<(u64, u64, &'static str)>,
}

impl Mind {
    /// Says what it has thought out by now.
    fn speak(&mut self, now_us: u64, control: &mut SessionControl) -> Result<(), Box<dyn Error>> {
        while let Some(at) = self.thoughts.iter().position(|(due_us, ..)| *due_us <= now_us) {
            let (_, request, text) = self.thoughts.remove(at);
            control.reply_to(request, text, true)?;
        }
        Ok(())
    }

    /// Hears an event; the words to tell of it.
    fn hear(
        &mut self,
        now_us: u64,
        event: SessionEvent,
        control: &mut SessionControl,
    ) -> Result<Option<String>, Box<dyn Error>> {
        let told = match event {
            SessionEvent::ReplyRequested { request, text, .. } => {
                let (first, then) = answer(&text);
                control.reply_to(request, first, then.is_none())?;
                self.thoughts.extend(then.map(|then| (now_us + THINKS_US, request, then)));
                format!("the game is asked what to say to \"{text}\" (request {request})")
            }
            SessionEvent::ReplyCancelled { request } => {
                self.thoughts.retain(|(_, asked, _)| *asked != request);
                format!("request {request} is over: the player went on, or talks over the answer")
            }
            SessionEvent::AnswerStarted { turn, .. } => format!("turn {turn}: the character speaks"),
            SessionEvent::Line { text, until_us: None, .. } => format!("  \"{text}\""),
            SessionEvent::AnswerInterrupted { turn, heard_us } => {
                format!("turn {turn}: interrupted after {:.2} s", heard_us as f64 / 1e6)
            }
            SessionEvent::AnswerEnded { turn, .. } => format!("turn {turn}: heard to its end"),
            _ => return Ok(None),
        };
        Ok(Some(format!("{:6.2} s  {told}", now_us as f64 / 1e6)))
    }
}

/// What happens, one line each, and what the session remembers of it.
pub(crate) fn story() -> Result<(Vec<String>, Arc<History>), Box<dyn Error>> {
    // The scene as it comes, with the game in place of the reply.
    let scene = Source::new("barge_in.ron", include_str!("../../../scenes/barge_in.ron"));
    let sets = [Override::parse("services.reply.output=Host()")?];
    let registry = mynah_systems::registry(Some(Arc::new(Words)));
    let (plan, _) = compile(&scene, &sets, None, &registry)?;
    let mut engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
    let (mut microphone, mut loudspeaker, mut control) =
        engine.handle().open(SessionSpec::named("gatekeeper"))?.split()?;
    let voice = Flite::new()?;
    let piece = (u64::from(RATE_HZ) * TICK_US / 1_000_000) as usize;
    let (silence, mut heard) = (vec![0.0; piece], vec![0.0; piece]);
    let (mut words, mut mind, mut story) = (Vec::new(), Mind::default(), Vec::new());
    for now_us in (0..END_US).step_by(TICK_US as usize) {
        if let Some((_, speech)) = SPEECHES.iter().find(|(at_us, _)| *at_us == now_us) {
            story.push(format!("{:6.2} s  the player says: {speech}", now_us as f64 / 1e6));
            words = voice.speak(speech, VoiceStyle::default())?;
        }
        let rest = words.split_off(words.len().min(piece));
        words.resize(piece, 0.0);
        microphone.push(if words.is_empty() { &silence } else { &words })?;
        words = rest;
        engine.tick(now_us);
        loudspeaker.read(&mut heard);
        while let Some(event) = control.poll() {
            story.extend(mind.hear(now_us, event, &mut control)?);
        }
        mind.speak(now_us, &mut control)?;
    }
    Ok((story, control.history()))
}

/// An entry of the history in words.
pub(crate) fn remembered(entry: &HistoryEntry) -> String {
    match entry {
        HistoryEntry::Said { by: Speaker::User, text, .. } => format!("player:    {text}"),
        HistoryEntry::Said { text, interrupted, .. } => {
            format!("character: {text}{}", if *interrupted { " -- (interrupted)" } else { "" })
        }
        HistoryEntry::ToolCall { name, arguments, .. } => format!("calls:     {name}({arguments})"),
        HistoryEntry::ToolResult { result, .. } => format!("result:    {result}"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (story, history) = story()?;
    story.iter().for_each(|line| println!("{line}"));
    println!("\nWhat the session remembers, as the next reply would get it:");
    history.entries().iter().for_each(|entry| println!("  {}", remembered(entry)));
    Ok(())
}
