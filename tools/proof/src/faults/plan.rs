//! The plan drawn for one run: which sites are on, how often they strike and how hard. Also the dice they strike
//! with.

use mynah_engine::base::rng::Rng;

use super::site::{ROWS, SITES, Site, Span, Tally};
use super::spec::{FaultSpec, Shape, SiteSpec};

const PURPOSE_PLAN: u64 = 0xfa00;
const PURPOSE_STRIKE: u64 = 0xfb00;
/// A span that reaches over more than this factor is drawn from on a logarithmic scale.
const WIDE: f64 = 20.0;

/// What was drawn for one site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// The site that was drawn.
    pub site: Site,
    /// Whether it is on in this run.
    pub on: bool,
    /// Share, or chance; 1 where the site has none.
    pub ratio: f64,
    /// Amount in the site's unit; 0 where it has none.
    pub amount: f64,
    /// How delays are distributed; of `delay` only.
    pub shape: Option<Shape>,
}

impl Drawn {
    /// The amount of a site that has milliseconds, in microseconds.
    pub fn amount_us(&self) -> u64 {
        (self.amount * 1_000.0).max(0.0) as u64
    }
}

/// The faults of one run: a function of (spec, seed, duration).
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// Seed of everything drawn.
    pub seed: u64,
    /// Engine time from which on nothing goes wrong any more, microseconds.
    pub heal_us: u64,
    sites: Vec<Drawn>,
}

impl FaultPlan {
    /// Draws what happens in the run with this seed. Each site has random numbers of its own: another site more or less
    /// changes none of the others.
    pub fn draw(spec: &FaultSpec, seed: u64, duration_us: u64) -> Self {
        let sites = ROWS.iter().map(|row| {
            let mut rng = Rng::new(seed, row.site as u64, PURPOSE_PLAN);
            let said = spec.sites.get(&row.site);
            let on = rng.chance(said.map_or(0.0, |said| said.on.unwrap_or(1.0)));
            let ratio =
                row.ratio.map(|usual| within(&mut rng, said.and_then(|said| said.ratio).unwrap_or(usual)));
            let amount = row.amount.map(|amount| {
                let said = said.and_then(|said: &SiteSpec| said.amount(amount.unit));
                within(&mut rng, said.unwrap_or(amount.drawn))
            });
            let shapes = [Shape::Constant, Shape::Gamma, Shape::Bimodal];
            let drawn = shapes[rng.below(3) as usize];
            let shape = (row.site == Site::Delay).then(|| said.and_then(|said| said.shape).unwrap_or(drawn));
            Drawn { site: row.site, on, ratio: ratio.unwrap_or(1.0), amount: amount.unwrap_or(0.0), shape }
        });
        Self { seed, heal_us: (duration_us as f64 * spec.heal_ratio) as u64, sites: sites.collect() }
    }

    /// What was drawn for a site, if it is on.
    pub fn on(&self, site: Site) -> Option<Drawn> {
        Some(self.sites[site as usize]).filter(|drawn| drawn.on)
    }

    /// Whether any of these sites is on.
    pub fn any(&self, sites: &[Site]) -> bool {
        sites.iter().any(|site| self.on(*site).is_some())
    }

    /// All sites with what was drawn for them.
    pub fn sites(&self) -> &[Drawn] {
        &self.sites
    }
}

fn within(rng: &mut Rng, (low, high): Span) -> f64 {
    let unit = rng.uniform();
    if low > 0.0 && high > low * WIDE {
        return low * (high / low).powf(unit);
    }
    low + (high - low) * unit
}

/// The random numbers of one caller: every site has its own.
#[derive(Clone, Debug)]
pub struct Dice([Rng; SITES]);

impl Dice {
    /// Of the `stream`-th of all.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(std::array::from_fn(|site| Rng::new(seed, stream, PURPOSE_STRIKE + site as u64)))
    }

    /// Those of a site.
    pub fn of(&mut self, site: Site) -> &mut Rng {
        &mut self.0[site as usize]
    }
}

