//! The stages of answered turns, which add up to their latency.

use serde::Serialize;
use smallvec::SmallVec;

use super::quantiles::Quantiles;

/// A stage of an answered turn; ordered as the way goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the end of speech to the endpoint: the detector's tail, its lookahead, and everything before it.
    Endpoint,
    /// From the first that a node could work on to the submission of its call: what else the call needs, and the wait
    /// for the service.
    Wait(u8),
    /// From there to the first of the answer that left the node.
    Node(u8),
    /// From the first audio at the output to the end of speech being certain.
    Confirm,
    /// From there to its release: somebody speaks, or an older answer still sounds.
    Output,
}

impl Stage {
    fn place(self) -> (u8, u8, u8) {
        match self {
            Self::Endpoint => (0, 0, 0),
            Self::Wait(node) => (1, node, 0),
            Self::Node(node) => (1, node, 1),
            Self::Confirm => (2, 0, 0),
            Self::Output => (3, 0, 0),
        }
    }
}

impl Ord for Stage {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Stage {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The end of a stage, engine time.
pub type Step = (Stage, u64);

/// Stages of a turn that take no memory of their own; a way through four services has eleven.
const STAGES: usize = 12;

/// An answered turn in stages.
#[derive(Clone, Debug)]
pub struct AnsweredTurn {
    /// Number of the session.
    pub session: u32,
    /// Whose answer was heard first.
    pub segment: u32,
    /// See `segment`.
    pub revision: u32,
    /// When the speech ended, engine time.
    pub ended_us: u64,
    /// When the answer began to sound, engine time.
    pub answered_us: u64,
    /// How long each stage took, microseconds. What was over before the speech ended took no time of it.
    pub stages: SmallVec<[(Stage, u64); STAGES]>,
}

impl AnsweredTurn {
    /// A turn whose speech ended at `ended_us`, with the ends of its answer's stages.
    pub fn new(session: u32, answer: (u32, u32), ended_us: u64, answered_us: u64, steps: &[Step]) -> Self {
        let mut before_us = ended_us;
        let stage = |(stage, end_us): &Step| {
            let took_us = end_us.saturating_sub(before_us);
            before_us = before_us.max(*end_us);
            (*stage, took_us)
        };
        let stages = steps.iter().map(stage).collect();
        let (segment, revision) = answer;
        Self { session, segment, revision, ended_us, answered_us, stages }
    }

    /// The latency as heard, microseconds.
    pub fn latency_us(&self) -> u64 {
        self.answered_us - self.ended_us
    }

    /// How long a stage of it took, microseconds; `None`: it had none such.
    pub fn took_us(&self, stage: Stage) -> Option<u64> {
        self.stages.iter().find(|(other, _)| *other == stage).map(|(_, us)| *us)
    }
}

/// One stage over all answered turns that had it.
#[derive(Clone, Debug, Serialize)]
pub struct StageFigures {
    /// Its node; `ID.wait`: before that node's service had the call; `output.confirm`: until the end of speech was
    /// certain.
    pub stage: String,
    /// Quantiles; those of several stages do not add up.
    #[serde(flatten)]
    pub quantiles: Quantiles,
    /// Mean over all answered turns, those without this stage included: these add up to the mean latency.
    pub mean: f64,
    /// Its part of all latency, 0..1.
    pub share: f64,
    /// Its part of the latency of the turns at or above the 95th percentile, 0..1.
    pub share_slow: f64,
}
