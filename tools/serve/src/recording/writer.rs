//! The thread that writes one call, and what it is handed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use hound::{SampleFormat, WavSpec, WavWriter};
use mynah_dialects::Tap;
use mynah_engine::edge::OutAudio;
use mynah_engine::{SessionEvent, SessionHandle};
use mynah_files::outputs::{self, Output};

use super::story::Story;
use super::track::{Side, Track};
use crate::log::{Log, unix_us};
use crate::told::{Told, Witness};

/// Pieces that may wait for the disk: some five seconds of a call. Beyond, sound is left out and counted.
const WAITING_MAX: usize = 512;
/// Sound that comes within this time is put in order before it is written.
const SETTLED_US: u64 = 1_000_000;
/// Longest call in a file, hours: a WAV file has 4 GiB at most.
const HOURS_MAX: u64 = 6;

/// What the thread is handed. Times since the beginning of the call, microseconds.
enum Piece {
    Sound { side: Side, at_us: u64, rate_hz: u32, samples: Vec<f32> },
    Event { at_us: u64, event: SessionEvent },
    Turn { at_us: u64, turn: u32, response_us: u64, stages: Vec<(String, u64)> },
}

/// A call that is recorded; when this is dropped it is over.
pub(super) struct Recorder {
    pieces: SyncSender<Piece>,
    lost: Arc<AtomicU64>,
    began_us: Option<u64>,
    input_hz: u32,
    input_channels: usize,
    output_hz: u32,
    output_channels: usize,
    /// End of what the scene has said so far, since the beginning.
    said_until_us: u64,
    turns: Witness,
}

impl Recorder {
    /// Begins `PATH.wav`, which is there when the call is over, and the thread that writes it.
    pub(super) fn begin(
        path: &Path,
        scene: &str,
        session: &SessionHandle,
        turns: Witness,
        log: Log,
    ) -> Result<Self, String> {
        let (input, output) = (session.input(), session.output());
        let rate_hz = output.map_or(input.rate_hz, |output| output.rate_hz.max(input.rate_hz)).min(48_000);
        let file = Output::create(&with(path, "wav")).map_err(|failure| failure.message)?;
        let (pieces, waiting) = sync_channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let call = Written {
            path: path.to_path_buf(),
            rate_hz,
            track: Track::new(rate_hz),
            story: Story::new(session.name(), scene, unix_us()),
            session: session.name().into(),
            log,
            lost: Arc::clone(&lost),
        };
        thread::Builder::new()
            .name("mynah recording".into())
            .spawn(move || call.run(file, &waiting))
            .map_err(|error| format!("the thread that writes cannot be started: {error}"))?;
        Ok(Self {
            pieces,
            lost,
            began_us: None,
            input_hz: input.rate_hz,
            input_channels: usize::from(input.channels),
            output_hz: output.map_or(rate_hz, |output| output.rate_hz),
            output_channels: output.map_or(1, |output| usize::from(output.channels)),
            said_until_us: 0,
            turns,
        })
    }

    fn hand(&self, piece: Piece) {
        if let Err(TrySendError::Full(_)) = self.pieces.try_send(piece) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over what the records say of turns.
    fn turns(&mut self, at_us: u64) {
        while let Some(told) = self.turns.poll() {
            if let Told::Turn { turn, response_us, stages } = told {
                self.hand(Piece::Turn { at_us, turn, response_us, stages });
            }
        }
    }

    fn since_us(&mut self, now_us: u64) -> u64 {
        now_us.saturating_sub(*self.began_us.get_or_insert(now_us))
    }
}

/// The mean of the channels.
fn mono(samples: &[f32], channels: usize) -> Vec<f32> {
    let channels = channels.max(1);
    samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect()
}

impl Tap for Recorder {
    fn heard(&mut self, now_us: u64, samples: &[f32]) {
        let at_us = self.since_us(now_us);
        let samples = mono(samples, self.input_channels);
        // It came when its last sample had been spoken.
        let long_us = samples.len() as u64 * 1_000_000 / u64::from(self.input_hz.max(1));
        let at_us = at_us.saturating_sub(long_us);
        self.hand(Piece::Sound { side: Side::Caller, at_us, rate_hz: self.input_hz, samples });
    }

    fn said(&mut self, now_us: u64, audio: &OutAudio) {
        let samples = mono(audio.block.samples(), self.output_channels);
        let long_us = samples.len() as u64 * 1_000_000 / u64::from(self.output_hz.max(1));
        // Sound that is sent ahead is heard behind what was sent before.
        let at_us = self.since_us(now_us).max(self.said_until_us);
        self.said_until_us = at_us + long_us;
        self.hand(Piece::Sound { side: Side::Scene, at_us, rate_hz: self.output_hz, samples });
    }

    fn told(&mut self, now_us: u64, event: &SessionEvent) {
        let at_us = self.since_us(now_us);
        if let SessionEvent::AnswerInterrupted { .. } = event {
            self.said_until_us = at_us;
        }
        self.hand(Piece::Event { at_us, event: event.clone() });
        self.turns(at_us);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.turns(self.said_until_us);
    }
}

/// What the thread has beside the file.
struct Written {
    path: PathBuf,
    rate_hz: u32,
    track: Track,
    story: Story,
    session: String,
    log: Log,
    lost: Arc<AtomicU64>,
}

impl Written {
    fn run(mut self, mut output: Output, waiting: &Receiver<Piece>) {
        let written = self.sound(&mut output, waiting);
        let kept = written.and_then(|()| output.finish().map_err(|failure| failure.message));
        let told = outputs::write(&with(&self.path, "json"), &self.story.json());
        match kept.and(told.map_err(|error| error.to_string())) {
            Ok(()) => {
                let lost = self.lost.load(Ordering::Relaxed);
                self.log.line("recorded", &[("session", &self.session), ("pieces_lost", &lost)]);
            }
            Err(error) => self.log.line("recording_failed", &[("session", &self.session), ("error", &error)]),
        }
    }

    /// Writes what comes until the call is over. What comes after the disk has failed is taken and left out.
    fn sound(&mut self, output: &mut Output, waiting: &Receiver<Piece>) -> Result<(), String> {
        let spec = WavSpec {
            channels: 2,
            sample_rate: self.rate_hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let named = |error: hound::Error| error.to_string();
        let mut wav = WavWriter::new(output, spec).map_err(named)?;
        let mut written = Ok(());
        while let Ok(piece) = waiting.recv() {
            let at_us = self.take(piece);
            if written.is_ok() {
                written = self.write(&mut wav, at_us.saturating_sub(SETTLED_US));
            }
        }
        written.and_then(|()| self.write(&mut wav, self.track.end_us()))?;
        wav.finalize().map_err(named)
    }

    fn take(&mut self, piece: Piece) -> u64 {
        match piece {
            Piece::Sound { side, at_us, rate_hz, samples } => {
                self.track.put(side, at_us, rate_hz, &samples);
                at_us
            }
            Piece::Event { at_us, event } => {
                self.story.take(at_us, &event);
                at_us
            }
            Piece::Turn { at_us, turn, response_us, stages } => {
                self.story.turn(at_us, turn, response_us, stages);
                at_us
            }
        }
    }

    /// Writes what is complete up to `until_us`.
    fn write(&mut self, wav: &mut WavWriter<&mut Output>, until_us: u64) -> Result<(), String> {
        let mut frames = Vec::new();
        self.track.take(until_us.min(HOURS_MAX * 3_600_000_000), &mut frames);
        for sample in frames {
            // `as` saturates.
            wav.write_sample((sample * 32_768.0).round() as i16).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// The path with one more extension: names of sessions may have dots.
fn with(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
