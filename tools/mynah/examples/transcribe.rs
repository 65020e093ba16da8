//! What is said in recordings, and when: a gate finds the speech, Moonshine the words. English, on this machine alone.
//!
//! Virtual time: the recordings are heard as fast as the processor can.
//!
//! Run: `cargo run --release --example transcribe -- call.wav`. Under cargo, `MYNAH_MODELS` names the folder of the model;
//! a program of yours sets it, or has the model in it (docs/recognition.md).
#![expect(clippy::print_stdout, reason = "an example prints what happens")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mynah_engine::scene::{Format, Source, compile};
use mynah_engine::{Engine, EngineConfig, Out, SessionEvent, SessionHandle, SessionSpec};
use mynah_load::wav;

/// Audio to words. The end of a sentence is believed after 448 ms of silence; more of it, and the words wait.
const SCENE: &str = include_str!("../../../scenes/transcribe.ron");

/// An utterance: from and to in microseconds of the recording, and its words.
pub(crate) type Utterance = (u64, u64, String);

const TICK_US: u64 = 5_000;
/// Audio that is pushed in a tick.
const PUSH_US: u64 = 20_000;

/// The words of each recording.
pub(crate) fn transcribe(paths: &[PathBuf]) -> Result<Vec<Vec<Utterance>>, Box<dyn Error>> {
    let scene = Source::new("transcribe.ron", SCENE);
    let (plan, _) = compile(&scene, &[], None, &mynah_systems::registry(None))?;
    let mut engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
    let mut calls = Vec::new();
    for path in paths {
        let recording = wav::read(path)?;
        let input = Format { rate_hz: recording.rate, channels: recording.channels.try_into()? };
        let spec = SessionSpec {
            events: true,
            input: Some(input),
            ..SessionSpec::named(path.to_string_lossy().into_owned())
        };
        let samples =
            (PUSH_US * u64::from(recording.rate) / 1_000_000) as usize * usize::from(input.channels);
        calls.push((engine.handle().open(spec)?, recording.samples, samples, Told::default()));
    }
    let mut at = 0;
    for tick in 0.. {
        engine.tick(tick * TICK_US);
        if (tick * TICK_US).is_multiple_of(PUSH_US) {
            for (session, samples, count, _) in &calls {
                match samples.chunks(*count).nth(at) {
                    Some(piece) => session.try_push(piece)?,
                    None => session.finish(),
                }
            }
            at += 1;
        }
        for (session, .., told) in &mut calls {
            told.hear(session);
        }
        if calls.iter().all(|(.., told)| told.is_over) {
            break;
        }
    }
    Ok(calls.into_iter().map(|(.., told)| told.utterances.into_values().collect()).collect())
}

/// What was told of one recording, by segment.
#[derive(Default)]
struct Told {
    utterances: BTreeMap<u32, Utterance>,
    is_over: bool,
}

impl Told {
    fn hear(&mut self, session: &SessionHandle) {
        while let Some(out) = session.poll() {
            match out {
                Out::Event(SessionEvent::SpeechConfirmed { segment, from_us, .. }) => {
                    self.utterances.entry(segment).or_default().0 = from_us;
                }
                Out::Event(SessionEvent::EndOfSpeech { segment, at_us, .. }) => {
                    self.utterances.entry(segment).or_default().1 = at_us;
                }
                // A later revision has all the words anew; that there are no more comes without words.
                Out::Event(SessionEvent::Transcript { segment, text, .. }) if !text.is_empty() => {
                    self.utterances.entry(segment).or_default().2 = text.to_string();
                }
                Out::Event(SessionEvent::ServiceFailed { reason, .. }) => println!("no words: {reason}"),
                Out::Event(SessionEvent::Closed { .. }) => self.is_over = true,
                _ => {}
            }
        }
    }
}

pub(crate) fn print(path: &Path, utterances: &[Utterance]) {
    println!("{}", path.display());
    for (from_us, to_us, words) in utterances {
        let seconds = |us: &u64| *us as f64 / 1e6;
        println!("  {:>6.2} to {:>6.2} s  {words}", seconds(from_us), seconds(to_us));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err("name recordings: cargo run --release --example transcribe -- call.wav".into());
    }
    for (path, utterances) in paths.iter().zip(transcribe(&paths)?) {
        print(path, &utterances);
    }
    Ok(())
}
