//! The sessions of a simulation: who calls, when their audio arrives, and what they truly say.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use mynah_engine::scene::Format;
use mynah_engine::{EngineHandle, PushError, SessionHandle, SessionSpec};
use mynah_systems::service::Script;

use mynah_load::load::Stream;
use mynah_load::load::bank::{Bank, BankConfig};
use mynah_load::load::caller::Caller;
use mynah_load::load::recordings::Recordings;
use mynah_load::load::schedule::{CallerConfig, Phase};

/// Silence at the end of a run, so that the last utterance can still be answered.
const QUIET_US: u64 = 4_500_000;

/// Where callers come from.
#[derive(Debug)]
pub enum Load {
    /// Clips synthesized at load.
    Bank(Arc<Bank>),
    /// Recordings with labels.
    Recordings(Recordings),
}

impl Load {
    /// Prepares the audio at the rate of the sessions. `progress` gets (done, total).
    ///
    /// # Errors
    /// What is wrong with the recordings, or with the voice.
    pub fn prepare(
        recordings: Option<&Path>,
        seed: u64,
        rate_hz: u32,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, String> {
        match recordings {
            Some(path) => Recordings::load(path, rate_hz).map(Self::Recordings).map_err(|e| e.to_string()),
            None => {
                let config = BankConfig { seed, rate_hz, ..BankConfig::default() };
                Bank::build(config, progress).map(|b| Self::Bank(Arc::new(b))).map_err(|e| e.to_string())
            }
        }
    }

    /// The streams of `sessions` sessions that last `duration_us`.
    pub fn streams(&self, sessions: u32, seed: u64, duration_us: u64, phase: Phase) -> Vec<Stream> {
        match self {
            Self::Bank(bank) => {
                let quiet_from_us = duration_us.saturating_sub(QUIET_US);
                let config = Arc::new(CallerConfig { seed, phase, quiet_from_us, ..CallerConfig::default() });
                (0..sessions)
                    .map(|i| {
                        let caller = Caller::new(Arc::clone(bank), Arc::clone(&config), u64::from(i));
                        Stream::Caller(Box::new(caller))
                    })
                    .collect()
            }
            Self::Recordings(recordings) => {
                (0..sessions).map(|i| Stream::Recording(recordings.playback(u64::from(i)))).collect()
            }
        }
    }
}

/// The name of session `index`.
pub fn session_name(index: u32) -> String {
    format!("caller-{index:05}")
}

/// What the callers say, for the simulated recogniser. Filled once the streams exist.
#[derive(Debug, Default)]
pub struct CallerScript {
    streams: OnceLock<Vec<Stream>>,
}

impl CallerScript {
    /// Tells who says what.
    pub fn fill(&self, streams: Vec<Stream>) {
        // Filled once, before the first session is opened.
        drop(self.streams.set(streams));
    }
}

impl Script for CallerScript {
    fn heard(&self, name: &str, from_us: u64, to_us: u64) -> Option<String> {
        let index: usize = name.strip_prefix("caller-")?.parse().ok()?;
        Some(self.streams.get()?.get(index)?.heard(from_us, to_us))
    }
}

/// One caller with its session.
#[derive(Debug)]
pub struct Line {
    /// The session of the caller.
    pub handle: SessionHandle,
    /// The audio of the caller.
    pub stream: Stream,
    /// Engine time at which its media time begins.
    pub offset_us: u64,
    chunk_frames: usize,
    chunk_us: u64,
    format: Format,
    pushed_chunks: u64,
    /// Chunks the edge refused: they are lost.
    pub refused: u64,
    /// The source is like a file: when the edge refuses a chunk it waits and tries again.
    waits: bool,
    /// How often it had to.
    pub waited: u64,
    mono: Vec<f32>,
}

/// How all sessions of a simulation are.
#[derive(Clone, Copy, Debug)]
pub struct LineStyle {
    /// Format of their audio.
    pub format: Format,
    /// Length of a chunk.
    pub chunk_us: u64,
    /// Their chunks arrive staggered over one chunk, or all at once (`Phase::Aligned`).
    pub phase: Phase,
    /// Their sources are like files: what is refused comes again.
    pub waits: bool,
    /// Their hosts want to be told what the gate decides.
    pub told: bool,
}

/// Opens the sessions; those of which `traced` is true log their gates' probabilities.
///
/// # Errors
/// Why the first session that could not be opened was not.
pub fn open_lines(
    engine: &EngineHandle,
    streams: Vec<Stream>,
    style: LineStyle,
    traced: &dyn Fn(u32) -> bool,
) -> Result<Vec<Line>, String> {
    let LineStyle { format, chunk_us, phase, waits, told } = style;
    let count = streams.len() as u64;
    let chunk_frames = (u64::from(format.rate_hz) * chunk_us / 1_000_000) as usize;
    let lines = streams.into_iter().zip(0u32..).map(|(stream, i)| {
        let spec = SessionSpec { controls: told, traced: traced(i), ..SessionSpec::named(session_name(i)) };
        let handle = engine.open(spec).map_err(|e| e.to_string())?;
        let offset_us = match phase {
            Phase::Staggered => chunk_us * u64::from(i) / count,
            Phase::Aligned => 0,
        };
        Ok(Line {
            handle,
            stream,
            offset_us,
            chunk_frames,
            chunk_us,
            format,
            pushed_chunks: 0,
            refused: 0,
            waits,
            waited: 0,
            mono: vec![0.0; chunk_frames],
        })
    });
    lines.collect()
}

impl Line {
    /// Engine time at which the next chunk arrives: when its last sample exists.
    pub fn next_arrival_us(&self) -> u64 {
        self.offset_us + (self.pushed_chunks + 1) * self.chunk_us
    }

    /// Pushes the next chunk, as arrived at its intended time; false when it has to wait with it.
    pub fn push(&mut self) -> bool {
        // What comes from a file arrives when it is taken; callers have their own time.
        let arrived_us = (!self.waits).then(|| self.next_arrival_us());
        self.pushed_chunks += 1;
        let channels = usize::from(self.format.channels);
        let stream = &mut self.stream;
        let mono = &mut self.mono;
        let pushed = if channels == 1 {
            self.handle.try_push_with(self.chunk_frames, arrived_us, |_, out| stream.fill(out))
        } else {
            stream.fill(mono);
            self.handle.try_push_with(self.chunk_frames * channels, arrived_us, |at, out| {
                for (i, sample) in out.iter_mut().enumerate() {
                    *sample = mono[(at + i) / channels];
                }
            })
        };
        match pushed {
            Ok(()) => true,
            Err(PushError::Full) if self.waits => {
                self.pushed_chunks -= 1;
                self.waited += 1;
                false
            }
            Err(_) => {
                self.refused += 1;
                true
            }
        }
    }

    /// Sample frames taken by the engine's edge.
    pub fn frames_pushed(&self) -> u64 {
        (self.pushed_chunks - self.refused) * self.chunk_frames as u64
    }
}
