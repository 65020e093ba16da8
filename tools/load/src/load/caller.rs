//! One simulated caller as a stream of samples: utterances from the bank, gaps in which the answer is heard, a room
//! around them.

use std::sync::Arc;

use mynah_engine::base::rng::Rng;

use super::bank::{Bank, Clip};
use super::heard::{PlacedWord, append_words, overlap, place_words};
use super::media_time::us_of;
use super::schedule::{CallerConfig, Plan, Schedule};
use super::truth::Stretch;
use super::utterance::Utterance;

const PURPOSE_FLOOR: u64 = 0x0d04;

/// A simulated caller at a position of its stream.
#[derive(Clone, Debug)]
pub struct Caller {
    floor_shift: u64,
    position: u64,
    /// Ahead of the samples: its last plan is `playing`.
    schedule: Schedule,
    playing: Option<Plan>,
    /// The same sequence once more, as far as [`Caller::drain_truth`] has told.
    untold: Schedule,
    next_untold: Option<Plan>,
}

impl Caller {
    /// The caller of session number `session` before its first sample.
    #[must_use]
    pub fn new(bank: Arc<Bank>, config: Arc<CallerConfig>, session: u64) -> Self {
        let floor_shift = Rng::new(config.seed, session, PURPOSE_FLOOR).next_u64() >> 32;
        let mut schedule = Schedule::new(bank, config, session);
        let mut untold = schedule.clone();
        let (playing, next_untold) = (schedule.next(), untold.next());
        Self { floor_shift, position: 0, schedule, playing, untold, next_untold }
    }

    /// Overwrites `out` with the next samples: floor, speech and baits, about -20 to -5 dBFS at their peaks.
    pub fn fill(&mut self, out: &mut [f32]) {
        let (from, to) = (self.position, self.position + out.len() as u64);
        self.schedule.bank().noise().write_floor(out, self.floor_shift + from);
        while let Some(plan) = self.playing {
            let bank = self.schedule.bank();
            mix(out, from, &bank.clips()[plan.clip].samples, plan.at, plan.gain);
            for placed in plan.baits.into_iter().flatten() {
                mix(out, from, &bank.noise().baits()[placed.bait].samples, placed.at, 1.0);
            }
            if plan.until >= to {
                break;
            }
            self.playing = self.schedule.next();
        }
        self.position = to;
    }

    /// Media time of the next sample, microseconds.
    #[must_use]
    pub fn position_us(&self) -> u64 {
        us_of(self.position, self.schedule.bank().rate_hz())
    }

    /// Appends the utterances that begin up to `until_us` and were not told before.
    pub fn drain_truth(&mut self, until_us: u64, told: &mut Vec<Utterance>) {
        while let Some(plan) = self.next_untold {
            let utterance = self.utterance(&plan);
            if utterance.start_us > until_us {
                break;
            }
            told.push(utterance);
            self.next_untold = self.untold.next();
        }
    }

    /// All utterances that have begun up to the position.
    #[must_use]
    pub fn utterances(&self) -> Vec<Utterance> {
        let position_us = self.position_us();
        let begun = |utterance: &Utterance| utterance.start_us <= position_us;
        self.schedule.restarted().map(|plan| self.utterance(&plan)).take_while(begun).collect()
    }

    /// The words spoken within a stretch of media time, past or future.
    #[must_use]
    pub fn heard(&self, within: Stretch) -> String {
        let mut heard = String::new();
        self.each_clip(within, |clip, asked, _| {
            for part in &clip.parts {
                append_words(&mut heard, part, clip.truth.speech(), asked);
            }
        });
        heard
    }

    /// The same words, each with its place.
    #[must_use]
    pub fn words(&self, within: Stretch) -> Vec<PlacedWord> {
        let mut words = Vec::new();
        self.each_clip(within, |clip, asked, begins_us| {
            for part in &clip.parts {
                place_words(&mut words, part, clip.truth.speech(), asked, begins_us);
            }
        });
        words
    }

    /// Tells the clips that speak within a stretch: the clip, the stretch on its clock, and where that begins.
    fn each_clip(&self, within: Stretch, mut tell: impl FnMut(&Clip, Stretch, u64)) {
        for plan in self.schedule.restarted() {
            let (clip, begins_us) = self.clip(&plan);
            let all =
                Stretch { start_us: clip.truth.start_us(), end_us: clip.truth.end_us() }.later(begins_us);
            if all.start_us >= within.end_us {
                break;
            }
            if overlap(all, within).is_some() {
                // On the clip's clock, where nothing lies before 0.
                let from_us = within.start_us.saturating_sub(begins_us);
                let asked = Stretch { start_us: from_us, end_us: within.end_us - begins_us };
                tell(clip, asked, begins_us);
            }
        }
    }

    /// The clip of a plan, and the media time of its first sample.
    fn clip(&self, plan: &Plan) -> (&Clip, u64) {
        let bank = self.schedule.bank();
        (&bank.clips()[plan.clip], us_of(plan.at, bank.rate_hz()))
    }

