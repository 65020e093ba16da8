//! Control messages from hosts to the engine: sensible and senseless, and lost, twice or late on the way.

use std::collections::BTreeSet;

use mynah_engine::base::rng::Rng;
use mynah_engine::speech::GateMode;
use mynah_engine::{Control, ControlError};

use super::ends::Ends;
use super::host::Host;
use super::plan::{Dice, Hazard};
use super::site::Site;
use super::wishes::{WISHES, is_line, may_be_refused, wish};
use mynah_load::network::{Fate, SimulatedNetwork};

/// How often hosts speak when only the way of their messages is disturbed: share of ticks.
const USUAL: f64 = 0.02;
/// The sites that need somebody to speak.
const SPEAKING: [Site; 4] = [Site::Controls, Site::ControlLost, Site::ControlTwice, Site::ControlLate];

/// Control messages of one call.
#[derive(Debug, Default)]
pub(super) struct Controls {
    way: SimulatedNetwork<Control>,
    /// The host has meddled with the gate.
    meddled: bool,
    /// Messages that may become lines, by their number: the engine's numbers count what it has taken.
    lines: BTreeSet<u64>,
    /// Messages the engine has taken.
    pub taken: u64,
    /// Messages refused because as many wait as may.
    pub overflown: u64,
}

impl Controls {
    /// Perhaps says something, and hands the engine what has arrived. What the engine should not have refused goes into
    /// `wrong`.
    pub(super) fn speak(
        &mut self,
        ends: &mut Ends,
        host: &Host,
        hazard: &mut Hazard<'_>,
        dice: &mut Dice,
        wrong: &mut Vec<String>,
    ) {
        let says = match hazard.acts(Site::Controls) {
            Some(_) => hazard.strikes(Site::Controls, dice).is_some(),
            None => hazard.plan.any(&SPEAKING) && !hazard.is_over() && dice.of(Site::Controls).chance(USUAL),
        };
        if says {
            let control = sentence(host, dice.of(Site::Controls));
            self.send(control, hazard, dice);
        }
        for site in WISHES {
            let Some(drawn) = hazard.strikes(site, dice) else { continue };
            self.meddled |= site == Site::GateMode;
            let control = wish(site, drawn, host.turn, dice.of(site));
            self.send(control, hazard, dice);
        }
        while let Some(control) = self.way.receive(hazard.now_us) {
            self.hand_over(ends, control, wrong);
        }
        if hazard.is_over() && self.meddled && self.way.under_way() == 0 {
            self.meddled = !self.hand_over(ends, Control::Gate { mode: GateMode::Auto }, wrong);
        }
    }

    /// Hands the engine one message; true if it was taken.
    fn hand_over(&mut self, ends: &mut Ends, control: Control, wrong: &mut Vec<String>) -> bool {
        let number = self.taken + 1;
        let line = is_line(&control);
        match ends.send(number, control.clone()) {
            Ok(()) => {
                self.taken = number;
                if line {
                    self.lines.insert(number);
                }
                return true;
            }
            Err(ControlError::Overflow) => self.overflown += 1,
            Err(error) if may_be_refused(&control, error) => {}
            Err(error) => wrong.push(format!("{}: {control:?} is refused: {error}", ends.name())),
        }
        false
    }

    /// Whether the message of this number may become a line.
    pub(super) fn is_line(&self, message: u64) -> bool {
        self.lines.contains(&message)
    }

    fn send(&mut self, control: Control, hazard: &mut Hazard<'_>, dice: &mut Dice) {
        let fate = fate(hazard, dice);
        self.way.send(hazard.now_us, control, fate);
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
