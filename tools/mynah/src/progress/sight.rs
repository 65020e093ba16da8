//! The state of a run so far, collected from its events for the live view.

use hdrhistogram::Histogram;
use mynah_engine::observe::Census;
use mynah_engine::record::latency_histogram;
use mynah_engine::{DropReason, Event, Record};

use mynah_sim::simulate::TickView;

/// Answers so far, from the end of speech as the gate heard it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// Median, microseconds.
    pub p50_us: u64,
    /// 99 %.
    pub p99_us: u64,
    /// Number of answers.
    pub count: u64,
}

/// A run at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sight {
    /// What is being done.
    pub stage: &'static str,
    /// How much of it.
    pub done: u64,
    /// Of how much.
    pub total: u64,
    /// Seconds on the wall clock since it began.
    pub elapsed_s: f64,
    /// Engine time that has passed, microseconds.
    pub engine_us: u64,
    /// Sessions open.
    pub sessions: u32,
    /// Ticks run.
    pub ticks: u64,
    /// Answers.
    pub response: Option<Response>,
    /// The node at which most frames wait at this moment, and how many; `None` when none do. What waits at the output
    /// is answers at the pace of speech.
    pub deepest: Option<(String, u64)>,
    /// Batches of all nodes.
    pub batches: u64,
    /// Items in them.
    pub batched: u64,
    /// Segments that were speech.
    pub confirmed: u64,
    /// Segments that were not.
    pub cancelled: u64,
    /// Ends of speech that were none.
    pub retracted: u64,
    /// Frames lost at full queues.
    pub dropped: u64,
}

/// The last endpoint of a session.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    answer: (u32, u32),
    at_us: u64,
}

/// Gathers what a [`Sight`] shows.
#[derive(Debug)]
pub struct Spotter {
    /// What there is to see.
    pub sight: Sight,
    ends: Vec<End>,
    /// By how much each session's media time is behind engine time, where that is known.
    offsets_us: Vec<u64>,
    responses: Histogram<u32>,
    census: Census,
}

impl Default for Spotter {
    fn default() -> Self {
        Self {
            sight: Sight::default(),
            ends: Vec::new(),
            offsets_us: Vec::new(),
            responses: latency_histogram(),
            census: Census::default(),
        }
    }
}

impl Spotter {
    /// Takes the events of a tick.
    pub fn records(&mut self, records: &[Record]) {
        for record in records {
            self.record(record);
        }
    }

    fn record(&mut self, record: &Record) {
        let sight = &mut self.sight;
        let session = record.session.0 as usize;
        match record.event {
            Event::SegmentConfirmed { .. } => sight.confirmed += 1,
            Event::SegmentCancelled { .. } => sight.cancelled += 1,
            Event::EndpointRetracted { .. } => sight.retracted += 1,
            Event::Batch { size, .. } => {
                sight.batches += 1;
                sight.batched += u64::from(size);
            }
            Event::FrameDropped { reason: DropReason::Overflow, .. }
            | Event::OutputDropped { reason: DropReason::Overflow, .. } => sight.dropped += 1,
            Event::Endpoint { segment, revision, at_us, seen_us } => {
                if self.ends.len() <= session {
                    self.ends.resize(session + 1, End::default());
                }
                // Where the media time's beginning is not known: the silence was seen just now.
                let just_now_us = record.t_us.saturating_sub(seen_us.saturating_sub(at_us));
                let at_us = self.offsets_us.get(session).map_or(just_now_us, |offset_us| at_us + offset_us);
                self.ends[session] = End { answer: (segment, revision), at_us };
            }
            Event::OutputStarted { segment, revision } if revision > 0 => {
                let end = self.ends.get(session).filter(|end| end.answer == (segment, revision));
                if let Some(end) = end {
                    self.responses.saturating_record(record.t_us.saturating_sub(end.at_us));
                }
            }
            _ => {}
        }
    }

    /// A tick is over.
    pub fn tick(&mut self, view: &TickView<'_>) {
        if self.offsets_us.len() < view.lines.len() {
            self.offsets_us = view.lines.iter().map(|line| line.offset_us).collect();
        }
        self.sight.ticks += 1;
        self.sight.engine_us = view.engine.now_us().saturating_sub(view.started_us);
    }

    /// Brings up to date what is costly; before it is drawn.
    pub fn look(&mut self, engine: &mynah_engine::Engine) {
        let census = engine.census(&mut self.census);
        self.sight.sessions = census.sessions_open;
        let nodes = engine.plan().nodes.iter().zip(&census.waiting);
        let deepest = nodes.filter(|(_, frames)| **frames > 0).max_by_key(|(_, frames)| **frames);
        self.sight.deepest = deepest.map(|(node, frames)| (node.id.clone(), *frames));
        let responses = &self.responses;
        self.sight.response = (!responses.is_empty()).then(|| Response {
            p50_us: responses.value_at_quantile(0.5),
            p99_us: responses.value_at_quantile(0.99),
            count: responses.len(),
        });
    }
}
