//! When a shard sleeps, and what memory it frees while little or nothing goes through it.

use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;

use crate::base::time::Now;
use crate::edge::shard_inbox::ShardPort;
use crate::media::block::BlockPool;
use crate::media::queue::Queue;
use crate::node::kind::IdleCheck;
use crate::record::edge_figures::EdgeFigures;
use crate::record::event::EventLog;
use crate::service::api::Outbox;
use crate::session::components::{HostLink, Intake, Wiring};
use crate::session::index::SessionIndex;
use crate::session::lines::Lines;
use crate::session::settling::Settling;
use crate::speech::cancellation::Cancellations;
use crate::speech::segment::SegmentPool;
use crate::tick::admit::{BLOCKS_HOME, at_once};
use crate::tick::resources::NeedsSweep;

/// Time without arrivals after which a session, and time without events after which a shard, frees the memory that it
/// does not need meanwhile.
const IDLE_US: u64 = 1_000_000;

/// Longest time between two checks whether a busy shard is idle, in ticks.
const CHECK_WAIT_MAX: u32 = 63;

/// Decides which ticks a shard takes part in, and trims its memory.
pub(crate) struct Idle {
    /// The checks of each node and of the output: whether all lanes are idle.
    checks: Vec<IdleCheck>,
    /// The next tick would change nothing without input: such ticks are skipped.
    pub(crate) asleep: bool,
    /// Blocks that had come from the edge at the last check.
    blocks_seen: u64,
    /// Ticks until the lanes are checked again.
    check_in: u32,
    /// Length of the last wait for a check; a check that finds work doubles it.
    check_wait: u32,
    /// The shard has been asleep for [`IDLE_US`] and keeps no spare memory.
    is_trimmed: bool,
    /// This tick is the last one before that.
    trims: bool,
    /// Engine time of the last search for sessions that pause.
    searched_us: u64,
    sessions: QueryState<(&'static Intake, &'static HostLink, &'static Wiring)>,
    /// The queues of these sessions; the storage is kept.
    paused: Vec<Entity>,
    /// Most sessions to which audio flowed at a search, since fewer than half as many were left.
    active_peak: usize,
}

impl Idle {
    pub(crate) fn new(checks: Vec<IdleCheck>, world: &mut World) -> Self {
        Self {
            checks,
            asleep: false,
            blocks_seen: 0,
            check_in: 0,
            check_wait: 0,
            is_trimmed: false,
            trims: false,
            searched_us: 0,
            sessions: world.query(),
            paused: Vec::new(),
            active_peak: 0,
        }
    }

    /// Whether the shard takes part in a tick at `now_us`, which brings something if `awake`. The last tick was at
    /// `last_us`.
    pub(crate) fn takes_part(&mut self, awake: bool, last_us: u64, now_us: u64) -> bool {
        self.is_trimmed &= !awake;
        // One more tick before the shard sleeps on, so that nodes see how long nothing has come.
        self.trims = !awake && !self.is_trimmed && now_us >= last_us + IDLE_US;
        awake || self.trims
    }

    /// Ends a tick that the shard took part in.
    pub(crate) fn end_tick(&mut self, world: &mut World, port: &ShardPort, now: Now) {
        self.asleep = self.is_idle(world, port);
        if self.trims && self.asleep {
            self.is_trimmed = true;
            self.trim_idle_memory(world, port, now.us, true);
        } else if now.us >= self.searched_us + IDLE_US {
            self.searched_us = now.us;
            self.trim_idle_memory(world, port, now.us, false);
        }
    }

    /// Frees the storage of queues and output rings of sessions that have been idle for 1 s. When fewer than half of
    /// the active peak are left, or the shard is asleep, this also frees the free blocks. A session that goes on pays
    /// with a few allocations, once.
    fn trim_idle_memory(&mut self, world: &mut World, port: &ShardPort, now_us: u64, asleep: bool) {
        let open = world.resource::<SessionIndex>().open() as usize;
        self.paused.clear();
        for (intake, link, wiring) in self.sessions.iter(world) {
            if now_us >= intake.arrived_us + IDLE_US {
                link.port.outputs.trim_idle_memory(asleep);
                self.paused.extend(&wiring.lanes);
            }
        }
        for lane in &self.paused {
            if let Some(mut queue) = world.get_mut::<Queue>(*lane) {
                queue.trim_idle_memory(asleep);
            }
        }
        let active = open - (self.paused.len() / self.checks.len()).min(open);
        if asleep || 2 * active < self.active_peak {
            let kept = if asleep { 0 } else { at_once(active) * BLOCKS_HOME };
            world.resource_mut::<BlockPool>().shrink(kept);
            port.shrink(4 * active);
            self.active_peak = active;
        }
        self.active_peak = self.active_peak.max(active);
        world.resource_mut::<SessionIndex>().active_peak = self.active_peak;
    }

    /// True if the next tick would change nothing without input. Cheap checks come first.
    fn is_idle(&mut self, world: &mut World, port: &ShardPort) -> bool {
        let blocks = world.resource::<EdgeFigures>().blocks;
        // Messages of a host that was just adding another one wait for the next tick.
        let busy = port.controls.load(Ordering::Acquire) > 0
            || world.resource::<SegmentPool>().active() > 0
            || !world.resource::<Lines>().is_empty()
            || !world.resource::<Outbox>().commits.is_empty()
            || world.resource::<Settling>().waits_for_time()
            || !world.resource::<SessionIndex>().ahead.is_empty()
            || !world.resource::<EventLog>().records.is_empty()
            || !world.resource::<Cancellations>().all().is_empty()
            || std::mem::replace(&mut self.blocks_seen, blocks) != blocks;
        if busy {
            return false;
        }
        if self.check_in > 0 {
            self.check_in -= 1;
            return false;
        }
        let is_idle = !world.resource::<NeedsSweep>().0 && self.lanes_are_idle(world);
        self.check_wait = if is_idle { 0 } else { (self.check_wait * 2 + 1).min(CHECK_WAIT_MAX) };
        self.check_in = self.check_wait;
        is_idle
    }

    fn lanes_are_idle(&mut self, world: &mut World) -> bool {
        self.checks.iter_mut().all(|check| check.run((), world).expect("its parameters are always there"))
    }
}
