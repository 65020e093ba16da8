//! What a session's listener hears, as far as the engine has released it.
//!
//! Where a host reads from a ring, what was read counts as heard; where it reports positions, what it reported does.
//! For all others released audio counts as heard: it is ahead of the ear by at most the lead.

use bevy_ecs::prelude::*;

/// Holes in an answer up to this length are none: it leaves block by block, at a tick each.
const HOLE_US: u64 = 20_000;
/// Stretches that lie less than this apart are remembered as one, once a third begins.
const APART_US: u64 = 1_000_000;

/// A stretch of engine time in which answers leave the host without a hole; nothing where both ends are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sounding {
    /// When its first sample left.
    pub from_us: u64,
    /// When its last sample is over.
    pub until_us: u64,
}

/// The answer that is being released to one session, and who speaks meanwhile. A component of the session entity.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Playout {
    /// The segment whose answer is being released; 0 = none.
    pub segment: u32,
    /// Its revision; 0 = the caller's own audio.
    pub revision: u32,
    /// Its turn.
    pub turn: u32,
    /// Samples of the answer released so far, all channels.
    pub samples: u64,
    /// Media time of the answer released so far, microseconds.
    pub released_us: u64,
    /// Engine time until which the released audio sounds.
    pub heard_until_us: u64,
    /// The last stretches in which answers sound: the one before, and the newest.
    pub soundings: [Sounding; 2],
    /// The newest segment in which the user is believed to be speaking; 0 = none. Answers to older ones wait.
    pub speaking: u32,
    /// The segment for which a sounding answer was paused; 0 = it is not paused.
    pub paused_by: u32,
    /// [`Segment::order`](super::Segment::order) of the segment whose answer is being released.
    pub order: u32,
    /// How far ahead of the ear audio leaves, microseconds; `u32::MAX`: as fast as it is made.
    pub lead_us: u32,
    /// Time from a sample's leaving the host until its sound, microseconds.
    pub latency_us: u32,
    /// Speech of this length interrupts, microseconds; `u32::MAX`: none does.
    pub interrupt_min_us: u32,
    /// What the host last reported as heard: the turn, and microseconds of its answer.
    pub reported: Option<(u32, u64)>,
}

impl Playout {
    /// Whether an answer has begun to sound and is not complete.
    pub fn sounds(&self) -> bool {
        self.segment != 0 && self.revision != 0 && self.samples > 0
    }

    /// Audio of the answer to (segment, revision) that nobody has heard at `now_us`, of `made_us` in all, in
    /// microseconds.
    pub fn unplayed_us(&self, segment: u32, revision: u32, made_us: u64, now_us: u64) -> u64 {
        let ahead_us = self.heard_until_us.saturating_sub(now_us);
        if (self.segment, self.revision) == (segment, revision) {
            made_us.saturating_sub(self.released_us) + ahead_us
        } else {
            made_us
        }
    }

    /// How much of the answer was heard, microseconds: what the host reported, else what its audio callback has read
    /// (`read_us`), else what was released.
    pub(crate) fn heard_us(&self, read_us: Option<u64>) -> u64 {
        match self.reported {
            Some((turn, us)) if turn == self.turn => us.min(self.released_us),
            Some(_) => 0,
            None => read_us.unwrap_or(self.released_us).saturating_sub(u64::from(self.latency_us)),
        }
    }

    /// The engine time from which on no answer is heard that is heard, or was within the last `tail_us`, at some time
    /// between `from_us` and `to_us`, as far as is known; `None`: none is. A stretch counts from when it leaves the host
    /// until its sound is over at the listener.
    pub fn quiet_from_us(&self, from_us: u64, to_us: u64, tail_us: u64) -> Option<u64> {
        let sounds = self.soundings.iter().filter(|sounding| sounding.from_us < sounding.until_us);
        let heard = sounds.filter(|sounding| sounding.from_us < to_us);
        let quiet = heard.map(|sounding| sounding.until_us + u64::from(self.latency_us) + tail_us);
        quiet.max().filter(|quiet_us| *quiet_us > from_us)
    }

    /// Audio that leaves at `now_us` is over at `until_us`.
    pub(crate) fn sounds_until(&mut self, now_us: u64, until_us: u64) {
        self.heard_until_us = until_us;
        if self.revision == 0 {
            return;
        }
        let [before, newest] = &mut self.soundings;
        if now_us > newest.until_us + HOLE_US {
            let follows = before.from_us < before.until_us && newest.from_us < before.until_us + APART_US;
            let from_us = if follows { before.from_us } else { newest.from_us };
            *before = Sounding { from_us, ..*newest };
            newest.from_us = now_us;
        }
        newest.until_us = newest.until_us.max(until_us);
    }

    /// The host says at `now_us` that `us` of the answer to `turn` were heard; false for a turn that is over.
    pub(crate) fn report(&mut self, turn: u32, us: u64, now_us: u64) -> bool {
        if self.reported.is_some_and(|(before, _)| turn < before) {
            return false;
        }
        self.reported = Some((turn, us));
        if self.sounds() && turn == self.turn {
            // The host may lag behind what was released. Its report has the device's latency in it.
            let over_us = now_us + self.released_us.saturating_sub(us);
            let [_, newest] = &mut self.soundings;
            newest.until_us = newest.until_us.max(over_us.saturating_sub(u64::from(self.latency_us)));
        }
        true
    }

