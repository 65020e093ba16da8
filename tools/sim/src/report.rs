//! The report of a simulation: one object for programs (`--json`), the same figures for the table.

pub mod across;
pub mod afar;
pub mod quantiles;
pub mod stages;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::quantiles::{Quantiles, QuantilesUs};
pub use self::stages::{AnsweredTurn, Stage, StageFigures};
use crate::recognition::Recognition;
use crate::transport::LinkedScene;

/// Speech end to response, with what it is counted against.
#[derive(Clone, Debug, Serialize)]
pub struct Response {
    /// Quantiles of the utterances that were answered after their end.
    #[serde(flatten)]
    pub quantiles: Quantiles,
    /// `truth`: the true end of the utterance.
    pub reference: &'static str,
    /// Premature utterances, which are not in it.
    pub excluded: u64,
}

/// Latencies; one that does not apply to the scene is absent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct LatencyMs {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_end_to_response: Option<Response>,
    /// What the response is made of, in the order of the way; empty where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breakdown: Vec<StageFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_start_to_forward: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_to_processing: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_in_to_out: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset_hold: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_to_silence: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_to_last_consumer: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_to_quiet: Option<Quantiles>,
}

/// One limit of the scene against what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct LimitResult {
    /// Name as in the scene.
    pub name: &'static str,
    /// The limit of the scene.
    pub limit: f64,
    /// What was measured; `None`: nothing to measure it on, so that it neither holds nor is missed.
    pub value: Option<f64>,
    /// Unit of both.
    pub unit: &'static str,
    /// Whether it holds.
    pub ok: bool,
}

/// The segments of a run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Segments {
    pub opened: u64,
    pub confirmed: u64,
    pub cancelled: BTreeMap<&'static str, u64>,
    pub open_at_end: u64,
    pub retracted: u64,
    pub acceptance_ratio: f64,
    pub late_cancelled: u64,
    pub wasted_service_ms: f64,
}

/// The turns of a run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct TurnFigures {
    pub utterances: u64,
    pub answered: u64,
    pub missed: u64,
    pub premature: u64,
    pub premature_ratio: f64,
    pub interrupted: u64,
    pub interrupted_by_noise: u64,
    pub paused: u64,
    pub resumed: u64,
}

/// The frames of a run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Frames {
    #[serde(rename = "in")]
    pub taken_in: u64,
    pub out: u64,
    pub cancelled: u64,
    pub gated: u64,
    pub merged: u64,
    pub created: u64,
    pub refused: u64,
    pub waited: u64,
    pub non_finite_samples: u64,
    pub dropped: BTreeMap<&'static str, u64>,
    pub queued_at_end: u64,
    pub balanced: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imbalances: Vec<String>,
}

/// One node's queue.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct QueueFigures {
    pub bound: u32,
    pub depth_max: u32,
    pub depth_p99: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<Quantiles>,
    pub overflow: String,
    pub dropped: u64,
    pub dropped_by: BTreeMap<&'static str, u64>,
    pub merged: u64,
}

/// The batches of a node behind the hub.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct BatchReport {
    pub count: u64,
    pub size_mean: f64,
    pub size_max: u32,
    pub wait_ms: Option<Quantiles>,
    pub reasons: BTreeMap<&'static str, u64>,
    pub merged: u64,
    pub waiting_max: u32,
    /// Items a second that came out, over the run.
    pub items_per_s: f64,
    /// Items a second at which they came in.
    pub offered_per_s: f64,
    /// What the service's model carries one item at a time, and in batches of the mean size.
    pub capacity_per_s: Option<Capacity>,
}

/// What the model of a service carries, by its cost curve and the speech it was asked for: modelled, not measured.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "items a second")]
pub struct Capacity {
    pub one_by_one: f64,
    pub batched: f64,
    pub gain: f64,
    pub curve: &'static str,
}

/// One node of a run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct NodeFigures {
    pub id: String,
    pub kind: &'static str,
    #[serde(rename = "in")]
    pub taken_in: u64,
    pub out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Quantiles>,
    pub work_us: u64,
    /// Of a node that calls a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_processing_us: Option<u64>,
    pub deadlines_near: u64,
    pub deadlines_missed: u64,
    pub queue: QueueFigures,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchReport>,
}

/// One service of a run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct ServiceFiguresReport {
    pub id: String,
    pub kind: String,
    pub modelled: bool,
    /// What it makes of what it is asked, whatever its timing: audio or words; `None`: that is simulated. Not in the JSON.
    #[serde(skip)]
    pub really_makes: Option<&'static str>,
    pub timing: String,
    pub calls: u64,
    pub items: u64,
    pub failed: u64,
    /// Of the failed, those that took longer than the scene's `timeout_ms`.
    pub timed_out: u64,
    /// Items that were started again after they had failed.
    pub retried: u64,
    /// Items of which the scene's `fallback` was said.
    pub fallbacks: u64,
    /// Items before whose answer the scene's `filler` was said.
    pub fillers: u64,
    /// Times that the service panicked and was made anew.
    pub panics: u64,
    pub cancelled: u64,
    pub busy_ratio: f64,
}

/// The ticks of a run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct TickStats {
    pub count: u64,
    pub work_us: Option<QuantilesUs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_us: Option<QuantilesUs>,
    pub overruns: u64,
}

/// What it cost.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Cost {
    pub cpu_s: f64,
    pub session_s_per_cpu_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations_per_tick: Option<f64>,
    pub live_bytes_start: i64,
    pub live_bytes_end: i64,
    pub bytes_per_session: f64,
}

