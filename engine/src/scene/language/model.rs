//! A scene as its file gives it: plain data with defaults filled in, nothing resolved yet.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::scene::language::formats::{CapabilitiesOverride, Format};
use crate::scene::language::limits::Limits;

/// A scene file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Its name in reports.
    pub name: String,
    /// One sentence about what it shows.
    #[serde(default)]
    pub description: String,
    /// How time advances.
    #[serde(default)]
    pub tick: Tick,
    /// The two ends of a session.
    #[serde(default)]
    pub session: SessionPolicy,
    /// The graph's nodes, in the order of the file.
    pub nodes: Vec<SceneNode>,
    /// `(from, to)`: node ids, or `node.port`, or the ends `input` and `output`.
    pub edges: Vec<(String, String)>,
    /// The slow models that nodes call, by name.
    #[serde(default)]
    pub services: BTreeMap<String, SceneService>,
    /// How real sessions reach the engine; read by the host.
    #[serde(default)]
    pub transports: Vec<Entry>,
    /// The metrics page.
    #[serde(default)]
    pub metrics: Metrics,
    /// Limits that make the scene an acceptance test.
    #[serde(default)]
    pub limits: Limits,
}

/// How time advances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tick {
    /// Fixed period, or the heartbeat between ticks without arrivals; 1..=100 ms.
    pub period_ms: u32,
    /// What causes the next tick.
    pub driver: TickDriver,
    /// Shortest time between two ticks, 0..=100000 microseconds; 0: no limit.
    pub min_gap_us: u32,
    /// Most late ticks made up for, before the rest is skipped and counted; 0..=1000.
    pub catch_up_max: u32,
    /// Number of worlds that share the sessions; `None`: the engine chooses by the number of sessions.
    pub shards: Option<u32>,
}

impl Default for Tick {
    fn default() -> Self {
        Self { period_ms: 5, driver: TickDriver::WakeOnIngress, min_gap_us: 0, catch_up_max: 4, shards: None }
    }
}

/// What causes the next tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum TickDriver {
    /// Time alone, as in a game loop.
    Fixed,
    /// An arrival, or the heartbeat.
    WakeOnIngress,
}

/// The two ends of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionPolicy {
    /// The audio that simulated callers send; real recordings bring their own format.
    pub input: SessionInput,
    /// How the answer leaves.
    pub output: SessionOutput,
}

/// The audio that simulated callers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionInput {
    /// Sample rate, 8000..=192000 Hz.
    pub rate_hz: u32,
    /// Channels, 1 or 2.
    pub channels: u8,
    /// Length of the audio in one push, 1..=1000 ms.
    pub chunk_ms: u32,
    /// How far a sender's times may be off before audio counts as missing at once, 0..=500 ms.
    pub pts_tolerance_ms: u32,
}

impl Default for SessionInput {
    fn default() -> Self {
        Self { rate_hz: 48_000, channels: 1, chunk_ms: 20, pts_tolerance_ms: 40 }
    }
}

impl SessionInput {
    /// The format without the chunking.
    pub fn format(&self) -> Format {
        Format { rate_hz: self.rate_hz, channels: self.channels }
    }
}

/// How the answer leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionOutput {
    /// When an answer may begin to sound.
    pub release: Release,
    /// How far ahead of the ear an answer is handed over.
    pub pace: Pace,
    /// Speech of this length during an answer withdraws the answer, shorter speech only pauses it; 100..=5000 ms.
    /// `None`: answers are not interrupted.
    pub interrupt_min_ms: Option<u32>,
}

/// When an answer may begin to sound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Release {
    /// Once the end of the utterance is final.
    #[default]
    OnConfirm,
    /// At once; a retraction flushes what is queued.
    Immediately,
}

/// How far ahead of the ear an answer is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Pace {
    /// At the speed of playing, this far ahead; the rest stays where a cancellation still reaches it.
    RealTime {
        /// The lead, up to 10000 ms.
        #[serde(default = "lead_ms")]
        lead_ms: u32,
    },
    /// As fast as it is made.
    Burst,
}

impl Default for Pace {
    fn default() -> Self {
        Self::RealTime { lead_ms: lead_ms() }
    }
}

fn lead_ms() -> u32 {
    40
}

