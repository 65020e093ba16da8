//! The configuration of an engine.

use crate::base::placement::Placement;
use crate::service::api::TimeMode;

/// Number of sessions beyond which not all speak at once.
const CROWD: u32 = 16_384;

/// Most sessions of [`EngineConfig::real_time`]: about as many as one core carries with a neural detector.
const SERVED_MAX: u32 = 1_024;

/// The configuration of an engine: [in real time](Self::real_time) or [simulated](Self::simulated). The scene says
/// the rest.
///
/// A tick works on its shards in parallel when there are `threads` for that, when more than one shard has something to do,
/// and when sharing the work is worth it: the caller gave a number of `shards`, or the shards with something to do hold 64
/// sessions or more. Else the calling thread works on one shard after the other.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Worker threads for the shards; 1 = the calling thread alone. Ignored by
    /// [`Engine::on_workers`](crate::Engine::on_workers), which is given threads. Never changes a result.
    pub threads: usize,
    /// Number of shards, to which sessions then go in turn: right where few sessions are much work; at most
    /// `sessions_max` are made. `None`: one per 32 sessions up to four a thread, then one per 256, per 512 beyond
    /// 16,384 sessions; 32 neighbours share a shard. Never changes a result.
    pub shards: Option<u32>,
    /// Most sessions open at once.
    pub sessions_max: u32,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The time that services run in.
    pub time: TimeMode,
}

impl EngineConfig {
    /// A configuration for a host on the wall clock: real services take the time they take, every core of the machine
    /// may work, 1,024 sessions.
    pub fn real_time() -> Self {
        // Only the number of cores is asked for, never the time; no result depends on the answer.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, sessions_max: SERVED_MAX, time: TimeMode::Wall, ..Self::simulated() }
    }

    /// A configuration for virtual time: services take the time that the scene's model says, the calling thread does
    /// all the work, 256 sessions.
    pub fn simulated() -> Self {
        Self { threads: 1, shards: None, sessions_max: 256, seed: 1, time: TimeMode::Virtual }
    }

    /// The number of shards that this configuration results in.
    pub fn shard_count(&self) -> u32 {
        let sessions = self.sessions_max;
        // A shard costs memory of its own, and time in every tick: it finds the detector's weights driven out of the
        // cache.
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