/// Whether a long run was as good at its end as at its beginning: a look a minute, the first quarter (at least five minutes) left out.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Steadiness {
    pub looks: u64,
    /// Theil-Sen slope of all live bytes of the process.
    pub live_bytes_per_min: f64,
    /// Its 95 % confidence interval: memory that does not grow has 0 in it.
    pub live_bytes_per_min_95: [f64; 2],
    pub live_bytes_first: i64,
    pub live_bytes_last: i64,
    pub entities_first: u64,
    pub entities_last: u64,
    pub blocks_first: u64,
    pub blocks_last: u64,
    /// Speech end to response in the first sixth of the run (at most ten minutes), and in the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_p99_first_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_p99_last_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_p99_drift_ratio: Option<f64>,
}

/// A run that ended before its time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Interruption {
    /// So much was heard of each caller, seconds.
    pub after_s: f64,
    /// So much was to be heard.
    pub of_s: f64,
}

impl Interruption {
    /// Converts the times from microseconds.
    pub fn of(after_us: u64, of_us: u64) -> Self {
        Self { after_s: after_us as f64 / 1e6, of_s: of_us as f64 / 1e6 }
    }
}

impl std::fmt::Display for Interruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "interrupted after {:.3} of {} s: all of this is of that time", self.after_s, self.of_s)
    }
}

/// The load generator's own part.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct GeneratorFigures {
    pub cpu_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<Quantiles>,
}

/// The whole report.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Report {
    pub schema: u32,
    pub version: &'static str,
    pub scene: String,
    pub scene_hash: String,
    pub set: Vec<String>,
    pub load: String,
    pub seed: u64,
    pub clock: &'static str,
    pub tick: String,
    pub sessions: u32,
    pub threads: usize,
    pub shards: u32,
    pub cpu_features: Vec<&'static str>,
    pub duration_s: f64,
    /// So much of the beginning is not in latencies, lateness and CPU time.
    pub warm_up_s: f64,
    pub wall_s: f64,
    /// Absent: the run came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<Interruption>,
    pub verdict: &'static str,
    pub noisy: bool,
    pub limits: Vec<LimitResult>,
    pub latency_ms: LatencyMs,
    pub segments: Segments,
    pub turns: TurnFigures,
    /// Scenes with a recogniser that is not simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recognition: Option<Recognition>,
    pub frames: Frames,
    pub nodes: Vec<NodeFigures>,
    pub services: Vec<ServiceFiguresReport>,
    pub tick_stats: TickStats,
    pub cost: Cost,
    /// Runs of 15 minutes and more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steadiness: Option<Steadiness>,
    pub generator: GeneratorFigures,
    pub event_hash: String,
    /// The answered turns one by one, for tests and pictures.
    #[serde(skip)]
    pub answered: Vec<AnsweredTurn>,
    /// The engine behind the link that the scene names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteReport>,
    /// The server that the scene's output goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub across: Option<across::AcrossReport>,
}

/// The second engine, and what went over the link.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct RemoteReport {
    pub scene: String,
    pub link: LinkedScene,
    pub messages: Messages,
    pub cancels: Cancels,
    /// Segments that got no verdict at the far end in time, and so were none.
    pub no_verdict: u64,
    /// On the wall clock: from the start of the first engine's tick that decided to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_in_process_ms: Option<Quantiles>,
    /// Blocks of cancelled segments that were released at the far end, and of revisions that did not hold.
    pub cancelled_released: u64,
    pub void_released: u64,
    pub latency_ms: LatencyMs,
    pub segments: Segments,
    pub turns: TurnFigures,
    pub frames: Frames,
    pub nodes: Vec<NodeFigures>,
    pub services: Vec<ServiceFiguresReport>,
    /// What must hold and does not, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
}

/// Control messages, over all sessions.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Messages {
    pub sent: u64,
    pub delivered: u64,
    pub applied: u64,
    pub retried: u64,
    pub failed: u64,
    /// Arrivals at the far end that had been seen before, and changed nothing.
    pub repeated: u64,
    /// Messages about segments that nobody at the far end can know.
    pub unknown: u64,
    /// Messages that the engine at the far end has worked off, and those of them that changed nothing.
    pub worked_off: u64,
    pub without_effect: u64,
}

/// Cancelled segments, at the far end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Cancels {
    pub sent: u64,
    pub delivered: u64,
    pub failed: u64,
    pub effects_max: u64,
}

impl Report {
    /// Whether the load generator was too late for the run to show anything.
    pub fn is_late(&self) -> bool {
        self.verdict == "invalid" && (self.noisy || unmeasured(&self.limits) == 0)
    }

    /// Why the run shows nothing about the limits; `None`: it does.
    pub fn why_invalid(&self) -> Option<String> {
        (self.verdict == "invalid").then(|| why_invalid(&self.limits, self.noisy))
    }
}

/// Limits for which there was nothing to measure.
fn unmeasured(limits: &[LimitResult]) -> usize {
    limits.iter().filter(|limit| limit.value.is_none()).count()
}

/// Why a run that is invalid shows nothing about its limits.
fn why_invalid(limits: &[LimitResult], noisy: bool) -> String {
    let unmeasured = unmeasured(limits);
    let late = "the load generator was late itself";
    let nothing = format!(
        "nothing to measure for {unmeasured} of {} limits: run longer, or leave them out",
        limits.len()
    );
    match unmeasured {
        0 => late.into(),
        _ if noisy => format!("{late}; {nothing}"),
        _ => nothing,
    }
}

/// The CPU features that decide which code path the kernels take.
pub fn cpu_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let all = [
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ];
        all.into_iter().filter_map(|(name, has)| has.then_some(name)).collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        vec![std::env::consts::ARCH]
    }
}