    /// Of what has left, `unread_us` was not read from the host's ring yet at `now_us`: it still sounds.
    pub(crate) fn still_sounds(&mut self, now_us: u64, unread_us: u64) {
        let own_audio = self.segment != 0 && self.revision == 0;
        let [_, newest] = &mut self.soundings;
        if unread_us > 0 && !own_audio && newest.from_us < newest.until_us {
            newest.until_us = newest.until_us.max(now_us + unread_us);
        }
    }

    /// The host flushes what it has not played at `now_us`: the next answer may start at once.
    pub(crate) fn flush(&mut self, now_us: u64) {
        self.heard_until_us = 0;
        self.soundings[1].until_us = self.soundings[1].until_us.min(now_us);
    }

    /// Stops the release of an answer at `now_us` and returns how much of it was heard, in microseconds; `read_us` as in
    /// [`heard_us`](Self::heard_us). The caller's own audio goes on.
    pub(crate) fn stop_answer(&mut self, read_us: Option<u64>, now_us: u64) -> u64 {
        if self.revision == 0 {
            return 0;
        }
        let heard_us = self.heard_us(read_us);
        self.end();
        self.flush(now_us);
        heard_us
    }

    /// Ends the release.
    pub(crate) fn end(&mut self) {
        (self.segment, self.revision, self.turn, self.samples, self.released_us) = (0, 0, 0, 0, 0);
        (self.paused_by, self.order) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;
    const TAIL_MS: u64 = 300;

    /// An answer of which 20 ms leave at each of these times.
    fn answered(at_ms: &[u64]) -> Playout {
        let mut playout = Playout { segment: 1, revision: 1, turn: 1, samples: 1, ..Playout::default() };
        for at in at_ms {
            let until_us = playout.heard_until_us.max(at * MS) + 20 * MS;
            playout.sounds_until(at * MS, until_us);
            playout.released_us += 20 * MS;
        }
        playout
    }

    /// What is known of a hop of 32 ms that ends at `to_ms`.
    fn quiet_from_ms(playout: &Playout, to_ms: u64) -> Option<u64> {
        let quiet_us = playout.quiet_from_us((to_ms - 32) * MS, to_ms * MS, TAIL_MS * MS);
        quiet_us.map(|us| us / MS)
    }

    #[test]
    fn an_answer_is_heard_from_its_first_sample_until_its_tail_is_over() {
        let steady: Vec<u64> = (0..50).map(|at| 1_000 + 20 * at).collect();
        let late: Vec<u64> = (0..50).map(|at| 1_000 + 25 * at).collect();
        let broken = [1_000, 1_020, 3_000, 3_020];
        let cases: [(&str, Playout, u64, Option<u64>); 13] = [
            ("nothing was ever said", Playout::default(), 40, None),
            ("before it", answered(&steady), 1_000, None),
            ("as it begins", answered(&steady), 1_001, Some(2_300)),
            ("within", answered(&steady), 1_500, Some(2_300)),
            ("the end of its tail", answered(&steady), 2_331, Some(2_300)),
            ("behind that", answered(&steady), 2_332, None),
            ("short holes are none", answered(&late), 1_300, Some(2_545)),
            ("as much as has left", answered(&steady[..10]), 1_500, Some(1_500)),
            ("a hole", answered(&broken), 1_400, None),
            ("before a hole", answered(&broken), 1_300, Some(1_340)),
            ("behind a hole", answered(&broken), 3_010, Some(3_340)),
            ("of three the first two are one", answered(&[500, 1_000, 1_500]), 900, Some(1_320)),
            ("latency", Playout { latency_us: 100_000, ..answered(&steady) }, 2_431, Some(2_400)),
        ];
        let mut wrong = Vec::new();
        for (name, playout, to_ms, want) in cases {
            let quiet = quiet_from_ms(&playout, to_ms);
            if quiet != want {
                wrong.push(format!("{name}: {quiet:?}, not {want:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_is_flushed_is_not_heard_and_what_waits_is() {
        let ahead: Vec<u64> = vec![1_000; 50];
        let (mut flushed, mut own) = (answered(&ahead), answered(&ahead));
        assert_eq!(quiet_from_ms(&flushed, 1_100), Some(2_300));
        flushed.flush(1_400 * MS);
        assert_eq!((quiet_from_ms(&flushed, 1_500), flushed.heard_until_us), (Some(1_700), 0));
        let mut waits = answered(&ahead);
        waits.still_sounds(4_000 * MS, 500 * MS);
        assert_eq!(
            quiet_from_ms(&waits, 4_000),
            Some(4_800),
            "the ring of an audio callback that stood still"
        );
        (own.segment, own.revision) = (2, 0);
        own.still_sounds(4_000 * MS, 500 * MS);
        own.sounds_until(4_000 * MS, 4_500 * MS);
        assert_eq!(quiet_from_ms(&own, 4_000), None, "the caller's own audio is no answer");
        let mut lags = Playout { latency_us: 50_000, ..answered(&ahead) };
        assert!(lags.report(1, 200 * MS, 2_000 * MS));
        assert_eq!(quiet_from_ms(&lags, 2_500), Some(3_100), "a host that has 800 ms to play yet");
        assert!(!lags.report(0, 0, 2_000 * MS));
    }
}
