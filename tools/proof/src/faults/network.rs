//! The network between one caller and the engine: packets are late, lost, doubled, reordered, or come all at once.

use mynah_engine::base::rng::Rng;

use super::plan::{Dice, Drawn, Hazard};
use super::sender::Packet;
use super::site::Site;
use super::spec::Shape;
use mynah_load::network::{Fate, SimulatedNetwork};

/// Share of packets that take the quick way where there are two.
const QUICK: f64 = 0.9;

/// A simulated network of which the run's sites say what happens to each packet.
#[derive(Debug, Default)]
pub(super) struct Network {
    way: SimulatedNetwork<Packet>,
    /// Packets are being lost in a row.
    losing: bool,
}

impl Network {
    /// Takes a packet at the hazard's time.
    pub(super) fn send(&mut self, packet: Packet, hazard: &mut Hazard<'_>, dice: &mut Dice) {
        let fate = self.fate(hazard, dice);
        self.way.send(hazard.now_us, packet, fate);
    }

    /// What becomes of a packet. What is lost draws nothing else.
    fn fate(&mut self, hazard: &mut Hazard<'_>, dice: &mut Dice) -> Fate {
        if self.is_lost(hazard, dice) {
            return Fate { lost: true, ..Fate::default() };
        }
        if hazard.strikes(Site::Stall, dice).is_some() {
            self.way.stall(hazard.now_us + hazard.up_to_us(Site::Stall, dice));
        }
        let twice = hazard.strikes(Site::Duplicate, dice).is_some();
        let held_back_us = hazard.strikes(Site::Reorder, dice).map_or(0, |drawn| drawn.amount_us());
        let delay_us = takes_us(hazard, dice);
        let copy_delay_us = twice.then(|| takes_us(hazard, dice));
        Fate { lost: false, delay_us, held_back_us, copy_delay_us }
    }

    fn is_lost(&mut self, hazard: &mut Hazard<'_>, dice: &mut Dice) -> bool {
        let alone = hazard.strikes(Site::Loss, dice).is_some();
        let Some(drawn) = hazard.acts(Site::LossBursts) else {
            self.losing = false;
            return alone;
        };
        // Gilbert and Elliott with a good state that loses nothing and a bad one that loses all.
        let chance = if self.losing { 1.0 / drawn.amount.max(1.0) } else { drawn.ratio };
        if dice.of(Site::LossBursts).chance(chance) {
            self.losing = !self.losing;
        }
        if self.losing {
            hazard.tally.add(Site::LossBursts);
        }
        alone || self.losing
    }

    /// The next packet that has arrived; call until there is none.
    pub(super) fn receive(&mut self, now_us: u64) -> Option<Packet> {
        self.way.receive(now_us)
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.way.under_way() == 0
    }
}

/// How long a packet takes, microseconds: delay and jitter.
fn takes_us(hazard: &mut Hazard<'_>, dice: &mut Dice) -> u64 {
    let mut us = 0;
    if let Some(drawn) = hazard.acts(Site::Delay) {
        hazard.tally.add(Site::Delay);
        us += shaped_us(&drawn, dice.of(Site::Delay));
    }
    let jitter_us = hazard.up_to_us(Site::Jitter, dice);
    if jitter_us > 0 {
        hazard.tally.add(Site::Jitter);
    }
    us + jitter_us
}

/// A delay with the site's amount as its mean.
fn shaped_us(drawn: &Drawn, rng: &mut Rng) -> u64 {
    let mean_us = drawn.amount_us() as f64;
    let us = match drawn.shape.unwrap_or(Shape::Constant) {
        Shape::Constant => mean_us,
        // The sum of two exponential draws of half the mean.
        Shape::Gamma => {
            let product = (1.0 - rng.uniform()) * (1.0 - rng.uniform());
            -product.ln() * mean_us / 2.0
        }
        // A fifth of the mean on the quick way, what is left of it on the slow one.
        Shape::Bimodal if rng.chance(QUICK) => mean_us * 0.2,
        Shape::Bimodal => mean_us * (1.0 - 0.2 * QUICK) / (1.0 - QUICK),
    };
    us as u64
}

#[cfg(test)]
mod tests {
    use super::super::plan::FaultPlan;
    use super::super::site::Tally;
    use super::super::spec::{FaultSpec, SiteSpec};
    use super::*;

