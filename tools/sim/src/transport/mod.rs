//! The transports that a scene can name, as its file configures them.

mod grpc;

pub use grpc::GrpcScene;

use mynah_engine::ScenePlan;
use mynah_engine::scene::parse_config;
use ron::error::SpannedError;
use serde::de::{Deserializer, Error, Unexpected};
use serde::{Deserialize, Serialize};

use crate::shipped;
use mynah_load::link::LinkFaults;

/// Longest of each delay, milliseconds.
const DELAY_MS_MAX: f64 = 60_000.0;

/// `SimulatedLink`: a second engine, in this process, behind a **simulated** network. What the scene puts out goes to the
/// sessions of another scene: audio in order and without loss, control messages as datagrams, both ways.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedScene {
    /// The scene at the other end: a file, or one that comes with mynah.
    pub scene: String,
    /// What everything takes, 0 to 60,000 ms.
    #[serde(default, deserialize_with = "delay")]
    pub delay_ms: f64,
    /// On top, drawn for each item, each value up to this equally likely; 0 to 60,000 ms.
    #[serde(default, deserialize_with = "delay")]
    pub jitter_ms: f64,
    /// Datagrams that never arrive, 0 to 1.
    #[serde(default, deserialize_with = "ratio")]
    pub loss: f64,
    /// Datagrams that arrive twice, 0 to 1.
    #[serde(default, deserialize_with = "ratio")]
    pub duplicate: f64,
    /// Datagrams held back so that later ones overtake them, 0 to 1.
    #[serde(default, deserialize_with = "ratio")]
    pub reorder: f64,
    /// How long those are held back, 0 to 60,000 ms.
    #[serde(default = "reorder_extra_ms", deserialize_with = "delay")]
    pub reorder_extra_ms: f64,
}

fn reorder_extra_ms() -> f64 {
    20.0
}

/// What [`LinkedScene::check`] looks at beside the settings.
#[derive(Deserialize)]
struct Named {
    #[serde(deserialize_with = "scene")]
    scene: String,
}

fn scene<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match shipped::find(&name) {
        Ok(_) => Ok(name),
        Err(_) => {
            let wanted = "a scene file, or the name of one that comes with mynah, like \"remote_answers\"";
            Err(D::Error::invalid_value(Unexpected::Str(&name), &wanted))
        }
    }
}

fn delay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    within(deserializer, DELAY_MS_MAX, "0 to 60000 ms")
}

fn ratio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    within(deserializer, 1.0, "a ratio from 0 to 1 (5 % is 0.05)")
}

fn within<'de, D: Deserializer<'de>>(deserializer: D, most: f64, wanted: &str) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if (0.0..=most).contains(&value) {
        Ok(value)
    } else {
        Err(D::Error::invalid_value(Unexpected::Float(value), &wanted))
    }
}

impl LinkedScene {
    /// Its name in scenes.
    pub const NAME: &str = "SimulatedLink";

    /// Finds what is wrong with a configuration, `(...)`.
    ///
    /// # Errors
    /// ron's own error; positions count from the start of `config`.
    pub fn check(config: &str) -> Result<(), SpannedError> {
        Self::check_settings(config)?;
        parse_config::<Named>(config).map(|named| drop(named.scene))
    }

    /// The same without looking for the scene.
    ///
    /// # Errors
    /// See [`Self::check`].
    pub fn check_settings(config: &str) -> Result<(), SpannedError> {
        parse_config::<Self>(config).map(drop)
    }

    /// The link that a compiled scene names, if it names one; the first counts.
    pub fn of(plan: &ScenePlan) -> Option<Self> {
        let entry = plan.scene.transports.iter().find(|entry| entry.name == Self::NAME)?;
        parse_config(&entry.config).ok()
    }

    /// What the link does to what it carries.
    pub fn faults(&self) -> LinkFaults {
        LinkFaults {
            delay_ms: self.delay_ms,
            jitter_ms: self.jitter_ms,
            loss_ratio: self.loss,
            duplicate_ratio: self.duplicate,
            // Held back for no time is not held back.
            reorder_ratio: if self.reorder_extra_ms > 0.0 { self.reorder } else { 0.0 },
            reorder_extra_ms: self.reorder_extra_ms,
        }
    }
}
