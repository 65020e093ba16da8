//! The shards of an engine, and the systems that run their half ticks.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::base::ids::SessionId;
use crate::base::time::Now;
use crate::edge::open_sessions::OpenSessions;
use crate::tick::shard::Shard;

/// With fewer sessions in busy shards, handing work to other threads takes longer than the work, unless the nodes of
/// a scene are heavy: a host that knows this sets the number of shards.
const SHARED_MIN: u32 = 64;

/// The shards, the sessions that hosts open in them from any thread, and the threads that share the work where that
/// is worth it.
#[derive(Resource)]
pub(crate) struct Shards {
    pub(crate) list: Vec<Shard>,
    pub(crate) open: Arc<OpenSessions>,
    pub(crate) threads: Option<Arc<ThreadPool>>,
}

impl Shards {
    /// The shard that a session lives in.
    pub(crate) fn of(&self, session: SessionId) -> &Shard {
        &self.list[self.open.placement.shard(session)]
    }

    /// The shard that a session lives in.
    pub(crate) fn of_mut(&mut self, session: SessionId) -> &mut Shard {
        &mut self.list[self.open.placement.shard(session)]
    }

    /// The shards that take part in this tick.
    pub(crate) fn running(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.list.iter_mut().filter(|shard| shard.state.takes_part)
    }

    /// The worlds of the shards.
    pub(crate) fn worlds(&self) -> impl Iterator<Item = &World> + Clone {
        self.list.iter().map(|shard| &shard.world)
    }

    /// Sessions open, over all shards.
    pub(crate) fn sessions_open(&self) -> u32 {
        self.list.iter().map(|shard| shard.state.open).sum()
    }

    /// Does `work` with every shard, on several threads when there is enough work in the `busy` ones.
    fn each(&mut self, busy: impl Fn(&Shard) -> bool, work: impl Fn(&mut Shard) + Send + Sync) {
        let busy = self.list.iter().filter(|shard| busy(shard));
        let (count, sessions) =
            busy.fold((0, 0), |(count, sessions), shard| (count + 1, sessions + shard.state.open));
        let worth = sessions >= SHARED_MIN || self.open.placement.in_turn();
        let Self { list, threads, .. } = self;
        let Some(pool) = threads.as_ref().filter(|_| count > 1 && worth) else {
            return list.iter_mut().for_each(work);
        };
        let run = || list.par_iter_mut().with_max_len(1).for_each(work);
        if rayon::current_thread_index().is_some() { run() } else { pool.install(run) }
    }
}

/// Runs the first half of every shard that has anything to do: from [`Stage::Admit`](super::Stage::Admit) to the last node.
pub(crate) fn first_halves(now: Res<'_, Now>, mut shards: ResMut<'_, Shards>) {
    let now = *now;
    shards.each(Shard::is_awake, |shard| shard.first_half(now));
}

/// Runs the second half of these shards, and of those with an event in the hub:
/// [`Stage::Egress`](super::Stage::Egress) and [`Stage::Account`](super::Stage::Account).
pub(crate) fn second_halves(now: Res<'_, Now>, mut shards: ResMut<'_, Shards>) {
    let now = *now;
    shards.each(|shard| shard.state.takes_part, |shard| shard.second_half(now));
}
