//! `FliteVoice`: real speech synthesis in the process, on a thread beside the tick.
//!
//! The audio is real. Its timing is the scene's model in virtual time, and the time it takes on the wall clock.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};

use mynah_engine::scene::parse_config;
use mynah_engine::{Call, Registry, Service, ServiceKind, ServiceSite};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use crate::service::modelled::{Modelled, Production, Work};
use crate::speech::flite::{Flite, STYLE_FACTOR, STYLE_LEVEL, VoiceStyle};

/// Configuration of the service output `FliteVoice`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FliteVoice {
    /// Factor on the voice's pitch, 0.5 to 2.
    #[serde(deserialize_with = "factor")]
    pub pitch: f32,
    /// Factor on its speed, 0.5 to 2.
    #[serde(deserialize_with = "factor")]
    pub rate: f32,
    /// Factor on its level, 0 to 4.
    #[serde(deserialize_with = "level")]
    pub level: f32,
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    within(deserializer, &STYLE_FACTOR, "a factor from 0.5 to 2")
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    within(deserializer, &STYLE_LEVEL, "a factor from 0 to 4")
}

/// What the voice would refuse at every utterance is refused with the scene.
fn within<'de, D: Deserializer<'de>>(
    deserializer: D,
    range: &RangeInclusive<f32>,
    wanted: &str,
) -> Result<f32, D::Error> {
    let value = f32::deserialize(deserializer)?;
    // NaN is in no range.
    if !range.contains(&value) {
        return Err(D::Error::invalid_value(Unexpected::Float(value.into()), &wanted));
    }
    Ok(value)
}

impl Default for FliteVoice {
    fn default() -> Self {
        let VoiceStyle { pitch, rate, level } = VoiceStyle::default();
        Self { pitch, rate, level }
    }
}

impl FliteVoice {
    /// All that an answer of `text` is made of, mono at the voice's rate.
    pub fn speech(&self, text: &str) -> Vec<f32> {
        let speech = Speech::default();
        speech.make(voice(), text, self.style());
        let mut samples = vec![0.0; speech.made.lock().map_or(0, |made| made.samples.len())];
        speech.read(0, &mut samples, true);
        samples
    }

    /// The style as the voice takes it.
    pub fn style(&self) -> VoiceStyle {
        VoiceStyle { pitch: self.pitch, rate: self.rate, level: self.level }
    }
}

/// Speech as it is being made; shared by the thread that makes it and the service that hands it out.
#[derive(Debug, Default)]
pub struct Speech {
    made: Mutex<Made>,
    more: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct Made {
    samples: Vec<f32>,
    complete: bool,
    failed: Option<Arc<str>>,
}

/// Speech in lower quality is hurried by this much: there is less of it to make.
const HURRIED: f32 = 1.15;
/// Samples below this level are silence: -46 dBFS.
const AUDIBLE: f32 = 0.005;
/// What is kept before the first audible sample: 5 ms.
const LEAD: usize = crate::speech::flite::RATE_HZ as usize / 200;

/// What there is of a speech, from some sample on.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// A whole block, or the rest of a complete speech; the number of samples copied.
    Block(usize),
    /// Not made yet.
    NotYet,
    /// Nothing more will come.
    End,
    /// It could not be made.
    Failed(Arc<str>),
}

impl Speech {
    /// Copies samples from `at` on into `out`. `wait`: until the block is whole.
    pub fn read(&self, at: usize, out: &mut [f32], wait: bool) -> Heard {
        let mut made = self.made.lock().expect("synthesis does not panic while it holds its samples");
        loop {
            let there = made.samples.len().saturating_sub(at);
            if there >= out.len() || (made.complete && there > 0) {
                let n = there.min(out.len());
                out[..n].copy_from_slice(&made.samples[at..at + n]);
                return Heard::Block(n);
            }
            if let Some(reason) = &made.failed {
                return Heard::Failed(Arc::clone(reason));
            }
            if made.complete {
                return Heard::End;
            }
            if !wait {
                return Heard::NotYet;
            }
            made = self.more.wait(made).expect("synthesis does not panic while it holds its samples");
        }
    }

    /// The length in samples, if the whole speech has at most `samples`. `wait`: until that is known.
    pub fn length_within(&self, samples: usize, wait: bool) -> Option<usize> {
        let mut made = self.made.lock().expect("synthesis does not panic while it holds its samples");
        loop {
            let length = made.samples.len();
            if made.complete || length > samples || !wait {
                return (made.complete && length <= samples).then_some(length);
            }
            made = self.more.wait(made).expect("synthesis does not panic while it holds its samples");
        }
    }

