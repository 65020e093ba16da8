//! `simulate --faults`: runs scenes under faults that are drawn from a seed.
//!
//! What can go wrong is a table of sites (`site`). For a run each is on or not, with a strength that is drawn (`spec` says
//! from what, `plan` is what was drawn). First all strike, then none any more, then the input ends, and within a stated
//! number of ticks (`drain`) nothing may be left. Files by concern: `sender` and `network` are a caller's audio until it
//! reaches the engine's `edge`, `host` and `controls` are who listens and answers back, `wishes` are what they want,
//! `ends` how they have their session (`split` with its `events`: by its ends), `place` is who comes and goes and `call`
//! what they come for, `services`, `capacity` and `numbers` change the scene itself, `doorway` is the middle of a tick,
//! `behind` is the engine behind a link, `run` is the loop.

mod behind;
mod call;
mod capacity;
mod controls;
mod doorway;
mod drain;
mod edge;
mod ends;
mod events;
mod fingerprint;
mod host;
mod network;
mod numbers;
mod place;
pub mod plan;
mod pushed;
pub mod report;
mod run;
mod sender;
mod services;
pub mod site;
pub mod spec;
mod split;
mod totals;
mod wishes;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use mynah_engine::ScenePlan;
use mynah_engine::scene::{Override, Source};

use self::plan::FaultPlan;
use self::report::ChaosReport;
use self::run::{Engines, Setting};
use self::spec::FaultSpec;
use super::invariants::Invariants;
use mynah_files::failure::Failure;
use mynah_load::load::Stream;
use mynah_load::load::bank::{Bank, BankConfig};
use mynah_load::load::caller::Caller;
use mynah_load::load::schedule::{BaitPlace, CallerConfig};
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::remote::far_plan;
use mynah_sim::simulate::{Observer, Observers};
use mynah_sim::transport::LinkedScene;

/// Utterances come closer together than in a load test: more happens.
const GAP_US: std::ops::Range<u64> = 700_000..3_000_000;

/// Utterances that callers choose from.
const CLIPS: usize = 96;

/// Numbers at the end of their range may make a run drain for as long as this.
const DRAIN_US_MAX: u64 = 600_000_000;

/// What to run.
#[derive(Clone, Debug)]
pub struct ChaosOptions {
    /// A scene file, or a name.
    pub scene: String,
    /// Overrides of it.
    pub sets: Vec<Override>,
    /// Callers at once.
    pub sessions: u32,
    /// The scene's own text and that of the one behind its link, where they come from a log; `None`: found by name.
    pub texts: Option<(Source, Option<Source>)>,
    /// How long they talk, microseconds.
    pub duration_us: u64,
    /// Worker threads.
    pub threads: usize,
    /// Shards.
    pub shards: Option<u32>,
    /// The faults that may be drawn.
    pub spec: FaultSpec,
}

/// Runs one scene with many seeds. What they have in common (the callers' speech) is made once.
#[derive(Debug)]
pub struct Chaos {
    options: ChaosOptions,
    banks: BTreeMap<u32, Arc<Bank>>,
}

/// A run that is ready to begin.
pub struct Prepared {
    setting: Setting,
    engines: Engines,
    faults: String,
    set: Vec<String>,
    replay: String,
}

impl Chaos {
    /// Prepares nothing yet.
    pub fn new(options: ChaosOptions) -> Self {
        Self { options, banks: BTreeMap::new() }
    }

    /// From now on with other faults.
    pub fn change(&mut self, spec: FaultSpec) {
        self.options.spec = spec;
    }

    /// Draws the faults of `seed` and compiles the scene with them.
    ///
    /// # Errors
    /// The scene has errors, the callers' speech cannot be made, or there are no threads to be had.
    pub fn prepare(&mut self, seed: u64) -> Result<Prepared, Failure> {
        let ChaosOptions { sessions, duration_us, threads, shards, .. } = self.options;
        let faults = FaultPlan::draw(&self.options.spec, seed, duration_us);
        let sets = &self.options.sets;
        let (plain, _) = self.compile(sets, None)?;
        let numbers = self.numbers(&plain, &faults);
        let own = [&sets[..], &numbers].concat();
        let plain = if numbers.is_empty() { plain } else { self.compile(&own, None)?.0 };
        let with = |more: &[Override]| [&own[..], more].concat();
        let small = capacity::overrides(&plain, &faults, |more| self.compile(&with(more), None).is_ok());
        let script = Arc::new(CallerScript::default());
        let all = with(&small);
        let (mut plan, _) = self.compile(&all, Some(script.clone()))?;
        let streams = self.streams(seed, plan.input.rate_hz)?;
        script.fill(streams.to_vec());
        let own = Arc::get_mut(&mut plan).expect("nobody has seen the plan yet");
        let mut watch = services::Watch::default();
        services::install(own, &faults, &mut watch);
        let linked = self.options.texts.as_ref().and_then(|(_, linked)| linked.as_ref());
        let far = match LinkedScene::of(&plan) {
            Some(link) => {
                let mut far = far_plan(&link, linked, &plan, &script).map_err(Failure::unable)?;
                let own = Arc::get_mut(&mut far).expect("nobody has seen the plan yet");
                services::install(own, &faults, &mut watch);
                Some(far)
            }
            None => None,
        };
        let parts = drain::bound(&plan, far.as_deref(), &faults, sessions);
        let drain_ticks_max = drain::ticks(&parts, u64::from(plan.scene.tick.period_ms) * 1_000);
        let setting = Setting {
            capped: small.len() as u64,
            numbers: numbers.len() as u64,
            plan,
            far,
            faults,
            watch,
            streams,
            sessions,
            duration_us,
            drain_ticks_max,
            threads,
            shards,
        };
        Ok(Prepared {
            engines: Engines::start(&setting).map_err(Failure::unable)?,
            setting,
            faults: self.options.spec.name.clone(),
            set: all.iter().map(ToString::to_string).collect(),
            replay: self.replay(seed),
        })
    }

