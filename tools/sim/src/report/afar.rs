//! The report of callers at the other end of sockets: what a client can see. Fields have the names and meanings of
//! [`Report`](super::Report); those that only a server knows are not there.

use std::collections::BTreeMap;

use mynah_engine::wire::peer::PeerFigures;
use serde::Serialize;

use super::{GeneratorFigures, Interruption, LatencyMs, LimitResult, Segments, TurnFigures, why_invalid};
use crate::recognition::Recognition;
use crate::scenes::counted;

/// What became of the callers.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct CallerCounts {
    pub opened: u64,
    /// Those whose sessions came to their end.
    pub ended: u64,
    /// Those that got no session, by what the server said.
    pub refused: BTreeMap<String, u64>,
    /// Those whose connection or session ended before its time, by how.
    pub lost: BTreeMap<String, u64>,
    /// Times that a caller was told to come again later, and did.
    pub waited: u64,
    /// Calls of services that failed, as sessions were told, by service.
    pub failures: BTreeMap<String, u64>,
}

/// Control messages of all callers. What a session tells is received, what a caller wants is sent.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Exchanged {
    pub received: u64,
    /// Those of them that are no events: what is said of speech, which wants a receipt.
    pub of_speech: u64,
    /// Acknowledgements given: of arrival, and of what they stop having stopped.
    pub receipts: u64,
    /// Arrivals that had been seen before, and changed nothing.
    pub repeated: u64,
    pub sent: u64,
    pub acked: u64,
    pub retried: u64,
    pub failed: u64,
    /// What arrived and was no message, or about nothing that is known.
    pub rejected: u64,
}

/// Chunks sent, pieces of audio received, and the samples in both.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct SoundCounts {
    #[serde(rename = "in")]
    pub taken_in: u64,
    pub out: u64,
    /// Sample frames.
    pub samples_sent: u64,
    /// Samples of all channels.
    pub samples_received: u64,
}

/// The segments, as callers were told.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct SeenSegments {
    pub opened: u64,
    pub confirmed: u64,
    /// Why is not told.
    pub cancelled: BTreeMap<&'static str, u64>,
    pub open_at_end: u64,
    pub retracted: u64,
    pub acceptance_ratio: f64,
    pub late_cancelled: u64,
}

impl From<Segments> for SeenSegments {
    fn from(all: Segments) -> Self {
        let Segments { opened, confirmed, cancelled, open_at_end, retracted, acceptance_ratio, .. } = all;
        let late_cancelled = all.late_cancelled;
        Self { opened, confirmed, cancelled, open_at_end, retracted, acceptance_ratio, late_cancelled }
    }
}

/// Speech end to response at both ends of a run: in its first sixth (at most ten minutes), and in its last.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Drift {
    pub response_p99_first_ms: f64,
    pub response_p99_last_ms: f64,
    pub response_p99_drift_ratio: f64,
}

/// The whole report.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct AfarReport {
    pub schema: u32,
    pub version: &'static str,
    pub scene: String,
    pub scene_hash: String,
    pub set: Vec<String>,
    pub load: String,
    pub seed: u64,
    pub clock: &'static str,
    /// The server's address.
    pub to: String,
    pub transport: &'static str,
    pub sessions: u32,
    pub duration_s: f64,
    pub warm_up_s: f64,
    pub wall_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<Interruption>,
    pub verdict: &'static str,
    pub noisy: bool,
    pub limits: Vec<LimitResult>,
    /// Limits of the scene of which a client sees nothing.
    pub not_judged: Vec<&'static str>,
    pub latency_ms: LatencyMs,
    pub segments: SeenSegments,
    pub turns: TurnFigures,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recognition: Option<Recognition>,
    pub frames: SoundCounts,
    pub messages: Exchanged,
    pub callers: CallerCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steadiness: Option<Drift>,
    pub generator: GeneratorFigures,
}

impl Exchanged {
    /// Adds what one connection exchanged.
    pub fn add(&mut self, figures: &PeerFigures) {
        let PeerFigures { intake, outgoing, incoming, .. } = figures;
        self.received += incoming.processed;
        self.receipts += incoming.acks_sent;
        self.repeated += incoming.repeated;
        self.sent += outgoing.sent;
        self.acked += outgoing.acked;
        self.retried += outgoing.retried;
        self.failed += outgoing.failed;
        self.rejected += intake.rejected + figures.unknown;
    }
}

impl AfarReport {
    /// What the run shows against the server, in words: callers that got no session or lost it.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let named = |what: &'static str, all: &BTreeMap<String, u64>| {
            let told = |(why, count): (&String, &u64)| {
                format!("{} {what}: {why}", counted(*count as usize, "caller"))
            };
            all.iter().map(told).collect::<Vec<_>>()
        };
        let mut faults = named("refused", &self.callers.refused);
        faults.extend(named("lost", &self.callers.lost));
        faults
    }

    /// Why the run shows nothing about the limits; `None`: it does.
    #[must_use]
    pub fn why_invalid(&self) -> Option<String> {
        (self.verdict == "invalid").then(|| why_invalid(&self.limits, self.noisy))
    }
}
