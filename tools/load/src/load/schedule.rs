//! The schedule of one simulated caller: a sequence of plans, each an utterance and the gap after it.
//!
//! A plan is drawn from (seed, session) and the plan before; nothing of the past is stored. A reader of the past runs
//! the sequence again (about 0.3 us a plan), so a day of talking costs no memory.

use std::ops::Range;
use std::sync::Arc;

use mynah_engine::base::rng::Rng;
use serde::{Deserialize, Serialize};

use super::bank::Bank;
use super::media_time::{sample_at, us_of};

/// Earliest speech of a session: detectors and resamplers have settled by then.
const FIRST_US: u64 = 500_000;
/// First utterances are spread over this much; about one turn's length, so that turns of all sessions are, too.
const STAGGER_US: u64 = 6_000_000;
/// Shortest gap between utterances that is possible; a clip's lead and tail must fit.
const GAP_MIN_US: u64 = 500_000;
/// Silence between speech and a sound that is not, on both sides: further than any detector smears.
const BAIT_MARGIN_US: u64 = 300_000;
/// Most such sounds in one gap.
const BAITS_MAX: usize = 4;

const PURPOSE_SCHEDULE: u64 = 0x0d01;
const PURPOSE_BAIT: u64 = 0x0d02;
const PURPOSE_PHASE: u64 = 0x0d03;

/// When the first utterances of the sessions begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Evenly over 0.5..6.5 s, whatever the number of sessions.
    Staggered,
    /// All at 0.5 s: the worst case for everything that is shared.
    Aligned,
}

/// Where sounds that are not speech may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaitPlace {
    /// In the gaps, at least 0.3 s from speech.
    Gaps,
    /// During utterances as well.
    Anywhere,
}

/// How all callers of a load behave.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerConfig {
    /// Names everything random, together with the session's index.
    pub seed: u64,
    /// From the true end of an utterance to the start of the next, microseconds; raised to at least 0.5 s.
    pub gap_us: Range<u64>,
    /// Sounds that are not speech, expected in a gap, 0..=4.
    pub baits_per_gap: f32,
    /// Where they lie.
    pub bait_place: BaitPlace,
    /// When the first utterance starts.
    pub phase: Phase,
    /// Gain on the clips, drawn for each utterance.
    pub gain: Range<f32>,
    /// No utterance ends later than this (microseconds), so that the last answer can still be heard.
    pub quiet_from_us: u64,
}

impl Default for CallerConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            gap_us: 4_000_000..7_000_000,
            baits_per_gap: 0.5,
            bait_place: BaitPlace::Gaps,
            phase: Phase::Staggered,
            gain: 0.7..1.0,
            quiet_from_us: u64::MAX,
        }
    }
}

/// A sound put on the session's time line.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlacedBait {
    pub(super) bait: usize,
    pub(super) at: u64,
}

/// One utterance and the gap after it. Sample positions are the session's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) clip: usize,
    pub(super) gain: f32,
    pub(super) at: u64,
    /// No sound of this plan plays from here on, none of the next before.
    pub(super) until: u64,
    pub(super) baits: [Option<PlacedBait>; BAITS_MAX],
}

/// The sequence of plans of one session.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    bank: Arc<Bank>,
    config: Arc<CallerConfig>,
    session: u64,
    rng: Rng,
    bait_rng: Rng,
    /// When the next speech starts; `None` once the session stays quiet.
    next_us: Option<u64>,
}

impl Schedule {
    pub(super) fn new(bank: Arc<Bank>, config: Arc<CallerConfig>, session: u64) -> Self {
        let seed = config.seed;
        let next_us = match config.phase {
            Phase::Aligned => FIRST_US,
            Phase::Staggered => {
                // Multiples of the golden ratio fill the circle evenly for any count (Weyl).
                let turn = session.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let shift = Rng::new(seed, 0, PURPOSE_PHASE).next_u64();
                FIRST_US + ((u128::from(turn.wrapping_add(shift)) * u128::from(STAGGER_US)) >> 64) as u64
            }
        };
        // Two streams, so that another number of baits leaves the speech where it was.
        let rng = Rng::new(seed, session, PURPOSE_SCHEDULE);
        let bait_rng = Rng::new(seed, session, PURPOSE_BAIT);
        Self { bank, config, session, rng, bait_rng, next_us: Some(next_us) }
    }

    /// The same sequence from its first plan.
    pub(super) fn restarted(&self) -> Self {
        Self::new(Arc::clone(&self.bank), Arc::clone(&self.config), self.session)
    }

    pub(super) fn bank(&self) -> &Bank {
        &self.bank
    }

    fn place_baits(&mut self, from_us: u64, to_us: u64) -> [Option<PlacedBait>; BAITS_MAX] {
        let rate_hz = self.bank.rate_hz();
        let baits = self.bank.noise().baits();
        let expected = self.config.baits_per_gap.clamp(0.0, BAITS_MAX as f32);
        let certain = expected as usize;
        let count = certain + usize::from(self.bait_rng.chance(f64::from(expected) - certain as f64));
        let slot_us = to_us.saturating_sub(from_us) / count.max(1) as u64;
        let mut placed = [None; BAITS_MAX];
        for (index, place) in placed.iter_mut().take(count).enumerate() {
            let bait = self.bait_rng.below(baits.len() as u64) as usize;
            let room_us = slot_us.checked_sub(us_of(baits[bait].samples.len() as u64, rate_hz) + 1);
            let within_us = self.bait_rng.below(room_us.unwrap_or(0).max(1));
            let at = sample_at(from_us + index as u64 * slot_us + within_us, rate_hz);
            // A gap too short for the sound stays without it.
            *place = room_us.map(|_| PlacedBait { bait, at });
        }
        placed
    }
}

impl Iterator for Schedule {
    type Item = Plan;

    /// The next utterance; `None` from the one on that would end too late.
    fn next(&mut self) -> Option<Plan> {
        let begins_us = self.next_us.take()?;
        let rate_hz = self.bank.rate_hz();
        let index = self.rng.below(self.bank.clips().len() as u64) as usize;
        let gain = self.rng.range_f32(self.config.gain.clone());
        let gap_us = self.rng.range_u64(self.config.gap_us.clone()).max(GAP_MIN_US);
        let truth = &self.bank.clips()[index].truth;
        let at = sample_at(begins_us.saturating_sub(truth.start_us()), rate_hz);
        let start_us = us_of(at, rate_hz) + truth.start_us();
        let end_us = us_of(at, rate_hz) + truth.end_us();
        if end_us > self.config.quiet_from_us {
            return None;
        }
        let next_us = end_us + gap_us;
        let baits_from_us = match self.config.bait_place {
            BaitPlace::Gaps => end_us + BAIT_MARGIN_US,
            BaitPlace::Anywhere => start_us,
        };
        let baits = self.place_baits(baits_from_us, next_us.saturating_sub(BAIT_MARGIN_US));
        self.next_us = Some(next_us);
        // Half of the margin before the next speech: after the tail of this clip, before the lead of the next.
        let until = sample_at(next_us - BAIT_MARGIN_US / 2, rate_hz);
        Some(Plan { clip: index, gain, at, until, baits })
    }
}
