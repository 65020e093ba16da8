//! Runs with all invariant checkers at work: whole simulations, and a crowd that comes and goes.
#![allow(dead_code, reason = "every test uses its own part of it")]

pub(crate) mod crowd;

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::ScenePlan;
use mynah_engine::base::Mutation;
use mynah_engine::scene::Override;
use mynah_proof::invariants::{Digests, Invariants};
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Options, Simulation};

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) scene: &'a str,
    pub(crate) sets: &'a [&'a str],
    pub(crate) sessions: u32,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) shards: Option<u32>,
    pub(crate) mutation: Option<Mutation>,
}

impl<'a> Case<'a> {
    pub(crate) fn of(scene: &'a str, sets: &'a [&'a str], sessions: u32, seconds: u64) -> Self {
        Self { scene, sets, sessions, seconds, seed: 1, threads: 1, shards: None, mutation: None }
    }

    /// The line that shows it by hand.
    pub(crate) fn command(&self) -> String {
        let Self { scene, sets, sessions, seconds, seed, .. } = self;
        let sets: String = sets.iter().map(|set| format!(" --set {set}")).collect();
        format!(
            "mynah simulate {scene} --sessions {sessions} --duration {seconds}s --seed {seed}{sets} --check"
        )
    }
}

/// What the checkers say of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) words: Vec<String>,
    pub(crate) digests: Digests,
    pub(crate) ticks: u64,
}

impl Verdict {
    pub(crate) fn of(invariants: &Invariants) -> Self {
        Self {
            counts: invariants.counts().clone(),
            words: invariants.violations().iter().map(ToString::to_string).collect(),
            digests: invariants.digests().clone(),
            ticks: invariants.ticks(),
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.counts.is_empty()
    }
}

pub(crate) fn compile(scene: &str, sets: &[&str]) -> (Arc<ScenePlan>, Arc<CallerScript>) {
    let script = Arc::new(CallerScript::default());
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let compiled = scenes::compile(scene, &sets, None, Some(script.clone()));
    (compiled.unwrap_or_else(|failure| panic!("{scene}: {failure}")).0, script)
}

/// Simulates a case with all checkers.
pub(crate) fn simulate(case: &Case<'_>) -> Verdict {
    let (plan, script) = compile(case.scene, case.sets);
    let options = Options {
        threads: case.threads,
        shards: case.shards,
        ..Options::in_virtual_time(case.sessions, case.seconds * 1_000_000, case.seed)
    };
    let mut invariants = Invariants::new(&plan);
    let simulation = Simulation::new(plan, &script, options, &mut Quiet).expect("the scenes fit");
    if let Some(far) = simulation.far_plan() {
        invariants = invariants.with_far(far);
    }
    let mut simulation = broken(simulation, case.mutation);
    simulation.keep_metrics();
    drop(simulation.run(&mut invariants));
    Verdict::of(&invariants)
}

#[cfg(feature = "mutations")]
fn broken(mut simulation: Simulation, mutation: Option<Mutation>) -> Simulation {
    if let Some(mutation) = mutation {
        simulation.mutate(mutation);
    }
    simulation
}

#[cfg(not(feature = "mutations"))]
fn broken(simulation: Simulation, mutation: Option<Mutation>) -> Simulation {
    assert_eq!(mutation, None, "nothing can be broken without the feature `mutations`");
    simulation
}

/// Looks at nothing.
struct Quiet;

impl mynah_sim::simulate::Observer for Quiet {}
