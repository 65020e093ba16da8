//! The systems of a tick as a list: the stage of each, what it reads and what it writes.
//!
//! The schedules are built from the same list, and what a system touches is what it declares to the ECS.

use std::sync::Arc;

use bevy_ecs::component::ComponentId;
use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemAccess;

use crate::base::placement::Placement;
use crate::edge::open_sessions::OpenSessions;
use crate::node::plan::ScenePlan;
use crate::tick::install::{ShardSpec, halves, insert_resources};
use crate::tick::names::name;
use crate::tick::order::{Ordered, PlacedSystem};
use crate::tick::run::engine_systems;
use crate::tick::stage::Stage;

/// One system of a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemView {
    /// The stage in which it runs.
    pub stage: Stage,
    /// The function, or a node's id and kind.
    pub name: String,
    /// Components and resources that it reads and does not write, in alphabetical order.
    pub reads: Vec<&'static str>,
    /// Components and resources that it writes, in alphabetical order. A node's own state is `State`.
    pub writes: Vec<&'static str>,
    /// Whether it has the world to itself: it makes and removes entities, and declares nothing.
    pub is_exclusive: bool,
}

/// The systems of a scene's tick in the order in which they run: those of the engine's own world, and, after the
/// system that runs them, those of a shard.
pub fn systems(plan: &Arc<ScenePlan>) -> Vec<SystemView> {
    let (mut engine, mut shard) = (World::new(), World::new());
    let (mut first, mut second) = shard_halves(plan, &mut shard);
    let mut views = Vec::new();
    for placed in engine_systems() {
        let half = match placed.stage {
            Stage::FirstHalf => &mut first.systems,
            Stage::SecondHalf => &mut second.systems,
            _ => &mut Vec::new(),
        };
        views.push(view(placed, &mut engine));
        views.extend(half.drain(..).map(|placed| view(placed, &mut shard)));
    }
    views
}

/// The halves of a shard of a scene, whose resources are in `world`.
fn shard_halves(plan: &Arc<ScenePlan>, world: &mut World) -> (Ordered, Ordered) {
    let open = OpenSessions::new(Placement::new(1, 1), 1);
    let wants_audio = vec![false; plan.services.len()];
    let spec = ShardSpec { plan, open: &open, shard: 0, seed: 0, wants_audio: &wants_audio };
    insert_resources(&spec, world);
    halves(&spec, world)
}

fn view(mut placed: PlacedSystem, world: &mut World) -> SystemView {
    let access = placed.system.initialize(world);
    let (reads, writes) = touched(&access, world);
    let is_exclusive = access.is_exclusive();
    SystemView { stage: placed.stage, name: placed.name, reads, writes, is_exclusive }
}

/// One of the schedules of a tick.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The schedule of the engine's own world.
    Engine,
    /// The first half of a shard.
    First,
    /// The second half of a shard.
    Second,
}

/// The stages of one schedule of a scene's tick, in order.
#[doc(hidden)]
pub fn stages(plan: &Arc<ScenePlan>, part: Part) -> Vec<Stage> {
    ordered(plan, part, &mut World::new()).stages
}

/// Whether two systems of that schedule touch the same data and may run in either order, if the stage at `without`
/// does not wait for the one before it.
#[doc(hidden)]
pub fn leaves_open(plan: &Arc<ScenePlan>, part: Part, without: Option<usize>) -> bool {
    let mut world = World::new();
    ordered(plan, part, &mut world).leaves_open(&mut world, without)
}

fn ordered(plan: &Arc<ScenePlan>, part: Part, world: &mut World) -> Ordered {
    match part {
        Part::Engine => Ordered::new(&[], engine_systems()),
        Part::First => shard_halves(plan, world).0,
        Part::Second => shard_halves(plan, world).1,
    }
}

/// The names of what a system only reads, and of what it writes.
fn touched(access: &SystemAccess, world: &World) -> (Vec<&'static str>, Vec<&'static str>) {
    let SystemAccess::Shared(access) = access else { return (Vec::new(), Vec::new()) };
    let access = access.combined_access();
    let (all, written) = (access.reads().as_finite_set(), access.writes().as_finite_set());
    let (Some(all), Some(written)) = (all, written) else { return (Vec::new(), Vec::new()) };
    let named = |ids: Vec<ComponentId>| {
        let mut names: Vec<&'static str> = ids.into_iter().map(|id| name(id, world)).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let reads = named(all.iter().filter(|id| !written.contains(*id)).collect());
    (reads, named(written.iter().collect()))
}
