//! A caller in front of a loudspeaker: what the assistant says comes back through his microphone.
#![allow(dead_code, reason = "every test uses its own part of it")]

use mynah_engine::{EngineConfig, Event, SessionSpec};

use super::host::{Host, plan};

pub(crate) const RATE_HZ: usize = 16_000;

/// A room with a device in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Level of the echo against the sound that leaves; `None`: headphones.
    pub(crate) echo_db: Option<f32>,
    /// From a sample's leaving the engine until the microphone has it.
    pub(crate) delay_ms: usize,
    /// How much the device sends at once, a multiple of the tick.
    pub(crate) chunk_ms: usize,
}

impl Room {
    pub(crate) fn with_echo(echo_db: f32) -> Self {
        Self { echo_db: Some(echo_db), delay_ms: 150, chunk_ms: 20 }
    }

    pub(crate) fn with_headphones() -> Self {
        Self { echo_db: None, ..Self::with_echo(0.0) }
    }
}

/// Samples in so many milliseconds.
pub(crate) fn samples(ms: usize) -> usize {
    ms * RATE_HZ / 1_000
}

/// `voice` with `over` laid over it at `at_ms`.
pub(crate) fn mixed(mut voice: Vec<f32>, at_ms: usize, over: &[f32]) -> Vec<f32> {
    let at = samples(at_ms);
    voice.resize(voice.len().max(at + over.len()), 0.0);
    voice[at..].iter_mut().zip(over).for_each(|(sample, more)| *sample += more);
    voice
}

/// What the loudspeaker plays, sample by sample of engine time.
#[derive(Default)]
struct Loudspeaker {
    played: Vec<f32>,
    /// Sounds of the host that have been played.
    seen: usize,
}

impl Loudspeaker {
    fn play(&mut self, host: &Host) {
        for sound in host.sounds[self.seen..].iter().filter(|sound| sound.revision > 0) {
            let at = (sound.t_us * RATE_HZ as u64 / 1_000_000) as usize;
            // What is still to be played comes first.
            self.played.resize(self.played.len().max(at), 0.0);
            self.played.extend_from_slice(&sound.samples);
        }
        self.seen = host.sounds.len();
    }
}

/// One caller in `room` says `voice` to a scene; everything that came of it once it has been said.
pub(crate) fn call(scene: &str, sets: &[&str], spec: SessionSpec, room: Room, voice: &[f32]) -> Host {
    call_on(Host::of(plan(scene, sets), EngineConfig::simulated()).with(spec), room, voice, |_, _| {})
}

/// The same on the last session of `host`, which does what `at_ms` says before each chunk.
pub(crate) fn call_on(
    mut host: Host,
    room: Room,
    voice: &[f32],
    mut at_ms: impl FnMut(&mut Host, usize),
) -> Host {
    let mut loudspeaker = Loudspeaker::default();
    let gain = room.echo_db.map_or(0.0, |db| 10f32.powf(db / 20.0));
    let chunk = samples(room.chunk_ms);
    let delay = samples(room.delay_ms);
    for (index, said) in voice.chunks(chunk).enumerate() {
        host.ticks(room.chunk_ms * 1_000 / host.tick_us as usize);
        loudspeaker.play(&host);
        at_ms(&mut host, (index + 1) * room.chunk_ms);
        let from = index * chunk;
        let mut heard = said.to_vec();
        for (at, sample) in (from..).zip(&mut heard) {
            let echo = at.checked_sub(delay).and_then(|at| loudspeaker.played.get(at));
            *sample += gain * echo.unwrap_or(&0.0);
        }
        host.sessions.last().expect("there is one").try_push(&heard).expect("it comes in time");
    }
    host.tick();
    host
}

/// How often an answer was interrupted, and when for the first time, in milliseconds.
pub(crate) fn interruptions(host: &Host) -> (usize, Option<u64>) {
    let found = host.events(|event| matches!(event, Event::AnswerInterrupted { .. }).then_some(()));
    (found.len(), found.first().map(|(_, t_us, ())| t_us / 1_000))
}

/// When answers began to leave, in milliseconds, with their segments.
pub(crate) fn answers(host: &Host) -> Vec<(u64, u32)> {
    let began = host.events(|event| match event {
        Event::OutputStarted { segment, revision } if *revision > 0 => Some(*segment),
        _ => None,
    });
    began.into_iter().map(|(_, t_us, segment)| (t_us / 1_000, segment)).collect()
}

/// How often an answer was paused.
pub(crate) fn pauses(host: &Host) -> usize {
    host.count(|event| matches!(event, Event::AnswerPaused { .. }))
}
