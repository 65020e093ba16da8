//! What the plugin is told once, at startup.

use bevy_ecs::resource::Resource;
use mynah_engine::EngineConfig;
use mynah_engine::service::TimeMode;

/// How the voices of the game run. Read when the app starts: later changes have no effect.
#[derive(Resource, Clone, Copy, Debug)]
pub struct VoiceSettings {
    /// Where engines tick.
    pub run: Run,
    /// Most voices of one scene that are open at once.
    pub sessions_max: u32,
    /// How far ahead of the ear answers leave.
    pub lead: Lead,
    /// Threads that share the work of ticks, those of all scenes together; 1 = the thread that ticks does it alone.
    pub threads: usize,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The time that services run in. [`TimeMode::Virtual`] is for tests: a tick then waits for real work, such as
    /// speech synthesis, and takes as long as the scene's model says.
    pub time: TimeMode,
}

impl Default for VoiceSettings {
    /// An own thread, 64 voices a scene, the lead by itself, no further threads, real time.
    fn default() -> Self {
        Self {
            run: Run::OwnThread,
            sessions_max: 64,
            lead: Lead::Auto,
            threads: 1,
            seed: 1,
            time: TimeMode::Wall,
        }
    }
}

impl VoiceSettings {
    /// The engine's part of the settings.
    pub(crate) fn engine(&self) -> EngineConfig {
        let Self { sessions_max, threads, seed, time, .. } = *self;
        EngineConfig { sessions_max, threads, seed, time, ..EngineConfig::simulated() }
    }
}

/// Where the engines of the scenes tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Run {
    /// Each scene on a thread of its own, by the scene's driver and the wall clock. Frames that hang are not heard.
    #[default]
    OwnThread,
    /// In [`VoiceSystems::Tick`](crate::VoiceSystems::Tick), once a frame, beside other systems. The time is
    /// `Time<Real>`: the wall clock, or what `TimeUpdateStrategy` makes of it in tests. A frame that hangs is a hole in
    /// an answer when it is longer than the lead.
    InFrame,
    /// As [`InFrame`](Self::InFrame), with the engine's systems and entities in the game's own world: sessions,
    /// segments and queues can be queried. It costs an exclusive system and some ten entities a voice, and a world holds
    /// one scene.
    Embedded,
}

/// How far ahead of the ear answers leave. More rides out late ticks, less lets an interruption be heard sooner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lead {
    /// On an own thread 20 ms; in the frame two frames and the device's buffer. Never less than two of its buffers.
    #[default]
    Auto,
    /// So many ms, 0 to 10,000.
    Ms(u32),
}

/// Lead on an own thread, ms.
const OWN_THREAD_MS: u32 = 20;

impl Lead {
    /// The lead of a session, ms. `frame_ms`: time between two frames; `buffer_ms`: what the device reads at once.
    pub(crate) fn ms(self, run: Run, frame_ms: u32, buffer_ms: u32) -> u32 {
        match (self, run) {
            (Self::Ms(ms), _) => ms,
            (Self::Auto, Run::OwnThread) => OWN_THREAD_MS.max(2 * buffer_ms),
            (Self::Auto, Run::InFrame | Run::Embedded) => 2 * frame_ms.max(buffer_ms) + buffer_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lead_follows_the_slower_of_frame_and_device() {
        let leads = [
            (Lead::Auto, Run::OwnThread, 33, 10, 20),
            (Lead::Auto, Run::OwnThread, 33, 40, 80),
            (Lead::Auto, Run::InFrame, 33, 10, 76),
            (Lead::Auto, Run::Embedded, 4, 10, 30),
            (Lead::Ms(5), Run::InFrame, 33, 10, 5),
        ];
        for (lead, run, frame_ms, buffer_ms, want) in leads {
            assert_eq!(lead.ms(run, frame_ms, buffer_ms), want, "{lead:?} {run:?}");
        }
    }
}
