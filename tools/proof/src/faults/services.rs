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
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

/// Makes the services of `plan` go wrong as `faults` says; how often they do can be read from what is returned.
pub(super) fn install(plan: &mut ScenePlan, faults: &FaultPlan) -> Vec<Arc<ServiceStrikes>> {
    let sites =
        [Site::ServiceSlow, Site::ServiceFails, Site::ServiceHangs, Site::ServiceCrashes, Site::HostileText];
    if !faults.any(&sites) {
        return Vec::new();
    }
    let mut strikes = Vec::new();
    for (at, service) in plan.services.iter_mut().enumerate() {
        let of = |site| faults.on(site);
        let made = ServiceFaults {
            seed: faults.seed,
            until_us: faults.heal_us,
            slow: of(Site::ServiceSlow).map_or((0.0, 1.0), |drawn| (drawn.ratio, drawn.amount)),
            fail_ratio: of(Site::ServiceFails).map_or(0.0, |drawn| drawn.ratio),
            hang: of(Site::ServiceHangs).map_or((0.0, 0), |drawn| (drawn.ratio, drawn.amount_us())),
            odd: of(Site::HostileText).map_or((0.0, 0), |drawn| (drawn.ratio, drawn.amount as u32)),
            down: outages(faults, STREAM + at as u64),
            strikes: Arc::default(),
        };
        strikes.push(Arc::clone(&made.strikes));
        service.output = Arc::new(Faulty { inner: Arc::clone(&service.output), faults: Arc::new(made) });
    }
    strikes
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
pub(super) fn count(strikes: &[Arc<ServiceStrikes>], tally: &mut Tally) {
    for one in strikes {
        let sites = [
            (Site::ServiceSlow, &one.slow),
            (Site::ServiceFails, &one.failed),
            (Site::ServiceHangs, &one.hung),
            (Site::ServiceCrashes, &one.crashes),
            (Site::HostileText, &one.odd),
        ];
        sites.iter().for_each(|(site, count)| tally.add_many(*site, count.load(Ordering::Relaxed)));
    }
}
