//! What hosts say to the engine: sensible and senseless, and lost, twice or late on its way.

use std::collections::BTreeMap;

use mynah_engine::base::rng::Rng;
use mynah_engine::{Control, ControlError, ControlIn, SessionHandle};

use super::host::Host;
use super::plan::{Dice, Hazard};
use super::site::Site;

/// How often hosts speak when only the way of their messages is disturbed: share of ticks.
const USUAL: f64 = 0.02;
/// The sites that need somebody to speak.
const SPEAKING: [Site; 4] = [Site::Controls, Site::ControlLost, Site::ControlTwice, Site::ControlLate];

/// Control messages of one call.
#[derive(Debug, Default)]
pub(super) struct Controls {
    sent: u64,
    /// By the time of arrival.
    flying: BTreeMap<(u64, u64), ControlIn>,
    copies: u64,
    /// Messages the engine has taken.
    pub taken: u64,
    /// Messages refused because as many wait as may.
    pub overflown: u64,
}

impl Controls {
    /// Perhaps says something, and hands the engine what has arrived.
    pub(super) fn speak(
        &mut self,
        handle: &SessionHandle,
        host: &Host,
        hazard: &mut Hazard<'_>,
        dice: &mut Dice,
    ) {
        let says = match hazard.acts(Site::Controls) {
            Some(_) => hazard.strikes(Site::Controls, dice).is_some(),
            None => hazard.plan.any(&SPEAKING) && !hazard.is_over() && dice.of(Site::Controls).chance(USUAL),
        };
        if says {
            self.sent += 1;
            let control = sentence(host, dice.of(Site::Controls));
            self.send(ControlIn { message_id: self.sent, control }, hazard, dice);
        }
        while let Some(first) = self.flying.first_entry().filter(|first| first.key().0 <= hazard.now_us) {
            match handle.control(first.remove()) {
                Ok(()) => self.taken += 1,
                Err(ControlError::Overflow) => self.overflown += 1,
                Err(ControlError::Ended) => {}
            }
        }
    }

    fn send(&mut self, message: ControlIn, hazard: &mut Hazard<'_>, dice: &mut Dice) {
        if hazard.strikes(Site::ControlLost, dice).is_some() {
            return;
        }
        let late_us = hazard.strikes(Site::ControlLate, dice).map_or(0, |drawn| drawn.amount_us());
        let copies = 1 + u64::from(hazard.strikes(Site::ControlTwice, dice).is_some());
        for _ in 0..copies {
            self.copies += 1;
            self.flying.insert((hazard.now_us + late_us, self.copies), message);
        }
    }
}

/// Something a host may say: mostly about what it has heard of, sometimes about what does not exist.
fn sentence(host: &Host, rng: &mut Rng) -> Control {
    let near = |rng: &mut Rng, n: u32| (n + 2).saturating_sub(rng.below(4) as u32);
    let turn = near(rng, host.turn);
    let segment = near(rng, host.segment);
    let revision = near(rng, host.revision);
    let at_us = rng.below(60_000_000);
    match rng.below(9) {
        0..=2 => Control::CancelAnswer { turn },
        3 => Control::BatchHint { size: rng.below(70) as u32 },
        4 => Control::CancelSpeculation { segment, from_us: 0, to_us: at_us + 1, late: false },
        5 => Control::ConfirmSpeculation { segment, turn, from_us: 0, to_us: at_us + 1 },
        6 => Control::EndOfSpeech { segment, revision, at_us, last: rng.chance(0.5) },
        7 => Control::RetractEndOfSpeech { segment, revision, at_us },
        _ => Control::DeadlineWarning { turn, left_us: at_us },
    }
}
