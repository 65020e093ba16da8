//! What a gate decides on, hop by hop, and what it decides.

/// One hop, as the detector hears it and as it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    /// The detector's probability.
    pub(crate) p: f32,
    /// Present while an answer is heard.
    pub(crate) beside: Option<BesideAnswer>,
    /// Media time at which it begins.
    pub(crate) from_us: u64,
    /// Media time at which it ends.
    pub(crate) to_us: u64,
}

impl Hop {
    /// The probability that speech begins here.
    pub(super) fn p_begins(&self) -> f32 {
        self.beside.map_or(self.p, |beside| beside.p)
    }

    /// The probability that the speaker goes on here after an end that was suspected.
    pub(super) fn p_goes_on(&self) -> f32 {
        self.beside.filter(|beside| beside.answers_open).map_or(self.p, |beside| beside.p)
    }
}

/// A hop in which an answer is heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BesideAnswer {
    /// What counts of the probability where speech would begin: all of it, or nothing.
    pub(crate) p: f32,
    /// Whether the answer is that to the open segment: an end that is suspected has been answered.
    pub(crate) answers_open: bool,
}

/// What the gate does after a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Open a segment at `from_us` (before the pre-roll is added).
    Open { from_us: u64 },
    /// Confirm the segment: speech, from `from_us` on.
    Confirm { from_us: u64 },
    /// Cancel the segment: the onset was not sustained.
    CancelNotSustained,
    /// Cancel the segment: no speech began in it (`forward: Always`).
    CancelSilence,
    /// The speaker seems to have finished at `at_us`.
    Endpoint { revision: u32, at_us: u64 },
    /// The speaker goes on: retract the revision.
    Retract { revision: u32 },
    /// The end is final.
    End { revision: u32 },
    /// The segment is too long: end it here and go on with the next.
    Split,
}
