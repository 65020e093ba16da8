//! Control messages from hosts to the engine: sensible and senseless, and lost, twice or late on the way.

use mynah_engine::base::rng::Rng;
use mynah_engine::{Control, ControlError, ControlIn, SessionHandle};

use super::host::Host;
use super::plan::{Dice, Hazard};
use super::site::Site;
use mynah_load::network::{Fate, SimulatedNetwork};

/// How often hosts speak when only the way of their messages is disturbed: share of ticks.
const USUAL: f64 = 0.02;
/// The sites that need somebody to speak.
const SPEAKING: [Site; 4] = [Site::Controls, Site::ControlLost, Site::ControlTwice, Site::ControlLate];

/// Control messages of one call.
#[derive(Debug, Default)]
pub(super) struct Controls {
    sent: u64,
    way: SimulatedNetwork<ControlIn>,
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
        while let Some(message) = self.way.receive(hazard.now_us) {
            match handle.control(message) {
                Ok(()) => self.taken += 1,
                Err(ControlError::Overflow) => self.overflown += 1,
                Err(_) => {}
            }
        }
    }

    fn send(&mut self, message: ControlIn, hazard: &mut Hazard<'_>, dice: &mut Dice) {
        let fate = fate(hazard, dice);
        self.way.send(hazard.now_us, message, fate);
    }
}

/// What becomes of a message. What is lost draws nothing else; copies come together.
fn fate(hazard: &mut Hazard<'_>, dice: &mut Dice) -> Fate {
    if hazard.strikes(Site::ControlLost, dice).is_some() {
        return Fate { lost: true, ..Fate::default() };
    }
    let late_us = hazard.strikes(Site::ControlLate, dice).map_or(0, |drawn| drawn.amount_us());
    let twice = hazard.strikes(Site::ControlTwice, dice).is_some();
    Fate { lost: false, delay_us: late_us, held_back_us: 0, copy_delay_us: twice.then_some(late_us) }
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