    /// Whether everything up to `at` samples was made and nothing follows.
    pub fn ends_at(&self, at: usize) -> bool {
        let made = self.made.lock().expect("synthesis does not panic while it holds its samples");
        made.complete && made.samples.len() <= at
    }

    /// Stops the synthesis within one block.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    fn make(&self, voice: &Flite, text: &str, style: VoiceStyle) {
        let mut onset = Onset::default();
        let result = voice.synthesize(text, style, &mut |samples| {
            if self.stop.load(Ordering::Acquire) {
                return ControlFlow::Break(());
            }
            if let Some(audible) = onset.trim(samples) {
                if let Ok(mut made) = self.made.lock() {
                    made.samples.extend_from_slice(audible);
                }
                self.more.notify_all();
            }
            ControlFlow::Continue(())
        });
        if let Ok(mut made) = self.made.lock() {
            made.complete = true;
            made.failed = result.err().map(|e| e.to_string().into());
        }
        self.more.notify_all();
    }
}

/// Takes the silence off the start of a speech. The voice begins every utterance with 200 to 300 ms of it: a first
/// sample that nobody can hear is no answer.
#[derive(Debug, Default)]
struct Onset {
    held: Vec<f32>,
    open: bool,
}

impl Onset {
    /// A block of the speech, from the onset on; `None` while it is silent.
    fn trim<'a>(&'a mut self, samples: &'a [f32]) -> Option<&'a [f32]> {
        if self.open {
            return Some(samples);
        }
        self.held.extend_from_slice(samples);
        let first = self.held.iter().position(|s| s.abs() >= AUDIBLE)?;
        self.open = true;
        Some(&self.held[first.saturating_sub(LEAD)..])
    }
}

/// The voice: one for the process, made at first use.
fn voice() -> &'static Flite {
    static VOICE: OnceLock<Flite> = OnceLock::new();
    VOICE.get_or_init(|| Flite::new().expect("the voice is part of the program"))
}

/// The thread it speaks on, likewise. An error says why there is none; the next call tries again.
fn studio() -> Result<&'static rayon::ThreadPool, String> {
    static STUDIO: OnceLock<rayon::ThreadPool> = OnceLock::new();
    if let Some(studio) = STUDIO.get() {
        return Ok(studio);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "synthesis".into()).build();
    let pool = pool.map_err(|error| format!("no thread for the voice: {error}"))?;
    Ok(STUDIO.get_or_init(|| pool))
}

impl Production for FliteVoice {
    fn work(&self, call: &Call) -> Work {
        let speech = Arc::new(Speech::default());
        let (making, text, mut style) = (Arc::clone(&speech), Arc::clone(&call.text), self.style());
        if call.reduced {
            style.rate = (style.rate * HURRIED).min(2.0);
        }
        match studio() {
            Ok(studio) => {
                studio.spawn(move || making.make(voice(), &text, style));
                Work::Speech(speech)
            }
            Err(why) => Work::Failure(why.into()),
        }
    }
}

impl ServiceKind for FliteVoice {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        // Loaded now, not at the first answer. Whoever calls is told if there is no thread.
        voice();
        drop(studio());
        Box::new(Modelled::new(site, Box::new(*self)))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn kind(&self) -> &'static str {
        "FliteVoice"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("FliteVoice", |config| Ok(Arc::new(parse_config::<FliteVoice>(config)?)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_speech_ends_within_a_block() {
        let speech = Speech::default();
        speech.stop();
        speech.make(voice(), "this is never spoken", FliteVoice::default().style());
        assert!(speech.ends_at(0));
    }

    #[test]
    fn what_is_read_in_blocks_is_what_was_made() {
        let speech = Speech::default();
        speech.make(voice(), "hello there", VoiceStyle::default());
        let whole = voice().speak("hello there", VoiceStyle::default()).expect("the style is the default");
        let audible = whole.iter().position(|s| s.abs() >= AUDIBLE).expect("it is audible") - LEAD;
        let (mut got, mut block) = (Vec::new(), [0.0; 320]);
        while let Heard::Block(n) = speech.read(got.len(), &mut block, true) {
            got.extend_from_slice(&block[..n]);
        }
        assert_eq!(got, whole[audible..]);
        assert_eq!(got, FliteVoice::default().speech("hello there"));
        assert!(audible > 1_600, "the voice begins with silence: {audible} samples");
    }
}
