//! The scenes that run, and the model names that mean them. Several run on one pool of threads, each with a thread that
//! ticks it. A reload exchanges those that have changed for new sessions; the old ones go on until theirs are over.

mod running;
mod script;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use mynah_engine::Workers;

use crate::config::Config;
use crate::refused::Refused;

pub(crate) use running::Occupied;
pub use running::RunningScene;

/// The model name that stands for all that are not named.
const ANY: &str = "*";

/// What new sessions find.
#[derive(Debug)]
struct Current {
    /// In the order of the configuration: the first is for those who name no model.
    scenes: Vec<Arc<RunningScene>>,
    /// By model name, the place of its scene.
    models: BTreeMap<String, usize>,
}

/// The scenes of a server.
#[derive(Debug)]
pub struct SceneList {
    current: ArcSwap<Current>,
    /// No new sessions come to these.
    retired: Mutex<Vec<Arc<RunningScene>>>,
    workers: Workers,
}

impl SceneList {
    /// Compiles and starts the scenes of `config`.
    ///
    /// # Errors
    /// What is wrong with a scene, drawn for a terminal, or why it cannot run.
    pub fn start(config: &Config) -> Result<Self, String> {
        let workers = Workers::start(config.threads).map_err(|refused| refused.to_string())?;
        let current = build(config, &workers, &[])?;
        Ok(Self { current: ArcSwap::from_pointee(current), retired: Mutex::default(), workers })
    }

    /// Compiles the scenes anew, and starts those that have changed. New sessions go to them; sessions that are open stay
    /// where they are. Returns the names of those that were started.
    ///
    /// # Errors
    /// As [`start`](Self::start): then everything stays as it is.
    pub fn reload(&self, config: &Config) -> Result<Vec<String>, String> {
        let before = self.current.load_full();
        let current = build(config, &self.workers, &before.scenes)?;
        let is_old = |scene: &&Arc<RunningScene>| !before.scenes.iter().any(|old| Arc::ptr_eq(old, scene));
        let started = current.scenes.iter().filter(is_old).map(|scene| scene.name().to_string()).collect();
        let gone = before.scenes.iter().filter(|old| !current.scenes.iter().any(|new| Arc::ptr_eq(old, new)));
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).extend(gone.cloned());
        self.current.store(Arc::new(current));
        Ok(started)
    }

    /// The scene that a model name means; `None`: the client names none.
    ///
    /// # Errors
    /// [`Refused`] with 404.
    pub fn find(&self, model: Option<&str>) -> Result<Arc<RunningScene>, Refused> {
        let current = self.current.load();
        let at = match model.filter(|model| !model.is_empty()) {
            None => Some(&0),
            Some(model) => current.models.get(model).or_else(|| current.models.get(ANY)),
        };
        let scene = at.and_then(|at| current.scenes.get(*at)).cloned();
        scene.ok_or_else(|| {
            let names: Vec<&str> = current.models.keys().map(String::as_str).collect();
            let model: String = model.unwrap_or_default().chars().take(64).collect();
            let what = format!("no model `{model}` here; there are: {}", names.join(", "));
            Refused::new(404, "unknown_model", what)
        })
    }

    /// The scenes that new sessions go to, each with a model name that means it.
    #[must_use]
    pub fn offered(&self) -> Vec<(String, Arc<RunningScene>)> {
        let current = self.current.load();
        let named = |at: usize| {
            let name = current.models.iter().find(|(name, place)| **place == at && *name != ANY);
            name.map_or_else(|| current.scenes[at].name().to_string(), |(name, _)| name.clone())
        };
        current.scenes.iter().enumerate().map(|(at, scene)| (named(at), Arc::clone(scene))).collect()
    }

    /// Every scene that runs, also those that no new session goes to.
    #[must_use]
    pub fn running(&self) -> Vec<Arc<RunningScene>> {
        let mut all = self.current.load().scenes.clone();
        all.extend(self.retired.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        all
    }

    /// Stops the retired scenes whose sessions are over.
    pub fn sweep(&self) {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).retain(|scene| scene.sessions() > 0);
    }
}

/// Compiles the scenes; those of `before` that are the same go on.
fn build(config: &Config, workers: &Workers, before: &[Arc<RunningScene>]) -> Result<Current, String> {
    let mut scenes: Vec<Arc<RunningScene>> = Vec::new();
    let mut models = BTreeMap::new();
    let place = |name: &str, scenes: &mut Vec<Arc<RunningScene>>| -> Result<usize, String> {
        if let Some(at) = scenes.iter().position(|scene| scene.asked_as() == name) {
            return Ok(at);
        }
        scenes.push(RunningScene::start(name, config, workers, before)?);
        Ok(scenes.len() - 1)
    };
    for name in &config.scenes {
        let at = place(name, &mut scenes)?;
        models.entry(scenes[at].name().to_string()).or_insert(at);
    }
    for (model, name) in &config.models {
        models.insert(model.clone(), place(name, &mut scenes)?);
    }
    if scenes.is_empty() {
        return Err("no scene to serve: name one, or several, like `mynah serve assistant`".into());
    }
    if config.models.is_empty() {
        // Clients send names such as `gpt-realtime`, which nobody should have to know.
        models.insert(ANY.into(), 0);
    }
    Ok(Current { scenes, models })
}