/// What may strike now, and what has.
#[derive(Debug)]
pub struct Hazard<'a> {
    /// The plan of the run.
    pub plan: &'a FaultPlan,
    /// Engine time of the tick, microseconds.
    pub now_us: u64,
    /// How often each site has struck.
    pub tally: &'a mut Tally,
}

impl Hazard<'_> {
    /// Whether nothing goes wrong any more.
    pub fn is_over(&self) -> bool {
        self.now_us >= self.plan.heal_us
    }

    /// What was drawn for a site, if it acts now.
    pub fn acts(&self, site: Site) -> Option<Drawn> {
        if self.is_over() { None } else { self.plan.on(site) }
    }

    /// Whether a site strikes this time, with its own chance; counted.
    pub fn strikes(&mut self, site: Site, dice: &mut Dice) -> Option<Drawn> {
        let drawn = self.acts(site)?;
        self.strikes_with(site, drawn.ratio, dice)
    }

    /// The same with another chance.
    pub fn strikes_with(&mut self, site: Site, chance: f64, dice: &mut Dice) -> Option<Drawn> {
        let drawn = self.acts(site)?;
        if !dice.of(site).chance(chance) {
            return None;
        }
        self.tally.add(site);
        Some(drawn)
    }

    /// Up to a site's amount of milliseconds, each microsecond equally likely; 0 if the site does not act.
    pub fn up_to_us(&mut self, site: Site, dice: &mut Dice) -> u64 {
        let Some(drawn) = self.acts(site) else { return 0 };
        dice.of(site).range_u64(0..drawn.amount_us() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_plan_and_a_swarm_turns_each_site_on_in_half_of_the_runs() {
        let chaos = FaultSpec::preset("chaos").unwrap();
        assert_eq!(FaultPlan::draw(&chaos, 4, 9_000_000), FaultPlan::draw(&chaos, 4, 9_000_000));
        let plans: Vec<FaultPlan> = (0..400).map(|seed| FaultPlan::draw(&chaos, seed, 9_000_000)).collect();
        assert_eq!(plans[0].heal_us, 6_000_000);
        for row in ROWS {
            let on = plans.iter().filter(|plan| plan.on(row.site).is_some()).count();
            assert!((150..250).contains(&on), "{}: on in {on} of 400 runs", row.name);
            for plan in &plans {
                let drawn = plan.sites()[row.site as usize];
                let (low, high) = row.ratio.unwrap_or((1.0, 1.0));
                assert!((low..=high).contains(&drawn.ratio), "{drawn:?}");
                let (low, high) = row.amount.map_or((0.0, 0.0), |amount| amount.drawn);
                assert!((low..=high).contains(&drawn.amount), "{drawn:?}");
            }
        }
    }

    #[test]
    fn a_site_more_changes_none_of_the_others() {
        let alone = FaultPlan::draw(&FaultSpec::only(Site::Loss), 7, 1_000_000);
        let all = FaultSpec {
            sites: ROWS.iter().map(|row| (row.site, SiteSpec::default())).collect(),
            ..FaultSpec::none()
        };
        assert_eq!(FaultPlan::draw(&all, 7, 1_000_000).on(Site::Loss), alone.on(Site::Loss));
        assert_eq!(alone.sites().iter().filter(|drawn| drawn.on).count(), 1);
    }

    #[test]
    fn nothing_strikes_after_the_heal() {
        let plan = FaultPlan::draw(&FaultSpec::only(Site::Loss), 7, 1_000_000);
        let (mut tally, mut dice) = (Tally::default(), Dice::new(7, 0));
        for now_us in [0, plan.heal_us] {
            let mut hazard = Hazard { plan: &plan, now_us, tally: &mut tally };
            let struck = (0..1_000).filter(|_| hazard.strikes(Site::Loss, &mut dice).is_some()).count();
            assert_eq!(struck == 0, now_us > 0);
        }
        let chance = plan.on(Site::Loss).unwrap().ratio;
        assert!((tally.of(Site::Loss) as f64 / 1_000.0 - chance).abs() < 0.05, "{tally:?} {chance}");
    }
}
