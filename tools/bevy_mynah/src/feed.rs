//! Where a character's hearing comes from: a device pushes once, any number of characters hear.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mynah_engine::PushError;
use mynah_engine::crossbeam::queue::ArrayQueue;
use mynah_engine::edge::AudioIn;
use mynah_engine::scene::Format;

/// Characters that one feed can have.
pub const HEARERS_MAX: usize = 1_024;
/// Who is no longer addressed hears so much silence before nothing, ms: longer than any gate waits for the end of speech.
const SILENCE_MS: u64 = 11_000;
/// Silence, pushed in pieces.
const SILENCE: [f32; 4_096] = [0.0; 4_096];

/// Whether a session hears its feed; shared by the game and the device's thread.
#[derive(Debug, Default)]
pub(crate) struct Link {
    hears: AtomicBool,
    gone: AtomicBool,
    refused: AtomicU64,
}

impl Link {
    /// From the next push on the session hears, or hears silence.
    pub(crate) fn set_hears(&self, hears: bool) {
        self.hears.store(hears, Ordering::Relaxed);
    }

    /// The session is over.
    pub(crate) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Pushes that the session refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// A session on the device's thread.
#[derive(Debug)]
struct Hearer {
    audio: AudioIn,
    link: Arc<Link>,
    /// Sample frames of silence that are left to hear.
    silence: u64,
}

#[derive(Debug)]
struct Shared {
    format: Format,
    joining: ArrayQueue<Hearer>,
    /// Out of the device's hands: freed by the game.
    leaving: ArrayQueue<Hearer>,
    refused: AtomicU64,
}

/// A source of sound, such as a microphone or another player's voice, as a [`VoiceInput`](crate::VoiceInput) names it.
/// Clones are the same source: several characters may share one.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Shared>);

impl Feed {
    /// A source in the device's own format, and the end that its thread pushes into. Whoever hears it converts.
    pub fn new(format: Format) -> (FeedIn, Self) {
        let shared = Arc::new(Shared {
            format,
            joining: ArrayQueue::new(HEARERS_MAX),
            leaving: ArrayQueue::new(HEARERS_MAX),
            refused: AtomicU64::new(0),
        });
        let hearers = Vec::with_capacity(HEARERS_MAX);
        (FeedIn { shared: Arc::clone(&shared), hearers }, Self(shared))
    }

    /// Format of the sound.
    pub fn format(&self) -> Format {
        self.0.format
    }

    /// Pushes that characters refused because they had no room, since the start, all together.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Whether both are the same source.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Has a session hear from the next push on; `None`: too many wait already.
    pub(crate) fn join(&self, audio: AudioIn, hears: bool) -> Option<Arc<Link>> {
        self.free();
        let link = Arc::new(Link { hears: AtomicBool::new(hears), ..Link::default() });
        let hearer = Hearer { audio, link: Arc::clone(&link), silence: 0 };
        self.0.joining.push(hearer).is_ok().then_some(link)
    }

    /// Frees what the device has given back.
    pub(crate) fn free(&self) {
        while self.0.leaving.pop().is_some() {}
    }
}

/// What became of one push.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Characters that heard it.
    pub heard: usize,
    /// Characters that had no room: they were not ticked for a second. For them it is lost, and counted.
    pub refused: usize,
}

/// The device's end of a [`Feed`]. Can be sent to the device's thread; nothing here locks, allocates or waits.
#[derive(Debug)]
pub struct FeedIn {
    shared: Arc<Shared>,
    hearers: Vec<Hearer>,
}

impl FeedIn {
    /// Format of the sound to push.
    pub fn format(&self) -> Format {
        self.shared.format
    }

    /// Gives interleaved samples, whole sample frames, to all characters that hear this source; who is no longer
    /// addressed gets silence for a while, so that what was said to it comes to its end. With nobody to hear it the
    /// sound is gone.
    ///
    /// # Errors
    /// [`PushError::BadLength`] for half a sample frame or more than a second: nobody hears it.
    pub fn push(&mut self, samples: &[f32]) -> Result<Pushed, PushError> {
        let format = self.shared.format;
        let frames = samples.len() / usize::from(format.channels.max(1));
        if !samples.len().is_multiple_of(usize::from(format.channels.max(1)))
            || frames > format.rate_hz as usize
        {
            return Err(PushError::BadLength { samples: samples.len() });
        }
        self.admit();
        let mut pushed = Pushed::default();
        let mut at = 0;
        while at < self.hearers.len() {
            let hearer = &mut self.hearers[at];
            if hearer.link.gone.load(Ordering::Acquire) || hearer.audio.has_ended() {
                self.dismiss(at);
                continue;
            }
            hearer.hear(samples, frames as u64, &mut pushed);
            at += 1;
        }
        if pushed.refused > 0 {
            self.shared.refused.fetch_add(pushed.refused as u64, Ordering::Relaxed);
        }
        Ok(pushed)
    }

    fn admit(&mut self) {
        // Never beyond the memory that is there.
        while self.hearers.len() < HEARERS_MAX
            && let Some(hearer) = self.shared.joining.pop()
        {
            self.hearers.push(hearer);
        }
    }

    /// Hands a session that is over back to the game, which frees it. The order of the others does not matter.
    fn dismiss(&mut self, at: usize) {
        let hearer = self.hearers.swap_remove(at);
        // As many fit as there can be; one beyond that is freed here.
        drop(self.shared.leaving.push(hearer));
    }
}

impl Hearer {
    fn hear(&mut self, samples: &[f32], frames: u64, pushed: &mut Pushed) {
        let format = self.audio.format();
        let taken = if self.link.hears.load(Ordering::Relaxed) {
            self.silence = SILENCE_MS * u64::from(format.rate_hz) / 1_000;
            self.audio.push(samples)
        } else if self.silence > 0 {
            self.silence = self.silence.saturating_sub(frames);
            self.push_silence(samples.len())
        } else {
            return;
        };
        let refused = usize::from(taken.is_err());
        pushed.refused += refused;
        pushed.heard += 1 - refused;
        self.link.refused.fetch_add(refused as u64, Ordering::Relaxed);
    }

    fn push_silence(&mut self, samples: usize) -> Result<(), PushError> {
        let channels = usize::from(self.audio.format().channels.max(1));
        let most = SILENCE.len() - SILENCE.len() % channels;
        let mut left = samples;
        while left > 0 {
            let piece = left.min(most);
            self.audio.push(&SILENCE[..piece])?;
            left -= piece;
        }
        Ok(())
    }
}
