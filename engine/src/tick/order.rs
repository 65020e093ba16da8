//! Puts systems into the order of their stages.

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings};
use bevy_ecs::system::BoxedSystem;

use crate::node::cancel::cancels_now;
use crate::tick::control::hosts_want;
use crate::tick::stage::Stage;

/// A system and its place in the tick.
pub(crate) struct PlacedSystem {
    pub(crate) stage: Stage,
    /// Its name: the function, or the node's id and kind.
    pub(crate) name: String,
    pub(crate) system: BoxedSystem,
}

impl PlacedSystem {
    pub(crate) fn new(stage: Stage, name: impl Into<String>, system: BoxedSystem) -> Self {
        Self { stage, name: name.into(), system }
    }
}

pub(crate) fn boxed<M>(system: impl IntoSystem<(), (), M>) -> BoxedSystem {
    Box::new(IntoSystem::into_system(system))
}

/// The systems of one schedule, and its stages in order.
pub(crate) struct Ordered {
    pub(crate) stages: Vec<Stage>,
    pub(crate) systems: Vec<PlacedSystem>,
}

impl Ordered {
    /// `fixed` stages come first, whether they have a system or not; the others follow in the order of their systems.
    pub(crate) fn new(fixed: &[Stage], systems: Vec<PlacedSystem>) -> Self {
        let mut stages = fixed.to_vec();
        for placed in &systems {
            if !stages.contains(&placed.stage) {
                stages.push(placed.stage);
            }
        }
        Self { stages, systems }
    }

    /// Adds the systems to `schedule`, each stage after the one before it. For tests, the stage at `without` waits
    /// for none.
    pub(crate) fn install(self, schedule: &mut Schedule, without: Option<usize>) {
        for (at, stages) in self.stages.windows(2).enumerate() {
            if without != Some(at + 1) {
                schedule.configure_sets(stages[1].after(stages[0]));
            }
        }
        for PlacedSystem { stage, system, .. } in self.systems {
            let system = system.in_set(stage);
            match stage {
                Stage::Cancel(_) => schedule.add_systems(system.run_if(cancels_now)),
                Stage::Control => schedule.add_systems(system.run_if(hosts_want)),
                _ => schedule.add_systems(system),
            };
        }
    }

    /// Whether two systems that touch the same data could run in either order if the stage at `without` waited for
    /// none.
    pub(crate) fn leaves_open(self, world: &mut World, without: Option<usize>) -> bool {
        let mut schedule = Schedule::default();
        schedule.set_build_settings(ScheduleBuildSettings {
            ambiguity_detection: LogLevel::Error,
            ..ScheduleBuildSettings::default()
        });
        self.install(&mut schedule, without);
        schedule.initialize(world).is_err()
    }
}