/// One node of the graph.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneNode {
    /// Its id: `[a-z0-9_]+`, unique.
    pub id: String,
    /// Its kind and configuration.
    #[serde(deserialize_with = "entry")]
    pub kind: Entry,
    /// Changes of the kind's own capabilities.
    #[serde(default)]
    pub capabilities: Option<CapabilitiesOverride>,
    /// Changes of how the kind gathers items before it works on them.
    #[serde(default)]
    pub buffering: Option<BufferingOverride>,
    /// When its work should be done, and what gives way.
    #[serde(default)]
    pub deadline: Option<Deadline>,
    /// Whether the pipeline makes sense without it: `SkipOptional` may pass it by.
    #[serde(default)]
    pub optional: bool,
}

/// `Name` or `Name(fields)`, to be read by the owner of the name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name before the parentheses.
    pub name: String,
    /// The parentheses with their content; `()` where there are none.
    pub config: String,
}

/// Skips the value: its text is taken from the file itself, so that its errors can be placed.
fn entry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| Entry::default())
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        entry(deserializer)
    }
}

/// How items gather before a node works on them.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffering {
    /// Items that make a call worthwhile, 1..=1000.
    pub min_batch_size: u32,
    /// Most items of a call, 1..=1000.
    pub max_batch_size: u32,
    /// Longest time that a lone item waits for company, 0.001..=60000 ms.
    pub max_wait_ms: f64,
    /// Most items that may wait, over all sessions; at most 1000000.
    pub max_buffer_size: u32,
    /// How items of one session become one; items of different sessions never do.
    pub merge: MergeStrategy,
}

impl Default for Buffering {
    /// A free service is never kept waiting: batches form while it is busy.
    fn default() -> Self {
        Self {
            min_batch_size: 1,
            max_batch_size: 8,
            max_wait_ms: 50.0,
            max_buffer_size: 50,
            merge: MergeStrategy::KeepSeparate,
        }
    }
}

/// A scene's changes of a kind's [`Buffering`]; `None` keeps the kind's own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BufferingOverride {
    /// Items.
    pub min_batch_size: Option<u32>,
    /// Items.
    pub max_batch_size: Option<u32>,
    /// Milliseconds, 0.001..=60000.
    pub max_wait_ms: Option<f64>,
    /// Items, over all sessions.
    pub max_buffer_size: Option<u32>,
    /// See [`Buffering::merge`].
    pub merge: Option<MergeStrategy>,
}

impl BufferingOverride {
    /// The kind's buffering with what is set here.
    pub fn over(&self, kind: Buffering) -> Buffering {
        Buffering {
            min_batch_size: self.min_batch_size.unwrap_or(kind.min_batch_size),
            max_batch_size: self.max_batch_size.unwrap_or(kind.max_batch_size),
            max_wait_ms: self.max_wait_ms.unwrap_or(kind.max_wait_ms),
            max_buffer_size: self.max_buffer_size.unwrap_or(kind.max_buffer_size),
            merge: self.merge.clone().unwrap_or(kind.merge),
        }
    }
}

/// How waiting items of one session become one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum MergeStrategy {
    /// Texts are joined.
    ConcatenateText {
        /// The text between them.
        #[serde(default = "separator")]
        separator: String,
    },
    /// Audio is joined.
    ConcatenateAudio {
        /// Whether to refuse to join over a gap in media time.
        #[serde(default)]
        ensure_continuity: bool,
        /// The longest gap that counts as none, 0 to 100 ms; where calls are joined it is filled with silence.
        #[serde(default)]
        max_gap_ms: f64,
    },
    /// Nothing is joined.
    KeepSeparate,
    /// A strategy the host registered.
    Custom {
        /// The name it is registered under.
        name: String,
    },
}

fn separator() -> String {
    " ".into()
}

/// A node's deadline, and what gives way when it comes near.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// Time from an item's entry into the node's queue to its leaving the node, 0.001..=600000 ms.
    pub budget_ms: f64,
    /// Time left below which the policy acts, 0.001..=600000 ms.
    #[serde(default = "margin_ms")]
    pub margin_ms: f64,
    /// What gives way.
    pub policy: DeadlinePolicy,
}

fn margin_ms() -> f64 {
    50.0
}

/// What gives way when a deadline comes near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum DeadlinePolicy {
    /// Nothing: warnings and misses are only counted, for comparison with the other policies.
    Warn,
    /// A batch that waits for company goes at once.
    FlushEarly,
    /// Batches take more items, up to `max`.
    GrowBatch {
        /// Most items of such a batch, above `max_batch_size`, at most 1000.
        max: u32,
    },
    /// Results are cheaper: of a service, or of a resampler from the next stream on.
    LowerQuality,
    /// A frame without time left passes an optional node unchanged.
    SkipOptional,
}

