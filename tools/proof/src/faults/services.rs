//! Puts the plan's faults into a scene's services.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mynah_engine::ScenePlan;
use mynah_engine::service::{Service, ServiceKind, ServiceSite};
use mynah_systems::service::{Modelled, ServiceFaults, ServiceStrikes};

use super::plan::{Dice, FaultPlan};
use super::site::{Site, Tally};
use crate::endings::Endings;

/// Outages are decided for every so much of engine time.
const STEP_US: u64 = 100_000;
/// Streams of dice for services lie above those of callers.
const STREAM: u64 = 1 << 40;

/// A service of the scene with faults.
struct Faulty {
    inner: Arc<dyn ServiceKind>,
    faults: Arc<ServiceFaults>,
}

impl ServiceKind for Faulty {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let mut service = self.inner.start(site);
        let any: &mut dyn Any = &mut *service;
        if let Some(modelled) = any.downcast_mut::<Modelled>() {
            modelled.inject(Arc::clone(&self.faults));
        }
        service
    }
    fn modelled(&self) -> bool {
        self.inner.modelled()
    }
    fn keeps_timing(&self) -> bool {
        self.inner.keeps_timing()
    }
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

/// What is kept of the services of a run.
#[derive(Default)]
pub(super) struct Watch {
    /// How often services went wrong.
    strikes: Vec<Arc<ServiceStrikes>>,
    pub(super) endings: Endings,
}

/// Makes the services of `plan` go wrong as `faults` says, and keeps the books of what they hear.
pub(super) fn install(plan: &mut ScenePlan, faults: &FaultPlan, watch: &mut Watch) {
    let sites = [
        Site::ServiceSlow,
        Site::ServiceFails,
        Site::ServiceHangs,
        Site::ServicePanics,
        Site::ServiceCrashes,
        Site::HostileText,
    ];
    let any = faults.any(&sites);
    for (at, service) in plan.services.iter_mut().enumerate() {
        if any {
            let made = of_service(faults, at);
            watch.strikes.push(Arc::clone(&made.strikes));
            service.output = Arc::new(Faulty { inner: Arc::clone(&service.output), faults: Arc::new(made) });
            // A call that fails is tried again in half of the runs.
            service.retries = (faults.seed % 4).saturating_sub(1) as u8;
        }
        if let Some(drawn) = faults.on(Site::ServiceHangs) {
            service.timeout_ms = (drawn.amount_us() / 1_000).clamp(10, 600_000) as u32;
        }
        // In every other run recognisers hear audio as it comes, as one that streams does.
        let listens = !faults.seed.is_multiple_of(2);
        service.output = watch.endings.watch(Arc::clone(&service.output), listens);
    }
}

/// The faults of service number `at`.
fn of_service(faults: &FaultPlan, at: usize) -> ServiceFaults {
    let of = |site| faults.on(site);
    ServiceFaults {
        seed: faults.seed,
        until_us: faults.heal_us,
        slow: of(Site::ServiceSlow).map_or((0.0, 1.0), |drawn| (drawn.ratio, drawn.amount)),
        fail_ratio: of(Site::ServiceFails).map_or(0.0, |drawn| drawn.ratio),
        hang_ratio: of(Site::ServiceHangs).map_or(0.0, |drawn| drawn.ratio),
        panic_ratio: of(Site::ServicePanics).map_or(0.0, |drawn| drawn.ratio),
        odd: of(Site::HostileText).map_or((0.0, 0), |drawn| (drawn.ratio, drawn.amount as u32)),
        down: outages(faults, STREAM + at as u64),
        strikes: Arc::default(),
    }
}

/// When one service is down, until the heal.
fn outages(faults: &FaultPlan, stream: u64) -> Vec<Range<u64>> {
    let Some(drawn) = faults.on(Site::ServiceCrashes) else { return Vec::new() };
    let mut dice = Dice::new(faults.seed, stream);
    let rng = dice.of(Site::ServiceCrashes);
    let chance = drawn.ratio * STEP_US as f64 / 1e6;
    let (mut down, mut at_us) = (Vec::new(), STEP_US);
    while at_us < faults.heal_us {
        if rng.chance(chance) {
            let end_us = (at_us + 1 + rng.below(drawn.amount_us().max(1))).min(faults.heal_us);
            down.push(at_us..end_us);
            at_us = end_us;
        }
        at_us += STEP_US;
    }
    down
}

/// Adds what the services count to the tally.
pub(super) fn count(watch: &Watch, tally: &mut Tally) {
    for one in &watch.strikes {
        let sites = [
            (Site::ServiceSlow, &one.slow),
            (Site::ServiceFails, &one.failed),
            (Site::ServiceHangs, &one.hung),
            (Site::ServicePanics, &one.panicked),
            (Site::ServiceCrashes, &one.crashes),
            (Site::HostileText, &one.odd),
        ];
        sites.iter().for_each(|(site, count)| tally.add_many(*site, count.load(Ordering::Relaxed)));
    }
}
