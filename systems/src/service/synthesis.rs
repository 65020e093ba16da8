//! `FliteVoice`: real speech synthesis in the process, on a thread beside the tick.
//!
//! The audio is real. Its timing follows the scene's model in virtual time, and the real work on the wall clock.

use std::ops::RangeInclusive;
use std::sync::Arc;

use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use mynah_engine::{Params, Registry};
use ron::error::{Position, Span, SpannedError};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use crate::service::modelled::Modelled;
use crate::service::studio::{self, Speech};
use crate::service::work::{Production, Work};
use crate::speech::style::{STYLE_FACTOR, STYLE_LEVEL, VoiceStyle};

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

/// Refuses with the scene what the voice would refuse at every utterance.
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
    /// All samples of an answer of `text`, mono at the voice's rate.
    pub fn speech(&self, text: &str) -> Vec<f32> {
        studio::speech(text, self.style()).expect("a style out of range is refused with the scene")
    }

    /// The style for a session with these parameters: `pitch`, `rate` and `level` replace the scene's, within the same
    /// ranges; what is out of range counts as its end.
    fn style_for(&self, params: &Params) -> VoiceStyle {
        let number = |name, range: &RangeInclusive<f32>, own: f32| {
            let given = params.number(name).map(|value| value as f32).filter(|value| value.is_finite());
            given.map_or(own, |value| value.clamp(*range.start(), *range.end()))
        };
        VoiceStyle {
            pitch: number("pitch", &STYLE_FACTOR, self.pitch),
            rate: number("rate", &STYLE_FACTOR, self.rate),
            level: number("level", &STYLE_LEVEL, self.level),
        }
    }

    /// The style as the voice takes it.
    pub fn style(&self) -> VoiceStyle {
        VoiceStyle { pitch: self.pitch, rate: self.rate, level: self.level }
    }
}

/// Factor on the speed of speech in lower quality: there is less of it to make.
const HURRIED: f32 = 1.15;

impl Production for FliteVoice {
    fn work(&self, call: &Call) -> Work {
        let mut style = self.style_for(&call.params);
        if call.reduced {
            style.rate = (style.rate * HURRIED).min(2.0);
        }
        match Speech::begin(Arc::clone(&call.text), style) {
            Ok(speech) => Work::Speech(speech),
            Err(why) => Work::Failure(why.into()),
        }
    }
}

impl ServiceKind for FliteVoice {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        // Loaded now, not at the first answer. Callers get an error if there is no thread.
        studio::voice();
        drop(studio::studio());
        Box::new(Modelled::new(site, Box::new(*self)))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "FliteVoice"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("FliteVoice", |config| {
        let voice = parse_config::<FliteVoice>(config)?;
        if cfg!(feature = "flite") { Ok(Arc::new(voice)) } else { Err(no_voice()) }
    });
}

/// What a build without the voice says of a scene that speaks.
fn no_voice() -> SpannedError {
    let start = Position { line: 1, col: 1 };
    let what = "this build has no voice: build it with the feature `flite`, or leave out what speaks";
    SpannedError { code: ron::Error::Message(what.into()), span: Span { start, end: start } }
}
