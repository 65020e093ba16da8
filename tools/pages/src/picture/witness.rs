//! Collects what the page of a simulation shows, while the simulation runs. What it keeps is bounded: counts per
//! stretch of the run, and the first minutes of one session.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;
use mynah_engine::record::{NodeHistograms, latency_histogram};
use mynah_engine::{DropReason, Event, NodeId, OutAudio, Record, ScenePlan};

use crate::picture::windows::{Windows, spell_us};
use mynah_sim::simulate::replies::{Replies, Spells};
use mynah_sim::simulate::{Ending, Observer, Simulation, TickView};

use self::follow::Followed;

pub mod follow;

/// The session that is shown in full.
pub const FOLLOWED: u32 = 0;
/// Answers may come this long after the last audio.
const AFTER_US: u64 = 30_000_000;
/// Depths that are told apart, about.
const DEPTHS: usize = 1_100;
/// Which latency the page is mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// True end of speech to the first sample of the answer.
    Response,
    /// Intended arrival to release.
    Passage,
}

/// What became known at the end.
#[derive(Debug)]
pub struct Outcome {
    /// Which latency these are.
    pub subject: Subject,
    /// All of them, microseconds.
    pub latency: Histogram<u32>,
    /// The same by stretch of the run.
    pub spells: Spells,
    /// Single answers: when what they answer had ended, seconds, and the latency, milliseconds. Empty when there are too
    /// many to be told apart.
    pub replies: Vec<(f64, f64)>,
}

/// Batches of one node: how many of a size went off for a reason.
pub type Batches = BTreeMap<(u32, &'static str), u64>;

/// Watches a simulation for its page.
pub struct Witness {
    pub(super) plan: Arc<ScenePlan>,
    pub(super) windows: Windows,
    passages: Spells,
    pub(super) batches: BTreeMap<u8, Batches>,
    pub(super) tick_work: Histogram<u32>,
    pub(super) followed: Followed,
    pub(super) outcome: Option<Outcome>,
    duration_us: u64,
    started_us: u64,
    /// When the last tick was.
    looked_us: u64,
    /// How often which depth was found, by node, up to the window before.
    depths: Vec<Vec<u64>>,
    histograms: NodeHistograms,
}

impl Witness {
    /// For a run of `duration_us`. Takes most of its memory now.
    pub fn new(plan: &Arc<ScenePlan>, duration_us: u64) -> Self {
        let nodes = plan.nodes.len() + 1;
        Self {
            plan: Arc::clone(plan),
            windows: Windows::new(duration_us, AFTER_US, nodes),
            passages: Spells::new(duration_us, spell_us(duration_us)),
            duration_us,
            batches: BTreeMap::new(),
            tick_work: latency_histogram(),
            followed: Followed::new(plan, duration_us),
            outcome: None,
            started_us: 0,
            looked_us: 0,
            depths: vec![Vec::with_capacity(DEPTHS); nodes],
            histograms: NodeHistograms::default(),
        }
    }

    /// Before the run: takes a copy of what the followed session will hear, and has the answers' latencies kept.
    pub fn prepare(&mut self, simulation: &mut Simulation) {
        self.followed.hears(simulation.stream(FOLLOWED as usize).cloned());
        simulation.keep_replies(Replies::new(self.duration_us, spell_us(self.duration_us)));
    }

    fn count(&mut self, record: &Record) {
        let window = self.windows.at(record.t_us.saturating_sub(self.started_us));
        match record.event {
            Event::SegmentOpened { .. } => window.opened += 1,
            Event::SegmentConfirmed { .. } => window.confirmed += 1,
            Event::SegmentCancelled { .. } => window.cancelled += 1,
            Event::EndpointRetracted { .. } => window.retracted += 1,
            Event::AnswerInterrupted { .. } => window.interrupted += 1,
            Event::FrameDropped { reason, .. } | Event::OutputDropped { reason, .. } => {
                let at = DropReason::ALL.iter().position(|one| *one == reason);
                window.dropped[at.expect("ALL has every reason")] += 1;
            }
            Event::Batch { node, size, reason } => {
                if let Some((batches, items)) = window.batches.get_mut(node.index()) {
                    *batches += 1;
                    *items += u64::from(size);
                }
                let sizes = self.batches.entry(node.0).or_default();
                *sizes.entry((size, reason.name())).or_default() += 1;
            }
            _ => {}
        }
    }

    /// Once a window is over: what its frames found in the queues.
    fn look(&mut self, view: TickView<'_>, us: u64) {
        let window = self.windows.at(us);
        for (at, (seen, deepest)) in self.depths.iter_mut().zip(&mut window.deepest).enumerate() {
            let now = &view.engine.histograms(NodeId(at as u8), &mut self.histograms).depths;
            seen.resize(now.len(), 0);
            let deeper = now.iter().zip(&*seen).rposition(|(now, before)| now > before);
            *deepest = deeper.unwrap_or(0) as u64;
            seen.copy_from_slice(now);
        }
    }
}

impl Observer for Witness {
    fn traces(&self, session: u32) -> bool {
        session == FOLLOWED
    }

    fn records(&mut self, records: &[Record]) {
        for record in records {
            self.count(record);
            if record.session.0 == FOLLOWED {
                self.followed.record(record);
            }
        }
    }

    fn audio(&mut self, session: usize, audio: &OutAudio) {
        if audio.revision == 0 {
            let us = audio.released_us.saturating_sub(self.started_us);
            self.passages.record(us, audio.released_us.saturating_sub(audio.arrived_us));
        }
        if session == FOLLOWED as usize {
            self.followed.audio(audio);
        }
    }

    fn tick(&mut self, view: TickView<'_>) {
        self.started_us = view.started_us;
        self.followed.starts_at(view.started_us);
        let us = view.engine.now_us().saturating_sub(view.started_us);
        self.tick_work.saturating_record(view.work_ns / 1_000);
        let window = self.windows.at(us);
        window.ticks += 1;
        window.work_ns += view.work_ns;
        window.work_ns_max = window.work_ns_max.max(view.work_ns);
        for (at, most) in window.waiting.iter_mut().enumerate() {
            *most = (*most).max(view.engine.hub().waiting(NodeId(at as u8)) as u64);
        }
        if !self.windows.is_same(us, self.looked_us) {
            self.look(view, self.looked_us);
        }
        self.looked_us = us;
    }

    fn reported(&mut self, ending: Ending<'_>) {
        let latencies = &ending.measured.latencies;
        let answered = ending.report.latency_ms.speech_end_to_response.is_some();
        self.outcome = Some(match &latencies.replies {
            Some(replies) if answered => {
                let singles = replies.singles().iter();
                Outcome {
                    subject: Subject::Response,
                    latency: latencies.end_to_response.clone(),
                    spells: replies.spells().clone(),
                    replies: singles
                        .map(|(us, after_us)| (*us as f64 / 1e6, *after_us as f64 / 1e3))
                        .collect(),
                }
            }
            _ => Outcome {
                subject: Subject::Passage,
                latency: latencies.frame_in_to_out.clone(),
                spells: self.passages.clone(),
                replies: Vec::new(),
            },
        });
    }
}
