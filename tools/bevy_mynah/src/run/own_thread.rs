//! Engines on threads of their own.

use std::sync::{Arc, Mutex};

use mynah_engine::{EngineHandle, ScenePlan};
use mynah_host::{Runner, RunnerOptions};

use super::engines::{Place, VoiceEngines};

/// Starts the thread of a scene, which shares the work of its ticks with those of the others.
///
/// # Errors
/// What the system refuses, and the remedy.
pub(crate) fn start(engines: &VoiceEngines, plan: Arc<ScenePlan>) -> Result<(EngineHandle, Place), String> {
    let options = RunnerOptions { workers: engines.workers.clone(), ..RunnerOptions::default() };
    let runner = Runner::spawn(plan, engines.settings.engine(), options);
    let runner = runner.map_err(|refused| refused.to_string())?;
    Ok((runner.handle().clone(), Place::Thread(Mutex::new(runner))))
}
