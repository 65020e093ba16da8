//! `Moonshine`: real recognition of English speech in the process, on threads beside the tick.
//!
//! The words are real. Their timing follows the scene's model in virtual time, and the real work on the wall clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use serde::Deserialize;

use super::listeners::Listeners;
use super::{Model, RATE_HZ, SAMPLES_MAX};
use crate::service::{Modelled, Production, Work};

/// File names of a model's folder.
const WEIGHTS: &str = "moonshine_tiny_en.u8";
const TOKENS: &str = "tokenizer.bin";
/// The variable that names a folder of models, and the model's folder in it.
const MODELS: &str = "MYNAH_MODELS";
const FOLDER: &str = "moonshine_tiny_en";
const THREADS_MAX: usize = 64;

/// The files of a model that a program has in it.
static BUILT_IN: OnceLock<(&[u8], &[u8])> = OnceLock::new();

/// Gives scenes without `weights` a model that is part of the program: the files of weights and of tokens. The first one
/// given stays.
pub fn build_in(weights: &'static [u8], tokens: &'static [u8]) {
    let _first_stays = BUILT_IN.set((weights, tokens));
}

/// Configuration of the service output `Moonshine`, as scenes have it.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    threads: usize,
    weights: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { threads: 1, weights: None }
    }
}

/// The service output `Moonshine`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct Moonshine {
    threads: usize,
    model: Arc<Model>,
}

impl TryFrom<Config> for Moonshine {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let Config { threads, weights } = config;
        if !(1..=THREADS_MAX).contains(&threads) {
            return Err(format!("`threads` is {threads}; expected 1 to {THREADS_MAX}"));
        }
        Ok(Self { threads, model: model(weights.as_deref())? })
    }
}

/// The model in a folder, or the program's own, or the one that `MYNAH_MODELS` names: each is read once a process.
fn model(folder: Option<&Path>) -> Result<Arc<Model>, String> {
    static READ: Mutex<BTreeMap<Option<PathBuf>, Arc<Model>>> = Mutex::new(BTreeMap::new());
    let built_in = BUILT_IN.get().filter(|_| folder.is_none());
    let folder = match (folder, built_in) {
        (None, Some(_)) => None,
        (Some(folder), _) => Some(folder.to_path_buf()),
        (None, None) => Some(named()?),
    };
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(model) = read.get(&folder) {
        return Ok(Arc::clone(model));
    }
    let model = match (&folder, built_in) {
        (None, Some((weights, tokens))) => Model::read(weights, tokens).map_err(|error| error.to_string()),
        (Some(folder), _) => read_folder(folder),
        (None, None) => Err("there is no model".into()),
    }?;
    Ok(Arc::clone(read.entry(folder).or_insert(Arc::new(model))))
}

fn named() -> Result<PathBuf, String> {
    let missing =
        format!("this program has no model in it: `weights: \"FOLDER\"` or the variable {MODELS} names one");
    Ok(PathBuf::from(std::env::var_os(MODELS).ok_or(missing)?).join(FOLDER))
}

fn read_folder(folder: &Path) -> Result<Model, String> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (weights, tokens) = (read(WEIGHTS)?, read(TOKENS)?);
    Model::read(&weights, &tokens).map_err(|error| format!("{}: {error}", folder.display()))
}

/// One service's threads.
struct Recognition(Listeners);

impl Production for Recognition {
    fn wants_audio(&self) -> bool {
        true
    }

    fn wanted_at_once(&self) -> usize {
        self.0.wanted_at_once()
    }

    fn work(&self, call: &Call) -> Work {
        let Some(sound) = &call.audio else { return Work::Text([Arc::from("")].into()) };
        let (rate_hz, channels) = (sound.format.rate_hz, sound.format.channels);
        if (rate_hz, channels) != (RATE_HZ, 1) {
            let why = format!(
                "Moonshine hears {RATE_HZ} Hz mono, and this is {rate_hz} Hz with {channels} channels"
            );
            return Work::Failure(why.into());
        }
        Work::Words(self.0.hear(sound.samples().take(SAMPLES_MAX).collect()))
    }
}

impl ServiceKind for Moonshine {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let listeners = Listeners::start(&self.model, self.threads, &site.waker);
        Box::new(Modelled::new(site, Box::new(Recognition(listeners))))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Moonshine"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("Moonshine", |config| Ok(Arc::new(parse_config::<Moonshine>(config)?)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_refused_whose_recogniser_could_not_begin() {
        let refused = |config: &str| parse_config::<Moonshine>(config).expect_err(config).to_string();
        assert!(refused("(threads: 0)").contains("`threads` is 0; expected 1 to 64"));
        let missing = refused("(weights: \"no/such/folder\")");
        assert!(missing.contains("no/such/folder") && missing.contains(WEIGHTS), "{missing}");
        assert!(refused("(voice: 1)").contains("voice"));
    }
}