    fn utterance(&self, plan: &Plan) -> Utterance {
        let (clip, begins_us) = self.clip(plan);
        Utterance {
            start_us: begins_us + clip.truth.start_us(),
            end_us: begins_us + clip.truth.end_us(),
            text: Arc::clone(&clip.text),
            voice: Arc::clone(self.schedule.bank().voice()),
            pauses: clip.truth.pauses().map(|pause| pause.later(begins_us)).collect(),
            clip: plan.clip as u32,
        }
    }
}

/// Adds what of `sound`, playing from sample `at`, falls into `out`, which begins at sample `from`.
fn mix(out: &mut [f32], from: u64, sound: &[i16], at: u64, gain: f32) {
    let begin = at.max(from);
    let end = (at + sound.len() as u64).min(from + out.len() as u64);
    if begin >= end {
        return;
    }
    let heard = &sound[(begin - at) as usize..(end - at) as usize];
    let scale = gain / 32_768.0;
    for (to, &sample) in out[(begin - from) as usize..(end - from) as usize].iter_mut().zip(heard) {
        *to += f32::from(sample) * scale;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::bank::BankConfig;
    use super::super::media_time::sample_at;
    use super::super::schedule::{BaitPlace, Phase};
    use super::*;

    const RATE_HZ: u32 = 16_000;

    static BANK: LazyLock<Arc<Bank>> = LazyLock::new(|| {
        let config = BankConfig { seed: 9, clips: 24, rate_hz: RATE_HZ };
        Arc::new(Bank::build(config, &|_, _| {}).unwrap())
    });

    fn caller(config: CallerConfig, session: u64) -> Caller {
        Caller::new(Arc::clone(&BANK), Arc::new(config), session)
    }

    fn played(config: CallerConfig, session: u64, seconds: usize) -> (Vec<f32>, Caller) {
        let mut caller = caller(config, session);
        let mut samples = vec![f32::NAN; seconds * RATE_HZ as usize];
        caller.fill(&mut samples);
        (samples, caller)
    }

    /// Where the samples are louder than the floor ever is, with some slack for gaps between words.
    fn loudest(samples: &[f32], within: Stretch) -> f32 {
        let at = |us| (sample_at(us, RATE_HZ) as usize).min(samples.len());
        samples[at(within.start_us)..at(within.end_us)]
            .iter()
            .fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
    }

    #[test]
    fn any_chunking_gives_the_same_stream() {
        let (whole, _) = played(CallerConfig::default(), 3, 40);
        let mut rng = Rng::new(77, 0, 0);
        for fixed in [Some(1), Some(160), Some(333), Some(16_000), None] {
            let mut caller = caller(CallerConfig::default(), 3);
            let mut pieces = vec![0.0; whole.len()];
            let mut rest = pieces.as_mut_slice();
            while !rest.is_empty() {
                let count = fixed.unwrap_or_else(|| rng.range_u64(0..5_000) as usize).min(rest.len());
                let (now, later) = rest.split_at_mut(count);
                caller.fill(now);
                rest = later;
            }
            assert!(pieces == whole, "chunks of {fixed:?}");
        }
    }

    #[test]
    fn seed_and_session_decide() {
        let seeded = |seed, session| played(CallerConfig { seed, ..CallerConfig::default() }, session, 20).0;
        assert!(seeded(1, 0) == seeded(1, 0));
        assert!(seeded(1, 0) != seeded(1, 1));
        assert!(seeded(1, 0) != seeded(2, 0));
        // Starting together, sessions still say different things.
        let aligned = CallerConfig { phase: Phase::Aligned, ..CallerConfig::default() };
        let said: Vec<Vec<u32>> = (0..4)
            .map(|session| {
                played(aligned.clone(), session, 60).1.utterances().iter().map(|u| u.clip).collect()
            })
            .collect();
        assert!((1..4).all(|session| said[session] != said[0]), "{said:?}");
    }

    #[test]
    fn gaps_hold_their_range_and_speech_lies_where_the_truth_says() {
        for session in 0..6 {
            let quiet = CallerConfig { baits_per_gap: 0.0, ..CallerConfig::default() };
            let (samples, caller) = played(quiet, session, 120);
            let truth = caller.utterances();
            assert!((10..=20).contains(&truth.len()), "session {session}: {} utterances", truth.len());
            let mut silent_from_us = 0;
            for utterance in &truth {
                let gap =
                    Stretch { start_us: silent_from_us, end_us: utterance.start_us.saturating_sub(30_000) };
                assert!(loudest(&samples, gap) < 0.006, "session {session}: sound in {gap:?}");
                let speech = Stretch { start_us: utterance.start_us, end_us: utterance.end_us };
                assert!(loudest(&samples, speech) > 0.08, "session {session}: no sound in {speech:?}");
                silent_from_us = utterance.end_us + 50_000;
            }
            for pair in truth.windows(2) {
                let gap_us = pair[1].start_us - pair[0].end_us;
                // Starts are rounded to a sample.
                assert!((3_999_900..7_000_100).contains(&gap_us), "session {session}: gap of {gap_us} us");
            }
        }
    }

    #[test]
    fn baits_lie_in_gaps_about_one_in_two_and_leave_the_speech_alone() {
        let (with, caller) = played(CallerConfig::default(), 0, 600);
        let (without, _) = played(CallerConfig { baits_per_gap: 0.0, ..CallerConfig::default() }, 0, 600);
        let utterances = caller.utterances();
        let differs: Vec<u64> =
            (0..with.len()).filter(|&i| with[i] != without[i]).map(|i| i as u64).collect();
        for &sample in &differs {
            let at_us = us_of(sample, RATE_HZ);
            let near = |utterance: &Utterance| {
                (utterance.start_us.saturating_sub(290_000)..utterance.end_us + 290_000).contains(&at_us)
            };
            assert!(!utterances.iter().any(near), "bait at {at_us} us");
        }
        let baits = 1 + differs.windows(2).filter(|pair| pair[1] - pair[0] > u64::from(RATE_HZ) / 2).count();
        let share = baits as f32 / utterances.len() as f32;
        assert!((0.3..0.7).contains(&share), "{baits} baits for {} utterances", utterances.len());

        let anywhere =
            CallerConfig { baits_per_gap: 4.0, bait_place: BaitPlace::Anywhere, ..CallerConfig::default() };
        let (with, _) = played(anywhere, 0, 600);
        let in_speech = utterances.iter().any(|utterance| {
            let at = |us| sample_at(us, RATE_HZ) as usize;
            let range = at(utterance.start_us)..at(utterance.end_us).min(with.len());
            with[range.clone()] != without[range]
        });
        assert!(in_speech);
    }

    #[test]
    fn first_utterances_are_staggered_or_aligned() {
        let start = |phase, session| {
            let caller = caller(CallerConfig { phase, ..CallerConfig::default() }, session);
            caller.utterance(&caller.playing.unwrap()).start_us
        };
        let mut starts: Vec<u64> = (0..60).map(|session| start(Phase::Staggered, session)).collect();
        starts.sort_unstable();
        assert!(starts[0] >= 499_900 && starts[59] < 6_500_000, "{starts:?}");
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] < 250_000), "{starts:?}");
        assert!((0..60).all(|session| start(Phase::Aligned, session).abs_diff(500_000) < 100));
    }

    #[test]
    fn no_utterance_ends_in_the_quiet_time() {
        for quiet_from_us in [0, 3_000_000, 30_000_000] {
            let config = CallerConfig { quiet_from_us, baits_per_gap: 0.0, ..CallerConfig::default() };
            let (samples, caller) = played(config, 1, 60);
            let truth = caller.utterances();
            assert!(truth.iter().all(|utterance| utterance.end_us <= quiet_from_us));
            assert_eq!(truth.is_empty(), quiet_from_us < 6_000_000);
            let after = Stretch { start_us: quiet_from_us + 50_000, end_us: 60_000_000 };
            assert!(loudest(&samples, after) < 0.006, "sound after {quiet_from_us} us");
        }
    }

    #[test]
    fn truth_is_told_once_when_speech_begins() {
        let mut caller = caller(CallerConfig::default(), 2);
        let (mut told, mut block) = (Vec::new(), [0.0; 320]);
        for _ in 0..3_000 {
            caller.fill(&mut block);
            let before = told.len();
            caller.drain_truth(caller.position_us(), &mut told);
            for utterance in &told[before..] {
                assert!(utterance.start_us <= caller.position_us());
                assert!(utterance.start_us + 20_000 >= caller.position_us());
            }
        }
        assert_eq!(told, caller.utterances());
        assert!(told.len() > 5);
    }

    #[test]
    fn heard_gives_the_words_of_that_time() {
        let (_, caller) = played(CallerConfig::default(), 4, 60);
        for utterance in caller.utterances() {
            let Utterance { start_us, end_us, text, .. } = &utterance;
            let heard = |start_us, end_us| caller.heard(Stretch { start_us, end_us });
            assert_eq!(heard(*start_us, *end_us), **text);
            assert_eq!(heard(start_us - 300_000, end_us + 300_000), **text);
            assert_eq!(heard(end_us + 1_000, end_us + 3_000_000), "");
            let middle_us = (start_us + end_us) / 2;
            let halves = format!("{} {}", heard(*start_us, middle_us), heard(middle_us, *end_us));
            assert_eq!(halves.trim(), &**text);
            assert!(heard(*start_us, middle_us).len() < text.len());
            let placed = caller.words(Stretch { start_us: *start_us, end_us: *end_us });
            let words: Vec<&str> = placed.iter().map(|placed| placed.word.as_str()).collect();
            assert_eq!(words.join(" "), **text);
            for placed in &placed {
                assert_eq!(heard(placed.at_us, placed.at_us + 1), placed.word, "{placed:?}");
            }
        }
        let all = caller.heard(Stretch { start_us: 0, end_us: caller.position_us() });
        let texts: Vec<_> = caller.utterances().iter().map(|utterance| utterance.text.to_string()).collect();
        assert!(texts.join(" ").starts_with(&all) && all.len() > 100, "{all}");
    }
}
