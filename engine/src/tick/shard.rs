//! A shard as the tick sees it: a world with the two schedules of its half ticks.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{ScheduleLabel, SingleThreadedExecutor};

use crate::base::time::Now;
use crate::base::unwind::caught;
use crate::edge::shard_inbox::ShardPort;
use crate::session::index::SessionIndex;
use crate::tick::failures::{end_unaccounted, fail_all};
use crate::tick::idle::Idle;
use crate::tick::install::{ShardSpec, idle_checks, install};

/// Schedule of the first half of a tick: sessions, messages, arrivals, turn taking, the scene's nodes, in the order of
/// [`Stage`](crate::tick::Stage).
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FirstHalf;

/// Schedule of the second half of a tick: what leaves, and the account.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecondHalf;

/// What the engine keeps of a shard beside its world.
pub(crate) struct ShardState {
    port: Arc<ShardPort>,
    pub(crate) idle: Idle,
    /// Whether the shard takes part in this tick.
    pub(crate) takes_part: bool,
    /// Engine time of the last tick that it took part in.
    last_us: u64,
    /// Sessions open here.
    pub(crate) open: u32,
}

impl ShardState {
    /// The state of a world into which `spec` was installed.
    pub(crate) fn new(spec: &ShardSpec<'_>, world: &mut World) -> Self {
        let idle = Idle::new(idle_checks(spec, world), world);
        Self { port: Arc::clone(&spec.open.ports[spec.shard]), idle, takes_part: false, last_us: 0, open: 0 }
    }
}

/// The schedules of a shard's half ticks.
enum Halves {
    /// Schedules of a world that an engine made for itself.
    Own(Box<[Schedule; 2]>),
    /// [`FirstHalf`] and [`SecondHalf`] in a foreign world, whose owner may have added systems to them.
    Labelled,
}

/// A world with sessions, and what the engine keeps beside it.
pub(crate) struct Shard {
    /// The shard's world. A foreign world is here only while the engine ticks; otherwise an empty one is in its
    /// place.
    pub(crate) world: World,
    halves: Halves,
    pub(crate) state: ShardState,
}

impl Shard {
    /// A shard with a world of its own.
    pub(crate) fn new(spec: &ShardSpec<'_>) -> Self {
        let mut world = World::new();
        let mut halves = [Schedule::default(), Schedule::default()];
        let [first, second] = &mut halves;
        install(spec, &mut world, first, second);
        let halves = halves.map(|half| built(half, &mut world));
        let state = ShardState::new(spec, &mut world);
        Self { world, halves: Halves::Own(Box::new(halves)), state }
    }

    /// A shard for a foreign world, into which everything is installed.
    pub(crate) fn foreign(spec: &ShardSpec<'_>, world: &mut World) -> Self {
        let mut first = single_threaded(Schedule::new(FirstHalf));
        let mut second = single_threaded(Schedule::new(SecondHalf));
        install(spec, world, &mut first, &mut second);
        let state = ShardState::new(spec, world);
        world.add_schedule(first);
        world.add_schedule(second);
        Self { world: World::new(), halves: Halves::Labelled, state }
    }

    /// Whether there is anything to do in this tick.
    pub(crate) fn is_awake(&self) -> bool {
        !self.state.idle.asleep || self.state.port.is_stirred()
    }

    /// It takes part in the tick at `now`.
    pub(crate) fn begin(&mut self, now: Now) {
        (self.state.takes_part, self.state.last_us) = (true, now.us);
        *self.world.resource_mut::<Now>() = now;
    }

    pub(crate) fn first_half(&mut self, now: Now) {
        let awake = self.is_awake();
        let state = &mut self.state;
        state.takes_part = state.idle.takes_part(awake, state.last_us, now.us);
        if !state.takes_part {
            return;
        }
        state.port.settle();
        self.begin(now);
        let Self { world, halves, .. } = self;
        match halves {
            Halves::Own(halves) => run_to_end(&mut halves[0], world),
            Halves::Labelled => world.schedule_scope(FirstHalf, |world, half| run_to_end(half, world)),
        };
    }

    pub(crate) fn second_half(&mut self, now: Now) {
        let Self { world, halves, state } = self;
        if !state.takes_part {
            return;
        }
        let mut panicked = match halves {
            Halves::Own(halves) => {
                let panicked = run_to_end(&mut halves[1], world);
                world.clear_trackers();
                panicked
            }
            // The owner of the world clears its change trackers.
            Halves::Labelled => world.schedule_scope(SecondHalf, |world, half| run_to_end(half, world)),
        };
        state.open = world.resource::<SessionIndex>().open();
        if let Err(said) = caught(|| state.idle.end_tick(world, &state.port, now)) {
            fail_all(world, &said);
            panicked = true;
        }
        if panicked {
            end_unaccounted(world);
            state.idle.asleep = false;
        }
    }
}

/// Runs a half tick to its end; true if a system panicked. That ends all sessions of the shard, as nobody knows what the
/// system was changing; the systems behind it run all the same, as the executor remembers which have run.
fn run_to_end(half: &mut Schedule, world: &mut World) -> bool {
    for panics in 0..=half.systems_len() {
        let Err(said) = caught(|| half.run(world)) else { return panics > 0 };
        fail_all(world, &said);
    }
    // No system has panicked, then: the executor has.
    half.set_executor(SingleThreadedExecutor::new());
    true
}

/// A schedule on one thread. Explicit, as feature unification inside a Bevy app would give us the multi-threaded
/// executor.
fn single_threaded(mut schedule: Schedule) -> Schedule {
    schedule.set_executor(SingleThreadedExecutor::new());
    schedule
}

/// A schedule on one thread for a world to which nobody adds systems. If no system defers commands, none are applied
/// at the end.
pub(crate) fn built(schedule: Schedule, world: &mut World) -> Schedule {
    let mut schedule = single_threaded(schedule);
    schedule.initialize(world).expect("its stages stand in one order");
    let defers = schedule.systems().is_ok_and(|mut systems| systems.any(|(_, system)| system.has_deferred()));
    schedule.set_apply_final_deferred(defers);
    schedule
}
