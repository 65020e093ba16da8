//! Engines on threads of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bevy_ecs::system::Res;
use mynah_engine::{EngineHandle, ScenePlan};
use mynah_host::clock::Epoch;
use mynah_host::{AfterTick, Runner, RunnerOptions};

use super::engines::{Place, VoiceEngines};
use crate::cost::VoiceCost;

/// Starts the thread of a scene, which shares the work of its ticks with those of the others.
///
/// # Errors
/// What the system refuses, and the remedy.
pub(crate) fn start(engines: &VoiceEngines, plan: Arc<ScenePlan>) -> Result<(EngineHandle, Place), String> {
    let epoch = Epoch::start();
    let (ticked_us, ahead_us) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
    let (took, ahead) = (Arc::clone(&ticked_us), Arc::clone(&ahead_us));
    let after_tick = move |began_us: u64| {
        // How far this clock is ahead of the runner's; unknown before it has started.
        let ahead_us = ahead.load(Ordering::Relaxed);
        if ahead_us != u64::MAX {
            let us = epoch.now_us().saturating_sub(ahead_us).saturating_sub(began_us);
            took.fetch_add(us, Ordering::Relaxed);
        }
    };
    let options = RunnerOptions {
        workers: engines.workers.clone(),
        after_tick: Some(AfterTick::new(after_tick)),
        ..RunnerOptions::default()
    };
    let runner = Runner::spawn(plan, engines.settings.engine(), options);
    let runner = runner.map_err(|refused| refused.to_string())?;
    ahead_us.store(epoch.now_us().saturating_sub(runner.now_us()), Ordering::Relaxed);
    Ok((runner.handle().clone(), Place::Thread { runner: Mutex::new(runner), ticked_us }))
}

/// Measures what the ticks took since the last frame.
pub(crate) fn measure(engines: Res<'_, VoiceEngines>, cost: Res<'_, VoiceCost>) {
    for engine in &engines.list {
        if let Place::Thread { ticked_us, .. } = &engine.place {
            cost.note_ticks(ticked_us.swap(0, Ordering::Relaxed));
        }
    }
}