    /// Numbers of the scene that are at an end of what it allows, and with which a run still drains while one can wait.
    fn numbers(&self, plain: &ScenePlan, faults: &FaultPlan) -> Vec<Override> {
        // Whatever else is drawn: a number has the same end.
        let calm = FaultPlan::draw(&FaultSpec::none(), faults.seed, self.options.duration_us);
        let drains_us = |plan: &ScenePlan| {
            let parts = drain::bound(plan, None, &calm, self.options.sessions);
            parts.iter().map(|(_, us)| us).sum::<u64>()
        };
        let most_us = drains_us(plain).max(DRAIN_US_MAX);
        numbers::overrides(plain, faults, |more| {
            let all = [&self.options.sets[..], more].concat();
            self.compile(&all, None).is_ok_and(|(plan, _)| drains_us(&plan) <= most_us)
        })
    }

    fn compile(
        &self,
        sets: &[Override],
        script: Option<Arc<CallerScript>>,
    ) -> Result<scenes::Compiled, Failure> {
        let script = script.map(|script| script as _);
        match &self.options.texts {
            None => scenes::compile(&self.options.scene, sets, None, script),
            Some((scene, _)) => {
                scenes::compile_source(scene, sets, None, &scenes::registry_with_link(script))
            }
        }
    }

    /// The line that runs one seed again.
    pub fn replay(&self, seed: u64) -> String {
        let ChaosOptions { scene, sets, sessions, duration_us, spec, .. } = &self.options;
        let sets: String = sets.iter().map(|set| format!(" --set '{set}'")).collect();
        let duration_ms = duration_us / 1_000;
        format!(
            "mynah simulate {scene} --faults {} --seed {seed} --sessions {sessions} --duration {duration_ms}ms{sets}",
            spec.name
        )
    }

    /// What the callers say: one bank of speech for all seeds, so that a seed costs no more than its run.
    fn streams(&mut self, seed: u64, rate_hz: u32) -> Result<Arc<[Stream]>, Failure> {
        let bank = match self.banks.entry(rate_hz) {
            Entry::Occupied(bank) => bank.into_mut(),
            Entry::Vacant(place) => {
                let config = BankConfig { rate_hz, clips: CLIPS, ..BankConfig::default() };
                place.insert(Arc::new(Bank::build(config, &|_, _| {}).map_err(Failure::unable)?))
            }
        };
        let config = Arc::new(CallerConfig {
            seed,
            gap_us: GAP_US,
            baits_per_gap: 1.0,
            bait_place: BaitPlace::Anywhere,
            ..CallerConfig::default()
        });
        let caller =
            |index| Stream::Caller(Box::new(Caller::new(Arc::clone(bank), Arc::clone(&config), index)));
        Ok(place::streams(self.options.sessions, caller))
    }
}

impl Prepared {
    /// The scene with the faults in it.
    pub fn plan(&self) -> &Arc<ScenePlan> {
        &self.setting.plan
    }

    /// The scene behind its link.
    pub fn far_plan(&self) -> Option<&Arc<ScenePlan>> {
        self.setting.far.as_ref()
    }

    /// What was drawn.
    pub fn faults(&self) -> &FaultPlan {
        &self.setting.faults
    }

    /// Breaks the engines from the first tick on.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: mynah_engine::base::Mutation) {
        self.engines.mutate(mutation);
    }

    /// Runs to the end; every invariant is looked at after every tick.
    pub fn run(self, observer: &mut dyn Observer) -> ChaosReport {
        let mut invariants = Invariants::new(&self.setting.plan);
        if let Some(far) = &self.setting.far {
            invariants = invariants.with_far(far);
        }
        let outcome = run::run(&self.setting, self.engines, &mut Observers(vec![observer, &mut invariants]));
        let mut report = ChaosReport::new(&self.setting, &self.faults, self.set, self.replay, outcome);
        report.blame(invariants.violations().iter().map(ToString::to_string));
        report
    }
}
