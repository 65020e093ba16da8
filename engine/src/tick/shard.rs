//! A shard as the tick sees it: a world with the two schedules of its half ticks.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::SingleThreadedExecutor;

use crate::base::time::Now;
use crate::edge::shard_inbox::ShardPort;
use crate::session::index::SessionIndex;
use crate::tick::idle::Idle;
use crate::tick::install::{ShardSpec, idle_checks, install};

/// What the engine keeps of a shard beside its world.
pub(crate) struct ShardState {
    port: Arc<ShardPort>,
    pub(crate) idle: Idle,
    /// It takes part in this tick.
    pub(crate) ran: bool,
    /// Sessions open here.
    pub(crate) open: u32,
}

impl ShardState {
    /// Of a world into which `spec` was installed.
    pub(crate) fn new(spec: &ShardSpec<'_>, world: &mut World) -> Self {
        let idle = Idle::new(idle_checks(spec, world), world);
        Self { port: Arc::clone(&spec.open.ports[spec.shard]), idle, ran: false, open: 0 }
    }
}

/// A shard as the tick sees it: a world with its two schedules, and what the engine keeps beside the world.
pub(crate) trait ShardWorld: Send + Sync {
    fn world(&self) -> &World;
    fn world_mut(&mut self) -> &mut World;
    fn state(&self) -> &ShardState;
    fn state_mut(&mut self) -> &mut ShardState;
    fn parts(&mut self) -> (&mut World, &mut ShardState);
    /// Runs the schedule of the first half.
    fn run_first(&mut self);
    /// Runs the schedule of the second half.
    fn run_second(&mut self);

    /// Whether there is anything to do in this tick.
    fn is_awake(&self) -> bool {
        !self.state().idle.asleep || self.state().port.is_stirred()
    }

    fn first_half(&mut self, now: Now) {
        let awake = self.is_awake();
        let (world, state) = self.parts();
        state.ran = state.idle.takes_part(awake, world.resource::<Now>().us, now.us);
        if state.ran {
            state.port.settle();
            *world.resource_mut::<Now>() = now;
            self.run_first();
        }
    }

    fn second_half(&mut self, now: Now) {
        if !self.state().ran {
            return;
        }
        *self.world_mut().resource_mut::<Now>() = now;
        self.run_second();
        let (world, state) = self.parts();
        state.open = world.resource::<SessionIndex>().open();
        state.idle.end_tick(world, &state.port, now);
    }
}

/// A shard of an engine: a world of its own.
pub(crate) struct Shard {
    world: World,
    first: Schedule,
    second: Schedule,
    state: ShardState,
}

impl Shard {
    pub(crate) fn new(spec: &ShardSpec<'_>) -> Self {
        let mut world = World::new();
        let [mut first, mut second] = [Schedule::default(), Schedule::default()].map(single_threaded);
        install(spec, &mut world, &mut first, &mut second);
        let state = ShardState::new(spec, &mut world);
        Self { world, first, second, state }
    }
}

impl ShardWorld for Shard {
    fn world(&self) -> &World {
        &self.world
    }
    fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }
    fn state(&self) -> &ShardState {
        &self.state
    }
    fn state_mut(&mut self) -> &mut ShardState {
        &mut self.state
    }
    fn parts(&mut self) -> (&mut World, &mut ShardState) {
        (&mut self.world, &mut self.state)
    }
    fn run_first(&mut self) {
        self.first.run(&mut self.world);
    }
    fn run_second(&mut self) {
        self.second.run(&mut self.world);
        self.world.clear_trackers();
    }
}

/// A schedule on one thread. Explicit: inside a Bevy app feature unification would hand us the multi-threaded executor.
pub(crate) fn single_threaded(mut schedule: Schedule) -> Schedule {
    schedule.set_executor(SingleThreadedExecutor::new());
    schedule
}