/// A slow model outside the tick.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneService {
    /// Its output.
    #[serde(deserialize_with = "entry")]
    pub output: Entry,
    /// The model of its time, in virtual time and wherever it is simulated; `None`: the service takes the time that it
    /// takes.
    #[serde(default)]
    pub timing: Option<Timing>,
    /// Longest time without a part of an answer that is wanted, 10..=600000 ms; then the call has failed.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
    /// Further attempts at a call that failed before its first part, within `timeout_ms`; 0..=5.
    #[serde(default)]
    pub retries: u8,
    /// What is answered in place of a reply that failed before its first part.
    #[serde(default)]
    pub fallback: Option<Arc<str>>,
    /// What is said before a reply that keeps its caller waiting, such as "Let me see."; it is part of the answer.
    #[serde(default)]
    pub filler: Option<Arc<str>>,
    /// How long nothing of a reply has come when the filler is said, 20..=60000 ms from the moment of asking.
    #[serde(default = "filler_ms")]
    pub filler_ms: u32,
}

/// The default: a caller who has heard nothing for ten seconds is gone.
fn timeout_ms() -> u32 {
    10_000
}

/// The default: a listener begins to wonder after most of a second.
fn filler_ms() -> u32 {
    800
}

/// Bounds of [`SceneService::filler_ms`].
pub(crate) const FILLER_MS: RangeInclusive<u32> = 20..=60_000;
/// Bounds of [`SceneService::timeout_ms`].
pub(crate) const TIMEOUT_MS: RangeInclusive<u32> = 10..=600_000;
/// Bounds of [`SceneService::retries`].
pub(crate) const RETRIES: RangeInclusive<u8> = 0..=5;

/// The model of a service's time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// From submit to the first result.
    pub latency: Latency,
    /// Calls or batches that run at once. `None`: 1 behind the hub, where the model cannot run in parallel (more:
    /// that many instances of it); otherwise 64.
    #[serde(default)]
    pub parallelism: Option<u32>,
    /// Cost of each further item of a batch, as a share of one item's latency; 0..=10.
    #[serde(default = "batch_item_cost")]
    pub batch_item_cost: f64,
    /// Cost of an item in lower quality, as a share of its full latency; above 0 to 1.
    #[serde(default = "reduced_cost")]
    pub reduced_cost: f64,
    /// Words of text a second, as a language model gives them, 0.1..=10000; 0: all at once.
    #[serde(default)]
    pub words_per_s: f64,
    /// Seconds of audio made per second, after the first block; 0.01..=10000.
    #[serde(default = "speed")]
    pub speed: f64,
    /// Factor of every modelled latency, 0.001..=100.
    #[serde(default = "scale")]
    pub scale: f64,
}

impl Default for Timing {
    /// Every answer takes a millisecond.
    fn default() -> Self {
        Self {
            latency: Latency::Fixed { ms: 1.0 },
            parallelism: None,
            batch_item_cost: batch_item_cost(),
            reduced_cost: reduced_cost(),
            words_per_s: 0.0,
            speed: speed(),
            scale: scale(),
        }
    }
}

impl Timing {
    /// Calls or batches that run at once.
    pub fn workers(&self) -> u32 {
        self.parallelism.unwrap_or(64)
    }
}

fn reduced_cost() -> f64 {
    0.6
}
fn batch_item_cost() -> f64 {
    0.25
}
fn speed() -> f64 {
    20.0
}
fn scale() -> f64 {
    1.0
}

/// Latencies a scene may give and a service may draw, before `scale`: the engine's unit, a microsecond, to a minute.
pub const LATENCY_MS: RangeInclusive<f64> = 0.001..=60_000.0;

/// A distribution of latencies, within [`LATENCY_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Latency {
    /// Log-normal: the shape of most services.
    LogNormal {
        /// Median.
        p50_ms: f64,
        /// 99th percentile, not below the median.
        p99_ms: f64,
    },
    /// Always the same latency.
    Fixed {
        /// The latency.
        ms: f64,
    },
}

/// The metrics page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether the page is served.
    pub enabled: bool,
    /// Address, `host:port`.
    pub address: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: false, address: "127.0.0.1:9464".into() }
    }
}
