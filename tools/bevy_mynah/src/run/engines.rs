//! The engines that run, one for each scene.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use bevy_asset::{AssetId, Assets};
use bevy_ecs::resource::Resource;
use bevy_time::{Real, Time};
use mynah_engine::{Engine, EngineHandle, Pacing, Workers};
use mynah_host::Runner;

use crate::scene::VoiceScene;
use crate::settings::{Run, VoiceSettings};

/// Engine time: `Time<Real>` since the app's first frame, microseconds.
pub(crate) fn now_us(time: &Time<Real>) -> u64 {
    time.elapsed().as_micros() as u64
}

/// Where an engine ticks.
pub(crate) enum Place {
    /// Behind a lock because a runner is not `Sync`: it could be asked for its records. With the time that its ticks took
    /// since somebody looked, microseconds.
    Thread {
        runner: Mutex<Runner>,
        ticked_us: Arc<AtomicU64>,
    },
    Frame(Box<Engine>),
    /// In the game's world, which holds it.
    World,
}

/// The engine of a scene as it was at some time.
pub(crate) struct SceneEngine {
    pub(crate) id: AssetId<VoiceScene>,
    pub(crate) scene: VoiceScene,
    pub(crate) handle: EngineHandle,
    pub(crate) place: Place,
    /// The sessions hold one each.
    pub(crate) in_use: Arc<()>,
}

impl SceneEngine {
    pub(crate) fn new(
        id: AssetId<VoiceScene>,
        scene: VoiceScene,
        (handle, place): (EngineHandle, Place),
    ) -> Self {
        Self { id, scene, handle, place, in_use: Arc::default() }
    }

    /// Whether its tick has panicked: its sessions have ended, and it opens no more.
    fn is_broken(&self) -> bool {
        let Place::Thread { runner, .. } = &self.place else { return false };
        !runner.lock().unwrap_or_else(PoisonError::into_inner).is_running()
    }

    fn has_sessions(&self) -> bool {
        Arc::strong_count(&self.in_use) > 1
    }
}

/// The engines of all scenes that voices use. A scene that has changed has two for a while: the old one until its last
/// session is over.
#[derive(Resource)]
pub struct VoiceEngines {
    pub(crate) settings: VoiceSettings,
    pub(crate) workers: Option<Workers>,
    pub(crate) list: Vec<SceneEngine>,
    /// Time between two frames, ms.
    pub(crate) frame_ms: u32,
}

/// Time between two frames before any was measured, ms.
const FRAME_MS: u32 = 33;
/// A frame that takes longer is a hitch, and no measure of the others, ms.
const HITCH_MS: u32 = 100;

impl VoiceEngines {
    /// No engines yet. `workers`: threads that they share.
    pub(crate) fn new(settings: VoiceSettings, workers: Option<Workers>) -> Self {
        Self { settings, workers, list: Vec::new(), frame_ms: FRAME_MS }
    }

    /// Where the engines tick.
    pub fn run(&self) -> Run {
        self.settings.run
    }

    /// How many engines there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether no voice was opened yet.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The engine in the frame of a scene, for inspection. `None`: the scene has none, or it ticks elsewhere.
    pub fn engine(&self, scene: AssetId<VoiceScene>) -> Option<&Engine> {
        let of_scene = self.list.iter().rfind(|engine| engine.id == scene)?;
        if let Place::Frame(engine) = &of_scene.place { Some(engine) } else { None }
    }

    /// How the threads have kept their time: ticks and skipped periods of all together, and the greatest lateness.
    pub fn pacing(&self) -> Pacing {
        let mut all = Pacing::default();
        for engine in &self.list {
            if let Place::Thread { runner, .. } = &engine.place {
                let runner = runner.lock().unwrap_or_else(PoisonError::into_inner);
                let Pacing { ticks, skipped, late_max_us } = runner.pacing();
                all.ticks += ticks;
                all.skipped += skipped;
                all.late_max_us = all.late_max_us.max(late_max_us);
            }
        }
        all
    }

    /// Measures the time between frames, for the lead of what is opened.
    pub(crate) fn measure_frame(&mut self, time: &Time<Real>) {
        let ms = time.delta().as_micros().div_ceil(1_000) as u32;
        if (1..=HITCH_MS).contains(&ms) {
            self.frame_ms = ms;
        }
    }

    /// The engine of a scene, if there is one: its place in the list.
    pub(crate) fn of(&self, scene: &VoiceScene) -> Option<usize> {
        self.list.iter().position(|engine| engine.scene.is_same(scene) && !engine.is_broken())
    }

    /// Ends engines without sessions that are broken, or whose scene has changed or is gone.
    pub(crate) fn retire(&mut self, scenes: &Assets<VoiceScene>) {
        self.list.retain(|engine| {
            let current = scenes.get(engine.id).is_some_and(|scene| scene.is_same(&engine.scene));
            (current && !engine.is_broken()) || engine.has_sessions() || matches!(engine.place, Place::World)
        });
    }
}
