//! How an engine is made.

use crate::base::placement::Placement;
use crate::service::api::TimeMode;

/// More sessions than this do not all speak at once.
const CROWD: u32 = 16_384;

/// How an engine is made. The scene says the rest.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Worker threads for the shards; 1 = the calling thread alone. Never changes a result.
    pub threads: usize,
    /// Number of shards, which sessions then go to in turn: right where few sessions are much work; no more than
    /// `sessions_max` are made. `None`: one per 32 sessions up to four a thread, then one per 256, per 512 beyond 16,384
    /// sessions; 32 neighbours are together. Never changes a result.
    pub shards: Option<u32>,
    /// Most sessions open at once.
    pub sessions_max: u32,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Whose time services take.
    pub time: TimeMode,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { threads: 1, shards: None, sessions_max: 256, seed: 1, time: TimeMode::Virtual }
    }
}

impl EngineConfig {
    /// The number of shards this configuration means.
    pub fn shard_count(&self) -> u32 {
        let sessions = self.sessions_max;
        // A shard costs memory of its own, and time in every tick: it finds the detector's weights driven out of the cache.
        let large = if sessions > CROWD { 512 } else { 256 };
        let shared_out = sessions.div_ceil(Placement::RUN).min(4 * self.threads.clamp(1, 256) as u32);
        // Ids stay below the number of sessions: shards beyond it would be built, and stay empty.
        let given = self.shards.map(|shards| shards.min(sessions));
        given.unwrap_or_else(|| sessions.div_ceil(large).max(shared_out)).max(1)
    }

    pub(crate) fn placement(&self) -> Placement {
        Placement::new(self.shard_count(), if self.shards.is_some() { 1 } else { Placement::RUN })
    }
}
