//! A sound device for examples: a thread that every 10 ms pushes the next of a recording, as a microphone would, and reads
//! all characters, as a loudspeaker would. A real device would call the body of its loop.
#![allow(dead_code, reason = "every example uses its own part of it")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use bevy_mynah::mynah_host::clock::Epoch;
use bevy_mynah::{FeedIn, Format, VoiceReader};

const CALLBACK_US: u64 = 10_000;
pub(crate) const RATE_HZ: u32 = 16_000;
/// Format of the recordings.
pub(crate) const MONO: Format = Format { rate_hz: RATE_HZ, channels: 1 };

/// A recording of the project, 16 kHz.
pub(crate) fn recording(name: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let reader = hound::WavReader::open(folder.join(name))?;
    let samples: Result<Vec<i16>, _> = reader.into_samples().collect();
    Ok(samples?.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect())
}

/// What the device has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    over: AtomicBool,
    /// Pushes that a character had no room for.
    pub(crate) refused: AtomicU64,
    /// Sample frames of voices.
    pub(crate) sounded: AtomicU64,
    /// Times that silence came inside an answer.
    pub(crate) holes: AtomicU64,
}

/// The running device; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// Starts it. Behind `sound` comes silence, or the same again if it `repeats`.
    pub(crate) fn start(
        microphone: FeedIn,
        sound: Vec<f32>,
        repeats: bool,
        loudspeakers: Vec<VoiceReader>,
    ) -> Self {
        let seen = Arc::new(Seen::default());
        let of_thread = Arc::clone(&seen);
        let thread = thread::spawn(move || run(microphone, &sound, repeats, loudspeakers, &of_thread));
        Self { seen, thread: Some(thread) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.seen.over.store(true, Ordering::Release);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn run(
    mut microphone: FeedIn,
    sound: &[f32],
    repeats: bool,
    mut loudspeakers: Vec<VoiceReader>,
    seen: &Seen,
) {
    let piece = (u64::from(RATE_HZ) * CALLBACK_US / 1_000_000) as usize;
    let silence = vec![0.0; piece];
    let (epoch, mut due_us, mut pieces) = (Epoch::start(), 0, sound.chunks_exact(piece));
    let mut heard: Vec<Vec<f32>> = loudspeakers.iter().map(|reader| buffer(reader.format())).collect();
    while !seen.over.load(Ordering::Acquire) {
        due_us += CALLBACK_US;
        epoch.sleep_until(due_us);
        let mut next = pieces.next();
        if next.is_none() && repeats {
            pieces = sound.chunks_exact(piece);
            next = pieces.next();
        }
        let refused = microphone.push(next.unwrap_or(&silence)).map_or(0, |pushed| pushed.refused);
        seen.refused.fetch_add(refused as u64, Ordering::Relaxed);
        for (reader, heard) in loudspeakers.iter_mut().zip(&mut heard) {
            seen.sounded.fetch_add(reader.read(heard).frames as u64, Ordering::Relaxed);
        }
        seen.holes.store(loudspeakers.iter().map(VoiceReader::holes).sum(), Ordering::Relaxed);
    }
}

fn buffer(format: Format) -> Vec<f32> {
    let frames = u64::from(format.rate_hz) * CALLBACK_US / 1_000_000;
    vec![0.0; frames as usize * usize::from(format.channels)]
}
