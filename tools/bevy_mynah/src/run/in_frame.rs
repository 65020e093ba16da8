//! Engines that tick in the frame.

use std::sync::Arc;

use bevy_ecs::system::{Res, ResMut};
use bevy_time::{Real, Time};
use mynah_engine::{Engine, EngineHandle, ScenePlan};

use super::engines::{Place, VoiceEngines, now_us};
use crate::cost::VoiceCost;

/// Builds the engine of a scene.
///
/// # Errors
/// What the system refuses, and the remedy.
pub(crate) fn build(engines: &VoiceEngines, plan: Arc<ScenePlan>) -> Result<(EngineHandle, Place), String> {
    let config = engines.settings.engine();
    let engine = match &engines.workers {
        Some(workers) => Engine::on_workers(plan, config, workers),
        None => Engine::try_new(plan, config).map_err(|refused| refused.to_string())?,
    };
    Ok((engine.handle(), Place::Frame(Box::new(engine))))
}

/// Ticks all engines, one after the other.
pub(crate) fn tick(
    mut engines: ResMut<'_, VoiceEngines>,
    time: Res<'_, Time<Real>>,
    cost: Res<'_, VoiceCost>,
) {
    cost.measure_tick(|| {
        for scene in &mut engines.list {
            if let Place::Frame(engine) = &mut scene.place {
                engine.tick(now_us(&time));
            }
        }
    });
}