    const PACKETS: u64 = 20_000;

    /// Sends a packet every 20 ms through one site; (arrival, number) in the order of arrival.
    fn carried(site: Site, said: SiteSpec) -> (Vec<(u64, u64)>, u64) {
        let mut spec = FaultSpec::only(site);
        spec.heal_ratio = 1.0;
        spec.sites.insert(site, SiteSpec { on: Some(1.0), ..said });
        let plan = FaultPlan::draw(&spec, 5, PACKETS * 20_000);
        let (mut network, mut dice, mut tally) = (Network::default(), Dice::new(5, 1), Tally::default());
        let mut arrived = Vec::new();
        for number in 0..PACKETS + 1_000 {
            let now_us = number * 20_000;
            let mut hazard = Hazard { plan: &plan, now_us, tally: &mut tally };
            if number < PACKETS {
                let packet = Packet { samples: Vec::new(), pts_us: Some(number) };
                network.send(packet, &mut hazard, &mut dice);
            }
            while let Some(packet) = network.receive(now_us) {
                arrived.push((now_us, packet.pts_us.unwrap_or(0)));
            }
        }
        assert!(network.is_empty());
        (arrived, tally.of(site))
    }

    #[test]
    fn every_kind_of_delay_has_the_mean_that_was_drawn() {
        for shape in [Shape::Constant, Shape::Gamma, Shape::Bimodal] {
            let said = SiteSpec { ms: Some((100.0, 100.0)), shape: Some(shape), ..SiteSpec::default() };
            let (arrived, struck) = carried(Site::Delay, said);
            assert_eq!((arrived.len() as u64, struck), (PACKETS, PACKETS));
            let mean_us = arrived.iter().map(|(at, n)| at - n * 20_000).sum::<u64>() / PACKETS;
            // Arrivals are looked for every 20 ms.
            assert!((95_000..125_000).contains(&mean_us), "{shape:?}: {mean_us}");
        }
    }

    #[test]
    fn losses_duplicates_and_overtakings_are_as_many_as_counted() {
        let cases = [
            (Site::Loss, SiteSpec { ratio: Some((0.1, 0.1)), ..SiteSpec::default() }),
            (
                Site::LossBursts,
                SiteSpec { ratio: Some((0.01, 0.01)), packets: Some((10.0, 10.0)), ..SiteSpec::default() },
            ),
            (Site::Duplicate, SiteSpec { ratio: Some((0.05, 0.05)), ..SiteSpec::default() }),
            (
                Site::Reorder,
                SiteSpec { ratio: Some((0.05, 0.05)), ms: Some((50.0, 50.0)), ..SiteSpec::default() },
            ),
        ];
        for (site, said) in cases {
            let (arrived, struck) = carried(site, said);
            assert!((800..2_500).contains(&struck), "{site}: {struck}");
            let want = match site {
                Site::Loss | Site::LossBursts => PACKETS - struck,
                Site::Duplicate => PACKETS + struck,
                _ => PACKETS,
            };
            assert_eq!(arrived.len() as u64, want, "{site}");
            let behind = arrived.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
            assert_eq!(behind > 0, site == Site::Reorder, "{site}: {behind} out of order");
            if site == Site::LossBursts {
                let gaps = arrived.windows(2).filter(|pair| pair[1].1 > pair[0].1 + 1).count() as u64;
                assert!((struck / 14..struck / 7).contains(&gaps), "{struck} lost in {gaps} gaps");
            }
        }
    }

    #[test]
    fn a_stall_ends_in_a_flood() {
        let said = SiteSpec { ratio: Some((0.01, 0.01)), ms: Some((400.0, 400.0)), ..SiteSpec::default() };
        let (arrived, struck) = carried(Site::Stall, said);
        assert_eq!(arrived.len() as u64, PACKETS);
        assert!(arrived.is_sorted_by_key(|(_, number)| *number), "nothing is overtaken");
        let mut most = 0;
        for arrivals in arrived.chunk_by(|a, b| a.0 == b.0) {
            most = most.max(arrivals.len());
        }
        assert!((15..=40).contains(&most), "{most} at once, {struck} stalls");
    }
}
